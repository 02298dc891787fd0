//! Names: folders, what is known of a file, and what changes one (RFC 959 §4.1.3, 3659 §3, §4 and §7,
//! draft-somers-ftp-mfxx).

use haul_core::{BadPath, Modified, TreePath};

use super::{Answer, Heard, Next, Purpose, Session, refuse, say};
use crate::ftp::{
    quote,
    server::{
        facts, listing,
        request::List,
        step::{Ask, Form, Listed, Scope, Trouble},
    },
    time,
};

/// Why something is looked at.
#[derive(Debug)]
pub(super) enum Looked {
    /// CWD.
    Enter(TreePath),
    /// SIZE.
    Size,
    /// MDTM.
    Modified,
    /// MLST; the path to show.
    Facts(Vec<u8>),
    /// RNFR.
    Rename(TreePath),
    /// STAT.
    Status(TreePath, Shown),
}

/// What STAT of a path shows.
#[derive(Debug)]
pub(super) struct Shown {
    scope: Scope,
}

impl Session {
    /// Where a path leads that should be there.
    pub(super) fn place(&self, raw: &[u8]) -> Result<TreePath, Answer> {
        self.cwd.join(raw).map_err(|bad| match bad {
            // To a client there is nothing of that name, and nothing to be told of it.
            BadPath::Reserved | BadPath::Control | BadPath::TooLong => Answer::from(&Trouble::NotFound),
        })
    }

    /// Where a path leads that is to be made.
    pub(super) fn new_place(&self, raw: &[u8]) -> Result<TreePath, Answer> {
        self.cwd.join(raw).map_err(|bad| Answer::new(553, format!("No such name can be given: {bad}.")))
    }

    fn look(&self, path: TreePath, why: Looked) -> Next {
        Next::Ask(Ask::Look(path), Purpose::Look(why))
    }

    pub(super) fn cwd(&self, raw: &[u8]) -> Heard {
        let path = self.place(raw)?;
        Ok(self.look(path.clone(), Looked::Enter(path)))
    }

    pub(super) fn cdup(&mut self) -> Next {
        self.cwd = self.cwd.parent().unwrap_or_default();
        self.now_in()
    }

    fn now_in(&self) -> Next {
        Next::Say(Answer::new(250, [b"Now in ".as_slice(), &self.cwd.absolute(), b"."].concat()))
    }

    pub(super) fn pwd(&self) -> Next {
        let path = quote::quoted(&self.cwd.absolute());
        Next::Say(Answer::new(257, [path.as_slice(), b" is the present folder."].concat()))
    }

    pub(super) fn mkd(&self, raw: &[u8]) -> Heard {
        let path = self.new_place(raw)?;
        let made = Answer::new(257, [quote::quoted(&path.absolute()).as_slice(), b" is made."].concat());
        Ok(Next::Ask(Ask::MakeFolder(path), Purpose::Do(made)))
    }

    pub(super) fn rmd(&self, raw: &[u8]) -> Heard {
        let removed = Answer::new(250, "The folder is removed.");
        Ok(Next::Ask(Ask::RemoveFolder(self.place(raw)?), Purpose::Do(removed)))
    }

    pub(super) fn dele(&self, raw: &[u8]) -> Heard {
        Ok(Next::Ask(Ask::Remove(self.place(raw)?), Purpose::Do(Answer::new(250, "Removed."))))
    }

    pub(super) fn rnfr(&self, raw: &[u8]) -> Heard {
        let path = self.place(raw)?;
        Ok(self.look(path.clone(), Looked::Rename(path)))
    }

    pub(super) fn rnto(&self, raw: &[u8], from: Option<TreePath>) -> Heard {
        let Some(from) = from else { return refuse(503, "RNFR comes first.") };
        let to = self.new_place(raw)?;
        Ok(Next::Ask(Ask::Rename { from, to }, Purpose::Do(Answer::new(250, "Renamed."))))
    }

