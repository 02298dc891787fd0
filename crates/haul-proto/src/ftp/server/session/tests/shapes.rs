//! TYPE, STRU and MODE together, and the markers of MODE B; CSID and LANG.

use super::*;
use crate::ftp::{
    block::Marker,
    server::step::{Incomplete, StoreWish, Transfer, Transferred, What},
};

fn begins(ftp: &mut Driven, line: &str) -> Transfer {
    ftp.passive();
    let Ask::Transfer(transfer) = ftp.asks(line) else { panic!("no transfer") };
    transfer
}

fn shape(ftp: &mut Driven, line: &str) -> Shape {
    let shape = begins(ftp, line).shape;
    assert_eq!(ftp.asks_what(Outcome::Refused(Trouble::Denied)), Some(Ask::Unlisten));
    assert_eq!(ftp.code(), 550);
    shape
}

fn marked(theirs: &str, ours: u64) -> Outcome {
    Outcome::Marked { theirs: Marker::new(theirs).unwrap(), ours }
}

#[test]
fn what_was_said_of_data_holds_for_each_transfer() {
    let mut ftp = Driven::inside();
    for line in ["TYPE I", "STRU R", "MODE B"] {
        assert_eq!(ftp.says(line), 200, "{line}");
    }
    let expected = Shape { form: Form::Image, structure: Structure::Record, mode: Mode::Block };
    assert_eq!((shape(&mut ftp, "RETR a"), shape(&mut ftp, "STOR a")), (expected, expected));
    assert!(ftp.told("STAT").text().contains("Type I, structure R, mode B."));
    // A list has no records.
    let list = shape(&mut ftp, "LIST");
    assert_eq!((list.structure, list.mode), (Structure::File, Mode::Block));
    assert_eq!(ftp.says("MODE C"), 504);
    assert_eq!(ftp.says("STRU P"), 504);
    assert_eq!(shape(&mut ftp, "RETR a"), expected, "a refusal changes nothing");
}

#[test]
fn a_new_session_and_rein_begin_with_streams_of_bytes() {
    let mut ftp = Driven::inside();
    assert_eq!(shape(&mut ftp, "RETR a"), plain(Form::Ascii));
    assert_eq!((ftp.says("MODE B"), ftp.says("STRU R"), ftp.says("REIN")), (200, 200, 220));
    ftp.log_in();
    assert_eq!(shape(&mut ftp, "RETR a"), plain(Form::Ascii));
}

#[test]
fn mode_z_is_there_where_it_is_offered() {
    let mut ftp = Driven::inside();
    assert!(ftp.told("FEAT").text().contains("MODE Z"));
    assert_eq!((ftp.says("OPTS MODE Z LEVEL 9"), ftp.says("MODE Z")), (200, 200));
    assert_eq!(shape(&mut ftp, "RETR a").mode, Mode::Deflate(Level::new(9).unwrap()));
    ftp.session.terms.deflates = false;
    assert!(!ftp.told("FEAT").text().contains("MODE Z"));
    assert_eq!((ftp.says("OPTS MODE Z LEVEL 9"), ftp.says("MODE Z")), (504, 504));
}

#[test]
fn a_marker_is_answered_while_bytes_come_and_its_text_is_exact() {
    let mut ftp = Driven::inside();
    assert_eq!((ftp.says("TYPE I"), ftp.says("MODE B")), (200, 200));
    begins(&mut ftp, "STOR a");
    assert_eq!(ftp.done(Outcome::Started { size: None, name: None }), 150);
    ftp.session.complete(marked("x-1", 1000));
    assert_eq!(ftp.text(), "110 MARK x-1 = 1000\r\n");
    ftp.quiet();
    ftp.line("STAT");
    assert_eq!(ftp.ask(), Ask::Figures);
    ftp.session.complete(marked("2000", 2000));
    assert_eq!(ftp.text(), "110 MARK 2000 = 2000\r\n");
    assert_eq!(ftp.done(Outcome::Figures("so far".into())), 211);
    assert_eq!(ftp.done(Outcome::Transferred(Transferred::Complete("Done.".into()))), 226);
    // One that comes too late says nothing.
    ftp.session.complete(marked("3000", 3000));
    ftp.quiet();
    assert_eq!(ftp.asks("SIZE a"), Ask::Look(path("a")));
    ftp.session.complete(marked("3000", 3000));
    ftp.quiet();
}

#[test]
fn a_transfer_that_never_began_has_no_markers() {
    let mut ftp = Driven::inside();
    begins(&mut ftp, "STOR a");
    assert_eq!(ftp.asks_what(marked("1", 1)), Some(Ask::Unlisten));
    assert_eq!(ftp.code(), 451);
}

#[test]
fn what_a_110_told_is_for_rest() {
    let mut ftp = Driven::inside();
    assert_eq!((ftp.says("TYPE I"), ftp.says("MODE B"), ftp.says("REST 1000")), (200, 200, 350));
    let what = begins(&mut ftp, "STOR a").what;
    assert_eq!(what, What::Store { path: path("a"), wish: StoreWish::From(1000), declared: None });
    assert_eq!(ftp.done(Outcome::Started { size: None, name: None }), 150);
    let kept = Transferred::Kept { at: 1000, why: Incomplete::Unended };
    assert_eq!(ftp.done(Outcome::Transferred(kept)), 426);
    let kept = |why| Answer::from(&Transferred::Kept { at: 7, why });
    let text = String::from_utf8(kept(Incomplete::Malformed("a block …")).into_bytes()).unwrap();
    assert!(text.starts_with("451 ") && text.contains("7 bytes are kept"), "{text}");
}

#[test]
fn a_range_of_an_upload_is_a_bare_stream() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("TYPE I"), 200);
    for line in ["MODE B", "STRU R"] {
        assert_eq!(ftp.says(line), 200);
        assert_eq!((ftp.says("ALLO 20"), ftp.says("RANG 5 9")), (200, 350));
        ftp.passive();
        assert_eq!(ftp.asks("STOR a"), Ask::Unlisten);
        assert_eq!(ftp.code(), 503, "{line}");
        assert_eq!((ftp.says("MODE S"), ftp.says("STRU F")), (200, 200));
    }
}

#[test]
fn records_declare_nothing() {
    let mut ftp = Driven::inside();
    for line in ["TYPE I", "STRU R", "ALLO 20"] {
        assert_eq!(ftp.says(line), 200, "{line}");
    }
    let what = begins(&mut ftp, "STOR a").what;
    assert_eq!(what, What::Store { path: path("a"), wish: StoreWish::Anew, declared: None });
}

#[test]
fn client_and_server_say_who_they_are_before_a_login_as_well() {
    let mut ftp = Driven::on(Tls::None);
    let told = ftp.told("CSID Name=lftp; Version=4.9;").to_string();
    assert!(told.starts_with("200 Name=haul; Version=") && told.ends_with(';'), "{told}");
    assert_eq!((ftp.says("LANG"), ftp.says("LANG en"), ftp.says("LANG de")), (200, 200, 504));
    assert!(ftp.told("FEAT").text().contains("LANG EN*"));
}
