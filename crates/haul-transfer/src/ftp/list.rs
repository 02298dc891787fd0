//! What is in a folder: MLSD where FEAT knows it (RFC 3659 §7), else LIST (RFC 959 §4.1.3).
//!
//! A folder is entered first and listed without an argument: servers take `-rf` for options and `a[b]` for a pattern.
//! Who enters a folder has to find the way back before the session is lent again ([`Session::folder`]).
//!
//! A list is somebody else's: its lines, its length and its time have limits, and no name in it leads out of the
//! folder. What a name must not be beyond that is decided where a file gets it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use haul_proto::ftp::{
    Command, Reply,
    entry::{Entry, Line},
    facts::{Facts, Type},
    line::{LineTooLong, Lines},
    list, quote,
    reply::Class,
};

use super::{FtpError, Piece, Session, login::refused};

/// The longest line, in bytes: facts and a name, or a link with its target.
const LONGEST_LINE: usize = 16 << 10;
/// The longest list of one folder, in bytes …
const LONGEST_LIST: u64 = 64 << 20;
/// … and in entries …
const MOST_ENTRIES: usize = 500_000;
/// … and in time, however it drips.
const LONGEST_TIME: Duration = Duration::from_secs(15 * 60);
/// So many names are told that are no names.
const MOST_UNSAFE: usize = 100;

/// What came of a list.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Files, folders, links.
    pub(crate) items: Vec<Item>,
    /// Names that could lead out of the folder: some of them …
    pub(crate) refused: Vec<Vec<u8>>,
    /// … and how many more.
    pub(crate) refused_more: u64,
    /// How many lines were in no known form.
    pub(crate) unreadable: u64,
    /// TLS ended without a farewell: a good reply came, but nobody vouches for the last lines.
    pub(crate) cut: bool,
    /// The identity of the folder itself on its server, where told (the `unique` fact of its `cdir`).
    pub(crate) unique: Option<Vec<u8>>,
}

/// One entry.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) entry: Entry,
    /// A folder's identity on its server, where told (RFC 3659 §7.5.2).
    pub(crate) unique: Option<Vec<u8>>,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// The dialogue failed.
    #[error(transparent)]
    Ftp(#[from] FtpError),
    /// There is no data connection to be had: nothing was asked for.
    #[error(transparent)]
    NoWay(FtpError),
    /// What came is no list, or has no end. To ask again would not help.
    #[error("{0}")]
    NoList(String),
}

impl From<LineTooLong> for ListError {
    fn from(error: LineTooLong) -> Self {
        Self::NoList(format!("{error} in a list"))
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Mlsd,
    List,
}

impl Session {
    /// The folder that the session is in, where the server tells it (PWD).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub(crate) async fn folder(&mut self) -> Result<Option<Vec<u8>>, FtpError> {
        let reply = self.command(&Command::pwd()).await?;
        Ok(quote::pathname(&reply).filter(|path| path.starts_with(b"/")))
    }

    /// Enters a folder (CWD).
    ///
    /// # Errors
    /// As [`Session::command`]; `Refused` where there is no such folder.
    pub(crate) async fn enter(&mut self, folder: &[u8]) -> Result<(), FtpError> {
        let command = Command::cwd(folder)?;
        let reply = self.command(&command).await?;
        if reply.is_completion() { Ok(()) } else { Err(refused(&command, reply)) }
    }

    /// What is in the folder that the session is in.
    ///
    /// # Errors
    /// As [`Session::start`], and what comes is no list.
    pub(crate) async fn list(&mut self) -> Result<Listing, ListError> {
        if !self.features().mlsd && self.features().mlst.is_none() {
            return self.list_as(Form::List).await;
        }
        self.ask_for_identities().await?;
        match self.list_as(Form::Mlsd).await {
            // FEAT promised too much.
            Err(ListError::Ftp(FtpError::Refused { reply, .. }))
                if matches!(reply.code().get(), 500..=504) =>
            {
                self.list_as(Form::List).await
            }
            listed => listed,
        }
    }

