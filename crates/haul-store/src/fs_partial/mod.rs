//! [`FsPartial`]: NAME.part, with its journal beside it, until it is NAME.
//!
//! Three rooms beside this one: finding or making it ([`find`]), checking what a journal claims ([`restore`]), and
//! ending it ([`publish`]). Here is what happens in between: bytes first, then the claim; sync outside the lock.
//!
//! ```text
//! gate   held by whatever must not run twice or beside each other: sync, reset, cut, compaction
//! state  held for the moments in which the journal and what it adds up to are read or changed
//! ```
//! The gate is always taken first. Data is written and synced with neither.

mod find;
mod names;
mod publish;
mod restore;
mod sync;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use haul_core::ByteRange;

use crate::disk::{Disk, DiskFile, RealDisk};
use crate::journal::claims::Claims;
use crate::journal::file::JournalFile;
use crate::journal::record::{Record, Rest};
use crate::{Geometry, Held, Note, Partial, Publish, StoreError, Subject};

pub use find::{Found, Orphan, Resumed};
#[cfg(test)]
pub(crate) use names::with_suffix;
pub(crate) use names::{JOURNAL, Names, PART};

/// A journal longer than this is written anew, where that makes it less than half as long.
const COMPACT_AT: u64 = 256 << 10;

/// How much of the file is read at once when checksums are checked.
const PIECE: usize = 1 << 20;

/// An unfinished file on a file system, locked for this process.
///
/// Its futures do their work when first polled and block while they do: drive them on a thread of their own.
#[derive(Debug)]
pub struct FsPartial<D: Disk = RealDisk> {
    disk: D,
    names: Names,
    file: D::File,
    state: Mutex<State<D::File>>,
    /// Told whenever a write ends.
    freed: Condvar,
    gate: Mutex<()>,
    compact_at: u64,
}

/// What the state lock guards.
#[derive(Debug)]
struct State<F> {
    journal: JournalFile<F>,
    claims: Claims,
    /// Ranges being written at this moment; no two overlap.
    in_flight: Vec<ByteRange>,
    /// How many threads wait for a write to end. Waking nobody would cost a call into the kernel for each piece.
    waiting: usize,
    /// Counts failed syncs. A write that began before one and ends after it is not claimed: its bytes may be among
    /// those that did not arrive.
    failures: u64,
    /// The journal itself could not be kept: nothing is claimed any more.
    broken: bool,
    /// Up to here the journal was synced because what it says there must not get lost.
    firm: u64,
}

impl<F: DiskFile> State<F> {
    /// Appends records by one write, and takes in what they say.
    fn record(&mut self, records: &[Record]) -> std::io::Result<()> {
        let mut framed = Vec::with_capacity(64);
        for record in records {
            record.frame(&mut framed)?;
        }
        let at = self.journal.append(&framed)?;
        // Only Written's place matters to the claims, and only whether a sync had begun before it.
        records.iter().for_each(|record| self.claims.apply(at, record));
        Ok(())
    }
}

impl<D: Disk> FsPartial<D> {
    fn new(disk: D, names: Names, file: D::File, journal: JournalFile<D::File>, claims: Claims) -> Self {
        let state =
            State { journal, claims, in_flight: Vec::new(), waiting: 0, failures: 0, broken: false, firm: 0 };
        let (state, freed, gate) = (Mutex::new(state), Condvar::new(), Mutex::new(()));
        Self { disk, names, file, state, freed, gate, compact_at: COMPACT_AT }
    }

    /// Compacts sooner: a short script is to come across it.
    #[cfg(test)]
    pub(crate) fn compacting_at(self, compact_at: u64) -> Self {
        Self { compact_at, ..self }
    }

    /// What is held now.
    pub fn held(&self) -> Held {
        self.state().claims.held()
    }

    /// The target: the name that the file gets once it is whole.
    pub fn target(&self) -> &std::path::Path {
        &self.names.target
    }

