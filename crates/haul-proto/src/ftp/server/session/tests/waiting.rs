//! What is heard while something is under way, and what waits.

use super::*;
use crate::ftp::server::step::{StoreWish, Transferred, What};

/// An upload is running.
fn running() -> Driven {
    let mut ftp = Driven::inside();
    ftp.passive();
    assert!(matches!(ftp.asks("STOR a"), Ask::Transfer(_)));
    assert_eq!(ftp.done(Outcome::Started { size: None, name: None }), 150);
    ftp
}

fn complete() -> Outcome {
    Outcome::Transferred(Transferred::Complete("Done.".into()))
}

fn aborted() -> Outcome {
    Outcome::Transferred(Transferred::Aborted { at: Some(7) })
}

#[test]
fn lines_wait_until_what_came_before_is_answered() {
    let mut ftp = Driven::inside();
    for line in ["PWD", "SIZE a", "NOOP"] {
        ftp.line(line);
    }
    assert_eq!(ftp.code(), 257);
    assert_eq!(ftp.ask(), Ask::AsciiSize(path("a")));
    ftp.quiet();
    ftp.session.complete(Outcome::AsciiSize(1));
    assert_eq!((ftp.code(), ftp.code()), (213, 200));
    ftp.quiet();
}

#[test]
fn only_so_many_lines_wait() {
    let mut ftp = running();
    let taken = (0..1000).take_while(|_| {
        let wants = ftp.session.wants_line();
        ftp.line("NOOP");
        wants
    });
    assert_eq!(taken.count(), MOST_WAITING);
    assert_eq!(ftp.session.waiting.len(), MOST_WAITING);
    ftp.quiet();
    ftp.session.complete(complete());
    assert_eq!(ftp.code(), 226);
    for _ in 0..MOST_WAITING {
        assert_eq!(ftp.code(), 200);
    }
    ftp.quiet();
}

#[test]
fn abor_passes_the_lines_that_wait() {
    let mut ftp = running();
    ftp.line("NOOP");
    ftp.line("ABOR");
    assert_eq!(ftp.ask(), Ask::Abort);
    ftp.quiet();
    ftp.session.complete(aborted());
    assert_eq!((ftp.code(), ftp.code(), ftp.code()), (426, 226, 200));
    ftp.quiet();
}

#[test]
fn abor_after_the_last_byte_is_answered_too() {
    let mut ftp = running();
    ftp.line("ABOR");
    assert_eq!(ftp.ask(), Ask::Abort);
    ftp.session.complete(complete());
    assert_eq!((ftp.code(), ftp.code()), (226, 226));
    ftp.quiet();
    let mut ftp = running();
    ftp.session.complete(complete());
    ftp.line("ABOR");
    assert_eq!((ftp.code(), ftp.code()), (226, 226));
    ftp.quiet();
}

#[test]
fn a_second_abor_finds_nothing() {
    let mut ftp = running();
    ftp.line("ABOR");
    ftp.line("ABOR");
    assert_eq!(ftp.ask(), Ask::Abort);
    ftp.quiet();
    ftp.session.complete(aborted());
    assert_eq!((ftp.code(), ftp.code(), ftp.code()), (426, 226, 226));
    ftp.quiet();
}

#[test]
fn abor_waits_until_a_transfer_has_begun() {
    let mut ftp = Driven::inside();
    ftp.passive();
    ftp.line("RETR a");
    ftp.line("ABOR");
    assert!(matches!(ftp.ask(), Ask::Transfer(_)));
    ftp.quiet();
    ftp.session.complete(Outcome::Started { size: None, name: None });
    assert_eq!(ftp.code(), 150);
    assert_eq!(ftp.ask(), Ask::Abort);
    ftp.session.complete(Outcome::Transferred(Transferred::Aborted { at: None }));
    assert_eq!((ftp.code(), ftp.code()), (426, 226));
    ftp.quiet();
}

#[test]
fn what_was_said_of_the_next_transfer_ends_with_abor_rein_and_auth() {
    for (line, declared) in [("ABOR", Some(9)), ("REIN", None), ("AUTH TLS", None)] {
        let mut ftp = Driven::on(Tls::Offered);
        ftp.log_in();
        assert_eq!((ftp.says("TYPE I"), ftp.says("ALLO 9"), ftp.says("REST 5")), (200, 200, 350));
        ftp.passive();
        assert_eq!(ftp.asks(line), Ask::Unlisten, "{line}");
        assert!([220, 226, 234].contains(&ftp.code()));
        if line == "AUTH TLS" {
            assert_eq!(ftp.session.poll(), Some(Step::Secure));
            ftp.session.secured();
        }
        if line != "ABOR" {
            ftp.log_in();
            assert_eq!(ftp.says("TYPE I"), 200);
        }
        ftp.passive();
        let Ask::Transfer(transfer) = ftp.asks("STOR a") else { panic!("{line}") };
        let expected = What::Store { path: path("a"), wish: StoreWish::Anew, declared };
        assert_eq!(transfer.what, expected, "{line}");
    }
}

