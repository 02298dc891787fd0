//! Uploads to `haul serve` (design, section 6): whole or absent for everybody else, an unfinished one for its owner. What
//! counts as their end is in serve_endings.rs.

use std::net::{IpAddr, Ipv4Addr};

use haul_testkit::{Caller, Content};

use crate::scene::{
    MIB, files,
    served::{OTHER, OTHERS_PASSWORD, Place, begun, left_unfinished, owner, part, stranger},
};

const LEN: u64 = 300_000;
const NEW: Content = Content::new(2, LEN);
const OLD: Content = Content::new(3, LEN / 2);

/// All of the new content.
fn whole() -> Vec<u8> {
    part(NEW, 0, LEN)
}

#[test]
fn no_more_uploads_are_left_unfinished_than_an_account_may_have() {
    let place = Place::new();
    let served = place.serve().config("[uploads]\nmax_unfinished = 1\n").start();
    left_unfinished(served.addr(), "f", b"some bytes");
    let mut caller = owner(served.addr());
    let data = caller.data();
    let told = caller.says("STOR g", 452);
    assert!(told.text.contains("not finished (1): go on with them or delete them"), "{told:?}");
    drop(data);
    assert_eq!(stranger(served.addr()).stores("STOR g", b"x").code, 226);
    assert_eq!(caller.stores("APPE f", b"s").code, 226);
    assert_eq!(caller.stores("STOR g", b"xy").code, 226);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"some bytes");
}

#[test]
fn while_a_file_is_uploaded_another_user_sees_the_old_one() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    let (mut writer, mut reader) = (owner(served.addr()), stranger(served.addr()));
    let mut data = begun(&mut writer, "STOR f", &part(NEW, 0, LEN - 1));
    assert_eq!(reader.size("f"), Some(OLD.size()));
    assert!(reader.receives("RETR f") == part(OLD, 0, LEN));
    data.sends(&part(NEW, LEN - 1, LEN));
    data.finish();
    writer.hears(226);
    assert_eq!(reader.size("f"), Some(LEN));
    assert!(reader.receives("RETR f") == whole());
}

#[test]
fn while_a_file_is_uploaded_another_user_sees_no_new_name() {
    let place = Place::new();
    let served = place.serve().start();
    let (mut writer, mut reader) = (owner(served.addr()), stranger(served.addr()));
    let data = begun(&mut writer, "STOR f", &whole());
    assert_eq!(reader.size("f"), None);
    assert_eq!(reader.names("/"), [""; 0]);
    assert_eq!(reader.asks("MLST f").code, 550);
    let refused = reader.data();
    reader.says("RETR f", 550);
    drop(refused);
    assert!(files(place.root()).iter().all(|name| name.starts_with('.')), "{:?}", files(place.root()));
    data.finish();
    writer.hears(226);
    assert_eq!(reader.names("/"), ["f"]);
}

#[test]
fn its_owner_sees_how_far_an_upload_is_and_cannot_take_it_for_a_file() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    let kept = left_unfinished(served.addr(), "f", &part(NEW, 0, 200_000));
    let (mut writer, mut reader) = (owner(served.addr()), stranger(served.addr()));
    let facts = writer.says("MLST f", 250).text.to_ascii_lowercase();
    assert!(facts.contains(&format!("size={kept};")), "{facts}");
    assert!(String::from_utf8(writer.receives("LIST f")).unwrap().contains(&format!(" {kept} ")));
    let _data = writer.data();
    let refused = writer.asks("RETR f");
    assert_eq!(refused.code, 450, "{refused:?}");
    assert!(refused.text.contains(&kept.to_string()), "{refused:?}");
    assert!(reader.receives("RETR f") == part(OLD, 0, LEN));
    // A checksum of what is there is one of the same bytes here.
    let crc = writer.asks("XCRC f");
    std::fs::write(place.far("same"), part(NEW, 0, kept)).unwrap();
    let same = writer.asks("XCRC same");
    assert_eq!(crc.text.split_whitespace().nth(1), same.text.split_whitespace().nth(1), "{crc:?} {same:?}");
}

