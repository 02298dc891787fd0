//! Uploads over tus that end in the middle: cut, taken over, killed with the server, on a full disk; and begun through
//! one door and finished through another.

use std::{
    sync::{
        Barrier, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use haul_testkit::{Content, HttpCaller, disk::SmallDisk};
use sha2::{Digest, Sha256};

use crate::scene::{
    MIB, Seeded,
    served::{Place, left_unfinished, owner, part, serve},
    tus::{BYTES, Tus, V1, base64, filename, location, offset_of, taken, unseen},
    uploading, wait_until,
};

const LEN: u64 = 3 * MIB + 5;

/// How a connection ends in the middle of a request.
const ENDS: [fn(HttpCaller); 3] = [HttpCaller::resets, drop, |caller| caller.shuts()];

#[test]
fn a_cut_keeps_all_that_came() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let content = Content::new(1, LEN);
    let url = ann.creates("/", "f", LEN);
    let mut at = 0;
    for (end, upto) in ENDS.iter().zip([1, 100_000, LEN - 1]) {
        end(ann.begins(&url, at, LEN - at, &[], &part(content, at, upto)));
        wait_until(|| ann.offset(&url) == upto);
        at = upto;
    }
    assert!(unseen(&place.far("f")));
    ann.sends(&url, at, &part(content, at, LEN)).expect(204);
    content.assert_file_is(place.far("f"));
}

#[test]
fn of_a_cut_whose_checksum_was_still_to_be_proved_nothing_is_kept() {
    let place = Place::new();
    let mut served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let content = Content::new(2, LEN);
    let url = ann.creates("/", "f", LEN);
    ann.sends(&url, 0, &part(content, 0, 1000)).expect(204);
    let sum = format!("Upload-Checksum: sha256 {}", base64(&Sha256::digest(part(content, 1000, LEN))));
    for end in ENDS {
        let caller = ann.begins(&url, 1000, LEN - 1000, &[&sum], &part(content, 1000, 2 * MIB));
        assert_eq!(ann.offset(&url), 1000, "nor is any of it told meanwhile");
        end(caller);
        assert_eq!(ann.offset(&url), 1000);
    }
    let _killed_with = ann.begins(&url, 1000, LEN - 1000, &[&sum], &part(content, 1000, 2 * MIB));
    served = served.killed_and_started_again();
    assert_eq!(ann.offset(&url), 1000);
    // From its first byte on, in a creation.
    let name = filename("g");
    let length = format!("Upload-Length: {LEN}");
    let all = format!("Upload-Checksum: sha256 {}", base64(&Sha256::digest(part(content, 0, LEN))));
    let mut caller = ann.caller();
    let head = ann.head("POST", "/", &[V1, BYTES, &length, &name, &all, &format!("Content-Length: {LEN}")]);
    caller.sends([head.as_bytes(), &part(content, 0, 2 * MIB)].concat());
    taken(&caller);
    served = served.killed_and_started_again();
    let listed = ann.says("GET", "/-/uploads?path=/g", &[], b"").expect(200).text();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert!(listed.as_array().unwrap().iter().all(|upload| upload["offset"] == 0), "{listed}");
    ann.asks("PATCH", &url, &[BYTES, &offset_of(1000), &sum], &part(content, 1000, LEN)).expect(204);
    content.assert_file_is(place.far("f"));
    drop(served);
}

#[test]
fn the_newest_patch_wins_and_who_only_asks_disturbs_nobody() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let content = Content::new(3, LEN);
    let url = ann.creates("/", "f", LEN);
    let mut older = ann.begins(&url, 0, LEN, &[], &part(content, 0, 1000));
    for end in 1001..1010 {
        assert!(ann.offset(&url) < end);
        older.sends(part(content, end - 1, end));
    }
    taken(&older);
    // What came is safe when a newer one asks for it, and the older one is ended with that.
    wait_until(|| ann.offset(&url) == 1009);
    let newest = ann.sends(&url, 1009, &part(content, 1009, 2 * MIB)).expect(204);
    assert_eq!(newest.head.number("Upload-Offset"), Some(2 * MIB));
    let _ = older.tries(b"late");
    if let Some(late) = older.hears("PATCH") {
        assert_eq!(late.status(), 409, "{}", late.text());
    }
    // Who is silent is ended by a question, after a while.
    let mut silent = ann.begins(&url, 2 * MIB, LEN - 2 * MIB, &[], &part(content, 2 * MIB, 2 * MIB + 9));
    wait_until(|| ann.offset(&url) == 2 * MIB + 9);
    let since = Instant::now();
    // From when it was received on, and the last question comes after that while.
    wait_until(|| since.elapsed() > Duration::from_millis(1500) && ann.offset(&url) == 2 * MIB + 9);
    let _ = silent.tries(b"late");
    if let Some(late) = silent.hears("PATCH") {
        assert_eq!(late.status(), 409, "{}", late.text());
    }
    assert_eq!(ann.offset(&url), 2 * MIB + 9);
    ann.sends(&url, 2 * MIB + 9, &part(content, 2 * MIB + 9, LEN)).expect(204);
    content.assert_file_is(place.far("f"));
}

