//! What the far ends of one simulated transfer are like, and what is in their file: by hand or by the dice.
//!
//! It knows nothing of the machine's decisions and has no clock.

use std::{ops::Range, time::Duration};

use haul_core::{
    ByteRange, ETag, Entity, Modified, Random, RangeSet,
    transfer::{BLOCK, Trouble},
};

/// What validators a far end sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tags {
    Strong,
    /// A strong date, no tag.
    Date,
    Weak,
    None,
    /// Another tag at every answer, with a date.
    Noise,
    /// Another tag at every answer, without a date.
    NoiseUndated,
    /// A strong tag; another date at every answer.
    DateNoise,
    /// A weak tag on every other answer only.
    WeakNowAndThen,
}

/// What a 416 says of the size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Total {
    True,
    /// So many bytes more or fewer, not below 0.
    Off(i64),
    /// Nothing: a driver then asks for the whole.
    Absent,
}

/// Bytes of which nobody knows where they came from.
#[derive(Clone, Debug)]
pub(crate) struct Orphan {
    pub(crate) held: RangeSet,
    /// Of which version they are; [`STRANGE`] is one that no source has.
    pub(crate) version: usize,
}

/// The version of a file that no source has.
pub(crate) const STRANGE: usize = 50;
/// The versions of an impostor are so far from those of the others.
pub(crate) const IMPOSTOR: usize = 100;

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) sizes: Vec<u64>,
    pub(crate) tags: Tags,
    pub(crate) ranges: bool,
    /// An answer with the whole says how long it is.
    pub(crate) tells_size: bool,
    /// An answer with a part says of how many bytes.
    pub(crate) tells_total: bool,
    pub(crate) cap: Option<u64>,
    /// Bytes a second of the k-th connection (cyclic).
    pub(crate) speeds: Vec<f64>,
    pub(crate) latency: Duration,
    /// One in so many connections breaks after some bytes; 0 is never.
    pub(crate) breaks: u64,
    pub(crate) stalls: u64,
    pub(crate) refuses: u64,
    pub(crate) most_connections: usize,
    /// When the file changes to the next version.
    pub(crate) changes: Vec<Duration>,
    pub(crate) sources: usize,
    /// The last source has another file of the same size.
    pub(crate) impostor: bool,
    /// A request for everything is answered with the whole and an offer of ranges.
    pub(crate) whole_at_zero: bool,
    /// A 416 says nothing of validators.
    pub(crate) mute_416: bool,
    /// What a 416 says of the size.
    pub(crate) total_416: Total,
    /// All bytes of a version are alike.
    pub(crate) blank: bool,
    /// So many bytes at the start are blank, and alike in all versions.
    pub(crate) blank_start: u64,
    /// One in so many lanes finds no connection to spare.
    pub(crate) spares: u64,
    /// What a busy far end asks for.
    pub(crate) retry_after: Option<Duration>,
    /// A source that never answers anything else.
    pub(crate) dead: Option<(usize, Trouble)>,
    /// What lies there of an earlier run that left no word of where it came from.
    pub(crate) orphan: Option<Orphan>,
    /// An earlier run left the first version, whole, and knew which it was.
    pub(crate) left_whole: bool,
}

impl World {
    pub(crate) fn calm(size: u64) -> Self {
        Self {
            sizes: vec![size],
            tags: Tags::Strong,
            ranges: true,
            tells_size: true,
            tells_total: true,
            cap: None,
            speeds: vec![1e6],
            latency: Duration::from_millis(5),
            breaks: 0,
            stalls: 0,
            refuses: 0,
            most_connections: 100,
            changes: Vec::new(),
            sources: 1,
            impostor: false,
            whole_at_zero: false,
            mute_416: false,
            total_416: Total::True,
            blank: false,
            blank_start: 0,
            spares: 0,
            retry_after: None,
            dead: None,
            orphan: None,
            left_whole: false,
        }
    }

    pub(crate) fn size(&self, version: usize) -> u64 {
        self.sizes[version % self.sizes.len()]
    }

    /// The versions that sources have had, an impostor's included.
    pub(crate) fn versions(&self) -> impl Iterator<Item = usize> {
        let served = self.changes.len() + 1;
        let impostor = self.impostor.then_some(IMPOSTOR..IMPOSTOR + served);
        (0..served).chain(impostor.into_iter().flatten())
    }

    /// Whether something in it may keep even the best client from having the file.
    pub(crate) fn hinders(&self, in_order: bool) -> bool {
        let fails = self.breaks > 0 || self.stalls > 0 || self.refuses > 0 || self.spares > 0;
        let unprovable =
            !self.ranges || self.blank || self.blank_start > 0 || self.tags == Tags::WeakNowAndThen;
        // Without a total the end has to be asked for, and what answers there may look like a change.
        let misleads = !self.changes.is_empty() || !self.tells_total || self.total_416 != Total::True;
        // What was handed over cannot be compared when the tags turn out to be noise.
        let out_of_reach = in_order && matches!(self.tags, Tags::Noise | Tags::NoiseUndated);
        // Bytes that may be the dead mirror's are not dropped for a source that has others.
        let kept =
            self.dead.is_some() && self.orphan.as_ref().is_some_and(|orphan| orphan.version == STRANGE);
        // Where bytes have to be compared, an answer must be longer than a block.
        let scant = self.cap.is_some_and(|cap| cap < 100_000);
        fails || unprovable || misleads || out_of_reach || kept || scant
    }

