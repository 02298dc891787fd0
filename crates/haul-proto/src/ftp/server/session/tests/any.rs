//! Any lines, any outcomes, in any order.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::ftp::{
    block::Marker,
    server::{
        request::VERBS,
        step::{Incomplete, Ranges, Sum, SumValue, Transferred},
    },
};

/// Something that happens to a session.
#[derive(Clone, Debug)]
enum Event {
    Line(Vec<u8>),
    TooLong,
    /// The open question gets an answer of its kind.
    Answer(u8),
    /// It cannot be done.
    Refuse(u8),
    /// Whatever comes, asked for or not.
    Stray(u8),
    Secured,
    Stop,
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let verb = (0..VERBS.len()).prop_map(|at| VERBS[at].name);
    let argument = prop_oneof![
        Just(String::new()),
        Just(" a".to_owned()),
        Just(" 5".to_owned()),
        Just(" P".to_owned()),
        Just(" I".to_owned()),
        Just(" TLS".to_owned()),
        " [ -~]{0,12}",
    ];
    let near = (verb, argument).prop_map(|(verb, argument)| format!("{verb}{argument}").into_bytes());
    let known = prop_oneof![
        Just("USER ann"),
        Just("PASS x"),
        Just("PASV"),
        Just("RETR a"),
        Just("STOR a"),
        Just("ABOR"),
        Just("STAT"),
        Just("QUIT"),
        Just("REST 5"),
        Just("TYPE I"),
        Just("PORT 192,0,2,7,200,10"),
        Just("SITE WHO"),
        Just("SITE RANG a"),
        Just("RANG 5 9 0a"),
        Just("ALLO 20"),
        Just("HOST a.example"),
        Just("REIN"),
        Just("MODE B"),
        Just("STRU R"),
    ];
    prop_oneof![4 => known.prop_map(|line| line.as_bytes().to_vec()), 4 => near, 1 => any::<Vec<u8>>()]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => line().prop_map(Event::Line),
        1 => Just(Event::TooLong),
        8 => any::<u8>().prop_map(Event::Answer),
        2 => any::<u8>().prop_map(Event::Refuse),
        1 => any::<u8>().prop_map(Event::Stray),
        1 => Just(Event::Secured),
        1 => Just(Event::Stop),
    ]
}

fn trouble(pick: u8) -> Trouble {
    match pick % 8 {
        0 => Trouble::NotFound,
        1 => Trouble::Busy("\r\n226 x".into()),
        2 => Trouble::PastEnd { end: u64::MAX },
        3 => Trouble::Local(String::new()),
        4 => Trouble::NoSpace,
        5 => Trouble::BadName,
        6 => Trouble::CannotListen("x".into()),
        _ => Trouble::Denied,
    }
}

fn transferred(pick: u8) -> Outcome {
    Outcome::Transferred(match pick % 6 {
        5 => Transferred::Part { kept: None, upload: "0a\r\n226 x".into(), why: None },
        0 => Transferred::Complete("done\r\n".into()),
        1 => Transferred::Kept { at: 5, why: Incomplete::Broken },
        2 => Transferred::Aborted { at: None },
        3 => Transferred::NoData("x".into()),
        _ => Transferred::Failed(trouble(pick)),
    })
}

/// Some outcome, whatever was asked.
fn stray(pick: u8) -> Outcome {
    match pick % 11 {
        10 => Outcome::Marked { theirs: Marker::new("5").unwrap(), ours: 5 },
        0 => Outcome::Done,
        9 => Outcome::StartedPart { upload: "0a".into() },
        1 => Outcome::Seen(file(u64::from(pick))),
        2 => Outcome::Listed { entries: vec![file(1), folder()], now: i64::MIN },
        3 => Outcome::Space(None),
        4 => Outcome::Figures("7 bytes".into()),
        5 => Outcome::Started { size: Some(5), name: None },
        6 => Outcome::Login(Login::No),
        7 => Outcome::Who(vec!["a\r\nb".into()]),
        _ => transferred(pick),
    }
}

/// What the driver owes.
#[derive(Debug, PartialEq)]
enum Owed {
    Nothing,
    Answer(Ask),
    /// A transfer, and whether it has begun.
    Transfer(bool),
    Secured,
    Closed,
}

