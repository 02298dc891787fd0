//! FEAT, OPTS, HELP, STAT, SITE, AVBL.

use super::*;
use crate::ftp::{feat::Features, server::request::VERBS};

#[test]
fn whatever_feat_says_is_a_command_that_is_done() {
    let mut ftp = Driven::on(Tls::Offered);
    let reply = ftp.told("FEAT");
    for line in reply.inner_lines() {
        assert!(line.starts_with(b" ") && !line.starts_with(b"  "));
        let name = str::from_utf8(line).unwrap().split_whitespace().next().unwrap().to_owned();
        let known = VERBS.iter().any(|verb| verb.name == name && verb.is_done());
        assert!(known || ["TVFS", "UTF8"].contains(&name.as_str()), "{name}");
    }
    let _ = Features::of(&reply);
    for (line, told) in [("OPTS HASH SHA-512", "SHA-512*;"), ("OPTS MLST size;", "type;size*;")] {
        assert_eq!(ftp.says(line), 200);
        let feat = ftp.told("FEAT").text();
        assert!(feat.contains(told), "{feat}");
    }
}

#[test]
fn every_algorithm_of_feat_can_be_chosen() {
    let mut ftp = Driven::inside();
    let feat = ftp.told("FEAT").text();
    let line = feat.lines().find_map(|line| line.trim().strip_prefix("HASH ")).unwrap().to_owned();
    let names: Vec<&str> = line.split(';').filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["SHA-256*", "SHA-512", "SHA-1", "MD5", "CRC32"]);
    for name in names {
        let name = name.trim_end_matches('*');
        assert_eq!(ftp.told(&format!("OPTS HASH {name}")).to_string(), format!("200 {name}"));
    }
    assert_eq!(ftp.says("OPTS HASH BLAKE3"), 504);
}

#[test]
fn help_names_every_command_and_tells_of_each() {
    let mut ftp = Driven::on(Tls::None);
    let all = ftp.told("HELP").text();
    for verb in VERBS {
        assert_eq!(all.split_whitespace().any(|word| word == verb.name), verb.is_done(), "{}", verb.name);
        let code = if verb.is_done() { 214 } else { 502 };
        assert_eq!(ftp.says(&format!("help {}", verb.name.to_lowercase())), code);
    }
    assert_eq!(ftp.says("HELP FOO"), 501);
    for site in ["CHMOD", "UTIME", "WHO", "HELP"] {
        let told = ftp.told(&format!("help site  {}", site.to_lowercase()));
        assert!(told.to_string().starts_with("214"), "{told:?}");
        assert!(told.text().contains(&format!("SITE {site}")), "{told:?}");
    }
    assert_eq!((ftp.says("HELP SITE FOO"), ftp.says("HELP SITE WHO NOW")), (501, 501));
    ftp.log_in();
    assert_eq!(ftp.says("SITE HELP"), 214);
    assert_eq!(ftp.says("SITE FOO"), 501);
}

#[test]
fn stat_tells_the_session_s_state() {
    let mut ftp = Driven::inside();
    for line in ["Connected from 192.0.2.7", "as ann", "Type A", "No data connection", "No restart"] {
        assert!(ftp.told("STAT").text().contains(line), "{line}");
    }
    assert_eq!((ftp.says("TYPE I"), ftp.says("REST 77")), (200, 350));
    ftp.passive();
    for line in ["Type I", "A data connection is waited for", "Restarting at 77"] {
        assert!(ftp.told("STAT").text().contains(line), "{line}");
    }
}

#[test]
fn space_is_told_where_it_is_known() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.asks("AVBL"), Ask::Space(path("")));
    ftp.session.complete(Outcome::Space(Some(12)));
    assert_eq!(ftp.reply().to_string(), "213 12");
    assert_eq!(ftp.asks("AVBL a"), Ask::Space(path("a")));
    assert_eq!(ftp.done(Outcome::Space(None)), 550);
}

#[test]
fn site_who_is_a_line_for_each() {
    let mut ftp = Driven::inside();
    assert_eq!(ftp.asks("SITE WHO"), Ask::Who);
    ftp.session.complete(Outcome::Who(vec!["ann STOR a".into(), "211 End.".into()]));
    assert_eq!(ftp.reply().inner_lines().len(), 2);
    ftp.quiet();
}

#[test]
fn names_in_replies_can_break_out_of_none() {
    let mut ftp = Driven::inside();
    ftp.asks("CWD a");
    assert_eq!(ftp.done(Outcome::Seen(folder())), 250);
    ftp.line(b"CWD \xff\x1b[2J");
    assert!(matches!(ftp.ask(), Ask::Look(_)));
    ftp.session.complete(Outcome::Seen(folder()));
    let Some(Step::Reply(bytes)) = ftp.session.poll() else { panic!() };
    assert_eq!(bytes, b"250 Now in /a/\xff\xff?[2J.\r\n");
}
