//! What an answer that is no yes means for the upload: the one place where it becomes a fault, with its words. Pure.

use haul_core::{transfer::Trouble, upload::Refusal};
use haul_proto::http::upload_client::Said;

use super::{super::Fault, caller::Answered};
use crate::source::Failed;

/// The fault that an answer means.
pub(super) fn fault(answered: &Answered) -> Fault {
    of(&answered.said(), answered.words())
}

/// The same of what was said, in these words.
pub(super) fn of(said: &Said, words: String) -> Fault {
    let failed = |why, retry_after, message| Fault::Failed(Failed { why, retry_after, message });
    match said {
        Said::Later { after } => failed(Trouble::Busy, *after, words),
        Said::Unwell { after } => failed(Trouble::Broken, *after, words),
        Said::Gone | Said::Conflict | Said::Garbled | Said::Yes | Said::More | Said::Elsewhere { .. } => {
            failed(Trouble::Broken, None, words)
        }
        Said::Came => Fault::Refused(Refusal::Came, words),
        Said::TooLarge => Fault::Refused(Refusal::TooLarge, words),
        Said::Full => Fault::Refused(Refusal::Full, words),
        Said::NeedsCredentials => {
            let words = format!("it wants a user name and a password that it accepts: {words}");
            failed(Trouble::Fatal, None, words)
        }
        Said::NotThisWay | Said::No => failed(Trouble::Fatal, None, words),
    }
}

/// The far end says what cannot be.
pub(super) fn contradiction(words: String) -> Fault {
    Fault::Refused(Refusal::Contradiction, words)
}

pub(super) fn broken(words: impl Into<String>) -> Fault {
    Fault::Failed(Failed::new(Trouble::Broken, words))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_no_has_its_consequence() {
        let after = Some(Duration::from_secs(3));
        let fault = |said| of(&said, "it said so".to_owned());
        for (said, expected) in
            [(Said::Came, Refusal::Came), (Said::Full, Refusal::Full), (Said::TooLarge, Refusal::TooLarge)]
        {
            let Fault::Refused(refusal, words) = fault(said) else { panic!("{expected:?}") };
            assert_eq!((refusal, words.as_str()), (expected, "it said so"));
        }
        for (said, expected, waits) in [
            (Said::Later { after }, Trouble::Busy, after),
            (Said::Unwell { after: None }, Trouble::Broken, None),
            (Said::Conflict, Trouble::Broken, None),
            (Said::NeedsCredentials, Trouble::Fatal, None),
            (Said::No, Trouble::Fatal, None),
        ] {
            let Fault::Failed(failed) = fault(said) else { panic!("{expected:?}") };
            assert_eq!((failed.why, failed.retry_after), (expected, waits));
        }
    }
}
