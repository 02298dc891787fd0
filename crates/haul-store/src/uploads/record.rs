//! What is remembered of one upload, and its bytes on disk. Pure: no file is known here.
//!
//! ```text
//! magic (8)  version (u32)  CRC32C of what follows (u32)  the record, by postcard
//! ```
//! Numbers are little-endian. The record is small and is always written whole.

use serde::{Deserialize, Serialize};

/// What a record begins with. Not text, and spoilt by every transfer that changes line ends.
const MAGIC: [u8; 8] = *b"\x89haulU\n\x1a";
/// The newest format that this code reads, of an upload whose bytes come in parts …
const VERSION: u32 = 3;
/// … and that of any other upload, which older ones read as well.
const WITHOUT_PARTS: u32 = 2;
/// Magic, version and checksum.
const HEADER: usize = 16;
/// No record is longer.
pub(super) const LONGEST: u64 = 64 * 1024;

/// What is remembered of one upload.
///
/// No secret is in it: neither the user's name nor a password or a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRecord {
    /// The absolute path of the local file, in the system's bytes.
    pub local: Vec<u8>,
    /// Its size in bytes when it was last begun.
    pub size: u64,
    /// Its date then: seconds since 1970-01-01T00:00:00Z, and nanoseconds.
    pub modified: (i64, u32),
    /// Its inode then.
    pub inode: u64,
    /// The far end's place, for people.
    pub shown_url: String,
    /// The path at the far end that bytes were sent to.
    pub far: Vec<u8>,
    /// So many bytes the far end was last known to have.
    pub offset: u64,
    /// When this was written, in seconds since 1970.
    pub when_unix: i64,
    /// How far it got.
    pub stage: UploadStage,
    /// Where the far end has what is unfinished, and by which dialect, where that is elsewhere than under its path.
    pub resource: Option<UploadResource>,
    /// Where the far end has its parts, where it comes in parts: in the order of the file.
    pub parts: Vec<UploadPart>,
}

/// A part of a file that the far end has, or has a beginning of, at a URL of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadPart {
    /// Its first byte.
    pub from: u64,
    /// Behind its last byte: no part that begins before that has bytes behind its beginning.
    pub end: u64,
    /// The URL, without name, password and query. Over FTP the name that the server has for the whole upload.
    pub url: String,
}

/// An unfinished upload that has a URL of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadResource {
    /// The URL, without name, password and query.
    pub url: String,
    /// What is spoken there.
    pub dialect: UploadDialect,
}

/// In which dialect of HTTP an upload is gone on with. The order is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UploadDialect {
    /// The IETF's draft.
    Draft,
    /// tus 1.0.0.
    Tus,
    /// PUT with Content-Range.
    Put,
}

/// The record of version 1, which knew no resource, and the first part of all later ones. The order is the format.
#[derive(Serialize, Deserialize)]
struct First {
    local: Vec<u8>,
    size: u64,
    modified: (i64, u32),
    inode: u64,
    shown_url: String,
    far: Vec<u8>,
    offset: u64,
    when_unix: i64,
    stage: UploadStage,
}

impl First {
    fn with(self, resource: Option<UploadResource>, parts: Vec<UploadPart>) -> UploadRecord {
        let Self { local, size, modified, inode, shown_url, far, offset, when_unix, stage } = self;
        UploadRecord {
            local,
            size,
            modified,
            inode,
            shown_url,
            far,
            offset,
            when_unix,
            stage,
            resource,
            parts,
        }
    }
}

/// How far an upload got. The order is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UploadStage {
    /// The far end took it, and what it has is ours.
    Begun,
    /// The far end has all of it.
    Finished {
        /// The far end's date of the file, in seconds since 1970, where told.
        modified: Option<i64>,
    },
    /// The far end took it as text, its line ends converted: what it has is ours, and nothing that could be continued.
    Text,
}

/// What the bytes of a record turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A record.
    Whole(Box<UploadRecord>),
    /// None that can be read.
    Damaged,
    /// One of a newer haul.
    Newer(u32),
}

impl UploadRecord {
    /// The bytes on disk.
    pub(super) fn image(&self) -> std::io::Result<Vec<u8>> {
        let mut image = Vec::from(MAGIC);
        let version = if self.parts.is_empty() { WITHOUT_PARTS } else { VERSION };
        image.extend_from_slice(&version.to_le_bytes());
        image.extend_from_slice(&[0; 4]);
        let Self { local, size, modified, inode, shown_url, far, offset, when_unix, stage, resource, parts } =
            self.clone();
        let first = First { local, size, modified, inode, shown_url, far, offset, when_unix, stage };
        let written = if parts.is_empty() {
            postcard::to_io(&(first, resource), &mut image)
        } else {
            postcard::to_io(&(first, resource, parts), &mut image)
        };
        written.map_err(std::io::Error::other)?;
        if image.len() as u64 > LONGEST {
            return Err(std::io::Error::other("the record would be too long"));
        }
        let crc = crate::crc::of(&image[HEADER..]);
        image[HEADER - 4..HEADER].copy_from_slice(&crc.to_le_bytes());
        Ok(image)
    }

