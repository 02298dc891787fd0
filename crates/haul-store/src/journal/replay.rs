//! From a journal's bytes to what they say. Pure.

use super::claims::Claims;
use super::record::{self, HEADER_LEN, Record, VERSION};

/// What a file that should be a journal turned out to be.
#[derive(Debug)]
pub(crate) enum Reading {
    /// No journal of this or a newer format, or one that does not say of what.
    Unusable,
    /// A newer format.
    Newer {
        /// Its version.
        version: u32,
    },
    /// A journal.
    Usable(Box<Replayed>),
}

/// A journal read back.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// What it says.
    pub(crate) claims: Claims,
    /// How many of its bytes are whole records.
    pub(crate) end: u64,
    /// Whether bytes follow that are none.
    pub(crate) torn: bool,
}

/// Reads a journal up to its first damaged or unfinished record.
pub(crate) fn replay(bytes: &[u8]) -> Reading {
    match record::version(bytes) {
        None => return Reading::Unusable,
        Some(version) if version > VERSION => return Reading::Newer { version },
        Some(_) => {}
    }
    let mut claims = Claims::default();
    let mut at = HEADER_LEN;
    while let Some((record, len)) = bytes.get(at..).and_then(Record::read) {
        claims.apply(at as u64, &record);
        at += len;
    }
    if claims.subject.is_none() {
        return Reading::Unusable;
    }
    Reading::Usable(Box::new(Replayed { claims, end: at as u64, torn: at < bytes.len() }))
}
