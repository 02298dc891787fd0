//! What lanes and the writer say, brought before the machine.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use haul_core::{
    Algorithm, ByteRange, Digest, Entity,
    transfer::{Event, LaneId},
};
use haul_store::StoreError;
use tokio::sync::OwnedSemaphorePermit;

use super::{Drive, Step, lane::Word, place::Sat, seat, writer::Told};
use crate::failure::{Failure, Kind};

impl Drive<'_> {
    /// Takes note of what a lane says.
    pub(super) async fn on_word(&mut self, lane: LaneId, word: Word) -> Step {
        let now = Instant::now();
        if !self.lanes.contains_key(&lane) {
            return Ok(None);
        }
        match word {
            Word::Opened { seen, from, to, ranges, name, digests } => {
                if self.place.is_none() {
                    match self.sit_by_answer(&seen, name.as_deref()).await? {
                        Sat::Here => {}
                        Sat::Elsewhere => return Ok(None),
                        Sat::Done(done) => return Ok(Some(done)),
                    }
                }
                // To look at the place may have taken long.
                let now = Instant::now();
                self.machine.handle(now, Event::Opened { lane, seen, from, to, ranges });
                if self.machine.brings(lane) {
                    self.told_digest = self.told_digest.take().or_else(|| strongest(digests));
                }
                self.after_answer();
            }
            Word::Checked(found) => {
                self.machine.handle(now, Event::Checked { lane, found });
                self.note_subject();
            }
            Word::Heard => self.machine.handle(now, Event::Heard { lane }),
            Word::Bytes { at, bytes, turn } => self.on_bytes(now, lane, at, bytes, turn).await?,
            Word::Ended => {
                self.lanes.remove(&lane);
                self.machine.handle(now, Event::Ended { lane });
            }
            Word::Unsatisfiable { seen, total } => {
                self.lanes.remove(&lane);
                if self.place.is_none()
                    && let Sat::Done(done) =
                        self.sit_by_answer(&Entity { size: total, ..seen.clone() }, None).await?
                {
                    return Ok(Some(done));
                }
                self.machine.handle(now, Event::Unsatisfiable { lane, seen, total });
                self.note_subject();
            }
            Word::Failed(failed) => {
                self.lanes.remove(&lane);
                let (why, retry_after) = (failed.why, failed.retry_after);
                tracing::debug!(lane = lane.0, why = failed.message, "lane failed");
                self.machine.handle(now, Event::Failed { lane, why, retry_after });
                self.report.retry(now, &self.machine, &failed);
                self.last_failure = Some(failed);
            }
        }
        Ok(None)
    }

    /// Writes what the machine takes of a piece.
    async fn on_bytes(
        &mut self,
        now: Instant,
        lane: LaneId,
        at: u64,
        bytes: Bytes,
        turn: OwnedSemaphorePermit,
    ) -> Result<(), Failure> {
        let Some(range) = ByteRange::from_len(at, bytes.len() as u64) else { return Ok(()) };
        let taken = self.machine.receive(now, lane, range);
        let Some(place) = &mut self.place else { return Ok(()) };
        let turn = Arc::new(turn);
        for piece in taken {
            let inside = (piece.start() - at) as usize..(piece.end() - at) as usize;
            match place.writer.write(piece.start(), bytes.slice(inside), &turn).await {
                Ok(Some(written)) => self.machine.handle(Instant::now(), Event::Written(written)),
                Ok(None) => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
        Ok(())
    }

    /// The store failed: nothing more is asked for.
    fn broken(&mut self, error: &StoreError) -> Failure {
        self.machine.handle(Instant::now(), Event::Pause);
        seat::store(error)
    }

    /// Takes note of what the writer says.
    pub(super) fn on_told(&mut self, told: Option<Told>) -> Step {
        let now = Instant::now();
        match told {
            Some(Told::Written(range)) => self.machine.handle(now, Event::Written(range)),
            Some(Told::Durable) => self.machine.handle(now, Event::Durable),
            Some(Told::Aside(path)) => {
                self.sit_anew(&path)?;
                self.machine.handle(now, Event::ResetDone);
                // Of the place before nothing is to be saved any more, should that have been asked for.
                self.machine.handle(now, Event::Durable);
            }
            Some(Told::ResetDone) => self.machine.handle(now, Event::ResetDone),
            Some(Told::Published) => self.machine.handle(now, Event::Published),
            Some(Told::Mismatch { found, kept }) => {
                let found = found.map(|found| found.to_string()).unwrap_or_default();
                let wanted = self.job.checksum.as_ref().or(self.told_digest.as_ref());
                let wanted = wanted.map(ToString::to_string).unwrap_or_default();
                let message = format!("the file has another checksum: {found}, and not {wanted}");
                return Err(Failure::new(Kind::Mismatch, message)
                    .advise(format!("the bad file is kept as {}", kept.display())));
            }
            Some(Told::Broken(error)) => return Err(self.broken(&error)),
            None => return Err(Failure::new(Kind::Unexpected, "the writer ended without a word")),
        }
        Ok(None)
    }
}

/// The digest to check the whole by: MD5 and SHA-1 prove too little to refuse a file for.
fn strongest(digests: Vec<Digest>) -> Option<Digest> {
    digests.into_iter().find(|digest| matches!(digest.algorithm(), Algorithm::Sha256 | Algorithm::Sha512))
}
