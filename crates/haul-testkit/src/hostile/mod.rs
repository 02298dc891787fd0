//! An HTTP/1.1 peer on loopback whose misbehaviour is data.
//!
//! One resource answers at every path; others may be put at paths of their own. What a request got is recorded. The
//! behaviour may change in mid-run: cuts, stalls and rates count at once, everything else from the next request on.
//! It is made of threads and plain sockets: a server library would not let it lie.

mod answer;
mod behaviour;
mod connection;
pub mod ftp;
mod gzip;
mod request;
pub mod upload;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

pub use self::behaviour::{
    Behaviour, Date, ETags, Encoding, Excess, Go, Head, IfRange, Length, Ranges, Refusal, RetryAfter,
    Version, Which,
};
pub use self::ftp::{FtpBehaviour, FtpPeer};
pub use self::request::Request;
pub use self::upload::{UploadBehaviour, UploadPeer};
pub use crate::socket::Cut;

use self::answer::Answer;
use crate::port::Port;
use crate::socket;
use crate::tls::Certificates;

/// The peer; it and all its connections end when it is dropped.
#[derive(Debug)]
pub struct HttpPeer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    certificates: Option<Certificates>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    tls: Option<Arc<ServerConfig>>,
    stopped: AtomicBool,
    connections: AtomicUsize,
    open: AtomicUsize,
    under_way: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// The first one answers for all paths that no other one has.
    resources: Vec<Resource>,
    requests: Vec<Request>,
    /// How often each signed target was used.
    tokens: Vec<usize>,
    /// No body byte goes once so many were sent in all.
    hold: Option<u64>,
}

#[derive(Debug)]
struct Resource {
    path: String,
    behaviour: Behaviour,
    requests: usize,
    sent: u64,
}

impl Resource {
    fn new(path: &str, behaviour: Behaviour) -> Self {
        Self { path: path.into(), behaviour, requests: 0, sent: 0 }
    }
}

impl State {
    fn resource(&mut self, path: &str) -> &mut Resource {
        let own = self.resources.iter().skip(1).position(|resource| resource.path == path);
        &mut self.resources[own.map_or(0, |index| index + 1)]
    }
}

/// What may change in the middle of an answer.
struct Limits {
    cut: Option<(u64, Cut)>,
    stall: Option<u64>,
    rate: Option<u64>,
    held: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Decides and records; the guard counts the request as under way until it is dropped.
    fn answer(self: &Arc<Self>, request: &Request) -> (Answer, Behaviour, Counted) {
        let under_way = Counted::new(self, |shared| &shared.under_way);
        let mut state = self.lock();
        state.requests.push(request.clone());
        let mut tokens = std::mem::take(&mut state.tokens);
        let resource = state.resource(request.path());
        let behaviour = resource.behaviour.clone();
        let redirect = answer::redirect(request, &behaviour, &mut tokens);
        let answer = redirect.unwrap_or_else(|| {
            resource.requests += 1;
            match behaviour.at_most {
                Some((most, Excess::Status(status, retry_after))) if under_way.before >= most => {
                    Answer::refusal(status, retry_after)
                }
                _ => answer::answer(request, &behaviour, resource.requests - 1),
            }
        });
        state.tokens = tokens;
        (answer, behaviour, under_way)
    }

    fn limits(&self, path: &str, connection: usize) -> Limits {
        let mut state = self.lock();
        let sent: u64 = state.resources.iter().map(|resource| resource.sent).sum();
        let held = state.hold.is_some_and(|bytes| sent >= bytes);
        let b = &state.resource(path).behaviour;
        Limits {
            held,
            cut: b.cut.filter(|(which, ..)| which.includes(connection)).map(|(_, bytes, how)| (bytes, how)),
            stall: b.stall.filter(|(which, _)| which.includes(connection)).map(|(_, bytes)| bytes),
            rate: b.rates.iter().find(|(which, _)| which.includes(connection)).map(|(_, rate)| *rate),
        }
    }

    fn behaviour<T>(&self, path: &str, look: impl FnOnce(&Behaviour) -> T) -> T {
        look(&self.lock().resource(path).behaviour)
    }

    fn carried(&self, path: &str, bytes: u64) {
        let mut state = self.lock();
        let resource = state.resource(path);
        resource.sent += bytes;
        if let Some((_, version)) =
            resource.behaviour.replace_after.take_if(|(after, _)| resource.sent >= *after)
        {
            resource.behaviour.version = version;
        }
    }
}

/// One more of something, until it is dropped.
struct Counted {
    shared: Arc<Shared>,
    counter: fn(&Shared) -> &AtomicUsize,
    before: usize,
}

