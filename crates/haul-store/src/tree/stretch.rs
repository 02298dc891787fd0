//! A stretch of a staged file that one writer fills from its start, while others fill theirs. Whoever wants its tail may
//! have what the writer has not reached: it ends sooner then, and no byte is ever two writers'.
//!
//! ```text
//!   start ── written ──> at ── being written ──> ahead ── free to be taken ──> end
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};

use haul_core::ByteRange;

/// A stretch of a file that one writer fills in order.
#[derive(Debug)]
pub struct Stretch {
    start: u64,
    edges: Mutex<Edges>,
}

/// `start <= at <= ahead <= end`.
#[derive(Clone, Copy, Debug)]
struct Edges {
    at: u64,
    ahead: u64,
    end: u64,
}

impl Stretch {
    /// All of this range, of which nothing is there.
    pub fn new(range: ByteRange) -> Self {
        let edges = Edges { at: range.start(), ahead: range.start(), end: range.end() };
        Self { start: range.start(), edges: Mutex::new(edges) }
    }

    fn edges(&self) -> MutexGuard<'_, Edges> {
        self.edges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The byte that comes next.
    pub fn at(&self) -> u64 {
        self.edges().at
    }

    /// What was written of it.
    pub fn written(&self) -> Option<ByteRange> {
        ByteRange::new(self.start, self.edges().at)
    }

    /// What is its writer's: all that is written, and all that may be.
    pub fn held(&self) -> Option<ByteRange> {
        ByteRange::new(self.start, self.edges().end)
    }

    /// How many bytes may still come.
    pub fn left(&self) -> u64 {
        let edges = self.edges();
        edges.end - edges.at
    }

    /// Where its writer writes, and how many bytes it may write there now, `most` at most: nobody takes them away until
    /// [`Self::wrote`] is said. 0 at the end.
    pub fn reserve(&self, most: u64) -> (u64, u64) {
        let mut edges = self.edges();
        let room = most.min(edges.end - edges.at);
        edges.ahead = edges.at + room;
        (edges.at, room)
    }

    /// So many of the bytes that were reserved are there; the others are not reserved any more.
    pub fn wrote(&self, bytes: u64) {
        let mut edges = self.edges();
        edges.at = edges.at.saturating_add(bytes).min(edges.ahead);
        edges.ahead = edges.at;
    }

    /// Ends it at `to`; whether it does: no byte that is there or just being written is given up.
    pub fn shorten(&self, to: u64) -> bool {
        let mut edges = self.edges();
        let able = to >= edges.ahead && to >= self.start;
        if able {
            edges.end = edges.end.min(to);
        }
        able
    }

    /// Whether nothing is just being written to it.
    pub fn is_idle(&self) -> bool {
        let edges = self.edges();
        edges.at == edges.ahead
    }

    /// Ends it where its writer is; where it will end once what is just being written is there.
    pub fn stop(&self) -> u64 {
        let mut edges = self.edges();
        edges.end = edges.ahead;
        edges.end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stretch(from: u64, to: u64) -> Stretch {
        Stretch::new(ByteRange::new(from, to).unwrap())
    }

    #[test]
    fn what_is_reserved_is_not_taken_away() {
        let stretch = stretch(10, 100);
        assert_eq!(stretch.reserve(30), (10, 30));
        assert!(!stretch.shorten(39));
        assert!(stretch.shorten(40));
        stretch.wrote(30);
        assert_eq!((stretch.written(), stretch.left()), (ByteRange::new(10, 40), 0));
        assert_eq!(stretch.reserve(1), (40, 0));
    }

    #[test]
    fn it_is_not_made_longer() {
        let stretch = stretch(0, 10);
        assert!(stretch.shorten(5) && stretch.shorten(9));
        assert_eq!(stretch.held(), ByteRange::new(0, 5));
    }

    #[test]
    fn one_that_is_stopped_still_gets_what_was_reserved() {
        let stretch = stretch(0, 10);
        stretch.reserve(4);
        assert_eq!(stretch.stop(), 4);
        stretch.wrote(3);
        assert_eq!((stretch.written(), stretch.left()), (ByteRange::new(0, 3), 1));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Reserve(u64),
        Wrote(u64),
        Shorten(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..20_u64).prop_map(Step::Reserve),
            (0..20_u64).prop_map(Step::Wrote),
            (0..120_u64).prop_map(Step::Shorten),
        ]
    }

    proptest! {
        #[test]
        fn no_byte_is_both_its_writers_and_somebody_elses(steps in prop::collection::vec(step(), 0..40)) {
            let stretch = stretch(20, 100);
            // What others have taken.
            let mut taken = 100;
            let mut reserved = 0;
            for step in steps {
                match step {
                    Step::Reserve(most) => {
                        let (at, room) = stretch.reserve(most);
                        prop_assert!(room <= most && at + room <= taken);
                        reserved = room;
                    }
                    Step::Wrote(bytes) => {
                        stretch.wrote(bytes.min(reserved));
                        reserved = 0;
                    }
                    Step::Shorten(to) => {
                        if stretch.shorten(to) {
                            taken = taken.min(to);
                            prop_assert!(taken >= stretch.at() + reserved);
                        }
                    }
                }
                prop_assert!(stretch.at() <= taken && stretch.at() + stretch.left() == taken);
            }
        }
    }
}
