//! Every form of a line, every name that must not come through, and what is no line at all.

use proptest::prelude::*;

use super::{super::entry::Entry, *};

/// 2024-03-01T12:00:00Z.
const NOW: i64 = 1_709_294_400;

fn entry(line: &str) -> Entry {
    match parse(line.as_bytes(), NOW) {
        Line::Entry(entry) => entry,
        other => panic!("{line:?} is {other:?}"),
    }
}

fn name(line: &str) -> String {
    entry(line).name.as_utf8().unwrap().to_owned()
}

/// The date as a time-val, with its precision.
fn date(line: &str) -> Option<(String, Precision)> {
    entry(line).stamp.map(|stamp| (time::time_val(stamp.modified).unwrap(), stamp.precision))
}

fn minute(text: &str) -> Option<(String, Precision)> {
    Some((text.to_owned(), Precision::Minute))
}

#[test]
fn every_form_of_ls_is_read() {
    let lines = [
        "-rw-r--r--   1 owner    group        1234 Jan 31 23:59 a b",
        "-rw-r--r--   1 owner    1234 Jan 31 23:59 a b",
        "-rw-r--r--   1 1000     1000         1234 Jan 31 23:59 a b",
        "-rw-r--r--   1 5        may          1234 Jan 31 23:59 a b",
        "-rw-r--r--   1 Domain Users  Domain Admins  1234 Jan 31 23:59 a b\r\n",
        "-rw-r--r--@  1 owner    group        1234 31 Jan 23:59 a b",
        "-rwsr-xr-t+100 owner    group        1234 jan 31 23:59 a b",
        "-rw-r--r-- 1234 Jan 31 23:59 a b",
        "-rw-r--r--   1 owner    group        1234 2024-01-31 23:59 a b",
        "-rw-r--r--   1 owner    group        1234 2024-01-31 23:59:00.000000000 +0000 a b",
        "- [RWCEAFMS] owner                   1234 Jan 31 23:59 a b",
    ];
    for line in lines {
        let read = entry(line);
        assert_eq!(
            (read.name.as_bytes(), read.kind, read.size),
            (&b"a b"[..], Kind::File, Some(1234)),
            "{line}"
        );
        assert_eq!(date(line), minute("20240131235900"), "{line}");
    }
}

#[test]
fn a_year_left_out_is_the_last_one_possible() {
    let at = |text: &str| date(&format!("-rw-r--r-- 1 o g 1 {text} a"));
    assert_eq!(at("Mar  2 11:59"), minute("20240302115900"), "a zone ahead of ours");
    assert_eq!(at("Mar  2 12:01"), minute("20230302120100"));
    assert_eq!(at("Feb 29 00:00"), minute("20240229000000"));
    assert_eq!(at("Dec 31 00:00"), minute("20231231000000"));
    assert_eq!(at("Dec 31  1999"), Some(("19991231000000".to_owned(), Precision::Day)));
    assert_eq!(at("Feb 30 00:00"), None);
}

#[test]
fn a_month_in_another_language_costs_the_date_only() {
    let line = "-rw-r--r--   1 5        users        2000 5 Mär 23:59 a";
    assert_eq!((name(line), entry(line).size, date(line)), ("a".to_owned(), Some(2000), None));
    assert_eq!(name("-rw-r--r--   1 o g 2000 Okt  5  2020 a"), "a");
}

#[test]
fn names_keep_their_spaces() {
    assert_eq!(name("-rw-r--r-- 1 o g 1 Jan 31 23:59   a  b "), "  a  b ");
    assert_eq!(name("-rw-r--r-- 1 o g 1 Jan 31 23:59 1 Jan 31 23:59 b"), "1 Jan 31 23:59 b");
    assert_eq!(name("12-31-99  11:59PM                 1234   a"), "  a");
    assert_eq!(name("12-31-99  11:59PM       <DIR>            a"), "  a");
    let Line::Entry(raw) = parse(b"-rw-r--r-- 1 o g 1 Jan 31 23:59 \xff", NOW) else { panic!() };
    assert_eq!(raw.name.as_bytes(), b"\xff");
}

#[test]
fn links_are_split_where_their_size_says() {
    let link = |line: &str| (name(line), entry(line).kind, entry(line).size);
    let to = |target: &str| Kind::Link { target: Some(target.as_bytes().to_vec()) };
    assert_eq!(link("lrwxrwxrwx 1 o g 1 Jan 31 23:59 a -> b"), ("a".to_owned(), to("b"), None));
    assert_eq!(link("lrwxrwxrwx 1 o g 1 Jan 31 23:59 a -> b -> c"), ("a -> b".to_owned(), to("c"), None));
    assert_eq!(link("lrwxrwxrwx 1 o g 6 Jan 31 23:59 a -> b -> c"), ("a".to_owned(), to("b -> c"), None));
    assert_eq!(link("lrwxrwxrwx 1 o g 0 Jan 31 23:59 a -> b"), ("a".to_owned(), to("b"), None));
    assert_eq!(
        link("lrwxrwxrwx 1 o g 1 Jan 31 23:59 a"),
        ("a".to_owned(), Kind::Link { target: None }, None)
    );
}