    pub(super) fn size(&self, raw: &[u8]) -> Heard {
        let path = self.place(raw)?;
        Ok(match self.form {
            Form::Image => self.look(path, Looked::Size),
            Form::Ascii => Next::Ask(Ask::AsciiSize(path), Purpose::AsciiSize),
        })
    }

    pub(super) fn mdtm(&self, raw: &[u8]) -> Heard {
        Ok(self.look(self.place(raw)?, Looked::Modified))
    }

    pub(super) fn mlst(&self, raw: Option<&[u8]>) -> Heard {
        let path = self.place(raw.unwrap_or_default())?;
        let shown = path.absolute();
        Ok(self.look(path, Looked::Facts(shown)))
    }

    pub(super) fn stat(&self, list: &List) -> Heard {
        if !self.who.is_in() {
            return refuse(530, "Log in first, with USER and PASS.");
        }
        let path = self.place(list.path.as_deref().unwrap_or_default())?;
        Ok(self.look(path.clone(), Looked::Status(path, Shown { scope: list.scope })))
    }

    pub(super) fn mfmt(&self, to: Modified, raw: &[u8]) -> Heard {
        let path = self.place(raw)?;
        let moment = time::time_val(to).unwrap_or_default();
        let done = Answer::new(213, [b"Modify=", moment.as_bytes(), b"; ", raw].concat());
        Ok(Next::Ask(Ask::SetModified(path, to), Purpose::Do(done)))
    }

    pub(super) fn chmod(&self, mode: u32, raw: &[u8]) -> Heard {
        let done = Answer::new(200, format!("The mode is {mode:03o}."));
        Ok(Next::Ask(Ask::SetMode(self.place(raw)?, mode), Purpose::Do(done)))
    }

    /// What a look leads to.
    pub(super) fn seen(&mut self, why: Looked, seen: &Listed) -> Next {
        let refused = |trouble: Trouble| Next::Say(Answer::from(&trouble));
        match why {
            Looked::Enter(_) if !seen.folder => refused(Trouble::NotAFolder),
            Looked::Enter(path) => {
                self.cwd = path;
                self.now_in()
            }
            Looked::Size if seen.folder => refused(Trouble::NotAFile),
            Looked::Size => say(213, seen.size.to_string()),
            Looked::Modified => match time::time_val(seen.modified) {
                Some(moment) => say(213, moment),
                None => refused(Trouble::Local("its date cannot be written".to_owned())),
            },
            Looked::Facts(path) => {
                let line = facts::line_of(&path, seen, self.facts);
                Next::Say(Answer::of_lines(250, "Facts:", &[line], "End."))
            }
            // Nobody is asked for a new name in vain.
            Looked::Rename(path) if path.is_root() || !seen.may.delete => refused(Trouble::Denied),
            Looked::Rename(path) => {
                self.rename = Some(path);
                say(350, "Now RNTO and the new name.")
            }
            Looked::Status(path, shown) if seen.folder && !shown.scope.itself => {
                Next::Ask(Ask::LookInto(path), Purpose::List(shown))
            }
            Looked::Status(..) => {
                // What time it is was not told: the date is written with its year.
                Next::Say(Answer::of_lines(213, "Status:", &[long(seen, i64::MAX)], "End."))
            }
        }
    }
}

impl Shown {
    /// A folder on the control connection, as LIST would tell it.
    pub(super) fn folder(&self, entries: &[Listed], now: i64) -> Next {
        let shown = entries.iter().filter(|entry| self.scope.hidden || !entry.name.starts_with(b"."));
        let lines: Vec<Vec<u8>> = shown.map(|entry| long(entry, now)).collect();
        Next::Say(Answer::of_lines(212, "Status:", &lines, "End."))
    }
}

fn long(entry: &Listed, now: i64) -> Vec<u8> {
    let mut line = Vec::new();
    listing::long(entry, now, &mut line);
    line
}
