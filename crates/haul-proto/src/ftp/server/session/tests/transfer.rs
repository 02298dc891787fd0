//! RETR STOR APPE STOU LIST NLST MLSD, what is said before them and what becomes of them.

use super::*;
use crate::ftp::server::step::{Incomplete, Ranges, Retrieve, Scope, StoreWish, Style, Transferred, What};

/// A session in TYPE I, or as it began.
fn ready(image: bool) -> Driven {
    let mut ftp = Driven::inside();
    if image {
        assert_eq!(ftp.says("TYPE I"), 200);
    }
    ftp
}

/// What a line moves.
fn moves(ftp: &mut Driven, line: &str) -> What {
    ftp.passive();
    match ftp.asks(line) {
        Ask::Transfer(transfer) => transfer.what,
        other => panic!("{other:?}"),
    }
}

/// The code that refuses it, and what was set up is dropped.
fn refused(ftp: &mut Driven, line: &str) -> u16 {
    ftp.passive();
    assert_eq!(ftp.asks(line), Ask::Unlisten, "{line}");
    ftp.code()
}

fn begins(ftp: &mut Driven) {
    assert_eq!(ftp.done(Outcome::Started { size: None, name: None }), 150);
}

fn ends(ftp: &mut Driven) {
    assert_eq!(ftp.done(Outcome::Transferred(Transferred::Complete("Done.".into()))), 226);
}

fn retrieve(from: u64, to: Option<u64>) -> What {
    What::Retrieve(Retrieve { path: path("a"), from, to })
}

fn store(wish: StoreWish, declared: Option<u64>) -> What {
    What::Store { path: path("a"), wish, declared }
}

#[test]
fn without_a_data_connection_nothing_moves() {
    let mut ftp = ready(true);
    for line in ["RETR a", "STOR a", "APPE a", "STOU", "LIST", "NLST", "MLSD"] {
        assert_eq!(ftp.says(line), 425, "{line}");
    }
}

#[test]
fn a_restart_point_is_good_for_one_transfer() {
    let mut ftp = ready(true);
    assert_eq!(ftp.says("REST 5"), 350);
    assert_eq!(moves(&mut ftp, "RETR a"), retrieve(5, None));
    begins(&mut ftp);
    ends(&mut ftp);
    assert_eq!(moves(&mut ftp, "RETR a"), retrieve(0, None));
}

#[test]
fn a_restart_point_survives_what_moves_no_file() {
    let mut ftp = ready(false);
    assert_eq!(ftp.says("REST 5"), 350);
    for line in ["NOOP", "TYPE I", "PWD", "OPTS UTF8 ON", "ALLO 9"] {
        assert!(ftp.says(line) < 300, "{line}");
    }
    ftp.asks("SIZE a");
    assert_eq!(ftp.done(Outcome::Seen(file(9))), 213);
    assert!(matches!(moves(&mut ftp, "NLST"), What::List { .. }));
    begins(&mut ftp);
    ends(&mut ftp);
    assert_eq!(moves(&mut ftp, "STOR a"), store(StoreWish::From(5), Some(9)));
}

#[test]
fn rest_does_not_survive_a_failed_retr() {
    let mut ftp = ready(true);
    for trouble in [Trouble::NotFound, Trouble::PastEnd { end: 3 }, Trouble::Unfinished { at: 3 }] {
        assert_eq!(ftp.says("REST 5"), 350);
        assert_eq!(moves(&mut ftp, "RETR a"), retrieve(5, None));
        ftp.session.complete(Outcome::Refused(trouble));
        assert_eq!(ftp.ask(), Ask::Unlisten);
        assert!(ftp.code() >= 450);
        assert_eq!(moves(&mut ftp, "STOR a"), store(StoreWish::Anew, None));
        begins(&mut ftp);
        ends(&mut ftp);
    }
    assert_eq!(ftp.says("REST 5"), 350);
    assert_eq!(ftp.says("RETR a"), 425);
    assert_eq!(moves(&mut ftp, "RETR a"), retrieve(0, None));
}

#[test]
fn rest_0_is_none() {
    let mut ftp = ready(true);
    assert_eq!((ftp.says("REST 5"), ftp.says("REST 0")), (350, 350));
    assert_eq!(moves(&mut ftp, "APPE a"), store(StoreWish::Append, None));
}

#[test]
fn rest_then_appe_is_refused_and_forgotten() {
    let mut ftp = ready(true);
    for line in ["APPE a", "STOU"] {
        assert_eq!(ftp.says("REST 5"), 350);
        assert_eq!(refused(&mut ftp, line), 503);
    }
    assert_eq!(moves(&mut ftp, "APPE a"), store(StoreWish::Append, None));
}

