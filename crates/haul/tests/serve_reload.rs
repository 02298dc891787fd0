//! `haul serve` as its operator has it: settings that change while it runs, and starts that cannot be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod scene;

use std::{net::TcpListener, path::Path, time::Duration};

use haul_testkit::{Caller, Content, Haul, Served, served::PASSWORD, served::USER, tls::Certificates};

use scene::served::{Place, begun, hash_of, owner, part, serve};

const PATIENCE: Duration = Duration::from_secs(30);

fn user(name: &str, password: &str) -> String {
    format!("[[user]]\nname = \"{name}\"\npassword = \"{}\"\n", hash_of(password))
}

/// A server with this file, which can be changed later.
fn with_file(place: &Place, file: &Path, text: &str) -> Served {
    std::fs::write(file, text).unwrap();
    place.serve().arg("--config").arg(file).start()
}

/// SIGHUP, and what the server then says of it.
fn read_again(served: &Served, begins: &str) {
    served.process().hang_up();
    served.process().wait_for_line(|line| line.contains(begins), PATIENCE);
}

fn enters(served: &Served, name: &str, password: &str) -> bool {
    let mut caller = Caller::to(served.addr());
    caller.hears(220);
    caller.says(&format!("USER {name}"), 331);
    caller.asks(&format!("PASS {password}")).code == 230
}

#[test]
fn users_that_change_are_known_after_a_hang_up_and_whoever_is_in_stays_in() {
    let place = Place::new();
    let file = place.local("serve.toml");
    let served = with_file(&place, &file, &user("ann", "first"));
    assert!(enters(&served, "ann", "first"));
    let mut inside = Caller::binary(served.addr(), "ann", "first");
    std::fs::write(&file, user("ben", "second")).unwrap();
    read_again(&served, " reloaded");
    assert!(enters(&served, "ben", "second"));
    assert!(!enters(&served, "ann", "first"));
    assert!(enters(&served, USER, PASSWORD), "the command line holds");
    inside.says("NOOP", 200);
}

#[test]
fn a_file_that_became_wrong_changes_nothing() {
    let place = Place::new();
    let file = place.local("serve.toml");
    let served = with_file(&place, &file, &user("ann", "first"));
    std::fs::write(&file, "[ftp]\nidel = \"1s\"\n").unwrap();
    read_again(&served, "everything stays as it was");
    assert!(served.process().stderr().contains("serve.toml:2: ftp.idel: there is no such key"));
    assert!(enters(&served, "ann", "first"));
}

#[test]
fn what_is_on_its_way_goes_on_over_a_reload_and_its_user_may_be_gone_by_then() {
    const CONTENT: Content = Content::new(1, 3_000_000);
    let place = Place::new();
    let file = place.local("serve.toml");
    let served = with_file(&place, &file, &user("ann", "first"));
    let mut caller = Caller::binary(served.addr(), "ann", "first");
    let mut data = begun(&mut caller, "STOR f", &part(CONTENT, 0, 1_000_000));
    std::fs::write(&file, user("ben", "second")).unwrap();
    read_again(&served, " reloaded");
    data.sends(&part(CONTENT, 1_000_000, CONTENT.size()));
    data.finish();
    caller.hears(226);
    CONTENT.assert_file_is(place.far("f"));
    assert!(!enters(&served, "ann", "first"));
}

#[test]
fn a_new_certificate_is_shown_to_whoever_comes_next() {
    let place = Place::new();
    let (old, new) = (Certificates::for_loopback(), Certificates::for_loopback());
    let (cert, key) = (place.local("cert.pem"), place.local("key.pem"));
    let put = |certificates: &Certificates| {
        std::fs::copy(certificates.cert_pem_path(), &cert).unwrap();
        std::fs::copy(certificates.key_pem_path(), &key).unwrap();
    };
    put(&old);
    let served = place.serve().arg("--tls-cert").arg(&cert).arg("--tls-key").arg(&key).start();
    let mut inside = Caller::protected(served.addr(), old.client_config(None), USER, PASSWORD);
    put(&new);
    read_again(&served, " reloaded");
    Caller::protected(served.addr(), new.client_config(None), USER, PASSWORD).says("NOOP", 200);
    // A session that had begun keeps its own, for its data connections too.
    std::fs::write(place.far("f"), "x").unwrap();
    assert_eq!(inside.receives("RETR f"), b"x");
}

#[test]
fn tls_that_is_required_from_now_on_is_required_though_the_certificate_was_made_for_this_run() {
    let place = Place::new();
    let file = place.local("serve.toml");
    let served = with_file(&place, &file, "[tls]\nself_signed = true\n");
    assert!(enters(&served, USER, PASSWORD));
    std::fs::write(&file, "[tls]\nself_signed = true\nmode = \"required\"\n").unwrap();
    read_again(&served, " reloaded");
    let mut caller = Caller::to(served.addr());
    caller.hears(220);
    caller.says(&format!("USER {USER}"), 530);
}

