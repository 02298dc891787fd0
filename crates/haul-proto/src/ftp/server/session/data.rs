//! Where data connections come from and go to: PORT, PASV (RFC 959 §4.1.2), EPRT, EPSV (RFC 2428).
//!
//! The client's own address is the only one that is connected to, and no port below 1024, where services listen
//! (RFC 2577 §3). One data connection is set up at a time; the next transfer uses it up, whatever becomes of it.

use std::net::{IpAddr, SocketAddr};

use super::{Heard, Next, Purpose, Session, refuse, say};
use crate::ftp::{
    passive,
    server::{
        answer::Answer,
        step::{Ask, Data, Family, Step},
    },
};

/// Which command waits for a listener.
#[derive(Clone, Copy, Debug)]
pub(super) enum Passive {
    /// PASV.
    Pasv,
    /// EPSV.
    Epsv,
}

impl Session {
    pub(super) fn active(&mut self, to: SocketAddr) -> Heard {
        self.may_set_up()?;
        let to = SocketAddr::new(to.ip().to_canonical(), to.port());
        if to.ip() != self.terms.peer {
            return refuse(501, "Data goes to your own address only.");
        }
        if to.port() < 1024 {
            return refuse(501, "No data goes to a port below 1024.");
        }
        self.drop_data();
        self.data = Some(Data::Active(to));
        Ok(say(200, "Data will be sent there."))
    }

    pub(super) fn pasv(&mut self) -> Heard {
        self.may_set_up()?;
        if self.family() == Family::V6 {
            return refuse(425, "PASV knows IPv4 only: use EPSV.");
        }
        Ok(self.listen(None, Passive::Pasv))
    }

    pub(super) fn epsv(&mut self, family: Option<Family>) -> Heard {
        match family {
            Some(family) if family != self.family() => Err(match self.family() {
                Family::V4 => Answer::new(522, "No such network protocol here, use (1)."),
                Family::V6 => Answer::new(522, "No such network protocol here, use (2)."),
            }),
            family => Ok(self.listen(family, Passive::Epsv)),
        }
    }

    /// RFC 2428 §4: from now on every other way is refused.
    pub(super) fn epsv_all(&mut self) -> Next {
        self.only_epsv = true;
        say(200, "Only EPSV from now on.")
    }

    fn may_set_up(&self) -> Result<(), Answer> {
        if self.only_epsv { refuse(503, "EPSV ALL was said: only EPSV.") } else { Ok(()) }
    }

    fn family(&self) -> Family {
        match self.terms.peer {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    fn listen(&mut self, family: Option<Family>, how: Passive) -> Next {
        // The driver drops the listener before for the new one.
        self.data = None;
        Next::Ask(Ask::Listen { family }, Purpose::Listen(how))
    }

    pub(super) fn listening(&mut self, how: Passive, at: SocketAddr) -> Next {
        self.data = Some(Data::Passive);
        match (how, at) {
            (Passive::Epsv, at) => say(229, format!("Entering Extended Passive Mode (|||{}|)", at.port())),
            (Passive::Pasv, SocketAddr::V4(at)) => {
                say(227, format!("Entering Passive Mode ({}).", passive::host_port(at)))
            }
            (Passive::Pasv, SocketAddr::V6(_)) => {
                self.drop_data();
                say(425, "There is no IPv4 address to tell: use EPSV.")
            }
        }
    }

    /// What was set up is not any more.
    pub(super) fn drop_data(&mut self) {
        if self.data.take() == Some(Data::Passive) {
            self.steps.push_back(Step::Ask(Ask::Unlisten));
        }
    }
}