#[test]
fn a_file_that_somebody_is_just_sending_is_not_begun_anew_beside_that() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let content = Content::new(9, LEN);
    let url = ann.creates("/", "f", LEN);
    let mut older = ann.begins(&url, 0, LEN, &[], &part(content, 0, 1));
    // Its request is read, and it may not have begun yet: else the newcomer could be the first.
    wait_until(|| uploading::offset(served.http_addr(), "/f") == Some(1));
    let over = AtomicBool::new(false);
    let refused = std::thread::scope(|scope| {
        let newcomer = scope.spawn(|| {
            let refused = ann.asks("POST", "/", &["Upload-Length: 5", &filename("f")], b"");
            over.store(true, Ordering::Relaxed);
            refused
        });
        let mut at = 1;
        while !over.load(Ordering::Relaxed) && at < LEN / 2 {
            older.sends(part(content, at, at + 1));
            taken(&older);
            at += 1;
        }
        older.sends(part(content, at, LEN));
        newcomer.join().unwrap()
    });
    assert_eq!((refused.status(), refused.field("Retry-After")), (409, Some("2")), "{}", refused.text());
    older.answer("PATCH").expect(204);
    content.assert_file_is(place.far("f"));
}

#[test]
fn a_server_that_is_killed_at_any_moment_has_every_offset_it_told() {
    let place = Place::new();
    let mut served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let content = Content::new(4, 12 * MIB);
    let size = content.size();
    let url = ann.creates("/", "f", size);
    served = served.killed_and_started_again();
    let (mut told, mut random) = (ann.offset(&url), Seeded(7));
    assert_eq!(told, 0, "it was created");
    while told < size - MIB {
        // An answer to a PATCH, and an answer to a HEAD beside one.
        let end = told + 1 + random.below(MIB);
        let answered = ann.sends(&url, told, &part(content, told, end)).expect(204);
        assert_eq!(answered.head.number("Upload-Offset"), Some(end));
        let more = (end + random.below(MIB)).min(size - 1);
        let _going_on = ann.begins(&url, end, size - end, &[], &part(content, end, more));
        let asked = ann.offset(&url);
        assert!((end..=more).contains(&asked), "{end} {asked} {more}");
        served = served.killed_and_started_again();
        told = ann.offset(&url);
        assert!((asked..=more).contains(&told), "{asked} were told, {told} are there");
        assert!(unseen(&place.far("f")));
    }
    ann.sends(&url, told, &part(content, told, size)).expect(204);
    // Published before it was told.
    served = served.killed_and_started_again();
    content.assert_file_is(place.far("f"));
    drop(served);
}

#[test]
fn twenty_uploads_go_on_after_their_server_was_killed_and_no_half_was_seen() {
    const MANY: u64 = 20;
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let (all_there, killed) = (Barrier::new(MANY as usize + 1), Barrier::new(MANY as usize + 1));
    let again = Mutex::new(None);
    std::thread::scope(|scope| {
        for number in 0..MANY {
            let (all_there, killed, place) = (&all_there, &killed, &place);
            scope.spawn(move || {
                let ann = Tus::owner(addr);
                let content = Content::new(number, LEN);
                let name = format!("{number}.bin");
                let url = ann.creates("/", &name, LEN);
                let sent = 1 + Seeded(number).below(LEN - 2);
                let mut caller = ann.begins(&url, 0, LEN, &[], &part(content, 0, sent));
                let told = ann.offset(&url);
                all_there.wait();
                let _ = caller.tries(part(content, sent, LEN - 1));
                killed.wait();
                assert!(unseen(&place.far(&name)), "nobody sees a half");
                let offset = ann.offset(&url);
                assert!((told..LEN).contains(&offset), "{name}: {told} were told, {offset} are there");
                ann.sends(&url, offset, &part(content, offset, LEN)).expect(204);
                content.assert_file_is(place.far(&name));
            });
        }
        all_there.wait();
        *again.lock().unwrap() = Some(served.killed_and_started_again());
        killed.wait();
    });
}

