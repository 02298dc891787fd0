//! What can be found out without writing: SYST, FEAT, SIZE, MDTM, MLST, and REST with RETR, whose bytes are compared.

use std::time::{SystemTime, UNIX_EPOCH};

use haul_core::Modified;
use haul_proto::ftp::{
    Command, Reply,
    command::BadCommand,
    facts::{Facts, Type},
    reply::Class,
    size, time,
};

use super::{
    FtpReport, Tried, accepted, answered,
    dialogue::{Dialogue, Fetched},
    tried,
};
use crate::ftp::FtpError;

/// The offset that people try.
const OFFSET: usize = 1000;
/// How many bytes behind it are compared …
const COMPARED: usize = 8192;
/// … but files up to this size are fetched whole: that is cheaper than to break off.
const SMALL: u64 = 512 << 10;
/// No more of a list is read.
const LIST: usize = 64 << 10;
/// A date that is so many seconds old by our clock can be borne by no later change.
const OLD: i64 = 60;

/// Who it is, and what it says of itself.
pub(super) async fn server(dialogue: &mut Dialogue, report: &mut FtpReport) -> Result<(), FtpError> {
    let greeting = dialogue.greeting().await?;
    report.greeting = format!("{} {}", greeting.code(), greeting.text());
    let system = dialogue.ask(&Command::raw("SYST")?).await?;
    report.system = (system.code().get() == 215).then(|| system.text());
    let features = dialogue.ask(&Command::feat()).await?;
    if features.is_completion() {
        let line = |line: &Vec<u8>| String::from_utf8_lossy(line).trim().to_owned();
        report.features = features.inner_lines().iter().map(line).filter(|line| !line.is_empty()).collect();
    }
    Ok(())
}

/// A file: what is told of it, and whether it can be had from anywhere on.
pub(super) async fn file(
    dialogue: &mut Dialogue,
    path: &[u8],
    report: &mut FtpReport,
) -> Result<(), FtpError> {
    told(dialogue, path, report).await?;
    // The date is asked first: bytes that come are not of an older version than it.
    let most = match report.entity.size {
        Some(size @ ..=SMALL) => usize::try_from(size).unwrap_or(OFFSET),
        _ => OFFSET + COMPARED,
    };
    let head = dialogue.fetch(path, 0, most).await?;
    bytes(dialogue, path, &head, report).await;
    Ok(())
}

/// What SIZE, MDTM and MLST tell.
pub(super) async fn told(
    dialogue: &mut Dialogue,
    path: &[u8],
    report: &mut FtpReport,
) -> Result<(), FtpError> {
    let command = Command::size(path)?;
    let reply = dialogue.ask(&command).await?;
    report.entity.size = size::size(&reply);
    report.size = answer(&command, &reply, report.entity.size.is_some());
    let command = Command::mdtm(path)?;
    let reply = dialogue.ask(&command).await?;
    let modified = time::mdtm(&reply);
    report.mdtm = answer(&command, &reply, modified.is_some());
    report.entity.modified = modified.map(|date| Modified { strong: is_old(date), ..date });
    let command = Command::mlst(Some(path))?;
    let reply = dialogue.ask(&command).await?;
    let facts = Facts::of_mlst(&reply);
    report.mlst = answer(&command, &reply, facts.is_some());
    if let (Some(told), Some(size)) = (facts.and_then(|facts| facts.size), report.entity.size)
        && told != size
    {
        report.mlst = Tried::Wrong(format!("it tells a size of {told} bytes, and SIZE {size}"));
    }
    Ok(())
}

/// A reply that was understood, a no, or neither.
fn answer(command: &Command, reply: &Reply, understood: bool) -> Tried {
    match reply.class() {
        _ if understood => Tried::Works,
        Class::TransientNegative | Class::PermanentNegative => {
            Tried::Refused(answered(command.verb(), reply))
        }
        _ => Tried::Wrong(answered(command.verb(), reply)),
    }
}

fn is_old(date: Modified) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).is_ok_and(|now| now - date.seconds >= OLD)
}

/// REST and RETR, held against the first bytes of the file.
pub(super) async fn bytes(dialogue: &mut Dialogue, path: &[u8], head: &Fetched, report: &mut FtpReport) {
    let len = head.bytes.len();
    if head.whole && report.entity.size.is_some_and(|size| size != len as u64) {
        report.size = Tried::Wrong(format!("SIZE says something else than the {len} bytes that came"));
    }
    let at = if len > OFFSET { OFFSET } else { len / 2 };
    report.rest_at = at as u64;
    if at > 0 {
        report.rest = match dialogue.fetch(path, at as u64, len - at).await {
            Ok(part) => compared(head, at, &part),
            Err(error) => tried(Err::<(), _>(error)),
        };
    }
    let last = report.entity.size.filter(|size| *size > 1 && report.size.works() && report.rest.works());
    if let Some(size) = last {
        report.last_byte = last_byte(dialogue.fetch(path, size - 1, 1).await, size);
    }
    if let Some(size) = last
        && dialogue.says_blocks().await
    {
        report.blocks = in_blocks(dialogue, path, size).await;
    }
    pasv(dialogue, Command::retr(path), last.filter(|_| report.last_byte.works()).map_or(0, |size| size - 1))
        .await;
}

