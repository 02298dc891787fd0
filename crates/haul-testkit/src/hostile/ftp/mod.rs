//! An FTP peer on loopback whose misbehaviour is data.
//!
//! It serves and takes files in memory, in a tree of its own, with the commands of RFC 959, 2389, 2428, 3659 and 4217
//! that real servers have, and what it does wrong is an [`FtpBehaviour`], which may change in mid-run. It records
//! every command and every transfer. Control and data connections are threads and plain sockets, as those of
//! [`super::HttpPeer`] are.
//!
//! ```text
//! mod       the peer: accepts sessions, holds what they share
//! session   one control connection: login, parameters, and which command goes where
//! files     commands that need no data connection
//! blocks    MODE B: a file in blocks, and what is wrong with them
//! transfer  RETR, STOR, APPE, listings: the data path, with its cuts, stalls and lies
//! ```

mod behaviour;
mod blocks;
mod control;
mod data;
mod date;
mod digest;
mod files;
mod listing;
mod record;
mod session;
mod state;
mod transfer;
mod tree;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

pub use self::behaviour::{
    Append, Busy, Completion, Dates, FtpBehaviour, Instead, ListStyle, Lists, Passive, Replacement, Replies,
    Rest, Restart, Sizes,
};
pub use self::blocks::{Blocks, Fault, block, marker};
pub use self::record::{FtpCommand, FtpTransfer, FtpVerb};

use self::state::{Security, Shared};
use self::tree::{File, LONG_AGO, resolve};
use crate::content::Content;
use crate::port::Port;
use crate::tls::Certificates;

/// The peer; it and all its connections end when it is dropped.
#[derive(Debug)]
pub struct FtpPeer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    certificates: Option<Certificates>,
    accepting: Option<JoinHandle<()>>,
}

impl FtpPeer {
    /// A peer without TLS and without files.
    pub fn start(behaviour: FtpBehaviour) -> Self {
        Self::begin(behaviour, None, Security::None)
    }

    /// With `AUTH TLS`, and a certificate for loopback by an authority of its own.
    pub fn start_tls(behaviour: FtpBehaviour) -> Self {
        Self::begin(behaviour, Some(Certificates::for_loopback()), Security::Explicit)
    }

    /// With TLS from the first byte.
    pub fn start_implicit(behaviour: FtpBehaviour) -> Self {
        Self::begin(behaviour, Some(Certificates::for_loopback()), Security::Implicit)
    }

    /// With `AUTH TLS` and a certificate of the test's choice.
    pub fn start_with(behaviour: FtpBehaviour, certificates: Certificates) -> Self {
        Self::begin(behaviour, Some(certificates), Security::Explicit)
    }

