//! What to do about what the far end has under the file's name, before a byte is sent: pure functions from what is
//! known to the next step.
//!
//! A file that an earlier run of ours began is ours to replace; one of somebody else is continued only where it was
//! found to be a part of ours, and replaced only where the caller says so.

use super::{Anew, Found, How, IfExists, Local, Name, Obstacle, Proof, Seen, There, Verify};
use crate::transfer::BLOCK;

/// What our own state says of the file at the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ours {
    /// Nothing: it is somebody else's.
    No,
    /// We began it.
    Begun,
    /// We began it with what the local file was before.
    Outdated,
    /// We finished it; the date that it had then.
    Finished(Option<i64>),
}

impl Ours {
    /// Whether what is there may be replaced unasked.
    pub(super) fn may_replace(self) -> bool {
        matches!(self, Self::Begun | Self::Outdated)
    }
}

/// What is known when a decision is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) local: Local,
    pub(super) verify: Verify,
    pub(super) if_exists: Option<IfExists>,
    pub(super) restart: bool,
    pub(super) ours: Ours,
    /// This run has sent nothing yet: what is ours was begun by an earlier one, and may have become another's since.
    pub(super) earlier: bool,
    /// The size of the local file that was begun.
    pub(super) begun_size: u64,
    /// A file of the local one's size was there when this run began to send.
    pub(super) replaced: bool,
    /// This run has handed over all bytes, to the last one.
    pub(super) all_sent: bool,
    /// What an earlier run began is gone; this may be what became of it.
    pub(super) lost: bool,
    pub(super) name: Name,
    /// The file gets its name at the end: under its final one nothing is ever continued.
    pub(super) temporary: bool,
    pub(super) seen: Seen,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send all of it.
    Begin(Option<Anew>),
    /// Send the rest.
    Continue(u64),
    /// Compare first.
    Check(u64, How),
    /// It is there.
    Whole(Proof),
    /// Leave what is there.
    Skip,
    /// It is in the way.
    Stop(Obstacle),
}

/// What follows from what is there.
pub(super) fn open(known: &Known) -> Step {
    let size = match known.seen.there {
        There::Absent => {
            let why = match known.ours {
                Ours::Begun => Some(Anew::Gone),
                // It may be out of sight.
                Ours::Outdated => Some(Anew::LocalChanged),
                Ours::No | Ours::Finished(_) => None,
            };
            return Step::Begin(why.filter(|_| known.name == temporary_or_target(known)));
        }
        There::Unknown => return without_size(known),
        There::Size(size) => size,
    };
    let whole = known.local.size;
    if known.ours.may_replace() && known.earlier && size > known.begun_size {
        // More than we have ever sent: it is another's by now.
        return different(known);
    }
    if known.ours == Ours::Outdated {
        return Step::Begin(Some(Anew::LocalChanged));
    }
    if known.ours.may_replace() {
        return match size {
            _ if known.restart => Step::Begin(Some(Anew::Asked)),
            size if size > whole => Step::Begin(Some(Anew::TooLong)),
            _ if is_of_another_size(known) => Step::Begin(Some(Anew::OtherSize)),
            0 if whole > 0 => Step::Begin(None),
            size => compare(known, size),
        };
    }
    if let (Ours::Finished(Some(date)), Some(modified)) = (known.ours, known.seen.modified)
        && (size, modified.seconds) == (whole, date)
    {
        return Step::Whole(Proof::Date);
    }
    match known.if_exists {
        Some(IfExists::Skip) => Step::Skip,
        Some(IfExists::Fail) => Step::Stop(Obstacle::Exists),
        _ if size > whole || (size < whole && never_continued(known)) => different(known),
        _ if is_of_another_size(known) => different(known),
        _ if size == 0 && whole > 0 => Step::Begin(None),
        _ => compare(known, size),
    }
}

/// What follows from a comparison of the `size` bytes that are there, made as `how` says.
pub(super) fn compared(known: &Known, size: u64, how: How, found: Found) -> Step {
    let ours = known.ours.may_replace();
    let whole = size == known.local.size;
    match found {
        // A hole would look like this, too.
        Found::Blank if !ours => next_way(known, size, how, How::Whole),
        Found::Grown if whole && ours && !known.earlier => Step::Begin(Some(Anew::TooLong)),
        Found::Grown if whole => different(known),
        // It does not hold still, or its size says nothing.
        Found::Unable | Found::Grown => next_way(known, size, how, weaker(known, how)),
        Found::Different if ours => Step::Begin(Some(Anew::NotAPrefix)),
        Found::Different => different(known),
        Found::Same | Found::Blank if whole => complete(known, how),
        Found::Same | Found::Blank if known.restart => Step::Begin(Some(Anew::Asked)),
        Found::Same | Found::Blank => Step::Continue(size),
    }
}

