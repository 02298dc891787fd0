//! The upload machine: decides whether a file is begun, continued or there already, how what the far end has is
//! compared with ours, by which way bytes are sent, whether they landed where they should, and when it is over.
//!
//! It sees sizes and answers, never bytes; it opens nothing and reads no clock. A driver tells it what happened
//! ([`Upload::handle`]) and does what it wants ([`Upload::poll`]), one thing at a time.
//!
//! ```text
//!   Looking ──► Checking ──► Sending ──► Looking (after) ──► Sealing ──► Over
//!    ▲  │ nothing there │       │            │ short, spoilt    │
//!    │  └───────────────┴──────►│            ▼                  │
//!    └────── broke off, or in doubt ◄────────┴──────────────────┘
//! ```
//!
//! What a far end says proves nothing: "done" is said when its file has the size that ours has, the bytes that were
//! there before were compared, and none of them is known to have been moved.

mod event;
mod landing;
pub mod lanes;
mod opening;
mod plan;
#[cfg(test)]
mod tests;
mod ways;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

pub use event::{Action, Anew, Can, Event, Found, How, Name, Obstacle, Outcome, Refusal, Seen, There, Way};
pub use plan::{IfExists, Local, Memo, Plan, Proof, Stage, Verify};

use crate::transfer::{
    Trouble,
    patience::{Failure, Patience},
};
use opening::{Known, Ours, Step};
use ways::Ways;

/// So often a file may be found longer than it was said to be a moment before.
const GROWTHS: u32 = 5;
/// The local file may change so often while it is sent.
const CHANGES: u32 = 3;
/// So often the far end may lose what this run has sent.
const LOSSES: u32 = 3;

/// What the machine is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// What is there, before anything is sent.
    Opening(Name),
    /// What is there, after the far end said that it has all.
    After(Sending),
    /// Whether what is there is ours.
    Checking {
        name: Name,
        size: u64,
        how: How,
    },
    /// Whether what was confirmed is ours.
    Proving(Sending, How),
    /// Bytes go over.
    Sending(Sending),
    /// Whether the final name is still free, now that all of it is there under the temporary one.
    Claiming(Proof),
    /// Date and name are given.
    Sealing(Proof),
    /// What became of a renaming whose answer was lost.
    Renamed(Proof),
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sending {
    at: u64,
    way: Way,
    moved: u64,
}

/// The upload of one file.
#[derive(Debug)]
pub struct Upload {
    plan: Plan,
    phase: Phase,
    /// What our state says of the file under the final name, and of the one that bytes are sent to.
    finished: Option<Option<i64>>,
    /// What an earlier run finished is not the local file any more: a date of then, be it that of now, proves nothing.
    outlived: bool,
    ours: Ours,
    /// What was ours before the last sending was begun.
    ours_before: Ours,
    /// What was begun is gone, and that has not been said yet.
    gone: bool,
    /// The size of the local file that was begun: ours is no longer.
    begun_size: u64,
    seen: Option<Seen>,
    /// What was there when it was begun.
    before: Option<Seen>,
    ways: Ways,
    /// The last way by which a part was continued, for as long as nothing showed that it works.
    on_trial: Option<Way>,
    patience: Patience,
    answered: bool,
    /// A break after bytes went over: free of charge, should the far end have more of them now.
    owing: Option<Failure>,
    /// The most that the far end was seen to have.
    confirmed: u64,
    /// The most that it has said to be safe of what went over.
    safe: u64,
    all_sent: bool,
    sent_any: bool,
    /// A lost answer to the renaming.
    sealing: Option<Proof>,
    /// Files that were sent whole and confirmed, and did not come out right.
    wrongs: u32,
    /// Sendings that were confirmed and of which a part arrived.
    shorts: u32,
    /// The far end confirmed what is there, and it is not all of ours.
    disproved: bool,
    /// It was decided to send what is there anew, and that has not begun yet: nothing that is there counts any more.
    anew: bool,
    /// How long it was said to be when it was found longer, and how often that was so.
    grown: (Option<u64>, u32),
    changes: u32,
    /// So often the far end has lost what this run has sent.
    losses: u32,
    actions: VecDeque<Action>,
}