#[test]
fn a_full_disk_is_507_and_the_upload_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::new(8 * MIB) else { return };
    let content = Content::new(5, 12 * MIB);
    let served = serve(disk.path()).http().start();
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "f", 12 * MIB);
    ann.sends(&url, 0, &part(content, 0, MIB)).expect(204);
    // It may hang up on who still sends.
    let mut caller = ann.begins(&url, MIB, 11 * MIB, &[], b"");
    let _ = caller.tries(part(content, MIB, 12 * MIB));
    let full = caller.hears("PATCH");
    let at = ann.offset(&url);
    assert!(at > 4 * MIB, "{at}");
    if let Some(full) = full {
        assert_eq!((full.status(), full.head.number("Upload-Offset")), (507, Some(at)), "{}", full.text());
    }
    disk.resize(32 * MIB);
    assert_eq!(ann.offset(&url), at);
    ann.sends(&url, at, &part(content, at, 12 * MIB)).expect(204);
    content.assert_file_is(disk.path().join("f"));
}

#[test]
fn what_one_door_has_begun_another_finishes() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let content = Content::new(6, LEN);
    let listed = |name: &str| -> serde_json::Value {
        let told = ann.says("GET", &format!("/-/uploads?path=/{name}"), &[], b"").expect(200).text();
        serde_json::from_str(&told).unwrap()
    };
    // FTP, then tus: its client knows the length.
    let kept = left_unfinished(served.addr(), "ftp", &part(content, 0, MIB));
    let told = listed("ftp");
    assert_eq!((&told[0]["protocol"], &told[0]["offset"]), (&"ftp".into(), &kept.into()), "{told}");
    let url = told[0]["url"].as_str().unwrap();
    assert_eq!(ann.offset(url), kept);
    let length = format!("Upload-Length: {LEN}");
    let rest = part(content, kept, LEN);
    ann.asks("PATCH", url, &[BYTES, &offset_of(kept), &length], &rest).expect(204);
    content.assert_file_is(place.far("ftp"));
    // tus, then FTP; its last byte, too, is told there.
    for command in ["STOR", "APPE"] {
        let url = ann.creates("/", command, LEN);
        ann.sends(&url, 0, &part(content, 0, MIB)).expect(204);
        let mut caller = owner(served.addr());
        assert_eq!(caller.size(command), Some(MIB));
        if command == "STOR" {
            caller.says(&format!("REST {MIB}"), 350);
        }
        let end = caller.stores(&format!("{command} {command}"), &part(content, MIB, LEN));
        assert_eq!(end.code, 226, "{end:?}");
        content.assert_file_is(place.far(command));
        assert_eq!(ann.offset(&url), LEN, "and tus knows that it is whole");
    }
    // A PUT that was cut, then tus; tus, then the draft at the same URL.
    let mut put = ann.caller();
    let head = ann.head("PUT", "/put", &[&format!("Content-Length: {LEN}")]);
    put.sends([head.as_bytes(), &part(content, 0, MIB)].concat());
    taken(&put);
    put.resets();
    wait_until(|| listed("put")[0]["offset"] == MIB);
    let told = listed("put");
    ann.sends(told[0]["url"].as_str().unwrap(), MIB, &part(content, MIB, LEN)).expect(204);
    content.assert_file_is(place.far("put"));
    let made = ann.asks("POST", "/", &[&length, &filename("draft"), BYTES], &part(content, 0, MIB));
    let url = location(&made.expect(201));
    let at = offset_of(MIB);
    let draft = [
        "Content-Type: application/partial-upload",
        "Upload-Draft-Interop-Version: 9",
        "Upload-Complete: ?1",
        &at,
    ];
    let end = ann.says("PATCH", &url, &draft, &part(content, MIB, LEN));
    assert!((200..300).contains(&end.status()), "{} {}", end.status(), end.text());
    content.assert_file_is(place.far("draft"));
}