/// Whether PASV leads anywhere, where that is not known yet.
async fn pasv(dialogue: &mut Dialogue, command: Result<Command, BadCommand>, from: u64) {
    let Ok(command) = command else { return };
    if dialogue.is_active() || dialogue.pasv_works() {
        return;
    }
    dialogue.pasv_first = true;
    let brought = dialogue.bring(&command, from, OFFSET).await;
    dialogue.pasv_first = false;
    match brought {
        Ok(_) => return,
        Err(error @ FtpError::Refused { .. }) => dialogue.note_no_pasv(Tried::Refused(error.to_string())),
        Err(error) => dialogue.note_no_pasv(Tried::Wrong(error.to_string())),
    }
    // That session would go on with PASV.
    dialogue.leave().await;
}

/// Whether what came from `at` on is what lies there.
fn compared(head: &Fetched, at: usize, part: &Fetched) -> Tried {
    let expected = head.bytes.get(at..).unwrap_or_default();
    if part.bytes == expected && part.whole == head.whole {
        return Tried::Works;
    }
    let from_zero = !part.bytes.is_empty() && head.bytes.starts_with(&part.bytes);
    Tried::Wrong(if from_zero {
        format!("it says yes to REST {at} and sends the file from its first byte on; haul begins anew there")
    } else {
        format!(
            "it says yes to REST {at} and sends other bytes than those that lie there; haul begins anew there"
        )
    })
}

fn last_byte(fetched: Result<Fetched, FtpError>, size: u64) -> Tried {
    match fetched {
        Ok(Fetched { bytes, whole: true }) if bytes.len() == 1 => Tried::Works,
        Ok(Fetched { bytes, whole: true }) => Tried::Wrong(format!(
            "SIZE says {size} bytes, but behind REST {} come {}: one of the two is wrong",
            size - 1,
            bytes.len()
        )),
        Ok(_) => Tried::Wrong(format!(
            "SIZE says {size} bytes, but behind REST {} comes more than one: one of the two is wrong",
            size - 1
        )),
        Err(error) => tried(Err::<(), _>(error)),
    }
}

/// Whether the last bytes come in blocks, with their end told, as they come without.
async fn in_blocks(dialogue: &mut Dialogue, path: &[u8], size: u64) -> Tried {
    let from = size.saturating_sub(COMPARED as u64);
    let bare = dialogue.fetch(path, from, COMPARED).await;
    let in_blocks = dialogue.fetch_in_blocks(path, from, COMPARED).await;
    match (bare, in_blocks) {
        (Ok(bare), Ok(Some(blocks))) if bare.bytes == blocks.bytes && blocks.whole => Tried::Works,
        (Ok(_), Ok(Some(_))) => {
            Tried::Wrong("other bytes come in blocks than without; haul asks for none".into())
        }
        (_, Ok(None)) => Tried::Refused("FEAT has MODE B, and the server refuses it".into()),
        (Err(error), _) | (_, Err(error)) => tried(Err::<(), _>(error)),
    }
}

/// Whether there is a folder of that name.
pub(super) async fn is_folder(dialogue: &mut Dialogue, path: &[u8]) -> bool {
    if let Ok(command) = Command::mlst(Some(path))
        && let Ok(reply) = dialogue.ask(&command).await
        && let Some(facts) = Facts::of_mlst(&reply)
    {
        return matches!(facts.kind, Some(Type::Dir | Type::Cdir));
    }
    let Ok(command) = Command::cwd(path) else { return false };
    let entered = dialogue.ask(&command).await.is_ok_and(|reply| reply.is_completion());
    dialogue.leave().await;
    entered
}

/// A folder: whether it can be listed, and whether REST is known at all.
pub(super) async fn folder(dialogue: &mut Dialogue, path: &[u8], report: &mut FtpReport) {
    let path = Some(path).filter(|path| !path.is_empty());
    for command in [Command::mlsd(path), Command::list(path)].into_iter().flatten() {
        report.list = tried(dialogue.bring(&command, 0, LIST).await);
        if report.list.works() {
            pasv(dialogue, Ok(command), 0).await;
            break;
        }
    }
    let command = Command::rest(OFFSET as u64);
    report.rest_at = OFFSET as u64;
    report.rest = match dialogue.ask(&command).await {
        Ok(reply) => accepted(&command, &reply),
        Err(error) => tried(Err::<(), _>(error)),
    };
    dialogue.leave().await;
}
