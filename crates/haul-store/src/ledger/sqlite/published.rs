//! The table of what was published: one row for each of the newest uploads that the ledger knew of before.
//!
//! Rows are numbered in the order in which they came, and go in the same order: the number tells how many there may be.
//! A few more stay until they go together, and are not told of.

use haul_core::TreePath;
use rusqlite::{Connection, Row, Transaction, params};

use super::tables::{self, Trouble};
use crate::{PUBLISHED, Published, StageId, UploadKey};

/// What version 6 had not.
pub(super) const CREATE: &str = "CREATE TABLE published (
    number INTEGER NOT NULL PRIMARY KEY, owner TEXT NOT NULL, path BLOB NOT NULL, stage TEXT NOT NULL,
    size INTEGER NOT NULL, note BLOB, boot TEXT NOT NULL, at INTEGER NOT NULL) STRICT";
const ADD: &str = "INSERT INTO published (owner, path, stage, size, note, boot, at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const ALL: &str = "SELECT owner, path, stage, size, note, boot, at FROM published
    WHERE number > (SELECT max(number) FROM published) - ?1 ORDER BY number";
const DROP: &str = "DELETE FROM published WHERE number <= ?1";
/// So many go together.
const TOGETHER: i64 = 64;

/// Everything that is remembered.
pub(super) fn read(connection: &Connection) -> Result<Vec<Published>, Trouble> {
    let mut statement = connection.prepare(ALL)?;
    let mut rows = statement.query([most()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.extend(published(row)?);
    }
    Ok(all)
}

fn published(row: &Row<'_>) -> Result<Option<Published>, rusqlite::Error> {
    let path: Vec<u8> = row.get(1)?;
    // A name that this haul would refuse was not written by it.
    let Ok(path) = TreePath::ROOT.join(&path) else { return Ok(None) };
    Ok(Some(Published {
        key: UploadKey { owner: row.get(0)?, path },
        stage: StageId(row.get(2)?),
        size: row.get::<_, i64>(3)?.cast_unsigned(),
        note: row.get::<_, Option<Vec<u8>>>(4)?.unwrap_or_default(),
        boot: row.get(5)?,
        at: row.get(6)?,
    }))
}

/// Puts this in the place of its record, where it has one.
pub(super) fn publish(transaction: &Transaction<'_>, published: &Published) -> Result<(), rusqlite::Error> {
    let Published { key, stage, size, note, boot, at } = published;
    if !tables::forget(transaction, key)? {
        return Ok(());
    }
    let values = params![
        key.owner,
        key.path.as_bytes(),
        stage.0,
        size.cast_signed(),
        (!note.is_empty()).then_some(note),
        boot,
        at,
    ];
    transaction.execute(ADD, values)?;
    let last = transaction.last_insert_rowid();
    if last % TOGETHER == 0 {
        transaction.execute(DROP, [last.saturating_sub(most())])?;
    }
    Ok(())
}

fn most() -> i64 {
    i64::try_from(PUBLISHED).unwrap_or(i64::MAX)
}
