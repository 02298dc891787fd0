//! Who may do what over HTTP: Basic credentials with each request, permissions by verb, those without a name.

use crate::scene;
use std::{fs, net::SocketAddr, time::Duration};

use haul_testkit::{HttpCaller, Serve, Served, http_caller::Answer};

use crate::scene::{
    SOON, files,
    http::{OWNER, STRANGER, ask, get, request, send},
    served::{Place, hash_of},
    wait_until,
};

const WRONG: &str = "Authorization: Basic YTp3cm9uZw==";

/// What a name and a password become.
fn basic(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut told = String::from("Authorization: Basic ");
    for three in text.as_bytes().chunks(3) {
        let all =
            three.iter().fold(0_u32, |all, byte| (all << 8) | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(all >> (18 - 6 * place)) as usize & 63];
            told.push(if place > three.len() { '=' } else { char::from(digit) });
        }
    }
    told
}

#[test]
fn a_wrong_password_is_refused_with_a_challenge_and_written_down() {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for (method, content) in [("GET", None), ("HEAD", None), ("PUT", Some(&b"new"[..])), ("DELETE", None)] {
        let mut caller = HttpCaller::to(addr);
        let answer = caller.asks(request(method, "/f", &[WRONG], content)).expect(401);
        let challenge = answer.field("WWW-Authenticate").unwrap();
        assert!(
            challenge.starts_with("Basic realm=") && challenge.contains("charset=\"UTF-8\""),
            "{challenge}"
        );
    }
    // Neither a name nor a scheme that is not known tells anything of who is there.
    for field in [
        basic("nobody:secret").as_str(),
        "Authorization: Bearer secret",
        "Authorization: Basic",
        "Authorization: Basic !!",
        "Authorization: Basic YQ==",
        "Authorization: Digest username=\"a\"",
    ] {
        let answer = ask(addr, "GET", "/f", &[field]);
        assert!(answer.status() == 401 && answer.field("WWW-Authenticate").is_some(), "{field}: {answer:?}");
    }
    assert_eq!(fs::read(place.far("f")).unwrap(), b"x");
    let told = |line: &&str| line.contains("login failed user=\"a\" address=127.0.0.1 session=");
    wait_until(|| served.process().stderr().lines().filter(|line| told(line)).count() == 4);
    let log = served.process().stderr();
    assert!(!log.contains("wrong") && !log.contains("secret"), "passwords are not logged: {log}");
    assert_eq!(get(addr, "/f"), b"x");
}

#[test]
fn whoever_guesses_is_made_to_wait_and_nobody_else() {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().config("[login]\nfailures = 3\nrefuse = \"10m\"\n").http().start();
    let guesser = "127.0.0.77".parse().unwrap();
    for guess in ["one", "two", "three"] {
        let field = basic(&format!("a:{guess}"));
        let mut caller = HttpCaller::from_address(guesser, served.http_addr());
        assert_eq!(caller.asks(request("GET", "/f", &[&field], None)).status(), 401);
    }
    // Not even the right password is listened to now.
    for field in [OWNER, WRONG] {
        let mut caller = HttpCaller::from_address(guesser, served.http_addr());
        let answer = caller.asks(request("GET", "/f", &[field], None)).expect(429);
        let after = answer.head.number("Retry-After").unwrap();
        assert!((1..=600).contains(&after), "{after}");
    }
    assert_eq!(get(served.http_addr(), "/f"), b"x", "from elsewhere");
    // FTP counts with it: it is one house.
    let mut caller = haul_testkit::Caller::from_address(guesser, served.addr());
    let refused = [caller.reply(), caller.asks("USER a"), caller.asks("PASS secret")];
    assert!(refused.iter().all(|reply| reply.code != 230), "{refused:?}");
}

#[test]
fn without_anonymous_access_nothing_is_told_to_who_has_no_name() {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().args(["--anonymous", "off"]).http().start();
    let addr = served.http_addr();
    let mut told = Vec::new();
    for (method, path) in
        [("GET", "/f"), ("GET", "/absent"), ("GET", "/"), ("HEAD", "/f"), ("DELETE", "/f"), ("MKCOL", "/d")]
    {
        let answer = ask(addr, method, path, &[]);
        assert!(answer.status() == 401 && answer.field("WWW-Authenticate").is_some(), "{method} {path}");
        told.push(answer.body);
    }
    assert_eq!(told[0], told[1], "whether there is such a file");
    assert_eq!(send(addr, "PUT", "/g", &[], b"y").status(), 401);
    assert_eq!(files(place.root()), [".haul", "f"]);
    // But whether the server is well.
    assert_eq!(ask(addr, "GET", "/-/health", &[]).status(), 200);
    assert_eq!(get(addr, "/f"), b"x");
}

/// A method, a path, fields, content, and the permission that it needs.
type Verb = (&'static str, &'static str, &'static [&'static str], Option<&'static [u8]>, char);