#[test]
fn abor_with_nothing_running_closes_what_was_set_up() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("ABOR"), 226);
    ftp.passive();
    assert_eq!(ftp.asks("ABOR"), Ask::Unlisten);
    assert_eq!(ftp.code(), 226);
    assert_eq!(ftp.says("LIST"), 425);
}

#[test]
fn stat_tells_how_far_a_transfer_is() {
    let mut ftp = running();
    for _ in 0..2 {
        ftp.line("STAT");
        assert_eq!(ftp.ask(), Ask::Figures);
        ftp.session.complete(Outcome::Figures("7 of 9 bytes".into()));
        let reply = ftp.reply();
        assert_eq!(reply.code().get(), 211);
        assert!(reply.text().contains("7 of 9 bytes"));
        ftp.quiet();
    }
    ftp.line("STAT a");
    ftp.quiet();
    ftp.line("STAT");
    ftp.quiet();
    ftp.session.complete(complete());
    assert_eq!(ftp.code(), 226);
    assert_eq!(ftp.ask(), Ask::Look(path("a")));
}

#[test]
fn figures_that_come_too_late_are_passed_over() {
    let mut ftp = running();
    ftp.line("STAT");
    assert_eq!(ftp.ask(), Ask::Figures);
    ftp.session.complete(complete());
    assert_eq!((ftp.code(), ftp.code()), (211, 226));
    assert_eq!(ftp.asks("SIZE a"), Ask::AsciiSize(path("a")));
    ftp.session.complete(Outcome::Figures("late".into()));
    ftp.quiet();
    assert_eq!(ftp.done(Outcome::AsciiSize(1)), 213);
    ftp.session.complete(Outcome::Figures("later".into()));
    ftp.quiet();
}

#[test]
fn quit_waits_for_the_end_of_a_transfer() {
    let mut ftp = running();
    assert!(!ftp.session.has_quit());
    ftp.line("QUIT");
    assert!(ftp.session.has_quit());
    ftp.quiet();
    ftp.line("NOOP");
    ftp.session.complete(complete());
    assert_eq!((ftp.code(), ftp.code()), (226, 221));
    ftp.closes();
}

#[test]
fn quit_passes_no_line() {
    let mut ftp = running();
    ftp.line("NOOP");
    ftp.line("QUIT");
    ftp.quiet();
    assert!(ftp.session.has_quit(), "and yet it was said");
    ftp.session.complete(complete());
    assert_eq!((ftp.code(), ftp.code(), ftp.code()), (226, 200, 221));
    ftp.closes();
}

#[test]
fn quit_then_abor_ends_both() {
    let mut ftp = running();
    ftp.line("QUIT");
    ftp.quiet();
    ftp.line("ABOR");
    assert_eq!(ftp.ask(), Ask::Abort);
    ftp.session.complete(aborted());
    assert_eq!((ftp.code(), ftp.code(), ftp.code()), (426, 226, 221));
    ftp.closes();
}

#[test]
fn a_stop_waits_until_nothing_is_under_way() {
    let mut ftp = Driven::inside();
    ftp.asks("SIZE a");
    ftp.line("NOOP");
    ftp.session.stop("The server is being stopped.");
    ftp.quiet();
    ftp.session.complete(Outcome::AsciiSize(1));
    assert_eq!((ftp.code(), ftp.code()), (213, 421));
    ftp.closes();
    let mut ftp = Driven::on(Tls::None);
    ftp.session.stop("Nothing was said for too long.");
    assert_eq!(ftp.reply().to_string(), "421 Nothing was said for too long.");
    ftp.closes();
}

#[test]
fn an_answer_to_another_question_is_a_failure_here() {
    let mut ftp = Driven::inside();
    ftp.asks("SIZE a");
    assert_eq!(ftp.done(Outcome::Done), 451);
    ftp.session.complete(Outcome::Done);
    ftp.quiet();
    let mut ftp = running();
    assert_eq!(ftp.done(Outcome::Done), 451);
    assert_eq!(ftp.says("NOOP"), 200);
}

#[test]
fn an_idle_session_is_small() {
    let mut ftp = Driven::inside();
    for _ in 0..MOST_WAITING {
        ftp.line("PWD");
    }
    (0..MOST_WAITING).for_each(|_| assert_eq!(ftp.code(), 257));
    ftp.quiet();
    assert_eq!((ftp.session.steps.capacity(), ftp.session.waiting.capacity()), (0, 0));
    assert!(size_of::<Session>() <= 768, "{}", size_of::<Session>());
}
