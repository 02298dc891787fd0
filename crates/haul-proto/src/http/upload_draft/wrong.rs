//! What is wrong with a request of the draft, as far as its own fields show it.

use super::Problem;

/// Why a request is not one that can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field is not what it has to be.
    ///
    /// The draft would have it ignored. But an Upload-Complete that is ignored turns a part into the whole, so the
    /// request is refused.
    #[error("{0} cannot be read")]
    Malformed(&'static str),
    /// A field is there several times with different values, or contradicts its inverse.
    #[error("{0} contradicts itself")]
    Contradiction(&'static str),
    /// A field is there that must not be.
    #[error("{0} has no place in this request")]
    Unexpected(&'static str),
    /// Two lengths of the upload, or a length and an offset, that cannot both be true.
    #[error("what the request says of the upload's length does not agree")]
    InconsistentLength,
    /// What is appended is not `application/partial-upload`.
    #[error("what is appended to an upload has the media type application/partial-upload")]
    MediaType,
    /// A method that an upload does not know.
    #[error("an upload knows HEAD, GET, PATCH, DELETE and OPTIONS")]
    Method,
}

impl Wrong {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Missing(_)
            | Self::Malformed(_)
            | Self::Contradiction(_)
            | Self::Unexpected(_)
            | Self::InconsistentLength => 400,
            Self::Method => 405,
            Self::MediaType => 415,
        }
    }

    /// The problem type that the draft has for it.
    pub fn problem(&self) -> Option<Problem> {
        match self {
            Self::InconsistentLength => Some(Problem::InconsistentLength),
            Self::Missing(_)
            | Self::Malformed(_)
            | Self::Contradiction(_)
            | Self::Unexpected(_)
            | Self::MediaType
            | Self::Method => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_status() {
        assert_eq!(Wrong::Missing("Upload-Offset").status(), 400);
        assert_eq!(Wrong::Method.status(), 405);
        assert_eq!(Wrong::MediaType.status(), 415);
    }

    #[test]
    fn a_length_that_does_not_fit_has_a_problem_type_of_the_same_status() {
        assert_eq!(Wrong::InconsistentLength.problem(), Some(Problem::InconsistentLength));
        assert_eq!(Problem::InconsistentLength.status(), Wrong::InconsistentLength.status());
        assert_eq!(Wrong::MediaType.problem(), None);
    }
}
