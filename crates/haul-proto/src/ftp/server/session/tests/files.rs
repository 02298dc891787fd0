//! Names, dates, sizes, checksums.

use super::*;
use crate::ftp::{
    facts::Facts,
    hash, quote,
    server::step::{Sum, SumValue},
    time,
};
use haul_core::Digest;

/// A session in TYPE I.
fn image() -> Driven {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("TYPE I"), 200);
    ftp
}

fn pwd(ftp: &mut Driven) -> Vec<u8> {
    quote::pathname(&ftp.told("PWD")).unwrap()
}

#[test]
fn folders_are_entered_and_left() {
    let mut ftp = Driven::inside();
    assert_eq!(pwd(&mut ftp), b"/");
    assert_eq!(ftp.asks("CWD a\"b"), Ask::Look(path("a\"b")));
    assert_eq!(ftp.done(Outcome::Seen(folder())), 250);
    assert_eq!(pwd(&mut ftp), b"/a\"b");
    assert_eq!(ftp.asks("CWD ../c/d"), Ask::Look(path("c/d")));
    assert_eq!(ftp.done(Outcome::Seen(folder())), 250);
    assert_eq!(ftp.says("CDUP"), 250);
    assert_eq!(pwd(&mut ftp), b"/c");
    assert_eq!((ftp.says("XCUP"), ftp.says("CDUP")), (250, 250));
    assert_eq!(pwd(&mut ftp), b"/", "nothing is above the root");
}

#[test]
fn only_folders_are_entered() {
    let mut ftp = Driven::inside();
    ftp.asks("CWD a");
    assert_eq!(ftp.done(Outcome::Seen(file(1))), 550);
    ftp.asks("CWD a");
    assert_eq!(ftp.done(Outcome::Refused(Trouble::NotFound)), 550);
    assert_eq!(pwd(&mut ftp), b"/");
}

#[test]
fn what_is_haul_s_own_is_not_there() {
    let mut ftp = image();
    for line in [
        "CWD .haul",
        "SIZE .haul/x",
        "MDTM .HAUL",
        "DELE .haul/x",
        "RMD .haul",
        "RNFR .haul",
        "MLST .haul",
        "STAT .haul",
        "AVBL .haul",
        "HASH .haul/x",
        "XCRC .haul/x",
        "SITE CHMOD 600 .haul",
        "MFMT 19980615100045 .haul",
    ] {
        assert_eq!(ftp.says(line), 550, "{line}");
    }
    assert_eq!(ftp.says("MKD .haul"), 553);
    assert_eq!(ftp.says("MKD a\rb"), 553);
    ftp.asks("RNFR a");
    assert_eq!(ftp.done(Outcome::Seen(file(1))), 350);
    assert_eq!(ftp.says("RNTO .haul/a"), 553);
    assert_eq!(ftp.says("RNTO b"), 503);
}

#[test]
fn folders_are_made_and_removed() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.asks("MKD a\"b"), Ask::MakeFolder(path("a\"b")));
    ftp.session.complete(Outcome::Done);
    assert_eq!(quote::pathname(&ftp.reply()).unwrap(), b"/a\"b");
    ftp.asks("MKD a");
    assert_eq!(ftp.done(Outcome::Refused(Trouble::Exists)), 550);
    assert_eq!(ftp.asks("RMD a"), Ask::RemoveFolder(path("a")));
    assert_eq!(ftp.done(Outcome::Done), 250);
    assert_eq!(ftp.asks("DELE a/b"), Ask::Remove(path("a/b")));
    assert_eq!(ftp.done(Outcome::Done), 250);
}

#[test]
fn a_rename_is_two_commands_with_nothing_between() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("RNTO b"), 503);
    assert_eq!(ftp.asks("RNFR a"), Ask::Look(path("a")));
    assert_eq!(ftp.done(Outcome::Seen(file(1))), 350);
    assert_eq!(ftp.asks("RNTO b"), Ask::Rename { from: path("a"), to: path("b") });
    assert_eq!(ftp.done(Outcome::Done), 250);
    assert_eq!(ftp.says("RNTO c"), 503);
    for (between, code) in [("NOOP", 200), ("FOO", 500), ("REST x", 501), ("PWD", 257)] {
        ftp.asks("RNFR a");
        assert_eq!(ftp.done(Outcome::Seen(file(1))), 350);
        assert_eq!(ftp.says(between), code);
        assert_eq!(ftp.says("RNTO b"), 503, "after {between}");
    }
    ftp.asks("RNFR a");
    assert_eq!(ftp.done(Outcome::Refused(Trouble::NotFound)), 550);
    assert_eq!(ftp.says("RNTO b"), 503);
}