/// An answer of the kind that is asked for.
fn answer(ask: &Ask, pick: u8) -> Outcome {
    match ask {
        Ask::Login { .. } | Ask::Recognise { .. } if pick.is_multiple_of(4) => Outcome::Login(Login::No),
        Ask::Login { .. } | Ask::Recognise { .. } => {
            Outcome::Login(Login::Welcome { banner: "hi\r\n226 x".into() })
        }
        Ask::Host(_) if pick.is_multiple_of(2) => Outcome::Host(Hosted::Unknown),
        Ask::Host(_) => Outcome::Host(Hosted::Here { banner: "hi\r\n226 x".into() }),
        Ask::Listen { .. } => Outcome::Listening(SocketAddr::from(([192, 0, 2, 1], 4000 + u16::from(pick)))),
        Ask::Look(_) => Outcome::Seen(if pick.is_multiple_of(2) { file(7) } else { folder() }),
        Ask::LookInto(_) => stray(2),
        Ask::MakeFolder(_)
        | Ask::RemoveFolder(_)
        | Ask::Remove(_)
        | Ask::Rename { .. }
        | Ask::SetModified(..)
        | Ask::SetMode(..) => Outcome::Done,
        Ask::Sum { from, to, .. } => {
            Outcome::Sum(Sum { value: SumValue::Crc32(7), from: *from, to: to.unwrap_or(*from) })
        }
        Ask::AsciiSize(_) => Outcome::AsciiSize(5),
        Ask::Space(_) => Outcome::Space(Some(5)),
        Ask::Ranges(_) => {
            let there = vec![(0, 5), (9, u64::MAX)];
            Outcome::Ranges(Ranges { upload: "0a\r\n226 x".into(), size: None, there })
        }
        Ask::Who => stray(7),
        Ask::Unlisten | Ask::AnyHost | Ask::Transfer(_) | Ask::Figures | Ask::Abort => {
            unreachable!("they are answered elsewhere")
        }
    }
}

/// A driver that keeps its word.
struct Driver {
    session: Session,
    owed: Owed,
    listening: bool,
    /// Lines that are owed a reply, and replies that are no 1yz.
    lines: usize,
    finals: usize,
}

impl Driver {
    fn new(tls: Tls) -> Self {
        let peer = "192.0.2.7".parse().unwrap();
        let session = Session::new(Terms {
            peer,
            banner: "hi\nthere".into(),
            tls,
            logins: 3,
            weaves: true,
            deflates: true,
        });
        Self { session, owed: Owed::Nothing, listening: false, lines: 0, finals: 0 }
    }

    /// Takes every step, and checks that none comes out of turn.
    fn take(&mut self) {
        while let Some(step) = self.session.poll() {
            assert_ne!(self.owed, Owed::Closed, "{step:?} after the end");
            match step {
                Step::Reply(bytes) => self.finals += usize::from(code(&bytes) >= 200),
                Step::Secure => self.owe(Owed::Secured),
                Step::Close => self.owed = Owed::Closed,
                Step::Ask(Ask::Unlisten) => self.listening = false,
                Step::Ask(Ask::AnyHost) => {}
                Step::Ask(Ask::Abort) => assert_eq!(self.owed, Owed::Transfer(true)),
                Step::Ask(Ask::Figures) => {
                    assert_eq!(self.owed, Owed::Transfer(true));
                    self.session.complete(Outcome::Figures("7\r\nbytes".into()));
                }
                Step::Ask(Ask::Transfer(transfer)) => {
                    match transfer.data {
                        Data::Passive => assert!(std::mem::take(&mut self.listening), "nothing listens"),
                        Data::Active(to) => assert_eq!(to, "192.0.2.7:51210".parse().unwrap()),
                    }
                    self.owe(Owed::Transfer(false));
                }
                Step::Ask(ask) => self.owe(Owed::Answer(ask)),
            }
        }
    }

    fn says(&mut self, line: &[u8]) {
        if self.session.wants_line() {
            self.session.receive(Line::Command(line.to_vec()));
            self.lines += 1;
        }
    }

