//! What can only be found out by writing: a small file of random bytes, under a random name, is uploaded, continued in
//! every way, read back after each, renamed, and deleted whatever happens.

use std::time::Duration;

use haul_core::Modified;
use haul_proto::ftp::{Command, reply::Class, size, time};

use super::{
    FtpReport, Inside, Tried, WriteReport, accepted, dialogue::Dialogue, look, sums, tried, verdict,
};
use crate::{client::Stop, ftp::FtpError};

/// How long the file becomes by STOR, by REST and STOR, by APPE.
const LENGTHS: [usize; 3] = [2000, 3000, 3500];
/// Where REST and STOR begins inside of it, and how much it sends.
const INSIDE: (usize, usize) = (1000, 10);
/// The date that MFMT gives it.
const DATE: i64 = 1_000_000_000;
/// How long to wait before the file is tried to be deleted once more.
const AGAIN: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3)];

/// How long a server may take to notice that an upload broke off, in steps.
const NOTICING: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_millis(700)];

/// The file.
struct Own {
    path: Vec<u8>,
    renamed: Vec<u8>,
    /// The one that breaks off.
    broken: Vec<u8>,
    content: Vec<u8>,
}

/// What the server has of it.
enum Held {
    Bytes(Vec<u8>),
    /// It cannot be read back.
    Size(u64),
    Unknown,
}

impl WriteReport {
    pub(super) fn of(name: String) -> Self {
        Self {
            name,
            stor: Tried::Not,
            read_back: false,
            restart: Tried::Not,
            inside: None,
            append: Tried::Not,
            sums: Vec::new(),
            wrong_sums: Vec::new(),
            mfmt: Tried::Not,
            rename: Tried::Not,
            kept: Tried::Not,
            delete: Tried::Not,
            left: Vec::new(),
            verdict: super::Verdict { resume: super::super::Resume::No, why: String::new() },
        }
    }
}

/// Tries uploads in the folder `prefix`, and downloads too where there was nothing else to try them on (`of_own`).
pub(super) async fn probe(
    dialogue: &mut Dialogue,
    prefix: &[u8],
    of_own: bool,
    report: &mut FtpReport,
    stop: &Stop,
) -> WriteReport {
    let Some(own) = Own::new(prefix) else {
        let mut write = WriteReport::of(String::new());
        write.stor = Tried::Wrong("this machine has no random numbers for a name".into());
        write.verdict = verdict::upload(&write);
        return write;
    };
    let mut write = WriteReport::of(String::from_utf8_lossy(&own.path).into_owned());
    tokio::select! {
        () = Box::pin(try_all(dialogue, &own, of_own, report, &mut write)) => {}
        () = stop.stopped() => {}
    }
    dialogue.renew();
    remove(dialogue, &own, &mut write).await;
    if stop.is_stopped() && !write.delete.works() {
        // A STOR that was under way may have made the file behind the DELE.
        tokio::time::sleep(AGAIN[1]).await;
        remove(dialogue, &own, &mut write).await;
    }
    write.verdict = verdict::upload(&write);
    write
}

impl Own {
    fn new(prefix: &[u8]) -> Option<Self> {
        let mut random = [0; 8];
        let mut content = vec![0; LENGTHS[2]];
        aws_lc_rs::rand::fill(&mut random).ok()?;
        aws_lc_rs::rand::fill(&mut content).ok()?;
        let name = format!("haul-probe-{:016x}", u64::from_be_bytes(random));
        let slash: &[u8] = if prefix.is_empty() || prefix.ends_with(b"/") { b"" } else { b"/" };
        let path = [prefix, slash, name.as_bytes()].concat();
        let [renamed, broken] = [&b"-renamed"[..], b"-broken"].map(|end| [&path[..], end].concat());
        Some(Self { path, renamed, broken, content })
    }
}

