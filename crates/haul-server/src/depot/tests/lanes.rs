//! Uploads that come in ranges, on several lanes at a time.

use haul_core::{ByteRange, Random, RangeSet};

use super::*;
use crate::depot::{Ended, Lane, Piece, Ranges};

fn range(from: u64, to: u64) -> ByteRange {
    ByteRange::new(from, to).unwrap()
}

fn set(ranges: &[(u64, u64)]) -> RangeSet {
    ranges.iter().map(|(from, to)| range(*from, *to)).collect()
}

async fn lane_of(
    visitor: &Visitor,
    (from, to): (u64, u64),
    total: Option<u64>,
    of: Option<&str>,
) -> Result<Lane, ServerError> {
    let of = of.map(str::to_owned);
    visitor.lane(&path("a"), Piece { range: range(from, to), total, of }).await
}

/// A lane with its first bytes.
async fn begun(visitor: &Visitor, edges: (u64, u64), total: u64, of: Option<&str>, end: u64) -> Lane {
    let mut lane = lane_of(visitor, edges, Some(total), of).await.unwrap();
    lane.append(content(edges.0, end).into()).await.unwrap();
    assert_eq!(lane.offset(), end);
    lane
}

fn part(ended: Result<Ended, ServerError>) -> Option<(u64, u64)> {
    match ended {
        Ok(Ended::Part { kept, .. }) => kept.map(|range| (range.start(), range.end())),
        other => panic!("{other:?}"),
    }
}

async fn there(visitor: &Visitor) -> Option<Ranges> {
    visitor.ranges(&path("a")).await.unwrap()
}

#[tokio::test]
async fn what_lanes_bring_is_published_once_all_of_it_is_there() {
    let bench = Bench::new();
    bench.put("a", b"old");
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let front = begun(&ann, (0, 1000), 2000, None, 1000).await;
    let id = front.id();
    let back = begun(&ann, (1000, 2000), 2000, Some(&id), 1500).await;
    assert_eq!(size(&server.bob(), "a").await, Some(3));
    assert_eq!(part(front.end().await), Some((0, 1000)));
    assert_eq!(size(&ann, "a").await, Some(1500), "who asks hears of all that came");
    assert_eq!(peeked(&ann, "a").await, content(0, 1500));
    let mut back = back;
    back.append(content(1500, 2000).into()).await.unwrap();
    assert_eq!(bench.published("a").unwrap(), b"old");
    assert!(matches!(back.end().await, Ok(Ended::Published(_))));
    assert_eq!(bench.published("a").unwrap(), content(0, 2000));
    assert_eq!((server.record("ann", "a").await, bench.staged()), (None, 0));
    assert_eq!(there(&ann).await, None);
}

#[tokio::test]
async fn who_is_told_of_an_offset_is_told_of_the_front_only() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let back = begun(&ann, (1000, 2000), 2000, None, 1800).await;
    let id = back.id();
    assert_eq!(part(back.end().await), Some((1000, 1800)));
    assert_eq!((size(&ann, "a").await, size(&server.bob(), "a").await), (Some(0), None));
    let told = there(&ann).await.unwrap();
    assert_eq!((told.id, told.declared, told.there), (id, Some(2000), set(&[(1000, 1800)])));
    let record = server.record("ann", "a").await.unwrap();
    assert_eq!((record.offset, record.beyond, record.settled), (0, set(&[(1000, 1800)]), true));
}

#[tokio::test]
async fn the_next_server_has_what_was_told_and_takes_no_hole_for_bytes() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let front = begun(&server.ann(), (0, 100), 2000, None, 100).await;
    let id = front.id();
    part(front.end().await);
    part(begun(&server.ann(), (1000, 2000), 2000, Some(&id), 1800).await.end().await);
    server.stop().await;
    let server = bench.start(RULES).await;
    let ann = server.ann();
    assert_eq!(there(&ann).await.unwrap().there, set(&[(0, 100), (1000, 1800)]));
    assert_eq!(peeked(&ann, "a").await, content(0, 100));
    part(begun(&ann, (1800, 2000), 2000, Some(&id), 2000).await.end().await);
    let last = begun(&ann, (100, 1000), 2000, Some(&id), 1000).await;
    assert!(matches!(last.end().await, Ok(Ended::Published(_))));
    assert_eq!(bench.published("a").unwrap(), content(0, 2000));
}

