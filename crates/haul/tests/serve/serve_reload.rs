//! `haul serve` as its operator has it: settings that change while it runs, and starts that cannot be.

use crate::scene;
use std::{net::TcpListener, path::Path, time::Duration};

use haul_testkit::{Caller, Content, Haul, Served, served::PASSWORD, served::USER, tls::Certificates};

use crate::scene::served::{Place, begun, hash_of, owner, part, serve};

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

/// Settings that cannot be, and what is told of each behind the file's name: the line, the key that is at fault, why, and
/// the line of what it contradicts. HASH is a good one; `/R` is a folder, `/L` another one, with files in it.
const WRONG: &[(&str, &str)] = &[
    ("dir = \"/R\"\n[ftp\n", ":2: "),
    ("dir = \"/R\"\ndir = \"/L\"\n", ":2: duplicate key"),
    (
        "dir = \"/R\"\nstate = \"/R/state\"\n",
        ":2: state: /R/state lies in the folder that is served, where clients could fetch it: choose one outside, or \
         below .haul (dir in line 1)",
    ),
    (
        "dir = \"/R\"\n[log]\nxferlog = \"/R/logs/xferlog\"\n",
        ":3: log.xferlog: /R/logs/xferlog lies in the folder",
    ),
    ("dir = \"/R\"\n[log]\naudit = \"/R/audit\"\n", "or below .haul (dir in line 1)"),
    (
        "dir = \"/R\"\n[log]\nxferlog = \"/L/link/x\"\n",
        ":3: log.xferlog: /L/link/x lies in the folder that is served",
    ),
    (
        "dir = \"/R\"\nstate = \"/L/disk/.haul\"\n[[mount]]\npath = \"/m\"\ndir = \"/L/disk\"\n\
         [log]\nxferlog = \"/L/disk/.haul/x\"\naudit = \"/L/disk/audit\"\n",
        ":8: log.audit: /L/disk/audit lies in the folder that is served, where clients could fetch it: choose one \
         outside, or below .haul (mount.dir in line 5)",
    ),
    (
        "dir = \"/R\"\n[tls]\ncert = \"/R/pub.pem\"\nkey = \"/R/own.key\"\n",
        ":4: tls.key: /R/own.key lies in the folder that is served, where clients could fetch it: choose one outside, \
         or below .haul (dir in line 1)",
    ),
    (
        "dir = \"/R\"\n[tls]\nself_signed = true\n[[host]]\nnames = [\"a\"]\n[[host]]\nnames = [\"b\"]\n\
         cert = \"/L/good.pem\"\nkey = \"/L/way\"\n",
        ":9: host.key: /L/way lies in the folder that is served",
    ),
    (
        "dir = \"/R\"\n[[mount]]\npath = \"/n\"\ndir = \"/L/more\"\n[[mount]]\npath = \"/m\"\ndir = \"/L/disk\"\n\
         [[hook]]\nname = \"far\"\nurl = \"http://a/\"\nsecret_file = \"/L/good.key\"\n\
         [[hook]]\nname = \"near\"\nurl = \"http://a/\"\nsecret_file = \"/L/disk/inside/secret\"\n",
        ":15: hook.secret_file: /L/disk/inside/secret lies in the folder that is served, where clients could fetch it: \
         choose one outside, or below .haul (mount.dir in line 7)",
    ),
    (
        "dir = \"/L\"\nstate = \"/R\"\n",
        "--config: /L/serve.toml lies in the folder that is served, where clients could fetch it: choose one outside, or \
         below .haul (dir in line 1)",
    ),
    (
        "dir = \"/R\"\n[log]\naudit = \"/L/log\"\nxferlog = \"/L/log\"\n",
        ":3: log.audit: /L/log is the xferlog, and has lines of another kind (log.xferlog in line 4)",
    ),
    (
        "dir = \"/R\"\n[http]\nlisten = \"off\"\n[ftp]\nlisten = \"off\"\n",
        ":5: ftp.listen: is off, and so is every other door: there is nothing to serve at (http.listen in line 3)",
    ),
    (
        "dir = \"/R\"\n[ftp]\nlisten = \"127.0.0.1:2121\"\n[http]\nlisten = \":2121\"\n",
        ":5: http.listen: :2121 is where ftp.listen listens already (ftp.listen in line 3)",
    ),
    (
        "dir = \"/R\"\n[metrics]\nlisten = \"127.0.0.1:9\"\n[http]\nlisten = \"127.0.0.1:9\"\n",
        ":3: metrics.listen: 127.0.0.1:9 is where http.listen listens already (http.listen in line 5)",
    ),
    (
        "dir = \"/R\"\n[tls]\nmode = \"required\"\n",
        ":3: tls.mode: needs a certificate: tls.cert and tls.key, or tls.self_signed",
    ),
    ("dir = \"/R\"\n[ftp]\nlisten_tls = \":990\"\n", ":3: ftp.listen_tls: needs a certificate"),
    ("dir = \"/R\"\n[http]\nlisten_tls = \":443\"\n", ":3: http.listen_tls: needs a certificate"),
    ("dir = \"/R\"\n[tls]\nclient_ca = \"/L/good.pem\"\n", ":3: tls.client_ca: needs a certificate"),
    (
        "dir = \"/R\"\n[tls]\ncert = \"/L/good.pem\"\n",
        ":2: tls.key: is missing beside tls.cert (tls.cert in line 3)",
    ),
    (
        "dir = \"/R\"\n[tls]\nself_signed = true\ncert = \"/L/good.pem\"\nkey = \"/L/good.key\"\n",
        ":3: tls.self_signed: there is a certificate already: it is one or the other (tls.cert in line 4, tls.key in \
         line 5)",
    ),
    (
        "dir = \"/R\"\n[tls]\nkey = \"/L/good.key\"\ncert = \"/L/empty\"\n",
        ":4: tls.cert: /L/empty has no certificate in it",
    ),
    (
        "dir = \"/R\"\n[tls]\nkey = \"/L/empty\"\ncert = \"/L/good.pem\"\n",
        ":3: tls.key: /L/empty has no private key in it",
    ),
    (
        "dir = \"/R\"\n[tls]\nkey = \"/L/other.key\"\ncert = \"/L/good.pem\"\n",
        ":4: tls.cert: /L/good.pem with /L/other.key: ",
    ),
    ("dir = \"/R\"\n[tls]\nkey = \"/L/other.key\"\ncert = \"/L/good.pem\"\n", " (tls.key in line 3)"),
    (
        "dir = \"/R\"\n[tls]\nself_signed = true\nclient_ca = \"/L/empty\"\n",
        ":4: tls.client_ca: /L/empty has no certificate in it",
    ),
    (
        "dir = \"/R\"\n[[host]]\nnames = [\"a\"]\n[[host]]\nnames = [\"b\"]\ncert = \"/L/good.pem\"\nkey = \"/L/good.key\"\n",
        ":6: host.cert: there is none for whoever names no host",
    ),
    (
        "dir = \"/R\"\n[tls]\nself_signed = true\n[[host]]\nnames = [\"a\"]\n[[host]]\nnames = [\"b\"]\n\
         cert = \"/L/good.pem\"\nkey = \"/L/none\"\n",
        ":9: host.key: /L/none: No such file",
    ),
    (
        "dir = \"/R\"\n[tls]\nself_signed = true\n[[host]]\nnames = [\"a\"]\n[[host]]\nnames = [\"b\"]\n\
         cert = \"/L/good.pem\"\nkey = \"/L/other.key\"\n",
        ":8: host.cert: /L/good.pem with /L/other.key: ",
    ),
    (
        "dir = \"/R\"\n[[host]]\nnames = [\"a\", \"b\"]\n[[host]]\nnames = [\n\"c\",\n\"B\"]\n",
        ":7: host.names: \"B\" is there twice (host.names in line 3)",
    ),
    ("dir = \"/R\"\n[process]\ngroup = \"files\"\n", ":3: process.group: needs process.user beside it"),
    (
        "dir = \"/R\"\n[ftp]\npassive_ports = \"1000-2000\"\n[process]\nuser = \"4711\"\ngroup = \"4711\"\n",
        ":3: ftp.passive_ports: only root can listen at ports below 1024, and the server is process.user by then \
         (process.user in line 5)",
    ),
    (
        "dir = \"/R\"\n[process]\nsandbox = \"required\"\n[[hook]]\nname = \"far\"\nurl = \"http://a/\"\n\
         [[hook]]\nname = \"near\"\ncommand = [\"/bin/sh\"]\n",
        ":3: process.sandbox: is required, and there is none: the hook \"near\" runs a program (hook.command in line 9)",
    ),
    (
        "dir = \"/R\"\n[[hook]]\nname = \"far\"\nurl = \"http://a/\"\n\
         [[hook]]\nname = \"near\"\nurl = \"http://a/\"\nsecret_file = \"/L/none\"\n",
        ":8: hook.secret_file: \"near\": /L/none: No such file",
    ),
    (
        "dir = \"/R\"\n[[hook]]\nname = \"a\"\nurl = \"http://a/\"\ncommand = [\"/bin/sh\"]\n",
        ":4: hook.url: there is a command already: it is one or the other (hook.command in line 5)",
    ),
    (
        "dir = \"/R\"\n[[user]]\nname = \"ann\"\npassword = \"HASH\"\n[[user]]\npassword = \"HASH\"\nname = \"ann\"\n",
        ":7: user.name: \"ann\" is there twice (user.name in line 3)",
    ),
    (
        "dir = \"/R\"\n[[user]]\nname = \"ann\"\npassword = \"HASH\"\n\
         [[user]]\nname = \"ben\"\npassword = \"HASH\"\ncertificates = [\"CN=ben\"]\n",
        ":8: user.certificates: nobody vouches for any: tls.client_ca is missing",
    ),
    (
        "dir = \"/R\"\n[[user]]\nname = \"ann\"\npassword = \"HASH\"\n[[user.folder]]\npath = \"/a/b\"\npermissions = \"r\"\n\
         [[user.folder]]\npath = \"a/b/\"\npermissions = \"rw\"\n",
        ":9: user.folder.path: \"a/b/\" is there twice (user.folder.path in line 6)",
    ),
    (
        "dir = \"/R\"\n[anonymous]\naccess = \"off\"\n",
        ":3: anonymous.access: is off, and there is no user: nobody could come in",
    ),
    (
        "dir = \"/R\"\n[[mount]]\npath = \"/m\"\ndir = \"/L/disk\"\n[[mount]]\npath = \"m/\"\ndir = \"/L/more\"\n",
        ":6: mount.path: \"m/\" is there twice (mount.path in line 3)",
    ),
    (
        "dir = \"/R\"\n[[mount]]\npath = \"/m\"\ndir = \"/L/disk\"\n[[mount]]\npath = \"/n\"\ndir = \"/L/disk/inside\"\n",
        ":7: mount.dir: /L/disk/inside and /L/disk lie in each other (mount.dir in line 4)",
    ),
    (
        "dir = \"/R\"\n[[mount]]\npath = \"/m\"\ndir = \"/R/m\"\n",
        ":4: mount.dir: /R/m and /R lie in each other (dir in line 1)",
    ),
];