/// What is asked of a fresh file `f`, in a folder with the folder `d`.
const VERBS: [Verb; 11] = [
    ("GET", "/f", &[], None, 'r'),
    ("HEAD", "/f", &[], None, 'r'),
    ("GET", "/f", &["Range: bytes=0-0"], None, 'r'),
    ("GET", "/", &["Accept: application/json"], None, 'l'),
    ("HEAD", "/d/", &["Accept: application/json"], None, 'l'),
    ("PUT", "/new", &[], Some(b"y"), 'w'),
    ("PUT", "/f", &[], Some(b"y"), 'w'),
    ("MKCOL", "/e", &[], None, 'w'),
    ("DELETE", "/f", &[], None, 'd'),
    ("DELETE", "/d", &[], None, 'd'),
    ("MOVE", "/f", &["Destination: /g"], None, 'd'),
];

fn prepare(place: &Place) {
    for name in ["f", "g", "new"] {
        let _ = fs::remove_file(place.far(name));
    }
    for name in ["d", "e"] {
        let _ = fs::remove_dir(place.far(name));
    }
    fs::write(place.far("f"), "x").unwrap();
    fs::create_dir(place.far("d")).unwrap();
}

fn asked(addr: SocketAddr, verb: usize, credentials: Option<&str>) -> Answer {
    let (method, path, fields, content, _) = VERBS[verb];
    let fields = [fields, &credentials.into_iter().collect::<Vec<_>>()[..]].concat();
    HttpCaller::to(addr).asks(request(method, path, &fields, content))
}

#[test]
fn each_verb_needs_its_permission() {
    let place = Place::new();
    let mut serve = serve_without(&place).args(["--anonymous", "off"]);
    for permissions in ["r", "w", "d", "l", "rl", "rwdl"] {
        serve = serve.arg("--user").arg(format!("{permissions}-user:pw:{permissions}"));
    }
    let served = serve.http().start();
    for permissions in ["r", "w", "d", "l", "rl", "rwdl"] {
        let credentials = basic(&format!("{permissions}-user:pw"));
        for (verb, (method, path, fields, _, needs)) in VERBS.into_iter().enumerate() {
            prepare(&place);
            let answer = asked(served.http_addr(), verb, Some(&credentials));
            let told = answer.status();
            if permissions.contains(needs) {
                assert!((200..300).contains(&told), "{permissions}: {method} {path} {fields:?}: {answer:?}");
            } else {
                assert_eq!(told, 403, "{permissions}: {method} {path} {fields:?}: {answer:?}");
                assert_eq!(answer.field("WWW-Authenticate"), None, "he has a name");
                assert_eq!(files(place.root()), [".haul", "d", "f"], "{permissions}: {method} {path}");
                assert_eq!(fs::read(place.far("f")).unwrap(), b"x");
            }
        }
    }
}

fn serve_without(place: &Place) -> Serve {
    Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root())
}

#[test]
fn whoever_may_only_write_is_shown_a_page_and_nothing_on_it() {
    let place = Place::new();
    prepare(&place);
    fs::write(place.far("d").join("SEEN"), "x").unwrap();
    let users = ["--user", "w-user:pw:w", "--user", "r-user:pw:r", "--anonymous", "off"];
    let served = serve_without(&place).args(users).http().start();
    let page = ask(served.http_addr(), "GET", "/d/", &[&basic("w-user:pw")]).expect(200);
    assert!(!page.text().contains("SEEN"), "{}", page.text());
    assert_eq!(ask(served.http_addr(), "GET", "/d/", &[&basic("r-user:pw")]).status(), 403);
}

#[test]
fn whoever_has_no_name_reads_and_is_asked_for_one_for_more() {
    let place = Place::new();
    let served = place.serve().http().start();
    for (verb, (method, path, _, _, needs)) in VERBS.into_iter().enumerate() {
        prepare(&place);
        let told = asked(served.http_addr(), verb, None);
        if matches!(needs, 'r' | 'l') {
            assert!((200..300).contains(&told.status()), "{method} {path}: {told:?}");
        } else {
            assert_eq!(told.status(), 401, "{method} {path}: {told:?}");
            assert!(told.field("WWW-Authenticate").is_some());
            assert_eq!(files(place.root()), [".haul", "d", "f"]);
        }
    }
}

