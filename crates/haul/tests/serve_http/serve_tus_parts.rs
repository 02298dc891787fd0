//! Files that tus puts together from parts (its extension concatenation).

use crate::scene;
use haul_testkit::{Content, Serve, disk::SmallDisk};

use crate::scene::{
    MIB,
    served::{Place, hash_of, part, received, serve},
    tus::{BYTES, Tus, V1, filename, location, unseen},
    wait_until,
};

/// A part with these bytes, complete; its URL.
#[track_caller]
fn part_of(ann: Tus, bytes: &[u8]) -> String {
    let length = format!("Upload-Length: {}", bytes.len());
    let made = ann.asks("POST", "/-/tus", &[&length, "Upload-Concat: partial", BYTES], bytes).expect(201);
    assert_eq!(made.head.number("Upload-Offset"), Some(bytes.len() as u64));
    location(&made)
}

#[track_caller]
fn joined(ann: Tus, name: &str, urls: &[&str]) -> haul_testkit::http_caller::Answer {
    let concat = format!("Upload-Concat: final;{}", urls.join(" "));
    ann.asks("POST", "/-/tus", &[&concat, &filename(name)], b"")
}

#[test]
fn a_file_is_put_together_from_its_parts_and_they_are_gone_then() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let content = Content::new(1, 5 * MIB + 7);
    let size = content.size();
    let first = ann.asks("POST", "/-/tus", &["Upload-Length: 4000000", "Upload-Concat: partial"], b"");
    let first = location(&first.expect(201));
    assert!(first.starts_with("/-/parts/"), "{first}");
    ann.sends(&first, 0, &part(content, 0, 1000)).expect(204);
    let head = ann.asks("HEAD", &first, &[], b"").expect(200);
    assert_eq!(head.field("Upload-Concat"), Some("partial"));
    assert_eq!(head.head.number("Upload-Offset"), Some(1000));
    ann.sends(&first, 1000, &part(content, 1000, 4_000_000)).expect(204);
    let second = part_of(ann, &part(content, 4_000_000, size));
    let seen = |path: &str| ann.says("GET", path, &[], b"").expect(200).text();
    assert_eq!(seen("/-/uploads?path=/").trim(), "[]", "a part becomes nothing by itself");
    let absolute = format!("http://example.org{second}");
    let made = joined(ann, "f.bin", &[&first, &absolute]).expect(201);
    assert_eq!(made.head.number("Upload-Offset"), Some(size));
    content.assert_file_is(place.far("f.bin"));
    let url = location(&made);
    let head = ann.asks("HEAD", &url, &[], b"").expect(200);
    assert_eq!(head.head.number("Upload-Length"), Some(size));
    assert_eq!(head.head.number("Upload-Offset"), Some(size));
    assert_eq!(head.field("Upload-Concat"), Some(format!("final;{first} {absolute}").as_str()));
    assert_eq!(ann.sends(&url, size, b"x").status(), 403);
    for part in [&first, &second] {
        assert_eq!(ann.status(part), 404);
    }
    wait_until(|| place.staged() == 0);
    assert_eq!(std::fs::read_dir(place.root()).unwrap().count(), 2, "the file and haul's own folder");
}

#[test]
fn a_final_whose_answer_was_lost_is_answered_again() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let (a, b) = (part_of(ann, b"a"), part_of(ann, b"bc"));
    let made = joined(ann, "f", &[&a, &b]).expect(201);
    let again = joined(ann, "f", &[&a, &b]).expect(201);
    assert_eq!(location(&again), location(&made));
    assert_eq!(again.head.number("Upload-Offset"), Some(3));
    // Another order, another name, another user: none of them was ever answered.
    assert_eq!(joined(ann, "f", &[&b, &a]).status(), 400);
    assert_eq!(joined(ann, "g", &[&a, &b]).status(), 400);
    assert_eq!(joined(Tus::stranger(served.http_addr()), "f", &[&a, &b]).status(), 400);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"abc");
    // It is not what it was, or not there at all.
    std::fs::write(place.far("f"), "something else").unwrap();
    assert_eq!(joined(ann, "f", &[&a, &b]).status(), 400);
    std::fs::remove_file(place.far("f")).unwrap();
    assert_eq!(joined(ann, "f", &[&a, &b]).status(), 400);
    assert!(unseen(&place.far("f")));
}

