//! What the records of a journal add up to. The one place that knows: a journal that is read back and one that is
//! being written go through the same [`Claims::apply`], so that they cannot disagree.
//!
//! Pure: it has no file and reads no bytes.

use std::collections::BTreeMap;

use haul_core::{ByteRange, RangeSet};

use super::record::{Record, Rest};
use crate::{Held, Subject};

/// A claim of this many bytes or more serves as the checksum of an extent's end by itself.
const TAIL: u64 = 64 << 10;

/// The end of an extent is covered by a checksum of at most this many bytes, unless one claim had more.
const LONGEST_TAIL: u64 = 1 << 20;

/// The process that has, or last had, the partial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) pid: u32,
    pub(crate) started_unix: i64,
}

/// A stretch with the CRC32C of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) range: ByteRange,
    pub(crate) crc: u32,
}

/// A written claim that is not durable yet, and where in the journal it stands.
#[derive(Clone, Copy, Debug)]
struct Pending {
    end: u64,
    crc: u32,
    offset: u64,
}

/// All that a journal says at one moment.
///
/// Invariants: pending claims overlap neither each other nor anything durable; every tail lies in one durable extent
/// and ends where that ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    pub(crate) subject: Option<Subject>,
    pub(crate) session: Option<Session>,
    pub(crate) stopped: Option<(i64, String)>,
    durable: RangeSet,
    /// By start.
    pending: BTreeMap<u64, Pending>,
    /// By end: start and CRC32C.
    tails: BTreeMap<u64, (u64, u32)>,
}

impl Claims {
    /// Takes in the record that stands at `offset` of the journal.
    pub(crate) fn apply(&mut self, offset: u64, record: &Record) {
        match record {
            Record::Session { pid, started_unix } => {
                self.session = Some(Session { pid: *pid, started_unix: *started_unix });
                self.stopped = None;
            }
            Record::Subject(subject) => self.subject = Some(subject.clone()),
            Record::Written { start, len, crc } => self.write(offset, (*start, *len, *crc)),
            Record::Durable { upto } => self.make_durable(*upto),
            Record::Void { from } => self.pending.retain(|_, claim| claim.offset < *from),
            Record::Forget { start, len, rests } => {
                ByteRange::from_len(*start, *len).into_iter().for_each(|range| self.forget(range));
                rests.iter().for_each(|rest| self.write(offset, *rest));
            }
            Record::Cut { at, rests } => {
                ByteRange::new(*at, u64::MAX).into_iter().for_each(|range| self.forget(range));
                rests.iter().for_each(|rest| self.write(offset, *rest));
            }
            Record::Reset(subject) => {
                self.forget_all();
                self.subject = Some(subject.clone());
            }
            Record::Stopped { when_unix, why } => self.stopped = Some((*when_unix, why.clone())),
            Record::Safe { ranges, tails } => self.take_safe(ranges, tails),
        }
    }

    /// What is held.
    pub(crate) fn held(&self) -> Held {
        let mut written = self.durable.clone();
        written.extend(self.pending().map(|claim| claim.range));
        Held { written, durable: self.durable.clone() }
    }

    /// What is durable.
    pub(crate) fn durable(&self) -> &RangeSet {
        &self.durable
    }