#[tokio::test]
async fn what_another_program_has_cut_off_is_not_told_of() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let lane = begun(&server.ann(), (0, 100), 2000, None, 100).await;
    let id = lane.id();
    part(lane.end().await);
    part(begun(&server.ann(), (500, 900), 2000, Some(&id), 900).await.end().await);
    part(begun(&server.ann(), (1000, 1100), 2000, Some(&id), 1100).await.end().await);
    server.stop().await;
    let staged = bench.root().join(".haul/staging").join(&id);
    std::fs::OpenOptions::new().write(true).open(staged).unwrap().set_len(700).unwrap();
    let server = bench.start(RULES).await;
    assert_eq!(there(&server.ann()).await.unwrap().there, set(&[(0, 100), (500, 700)]));
}

#[tokio::test]
async fn a_lane_that_is_dropped_is_kept() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    drop(begun(&ann, (500, 1000), 2000, None, 700).await);
    server.depot.at_rest().await;
    assert_eq!(there(&ann).await.unwrap().there, set(&[(500, 700)]));
}

#[tokio::test]
async fn whoever_comes_without_a_range_waits_for_lanes_that_are_at_work_and_takes_over_silent_ones() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let mut lane = begun(&ann, (0, 2000), 2000, None, 500).await;
    let newcomer = {
        let ann = server.ann();
        tokio::spawn(async move { ann.remove(&path("a")).await })
    };
    let mut at = 500;
    while !newcomer.is_finished() {
        lane.append(content(at, at + 1).into()).await.unwrap();
        at += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(matches!(newcomer.await.unwrap(), Err(ServerError::Busy)));
    tokio::time::sleep(RULES.takeover).await;
    let mut newer = ann.receive(&path("a"), Wish::Append, None).await.unwrap();
    assert_eq!(newer.offset(), at);
    let late = lane.append(content(at, at + 1).into()).await;
    assert!(matches!(late, Err(ServerError::Store(StoreError::Fenced { .. }))), "{late:?}");
    newer.append(content(at, 2000).into()).await.unwrap();
    published(newer.settle(DataEnd::Unclean, Control::Gone).await);
    assert!(matches!(lane.end().await, Err(ServerError::Store(StoreError::Fenced { .. }))));
    assert_eq!(bench.published("a").unwrap(), content(0, 2000));
}

#[tokio::test]
async fn an_account_begins_no_more_than_it_may_and_anonymous_replaces_nothing() {
    let bench = Bench::new();
    let server = bench.start(Rules { max_unfinished: 1, ..RULES }).await;
    let ann = server.ann();
    let lane = begun(&ann, (0, 10), 20, None, 10).await;
    let id = lane.id();
    part(lane.end().await);
    let other = Piece { range: range(0, 10), total: Some(20), of: None };
    let refused = ann.lane(&path("b"), other.clone()).await;
    assert!(matches!(refused, Err(ServerError::TooMany { unfinished: 1 })));
    part(lane_of(&ann, (10, 20), None, Some(&id)).await.unwrap().end().await);
    part(lane_of(&ann, (0, 20), Some(20), None).await.unwrap().end().await);
    bench.put("b", b"old");
    let nobody = server.visitor(anonymous("127.0.0.1"));
    assert!(matches!(nobody.lane(&path("b"), other.clone()).await, Err(ServerError::Denied)));
    let mut lane = nobody.lane(&path("c"), other).await.unwrap();
    lane.append(content(0, 10).into()).await.unwrap();
    let id = lane.id();
    part(lane.end().await);
    // Somebody was faster.
    bench.put("c", b"new");
    let last = nobody.lane(&path("c"), Piece { range: range(10, 20), total: None, of: Some(id) }).await;
    assert!(matches!(last, Err(ServerError::Denied)));
    assert_eq!(bench.published("c").unwrap(), b"new");
}

