//! One folder looked at: a session goes there, lists it, asks what the list does not say, and comes back.
//!
//! The session is one of those that files are fetched with, and is lent to them again when it is back where its login
//! began; between two folders none is held, so that a server that bears one connection can serve a tree.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use haul_core::{Modified, transfer::Trouble};
use haul_proto::ftp::{
    Command,
    entry::{Entry, Kind as EntryKind},
    facts::Facts,
    path::FtpPath,
};

use super::told;
use crate::{
    connect::Connector,
    failure::{Failure, Kind},
    ftp::{FtpError, FtpOptions, Item, ListError, Place, Session},
    host::Host,
    source::FtpIdle,
};

/// How long to wait before a list is asked for again: the last one counts for all that follow.
const WAITS: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
    Duration::from_secs(10),
];
/// A server that cannot be reached at all is tried no more often.
const UNREACHABLE: u32 = 2;
/// One that says no for the moment (4yz) neither.
const REFUSED: u32 = 2;

/// A server whose folders are asked for.
#[derive(Debug)]
pub(crate) struct Door {
    place: Place,
    connector: Connector,
    options: Arc<FtpOptions>,
    idle: Arc<FtpIdle>,
    host: Arc<Host>,
    /// Somebody got in: a refused login is a matter of how many there are.
    let_in: AtomicBool,
}

/// What came of a visit.
#[derive(Debug, Default)]
pub(super) struct Visited {
    pub(super) seen: Vec<Seen>,
    /// The folder as the server calls it (PWD), where told.
    pub(super) real: Option<Vec<u8>>,
    /// Its identity, where told.
    pub(super) unique: Option<Vec<u8>>,
    /// Names that lead out of the folder, and how many more there are.
    pub(super) refused: (Vec<Vec<u8>>, u64),
    pub(super) unreadable: u64,
    cut: bool,
}

/// What is to be asked besides the list.
pub(super) struct Wanted<U> {
    /// The folder's own identity, where no list above it told that.
    pub(super) identity: bool,
    /// The date of these files: the list's own is not exact, or does not do.
    pub(super) undated: U,
}

/// An entry, and what was asked besides.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) item: Item,
    /// Of a link: whether it leads to a file.
    pub(super) leads_to_file: bool,
    /// When it was changed, where that was asked for.
    pub(super) modified: Option<Modified>,
}

impl Visited {
    /// That something in the list is not known, where that is so.
    pub(super) fn unread(&self) -> Option<String> {
        let lines = match self.unreadable {
            0 => return None,
            1 => "1 line".to_owned(),
            more => format!("{more} lines"),
        };
        Some(format!("{lines} of the server's list could not be read"))
    }

    /// What a user should know, in plain sentences.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        remarks.extend(self.unread());
        if self.cut {
            remarks.push("the server's list was cut off at its end: something may be missing".to_owned());
        }
        let (refused, more) = &self.refused;
        remarks.extend(refused.iter().map(|name| leads_out(name)));
        if *more > 0 {
            remarks.push(format!("{more} more such names"));
        }
        remarks
    }
}

/// What is said of a name that is none.
pub(super) fn leads_out(name: &[u8]) -> String {
    format!("the server lists {}, which is no name in this folder: left out", told(name))
}

impl Door {
    pub(crate) fn new(
        place: Place,
        connector: Connector,
        options: Arc<FtpOptions>,
        idle: Arc<FtpIdle>,
        host: Arc<Host>,
    ) -> Self {
        Self { place, connector, options, idle, host, let_in: AtomicBool::new(false) }
    }

    /// Lists a folder, as often as seems worth it.
    pub(super) async fn visit<U: Fn(&Entry) -> bool>(
        &self,
        path: &FtpPath,
        shown: &str,
        retries: Option<u32>,
        wanted: Wanted<U>,
    ) -> Result<Visited, Failure> {
        let mut tried = 0;
        loop {
            let slot = Arc::clone(&self.host).slot().await;
            let error = match self.once(path, &wanted).await {
                Ok(visited) => return Ok(visited),
                Err(error) => error,
            };
            let why = match &error {
                ListError::Ftp(error) | ListError::NoWay(error) => self.trouble(error),
                ListError::NoList(_) => Trouble::Fatal,
            };
            match slot {
                Some(slot) if why == Trouble::Busy => slot.refused(),
                slot => drop(slot),
            }
            let most = match why {
                Trouble::Denied | Trouble::Fatal => 0,
                Trouble::Unreachable if !self.let_in.load(Relaxed) => UNREACHABLE,
                // A no for the moment, and perhaps for good: some say 450 of what nobody may read.
                // And where the dialogue goes well and no data connection does, something is in their way.
                Trouble::Broken
                    if matches!(&error, ListError::Ftp(FtpError::Refused { .. }) | ListError::NoWay(_)) =>
                {
                    REFUSED
                }
                _ => retries.unwrap_or(u32::MAX),
            };
            tracing::debug!(%error, tried, most, "a list failed");
            if tried >= most {
                return Err(failure(&error, why, tried, shown));
            }
            let wait = WAITS.get(tried as usize).or(WAITS.last()).copied().unwrap_or_default();
            tokio::time::sleep(wait).await;
            tried += 1;
        }
    }

