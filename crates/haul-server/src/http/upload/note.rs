//! What the ledger keeps of an upload for this door: which dialect began it, and what its client wants to hear again.

use http::HeaderValue;

/// So many bytes of a client's own are kept with an upload.
const MOST: usize = 8 << 10;

/// Which dialect an upload was begun in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Protocol {
    /// Another door.
    Ftp,
    /// PUT, whole or in pieces.
    Put,
    /// tus.
    Tus,
    /// The IETF draft.
    Draft,
}

impl Protocol {
    /// Its name.
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Put => "put",
            Self::Tus => "tus",
            Self::Draft => "draft",
        }
    }
}

/// What is kept of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Note {
    /// Which dialect began it.
    pub(in super::super) protocol: Protocol,
    /// The value of Upload-Metadata.
    pub(in super::super) metadata: Option<HeaderValue>,
    /// The value of Upload-Concat of one that is put together from parts.
    pub(in super::super) concat: Option<HeaderValue>,
}

impl Note {
    /// Of this dialect, and nothing else.
    pub(in super::super) fn of(protocol: Protocol) -> Self {
        Self { protocol, metadata: None, concat: None }
    }

    /// Whether it is small enough to be kept with every upload.
    pub(in super::super) fn is_small(&self) -> bool {
        let len = |value: &Option<HeaderValue>| value.as_ref().map_or(0, HeaderValue::len);
        len(&self.metadata) + len(&self.concat) <= MOST
    }

    /// As the ledger keeps it: the dialect's name, and each behind a NUL, which no field has in it, the metadata and what
    /// it is put together from.
    pub(in super::super) fn kept(&self) -> Vec<u8> {
        let mut kept = self.protocol.name().as_bytes().to_vec();
        for value in [&self.metadata, &self.concat] {
            kept.push(0);
            kept.extend_from_slice(value.as_ref().map(HeaderValue::as_bytes).unwrap_or_default());
        }
        kept
    }

    /// What the ledger has kept. A door that keeps nothing is FTP's.
    pub(in super::super) fn read(kept: &[u8]) -> Self {
        let mut parts = kept.split(|byte| *byte == 0);
        let protocol = match parts.next() {
            Some(b"put") => Protocol::Put,
            Some(b"tus") => Protocol::Tus,
            Some(b"draft") => Protocol::Draft,
            _ => Protocol::Ftp,
        };
        let mut value = || parts.next().filter(|value| !value.is_empty()).map(HeaderValue::from_bytes)?.ok();
        Self { protocol, metadata: value(), concat: value() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        for protocol in [Protocol::Ftp, Protocol::Put, Protocol::Tus, Protocol::Draft] {
            for metadata in [None, Some(HeaderValue::from_static("filename YQ==,b"))] {
                for concat in [None, Some(HeaderValue::from_static("final;/a /b"))] {
                    let note = Note { protocol, metadata: metadata.clone(), concat };
                    assert_eq!(Note::read(&note.kept()), note);
                }
            }
        }
        assert_eq!(Note::read(b""), Note::of(Protocol::Ftp));
        assert_eq!(Note::read(b"later"), Note::of(Protocol::Ftp));
        assert_eq!(Note::read(b"tus"), Note::of(Protocol::Tus));
    }
}
