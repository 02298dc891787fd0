//! Who may come in, from where, until when and how often at a time: one set of rules for both doors, seen from outside.

use std::{
    fs,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use haul_testkit::{
    Caller, Finished, Haul, HaulProcess, HttpCaller, Serve, Served, http_caller::Answer, real::peer,
};

use crate::scene::{
    SOON,
    http::{OWNER, STRANGER, Way, ask, curl, request},
    served::{Place, hash_of},
    wait_until,
};

/// A user of a configuration, with these keys.
fn user(name: &str, password: &str, keys: &str) -> String {
    format!("[[user]]\nname = \"{name}\"\npassword = \"{}\"\n{keys}\n", hash_of(password))
}

/// The users whom everybody knows, with what one of them is kept to.
fn users(keys: &str) -> String {
    user("a", "secret", keys) + &user("b", "other", "")
}

fn serve(place: &Place, toml: &str) -> Serve {
    fs::write(place.far("f"), "x").unwrap();
    Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).config(toml).http()
}

/// curl over FTP: its exit code, and what it has heard.
fn curl_ftp(served: &Served, place: &Place, user: &str) -> Option<Finished> {
    let url = format!("ftp://{}/f", served.addr());
    Some(
        Haul::new(peer("curl")?)
            .args(["-sSv", "-u", user, "-o", "/dev/null"])
            .arg(url)
            .dir(place.dir())
            .run(),
    )
}

/// lftp, which tries once; its exit code, and what it has heard.
fn lftp(served: &Served, place: &Place, user: &str) -> Option<Finished> {
    let script = format!(
        "set ftp:ssl-allow no; set net:max-retries 1; set net:reconnect-interval-base 1; debug 9; \
         open -u {user} -p {} {}; cat f",
        served.addr().port(),
        served.addr().ip()
    );
    Some(Haul::new(peer("lftp")?).args(["--norc", "-c", &script]).dir(place.dir()).run())
}

/// What logging in comes to: the code of the reply to PASS, or of the greeting where that is none.
fn login(from: &str, served: &Served, name: &str, password: &str) -> u16 {
    let mut caller = Caller::from_address(from.parse().unwrap(), served.addr());
    let greeting = caller.reply();
    if greeting.code != 220 {
        return greeting.code;
    }
    caller.says(&format!("USER {name}"), 331);
    caller.asks(&format!("PASS {password}")).code
}

fn asks_from(from: &str, served: &Served, fields: &[&str]) -> Answer {
    let from: IpAddr = from.parse().unwrap();
    HttpCaller::from_address(from, served.http_addr()).asks(request("GET", "/f", fields, None))
}

fn read_again(served: &Served, begins: &str) {
    let before = served.process().stderr().matches(begins).count();
    served.process().hang_up();
    wait_until(|| served.process().stderr().matches(begins).count() > before);
}

#[test]
fn a_user_has_so_many_sessions_over_both_doors_and_one_more_is_told_so() {
    let place = Place::new();
    let served = serve(&place, &users("sessions = 2")).start();
    let first = Caller::login(served.addr(), "a", "secret");
    // A connection over HTTP is a session as long as it is there, and one for all that is asked over it.
    let mut second = HttpCaller::to(served.http_addr());
    for _ in 0..3 {
        second.asks(request("GET", "/f", &[OWNER], None)).expect(200);
    }
    assert_eq!(login("127.0.0.1", &served, "a", "secret"), 421);
    if let Some(end) = curl_ftp(&served, &place, "a:secret") {
        assert_ne!(end.code, Some(0), "{}", end.stderr);
        assert!(end.stderr.contains("421 You have as many sessions as you may"), "{}", end.stderr);
    }
    let answer = ask(served.http_addr(), "GET", "/f", &[OWNER]).expect(429);
    assert_eq!(answer.field("Content-Type"), Some("application/problem+json"));
    assert!(answer.head.number("Retry-After").unwrap() > 0);
    assert!(answer.text().contains("as many sessions as you may"), "{}", answer.text());
    // Another user is not concerned, nor is a wrong password told.
    assert_eq!(login("127.0.0.1", &served, "b", "other"), 230);
    assert_eq!(ask(served.http_addr(), "GET", "/f", &[STRANGER]).status(), 200);
    assert_eq!(login("127.0.0.1", &served, "a", "wrong"), 530);
    served.process().wait_for_line(|line| line.contains("login failed"), SOON);
    let log = served.process().stderr();
    assert!(log.contains("login barred user=\"a\" why=\"You have as many"), "{log}");
    assert_eq!(log.matches("login failed").count(), 1, "nobody is taken for a guesser: {log}");
    // A place that is left is free.
    drop(first);
    wait_until(|| login("127.0.0.1", &served, "a", "secret") == 230);
    drop(second);
    if let Some(end) = lftp(&served, &place, "a,secret") {
        assert_eq!((end.code, &end.stdout[..]), (Some(0), &b"x"[..]), "{}", end.stderr);
    }
}