#[test]
fn whoever_has_no_name_may_create_where_that_is_allowed_and_never_replace() {
    let place = Place::new();
    prepare(&place);
    let served = place.serve().args(["--anonymous", "rw"]).http().start();
    let addr = served.http_addr();
    assert_eq!(send(addr, "PUT", "/new", &[], b"mine").status(), 201);
    assert_eq!(ask(addr, "MKCOL", "/e", &[]).status(), 201);
    for (method, path, fields, content) in [
        ("PUT", "/new", &[][..], Some(&b"again"[..])),
        ("PUT", "/f", &[][..], Some(b"again")),
        ("PUT", "/f", &["If-Match: *"][..], Some(b"again")),
        ("DELETE", "/new", &[][..], None),
        ("DELETE", "/e", &[][..], None),
        ("MOVE", "/new", &["Destination: /other"][..], None),
    ] {
        let answer = HttpCaller::to(addr).asks(request(method, path, fields, content));
        assert_eq!(answer.status(), 401, "{method} {path} {fields:?}: {answer:?}");
    }
    assert_eq!(fs::read(place.far("new")).unwrap(), b"mine");
    assert_eq!(fs::read(place.far("f")).unwrap(), b"x");
    assert_eq!(files(place.root()), [".haul", "d", "e", "f", "new"]);
}

/// Two users with a home each, and a folder above.
fn homes(place: &Place) -> Served {
    for home in ["a", "b"] {
        fs::create_dir(place.far(home)).unwrap();
        fs::write(place.far(home).join("own"), home).unwrap();
    }
    let user = |name: &str, password: &str| {
        format!("[[user]]\nname = \"{name}\"\npassword = \"{}\"\nhome = \"/{name}\"\n", hash_of(password))
    };
    let config = user("a", "secret") + &user("b", "other");
    serve_without(place).args(["--anonymous", "off"]).config(&config).http().start()
}

#[test]
fn a_home_is_all_there_is() {
    let place = Place::new();
    let served = homes(&place);
    let addr = served.http_addr();
    assert_eq!(get(addr, "/own"), b"a");
    assert_eq!(ask(addr, "GET", "/own", &[STRANGER]).expect(200).body, b"b");
    for path in ["/a/own", "/b/own", "/../b/own", "/%2e%2e/b/own", "/..%2fb/own", "/.haul/"] {
        let status = ask(addr, "GET", path, &[OWNER]).status();
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    assert_eq!(send(addr, "PUT", "/up", &[STRANGER], b"b's").status(), 201);
    assert_eq!(fs::read(place.far("b").join("up")).unwrap(), b"b's");
    assert_eq!(ask(addr, "GET", "/up", &[OWNER]).status(), 404);
    // The log names a file by its whole path.
    served.process().wait_for_line(|line| line.contains("received") && line.contains("/b/up"), SOON);
}

#[test]
fn what_another_has_not_finished_is_not_seen() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let mut cut = HttpCaller::to(addr);
    cut.sends(format!(
        "PUT /f HTTP/1.1\r\nHost: localhost\r\n{OWNER}\r\nContent-Length: 100\r\n\r\nhalf of it"
    ));
    cut.shuts();
    let _ = cut.hears("PUT");
    for who in [STRANGER, ""] {
        let fields: Vec<&str> = Some(who).into_iter().filter(|who| !who.is_empty()).collect();
        let list = ask(addr, "GET", "/", &[&fields[..], &["Accept: application/json"]].concat()).expect(200);
        assert!(!list.text().contains("\"f\""), "{}", list.text());
        assert_eq!(ask(addr, "GET", "/f", &fields).status(), 404);
    }
    assert_eq!(ask(addr, "DELETE", "/f", &[STRANGER]).status(), 404);
    // Each has an upload of their own for a name.
    assert_eq!(send(addr, "PUT", "/f", &[STRANGER], b"the other's").status(), 201);
    assert_eq!(get(addr, "/f"), b"the other's");
}

#[test]
fn credentials_count_for_one_request_and_no_longer() {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().args(["--anonymous", "off"]).http().start();
    let mut caller = HttpCaller::to(served.http_addr()).patience(Duration::from_secs(20));
    for _ in 0..2 {
        caller.asks(request("GET", "/f", &[OWNER], None)).expect(200);
        caller.asks(request("GET", "/f", &[], None)).expect(401);
        caller.asks(request("GET", "/f", &[STRANGER], None)).expect(200);
    }
    // A user that is gone at the next reload is gone at the next request.
    // Lines are written after the answers; a server that has ended has written all of them.
    served.process().terminate();
    let log = served.wait().stderr;
    assert_eq!(log.matches("login user=\"a\"").count(), log.matches("login user=\"b\"").count(), "{log}");
}

#[test]
fn where_tls_is_required_nothing_is_served_without() {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let serve = place.serve().args(["--tls-self-signed", "--tls", "required"]);
    let served = serve.http().https().start();
    for fields in [&[][..], &[OWNER][..]] {
        let answer = ask(served.http_addr(), "GET", "/f", fields);
        assert_eq!(answer.status(), 403, "{answer:?}");
    }
    let way = scene::http::Way::Https2;
    let Some(heard) = scene::http::curl(way, place.dir(), &[], &way.url(&served, "/f")) else { return };
    assert_eq!((heard.status, &heard.body[..]), (200, &b"x"[..]));
}
