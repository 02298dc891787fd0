//! What a server counts, compared with what clients did: transfers that end and that are cut, what goes on with them, and
//! each reason for which something is refused, through both doors.

use crate::scene;
use std::{collections::BTreeMap, fs, io::Write as _, net::SocketAddr};

use haul_testkit::{
    Caller, Content, Finished, Haul, HttpCaller, Serve, Served,
    disk::SmallDisk,
    real::peer,
    served::{PASSWORD, USER},
};

use crate::scene::{
    figures::{Figures, told_at},
    http::{OWNER, STRANGER, ask, request, send},
    served::{Place, hash_of, left_unfinished, owner},
    wait_until,
};

const SIZE: u64 = 300_000;
const FILE: Content = Content::new(1, SIZE);
/// So much of it is there when the rest is cut off.
const CUT: usize = 100_000;

/// A server with its figures at a door of their own.
fn served(place: &Place) -> (Served, SocketAddr) {
    let served = place.serve().http().args(["--metrics", "127.0.0.1:0"]).start();
    let at = told_at(&served);
    (served, at)
}

/// What differs from zero, without the name of the metric.
fn told<'a>(figures: &'a Figures, name: &str) -> BTreeMap<&'a str, u64> {
    let all = figures.all(name).into_iter();
    all.map(|(series, value)| (series.split_once('{').map_or("", |(_, labels)| labels), value as u64))
        .collect()
}

#[track_caller]
fn is(figures: &Figures, name: &str, expected: &[(&str, u64)]) {
    let expected = expected.iter().map(|(labels, value)| (format!("{labels}}}"), *value));
    let expected: Vec<(String, u64)> = expected.collect();
    let expected: BTreeMap<&str, u64> = expected.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    assert_eq!(told(figures, name), expected, "{name}");
}

fn curl(place: &Place, args: &[&str]) -> Option<Finished> {
    Some(Haul::new(peer("curl")?).args(["-sS", "-q"]).args(args).dir(place.dir()).run())
}

fn lftp(served: &Served, place: &Place, commands: &str) -> Option<Finished> {
    let (host, port) = (served.addr().ip(), served.addr().port());
    let script = format!(
        "set ftp:ssl-allow no; set net:max-retries 1; open -u {USER},{PASSWORD} -p {port} {host}; {commands}"
    );
    Some(Haul::new(peer("lftp")?).args(["--norc", "-c", &script]).dir(place.dir()).run())
}

/// A transfer is counted when it is over on this side, too.
#[track_caller]
fn once(at: SocketAddr, series: &str, value: u64) -> Figures {
    wait_until(|| Figures::at(at, "/metrics").of(series) as u64 >= value);
    Figures::at(at, "/metrics")
}

/// The same for transfers of all kinds together: those whose end was heard may still have to be counted.
#[track_caller]
fn ended(at: SocketAddr, transfers: u64) -> Figures {
    wait_until(|| {
        told(&Figures::at(at, "/metrics"), "haul_transfers_total").values().sum::<u64>() >= transfers
    });
    Figures::at(at, "/metrics")
}