    fn begin(behaviour: FtpBehaviour, certificates: Option<Certificates>, security: Security) -> Self {
        let mut port = Port::open();
        let addr = port.addr();
        let config = certificates.as_ref().map(|certificates| {
            let mut config = ServerConfig::clone(&certificates.server_config());
            // A client that names no protocol, or another one than HTTP, is right here.
            config.alpn_protocols.clear();
            Arc::new(config)
        });
        let shared = Arc::new(Shared::new(behaviour, security, config));
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                while !shared.is_stopped() {
                    port.listen(true);
                    let Ok(Some(stream)) = port.accept(Duration::from_millis(5)) else { continue };
                    let number = shared.sessions.fetch_add(1, Ordering::Relaxed);
                    let before = shared.open.fetch_add(1, Ordering::Relaxed);
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || {
                        session::serve(stream, number, before, &shared);
                        shared.open.fetch_sub(1, Ordering::Relaxed);
                    });
                }
            }
        });
        Self { addr, shared, certificates, accepting: Some(accepting) }
    }

    /// Puts a file, new or anew, with a date long ago; the folders above it are made.
    pub fn put(&self, name: &str, content: Content) -> &Self {
        self.put_dated(name, content, LONG_AGO)
    }

    /// Puts a file with a date, in seconds since 1970. Transfers under way go on with the old one.
    pub fn put_dated(&self, name: &str, content: Content, modified: u64) -> &Self {
        self.shared.lock().tree.put(&resolve("/", name), File::of(content, modified));
        self
    }

    /// Puts a few bytes.
    pub fn put_bytes(&self, name: &str, bytes: &[u8]) -> &Self {
        self.shared.lock().tree.put(&resolve("/", name), File::stored(bytes.to_vec()));
        self
    }

    /// Makes a folder.
    pub fn make_folder(&self, name: &str) -> &Self {
        self.shared.lock().tree.make_folder(&resolve("/", name));
        self
    }

    /// Puts other content in a file's place; the date stays as it was if there is none.
    pub fn replace(&self, name: &str, content: Content, modified: Option<u64>) -> &Self {
        let replacement = Replacement { name: name.into(), content, modified };
        self.shared.lock().replace(&replacement);
        self
    }

    /// The bytes of a file; None where there is none.
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.shared.lock();
        let file = state.tree.file(&resolve("/", name))?;
        Some(file.read(0, file.size() as usize))
    }

    /// The size of a file; None where there is none.
    pub fn size(&self, name: &str) -> Option<u64> {
        self.shared.lock().tree.file(&resolve("/", name)).map(File::size)
    }

    /// The date of a file in seconds since 1970; None where there is no file.
    pub fn modified(&self, name: &str) -> Option<u64> {
        self.shared.lock().tree.file(&resolve("/", name)).map(|file| file.modified)
    }

    /// Whether there is a folder.
    pub fn is_folder(&self, name: &str) -> bool {
        self.shared.lock().tree.is_folder(&resolve("/", name))
    }

    /// Panics unless a file is exactly this content, and says where it first differs.
    #[track_caller]
    pub fn assert_file_is(&self, name: &str, content: Content) {
        let found = self.file(name).unwrap_or_else(|| panic!("there is no {name}"));
        let expected = content.bytes(0..content.size());
        if found != expected {
            let at = found.iter().zip(&expected).position(|(a, b)| a != b);
            let at = at.unwrap_or(found.len().min(expected.len()));
            panic!("{name} ({} bytes) differs from the {} expected at {at}", found.len(), expected.len());
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of a path, with or without its first `/`; `ftps://` with implicit TLS.
    pub fn url(&self, name: &str) -> String {
        let scheme = if self.shared.security == Security::Implicit { "ftps" } else { "ftp" };
        format!("{scheme}://{}/{}", self.addr, name.trim_start_matches('/'))
    }

    /// The authority that signed its certificate.
    pub fn ca_pem_path(&self) -> PathBuf {
        self.certificates.as_ref().expect("a peer with TLS").ca_pem_path()
    }

    /// Changes the behaviour.
    pub fn change(&self, change: impl FnOnce(&mut FtpBehaviour)) -> &Self {
        change(&mut self.shared.lock().behaviour);
        self
    }

    /// Lets what was stalled or withheld go on.
    pub fn release(&self) -> &Self {
        self.change(|behaviour| {
            behaviour.stall = None;
            behaviour.completions.retain(|(_, c)| !matches!(c, Completion::Nothing | Completion::Withheld));
        })
    }

    /// All commands so far, in the order in which they came.
    pub fn commands(&self) -> Vec<FtpCommand> {
        self.shared.lock().commands.clone()
    }

    /// How many commands so far begin like this, whatever the case.
    pub fn count(&self, command: &str) -> usize {
        let begins = |line: &str| line.get(..command.len()).is_some_and(|b| b.eq_ignore_ascii_case(command));
        self.shared.lock().commands.iter().filter(|sent| begins(&sent.line)).count()
    }

    /// All transfers so far.
    pub fn transfers(&self) -> Vec<FtpTransfer> {
        self.shared.lock().transfers.clone()
    }

    /// The transfers of one file so far.
    pub fn transfers_of(&self, name: &str) -> Vec<FtpTransfer> {
        let path = resolve("/", name);
        self.shared.lock().transfers.iter().filter(|transfer| transfer.path == path).cloned().collect()
    }

    /// How many bytes of a file were sent in all.
    pub fn sent_of(&self, name: &str) -> u64 {
        self.transfers_of(name).iter().filter(|t| t.is_download()).map(FtpTransfer::bytes).sum()
    }

    /// How many bytes of a file were received in all.
    pub fn received_of(&self, name: &str) -> u64 {
        self.transfers_of(name).iter().filter(|t| !t.is_download()).map(FtpTransfer::bytes).sum()
    }

    /// Forgets commands and transfers so far: what comes next is another run's. Numbers go on.
    pub fn forget(&self) -> &Self {
        let mut state = self.shared.lock();
        state.commands.clear();
        state.transfers.clear();
        drop(state);
        self
    }

    /// How many sessions were begun so far.
    pub fn sessions(&self) -> usize {
        self.shared.sessions.load(Ordering::Relaxed)
    }

    /// How many sessions are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// How many passwords were tried so far.
    pub fn logins(&self) -> usize {
        self.shared.lock().logins
    }

    /// Bytes of files sent so far over all data connections, forgotten ones too.
    pub fn body_sent(&self) -> u64 {
        self.shared.lock().sent
    }

    /// Bytes of files received so far, forgotten ones too.
    pub fn body_received(&self) -> u64 {
        self.shared.lock().received
    }

    /// Waits until so many bytes of files were sent in all; panics after the patience.
    #[track_caller]
    pub fn wait_until_sent(&self, bytes: u64, patience: Duration) {
        self.wait_until(patience, &format!("{bytes} bytes sent"), |peer| peer.body_sent() >= bytes);
    }

    /// Waits until so many bytes of files were received in all; panics after the patience.
    #[track_caller]
    pub fn wait_until_received(&self, bytes: u64, patience: Duration) {
        self.wait_until(patience, &format!("{bytes} bytes received"), |peer| peer.body_received() >= bytes);
    }

    /// Waits until something is so; panics after the patience, and says what was awaited.
    #[track_caller]
    pub fn wait_until(&self, patience: Duration, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + patience;
        while !is_so(self) {
            let (sent, received) = (self.body_sent(), self.body_received());
            assert!(
                Instant::now() < deadline,
                "{what}: not after {patience:?}; {sent} bytes were sent, {received} received"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for FtpPeer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