#[test]
fn what_may_not_be_renamed_is_told_before_a_new_name_is_asked_for() {
    let mut ftp = Driven::inside();
    let may = May { delete: false, ..file(1).may };
    for seen in [Listed { may, ..file(1) }, Listed { may, ..folder() }] {
        ftp.asks("RNFR a");
        assert_eq!(ftp.done(Outcome::Seen(seen)), 550);
        assert_eq!(ftp.says("RNTO b"), 503);
    }
    ftp.asks("RNFR /");
    assert_eq!(ftp.done(Outcome::Seen(folder())), 550, "the root stays where it is");
    ftp.asks("RNFR a");
    assert_eq!(ftp.done(Outcome::Seen(file(1))), 350);
    ftp.asks("RNTO b");
    assert_eq!(ftp.done(Outcome::Refused(Trouble::OtherMedium)), 553);
}

#[test]
fn sizes_are_those_of_the_type() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.asks("SIZE a"), Ask::AsciiSize(path("a")));
    assert_eq!(ftp.done(Outcome::Refused(Trouble::TooLarge("over 1 MiB in TYPE A".into()))), 550);
    assert_eq!(ftp.says("TYPE L 8"), 200);
    assert_eq!(ftp.asks("SIZE a"), Ask::Look(path("a")));
    ftp.session.complete(Outcome::Seen(file(u64::MAX)));
    assert_eq!(ftp.reply().to_string(), "213 18446744073709551615");
    ftp.asks("SIZE a");
    assert_eq!(ftp.done(Outcome::Seen(folder())), 550);
}

#[test]
fn dates_are_told_and_set() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.asks("MDTM a"), Ask::Look(path("a")));
    ftp.session.complete(Outcome::Seen(file(1)));
    let told = time::mdtm(&ftp.reply()).unwrap();
    assert_eq!(told.seconds, 897_904_845);
    assert_eq!(ftp.asks("MFMT 19980615100045 a b"), Ask::SetModified(path("a b"), told));
    ftp.session.complete(Outcome::Done);
    assert_eq!(ftp.reply().to_string(), "213 Modify=19980615100045; a b");
    assert_eq!(ftp.asks("SITE UTIME 19980615100045 a"), Ask::SetModified(path("a"), told));
    assert_eq!(ftp.done(Outcome::Done), 213);
    assert_eq!(ftp.asks("SITE CHMOD 640 a"), Ask::SetMode(path("a"), 0o640));
    assert_eq!(ftp.done(Outcome::Done), 200);
    ftp.asks("MDTM a");
    let mut late = file(1);
    late.modified.seconds = i64::MAX;
    assert_eq!(ftp.done(Outcome::Seen(late)), 451);
}

#[test]
fn facts_are_told_of_a_path() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.asks("MLST"), Ask::Look(path("")));
    ftp.session.complete(Outcome::Seen(folder()));
    assert_eq!(Facts::of_mlst(&ftp.reply()).unwrap().pathname, b"/");
    assert_eq!(ftp.asks("MLST a b"), Ask::Look(path("a b")));
    ftp.session.complete(Outcome::Seen(file(9)));
    let facts = Facts::of_mlst(&ftp.reply()).unwrap();
    assert_eq!((facts.pathname.as_slice(), facts.size), (&b"/a b"[..], Some(9)));
    assert_eq!(ftp.told("OPTS MLST type;").to_string(), "200 MLST OPTS type;");
    ftp.asks("MLST a");
    ftp.session.complete(Outcome::Seen(file(9)));
    assert_eq!(Facts::of_mlst(&ftp.reply()).unwrap().size, None);
}

