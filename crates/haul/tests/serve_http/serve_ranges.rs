//! Several sessions fill one file over the real FTP door, each a range of it: nobody sees it before it is whole, what was
//! told is kept whoever dies, and no two files are ever mixed.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use haul_testkit::{
    Caller, Content,
    caller::{Data, Reply},
    served::{PASSWORD, USER},
    tls::{Certificates, Version},
};

use crate::scene::{
    served::{Place, owner, part, stranger, wait_until_taken},
    uploading::{Ask, listed},
    wait_until,
};

const LEN: u64 = 4_000_000;
const NEW: Content = Content::new(2, LEN);
const OLD: Content = Content::new(3, LEN);

/// What SITE RANG tells: the upload's name, its size, and the bytes that are safe, first and last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct There {
    upload: String,
    size: Option<u64>,
    ranges: Vec<(u64, u64)>,
}

#[track_caller]
fn there(caller: &mut Caller, path: &str) -> Option<There> {
    let reply = caller.asks(&format!("SITE RANG {path}"));
    if reply.code == 550 {
        return None;
    }
    assert_eq!(reply.code, 213, "{reply:?}");
    let mut lines = reply.text.lines().filter_map(|line| line.strip_prefix(' '));
    let facts = lines.next().unwrap();
    let fact = |name: &str| {
        facts.split(';').find_map(|fact| fact.strip_prefix(&format!("{name}="))).map(str::to_owned)
    };
    let ranges = lines.map(|line| {
        let (first, last) = line.split_once(' ').unwrap_or_else(|| panic!("{reply:?}"));
        (first.parse().unwrap(), last.parse().unwrap())
    });
    Some(There {
        upload: fact("upload").unwrap(),
        size: fact("size").map(|size| size.parse().unwrap()),
        ranges: ranges.collect(),
    })
}

/// The range that a reply says is safe, and the upload's name.
#[track_caller]
fn safe(reply: &Reply) -> (u64, u64, String) {
    let words: Vec<&str> = reply.text.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "RANG").unwrap_or_else(|| panic!("{reply:?}"));
    assert_eq!(&words[at + 4..], ["is", "safe."], "{reply:?}");
    (words[at + 1].parse().unwrap(), words[at + 2].parse().unwrap(), words[at + 3].to_owned())
}

/// A range that is on its way.
struct Sending {
    caller: Caller,
    data: Data,
    upload: String,
}

impl Sending {
    /// Bytes `from` to `to`, exclusive, of an upload that is there, or of one that begins now.
    #[track_caller]
    fn begins(addr: SocketAddr, path: &str, (from, to): (u64, u64), of: Option<&str>) -> Self {
        let mut caller = owner(addr);
        if of.is_none() {
            caller.says(&format!("ALLO {LEN}"), 200);
        }
        caller.says(&format!("RANG {from} {} {}", to - 1, of.unwrap_or_default()), 350);
        let data = caller.data();
        let begun = caller.says(&format!("STOR {path}"), 150);
        let upload = begun.text.split_whitespace().nth(2).unwrap().trim_end_matches(':').to_owned();
        assert!(of.is_none_or(|of| of == upload), "{begun:?}");
        Self { caller, data, upload }
    }

    #[track_caller]
    fn sends(&mut self, from: u64, to: u64) {
        self.data.sends(&part(NEW, from, to));
    }

    #[track_caller]
    fn ends(mut self) -> Reply {
        self.data.finish();
        self.caller.reply()
    }

    /// The whole range, to its end.
    #[track_caller]
    fn brings(mut self, from: u64, to: u64) -> Reply {
        self.sends(from, to);
        self.ends()
    }
}

#[track_caller]
fn refused(addr: SocketAddr, range: &str, declared: Option<u64>, path: &str) -> Reply {
    let mut caller = owner(addr);
    if let Some(size) = declared {
        caller.says(&format!("ALLO {size}"), 200);
    }
    caller.says(&format!("RANG {range}"), 350);
    caller.passive();
    caller.asks(&format!("STOR {path}"))
}

#[test]
fn it_is_declared_in_feat() {
    let place = Place::new();
    let served = place.serve().start();
    let text = owner(served.addr()).says("FEAT", 211).text;
    assert!(text.contains("\r\n RANG STOR\r\n") && text.contains("\r\n RANG STREAM\r\n"), "{text}");
}

