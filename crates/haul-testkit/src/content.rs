//! Files whose every byte follows from a seed and an offset.
//!
//! Eight bytes at a time come from SplitMix64 of their place, so any range of a file of any size is made on the spot
//! and compared without the file being anywhere in memory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::Path;

const PIECE: usize = 1 << 20;

/// The bytes of a file: a seed, a size, and perhaps a place from which another version differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    pattern: Pattern,
    size: u64,
    change: Option<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    Seeded(u64),
    Repeated(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    at: u64,
    seed: u64,
}

impl Content {
    /// `size` bytes that look random and follow from `seed`.
    pub const fn new(seed: u64, size: u64) -> Self {
        Self { pattern: Pattern::Seeded(seed), size, change: None }
    }

    /// `size` times the same byte: content on which no comparison of overlaps may rest.
    pub const fn repeated(byte: u8, size: u64) -> Self {
        Self { pattern: Pattern::Repeated(byte), size, change: None }
    }

    /// Another version of the same size: equal before `at`, other bytes from there on. A later change takes the place
    /// of an earlier one.
    #[must_use]
    pub fn changed(self, at: u64) -> Self {
        let seed = self.change.map_or(0x5EED, |change| change.seed) ^ mix(at ^ 0xC0DE);
        Self { change: Some(Change { at, seed }), ..self }
    }

    /// The same bytes up to another size.
    #[must_use]
    pub const fn resized(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// How many bytes there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Fills `out` with the bytes from `offset` on; the pattern goes on past the end of the file.
    pub fn fill(&self, offset: u64, out: &mut [u8]) {
        let Some(change) = self.change else { return pattern_at(self.pattern, offset, out) };
        let same = change.at.saturating_sub(offset).min(out.len() as u64) as usize;
        let (before, after) = out.split_at_mut(same);
        pattern_at(self.pattern, offset, before);
        pattern_at(Pattern::Seeded(change.seed), offset + same as u64, after);
    }

    /// The bytes of a range, clamped to the file.
    pub fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let end = range.end.min(self.size);
        let mut out = vec![0; end.saturating_sub(range.start) as usize];
        self.fill(range.start, &mut out);
        out
    }

    /// Writes the file, new or anew.
    pub fn write_to(&self, path: impl AsRef<Path>) {
        self.write_first(path, self.size);
    }

    /// Writes only the first `count` bytes, as a client that was stopped leaves them.
    pub fn write_first(&self, path: impl AsRef<Path>, count: u64) {
        let path = path.as_ref();
        self.pour(path, count).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    }

    fn pour(&self, path: &Path, count: u64) -> io::Result<()> {
        let mut file = File::create(path)?;
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < count {
            let now = (count - at).min(PIECE as u64) as usize;
            self.fill(at, &mut piece[..now]);
            file.write_all(&piece[..now])?;
            at += now as u64;
        }
        Ok(())
    }

    /// The first offset at which the file at `path` is not this content; a file that is too short or too long differs
    /// where one of the two ends.
    pub fn difference(&self, path: impl AsRef<Path>) -> Option<u64> {
        let path = path.as_ref();
        self.compare(path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()))
    }

    fn compare(&self, path: &Path) -> io::Result<Option<u64>> {
        let mut file = File::open(path)?;
        let (mut found, mut expected) = (vec![0; PIECE], vec![0; PIECE]);
        let mut at = 0;
        loop {
            let read = file.read(&mut found)?;
            let left = self.size - at;
            if read == 0 {
                return Ok((left > 0).then_some(at));
            }
            let now = (read as u64).min(left) as usize;
            self.fill(at, &mut expected[..now]);
            if found[..now] != expected[..now] {
                let place = found.iter().zip(&expected).position(|(a, b)| a != b);
                return Ok(place.map(|place| at + place as u64));
            }
            if read > now {
                return Ok(Some(self.size));
            }
            at += read as u64;
        }
    }

    /// Panics unless the file at `path` is exactly this content, and says where it first differs.
    #[track_caller]
    pub fn assert_file_is(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        if let Some(offset) = self.difference(path) {
            let len = std::fs::metadata(path).map_or(0, |m| m.len());
            panic!("{} ({len} bytes) differs from the {} expected at {offset}", path.display(), self.size);
        }
    }
}

fn pattern_at(pattern: Pattern, offset: u64, out: &mut [u8]) {
    match pattern {
        Pattern::Repeated(byte) => out.fill(byte),
        Pattern::Seeded(seed) => seeded_at(seed, offset, out),
    }
}

fn seeded_at(seed: u64, offset: u64, out: &mut [u8]) {
    let word = |index: u64| mix(seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15))).to_le_bytes();
    let skip = (offset % 8) as usize;
    let mut index = offset / 8;
    let mut rest = out;
    if skip > 0 {
        let take = (8 - skip).min(rest.len());
        let (head, tail) = rest.split_at_mut(take);
        head.copy_from_slice(&word(index)[skip..skip + take]);
        rest = tail;
        index += 1;
    }
    let mut words = rest.chunks_exact_mut(8);
    for chunk in &mut words {
        chunk.copy_from_slice(&word(index));
        index += 1;
    }
    let last = words.into_remainder();
    let take = last.len();
    last.copy_from_slice(&word(index)[..take]);
}

/// SplitMix64's finisher.
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_range_is_a_piece_of_the_whole() {
        let content = Content::new(7, 5000);
        let whole = content.bytes(0..5000);
        for (from, to) in [(0, 1), (3, 4), (5, 23), (8, 16), (17, 4999), (4993, 5000)] {
            assert_eq!(content.bytes(from..to), whole[from as usize..to as usize]);
        }
        assert_eq!(content.bytes(4990..9999).len(), 10);
    }

    #[test]
    fn a_changed_version_differs_from_its_place_on() {
        let old = Content::new(1, 4000);
        let new = old.changed(1001);
        assert_eq!(old.bytes(0..1001), new.bytes(0..1001));
        assert_ne!(old.bytes(1001..1100), new.bytes(1001..1100));
        assert_ne!(new.bytes(1001..1100), new.changed(1001).bytes(1001..1100));
        assert_eq!(new.size(), old.size());
    }

    #[test]
    fn a_difference_is_found_at_its_offset() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let content = Content::new(3, (PIECE + 100) as u64);
        content.write_to(&path);
        content.assert_file_is(&path);
        assert_eq!(content.changed(PIECE as u64 + 9).difference(&path), Some(PIECE as u64 + 9));
        assert_eq!(content.resized(50).difference(&path), Some(50));
        content.write_first(&path, 77);
        assert_eq!(content.difference(&path), Some(77));
    }
}