async fn try_all(
    dialogue: &mut Dialogue,
    own: &Own,
    of_own: bool,
    report: &mut FtpReport,
    write: &mut WriteReport,
) {
    let first = &own.content[..LENGTHS[0]];
    let sent = stor(dialogue, own, 0, first).await;
    let held = held(dialogue, &own.path).await;
    write.read_back = matches!(held, Held::Bytes(_));
    write.stor = judged(sent, &held, first, first);
    if !write.stor.works() {
        return;
    }
    restart(dialogue, own, write).await;
    append(dialogue, own, write).await;
    let now = self::held(dialogue, &own.path).await;
    if let Held::Bytes(bytes) = now {
        // A server that breaks in the middle of it has made none of the others.
        let _ = sums::probe(dialogue, &own.path, &bytes, write).await;
    }
    write.mfmt = date(dialogue, own).await.unwrap_or_else(|error| tried(Err::<(), _>(error)));
    if of_own
        && look::told(dialogue, &own.path, report).await.is_ok()
        && let Ok(head) = dialogue.fetch(&own.path, 0, LENGTHS[2]).await
    {
        look::bytes(dialogue, &own.path, &head, report).await;
    }
    write.rename = rename(dialogue, own).await.unwrap_or_else(|error| tried(Err::<(), _>(error)));
    write.kept = kept(dialogue, own).await.unwrap_or_else(|error| tried(Err::<(), _>(error)));
}

async fn stor(dialogue: &mut Dialogue, own: &Own, from: usize, bytes: &[u8]) -> Result<(), FtpError> {
    dialogue.send(from as u64, &Command::stor(&own.path)?, bytes).await
}

/// REST and STOR: at the end, and then inside.
async fn restart(dialogue: &mut Dialogue, own: &Own, write: &mut WriteReport) {
    let [first, second, _] = LENGTHS;
    let sent = stor(dialogue, own, first, &own.content[first..second]).await;
    let held = held(dialogue, &own.path).await;
    write.restart = judged(sent, &held, &own.content[..second], &own.content[..first]);
    if !write.restart.works() {
        return;
    }
    let (at, len) = INSIDE;
    let sent = stor(dialogue, own, at, &own.content[at..at + len]).await;
    let held = self::held(dialogue, &own.path).await;
    write.inside = match sent {
        Ok(()) if held.is(&own.content[..second]) => Some(Inside::Kept),
        Ok(()) if held.is(&own.content[..at + len]) => Some(Inside::Cut),
        _ => None,
    };
}

async fn append(dialogue: &mut Dialogue, own: &Own, write: &mut WriteReport) {
    let before = held(dialogue, &own.path).await.len();
    let beginning = before.and_then(|before| own.content.get(..before));
    let is_ours = match beginning {
        Some(beginning) if before < Some(LENGTHS[2]) => held(dialogue, &own.path).await.is(beginning),
        _ => false,
    };
    let at = match before {
        Some(before) if is_ours => before,
        // What was tried before has spoilt it.
        _ if stor(dialogue, own, 0, &own.content[..LENGTHS[0]]).await.is_ok() => LENGTHS[0],
        _ => return,
    };
    let more = &own.content[at..LENGTHS[2]];
    let sent = match Command::appe(&own.path) {
        Ok(command) => dialogue.send(0, &command, more).await,
        Err(error) => Err(error.into()),
    };
    let held = held(dialogue, &own.path).await;
    write.append = judged(sent, &held, &own.content, &own.content[..at]);
    if write.append != Tried::Works && held.is(more) {
        write.append = Tried::Wrong("APPE begins the file anew".into());
    }
}

/// MFMT, and whether MDTM tells that date then.
async fn date(dialogue: &mut Dialogue, own: &Own) -> Result<Tried, FtpError> {
    let date = Modified { seconds: DATE, nanos: 0, strong: false };
    let command = Command::mfmt(date, &own.path)?;
    let said = accepted(&command, &dialogue.ask(&command).await?);
    let told = time::mdtm(&dialogue.ask(&Command::mdtm(&own.path)?).await?);
    Ok(match told {
        Some(told) if said.works() && told.seconds != DATE => {
            Tried::Wrong("MDTM tells another date than MFMT has given".into())
        }
        _ => said,
    })
}

async fn rename(dialogue: &mut Dialogue, own: &Own) -> Result<Tried, FtpError> {
    for (command, class) in [
        (Command::rnfr(&own.path)?, Class::PositiveIntermediate),
        (Command::rnto(&own.renamed)?, Class::PositiveCompletion),
    ] {
        let reply = dialogue.ask(&command).await?;
        if reply.class() != class {
            return Ok(accepted(&command, &reply));
        }
    }
    Ok(match held(dialogue, &own.renamed).await {
        Held::Unknown => Tried::Wrong("the file is not there under its new name".into()),
        Held::Bytes(_) | Held::Size(_) => Tried::Works,
    })
}