    /// What is at these places in a version: 1 is a blank, everything else is a version's own; 0 is never there.
    pub(crate) fn content(&self, version: usize, range: Range<u64>) -> Vec<u8> {
        let mut bytes = vec![version as u8 + 2; (range.end - range.start) as usize];
        let blanks = self.blank_start.clamp(range.start, range.end) - range.start;
        bytes[..blanks as usize].fill(1);
        bytes
    }

    /// Whether all bytes at these places are alike.
    pub(crate) fn is_blank(&self, range: Range<u64>) -> bool {
        range.end <= self.blank_start || (self.blank && range.start >= self.blank_start)
    }

    /// What the `answers`-th answer says of the file if it brings the whole.
    pub(crate) fn entity(&self, source: usize, version: usize, answers: u64) -> Entity {
        let tag = |opaque: String, weak| Some(ETag { opaque, weak });
        let etag = match self.tags {
            Tags::Strong | Tags::DateNoise => tag(format!("v{version}-{source}"), false),
            Tags::WeakNowAndThen if answers.is_multiple_of(2) => tag(format!("w{version}-{source}"), true),
            Tags::WeakNowAndThen => None,
            Tags::Weak => tag(format!("w{version}-{source}"), true),
            Tags::Noise | Tags::NoiseUndated => tag(format!("n{answers}"), false),
            Tags::Date | Tags::None => None,
        };
        let dated = matches!(self.tags, Tags::Strong | Tags::Date | Tags::Noise);
        Entity {
            size: self.tells_size.then(|| self.size(version)),
            etag,
            modified: match self.tags {
                Tags::DateNoise => Some(Modified { seconds: answers as i64, nanos: 0, strong: true }),
                _ => dated.then_some(Modified { seconds: version as i64 + 1, nanos: 0, strong: true }),
            },
            encoding: None,
        }
    }
}

/// A world by the dice.
pub(crate) fn random_world(random: &mut Random) -> World {
    let pick = |random: &mut Random, values: &[u64]| values[random.below(values.len() as u64) as usize];
    let size = match random.below(8) {
        0 => random.below(3),
        1 => 60_000 + random.below(10_000),
        _ => 200_000 + random.below(2_000_000),
    };
    let tags = [
        Tags::Strong,
        Tags::Date,
        Tags::Weak,
        Tags::None,
        Tags::Noise,
        Tags::NoiseUndated,
        Tags::DateNoise,
        Tags::WeakNowAndThen,
    ];
    let tags = tags[random.below(8) as usize];
    let other = if random.below(2) == 0 { size } else { size / 2 + 1 };
    let changes = match random.below(4) {
        0 => vec![Duration::from_millis(random.below(2000))],
        1 => {
            vec![Duration::from_millis(random.below(1000)), Duration::from_millis(1000 + random.below(1000))]
        }
        _ => Vec::new(),
    };
    let sources = if random.below(4) == 0 { 2 } else { 1 };
    World {
        sizes: vec![size, other],
        tags,
        ranges: random.below(5) != 0,
        tells_size: random.below(6) != 0,
        tells_total: random.below(8) != 0,
        cap: match random.below(10) {
            0 => Some(100_000 + random.below(100_000)),
            // Not just above a block: so few new bytes at a time do come to an end, after days.
            1 => Some(20_000 + random.below(50_000)).filter(|cap| !(BLOCK + 1..BLOCK + 4000).contains(cap)),
            _ => None,
        },
        speeds: (0..7).map(|_| 2e5 + random.fraction() * 2e6).collect(),
        latency: Duration::from_millis(pick(random, &[1, 20, 150])),
        breaks: pick(random, &[0, 2, 3, 10]),
        stalls: pick(random, &[0, 0, 4, 20]),
        refuses: pick(random, &[0, 0, 3, 20]),
        most_connections: pick(random, &[1, 2, 4, 100]) as usize,
        changes,
        sources,
        impostor: sources > 1 && random.below(2) == 0,
        whole_at_zero: random.below(5) == 0,
        mute_416: random.below(2) == 0,
        total_416: match random.below(8) {
            0 => Total::Absent,
            1 => Total::Off(random.below(2 * size + 2) as i64 - size as i64),
            _ => Total::True,
        },
        blank: random.below(10) == 0,
        blank_start: if random.below(6) == 0 { random.below(size + size / 4 + 1) } else { 0 },
        spares: pick(random, &[0, 0, 1, 3]),
        retry_after: match random.below(16) {
            0 => Some(Duration::from_secs(3601 + random.below(100_000))),
            1..8 => Some(Duration::from_secs(random.below(4))),
            _ => None,
        },
        dead: (sources > 1 && random.below(3) == 0).then(|| {
            let why = [Trouble::Unreachable, Trouble::Denied, Trouble::Busy, Trouble::Broken];
            (random.below(2) as usize, why[random.below(4) as usize])
        }),
        orphan: (random.below(6) == 0).then(|| random_orphan(random, size)),
        left_whole: random.below(12) == 0,
    }
}

/// One piece, or two with a hole between them; of a strange file it may be longer than what is to be fetched.
fn random_orphan(random: &mut Random, size: u64) -> Orphan {
    let version = if random.below(2) == 0 { 0 } else { STRANGE };
    let most = if version == 0 { size } else { size + size / 4 };
    let end = random.below(most + 1);
    let hole = if random.below(3) == 0 { random.below(end + 1)..end - end / 8 } else { 0..0 };
    let pieces = if hole.is_empty() { [0..end, 0..0] } else { [0..hole.start, hole.end..end] };
    let held = pieces.into_iter().filter_map(|piece| ByteRange::new(piece.start, piece.end)).collect();
    Orphan { held, version }
}
