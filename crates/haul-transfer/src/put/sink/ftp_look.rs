//! What an FTP server has under a name: SIZE says it, else MLST, else LIST (RFC 3659 §4 and §7, RFC 959).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use haul_core::upload::{SETTLE, There};
use haul_proto::ftp::{
    Command, Reply,
    entry::{Kind, Line},
    facts::{Facts, Type},
    line::Lines,
    list,
    reply::Class,
    size,
};

use crate::ftp::{FtpError, Piece, Session};

/// A size that does not hold still for so long is that of a file which somebody else sends.
const RESTLESS: Duration = Duration::from_secs(10);
/// A file that should be there may be away for so long: Pure-FTPd gives it another name while a session continues it.
const AWAY: Duration = Duration::from_secs(2);
/// No list of one file is longer.
const LONGEST_LIST: usize = 64 << 10;

/// What is there, once it holds still: a session that is dead for us may still be writing. `None` where it does not.
pub(super) async fn settled(
    session: &mut Session,
    path: &[u8],
    patience: Duration,
) -> Result<Option<There>, FtpError> {
    let begun = Instant::now();
    let mut before = there(session, path, patience).await?;
    loop {
        let (longest, at_last) = match before {
            There::Size(_) => (RESTLESS, None),
            There::Absent => (AWAY, Some(before)),
            There::Unknown => return Ok(Some(before)),
        };
        if begun.elapsed() >= longest {
            return Ok(at_last);
        }
        tokio::time::sleep(SETTLE).await;
        let now = there(session, path, patience).await?;
        if now == before && matches!(now, There::Size(_)) {
            return Ok(Some(now));
        }
        before = now;
    }
}

/// What is there.
pub(super) async fn there(session: &mut Session, path: &[u8], patience: Duration) -> Result<There, FtpError> {
    let reply = session.command(&Command::size(path)?).await?;
    if let Some(size) = size::size(&reply) {
        return Ok(There::Size(size));
    }
    transient(&reply, "SIZE")?;
    // A server that says that it knows SIZE, and has no size to tell, has no such file; or it does not like to tell.
    if reply.code().get() == 550 && session.features().size && session.features().mlst.is_none() {
        let dated = session.modified(path).await?.is_some();
        return Ok(if dated { There::Unknown } else { There::Absent });
    }
    if session.features().mlst.is_some()
        && let Some(there) = by_facts(session, path).await?
    {
        return Ok(there);
    }
    by_list(session, path, patience).await
}

async fn by_facts(session: &mut Session, path: &[u8]) -> Result<Option<There>, FtpError> {
    let reply = session.command(&Command::mlst(Some(path))?).await?;
    transient(&reply, "MLST")?;
    if reply.code().get() == 550 {
        return Ok(Some(There::Absent));
    }
    let facts = Facts::of_mlst(&reply).filter(|facts| matches!(facts.kind, Some(Type::File) | None));
    Ok(facts.and_then(|facts| facts.size).map(There::Size))
}

/// One line for one file is its entry; whatever else comes tells nothing.
async fn by_list(session: &mut Session, path: &[u8], patience: Duration) -> Result<There, FtpError> {
    let started = match session.start(0, &Command::list(Some(path))?).await {
        Ok(started) => started,
        Err(FtpError::Refused { reply, .. }) if matches!(reply.code().get(), 450 | 550) => {
            return Ok(There::Absent);
        }
        Err(FtpError::Refused { reply, .. }) if reply.code().get() != 421 => return Ok(There::Unknown),
        Err(other) => return Err(other),
    };
    let mut data = started.data;
    let mut listed = Vec::new();
    let listing = async {
        while let Piece::Bytes(bytes) = data.read().await? {
            listed.extend_from_slice(&bytes);
            if listed.len() > LONGEST_LIST {
                // Not one file's line: the session goes the same way as the data.
                return Err(FtpError::Data { what: "brought a list without end".into() });
            }
        }
        Ok(())
    };
    let silent = FtpError::Silent { doing: "while a file was listed", seconds: patience.as_secs() };
    // All of it: one line is no reason to drip.
    tokio::time::timeout(patience, listing).await.map_err(|_elapsed| silent)??;
    drop(data);
    let reply = session.finish_now().await?;
    Ok(if reply.is_completion() { of_list(&listed, path) } else { There::Unknown })
}

/// What a list of one path says of it.
fn of_list(listed: &[u8], path: &[u8]) -> There {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let mut lines = Lines::new(LONGEST_LIST);
    let mut rest = listed;
    let mut found = Vec::new();
    while let Ok(Some(line)) = lines.advance(&mut rest) {
        found.push(line);
    }
    found.extend(lines.finish());
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let mut entries = Vec::new();
    for line in &found {
        match list::parse(line, now) {
            Line::Nothing => {}
            Line::Entry(entry) => entries.push((entry.name.as_bytes().to_vec(), entry.kind, entry.size)),
            // Servers that list the path as it was asked for.
            Line::Unsafe(told) if told.ends_with(name) => {
                let size = list::parse(&line_with_name(line, &told, name), now);
                if let Line::Entry(entry) = size {
                    entries.push((name.to_vec(), entry.kind, entry.size));
                }
            }
            Line::Unsafe(_) | Line::Unreadable => return There::Unknown,
        }
    }
    match &entries[..] {
        [] => There::Absent,
        [(told, Kind::File, Some(size))] if told == name => There::Size(*size),
        _ => There::Unknown,
    }
}

/// The same line with the last part of the path as its name.
fn line_with_name(line: &[u8], told: &[u8], name: &[u8]) -> Vec<u8> {
    let before = line.len().saturating_sub(told.len());
    [line.get(..before).unwrap_or_default(), name].concat()
}

/// A 4yz says nothing of the file.
fn transient(reply: &Reply, command: &str) -> Result<(), FtpError> {
    match reply.class() {
        Class::TransientNegative => {
            Err(FtpError::Refused { command: command.to_owned(), reply: reply.clone() })
        }
        Class::PermanentNegative | Class::PositiveCompletion => Ok(()),
        _ => Err(FtpError::Unasked(reply.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_one_file_tells_its_size() {
        let unix = b"-rw-r--r--   1 ftp      ftp       1048577 Jan 01 00:00 a b.iso\r\n";
        assert_eq!(of_list(unix, b"dir/a b.iso"), There::Size(1_048_577));
        let with_path = b"-rw-r--r--   1 ftp      ftp           17 Jan 01 00:00 dir/a.iso\r\n";
        assert_eq!(of_list(with_path, b"dir/a.iso"), There::Size(17));
        assert_eq!(of_list(b"", b"a"), There::Absent);
        assert_eq!(of_list(b"total 0\r\n", b"a"), There::Absent);
    }

    #[test]
    fn whatever_else_a_list_says_is_not_believed() {
        let other = b"-rw-r--r--   1 ftp      ftp           17 Jan 01 00:00 other\r\n";
        assert_eq!(of_list(other, b"a"), There::Unknown);
        let folder = b"drwxr-xr-x   1 ftp      ftp           17 Jan 01 00:00 a\r\n";
        assert_eq!(of_list(folder, b"a"), There::Unknown);
        assert_eq!(of_list(b"a is not here today\r\n", b"a"), There::Unknown);
    }
}
