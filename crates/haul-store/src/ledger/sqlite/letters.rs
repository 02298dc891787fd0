//! The table of letters: one row for each, and nothing of it until somebody is to be told something.

use haul_core::TreePath;
use rusqlite::{Connection, Row, Transaction, params};

use super::tables::Trouble;
use crate::{Dated, Letter, Pledge, StageId};

/// What version 3 had not.
pub(super) const CREATE: &str = "CREATE TABLE letters (
    number INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL, recipient TEXT NOT NULL, path BLOB NOT NULL, stage TEXT,
    size INTEGER, replaces INTEGER, tries INTEGER NOT NULL, body BLOB NOT NULL, replaces_nanos INTEGER) STRICT";
/// What versions 4 and 5 had not.
pub(super) const ADD_NANOS: &str = "ALTER TABLE letters ADD COLUMN replaces_nanos INTEGER";
const POST: &str =
    "INSERT OR REPLACE INTO letters (number, id, recipient, path, stage, size, replaces, tries,
    body, replaces_nanos) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const ALL: &str =
    "SELECT number, id, recipient, path, stage, size, replaces, tries, body, replaces_nanos FROM letters";
const UNPOST: &str = "DELETE FROM letters WHERE number = ?1";

/// Everything that waits.
pub(super) fn read(connection: &Connection) -> Result<Vec<Letter>, Trouble> {
    let mut statement = connection.prepare(ALL)?;
    let mut rows = statement.query([])?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        letters.extend(letter(row)?);
    }
    Ok(letters)
}

fn letter(row: &Row<'_>) -> Result<Option<Letter>, rusqlite::Error> {
    let path: Vec<u8> = row.get(3)?;
    let Ok(path) = TreePath::ROOT.join(&path) else { return Ok(None) };
    let pledge = match (row.get::<_, Option<String>>(4)?, row.get::<_, Option<i64>>(5)?) {
        (Some(stage), Some(size)) => {
            let seconds: Option<i64> = row.get(6)?;
            let nanos = row.get(9)?;
            let replaces = seconds.map(|seconds| Dated { seconds, nanos });
            Some(Pledge { stage: StageId(stage), size: size.cast_unsigned(), replaces })
        }
        _ => None,
    };
    Ok(Some(Letter {
        number: row.get::<_, i64>(0)?.cast_unsigned(),
        id: row.get(1)?,
        to: row.get(2)?,
        path,
        pledge,
        tries: row.get(7)?,
        body: row.get(8)?,
    }))
}

/// Puts letters into the queue.
pub(super) fn post(transaction: &Transaction<'_>, letters: &[Letter]) -> Result<(), rusqlite::Error> {
    let mut statement = transaction.prepare(POST)?;
    for letter in letters {
        let pledge = letter.pledge.as_ref();
        let replaces = pledge.and_then(|pledge| pledge.replaces);
        statement.execute(params![
            letter.number.cast_signed(),
            letter.id,
            letter.to,
            letter.path.as_bytes(),
            pledge.map(|pledge| pledge.stage.0.as_str()),
            pledge.map(|pledge| pledge.size.cast_signed()),
            replaces.map(|date| date.seconds),
            letter.tries,
            letter.body,
            replaces.and_then(|date| date.nanos),
        ])?;
    }
    Ok(())
}

/// Takes letters out of it.
pub(super) fn unpost(transaction: &Transaction<'_>, numbers: &[u64]) -> Result<(), rusqlite::Error> {
    let mut statement = transaction.prepare(UNPOST)?;
    numbers.iter().try_for_each(|number| statement.execute([number.cast_signed()]).map(drop))
}
