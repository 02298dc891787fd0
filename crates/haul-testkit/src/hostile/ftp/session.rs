//! One control connection: greeting, TLS, login, parameters; and which command goes where.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::behaviour::{FtpBehaviour, Passive, Rest};
use super::control::Control;
use super::data::{Meeting, eprt_address, pasv_numbers, port_address};
use super::digest::Algorithm;
use super::listing::Kind;
use super::record::{FtpCommand, FtpVerb};
use super::state::{Security, Shared};
use crate::hostile::wire::Wire;

/// A session, and what the client has said in it so far.
pub(super) struct Session {
    pub(super) control: Control,
    pub(super) number: usize,
    pub(super) shared: Arc<Shared>,
    /// The behaviour as it was when the present command came.
    pub(super) behaviour: FtpBehaviour,
    /// The present command, for a reply that becomes huge.
    line: String,
    user: String,
    pub(super) logged_in: bool,
    pub(super) folder: String,
    /// TYPE I; FTP begins with TYPE A.
    pub(super) image: bool,
    /// MODE B; FTP begins with MODE S.
    pub(super) in_blocks: bool,
    /// The offset of the last REST, until a transfer takes it.
    pub(super) rest: u64,
    pub(super) rename_from: Option<String>,
    pub(super) meeting: Option<Meeting>,
    pub(super) protected: bool,
    pub(super) algorithm: Algorithm,
}

/// What a command leaves behind.
pub(super) enum Then {
    Go,
    Close,
}

/// `before` is how many sessions were open when this one came.
pub(super) fn serve(stream: TcpStream, number: usize, before: usize, shared: &Arc<Shared>) {
    // An error is the client's going, or our own stop: nobody is left to tell.
    let _ = begin(stream, number, before, shared);
}

fn begin(stream: TcpStream, number: usize, before: usize, shared: &Arc<Shared>) -> io::Result<()> {
    let mut wire = Wire::new(stream, &shared.stopped)?;
    if let (Security::Implicit, Some(config)) = (shared.security, &shared.tls) {
        wire.secure(config)?;
    }
    let mut session = Session {
        control: Control::new(wire),
        number,
        shared: Arc::clone(shared),
        behaviour: shared.behaviour(),
        line: String::new(),
        user: String::new(),
        logged_in: false,
        folder: "/".into(),
        image: false,
        in_blocks: false,
        rest: 0,
        rename_from: None,
        meeting: None,
        protected: shared.security == Security::Implicit,
        algorithm: Algorithm::Sha256,
    };
    let behaviour = &session.behaviour;
    let refused = behaviour.sessions_refused.iter().find(|(which, _)| which.includes(number));
    let full = behaviour.at_most.iter().find(|(most, _)| before >= *most && stays_full(*most, shared));
    let full = full.map(|(_, reply)| reply);
    if let Some(reply) = refused.map(|(_, reply)| reply).or(full).cloned() {
        session.reply(&reply)?;
        session.control.wire.close();
        return Ok(());
    }
    let greeting = session.behaviour.greeting.clone();
    session.reply(&greeting)?;
    while let Some(line) = session.control.line()? {
        if let Then::Close = session.obey(&line)? {
            break;
        }
    }
    session.control.wire.close();
    Ok(())
}

