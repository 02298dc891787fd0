//! `docs/ftp-commands.md` tells of each command the replies that the session gives, and no others.
//!
//! Each command is said in every kind of situation, and every outcome that its questions can have is told; the codes that
//! come out are compared with the row.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::ftp::{
    block::Marker,
    server::{
        request::VERBS,
        step::{Incomplete, Ranges, StoreWish, Sum, SumValue, Transfer, Transferred, What},
    },
};

const PAGE: &str = include_str!("../../../../../../../docs/ftp-commands.md");

/// Codes that the page tells once for all commands.
const EVERYWHERE: [u16; 3] = [421, 500, 501];

/// Situations in which a command is said.
fn situations() -> Vec<fn() -> Driven> {
    fn image() -> Driven {
        let mut ftp = Driven::inside();
        assert_eq!(ftp.says("TYPE I"), 200);
        ftp
    }
    fn ready() -> Driven {
        let mut ftp = image();
        ftp.passive();
        ftp
    }
    fn secured(tls: Tls) -> Driven {
        let mut ftp = Driven::on(tls);
        ftp.line("AUTH TLS");
        assert_eq!(ftp.code(), 234);
        ftp.session.poll();
        ftp.session.secured();
        ftp
    }
    vec![
        || Driven::on(Tls::None),
        || Driven::on(Tls::Offered),
        || Driven::on(Tls::Required),
        || secured(Tls::Offered),
        || {
            let mut ftp = secured(Tls::Offered);
            ftp.session.certified();
            ftp
        },
        || {
            let mut ftp = secured(Tls::Required);
            ftp.log_in();
            ftp.passive();
            ftp
        },
        || {
            let mut ftp = secured(Tls::Required);
            assert_eq!(ftp.says("PBSZ 0"), 200);
            ftp
        },
        || {
            let mut ftp = Driven::on(Tls::None);
            assert_eq!(ftp.says("USER ann"), 331);
            ftp
        },
        Driven::inside,
        image,
        ready,
        || {
            let mut ftp = ready();
            assert_eq!(ftp.says("REST 5"), 350);
            ftp
        },
        || {
            let mut ftp = ready();
            assert_eq!(ftp.says("RANG 5 9"), 350);
            ftp
        },
        || {
            let mut ftp = ready();
            assert_eq!(ftp.says("RANG 5 9 0a"), 350);
            ftp
        },
        || {
            let mut ftp = Driven::inside();
            assert_eq!(ftp.says("EPSV ALL"), 200);
            ftp
        },
        || {
            let mut ftp = Driven::inside();
            ftp.asks("RNFR a");
            assert_eq!(ftp.done(Outcome::Seen(file(1))), 350);
            ftp
        },
        || {
            let mut ftp = Driven::from("2001:db8::7", Tls::None);
            ftp.log_in();
            ftp
        },
    ]
}

/// An upload is running.
fn running() -> Driven {
    let mut ftp = Driven::inside();
    ftp.passive();
    ftp.asks("STOR a");
    assert_eq!(ftp.done(Outcome::Started { size: None, name: None }), 150);
    ftp
}

/// What is said behind a command.
fn arguments(verb: &str) -> &'static [&'static str] {
    match verb {
        "TYPE" => &["I", "A", "E"],
        "STRU" => &["F", "R", "P"],
        "MODE" => &["S", "B", "Z", "C"],
        "CSID" => &["Name=x; Version=1;"],
        "LANG" => &["", "en-GB", "fr"],
        "PORT" => &["192,0,2,7,200,10"],
        "EPRT" => &["|1|192.0.2.7|6275|", "|3|x|1|"],
        "EPSV" => &["", "1", "3", "ALL"],
        "REST" => &["5"],
        "RANG" => &["1 5", "1 5 0a@2f", "1 0"],
        "ALLO" => &["5", "0"],
        "AUTH" => &["TLS", "X"],
        "PBSZ" => &["0"],
        "PROT" => &["P", "C", "S", "X"],
        "OPTS" => {
            &["UTF8 ON", "UTF8 OFF", "MLST size;", "HASH", "HASH MD5", "MODE Z LEVEL 9", "MODE B LEVEL 1"]
        }
        "SITE" => &[
            "CHMOD 644 a",
            "CHMOD 644 .haul",
            "UTIME 19980615100045 a",
            "UTIME 19980615100045 .haul",
            "HELP",
            "RANG a",
            "WHO",
        ],
        "HELP" => &["", "USER", "SMNT"],
        "MFMT" => &["19980615100045 a", "19980615100045 .haul"],
        "STAT" => &["", "a", ".haul"],
        "LIST" | "NLST" | "MLSD" | "MLST" | "AVBL" | "STOU" => &["", "a", ".haul/a"],
        "ABOR" | "CDUP" | "XCUP" | "PWD" | "XPWD" | "PASV" | "FEAT" | "NOOP" | "SYST" | "REIN" | "QUIT"
        | "CCC" => &[""],
        _ => &["a", ".haul/a"],
    }
}

