//! `haul serve` over TLS: both versions, clients that nobody here wrote, twenty uploads in a row, ends that are cut off,
//! session reuse, and what is smuggled in before TLS begins.

use crate::scene;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use haul_testkit::{
    Caller, Content, Haul, Serve, Served,
    real::peer,
    served::{PASSWORD, USER},
    tls::{Certificates, Version},
};

use crate::scene::{
    MIB, Told, haul,
    served::{Place, begun, part, wait_until_taken},
};

const FILES: u64 = 20;
const LEN: u64 = 300_000;
const CONTENT: Content = Content::new(1, LEN);

fn content(number: u64) -> Content {
    Content::new(number, LEN)
}

/// A server with a certificate.
fn secured(place: &Place, certificates: &Certificates) -> Serve {
    let (cert, key) = (certificates.cert_pem_path(), certificates.key_pem_path());
    place.serve().arg("--tls-cert").arg(cert).arg("--tls-key").arg(key)
}

/// Twenty files to send, `00.bin` and on; their names.
fn twenty(place: &Place) -> Vec<String> {
    let names: Vec<_> = (0..FILES).map(|number| format!("{number:02}.bin")).collect();
    for (number, name) in names.iter().enumerate() {
        content(number as u64).write_to(place.local(name));
    }
    names
}

#[track_caller]
fn assert_twenty(place: &Place) {
    for number in 0..FILES {
        content(number).assert_file_is(place.far(&format!("{number:02}.bin")));
    }
}

/// Runs a program in the client's folder; false where it is missing.
#[track_caller]
fn run(place: &Place, program: &str, args: &[&str]) -> bool {
    let Some(program) = peer(program) else { return false };
    let end = Haul::new(program).args(args).dir(place.dir()).env("PYTHONDONTWRITEBYTECODE", "1").run();
    assert_eq!(end.code, Some(0), "{args:?}: {}", end.stderr);
    true
}

fn authority(certificates: &Certificates) -> String {
    certificates.ca_pem_path().display().to_string()
}

fn script() -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scene/clients/with_ftplib.py").display().to_string()
}

const REQUIRE_REUSE: &str = "[ftp]\ntls_reuse = \"require\"\n";

/// By curl, one run; what limits it to a version.
#[track_caller]
fn by_curl(place: &Place, served: &Served, ca: &str, version: &[&str]) {
    let names = twenty(place);
    let files = format!("{{{}}}", names.join(","));
    let url = served.url("/");
    let args = [&["-sS", "--ssl-reqd", "--cacert", ca], version, &["-T", &files, &url]].concat();
    if !run(place, "curl", &args) {
        return;
    }
    assert_twenty(place);
    let url = served.url("/07.bin");
    run(place, "curl", &[&["-sS", "--ssl-reqd", "--cacert", ca], version, &["-o", "back", &url]].concat());
    content(7).assert_file_is(place.local("back"));
}

#[test]
fn curl_uploads_twenty_in_a_row_under_both_versions() {
    for version in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]] {
        let (place, certificates) = (Place::new(), Certificates::for_loopback());
        let served = secured(&place, &certificates).args(["--tls", "required"]).start();
        by_curl(&place, &served, &authority(&certificates), &version);
    }
}

#[test]
fn curl_under_tls_1_2_resumes_its_session_for_every_upload() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let served = secured(&place, &certificates).config(REQUIRE_REUSE).start();
    by_curl(&place, &served, &authority(&certificates), &["--tls-max", "1.2"]);
}

/// Not under TLS 1.3 where reuse is required: it closes with the tickets unread that it needs there, which resets the
/// connection, now and then before the end of the upload has arrived.
#[test]
fn lftp_uploads_twenty_in_a_row_under_both_versions_and_resumes_its_session() {
    for (version, reuse) in [("1.2", ""), ("1.3", ""), ("1.2", REQUIRE_REUSE)] {
        let (place, certificates) = (Place::new(), Certificates::for_loopback());
        let served = secured(&place, &certificates).config(reuse).start();
        let names = twenty(&place);
        let script = format!(
            "set ssl:ca-file {}; set ftp:ssl-force true; set ftp:ssl-protect-data true; set net:max-retries 1; \
             set ssl:priority NORMAL:-VERS-ALL:+VERS-TLS{version}; open -u {USER},{PASSWORD} -p {} 127.0.0.1; \
             mput {}; get 07.bin -o back",
            authority(&certificates),
            served.addr().port(),
            names.join(" "),
        );
        if run(&place, "lftp", &["--norc", "-c", &script]) {
            assert_twenty(&place);
            content(7).assert_file_is(place.local("back"));
        }
    }
}

