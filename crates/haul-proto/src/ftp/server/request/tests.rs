//! Every form of every command, and what each refuses.

use haul_core::{Algorithm, Modified};
use proptest::prelude::*;

use super::*;

fn read(line: &str) -> Request {
    Request::parse(line.as_bytes()).unwrap_or_else(|refusal| panic!("{line}: {refusal:?}"))
}

fn refused(line: &str) -> Refusal {
    Request::parse(line.as_bytes()).expect_err(line)
}

fn wrong(lines: &[&str]) {
    for line in lines {
        assert!(matches!(refused(line), Refusal::Syntax(syntax) if !syntax.is_empty()), "{line}");
    }
}

fn not_here(lines: &[&str]) {
    for line in lines {
        assert!(matches!(refused(line), Refusal::Parameter(_)), "{line}");
    }
}

#[test]
fn verbs_have_any_case_and_arguments_keep_theirs() {
    assert_eq!(read("uSeR Ann"), Request::User(b"Ann".to_vec()));
    assert_eq!(read("xpwd"), Request::Pwd);
    for junk in ["", " ", " USER a", "USERa", "FOO", "\u{7f}ELF", "USER\ta", "Ü"] {
        assert_eq!(refused(junk), Refusal::Unknown, "{junk:?}");
    }
}

