//! AUTH, PBSZ, PROT, CCC.

use super::*;
use crate::ftp::server::step::Transferred;

/// AUTH TLS was said, and TLS has begun.
fn secured(tls: Tls) -> Driven {
    let mut ftp = Driven::on(tls);
    ftp.line("AUTH TLS");
    assert_eq!(ftp.code(), 234);
    assert_eq!(ftp.session.poll(), Some(Step::Secure));
    ftp.quiet();
    ftp.session.secured();
    ftp.quiet();
    ftp
}

/// Whether the data connection of a list is protected, or the code that refuses it.
fn list(ftp: &mut Driven) -> Result<bool, u16> {
    ftp.passive();
    ftp.line("LIST");
    match ftp.session.poll().unwrap() {
        Step::Ask(Ask::Transfer(transfer)) => {
            ftp.done(Outcome::Started { size: None, name: None });
            ftp.done(Outcome::Transferred(Transferred::Complete("Told.".into())));
            Ok(transfer.protected)
        }
        Step::Ask(Ask::Unlisten) => Err(ftp.code()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_certificate_there_is_no_tls() {
    let mut ftp = Driven::on(Tls::None);
    assert_eq!(ftp.says("AUTH TLS"), 502);
    assert_eq!(ftp.says("PBSZ 0"), 503);
    assert!(!ftp.told("FEAT").text().contains("AUTH"));
    assert!(Driven::on(Tls::Offered).told("FEAT").text().contains("AUTH TLS"));
}

#[test]
fn what_came_before_tls_is_not_heard() {
    let mut ftp = Driven::on(Tls::Offered);
    ftp.line("AUTH TLS");
    ftp.line("USER eve");
    assert_eq!(ftp.code(), 234);
    assert_eq!(ftp.session.poll(), Some(Step::Secure));
    ftp.line("PASS eve");
    ftp.quiet();
    ftp.session.secured();
    ftp.quiet();
    assert_eq!(ftp.says("PASS x"), 503);
}

#[test]
fn who_was_logged_in_is_not_any_more() {
    let mut ftp = Driven::on(Tls::Offered);
    ftp.log_in();
    ftp.passive();
    ftp.line("AUTH TLS");
    assert_eq!(ftp.ask(), Ask::Unlisten);
    assert_eq!(ftp.code(), 234);
    assert_eq!(ftp.session.poll(), Some(Step::Secure));
    ftp.session.secured();
    assert_eq!(ftp.says("PWD"), 530);
    assert_eq!(ftp.says("AUTH TLS"), 503);
    ftp.log_in();
}

#[test]
fn data_is_in_the_clear_until_prot_p() {
    let mut ftp = secured(Tls::Offered);
    ftp.log_in();
    assert_eq!(list(&mut ftp), Ok(false));
    assert_eq!(ftp.says("PROT P"), 503);
    assert_eq!(ftp.says("PBSZ 0"), 200);
    assert_eq!(ftp.says("PROT P"), 200);
    assert_eq!(list(&mut ftp), Ok(true));
    assert_eq!(ftp.says("PROT C"), 200);
    assert_eq!(list(&mut ftp), Ok(false));
    assert_eq!(ftp.says("PROT S"), 536);
    assert_eq!(ftp.says("PROT E"), 536);
    assert_eq!(ftp.says("PROT Z"), 504);
    assert_eq!(ftp.says("CCC"), 533);
}

#[test]
fn where_tls_is_required_nothing_goes_without() {
    let mut ftp = Driven::on(Tls::Required);
    assert_eq!(ftp.says("USER ann"), 530);
    assert_eq!(ftp.says("PASS x"), 503);
    let mut ftp = secured(Tls::Required);
    ftp.log_in();
    assert_eq!(list(&mut ftp), Err(521));
    assert_eq!(ftp.says("PBSZ 0"), 200);
    assert_eq!(ftp.says("PROT C"), 534);
    assert_eq!(list(&mut ftp), Err(521));
    assert_eq!(ftp.says("PROT P"), 200);
    assert_eq!(list(&mut ftp), Ok(true));
}

#[test]
fn a_connection_that_begins_with_tls_protects_data_too() {
    let mut ftp = Driven::on(Tls::Implicit);
    assert_eq!(ftp.says("AUTH TLS"), 503);
    ftp.log_in();
    assert_eq!(list(&mut ftp), Ok(true));
    assert_eq!(ftp.says("PBSZ 0"), 200);
    assert_eq!(ftp.says("PROT P"), 200);
    assert_eq!(ftp.says("PROT C"), 534);
    assert_eq!(list(&mut ftp), Ok(true));
}

#[test]
fn auth_ssl_protects_data_at_once() {
    let mut ftp = Driven::on(Tls::Offered);
    ftp.line("AUTH SSL");
    assert_eq!(ftp.code(), 234);
    assert_eq!(ftp.session.poll(), Some(Step::Secure));
    ftp.session.secured();
    ftp.log_in();
    assert_eq!(list(&mut ftp), Ok(true));
}

#[test]
fn rein_keeps_tls_and_forgets_prot() {
    let mut ftp = secured(Tls::Offered);
    assert_eq!((ftp.says("PBSZ 0"), ftp.says("PROT P")), (200, 200));
    ftp.log_in();
    assert_eq!(ftp.says("REIN"), 220);
    assert_eq!(ftp.says("PROT P"), 503);
    assert_eq!(ftp.says("AUTH TLS"), 503);
    ftp.log_in();
    assert_eq!(list(&mut ftp), Ok(false));
}