/// Everything that a question can be answered with.
fn outcomes(ask: &Ask) -> Vec<Outcome> {
    let why = || "why".to_owned();
    let good = match ask {
        Ask::Login { .. } | Ask::Recognise { .. } => {
            return vec![
                Outcome::Login(Login::No),
                Outcome::Login(Login::Barred { why: why() }),
                Outcome::Login(Login::Welcome { banner: why() }),
            ];
        }
        Ask::Host(_) => {
            return vec![
                Outcome::Host(Hosted::Here { banner: why() }),
                Outcome::Host(Hosted::Unknown),
                Outcome::Host(Hosted::NotThatOfTls),
            ];
        }
        Ask::Listen { .. } => vec![Outcome::Listening("192.0.2.1:4000".parse().unwrap())],
        Ask::Look(_) => vec![Outcome::Seen(file(1)), Outcome::Seen(folder())],
        Ask::LookInto(_) => vec![Outcome::Listed { entries: vec![file(1)], now: 0 }],
        Ask::MakeFolder(_)
        | Ask::RemoveFolder(_)
        | Ask::Remove(_)
        | Ask::Rename { .. }
        | Ask::SetModified(..)
        | Ask::SetMode(..) => vec![Outcome::Done],
        Ask::Sum { .. } => vec![Outcome::Sum(Sum { value: SumValue::Crc32(1), from: 0, to: 1 })],
        Ask::AsciiSize(_) => vec![Outcome::AsciiSize(1)],
        Ask::Space(_) => vec![Outcome::Space(Some(1)), Outcome::Space(None)],
        Ask::Ranges(_) => {
            let there = Ranges { upload: why(), size: Some(9), there: vec![(0, 5)] };
            vec![Outcome::Ranges(there)]
        }
        Ask::Who => return vec![Outcome::Who(vec![why()])],
        Ask::Figures => return vec![Outcome::Figures(why())],
        Ask::Transfer(Transfer { what: What::Store { wish: StoreWish::Range { .. }, .. }, .. }) => {
            vec![Outcome::StartedPart { upload: why() }]
        }
        Ask::Transfer(_) => vec![Outcome::Started { size: Some(1), name: None }],
        Ask::Unlisten | Ask::AnyHost | Ask::Abort => Vec::new(),
    };
    let bad = match ask {
        Ask::Listen { .. } => vec![Trouble::CannotListen(why())],
        Ask::MakeFolder(_) => vec![
            Trouble::Exists,
            Trouble::Denied,
            Trouble::NoSpace,
            // Its home is still being measured.
            Trouble::Busy(why()),
            Trouble::Local(why()),
        ],
        Ask::Remove(_) | Ask::RemoveFolder(_) | Ask::Rename { .. } => {
            let mut bad = vec![
                Trouble::NotFound,
                Trouble::NotEmpty,
                Trouble::Denied,
                Trouble::Busy(why()),
                Trouble::Local(why()),
            ];
            if matches!(ask, Ask::Rename { .. }) {
                bad.extend([Trouble::OtherMedium, Trouble::NoSpace]);
            }
            bad
        }
        Ask::SetModified(..) | Ask::SetMode(..) => {
            vec![Trouble::NotFound, Trouble::Denied, Trouble::Unfinished { at: 1 }, Trouble::Local(why())]
        }
        // An upload that is just coming to its end.
        Ask::Sum { .. } => {
            vec![Trouble::NotAFile, Trouble::PastEnd { end: 1 }, Trouble::Busy(why()), Trouble::Local(why())]
        }
        Ask::AsciiSize(_) => {
            vec![Trouble::TooLarge(why()), Trouble::NotFound, Trouble::Busy(why()), Trouble::Local(why())]
        }
        Ask::Transfer(Transfer { what: What::Retrieve(_), .. }) => {
            vec![
                Trouble::NotFound,
                Trouble::Unfinished { at: 1 },
                Trouble::PastEnd { end: 1 },
                Trouble::Local(why()),
            ]
        }
        Ask::Transfer(Transfer { what: What::Store { wish, .. }, .. }) => {
            let mut bad =
                vec![Trouble::Denied, Trouble::Busy(why()), Trouble::NoSpace, Trouble::Local(why())];
            bad.push(Trouble::TooMany { unfinished: 1 });
            match wish {
                StoreWish::From(_) => bad.push(Trouble::PastEnd { end: 1 }),
                StoreWish::Range { .. } => bad.extend([Trouble::NoRange(why()), Trouble::NotFound]),
                StoreWish::Anew | StoreWish::Append | StoreWish::Unique => {}
            }
            bad
        }
        _ => vec![Trouble::NotFound, Trouble::Denied, Trouble::Local(why())],
    };
    good.into_iter().chain(bad.into_iter().map(Outcome::Refused)).collect()
}