/// Whether it is still full a moment later: a session whose client has just gone is not counted against the next one.
fn stays_full(most: usize, shared: &Shared) -> bool {
    let deadline = Instant::now() + Duration::from_millis(100);
    while Instant::now() < deadline {
        if shared.open.load(Ordering::Relaxed) <= most {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

impl Session {
    /// Sends a reply, or several; an empty text is silence.
    pub(super) fn reply(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let huge = self.behaviour.huge_reply.as_ref().filter(|(command, _)| begins(&self.line, command));
        let text = match huge {
            Some((_, bytes)) => format!("{text}{}\r\n", "x".repeat(*bytes)),
            None => format!("{text}\r\n"),
        };
        self.control.send(&text, self.behaviour.replies)
    }

    fn obey(&mut self, line: &str) -> io::Result<Then> {
        let instead = {
            let mut state = self.shared.lock();
            state.commands.push(FtpCommand { session: self.number, line: line.to_owned() });
            self.behaviour = state.behaviour.clone();
            state.instead_of(line)
        };
        self.line = line.to_owned();
        let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
        let command = command.to_ascii_uppercase();
        let reply = if let Some(reply) = instead {
            reply
        } else if !self.behaviour.knows(&command) {
            format!("500 {command} is not understood")
        } else {
            match self.login_command(&command, argument)? {
                Some(then) => return Ok(then),
                None if !self.logged_in => "530 log in first".into(),
                None => return self.command(&command, argument),
            }
        };
        self.reply(&reply)?;
        Ok(Then::Go)
    }

    /// Commands that need no login.
    fn login_command(&mut self, command: &str, argument: &str) -> io::Result<Option<Then>> {
        let reply = match command {
            "USER" => {
                self.user = argument.into();
                "331 and the password?".into()
            }
            "PASS" => return self.password(argument).map(Some),
            "AUTH" => return self.auth().map(Some),
            "PBSZ" => "200 PBSZ=0".into(),
            "PROT" => {
                self.protected = argument.eq_ignore_ascii_case("P");
                format!("200 PROT {argument}")
            }
            "FEAT" => self.features(),
            "QUIT" => {
                self.reply("221 goodbye")?;
                return Ok(Some(Then::Close));
            }
            "SYST" => "215 UNIX Type: L8".into(),
            "NOOP" | "ACCT" | "CLNT" | "HOST" => format!("200 {command} is fine"),
            "OPTS" => self.options(argument),
            _ => return Ok(None),
        };
        self.reply(&reply)?;
        Ok(Some(Then::Go))
    }

    fn password(&mut self, password: &str) -> io::Result<Then> {
        let attempt = {
            let mut state = self.shared.lock();
            state.logins += 1;
            state.logins - 1
        };
        let refused = self.behaviour.logins_refused.iter().find(|(which, _)| which.includes(attempt));
        let (user, given) = (self.user.as_str(), password);
        let known =
            self.behaviour.login.as_ref().is_none_or(|(name, password)| name == user && password == given);
        let reply = match refused {
            Some((_, reply)) => reply.clone(),
            None if known => {
                self.logged_in = true;
                "230 come in".into()
            }
            None => "530 not you".into(),
        };
        self.reply(&reply)?;
        Ok(if reply.starts_with("421") { Then::Close } else { Then::Go })
    }

    fn auth(&mut self) -> io::Result<Then> {
        let config = self.shared.tls.clone().filter(|_| !self.control.wire.is_secure());
        let Some(config) = config else {
            self.reply("502 no TLS here")?;
            return Ok(Then::Go);
        };
        let injected = self.behaviour.after_auth.clone();
        let text = injected.map_or_else(|| "234 go on".into(), |injected| format!("234 go on\r\n{injected}"));
        self.reply(&text)?;
        self.control.secure(&config)?;
        Ok(Then::Go)
    }

    fn features(&self) -> String {
        let knows = |line: &&str| self.behaviour.knows(line.split(' ').next().unwrap_or_default());
        let plain = [
            "EPRT",
            "EPSV",
            "MDTM",
            "MFMT",
            "MLST type*;size*;modify*;",
            "REST STREAM",
            "SIZE",
            "TVFS",
            "UTF8",
        ];
        let mut lines: Vec<String> =
            plain.iter().filter(|line| knows(line)).map(|line| (*line).into()).collect();
        if self.shared.security != Security::None {
            lines.extend(["AUTH TLS", "PBSZ", "PROT"].map(String::from));
        }
        lines.extend(
            self.behaviour
                .blocks
                .as_ref()
                .map(|blocks| if blocks.says_marks { "MODE B;MARK" } else { "MODE B" }.into()),
        );
        for digest in &self.behaviour.digests {
            lines.push(match digest.as_str() {
                "HASH" => format!("HASH {}", self.algorithms()),
                other => other.into(),
            });
        }
        lines.iter().fold("211-extensions:\r\n".to_owned(), |text, line| text + " " + line + "\r\n")
            + "211 end"
    }

    fn algorithms(&self) -> String {
        let name = |a: Algorithm| format!("{}{}", a.name(), if a == self.algorithm { "*" } else { "" });
        Algorithm::ALL.map(name).join(";")
    }

    fn options(&mut self, argument: &str) -> String {
        let mut words = argument.split(' ');
        match (words.next().unwrap_or_default().to_ascii_uppercase().as_str(), words.next()) {
            ("UTF8", _) => "200 always UTF-8".into(),
            ("MLST", facts) => format!("200 MLST OPTS {}", facts.unwrap_or_default()),
            ("HASH", Some(name)) => match Algorithm::named(name) {
                Some(algorithm) => {
                    self.algorithm = algorithm;
                    format!("200 {}", algorithm.name())
                }
                None => "501 not that one".into(),
            },
            _ => "501 no such option".into(),
        }
    }

    fn command(&mut self, command: &str, argument: &str) -> io::Result<Then> {
        match command {
            "RETR" => return self.retrieve(argument),
            "STOR" => return self.store(argument, FtpVerb::Stor),
            "APPE" => return self.store(argument, FtpVerb::Appe),
            "LIST" => return self.list(argument, Kind::List),
            "NLST" => return self.list(argument, Kind::Names),
            "MLSD" => return self.list(argument, Kind::Facts),
            _ => {}
        }
        let reply = match command {
            "TYPE" => {
                self.image = argument.to_ascii_uppercase().starts_with('I');
                format!("200 TYPE {argument}")
            }
            "MODE" => {
                self.in_blocks = argument.eq_ignore_ascii_case("B");
                format!("200 MODE {argument}")
            }
            "STRU" | "ALLO" => format!("200 {command} {argument}"),
            "REST" => self.restart_at(argument),
            "EPSV" | "PASV" => self.passive(command)?,
            "EPRT" => self.active(eprt_address(argument)),
            "PORT" => self.active(port_address(argument)),
            "ABOR" => "226 nothing to stop".into(),
            "STAT" => "211 all is well".into(),
            _ => self.file_command(command, argument),
        };
        self.reply(&reply)?;
        Ok(Then::Go)
    }

    fn restart_at(&mut self, argument: &str) -> String {
        if let Rest::Refused(code) = self.behaviour.rest {
            return format!("{code} no REST");
        }
        match argument.parse() {
            Ok(offset) => {
                self.rest = offset;
                format!("350 Restarting at {offset}.")
            }
            Err(_) => "501 not an offset".into(),
        }
    }

    fn passive(&mut self, command: &str) -> io::Result<String> {
        let (meeting, port) = Meeting::open(self.behaviour.passive)?;
        self.meeting = Some(meeting);
        if command == "EPSV" {
            return Ok(format!("229 Entering Extended Passive Mode (|||{port}|)"));
        }
        let addr = match self.behaviour.passive {
            Passive::Foreign(addr) => addr,
            _ => Ipv4Addr::LOCALHOST,
        };
        Ok(format!("227 Entering Passive Mode ({})", pasv_numbers(addr, port)))
    }

    fn active(&mut self, addr: Option<std::net::SocketAddr>) -> String {
        let Some(addr) = addr else { return "501 not an address".into() };
        self.meeting = Some(Meeting::There(addr));
        "200 I shall call".into()
    }
}

fn begins(line: &str, command: &str) -> bool {
    line.get(..command.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(command))
}
