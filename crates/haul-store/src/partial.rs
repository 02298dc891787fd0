//! The waist: what a place for an unfinished file can do.
//!
//! No protocol word and no file-system word is in here, so that a multipart upload to an object store fits as well
//! as a file beside a journal. An implementation has passed [`crate::conformance`].

use std::future::Future;
use std::path::PathBuf;

use bytes::Bytes;
use haul_core::{ByteRange, RangeSet};

use crate::{StoreError, Subject};

/// What a store can do with an unfinished file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Whether [`Partial::cut`] works.
    pub can_cut: bool,
    /// Whether [`Partial::read`] works.
    pub can_read: bool,
    /// Whether writes must come in order, without gaps.
    pub in_order: bool,
    /// The fewest bytes a write may have, but for the last one.
    pub min_part: u64,
    /// The most writes there may be.
    pub max_parts: Option<u32>,
}

/// What a partial holds, and how safe it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Everything claimed: safe against the end of this process. Includes what is durable.
    pub written: RangeSet,
    /// What is safe against the end of this machine's power.
    pub durable: RangeSet,
}

/// Something to remember that is no claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// More was learned of the same version of the file: its size, another source, another validator.
    /// A different version is a [`Partial::reset`].
    Subject(Subject),
    /// The transfer stopped.
    Stopped {
        /// When, in seconds since 1970-01-01T00:00:00Z.
        when_unix: i64,
        /// Why, for people.
        why: String,
    },
}

/// How to make the whole file visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Whether what has the name already is replaced; if not, [`StoreError::Exists`].
    pub replace: bool,
    /// The modification date to give it: seconds since 1970-01-01T00:00:00Z, and nanoseconds.
    pub modified: Option<(i64, u32)>,
}

/// An unfinished file. Everything is on `&self`, so that [`sync`](Self::sync) runs beside [`write`](Self::write).
pub trait Partial: Send + Sync + 'static {
    /// What can be done here.
    fn geometry(&self) -> Geometry;

    /// Writes these bytes from `at` on, then claims them as *written*.
    ///
    /// Writing over claimed bytes withdraws the claim on them first. After an error nothing of the range is claimed.
    fn write(&self, at: u64, bytes: Bytes) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads exactly `range`; to find fewer bytes is an error.
    fn read(&self, range: ByteRange) -> impl Future<Output = Result<Bytes, StoreError>> + Send;

    /// Makes everything *durable* for which `write` had returned when this was called, and tells what is held.
    ///
    /// When it fails, everything that was not durable is withdrawn and has to be written again: a system may report a
    /// failed write-back only once.
    fn sync(&self) -> impl Future<Output = Result<Held, StoreError>> + Send;

    /// Remembers something. It is as durable as the claims that are made after it.
    fn note(&self, note: Note) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets all bytes and begins anew, with this subject.
    fn reset(&self, subject: Subject) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets all bytes from `at` on.
    fn cut(&self, at: u64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes the whole file visible under its name, at once and durably; [`StoreError::Incomplete`] where it has a gap
    /// or another size than its subject's. After an error it is still there as a partial, unless the error came after
    /// the name was given.
    fn publish(self, how: Publish) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Keeps the bytes under another name, NAME.`suffix` or NAME.`suffix`.1 …, which it returns, and ends the partial.
    fn set_aside(self, suffix: &str) -> impl Future<Output = Result<PathBuf, StoreError>> + Send;

    /// Removes everything.
    fn discard(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