#[test]
fn an_upload_is_gone_on_with_where_size_says() {
    let place = Place::new();
    let served = place.serve().start();
    for (command, seed) in [("REST", 1), ("APPE", 2)] {
        let content = Content::new(seed, LEN);
        let kept = left_unfinished(served.addr(), "f", &part(content, 0, 123_456));
        let mut writer = owner(served.addr());
        let rest = part(content, kept, LEN);
        let end = if command == "REST" {
            writer.says(&format!("REST {kept}"), 350);
            writer.stores("STOR f", &rest)
        } else {
            writer.stores("APPE f", &rest)
        };
        assert_eq!(end.code, 226, "{end:?}");
        content.assert_file_is(place.far("f"));
        assert_eq!(writer.size("f"), Some(LEN));
    }
}

#[test]
fn the_last_byte_of_an_unclean_end_is_held_back_so_that_a_client_has_something_left_to_send() {
    let place = Place::new();
    let served = place.serve().start();
    let kept = left_unfinished(served.addr(), "f", &whole());
    assert_eq!(kept, LEN - 1);
    assert_eq!(owner(served.addr()).stores("APPE f", &part(NEW, kept, LEN)).code, 226);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_byte_that_is_marked_as_urgent_takes_nothing_away_from_what_comes_behind_it() {
    let place = Place::new();
    let served = place.serve().start();
    let content = Content::new(9, 40 * MIB);
    let mut client = owner(served.addr());
    // Fast, so that the store takes it by itself; one mark each, since a second one makes the first a byte like any other.
    for mark in [0, MIB, 30 * MIB, content.size() - 1, content.size()] {
        let mut data = client.data();
        client.says("STOR f", 150);
        data.sends(&part(content, 0, mark));
        data.sends_urgently(b"!");
        data.sends(&part(content, mark, content.size()));
        data.fin();
        client.hears(226);
        content.assert_file_is(place.far("f"));
        client.says("DELE f", 250);
    }
}

#[test]
fn rest_within_an_unfinished_upload_cuts_it_and_past_its_end_is_refused() {
    let place = Place::new();
    let served = place.serve().start();
    let kept = left_unfinished(served.addr(), "f", &part(NEW, 0, 100_000));
    let mut writer = owner(served.addr());
    writer.says(&format!("REST {}", kept + 1), 350);
    let data = writer.data();
    writer.says("STOR f", 554);
    drop(data);
    assert_eq!(writer.size("f"), Some(kept));
    writer.says("REST 5000", 350);
    begun(&mut writer, "STOR f", &part(NEW, 5000, 6000)).reset();
    writer.reply();
    assert_eq!(writer.size("f"), Some(5999), "everything behind the offset is gone");
    writer.says("REST 5999", 350);
    assert_eq!(writer.stores("STOR f", &part(NEW, 5999, LEN)).code, 226);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn rest_over_a_published_file_keeps_its_first_bytes_and_shows_nothing_before_the_end() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    let (mut writer, mut reader) = (owner(served.addr()), stranger(served.addr()));
    writer.says(&format!("REST {}", OLD.size() + 1), 350);
    let data = writer.data();
    writer.says("STOR f", 554);
    drop(data);
    OLD.assert_file_is(place.far("f"));
    writer.says("REST 1000", 350);
    let data = begun(&mut writer, "STOR f", b"new end");
    assert!(reader.receives("RETR f") == part(OLD, 0, LEN), "until it is whole");
    data.finish();
    writer.hears(226);
    assert!(reader.receives("RETR f") == [part(OLD, 0, 1000), b"new end".to_vec()].concat());
}

#[test]
fn rest_does_not_survive_a_refusal_nor_a_transfer() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    let mut writer = owner(served.addr());
    writer.says("REST 1000", 350);
    let data = writer.data();
    writer.says("RETR absent", 550);
    drop(data);
    assert_eq!(writer.stores("STOR g", b"whole").code, 226);
    assert_eq!(std::fs::read(place.far("g")).unwrap(), b"whole");
    writer.says("REST 1000", 350);
    assert_eq!(writer.receives("RETR f").len() as u64, OLD.size() - 1000);
    assert_eq!(writer.receives("RETR f").len() as u64, OLD.size());
}

