//! What every [`Partial`] must do, whatever it is made of. An implementation runs [`all`] over a [`Bench`] of its own,
//! on an executor of its own.
//!
//! It asks for what the [`Geometry`](crate::Geometry) promises and no more. What an implementation does in a crash is
//! its own affair and its own tests'.

use bytes::Bytes;
use haul_core::{ByteRange, RangeSet};

use crate::{Note, Partial, Publish, StoreError, Subject};

/// A place to make partials in, of one target.
pub trait Bench {
    /// The implementation.
    type Partial: Partial;
    /// A fresh partial of the bench's target.
    fn begin(&self, subject: &Subject) -> Result<Self::Partial, StoreError>;
    /// What a reader of the target sees.
    fn target(&self) -> Option<Vec<u8>>;
    /// Puts a file there under the target's name.
    fn occupy(&self, bytes: &[u8]);
    /// What is kept under a name that [`Partial::set_aside`] returned.
    fn aside(&self, path: &std::path::Path) -> Option<Vec<u8>>;
}

/// Runs everything, each on a fresh bench.
pub async fn all<B: Bench>(make: impl Fn() -> B) -> Result<(), StoreError> {
    what_is_written_is_read_and_held(&make()).await?;
    sync_makes_durable(&make()).await?;
    what_is_written_after_a_sync_is_not_durable_by_it(&make()).await?;
    overlapping_writes_leave_the_later_bytes(&make()).await?;
    a_short_read_is_an_error(&make()).await?;
    a_cut_forgets_what_lies_behind(&make()).await?;
    a_reset_forgets_everything(&make()).await?;
    publishing_shows_the_whole_file(&make()).await?;
    publishing_replaces_only_when_told(&make()).await?;
    what_is_not_whole_is_not_published(&make()).await?;
    an_empty_file_is_whole(&make()).await?;
    setting_aside_keeps_the_bytes_and_replaces_nothing(&make()).await?;
    discarding_leaves_nothing(&make()).await
}

/// A subject of this size.
pub fn subject(name: &str, size: Option<u64>) -> Subject {
    Subject { sources: Vec::new(), size, name: name.to_owned() }
}

/// Bytes that differ from place to place and from seed to seed.
pub fn content(seed: u64, start: u64, end: u64) -> Bytes {
    let byte =
        |at: u64| (at ^ (at >> 8) ^ seed.wrapping_mul(0x9e37_79b9)).wrapping_mul(0xff51_afd7).to_le_bytes();
    (start..end).map(|at| byte(at)[2]).collect()
}

fn ranges(of: &[(u64, u64)]) -> RangeSet {
    of.iter().filter_map(|&(start, end)| ByteRange::new(start, end)).collect()
}

async fn write<P: Partial>(partial: &P, seed: u64, start: u64, end: u64) -> Result<(), StoreError> {
    partial.write(start, content(seed, start, end)).await
}

async fn reads<P: Partial>(partial: &P, seed: u64, start: u64, end: u64) -> Result<bool, StoreError> {
    match ByteRange::new(start, end) {
        Some(range) => Ok(partial.read(range).await? == content(seed, start, end)),
        None => Ok(true),
    }
}

/// Whether writes may leave gaps here.
fn out_of_order<P: Partial>(partial: &P) -> bool {
    !partial.geometry().in_order
}

async fn what_is_written_is_read_and_held<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let partial = bench.begin(&subject("a", None))?;
    let whole = content(1, 0, 9000);
    partial.write(0, whole.slice(..1)).await?;
    partial.write(1, Bytes::new()).await?;
    partial.write(1, whole.slice(1..)).await?;
    let mut expected = vec![(0, 9000)];
    if out_of_order(&partial) {
        write(&partial, 1, 20_000, 20_001).await?;
        expected.push((20_000, 20_001));
    }
    assert_eq!(partial.sync().await?.written, ranges(&expected));
    if partial.geometry().can_read {
        assert!(reads(&partial, 1, 0, 9000).await?);
        assert!(reads(&partial, 1, 4000, 4100).await?);
    }
    Ok(())
}

async fn sync_makes_durable<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let partial = bench.begin(&subject("a", None))?;
    assert_eq!(partial.sync().await?.durable, RangeSet::new());
    write(&partial, 1, 0, 1000).await?;
    write(&partial, 1, 1000, 3000).await?;
    let held = partial.sync().await?;
    assert_eq!((held.durable.clone(), held.written), (ranges(&[(0, 3000)]), ranges(&[(0, 3000)])));
    assert_eq!(partial.sync().await?.durable, held.durable);
    Ok(())
}

async fn what_is_written_after_a_sync_is_not_durable_by_it<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let partial = bench.begin(&subject("a", None))?;
    write(&partial, 1, 0, 1000).await?;
    let first = partial.sync().await?;
    write(&partial, 1, 1000, 2000).await?;
    assert_eq!(first.durable, ranges(&[(0, 1000)]));
    assert_eq!(partial.sync().await?.durable, ranges(&[(0, 2000)]));
    Ok(())
}