#[test]
fn folders_are_folders() {
    let lines = [
        "drwxr-xr-x   2 o g 4096 Jan 31 23:59 a b",
        "drwxr-xr-x   2 o g 4096 Jan 31 23:59 a b/",
        "d [R----F--] owner  512 Jan 31 23:59 a b",
        "01-31-24  11:59PM       <DIR>          a b",
        "+i8388621.29609,m824255902,/,\ta b",
    ];
    for line in lines {
        let read = entry(line);
        assert_eq!((read.name.as_bytes(), read.kind, read.size), (&b"a b"[..], Kind::Folder, None), "{line}");
    }
}

#[test]
fn dos_is_read() {
    let lines = [
        "01-31-24  11:59PM                 1234 a b",
        "01-31-2024  11:59PM              1,234 a b",
        "2024-01-31  23:59                 1234 a b",
        "01/31/2024  11:59pm               1234 a b",
    ];
    for line in lines {
        let read = entry(line);
        assert_eq!(
            (read.name.as_bytes(), read.kind, read.size),
            (&b"a b"[..], Kind::File, Some(1234)),
            "{line}"
        );
        assert_eq!(date(line), minute("20240131235900"), "{line}");
    }
    assert_eq!(date("12-31-99  12:00AM 1 a"), minute("19991231000000"));
    assert_eq!(date("12-31-99  12:00PM 1 a"), minute("19991231120000"));
    let link = entry("01-31-24  11:59PM    <JUNCTION>     a b [C:\\x]");
    assert_eq!((link.name.as_bytes(), link.kind), (&b"a b"[..], Kind::Link { target: None }));
}

#[test]
fn eplf_is_read() {
    let line = "+i8388621.44468,m839956783,r,s10376,\tRFCEPLF";
    let read = entry(line);
    assert_eq!((read.name.as_bytes(), read.kind, read.size), (&b"RFCEPLF"[..], Kind::File, Some(10376)));
    assert_eq!(read.stamp, Some(stamped(839_956_783, Precision::Exact)));
    assert_eq!(parse(b"+up644,\ta", NOW), Line::Nothing);
}

#[test]
fn what_cannot_be_fetched_is_nothing() {
    let lines = [
        "",
        " ",
        "\r\n",
        "total 12",
        "insgesamt 12",
        "crw-rw-rw- 1 root root 1, 3 Jan 31 23:59 null",
        "brw-rw---- 1 root disk 8, 0 Jan 31 23:59 sda",
        "prw-r--r-- 1 o g 0 Jan 31 23:59 fifo",
        "srw-r--r-- 1 o g 0 Jan 31 23:59 socket",
        "drwxr-xr-x 2 o g 4096 Jan 31 23:59 .",
        "drwxr-xr-x 2 o g 4096 Jan 31 23:59 ..",
        "drwxr-xr-x 2 o g 4096 Jan 31 23:59 ../",
    ];
    for line in lines {
        assert_eq!(parse(line.as_bytes(), NOW), Line::Nothing, "{line:?}");
    }
}

#[test]
fn names_that_lead_elsewhere_are_unsafe() {
    for bad in ["../a", "/etc/passwd", "a/b", "..\\a", "a\0", "a/.."] {
        let lines = [
            format!("-rw-r--r-- 1 o g 1 Jan 31 23:59 {bad}"),
            format!("drwxr-xr-x 1 o g 1 Jan 31 23:59 {bad}"),
            format!("01-31-24  11:59PM 1 {bad}"),
            format!("+r,\t{bad}"),
        ];
        for line in lines {
            assert_eq!(parse(line.as_bytes(), NOW), Line::Unsafe(bad.as_bytes().to_vec()), "{line}");
        }
    }
    let link = parse(b"lrwxrwxrwx 1 o g 1 Jan 31 23:59 ../a -> b", NOW);
    assert_eq!(link, Line::Unsafe(b"../a".to_vec()));
}

#[test]
fn what_is_not_known_is_unreadable() {
    let lines = [
        "a",
        "ls: a: No such file",
        "-rw-r--r-- 1 o g 1 Jan 31 23:59",
        "-rw-r--r-- 1 o g 1 Jan 31 23:59 ",
        "-rw-r--r-- 1 o g 1 Jan 31 a",
        "01-31-24  11:59PM 1",
        "01-31-24  13:59PM 1 a",
        "+r,s1 a",
    ];
    for line in lines {
        assert_eq!(parse(line.as_bytes(), NOW), Line::Unreadable, "{line:?}");
    }
}

proptest! {
    #[test]
    fn never_panics(
        any: Vec<u8>,
        near in "[-dl+](rwxrwxrwx| \\[|[,rs/]{0,4})( |\t|1|9{20}|Jan|31|23:59|2024|2024-01-31|a| -> |<DIR>|\\.\\./){0,14}",
        dos in "[0-9]{1,4}[-/][0-9]{1,2}[-/][0-9]{1,4} [0-9]{1,2}:[0-9]{1,2}(AM|PM)? (<[A-Z]{0,3}>|[0-9,]{0,22}) {0,12}[a. /]{0,3}",
        now: i64,
    ) {
        for line in [any, near.into_bytes(), dos.into_bytes()] {
            for now in [now, NOW] {
                let _ = parse(&line, now);
            }
        }
    }
}