/// All bytes seem to be there.
fn complete(known: &Known, how: How) -> Step {
    let proof = match how {
        How::Hash => Proof::Hash,
        How::Whole => Proof::Whole,
        // What was compared was all there is.
        _ if known.local.size <= BLOCK => Proof::Whole,
        How::Tail => Proof::Tail,
    };
    // Where it replaces a file that a server shows until all is there, this may still be the old one.
    let sent = known.ours.may_replace() && !known.earlier && !known.replaced;
    let proven = sent || proof != Proof::Tail || known.local.has_date(known.seen.modified);
    match known.if_exists {
        _ if proven => Step::Whole(proof),
        _ if known.ours.may_replace() || known.lost => next_way(known, known.local.size, how, How::Whole),
        Some(IfExists::Overwrite) => Step::Begin(None),
        _ => Step::Stop(Obstacle::Doubtful),
    }
}

/// The first comparison, or none.
fn compare(known: &Known, size: u64) -> Step {
    let whole = size == known.local.size;
    match first_way(known, size) {
        Some(how) => Step::Check(size, how),
        None if !whole && known.restart => Step::Begin(Some(Anew::Asked)),
        None if !whole => Step::Continue(size),
        None if known.ours.may_replace() => Step::Whole(Proof::Size),
        None if size == 0 || known.local.has_date(known.seen.modified) => Step::Whole(Proof::Date),
        None => doubtful(known),
    }
}

/// How the caller wants it compared; `None` is not at all.
fn first_way(known: &Known, size: u64) -> Option<How> {
    if size == 0 {
        return None;
    }
    match known.verify {
        Verify::None => None,
        Verify::Auto | Verify::Full if known.seen.can.hash => Some(How::Hash),
        Verify::Full => Some(How::Whole),
        Verify::Auto | Verify::Tail => Some(How::Tail),
    }
}

/// What is tried where the far end did not let `how` be done.
fn weaker(known: &Known, how: How) -> How {
    match how {
        How::Hash if known.verify == Verify::Full => How::Whole,
        How::Hash => How::Tail,
        other => other,
    }
}

/// Compares in another way, if there is one that was not tried.
fn next_way(known: &Known, size: u64, how: How, next: How) -> Step {
    let possible = next == How::Hash || known.seen.can.read_back;
    if next != how && possible {
        return Step::Check(size, next);
    }
    let whole = size == known.local.size;
    match known.ours {
        // This run sent all of it, and the size says that all of it came; the rest is a reply that got lost.
        Ours::Begun if whole && known.all_sent => Step::Whole(Proof::Size),
        ours if ours.may_replace() => Step::Begin(Some(Anew::Unverifiable)),
        _ if whole && known.local.has_date(known.seen.modified) => Step::Whole(Proof::Date),
        _ if known.if_exists == Some(IfExists::Overwrite) => Step::Begin(Some(Anew::Unverifiable)),
        _ => Step::Stop(Obstacle::Unverifiable),
    }
}

/// Somebody else's file, and not a part of ours.
fn different(known: &Known) -> Step {
    match known.if_exists {
        Some(IfExists::Overwrite) => Step::Begin(None),
        _ => Step::Stop(Obstacle::Different),
    }
}

fn doubtful(known: &Known) -> Step {
    match known.if_exists {
        Some(IfExists::Overwrite) => Step::Begin(None),
        _ => Step::Stop(Obstacle::Doubtful),
    }
}

/// There may be a file, and nobody tells how large it is.
fn without_size(known: &Known) -> Step {
    match known.if_exists {
        _ if known.ours.may_replace() => Step::Begin(Some(Anew::SizeUnknown)),
        Some(IfExists::Overwrite) => Step::Begin(None),
        _ => Step::Stop(Obstacle::Unknown),
    }
}

/// Whether what is there was begun as a file of another size, whatever its first bytes are.
fn is_of_another_size(known: &Known) -> bool {
    known.seen.declared.is_some_and(|declared| declared != known.local.size)
}

fn never_continued(known: &Known) -> bool {
    known.temporary && known.name == Name::Target
}

/// The name under which the file is sent.
fn temporary_or_target(known: &Known) -> Name {
    if known.temporary { Name::Temporary } else { Name::Target }
}

#[cfg(test)]
mod tests;