#[test]
fn appending_to_a_published_file_replaces_it_by_the_longer_one() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    let (mut writer, mut reader) = (owner(served.addr()), stranger(served.addr()));
    let data = begun(&mut writer, "APPE f", b" and more");
    assert_eq!(reader.size("f"), Some(OLD.size()));
    data.finish();
    writer.hears(226);
    assert_eq!(reader.size("f"), Some(OLD.size() + 9));
    assert!(reader.receives("RETR f") == [part(OLD, 0, LEN), b" and more".to_vec()].concat());
}

#[test]
fn dele_and_rename_act_on_the_unfinished_upload_first() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    left_unfinished(served.addr(), "f", &part(NEW, 0, 1000));
    let mut writer = owner(served.addr());
    writer.says("DELE f", 250);
    assert_eq!(writer.size("f"), Some(OLD.size()), "the old file is still there");
    assert!(writer.receives("RETR f") == part(OLD, 0, LEN));
    let kept = left_unfinished(served.addr(), "f", &part(NEW, 0, 2000));
    writer.says("RNFR f", 350);
    writer.says("RNTO g", 250);
    assert_eq!(writer.size("f"), Some(OLD.size()));
    assert_eq!(writer.size("g"), Some(kept));
    assert_eq!(writer.stores("APPE g", &part(NEW, kept, LEN)).code, 226);
    NEW.assert_file_is(place.far("g"));
    writer.says("DELE g", 250);
    assert_eq!(writer.size("g"), None);
}

#[test]
fn a_folder_takes_its_unfinished_uploads_along() {
    let place = Place::new();
    std::fs::create_dir(place.far("old")).unwrap();
    let served = place.serve().start();
    let kept = left_unfinished(served.addr(), "old/f", &part(NEW, 0, 2000));
    let mut writer = owner(served.addr());
    writer.says("RNFR old", 350);
    writer.says("RNTO new", 250);
    assert_eq!(writer.size("new/f"), Some(kept));
    writer.says("RMD new", 250);
    writer.says("MKD new", 257);
    assert_eq!(writer.size("new/f"), None, "and is gone with it");
}

#[test]
fn two_users_who_upload_the_same_name_have_an_upload_each() {
    let place = Place::new();
    let served = place.serve().start();
    let (mut one, mut other) = (owner(served.addr()), stranger(served.addr()));
    let (first, second) = (Content::new(10, LEN), Content::new(11, LEN));
    let mut ones = begun(&mut one, "STOR f", &part(first, 0, 1000));
    let mut others = begun(&mut other, "STOR f", &part(second, 0, 2000));
    ones.sends(&part(first, 1000, LEN));
    ones.finish();
    one.hears(226);
    first.assert_file_is(place.far("f"));
    others.sends(&part(second, 2000, LEN));
    others.finish();
    other.hears(226);
    second.assert_file_is(place.far("f"));
}

#[test]
fn versions_of_a_file_never_have_the_same_date() {
    let place = Place::new();
    let served = place.serve().start();
    let mut client = owner(served.addr());
    let mut dates = Vec::new();
    for seed in 0..4 {
        assert_eq!(client.stores("STOR f", &part(Content::new(seed, 1000), 0, 1000)).code, 226);
        dates.push(client.says("MDTM f", 213).text);
    }
    // To the second: many clients look at no more.
    dates.iter_mut().for_each(|date| date.truncate("213 YYYYMMDDHHMMSS".len()));
    let mut unlike = dates.clone();
    unlike.sort();
    unlike.dedup();
    assert_eq!(unlike.len(), dates.len(), "{dates:?}");
}

