//! Bytes on data connections: RETR STOR APPE STOU LIST NLST MLSD, what is said before them (REST RANG ALLO) and what is
//! heard during them (ABOR STAT QUIT) (RFC 959 §4.1.3, 1123 §4.1.2 and §4.1.3, 3659 §5 and §7).

use std::mem;

use super::{Answer, Doing, Heard, Next, Session, refuse, say};
use crate::ftp::server::{
    glob,
    line::Line,
    request::{List, Move, Range, Request},
    step::{
        Ask, Data, Form, Incomplete, Mode, Outcome, Retrieve, Scope, Shape, Step, StoreWish, Structure,
        Style, Transfer, Transferred, Trouble, What,
    },
};

/// Where the next transfer begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    /// At the first byte.
    None,
    /// REST.
    At(u64),
    /// RANG: the first byte, and the one behind the last, and for STOR the upload that is meant.
    Part(u64, u64, Option<String>),
}

/// A transfer that was asked for.
#[derive(Debug)]
pub(super) struct Moving {
    /// What it is, for the 150.
    shown: Shown,
    shape: Shape,
    /// Whether it waits at a listener.
    passive: bool,
    /// The 150 was sent.
    begun: bool,
    /// STAT waits for figures.
    figures: bool,
    /// ABOR was said.
    aborted: bool,
}

/// What a 150 tells.
#[derive(Debug)]
enum Shown {
    /// A file on its way to the client.
    Sent(Vec<u8>),
    /// A file on its way from the client.
    Received(Vec<u8>),
    /// STOU.
    Unique,
    /// Names.
    List,
    /// MLSD's names.
    Folder,
}

impl Session {
    pub(super) fn rest(&mut self, offset: u64) -> Heard {
        self.may_restart(offset > 0)?;
        self.restart = if offset > 0 { Restart::At(offset) } else { Restart::None };
        Ok(say(350, format!("Restarting at {offset}.")))
    }

    pub(super) fn rang(&mut self, range: Range) -> Heard {
        match range {
            Range::Reset => {
                self.restart = Restart::None;
                Ok(say(350, "The whole file."))
            }
            Range::Of(first, last, of) => {
                self.may_restart(true)?;
                let named = of.as_ref().map(|of| format!(" of {of}")).unwrap_or_default();
                self.restart = Restart::Part(first, last.saturating_add(1), of);
                Ok(say(350, format!("From byte {first} to byte {last}{named}.")))
            }
        }
    }

    /// Whether a restart point can be of use: yes, as long as no TYPE A was said.
    fn may_restart(&self, wanted: bool) -> Result<(), Answer> {
        if wanted && self.form == Form::Ascii && self.form_said {
            return refuse(501, "There is no restart in TYPE A: TYPE I comes first.");
        }
        Ok(())
    }

    pub(super) fn allo(&mut self, size: Option<u64>) -> Next {
        self.declared = size;
        match size {
            Some(size) => say(200, format!("{size} bytes are expected.")),
            None => say(202, "No space needs to be allocated."),
        }
    }

    /// A command that uses the data connection; one that is refused uses it up as well.
    pub(super) fn transfer(&mut self, how: Move) -> Heard {
        let made = self.prepare(how).and_then(|(what, shown)| self.carry(what, shown));
        if made.is_err() {
            self.drop_data();
        }
        made
    }

    fn prepare(&mut self, how: Move) -> Result<(What, Shown), Answer> {
        match how {
            Move::Retr(path) => {
                let (from, to) = match self.restart()? {
                    Restart::None => (0, None),
                    Restart::At(from) => (from, None),
                    Restart::Part(from, to, _) => (from, Some(to)),
                };
                let what = Retrieve { path: self.place(&path)?, from, to };
                Ok((What::Retrieve(what), Shown::Sent(path)))
            }
            Move::Stor(path) => {
                let declared = self.declared();
                let wish = match self.restart()? {
                    Restart::Part(..) if self.mode != Mode::Stream || self.structure != Structure::File => {
                        return refuse(503, "A range of a file is sent in MODE S and STRU F.");
                    }
                    Restart::Part(..) if !self.terms.weaves => {
                        return refuse(503, "RANG is for RETR and HASH; REST is for STOR.");
                    }
                    Restart::Part(_, _, None) if declared.is_none() => {
                        return refuse(503, "ALLO tells the size of the file first, or RANG the upload.");
                    }
                    Restart::Part(from, to, of) => StoreWish::Range { from, to, of },
                    Restart::None => StoreWish::Anew,
                    Restart::At(from) => StoreWish::From(from),
                };
                Ok((What::Store { path: self.new_place(&path)?, wish, declared }, Shown::Received(path)))
            }
            Move::Appe(path) => {
                let declared = self.declared();
                self.no_restart("APPE begins at the end; REST is for STOR.")?;
                let what = What::Store { path: self.new_place(&path)?, wish: StoreWish::Append, declared };
                Ok((what, Shown::Received(path)))
            }
            Move::Stou(path) => {
                let declared = self.declared();
                self.no_restart("STOU begins a new file; REST is for STOR.")?;
                let place = path.map(|path| self.new_place(&path)).transpose()?;
                let folder = place.and_then(|place| place.parent()).unwrap_or_else(|| self.cwd.clone());
                Ok((What::Store { path: folder, wish: StoreWish::Unique, declared }, Shown::Unique))
            }
            Move::List(list) => self.list(&list, Style::Long),
            Move::Nlst(list) => self.list(&list, Style::Names),
            Move::Mlsd(path) => {
                let path = self.place(path.as_deref().unwrap_or_default())?;
                let scope = Scope { hidden: true, ..Scope::default() };
                Ok((What::List { path, glob: None, style: Style::Facts(self.facts), scope }, Shown::Folder))
            }
        }
    }

