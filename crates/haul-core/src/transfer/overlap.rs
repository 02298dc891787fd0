//! Which blocks to fetch again and compare where validators don't suffice: the start, the end of every extent that is
//! there (at most 16), and two places at random (design, "No mix").

use std::collections::VecDeque;

use crate::{ByteRange, Random, RangeSet};

/// The size of a block that is compared, in bytes.
pub const BLOCK: u64 = 64 * 1024;

/// At most so many extents have their ends compared.
const EXTENTS: usize = 16;

/// The block that ends at `end`, within what is held there.
pub(super) fn block_before(held: &RangeSet, end: u64) -> Option<ByteRange> {
    let window = ByteRange::new(end.saturating_sub(BLOCK), end)?;
    held.covered(window).last().filter(|block| block.end() == end)
}

/// The blocks to compare, each of them held in whole.
pub(super) fn blocks(held: &RangeSet, random: &mut Random) -> VecDeque<ByteRange> {
    let mut blocks = VecDeque::new();
    let mut add = |block: Option<ByteRange>| {
        if let Some(block) = block.filter(|b| !blocks.contains(b)) {
            blocks.push_back(block);
        }
    };
    let first = held.iter().next();
    add(first.and_then(|extent| ByteRange::new(extent.start(), extent.end().min(extent.start() + BLOCK))));
    let count = held.iter().len();
    // With more extents than may be asked about, they are taken evenly over the file, the last one always.
    let step = count.div_ceil(EXTENTS).max(1);
    for extent in held.iter().rev().step_by(step) {
        add(block_before(held, extent.end()));
    }
    for _ in 0..2 {
        let mut at = random.below(held.total());
        let extent = held.iter().find(|extent| {
            let inside = at < extent.len();
            if !inside {
                at -= extent.len();
            }
            inside
        });
        add(extent.and_then(|extent| {
            let start = (extent.start() + at).min(extent.end().saturating_sub(BLOCK).max(extent.start()));
            ByteRange::new(start, extent.end().min(start + BLOCK))
        }));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_lie_in_what_is_held() {
        let mut random = Random::new(3);
        for count in [0_u64, 1, 2, 16, 17, 100] {
            let held: RangeSet = (0..count)
                .filter_map(|i| ByteRange::from_len(i * 1_000_000, 1 + random.below(200_000)))
                .collect();
            let blocks = blocks(&held, &mut random);
            assert!(blocks.len() <= 1 + EXTENTS + 2, "{}", blocks.len());
            assert!(blocks.iter().all(|block| held.contains(*block) && block.len() <= BLOCK));
            assert_eq!(blocks.is_empty(), count == 0);
            if let Some(last) = held.iter().last() {
                assert!(blocks.iter().any(|block| block.end() == last.end()));
            }
        }
    }
}