#[test]
fn bad_restart_points_are_refused_and_change_nothing() {
    let mut ftp = ready(true);
    assert_eq!(ftp.says("REST 5"), 350);
    for line in ["REST abc", "REST -1", "REST 99999999999999999999", "REST"] {
        assert_eq!(ftp.says(line), 501, "{line}");
    }
    assert_eq!(moves(&mut ftp, "RETR a"), retrieve(5, None));
}

#[test]
fn type_a_has_no_restart() {
    let mut ftp = ready(false);
    assert_eq!(ftp.says("REST 5"), 350, "a TYPE I may still come");
    assert_eq!(refused(&mut ftp, "RETR a"), 501, "it did not");
    assert_eq!(moves(&mut ftp, "RETR a"), retrieve(0, None), "and is forgotten");
    begins(&mut ftp);
    ends(&mut ftp);
    assert_eq!(ftp.says("TYPE A"), 200);
    assert_eq!(ftp.says("REST 5"), 501);
    assert_eq!(ftp.says("RANG 0 4"), 501);
    assert_eq!(ftp.says("REST 0"), 350);
    assert_eq!(moves(&mut ftp, "APPE a"), store(StoreWish::Append, None));
    begins(&mut ftp);
    ends(&mut ftp);
    assert_eq!((ftp.says("TYPE I"), ftp.says("REST 5"), ftp.says("TYPE A")), (200, 350, 200));
    assert_eq!(refused(&mut ftp, "STOR a"), 501);
}

#[test]
fn rang_is_a_part_of_one_file() {
    let mut ftp = ready(true);
    assert_eq!(ftp.says("RANG 2 4"), 350);
    assert_eq!(moves(&mut ftp, "RETR a"), retrieve(2, Some(5)));
    begins(&mut ftp);
    ends(&mut ftp);
    assert_eq!((ftp.says("RANG 2 4"), ftp.says("RANG 1 0")), (350, 350));
    assert_eq!(moves(&mut ftp, "RETR a"), retrieve(0, None));
    begins(&mut ftp);
    ends(&mut ftp);
    assert_eq!((ftp.says("RANG 2 4"), ftp.says("REST 7")), (350, 350), "the last one counts");
    assert_eq!(moves(&mut ftp, "RETR a"), retrieve(7, None));
    begins(&mut ftp);
    ends(&mut ftp);
    assert_eq!(ftp.says("RANG 2 4 0a"), 350);
    assert_eq!(moves(&mut ftp, "RETR a"), retrieve(2, Some(5)), "a name is for STOR");
}

#[test]
fn rang_before_stor_is_a_part_of_a_file_whose_size_or_name_is_said() {
    let range = |of: Option<&str>| StoreWish::Range { from: 2, to: 5, of: of.map(str::to_owned) };
    let mut ftp = ready(true);
    assert_eq!(ftp.says("RANG 2 4"), 350);
    assert_eq!(refused(&mut ftp, "STOR a"), 503, "of how many bytes?");
    assert_eq!((ftp.says("ALLO 9"), ftp.says("RANG 2 4")), (200, 350));
    assert_eq!(moves(&mut ftp, "STOR a"), store(range(None), Some(9)));
    ftp.session.complete(Outcome::StartedPart { upload: "0a".to_owned() });
    assert_eq!(ftp.text(), "150 Upload 0a: opening BINARY mode data connection for a.\r\n");
    let part = |kept, why| Outcome::Transferred(Transferred::Part { kept, upload: "0a".to_owned(), why });
    ftp.session.complete(part(Some((2, 5)), None));
    assert_eq!(ftp.text(), "250 RANG 2 4 0a is safe.\r\n");
    for (why, text) in [
        (Incomplete::Broken, "426 The data connection broke; RANG 1 0 0a is safe.\r\n"),
        (Incomplete::NoSpace, "552 There is no space left; RANG 1 0 0a is safe.\r\n"),
        (Incomplete::Full, "451 More came than the range has, or has left; RANG 1 0 0a is safe.\r\n"),
    ] {
        assert_eq!(ftp.says("RANG 2 4 0a"), 350);
        assert_eq!(moves(&mut ftp, "STOR a"), store(range(Some("0a")), None));
        assert_eq!(ftp.done(Outcome::StartedPart { upload: "0a".to_owned() }), 150);
        ftp.session.complete(part(None, Some(why)));
        assert_eq!(ftp.text(), text);
    }
    assert_eq!(moves(&mut ftp, "STOR a"), store(StoreWish::Anew, None), "it is used up");
}

