//! Restart markers of an upload in MODE B (RFC 959 §3.5): each place that a client has marked is told back to it, once all
//! before that is safe, as an offset for REST.

use std::collections::VecDeque;

use haul_proto::ftp::block::Marker;
use tokio::sync::mpsc;

use super::target::Target;
use crate::ServerError;

/// The most marks that wait to be safe, or to be told: of a client that sends more, every second one is given up, and
/// then every second one of the rest. The last one always waits.
const MOST: usize = 64;

/// A mark whose place is safe: the client's name for it, and the offset.
pub(super) type Safe = (Marker, u64);

/// The marks of one upload.
pub(super) struct Marks {
    waiting: VecDeque<Safe>,
    told: Option<mpsc::Sender<Safe>>,
    /// Of so many marks one waits, whatever comes behind it …
    every: u64,
    /// … and so many came behind the last of these.
    beyond: u64,
}

impl Marks {
    /// None is told where there is nobody to be told.
    pub(super) fn new(told: Option<mpsc::Sender<Safe>>) -> Self {
        Self { waiting: VecDeque::new(), told, every: 1, beyond: 0 }
    }

    /// Somebody to be told.
    pub(super) fn listener() -> (mpsc::Sender<Safe>, mpsc::Receiver<Safe>) {
        mpsc::channel(MOST)
    }

    /// Whether some are not told.
    pub(super) fn wait(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The client has marked this place, which is told once it was reached and is safe.
    pub(super) fn add(&mut self, marker: Marker, at: u64) {
        if self.told.is_none() {
            return;
        }
        if self.waiting.is_empty() {
            (self.every, self.beyond) = (1, 0);
        } else if self.beyond > 0 {
            // It waited as the last one.
            self.waiting.pop_back();
        }
        if self.waiting.len() >= MOST {
            let mut stays = false;
            self.waiting.retain(|_| {
                stays = !stays;
                stays
            });
            self.every = self.every.saturating_mul(2);
        }
        self.beyond = (self.beyond + 1) % self.every;
        self.waiting.push_back((marker, at));
    }

    /// Tells those that are safe; with `wait` they all are then. May be dropped.
    pub(super) async fn tell(&mut self, receiving: &mut Target, wait: bool) -> Result<(), ServerError> {
        let Some((_, last)) = self.waiting.back() else { return Ok(()) };
        let safe = receiving.safe_mark(*last, wait).await?;
        while let (Some((_, offset)), Some(told)) = (self.waiting.front(), &self.told)
            && *offset <= safe
        {
            // Whoever takes no replies is told less.
            if let Some(mark) = self.waiting.pop_front() {
                let _ = told.try_send(mark);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_some_from_everywhere_are_told_and_the_last_one_is() {
        let (told, _listener) = Marks::listener();
        let mut marks = Marks::new(Some(told));
        for at in 0..1_000_000 {
            marks.add(Marker::new("m").unwrap(), at);
            let last = marks.waiting.back().map(|(_, at)| *at);
            assert!(marks.waiting.len() <= MOST && last == Some(at));
        }
        let places: Vec<u64> = marks.waiting.iter().map(|(_, at)| *at).collect();
        let gaps: Vec<u64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(places[0] == 0 && places.len() >= MOST / 2, "{places:?}");
        assert!(gaps.iter().all(|gap| (1..100_000).contains(gap)), "{gaps:?}");
    }

    #[test]
    fn where_nobody_is_told_nothing_waits() {
        let mut marks = Marks::new(None);
        marks.add(Marker::new("m").unwrap(), 0);
        assert!(!marks.wait());
    }
}