#[test]
fn stat_of_a_path_is_a_list() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.asks("STAT a"), Ask::Look(path("a")));
    ftp.session.complete(Outcome::Seen(folder()));
    assert_eq!(ftp.ask(), Ask::LookInto(path("a")));
    let hidden = Listed { name: b".x".to_vec(), ..file(2) };
    let entries = vec![hidden, file(5)];
    ftp.session.complete(Outcome::Listed { entries: entries.clone(), now: 897_904_900 });
    let reply = ftp.reply();
    assert_eq!(reply.code().get(), 212);
    let [line] = reply.inner_lines() else { panic!("{reply}") };
    assert!(line.ends_with(b" 1.TXT") && line.starts_with(b" -rw-r--r--"), "{reply}");
    ftp.asks("STAT -a a");
    ftp.session.complete(Outcome::Seen(folder()));
    ftp.ask();
    ftp.session.complete(Outcome::Listed { entries, now: 0 });
    assert_eq!(ftp.reply().inner_lines().len(), 2);
    ftp.asks("STAT -d a");
    assert_eq!(ftp.done(Outcome::Seen(folder())), 213);
    ftp.asks("STAT a");
    ftp.session.complete(Outcome::Seen(file(5)));
    assert!(ftp.reply().text().contains("1998 1.TXT"));
}

fn sum(value: SumValue, from: u64, to: u64) -> Outcome {
    Outcome::Sum(Sum { value, from, to })
}

#[test]
fn hash_is_what_our_client_reads() {
    let mut ftp = image();
    let kind = Kind::Digest(Algorithm::Sha256);
    assert_eq!(ftp.asks("HASH a b"), Ask::Sum { path: path("a b"), kind, from: 0, to: None });
    let digest = Digest::new(Algorithm::Sha256, vec![0xab; 32]).unwrap();
    ftp.session.complete(sum(SumValue::Digest(digest.clone()), 0, 50));
    let reply = ftp.reply();
    let told = hash::hash(&reply).unwrap();
    assert_eq!((told.first, told.last, told.sum), (0, 49, hash::Sum::Digest(digest)));
    assert!(reply.text().ends_with(" a b"));
    assert_eq!((ftp.says("RANG 5 9"), ftp.says("OPTS HASH CRC32")), (350, 200));
    let ask = |from, to| Ask::Sum { path: path("a"), kind: Kind::Crc32, from, to };
    assert_eq!(ftp.asks("HASH a"), ask(5, Some(10)));
    ftp.session.complete(sum(SumValue::Crc32(255), 5, 10));
    assert_eq!(ftp.reply().to_string(), "213 CRC32 5-9 000000FF a");
    assert_eq!(ftp.asks("HASH a"), ask(0, None), "RANG is used up");
    ftp.session.complete(sum(SumValue::Crc32(0), 0, 0));
    assert_eq!(ftp.reply().to_string(), "213 CRC32 0-0 00000000 a", "of nothing");
    assert_eq!(ftp.told("OPTS HASH").to_string(), "200 CRC32");
    assert_eq!(ftp.says("REST 5"), 350);
    assert_eq!(ftp.asks("HASH a"), ask(0, None), "REST is for transfers");
}

#[test]
fn x_checksums_are_what_our_client_reads() {
    let mut ftp = image();
    let ask = |kind, from, to| Ask::Sum { path: path("a"), kind, from, to };
    assert_eq!(ftp.asks("XCRC a"), ask(Kind::Crc32, 0, None));
    ftp.session.complete(sum(SumValue::Crc32(0x1a), 0, 9));
    assert_eq!(hash::x_hash(Kind::Crc32, &ftp.reply()), Some(hash::Sum::Crc32(0x1a)));
    let kind = Kind::Digest(Algorithm::Md5);
    assert_eq!(ftp.asks("XMD5 \"a\" 2 5"), ask(kind, 2, Some(5)));
    let digest = Digest::new(Algorithm::Md5, vec![1; 16]).unwrap();
    ftp.session.complete(sum(SumValue::Digest(digest.clone()), 2, 5));
    assert_eq!(hash::x_hash(kind, &ftp.reply()), Some(hash::Sum::Digest(digest)));
    ftp.asks("XCRC a");
    assert_eq!(ftp.done(Outcome::Refused(Trouble::NotAFile)), 550);
}
