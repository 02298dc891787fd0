//! Checking what a journal claims against the file: promise 1 at the moment of coming back.
//!
//! What is durable is trusted, but for the last bytes of each extent: had another program had its hand on the file,
//! that is where it shows. What is only written is read back, all of it.

use haul_core::{ByteRange, RangeSet};

use super::{FsPartial, Names, PIECE};
use crate::StoreError;
use crate::disk::{Disk, DiskFile};
use crate::journal::claims::Claims;
use crate::journal::file::JournalFile;
use crate::journal::record::Record;
use crate::journal::replay::Replayed;

/// What came back, and what did not.
#[derive(Debug)]
pub(super) struct Restored<D: Disk> {
    pub(super) partial: FsPartial<D>,
    pub(super) held: RangeSet,
    pub(super) touched: bool,
    pub(super) lost: u64,
}

/// What the checks found.
struct Found {
    touched: bool,
    /// What must be said in the journal before anything else is.
    corrections: Vec<Record>,
}

/// Takes up a partial whose journal was read. The file is locked.
pub(super) fn restore<D: Disk>(
    disk: D,
    names: &Names,
    part: D::File,
    mut journal: JournalFile<D::File>,
    replayed: Replayed,
) -> Result<Restored<D>, StoreError> {
    let in_part = |error| StoreError::at("checking", &names.part, error);
    let in_journal = |error| StoreError::at("recording in", &names.journal, error);
    let claimed = replayed.claims.total();
    journal.len = replayed.end;
    if replayed.torn {
        // Synced before anything is appended: were the cut lost and the append kept, damage in the middle would be
        // mended, and records behind it that were given up would count again.
        journal.file.set_len(replayed.end).and_then(|()| journal.file.sync_data()).map_err(in_journal)?;
    }
    // Of a rewriting of the journal that was cut off.
    super::publish::remove(&disk, &names.journal_new)?;
    part.drop_clean_pages();
    let len = part.len().map_err(in_part)?;
    let Found { touched, mut corrections } = check(&part, len, &replayed.claims).map_err(in_part)?;
    let corrected = !corrections.is_empty();
    corrections.push(super::find::session());
    let partial = FsPartial::new(disk, names.clone(), part, journal, replayed.claims);
    let (held, end) = {
        let mut state = partial.state();
        state.record(&corrections).map_err(in_journal)?;
        if corrected {
            partial.sync_journal(&mut state)?;
        }
        (state.claims.held().written, state.claims.end())
    };
    if !touched && len > end {
        // Bytes that nobody claims: of a write that was cut off, or of an earlier version.
        partial.file.set_len(end).map_err(in_part)?;
    }
    let lost = claimed - held.total();
    Ok(Restored { partial, held, touched, lost })
}

fn check<F: DiskFile>(part: &F, len: u64, claims: &Claims) -> std::io::Result<Found> {
    for tail in claims.tails().filter(|tail| tail.range.end() <= len) {
        if crc_of(part, tail.range)? != tail.crc {
            return Ok(Found { touched: true, corrections: vec![Record::Cut { at: 0, rests: Vec::new() }] });
        }
    }
    let mut corrections = Vec::new();
    if claims.end() > len {
        corrections.push(Record::Cut { at: len, rests: Vec::new() });
    }
    for claim in claims.pending().filter(|claim| claim.range.end() <= len) {
        // Bytes that cannot be read are gone like bytes that differ.
        if crc_of(part, claim.range).ok() != Some(claim.crc) {
            let (start, len) = (claim.range.start(), claim.range.len());
            corrections.push(Record::Forget { start, len, rests: Vec::new() });
        }
    }
    Ok(Found { touched: false, corrections })
}

/// The CRC32C of a stretch of the file, read piece by piece.
pub(super) fn crc_of<F: DiskFile>(file: &F, range: ByteRange) -> std::io::Result<u32> {
    let mut piece = vec![0; usize::try_from(range.len()).unwrap_or(PIECE).min(PIECE)];
    let mut at = range.start();
    let mut crc = 0;
    while at < range.end() {
        let wanted = usize::try_from(range.end() - at).unwrap_or(PIECE).min(PIECE);
        file.read_exact(at, &mut piece[..wanted])?;
        crc = crate::crc::append(crc, &piece[..wanted]);
        at += wanted as u64;
    }
    Ok(crc)
}
