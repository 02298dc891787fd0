//! What is made of a confirmation: the far end said that it has all, and this is what it has.

use std::time::Instant;

use super::{
    Action, Anew, Can, Found, How, Outcome, Phase, Proof, Seen, Sending, There, Upload, Verify, Way,
    ways::{self, Landed},
};

/// So many files that were sent whole and confirmed, and were not the local one, mean that this far end can't be relied
/// on. One may be an accident.
const WRONGS: u32 = 2;
/// So often a far end may confirm more than it has, though it has more each time.
const SHORTS: u32 = 8;

impl Upload {
    /// The far end said that it has all; this is what it has.
    pub(super) fn on_landed(&mut self, now: Instant, sending: Sending, seen: Seen) {
        let whole = self.plan.local.map_or(sending.moved, |local| local.size);
        let size = match seen.there {
            There::Unknown => return self.prove_unseen(sending, whole, seen.can),
            There::Absent => return self.finish(Outcome::Vanished),
            There::Size(size) => size,
        };
        let landed = ways::landed(sending.way, sending.at, whole, size);
        if landed != Landed::Whole && !self.bears_another(sending.way, landed) {
            return self.finish(Outcome::NeverRight);
        }
        match landed {
            Landed::Whole if sending.at > 0 && seen.can.hash && self.wants_checksum() => {
                self.prove(sending, size, How::Hash);
            }
            Landed::Whole if sending.way == Way::Begin && self.seems_untouched(size, seen) => {
                match self.plan.verify {
                    Verify::Auto | Verify::Full if seen.can.hash => self.prove(sending, size, How::Hash),
                    Verify::Auto | Verify::Full => self.prove(sending, size, How::Whole),
                    Verify::Tail => self.prove(sending, size, How::Tail),
                    Verify::None => self.seal(Proof::Size),
                }
            }
            Landed::Whole => self.seal(Proof::Size),
            Landed::Short => {
                self.on_trial = None;
                self.phase = Phase::Opening(self.sent_to());
                if self.settle_up(now, self.sent_to(), seen) {
                    self.open(self.sent_to(), seen);
                }
            }
            Landed::Spoilt => {
                self.ways.fails(sending.way);
                self.on_trial = None;
                self.begin(Some(Anew::Spoilt));
            }
        }
    }

    /// Whether this may still be the file of that size that was there before: some servers store a second one of a name
    /// under another, and confirm it.
    fn seems_untouched(&self, size: u64, seen: Seen) -> bool {
        let dates = (self.before.and_then(|before| before.modified), seen.modified);
        size > 0 && self.stood_there(size) && !matches!(dates, (Some(before), Some(now)) if before != now)
    }

    /// What was confirmed is not the local file: says whether there is a point in going on. A stream has no second try.
    fn bears_another(&mut self, way: Way, landed: Landed) -> bool {
        if way == Way::Begin {
            self.wrongs += 1;
            self.disproved = true;
        }
        self.shorts += u32::from(landed == Landed::Short);
        self.wrongs < WRONGS && self.shorts < SHORTS && self.plan.local.is_some()
    }

    /// The far end tells no size: its checksum or its end show whether it has all.
    fn prove_unseen(&mut self, sending: Sending, whole: u64, can: Can) {
        match self.plan.verify {
            _ if whole == 0 || self.plan.local.is_none() => self.seal(Proof::Reply),
            Verify::Auto | Verify::Full if can.hash => self.prove(sending, whole, How::Hash),
            Verify::Auto | Verify::Full | Verify::Tail if can.read_back => {
                self.prove(sending, whole, How::Tail);
            }
            _ => self.seal(Proof::Reply),
        }
    }

    fn prove(&mut self, sending: Sending, size: u64, how: How) {
        self.phase = Phase::Proving(sending, how);
        self.actions.push_back(Action::Check { name: self.sent_to(), size, how });
    }

    /// Whether a checksum of the whole is wanted after a part was continued.
    fn wants_checksum(&self) -> bool {
        matches!(self.plan.verify, Verify::Auto | Verify::Full)
    }

    pub(super) fn on_proven(&mut self, sending: Sending, how: How, found: Found) {
        match (found, how) {
            (Found::Same | Found::Blank, How::Hash) => self.seal(Proof::Hash),
            (Found::Same | Found::Blank, How::Whole) => self.seal(Proof::Whole),
            (Found::Same | Found::Blank, How::Tail) => self.seal(Proof::Tail),
            // It makes no checksum after all: the size has to do, as it does elsewhere.
            (Found::Unable, _) => {
                let sized = self.seen.is_some_and(|seen| matches!(seen.there, There::Size(_)));
                self.seal(if sized { Proof::Size } else { Proof::Reply });
            }
            (Found::Different | Found::Grown, _) => {
                self.ways.fails(sending.way);
                self.on_trial = None;
                if !self.bears_another(sending.way, Landed::Spoilt) {
                    return self.finish(Outcome::NeverRight);
                }
                self.begin(Some(Anew::Spoilt));
            }
        }
    }
}