impl Counted {
    fn new(shared: &Arc<Shared>, counter: fn(&Shared) -> &AtomicUsize) -> Self {
        Self { before: counter(shared).fetch_add(1, Ordering::Relaxed), shared: Arc::clone(shared), counter }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.counter)(&self.shared).fetch_sub(1, Ordering::Relaxed);
    }
}

impl HttpPeer {
    /// A peer that answers like this at every path.
    pub fn start(behaviour: Behaviour) -> Self {
        Self::begin(behaviour, None)
    }

    /// The same behind TLS, with a certificate for loopback by an authority of its own.
    pub fn start_tls(behaviour: Behaviour) -> Self {
        Self::start_with(behaviour, Certificates::for_loopback())
    }

    /// The same with a certificate of the test's choice.
    pub fn start_with(behaviour: Behaviour, certificates: Certificates) -> Self {
        Self::begin(behaviour, Some(certificates))
    }

    fn begin(behaviour: Behaviour, certificates: Option<Certificates>) -> Self {
        let port = Port::open();
        let addr = port.addr();
        let resources = vec![Resource::new("", behaviour)];
        let shared = Arc::new(Shared {
            state: Mutex::new(State { resources, requests: Vec::new(), tokens: Vec::new(), hold: None }),
            tls: certificates.as_ref().map(Certificates::server_config),
            stopped: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(port, &shared)
        });
        Self { addr, shared, certificates, accepting: Some(accepting) }
    }

    /// Another resource, at a path of its own.
    pub fn also(&self, path: &str, behaviour: Behaviour) -> &Self {
        self.shared.lock().resources.push(Resource::new(path, behaviour));
        self
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of a path that begins with `/`; `https://` behind TLS.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.addr)
    }

    /// The authority that signed its certificate.
    pub fn ca_pem_path(&self) -> PathBuf {
        self.certificates.as_ref().expect("a peer behind TLS").ca_pem_path()
    }

    /// Changes the behaviour of the resource that answers for all paths.
    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) -> &Self {
        self.change_at("", change)
    }

    /// Changes the behaviour of the resource at a path.
    pub fn change_at(&self, path: &str, change: impl FnOnce(&mut Behaviour)) -> &Self {
        change(&mut self.shared.lock().resource(path).behaviour);
        self
    }

    /// Puts another version in the file's place: what was begun goes on with the old one.
    pub fn replace(&self, version: Version) -> &Self {
        self.change(|behaviour| behaviour.version = version)
    }

    /// Lets what was stalled or withheld go on, at every path.
    pub fn release(&self) -> &Self {
        for resource in &mut self.shared.lock().resources {
            resource.behaviour.stall = None;
            if resource.behaviour.head == Head::Withheld {
                resource.behaviour.head = Head::Proper;
            }
        }
        self
    }

    /// Sends nothing more of any body once so many bytes were sent in all (some pieces of other connections may
    /// follow), until it is told `None`.
    pub fn hold_at(&self, bytes: Option<u64>) -> &Self {
        self.shared.lock().hold = bytes;
        self
    }

    /// Makes every signed target given out so far answer 403.
    pub fn expire_tokens(&self) -> &Self {
        self.shared.lock().tokens.fill(usize::MAX);
        self
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// Forgets the requests so far: what comes next is another run's.
    pub fn forget_requests(&self) -> &Self {
        self.shared.lock().requests.clear();
        self
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Body bytes sent so far, over all resources and requests, forgotten ones too.
    pub fn body_sent(&self) -> u64 {
        self.shared.lock().resources.iter().map(|resource| resource.sent).sum()
    }

    /// Waits until so many body bytes were sent in all; panics after the patience.
    #[track_caller]
    pub fn wait_until_sent(&self, bytes: u64, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.body_sent() < bytes {
            assert!(
                Instant::now() < deadline,
                "{} of {bytes} bytes were sent in {patience:?}",
                self.body_sent()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for HttpPeer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

fn accept(mut port: Port, shared: &Arc<Shared>) {
    while !shared.is_stopped() {
        let limit = shared.behaviour("", |b| b.at_most);
        let open = shared.open.load(Ordering::Relaxed);
        port.listen(!matches!(limit, Some((most, Excess::Refuse)) if open >= most));
        let Ok(Some(stream)) = port.accept(Duration::from_millis(5)) else { continue };
        if matches!(limit, Some((most, Excess::Reset)) if open >= most) {
            socket::reset_on_close(&stream);
            continue;
        }
        let number = shared.connections.fetch_add(1, Ordering::Relaxed);
        let counted = Counted::new(shared, |shared| &shared.open);
        std::thread::spawn(move || {
            let shared = Arc::clone(&counted.shared);
            connection::serve(stream, number, &shared);
            drop(counted);
        });
    }
}

#[cfg(test)]
mod tests;