async fn overlapping_writes_leave_the_later_bytes<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let partial = bench.begin(&subject("a", None))?;
    if !out_of_order(&partial) {
        return Ok(());
    }
    write(&partial, 1, 0, 1000).await?;
    partial.sync().await?;
    write(&partial, 1, 1000, 2000).await?;
    write(&partial, 2, 500, 1500).await?;
    assert_eq!(partial.sync().await?.durable, ranges(&[(0, 2000)]));
    if partial.geometry().can_read {
        assert!(reads(&partial, 1, 0, 500).await?);
        assert!(reads(&partial, 2, 500, 1500).await?);
        assert!(reads(&partial, 1, 1500, 2000).await?);
    }
    Ok(())
}

async fn a_short_read_is_an_error<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let partial = bench.begin(&subject("a", None))?;
    write(&partial, 1, 0, 1000).await?;
    if partial.geometry().can_read {
        assert!(reads(&partial, 1, 500, 1001).await.is_err());
        assert!(reads(&partial, 1, 5000, 5001).await.is_err());
    }
    Ok(())
}

async fn a_cut_forgets_what_lies_behind<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let partial = bench.begin(&subject("a", None))?;
    if !partial.geometry().can_cut {
        return Ok(());
    }
    write(&partial, 1, 0, 1000).await?;
    partial.sync().await?;
    write(&partial, 1, 1000, 3000).await?;
    partial.cut(2000).await?;
    assert_eq!(partial.sync().await?.durable, ranges(&[(0, 2000)]));
    partial.cut(700).await?;
    assert_eq!(partial.sync().await?.written, ranges(&[(0, 700)]));
    partial.cut(5000).await?;
    write(&partial, 1, 700, 800).await?;
    assert_eq!(partial.sync().await?.durable, ranges(&[(0, 800)]));
    Ok(())
}

async fn a_reset_forgets_everything<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let partial = bench.begin(&subject("a", Some(3000)))?;
    write(&partial, 1, 0, 3000).await?;
    partial.sync().await?;
    partial.reset(subject("b", Some(1000))).await?;
    assert_eq!(partial.sync().await?.written, RangeSet::new());
    write(&partial, 2, 0, 1000).await?;
    partial.publish(Publish { replace: true, modified: None }).await?;
    assert_eq!(bench.target(), Some(content(2, 0, 1000).to_vec()));
    Ok(())
}

async fn publishing_shows_the_whole_file<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let partial = bench.begin(&subject("a", None))?;
    assert_eq!(bench.target(), None);
    write(&partial, 1, 0, 1000).await?;
    assert_eq!(bench.target(), None);
    partial.note(Note::Subject(subject("a", Some(1000)))).await?;
    partial.note(Note::Stopped { when_unix: 1, why: "a test".to_owned() }).await?;
    partial.publish(Publish { replace: false, modified: Some((1_000_000_000, 5)) }).await?;
    assert_eq!(bench.target(), Some(content(1, 0, 1000).to_vec()));
    Ok(())
}

async fn publishing_replaces_only_when_told<B: Bench>(bench: &B) -> Result<(), StoreError> {
    bench.occupy(b"older");
    let partial = bench.begin(&subject("a", None))?;
    write(&partial, 1, 0, 1000).await?;
    let refused = partial.publish(Publish { replace: false, modified: None }).await;
    assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
    assert_eq!(bench.target().as_deref(), Some(&b"older"[..]));
    Ok(())
}

async fn what_is_not_whole_is_not_published<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let partial = bench.begin(&subject("a", Some(3000)))?;
    write(&partial, 1, 0, 1000).await?;
    let refused = partial.publish(Publish { replace: true, modified: None }).await;
    assert!(
        matches!(refused, Err(StoreError::Incomplete { held: 1000, size: Some(3000), .. })),
        "{refused:?}"
    );
    assert_eq!(bench.target(), None);
    Ok(())
}

async fn an_empty_file_is_whole<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let partial = bench.begin(&subject("a", Some(0)))?;
    partial.publish(Publish { replace: true, modified: None }).await?;
    assert_eq!(bench.target(), Some(Vec::new()));
    Ok(())
}

async fn setting_aside_keeps_the_bytes_and_replaces_nothing<B: Bench>(bench: &B) -> Result<(), StoreError> {
    let mut kept = Vec::new();
    for seed in 1..=3 {
        let partial = bench.begin(&subject("a", None))?;
        write(&partial, seed, 0, 1000).await?;
        kept.push((partial.set_aside("bad").await?, seed));
    }
    for (path, seed) in kept {
        assert_eq!(bench.aside(&path), Some(content(seed, 0, 1000).to_vec()));
    }
    assert_eq!(bench.target(), None);
    Ok(())
}

async fn discarding_leaves_nothing<B: Bench>(bench: &B) -> Result<(), StoreError> {
    for _ in 0..2 {
        let partial = bench.begin(&subject("a", None))?;
        write(&partial, 1, 0, 1000).await?;
        partial.discard().await?;
    }
    assert_eq!(bench.target(), None);
    Ok(())
}
