//! The map of a file: one character for each of its parts, by how much of it is there.
//!
//! ```text
//! ████████▓>·······██>·····
//! ```
//! A full block is said only of a part that is there to its last byte, and an empty one only of a part of which
//! nothing is. `>` is where a connection is writing.

use haul_core::{ByteRange, RangeSet};
use haul_transfer::LaneView;

/// What the map is drawn with: nothing, up to a third, up to two thirds, nearly all, all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ink([char; 5]);

impl Ink {
    /// For terminals that show UTF-8.
    pub(crate) const BLOCKS: Self = Self(['·', '░', '▒', '▓', '█']);
    /// For all others.
    pub(crate) const ASCII: Self = Self(['.', '-', '=', '+', '#']);

    /// By the locale, in the order in which POSIX reads it.
    pub(crate) fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()))
            .unwrap_or_default()
            .to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { Self::BLOCKS } else { Self::ASCII }
    }

    fn shade(self, held: u64, of: u64) -> char {
        let Self([nothing, some, half, most, all]) = self;
        match (held, of) {
            (0, _) => nothing,
            (held, of) if held >= of => all,
            (held, of) if u128::from(held) * 3 <= u128::from(of) => some,
            (held, of) if u128::from(held) * 3 <= u128::from(of) * 2 => half,
            _ => most,
        }
    }
}

/// The map of a file of `size` bytes in `cells` characters.
pub(crate) fn render(size: u64, held: &RangeSet, lanes: &[LaneView], cells: usize, ink: Ink) -> String {
    let border = |cell: usize| (u128::from(size) * cell as u128 / cells.max(1) as u128) as u64;
    let mut map: Vec<char> = (0..cells)
        .map(|cell| match ByteRange::new(border(cell), border(cell + 1)) {
            Some(part) => ink.shade(held.covered(part).map(ByteRange::len).sum(), part.len()),
            // A file of fewer bytes than cells: the cell shows the byte it lies in.
            None => match ByteRange::from_len(border(cell).min(size.saturating_sub(1)), 1) {
                Some(byte) if size > 0 => ink.shade(u64::from(held.contains(byte)), 1),
                _ => ink.shade(1, 1),
            },
        })
        .collect();
    for lane in lanes.iter().filter(|lane| lane.pos < size) {
        let cell = (u128::from(lane.pos) * cells as u128 / u128::from(size)) as usize;
        if let Some(cell) = map.get_mut(cell) {
            *cell = '>';
        }
    }
    map.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().filter_map(|&(from, to)| ByteRange::new(from, to)).collect()
    }

    fn drawn(size: u64, held: &[(u64, u64)], cells: usize) -> String {
        render(size, &set(held), &[], cells, Ink::ASCII)
    }

    #[test]
    fn parts_are_shaded_by_what_is_there() {
        assert_eq!(drawn(100, &[], 10), "..........");
        assert_eq!(drawn(100, &[(0, 100)], 10), "##########");
        assert_eq!(drawn(100, &[(0, 25), (91, 100)], 10), "##=......+");
        assert_eq!(drawn(100, &[(0, 1), (10, 19)], 10), "-+........");
    }

    #[test]
    fn one_missing_byte_keeps_a_cell_from_being_full_and_one_held_from_being_empty() {
        let size = 5 << 32;
        assert_eq!(drawn(size, &[(0, size - 1)], 8), "#######+");
        assert_eq!(drawn(size, &[(size - 1, size)], 8), ".......-");
    }

    #[test]
    fn odd_sizes_fit_too() {
        assert_eq!(drawn(0, &[], 4), "####");
        assert_eq!(drawn(1, &[], 4), "....");
        assert_eq!(drawn(1, &[(0, 1)], 4), "####");
        assert_eq!(drawn(3, &[(0, 1)], 6), "##....");
        assert_eq!(drawn(100, &[(0, 100)], 0), "");
        assert_eq!(drawn(u64::MAX, &[(0, u64::MAX)], 3), "###");
    }

    #[test]
    fn lanes_are_seen_where_they_write() {
        let lane = |pos| LaneView { from: 0, pos, end: None };
        let lanes = [lane(0), lane(55), lane(99), lane(100), lane(1000)];
        assert_eq!(render(100, &set(&[(0, 100)]), &lanes, 10, Ink::ASCII), ">####>###>");
    }

    #[test]
    fn blocks_are_for_utf_8_locales_only() {
        let locale = |pairs: &'static [(&str, &str)]| {
            Ink::of_locale(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(locale(&[("LANG", "en_US.UTF-8")]), Ink::BLOCKS);
        assert_eq!(locale(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")]), Ink::ASCII);
        assert_eq!(locale(&[("LC_CTYPE", "C.utf8"), ("LC_ALL", "")]), Ink::BLOCKS);
        assert_eq!(locale(&[]), Ink::ASCII);
    }
}