    pub(super) fn read(bytes: &[u8]) -> Reading {
        let Some(rest) = bytes.strip_prefix(&MAGIC) else { return Reading::Damaged };
        let Some((version, rest)) = rest.split_first_chunk::<4>() else { return Reading::Damaged };
        let version = u32::from_le_bytes(*version);
        if version > VERSION {
            return Reading::Newer(version);
        }
        let Some((crc, record)) = rest.split_first_chunk::<4>() else { return Reading::Damaged };
        if crate::crc::of(record) != u32::from_le_bytes(*crc) {
            return Reading::Damaged;
        }
        let read = match version {
            1 => postcard::take_from_bytes::<First>(record)
                .map(|(first, rest)| (first.with(None, Vec::new()), rest)),
            WITHOUT_PARTS => postcard::take_from_bytes::<(First, Option<UploadResource>)>(record)
                .map(|((first, resource), rest)| (first.with(resource, Vec::new()), rest)),
            VERSION => postcard::take_from_bytes::<(First, Option<UploadResource>, Vec<UploadPart>)>(record)
                .map(|((first, resource, parts), rest)| (first.with(resource, parts), rest)),
            _ => return Reading::Damaged,
        };
        match read {
            Ok((record, [])) => Reading::Whole(Box::new(record)),
            _ => Reading::Damaged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> UploadRecord {
        UploadRecord {
            local: b"/home/me/a.iso".to_vec(),
            size: 1 << 40,
            modified: (1_700_000_000, 999_999_999),
            inode: 42,
            shown_url: "ftp://h/a.iso".to_owned(),
            far: b"a.iso.part".to_vec(),
            offset: 1 << 33,
            when_unix: 1_700_000_001,
            stage: UploadStage::Finished { modified: Some(-5) },
            resource: Some(UploadResource { url: "http://h/-/u/1".to_owned(), dialect: UploadDialect::Tus }),
            parts: Vec::new(),
        }
    }

    fn in_parts() -> UploadRecord {
        let part = |from, end| UploadPart { from, end, url: format!("http://h/-/parts/{from}") };
        UploadRecord { resource: None, parts: vec![part(0, 700), part(700, 1 << 40)], ..record() }
    }

    /// The bytes that version 1 made of the same without a resource.
    fn old() -> Vec<u8> {
        let UploadRecord { local, size, modified, inode, shown_url, far, offset, when_unix, stage, .. } =
            record();
        let first = First { local, size, modified, inode, shown_url, far, offset, when_unix, stage };
        let mut image = Vec::from(MAGIC);
        image.extend_from_slice(&1_u32.to_le_bytes());
        let body = postcard::to_stdvec(&first).unwrap();
        image.extend_from_slice(&crate::crc::of(&body).to_le_bytes());
        image.extend_from_slice(&body);
        image
    }

    #[test]
    fn what_an_older_haul_wrote_is_read() {
        let old = old();
        assert_eq!(crate::crc::of(&old), 54_079_758, "the bytes of version 1");
        let without = UploadRecord { resource: None, ..record() };
        assert_eq!(UploadRecord::read(&old), Reading::Whole(Box::new(without)));
    }

    #[test]
    fn what_was_written_is_read() {
        let image = record().image().unwrap();
        assert_eq!(UploadRecord::read(&image), Reading::Whole(Box::new(record())));
        // The format: a change of these bytes needs a new version.
        assert_eq!(image[..12], *b"\x89haulU\n\x1a\x02\0\0\0");
        assert_eq!(crate::crc::of(&image), 3_103_635_717, "the bytes of version 2");
    }

    #[test]
    fn parts_are_of_a_version_of_their_own() {
        let image = in_parts().image().unwrap();
        assert_eq!(UploadRecord::read(&image), Reading::Whole(Box::new(in_parts())));
        assert_eq!(image[..12], *b"\x89haulU\n\x1a\x03\0\0\0");
        assert_eq!(crate::crc::of(&image), 1_591_685_591, "the bytes of version 3");
    }

    #[test]
    fn a_record_cut_off_anywhere_or_with_any_bit_flipped_says_nothing() {
        let image = record().image().unwrap();
        for len in 0..image.len() {
            assert_eq!(UploadRecord::read(&image[..len]), Reading::Damaged, "{len}");
        }
        for bit in 0..image.len() * 8 {
            let mut flipped = image.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(UploadRecord::read(&flipped), Reading::Whole(_)), "{bit}");
        }
    }

    #[test]
    fn a_record_of_a_newer_haul_is_known_as_one() {
        let mut image = record().image().unwrap();
        image[8] = 4;
        assert_eq!(UploadRecord::read(&image), Reading::Newer(4));
    }
}
