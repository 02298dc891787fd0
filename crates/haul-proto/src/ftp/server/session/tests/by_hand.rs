//! Sessions as people type them.

use super::*;
use crate::ftp::server::step::{Retrieve, StoreWish, Transfer, Transferred, What};

#[test]
fn an_append_without_a_type_works() {
    let mut ftp = Driven::on(Tls::None);
    assert_eq!(ftp.says("user A"), 331);
    ftp.line("pass A");
    assert!(matches!(ftp.ask(), Ask::Login { .. }));
    assert_eq!(ftp.done(Outcome::Login(Login::Welcome { banner: "Welcome.".into() })), 230);
    assert_eq!(ftp.asks("size 1.TXT"), Ask::AsciiSize(path("1.TXT")));
    ftp.session.complete(Outcome::AsciiSize(5));
    assert_eq!(ftp.reply().to_string(), "213 5");
    ftp.passive();
    let what = What::Store { path: path("1.TXT"), wish: StoreWish::Append, declared: None };
    let transfer = Transfer { data: Data::Passive, protected: false, shape: plain(Form::Ascii), what };
    assert_eq!(ftp.asks("appe 1.TXT"), Ask::Transfer(transfer));
    assert_eq!(ftp.done(Outcome::Started { size: None, name: None }), 150);
    assert_eq!(ftp.done(Outcome::Transferred(Transferred::Complete("3 bytes.".into()))), 226);
    assert_eq!(ftp.asks("size 1.TXT"), Ask::AsciiSize(path("1.TXT")));
    ftp.session.complete(Outcome::AsciiSize(8));
    assert_eq!(ftp.reply().to_string(), "213 8");
    assert_eq!(ftp.told("quit").code().get(), 221);
    ftp.closes();
}

#[test]
fn a_download_goes_on_where_rest_says() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("TYPE I"), 200);
    ftp.passive();
    let reply = ftp.told("REST 187392");
    assert_eq!(crate::ftp::echo::offset(&reply), Some(187_392));
    let what = What::Retrieve(Retrieve { path: path("pub/etext/1056.zip"), from: 187_392, to: None });
    let transfer = Transfer { data: Data::Passive, protected: false, shape: plain(Form::Image), what };
    assert_eq!(ftp.asks("RETR /pub/etext/1056.zip"), Ask::Transfer(transfer));
    ftp.session.complete(Outcome::Started { size: Some(541_696), name: None });
    let reply = ftp.reply();
    assert_eq!(reply.code().get(), 150);
    assert!(reply.text().contains("(541696 bytes)"), "{reply}");
    assert_eq!(crate::ftp::size::announced(&reply), Some(541_696));
    assert_eq!(ftp.done(Outcome::Transferred(Transferred::Complete("Sent.".into()))), 226);
}

#[test]
fn rest_alone_tells_that_there_is_resume() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("REST 1000"), 350);
    assert_eq!(ftp.says("TYPE I"), 200);
    assert_eq!(ftp.says("REST 1000"), 350);
}
