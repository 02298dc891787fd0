//! Which bytes the next lane gets: a piece nobody works on, else the tail of the lane that would finish last, cut so
//! that both finish together; and where a piece is too small to cut, the same bytes once more, first come first served.
//!
//! Pure arithmetic over what the machine knows of its lanes.

use std::time::Duration;

use super::LaneId;
use crate::ByteRange;

/// A piece smaller than this is not cut.
pub(crate) const SMALLEST: u64 = 64 * 1024;

/// While speeds are unknown a lane must get at least this much to be worth its connection.
const SMALLEST_BLIND: u64 = 256 * 1024;

/// What taking a tail must save, in seconds: what the lane that loses it has under way is fetched for nothing.
const WORTHWHILE: f64 = 0.015;

/// Cuts fall on this boundary, so that pages and blocks on disk have one writer.
const GRAIN: u64 = 4096;

/// A lane at work, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worker {
    pub(crate) lane: LaneId,
    /// What it has still to bring.
    pub(crate) rest: ByteRange,
    /// Bytes a second, once known.
    pub(crate) pace: Option<f64>,
    /// Whether two lanes run over these bytes already.
    pub(crate) raced: bool,
}

/// What the next lane shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Bytes that nobody works on.
    Free(ByteRange),
    /// The tail of another lane's work, which stops at the start of it.
    Tail {
        /// Whose.
        of: LaneId,
        /// The tail.
        range: ByteRange,
    },
    /// The same bytes as another lane.
    Race {
        /// Whose.
        with: LaneId,
        /// The bytes.
        range: ByteRange,
    },
}

/// What a new lane is expected to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer {
    /// Its speed in bytes a second, where anything is known.
    pub(crate) pace: Option<f64>,
    /// What opening it costs.
    pub(crate) opening: Duration,
    /// How many lanes, this one included, are about to be opened.
    pub(crate) companions: usize,
}

/// The best piece for one more lane, or nothing that would pay.
pub(crate) fn next(free: &[ByteRange], workers: &[Worker], newcomer: Newcomer) -> Option<Piece> {
    if let Some(range) = free.iter().max_by_key(|range| range.len()) {
        return Some(Piece::Free(*range));
    }
    let fallback = newcomer.pace.unwrap_or(0.0);
    let time_left = |worker: &Worker| {
        let pace = worker.pace.unwrap_or(fallback);
        if pace > 0.0 { worker.rest.len() as f64 / pace } else { f64::INFINITY }
    };
    let mut order: Vec<&Worker> = workers.iter().filter(|worker| !worker.raced).collect();
    order.sort_by(|a, b| time_left(b).total_cmp(&time_left(a)).then(b.rest.len().cmp(&a.rest.len())));
    order.into_iter().find_map(|worker| help(worker, newcomer))
}

/// How a newcomer could help this lane.
fn help(worker: &Worker, newcomer: Newcomer) -> Option<Piece> {
    let rest = worker.rest;
    let (Some(own), Some(other)) = (worker.pace, newcomer.pace.filter(|pace| *pace > 0.0)) else {
        return blind(worker, newcomer.companions);
    };
    let length = rest.len() as f64;
    let opening = newcomer.opening.as_secs_f64();
    let alone = if own > 0.0 { length / own } else { f64::INFINITY };
    let together = (length + other * opening) / (own + other);
    if alone - together <= opening.max(WORTHWHILE) {
        return None;
    }
    let kept = (own * together) as u64;
    let cut = (rest.start() + kept).next_multiple_of(GRAIN);
    match ByteRange::new(cut, rest.end()) {
        Some(range) if kept >= SMALLEST && range.len() >= SMALLEST => {
            Some(Piece::Tail { of: worker.lane, range })
        }
        // Too small to cut, or the lane hardly moves: let both run, if that is likely to be quicker by far.
        _ if alone > 2.0 * (opening + length / other) => Some(Piece::Race { with: worker.lane, range: rest }),
        _ => None,
    }
}

/// The split before speeds are known: equal parts for all that are to come.
fn blind(worker: &Worker, companions: usize) -> Option<Piece> {
    let share = worker.rest.len() / (companions.max(1) as u64 + 1);
    let cut = (worker.rest.end() - share).next_multiple_of(GRAIN);
    let range = ByteRange::new(cut, worker.rest.end())?;
    let pays = share >= SMALLEST_BLIND && cut > worker.rest.start();
    pays.then_some(Piece::Tail { of: worker.lane, range })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn worker(start: u64, end: u64, pace: Option<f64>) -> Worker {
        Worker { lane: LaneId(1), rest: ByteRange::new(start, end).unwrap(), pace, raced: false }
    }

    fn newcomer(pace: f64) -> Newcomer {
        Newcomer { pace: Some(pace), opening: Duration::from_millis(10), companions: 1 }
    }

    #[test]
    fn both_finish_together() {
        let slow = worker(0, 100 * MB, Some(1e6));
        let Some(Piece::Tail { range, .. }) = next(&[], &[slow], newcomer(9e6)) else { panic!() };
        let slow_takes = range.start() as f64 / 1e6;
        let fast_takes = range.len() as f64 / 9e6 + 0.01;
        assert!((slow_takes - fast_takes).abs() < 0.05, "{slow_takes} {fast_takes}");
    }

    #[test]
    fn nothing_is_stolen_that_does_not_pay() {
        assert_eq!(next(&[], &[worker(0, MB, Some(500e6))], newcomer(500e6)), None);
    }

    #[test]
    fn a_lane_that_stands_still_is_raced() {
        let still = worker(0, MB, Some(0.0));
        assert!(matches!(next(&[], &[still], newcomer(1e6)), Some(Piece::Race { .. })));
    }

    #[test]
    fn ten_lanes_begin_with_equal_parts() {
        let mut rest = 0..100 * MB;
        for companions in (1..10).rev() {
            let piece =
                next(&[], &[worker(0, rest.end, None)], Newcomer { pace: None, companions, ..newcomer(0.0) });
            let Some(Piece::Tail { range, .. }) = piece else { panic!() };
            assert!(range.len().abs_diff(10 * MB) < 64 * 1024, "{range}");
            rest.end = range.start();
        }
        assert!(rest.end.abs_diff(10 * MB) < 64 * 1024);
    }
}