#[test]
fn a_connection_that_changes_its_user_counts_for_the_new_one() {
    let place = Place::new();
    let served = serve(&place, &format!("[limits]\nsessions_per_user = 1\n{}", users(""))).start();
    let mut caller = HttpCaller::to(served.http_addr());
    caller.asks(request("GET", "/f", &[OWNER], None)).expect(200);
    assert_eq!(ask(served.http_addr(), "GET", "/f", &[OWNER]).status(), 429);
    caller.asks(request("GET", "/f", &[STRANGER], None)).expect(200);
    let mut ftp = Caller::login(served.addr(), "a", "secret");
    assert_eq!(login("127.0.0.1", &served, "b", "other"), 421);
    // Over FTP, too; and who has no name is somebody else.
    caller.asks(request("GET", "/f", &[], None)).expect(200);
    ftp.logs_in("b", "other");
    assert_eq!(login("127.0.0.1", &served, "a", "secret"), 230);
}

#[test]
fn who_finds_no_place_over_http_is_answered_in_its_own_tongue() {
    let place = Place::new();
    let limits = "[http]\nconnections = 3\nconnections_per_address = 2\n";
    let served = serve(&place, limits).arg("--tls-self-signed").https().start();
    let held: Vec<_> = (0..2).map(|_| held(&served, "127.0.0.1")).collect();
    for way in [Way::Http11, Way::Http2, Way::Https11, Way::Https2] {
        let Some(heard) = curl(way, place.dir(), &[], &way.url(&served, "/f")) else { break };
        assert_eq!((heard.code, heard.status), (0, 429), "{way:?}: {heard:?}");
        assert_eq!(heard.field("Content-Type"), Some("application/problem+json"), "{way:?}");
        assert!(heard.field("Retry-After").is_some_and(|after| after.parse::<u32>().is_ok()), "{way:?}");
    }
    let third = held_by(&served, "127.0.0.2");
    let answer = asks_from("127.0.0.3", &served, &[]).expect(503);
    assert!(answer.text().contains("Too many are connected; try again later"), "{}", answer.text());
    drop((held, third));
    wait_until(|| ask(served.http_addr(), "GET", "/f", &[]).status() == 200);
}

/// A connection that was served once and stays.
fn held(served: &Served, from: &str) -> HttpCaller {
    held_by(served, from)
}

fn held_by(served: &Served, from: &str) -> HttpCaller {
    let mut caller = HttpCaller::from_address(from.parse().unwrap(), served.http_addr());
    caller.asks(request("GET", "/f", &[], None)).expect(200);
    caller
}

#[test]
fn ftp_has_so_many_sessions_in_all_and_for_an_address() {
    let place = Place::new();
    let limits = format!("[ftp]\nsessions = 3\nsessions_per_address = 2\n{}", users(""));
    let served = serve(&place, &limits).start();
    let two: Vec<_> = (0..2).map(|_| Caller::login(served.addr(), "a", "secret")).collect();
    if let Some(end) = lftp(&served, &place, "a,secret") {
        assert_ne!(end.code, Some(0));
        assert!(end.stderr.contains("421 Too many are connected from your address"), "{}", end.stderr);
    }
    assert_eq!(login("127.0.0.1", &served, "a", "secret"), 421);
    let mut third = Caller::from_address("127.0.0.2".parse().unwrap(), served.addr());
    third.hears(220);
    assert_eq!(login("127.0.0.3", &served, "a", "secret"), 421);
    drop(two);
    wait_until(|| login("127.0.0.1", &served, "a", "secret") == 230);
}

#[test]
fn all_doors_together_have_so_many_sessions_in_all_and_for_an_address() {
    let place = Place::new();
    let limits = format!("[limits]\nsessions = 4\nsessions_per_address = 2\n{}", users(""));
    let served = serve(&place, &limits).start();
    let ftp = Caller::login(served.addr(), "a", "secret");
    let http = held_by(&served, "127.0.0.1");
    assert_eq!(login("127.0.0.1", &served, "a", "secret"), 421);
    let answer = asks_from("127.0.0.1", &served, &[]).expect(429);
    assert!(answer.text().contains("from your address"), "{}", answer.text());
    let others = [held_by(&served, "127.0.0.2"), held_by(&served, "127.0.0.3")];
    assert_eq!(asks_from("127.0.0.4", &served, &[]).status(), 503);
    assert_eq!(login("127.0.0.4", &served, "a", "secret"), 421);
    drop(ftp);
    wait_until(|| asks_from("127.0.0.4", &served, &[]).status() == 200);
    drop((http, others));
    // Whoever was sent away, or died before it was in, is not counted.
    for _ in 0..8 {
        drop(std::net::TcpStream::connect(served.addr()).unwrap());
    }
    wait_until(|| login("127.0.0.1", &served, "a", "secret") == 230);
}

