//! What an account is kept to, beside its permissions: from where and how long it may come in, how often at a time.

use std::{
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{folders::Folders, network::Networks, presented::KnownBy};
use crate::pace::UserRates;

/// What an account is kept to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// From where it may come in.
    pub networks: Networks,
    /// Until when, in seconds since 1970; `None`: as long as it is there.
    pub expires: Option<i64>,
    /// What it may do in which folder, where that is not what it may do everywhere.
    pub folders: Folders,
    /// By which certificates it is known.
    pub certificates: Vec<KnownBy>,
    /// How much may lie in its home.
    pub quota: Quota,
    /// How fast it may be; where this says nothing, as everybody.
    pub rates: UserRates,
    /// How many sessions it may have at a time over all doors; `None`: as everybody.
    pub sessions: Option<u32>,
}

/// How much may lie in a home; `None`: as much as there is room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of files, the unfinished ones too.
    pub bytes: Option<u64>,
    /// Files and folders, the unfinished ones too.
    pub files: Option<u64>,
}

/// Why somebody whose password is right stays out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// The account's time is over.
    Expired,
    /// The account may not be used from there.
    Network,
}

impl Barred {
    /// What to tell.
    pub fn words(self) -> &'static str {
        match self {
            Self::Expired => "This account has expired",
            Self::Network => "This account may not be used from your address",
        }
    }
}

impl Bounds {
    /// Whether it may come in now from there.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), Barred> {
        if self.expires.is_some_and(|until| now() >= until) {
            return Err(Barred::Expired);
        }
        if self.networks.let_in(address) { Ok(()) } else { Err(Barred::Network) }
    }

    /// How long it still has.
    pub(crate) fn left(&self) -> Option<std::time::Duration> {
        let left = self.expires?.saturating_sub(now());
        Some(std::time::Duration::from_secs(u64::try_from(left).unwrap_or(0)))
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