/// An upload that breaks off, and what is there of it then.
async fn kept(dialogue: &mut Dialogue, own: &Own) -> Result<Tried, FtpError> {
    let first = &own.content[..LENGTHS[0]];
    // What was lost on the way once is no proof.
    for _ in 0..2 {
        let noticed = dialogue.break_off(&Command::stor(&own.broken)?, first).await?;
        let looks = if noticed { 1 } else { NOTICING.len() };
        for wait in NOTICING.into_iter().take(looks) {
            let held = held(dialogue, &own.broken).await;
            match held.len() {
                Some(len @ 1..) if first.get(..len).is_some_and(|first| held.is(first)) => {
                    return Ok(Tried::Works);
                }
                Some(1..) => {
                    return Ok(Tried::Wrong("of an upload that breaks off other bytes are kept".into()));
                }
                Some(0) | None => tokio::time::sleep(wait).await,
            }
        }
    }
    Ok(Tried::Wrong("nothing is kept of an upload that breaks off: the next one begins anew".into()))
}

/// What the server has under a name: the bytes say it, else SIZE.
async fn held(dialogue: &mut Dialogue, path: &[u8]) -> Held {
    if let Ok(fetched) = dialogue.fetch(path, 0, 2 * LENGTHS[2]).await
        && fetched.whole
    {
        return Held::Bytes(fetched.bytes);
    }
    let size = match Command::size(path) {
        Ok(command) => dialogue.ask(&command).await.ok().and_then(|reply| size::size(&reply)),
        Err(_) => None,
    };
    size.map_or(Held::Unknown, Held::Size)
}

impl Held {
    fn is(&self, expected: &[u8]) -> bool {
        match self {
            Self::Bytes(bytes) => bytes == expected,
            Self::Size(size) => *size == expected.len() as u64,
            Self::Unknown => false,
        }
    }

    fn len(&self) -> Option<usize> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len()),
            Self::Size(size) => usize::try_from(*size).ok(),
            Self::Unknown => None,
        }
    }
}

/// What an upload was, by what is there now and what was said.
fn judged(sent: Result<(), FtpError>, held: &Held, after: &[u8], before: &[u8]) -> Tried {
    let said = tried(sent);
    match held {
        _ if said == Tried::Works && held.is(after) => Tried::Works,
        Held::Unknown if said == Tried::Works => {
            Tried::Wrong("the server says that it has the file, and can tell nothing of it".into())
        }
        // Refused, and nothing has happened to what was there.
        _ if said != Tried::Works && (held.is(before) || after == before) => said,
        Held::Unknown => said,
        Held::Bytes(_) | Held::Size(_) => {
            let is = held.len().unwrap_or_default();
            let words = match said {
                Tried::Refused(words) | Tried::Wrong(words) => format!(" ({words})"),
                Tried::Works | Tried::Not => String::new(),
            };
            Tried::Wrong(format!(
                "of {} bytes that ought to be there it has {is}{}{words}",
                after.len(),
                if is == after.len() { ", and other ones" } else { "" },
            ))
        }
    }
}

/// Deletes the file under each name that it may have.
async fn remove(dialogue: &mut Dialogue, own: &Own, write: &mut WriteReport) {
    let renamed = write.rename.works();
    write.left.clear();
    for (path, is_name) in [(&own.path, !renamed), (&own.renamed, renamed), (&own.broken, false)] {
        let mut waits = AGAIN.into_iter();
        let (deleted, is_there) = loop {
            match delete(dialogue, path).await {
                Ok(outcome) => break outcome,
                Err(error) => match waits.next() {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => break (tried(Err::<(), _>(error)), None),
                },
            }
        };
        if !deleted.works() && is_there.unwrap_or(is_name) {
            write.left.push(String::from_utf8_lossy(path).into_owned());
        }
        if is_name {
            write.delete = deleted;
        }
    }
    // Where nothing was taken there is nothing to delete.
    if matches!(write.stor, Tried::Refused(_)) && !write.delete.works() {
        write.left.retain(|name| *name != write.name);
        write.delete = Tried::Not;
    }
}

/// DELE, and whether the file is still there where that was refused; `None` where nothing tells.
async fn delete(dialogue: &mut Dialogue, path: &[u8]) -> Result<(Tried, Option<bool>), FtpError> {
    let command = Command::dele(path)?;
    let deleted = accepted(&command, &dialogue.ask(&command).await?);
    if deleted.works() {
        return Ok((deleted, Some(false)));
    }
    let reply = dialogue.ask(&Command::size(path)?).await?;
    let is_there = match reply.code().get() {
        550 => Some(false),
        _ => size::size(&reply).map(|_| true),
    };
    Ok((deleted, is_there))
}