    /// The claims that are only written, in order.
    pub(crate) fn pending(&self) -> impl Iterator<Item = Checked> + '_ {
        self.pending.iter().filter_map(|(&start, claim)| {
            ByteRange::new(start, claim.end).map(|range| Checked { range, crc: claim.crc })
        })
    }

    /// The checksums at the ends of durable extents, in order.
    pub(crate) fn tails(&self) -> impl Iterator<Item = Checked> + '_ {
        self.tails.iter().filter_map(|(&end, &(start, crc))| {
            ByteRange::new(start, end).map(|range| Checked { range, crc })
        })
    }

    /// The written claims that share bytes with `range`.
    pub(crate) fn pending_in(&self, range: ByteRange) -> impl Iterator<Item = Checked> + '_ {
        let all = self.pending.range(..range.end()).rev();
        all.take_while(move |(_, claim)| claim.end > range.start()).filter_map(|(&start, claim)| {
            ByteRange::new(start, claim.end).map(|range| Checked { range, crc: claim.crc })
        })
    }

    /// Whether anything of `range` is claimed, and whether anything of it is durable.
    pub(crate) fn touched_by(&self, range: ByteRange) -> (bool, bool) {
        let durable = self.durable.covered(range).next().is_some();
        (durable || self.pending_in(range).next().is_some(), durable)
    }

    /// The offset behind the last claimed byte.
    pub(crate) fn end(&self) -> u64 {
        self.durable.end().max(self.pending.last_key_value().map_or(0, |(_, claim)| claim.end))
    }

    /// How many bytes are claimed.
    pub(crate) fn total(&self) -> u64 {
        self.durable.total() + self.pending().map(|claim| claim.range.len()).sum::<u64>()
    }

    /// The journal was rewritten: what stood before `mark` stands at its beginning now, what stood behind it lies
    /// behind the first `written` bytes.
    pub(crate) fn rebase(&mut self, mark: u64, written: u64) {
        for claim in self.pending.values_mut() {
            claim.offset = claim.offset.checked_sub(mark).map_or(0, |behind| written + behind);
        }
    }

    fn write(&mut self, offset: u64, (start, len, crc): Rest) {
        if let Some(range) = ByteRange::from_len(start, len) {
            self.forget(range);
            self.pending.insert(start, Pending { end: range.end(), crc, offset });
        }
    }

    fn forget_all(&mut self) {
        self.durable = RangeSet::new();
        self.pending.clear();
        self.tails.clear();
    }

    /// A claim that lies partly inside loses its checksum, and with it the claim on its rest.
    fn forget(&mut self, range: ByteRange) {
        let starts: Vec<u64> = self.pending_in(range).map(|claim| claim.range.start()).collect();
        for start in starts {
            self.pending.remove(&start);
        }
        if range.start() >= self.durable.end() {
            return;
        }
        self.durable.remove(range);
        let behind = self.tails.range(range.start().saturating_add(1)..);
        let ends: Vec<u64> =
            behind.take_while(|(_, (start, _))| *start < range.end()).map(|(&end, _)| end).collect();
        for end in ends {
            self.tails.remove(&end);
        }
    }

    fn make_durable(&mut self, upto: u64) {
        let pending = std::mem::take(&mut self.pending);
        for (start, claim) in pending {
            let Some(range) = ByteRange::new(start, claim.end) else { continue };
            if claim.offset < upto {
                self.add_durable(Checked { range, crc: claim.crc });
            } else {
                self.pending.insert(start, claim);
            }
        }
    }

    /// Keeps the checksum of the extent's last bytes; a short claim's is joined with the one before it.
    fn add_durable(&mut self, claim: Checked) {
        let Checked { range, mut crc } = claim;
        let mut start = range.start();
        let before = self.tails.remove(&start);
        self.durable.insert(range);
        if self.durable.first_missing(range.start()) != range.end() {
            return;
        }
        if let Some((earlier, its_crc)) = before
            && range.len() < TAIL
            && range.end() - earlier <= LONGEST_TAIL
        {
            crc = crate::crc::join(its_crc, crc, range.len());
            start = earlier;
        }
        self.tails.insert(range.end(), (start, crc));
    }

    fn take_safe(&mut self, ranges: &[(u64, u64)], tails: &[Rest]) {
        self.durable.extend(ranges.iter().filter_map(|&(start, len)| ByteRange::from_len(start, len)));
        for &(start, len, crc) in tails {
            if let Some(range) = ByteRange::from_len(start, len)
                && self.durable.contains(range)
                && self.durable.first_missing(start) == range.end()
            {
                self.tails.insert(range.end(), (start, crc));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Through random records: pending claims and durable ranges stay apart, and every tail ends where an extent does.
    #[test]
    fn claims_never_overlap_and_tails_stand_at_ends() {
        let mut random = haul_core::Random::new(11);
        for _ in 0..300 {
            let mut claims = Claims::default();
            for offset in 0..60 {
                let (start, len) = (random.below(60), 1 + random.below(12));
                let record = match random.below(12) {
                    0 | 1 => Record::Durable { upto: offset },
                    2 => Record::Forget { start, len, rests: Vec::new() },
                    3 if random.below(4) == 0 => Record::Cut { at: start, rests: Vec::new() },
                    4 if random.below(4) == 0 => Record::Void { from: offset / 2 },
                    _ => Record::Written { start, len, crc: 0 },
                };
                claims.apply(offset, &record);
                let held = claims.held();
                assert_eq!(held.written.total(), claims.total(), "claims overlap after {record:?}");
                for tail in claims.tails() {
                    assert!(held.durable.contains(tail.range), "{tail:?} after {record:?}");
                    let end = held.durable.first_missing(tail.range.start());
                    assert_eq!(end, tail.range.end(), "{tail:?} after {record:?}");
                }
            }
        }
    }

    #[test]
    fn short_claims_join_into_one_tail() {
        let mut claims = Claims::default();
        let bytes: Vec<u8> = (0..=255).collect();
        for (offset, chunk) in (0..).zip(bytes.chunks(10)) {
            let (start, len) = (offset * 10, chunk.len() as u64);
            claims.apply(offset, &Record::Written { start, len, crc: crate::crc::of(chunk) });
            claims.apply(offset, &Record::Durable { upto: offset + 1 });
        }
        let whole = Checked { range: ByteRange::new(0, 256).unwrap(), crc: crate::crc::of(&bytes) };
        assert_eq!(claims.tails().collect::<Vec<_>>(), [whole]);
    }
}
