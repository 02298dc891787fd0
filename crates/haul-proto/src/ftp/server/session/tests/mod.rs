//! Every transition, by topic, over the public door: lines and outcomes in, steps out.

mod about;
mod any;
mod by_hand;
mod data;
mod documented;
mod files;
mod login;
mod shapes;
mod tls;
mod transfer;
mod waiting;

use super::*;
use crate::ftp::{
    Reply, ReplyParser,
    server::step::{Hosted, Listed, Login, May, Shape, Tls},
};
use haul_core::Modified;

/// STRU F and MODE S.
fn plain(form: Form) -> Shape {
    Shape { form, structure: Structure::File, mode: Mode::Stream }
}

/// A session, and whoever drives it.
struct Driven {
    session: Session,
}

impl Driven {
    /// The greeting was said.
    fn on(tls: Tls) -> Self {
        Self::from("192.0.2.7", tls)
    }

    fn from(peer: &str, tls: Tls) -> Self {
        let peer = peer.parse().unwrap();
        let mut driven = Self {
            session: Session::new(Terms {
                peer,
                banner: "haul".into(),
                tls,
                logins: 3,
                weaves: true,
                deflates: true,
            }),
        };
        assert_eq!(driven.code(), 220);
        driven
    }

    /// Somebody is logged in.
    fn inside() -> Self {
        let mut driven = Self::on(Tls::None);
        driven.log_in();
        driven
    }

    fn log_in(&mut self) {
        assert_eq!(self.says("USER ann"), 331);
        self.line("PASS secret");
        let Ask::Login { user, password } = self.ask() else { panic!("no login") };
        assert_eq!((user.as_slice(), password.as_bytes()), (&b"ann"[..], &b"secret"[..]));
        self.session.complete(Outcome::Login(Login::Welcome { banner: "Welcome.".into() }));
        assert_eq!(self.code(), 230);
        self.quiet();
    }

    fn line(&mut self, line: impl AsRef<[u8]>) {
        self.session.receive(Line::Command(line.as_ref().to_vec()));
    }

    /// A line that is answered at once, and by its code.
    fn says(&mut self, line: &str) -> u16 {
        self.line(line);
        let code = self.code();
        self.quiet();
        code
    }

    /// A line that is answered at once: the reply.
    fn told(&mut self, line: &str) -> Reply {
        self.line(line);
        self.reply()
    }

    /// What a line makes the session ask.
    fn asks(&mut self, line: &str) -> Ask {
        self.line(line);
        self.ask()
    }

    /// What an outcome is answered with.
    fn done(&mut self, outcome: Outcome) -> u16 {
        self.session.complete(outcome);
        let code = self.code();
        self.quiet();
        code
    }

    fn passive(&mut self) {
        assert_eq!(self.asks("PASV"), Ask::Listen { family: None });
        assert_eq!(self.done(Outcome::Listening("192.0.2.1:4000".parse().unwrap())), 227);
    }

    fn ask(&mut self) -> Ask {
        match self.session.poll() {
            Some(Step::Ask(ask)) => ask,
            other => panic!("no ask: {other:?}"),
        }
    }

    /// What an outcome makes the session ask.
    fn asks_what(&mut self, outcome: Outcome) -> Option<Ask> {
        self.session.complete(outcome);
        match self.session.poll() {
            Some(Step::Ask(ask)) => Some(ask),
            _ => None,
        }
    }

    fn reply(&mut self) -> Reply {
        let Some(Step::Reply(bytes)) = self.session.poll() else { panic!("no reply") };
        let mut rest = bytes.as_slice();
        let reply = ReplyParser::new().advance(&mut rest).unwrap().unwrap();
        assert!(rest.is_empty());
        reply
    }

    /// The next reply, as it is sent.
    fn text(&mut self) -> String {
        match self.session.poll() {
            Some(Step::Reply(bytes)) => String::from_utf8(bytes).unwrap(),
            step => panic!("no reply: {step:?}"),
        }
    }

    fn code(&mut self) -> u16 {
        self.reply().code().get()
    }

    fn closes(&mut self) {
        assert_eq!(self.session.poll(), Some(Step::Close));
        self.quiet();
        assert!(!self.session.wants_line());
    }

    fn quiet(&mut self) {
        assert_eq!(self.session.poll(), None);
    }
}

fn path(raw: &str) -> TreePath {
    TreePath::ROOT.join(raw.as_bytes()).unwrap()
}

fn file(size: u64) -> Listed {
    Listed {
        name: b"1.TXT".to_vec(),
        folder: false,
        size,
        modified: Modified { seconds: 897_904_845, nanos: 0, strong: false },
        unique: b"1g2".to_vec(),
        mode: 0o644,
        owner: ("ann".into(), "ann".into()),
        may: May { read: true, write: true, delete: true, list: true },
        unfinished: false,
    }
}

fn folder() -> Listed {
    Listed { folder: true, mode: 0o755, ..file(0) }
}
