//! More of an upload, held against what is there of it (§4.4).

use super::{Interop, Problem};
use crate::http::upload_state::UploadState;

/// A request that brings more of an upload, or says that there is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    /// Where the content's first byte belongs.
    pub offset: u64,
    /// Whether the content ends with the upload's last byte; it may be empty.
    pub complete: bool,
    /// How many bytes the whole has, where the request tells it in one way or another; never less than `offset`.
    pub length: Option<u64>,
    /// How many bytes come, where that is known beforehand.
    pub content: Option<u64>,
    /// The version of the draft that the client speaks, where it is a known one.
    pub interop: Option<Interop>,
}

/// What to do with an append that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take the bytes, never past `length`.
    Take {
        /// How many bytes the whole has, by all that was ever said; `None` where nothing was.
        length: Option<u64>,
    },
    /// The upload is complete, and the client says so once more because it did not hear the answer: tell it again.
    Already,
}

impl Append {
    /// Whether this fits the upload as it is.
    ///
    /// The offset comes first, even where the upload is complete: whoever has the wrong one learns the right one.
    pub fn against(&self, state: UploadState) -> Result<Verdict, Problem> {
        if self.offset != state.offset() {
            return Err(Problem::MismatchingOffset { expected: state.offset(), provided: self.offset });
        }
        let length = match (state.length(), self.length) {
            (Some(before), Some(now)) if before != now => return Err(Problem::InconsistentLength),
            (before, now) => before.or(now),
        };
        if state.is_complete() {
            let nothing_new = self.complete && self.content == Some(0);
            return if nothing_new { Ok(Verdict::Already) } else { Err(Problem::CompletedUpload) };
        }
        let end = self.content.map(|content| self.offset.checked_add(content));
        match (end, length) {
            (Some(None), _) => Err(Problem::InconsistentLength),
            (Some(Some(end)), Some(length)) if end > length || (self.complete && end != length) => {
                Err(Problem::InconsistentLength)
            }
            _ => Ok(Verdict::Take { length }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn append(offset: u64, content: Option<u64>, complete: bool) -> Append {
        Append { offset, complete, length: None, content, interop: None }
    }

    fn unfinished(offset: u64, length: Option<u64>) -> UploadState {
        UploadState::Unfinished { offset, length }
    }

    #[test]
    fn the_right_offset_goes_on() {
        let state = unfinished(10, None);
        assert_eq!(append(10, Some(5), false).against(state), Ok(Verdict::Take { length: None }));
        assert_eq!(append(10, None, true).against(state), Ok(Verdict::Take { length: None }));
    }

    #[test]
    fn a_wrong_offset_is_told_the_right_one() {
        for state in [unfinished(10, None), unfinished(10, Some(10)), UploadState::Complete { size: 10 }] {
            for offset in [0, 9, 11] {
                let problem = Problem::MismatchingOffset { expected: 10, provided: offset };
                assert_eq!(append(offset, Some(0), true).against(state), Err(problem));
            }
        }
    }

    #[test]
    fn a_length_once_told_stays() {
        let late = Append { length: Some(20), ..append(10, None, false) };
        assert_eq!(late.against(unfinished(10, None)), Ok(Verdict::Take { length: Some(20) }));
        assert_eq!(late.against(unfinished(10, Some(20))), Ok(Verdict::Take { length: Some(20) }));
        assert_eq!(late.against(unfinished(10, Some(21))), Err(Problem::InconsistentLength));
    }

    #[test]
    fn content_never_goes_past_the_length() {
        let state = unfinished(10, Some(15));
        assert!(append(10, Some(5), false).against(state).is_ok());
        assert_eq!(append(10, Some(6), false).against(state), Err(Problem::InconsistentLength));
        assert_eq!(append(10, Some(u64::MAX), false).against(state), Err(Problem::InconsistentLength));
    }

    #[test]
    fn the_last_append_ends_at_the_length() {
        let state = unfinished(10, Some(15));
        assert_eq!(append(10, Some(5), true).against(state), Ok(Verdict::Take { length: Some(15) }));
        assert_eq!(append(10, Some(4), true).against(state), Err(Problem::InconsistentLength));
        let full = unfinished(15, Some(15));
        assert_eq!(append(15, Some(0), true).against(full), Ok(Verdict::Take { length: Some(15) }));
    }

    #[test]
    fn a_complete_upload_only_repeats_its_answer() {
        let state = UploadState::Complete { size: 10 };
        assert_eq!(append(10, Some(0), true).against(state), Ok(Verdict::Already));
        assert_eq!(append(10, Some(1), true).against(state), Err(Problem::CompletedUpload));
        assert_eq!(append(10, Some(0), false).against(state), Err(Problem::CompletedUpload));
        assert_eq!(append(10, None, true).against(state), Err(Problem::CompletedUpload));
        let longer = Append { length: Some(11), ..append(10, Some(1), true) };
        assert_eq!(longer.against(state), Err(Problem::InconsistentLength));
    }

    proptest! {
        #[test]
        fn what_is_taken_fits(
            offset in 0..20u64, length: Option<u8>, at in 0..20u64, content: Option<u8>, complete: bool, said: Option<u8>,
        ) {
            let state = unfinished(offset, length.map(u64::from).filter(|length| *length >= offset));
            let length = said.map(u64::from).filter(|said| *said >= at);
            let append = Append { length, ..append(at, content.map(u64::from), complete) };
            if let Ok(verdict) = append.against(state) {
                let Verdict::Take { length } = verdict else { panic!("it is not complete") };
                prop_assert_eq!(at, offset);
                prop_assert!(state.length().is_none_or(|before| length == Some(before)));
                if let (Some(content), Some(length)) = (append.content, length) {
                    prop_assert!(at + content <= length && (!complete || at + content == length));
                }
            }
        }
    }
}
