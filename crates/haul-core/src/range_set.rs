//! A set of bytes of one file, kept as sorted ranges that neither touch nor overlap.
//!
//! It knows nothing of what the bytes are for: the transfer machine keeps what was received in one, the journal
//! what is safe.

use std::fmt;

use crate::ByteRange;

/// A normalised set of byte ranges.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    ranges: Vec<ByteRange>,
}

impl RangeSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Adds a range; what it touches is merged with it.
    pub fn insert(&mut self, range: ByteRange) {
        let first = self.ranges.partition_point(|held| held.end() < range.start());
        let last = self.ranges.partition_point(|held| held.start() <= range.end());
        let start = self.ranges.get(first).map_or(range.start(), |r| r.start().min(range.start()));
        let end = if last > first { self.ranges[last - 1].end().max(range.end()) } else { range.end() };
        let merged = if last > first { ByteRange::new(start, end) } else { Some(range) };
        self.ranges.splice(first..last, merged);
    }

    /// Takes a range out.
    pub fn remove(&mut self, range: ByteRange) {
        let first = self.ranges.partition_point(|held| held.end() <= range.start());
        let last = self.ranges.partition_point(|held| held.start() < range.end());
        if first >= last {
            return;
        }
        let left = ByteRange::new(self.ranges[first].start(), range.start());
        let right = ByteRange::new(range.end(), self.ranges[last - 1].end());
        self.ranges.splice(first..last, left.into_iter().chain(right));
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = ByteRange> + ExactSizeIterator + '_ {
        self.ranges.iter().copied()
    }

    /// What of `within` is not in the set, in order.
    pub fn gaps(&self, within: ByteRange) -> impl Iterator<Item = ByteRange> + '_ {
        let first = self.ranges.partition_point(|held| held.end() <= within.start());
        let mut at = within.start();
        let mut held = self.ranges[first..].iter().take_while(move |held| held.start() < within.end());
        let mut done = false;
        std::iter::from_fn(move || {
            while !done {
                let (gap, next) = match held.next() {
                    Some(held) => (ByteRange::new(at, held.start()), held.end()),
                    None => {
                        done = true;
                        (ByteRange::new(at, within.end()), at)
                    }
                };
                at = next;
                if gap.is_some() {
                    return gap;
                }
            }
            None
        })
    }

    /// What of `within` is in the set, in order.
    pub fn covered(&self, within: ByteRange) -> impl Iterator<Item = ByteRange> + '_ {
        let first = self.ranges.partition_point(|held| held.end() <= within.start());
        self.ranges[first..]
            .iter()
            .take_while(move |held| held.start() < within.end())
            .filter_map(move |held| held.intersection(within))
    }

    /// Whether all of `range` is in the set.
    pub fn contains(&self, range: ByteRange) -> bool {
        self.gaps(range).next().is_none()
    }

    /// The first offset at or after `from` that is not in the set.
    pub fn first_missing(&self, from: u64) -> u64 {
        let at = self.ranges.partition_point(|held| held.end() <= from);
        match self.ranges.get(at) {
            Some(held) if held.contains(from) => held.end(),
            _ => from,
        }
    }

    /// How many bytes the set holds.
    pub fn total(&self) -> u64 {
        self.ranges.iter().map(|r| r.len()).sum()
    }

    /// The offset behind the last byte of the set; 0 where it is empty.
    pub fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |r| r.end())
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl fmt::Debug for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.ranges).finish()
    }
}

impl FromIterator<ByteRange> for RangeSet {
    fn from_iter<I: IntoIterator<Item = ByteRange>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

impl Extend<ByteRange> for RangeSet {
    fn extend<I: IntoIterator<Item = ByteRange>>(&mut self, ranges: I) {
        for range in ranges {
            self.insert(range);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().filter_map(|&(s, e)| ByteRange::new(s, e)).collect()
    }

    #[test]
    fn touching_ranges_merge() {
        assert_eq!(set(&[(0, 5), (5, 9)]), set(&[(0, 9)]));
        assert_eq!(set(&[(10, 20), (0, 5), (4, 12)]), set(&[(0, 20)]));
    }

    /// Every operation agrees with a plain vector of flags, over many random sequences.
    #[test]
    fn agrees_with_a_bitmap() {
        let mut random = crate::random::Random::new(7);
        for _ in 0..2_000 {
            let mut bits = [false; 64];
            let mut ranges = RangeSet::new();
            for _ in 0..12 {
                let (a, b) = (random.below(64), random.below(65));
                let Some(range) = ByteRange::new(a.min(b), a.max(b)) else { continue };
                let put = random.below(3) != 0;
                bits[range.start() as usize..range.end() as usize].fill(put);
                if put {
                    ranges.insert(range);
                } else {
                    ranges.remove(range);
                }
                assert!(ranges.ranges.windows(2).all(|w| w[0].end() < w[1].start()), "{ranges:?}");
                assert_eq!(ranges.total() as usize, bits.iter().filter(|b| **b).count());
                let within = ByteRange::new(5, 60).unwrap();
                let mut seen = [None; 64];
                ranges
                    .gaps(within)
                    .for_each(|r| (r.start()..r.end()).for_each(|i| seen[i as usize] = Some(false)));
                ranges
                    .covered(within)
                    .for_each(|r| (r.start()..r.end()).for_each(|i| seen[i as usize] = Some(true)));
                for i in 5..60 {
                    assert_eq!(seen[i], Some(bits[i]));
                }
                for from in 0..64 {
                    let expected = (from..64).find(|&i| !bits[i]).unwrap_or(64);
                    assert_eq!(ranges.first_missing(from as u64) as usize, expected);
                }
            }
        }
    }
}