#[test]
fn somebody_anonymous_may_create_and_never_replace_nor_remove() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().args(["--anonymous", "rw"]).start();
    let mut guest = Caller::binary(served.addr(), "anonymous", "me@example.org");
    assert_eq!(guest.stores("STOR g", b"mine").code, 226);
    for command in ["STOR f", "APPE f"] {
        let data = guest.data();
        let refused = guest.asks(command);
        assert!(refused.code == 550 || refused.code == 553, "{command}: {refused:?}");
        drop(data);
    }
    for command in ["DELE f", "DELE g", "RMD d"] {
        assert_eq!(guest.asks(command).code, 550, "{command}");
    }
    let from = guest.asks("RNFR g").code;
    assert!(from == 550 || guest.asks("RNTO h").code == 550);
    OLD.assert_file_is(place.far("f"));
    assert_eq!(std::fs::read(place.far("g")).unwrap(), b"mine");
    // Whose uploads are whose is told by the address: another guest is another owner.
    let _left = begun(&mut guest, "STOR h", b"half");
    let mut other = Caller::from_address(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)), served.addr());
    other.hears(220);
    other.logs_in("anonymous", "x@example.org");
    other.says("TYPE I", 200);
    assert_eq!(other.size("h"), None);
}

#[test]
fn what_is_unfinished_can_be_reached_by_no_name() {
    let place = Place::new();
    let served = place.serve().start();
    left_unfinished(served.addr(), "f", &part(NEW, 0, 1000));
    let mut client = stranger(served.addr());
    for command in ["CWD .haul", "CWD /.haul", "LIST .haul", "RETR .haul/ledger", "MKD .haul", "MLST .haul"] {
        let data = client.data();
        let code = client.asks(command).code;
        assert!((500..600).contains(&code), "{command}: {code}");
        drop(data);
    }
    assert!(!String::from_utf8(client.receives("LIST -a")).unwrap().contains(".haul"));
    assert!(!String::from_utf8(client.receives("MLSD")).unwrap().contains(".haul"));
}

#[test]
fn nothing_outside_of_the_folder_is_reached() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "x").unwrap();
    std::os::unix::fs::symlink(outside.path(), place.far("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), place.far("file")).unwrap();
    std::fs::write(place.far("inside"), "y").unwrap();
    std::os::unix::fs::symlink("inside", place.far("alias")).unwrap();
    let served = place.serve().start();
    let mut client = owner(served.addr());
    let absolute = format!("RETR {}", outside.path().join("secret").display());
    for command in
        ["RETR link/secret", "RETR file", "RETR ../secret", "CWD link", "RETR /../../etc/passwd", &absolute]
    {
        let data = client.data();
        let code = client.asks(command).code;
        assert!((500..600).contains(&code), "{command}: {code}");
        drop(data);
    }
    assert!((500..600).contains(&{
        let data = client.data();
        let code = client.asks("STOR link/new").code;
        drop(data);
        code
    }));
    assert_eq!(files(outside.path()), ["secret"]);
    assert_eq!(client.receives("RETR alias"), b"y");
}

#[test]
fn nothing_is_created_while_nobody_may_write() {
    let readers = Place::new();
    std::fs::write(readers.far("f"), "x").unwrap();
    let served = haul_testkit::Serve::without_user(env!("CARGO_BIN_EXE_haul"), readers.root())
        .args(["--user", &format!("{OTHER}:{OTHERS_PASSWORD}:rl")])
        .start();
    assert_eq!(stranger(served.addr()).size("f"), Some(1));
    assert_eq!(files(readers.root()), ["f"]);
}

#[test]
fn an_unfinished_upload_has_neither_a_date_nor_a_mode_to_be_set() {
    let place = Place::new();
    let served = place.serve().start();
    OLD.write_to(place.far("f"));
    left_unfinished(served.addr(), "f", b"some bytes");
    let mut caller = owner(served.addr());
    for line in ["MFMT 20200101000000 f", "SITE UTIME 20200101000000 f", "SITE CHMOD 600 f"] {
        let told = caller.says(line, 450);
        assert!(told.text.contains("not finished"), "{told:?}");
    }
    let mut other = stranger(served.addr());
    other.says("MFMT 20200101000000 f", 213);
}