    /// What ALLO said is used up. In TYPE A and STRU R it counts bytes of the wire, of which another number is stored:
    /// then it says nothing.
    fn declared(&mut self) -> Option<u64> {
        self.declared.take().filter(|_| self.form == Form::Image && self.structure == Structure::File)
    }

    /// The restart point is used up, in whatever way it is.
    fn restart(&mut self) -> Result<Restart, Answer> {
        let restart = mem::replace(&mut self.restart, Restart::None);
        if restart != Restart::None && self.form == Form::Ascii {
            return refuse(501, "There is no restart in TYPE A: TYPE I and REST come first.");
        }
        Ok(restart)
    }

    fn no_restart(&mut self, why: &str) -> Result<(), Answer> {
        match mem::replace(&mut self.restart, Restart::None) {
            Restart::None => Ok(()),
            Restart::At(_) | Restart::Part(..) => refuse(503, why),
        }
    }

    fn list(&self, list: &List, style: Style) -> Result<(What, Shown), Answer> {
        let raw = list.path.as_deref().unwrap_or_default();
        let last = raw.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let (folder, glob) = if glob::is_pattern(last) {
            (raw.get(..raw.len() - last.len()).unwrap_or_default(), Some(last.to_vec()))
        } else {
            (raw, None)
        };
        Ok((What::List { path: self.place(folder)?, glob, style, scope: list.scope }, Shown::List))
    }

    fn carry(&mut self, what: What, shown: Shown) -> Heard {
        self.may_carry()?;
        let Some(data) = self.data.take() else {
            return refuse(425, "There is no data connection: PASV, EPSV, PORT or EPRT comes first.");
        };
        // A list has lines of its own, whatever is said of files.
        let structure = match what {
            What::List { .. } => Structure::File,
            What::Retrieve(_) | What::Store { .. } => self.structure,
        };
        let mode = match self.mode {
            Mode::Deflate(_) => Mode::Deflate(self.level),
            mode @ (Mode::Stream | Mode::Block) => mode,
        };
        let shape = Shape { form: self.form, structure, mode };
        let moving = Moving {
            shown,
            shape,
            passive: data == Data::Passive,
            begun: false,
            figures: false,
            aborted: false,
        };
        let transfer = Transfer { data, protected: self.protection.of_data(), shape, what };
        Ok(Next::Move(transfer, moving))
    }

    /// What came of a transfer so far.
    pub(super) fn moved(&mut self, mut moving: Moving, outcome: Outcome) {
        match outcome {
            Outcome::Started { size, name } if !moving.begun => {
                moving.begun = true;
                self.reply(moving.preliminary(size, name));
                self.doing = Doing::Moving(moving);
            }
            Outcome::StartedPart { upload } if !moving.begun => {
                moving.begun = true;
                self.reply(moving.part(&upload));
                self.doing = Doing::Moving(moving);
            }
            Outcome::Figures(figures) if moving.begun => {
                if mem::take(&mut moving.figures) {
                    self.reply(Answer::of_lines(211, "A transfer is running.", &[figures], "End."));
                }
                self.doing = Doing::Moving(moving);
            }
            Outcome::Marked { theirs, ours } if moving.begun => {
                // RFC 959 §4.2: the one reply whose text is exact.
                let ours = ours.to_string();
                let text = [b"MARK ".as_slice(), theirs.as_bytes(), b" = ", ours.as_bytes()].concat();
                self.reply(Answer::new(110, text));
                self.doing = Doing::Moving(moving);
            }
            Outcome::Transferred(end) if moving.begun => self.ended(&moving, &end),
            // RFC 3659 §7.2.1: the one thing that MLSD has another code for.
            Outcome::Refused(Trouble::NotAFolder) if matches!(moving.shown, Shown::Folder) => {
                if moving.passive {
                    self.steps.push_back(Step::Ask(Ask::Unlisten));
                }
                self.reply(Answer::new(501, "MLSD is of folders; MLST is of anything."));
            }
            Outcome::Refused(trouble) => self.ended(&moving, &Transferred::Failed(trouble)),
            _ => self.ended(
                &moving,
                &Transferred::Failed(Trouble::Local("the transfer is in disorder".to_owned())),
            ),
        }
    }