impl Upload {
    /// An upload, with what an earlier run remembers of it.
    pub fn new(plan: Plan, memo: Option<Memo>) -> Self {
        let (mut ours, mut finished, mut outlived) = (Ours::No, None, false);
        if let (Some(memo), Some(local)) = (memo, plan.local) {
            match memo.stage {
                Stage::Begun if memo.local == local => ours = Ours::Begun,
                Stage::Begun => ours = Ours::Outdated,
                Stage::Finished { modified } if memo.local == local => finished = Some(modified),
                Stage::Finished { .. } => outlived = true,
            }
        }
        let mut upload = Self {
            patience: Patience::new(plan.retries, plan.seed),
            plan,
            phase: Phase::Over,
            finished,
            outlived,
            ours,
            ours_before: ours,
            gone: false,
            begun_size: memo.map_or(0, |memo| memo.local.size),
            seen: None,
            before: None,
            ways: Ways::default(),
            on_trial: None,
            answered: false,
            owing: None,
            confirmed: 0,
            safe: 0,
            all_sent: false,
            sent_any: false,
            sealing: None,
            wrongs: 0,
            shorts: 0,
            disproved: false,
            anew: false,
            grown: (None, 0),
            changes: 0,
            losses: 0,
            actions: VecDeque::new(),
        };
        // Under the final name nothing of ours is under way where another one is sent to.
        upload.look(Phase::Opening(Name::Target), ours.may_replace() && !plan.temporary);
        upload
    }

    /// What is to be done now; `None` is nothing, or nothing before [`Upload::deadline`].
    pub fn poll(&mut self, now: Instant) -> Option<Action> {
        match self.actions.front()? {
            Action::Finish(_) | Action::Say(_) => self.actions.pop_front(),
            _ if self.deadline(now).is_some() => None,
            _ => self.actions.pop_front(),
        }
    }