/// Every way in which a transfer can end.
fn ends(what: &What) -> Vec<Outcome> {
    let why = || "why".to_owned();
    let mut ends = vec![
        Transferred::Complete(why()),
        Transferred::NoData(why()),
        Transferred::NotProtected(why()),
        Transferred::Broken(why()),
        Transferred::Failed(Trouble::Local(why())),
    ];
    if matches!(what, What::Store { wish: StoreWish::Range { .. }, .. }) {
        let part = |why| Transferred::Part { kept: Some((0, 5)), upload: "0a".to_owned(), why };
        ends.extend([part(None), part(Some(Incomplete::Full))]);
    }
    if matches!(what, What::Store { .. }) {
        ends.push(Transferred::Kept { at: 1, why: Incomplete::Short { declared: 2 } });
        ends.push(Transferred::Failed(Trouble::NoSpace));
    }
    let marked = match what {
        What::Store { wish: StoreWish::Range { .. }, .. } | What::Retrieve(_) | What::List { .. } => None,
        What::Store { .. } => Some(Outcome::Marked { theirs: Marker::new("5").unwrap(), ours: 5 }),
    };
    ends.into_iter().map(Outcome::Transferred).chain(marked).collect()
}

/// All codes that a line leads to, along every branch.
fn explore(begin: fn() -> Driven, line: &str, branch: &mut Vec<usize>, codes: &mut BTreeSet<u16>) {
    let mut ftp = begin();
    ftp.line(line);
    let (mut taken, mut moving) = (branch.clone().into_iter(), None);
    loop {
        let outcomes = match ftp.session.poll() {
            Some(Step::Reply(bytes)) => {
                let mut rest = bytes.as_slice();
                let reply = ReplyParser::new().advance(&mut rest).unwrap().unwrap();
                codes.insert(reply.code().get());
                continue;
            }
            Some(Step::Ask(Ask::Unlisten | Ask::AnyHost)) => continue,
            Some(Step::Ask(Ask::Abort)) => {
                vec![Outcome::Transferred(Transferred::Aborted { at: None })]
            }
            Some(Step::Ask(ask)) => {
                if let Ask::Transfer(transfer) = &ask {
                    moving = Some(transfer.what.clone());
                }
                outcomes(&ask)
            }
            Some(Step::Secure | Step::Close) => return,
            None => match moving.take() {
                Some(what) if matches!(ftp.session.doing, Doing::Moving(_)) => ends(&what),
                _ => return,
            },
        };
        match taken.next() {
            Some(pick) => ftp.session.complete(outcomes[pick].clone()),
            None => {
                for pick in 0..outcomes.len() {
                    branch.push(pick);
                    explore(begin, line, branch, codes);
                    branch.pop();
                }
                return;
            }
        }
    }
}

fn codes_of(verb: &'static str, open: bool) -> BTreeSet<u16> {
    let mut codes = BTreeSet::new();
    let mut situations = situations();
    if ["ABOR", "STAT"].contains(&verb) {
        situations.push(running);
    }
    for begin in situations {
        if begin().session.who.is_in() || open {
            for argument in arguments(verb) {
                let line = format!("{verb} {argument}");
                explore(begin, line.trim_end(), &mut Vec::new(), &mut codes);
            }
        }
    }
    codes.retain(|code| !EVERYWHERE.contains(code));
    codes
}

/// The rows of the page: command, codes, source.
fn rows() -> BTreeMap<&'static str, (BTreeSet<u16>, &'static str)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [verb, codes, source, meaning] = cells[..] else { panic!("{row}") };
        assert!(!meaning.is_empty(), "{verb}");
        let codes = codes.split_whitespace().map(|code| code.parse().unwrap()).collect();
        (verb.trim_matches('`'), (codes, source))
    })
    .collect()
}

#[test]
fn the_page_has_a_row_for_each_command() {
    let rows = rows();
    let documented: Vec<&str> = rows.keys().copied().collect();
    let mut known: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
    known.sort_unstable();
    assert_eq!(documented, known);
    assert!(rows.values().all(|(_, source)| !source.is_empty()));
}

#[test]
fn the_page_names_what_may_be_said_before_a_login() {
    let told = PAGE.lines().find_map(|line| line.split_once("Before a login there are only ")).unwrap().1;
    let words = told.split(|letter: char| !letter.is_ascii_uppercase());
    let told: BTreeSet<&str> = words.filter(|word| !word.is_empty()).collect();
    // What is refused anyway is not among them.
    let rows = rows();
    let is_of_use = |verb: &str| rows[verb].0.iter().any(|code| *code < 400);
    let open = VERBS.iter().filter(|verb| verb.open && is_of_use(verb.name));
    assert_eq!(told, open.map(|verb| verb.name).collect());
}

#[test]
fn each_row_has_the_codes_of_its_command() {
    let rows = rows();
    let wrong: Vec<String> = VERBS
        .iter()
        .filter_map(|verb| {
            let (told, given) = (&rows[verb.name].0, codes_of(verb.name, verb.open));
            (*told != given).then(|| format!("{}: the page says {told:?}, the session {given:?}", verb.name))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
