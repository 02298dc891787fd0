//! The database: one table with a row for each unfinished upload, and beside it those of what was published and of
//! letters.
//!
//! Numbers of 64 bits are kept as SQLite's signed ones, bit by bit; paths are blobs, because a name is bytes. The
//! format's number is `user_version`: a newer one is left alone.

use std::path::{Path, PathBuf};

use haul_core::{ByteRange, RangeSet, TreePath};
use rusqlite::{Connection, Row, Transaction, params};

use super::super::records::Records;
use super::{letters, published};
use crate::{Durability, Published, StageId, StoreError, Unfinished, UploadKey, sys};

/// The format of the tables.
const VERSION: i32 = 7;
/// `Haul`, in SQLite's header.
const APPLICATION: i32 = 0x4861_756c;

const DAMAGED: &str = "the ledger of unfinished uploads is damaged; move it away with the files beside it and start \
                       again (finished files are not concerned):";

const CREATE: &str = "CREATE TABLE uploads (
    owner TEXT NOT NULL, path BLOB NOT NULL, stage TEXT NOT NULL, offset INTEGER NOT NULL, settled INTEGER NOT NULL,
    boot TEXT NOT NULL, declared INTEGER, base_unique BLOB, base_size INTEGER, base_seconds INTEGER,
    base_nanos INTEGER, touched INTEGER NOT NULL, note BLOB, beyond BLOB, copied INTEGER, mark BLOB,
    PRIMARY KEY (path, owner)) STRICT, WITHOUT ROWID";
/// What version 1 had not.
const ADD_NOTE: &str = "ALTER TABLE uploads ADD COLUMN note BLOB";
/// What version 2 had not.
const ADD_BEYOND: &str = "ALTER TABLE uploads ADD COLUMN beyond BLOB";
/// What version 4 had not.
const ADD_COPIED: &str = "ALTER TABLE uploads ADD COLUMN copied INTEGER";
/// What version 6 had not.
const ADD_MARK: &str = "ALTER TABLE uploads ADD COLUMN mark BLOB";
const SAVE: &str =
    "INSERT OR REPLACE INTO uploads (owner, path, stage, offset, settled, boot, declared, base_unique,
    base_size, base_seconds, base_nanos, touched, note, beyond, copied, mark)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
const ALL: &str =
    "SELECT owner, path, stage, offset, settled, boot, declared, base_unique, base_size, base_seconds,
    base_nanos, touched, note, beyond, copied, mark FROM uploads";
const FORGET: &str = "DELETE FROM uploads WHERE path = ?1 AND owner = ?2";
const KEYS: &str = "SELECT owner, path FROM uploads WHERE substr(path, 1, ?1) = ?2";
const RENAME: &str = "UPDATE OR REPLACE uploads SET path = ?3 WHERE path = ?1 AND owner = ?2";

/// A failure of the database, to be told to everybody whom it concerns.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    what: Option<rusqlite::ErrorCode>,
    said: String,
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self { what: error.sqlite_error_code(), said: error.to_string() }
    }
}

impl Trouble {
    /// In the words of a store.
    pub(super) fn at(&self, doing: &'static str, path: &Path) -> StoreError {
        use rusqlite::ErrorCode;
        let path = path.to_path_buf();
        let source = std::io::Error::other(self.said.clone());
        match self.what {
            Some(ErrorCode::DiskFull) => StoreError::NoSpace { doing, path, source },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { doing, path, source },
            Some(ErrorCode::PermissionDenied) => StoreError::Permission { doing, path, source },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Io { doing: DAMAGED, path, source }
            }
            _ => StoreError::Io { doing, path, source },
        }
    }
}

/// How SQLite makes a transaction whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    /// What is new is written to a log beside the database: one sync for a commit, or none.
    Log,
    /// What was there is kept until the commit is over: for network file systems, which promise what a log needs and
    /// may not keep it.
    Rollback,
}

/// The database on disk, which is opened only when something is to be written, or was.
pub(super) struct Tables {
    path: PathBuf,
    journal: Journal,
    connection: Option<Connection>,
    /// What the connection is set to.
    durability: Durability,
}

impl Tables {
    /// The database at this path, and what is in it. Where there is none, none is created.
    pub(super) fn find(path: PathBuf) -> Result<(Self, Records), StoreError> {
        let far = path.parent().is_some_and(sys::over_network);
        Self::find_with(path, if far { Journal::Rollback } else { Journal::Log })
    }