#[test]
fn a_part_may_be_there_twice_or_be_empty() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let (a, b, none) = (part_of(ann, b"a"), part_of(ann, b"bc"), part_of(ann, b""));
    joined(ann, "f", &[&b, &a, &none, &b]).expect(201);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"bcabc");
    let none = part_of(ann, b"");
    joined(ann, "empty", &[&none]).expect(201);
    assert_eq!(std::fs::read(place.far("empty")).unwrap(), b"");
}

#[test]
fn only_complete_parts_of_ones_own_are_put_together() {
    let place = Place::new();
    let served = place.serve().http().start();
    let (ann, bob) = (Tus::owner(served.http_addr()), Tus::stranger(served.http_addr()));
    let (mine, theirs) = (part_of(ann, b"mine"), part_of(bob, b"theirs"));
    let unfinished = ann.asks("POST", "/-/tus", &["Upload-Length: 9", "Upload-Concat: partial"], b"");
    let unfinished = location(&unfinished.expect(201));
    ann.sends(&unfinished, 0, b"unfini").expect(204);
    let deferred = ann.asks("POST", "/-/tus", &["Upload-Defer-Length: 1", "Upload-Concat: partial"], b"");
    let deferred = location(&deferred.expect(201));
    ann.sends(&deferred, 0, b"deferred").expect(204);
    let whole = ann.creates("/", "whole", 5);
    for bad in
        [&theirs, &unfinished, &deferred, &whole, "/-/parts/0123/part-0", "/whole", "relative", "/-/parts/x"]
    {
        let refused = joined(ann, "f", &[&mine, bad]);
        assert_eq!(refused.status(), 400, "{bad}: {}", refused.text());
        assert!(unseen(&place.far("f")));
    }
    for fields in [&["Upload-Length: 4"][..], &["Upload-Defer-Length: 1"]] {
        let concat = format!("Upload-Concat: final;{mine}");
        let fields: Vec<&str> = fields.iter().copied().chain([concat.as_str()]).collect();
        assert_eq!(ann.asks("POST", "/-/tus", &fields, b"").status(), 400);
    }
    let nameless = ann.asks("POST", "/-/tus", &[&format!("Upload-Concat: final;{mine}")], b"");
    assert_eq!(nameless.status(), 400);
    // None of that has cost a part.
    ann.sends(&unfinished, 6, b"shed").expect(413);
    ann.sends(&unfinished, 6, b"she").expect(204);
    ann.asks("PATCH", &deferred, &[BYTES, "Upload-Offset: 8", "Upload-Length: 8"], b"").expect(204);
    joined(ann, "f", &[&mine, &unfinished, &deferred]).expect(201);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"mineunfinishedeferred");
    assert_eq!(bob.offset(&theirs), 6);
    bob.asks("DELETE", &theirs, &[], b"").expect(204);
    assert_eq!(bob.status(&theirs), 404);
}

#[test]
fn a_server_that_is_killed_while_it_puts_a_file_together_shows_no_half_and_does_it_again() {
    let place = Place::new();
    std::fs::write(place.far("f.bin"), "old").unwrap();
    let mut served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let content = Content::new(2, 24 * MIB);
    let pieces = (0..3).map(|number| part(content, number * 8 * MIB, (number + 1) * 8 * MIB));
    let parts: Vec<String> = pieces.map(|piece| part_of(ann, &piece)).collect();
    let urls: Vec<&str> = parts.iter().map(String::as_str).collect();
    // They outlive a server.
    served = served.killed_and_started_again();
    let size = || std::fs::metadata(place.far("f.bin")).unwrap().len();
    for caught in [9, 14, 20] {
        let concat = format!("Upload-Concat: final;{}", urls.join(" "));
        let mut caller = ann.caller();
        caller.sends(ann.head("POST", "/-/tus", &[V1, &concat, &filename("f.bin")]));
        wait_until(|| place.hidden() >= caught * MIB || size() > 3);
        served = served.killed_and_started_again();
        if size() > 3 {
            // It was faster.
            return content.assert_file_is(place.far("f.bin"));
        }
        assert_eq!(std::fs::read(place.far("f.bin")).unwrap(), b"old");
    }
    joined(ann, "f.bin", &urls).expect(201);
    content.assert_file_is(place.far("f.bin"));
    drop(served);
}

