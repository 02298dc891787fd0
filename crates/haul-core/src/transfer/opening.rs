//! Which lane to open next, if any.

use std::time::Instant;

use super::{
    Action, Ask, LaneId, Phase, RECONSIDER, Ranges, SLOW_ANSWER, SourceId, Transfer,
    allot::{self, Newcomer, Piece, Worker},
    doubt,
    lane::{Errand, Lane},
    overlap,
};
use crate::{ByteRange, Entity};

impl Transfer {
    /// Opens the lanes that are wanted now.
    pub(super) fn open_lanes(&mut self, now: Instant) {
        if let Some(until) = self.patience.until(now) {
            self.reconsider = Some(until);
            return;
        }
        if let Phase::Settling(doubt::Settling { source, .. })
        | Phase::Verifying(doubt::Verifying { source, .. }) = self.phase
            && !self.lanes.is_empty()
            && let Some(until) = self.fars[source].extra_until(now)
        {
            self.reconsider = Some(until);
            return;
        }
        match &self.phase {
            Phase::Settling(settling) if settling.lane.is_none() => {
                let source = SourceId(settling.source);
                let ask = Ask { from: 0, compare_to: 0, to: Some(1) };
                let id = self.open(now, source, Errand::Inquire, ask, None);
                if let Phase::Settling(settling) = &mut self.phase {
                    settling.lane = Some(id);
                }
            }
            Phase::Verifying(verifying) if verifying.lane.is_none() => {
                if let Some((source, ask)) = self.next_block() {
                    let id = self.open(now, source, Errand::Compare, ask, None);
                    if let Phase::Verifying(verifying) = &mut self.phase {
                        verifying.lane = Some(id);
                    }
                }
            }
            Phase::Flowing if self.unasked => {
                self.ask_about_the_whole();
                self.open_lanes(now);
            }
            Phase::Flowing => self.open_fetching(now),
            _ => {}
        }
    }

    fn open_fetching(&mut self, now: Instant) {
        let rest = self.size.map(|size| size.saturating_sub(self.received.total()));
        if rest == Some(0) && !self.unproven {
            // All is here; what is on its way to the disk needs no lane.
            return;
        }
        if self.lanes.is_empty() {
            self.open_first(now);
            return;
        }
        let total = self.brought;
        let streaming = self.lanes.iter().filter(|lane| lane.streams()).count();
        self.growth.look(now, streaming, total, rest);
        if self.growth.watches() {
            self.reconsider = Some(now + RECONSIDER);
        }
        while let Some((source, companions)) = self.room(now) {
            // While nothing is known of ranges or size, one lane finds out.
            let Some(size) = self.size else { return };
            let Some(piece) = self.next_piece(now, size, companions) else {
                self.reconsider = Some(now + RECONSIDER);
                return;
            };
            self.open_piece(now, source, piece);
        }
    }

    /// A source that bears one more lane, and how many lanes are to come.
    fn room(&mut self, now: Instant) -> Option<(SourceId, usize)> {
        let wanted = self.growth.wanted();
        let open = self.lanes.len();
        if open >= wanted {
            return None;
        }
        let mut best: Option<(usize, usize)> = None;
        for (index, far) in self.fars.iter().enumerate() {
            if !far.serves() || (index != self.current && !self.plan.together) {
                continue;
            }
            let at_work = self.lanes.iter().filter(|lane| lane.source.0 == index).count();
            if let Some(until) = far.extra_until(now) {
                self.reconsider = Some(self.reconsider.map_or(until, |other| other.min(until)));
                continue;
            }
            let first_word = far.known.is_empty() && at_work == 0;
            let room = if first_word { 1 } else { far.bears(wanted).saturating_sub(at_work) };
            if room > 0 && best.is_none_or(|(_, fewest)| at_work < fewest) {
                best = Some((index, at_work));
            }
        }
        let (index, at_work) = best?;
        let bears = self.fars[index].bears(wanted).saturating_sub(at_work).max(1);
        Some((SourceId(index), if self.plan.together { wanted - open } else { bears.min(wanted - open) }))
    }

