//! Whether a server hangs: the parts that every client depends on are asked to take a turn each
//! (docs/adr/037-what-the-watchdog-asks.md).
//!
//! Threads that wait for disks are not asked. Waiting is what they are for, and one that waits keeps only its client.

use std::{
    future::{Future, pending},
    pin::Pin,
};

use super::House;

/// One part of a server, by the name that whoever runs it reads.
pub struct Turn<'a> {
    /// Which.
    pub of: &'static str,
    /// Asks it, and returns when it has taken its turn: where it hangs, or has ended, never.
    pub taken: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
}

impl House {
    /// All that have to take a turn. A house in which one of them never does serves nobody any more, or soon.
    pub fn turns(&self) -> [Turn<'_>; 2] {
        let ledger = async {
            if self.depot.turn().await.is_err() {
                pending::<()>().await;
            }
        };
        [
            Turn { of: "a thread that has sessions", taken: Box::pin(self.workers.turn()) },
            Turn { of: "the ledger", taken: Box::pin(ledger) },
        ]
    }
}
