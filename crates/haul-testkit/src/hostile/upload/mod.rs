//! An HTTP/1.1 peer on loopback that takes uploads, and whose misbehaviour is data.
//!
//! It speaks the IETF draft (draft-ietf-httpbis-resumable-upload), tus 1.0.0, PUT with Content-Range and plain PUT, well
//! enough that a client gets a file to it; what it does wrong is an [`UploadBehaviour`], which may change in mid-run.
//! Files and uploads are in memory. It records every request, how many bytes of it came, and how many of them it had
//! acknowledged before. It is made of threads and plain sockets, as its neighbours are.
//!
//! ```text
//! mod         the peer: accepts connections, holds what they share
//! connection  one connection: requests, their content, cuts, early answers
//! request     heads and content as they come          ask     what a request wants, by dialect
//! state       uploads, files, the record              look    answers to what brings no bytes
//! answer      answers as they are written
//! ```

mod answer;
mod ask;
mod behaviour;
mod connection;
mod look;
mod request;
mod state;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

pub use self::behaviour::{
    Fate, Finish, Instead, Lie, Limits, Location, Locked, Step, Then, Told, UploadBehaviour, When,
};
pub use self::request::UploadRequest;

use self::state::State;
use crate::port::Port;
use crate::tls::Certificates;

/// The peer; it and all its connections end when it is dropped.
#[derive(Debug)]
pub struct UploadPeer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    certificates: Option<Certificates>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    tls: Option<Arc<ServerConfig>>,
    /// Scheme and authority.
    origin: String,
    stopped: Arc<AtomicBool>,
    connections: AtomicUsize,
    open: AtomicUsize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl UploadPeer {
    /// A peer that behaves like this, without files.
    pub fn start(behaviour: UploadBehaviour) -> Self {
        Self::begin(behaviour, None)
    }

    /// The same behind TLS, with a certificate for loopback by an authority of its own.
    pub fn start_tls(behaviour: UploadBehaviour) -> Self {
        Self::start_with(behaviour, Certificates::for_loopback())
    }

    /// The same with these certificates.
    pub fn start_with(behaviour: UploadBehaviour, certificates: Certificates) -> Self {
        Self::begin(behaviour, Some(certificates))
    }

    fn begin(behaviour: UploadBehaviour, certificates: Option<Certificates>) -> Self {
        let mut port = Port::open();
        let addr = port.addr();
        let scheme = if certificates.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(behaviour)),
            tls: certificates.as_ref().map(Certificates::server_config),
            origin: format!("{scheme}://{addr}"),
            stopped: Arc::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                while !shared.stopped.load(Ordering::Relaxed) {
                    port.listen(true);
                    let Ok(Some(stream)) = port.accept(Duration::from_millis(5)) else { continue };
                    let number = shared.connections.fetch_add(1, Ordering::Relaxed);
                    shared.open.fetch_add(1, Ordering::Relaxed);
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || {
                        connection::serve(stream, number, &shared);
                        shared.open.fetch_sub(1, Ordering::Relaxed);
                    });
                }
            }
        });
        Self { addr, shared, certificates, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of a path that begins with `/`; `https://` behind TLS.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.shared.origin)
    }

    /// The authority that signed its certificate.
    pub fn ca_pem_path(&self) -> PathBuf {
        self.certificates.as_ref().expect("a peer behind TLS").ca_pem_path()
    }

    /// Changes the behaviour.
    pub fn change(&self, change: impl FnOnce(&mut UploadBehaviour)) -> &Self {
        change(&mut self.shared.lock().behaviour);
        self
    }

    /// Puts a file that is complete, new or anew.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) -> &Self {
        self.shared.lock().put(path, bytes.into());
        self
    }

    /// The bytes of a file that is complete.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.shared.lock().files.get(path).map(|file| file.bytes.clone())
    }

    /// How many bytes the upload that was begun last has; None where there is none, or it is lost.
    pub fn offset(&self) -> Option<u64> {
        self.shared.lock().newest()
    }

    /// Forgets all unfinished uploads, with 404 for them from now on, or 410 if they have expired.
    pub fn lose_uploads(&self, fate: Fate) -> &Self {
        self.shared.lock().lose_all(fate);
        self
    }

    /// Lets go on what was withheld: requests that are never read, answers that never come.
    pub fn release(&self) -> &Self {
        self.shared.lock().released = true;
        self
    }

    /// Reads no more content once so many bytes of it were read in all, until it is told `None`.
    pub fn hold_at(&self, bytes: Option<u64>) -> &Self {
        self.shared.lock().hold = bytes;
        self
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<UploadRequest> {
        self.shared.lock().requests.clone()
    }

    /// Those of one step.
    pub fn requests_of(&self, step: Step) -> Vec<UploadRequest> {
        self.requests().into_iter().filter(|request| request.step == step).collect()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Bytes of content that were read, over all requests.
    pub fn received(&self) -> u64 {
        self.shared.lock().received
    }

    /// Those of them that had been acknowledged before, by an offset that was told and true, of an upload that was not
    /// lost since: a client that keeps its promise sends none.
    pub fn sent_again(&self) -> u64 {
        self.shared.lock().again
    }

    /// Waits until so many bytes of content were read in all; panics after the patience.
    #[track_caller]
    pub fn wait_until_received(&self, bytes: u64, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.received() < bytes {
            let received = self.received();
            assert!(Instant::now() < deadline, "{received} of {bytes} bytes came in {patience:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for UploadPeer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
