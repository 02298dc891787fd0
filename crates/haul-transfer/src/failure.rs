//! Why a transfer ended without its file: the one error of this crate.

use std::path::PathBuf;

/// What kind of failure; each has one exit code in the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bug, or something nobody thought of.
    Unexpected,
    /// What was asked for cannot be done as asked (a URL scheme, a combination).
    Usage,
    /// The network: gave up; the partial is kept.
    Network,
    /// The far end said no, or its certificate is not to be trusted.
    Refused,
    /// The far end's file changed, and the caller wanted that to be the end, or it happened too often.
    Changed,
    /// The finished file has another digest than asked for.
    Mismatch,
    /// This machine: no space, no permission, in use by another process, a file in the way.
    Local,
    /// What is there cannot be continued safely.
    Unsafe,
    /// The caller stopped it; the partial is kept.
    Interrupted,
}

/// A failure: what happened, what is kept, what to do next.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind.
    pub kind: Kind,
    /// What happened, in one plain sentence without a full stop, escaped for a terminal.
    pub message: String,
    /// Bytes kept for the next run.
    pub kept: u64,
    /// What to do next, in one plain sentence, where there is something.
    pub advice: Option<String>,
    /// The file concerned, once it has a name.
    pub target: Option<PathBuf>,
}

impl Failure {
    /// A failure with nothing kept and no advice.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), kept: 0, advice: None, target: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}
