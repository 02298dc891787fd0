//! Stretches of one staged file, filled beside each other.

use std::{io, sync::Arc};

use bytes::Bytes;
use haul_core::ByteRange;

use super::{Bench, get, path};
use crate::{Durability, Source, StoreError, Stretch, Then, When, conformance::content};

const LEN: u64 = 3_000_000;
const MIDDLE: u64 = 1_234_567;

fn stretch(from: u64, to: u64) -> Arc<Stretch> {
    Arc::new(Stretch::new(range(from, to)))
}

#[allow(clippy::expect_used, reason = "a test's own numbers")]
fn range(from: u64, to: u64) -> ByteRange {
    ByteRange::new(from, to).expect("a range")
}

/// Bytes that are all there already, and then the end.
struct There(Bytes);

impl Source for There {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let some = self.0.split_to(self.0.len().min(into.len()));
        into[..some.len()].copy_from_slice(&some);
        Ok(some.len())
    }
}

pub(super) async fn stretches_are_filled_beside_each_other(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let mut staged = store.stage(&path("a")).await?;
    let Some(scattered) = staged.scattered() else { return Ok(()) };
    let (front, back) = (stretch(0, MIDDLE), stretch(MIDDLE, LEN));
    // The end first.
    let taken = scattered.take(&back, Box::new(There(content(3, MIDDLE, LEN - 10))), u64::MAX).await?;
    assert!(matches!(taken.then, Then::End), "{taken:?}");
    assert_eq!((taken.bytes, back.left()), (LEN - 10 - MIDDLE, 10));
    let mut at = 0;
    while front.left() > 0 {
        at += scattered.write(&front, content(3, at, (at + 100_000).min(MIDDLE))).await?;
    }
    assert_eq!(front.written(), ByteRange::new(0, MIDDLE));
    staged.syncer().sync().await?;
    assert_eq!(scattered.write(&back, content(3, LEN - 10, LEN)).await?, 10);
    assert_eq!(staged.len(), LEN);
    if store.geometry().can_read {
        assert_eq!(staged.read(MIDDLE - 5, 10).await?, content(3, MIDDLE - 5, MIDDLE + 5));
    }
    staged.sync().await?;
    staged.publish(&path("a"), When::Always, Durability::Full).await?;
    assert!(get(&*store, "a").await? == content(3, 0, LEN));
    Ok(())
}

pub(super) async fn a_stretch_takes_no_more_than_it_has_room_for(
    bench: &impl Bench,
) -> Result<(), StoreError> {
    let store = bench.open();
    let staged = store.stage(&path("a")).await?;
    let Some(scattered) = staged.scattered() else { return Ok(()) };
    let (front, back) = (stretch(0, 1000), stretch(1000, 2000));
    assert_eq!(scattered.write(&back, content(1, 1000, 2000)).await?, 1000);
    assert_eq!(scattered.write(&front, content(1, 0, 400)).await?, 400);
    assert!(front.shorten(900));
    // Whoever sends on into what is another's by now changes nothing there.
    let taken = scattered.take(&front, Box::new(There(content(7, 400, 1500))), u64::MAX).await?;
    assert!(matches!(taken.then, Then::Enough), "{taken:?}");
    assert_eq!((taken.bytes, front.left()), (500, 0));
    assert_eq!(scattered.write(&front, content(7, 900, 950)).await?, 0);
    if store.geometry().can_read {
        assert_eq!(staged.read(1000, 1000).await?, content(1, 1000, 2000));
        assert_eq!(staged.read(400, 500).await?, content(7, 400, 900));
    }
    staged.discard().await
}

pub(super) async fn who_opens_it_again_ends_who_fills_it(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let older = store.stage(&path("a")).await?;
    let Some(scattered) = older.scattered() else { return Ok(()) };
    let lane = stretch(0, 1000);
    scattered.write(&lane, content(1, 0, 500)).await?;
    let mut newer = store.staged(older.id()).await?;
    assert!(matches!(scattered.write(&lane, content(2, 500, 600)).await, Err(StoreError::Fenced { .. })));
    let late = scattered.take(&lane, Box::new(There(content(2, 500, 600))), u64::MAX).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    assert_eq!((lane.written(), newer.len()), (ByteRange::new(0, 500), 500));
    newer.append(content(1, 500, 900)).await?;
    newer.publish(&path("a"), When::Always, Durability::Full).await?;
    assert_eq!(get(&*store, "a").await?, content(1, 0, 900));
    Ok(())
}