    pub(super) fn find_with(path: PathBuf, journal: Journal) -> Result<(Self, Records), StoreError> {
        let mut tables = Self { path, journal, connection: None, durability: Durability::Full };
        if !tables.path.try_exists().map_err(|error| StoreError::at("looking for", &tables.path, error))? {
            return Ok((tables, Records::default()));
        }
        let path = tables.path.clone();
        let records = tables.connection().and_then(|connection| {
            read(connection).map_err(|trouble| trouble.at("reading the ledger", &path))
        })?;
        Ok((tables, records))
    }

    /// Does something in one transaction, which survives as much as is asked for. When it fails nothing was done.
    pub(super) fn write(
        &mut self,
        how: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error>,
    ) -> Result<(), StoreError> {
        let path = self.path.clone();
        let mut set_to = self.durability;
        let connection = self.connection()?;
        let write = || -> Result<(), Trouble> {
            if set_to != how {
                let level = if how == Durability::Full { "FULL" } else { "NORMAL" };
                connection.pragma_update(None, "synchronous", level)?;
                set_to = how;
            }
            let transaction = connection.transaction()?;
            work(&transaction)?;
            Ok(transaction.commit()?)
        };
        let written = write();
        // Also where the rest of it failed.
        self.durability = set_to;
        written.map_err(|trouble| trouble.at("saving the ledger", &path))
    }

    /// What was published; where there is no database, none is created for it.
    pub(super) fn published(&self) -> Result<Vec<Published>, StoreError> {
        let Some(connection) = &self.connection else { return Ok(Vec::new()) };
        published::read(connection).map_err(|trouble| trouble.at("reading the ledger", &self.path))
    }

    pub(super) fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        if self.connection.is_none() {
            self.connection = Some(open(&self.path, self.journal)?);
        }
        self.connection.as_mut().ok_or_else(|| StoreError::Unclaimed { path: self.path.clone() })
    }
}

/// Opens the database, creating it where there is none, and makes sure that it can be used.
fn open(path: &Path, journal: Journal) -> Result<Connection, StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // SQLite would create it for everybody to read.
    sys::open_private(path).map_err(|error| StoreError::at("creating", path, error))?;
    let prepare = || -> Result<(Connection, i32), Trouble> {
        let mut connection = Connection::open(path)?;
        // The lock beside it keeps others out; like this no memory is shared with anybody either.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        let journal = match journal {
            Journal::Log => "WAL",
            Journal::Rollback => "DELETE",
        };
        let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > VERSION {
            return Ok((connection, version));
        }
        connection.pragma_update_and_check(None, "journal_mode", journal, |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -512)?;
        if version < VERSION {
            let transaction = connection.transaction()?;
            for step in missing(version) {
                transaction.execute_batch(step)?;
            }
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
        }
        Ok((connection, version))
    };
    let (connection, version) = prepare().map_err(|trouble| trouble.at("opening the ledger", path))?;
    if version > VERSION {
        return Err(StoreError::NewerFormat { path: path.to_path_buf(), version: version.cast_unsigned() });
    }
    // Also where it was there: whoever created it may not have come so far as this.
    sys::sync_dir(folder).map_err(|error| StoreError::at("syncing", folder, error))?;
    Ok(connection)
}

/// What a database of this version lacks.
fn missing(version: i32) -> &'static [&'static str] {
    match version {
        0 => &[CREATE, letters::CREATE, published::CREATE],
        1 => &[ADD_NOTE, ADD_BEYOND, ADD_COPIED, ADD_MARK, letters::CREATE, published::CREATE],
        2 => &[ADD_BEYOND, ADD_COPIED, ADD_MARK, letters::CREATE, published::CREATE],
        3 => &[ADD_COPIED, ADD_MARK, letters::CREATE, published::CREATE],
        4 => &[ADD_COPIED, ADD_MARK, letters::ADD_NANOS, published::CREATE],
        5 => &[ADD_MARK, letters::ADD_NANOS, published::CREATE],
        _ => &[ADD_MARK, published::CREATE],
    }
}

/// Everything that is in it.
fn read(connection: &Connection) -> Result<Records, Trouble> {
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(Trouble { what: Some(rusqlite::ErrorCode::DatabaseCorrupt), said: sound });
    }
    let mut records = Records::default();
    let mut statement = connection.prepare(ALL)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // A name that this haul would refuse was not written by it.
        if let Some((key, record)) = record(row)? {
            records.put(key, record);
        }
    }
    records.post(letters::read(connection)?);
    Ok(records)
}

