//! How the connections are protected: AUTH, PBSZ, PROT (RFC 2228, 4217); and type, structure and mode of what they carry
//! (RFC 959 §3.1, §3.4).

use super::{Heard, Next, Session, refuse, say};
use crate::ftp::server::{
    answer::Answer,
    step::{Form, Mode, Structure, Tls},
};

/// What is protected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protection {
    /// The control connection.
    control: bool,
    /// PBSZ was said.
    sized: bool,
    /// Data connections: PROT P.
    data: bool,
}

impl Protection {
    /// A connection that begins with TLS protects data as well, as its clients take for granted.
    pub(super) fn at_first(tls: Tls) -> Self {
        let all = tls == Tls::Implicit;
        Self { control: all, sized: false, data: all }
    }

    /// What REIN leaves.
    pub(super) fn renewed(self, tls: Tls) -> Self {
        Self { control: self.control, ..Self::at_first(tls) }
    }

    pub(super) fn of_control(self) -> bool {
        self.control
    }

    pub(super) fn of_data(self) -> bool {
        self.data
    }

    pub(super) fn may_log_in(self, tls: Tls) -> bool {
        self.control || tls != Tls::Required
    }

    /// Whether a transfer may go unprotected.
    fn may_be_clear(tls: Tls) -> bool {
        match tls {
            Tls::None | Tls::Offered => true,
            Tls::Required | Tls::Implicit => false,
        }
    }
}

impl Session {
    pub(super) fn auth(&mut self, data: bool) -> Heard {
        if self.terms.tls == Tls::None {
            return refuse(502, "There is no certificate here.");
        }
        if self.protection.control {
            return refuse(503, "The connection is protected already.");
        }
        // RFC 4217 §4: who was logged in is not any more.
        self.forget();
        self.protection = Protection { control: true, sized: data, data };
        Ok(Next::Secure(Answer::new(234, "Now TLS.")))
    }

    pub(super) fn pbsz(&mut self) -> Heard {
        if !self.protection.control {
            return refuse(503, "AUTH TLS comes first.");
        }
        self.protection.sized = true;
        Ok(say(200, "PBSZ=0"))
    }

    pub(super) fn prot(&mut self, private: bool) -> Heard {
        if !self.protection.sized {
            return refuse(503, "PBSZ 0 comes first.");
        }
        if !private && !Protection::may_be_clear(self.terms.tls) {
            return refuse(534, "Data is protected here: PROT P.");
        }
        self.protection.data = private;
        Ok(say(200, if private { "Data is private." } else { "Data is in the clear." }))
    }

    /// Whether data may be carried as things are.
    pub(super) fn may_carry(&self) -> Result<(), Answer> {
        if self.protection.data || Protection::may_be_clear(self.terms.tls) {
            return Ok(());
        }
        refuse(521, "Data must be protected here: PBSZ 0 and PROT P come first.")
    }

    pub(super) fn structure(&mut self, structure: Structure) -> Next {
        self.structure = structure;
        say(
            200,
            match structure {
                Structure::File => "Structure F.",
                Structure::Record => "Structure R: a record is a line.",
            },
        )
    }

    pub(super) fn mode(&mut self, mode: Mode) -> Heard {
        let words = match mode {
            Mode::Stream => "Mode S.",
            Mode::Block => "Mode B: markers are offsets.",
            Mode::Deflate(_) if self.terms.deflates => "Mode Z.",
            Mode::Deflate(_) => return refuse(504, "There is no MODE Z here: MODE S and MODE B."),
        };
        self.mode = mode;
        Ok(say(200, words))
    }

    pub(super) fn form(&mut self, form: Form) -> Next {
        (self.form, self.form_said) = (form, true);
        say(
            200,
            match form {
                Form::Ascii => "Type A.",
                Form::Image => "Type I.",
            },
        )
    }
}