#[test]
fn no_verb_is_there_twice() {
    let mut names: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(
        names.iter().all(|name| name.len() <= 7
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
    );
    assert!(VERBS.iter().all(|verb| verb.syntax.starts_with(verb.name)));
}

#[test]
fn x_variants_are_the_commands_themselves() {
    for (x, plain) in
        [("XCWD a", "CWD a"), ("XCUP", "CDUP"), ("XPWD", "PWD"), ("XMKD a", "MKD a"), ("XRMD a", "RMD a")]
    {
        assert_eq!(read(x), read(plain));
    }
}

#[test]
fn a_path_keeps_every_blank_but_the_first() {
    assert_eq!(read("RETR  a b "), Request::Move(Move::Retr(b" a b ".to_vec())));
    assert_eq!(read("DELE -x"), Request::Dele(b"-x".to_vec()));
    assert_eq!(
        Request::parse(b"STOR \xff\x01\"").unwrap(),
        Request::Move(Move::Stor(b"\xff\x01\"".to_vec()))
    );
    wrong(&[
        "RETR", "RETR ", "STOR", "APPE", "CWD", "MKD", "RMD", "DELE", "RNFR", "RNTO", "SIZE", "MDTM", "HASH",
        "USER",
    ]);
}

#[test]
fn what_takes_no_argument_takes_none() {
    assert_eq!(read("PASV "), Request::Pasv);
    wrong(&[
        "PASV x", "QUIT x", "PWD /", "CDUP ..", "FEAT x", "SYST x", "NOOP x", "REIN x", "ABOR x", "CCC x",
    ]);
    assert_eq!(read("PASS"), Request::Pass(Vec::new().into()));
    assert_eq!(read("PASS  a "), Request::Pass(b" a ".to_vec().into()));
    assert_eq!(read("ACCT"), Request::Acct);
    assert_eq!(read("CLNT NcFTP 3.2"), Request::Clnt);
}

#[test]
fn requests_of_http_are_told_from_commands() {
    for line in [
        "GET / HTTP/1.1",
        "POST /a b HTTP/1.0",
        "OPTIONS * HTTP/1.1",
        "CONNECT h:21 HTTP/1.1",
        "PRI * HTTP/2.0",
        "DELETE /x HTTP/1.1",
    ] {
        assert_eq!(refused(line), Refusal::Http, "{line}");
    }
    for line in ["GET a", "PUT a", "Host: example.org", "GET"] {
        assert_eq!(refused(line), Refusal::Unknown, "{line}");
    }
    assert_eq!(read("DELE /x HTTP/1.1"), Request::Dele(b"/x HTTP/1.1".to_vec()));
}

#[test]
fn auth_pbsz_and_prot() {
    assert_eq!(read("AUTH tls"), Request::Auth { data: false });
    assert_eq!(read("AUTH TLS-C"), Request::Auth { data: false });
    assert_eq!(read("AUTH SSL"), Request::Auth { data: true });
    assert_eq!(read("AUTH TLS-P"), Request::Auth { data: true });
    not_here(&["AUTH GSSAPI", "PROT X"]);
    assert_eq!(read("PBSZ 0"), Request::Pbsz);
    assert_eq!(read("PBSZ 4294967295"), Request::Pbsz);
    assert_eq!(read("PROT p"), Request::Prot { private: true });
    assert_eq!(read("PROT C"), Request::Prot { private: false });
    for level in ["PROT S", "PROT E"] {
        assert!(matches!(refused(level), Refusal::Protection(_)));
    }
    wrong(&["AUTH", "PBSZ", "PBSZ 4294967296", "PBSZ -1", "PROT"]);
    for line in ["ADAT x", "MIC x", "CONF x", "ENC x", "SMNT x"] {
        assert!(matches!(refused(line), Refusal::NotDone(_)), "{line}");
    }
}

#[test]
fn types_structures_and_modes() {
    for line in ["TYPE A", "TYPE a n", "TYPE A N"] {
        assert_eq!(read(line), Request::Type(Form::Ascii));
    }
    for line in ["TYPE I", "TYPE i", "TYPE L 8", "TYPE L8"] {
        assert_eq!(read(line), Request::Type(Form::Image));
    }
    not_here(&[
        "TYPE E",
        "TYPE A T",
        "TYPE A C",
        "TYPE L 36",
        "TYPE L 7",
        "STRU P",
        "MODE c",
        "LANG fr",
        "LANG x-en",
        "OPTS MODE B LEVEL 3",
        "OPTS MODE Z LEVEL 10",
        "OPTS MODE Z STRATEGY 1",
    ]);
    assert_eq!(read("STRU f"), Request::Stru(Structure::File));
    assert_eq!(read("STRU R"), Request::Stru(Structure::Record));
    assert_eq!(read("MODE S"), Request::Mode(Mode::Stream));
    assert_eq!(read("MODE b"), Request::Mode(Mode::Block));
    assert_eq!(read("MODE Z"), Request::Mode(Mode::Deflate(Level::default())));
    wrong(&["TYPE", "TYPE X", "TYPE IMAGE", "STRU", "STRU X", "MODE", "MODE X"]);
}

#[test]
fn addresses_of_port_and_eprt() {
    assert_eq!(read("PORT 192,0,2,7,200,10"), Request::Port("192.0.2.7:51210".parse().unwrap()));
    wrong(&[
        "PORT",
        "PORT 1,2,3,4,5",
        "PORT 1,2,3,4,5,6,7",
        "PORT 1,2,3,4,256,0",
        "PORT 1,2,3,4,-1,0",
        "PORT a",
        "PORT 1,2,3,4,,0",
    ]);
    assert_eq!(read("EPRT |1|192.0.2.7|6275|"), Request::Eprt("192.0.2.7:6275".parse().unwrap()));
    assert_eq!(read("EPRT !2!2001:db8::7!6275!"), Request::Eprt("[2001:db8::7]:6275".parse().unwrap()));
    wrong(&[
        "EPRT",
        "EPRT |1|192.0.2.7|6275",
        "EPRT |1|192.0.2.7|65536|",
        "EPRT |2|192.0.2.7|1|",
        "EPRT |1|::1|1|",
        "EPRT |1|192.0.2.7|1|x",
        "EPRT 1192.0.2.71",
        "EPRT |x|192.0.2.7|1|",
        "EPRT |1|localhost|1|",
    ]);
    assert_eq!(refused("EPRT |3|x|1|"), Refusal::Protocol);
    assert_eq!(read("EPSV"), Request::Epsv(None));
    assert_eq!(read("EPSV 1"), Request::Epsv(Some(Family::V4)));
    assert_eq!(read("EPSV 2"), Request::Epsv(Some(Family::V6)));
    assert_eq!(read("EPSV all"), Request::EpsvAll);
    assert_eq!(refused("EPSV 3"), Refusal::Protocol);
    wrong(&["EPSV x", "EPSV 1 2"]);
}

#[test]
fn restart_points_are_digits() {
    assert_eq!(read("REST 187392"), Request::Rest(187_392));
    assert_eq!(read("REST 18446744073709551615"), Request::Rest(u64::MAX));
    wrong(&[
        "REST",
        "REST abc",
        "REST -1",
        "REST +1",
        "REST 1.5",
        "REST 18446744073709551616",
        "REST 1 2",
        "REST 0x1",
    ]);
    assert_eq!(read("RANG 0 49"), Request::Rang(Range::Of(0, 49, None)));
    assert_eq!(read("RANG 7 7"), Request::Rang(Range::Of(7, 7, None)));
    assert_eq!(read("RANG 1 0"), Request::Rang(Range::Reset));
    assert_eq!(read("RANG 1 2 0a@2f"), Request::Rang(Range::Of(1, 2, Some("0a@2f".to_owned()))));
    assert_eq!(read("SITE RANG a b"), Request::Ranges(b"a b".to_vec()));
    wrong(&[
        "RANG",
        "RANG 1",
        "RANG 2 1",
        "RANG 2 0",
        "RANG 0 18446744073709551615",
        "RANG a b",
        "RANG 1 2 3 4",
        "RANG 1 0 3",
        "RANG 1 2 é",
    ]);
    assert_eq!(read("ALLO 5"), Request::Allo(Some(5)));
    assert_eq!(read("ALLO 5 R 80"), Request::Allo(Some(5)));
    assert_eq!(read("ALLO 0"), Request::Allo(None), "who knows no size says 0");
    wrong(&["ALLO", "ALLO x", "ALLO 5 80", "ALLO 5 R", "ALLO 5 R x"]);
}

fn listed(argument: &str) -> List {
    match read(argument) {
        Request::Move(Move::List(list)) => list,
        other => panic!("{other:?}"),
    }
}

#[test]
fn options_of_list_are_words_of_letters() {
    let path = |path: &str| Some(path.as_bytes().to_vec());
    let all = Scope { hidden: true, dots: true, ..Scope::default() };
    assert_eq!(listed("LIST"), List::default());
    assert_eq!(listed("LIST -al"), List { scope: all, path: None });
    assert_eq!(listed("LIST -l -a a b "), List { scope: all, path: path("a b ") });
    let deep = Scope { hidden: true, deep: true, itself: true, ..Scope::default() };
    assert_eq!(listed("LIST -A -Rd1t x"), List { scope: deep, path: path("x") });
    assert_eq!(listed("LIST -- -a"), List { scope: Scope::default(), path: path("-a") });
    assert_eq!(listed("LIST ./-a"), List { scope: Scope::default(), path: path("./-a") });
    assert_eq!(read("NLST -a"), Request::Move(Move::Nlst(List { scope: all, path: None })));
    assert_eq!(read("STAT"), Request::Status);
    assert_eq!(read("STAT  "), Request::Status);
    assert_eq!(read("STAT a"), Request::Stat(List { scope: Scope::default(), path: path("a") }));
    assert_eq!(read("MLSD"), Request::Move(Move::Mlsd(None)));
    assert_eq!(read("MLST -a"), Request::Mlst(path("-a")));
}

fn at(seconds: i64) -> Modified {
    Modified { seconds, nanos: 0, strong: false }
}

#[test]
fn dates_are_set_in_three_ways() {
    let set = |path: &str| Request::Mfmt { to: at(897_904_845), path: path.as_bytes().to_vec() };
    assert_eq!(read("MFMT 19980615100045 a b "), set("a b "));
    assert_eq!(read("SITE UTIME 19980615100045 a b"), set("a b"));
    assert_eq!(read("site utime a b 20000101000000 19980615100045 20000101000000 UTC"), set("a b"));
    assert_eq!(read("SITE UTIME 199806151000 a"), Request::Mfmt { to: at(897_904_800), path: b"a".to_vec() });
    wrong(&[
        "MFMT",
        "MFMT a",
        "MFMT 19980615100045",
        "MFMT 1998 a",
        "SITE UTIME",
        "SITE UTIME 1998 a",
        "SITE UTIME a b c d UTC",
    ]);
}

#[test]
fn commands_of_site() {
    assert_eq!(read("SITE CHMOD 644 a b"), Request::Chmod { mode: 0o644, path: b"a b".to_vec() });
    assert_eq!(read("SITE chmod 0755 a"), Request::Chmod { mode: 0o755, path: b"a".to_vec() });
    for special in ["SITE CHMOD 4755 a", "SITE CHMOD 2755 a", "SITE CHMOD 1777 a"] {
        assert!(matches!(refused(special), Refusal::Parameter(_)), "{special}");
    }
    assert_eq!((read("SITE HELP"), read("SITE WHO")), (Request::SiteHelp, Request::Who));
    wrong(&[
        "SITE",
        "SITE CHMOD",
        "SITE CHMOD 644",
        "SITE CHMOD 888 a",
        "SITE CHMOD 77777 a",
        "SITE CHMOD u+x a",
    ]);
    assert!(matches!(refused("SITE EXEC rm"), Refusal::Argument(_)));
}

#[test]
fn options_are_chosen() {
    for line in ["OPTS UTF8 ON", "OPTS UTF8", "opts utf-8 on"] {
        assert_eq!(read(line), Request::Opts(Opts::Utf8));
    }
    assert_eq!(read("OPTS MLST Type;Size;"), Request::Opts(Opts::Mlst(b"Type;Size;".to_vec())));
    assert_eq!(read("OPTS MLST"), Request::Opts(Opts::Mlst(Vec::new())));
    assert_eq!(read("OPTS HASH"), Request::Opts(Opts::Hash));
    assert_eq!(read("OPTS HASH sha-1"), Request::Opts(Opts::HashBy(Kind::Digest(Algorithm::Sha1))));
    not_here(&["OPTS UTF8 OFF", "OPTS HASH RIPEMD", "OPTS HASH BLAKE3"]);
    assert!(matches!(refused("OPTS RETR x"), Refusal::Argument(_)));
    wrong(&["OPTS", "HOST"]);
}

fn x(line: &str) -> (String, Option<(u64, u64)>) {
    match read(line) {
        Request::XHash { path, part, .. } => (String::from_utf8(path).unwrap(), part),
        other => panic!("{other:?}"),
    }
}

#[test]
fn checksums_have_ranges_and_quotes() {
    let told = |path: &str, part| (path.to_owned(), part);
    assert_eq!(x("XCRC a b"), told("a b", None));
    assert_eq!(x("XCRC a b 0 10"), told("a b", Some((0, 10))));
    assert_eq!(x("XCRC report 2024"), told("report 2024", None));
    assert_eq!(x("XCRC 0 10"), told("0 10", None), "a path comes first");
    assert_eq!(x("XCRC a 10 0"), told("a 10 0", None));
    assert_eq!(x("XCRC \"a 1 2\""), told("a 1 2", None));
    assert_eq!(x("XCRC \"a \"\"b\"\"\" 3 4"), told("a \"b\"", Some((3, 4))));
    assert_eq!(x("XCRC \"a"), told("\"a", None), "a name may begin with a quote");
    wrong(&["XCRC", "XCRC \"\"", "XCRC \"a\" 4 3", "XCRC \"a\" 4", "XCRC \"a\" x y"]);
    for (verb, algorithm) in [
        ("XMD5", Algorithm::Md5),
        ("XSHA", Algorithm::Sha1),
        ("XSHA1", Algorithm::Sha1),
        ("XSHA256", Algorithm::Sha256),
        ("XSHA512", Algorithm::Sha512),
    ] {
        let kind = Kind::Digest(algorithm);
        assert_eq!(read(&format!("{verb} a")), Request::XHash { kind, path: b"a".to_vec(), part: None });
    }
}

#[test]
fn what_our_own_client_sends_is_read() {
    use crate::ftp::{Command, command};
    let line = |command: &Command| Request::parse(command.wire().strip_suffix(b"\r\n").unwrap()).unwrap();
    let part = haul_core::ByteRange::new(3, 9).unwrap();
    assert_eq!(line(&Command::rang(part)), Request::Rang(Range::Of(3, 8, None)));
    let crc = Command::x_hash(Kind::Crc32, b"a b", Some(part)).unwrap();
    assert_eq!(line(&crc), Request::XHash { kind: Kind::Crc32, path: b"a b".to_vec(), part: Some((3, 9)) });
    let date = Command::mfmt(at(897_904_845), b"a").unwrap();
    assert_eq!(line(&date), Request::Mfmt { to: at(897_904_845), path: b"a".to_vec() });
    let address = "[2001:db8::7]:6275".parse().unwrap();
    assert_eq!(line(&Command::eprt(address)), Request::Eprt(address));
    assert_eq!(line(&Command::epsv(command::Epsv::All)), Request::EpsvAll);
}

proptest! {
    #[test]
    fn no_line_panics(any: Vec<u8>, at in 0..VERBS.len(), rest in "[ -~]{0,40}", near in "[-\"0-9a ,|.]{0,30}") {
        let verb = VERBS[at].name;
        for line in [any, format!("{verb}{rest}").into_bytes(), format!("{verb} {near}").into_bytes()] {
            if let Err(Refusal::Syntax(syntax)) = Request::parse(&line) {
                prop_assert!(!syntax.is_empty());
            }
        }
    }

    #[test]
    fn a_quoted_path_comes_back(path in "[ -~]{1,20}", part: Option<(u32, u32)>) {
        let part = part.map(|(from, more)| (u64::from(from), u64::from(from) + u64::from(more)));
        let range = part.map(|(from, to)| format!(" {from} {to}")).unwrap_or_default();
        let quoted = format!("XMD5 \"{}\"{range}", path.replace('"', "\"\""));
        prop_assert_eq!(x(&quoted), (path, part));
    }
}

#[test]
fn who_somebody_is_and_what_they_speak_is_read() {
    for line in ["CSID Name=x;", "CSID Name=a b; Version=1.2", "csid name=x; x-y=;"] {
        assert_eq!(read(line), Request::Csid, "{line}");
    }
    for line in ["CSID", "CSID x", "CSID =x;"] {
        assert!(matches!(Request::parse(line.as_bytes()), Err(Refusal::Syntax(_))), "{line}");
    }
    for line in ["LANG", "LANG en", "LANG EN-gb"] {
        assert_eq!(read(line), Request::Lang, "{line}");
    }
    for line in ["LANG en us", "LANG e;", "LANG -", "LANG abcdefghi"] {
        assert!(matches!(Request::parse(line.as_bytes()), Err(Refusal::Syntax(_))), "{line}");
    }
}

#[test]
fn the_level_of_mode_z_is_read() {
    let level = |line: &str| match read(line) {
        Request::Opts(Opts::Level(level)) => level.get(),
        other => panic!("{other:?}"),
    };
    assert_eq!(level("OPTS MODE Z LEVEL 9"), 9);
    assert_eq!(level("OPTS mode z engine zlib level 0"), 0);
    assert_eq!(level("OPTS MODE Z"), 6);
    for line in ["OPTS MODE", "OPTS MODE Z LEVEL"] {
        assert!(matches!(Request::parse(line.as_bytes()), Err(Refusal::Syntax(_))), "{line}");
    }
}
