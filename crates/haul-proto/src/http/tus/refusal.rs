//! Why a request of tus is refused, and with which status.

/// Why a request is refused. [`super::read`] and [`super::Patch::against`] find most of them; the rest shows when the
/// upload is looked at or the content has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The version of the protocol is missing or another one. Nothing of the request may be done.
    #[error("tus {} is spoken here", super::VERSION)]
    Version,
    /// A method that tus does not know.
    #[error("tus knows OPTIONS, POST, HEAD, PATCH and DELETE")]
    Method,
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field is not what it has to be.
    #[error("{0} cannot be read")]
    Malformed(&'static str),
    /// A field is there several times with different values, or contradicts another one.
    #[error("{0} contradicts the rest of the request")]
    Contradiction(&'static str),
    /// The content is not `application/offset+octet-stream`.
    #[error("the bytes of an upload have the media type application/offset+octet-stream")]
    MediaType,
    /// A digest by an algorithm that is not known here.
    #[error("the checksum is of an unknown algorithm")]
    UnknownChecksum,
    /// The content came whole, but is not what its digest says, or no digest came that was announced: all of it is
    /// dropped.
    #[error("the content does not have the checksum that was to come with it")]
    Checksum,
    /// The upload would be larger than any may be.
    #[error("an upload may have {max} bytes")]
    TooLarge {
        /// The most that one may have.
        max: u64,
    },
    /// More content comes than the upload's length has room for.
    #[error("the upload has a length of {length} bytes, and more come")]
    PastEnd {
        /// The upload's length.
        length: u64,
    },
    /// Bytes were sent for another place than where the upload goes on.
    #[error("the upload goes on at {expected}, not at {provided}")]
    Offset {
        /// Where it goes on.
        expected: u64,
        /// Where the request would have put its bytes.
        provided: u64,
    },
    /// A length that differs from the one told before, or is less than what is there.
    #[error("the upload's length cannot become this one")]
    Length,
    /// Content for an upload that is put together from others.
    #[error("an upload that is put together from parts takes no bytes itself")]
    Final,
    /// One of the parts to be put together is not there, or not a part.
    #[error("one of the parts is not there")]
    NoSuchPart,
    /// One of the parts to be put together is not complete.
    #[error("one of the parts is not complete")]
    PartUnfinished,
}

impl Refusal {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Missing(_)
            | Self::Malformed(_)
            | Self::Contradiction(_)
            | Self::UnknownChecksum
            | Self::Length
            | Self::NoSuchPart
            | Self::PartUnfinished => 400,
            Self::Final => 403,
            Self::Method => 405,
            Self::Offset { .. } => 409,
            Self::Version => 412,
            Self::TooLarge { .. } | Self::PastEnd { .. } => 413,
            Self::MediaType => 415,
            Self::Checksum => 460,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_says_the_status() {
        let statuses = [
            (Refusal::Version, 412),
            (Refusal::MediaType, 415),
            (Refusal::UnknownChecksum, 400),
            (Refusal::Checksum, 460),
            (Refusal::TooLarge { max: 1 }, 413),
            (Refusal::Offset { expected: 1, provided: 2 }, 409),
            (Refusal::Final, 403),
            (Refusal::Malformed("Upload-Defer-Length"), 400),
        ];
        for (refusal, status) in statuses {
            assert_eq!(refusal.status(), status, "{refusal}");
        }
    }
}
