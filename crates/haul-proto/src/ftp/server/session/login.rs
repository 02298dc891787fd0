//! Who is there: USER, PASS, HOST, REIN, QUIT (RFC 959 §4.1.1, 7151).
//!
//! Every name gets the same 331, so that nobody learns which ones exist.

use haul_core::TreePath;

use super::{Answer, Heard, Next, Purpose, Session, refuse, say};
use crate::ftp::server::{
    facts::Chosen,
    step::{Ask, Form, Hosted, Level, Login, Mode, Password, Step, Structure},
};

/// Who is there.
#[derive(Debug)]
pub(super) enum Who {
    /// Nobody yet.
    Nobody,
    /// A name was told.
    Named(Vec<u8>),
    /// And a password that fits.
    In(Vec<u8>),
}

impl Who {
    pub(super) fn is_in(&self) -> bool {
        matches!(self, Self::In(_))
    }
}

impl Session {
    pub(super) fn user(&mut self, name: Vec<u8>) -> Heard {
        if !self.protection.may_log_in(self.terms.tls) {
            return refuse(530, "TLS is required here: AUTH TLS comes first.");
        }
        // Whoever was there is not any more; what was said of transfers stays (RFC 959 §4.1.1).
        self.cwd = TreePath::ROOT;
        if self.certified {
            self.who = Who::Nobody;
            return Ok(Next::Ask(Ask::Recognise { user: name.clone() }, Purpose::Recognise(name)));
        }
        self.who = Who::Named(name);
        Ok(say(331, "Now the password."))
    }

    /// Whether a certificate was enough (RFC 2228 §3, 232); if not, a password may be.
    pub(super) fn recognised(&mut self, name: Vec<u8>, login: Login) -> Next {
        match login {
            Login::Welcome { banner } => {
                self.who = Who::In(name);
                self.failed = 0;
                say(232, banner)
            }
            Login::No => {
                self.who = Who::Named(name);
                say(331, "Now the password.")
            }
            Login::Barred { why } => self.stays_out(&why),
            Login::Never { why } => Next::Bye(Answer::new(421, why)),
        }
    }

    pub(super) fn pass(&mut self, password: Password) -> Heard {
        match std::mem::replace(&mut self.who, Who::Nobody) {
            Who::Nobody => refuse(503, "USER comes first."),
            Who::Named(user) => {
                let ask = Ask::Login { user: user.clone(), password };
                Ok(Next::Ask(ask, Purpose::LogIn(user)))
            }
            inside @ Who::In(_) => {
                self.who = inside;
                refuse(503, "USER comes first.")
            }
        }
    }

    pub(super) fn let_in(&mut self, name: Vec<u8>, login: Login) -> Next {
        match login {
            Login::Welcome { banner } => {
                self.who = Who::In(name);
                self.failed = 0;
                say(230, banner)
            }
            Login::No => self.stays_out("Login incorrect"),
            Login::Barred { why } => self.stays_out(&why),
            Login::Never { why } => Next::Bye(Answer::new(421, why)),
        }
    }

    /// Not let in: so often may be tried on one connection, and no oftener.
    fn stays_out(&mut self, why: &str) -> Next {
        self.failed += 1;
        if self.failed >= self.terms.logins {
            Next::Bye(Answer::new(421, format!("{why}, too many times.")))
        } else {
            say(530, format!("{why}."))
        }
    }

    /// HOST says whom the client means before it says who it is itself (RFC 7151 §3).
    pub(super) fn host(&self, name: Vec<u8>) -> Heard {
        if !matches!(self.who, Who::Nobody) {
            return refuse(503, "HOST comes before USER.");
        }
        Ok(Next::Ask(Ask::Host(name), Purpose::Host))
    }

    /// The reply to HOST.
    pub(super) fn hosted(&mut self, hosted: Hosted) -> Next {
        match hosted {
            Hosted::Here { banner } => {
                self.hosted = true;
                say(220, banner)
            }
            Hosted::Unknown => say(504, "There is no such host here."),
            Hosted::NotThatOfTls => say(504, "TLS has begun with the name of another host."),
        }
    }

    /// As after the greeting, but TLS on the control connection and the count of failed logins stay.
    pub(super) fn rein(&mut self) -> Next {
        self.forget();
        if std::mem::take(&mut self.hosted) {
            self.steps.push_back(Step::Ask(Ask::AnyHost));
        }
        self.protection = self.protection.renewed(self.terms.tls);
        Next::Say(Answer::new(220, &self.terms.banner))
    }

    /// Everything that a session has said is forgotten.
    pub(super) fn forget(&mut self) {
        self.drop_data();
        self.who = Who::Nobody;
        self.cwd = TreePath::ROOT;
        (self.form, self.form_said) = (Form::Ascii, false);
        (self.structure, self.mode, self.level) = (Structure::File, Mode::Stream, Level::default());
        self.only_epsv = false;
        self.restart = super::Restart::None;
        self.declared = None;
        self.facts = Chosen::default();
        self.hash = super::FIRST_HASH;
    }

    pub(super) fn quit(&mut self) -> Next {
        self.quit = true;
        Next::Bye(Answer::new(221, "Goodbye."))
    }
}