#[test]
fn where_there_is_no_room_for_the_whole_that_is_said_and_the_parts_stay() {
    const EACH: u64 = 48 * MIB;
    let Some(disk) = SmallDisk::new(3 * EACH) else { return };
    let served = serve(disk.path()).http().start();
    let ann = Tus::owner(served.http_addr());
    let content = Content::new(3, 2 * EACH);
    let pieces = (0..2).map(|number| part(content, number * EACH, (number + 1) * EACH));
    let parts: Vec<String> = pieces.map(|piece| part_of(ann, &piece)).collect();
    let urls: Vec<&str> = parts.iter().map(String::as_str).collect();
    let there = disk.path().join("f.bin");
    let kept = || urls.iter().all(|url| ann.offset(url) == EACH);
    // It is seen beforehand.
    assert_eq!(joined(ann, "f.bin", &urls).status(), 507);
    assert!(kept());
    // And in the middle: somebody else takes the room meanwhile.
    disk.resize(6 * EACH);
    let concat = format!("Upload-Concat: final;{}", urls.join(" "));
    let mut caller = ann.caller();
    caller.sends(ann.head("POST", "/-/tus", &[V1, &concat, &filename("f.bin")]));
    wait_until(|| received(disk.path()) > EACH || there.exists());
    served.process().halt();
    let other = disk.path().join("other");
    assert!(std::fs::write(&other, vec![1; 6 * EACH as usize]).is_err(), "the disk is full");
    served.process().go_on();
    let answer = caller.answer("POST");
    if answer.status() == 201 {
        // It was faster.
        return content.assert_file_is(&there);
    }
    assert_eq!(answer.status(), 507, "{}", answer.text());
    assert!(unseen(&there) && kept());
    std::fs::remove_file(&other).unwrap();
    joined(ann, "f.bin", &urls).expect(201);
    content.assert_file_is(&there);
}

#[test]
fn a_quota_has_parts_and_what_is_made_of_them_once() {
    let place = Place::new();
    let user =
        format!("[[user]]\nname = \"a\"\npassword = \"{}\"\nquota_bytes = \"30M\"\n", hash_of("secret"));
    let serve = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).config(&user).http();
    let mut served = serve.start();
    let ann = Tus::owner(served.http_addr());
    let left = || {
        let told = ann.asks("OPTIONS", "/f.bin", &[], b"").head.number("Tus-Max-Size");
        told.unwrap() / MIB
    };
    let content = Content::new(2, 24 * MIB);
    let parts = || -> Vec<String> {
        let pieces = (0..3).map(|number| part(content, number * 8 * MIB, (number + 1) * 8 * MIB));
        pieces.map(|piece| part_of(ann, &piece)).collect()
    };
    fn all(urls: &[String]) -> Vec<&str> {
        urls.iter().map(String::as_str).collect()
    }
    let urls = parts();
    assert_eq!(left(), 6);
    // More than they are has to find room: the first one a second time does not.
    let twice = [all(&urls), vec![&urls[0]]].concat();
    let refused = joined(ann, "f.bin", &twice).expect(507);
    assert!(refused.text().contains("your quota is used up"), "{}", refused.text());
    assert_eq!((left(), place.staged()), (6, 3));
    // Ended in the middle, by a server that is killed or a client that goes, nothing of it stays, and the parts do.
    let gone = place.far("f.bin");
    let ends_half_way = |end: &mut dyn FnMut()| {
        let concat = format!("Upload-Concat: final;{}", all(&urls).join(" "));
        let mut caller = ann.caller();
        caller.sends(ann.head("POST", "/-/tus", &[V1, &concat, &filename("f.bin")]));
        wait_until(|| place.hidden() >= 9 * MIB || gone.exists());
        end();
        drop(caller);
    };
    let mut running = Some(served);
    ends_half_way(&mut || running = running.take().map(haul_testkit::Served::killed_and_started_again));
    served = running.unwrap();
    if gone.exists() {
        // It was faster.
        return;
    }
    assert_eq!((left(), place.staged()), (6, 3));
    ends_half_way(&mut || {});
    wait_until(|| left() == 6 && (place.staged() == 3 || gone.exists()));
    if !gone.exists() {
        joined(ann, "f.bin", &all(&urls)).expect(201);
    }
    content.assert_file_is(&gone);
    // What a part had counts until its bytes are gone, and for a moment longer.
    wait_until(|| place.staged() == 0 && left() == 6);
    // Counted anew it is the same.
    served.process().hang_up();
    served.process().wait_for_line(|line| line.contains(" reloaded"), scene::SOON);
    assert_eq!(left(), 6);
}
