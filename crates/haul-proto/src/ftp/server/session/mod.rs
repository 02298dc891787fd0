//! One control connection of a server, as a machine (RFC 959 §5 and §6, 1123 §4.1): lines and outcomes come in, steps go
//! out. It knows no socket, no file, no account and no clock.
//!
//! ```text
//!                          +--------- Outcome ----------+
//!                          v                            |
//!   new --220--> Idle --line--> a reply, or Ask --> Asked(purpose)
//!     |          | ^  \
//!     |          | |   `- AUTH: 234, Secure --> Securing --secured()--> Idle, nobody is logged in
//!     |          | |
//!     |   RETR … | | Refused, or Transferred: 226, 4yz, 5yz (and 226 to ABOR)
//!     |          v |
//!     |         Moving: Started: 150. Marked: 110. Heard meanwhile: ABOR (Ask::Abort), STAT (Ask::Figures), QUIT
//!     |
//!     +-- QUIT 221, HTTP 421, too many failed logins or bad lines 421, stop() 421 --> Close --> Ended
//!
//!   login:   Nobody --USER 331--> Named --PASS 230--> In, or 530: Nobody
//!            Nobody --USER, a certificate was shown: Ask::Recognise--> In 232, Named 331, or 530: Nobody
//!            Named, In --REIN 220, AUTH 234--> Nobody; --USER--> as if nobody had been there
//!   host:    none --HOST 220, before USER--> meant --REIN: Ask::AnyHost--> none
//!   data:    nothing --PASV 227, EPSV 229, PORT 200, EPRT 200--> set up --any transfer, ABOR REIN AUTH--> nothing
//!   restart: none --REST n 350, RANG a b 350--> pending --RETR STOR APPE STOU, however they end--> none
//!                                                       `--HASH (of RANG), ABOR REIN AUTH--> none
//!   size:    none --ALLO n 200--> declared --STOR APPE STOU, however they end, REIN AUTH--> none
//!   rename:  none --RNFR 350--> pending --any command; RNTO 250--> none
//! ```
//!
//! Lines may be given at any time, as long as [`Session::wants_line`] says so. They wait until what came before them is
//! answered, so that replies stay in order; only ABOR passes the ones that wait, and STAT and QUIT are heard during a
//! transfer where nothing waits before them.
//!
//! **The type and REST.** A session begins in TYPE A (RFC 959 §5.1), where an offset means nothing. Who has *said* TYPE A
//! gets 501 to REST n (but not to REST 0). Who has said no TYPE gets 350, since that is how people test for resume, and a
//! TYPE I may still come; if it does not, the RETR or STOR that follows is refused with 501. RANG is the same; before STOR
//! it makes it a part of a file. REST then APPE is refused with 503: servers differ in what it means. After each of these
//! the restart point is forgotten. The markers of MODE B are offsets, too: what a 110 tells, and what stands in a block of
//! a marker, is for REST.

mod about;
mod data;
mod files;
mod login;
mod setup;
mod sums;
mod transfer;

use std::{collections::VecDeque, mem};

use haul_core::{Algorithm, TreePath};

use self::{
    login::Who,
    setup::Protection,
    transfer::{Moving, Restart},
};
use super::{
    answer::Answer,
    facts::Chosen,
    line::Line,
    request::{Refusal, Request, Said},
    step::{Ask, Data, Form, Level, Mode, Outcome, Step, Structure, Terms, Transfer, Trouble},
};
use crate::ftp::hash::Kind;

/// The most lines that wait.
const MOST_WAITING: usize = 32;
/// After so many lines in a row that are no command whoever is there speaks something else.
const MOST_BAD: u32 = 100;

/// What HASH uses until OPTS HASH says otherwise.
const FIRST_HASH: Kind = Kind::Digest(Algorithm::Sha256);

/// One control connection.
#[derive(Debug)]
pub struct Session {
    terms: Terms,
    steps: VecDeque<Step>,
    waiting: VecDeque<Line>,
    doing: Doing,
    who: Who,
    /// A host was named that is here.
    hosted: bool,
    /// The client has shown a certificate, which somebody vouches for.
    certified: bool,
    /// Failed logins.
    failed: u32,
    /// Lines in a row that were no command.
    bad: u32,
    protection: Protection,
    cwd: TreePath,
    form: Form,
    structure: Structure,
    mode: Mode,
    /// What OPTS says of MODE Z.
    level: Level,
    /// Whether a TYPE was said.
    form_said: bool,
    data: Option<Data>,
    /// EPSV ALL was said.
    only_epsv: bool,
    restart: Restart,
    declared: Option<u64>,
    rename: Option<TreePath>,
    facts: Chosen,
    hash: Kind,
    quit: bool,
    stop: Option<String>,
}