    async fn once<U: Fn(&Entry) -> bool>(
        &self,
        path: &FtpPath,
        wanted: &Wanted<U>,
    ) -> Result<Visited, ListError> {
        let mut session = self.session().await?;
        let home = session.folder().await?;
        let there = absolute(home.as_deref(), path);
        if !there.is_empty() {
            match session.enter(&there).await {
                Ok(()) => {}
                Err(error @ FtpError::Refused { .. }) => {
                    self.idle.put(session);
                    return Err(error.into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        let visited = look(&mut session, wanted).await;
        let go_on = matches!(&visited, Ok(_) | Err(ListError::Ftp(FtpError::Refused { .. })));
        if let Some(home) = home.filter(|_| go_on && session.is_usable())
            && session.enter(&home).await.is_ok()
        {
            self.idle.put(session);
        } else if go_on {
            session.quit().await;
        }
        visited
    }

    /// A session that is where its login began and in TYPE I again.
    pub(crate) fn back(&self, session: Session) {
        self.idle.put(session);
    }

    /// An idle session, or a new one.
    pub(crate) async fn session(&self) -> Result<Session, FtpError> {
        if let Some(mut session) = self.idle.take(&self.place).await
            && session.can_resume_tls()
            && session.command(&Command::noop()).await.is_ok()
        {
            return Ok(session);
        }
        let session = self.idle.open(&self.connector, &self.place, &self.options).await?;
        self.let_in.store(true, Relaxed);
        Ok(session)
    }

    /// What kind of failure it is.
    pub(crate) fn trouble(&self, error: &FtpError) -> Trouble {
        error.trouble(self.let_in.load(Relaxed))
    }
}

/// Where a path leads from the folder that the login began in.
fn absolute(home: Option<&[u8]>, path: &FtpPath) -> Vec<u8> {
    let there = path.pathname();
    match home {
        Some(home) if !path.is_absolute() && !there.is_empty() => {
            let slash: &[u8] = if home.ends_with(b"/") { b"" } else { b"/" };
            [home, slash, &there].concat()
        }
        _ => there,
    }
}

/// Lists the folder that the session is in, and asks what else is wanted.
async fn look<U: Fn(&Entry) -> bool>(
    session: &mut Session,
    wanted: &Wanted<U>,
) -> Result<Visited, ListError> {
    let real = session.folder().await?;
    let mut listing = session.list().await?;
    let told = listing.items.iter().any(|item| item.unique.is_some());
    if wanted.identity && listing.unique.is_none() && told {
        let reply = session.command(&Command::mlst(None).map_err(FtpError::from)?).await?;
        listing.unique = Facts::of_mlst(&reply).and_then(|facts| facts.unique);
    }
    let mut visited = Visited {
        seen: Vec::with_capacity(listing.items.len()),
        real,
        unique: listing.unique,
        refused: (listing.refused, listing.refused_more),
        unreadable: listing.unreadable,
        cut: listing.cut,
    };
    for item in listing.items {
        let name = item.entry.name.as_bytes();
        let is_link = matches!(item.entry.kind, EntryKind::Link { .. });
        // A folder has no size, and a link to nothing has none either.
        let leads_to_file = is_link && session.size(name).await?.is_some();
        let modified = if (wanted.undated)(&item.entry) { session.modified(name).await? } else { None };
        visited.seen.push(Seen { item, leads_to_file, modified });
    }
    Ok(visited)
}

fn failure(error: &ListError, why: Trouble, tried: u32, shown: &str) -> Failure {
    let message = format!("{error}, for {shown}");
    match why {
        Trouble::Unreachable => {
            Failure::new(Kind::Network, message).advise("check the address, and run the same command again")
        }
        Trouble::Broken | Trouble::Busy | Trouble::Unreliable => {
            let gave_up = if tried > 0 { "gave up: " } else { "" };
            Failure::new(Kind::Network, format!("{gave_up}{message}")).advise("run the same command again")
        }
        Trouble::Denied | Trouble::Fatal => Failure::new(Kind::Refused, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_where_the_login_did() {
        let there = |home: Option<&str>, url: &str| {
            let path = FtpPath::from_url(url).unwrap();
            String::from_utf8(absolute(home.map(str::as_bytes), &path)).unwrap()
        };
        assert_eq!(there(Some("/srv"), "/a/b/"), "/srv/a/b");
        assert_eq!(there(Some("/"), "/a"), "/a");
        assert_eq!(there(Some("/srv"), "//etc/"), "/etc");
        assert_eq!(there(Some("/srv"), "/"), "");
        assert_eq!(there(None, "/a/"), "a");
        assert_eq!(there(None, "/%2F"), "/");
    }
}
