//! What all sessions of a peer share: the behaviour, the files, the record.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use rustls::ServerConfig;

use super::behaviour::{Busy, FtpBehaviour, Replacement};
use super::record::{FtpCommand, FtpTransfer};
use super::tree::{File, LONG_AGO, Tree, resolve};
use crate::socket::Cut;

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    None,
    Explicit,
    Implicit,
}

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) security: Security,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) stopped: Arc<AtomicBool>,
    pub(super) sessions: AtomicUsize,
    pub(super) open: AtomicUsize,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) behaviour: FtpBehaviour,
    pub(super) tree: Tree,
    pub(super) commands: Vec<FtpCommand>,
    pub(super) transfers: Vec<FtpTransfer>,
    pub(super) logins: usize,
    /// Transfers begun so far, forgotten ones too: the next one's number.
    pub(super) begun: usize,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) dates_asked: u64,
    /// How often each of `behaviour.instead` was hit.
    instead_hits: Vec<usize>,
    busy_attempts: usize,
    busy_since: Option<Instant>,
}

/// What may change in the middle of a transfer.
pub(super) struct Limits {
    pub(super) cut: Option<(u64, Cut)>,
    pub(super) control_cut: Option<(u64, Cut)>,
    pub(super) stall: Option<u64>,
    pub(super) rate: Option<u64>,
}

impl Shared {
    pub(super) fn new(behaviour: FtpBehaviour, security: Security, tls: Option<Arc<ServerConfig>>) -> Self {
        let state = State {
            behaviour,
            tree: Tree::default(),
            commands: Vec::new(),
            transfers: Vec::new(),
            logins: 0,
            begun: 0,
            sent: 0,
            received: 0,
            dates_asked: 0,
            instead_hits: Vec::new(),
            busy_attempts: 0,
            busy_since: None,
        };
        Self {
            state: Mutex::new(state),
            security,
            tls,
            stopped: Arc::new(AtomicBool::new(false)),
            sessions: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn behaviour(&self) -> FtpBehaviour {
        self.lock().behaviour.clone()
    }

    pub(super) fn limits(&self, transfer: usize) -> Limits {
        let state = self.lock();
        let b = &state.behaviour;
        Limits {
            cut: b.cut.filter(|(which, ..)| which.includes(transfer)).map(|(_, bytes, how)| (bytes, how)),
            control_cut: b
                .control_cut
                .filter(|(which, ..)| which.includes(transfer))
                .map(|(_, n, how)| (n, how)),
            stall: b.stall.filter(|(which, _)| which.includes(transfer)).map(|(_, bytes)| bytes),
            rate: b.rates.iter().find(|(which, _)| which.includes(transfer)).map(|(_, rate)| *rate),
        }
    }
}

impl State {
    /// The reply that stands in for a command's, if there is one for this time.
    pub(super) fn instead_of(&mut self, line: &str) -> Option<String> {
        self.instead_hits.resize(self.behaviour.instead.len(), 0);
        for (instead, hits) in self.behaviour.instead.iter().zip(&mut self.instead_hits) {
            let begins = line.get(..instead.command.len());
            if !begins.is_some_and(|begin| begin.eq_ignore_ascii_case(&instead.command)) {
                continue;
            }
            *hits += 1;
            if instead.which.includes(*hits - 1) {
                return Some(instead.reply.clone());
            }
        }
        None
    }

    /// The refusal of an upload to a file that an old session still holds.
    pub(super) fn busy(&mut self) -> Option<String> {
        let (busy, reply) = self.behaviour.busy.as_ref()?;
        let held = match *busy {
            Busy::Attempts(count) => self.busy_attempts < count,
            Busy::For(time) => self.busy_since.get_or_insert_with(Instant::now).elapsed() < time,
        };
        self.busy_attempts += 1;
        held.then(|| reply.clone())
    }

    pub(super) fn replace(&mut self, replacement: &Replacement) {
        let path = resolve("/", &replacement.name);
        let before = self.tree.file(&path).map_or(LONG_AGO, |file| file.modified);
        let modified = replacement.modified.unwrap_or(before);
        self.tree.put(&path, File::of(replacement.content, modified));
    }

    pub(super) fn count_sent(&mut self, bytes: u64) {
        self.sent += bytes;
        let sent = self.sent;
        if let Some((_, replacement)) = self.behaviour.replace_after.take_if(|(after, _)| sent >= *after) {
            self.replace(&replacement);
        }
    }
}