#[test]
fn what_is_there_is_told_as_facts_and_ranges() {
    let mut ftp = ready(true);
    ftp.asks("SITE RANG a");
    let there = Ranges { upload: "0a".to_owned(), size: Some(9), there: vec![(0, 3), (5, 6)] };
    ftp.session.complete(Outcome::Ranges(there));
    assert_eq!(ftp.text(), "213-There is:\r\n upload=0a;size=9;\r\n 0 2\r\n 5 5\r\n213 End.\r\n");
    ftp.asks("SITE RANG a");
    ftp.session.complete(Outcome::Refused(Trouble::NotFound));
    assert_eq!(ftp.code(), 550);
}

#[test]
fn a_declared_size_is_of_the_next_upload_only() {
    let mut ftp = ready(true);
    assert_eq!(ftp.says("ALLO 9 R 80"), 200);
    assert_eq!(moves(&mut ftp, "RETR a"), retrieve(0, None));
    begins(&mut ftp);
    ends(&mut ftp);
    assert_eq!(moves(&mut ftp, "APPE a"), store(StoreWish::Append, Some(9)));
    begins(&mut ftp);
    ends(&mut ftp);
    assert_eq!(moves(&mut ftp, "STOR a"), store(StoreWish::Anew, None));
    begins(&mut ftp);
    ends(&mut ftp);
    assert_eq!((ftp.says("ALLO 9"), ftp.says("ALLO 0")), (200, 202));
    assert_eq!(moves(&mut ftp, "STOR a"), store(StoreWish::Anew, None));
}

#[test]
fn a_list_says_what_of_which_folder() {
    let mut ftp = ready(true);
    let list = |raw: &str, glob: Option<&str>, style, scope| What::List {
        path: path(raw),
        glob: glob.map(|glob| glob.as_bytes().to_vec()),
        style,
        scope,
    };
    let all = Scope { hidden: true, dots: true, ..Scope::default() };
    let cases = [
        ("LIST", list("", None, Style::Long, Scope::default())),
        ("LIST -al a", list("a", None, Style::Long, all)),
        ("LIST a/*.txt", list("a", Some("*.txt"), Style::Long, Scope::default())),
        ("NLST *", list("", Some("*"), Style::Names, Scope::default())),
        ("NLST /[ab]", list("", Some("[ab]"), Style::Names, Scope::default())),
        ("LIST *x/b", list("*x/b", None, Style::Long, Scope::default())),
        (
            "MLSD a",
            list("a", None, Style::Facts(Chosen::default()), Scope { hidden: true, ..Scope::default() }),
        ),
    ];
    for (line, what) in cases {
        assert_eq!(moves(&mut ftp, line), what, "{line}");
        begins(&mut ftp);
        ends(&mut ftp);
    }
    assert_eq!(ftp.says("OPTS MLST size;"), 200);
    let chosen = Style::Facts(Chosen::parse(b"size;"));
    assert_eq!(moves(&mut ftp, "MLSD"), list("", None, chosen, Scope { hidden: true, ..Scope::default() }));
    ftp.session.complete(Outcome::Refused(Trouble::NotAFolder));
    assert_eq!(ftp.ask(), Ask::Unlisten);
    assert_eq!(ftp.code(), 501, "RFC 3659 §7.2.1");
}

#[test]
fn stou_tells_the_name_that_was_found() {
    let mut ftp = ready(true);
    let what = |raw| What::Store { path: path(raw), wish: StoreWish::Unique, declared: None };
    assert_eq!(moves(&mut ftp, "STOU"), what(""));
    ftp.session.complete(Outcome::Started { size: None, name: Some(b"upload.1".to_vec()) });
    assert_eq!(ftp.reply().to_string(), "150 FILE: upload.1");
    ends(&mut ftp);
    assert_eq!(moves(&mut ftp, "STOU a/b"), what("a"));
}

#[test]
fn the_size_is_told_where_it_is_that_of_what_is_sent() {
    let started = || Outcome::Started { size: Some(10), name: None };
    let mut ftp = ready(true);
    moves(&mut ftp, "RETR a");
    ftp.session.complete(started());
    assert_eq!(ftp.reply().to_string(), "150 Opening BINARY mode data connection for a (10 bytes).");
    let mut ftp = ready(false);
    moves(&mut ftp, "RETR a");
    ftp.session.complete(started());
    assert_eq!(ftp.reply().to_string(), "150 Opening ASCII mode data connection for a.");
}

