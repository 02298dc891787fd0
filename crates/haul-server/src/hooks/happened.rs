//! What happened, as it is told: one JSON object, the same for every hook and every try.

use std::{net::IpAddr, sync::Arc, time::Duration, time::SystemTime};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use haul_core::TreePath;
use serde_json::{Map, Value, json};

use crate::{
    account::Account,
    log::{Direction, Ended, Transfer, rfc3339},
};

/// How a transfer ended, as hooks are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is where it should be.
    Complete,
    /// It is not.
    Incomplete,
}

impl Outcome {
    /// Its word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
        }
    }
}

/// From which session something comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whence {
    /// Its number, in this run and at this door.
    pub session: u64,
    /// From where.
    pub address: IpAddr,
    /// What is spoken there: `ftp`, `http`.
    pub protocol: &'static str,
}

/// Who transfers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Teller {
    pub(crate) user: String,
    pub(crate) anonymous: bool,
    pub(crate) whence: Option<Whence>,
}

impl Teller {
    pub(crate) fn new(account: &Account, whence: Option<Whence>) -> Arc<Self> {
        Arc::new(Self { user: account.name.clone(), anonymous: account.anonymous.is_some(), whence })
    }
}

/// The end of a transfer.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(crate) outcome: Outcome,
    pub(crate) direction: Direction,
    pub(crate) path: TreePath,
    pub(crate) teller: Arc<Teller>,
    /// Of the whole file, where it is there.
    pub(crate) size: Option<u64>,
    /// The first byte of this transfer.
    pub(crate) from: u64,
    /// How many came or went.
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
    /// From where it can be gone on with.
    pub(crate) kept: Option<u64>,
    pub(crate) why: Option<String>,
}

/// A new name for something that happened, which nothing else has.
pub(super) fn new_id() -> String {
    let mut random = [0; 16];
    // It cannot fail; were it to, the time would have to do.
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        random = since.as_nanos().to_be_bytes();
    }
    format!("{:032x}", u128::from_be_bytes(random))
}

impl Happened {
    /// What a door has written down.
    pub(super) fn of(transfer: &Transfer, protocol: &'static str) -> Self {
        let (outcome, kept, why) = match &transfer.ended {
            Ended::Complete => (Outcome::Complete, None, None),
            Ended::Kept { at, why } => (Outcome::Incomplete, Some(*at), Some(why.clone())),
            Ended::Failed { why } => (Outcome::Incomplete, None, Some(why.clone())),
        };
        let whence = Whence { session: transfer.session, address: transfer.address, protocol };
        let (user, anonymous) = (transfer.user.clone(), transfer.anonymous);
        Self {
            outcome,
            direction: transfer.direction,
            path: transfer.path.clone(),
            teller: Arc::new(Teller { user, anonymous, whence: Some(whence) }),
            size: None,
            from: transfer.from,
            bytes: transfer.bytes,
            took: transfer.took,
            kept,
            why,
        }
    }

    /// As it is told.
    pub(super) fn told(&self, id: &str) -> Vec<u8> {
        let direction = match self.direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        };
        let path = self.path.absolute();
        let mut told = Map::new();
        let mut put = |key: &str, value: Value| told.insert(key.to_owned(), value);
        put("id", json!(id));
        put("time", json!(rfc3339(SystemTime::now())));
        put("event", json!(self.outcome.word()));
        put("direction", json!(direction));
        put("path", json!(String::from_utf8_lossy(&path)));
        if std::str::from_utf8(&path).is_err() {
            put("path_base64", json!(BASE64_STANDARD.encode(&path)));
        }
        put("user", json!(self.teller.user));
        put("anonymous", json!(self.teller.anonymous));
        if let Some(Whence { session, address, protocol }) = self.teller.whence {
            put("session", json!(session));
            put("address", json!(address.to_canonical().to_string()));
            put("protocol", json!(protocol));
        }
        if let Some(size) = self.size {
            put("size", json!(size));
        }
        put("from", json!(self.from));
        put("resumed", json!(self.from > 0));
        put("bytes", json!(self.bytes));
        put("seconds", json!(self.took.as_millis() as f64 / 1000.0));
        if let Some(kept) = self.kept {
            put("kept", json!(kept));
        }
        if let Some(why) = &self.why {
            put("why", json!(why));
        }
        Value::Object(told).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn everything() -> Happened {
        let address = "::ffff:192.0.2.1".parse().unwrap();
        let whence = Some(Whence { session: 7, address, protocol: "ftp" });
        Happened {
            outcome: Outcome::Incomplete,
            direction: Direction::Received,
            path: TreePath::ROOT.join(b"caf\xe9").unwrap_or_default(),
            teller: Arc::new(Teller { user: "ann".to_owned(), anonymous: false, whence }),
            size: Some(9),
            from: 3,
            bytes: 6,
            took: Duration::from_millis(1250),
            kept: Some(9),
            why: Some("gone".to_owned()),
        }
    }

    #[test]
    fn the_manual_has_every_key_that_is_told_and_no_other() {
        let told: Map<String, Value> = serde_json::from_slice(&everything().told("1")).unwrap();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/hooks.md");
        let manual = std::fs::read_to_string(path).unwrap();
        let table = manual.split("| key |").nth(1).unwrap().split("\n\n").next().unwrap();
        let named: BTreeSet<_> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(key, _)| key)
            .collect();
        assert_eq!(named, told.keys().map(String::as_str).collect());
        assert_eq!((&told["path_base64"], &told["address"]), (&json!("L2NhZuk="), &json!("192.0.2.1")));
        assert_eq!((&told["seconds"], &told["resumed"]), (&json!(1.25), &json!(true)));
    }

    #[test]
    fn no_two_ids_are_the_same() {
        let ids: BTreeSet<_> = (0..1000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit())));
    }
}
