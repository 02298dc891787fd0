//! The problem types of the draft (§7; RFC 9457): what a client's program can tell apart. How a problem is written is
//! not known here.

/// A problem with an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Bytes were sent for another place than where the upload goes on.
    #[error("the upload goes on at {expected}, not at {provided}")]
    MismatchingOffset {
        /// Where it goes on.
        expected: u64,
        /// Where the request would have put its bytes.
        provided: u64,
    },
    /// What is said of the upload's length does not fit together, or does not fit what was said before.
    #[error("what the requests say of the upload's length does not agree")]
    InconsistentLength,
    /// Bytes were sent for an upload that is complete. (In the draft up to -11.)
    #[error("the upload is complete, nothing can be added to it")]
    CompletedUpload,
}

impl Problem {
    /// The problem's type, a URI.
    pub fn type_uri(&self) -> &'static str {
        match self {
            Self::MismatchingOffset { .. } => {
                "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
            }
            Self::InconsistentLength => {
                "https://iana.org/assignments/http-problem-types#inconsistent-upload-length"
            }
            Self::CompletedUpload => "https://iana.org/assignments/http-problem-types#completed-upload",
        }
    }

    /// What all problems of this type are called.
    pub fn title(&self) -> &'static str {
        match self {
            Self::MismatchingOffset { .. } => "Mismatching Upload Offset",
            Self::InconsistentLength => "Inconsistent Upload Length Values",
            Self::CompletedUpload => "Upload Is Completed",
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::MismatchingOffset { .. } => 409,
            Self::InconsistentLength | Self::CompletedUpload => 400,
        }
    }

    /// The members that this type has beside those of every problem.
    pub fn members(&self) -> Vec<(&'static str, u64)> {
        match self {
            Self::MismatchingOffset { expected, provided } => {
                vec![("expected-offset", *expected), ("provided-offset", *provided)]
            }
            Self::InconsistentLength | Self::CompletedUpload => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_offset_tells_both() {
        let problem = Problem::MismatchingOffset { expected: 12, provided: 25 };
        assert_eq!(problem.status(), 409);
        assert_eq!(problem.members(), [("expected-offset", 12), ("provided-offset", 25)]);
        assert!(problem.type_uri().ends_with("#mismatching-upload-offset"));
    }

    #[test]
    fn the_others_are_the_requests_fault() {
        for problem in [Problem::InconsistentLength, Problem::CompletedUpload] {
            assert_eq!((problem.status(), problem.members()), (400, Vec::new()));
        }
    }
}
