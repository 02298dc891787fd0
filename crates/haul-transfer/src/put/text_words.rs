//! What is said of an upload of text where other uploads have other words: nothing of it is compared or gone on with.

use haul_core::upload::{Name, Outcome, Refusal};

use super::words;
use crate::failure::{Failure, Kind};

/// At its beginning.
pub(super) const NOT_RESUMED: &str = "sent as text, which cannot be resumed";
/// Of a file that is left alone and counts as done.
pub(super) const SKIPPED: &str = "a file of that name is there, and is left alone, as --if-exists skip says; whether it is \
                                  this one, sizes do not tell of text";
/// What to do after most failures.
pub(super) const AGAIN: &str = "run the same command again: as text it begins anew";

/// A file that is there.
pub(super) fn in_the_way(name: Name) -> Failure {
    let (message, advice) = match name {
        Name::Target => (
            "a file of that name is there, and was left alone: whether it is this one, sizes do not tell of text",
            "use --if-exists overwrite to replace it, --if-exists skip to leave it, or another name",
        ),
        Name::Temporary => (
            "a file NAME.part is there that was not begun as this text, and was left alone",
            "use --if-exists overwrite to replace it, or send it without --temp-name",
        ),
    };
    Failure::new(Kind::Unsafe, message).advise(advice)
}

/// One that came while it was sent, where its name is to be given.
pub(super) fn came() -> Failure {
    let what = "while this one was sent a file of that name came from elsewhere, which was left alone; all of this one is \
                there as NAME.part";
    Failure::new(Kind::Unsafe, what)
        .advise("rename it there, or use --if-exists overwrite to replace the other one")
}

/// The server said no.
pub(super) fn refused(refusal: Refusal, said: &str) -> Failure {
    let failure = words::failure(&Outcome::Refused(refusal), Some(said));
    match refusal {
        Refusal::Full => failure.advise("make room there, and run the same command again to begin anew"),
        _ => failure,
    }
}