fn record(row: &Row<'_>) -> Result<Option<(UploadKey, Unfinished)>, rusqlite::Error> {
    let path: Vec<u8> = row.get(1)?;
    let Ok(path) = TreePath::ROOT.join(&path) else { return Ok(None) };
    let number = |at: usize| row.get::<_, Option<i64>>(at);
    let base = match (row.get::<_, Option<Vec<u8>>>(7)?, number(8)?, number(9)?, row.get(10)?) {
        (Some(unique), Some(size), Some(seconds), Some(nanos)) => {
            Some((unique, size.cast_unsigned(), seconds, nanos))
        }
        _ => None,
    };
    let offset = row.get::<_, i64>(3)?.cast_unsigned();
    // Version 4 did not say it: then all of it may have been.
    let copied = number(14)?.map_or(if base.is_some() { offset } else { 0 }, i64::cast_unsigned);
    let record = Unfinished {
        stage: StageId(row.get(2)?),
        offset,
        settled: row.get(4)?,
        boot: row.get(5)?,
        declared: number(6)?.map(i64::cast_unsigned),
        base,
        copied,
        touched: row.get(11)?,
        note: row.get::<_, Option<Vec<u8>>>(12)?.unwrap_or_default(),
        beyond: row.get::<_, Option<Vec<u8>>>(13)?.map(|kept| ranges(&kept)).unwrap_or_default(),
        mark: row.get::<_, Option<Vec<u8>>>(15)?.unwrap_or_default(),
    };
    Ok(Some((UploadKey { owner: row.get(0)?, path }, record)))
}

/// Ranges as they are kept: for each its first byte and the one behind its last, 8 bytes each, the highest first.
fn kept(ranges: &RangeSet) -> Vec<u8> {
    ranges.iter().flat_map(|range| [range.start(), range.end()]).flat_map(u64::to_be_bytes).collect()
}

/// What [`kept`] was made of; what is no range says nothing.
fn ranges(kept: &[u8]) -> RangeSet {
    let numbers: Vec<u64> = kept.as_chunks().0.iter().map(|eight| u64::from_be_bytes(*eight)).collect();
    numbers.as_chunks().0.iter().filter_map(|[from, to]| ByteRange::new(*from, *to)).collect()
}

/// Writes one record.
pub(super) fn save(
    transaction: &Transaction<'_>,
    key: &UploadKey,
    record: &Unfinished,
) -> Result<(), rusqlite::Error> {
    let base = record.base.as_ref();
    let values = params![
        key.owner,
        key.path.as_bytes(),
        record.stage.0,
        record.offset.cast_signed(),
        record.settled,
        record.boot,
        record.declared.map(u64::cast_signed),
        base.map(|(unique, ..)| unique),
        base.map(|(_, size, ..)| size.cast_signed()),
        base.map(|(_, _, seconds, _)| seconds),
        base.map(|(.., nanos)| nanos),
        record.touched,
        record.note,
        (!record.beyond.is_empty()).then(|| kept(&record.beyond)),
        record.copied.cast_signed(),
        (!record.mark.is_empty()).then_some(&record.mark),
    ];
    transaction.prepare(SAVE)?.execute(values).map(drop)
}

/// Removes one record; whether there was one.
pub(super) fn forget(transaction: &Transaction<'_>, key: &UploadKey) -> Result<bool, rusqlite::Error> {
    Ok(transaction.execute(FORGET, params![key.path.as_bytes(), key.owner])? > 0)
}

/// Renames what lies within a folder; what would get no path any more is removed.
pub(super) fn moved(
    transaction: &Transaction<'_>,
    owner: Option<&str>,
    from: &TreePath,
    to: &TreePath,
) -> Result<(), rusqlite::Error> {
    let front = from.as_bytes();
    let keys: Vec<(String, Vec<u8>)> = transaction
        .prepare(KEYS)?
        .query_map(params![front.len().cast_signed(), front], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (of, path) in keys {
        let Ok(old) = TreePath::ROOT.join(&path) else { continue };
        if owner.is_some_and(|owner| owner != of) || !old.is_within(from) {
            continue;
        }
        match old.moved(from, to) {
            Some(new) => transaction.execute(RENAME, params![path, of, new.as_bytes()])?,
            None => transaction.execute(FORGET, params![path, of])?,
        };
    }
    Ok(())
}
