//! Unfinished uploads that nobody comes back for: their URLs, their bytes and their place in the list are gone when it
//! was told, and not before; what is being written to stays.

use std::time::{Duration, Instant};

use haul_testkit::Content;

use crate::scene::{
    http::{OWNER, ask},
    served::{Place, left_unfinished, owner, part},
    tus::{Tus, unseen},
    uploading::{Ask, Draft, listed, location, tus},
    wait_until,
};

const LEN: u64 = 100_000;
const CONTENT: Content = Content::new(1, LEN);
const EXPIRE: &str = "[uploads]\nexpire = \"4s\"\n";

#[test]
fn what_nobody_comes_back_for_is_gone_in_its_time_in_every_dialect() {
    let place = Place::new();
    let served = place.serve().config(EXPIRE).http().start();
    let addr = served.http_addr();
    let ann = Tus::owner(addr);
    // One that is brought bytes all the while outlives the others.
    let lively = ann.creates("/", "lively", LEN);
    let mut bringing = ann.begins(&lively, 0, LEN, &[], b"");
    let by_tus = ann.creates("/", "tus", LEN);
    let told = ann.sends(&by_tus, 0, &part(CONTENT, 0, 1000)).expect(204);
    assert!(told.field("Upload-Expires").is_some());
    let since = Instant::now();
    let draft = Draft(9);
    let created = draft.creates(Ask::new("POST", "/draft"), false).brings(addr, &part(CONTENT, 0, 1000));
    let by_draft = location(&created.expect(201).head);
    let limits = Ask::new("OPTIONS", "/").to(addr).expect(204);
    assert!(limits.field("Upload-Limit").unwrap().contains("max-age=4"), "{limits:?}");
    Ask::new("PUT", "/put").range(format!("0-999/{LEN}")).brings(addr, &part(CONTENT, 0, 1000)).expect(308);
    left_unfinished(served.addr(), "ftp", &part(CONTENT, 0, 1000));
    assert_eq!(listed(addr, "/").len(), 5);
    let mut at = 0;
    let mut still_there = || {
        bringing.sends(part(CONTENT, at, at + 1));
        at += 1;
        listed(addr, "/").len() > 1
    };
    while still_there() {
        assert!(since.elapsed() < Duration::from_secs(30), "they do not expire");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(since.elapsed() >= Duration::from_secs(4), "none is gone before its time");
    for url in [&by_tus, &by_draft] {
        assert!([404, 410].contains(&ann.status(url)), "{url}");
        assert!([404, 410].contains(&draft.says(Ask::new("HEAD", url)).to(addr).status()), "{url}");
        let refused = tus("PATCH", url)
            .with("Upload-Offset", 1000)
            .with("Content-Type", "application/offset+octet-stream")
            .brings(addr, b"x");
        assert!([404, 410].contains(&refused.status()), "{}", refused.text());
    }
    assert_eq!(owner(served.addr()).size("ftp"), None);
    let hole = Ask::new("PUT", "/put").range(format!("1000-1999/{LEN}"));
    let hole = hole.brings(addr, &part(CONTENT, 1000, 2000)).expect(409);
    assert_eq!(hole.head.number("Upload-Offset"), Some(0));
    // Their bytes go, too, behind their places.
    wait_until(|| place.staged() == 1);
    bringing.sends(part(CONTENT, at, LEN));
    bringing.answer("PATCH").expect(204);
    CONTENT.assert_file_is(place.far("lively"));
    // A file does not expire, nor what was told of it.
    wait_until(|| since.elapsed() > Duration::from_secs(10));
    assert_eq!(ann.offset(&lively), LEN);
    assert_eq!(ask(addr, "HEAD", "/lively", &[OWNER]).status(), 200);
}

#[test]
fn what_has_expired_while_no_server_ran_is_gone_when_one_comes() {
    let place = Place::new();
    let served = place.serve().config(EXPIRE).http().start();
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "f", LEN);
    ann.sends(&url, 0, &part(CONTENT, 0, 1000)).expect(204);
    let since = Instant::now();
    let serve = served.killed();
    assert_eq!(place.staged(), 1);
    // Time itself is what is waited for here.
    wait_until(|| since.elapsed() > Duration::from_secs(6));
    let served = serve.start();
    assert_eq!(Tus::owner(served.http_addr()).status(&url), 404);
    assert_eq!(place.staged(), 0);
    assert!(unseen(&place.far("f")));
}
