//! What a client is told of its upload, whichever dialect it speaks: how far it has come, and how far it will go.
//!
//! Every dialect writes its fields from this and checks what a client asks against it. Whether bytes are safe enough
//! to be told is settled before one of these is made.

/// The state of an upload, as told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadState {
    /// Bytes are missing, or the client has not said yet that there are no more.
    Unfinished {
        /// How many bytes are there: the next one goes here.
        offset: u64,
        /// How many there will be, where that was declared.
        length: Option<u64>,
    },
    /// All bytes are there, and the client has said so.
    Complete {
        /// How many.
        size: u64,
    },
}

impl UploadState {
    /// How many bytes are there.
    pub fn offset(self) -> u64 {
        match self {
            Self::Unfinished { offset, .. } => offset,
            Self::Complete { size } => size,
        }
    }

    /// How many bytes there will be, where that is known.
    pub fn length(self) -> Option<u64> {
        match self {
            Self::Unfinished { length, .. } => length,
            Self::Complete { size } => Some(size),
        }
    }

    /// Whether nothing is to come.
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Complete { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_complete_has_its_length_as_offset() {
        let complete = UploadState::Complete { size: 5 };
        assert_eq!((complete.offset(), complete.length(), complete.is_complete()), (5, Some(5), true));
    }

    #[test]
    fn all_bytes_alone_do_not_make_it_complete() {
        let full = UploadState::Unfinished { offset: 5, length: Some(5) };
        assert_eq!((full.offset(), full.length(), full.is_complete()), (5, Some(5), false));
    }
}