#[test]
fn each_mistake_has_its_line_and_that_of_what_it_contradicts_and_changes_nothing() {
    let place = Place::new();
    let (good, other) = (Certificates::for_loopback(), Certificates::for_loopback());
    std::fs::copy(good.cert_pem_path(), place.local("good.pem")).unwrap();
    std::fs::copy(good.key_pem_path(), place.local("good.key")).unwrap();
    std::fs::copy(other.key_pem_path(), place.local("other.key")).unwrap();
    std::fs::write(place.local("empty"), "").unwrap();
    for folder in [place.local("disk/inside"), place.local("more"), place.far("logs"), place.far("m")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::os::unix::fs::symlink(place.root(), place.local("link")).unwrap();
    // A certificate is for everybody.
    std::fs::copy(good.cert_pem_path(), place.far("pub.pem")).unwrap();
    std::fs::copy(good.key_pem_path(), place.far("own.key")).unwrap();
    std::os::unix::fs::symlink(place.far("own.key"), place.local("way")).unwrap();
    std::fs::write(place.local("disk/inside/secret"), "secret").unwrap();
    let hash = hash_of("first");
    let real = |text: &str| {
        let text = text.replace("/R", place.root().to_str().unwrap());
        text.replace("/L", place.dir().to_str().unwrap()).replace("HASH", &hash)
    };
    let file = place.local("serve.toml");
    let haul = || Haul::new(env!("CARGO_BIN_EXE_haul")).args(["serve", "--config"]).arg(&file);
    let doors = "[ftp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"off\"\n";
    std::fs::write(&file, real(&format!("dir = \"/R\"\n{doors}{}", user("ann", "first")))).unwrap();
    haul().arg("--check").run().expect_code(0);
    let server = haul().spawn();
    let opened = server.wait_for_output_line(|line| line.starts_with("listening ftp "), PATIENCE);
    let at = opened.trim_start_matches("listening ftp ").parse().unwrap();
    let mut inside = Caller::binary(at, "ann", "first");
    for (number, (text, told)) in WRONG.iter().enumerate() {
        std::fs::write(&file, real(text)).unwrap();
        let told = real(told);
        let told = if told.starts_with(':') { format!("serve.toml{told}") } else { told };
        let checked = haul().arg("--check").run().expect_code(2);
        assert!(checked.stderr.contains(&told), "{told}\n{}", checked.stderr);
        server.hang_up();
        let refused = || {
            let log = server.stderr();
            log.lines()
                .filter(|line| line.contains("everything stays as it was"))
                .nth(number)
                .map(str::to_owned)
        };
        scene::wait_until(|| refused().is_some());
        let (said, told) = (refused().unwrap(), told.replace('"', "\\\""));
        assert!(said.contains(&told), "{told}\n{said}");
    }
    // Whoever is in stays in, and the old settings hold.
    inside.says("NOOP", 200);
    Caller::binary(at, "ann", "first").says("NOOP", 200);
    assert!(!server.stderr().contains(" reloaded"));
    // What is below the reserved name is no client's.
    let hidden = "dir = \"/R\"\nstate = \"/R/.haul/s\"\n[log]\nxferlog = \"/R/.HAUL/x\"\n\
                  [tls]\ncert = \"/R/pub.pem\"\nkey = \"/R/.HAUL/own.key\"\n";
    std::fs::write(&file, real(hidden)).unwrap();
    std::fs::create_dir_all(place.far(".HAUL")).unwrap();
    std::fs::rename(place.far("own.key"), place.far(".HAUL/own.key")).unwrap();
    haul().arg("--check").run().expect_code(0);
}

#[test]
fn what_is_not_there_has_the_line_of_its_own_table() {
    let place = Place::new();
    let file = place.local("serve.toml");
    let users = format!("{}{}home = \"/nowhere\"\n", user("ann", "first"), user("ben", "first"));
    std::fs::write(&file, users).unwrap();
    let end = serve(place.root()).arg("--config").arg(&file).arg("--check").run().expect_code(2);
    assert!(
        end.stderr.contains("serve.toml:7: user.home: \"ben\": there is no folder /nowhere"),
        "{}",
        end.stderr
    );
    // Who is another one on the command line has no line.
    let other = serve(place.root()).arg("--config").arg(&file).args(["--user", "ben:x", "--check"]);
    other.run().expect_code(0);
    std::fs::write(&file, "[process]\numask = \"022\"\nuser = \"nobody-of-this-name\"\n").unwrap();
    let end = serve(place.root()).arg("--config").arg(&file).arg("--check").run().expect_code(7);
    assert!(end.stderr.contains("serve.toml:3: process.user: there is no user"), "{}", end.stderr);
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
