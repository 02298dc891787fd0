//! What a caller asks for: one file, from where, to where, and how careful.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use haul_core::{Digest, transfer::OnChange};
use url::Url;

/// Where the file shall be when it is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This path.
    File(PathBuf),
    /// This folder; the name comes from the far end or the URL.
    Folder(PathBuf),
    /// Standard output, in order.
    Stdout,
}

/// How many connections one file may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// As many as pay, up to eight.
    AsPays,
    /// This many, as soon as ranges are known to work.
    Exactly(NonZeroUsize),
}

/// One file to fetch.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where it is.
    pub url: Url,
    /// The same file elsewhere.
    pub mirrors: Vec<Url>,
    /// Where it goes.
    pub target: Target,
    /// How many connections.
    pub connections: Connections,
    /// What the whole file's digest must be.
    pub checksum: Option<Digest>,
    /// What to do when the far end's file changes.
    pub on_change: OnChange,
    /// Forget what is there and begin anew.
    pub restart: bool,
    /// Replace a finished file of that name.
    pub overwrite: bool,
    /// Take over a shorter file of that name, left by another program, after comparing it with the far end.
    pub adopt: bool,
    /// Failures in a row without progress before giving up; `None` is never.
    pub retries: Option<u32>,
    /// No byte for so long: the connection is given up.
    pub timeout: Duration,
}

impl Job {
    /// A job with the defaults of `haul get`.
    pub fn new(url: Url, target: Target) -> Self {
        Self {
            url,
            mirrors: Vec::new(),
            target,
            connections: Connections::AsPays,
            checksum: None,
            on_change: OnChange::Restart,
            restart: false,
            overwrite: false,
            adopt: false,
            retries: Some(20),
            timeout: Duration::from_secs(30),
        }
    }
}