    /// Without the fact `unique` a folder that contains itself is not known again (pyftpdlib tells it on demand only).
    async fn ask_for_identities(&mut self) -> Result<(), FtpError> {
        let known = self.features().mlst.as_deref().unwrap_or_default();
        if !known.iter().any(|fact| fact.name == "unique" && !fact.enabled) {
            return Ok(());
        }
        let wanted = |name: &str| matches!(name, "unique" | "type" | "size" | "modify" | "perm");
        let names = known.iter().map(|fact| fact.name.as_str()).filter(|name| wanted(name));
        let names: Vec<String> = names.map(str::to_owned).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // Whatever it says: it is a favour.
        self.command(&Command::opts_mlst(&names)?).await?;
        Ok(())
    }

    async fn list_as(&mut self, form: Form) -> Result<Listing, ListError> {
        let command = match form {
            Form::Mlsd => Command::mlsd(None),
            Form::List => Command::list(None),
        }
        .map_err(FtpError::from)?;
        let mut data = match self.start(0, &command).await {
            Ok(started) => started.data,
            Err(FtpError::Refused { reply, .. }) if form == Form::List && says_empty(&reply) => {
                return Ok(Listing::default());
            }
            Err(error @ FtpError::Data { .. }) if self.is_usable() => return Err(ListError::NoWay(error)),
            Err(error) => return Err(error.into()),
        };
        let mut reading = Reading::new(form);
        let began = Instant::now();
        let patience = self.options.patience;
        loop {
            let doing = "in the middle of a list";
            let piece = tokio::time::timeout(patience, data.read()).await;
            let piece =
                piece.map_err(|_elapsed| FtpError::Silent { doing, seconds: patience.as_secs() })??;
            match piece {
                Piece::Bytes(bytes) => reading.take(&bytes)?,
                Piece::End { clean } => {
                    reading.listing.cut = !clean;
                    break;
                }
            }
            if began.elapsed() > LONGEST_TIME {
                return Err(ListError::NoList("the server's list does not come to an end".to_owned()));
            }
        }
        drop(data);
        let reply = self.finish_now().await?;
        let listing = reading.end();
        let empty = listing.items.is_empty() && listing.refused.is_empty();
        // vsftpd says 226 even then.
        if !reply.is_completion() || (empty && says_failed(&reply)) {
            return Err(refused(&command, reply).into());
        }
        Ok(listing)
    }
}

/// A list as it comes in.
struct Reading {
    form: Form,
    lines: Lines,
    bytes: u64,
    /// The longest list, in bytes and in entries.
    most: (u64, usize),
    now: i64,
    listing: Listing,
}

impl Reading {
    fn new(form: Form) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let most = (LONGEST_LIST, MOST_ENTRIES);
        Self { form, lines: Lines::new(LONGEST_LINE), bytes: 0, most, now, listing: Listing::default() }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), ListError> {
        self.bytes += bytes.len() as u64;
        while let Some(line) = self.lines.advance(&mut bytes)? {
            self.line(&line);
        }
        let (bytes, entries) = self.most;
        if self.bytes > bytes || self.listing.items.len() > entries {
            let most = bytes >> 20;
            return Err(ListError::NoList(format!(
                "the server's list does not come to an end (more than {entries} entries or {most} MiB)"
            )));
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) {
        let (line, unique) = match self.form {
            Form::List => (list::parse(line, self.now), None),
            Form::Mlsd if line.trim_ascii().is_empty() => return,
            Form::Mlsd => match Facts::parse(line) {
                Some(mut facts) => {
                    let unique = facts.unique.take();
                    match facts.kind {
                        Some(Type::Cdir) => self.listing.unique = unique.clone(),
                        Some(Type::Dir) => {}
                        _ => return self.entry(facts.into_line(), None),
                    }
                    (facts.into_line(), unique)
                }
                None => (Line::Unreadable, None),
            },
        };
        self.entry(line, unique);
    }

    fn entry(&mut self, line: Line, unique: Option<Vec<u8>>) {
        match line {
            Line::Entry(entry) => self.listing.items.push(Item { entry, unique }),
            Line::Nothing => {}
            Line::Unsafe(name) if self.listing.refused.len() < MOST_UNSAFE => self.listing.refused.push(name),
            Line::Unsafe(_) => self.listing.refused_more += 1,
            Line::Unreadable => self.listing.unreadable += 1,
        }
    }

    fn end(mut self) -> Listing {
        if let Some(line) = self.lines.finish() {
            self.line(&line);
        }
        self.listing
    }
}