#[test]
fn ftplib_uploads_twenty_in_a_row_under_both_versions_and_resumes_its_session() {
    for (version, reuse) in [("1.2", ""), ("1.3", ""), ("1.2", REQUIRE_REUSE), ("1.3", REQUIRE_REUSE)] {
        let (place, certificates) = (Place::new(), Certificates::for_loopback());
        let served = secured(&place, &certificates).config(reuse).start();
        let (names, port, ca) =
            (twenty(&place).join(","), served.addr().port().to_string(), authority(&certificates));
        let args = |verb: &'static str| {
            let words =
                [&script(), verb, "127.0.0.1", &port, USER, PASSWORD, &names, &names, "0", "0", &ca, version];
            words.map(str::to_owned)
        };
        let put = args("put");
        if run(&place, "python3", &put.each_ref().map(String::as_str)) {
            assert_twenty(&place);
            place.clear_local();
            let get = args("get");
            run(&place, "python3", &get.each_ref().map(String::as_str));
            (0..FILES).for_each(|n| content(n).assert_file_is(place.local(&format!("{n:02}.bin"))));
        }
    }
}

#[test]
fn haul_uploads_twenty_in_a_row_with_one_login_where_reuse_is_required() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let served = secured(&place, &certificates).config(REQUIRE_REUSE).start();
    let names = twenty(&place);
    let (url, ca, state) = (served.url("/"), authority(&certificates), place.local(".state"));
    let mut args = vec!["put", "--progress", "json", "-j", "1", "--tls", "required", "--cacert", &ca];
    args.extend(names.iter().map(String::as_str));
    args.push(&url);
    let end = haul().args(&args).dir(place.dir()).env("XDG_STATE_HOME", &state).run().expect_code(0);
    let told = Told::by(end);
    assert_eq!(told.all("retry").len(), 0, "{told}");
    assert!(told.all("done").iter().all(|done| done["fetched"] == LEN), "nothing twice\n{told}");
    assert_twenty(&place);
}

#[test]
fn a_download_over_tls_ends_with_close_notify_under_both_versions() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let content = Content::new(5, 3 * MIB);
    content.write_to(place.far("f"));
    let served = secured(&place, &certificates).start();
    for version in [Version::Tls12, Version::Tls13] {
        let config = certificates.client_config(Some(version));
        let mut caller = Caller::protected(served.addr(), config, USER, PASSWORD);
        // What ends without it is an error to whoever reads to the end.
        assert!(caller.receives("RETR f") == content.bytes(0..content.size()));
        assert!(caller.receives("MLSD").len() > 10);
    }
}

#[test]
fn an_upload_that_ends_without_close_notify_is_kept_and_not_published() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let served = secured(&place, &certificates).start();
    for (version, name) in [(Version::Tls12, "f12"), (Version::Tls13, "f13")] {
        let config = certificates.client_config(Some(version));
        let mut caller = Caller::protected(served.addr(), config, USER, PASSWORD);
        begun(&mut caller, &format!("STOR {name}"), &part(CONTENT, 0, LEN)).fin();
        let end = caller.reply();
        assert!((400..600).contains(&end.code), "{end:?}");
        assert!(!place.far(name).exists());
        assert_eq!(caller.size(name), Some(LEN - 1));
        assert_eq!(caller.stores(&format!("APPE {name}"), &part(CONTENT, LEN - 1, LEN)).code, 226);
        CONTENT.assert_file_is(place.far(name));
    }
}

/// An upload that comes so fast that the store takes it by itself.
const FAST: Content = Content::new(11, 40 * MIB);

/// One client under each version, and one in the clear.
fn three(served: &Served, certificates: &Certificates) -> [(Caller, &'static str); 3] {
    let protected =
        |version| Caller::protected(served.addr(), certificates.client_config(Some(version)), USER, PASSWORD);
    let clear = Caller::binary(served.addr(), USER, PASSWORD);
    [(protected(Version::Tls12), "f12"), (protected(Version::Tls13), "f13"), (clear, "f")]
}

#[test]
fn a_fast_upload_that_ends_without_close_notify_is_kept_and_not_published() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let served = secured(&place, &certificates).start();
    for (version, name) in [(Version::Tls12, "f12"), (Version::Tls13, "f13")] {
        let config = certificates.client_config(Some(version));
        let mut caller = Caller::protected(served.addr(), config, USER, PASSWORD);
        begun(&mut caller, &format!("STOR {name}"), &part(FAST, 0, FAST.size())).fin();
        let end = caller.reply();
        assert!((400..600).contains(&end.code), "{end:?}");
        assert!(!place.far(name).exists());
        assert_eq!(caller.size(name), Some(FAST.size() - 1));
        let rest = part(FAST, FAST.size() - 1, FAST.size());
        assert_eq!(caller.stores(&format!("APPE {name}"), &rest).code, 226);
        FAST.assert_file_is(place.far(name));
    }
}

