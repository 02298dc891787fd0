//! The last question, when all bytes are here: is the file still the version that they are of?
//!
//! No answer is no yes: a reply that was meant for something else, or a "not now", confirms nothing. What it leads to
//! is decided by who asks.

use std::time::Duration;

use haul_core::{Entity, transfer::Trouble};
use haul_proto::ftp::{Command, reply::Class};

use super::{File, FtpSource, Seen};
use crate::{ftp::FtpError, source::Failed};

/// How long to wait before the last question is asked again.
const CONFIRM: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];

impl FtpSource {
    /// Asks what version the file is now; where nobody else can tell (`insist`), as often as seems worth it. What
    /// differs from `known`, in plain words.
    pub(crate) async fn confirm(&self, known: &Entity, insist: bool) -> Result<Option<String>, Failed> {
        let Ok(file) = &self.file else { return Ok(None) };
        if known.size.is_none() && known.modified.is_none() {
            return Ok(None);
        }
        let mut waits = CONFIRM.into_iter().filter(|_| insist);
        let mut fresh = false;
        loop {
            let error = match self.ask(file, fresh).await {
                Ok(Seen { session, entity })
                    if entity.size.is_none() && entity.modified.is_none() && !fresh =>
                {
                    // What came may have answered something else.
                    session.quit().await;
                    fresh = true;
                    continue;
                }
                Ok(mut seen) => match self.puts_off(&mut seen, file).await {
                    Ok(()) => {
                        self.idle.put(seen.session);
                        let size = seen.entity.size.filter(|size| *size > 0 || known.size == Some(0));
                        return Ok(difference(known, &Entity { size, ..seen.entity }));
                    }
                    Err(error) => self.failed(&error),
                },
                Err(error) => self.failed(&error),
            };
            match waits.next() {
                Some(wait) if matches!(error.why, Trouble::Broken | Trouble::Busy | Trouble::Unreachable) => {
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Where nothing was told: whether that is so for the moment only. Of a file that is gone nothing more can be asked.
    async fn puts_off(&self, seen: &mut Seen, file: &File) -> Result<(), FtpError> {
        if seen.entity.size.is_some() || seen.entity.modified.is_some() {
            return Ok(());
        }
        let reply = seen.session.command(&Command::size(&file.path)?).await?;
        match reply.class() {
            Class::TransientNegative => Err(FtpError::Refused { command: "SIZE".into(), reply }),
            _ => Ok(()),
        }
    }
}

/// What differs, where both are told.
fn difference(known: &Entity, seen: &Entity) -> Option<String> {
    if let (Some(was), Some(is)) = (known.size, seen.size)
        && was != is
    {
        return Some(format!("its size was {was} bytes and is {is} now"));
    }
    let moved = known.modified.zip(seen.modified).is_some_and(|(was, is)| !was.same_moment(is));
    moved.then(|| "its modification date differs".to_owned())
}
