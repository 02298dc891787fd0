//! Figures that many threads count at a time, without a lock: a count, a number that goes up and down, a distribution,
//! and a grid with one of them for each value of its labels. All of them are there from the start, so that to count is
//! one addition at a place that is known.

use std::{
    marker::PhantomData,
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::label::Label;

/// A count that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number as it is now.
#[derive(Debug, Default)]
pub(super) struct Level(AtomicI64);

impl Level {
    pub(super) fn set(&self, to: i64) {
        self.0.store(to, Relaxed);
    }

    pub(super) fn value(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// The most buckets of a distribution.
const MOST: usize = 16;

/// How long things took: how many took no longer than each of some bounds, and all of them together.
#[derive(Debug)]
pub(super) struct Spread<B> {
    /// The last of them has what is beyond every bound.
    buckets: [AtomicU64; MOST + 1],
    nanos: AtomicU64,
    bounds: PhantomData<B>,
}

/// Where the buckets of a distribution end.
pub(super) trait Bounds: 'static {
    /// In milliseconds, in order, at most [`MOST`].
    const MILLIS: &'static [u64];
}

/// What a server does by itself, or waits for a disk.
#[derive(Debug)]
pub(super) struct Quick;

impl Bounds for Quick {
    const MILLIS: &'static [u64] = &[1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];
}

/// What takes as long as the line needs.
#[derive(Debug)]
pub(super) struct Slow;

impl Bounds for Slow {
    const MILLIS: &'static [u64] =
        &[10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000];
}

impl<B> Default for Spread<B> {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; MOST + 1],
            nanos: AtomicU64::new(0),
            bounds: PhantomData,
        }
    }
}

impl<B: Bounds> Spread<B> {
    pub(super) fn add(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let index = B::MILLIS.partition_point(|bound| bound * 1_000_000 < nanos).min(MOST);
        if let Some(bucket) = self.buckets.get(index) {
            bucket.fetch_add(1, Relaxed);
        }
        self.nanos.fetch_add(nanos, Relaxed);
    }

    /// How many took no longer than each bound, in seconds; how many there are in all; how long all of them took.
    pub(super) fn value(&self) -> (Vec<(f64, u64)>, u64, f64) {
        let mut sum = 0;
        let mut up_to = |bucket: &AtomicU64| {
            sum += bucket.load(Relaxed);
            sum
        };
        let within = B::MILLIS.iter().zip(&self.buckets);
        let within = within.map(|(bound, bucket)| (*bound as f64 / 1000.0, up_to(bucket))).collect();
        let beyond = self.buckets.iter().skip(B::MILLIS.len());
        beyond.for_each(|bucket| _ = up_to(bucket));
        (within, sum, self.nanos.load(Relaxed) as f64 / 1e9)
    }
}

/// Labels together, each with a value.
pub(super) trait Key: Copy + 'static {
    /// How many there are.
    const COUNT: usize;
    /// All of them.
    fn all() -> Vec<Self>;
    /// The place among them.
    fn index(self) -> usize;
    /// Their names with their values' names, in order.
    fn pairs(self, to: &mut Vec<(&'static str, &'static str)>);
}

impl<L: Label> Key for L {
    const COUNT: usize = L::ALL.len();

    fn all() -> Vec<Self> {
        L::ALL.to_vec()
    }

    fn index(self) -> usize {
        Label::index(self)
    }

    fn pairs(self, to: &mut Vec<(&'static str, &'static str)>) {
        to.push((L::KEY, self.name()));
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    const COUNT: usize = A::COUNT * B::COUNT;

    fn all() -> Vec<Self> {
        A::all().into_iter().flat_map(|a| B::all().into_iter().map(move |b| (a, b))).collect()
    }

    fn index(self) -> usize {
        self.0.index() * B::COUNT + self.1.index()
    }

    fn pairs(self, to: &mut Vec<(&'static str, &'static str)>) {
        self.0.pairs(to);
        self.1.pairs(to);
    }
}

/// A figure for each value of its labels.
#[derive(Debug)]
pub(super) struct Grid<K, F> {
    cells: Box<[F]>,
    key: PhantomData<K>,
}

impl<K: Key, F: Default> Default for Grid<K, F> {
    fn default() -> Self {
        Self { cells: (0..K::COUNT).map(|_| F::default()).collect(), key: PhantomData }
    }
}

impl<K: Key, F> Grid<K, F> {
    /// The figure of these values. There is one for each.
    pub(super) fn at(&self, key: K) -> &F {
        &self.cells[key.index()]
    }

    /// Each with its values.
    pub(super) fn each(&self) -> impl Iterator<Item = (K, &F)> {
        K::all().into_iter().zip(&self.cells)
    }
}

#[cfg(test)]
mod tests {
    use super::super::label::{DoorName, Outcome};
    use super::*;
    use crate::log::Direction;

    #[test]
    fn every_value_of_the_labels_has_a_place_of_its_own() {
        type Three = (DoorName, (Direction, Outcome));
        let places: Vec<usize> = Three::all().into_iter().map(Key::index).collect();
        assert_eq!(places, (0..4 * 2 * 3).collect::<Vec<_>>());
        let grid = Grid::<Three, Count>::default();
        let key = (DoorName::Https, (Direction::Received, Outcome::Kept));
        grid.at(key).add(3);
        let found: Vec<_> = grid.each().filter(|(_, count)| count.value() > 0).map(|(key, _)| key).collect();
        assert_eq!(found, [key]);
    }

    #[test]
    fn what_took_as_long_as_a_bound_is_within_it() {
        let spread = Spread::<Quick>::default();
        for micros in [0, 1_000, 1_001, 30_000_000, 30_000_001, u64::from(u32::MAX) * 1000] {
            spread.add(Duration::from_micros(micros));
        }
        let (within, count, sum) = spread.value();
        assert_eq!((within[0], within[1], count), ((0.001, 2), (0.002, 3), 6));
        assert_eq!(within.last(), Some(&(30.0, 4)));
        assert!((sum - 4_294_967.295 - 60.002_002).abs() < 1e-3, "{sum}");
    }

    #[test]
    fn no_distribution_has_more_bounds_than_buckets() {
        for bounds in [Quick::MILLIS, Slow::MILLIS] {
            assert!(bounds.len() <= MOST && bounds.is_sorted());
        }
    }
}