#[test]
fn abor_in_the_middle_of_a_fast_upload_keeps_what_came() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let served = secured(&place, &certificates).start();
    for (mut caller, name) in three(&served, &certificates) {
        let mut data = caller.data();
        caller.says(&format!("STOR {name}"), 150);
        let sending = std::thread::spawn(move || {
            // More than can be sent before it is ended.
            let endless = Content::new(11, 1 << 40);
            (0..).try_for_each(|n| data.tries(&part(endless, n * MIB, (n + 1) * MIB))).unwrap_err();
        });
        scene::wait_until(|| place.hidden() >= 20 * MIB);
        let began = Instant::now();
        caller.says("ABOR", 426);
        caller.hears(226);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        sending.join().unwrap();
        let kept = caller.size(name).unwrap();
        assert!(kept >= 20 * MIB - 1 && !place.far(name).exists());
        let content = Content::new(11, kept + 1000);
        assert_eq!(caller.stores(&format!("APPE {name}"), &part(content, kept, kept + 1000)).code, 226);
        content.assert_file_is(place.far(name));
    }
}

#[test]
fn a_fast_upload_that_becomes_slow_leaves_nothing_behind() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let served = secured(&place, &certificates).start();
    for (mut caller, name) in three(&served, &certificates) {
        let mut at = 33 * MIB;
        let mut data = begun(&mut caller, &format!("STOR {name}"), &part(FAST, 0, at));
        for step in [1, 5, 16_383, 16_385, 70_001, 2 * MIB + 1, 1, FAST.size() - at] {
            // Everything is received that was sent, though nothing comes behind it.
            let began = Instant::now();
            while !caller.asks("STAT").text.contains(&format!("{at} bytes")) {
                assert!(began.elapsed() < Duration::from_secs(20), "{}", caller.asks("STAT").text);
            }
            let to = (at + step).min(FAST.size());
            data.sends(&part(FAST, at, to));
            at = to;
        }
        data.finish();
        caller.hears(226);
        FAST.assert_file_is(place.far(name));
    }
}

#[test]
fn an_empty_file_over_tls_is_a_file() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let served = secured(&place, &certificates).start();
    let mut caller = Caller::protected(served.addr(), certificates.client_config(None), USER, PASSWORD);
    assert_eq!(caller.stores("STOR empty", b"").code, 226);
    assert_eq!(place.far("empty").metadata().unwrap().len(), 0);
}

#[test]
fn a_data_connection_of_another_tls_session_is_refused_where_reuse_is_required() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    CONTENT.write_to(place.far("f"));
    let served = secured(&place, &certificates).config(REQUIRE_REUSE).start();
    for version in [Version::Tls12, Version::Tls13] {
        let config = certificates.client_config(Some(version));
        let mut caller = Caller::protected(served.addr(), config, USER, PASSWORD);
        assert!(caller.receives("RETR f") == part(CONTENT, 0, LEN));
        caller.forgets_session(certificates.client_config(Some(version)));
        for command in ["RETR f", "STOR f"] {
            let mut data = caller.data();
            caller.sends(command);
            // The handshake begins with the first byte that is sent.
            let _ = data.tries(b"x");
            let mut reply = caller.reply();
            if reply.code == 150 {
                reply = caller.reply();
            }
            assert!(matches!(reply.code, 425 | 522), "{command}: {reply:?}");
            drop(data);
        }
    }
    CONTENT.assert_file_is(place.far("f"));
}

#[test]
fn a_data_connection_without_reuse_is_taken_where_it_is_only_preferred() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let served = secured(&place, &certificates).start();
    let mut caller = Caller::protected(served.addr(), certificates.client_config(None), USER, PASSWORD);
    caller.forgets_session(certificates.client_config(None));
    assert_eq!(caller.stores("STOR f", &part(CONTENT, 0, LEN)).code, 226);
    CONTENT.assert_file_is(place.far("f"));
}

#[test]
fn what_comes_with_auth_tls_in_one_packet_is_dropped() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let served = secured(&place, &certificates).start();
    let mut caller = Caller::to(served.addr());
    caller.hears(220);
    caller.sends_bytes(b"AUTH TLS\r\nUSER smuggled\r\nFEAT\r\n");
    caller.hears(234);
    caller.secure(certificates.client_config(None));
    caller.logs_in(USER, PASSWORD);
    caller.says("NOOP", 200);
}

