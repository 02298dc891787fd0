//! What is taken from a source: all of it and once, whether the source can fill a pipe or is read from.

use std::{
    io::{self, PipeWriter, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use super::{Bench, get, path};
use crate::{Durability, Source, StoreError, Then, When, conformance::content};

/// Says [`io::ErrorKind::WouldBlock`] once, there.
const PAUSE: u64 = 700_001;
/// Where it breaks or ends.
const END: u64 = 2_500_003;

/// Bytes of [`content`] as a connection has them: in pieces of all sizes, with a pause.
struct Coming {
    at: Arc<AtomicU64>,
    paused: bool,
    pipes: bool,
    breaks: bool,
}

impl Coming {
    /// The next bytes, at most so many.
    fn next(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let at = self.at.load(SeqCst);
        if at == PAUSE && !self.paused {
            self.paused = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if at == END && self.breaks {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let stop = if at < PAUSE { PAUSE } else { END };
        let some = (at % 77_777 + 1).min(stop - at).min(most as u64);
        self.at.store(at + some, SeqCst);
        Ok(content(9, at, at + some).to_vec())
    }
}

impl Source for Coming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let some = self.next(into.len())?;
        into[..some.len()].copy_from_slice(&some);
        Ok(some.len())
    }

    fn fill(&mut self, mut into: &PipeWriter, most: usize) -> io::Result<usize> {
        if !self.pipes {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let some = self.next(most)?;
        into.write_all(&some)?;
        Ok(some.len())
    }
}

pub(super) async fn what_is_taken_is_all_that_came(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    for (pipes, breaks) in [(true, false), (false, false), (true, true), (false, true)] {
        let at = Arc::new(AtomicU64::new(0));
        let mut paused = false;
        let mut coming = || {
            let paused = std::mem::replace(&mut paused, true);
            Box::new(Coming { at: Arc::clone(&at), paused, pipes, breaks })
        };
        let mut staged = store.stage(&path("a")).await?;
        let taken = staged.take(coming(), u64::MAX).await?;
        assert!(matches!(taken.then, Then::Nothing), "{taken:?}");
        assert_eq!((taken.bytes, staged.len()), (PAUSE, PAUSE));
        let taken = staged.take(coming(), 1000).await?;
        assert!(matches!(taken.then, Then::Enough), "{taken:?}");
        assert_eq!((PAUSE + taken.bytes, staged.len()), (at.load(SeqCst), at.load(SeqCst)));
        let taken = staged.take(coming(), u64::MAX).await?;
        assert_eq!(matches!(taken.then, Then::Broken(_)), breaks, "{taken:?}");
        assert_eq!(matches!(taken.then, Then::End), !breaks, "{taken:?}");
        assert_eq!(staged.len(), END);
        staged.publish(&path("a"), When::Always, Durability::Relaxed).await?;
        assert!(get(store.as_ref(), "a").await? == content(9, 0, END));
    }
    Ok(())
}