#[test]
fn a_certificate_that_is_asked_for_later_is_made_then() {
    let place = Place::new();
    let file = place.local("serve.toml");
    let served = with_file(&place, &file, "");
    std::fs::write(&file, "[tls]\nself_signed = true\n").unwrap();
    read_again(&served, " certificate made sha256=");
    read_again(&served, " reloaded");
    let mut caller = Caller::to(served.addr());
    caller.hears(220);
    caller.says("AUTH TLS", 234);
}

#[test]
fn what_changes_only_with_a_restart_is_said_to_whoever_changes_it() {
    let place = Place::new();
    let file = place.local("serve.toml");
    let served = with_file(&place, &file, "");
    std::fs::write(&file, "[uploads]\nmode = \"in-place\"\n[log]\nformat = \"json\"\n").unwrap();
    read_again(&served, "changed, but not before a restart: uploads and log");
}

#[test]
fn all_that_a_server_says_with_json_is_json() {
    let place = Place::new();
    let file = place.local("serve.toml");
    let served = place.serve().args(["--log", "json", "--tls-self-signed", "--config"]);
    std::fs::write(&file, "").unwrap();
    let served = served.arg(&file).start();
    served.process().wait_for_line(|line| line.contains("\"certificate made\""), PATIENCE);
    std::fs::write(&file, "a = 1\nb = 2\n").unwrap();
    read_again(&served, "everything stays as it was");
    let said = served.process().stderr();
    assert!(said.lines().all(|line| line.starts_with("{\"time\":")), "{said}");
    assert!(said.contains(":1: a: there is no such key") && said.contains(":2: b: there is no such key"));
}

#[test]
fn a_home_that_is_not_there_is_told_and_keeps_nobody_else_out() {
    let place = Place::new();
    let file = place.local("serve.toml");
    let ann = format!("{}home = \"/nowhere\"\n", user("ann", "first"));
    std::fs::write(&file, &ann).unwrap();
    let end = serve(place.root()).arg("--config").arg(&file).arg("--check").run().expect_code(2);
    assert!(end.stderr.contains("user.home: \"ann\": there is no folder /nowhere"), "{}", end.stderr);
    let served = with_file(&place, &file, &ann);
    served.process().wait_for_line(|line| line.contains("there is no folder /nowhere"), PATIENCE);
    assert!(enters(&served, USER, PASSWORD));
}

#[test]
fn what_is_found_wrong_in_the_tree_is_in_the_log() {
    let place = Place::new();
    let served = place.serve().start();
    let mut caller = owner(served.addr());
    caller.says("ALLO 100", 200);
    assert_eq!(caller.stores("STOR f", b"some bytes").code, 451);
    for staged in std::fs::read_dir(place.root().join(".haul/staging")).unwrap() {
        std::fs::remove_file(staged.unwrap().path()).unwrap();
    }
    assert_eq!(caller.stores("APPE f", b"more").code, 226, "it begins anew");
    served.process().wait_for_line(
        |line| line.contains(" problem what=") && line.contains("bytes of an unfinished upload are gone"),
        PATIENCE,
    );
}

#[test]
fn an_address_that_is_taken_is_7_and_named() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let end = Haul::new(env!("CARGO_BIN_EXE_haul"))
        .args(["serve", place.root().to_str().unwrap(), "--http", "off", "--ftp", &address, "--user", "a:b"])
        .run()
        .expect_code(7);
    assert!(end.stderr.contains(&address), "{}", end.stderr);
}

#[test]
fn https_needs_a_certificate_and_a_server_a_door() {
    let place = Place::new();
    let end = serve(place.root()).args(["--https", "127.0.0.1:0"]).run().expect_code(2);
    assert!(end.stderr.contains("http.listen_tls"), "{}", end.stderr);
    let root = place.root().to_str().unwrap();
    let args = ["serve", root, "--http", "off", "--ftp", "off"];
    let end = Haul::new(env!("CARGO_BIN_EXE_haul")).args(args).run().expect_code(2);
    assert!(end.stderr.contains("nothing to serve at"), "{}", end.stderr);
}

#[test]
fn a_certificate_that_is_none_is_a_wrong_setting_and_told_before_a_door_opens() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let empty = place.local("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let other = Certificates::for_loopback();
    let strange = other.key_pem_path();
    let (cert, key) = (certificates.cert_pem_path(), certificates.key_pem_path());
    let wrong = [
        (&empty, &empty, "empty.pem has no certificate in it"),
        (&key, &key, "key.pem has no certificate in it"),
        (&cert, &empty, "empty.pem has no private key in it"),
        (&cert, &cert, "cert.pem has no private key in it"),
        (&cert, &strange, strange.to_str().unwrap()),
    ];
    for (cert, key, what) in wrong {
        for check in [true, false] {
            let told = serve(place.root()).arg("--tls-cert").arg(cert).arg("--tls-key").arg(key);
            let end = if check { told.arg("--check") } else { told }.run().expect_code(2);
            assert!(end.stderr.contains(what), "{}", end.stderr);
        }
    }
}