    /// The moment before which nothing is to be done, if that lies ahead.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        self.patience.until(now)
    }

    /// Failures in a row without progress.
    pub fn strikes(&self) -> u32 {
        self.patience.strikes()
    }

    /// The most bytes of ours that the far end was seen to have, or has said to be safe.
    pub fn confirmed(&self) -> u64 {
        if self.ours.may_replace() { self.confirmed.max(self.safe) } else { 0 }
    }

    /// Takes note of what happened.
    pub fn handle(&mut self, now: Instant, event: Event) {
        if self.phase == Phase::Over {
            return;
        }
        match event {
            Event::Seen(seen) => self.on_seen(now, seen),
            Event::Checked(found) => self.on_checked(found),
            Event::Begun => self.on_begun(),
            Event::Kept(bytes) => {
                if let Phase::Sending(sending) = &mut self.phase {
                    sending.at = sending.at.max(bytes);
                }
            }
            Event::Moved(to) => self.on_moved(to),
            Event::Safe(to) => {
                if matches!(self.phase, Phase::Sending(_)) {
                    self.safe = self.safe.max(to);
                }
            }
            Event::Sent(to) => self.on_sent(to),
            Event::LocalChanged(local) => self.on_changed(local),
            Event::Refused(refusal) => self.on_refused(now, refusal),
            Event::Sealed => {
                if let Phase::Sealing(proof) = self.phase {
                    self.done(proof);
                }
            }
            Event::Failed { why, retry_after } => self.on_failed(now, Failure { why, retry_after }),
            Event::Pause => self.finish(Outcome::Paused),
        }
    }

    fn on_seen(&mut self, now: Instant, seen: Seen) {
        self.answered = true;
        self.seen = Some(seen);
        let phase = self.phase;
        match phase {
            Phase::After(sending) => self.on_landed(now, sending, seen),
            Phase::Claiming(proof) => match seen.there {
                _ if self.plan.if_exists == Some(IfExists::Overwrite) => self.give_name(proof),
                There::Absent => self.give_name(proof),
                There::Size(_) => self.finish(Outcome::InTheWay(Obstacle::Came)),
                There::Unknown => self.finish(Outcome::InTheWay(Obstacle::Unknown)),
            },
            Phase::Renamed(proof) => {
                let whole = self.plan.local.map(|local| local.size);
                match seen.there {
                    There::Size(size) if Some(size) == whole || whole.is_none() => self.done(proof),
                    _ => self.begin(Some(Anew::Gone)),
                }
            }
            Phase::Opening(name) if self.settle_up(now, name, seen) && self.heed_loss(name, seen) => {
                if self.anew && name == self.sent_to() {
                    self.send(0, Way::Begin);
                } else {
                    self.open(name, seen);
                }
            }
            _ => {}
        }
    }

    /// What was begun is gone: what is there is a stranger's, unless it can only be ours, finished while nobody heard it.
    /// Says whether to go on: a far end that takes bytes and loses all of them, each time, would have them for ever.
    fn heed_loss(&mut self, name: Name, seen: Seen) -> bool {
        let whole = self.plan.local.map(|local| There::Size(local.size));
        let finished = self.all_sent && Some(seen.there) == whole;
        if seen.lost && name == self.sent_to() && self.ours == Ours::Begun && !finished {
            self.ours = Ours::No;
            (self.confirmed, self.safe) = (0, 0);
            self.gone = true;
            self.losses += u32::from(self.sent_any);
        }
        if self.losses > LOSSES {
            self.finish(Outcome::GaveUp(Trouble::Broken));
        }
        self.losses <= LOSSES
    }

    /// A break is forgiven where the far end has more than before; says whether to go on.
    fn settle_up(&mut self, now: Instant, name: Name, seen: Seen) -> bool {
        if name != self.sent_to() {
            return true;
        }
        let has = if let There::Size(size) = seen.there { size } else { 0 };
        let owing = self.owing.take();
        if has > self.confirmed {
            self.confirmed = has;
            self.patience.progress();
            if let Some(failure) = owing
                && let Err(why) = self.patience.rest(now, failure)
            {
                self.finish(Outcome::GaveUp(why));
                return false;
            }
        } else if let Some(failure) = owing {
            return self.strike(now, failure);
        }
        true
    }

    /// Decides by what is there under `name`.
    fn open(&mut self, name: Name, seen: Seen) {
        if self.plan.temporary && name == Name::Target && seen.there == There::Absent {
            return self.look(Phase::Opening(Name::Temporary), self.ours.may_replace());
        }
        if name == Name::Temporary
            && let Some(proof) = self.sealing.take()
        {
            // The answer to the renaming got lost: it was done, or it has still to be done.
            return match seen.there {
                There::Absent => self.look(Phase::Renamed(proof), false),
                _ => self.seal(proof),
            };
        }
        match self.known(name, seen) {
            Some(known) => self.take(name, opening::open(&known)),
            None => self.open_for_stream(name, seen),
        }
    }

    /// A stream is never compared, and never continues anything.
    fn open_for_stream(&mut self, name: Name, seen: Seen) {
        let free = seen.there == There::Absent || (name == self.sent_to() && self.ours.may_replace());
        match self.plan.if_exists {
            _ if free => self.begin(None),
            Some(IfExists::Overwrite) => self.replace(name, None),
            Some(IfExists::Skip) => self.finish(Outcome::Skipped),
            _ if seen.there == There::Unknown => self.finish(Outcome::InTheWay(Obstacle::Unknown)),
            _ => self.finish(Outcome::InTheWay(Obstacle::Exists)),
        }
    }

    fn known(&self, name: Name, seen: Seen) -> Option<Known> {
        let ours = match (self.ours, self.finished) {
            (ours, _) if ours != Ours::No && name == self.sent_to() => ours,
            (_, Some(date)) if name == Name::Target => Ours::Finished(date),
            _ => Ours::No,
        };
        Some(Known {
            local: self.plan.local?,
            verify: self.plan.verify,
            if_exists: self.plan.if_exists,
            restart: self.plan.restart && !self.sent_any,
            ours,
            earlier: !self.sent_any,
            begun_size: self.begun_size,
            replaced: self.stood_there(self.plan.local?.size),
            all_sent: self.all_sent,
            lost: self.gone,
            name,
            temporary: self.plan.temporary,
            seen: Seen { modified: seen.modified.filter(|_| !self.outlived), ..seen },
        })
    }

    fn take(&mut self, name: Name, step: Step) {
        match step {
            Step::Begin(why) => self.replace(name, why),
            Step::Continue(at) => self.go_on(at),
            Step::Check(size, how) => {
                self.phase = Phase::Checking { name, size, how };
                self.actions.push_back(Action::Check { name, size, how });
            }
            // Under its final name and not ours: nothing of it is to be touched.
            Step::Whole(proof) if name != self.sent_to() || !self.ours.may_replace() => {
                if name == self.sent_to() && self.plan.temporary {
                    self.seal(proof);
                } else {
                    self.done(proof);
                }
            }
            Step::Whole(proof) => self.seal(proof),
            Step::Skip => self.finish(Outcome::Skipped),
            Step::Stop(obstacle) => self.finish(Outcome::InTheWay(obstacle)),
        }
    }

    /// What is at `name` may be replaced: by sending to it, or by the renaming at the end.
    fn replace(&mut self, name: Name, why: Option<Anew>) {
        if name == self.sent_to() {
            self.begin(why);
        } else {
            self.look(Phase::Opening(Name::Temporary), self.ours.may_replace());
        }
    }

    fn begin(&mut self, why: Option<Anew>) {
        let gone = std::mem::take(&mut self.gone).then_some(Anew::Gone);
        if let Some(why) = why.or(self.disproved.then_some(Anew::Wrong)).or(gone) {
            self.anew = true;
            // Whatever a comparison found: it is what the far end has confirmed.
            self.actions.push_back(Action::Say(if self.disproved { Anew::Wrong } else { why }));
            if why == Anew::NotAPrefix
                && let Some(way) = self.on_trial.take()
            {
                self.ways.fails(way);
            }
        }
        self.send(0, Way::Begin);
    }

    fn go_on(&mut self, at: u64) {
        match self.ways.choose(at) {
            Some(way) => self.send(at, way),
            None => self.begin(Some(Anew::NoWay)),
        }
    }

    /// Whether a file of this size was there already when ours was begun: then its size says nothing of ours, which the
    /// server may still hide, or may have stored elsewhere.
    fn stood_there(&self, size: u64) -> bool {
        self.before.is_some_and(|before| before.there == There::Size(size))
    }

    fn send(&mut self, at: u64, way: Way) {
        if way == Way::Begin {
            self.before = self.seen;
        }
        self.phase = Phase::Sending(Sending { at, way, moved: at });
        self.actions.push_back(Action::Send { name: self.sent_to(), at, way });
    }

    fn on_begun(&mut self) {
        if let Phase::Sending(Sending { at, way, .. }) = self.phase {
            self.ours_before = self.ours;
            self.ours = Ours::Begun;
            self.finished = None;
            self.sent_any = true;
            self.all_sent = false;
            self.disproved &= at > 0;
            self.anew &= at > 0;
            self.safe = if at > 0 { self.safe } else { 0 };
            self.on_trial = (at > 0).then_some(way);
        }
    }

    fn on_moved(&mut self, to: u64) {
        let whole = self.plan.local.map(|local| local.size);
        if let Phase::Sending(sending) = &mut self.phase {
            sending.moved = to;
            self.all_sent = Some(to) == whole;
        }
    }

    fn on_sent(&mut self, to: u64) {
        if let Phase::Sending(sending) = self.phase {
            let after = Phase::After(Sending { moved: to, ..sending });
            self.look(after, false);
        }
    }

    fn on_checked(&mut self, found: Found) {
        match self.phase {
            Phase::Checking { name, size, how } => {
                if found == Found::Grown && self.may_hold_still(size) {
                    return self.look(Phase::Opening(name), true);
                }
                let Some(known) = self.seen.and_then(|seen| self.known(name, seen)) else { return };
                self.take(name, opening::compared(&known, size, how, found));
            }
            Phase::Proving(sending, how) => self.on_proven(sending, how, found),
            _ => {}
        }
    }

    /// What was said to be `size` long was longer: a session that is dead for us may still be writing. Says whether to
    /// look again, which is of no use where the far end tells the same size as before.
    fn may_hold_still(&mut self, size: u64) -> bool {
        let (before, times) = self.grown;
        self.grown = (Some(size), times + 1);
        before != Some(size) && times < GROWTHS
    }

    fn on_changed(&mut self, local: Local) {
        self.changes += 1;
        self.plan.local = Some(local);
        self.disproved = false;
        if self.changes > CHANGES {
            return self.finish(Outcome::Restless);
        }
        // Of what is sent in parts nothing lies under the name yet.
        if self.ours == Ours::Begun {
            self.ours = Ours::Outdated;
        }
        (self.confirmed, self.safe) = (0, 0);
        self.look(Phase::Opening(self.sent_to()), true);
    }

    fn on_refused(&mut self, now: Instant, refusal: Refusal) {
        match (self.phase, refusal) {
            (Phase::Sending(Sending { at, way, .. }), Refusal::Way) if way != Way::Begin => {
                self.ways.fails(way);
                self.go_on(at);
            }
            (Phase::Sending(_), Refusal::Busy) => {
                let failure = Failure { why: Trouble::Busy, retry_after: None };
                if self.strike(now, failure) {
                    self.look(Phase::Opening(self.sent_to()), false);
                }
            }
            (Phase::Sending(_), Refusal::Came) => self.on_came(),
            // Some servers say so, too, while an earlier session still has the file.
            (Phase::Sending(Sending { at, way, .. }), Refusal::Denied)
                if at > 0 && self.ours.may_replace() =>
            {
                let failure = Failure { why: Trouble::Denied, retry_after: None };
                if self.patience.strike(now, now, failure, self.answered).is_ok() {
                    self.look(Phase::Opening(self.sent_to()), false);
                } else if way == Way::Restart {
                    self.ways.fails(way);
                    self.go_on(at);
                } else {
                    self.finish(Outcome::Refused(refusal));
                }
            }
            (Phase::Sending(_), refusal) => self.finish(Outcome::Refused(refusal)),
            (Phase::Sealing(_), _) => self.finish(Outcome::NotRenamed),
            (Phase::Checking { .. } | Phase::Proving(..), _) => self.on_checked(Found::Unable),
            (Phase::Opening(_) | Phase::After(_) | Phase::Claiming(_) | Phase::Renamed(_), refusal) => {
                self.finish(Outcome::Refused(refusal));
            }
            (Phase::Over, _) => {}
        }
    }

    /// What was sent has not become the file, because another one came meanwhile: that one is looked at, and is nobody's
    /// to replace unasked.
    fn on_came(&mut self) {
        self.changes += 1;
        if self.changes > CHANGES || self.plan.local.is_none() {
            return self.finish(Outcome::InTheWay(Obstacle::Exists));
        }
        self.ours = if self.ours_before == Ours::Begun { Ours::No } else { self.ours_before };
        (self.confirmed, self.safe) = (0, 0);
        self.look(Phase::Opening(Name::Target), false);
    }

    fn on_failed(&mut self, now: Instant, failure: Failure) {
        let phase = self.phase;
        if let Phase::Sending(sending) = phase
            && sending.moved > sending.at
        {
            if self.plan.local.is_none() {
                return self.finish(Outcome::StreamBroken(failure.why));
            }
            // Whether it cost anything is known after a look.
            self.owing = Some(failure);
            return self.look(Phase::Opening(self.sent_to()), true);
        }
        if !self.strike(now, failure) {
            return;
        }
        let begun = self.ours.may_replace();
        match phase {
            Phase::After(_) | Phase::Claiming(_) | Phase::Renamed(_) => self.look(phase, false),
            // A stream is over once it was sent, and so is what was seen to be whole.
            Phase::Sealing(proof) if self.plan.temporary => {
                self.sealing = Some(proof);
                self.look(Phase::Opening(Name::Temporary), false);
            }
            Phase::Sealing(proof) => self.seal(proof),
            Phase::Opening(name) => self.look(phase, begun && name == self.sent_to()),
            _ => self.look(Phase::Opening(self.sent_to()), begun),
        }
    }

    /// A failure without progress; says whether to go on.
    fn strike(&mut self, now: Instant, failure: Failure) -> bool {
        match self.patience.strike(now, now, failure, self.answered) {
            Ok(()) => true,
            Err(why) => {
                self.finish(Outcome::GaveUp(why));
                false
            }
        }
    }

    fn look(&mut self, phase: Phase, settle: bool) {
        self.phase = phase;
        let name = match phase {
            Phase::Opening(name) => name,
            Phase::Claiming(_) | Phase::Renamed(_) => Name::Target,
            _ => self.sent_to(),
        };
        self.actions.push_back(Action::Look { name, settle });
    }

    fn seal(&mut self, proof: Proof) {
        if self.plan.temporary {
            // Somebody else's file may have come meanwhile, and most servers let a renaming replace it.
            return self.look(Phase::Claiming(proof), false);
        }
        self.give_name(proof);
    }

    fn give_name(&mut self, proof: Proof) {
        self.phase = Phase::Sealing(proof);
        self.actions.push_back(Action::Seal);
    }

    fn done(&mut self, proof: Proof) {
        self.finish(Outcome::Done { proof, already: !self.sent_any });
    }

    fn finish(&mut self, outcome: Outcome) {
        self.phase = Phase::Over;
        self.actions.clear();
        self.actions.push_back(Action::Finish(outcome));
    }

    /// The name that bytes are sent to.
    fn sent_to(&self) -> Name {
        if self.plan.temporary { Name::Temporary } else { Name::Target }
    }
}

/// How long is waited between two looks at a size that has to hold still.
pub const SETTLE: Duration = Duration::from_millis(250);