#[test]
fn where_tls_is_required_nothing_is_told_without_it() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    CONTENT.write_to(place.far("f"));
    let served = secured(&place, &certificates).args(["--tls", "required"]).start();
    let mut plain = Caller::to(served.addr());
    plain.hears(220);
    let refused = plain.asks(&format!("USER {USER}"));
    assert!((500..600).contains(&refused.code), "{refused:?}");
    // TLS for control, and none for data.
    let mut caller = Caller::to(served.addr());
    caller.hears(220);
    caller.says("AUTH TLS", 234);
    caller.secure(certificates.client_config(None));
    caller.logs_in(USER, PASSWORD);
    caller.says("TYPE I", 200);
    let reply = caller.asks("PASV");
    let refused = if reply.code == 227 { caller.asks("RETR f") } else { reply };
    assert!((500..600).contains(&refused.code), "{refused:?}");
    caller.protects();
    assert!(caller.receives("RETR f") == part(CONTENT, 0, LEN));
}

#[test]
fn a_door_that_begins_with_tls() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    CONTENT.write_to(place.local("f"));
    let served = secured(&place, &certificates).ftps().start();
    let mut caller = Caller::to_tls(served.ftps_addr(), certificates.client_config(None));
    caller.hears(220);
    caller.logs_in(USER, PASSWORD);
    caller.says("TYPE I", 200);
    caller.protects();
    assert_eq!(caller.stores("STOR g", b"by hand").code, 226);
    let ca = authority(&certificates);
    let url = format!("ftps://{USER}:{PASSWORD}@{}/f", served.ftps_addr());
    if run(&place, "curl", &["-sS", "--cacert", &ca, "-T", "f", &url]) {
        CONTENT.assert_file_is(place.far("f"));
    }
    let state = place.local(".state");
    let args = ["get", "-o", "back", "--cacert", &ca, &url];
    haul().args(args).dir(place.dir()).env("XDG_STATE_HOME", state).run().expect_code(0);
    CONTENT.assert_file_is(place.local("back"));
}

#[test]
fn a_certificate_of_its_own_is_enough_to_begin_with() {
    let place = Place::new();
    CONTENT.write_to(place.far("f"));
    let served = place.serve().arg("--tls-self-signed").start();
    let url = served.url("/f");
    haul().args(["get", &url, "--tls", "required", "--insecure"]).dir(place.dir()).run().expect_code(0);
    CONTENT.assert_file_is(place.local("f"));
    // The same one after a start anew: whoever trusts it is not asked again.
    let first = served.killed_and_started_again();
    haul().args(["get", &first.url("/f"), "-o", "g", "--insecure"]).dir(place.dir()).run().expect_code(0);
}

#[test]
fn an_upload_that_is_killed_over_tls_is_gone_on_with() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let content = Content::new(9, 12 * MIB);
    content.write_to(place.local("f"));
    let served = secured(&place, &certificates).start();
    let (url, ca, state) = (served.url("/f"), authority(&certificates), place.local(".state"));
    let put = |more: &[&str]| {
        let args = [&["put", "--progress", "json", "--tls", "required", "--cacert", &ca], more, &["f", &url]]
            .concat();
        haul().args(args).dir(place.dir()).env("XDG_STATE_HOME", &state)
    };
    let running = put(&["--limit-rate", "4M"]).spawn();
    scene::wait_until(|| place.hidden() >= 4 * MIB);
    running.kill_9();
    let told = Told::by(put(&[]).run().expect_code(0));
    assert!(told.kept() >= 4 * MIB - MIB, "{told}");
    assert_eq!(told.kept() + told.fetched(), content.size(), "{told}");
    content.assert_file_is(place.far("f"));
}

#[test]
fn a_client_that_stops_in_the_handshake_keeps_nobody_else_waiting() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    CONTENT.write_to(place.far("f"));
    let served = secured(&place, &certificates).start();
    let mut silent = Caller::to(served.addr());
    silent.hears(220);
    silent.says("AUTH TLS", 234);
    let mut caller = Caller::protected(served.addr(), certificates.client_config(None), USER, PASSWORD);
    let data = caller.data();
    caller.says("RETR f", 150);
    // No handshake on data either: ABOR is heard all the same.
    caller.says("ABOR", 426);
    caller.hears(226);
    drop(data);
    assert!(caller.receives("RETR f") == part(CONTENT, 0, LEN));
    let mut data = begun(&mut caller, "STOR g", b"x");
    data.sends(b"y");
    wait_until_taken(&data);
    data.finish();
    caller.hears(226);
}
