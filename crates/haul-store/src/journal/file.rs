//! The journal as a file: appending, and writing a new one whole.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::claims::Claims;
use super::record::{self, Record};
use crate::disk::{Disk, DiskFile, Opening};

/// No journal that haul wrote is longer; what lies behind is not read.
pub(crate) const LONGEST: u64 = 256 << 20;

/// An open journal.
#[derive(Debug)]
pub(crate) struct JournalFile<F> {
    /// Shared with a sync that is under way outside the lock.
    pub(crate) file: Arc<F>,
    /// Where the next record goes.
    pub(crate) len: u64,
}

impl<F: DiskFile> JournalFile<F> {
    /// Appends framed records by one write; returns where they stand.
    ///
    /// After an error they are not there: the next append begins at the same place, and what a torn one left behind
    /// is cut off.
    pub(crate) fn append(&mut self, framed: &[u8]) -> io::Result<u64> {
        if let Err(error) = self.file.write_all(self.len, framed) {
            let _ = self.file.set_len(self.len);
            return Err(error);
        }
        let at = self.len;
        self.len += framed.len() as u64;
        Ok(at)
    }
}

/// Reads a whole journal.
pub(crate) fn read_all<F: DiskFile>(file: &F) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?.min(LONGEST)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match file.read(filled as u64, &mut bytes[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// A whole journal that says what `claims` say: durable ranges merged, the rest as it was.
pub(crate) fn image(claims: &Claims) -> io::Result<Vec<u8>> {
    let mut image = record::header().to_vec();
    if let Some(session) = claims.session {
        Record::Session { pid: session.pid, started_unix: session.started_unix }.frame(&mut image)?;
    }
    if let Some(subject) = &claims.subject {
        Record::Subject(subject.clone()).frame(&mut image)?;
    }
    if !claims.durable().is_empty() {
        let ranges = claims.durable().iter().map(|range| (range.start(), range.len())).collect();
        let tails = claims.tails().map(|tail| (tail.range.start(), tail.range.len(), tail.crc)).collect();
        Record::Safe { ranges, tails }.frame(&mut image)?;
    }
    for claim in claims.pending() {
        let (start, len) = (claim.range.start(), claim.range.len());
        Record::Written { start, len, crc: claim.crc }.frame(&mut image)?;
    }
    if let Some((when_unix, why)) = claims.stopped.clone() {
        Record::Stopped { when_unix, why }.frame(&mut image)?;
    }
    Ok(image)
}

/// Writes a journal under a temporary name, durably; it still has to be renamed. Nobody but its owner may read it.
pub(crate) fn write_new<D: Disk>(disk: &D, path: &Path, image: &[u8]) -> io::Result<JournalFile<D::File>> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.open(path, Opening::Private)?;
    let written = file.write_all(0, image).and_then(|()| file.sync_data());
    if let Err(error) = written {
        let _ = disk.remove(path);
        return Err(error);
    }
    Ok(JournalFile { file: Arc::new(file), len: image.len() as u64 })
}
