//! Who may come in, and how one goes.

use super::*;

fn welcome() -> Outcome {
    Outcome::Login(Login::Welcome { banner: "Welcome.".into() })
}

#[test]
fn every_name_hears_the_same() {
    let mut ftp = Driven::on(Tls::None);
    let replies: Vec<String> = ["ann", "nobody", "anonymous", "ftp", "root"]
        .map(|name| ftp.told(&format!("USER {name}")).to_string())
        .into();
    assert!(replies.iter().all(|reply| *reply == replies[0] && reply.starts_with("331 ")));
}

#[test]
fn nothing_of_the_tree_is_open_before_a_login() {
    let mut ftp = Driven::on(Tls::Offered);
    for verb in crate::ftp::server::request::VERBS.iter().filter(|verb| !verb.open) {
        assert_eq!(ftp.says(&format!("{} x", verb.name)), 530, "{}", verb.name);
        assert_eq!(ftp.says(verb.name), 530, "{}", verb.name);
    }
    assert_eq!(ftp.says("STAT /"), 530);
    for (line, code) in [
        ("NOOP", 200),
        ("SYST", 215),
        ("FEAT", 211),
        ("HELP", 214),
        ("OPTS UTF8 ON", 200),
        ("CLNT x", 200),
        ("STAT", 211),
        ("PBSZ 0", 503),
        ("PROT P", 503),
        ("PASS x", 503),
    ] {
        assert_eq!(ftp.says(line), code, "{line}");
    }
}

#[test]
fn a_name_alone_opens_nothing() {
    let mut ftp = Driven::on(Tls::None);
    assert_eq!(ftp.says("USER ann"), 331);
    assert_eq!((ftp.says("PWD"), ftp.says("HOST x")), (530, 503));
    assert_eq!(ftp.says("NOOP"), 200);
    assert!(matches!(ftp.asks("PASS x"), Ask::Login { .. }));
    assert_eq!(ftp.done(welcome()), 230);
    assert_eq!(ftp.says("PWD"), 257);
    assert_eq!(ftp.says("ACCT x"), 202);
    assert_eq!(ftp.says("PASS x"), 503);
    assert_eq!(ftp.says("HOST x"), 503);
}

#[test]
fn after_a_wrong_password_the_name_is_asked_again() {
    let mut ftp = Driven::on(Tls::None);
    assert_eq!(ftp.says("USER ann"), 331);
    ftp.asks("PASS wrong");
    assert_eq!(ftp.done(Outcome::Login(Login::No)), 530);
    assert_eq!(ftp.says("PASS right"), 503);
    ftp.log_in();
}

#[test]
fn a_certificate_may_be_enough_and_else_a_password_is_asked_for() {
    let mut ftp = Driven::on(Tls::Implicit);
    ftp.session.certified();
    assert_eq!(ftp.asks("USER ann"), Ask::Recognise { user: b"ann".to_vec() });
    assert_eq!(ftp.done(Outcome::Login(Login::Welcome { banner: "Welcome.".into() })), 232);
    assert_eq!(ftp.says("PASS x"), 503, "she is in already");
    assert_eq!(ftp.says("PWD"), 257);
    ftp.asks("USER bob");
    assert_eq!(ftp.done(Outcome::Login(Login::No)), 331);
    assert_eq!(ftp.says("PWD"), 530, "ann is not there any more");
    assert!(matches!(ftp.asks("PASS x"), Ask::Login { .. }));
    assert_eq!(ftp.done(welcome()), 230);
    ftp.asks("USER old");
    assert_eq!(ftp.done(Outcome::Login(Login::Barred { why: "This account has expired".into() })), 530);
    assert_eq!(ftp.says("PASS x"), 503, "no password helps");
}

#[test]
fn too_many_wrong_passwords_end_the_connection() {
    let mut ftp = Driven::on(Tls::None);
    for code in [530, 530, 421] {
        assert_eq!(ftp.says("USER ann"), 331);
        ftp.asks("PASS wrong");
        ftp.session.complete(Outcome::Login(Login::No));
        assert_eq!(ftp.code(), code);
    }
    ftp.closes();
}

#[test]
fn who_is_never_let_in_is_told_why() {
    let mut ftp = Driven::on(Tls::None);
    assert_eq!(ftp.says("USER ann"), 331);
    ftp.asks("PASS x");
    ftp.session.complete(Outcome::Login(Login::Never { why: "Too many sessions.".into() }));
    assert_eq!(ftp.reply().to_string(), "421 Too many sessions.");
    ftp.closes();
}

#[test]
fn a_new_user_begins_anew_and_the_type_stays() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.says("TYPE I"), 200);
    ftp.asks("CWD a");
    assert_eq!(ftp.done(Outcome::Seen(folder())), 250);
    assert_eq!(ftp.says("USER bob"), 331);
    assert_eq!(ftp.says("PWD"), 530);
    ftp.asks("PASS x");
    assert_eq!(ftp.done(welcome()), 230);
    assert!(ftp.told("PWD").text().starts_with("\"/\""));
    assert!(matches!(ftp.asks("SIZE a"), Ask::Look(_)), "TYPE I");
}