#[tokio::test]
async fn what_expires_or_is_removed_leaves_nothing() {
    let bench = Bench::new();
    let server = bench.start(Rules { expire: Duration::ZERO, ..RULES }).await;
    let ann = server.ann();
    part(begun(&ann, (500, 1000), 2000, None, 700).await.end().await);
    ann.remove(&path("a")).await.unwrap();
    assert_eq!((server.record("ann", "a").await, bench.staged()), (None, 0));
    part(begun(&ann, (500, 1000), 2000, None, 700).await.end().await);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(server.depot.expire().await.unwrap(), 1);
    assert_eq!((server.record("ann", "a").await, bench.staged()), (None, 0));
}

#[tokio::test]
async fn a_file_in_too_many_pieces_is_refused_until_some_are_joined() {
    let bench = Bench::new();
    let server = bench.start(Rules { durability: Durability::Relaxed, ..RULES }).await;
    let ann = server.ann();
    let hold = lane_of(&ann, (0, 1), Some(1 << 20), None).await.unwrap();
    let id = hold.id();
    let mut lanes = Vec::new();
    let refused = loop {
        let at = 2 + 2 * lanes.len() as u64;
        match lane_of(&ann, (at, at + 1), None, Some(&id)).await {
            Ok(lane) => lanes.push(lane),
            Err(error) => break error,
        }
        assert!(lanes.len() <= 1000);
    };
    assert!(matches!(refused, ServerError::Unfit(_)), "{refused:?}");
    drop((lanes, hold));
    server.depot.at_rest().await;
}

/// Clients that come, send, steal, end, break off and are silent, and servers that end: whatever was told is there, and
/// in the end the file is.
#[tokio::test]
async fn whatever_lanes_do_every_byte_is_written_once_and_what_was_told_stays() {
    const TOTAL: u64 = 2000;
    let mut random = Random::new(5);
    for _ in 0..12 {
        let bench = Bench::new();
        let mut server = bench.start(RULES).await;
        let first = lane_of(&server.ann(), (0, 1 + random.below(TOTAL)), Some(TOTAL), None).await.unwrap();
        let id = first.id();
        let mut lanes = vec![first];
        let mut told = RangeSet::new();
        while bench.published("a").is_none() {
            let ann = server.ann();
            match random.below(14) {
                0..4 => {
                    let (from, len) = (random.below(TOTAL), 1 + random.below(TOTAL / 2));
                    let to = (from + len).min(TOTAL);
                    // What nobody has: a client asks first. What is under way may be stolen.
                    let gap = told.gaps(range(from, to)).next();
                    if let Some(gap) = gap
                        && let Ok(lane) = lane_of(&ann, (gap.start(), gap.end()), None, Some(&id)).await
                    {
                        lanes.push(lane);
                    }
                }
                4..11 => {
                    for lane in &mut lanes {
                        let at = lane.offset();
                        let some = (1 + random.below(300)).min(TOTAL - at);
                        // It may have less left than that.
                        let _ = lane.append(content(at, at + some).into()).await;
                    }
                }
                11 => {
                    if !lanes.is_empty() {
                        let lane = lanes.swap_remove(random.below(lanes.len() as u64) as usize);
                        match lane.end().await {
                            Ok(Ended::Part { kept, .. }) => told.extend(kept),
                            Ok(Ended::Published(_)) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                12 if random.below(3) == 0 => drop(lanes.pop()),
                12 => {
                    if let Some(ranges) = there(&ann).await {
                        assert!(told.iter().all(|range| ranges.there.contains(range)), "{told:?} {ranges:?}");
                        told = ranges.there;
                    }
                }
                _ if random.below(4) > 0 => {}
                _ => {
                    lanes.clear();
                    drop(ann);
                    server.stop().await;
                    server = bench.start(RULES).await;
                }
            }
        }
        for lane in lanes {
            assert!(matches!(lane.end().await, Ok(Ended::Published(_))));
        }
        server.depot.at_rest().await;
        assert!(bench.published("a").unwrap() == content(0, TOTAL));
        assert_eq!((server.record("ann", "a").await, bench.staged()), (None, 0));
    }
}