/// curl over HTTP, as in [`curl_ftp`]: what the answer's first line and fields are.
fn curl_http(served: &Served, place: &Place, from: &str) -> Option<Finished> {
    let url = format!("http://{}/f", served.http_addr());
    let args = ["-q", "-sS", "-D", "-", "-o", "/dev/null", "-u", "a:secret", "--interface", from];
    Some(Haul::new(peer("curl")?).args(args).arg(url).dir(place.dir()).run())
}

/// A curl that takes its time at a door, until `file` has its first bytes: it is a session as long as it runs.
fn slow_curl(url: &str, place: &Place, file: &str) -> Option<HaulProcess> {
    let args = ["-q", "-sS", "-u", "a:secret", "--limit-rate", "16k", "-o", file];
    let process = Haul::new(peer("curl")?).args(args).arg(url).dir(place.dir()).spawn();
    wait_until(|| fs::metadata(place.local(file)).is_ok_and(|found| found.len() > 0));
    Some(process)
}

#[test]
fn clients_at_either_door_are_told_that_all_doors_together_have_as_many_as_they_may() {
    let place = Place::new();
    let limits = format!("[limits]\nsessions = 3\nsessions_per_address = 2\n{}", users(""));
    let served = serve(&place, &limits).start();
    fs::write(place.far("large"), vec![1; 64 << 20]).unwrap();
    // One at each door: neither of them is full by itself.
    let Some(ftp) = slow_curl(&format!("ftp://{}/large", served.addr()), &place, "1") else { return };
    let http = slow_curl(&format!("http://{}/large", served.http_addr()), &place, "2").unwrap();
    let words = "421 Too many are connected from your address";
    let told = curl_ftp(&served, &place, "a:secret").unwrap();
    assert!(told.code != Some(0) && told.stderr.contains(words), "{}", told.stderr);
    if let Some(told) = lftp(&served, &place, "a,secret") {
        assert!(told.code != Some(0) && told.stderr.contains(words), "{}", told.stderr);
    }
    let heard = |from: &str| String::from_utf8(curl_http(&served, &place, from).unwrap().stdout).unwrap();
    let may_try_again = |told: &str| told.to_ascii_lowercase().contains("\r\nretry-after: ");
    let told = heard("127.0.0.1");
    assert!(told.starts_with("HTTP/1.1 429 ") && may_try_again(&told), "{told}");
    // A third one comes from elsewhere, and then there is no place for a fourth, at whichever door.
    let third = held_by(&served, "127.0.0.2");
    let told = heard("127.0.0.3");
    assert!(told.starts_with("HTTP/1.1 503 ") && may_try_again(&told), "{told}");
    let told = curl_ftp(&served, &place, "a:secret").unwrap();
    assert!(told.stderr.contains("421 Too many are connected; try again later"), "{}", told.stderr);
    // What one door gives back the other has.
    ftp.kill_9();
    wait_until(|| heard("127.0.0.3").starts_with("HTTP/1.1 200 "));
    http.kill_9();
    wait_until(|| curl_ftp(&served, &place, "a:secret").unwrap().code == Some(0));
    if let Some(end) = lftp(&served, &place, "a,secret") {
        assert_eq!((end.code, &end.stdout[..]), (Some(0), &b"x"[..]), "{}", end.stderr);
    }
    drop(third);
}

#[test]
fn a_server_for_some_networks_lets_nobody_else_in() {
    let place = Place::new();
    let file = place.local("serve.toml");
    let with =
        |networks: &str| fs::write(&file, format!("[limits]\nnetworks = {networks}\n{}", users(""))).unwrap();
    with("[\"127.0.0.0/30\", \"::1\"]");
    fs::write(place.far("f"), "x").unwrap();
    let served = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root())
        .arg("--config")
        .arg(&file)
        .http()
        .start();
    for inside in ["127.0.0.1", "127.0.0.3"] {
        assert_eq!(login(inside, &served, "a", "secret"), 230, "{inside}");
        assert_eq!(asks_from(inside, &served, &[OWNER]).status(), 200, "{inside}");
    }
    assert_eq!(login("127.0.0.4", &served, "a", "secret"), 421);
    let answer = asks_from("127.0.0.4", &served, &[OWNER]).expect(403);
    assert!(answer.text().contains("Nobody is let in from your address"), "{}", answer.text());
    // A change holds for whoever comes next, and a wrong one changes nothing.
    let mut inside = Caller::from_address("127.0.0.1".parse().unwrap(), served.addr());
    inside.hears(220);
    with("[\"127.0.0.4/32\", \"127.0.0.0/33\", \"127.0.0.9/8\"]");
    read_again(&served, "everything stays as it was");
    let log = served.process().stderr();
    assert!(log.contains("serve.toml:2: limits.networks: \\\"127.0.0.0/33\\\" is no network"), "{log}");
    assert!(log.contains("write 127.0.0.0/8 for all of it"), "all at once: {log}");
    assert_eq!(login("127.0.0.1", &served, "a", "secret"), 230);
    with("[\"127.0.0.4/32\"]");
    read_again(&served, " reloaded");
    assert_eq!(login("127.0.0.4", &served, "a", "secret"), 230);
    assert_eq!(login("127.0.0.1", &served, "a", "secret"), 421);
    inside.logs_in("a", "secret");
}