    fn ended(&mut self, moving: &Moving, end: &Transferred) {
        if moving.figures {
            self.reply(Answer::new(211, "The transfer has just ended."));
        }
        if !moving.begun && moving.passive {
            self.steps.push_back(Step::Ask(Ask::Unlisten));
        }
        match end {
            Transferred::Kept { why: Incomplete::Stopping, .. }
            | Transferred::Part { why: Some(Incomplete::Stopping), .. }
            | Transferred::Failed(Trouble::Stopping) => {
                self.go(Next::Bye(end.into()));
            }
            end => {
                self.reply(end.into());
                if moving.aborted {
                    self.reply(Answer::new(226, "ABOR is done."));
                }
            }
        }
    }

    /// A line that waits is heard during a transfer, if there is such a one: ABOR wherever it waits, STAT and QUIT where
    /// nothing waits before them.
    pub(super) fn overhear(&mut self) -> Option<()> {
        let Doing::Moving(moving) = &mut self.doing else { return None };
        let abort = self.waiting.iter().position(|line| request(line) == Some(Request::Abor));
        if let Some(at) = abort.filter(|_| moving.begun && !moving.aborted) {
            self.waiting.remove(at);
            moving.aborted = true;
            self.steps.push_back(Step::Ask(Ask::Abort));
            return Some(());
        }
        match self.waiting.front().and_then(request)? {
            Request::Status if moving.begun && !moving.figures && !self.quit => {
                self.waiting.pop_front();
                moving.figures = true;
                self.steps.push_back(Step::Ask(Ask::Figures));
                Some(())
            }
            Request::Quit if !self.quit => {
                self.waiting.pop_front();
                self.quit = true;
                Some(())
            }
            _ => None,
        }
    }

    /// ABOR where nothing runs: a data connection that was made is closed.
    pub(super) fn abor(&mut self) -> Next {
        self.drop_data();
        self.restart = Restart::None;
        say(226, "Nothing is running.")
    }
}

/// What a line that waits says.
pub(super) fn request(line: &Line) -> Option<Request> {
    match line {
        Line::Command(line) => Request::parse(line).ok(),
        Line::TooLong => None,
    }
}

impl Moving {
    /// The 150 of a part: whoever joins says the upload's name.
    fn part(&self, upload: &str) -> Answer {
        let path = match &self.shown {
            Shown::Received(path) => path.as_slice(),
            Shown::Sent(_) | Shown::Unique | Shown::List | Shown::Folder => &[],
        };
        let opening = format!("Upload {upload}: opening BINARY mode data connection for ");
        Answer::new(150, [opening.as_bytes(), path, b"."].concat())
    }

    /// The 150. A size stands in parentheses: clients look for it there.
    fn preliminary(&self, size: Option<u64>, name: Option<Vec<u8>>) -> Answer {
        let mode = match self.shape.form {
            Form::Image => "BINARY",
            Form::Ascii => "ASCII",
        };
        let opening = format!("Opening {mode} mode data connection for ");
        let text = match &self.shown {
            Shown::Sent(path) => {
                // What is sent in TYPE A has another size.
                let size = size
                    .filter(|_| self.shape.form == Form::Image && self.shape.structure == Structure::File);
                let size = size.map(|size| format!(" ({size} bytes)")).unwrap_or_default();
                [opening.as_bytes(), path, size.as_bytes(), b"."].concat()
            }
            Shown::Received(path) => [opening.as_bytes(), path, b"."].concat(),
            Shown::Unique => [b"FILE: ", name.unwrap_or_default().as_slice()].concat(),
            Shown::List | Shown::Folder => b"Here comes the list.".to_vec(),
        };
        Answer::new(150, text)
    }
}