/// Some servers have no list of an empty folder.
fn says_empty(reply: &Reply) -> bool {
    let no = matches!(reply.class(), Class::TransientNegative | Class::PermanentNegative);
    no && text(reply).contains("no files")
}

/// Whether a good code comes with bad words: `226 Transfer done (but failed to open directory).`
fn says_failed(reply: &Reply) -> bool {
    ["failed", "denied", "unable"].iter().any(|word| text(reply).contains(word))
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(reply.last_line()).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use haul_proto::ftp::ReplyParser;

    use super::*;

    fn read(form: Form, chunks: &[&str]) -> Result<Listing, ListError> {
        let mut reading = Reading { most: (200_000, 1000), ..Reading::new(form) };
        chunks.iter().try_for_each(|chunk| reading.take(chunk.as_bytes()))?;
        Ok(reading.end())
    }

    fn names(listing: &Listing) -> Vec<String> {
        listing.items.iter().map(|item| String::from_utf8_lossy(item.entry.name.as_bytes()).into()).collect()
    }

    #[test]
    fn a_list_is_read_however_it_is_cut() {
        let text = "type=cdir;unique=1; .\r\ntype=dir;unique=2; a b\r\ntype=file;size=1; -x\r\nnonsense\r\n\
                    type=file; ../x\r\ntype=file;size=2; last";
        for cut in 0..text.len() {
            let listing = read(Form::Mlsd, &[&text[..cut], &text[cut..]]).unwrap();
            assert_eq!(names(&listing), ["a b", "-x", "last"]);
            assert_eq!((listing.unique.as_deref(), listing.unreadable), (Some(&b"1"[..]), 1));
            assert_eq!(listing.items[0].unique.as_deref(), Some(&b"2"[..]));
            assert_eq!(listing.refused, [b"../x".to_vec()]);
        }
    }

    #[test]
    fn lines_and_lists_have_limits() {
        let long = "x".repeat(LONGEST_LINE + 2);
        assert!(matches!(read(Form::List, &[&long]), Err(ListError::NoList(_))));
        let some = "-rw-r--r-- 1 a b 1 Jan  1  2020 name\r\n".repeat(100);
        assert!(read(Form::List, &[some.as_str(); 10]).is_ok());
        let error = read(Form::List, &[some.as_str(); 11]).unwrap_err();
        assert!(error.to_string().contains("does not come to an end"), "{error}");
        let blank = "\r\n".repeat(10_000);
        assert!(read(Form::List, &[blank.as_str(); 10]).is_ok());
        assert!(matches!(read(Form::List, &[blank.as_str(); 11]), Err(ListError::NoList(_))));
    }

    #[test]
    fn names_that_are_none_are_counted_and_not_kept() {
        let many = "type=file; ../x\r\n".repeat(1000);
        let listing = read(Form::Mlsd, &[&many]).unwrap();
        assert_eq!((listing.refused.len(), listing.refused_more), (MOST_UNSAFE, 900));
    }

    #[test]
    fn words_behind_good_codes_are_heard() {
        let reply = |code: u16, text: &str| {
            let line = format!("{code} {text}\r\n");
            ReplyParser::new().advance(&mut line.as_bytes()).unwrap().unwrap()
        };
        assert!(says_failed(&reply(226, "Transfer done (but failed to open directory).")));
        assert!(!says_failed(&reply(226, "Directory send OK.")));
        assert!(says_empty(&reply(550, "No files found.")) && !says_empty(&reply(550, "Permission denied.")));
    }
}
