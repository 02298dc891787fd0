//! Each reason for which something is refused, as far as a client can bring it about: its figure grows by one, and no
//! other. Those that are not here are in serve_metrics.rs. `internal` is none that a client can bring about; what is
//! `request` over HTTP the FTP session refuses by itself; and `stopping` is only for what comes in the moment between a
//! stop and the 421, or the closed door, with which whoever asks for nothing is sent away.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use haul_testkit::{Caller, Content, HttpCaller, Serve, Served, caller::connect_from};

use crate::scene::{
    MIB,
    figures::{Figures, told_at},
    http::{OWNER, ask, request},
    served::{Place, begun, hash_of, left_unfinished, owner, stranger},
    tus::{BYTES, Tus, filename, offset_of},
    wait_until,
};

/// A server, and what is refused there: through which door, for which reason, and how it comes to that.
type Row = (&'static str, &'static str, fn(&Served));

/// Where figures are told, which does not count.
struct Counted {
    served: Served,
    at: SocketAddr,
}

impl Counted {
    fn start(serve: Serve) -> Self {
        let served = serve.http().args(["--metrics", "127.0.0.1:0"]).start();
        let at = told_at(&served);
        Self { served, at }
    }

    fn refused(&self) -> BTreeMap<String, u64> {
        let figures = Figures::at(self.at, "/metrics");
        figures.all("haul_refusals_total").into_iter().map(|(of, n)| (of.to_owned(), n as u64)).collect()
    }

    /// One more for that reason than before, and none for any other.
    #[track_caller]
    fn grows(&self, (door, reason, how): Row) {
        let mut expected = self.refused();
        *expected
            .entry(format!("haul_refusals_total{{door=\"{door}\",reason=\"{reason}\"}}"))
            .or_default() += 1;
        how(&self.served);
        self.comes_to(&expected, &format!("{reason} over {door}"));
    }

    /// So many for each reason, soon: it is counted before it is answered, or right after it.
    #[track_caller]
    fn comes_to(&self, expected: &BTreeMap<String, u64>, what: &str) {
        let sum = |of: &BTreeMap<String, u64>| of.values().sum::<u64>();
        for _ in 0..1000 {
            if sum(&self.refused()) >= sum(expected) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.refused(), *expected, "{what}");
    }
}

fn refuses(caller: &mut Caller, line: &str) {
    let reply = caller.asks(line);
    assert!(reply.code >= 400, "{line}: {reply:?}");
}

/// A path that fits by itself, and not behind a home.
fn long() -> String {
    vec!["x".repeat(200); 20].join("/")
}

const HOME: &str = "Authorization: Basic aDpzZWNyZXQ=";

/// A second one asks for what somebody sends at this moment, who goes on with that.
fn meanwhile<T: Send>(mut sends: impl FnMut(), asks: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let asked = scope.spawn(asks);
        while !asked.is_finished() {
            sends();
            std::thread::sleep(Duration::from_millis(100));
        }
        asked.join().unwrap()
    })
}

const OVER_FTP: [Row; 7] = [
    ("ftp", "data", |served| {
        let mut caller = owner(served.addr());
        let _stolen = connect_from("127.0.0.2".parse().unwrap(), caller.passive());
        caller.says("RETR f", 150);
        caller.hears(425);
    }),
    ("ftp", "bad_name", |served| {
        refuses(&mut Caller::binary(served.addr(), "h", "secret"), &format!("MKD {}", long()));
    }),
    ("ftp", "too_large", |served| {
        let mut caller = owner(served.addr());
        caller.says("TYPE A", 200);
        refuses(&mut caller, "SIZE large");
    }),
    ("ftp", "precondition", |served| {
        left_unfinished(served.addr(), "u", b"some");
        let mut caller = owner(served.addr());
        assert_eq!(caller.size("u"), Some(3));
        owner(served.addr()).says("DELE u", 250);
        let _data = caller.data();
        refuses(&mut caller, "APPE u");
    }),
    ("ftp", "unfinished", |served| {
        for name in ["1", "2"] {
            let mut caller = stranger(served.addr());
            begun(&mut caller, &format!("STOR {name}"), b"some").reset();
            assert!(caller.reply().code >= 400);
        }
        let mut caller = stranger(served.addr());
        let _data = caller.data();
        refuses(&mut caller, "STOR 3");
    }),
    ("ftp", "fenced", |served| {
        let (mut older, mut newer) = (owner(served.addr()), owner(served.addr()));
        let mut data = begun(&mut older, "STOR z", b"some");
        let newest = newer.data();
        newer.says("STOR z", 150);
        let _ = data.tries(b"late");
        assert!(older.reply().code >= 400);
        newest.finish();
        newer.hears(226);
    }),
    ("ftp", "sessions_of_user", |served| {
        let _first = Caller::binary(served.addr(), "one", "secret");
        let mut second = Caller::to(served.addr());
        second.hears(220);
        second.says("USER one", 331);
        refuses(&mut second, "PASS secret");
    }),
];