#[test]
fn over_ftp_what_was_sent_cut_and_gone_on_with_is_counted_to_the_byte() {
    let place = Place::new();
    FILE.write_to(place.local("file"));
    let (served, at) = served(&place);
    let up = |name: &str| served.url(&format!("/{name}"));
    let Some(end) = curl(&place, &["-T", "file", &up("whole")]) else { return };
    end.expect_code(0);
    let kept = left_unfinished(served.addr(), "cut", &FILE.bytes(0..CUT as u64));
    curl(&place, &["-C", "-", "-T", "file", &up("cut")]).unwrap().expect_code(0);
    FILE.assert_file_is(place.far("cut"));
    fs::write(place.local("part"), FILE.bytes(0..CUT as u64)).unwrap();
    let Some(end) = lftp(&served, &place, "get -c whole -o part") else { return };
    end.expect_code(0);
    FILE.assert_file_is(place.local("part"));
    curl(&place, &["-o", "all", &up("whole")]).unwrap().expect_code(0);
    // A list is no file.
    curl(&place, &["-o", "list", &up("")]).unwrap().expect_code(0);

    let down =
        "haul_transfers_total{door=\"ftp\",dialect=\"stream\",direction=\"down\",outcome=\"complete\"}";
    once(at, down, 2);
    let figures = ended(at, 5);
    let key = |way: &str, outcome: &str| {
        format!("door=\"ftp\",dialect=\"stream\",direction=\"{way}\",outcome=\"{outcome}\"")
    };
    let keys = [key("up", "complete"), key("up", "kept"), key("down", "complete")];
    is(&figures, "haul_transfers_total", &[(&keys[0], 2), (&keys[1], 1), (&keys[2], 2)]);
    let (up, down) = ("door=\"ftp\",direction=\"up\"", "door=\"ftp\",direction=\"down\"");
    let came = SIZE + CUT as u64 + (SIZE - kept);
    let went = (SIZE - CUT as u64) + SIZE;
    is(&figures, "haul_transfer_bytes_total", &[(up, came), (down, went)]);
    is(&figures, "haul_resumes_total", &[(up, 1), (down, 1)]);
    is(&figures, "haul_resumed_bytes_total", &[(up, kept), (down, CUT as u64)]);
    is(&figures, "haul_transfer_seconds_count", &[(up, 3), (down, 2)]);
    assert!(figures.of("haul_request_seconds_count{door=\"ftp\",kind=\"upload\"}") as u64 == 3);
    assert!(figures.of("haul_sync_seconds_count{what=\"file\"}") >= 3.0, "what is published is synced");
    assert!(figures.of("haul_sync_seconds_count{what=\"folder\"}") >= 1.0);
    assert!(figures.of("haul_ledger_commit_seconds_count") >= 1.0, "what is kept is remembered");
    assert_eq!(figures.of("haul_logins_total{door=\"ftp\"}") as u64, 6);
    assert_eq!(figures.of("haul_sessions_total{door=\"ftp\"}") as u64, 6);
}

#[test]
fn over_http_what_was_sent_cut_and_gone_on_with_is_counted_to_the_byte() {
    let place = Place::new();
    FILE.write_to(place.local("file"));
    let (served, at) = served(&place);
    let url = |name: &str| served.http_url(&format!("/{name}"));
    let Some(end) = curl(&place, &["-T", "file", &url("whole")]) else { return };
    end.expect_code(0);
    let mut cut = HttpCaller::to(served.http_addr());
    let head = request("PUT", "/cut", &[OWNER, &format!("Content-Length: {SIZE}")], None);
    cut.sends([head, FILE.bytes(0..CUT as u64)].concat());
    wait_until(|| {
        Figures::at(at, "/metrics").of("haul_transfer_bytes_total{door=\"http\",direction=\"up\"}") as u64
            == SIZE + CUT as u64
    });
    let open = Figures::at(at, "/metrics");
    assert_eq!(told(&open, "haul_transfers_total").values().sum::<u64>(), 1, "it has not ended");
    drop(cut);
    let kept = "haul_transfers_total{door=\"http\",dialect=\"put\",direction=\"up\",outcome=\"kept\"}";
    let figures = once(at, kept, 1);
    assert_eq!(figures.of("haul_unfinished_uploads") as u64, 1);
    assert_eq!(figures.of("haul_unfinished_bytes") as u64, CUT as u64);
    curl(&place, &["-C", &CUT.to_string(), "-T", "file", &url("cut")]).unwrap().expect_code(0);
    FILE.assert_file_is(place.far("cut"));
    fs::write(place.local("part"), FILE.bytes(0..CUT as u64)).unwrap();
    curl(&place, &["-C", "-", "-o", "part", &url("whole")]).unwrap().expect_code(0);
    // A look at the middle is no resume.
    curl(&place, &["-r", "100-199", "-o", "middle", &url("whole")]).unwrap().expect_code(0);
    // Neither is what comes in several requests on purpose.
    let tus = "Tus-Resumable: 1.0.0";
    let fields = [OWNER, tus, "Upload-Length: 10", "Upload-Metadata: filename dHVz"];
    let made = send(served.http_addr(), "POST", "/-/tus", &fields, b"").expect(201);
    let at_upload = made.field("Location").unwrap().to_owned();
    for offset in ["Upload-Offset: 0", "Upload-Offset: 5"] {
        let fields = [OWNER, tus, offset, "Content-Type: application/offset+octet-stream"];
        send(served.http_addr(), "PATCH", &at_upload, &fields, b"12345").expect(204);
    }

    let down = "haul_transfers_total{door=\"http\",dialect=\"get\",direction=\"down\",outcome=\"complete\"}";
    once(at, down, 2);
    let figures = ended(at, 7);
    let key = |dialect: &str, way: &str, outcome: &str| {
        format!("door=\"http\",dialect=\"{dialect}\",direction=\"{way}\",outcome=\"{outcome}\"")
    };
    let expected = [
        (key("put", "up", "complete"), 2),
        (key("put", "up", "kept"), 1),
        (key("tus", "up", "kept"), 1),
        (key("tus", "up", "complete"), 1),
        (key("get", "down", "complete"), 2),
    ];
    let expected: Vec<(&str, u64)> = expected.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    is(&figures, "haul_transfers_total", &expected);
    let (up, down) = ("door=\"http\",direction=\"up\"", "door=\"http\",direction=\"down\"");
    is(&figures, "haul_transfer_bytes_total", &[(up, 2 * SIZE + 10), (down, SIZE - CUT as u64 + 100)]);
    is(&figures, "haul_resumes_total", &[(up, 1), (down, 1)]);
    is(&figures, "haul_resumed_bytes_total", &[(up, CUT as u64), (down, CUT as u64)]);
    assert_eq!(figures.of("haul_unfinished_uploads") as u64, 0);
    // The same figures at the door itself; they are of the same house.
    let same = Figures::at(served.http_addr(), "/-/metrics");
    assert_eq!(same.all("haul_resumes_total"), figures.all("haul_resumes_total"));
    assert_eq!(same.types(), figures.types());
}

