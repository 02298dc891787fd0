//! What an upload's ways and ends are in plain words: the one place where the machine's verdicts become sentences and
//! kinds of failure.

use haul_core::{
    transfer::Trouble,
    upload::{Anew, Obstacle, Outcome, Refusal},
};

use crate::failure::{Failure, Kind};

/// Several connections were wanted.
pub(super) const ONE_LANE: &str = "what goes there goes on one connection: the server offers no way to put a file together \
                                   from parts, or what is there of it was begun on one";

/// Parts that an earlier run, or this one, has sent.
pub(super) fn parts_gone(gone: usize, of: usize) -> String {
    format!("the server has {gone} of {of} parts no more: they are begun anew")
}

/// Why it is sent from its first byte.
pub(super) fn anew(why: Anew) -> &'static str {
    match why {
        Anew::LocalChanged => "begun anew: the local file is not the one any more that was begun",
        Anew::Gone => "begun anew: what was sent before is not there any more",
        Anew::NotAPrefix => "begun anew: what the server shows of it are not the local file's first bytes",
        Anew::TooLong => "begun anew: the server's file is longer than the local one",
        Anew::OtherSize => "begun anew: what was begun at the server is a file of another size",
        Anew::NoWay => "begun anew: the server knows no way to continue a file",
        Anew::Spoilt => "begun anew: the server did not continue the file at its end",
        Anew::Wrong => {
            "begun anew: the server confirmed the file, but what it shows of it is not the whole of the local one"
        }
        Anew::Unverifiable => {
            "begun anew: what is there could not be compared with the local file (--verify none continues it unseen)"
        }
        Anew::SizeUnknown => "begun anew: the server does not tell how much of it there is",
        Anew::Asked => "begun anew, as --restart says",
    }
}

/// An end without the file; `said` is what the far end said last.
pub(super) fn failure(outcome: &Outcome, said: Option<&str>) -> Failure {
    match outcome {
        Outcome::InTheWay(obstacle) => in_the_way(*obstacle),
        Outcome::Refused(refusal) => refused(*refusal, said),
        Outcome::NotRenamed => Failure::new(
            Kind::Refused,
            format!(
                "all of it is there as NAME.part, but the server refused to rename it{}",
                said.map(|said| format!(": {said}")).unwrap_or_default()
            ),
        )
        .advise("rename it there, or send it without --temp-name"),
        Outcome::Vanished => Failure::new(
            Kind::Unsafe,
            "the server confirmed the upload, and has no such file now; perhaps it was taken from there already",
        ),
        Outcome::NeverRight => Failure::new(
            Kind::Unsafe,
            "the server confirmed the file, and what it shows of it did not become the local one",
        )
        .advise("look at what is there; perhaps another name does better"),
        Outcome::Restless => Failure::new(Kind::Local, "the local file changed each time while it was sent")
            .advise("send it again when it is finished"),
        Outcome::StreamBroken(trouble) => {
            let mut failure = gave_up(*trouble, said);
            failure.advice = Some("standard input cannot be sent twice: run the whole command again".into());
            failure
        }
        Outcome::GaveUp(trouble) => gave_up(*trouble, said),
        Outcome::Paused | Outcome::Skipped | Outcome::Done { .. } => {
            Failure::new(Kind::Interrupted, "interrupted")
        }
    }
}

fn in_the_way(obstacle: Obstacle) -> Failure {
    let (message, advice) = match obstacle {
        Obstacle::Exists => ("a file of that name is there, and was left alone", None),
        Obstacle::Different => (
            "a file of that name is there that is not this one nor its beginning, by what the server shows of it; it \
             was left alone",
            Some("use --if-exists overwrite to replace it, or another name"),
        ),
        Obstacle::Doubtful => (
            "a file of that name and size is there that ends the same but has another date; it was left alone",
            Some("use --verify full to compare all of it, or --if-exists overwrite to replace it"),
        ),
        Obstacle::Unverifiable => (
            "a file of that name is there that could not be compared with this one; it was left alone",
            Some("use --if-exists overwrite to replace it, or --verify none to continue it unseen"),
        ),
        Obstacle::Unknown => (
            "the server does not tell whether there is a file of that name, or how large it is",
            Some("use --if-exists overwrite to send it whatever is there"),
        ),
        Obstacle::Came => (
            "while this one was sent a file of that name came from elsewhere, which was left alone; all of this one is \
             there as NAME.part",
            Some("use --if-exists overwrite to replace the other one"),
        ),
    };
    let failure = Failure::new(Kind::Unsafe, message);
    match advice {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}

fn refused(refusal: Refusal, said: Option<&str>) -> Failure {
    let said = said.unwrap_or("it did not say why");
    match refusal {
        Refusal::Full => {
            Failure::new(Kind::Refused, format!("the server has no room for it, or cannot write: {said}"))
                .advise("make room there, and run the same command again to go on")
        }
        Refusal::Busy => Failure::new(Kind::Refused, format!("somebody else has the file: {said}"))
            .advise("run the same command again later"),
        Refusal::TooLarge => {
            Failure::new(Kind::Refused, format!("the file is larger than the server takes: {said}"))
        }
        Refusal::Contradiction => {
            Failure::new(Kind::Unsafe, format!("the server contradicts itself: {said}"))
                .advise("look at what is there; --restart begins anew")
        }
        Refusal::Denied | Refusal::Way | Refusal::Came => {
            Failure::new(Kind::Refused, format!("the server does not take it: {said}"))
        }
    }
}

fn gave_up(trouble: Trouble, said: Option<&str>) -> Failure {
    let said = said.unwrap_or("the connection was lost");
    match trouble {
        Trouble::Unreachable => {
            Failure::new(Kind::Network, said).advise("check the address, and run the same command again")
        }
        Trouble::Broken | Trouble::Busy | Trouble::Unreliable => {
            Failure::new(Kind::Network, format!("gave up: {said}"))
                .advise("run the same command again to go on")
        }
        Trouble::Denied | Trouble::Fatal => Failure::new(Kind::Refused, said),
    }
}