#[test]
fn rein_forgets_everything() {
    let mut ftp = Driven::inside();
    for line in ["TYPE I", "ALLO 5", "OPTS HASH MD5", "OPTS MLST", "EPSV ALL"] {
        assert_eq!(ftp.says(line), 200, "{line}");
    }
    assert_eq!(ftp.says("REST 5"), 350);
    ftp.asks("EPSV");
    assert_eq!(ftp.done(Outcome::Listening("192.0.2.1:4000".parse().unwrap())), 229);
    assert_eq!(ftp.asks("REIN"), Ask::Unlisten);
    assert_eq!(ftp.code(), 220);
    assert_eq!(ftp.says("PWD"), 530);
    ftp.log_in();
    assert_eq!(ftp.asks("SIZE a"), Ask::AsciiSize(path("a")));
    assert_eq!(ftp.done(Outcome::AsciiSize(1)), 213);
    let feat = ftp.told("FEAT").text();
    assert!(feat.contains("SHA-256*;") && feat.contains("type*;"), "{feat}");
    ftp.passive();
    let ask = ftp.asks("STOR a");
    let Ask::Transfer(transfer) = ask else { panic!("{ask:?}") };
    assert!(format!("{transfer:?}").contains("Anew, declared: None"), "{transfer:?}");
}

#[test]
fn quit_is_the_last_word() {
    let mut ftp = Driven::on(Tls::None);
    ftp.line("QUIT");
    ftp.line("NOOP");
    assert_eq!(ftp.code(), 221);
    ftp.closes();
    assert!(ftp.session.has_quit());
    ftp.line("NOOP");
    ftp.quiet();
}

#[test]
fn a_browser_is_sent_away() {
    for line in ["POST / HTTP/1.1", "get /a HTTP/1.0"] {
        let mut ftp = Driven::on(Tls::None);
        ftp.line(line);
        ftp.line("USER ann");
        assert_eq!(ftp.code(), 421);
        ftp.closes();
    }
}

#[test]
fn whoever_says_no_command_a_hundred_times_is_sent_away() {
    let mut ftp = Driven::on(Tls::None);
    for _ in 0..99 {
        assert_eq!(ftp.says("\u{1}junk"), 500);
    }
    assert_eq!(ftp.says("NOOP"), 200);
    ftp.session.receive(Line::TooLong);
    assert_eq!(ftp.code(), 500);
    for _ in 0..98 {
        assert_eq!(ftp.says(""), 500);
    }
    ftp.line("junk");
    assert_eq!(ftp.code(), 421);
    ftp.closes();
}

#[test]
fn no_password_is_ever_shown() {
    let mut ftp = Driven::on(Tls::None);
    assert_eq!(ftp.says("USER ann"), 331);
    ftp.line("PASS secret");
    ftp.line("pass secret");
    ftp.line("secret");
    let shown = format!("{:?}", ftp.session);
    let step = ftp.session.poll();
    let request = Request::parse(b"PASS secret").unwrap();
    let secret = [b's', b'e', b'c', b'r', b'e', b't'];
    for shown in [shown, format!("{:?}", ftp.session), format!("{step:?}"), format!("{request:?}")] {
        assert!(!shown.contains("secret") && !shown.contains(&format!("{secret:?}")[1..20]), "{shown}");
    }
}

#[test]
fn a_host_is_meant_before_somebody_comes_in() {
    let mut ftp = Driven::on(Tls::Offered);
    for (hosted, code) in [
        (Hosted::Unknown, 504),
        (Hosted::NotThatOfTls, 504),
        (Hosted::Here { banner: "a.example is ready".into() }, 220),
    ] {
        assert_eq!(ftp.asks("HOST a.example"), Ask::Host(b"a.example".to_vec()));
        assert_eq!(ftp.done(Outcome::Host(hosted)), code);
    }
    for line in ["HOST [2001:db8::1]", "HOST 192.0.2.1"] {
        assert!(matches!(ftp.asks(line), Ask::Host(_)));
        assert_eq!(ftp.done(Outcome::Host(Hosted::Here { banner: "x".into() })), 220);
    }
    assert_eq!((ftp.says("HOST"), ftp.says("HOST a b"), ftp.says("HOST a/b")), (501, 501, 501));
    ftp.log_in();
    assert_eq!(ftp.says("HOST a.example"), 503);
    assert_eq!(ftp.asks("REIN"), Ask::AnyHost);
    assert_eq!(ftp.code(), 220);
    assert!(matches!(ftp.asks("HOST a.example"), Ask::Host(_)));
}
