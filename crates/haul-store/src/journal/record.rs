//! The journal's bytes: header, framing, records (docs/format.md). Pure: no file is known here.

use haul_core::ByteRange;
use serde::{Deserialize, Serialize};

use crate::Subject;

/// What a journal begins with. Not text, and spoilt by every transfer that changes line ends.
pub(crate) const MAGIC: [u8; 8] = *b"\x89haul\r\n\x1a";

/// The format that this code writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// Magic, version, and a CRC32C of both.
pub(crate) const HEADER_LEN: usize = 16;

/// Length and CRC32C before each record.
const FRAME_LEN: usize = 8;

/// No record is longer; a greater length is damage.
const MAX_RECORD: usize = 16 << 20;

/// What remains of a written claim: start, length, CRC32C.
pub(crate) type Rest = (u64, u64, u32);

/// One entry of the journal. The order of the kinds is part of the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// A process took the partial up.
    Session { pid: u32, started_unix: i64 },
    /// What is known of the file now; the version is the same as before.
    Subject(Subject),
    /// These bytes are written, with this CRC32C. Withdraws every older claim on them first.
    Written { start: u64, len: u64, crc: u32 },
    /// All that was claimed before the journal's offset `upto` is durable, so far as it is still claimed.
    Durable { upto: u64 },
    /// What was claimed at or after the journal's offset `from`, and is not durable, is withdrawn.
    Void { from: u64 },
    /// Claims on these bytes are withdrawn; a written claim that lies partly inside is withdrawn whole, and what
    /// remains of it is claimed anew by `rests`, in the same breath.
    Forget { start: u64, len: u64, rests: Vec<Rest> },
    /// Claims on everything from `at` on are withdrawn, as by `Forget`.
    Cut { at: u64, rests: Vec<Rest> },
    /// All claims are withdrawn; the file is another one from here on.
    Reset(Subject),
    /// The transfer stopped.
    Stopped { when_unix: i64, why: String },
    /// These `(start, len)` are durable; `tails` are `(start, len, crc)` of the last bytes of them.
    Safe { ranges: Vec<(u64, u64)>, tails: Vec<Rest> },
}

impl Record {
    /// Whether every stretch named is one that a file can have.
    fn is_sound(&self) -> bool {
        let sound = |start, len| ByteRange::from_len(start, len).is_some();
        let all_sound = |rests: &[Rest]| rests.iter().all(|&(start, len, _)| sound(start, len));
        match self {
            Self::Written { start, len, .. } => sound(*start, *len),
            Self::Forget { start, len, rests } => sound(*start, *len) && all_sound(rests),
            Self::Cut { rests, .. } => all_sound(rests),
            Self::Safe { ranges, tails } => {
                ranges.iter().all(|&(start, len)| sound(start, len)) && all_sound(tails)
            }
            _ => true,
        }
    }

    /// Appends the record in its frame.
    pub(crate) fn frame(&self, into: &mut Vec<u8>) -> std::io::Result<()> {
        let frame = into.len();
        into.extend_from_slice(&[0; FRAME_LEN]);
        let payload = into.len();
        postcard::to_io(self, &mut *into).map_err(std::io::Error::other)?;
        let len = u32::try_from(into.len() - payload).ok().filter(|&len| len as usize <= MAX_RECORD);
        let len = len.ok_or_else(|| std::io::Error::other("a journal record would be too long"))?;
        let crc = crate::crc::of(&into[payload..]);
        into[frame..frame + 4].copy_from_slice(&len.to_le_bytes());
        into[frame + 4..payload].copy_from_slice(&crc.to_le_bytes());
        Ok(())
    }

    /// Reads the record at the front of `bytes`, and how many bytes it takes with its frame. `None` where there is
    /// no whole and undamaged one.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (len, rest) = take_u32(bytes)?;
        let (crc, rest) = take_u32(rest)?;
        let len = len as usize;
        let payload = rest.get(..len).filter(|_| (1..=MAX_RECORD).contains(&len))?;
        if crate::crc::of(payload) != crc {
            return None;
        }
        let (record, rest) = postcard::take_from_bytes::<Self>(payload).ok()?;
        (rest.is_empty() && record.is_sound()).then_some((record, FRAME_LEN + len))
    }
}

/// The header of this version.
pub(crate) fn header() -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let crc = crate::crc::of(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The version that a header names; `None` where there is no undamaged header.
pub(crate) fn version(bytes: &[u8]) -> Option<u32> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (version, rest) = take_u32(rest)?;
    let (crc, _) = take_u32(rest)?;
    (crate::crc::of(&bytes[..12]) == crc && version > 0).then_some(version)
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*first), rest))
}
