//! A session that hears anything and is told anything, in any order: each reply is whole, one question is open at a time,
//! and nothing comes after the end.
//!
//! The input is a script: `L` and a line up to LF is heard, `S` stops the server, `C` is a certificate that was shown; any
//! other byte is an outcome.
#![no_main]

use haul_core::Modified;
use haul_proto::ftp::{
    ReplyParser,
    block::Marker,
    server::{
        Ask, Hosted, Incomplete, Listed, Login, May, Outcome, Ranges, Step, StoreWish, Sum, SumValue, Terms, Tls,
        Transfer, Transferred, Trouble, What, line::Line, session::Session,
    },
};
use libfuzzer_sys::fuzz_target;

fn listed(folder: bool) -> Listed {
    Listed {
        name: b"a\r\nb".to_vec(),
        folder,
        size: u64::MAX,
        modified: Modified { seconds: i64::MAX, nanos: 1, strong: false },
        unique: b"1".to_vec(),
        mode: 0o644,
        owner: ("a b".into(), String::new()),
        may: May { read: true, ..May::default() },
        unfinished: folder,
    }
}

/// An outcome that fits, for one byte of the script.
fn answer(ask: &Ask, byte: u8) -> Outcome {
    if byte % 5 == 0 {
        return Outcome::Refused(Trouble::Local("\r\n226 x\u{ff}".into()));
    }
    match ask {
        Ask::Login { .. } | Ask::Recognise { .. } => Outcome::Login(match byte % 8 {
            1 => Login::No,
            2 => Login::Barred { why: "a\nb".into() },
            3 => Login::Never { why: "\r\n".into() },
            _ => Login::Welcome { banner: "a\nb".into() },
        }),
        Ask::Host(_) if byte % 3 == 0 => Outcome::Host(Hosted::NotThatOfTls),
        Ask::Host(_) if byte % 2 == 0 => Outcome::Host(Hosted::Unknown),
        Ask::Host(_) => Outcome::Host(Hosted::Here { banner: "a\nb".into() }),
        Ask::Listen { .. } => Outcome::Listening(([192, 0, 2, 1], 4000).into()),
        Ask::Look(_) => Outcome::Seen(listed(byte % 2 == 0)),
        Ask::LookInto(_) => Outcome::Listed { entries: vec![listed(true), listed(false)], now: i64::MIN },
        Ask::Sum { from, .. } => Outcome::Sum(Sum { value: SumValue::Crc32(7), from: *from, to: 0 }),
        Ask::AsciiSize(_) => Outcome::AsciiSize(u64::MAX),
        Ask::Space(_) => Outcome::Space(None),
        Ask::Who => Outcome::Who(vec!["211 End.\r\n".into()]),
        Ask::Figures => Outcome::Figures("a\nb".into()),
        Ask::Ranges(_) => {
            Outcome::Ranges(Ranges { upload: "a\r\n226 x".into(), size: Some(0), there: vec![(0, 0), (9, u64::MAX)] })
        }
        Ask::Transfer(Transfer { what: What::Store { wish: StoreWish::Range { .. }, .. }, .. }) => {
            Outcome::StartedPart { upload: "a\r\n226 x".into() }
        }
        Ask::Transfer(_) => Outcome::Started { size: Some(1), name: Some(b"\n".to_vec()) },
        _ => Outcome::Done,
    }
}

fn ended(byte: u8) -> Transferred {
    match byte % 6 {
        0 => Transferred::Complete("done".into()),
        1 => Transferred::Kept { at: 5, why: Incomplete::Short { declared: 9 } },
        2 => Transferred::Aborted { at: Some(5) },
        3 => Transferred::Part { kept: Some((0, 0)), upload: "a\r\n".into(), why: Some(Incomplete::Full) },
        4 => Transferred::Kept { at: u64::MAX, why: Incomplete::Stopping },
        _ => Transferred::Failed(Trouble::NoSpace),
    }
}

/// What the driver owes.
enum Owed {
    Nothing,
    Answer(Ask),
    End,
    Tls,
    Closed,
}

fn take(session: &mut Session, owed: &mut Owed) {
    while let Some(step) = session.poll() {
        assert!(!matches!(owed, Owed::Closed), "nothing comes after the end");
        match step {
            Step::Reply(bytes) => {
                let mut rest = bytes.as_slice();
                assert!(ReplyParser::new().advance(&mut rest).unwrap().is_some() && rest.is_empty());
            }
            Step::Ask(Ask::Unlisten | Ask::AnyHost) => {}
            Step::Ask(Ask::Abort) => assert!(matches!(owed, Owed::End)),
            Step::Ask(ask @ Ask::Figures) => {
                assert!(matches!(owed, Owed::End));
                session.complete(answer(&ask, 1));
            }
            Step::Ask(ask) => {
                assert!(matches!(owed, Owed::Nothing), "one question at a time");
                *owed = Owed::Answer(ask);
            }
            Step::Secure => *owed = Owed::Tls,
            Step::Close => *owed = Owed::Closed,
        }
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (tls, mut script) = input;
    let tls = [Tls::None, Tls::Offered, Tls::Required, Tls::Implicit][usize::from(tls % 4)];
    let peer = std::net::IpAddr::from([192, 0, 2, 7]);
    let mut session = Session::new(Terms { peer, banner: "a\nb".into(), tls, logins: 3, weaves: true, deflates: true });
    let mut owed = Owed::Nothing;
    take(&mut session, &mut owed);
    while let Some((byte, rest)) = script.split_first() {
        script = rest;
        if *byte == b'L' {
            let end = script.iter().position(|byte| *byte == b'\n').unwrap_or(script.len());
            session.receive(Line::Command(script[..end].to_vec()));
            script = script.get(end + 1..).unwrap_or_default();
        } else if *byte == b'S' {
            session.stop("a\nb");
        } else if *byte == b'C' {
            session.certified();
        } else {
            match std::mem::replace(&mut owed, Owed::Nothing) {
                Owed::Answer(ask) => {
                    let outcome = answer(&ask, *byte);
                    let begun = matches!(outcome, Outcome::Started { .. } | Outcome::StartedPart { .. });
                    session.complete(outcome);
                    owed = if begun { Owed::End } else { Owed::Nothing };
                }
                Owed::End if byte % 16 == 7 => {
                    let theirs = Marker::new("5").unwrap();
                    session.complete(Outcome::Marked { theirs, ours: 5 });
                    owed = Owed::End;
                }
                Owed::End => session.complete(Outcome::Transferred(ended(*byte))),
                Owed::Tls => session.secured(),
                Owed::Closed => owed = Owed::Closed,
                Owed::Nothing => session.complete(Outcome::Done),
            }
        }
        take(&mut session, &mut owed);
    }
});