#[test]
fn every_end_has_its_code() {
    let kept = |why| Transferred::Kept { at: 7, why };
    let ends = [
        (Transferred::Complete("10 bytes.".into()), 226),
        (kept(Incomplete::Broken), 426),
        (kept(Incomplete::Gone), 426),
        (kept(Incomplete::Short { declared: 9 }), 451),
        (kept(Incomplete::Stalled), 426),
        (kept(Incomplete::NoSpace), 552),
        (kept(Incomplete::OverQuota), 552),
        (Transferred::NoData("nobody came".into()), 425),
        (Transferred::NotProtected("it was not resumed".into()), 522),
        (Transferred::Broken("reset".into()), 426),
        (Transferred::Aborted { at: Some(7) }, 426),
        (Transferred::Failed(Trouble::NoSpace), 552),
        (Transferred::Failed(Trouble::Changed), 451),
        (Transferred::Failed(Trouble::Fenced), 451),
        (Transferred::Failed(Trouble::Local("disk".into())), 451),
    ];
    let mut ftp = ready(true);
    for (end, code) in ends {
        moves(&mut ftp, "STOR a");
        begins(&mut ftp);
        let keeps = matches!(end, Transferred::Kept { .. } | Transferred::Aborted { .. });
        ftp.session.complete(Outcome::Transferred(end));
        let reply = ftp.reply();
        assert_eq!(reply.code().get(), code, "{reply}");
        assert_eq!(reply.text().contains("REST 7"), keeps, "{reply}");
        ftp.quiet();
    }
}

#[test]
fn every_trouble_has_its_code() {
    let why = || "why".to_owned();
    let troubles = [
        (Trouble::NotFound, 550),
        (Trouble::Exists, 550),
        (Trouble::NotAFolder, 550),
        (Trouble::NotAFile, 550),
        (Trouble::NotEmpty, 550),
        (Trouble::Denied, 550),
        (Trouble::BadName, 553),
        (Trouble::OtherMedium, 553),
        (Trouble::NoSpace, 552),
        (Trouble::OverQuota, 552),
        (Trouble::TooMany { unfinished: 7 }, 452),
        (Trouble::Busy(why()), 450),
        (Trouble::Unfinished { at: 7 }, 450),
        (Trouble::PastEnd { end: 7 }, 554),
        (Trouble::Changed, 451),
        (Trouble::Fenced, 451),
        (Trouble::TooLarge(why()), 550),
        (Trouble::CannotListen(why()), 425),
        (Trouble::Local(why()), 451),
    ];
    let mut ftp = ready(true);
    for (trouble, code) in troubles {
        ftp.asks("DELE a");
        assert_eq!(ftp.done(Outcome::Refused(trouble.clone())), code, "{trouble:?}");
    }
    ftp.asks("DELE a");
    ftp.session.complete(Outcome::Refused(Trouble::Stopping));
    assert_eq!(ftp.code(), 421);
    ftp.closes();
}

#[test]
fn a_transfer_that_a_stop_ends_ends_the_session() {
    for end in
        [Transferred::Kept { at: 7, why: Incomplete::Stopping }, Transferred::Failed(Trouble::Stopping)]
    {
        let mut ftp = ready(true);
        moves(&mut ftp, "STOR a");
        begins(&mut ftp);
        ftp.session.stop("The server is being stopped.");
        ftp.quiet();
        ftp.session.complete(Outcome::Transferred(end));
        assert_eq!(ftp.code(), 421);
        ftp.closes();
    }
}

#[test]
fn a_transfer_that_ends_before_it_began_is_no_good() {
    let mut ftp = ready(true);
    moves(&mut ftp, "RETR a");
    ftp.session.complete(Outcome::Transferred(Transferred::Complete("?".into())));
    assert_eq!(ftp.ask(), Ask::Unlisten);
    assert_eq!(ftp.code(), 451);
    ftp.quiet();
}

#[test]
fn a_size_on_the_wire_declares_nothing_of_what_is_stored_in_type_a() {
    let mut ftp = ready(false);
    for line in ["STOR a", "APPE a"] {
        assert_eq!(ftp.says("ALLO 9"), 200);
        let What::Store { declared, .. } = moves(&mut ftp, line) else { panic!("{line}") };
        assert_eq!(declared, None, "{line}");
        begins(&mut ftp);
        ends(&mut ftp);
    }
    assert_eq!(ftp.says("TYPE I"), 200);
    assert_eq!(moves(&mut ftp, "STOR a"), store(StoreWish::Anew, None), "it was used up");
}