#[test]
fn ranges_of_several_sessions_are_one_file_once_all_of_it_is_there() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    let addr = served.addr();
    const LANES: u64 = 8;
    let edge = |lane: u64| LEN * lane / LANES;
    let first = Sending::begins(addr, "f", (0, edge(1)), None);
    let upload = first.upload.clone();
    let others: Vec<Sending> = (1..LANES)
        .map(|lane| Sending::begins(addr, "f", (edge(lane), edge(lane + 1)), Some(&upload)))
        .collect();
    let mut lanes: Vec<Sending> = std::iter::once(first).chain(others).collect();
    // In turns, so that all of them are at work at the same time.
    for step in 0..10 {
        for (lane, sending) in lanes.iter_mut().enumerate() {
            let (from, len) = (edge(lane as u64), edge(1));
            sending.sends(from + len * step / 10, from + len * (step + 1) / 10);
        }
    }
    assert_eq!(stranger(addr).size("f"), Some(LEN));
    OLD.assert_file_is(place.far("f"));
    // The last but one has said nothing of its end; all of its bytes are there.
    let mut ends: Vec<Reply> = Vec::new();
    lanes.reverse();
    for sending in lanes {
        ends.push(sending.ends());
    }
    let whole = ends.iter().filter(|reply| reply.code == 226).count();
    assert!(whole >= 1 && ends.iter().all(|reply| [226, 250].contains(&reply.code)), "{ends:?}");
    for reply in ends.iter().filter(|reply| reply.code == 250) {
        assert_eq!(safe(reply).2, upload);
    }
    NEW.assert_file_is(place.far("f"));
    assert_eq!((stranger(addr).size("f"), place.staged()), (Some(LEN), 0));
    assert_eq!(there(&mut owner(addr), "f"), None);
}

#[test]
fn what_is_there_is_told_and_gone_on_with_after_every_kind_of_end() {
    let place = Place::new();
    let mut served = place.serve().start();
    for killed in [false, true] {
        let addr = served.addr();
        let mut broken = Sending::begins(addr, "f", (0, 1_000_000), None);
        let upload = broken.upload.clone();
        // One to its end, one that ends sooner than it said, one that is cut.
        let whole = Sending::begins(addr, "f", (2_000_000, 2_500_000), Some(&upload));
        assert_eq!(safe(&whole.brings(2_000_000, 2_500_000)), (2_000_000, 2_499_999, upload.clone()));
        let short = Sending::begins(addr, "f", (3_000_000, LEN), Some(&upload)).brings(3_000_000, 3_300_000);
        assert_eq!((short.code, safe(&short)), (250, (3_000_000, 3_299_999, upload.clone())));
        let none = Sending::begins(addr, "f", (1_500_000, 1_600_000), Some(&upload)).ends();
        assert_eq!((none.code, safe(&none)), (250, (1, 0, upload.clone())));
        broken.sends(0, 400_000);
        wait_until_taken(&broken.data);
        let mut asker = owner(addr);
        // Taken from the socket is not yet received.
        wait_until(|| there(&mut owner(addr), "f").unwrap().ranges[0] == (0, 399_999));
        let told = there(&mut asker, "f").unwrap();
        assert_eq!((told.upload.as_str(), told.size), (upload.as_str(), Some(LEN)));
        assert_eq!(told.ranges, [(0, 399_999), (2_000_000, 2_499_999), (3_000_000, 3_299_999)]);
        assert_eq!((asker.size("f"), stranger(addr).size("f")), (Some(400_000), None));
        assert_eq!(there(&mut stranger(addr), "f"), None, "it is nobody else's");
        if killed {
            served = served.killed_and_started_again();
        } else {
            let Sending { mut caller, data, .. } = broken;
            data.reset();
            let reply = caller.reply();
            assert_eq!((reply.code, safe(&reply)), (426, (0, 399_999, upload.clone())));
        }
        let addr = served.addr();
        let mut asker = owner(addr);
        assert_eq!(there(&mut asker, "f"), Some(told), "{killed}");
        for (from, to) in [(2_500_000, 3_000_000), (3_300_000, LEN), (400_000, 2_000_000)] {
            let reply = Sending::begins(addr, "f", (from, to), Some(&upload)).brings(from, to);
            assert_eq!(reply.code, if from == 400_000 { 226 } else { 250 }, "{reply:?}");
        }
        NEW.assert_file_is(place.far("f"));
        asker.says("DELE f", 250);
    }
}