#[test]
fn a_user_of_some_networks_is_known_nowhere_else() {
    let place = Place::new();
    let toml = format!("[anonymous]\nnetworks = [\"127.0.0.2\"]\n{}", users("networks = [\"127.0.0.8/29\"]"));
    let served = serve(&place, &toml).start();
    assert_eq!(login("127.0.0.9", &served, "a", "secret"), 230);
    assert_eq!(login("127.0.0.1", &served, "a", "secret"), 530);
    assert_eq!(login("127.0.0.1", &served, "b", "other"), 230, "he may come from anywhere");
    assert_eq!(asks_from("127.0.0.9", &served, &[OWNER]).status(), 200);
    let answer = asks_from("127.0.0.1", &served, &[OWNER]).expect(403);
    assert!(answer.text().contains("may not be used from your address"), "{}", answer.text());
    if let Some(end) = curl_ftp(&served, &place, "a:secret") {
        assert_eq!(end.code, Some(67), "{}", end.stderr);
        assert!(end.stderr.contains("530 This account may not be used from your address."), "{}", end.stderr);
    }
    // Whoever does not know the password does not learn of it.
    let mut caller = Caller::to(served.addr());
    caller.hears(220);
    caller.says("USER a", 331);
    assert_eq!(caller.asks("PASS wrong").text, "530 Login incorrect.\r\n");
    // Those without a name, where they may come from, and elsewhere are asked for one.
    assert_eq!(login("127.0.0.2", &served, "anonymous", "me@"), 230);
    assert_eq!(login("127.0.0.1", &served, "anonymous", "me@"), 530);
    assert_eq!(asks_from("127.0.0.2", &served, &[]).status(), 200);
    assert!(asks_from("127.0.0.1", &served, &[]).expect(401).field("WWW-Authenticate").is_some());
}

/// A moment so many seconds from now, as the configuration has it.
fn moment(seconds: u64) -> String {
    let since =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(seconds);
    let end = Haul::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d"])
        .arg(format!("@{}", since.as_secs()))
        .run();
    String::from_utf8(end.stdout).unwrap().trim().to_owned()
}

#[test]
fn an_account_that_has_expired_is_told_so_and_its_session_ends_after_its_transfer() {
    let place = Place::new();
    let toml =
        users(&format!("expires = {}", moment(12))) + &user("old", "secret", "expires = \"2020-01-31\"");
    let served = serve(&place, &toml).start();
    assert_eq!(login("127.0.0.2", &served, "old", "secret"), 530);
    assert_eq!(login("127.0.0.3", &served, "old", "wrong"), 530);
    let mut idle = Caller::binary(served.addr(), "a", "secret");
    let mut busy = Caller::binary(served.addr(), "a", "secret");
    let mut data = busy.data();
    busy.says("STOR g", 150);
    data.sends(b"before");
    assert_eq!(ask(served.http_addr(), "GET", "/f", &[OWNER]).status(), 200);
    let told = idle.reply();
    assert_eq!((told.code, told.text.contains("This account has expired")), (421, true), "{told:?}");
    data.sends(b" and after");
    data.finish();
    busy.hears(226);
    busy.hears(421);
    assert_eq!(fs::read(place.far("g")).unwrap(), b"before and after");
    assert_eq!(login("127.0.0.4", &served, "a", "secret"), 530);
    let answer = ask(served.http_addr(), "GET", "/f", &[OWNER]).expect(403);
    assert!(answer.text().contains("This account has expired"), "{}", answer.text());
    if let Some(end) = lftp(&served, &place, "a,secret") {
        assert!(
            end.code != Some(0) && end.stderr.contains("530 This account has expired."),
            "{}",
            end.stderr
        );
    }
    served.process().wait_for_line(|line| line.contains("login barred user=\"old\""), SOON);
}
