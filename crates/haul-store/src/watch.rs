//! Whoever wants to know what disks take: told each time, at once, on the thread that waited.

use std::{fmt::Debug, time::Duration};

/// Hears how long it took to make something durable. It must not wait: whoever tells it has a client that does.
pub trait Watch: Send + Sync + Debug + 'static {
    /// A file's bytes or a folder's names were made durable, or could not be.
    fn synced(&self, what: Synced, took: Duration, well: bool);
    /// The ledger has committed what waited, or could not.
    fn committed(&self, took: Duration, well: bool);
    /// So many orders wait for the ledger now.
    fn waiting(&self, orders: usize);
}

/// What was made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// The bytes of a file.
    File,
    /// The names in a folder.
    Folder,
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use haul_core::TreePath;

    use super::*;
    use crate::{
        Durability, FsStore, Job, Ledger, SqliteLedger, Store, When,
        ledger::{
            conformance::{key, record},
            wait,
        },
    };

    /// What was heard: what was synced, how many commits, how many orders waited at most and wait now.
    #[derive(Debug, Default)]
    struct Ear(Mutex<(Vec<Synced>, usize, usize, usize)>);

    impl Watch for Ear {
        fn synced(&self, what: Synced, _: Duration, well: bool) {
            assert!(well);
            self.0.lock().unwrap().0.push(what);
        }

        fn committed(&self, _: Duration, well: bool) {
            assert!(well);
            self.0.lock().unwrap().1 += 1;
        }

        fn waiting(&self, orders: usize) {
            let mut heard = self.0.lock().unwrap();
            (heard.2, heard.3) = (heard.2.max(orders), orders);
        }
    }

    #[test]
    fn what_a_publication_makes_durable_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let ear = Arc::<Ear>::default();
        let hears: Arc<dyn Watch> = Arc::<Ear>::clone(&ear);
        let store = FsStore::watched(dir.path(), Arc::new(|job: Job| job()), hears).unwrap();
        let upload = |name: &[u8], how| {
            let path = TreePath::ROOT.join(name).unwrap();
            wait(async {
                let mut staged = store.stage(&path).await.unwrap();
                staged.append(Bytes::from_static(b"bytes")).await.unwrap();
                staged.publish(&path, When::Always, how).await.unwrap();
            });
            std::mem::take(&mut ear.0.lock().unwrap().0)
        };
        let full = upload(b"full", Durability::Full);
        assert!(full.contains(&Synced::File) && full.contains(&Synced::Folder), "{full:?}");
        let relaxed = upload(b"relaxed", Durability::Relaxed);
        assert!(!relaxed.contains(&Synced::File), "nothing is waited for: {relaxed:?}");
    }

    #[test]
    fn a_commit_and_the_queue_before_it_are_heard() {
        let dir = tempfile::tempdir().unwrap();
        let ear = Arc::<Ear>::default();
        let hears: Arc<dyn Watch> = Arc::<Ear>::clone(&ear);
        let ledger = SqliteLedger::watched(dir.path(), hears).unwrap();
        assert_eq!(SqliteLedger::size_in(dir.path()), 0, "it is made by its first record");
        for number in 1..=3 {
            wait(async {
                let (lease, _) = ledger.claim(&key("ann", "a")).await.unwrap();
                ledger.save(&lease, &record(number), Durability::Full).await.unwrap();
            });
        }
        let heard = ear.0.lock().unwrap();
        assert_eq!((heard.1, heard.2, heard.3), (3, 1, 0));
        assert!(SqliteLedger::size_in(dir.path()) > 0);
    }
}