#[test]
fn who_dies_in_the_middle_of_many_ranges_loses_nothing_that_was_told() {
    let place = Place::new();
    let served = place.serve().start();
    let addr = served.addr();
    let first = Sending::begins(addr, "f", (0, 10), None);
    let upload = first.upload.clone();
    assert_eq!(first.brings(0, 10).code, 250);
    let mut told = vec![(0, 9)];
    let mut at = 10;
    while at + 60_000 < LEN {
        let reply =
            Sending::begins(addr, "f", (at + 5, at + 40_000), Some(&upload)).brings(at + 5, at + 40_000);
        let (from, to, _) = safe(&reply);
        told.push((from, to));
        at += 100_000;
    }
    // Lanes under way, of which nobody was told.
    let mut under_way: Vec<Sending> = (0..4)
        .map(|lane| {
            let from = 10 + lane * 100_000 + 40_000;
            let mut sending = Sending::begins(addr, "f", (from, from + 60_000), Some(&upload));
            sending.sends(from, from + 30_000);
            sending
        })
        .collect();
    let served = served.killed_and_started_again();
    under_way.clear();
    let mut asker = owner(served.addr());
    let there = there(&mut asker, "f").unwrap();
    for range in &told {
        let held = there.ranges.iter().any(|held| held.0 <= range.0 && range.1 <= held.1);
        assert!(held, "{range:?} of {there:?}");
    }
    // What is missing, and no byte more.
    let mut missing = 0;
    for hole in there.ranges.iter().map(|range| (range.0, range.1 + 1)).chain([(LEN, LEN)]) {
        if missing < hole.0 {
            let lane = Sending::begins(served.addr(), "f", (missing, hole.0), Some(&upload));
            let reply = lane.brings(missing, hole.0);
            assert!([226, 250].contains(&reply.code), "{reply:?}");
        }
        missing = hole.1;
    }
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn the_tail_that_a_lane_has_not_reached_may_be_taken_by_another() {
    let place = Place::new();
    let served = place.serve().start();
    let addr = served.addr();
    let mut slow = Sending::begins(addr, "f", (0, LEN), None);
    let upload = slow.upload.clone();
    slow.sends(0, 100_000);
    wait_until(|| there(&mut owner(addr), "f").unwrap().ranges == [(0, 99_999)]);
    // One tail after the other, each when it has just sent.
    let (mut sent, mut to) = (100_000, LEN);
    for from in [3_500_000, 3_000_000, 2_000_000] {
        let began = Instant::now();
        let helper = Sending::begins(addr, "f", (from, to), Some(&upload));
        assert!(began.elapsed() < Duration::from_secs(1), "nobody is waited for");
        assert_eq!(helper.brings(from, to).code, 250);
        slow.sends(sent, sent + 1000);
        (sent, to) = (sent + 1000, from);
        wait_until(|| there(&mut owner(addr), "f").unwrap().ranges[0] == (0, sent - 1));
    }
    // It sends on as if nothing had happened: what is another's by now it does not touch.
    slow.sends(sent, 2_000_000);
    let _ = slow.data.tries(&part(OLD, 2_000_000, 3_000_000));
    let reply = slow.ends();
    // All is there, so that it is published with it.
    assert_eq!(reply.code, 226, "{reply:?}");
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn more_than_the_range_has_is_not_taken() {
    let place = Place::new();
    let served = place.serve().start();
    let addr = served.addr();
    let mut lane = Sending::begins(addr, "f", (10, 20), None);
    let upload = lane.upload.clone();
    lane.sends(10, 25);
    let reply = lane.caller.reply();
    assert_eq!((reply.code, safe(&reply)), (451, (10, 19, upload)));
    assert_eq!(there(&mut owner(addr), "f").unwrap().ranges, [(10, 19)]);
}

#[test]
fn bytes_that_are_there_or_that_another_receives_are_nobody_elses() {
    let place = Place::new();
    let served = place.serve().start();
    let addr = served.addr();
    let mut lane = Sending::begins(addr, "f", (1000, 2000), None);
    let upload = lane.upload.clone();
    lane.sends(1000, 1500);
    wait_until(|| there(&mut owner(addr), "f").unwrap().ranges == [(1000, 1499)]);
    for range in ["1000 1010", "1499 1600", "0 1000", "0 3999999"] {
        let reply = refused(addr, &format!("{range} {upload}"), None, "f");
        assert_eq!(reply.code, 554, "{range}: {reply:?}");
    }
    assert_eq!(refused(addr, &format!("0 4000000 {upload}"), None, "f").code, 554, "it is not so long");
    assert_eq!(refused(addr, &format!("0 10 {upload}"), Some(LEN + 1), "f").code, 554, "it is another file");
    assert_eq!(refused(addr, "0 10 nobody", None, "f").code, 550);
    assert_eq!(refused(addr, "0 10", None, "f").code, 503, "of what size?");
    // Where the lane is at this moment: it is waited for, and while bytes come the newcomer goes.
    let newcomer = std::thread::spawn({
        let upload = upload.clone();
        move || refused(addr, &format!("1500 1999 {upload}"), None, "f")
    });
    let mut at = 1500;
    while !newcomer.is_finished() && at < 1990 {
        lane.sends(at, at + 1);
        at += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    let reply = newcomer.join().unwrap();
    assert!([450, 554].contains(&reply.code), "{reply:?}");
    assert_eq!(safe(&lane.brings(at, 2000)), (1000, 1999, upload));
}

#[test]
fn a_lane_that_is_silent_gives_its_range_to_who_comes_back() {
    let place = Place::new();
    let served = place.serve().start();
    let addr = served.addr();
    let mut dead = Sending::begins(addr, "f", (0, LEN), None);
    let upload = dead.upload.clone();
    dead.sends(0, 100_000);
    wait_until(|| there(&mut owner(addr), "f").unwrap().ranges == [(0, 99_999)]);
    let back = Sending::begins(addr, "f", (100_000, LEN), Some(&upload));
    // Whatever it still sends changes nothing.
    let _ = dead.data.tries(&part(OLD, 100_000, 200_000));
    assert_eq!(back.brings(100_000, LEN).code, 226);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn who_begins_anew_by_whatever_means_drops_all_ranges() {
    let place = Place::new();
    let served = place.serve().http().start();
    let (addr, http) = (served.addr(), served.http_addr());
    for by_lane in [false, true] {
        let lane = Sending::begins(addr, "f", (2000, 3000), None);
        let upload = lane.upload.clone();
        assert_eq!(lane.brings(2000, 3000).code, 250);
        assert_eq!(listed(http, "/f")[0]["offset"], 0);
        if by_lane {
            let anew = Sending::begins(addr, "f", (0, 1000), None);
            assert_ne!(anew.upload, upload);
            // Who means the old one does not disturb the new one.
            assert_eq!(refused(addr, &format!("5000 6000 {upload}"), None, "f").code, 550);
            assert_eq!(safe(&anew.brings(0, 1000)).1, 999);
            assert_eq!(refused(addr, &format!("5000 6000 {upload}"), None, "f").code, 550, "it is gone");
            assert_eq!(there(&mut owner(addr), "f").unwrap().ranges, [(0, 999)]);
            owner(addr).says("DELE f", 250);
            assert_eq!(there(&mut owner(addr), "f"), None);
        } else {
            assert_eq!(owner(addr).stores("STOR f", b"short").code, 226);
            assert_eq!(std::fs::read(place.far("f")).unwrap(), b"short");
            assert_eq!(there(&mut owner(addr), "f"), None);
        }
    }
    assert_eq!(place.staged(), 0);
}

#[test]
fn who_goes_on_by_an_offset_takes_the_front_and_drops_what_lies_beyond() {
    let place = Place::new();
    let mut served = place.serve().http().start();
    for http in [false, true] {
        for killed in [false, true] {
            let addr = served.addr();
            let lane = Sending::begins(addr, "f", (0, 1000), None);
            let upload = lane.upload.clone();
            assert_eq!(lane.brings(0, 1000).code, 250);
            // Of another content, as if it had been damaged: it must not get in.
            let mut wrong = Sending::begins(addr, "f", (500_000, 900_000), Some(&upload));
            wrong.data.sends(&part(OLD, 500_000, 900_000));
            assert_eq!(wrong.ends().code, 250);
            if killed {
                served = served.killed_and_started_again();
            }
            let mut caller = owner(served.addr());
            assert_eq!(caller.size("f"), Some(1000));
            if http {
                let url = listed(served.http_addr(), "/f")[0]["url"].as_str().unwrap().to_owned();
                let there = Ask::new("GET", &url).to(served.http_addr()).expect(200);
                assert!(there.body == part(NEW, 0, 1000));
                let range = format!("1000-{}/{LEN}", LEN - 1);
                let rest =
                    Ask::new("PUT", "/f").range(range).brings(served.http_addr(), &part(NEW, 1000, LEN));
                assert_eq!(rest.status(), 201, "{rest:?}");
            } else {
                caller.says("REST 1000", 350);
                assert_eq!(caller.stores("STOR f", &part(NEW, 1000, LEN)).code, 226);
            }
            NEW.assert_file_is(place.far("f"));
            caller.says("DELE f", 250);
        }
    }
}

#[test]
fn an_upload_that_was_begun_otherwise_is_finished_in_ranges() {
    let place = Place::new();
    let served = place.serve().http().start();
    let (addr, http) = (served.addr(), served.http_addr());
    let put = Ask::new("PUT", "/f").range(format!("0-999/{LEN}"));
    put.brings(http, &part(NEW, 0, 1000)).expect(308);
    let told = there(&mut owner(addr), "f").unwrap();
    assert_eq!((told.size, told.ranges.as_slice()), (Some(LEN), &[(0, 999)][..]));
    let back = Sending::begins(addr, "f", (2_000_000, LEN), Some(&told.upload)).brings(2_000_000, LEN);
    assert_eq!(back.code, 250);
    assert_eq!(
        Sending::begins(addr, "f", (1000, 2_000_000), Some(&told.upload)).brings(1000, 2_000_000).code,
        226
    );
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn where_uploads_are_in_place_there_are_no_ranges() {
    let place = Place::new();
    let config = place.local("c.toml");
    std::fs::write(&config, "[uploads]\nmode = \"in-place\"\n").unwrap();
    let served = place.serve().arg("--config").arg(&config).start();
    let mut caller = owner(served.addr());
    assert!(!caller.says("FEAT", 211).text.contains("RANG STOR"));
    caller.says("ALLO 10", 200);
    caller.says("RANG 0 4", 350);
    caller.passive();
    caller.says("STOR f", 503);
}

/// Long enough for a thread to take what comes.
const LONG: u64 = 64 << 20;
const LARGE: Content = Content::new(9, LONG);

/// A quarter of it, as fast as it goes.
fn quarter(mut caller: Caller, mut data: Data, lane: u64) -> u16 {
    let from = LONG / 4 * lane;
    for at in (from..from + LONG / 4).step_by(1 << 20) {
        data.sends(&part(LARGE, at, at + (1 << 20)));
    }
    data.finish();
    caller.reply().code
}

/// All of it, on four lanes.
fn four_lanes(place: &Place, login: impl Fn() -> Caller) {
    let mut upload = String::new();
    let mut lanes = Vec::new();
    for lane in 0..4 {
        let mut caller = login();
        if upload.is_empty() {
            caller.says(&format!("ALLO {LONG}"), 200);
        }
        let (from, to) = (LONG / 4 * lane, LONG / 4 * (lane + 1) - 1);
        caller.says(&format!("RANG {from} {to} {upload}"), 350);
        let data = caller.data();
        let text = caller.says("STOR f", 150).text;
        upload = text.split_whitespace().nth(2).unwrap().trim_end_matches(':').to_owned();
        lanes.push(std::thread::spawn(move || quarter(caller, data, lane)));
    }
    let codes: Vec<u16> = lanes.into_iter().map(|lane| lane.join().unwrap()).collect();
    assert!(codes.contains(&226) && codes.iter().all(|code| [226, 250].contains(code)), "{codes:?}");
    LARGE.assert_file_is(place.far("f"));
}

#[test]
fn lanes_that_are_fast_are_each_taken_by_a_thread() {
    let place = Place::new();
    let served = place.serve().start();
    four_lanes(&place, || owner(served.addr()));
}

#[test]
fn lanes_come_within_tls() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let (cert, key) = (certificates.cert_pem_path(), certificates.key_pem_path());
    let served = place.serve().arg("--tls-cert").arg(cert).arg("--tls-key").arg(key).start();
    let login = || {
        let config = certificates.client_config(Some(Version::Tls13));
        Caller::protected(served.addr(), config, USER, PASSWORD)
    };
    four_lanes(&place, login);
}