/// What is under way.
#[derive(Debug)]
enum Doing {
    /// Nothing: the next line may be heard.
    Nothing,
    /// An outcome is waited for.
    Asked(Purpose),
    /// A transfer.
    Moving(Moving),
    /// TLS begins.
    Securing,
    /// Nothing will be heard any more.
    Ended,
}

/// What an outcome is wanted for.
#[derive(Debug)]
enum Purpose {
    /// PASS of this name.
    LogIn(Vec<u8>),
    /// USER of this name, by somebody who has shown a certificate.
    Recognise(Vec<u8>),
    /// PASV or EPSV.
    Listen(data::Passive),
    /// HOST.
    Host,
    /// Something has to be looked at.
    Look(files::Looked),
    /// STAT of a folder.
    List(files::Shown),
    /// Once it is done, this is the reply.
    Do(Answer),
    /// SIZE in TYPE A.
    AsciiSize,
    /// HASH and its like.
    Sum(sums::Wanted),
    /// AVBL.
    Space,
    /// SITE RANG.
    Ranges,
    /// SITE WHO.
    Who,
}

/// What a command or an outcome leads to.
#[derive(Debug)]
enum Next {
    /// It is answered.
    Say(Answer),
    /// Something else comes first.
    Ask(Ask, Purpose),
    /// Bytes are moved.
    Move(Transfer, Moving),
    /// It is answered, and TLS begins.
    Secure(Answer),
    /// It is answered, and the connection ends.
    Bye(Answer),
}

/// What a handler gives: what comes next, or the reply that it cannot be.
type Heard = Result<Next, Answer>;

/// A reply of one line.
fn say(code: u16, text: impl AsRef<[u8]>) -> Next {
    Next::Say(Answer::new(code, text))
}

/// A refusal of one line.
fn refuse<T>(code: u16, text: &str) -> Result<T, Answer> {
    Err(Answer::new(code, text))
}

impl Session {
    /// A connection that was just made: the greeting is the first step.
    pub fn new(mut terms: Terms) -> Self {
        // A listener for both families tells IPv4 peers as IPv6 ones.
        terms.peer = terms.peer.to_canonical();
        let greeting = Answer::new(220, &terms.banner);
        Self {
            protection: Protection::at_first(terms.tls),
            terms,
            steps: VecDeque::from([Step::Reply(greeting.into_bytes())]),
            waiting: VecDeque::new(),
            doing: Doing::Nothing,
            who: Who::Nobody,
            hosted: false,
            certified: false,
            failed: 0,
            bad: 0,
            cwd: TreePath::ROOT,
            form: Form::Ascii,
            structure: Structure::File,
            mode: Mode::Stream,
            level: Level::default(),
            form_said: false,
            data: None,
            only_epsv: false,
            restart: Restart::None,
            declared: None,
            rename: None,
            facts: Chosen::default(),
            hash: FIRST_HASH,
            quit: false,
            stop: None,
        }
    }

    /// A line came. One that comes although [`Self::wants_line`] says no is lost.
    pub fn receive(&mut self, line: Line) {
        if self.wants_line() {
            self.waiting.push_back(line);
        }
    }

    /// Whether another line may be given. No: too many wait, or the session has ended.
    pub fn wants_line(&self) -> bool {
        self.waiting.len() < MOST_WAITING && !matches!(self.doing, Doing::Ended)
    }

