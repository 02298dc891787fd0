//! What may be told of an upload that comes in ranges.

use crate::{ByteRange, RangeSet};

/// What an upload of `total` bytes has, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// So many bytes from its start.
    pub offset: u64,
    /// And these, behind that and not touching it.
    pub beyond: RangeSet,
}

impl Claim {
    /// All of it.
    pub fn all(&self) -> RangeSet {
        let mut all = self.beyond.clone();
        all.extend(ByteRange::new(0, self.offset));
        all
    }
}

/// What may be told when these bytes are safe, and `told` was told before. Of a whole file the last byte is held back that
/// nobody was told of: whoever comes back before it is published has something left to send, with which it is.
pub fn claim(there: &RangeSet, told: &RangeSet, total: u64) -> Claim {
    let mut beyond = there.clone();
    if let Some(all) = ByteRange::new(0, total)
        && there.contains(all)
        && let Some(news) = told.gaps(all).last()
        && let Some(last) = ByteRange::new(news.end() - 1, news.end())
    {
        beyond.remove(last);
    }
    let offset = beyond.first_missing(0);
    if let Some(front) = ByteRange::new(0, offset) {
        beyond.remove(front);
    }
    Claim { offset, beyond }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().filter_map(|&(from, to)| ByteRange::new(from, to)).collect()
    }

    #[test]
    fn the_front_is_the_offset_and_the_rest_lies_beyond() {
        let claim = |there: &[(u64, u64)]| claim(&set(there), &set(&[]), 9);
        assert_eq!(claim(&[]), Claim { offset: 0, beyond: set(&[]) });
        assert_eq!(claim(&[(0, 3), (5, 7)]), Claim { offset: 3, beyond: set(&[(5, 7)]) });
        assert_eq!(claim(&[(5, 9)]), Claim { offset: 0, beyond: set(&[(5, 9)]) });
    }

    #[test]
    fn of_a_whole_file_the_last_byte_is_held_back_that_was_not_told() {
        let claim = |told: &[(u64, u64)], total| claim(&set(&[(0, total)]), &set(told), total);
        assert_eq!(claim(&[], 9), Claim { offset: 8, beyond: set(&[]) });
        assert_eq!(claim(&[], 1), Claim { offset: 0, beyond: set(&[]) });
        assert_eq!(claim(&[(0, 2), (6, 9)], 9), Claim { offset: 5, beyond: set(&[(6, 9)]) });
    }

    #[test]
    fn nothing_is_told_that_is_not_there_and_it_never_gets_less() {
        let mut random = Random::new(11);
        for _ in 0..2_000 {
            let total = 1 + random.below(40);
            let (mut there, mut last) = (RangeSet::new(), RangeSet::new());
            for _ in 0..8 {
                let (a, b) = (random.below(total), random.below(total + 1));
                there.extend(ByteRange::new(a.min(b), a.max(b)));
                let claim = claim(&there, &last, total);
                assert!(claim.beyond.iter().all(|range| range.start() > claim.offset), "{claim:?}");
                let told = claim.all();
                assert!(told.iter().all(|range| there.contains(range)), "{told:?} of {there:?}");
                assert!(told.total() < total && told.total() + 1 >= there.total());
                assert!(last.iter().all(|range| told.contains(range)), "{told:?} after {last:?}");
                last = told;
            }
        }
    }
}