    fn next_piece(&self, now: Instant, size: u64, companions: usize) -> Option<Piece> {
        let mut taken = self.received.clone();
        let workers: Vec<Worker> = self
            .lanes
            .iter()
            .filter_map(|lane| {
                let rest = lane.rest(size)?;
                Some(Worker { lane: lane.id, rest, pace: lane.pace(now, SLOW_ANSWER), raced: lane.raced })
            })
            .collect();
        taken.extend(workers.iter().map(|worker| worker.rest));
        let free: Vec<ByteRange> =
            ByteRange::new(0, size).into_iter().flat_map(|whole| taken.gaps(whole)).collect();
        let paces: Vec<f64> =
            workers.iter().filter_map(|worker| worker.pace).filter(|pace| *pace > 0.0).collect();
        let mean = (!paces.is_empty()).then(|| paces.iter().sum::<f64>() / paces.len() as f64);
        let pace = match (mean, self.pace_of_the_last) {
            (Some(mean), Some(last)) => Some(mean.max(last)),
            (mean, last) => mean.or(last),
        };
        allot::next(&free, &workers, Newcomer { pace, opening: self.opening_cost, companions })
    }

    fn open_piece(&mut self, now: Instant, source: SourceId, piece: Piece) {
        let range = match piece {
            Piece::Free(range) => range,
            Piece::Tail { of, range } => {
                if let Some(at) = self.find(of) {
                    self.lanes[at].end = Some(range.start());
                }
                range
            }
            Piece::Race { with, range } => {
                if let Some(at) = self.find(with) {
                    self.lanes[at].raced = true;
                }
                range
            }
        };
        let ask = Ask { from: range.start(), compare_to: range.start(), to: Some(range.end()) };
        let same = self.fars[source.0].condition();
        let id = self.open(now, source, Errand::Fetch, ask, same);
        if matches!(piece, Piece::Race { .. })
            && let Some(at) = self.find(id)
        {
            self.lanes[at].raced = true;
        }
    }

    /// Opens the only lane: at the first byte that is missing.
    fn open_first(&mut self, now: Instant) {
        let source = SourceId(self.current);
        let from = self.received.first_missing(0);
        let far = &self.fars[source.0];
        let follows = self.received.iter().find(|extent| extent.start() > from).map(|extent| extent.start());
        let to = follows.filter(|_| far.ranges != Some(Ranges::Absent));
        let known = far.condition();
        if self.received.is_empty() || (far.strength().is_some() && far.grant.is_none()) {
            let ask = Ask { from, compare_to: from, to };
            self.open(now, source, Errand::Fetch, ask, known);
            return;
        }
        let vouched = far.grant.is_some() || self.plan.in_order || far.ranges == Some(Ranges::Absent);
        let first_word_of_a_mirror = far.known.is_empty() && self.plan.together && !self.unproven;
        if vouched {
            let block = overlap::block_before(&self.received, from).filter(|_| !self.at_end);
            let again = block.map_or(from, |block| block.start());
            self.open(now, source, Errand::Fetch, Ask { from: again, compare_to: from, to }, None);
        } else if first_word_of_a_mirror {
            self.open(now, source, Errand::Fetch, Ask { from, compare_to: from, to }, None);
        } else {
            self.begin_verifying(source.0);
            self.open_lanes(now);
        }
    }

    fn open(
        &mut self,
        now: Instant,
        source: SourceId,
        errand: Errand,
        ask: Ask,
        same: Option<Entity>,
    ) -> LaneId {
        let id = LaneId(self.next_lane);
        self.next_lane += 1;
        self.lanes.push(Lane::new(id, source, errand, ask, now));
        let fresh = errand == Errand::Inquire;
        self.actions.push_back(Action::Open { lane: id, source, ask, same, fresh });
        id
    }
}