    /// What was asked for was done, or not. An outcome that nothing has asked for changes nothing.
    pub fn complete(&mut self, outcome: Outcome) {
        if matches!((&self.doing, &outcome), (Doing::Asked(_), Outcome::Figures(_) | Outcome::Marked { .. }))
        {
            // Of a transfer that has ended meanwhile.
            return;
        }
        match mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Asked(purpose) => {
                let next = self.done(purpose, outcome);
                self.go(next);
            }
            Doing::Moving(moving) => self.moved(moving, outcome),
            other => self.doing = other,
        }
    }

    /// TLS has begun on the control connection.
    pub fn secured(&mut self) {
        if matches!(self.doing, Doing::Securing) {
            self.doing = Doing::Nothing;
            // What came in the clear is not heard (RFC 4217 §4).
            self.waiting.clear();
        }
    }

    /// The client has shown a certificate on the control connection, which somebody vouches for: who it is may be known by
    /// that (RFC 4217 §16.2).
    pub fn certified(&mut self) {
        self.certified = true;
    }

    /// The server is being stopped: 421 as soon as nothing is under way.
    pub fn stop(&mut self, why: &str) {
        self.stop = Some(why.to_owned());
    }

    /// What to do next; `None`: wait for a line or an outcome.
    pub fn poll(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Some(step);
            }
            match self.doing {
                Doing::Nothing if self.quit => self.go(Next::Bye(Answer::new(221, "Goodbye."))),
                Doing::Nothing if self.stop.is_some() => {
                    let why = self.stop.take().unwrap_or_default();
                    self.go(Next::Bye(Answer::new(421, why)));
                }
                Doing::Nothing => {
                    let Some(line) = self.waiting.pop_front() else {
                        // A session is mostly idle: nothing is kept for it then.
                        (self.steps, self.waiting) = (VecDeque::new(), VecDeque::new());
                        return None;
                    };
                    let next = self.hear(&line);
                    self.go(next);
                }
                Doing::Moving(_) => self.overhear()?,
                Doing::Asked(_) | Doing::Securing | Doing::Ended => return None,
            }
        }
    }

    /// Whether QUIT was said: that the control connection ends then is no accident.
    pub fn has_quit(&self) -> bool {
        self.quit || self.waiting.iter().any(|line| transfer::request(line) == Some(Request::Quit))
    }

    fn hear(&mut self, line: &Line) -> Next {
        let rename = self.rename.take();
        let said = match line {
            Line::Command(line) => Said::of(line),
            Line::TooLong => Err(Refusal::TooLong),
        };
        let said = match said {
            Ok(said) => said,
            Err(refusal) => return self.no_command(refusal),
        };
        self.bad = 0;
        if !said.verb.open && !self.who.is_in() {
            return say(530, "Log in first, with USER and PASS.");
        }
        match said.read() {
            Ok(request) => self.obey(request, rename).unwrap_or_else(Next::Say),
            Err(refusal) => Next::Say(refusal.into()),
        }
    }

    fn no_command(&mut self, refusal: Refusal) -> Next {
        self.bad += 1;
        if refusal == Refusal::Http {
            Next::Bye(refusal.into())
        } else if self.bad >= MOST_BAD {
            Next::Bye(Answer::new(421, "Too many lines that are no command."))
        } else {
            Next::Say(refusal.into())
        }
    }

    fn obey(&mut self, request: Request, rename: Option<TreePath>) -> Heard {
        match request {
            Request::User(name) => self.user(name),
            Request::Pass(password) => self.pass(password),
            Request::Acct => Ok(say(202, "No account is needed.")),
            Request::Host(name) => self.host(name),
            Request::Rein => Ok(self.rein()),
            Request::Quit => Ok(self.quit()),
            Request::Auth { data } => self.auth(data),
            Request::Pbsz => self.pbsz(),
            Request::Prot { private } => self.prot(private),
            Request::Ccc => refuse(533, "What is protected stays so."),
            Request::Clnt => Ok(say(200, "Noted.")),
            Request::Csid => Ok(say(200, about::OURSELVES)),
            Request::Lang => Ok(say(200, "Replies are in English.")),
            Request::Noop => Ok(say(200, "Done.")),
            Request::Syst => Ok(say(215, "UNIX Type: L8")),
            Request::Feat => Ok(self.feat()),
            Request::Opts(opts) => Ok(self.opts(opts)),
            Request::Help(of) => about::help(of.as_deref()),
            Request::SiteHelp => Ok(about::site_help()),
            Request::Ranges(path) => Ok(Next::Ask(Ask::Ranges(self.place(&path)?), Purpose::Ranges)),
            Request::Who => Ok(Next::Ask(Ask::Who, Purpose::Who)),
            Request::Status => Ok(self.status()),
            Request::Avbl(path) => self.avbl(path.as_deref()),
            Request::Type(form) => Ok(self.form(form)),
            Request::Stru(structure) => Ok(self.structure(structure)),
            Request::Mode(mode) => self.mode(mode),
            Request::Port(to) => self.active(to.into()),
            Request::Eprt(to) => self.active(to),
            Request::Pasv => self.pasv(),
            Request::Epsv(family) => self.epsv(family),
            Request::EpsvAll => Ok(self.epsv_all()),
            Request::Rest(offset) => self.rest(offset),
            Request::Rang(range) => self.rang(range),
            Request::Allo(size) => Ok(self.allo(size)),
            Request::Abor => Ok(self.abor()),
            Request::Move(how) => self.transfer(how),
            Request::Cwd(path) => self.cwd(&path),
            Request::Cdup => Ok(self.cdup()),
            Request::Pwd => Ok(self.pwd()),
            Request::Mkd(path) => self.mkd(&path),
            Request::Rmd(path) => self.rmd(&path),
            Request::Dele(path) => self.dele(&path),
            Request::Rnfr(path) => self.rnfr(&path),
            Request::Rnto(path) => self.rnto(&path, rename),
            Request::Size(path) => self.size(&path),
            Request::Mdtm(path) => self.mdtm(&path),
            Request::Mlst(path) => self.mlst(path.as_deref()),
            Request::Stat(list) => self.stat(&list),
            Request::Mfmt { to, path } => self.mfmt(to, &path),
            Request::Chmod { mode, path } => self.chmod(mode, &path),
            Request::Hash(path) => self.hash(path),
            Request::XHash { kind, path, part } => self.x_hash(kind, &path, part),
        }
    }

    /// What an outcome leads to.
    fn done(&mut self, purpose: Purpose, outcome: Outcome) -> Next {
        match (purpose, outcome) {
            (_, Outcome::Refused(trouble)) => refused(&trouble),
            (Purpose::LogIn(name), Outcome::Login(login)) => self.let_in(name, login),
            (Purpose::Recognise(name), Outcome::Login(login)) => self.recognised(name, login),
            (Purpose::Listen(how), Outcome::Listening(at)) => self.listening(how, at),
            (Purpose::Host, Outcome::Host(hosted)) => self.hosted(hosted),
            (Purpose::Look(why), Outcome::Seen(seen)) => self.seen(why, &seen),
            (Purpose::List(shown), Outcome::Listed { entries, now }) => shown.folder(&entries, now),
            (Purpose::Do(answer), Outcome::Done) => Next::Say(answer),
            (Purpose::AsciiSize, Outcome::AsciiSize(size)) => say(213, size.to_string()),
            (Purpose::Sum(wanted), Outcome::Sum(sum)) => wanted.answer(&sum),
            (Purpose::Ranges, Outcome::Ranges(there)) => about::ranges(&there),
            (Purpose::Space, Outcome::Space(space)) => about::space(space),
            (Purpose::Who, Outcome::Who(lines)) => {
                Next::Say(Answer::of_lines(211, "Who is here:", &lines, "End."))
            }
            (_, _) => unasked(),
        }
    }

    fn go(&mut self, next: Next) {
        match next {
            Next::Say(answer) => self.reply(answer),
            Next::Ask(ask, purpose) => {
                self.steps.push_back(Step::Ask(ask));
                self.doing = Doing::Asked(purpose);
            }
            Next::Move(transfer, moving) => {
                self.steps.push_back(Step::Ask(Ask::Transfer(transfer)));
                self.doing = Doing::Moving(moving);
            }
            Next::Secure(answer) => {
                self.reply(answer);
                self.steps.push_back(Step::Secure);
                self.doing = Doing::Securing;
            }
            Next::Bye(answer) => {
                self.reply(answer);
                self.steps.push_back(Step::Close);
                self.waiting.clear();
                self.doing = Doing::Ended;
            }
        }
    }

    fn reply(&mut self, answer: Answer) {
        self.steps.push_back(Step::Reply(answer.into_bytes()));
    }
}

/// It can't be done; a server that is being stopped says so and ends.
fn refused(trouble: &Trouble) -> Next {
    match trouble {
        Trouble::Stopping => Next::Bye(trouble.into()),
        trouble => Next::Say(trouble.into()),
    }
}

/// The driver told something that was not asked for.
fn unasked() -> Next {
    refused(&Trouble::Local("the answer is not to the question".to_owned()))
}

#[cfg(test)]
mod tests;