    /// Somebody is there, over TLS where that must be.
    fn log_in(&mut self, tls: Tls) {
        let auth: &[&[u8]] = if tls == Tls::Required { &[b"AUTH TLS", b"PBSZ 0", b"PROT P"] } else { &[] };
        for line in auth.iter().chain(&[&b"USER ann"[..], b"PASS x", b"TYPE I"]) {
            self.says(line);
            self.take();
            self.answer(1);
            self.take();
        }
        assert!(self.session.who.is_in());
    }

    fn owe(&mut self, owed: Owed) {
        assert_eq!(self.owed, Owed::Nothing, "{owed:?}: one thing at a time");
        self.owed = owed;
    }

    fn answer(&mut self, pick: u8) {
        match std::mem::replace(&mut self.owed, Owed::Nothing) {
            Owed::Answer(ask) => {
                self.listening |= matches!(ask, Ask::Listen { .. });
                self.session.complete(answer(&ask, pick));
            }
            Owed::Transfer(false) => {
                self.session.complete(Outcome::Started { size: Some(9), name: Some(b"a\r\nb".to_vec()) });
                self.owed = Owed::Transfer(true);
            }
            Owed::Transfer(true) => self.session.complete(transferred(pick)),
            Owed::Secured => {
                // What came in the clear is dropped.
                self.lines -= self.session.waiting.len();
                self.session.secured();
            }
            other => self.owed = other,
        }
    }

    fn refuse(&mut self, pick: u8) {
        match std::mem::replace(&mut self.owed, Owed::Nothing) {
            Owed::Answer(ask) => {
                self.listening &= !matches!(ask, Ask::Listen { .. });
                self.session.complete(Outcome::Refused(trouble(pick)));
            }
            Owed::Transfer(false) => self.session.complete(Outcome::Refused(trouble(pick))),
            other => self.owed = other,
        }
    }
}

/// The code of what must be one whole reply.
fn code(bytes: &[u8]) -> u16 {
    let mut rest = bytes;
    let reply = ReplyParser::new().advance(&mut rest).unwrap().unwrap();
    assert!(rest.is_empty(), "{bytes:?}");
    reply.code().get()
}

proptest! {
    #[test]
    fn who_keeps_the_rules_gets_a_reply_to_each_line(
        tls in prop_oneof![Just(Tls::None), Just(Tls::Offered), Just(Tls::Required), Just(Tls::Implicit)],
        inside: bool,
        events in prop::collection::vec(event(), 0..80),
    ) {
        let mut driver = Driver::new(tls);
        driver.take();
        prop_assert_eq!(std::mem::take(&mut driver.finals), 1, "the greeting");
        if inside {
            driver.log_in(tls);
        }
        for event in events {
            match event {
                Event::Line(line) => driver.says(&line),
                Event::TooLong if driver.session.wants_line() => {
                    driver.session.receive(Line::TooLong);
                    driver.lines += 1;
                }
                Event::Answer(pick) => driver.answer(pick),
                Event::Refuse(pick) => driver.refuse(pick),
                Event::TooLong | Event::Stray(_) | Event::Secured | Event::Stop => {}
            }
            driver.take();
        }
        for pick in 0..200 {
            driver.answer(pick);
            driver.take();
        }
        match driver.owed {
            Owed::Nothing => prop_assert_eq!(driver.finals, driver.lines),
            Owed::Closed => prop_assert!(driver.finals <= driver.lines),
            owed => prop_assert!(false, "{:?} is never answered", owed),
        }
    }

    #[test]
    fn nothing_that_comes_makes_it_panic(events in prop::collection::vec(event(), 0..60)) {
        let mut session = Driver::new(Tls::Offered).session;
        for event in events {
            match event {
                Event::Line(line) => session.receive(Line::Command(line)),
                Event::TooLong => session.receive(Line::TooLong),
                Event::Answer(pick) | Event::Stray(pick) => session.complete(stray(pick)),
                Event::Refuse(pick) => session.complete(Outcome::Refused(trouble(pick))),
                Event::Secured => session.secured(),
                Event::Stop => session.stop("\r\nx"),
            }
            for _ in 0..4 {
                if let Some(Step::Reply(bytes)) = session.poll() {
                    code(&bytes);
                }
            }
            let _ = (session.has_quit(), session.wants_line());
        }
    }
}