const OVER_HTTP: [Row; 7] = [
    ("http", "bad_name", |served| {
        ask(served.http_addr(), "MKCOL", &format!("/{}", long()), &[HOME]).expect(400);
    }),
    ("http", "too_large", |served| {
        let ann = Tus::owner(served.http_addr());
        ann.sends(&ann.creates("/", "short", 3), 0, b"long").expect(413);
    }),
    ("http", "checksum", |served| {
        let ann = Tus::owner(served.http_addr());
        let wrong = "Upload-Checksum: sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let url = ann.creates("/", "sum", 4);
        ann.asks("PATCH", &url, &[BYTES, &offset_of(0), wrong], b"some").expect(460);
    }),
    ("http", "cut", |served| {
        let mut caller = HttpCaller::to(served.http_addr());
        caller.sends(request("PUT", "/cut", &[OWNER, "Content-Length: 10"], None));
        caller.sends(b"some");
        caller.shuts();
        caller.answer("PUT").expect(400);
    }),
    ("http", "unfinished", |served| {
        // As many as there may be came over FTP.
        let other = Tus::stranger(served.http_addr());
        let refused = other.asks("POST", "/", &["Upload-Length: 5", &filename("3")], b"");
        assert!(refused.status() >= 400, "{refused:?}");
    }),
    ("http", "fenced", |served| {
        let ann = Tus::owner(served.http_addr());
        let url = ann.creates("/", "f2", 2 * MIB);
        let mut older = ann.begins(&url, 0, 2 * MIB, &[], b"some");
        wait_until(|| ann.offset(&url) == 4);
        // Who only asks disturbs nobody.
        ann.sends(&url, 4, b"more").expect(204);
        let _ = older.tries(b"late");
        if let Some(late) = older.hears("PATCH") {
            assert_eq!(late.status(), 409, "{}", late.text());
        }
    }),
    ("http", "busy", |served| {
        let staged = || fs::read_dir(served.root().join(".haul/staging")).unwrap().count();
        let before = staged();
        let mut older = HttpCaller::to(served.http_addr());
        older.sends(request("PUT", "/busy", &[OWNER, "Content-Length: 1000"], None));
        let addr = served.http_addr();
        let put = || ask(addr, "PUT", "/busy", &[OWNER, "Content-Length: 0"]).status();
        older.sends(b"x");
        wait_until(|| staged() > before);
        let mut sent = 1;
        let send = || {
            older.sends(b"x");
            sent += 1;
        };
        assert_eq!(meanwhile(send, put), 409);
        // It comes to its end, so that nothing is cut off.
        older.sends(vec![b'x'; 1000 - sent]);
        older.answer("PUT").expect(201);
    }),
];

#[test]
fn each_reason_has_a_figure_that_grows_where_something_is_refused_for_it_and_no_other_does() {
    let place = Place::new();
    fs::write(place.far("f"), "content").unwrap();
    Content::new(1, 2 * MIB).write_to(place.far("large"));
    let home = "/".to_owned() + &"h".repeat(200);
    fs::create_dir(place.far(&home[1..])).unwrap();
    let user = |name: &str, more: &str| {
        format!("[[user]]\nname = {name:?}\npassword = {:?}\n{more}\n", hash_of("secret"))
    };
    let config = "[uploads]\nmax_unfinished = 2\n".to_owned()
        + &user("h", &format!("home = {home:?}"))
        + &user("one", "sessions = 1");
    let counted = Counted::start(place.serve().config(&config));
    for row in OVER_FTP.into_iter().chain(OVER_HTTP) {
        counted.grows(row);
        // What is left of one is not in the way of the next.
        for name in ["z", "sum", "short", "cut", "f2", "busy"] {
            owner(counted.served.addr()).asks(&format!("DELE {name}"));
        }
    }
}

#[test]
fn who_may_not_come_from_there_or_not_so_often_is_counted_at_each_door() {
    let place = Place::new();
    let config = "[limits]\nnetworks = [\"127.0.0.1\"]\nsessions_per_address = 1\n";
    let counted = Counted::start(place.serve().config(config));
    let elsewhere: IpAddr = "127.0.0.2".parse().unwrap();
    let _first = owner(counted.served.addr());
    let rows: [Row; 2] = [
        ("ftp", "sessions_of_address", |served| assert_eq!(Caller::to(served.addr()).reply().code, 421)),
        ("http", "sessions_of_address", |served| {
            ask(served.http_addr(), "GET", "/", &[OWNER]).expect(429);
        }),
    ];
    rows.into_iter().for_each(|row| counted.grows(row));
    let mut expected = counted.refused();
    for (door, addr) in [("ftp", counted.served.addr()), ("http", counted.served.http_addr())] {
        if door == "ftp" {
            assert_eq!(Caller::from_address(elsewhere, addr).reply().code, 421);
        } else {
            HttpCaller::from_address(elsewhere, addr).asks(request("GET", "/", &[OWNER], None)).expect(403);
        }
        expected.insert(format!("haul_refusals_total{{door=\"{door}\",reason=\"network\"}}"), 1);
        counted.comes_to(&expected, door);
    }
}
