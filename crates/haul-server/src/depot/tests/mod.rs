//! The rules of an upload, at the depot: against the file-system store and the SQLite ledger.

mod changes;
mod faults;
mod finished;
mod journeys;
mod killed;
mod lanes;
mod looks;
mod named;
mod pledges;
mod quotas;
mod receiving;
mod recovery;
mod seats;

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use haul_core::{TreePath, receiving::Completion};
use haul_store::{
    Durability, FsStore, Job, Ledger, Meta, Pool, SqliteLedger, StoreError, Unfinished, UploadKey,
};
use tempfile::TempDir;

use super::*;
use crate::account::Permissions;

const RULES: Rules = Rules {
    in_place: false,
    durability: Durability::Full,
    expire: Duration::from_secs(86_400),
    max_unfinished: 1000,
    takeover: Duration::from_millis(60),
};

/// A tree and its state, which outlive the servers.
struct Bench {
    folder: TempDir,
}

/// A running server: its parts can be looked at.
struct Server {
    depot: Arc<Depot>,
    ledger: Arc<dyn Ledger>,
}

fn pool() -> Arc<dyn Pool> {
    Arc::new(|job: Job| drop(tokio::task::spawn_blocking(job)))
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tree")).unwrap();
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    async fn start(&self, rules: Rules) -> Server {
        let ledger = Arc::new(SqliteLedger::open(&self.state()).unwrap());
        self.start_with(rules, ledger).await
    }

    async fn start_with(&self, rules: Rules, ledger: Arc<dyn Ledger>) -> Server {
        let store = FsStore::open(&self.root(), pool()).unwrap();
        let depot = Depot::open(Arc::new(store), Arc::clone(&ledger), rules).await.unwrap();
        Server { depot, ledger }
    }

    /// What everybody sees.
    fn published(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.root().join(name)).ok()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.root().join(name), bytes).unwrap();
    }

    /// The names in the tree but haul's own.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != ".haul").collect();
        names.sort();
        names
    }

    /// How many files lie staged.
    fn staged(&self) -> usize {
        std::fs::read_dir(self.root().join(".haul/staging")).map_or(0, Iterator::count)
    }
}

impl Server {
    fn visitor(&self, account: Account) -> Visitor {
        self.depot.visitor(account)
    }

    fn ann(&self) -> Visitor {
        self.visitor(account("ann"))
    }

    fn bob(&self) -> Visitor {
        self.visitor(account("bob"))
    }

    async fn record(&self, owner: &str, name: &str) -> Option<Unfinished> {
        self.ledger.load(&key(owner, name)).await.unwrap()
    }

    /// Stops it, when everything that was begun has come to its end.
    async fn stop(self) {
        self.depot.at_rest().await;
        let Self { depot, ledger } = self;
        drop(depot);
        // What runs beside an upload holds the ledger a moment longer than the upload.
        let mut ledger = ledger;
        while Arc::get_mut(&mut ledger).is_none() {
            tokio::task::yield_now().await;
        }
    }
}

fn key(owner: &str, name: &str) -> UploadKey {
    UploadKey { owner: owner.to_owned(), path: path(name) }
}

fn path(name: &str) -> TreePath {
    TreePath::ROOT.join(name.as_bytes()).unwrap()
}

fn account(name: &str) -> Account {
    Account {
        name: name.to_owned(),
        home: TreePath::ROOT,
        may: Permissions { read: true, write: true, delete: true, list: true },
        completion: Completion::Strict,
        anonymous: None,
        bounds: Arc::default(),
    }
}

fn anonymous(address: &str) -> Account {
    let address: IpAddr = address.parse().unwrap();
    Account { anonymous: Some(address), ..account("anonymous") }
}

/// Bytes that differ from place to place.
fn content(start: u64, end: u64) -> Vec<u8> {
    (start..end).map(|at| (at ^ (at >> 8) ^ (at >> 16)).wrapping_mul(0x9d).to_le_bytes()[0]).collect()
}

/// Begins an upload and sends these bytes of [`content`].
async fn send(visitor: &Visitor, name: &str, wish: Wish, end: u64) -> Receiving {
    send_declared(visitor, name, wish, None, end).await
}

async fn send_declared(
    visitor: &Visitor,
    name: &str,
    wish: Wish,
    declared: Option<u64>,
    end: u64,
) -> Receiving {
    let mut receiving = visitor.receive(&path(name), wish, declared).await.unwrap();
    let start = receiving.offset();
    receiving.append(content(start, end).into()).await.unwrap();
    assert_eq!(receiving.offset(), end);
    receiving
}

/// Sends up to `end`, and breaks off.
async fn break_off(visitor: &Visitor, name: &str, wish: Wish, end: u64) -> u64 {
    kept(send(visitor, name, wish, end).await.settle(DataEnd::Unclean, Control::Alive).await)
}

/// Sends up to `end`, and ends as a whole file ends.
async fn complete(visitor: &Visitor, name: &str, wish: Wish, end: u64) -> Result<Settled, ServerError> {
    send(visitor, name, wish, end).await.settle(DataEnd::Clean, Control::Alive).await
}

fn kept(settled: Result<Settled, ServerError>) -> u64 {
    match settled {
        Ok(Settled::Kept { at, .. }) => at,
        other => panic!("{other:?}"),
    }
}

fn published(settled: Result<Settled, ServerError>) -> Meta {
    match settled {
        Ok(Settled::Published(meta)) => meta,
        other => panic!("{other:?}"),
    }
}

async fn size(visitor: &Visitor, name: &str) -> Option<u64> {
    match visitor.stat(&path(name)).await {
        Ok(seen) => Some(seen.meta.size),
        Err(ServerError::Store(StoreError::NotFound { .. })) => None,
        Err(error) => panic!("{error}"),
    }
}

async fn peeked(visitor: &Visitor, name: &str) -> Vec<u8> {
    let peek = visitor.peek(&path(name)).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let some = peek.read(bytes.len() as u64, 1 << 20).await.unwrap();
        if some.is_empty() {
            assert_eq!(bytes.len() as u64, peek.len());
            return bytes;
        }
        bytes.extend_from_slice(&some);
    }
}

async fn listed(visitor: &Visitor, folder: &str) -> Vec<(String, u64, bool)> {
    let mut names = visitor.list(&path(folder)).await.unwrap();
    let mut all = Vec::new();
    loop {
        let page = names.next().await.unwrap();
        if page.is_empty() {
            all.sort();
            return all;
        }
        let page = page.into_iter();
        all.extend(
            page.map(|(name, seen)| (String::from_utf8(name).unwrap(), seen.meta.size, seen.unfinished)),
        );
    }
}

fn is_denied<T>(result: &Result<T, ServerError>) -> bool {
    matches!(result, Err(ServerError::Denied))
}

fn bytes(raw: &'static [u8]) -> Bytes {
    Bytes::from_static(raw)
}