    fn state(&self) -> MutexGuard<'_, State<D::File>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn part_error(&self, doing: &'static str) -> impl FnOnce(std::io::Error) -> StoreError + '_ {
        move |error| StoreError::at(doing, &self.names.part, error)
    }

    fn journal_error(&self, doing: &'static str) -> impl FnOnce(std::io::Error) -> StoreError + '_ {
        move |error| StoreError::at(doing, &self.names.journal, error)
    }

    fn trusted(&self, state: &State<D::File>) -> Result<(), StoreError> {
        if state.broken { Err(StoreError::Unclaimed { path: self.names.part.clone() }) } else { Ok(()) }
    }

    fn write_now(&self, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let len = bytes.len() as u64;
        if len == 0 {
            return Ok(());
        }
        let range = ByteRange::from_len(at, len)
            .ok_or_else(|| self.part_error("writing")(std::io::ErrorKind::FileTooLarge.into()))?;
        let crc = crate::crc::of(bytes);
        let failures = self.enter(range)?;
        let written = self.file.write_all(at, bytes);
        let mut state = self.state();
        state.in_flight.retain(|other| *other != range);
        if state.waiting > 0 {
            self.freed.notify_all();
        }
        written.map_err(self.part_error("writing"))?;
        if state.failures != failures {
            return Err(StoreError::Unclaimed { path: self.names.part.clone() });
        }
        state.record(&[Record::Written { start: at, len, crc }]).map_err(self.journal_error("recording in"))
    }

    /// Waits until nobody else writes to any of `range`, and withdraws what is claimed there.
    fn enter(&self, range: ByteRange) -> Result<u64, StoreError> {
        let mut state = self.state();
        while state.in_flight.iter().any(|other| other.intersection(range).is_some()) {
            state = self.wait_for_a_write(state);
        }
        self.trusted(&state)?;
        let (claimed, durable) = state.claims.touched_by(range);
        if claimed {
            let (start, len, rests) = (range.start(), range.len(), self.rests(&state.claims, range));
            let withdrawn = state.record(&[Record::Forget { start, len, rests }]);
            withdrawn.map_err(self.journal_error("recording in"))?;
            if durable {
                // Were this withdrawal lost and the new bytes kept, the old claim would be false.
                self.sync_journal(&mut state)?;
            }
        }
        state.in_flight.push(range);
        Ok(state.failures)
    }

    fn wait_for_a_write<'a>(
        &self,
        mut state: MutexGuard<'a, State<D::File>>,
    ) -> MutexGuard<'a, State<D::File>> {
        state.waiting += 1;
        let mut state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }

    /// What the written claims that lie partly in `range` leave outside of it, with checksums of its own: theirs
    /// cannot be checked once those bytes change.
    fn rests(&self, claims: &Claims, range: ByteRange) -> Vec<Rest> {
        let mut rests = Vec::new();
        for claim in claims.pending_in(range) {
            let left = ByteRange::new(claim.range.start(), range.start());
            let right = ByteRange::new(range.end(), claim.range.end());
            if left.or(right).is_none() || restore::crc_of(&self.file, claim.range).ok() != Some(claim.crc) {
                continue;
            }
            for rest in left.into_iter().chain(right) {
                if let Ok(crc) = restore::crc_of(&self.file, rest) {
                    rests.push((rest.start(), rest.len(), crc));
                }
            }
        }
        rests
    }

    /// Syncs the journal under the lock: for the rare records that must be durable before the file is touched.
    fn sync_journal(&self, state: &mut State<D::File>) -> Result<(), StoreError> {
        state.firm = state.journal.len;
        state.journal.file.sync_data().map_err(|error| {
            state.broken = true;
            self.journal_error("saving")(error)
        })
    }

    /// The state once nothing is being written; as long as it is held, nothing will be.
    fn quiet(&self) -> Result<MutexGuard<'_, State<D::File>>, StoreError> {
        let mut state = self.state();
        while !state.in_flight.is_empty() {
            state = self.wait_for_a_write(state);
        }
        self.trusted(&state)?;
        Ok(state)
    }

    fn read_now(&self, range: ByteRange) -> Result<Bytes, StoreError> {
        read_range(&self.file, range).map_err(self.part_error("reading"))
    }

    fn note_now(&self, note: Note) -> Result<(), StoreError> {
        let record = match note {
            Note::Subject(subject) => Record::Subject(subject),
            Note::Stopped { when_unix, why } => Record::Stopped { when_unix, why },
        };
        let mut state = self.state();
        self.trusted(&state)?;
        state.record(&[record]).map_err(self.journal_error("recording in"))
    }

    /// The journal says so first, durably: a file that shrank and grew again must not be taken for the old one.
    fn reset_now(&self, subject: Subject) -> Result<(), StoreError> {
        let _gate = self.gate();
        let mut state = self.quiet()?;
        state.record(&[Record::Reset(subject)]).map_err(self.journal_error("recording in"))?;
        self.sync_journal(&mut state)?;
        self.file.set_len(0).map_err(self.part_error("cutting"))
    }

    fn cut_now(&self, at: u64) -> Result<(), StoreError> {
        let _gate = self.gate();
        let mut state = self.quiet()?;
        if let Some(range) = ByteRange::new(at, u64::MAX) {
            let rests = self.rests(&state.claims, range);
            state.record(&[Record::Cut { at, rests }]).map_err(self.journal_error("recording in"))?;
            self.sync_journal(&mut state)?;
        }
        if self.file.len().map_err(self.part_error("measuring"))? > at {
            self.file.set_len(at).map_err(self.part_error("cutting"))?;
        }
        Ok(())
    }
}

/// Reads exactly `range`.
fn read_range<F: DiskFile>(file: &F, range: ByteRange) -> std::io::Result<Bytes> {
    // What is not there is not made room for.
    if range.end() > file.len()? {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let len = usize::try_from(range.len()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    let mut bytes = vec![0; len];
    file.read_exact(range.start(), &mut bytes)?;
    Ok(bytes.into())
}

impl<D: Disk> Partial for FsPartial<D> {
    fn geometry(&self) -> Geometry {
        Geometry { can_cut: true, can_read: true, in_order: false, min_part: 1, max_parts: None }
    }

    async fn write(&self, at: u64, bytes: Bytes) -> Result<(), StoreError> {
        self.write_now(at, &bytes)
    }

    async fn read(&self, range: ByteRange) -> Result<Bytes, StoreError> {
        self.read_now(range)
    }

    async fn sync(&self) -> Result<Held, StoreError> {
        self.sync_now()
    }

    async fn note(&self, note: Note) -> Result<(), StoreError> {
        self.note_now(note)
    }

    async fn reset(&self, subject: Subject) -> Result<(), StoreError> {
        self.reset_now(subject)
    }

    async fn cut(&self, at: u64) -> Result<(), StoreError> {
        self.cut_now(at)
    }

    async fn publish(self, how: Publish) -> Result<(), StoreError> {
        self.publish_now(how)
    }

    async fn set_aside(self, suffix: &str) -> Result<std::path::PathBuf, StoreError> {
        let Self { disk, names, file, state, .. } = self;
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        publish::set_aside(&disk, &names, &file, Some(&*state.journal.file), suffix)
    }

    async fn discard(self) -> Result<(), StoreError> {
        let Self { disk, names, file, state, .. } = self;
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        publish::discard(&disk, &names, &file, Some(&*state.journal.file))
    }
}
