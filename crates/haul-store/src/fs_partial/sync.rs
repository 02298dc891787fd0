//! From *written* to *durable*, and the journal kept short.

use std::sync::Arc;

use super::{FsPartial, publish};
use crate::disk::{Disk, DiskFile};
use crate::journal::file;
use crate::journal::record::Record;
use crate::{Held, StoreError};

impl<D: Disk> FsPartial<D> {
    /// The journal's end is noted before the file is synced: what is claimed later may have missed that sync.
    pub(super) fn sync_now(&self) -> Result<Held, StoreError> {
        let _gate = self.gate();
        let mark = {
            let state = self.state();
            self.trusted(&state)?;
            state.claims.pending().next().map(|_| state.journal.len)
        };
        if let Some(upto) = mark {
            if let Err(error) = self.file.sync_data() {
                self.withdraw_unsynced();
                return Err(self.part_error("saving")(error));
            }
            let durable = self.state().record(&[Record::Durable { upto }]);
            durable.map_err(self.journal_error("recording in"))?;
        }
        let (journal, held) = {
            let state = self.state();
            (Arc::clone(&state.journal.file), state.claims.held())
        };
        if let Err(error) = journal.sync_data() {
            self.state().broken = true;
            return Err(self.journal_error("saving")(error));
        }
        // What has lost its name can't be published: better said now than at the end. And the journal's name is only
        // ours as long as NAME.part is.
        publish::still_named(&self.disk, &self.names, &self.file)?;
        self.compact()?;
        Ok(held)
    }

    /// A failed write-back is reported once, and the pages count as clean from then on. So a later sync that succeeds
    /// says nothing of bytes that were written before this one: all of them are withdrawn, those being written too.
    pub(super) fn withdraw_unsynced(&self) {
        let mut state = self.state();
        state.failures += 1;
        let withdrawn = state.record(&[Record::Void { from: 0 }]);
        // What cannot be withdrawn must never be confirmed.
        state.broken |= withdrawn.is_err();
    }

    /// Writes the journal anew once it is long and says much that has been merged.
    ///
    /// A crash at any step leaves the old journal or the new one, and both are true. Only syncs, resets and cuts name
    /// places in the journal, and the gate keeps them out.
    fn compact(&self) -> Result<(), StoreError> {
        let (image, mark) = {
            let state = self.state();
            if state.journal.len <= self.compact_at {
                return Ok(());
            }
            (file::image(&state.claims), state.journal.len)
        };
        let Ok(image) = image else { return Ok(()) };
        if image.len() as u64 > mark / 2 {
            return Ok(());
        }
        // Failing here costs nothing but the shortening: the old journal goes on.
        let Ok(mut fresh) = file::write_new(&self.disk, &self.names.journal_new, &image) else {
            return Ok(());
        };
        let mut state = self.state();
        let tail_len = usize::try_from(state.journal.len - mark).unwrap_or(usize::MAX);
        let mut tail = vec![0; tail_len];
        let moved = state
            .journal
            .file
            .read_exact(mark, &mut tail)
            .and_then(|()| fresh.append(&tail))
            // What was firm in the old journal must not get lost with it.
            .and_then(|_| if state.firm > mark { fresh.file.sync_data() } else { Ok(()) })
            .and_then(|()| self.disk.rename(&self.names.journal_new, &self.names.journal));
        if moved.is_err() {
            let _ = self.disk.remove(&self.names.journal_new);
            return Ok(());
        }
        state.claims.rebase(mark, image.len() as u64);
        state.journal = fresh;
        state.firm = 0;
        drop(state);
        // Until the folder is synced a power cut may bring the old journal back, so nothing may be confirmed in the
        // new one alone.
        self.disk.sync_dir(&self.names.dir).map_err(|error| {
            self.state().broken = true;
            StoreError::at("saving", &self.names.dir, error)
        })
    }
}
