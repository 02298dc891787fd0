//! What a session was told of its own unfinished uploads.
//!
//! To append names no offset: in FTP a client sends on from what SIZE or a list has said (RFC 959 §4.1.3, APPE). An
//! older session that was still dying then may have kept more since, and to go on behind that would put the same bytes
//! there twice. So what was told is remembered until this session writes there itself.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use haul_core::{TreePath, receiving::Wish};
use haul_store::Unfinished;

use super::Seen;

/// So many are remembered, the newest.
const MOST: usize = 256;

/// The offsets that one session was told last.
#[derive(Default)]
pub(super) struct Told(Mutex<VecDeque<Offset>>);

struct Offset {
    place: TreePath,
    /// Which upload it was: another one may get the name.
    stage: Vec<u8>,
    at: u64,
}

impl Told {
    fn offsets(&self) -> MutexGuard<'_, VecDeque<Offset>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This unfinished upload is told now.
    pub(super) fn note(&self, place: TreePath, seen: &Seen) {
        let mut offsets = self.offsets();
        offsets.retain(|offset| offset.place != place);
        if offsets.len() >= MOST {
            offsets.pop_front();
        }
        offsets.push_back(Offset { place, stage: seen.meta.unique.clone(), at: seen.meta.size });
    }

    /// What was told of this place. The session changes it now, and knows better from then on.
    pub(super) fn take(&self, place: &TreePath) -> Option<Hint> {
        let mut offsets = self.offsets();
        let index = offsets.iter().position(|offset| offset.place == *place)?;
        offsets.remove(index).map(|Offset { stage, at, .. }| Hint { stage, at })
    }
}

/// What was told of one place.
pub(super) struct Hint {
    stage: Vec<u8>,
    at: u64,
}

impl Hint {
    /// From where its client goes on when it appends: whether what was told is still being received, was kept with more
    /// or is finished by now, the byte that it sends next is this one. `None` where it is another file or a shorter one.
    pub(super) fn append(&self, unfinished: Option<&Unfinished>, published: Option<u64>) -> Option<Wish> {
        let there = match unfinished {
            Some(record) => (record.stage.0.as_bytes() == self.stage).then_some(record.offset),
            None => published,
        };
        there.filter(|end| *end >= self.at).map(|_| Wish::From(self.at))
    }
}