/// So much was refused, and for these reasons: that is counted before it is answered, or right after it.
#[track_caller]
fn refusals_are(at: SocketAddr, expected: &[(&str, u64)]) {
    let all: u64 = expected.iter().map(|(_, value)| value).sum();
    wait_until(|| told(&Figures::at(at, "/metrics"), "haul_refusals_total").values().sum::<u64>() >= all);
    is(&Figures::at(at, "/metrics"), "haul_refusals_total", expected);
}

/// Three users: one who may do all in a home with a quota, one who may only read, and one who is barred.
fn three(place: &Place) -> Serve {
    let user = |name: &str, more: &str| {
        format!("[[user]]\nname = \"{name}\"\npassword = \"{}\"\n{more}\n", hash_of("secret"))
    };
    let toml = user("a", "home = \"/home\"\nquota_bytes = \"1K\"")
        + &user("ro", "permissions = \"rl\"")
        + &user("old", "expires = 2020-01-01")
        + "[login]\nfailures = 2\n[anonymous]\naccess = \"off\"\n";
    fs::create_dir_all(place.far("home")).unwrap();
    fs::write(place.far("home/f"), "0123456789").unwrap();
    Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).config(&toml).http()
}

#[test]
fn over_ftp_each_refusal_is_counted_by_its_reason() {
    let place = Place::new();
    FILE.write_to(place.local("file"));
    let served = three(&place).args(["--metrics", "127.0.0.1:0"]).start();
    let at = told_at(&served);
    let addr = served.addr();
    let to = |user: &str| format!("ftp://{user}:secret@{addr}/new");
    assert_ne!(curl(&place, &["-T", "file", &to("ro")]).unwrap().code, Some(0), "permission");
    assert_eq!(curl(&place, &[&to("old")]).unwrap().code, Some(67), "barred");
    let mut caller = owner(addr);
    caller.says("MKD f", 550);
    caller.says("SIZE absent", 550);
    let _none_comes = caller.data();
    caller.says("REST 11", 350);
    let refused = caller.asks("STOR f");
    assert!((450..560).contains(&refused.code), "{refused:?}");
    let mut busy = owner(addr);
    let mut data = busy.data();
    busy.says("STOR b", 150);
    data.sends(b"some");
    let mut second = owner(addr);
    let _waits = second.data();
    // It has sent something just now, and goes on to do so.
    let going = std::thread::scope(|scope| {
        let asked = scope.spawn(|| second.asks("STOR b").code);
        while !asked.is_finished() {
            data.sends(b"x");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        asked.join().unwrap()
    });
    assert_eq!(going, 450);
    // Ends by accident, which nobody is refused.
    data.reset();
    assert!(busy.reply().code >= 400);
    let Some(end) = curl(&place, &["-T", "file", &served.url("/large")]) else { return };
    assert_ne!(end.code, Some(0), "the quota");
    for _ in 0..2 {
        assert_eq!(curl(&place, &[&format!("ftp://a:wrong@{addr}/f")]).unwrap().code, Some(67));
    }
    let mut late = Caller::from_address("127.0.0.1".parse().unwrap(), addr);
    assert_eq!(late.reply().code, 220);
    late.says("USER a", 331);
    assert!(late.asks("PASS secret").code >= 400, "throttled");

    let ftp = |reason: &str| format!("door=\"ftp\",reason=\"{reason}\"");
    let once = |reason: &str| (ftp(reason), 1);
    let mut expected: Vec<(String, u64)> =
        ["quota", "permission", "barred", "not_found", "conflict", "bad_offset", "busy", "throttled"]
            .map(once)
            .into();
    expected.push((ftp("login"), 2));
    let expected: Vec<(&str, u64)> = expected.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    refusals_are(at, &expected);
}

#[test]
fn over_http_each_refusal_is_counted_by_its_reason() {
    let place = Place::new();
    FILE.write_to(place.local("file"));
    let served = three(&place).args(["--metrics", "127.0.0.1:0"]).start();
    let at = told_at(&served);
    let addr = served.http_addr();
    let Some(end) = curl(&place, &["-f", "-T", "file", &served.http_url("/large")]) else { return };
    assert_eq!(end.code, Some(22), "the quota");
    let to = |user: &str| format!("http://{user}:secret@{addr}/new");
    assert_eq!(curl(&place, &["-f", "-T", "file", &to("ro")]).unwrap().code, Some(22), "permission");
    assert_eq!(curl(&place, &["-f", &to("old")]).unwrap().code, Some(22), "barred");
    ask(addr, "GET", "/f", &[]).expect(401);
    ask(addr, "GET", "/absent", &[OWNER]).expect(404);
    ask(addr, "MKCOL", "/f", &[OWNER]).expect(405);
    ask(addr, "GET", "/f", &[OWNER, "If-Match: \"other\""]).expect(412);
    ask(addr, "GET", "/f", &[OWNER, "Range: bytes=100-"]).expect(416);
    send(addr, "PUT", "/new", &[OWNER, "Content-Range: bytes 5-9/10"], b"56789").expect(409);
    ask(addr, "PUT", "/", &[OWNER]).expect(409);
    for _ in 0..2 {
        ask(addr, "GET", "/f", &[STRANGER]).expect(401);
    }
    ask(addr, "GET", "/f", &[OWNER]).expect(429);

    let http = |reason: &str| format!("door=\"http\",reason=\"{reason}\"");
    let once = |reason: &str| (http(reason), 1);
    let mut expected: Vec<(String, u64)> = [
        "quota",
        "permission",
        "barred",
        "credentials",
        "not_found",
        "request",
        "precondition",
        "conflict",
        "throttled",
    ]
    .map(once)
    .into();
    expected.extend([(http("bad_offset"), 2), (http("login"), 2)]);
    let expected: Vec<(&str, u64)> = expected.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    refusals_are(at, &expected);
}

#[test]
fn who_finds_no_place_is_counted_and_so_is_who_is_there() {
    let place = Place::new();
    let few = "[ftp]\nsessions = 1\n[http]\nconnections = 1\n[limits]\nsessions_per_user = 1\n";
    let served = place.serve().config(few).http().args(["--metrics", "127.0.0.1:0"]).start();
    let at = told_at(&served);
    let _in_ftp = owner(served.addr());
    let mut second = Caller::from_address("127.0.0.1".parse().unwrap(), served.addr());
    assert_eq!(second.reply().code, 421);
    // As the first one has come in over FTP, this one has one session too many.
    let mut in_http = HttpCaller::to(served.http_addr());
    in_http.asks(request("GET", "/", &[OWNER], None)).expect(429);
    ask(served.http_addr(), "GET", "/", &[OWNER]).expect(503);
    let figures = Figures::at(at, "/metrics");
    is(&figures, "haul_sessions", &[("door=\"ftp\"", 1), ("door=\"http\"", 1)]);
    let (ftp, http) = ("door=\"ftp\",reason=\"sessions\"", "door=\"http\",reason=\"sessions\"");
    let user = "door=\"http\",reason=\"sessions_of_user\"";
    refusals_are(at, &[(ftp, 1), (http, 1), (user, 1)]);
}

#[test]
fn a_server_without_http_tells_its_figures_and_those_of_its_process() {
    let place = Place::new();
    let config = place.local("serve.toml");
    let good = "[uploads]\nexpire = \"3s\"\n";
    fs::write(&config, good).unwrap();
    let serve = place.serve().ftps().args(["--metrics", "127.0.0.1:0", "--tls-self-signed"]);
    let served = serve.arg("--config").arg(&config).start();
    let at = told_at(&served);
    let before = Figures::at(at, "/metrics");
    assert_eq!(before.of("haul_build_info{version=\"0.1.0\"}") as u64, 1);
    let callers: Vec<Caller> = (0..20).map(|_| owner(served.addr())).collect();
    let figures = Figures::at(at, "/metrics");
    assert!(figures.of("process_open_fds") >= before.of("process_open_fds") + 20.0);
    assert_eq!(figures.of("haul_sessions{door=\"ftp\"}") as u64, 20);
    let resident = served.process().resident().unwrap() as f64;
    assert!((figures.of("process_resident_memory_bytes") / resident - 1.0).abs() < 0.5, "{resident}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - figures.of("process_start_time_seconds")).abs() < 60.0);
    assert!((now - figures.of("haul_config_reload_time_seconds")).abs() < 60.0);
    assert!(figures.of("haul_certificate_not_after_seconds") > now, "the one that was made");
    assert!(figures.of("haul_free_bytes") > 0.0);
    assert_eq!(ask(at, "GET", "/", &[]).status(), 404, "no file is served there");
    assert_eq!(ask(at, "POST", "/metrics", &[]).status(), 405);
    drop(callers);
    left_unfinished(served.addr(), "half", b"123456");
    wait_until(|| Figures::at(at, "/metrics").of("haul_expired_uploads_total") as u64 == 1);
    std::net::TcpStream::connect(served.ftps_addr())
        .unwrap()
        .write_all(b"this is no TLS at all\r\n")
        .unwrap();
    wait_until(|| {
        Figures::at(at, "/metrics").of("haul_tls_handshake_failures_total{door=\"ftps\"}") as u64 == 1
    });
    let reloaded = |result: &str| {
        served.process().hang_up();
        once(at, &format!("haul_config_reloads_total{{result=\"{result}\"}}"), 1)
            .of("haul_config_reload_failed") as u64
    };
    assert_eq!(reloaded("done"), 0);
    fs::write(&config, "nonsense").unwrap();
    assert_eq!(reloaded("failed"), 1);
}

#[test]
fn what_has_no_room_is_counted_at_both_doors() {
    let Some(disk) = SmallDisk::new(1 << 20) else { return };
    let place = Place::new();
    Content::new(1, 4 << 20).write_to(place.local("large"));
    let served = scene::served::serve(disk.path()).http().args(["--metrics", "127.0.0.1:0"]).start();
    let at = told_at(&served);
    for url in [served.url("/f"), served.http_url("/h")] {
        let Some(end) = curl(&place, &["-f", "-T", "large", &url]) else { return };
        assert_ne!(end.code, Some(0));
    }
    let (ftp, http) = ("door=\"ftp\",reason=\"disk_full\"", "door=\"http\",reason=\"disk_full\"");
    refusals_are(at, &[(ftp, 1), (http, 1)]);
}
