//! What a store and a ledger tell of their disks.

use std::time::Duration;

use haul_store::{Synced, Watch};

use super::{Metrics, label::Durable};

impl Watch for Metrics {
    fn synced(&self, what: Synced, took: Duration, well: bool) {
        let what = match what {
            Synced::File => Durable::File,
            Synced::Folder => Durable::Folder,
        };
        self.syncs.at(what).add(took);
        if !well {
            self.sync_failures.at(what).add(1);
        }
    }

    fn committed(&self, took: Duration, well: bool) {
        self.commits.add(took);
        if !well {
            self.commit_failures.add(1);
        }
    }

    fn waiting(&self, orders: usize) {
        self.orders.set(i64::try_from(orders).unwrap_or(i64::MAX));
    }
}
