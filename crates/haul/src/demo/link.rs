//! A bad link on loopback in front of a server: slow, cut again and again, and counted.
//!
//! All connections share one rate. Each is reset, at both ends, once it has carried so many bytes: what lay in the
//! sockets then is lost, as on a real link. What counts as carried was handed on to the receiving end's socket. The
//! link knows nothing of HTTP; of FTP it knows where a reply tells a data port ([`super::passive`]).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::Trouble;
use super::passive::Replies;

/// Small enough that a connection is held up for a moment only.
const PIECE: usize = 16 << 10;
/// Whoever woke late may catch up for so long, so that the rate is kept on a busy machine.
const CATCH_UP: Duration = Duration::from_millis(20);

/// How bad a link is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// Bytes a second, over all connections and in both directions together.
    pub(super) rate: u64,
    /// A connection is cut once it has carried so many bytes.
    pub(super) cut_after: u64,
}

/// What is spoken over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// One connection is all there is.
    Http,
    /// Replies lead to further connections.
    Ftp,
}

/// What a link has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Bytes towards the server.
    pub(super) up: u64,
    /// Bytes from the server.
    pub(super) down: u64,
    /// Connections that were cut on the way.
    pub(super) cuts: u64,
}

/// The link; it and all its connections end when it is dropped.
pub(super) struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    weather: Weather,
    figures: watch::Sender<Figures>,
    /// Until when what was let through takes, at the link's rate.
    paid_until: Mutex<Instant>,
    /// Changes when all connections are to end.
    outage: watch::Sender<()>,
    tasks: Mutex<JoinSet<()>>,
}

/// Why no more goes over a connection.
enum Broken {
    /// It has carried its share.
    Cut,
    /// One of its ends is gone.
    Gone,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Link {
    /// A link to the server at `to`, on a free port of loopback.
    pub(super) async fn to(to: SocketAddr, speech: Speech, weather: Weather) -> Result<Self, Trouble> {
        let shared = Arc::new(Shared {
            weather,
            figures: watch::Sender::default(),
            paid_until: Mutex::new(Instant::now()),
            outage: watch::Sender::default(),
            tasks: Mutex::default(),
        });
        let failed = |error| Trouble(format!("cannot listen on loopback: {error}"));
        let (listener, address) = listen().await.map_err(failed)?;
        let own = Arc::clone(&shared);
        shared.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                own.spawn(connection(client, to, speech, Arc::clone(&own)));
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn figures(&self) -> Figures {
        *self.shared.figures.borrow()
    }

    /// Waits until the figures are such.
    pub(super) async fn until(&self, such: impl FnMut(&Figures) -> bool) {
        // The sender is ours, so it is there.
        let _ = self.shared.figures.subscribe().wait_for(such).await;
    }

    /// Ends all connections at once, as when a machine dies: what its system would still have sent is lost.
    pub(super) fn fail(&self) {
        self.shared.outage.send_replace(());
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        lock(&self.shared.tasks).abort_all();
    }
}

impl Shared {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Waits until so many more bytes may pass.
    async fn pay(&self, bytes: usize) {
        let price = Duration::from_secs_f64(bytes as f64 / self.weather.rate.max(1) as f64);
        let now = Instant::now();
        let until = {
            let mut paid = lock(&self.paid_until);
            *paid = (*paid).max(now.checked_sub(CATCH_UP).unwrap_or(now)) + price;
            *paid
        };
        if until > now {
            sleep_until(until).await;
        }
    }
}

/// Nothing that panics is done while it is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A port of ours that leads the next one who comes to `to`, over the same link.
async fn leads(to: SocketAddr, shared: &Arc<Shared>) -> io::Result<u16> {
    let (listener, address) = listen().await?;
    shared.spawn(next(listener, to, Arc::clone(shared)));
    Ok(address.port())
}

/// In a box, since a connection may lead to connections.
fn next(
    listener: TcpListener,
    to: SocketAddr,
    shared: Arc<Shared>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if let Ok((client, _)) = listener.accept().await {
            connection(client, to, Speech::Http, shared).await;
        }
    })
}

async fn connection(mut client: TcpStream, to: SocketAddr, speech: Speech, shared: Arc<Shared>) {
    let mut outage = shared.outage.subscribe();
    outage.mark_unchanged();
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let both = {
        let carried = Mutex::new(0);
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let count = |bytes| {
            let mut carried = lock(&carried);
            *carried += bytes;
            if *carried < shared.weather.cut_after { Ok(()) } else { Err(Broken::Cut) }
        };
        let up = async {
            let add = |figures: &mut Figures, bytes| figures.up += bytes;
            pass(from_client, to_server, &shared, add, &count).await
        };
        let down = async {
            let add = |figures: &mut Figures, bytes| figures.down += bytes;
            match speech {
                Speech::Http => pass(from_server, to_client, &shared, add, &count).await,
                Speech::Ftp => pass_replies(from_server, to_client, to, &shared).await,
            }
        };
        tokio::select! {
            both = async { tokio::try_join!(up, down) } => both.map(|_| ()),
            _ = outage.changed() => Err(Broken::Gone),
        }
    };
    if let Err(broken) = both {
        if matches!(broken, Broken::Cut) {
            shared.figures.send_modify(|figures| figures.cuts += 1);
        }
        // Closing them now resets them.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

/// Hands on one direction until its end.
async fn pass(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    shared: &Shared,
    add: impl Fn(&mut Figures, u64),
    count: &impl Fn(u64) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(to.shutdown().await?);
        }
        shared.pay(read).await;
        to.write_all(&piece[..read]).await?;
        shared.figures.send_modify(|figures| add(figures, read as u64));
        count(read as u64)?;
    }
}

/// The same for the replies of an FTP server, in which ports are replaced. They are few, and cost nothing.
async fn pass_replies(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    server: SocketAddr,
    shared: &Arc<Shared>,
) -> Result<(), Broken> {
    let mut replies = Replies::default();
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(to.shutdown().await?);
        }
        for line in replies.take(&piece[..read]) {
            let line = match line.port() {
                Some(port) => line.with_port(leads(SocketAddr::new(server.ip(), port), shared).await?),
                None => line,
            };
            to.write_all(line.bytes()).await?;
            shared.figures.send_modify(|figures| figures.down += line.bytes().len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Weather = Weather { rate: 1 << 40, cut_after: u64::MAX };

    fn alone<T>(act: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(act)
    }

    /// A server that sends this to whoever comes, and then the end.
    async fn sender(bytes: &'static [u8]) -> SocketAddr {
        let (listener, address) = listen().await.unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // Where the link is cut this fails, as it should.
                let _ = stream.write_all(bytes).await;
            }
        });
        address
    }

    async fn fetched(from: SocketAddr) -> (Vec<u8>, io::Result<usize>) {
        let mut all = Vec::new();
        let end = TcpStream::connect(from).await.unwrap().read_to_end(&mut all).await;
        (all, end)
    }

    #[test]
    fn what_passes_is_the_same_and_is_counted() {
        alone(async {
            let server = sender(&[7; 100_000]).await;
            let link = Link::to(server, Speech::Http, CALM).await.unwrap();
            let (all, end) = fetched(link.address()).await;
            assert!(end.is_ok() && all == [7; 100_000]);
            assert_eq!(link.figures(), Figures { up: 0, down: 100_000, cuts: 0 });
        });
    }

    #[test]
    fn a_connection_is_cut_after_its_share_and_the_next_one_has_a_share_of_its_own() {
        alone(async {
            let server = sender(&[7; 1 << 20]).await;
            let link = Link::to(server, Speech::Http, Weather { cut_after: 200_000, ..CALM }).await.unwrap();
            for cuts in 1..=2 {
                let (all, end) = fetched(link.address()).await;
                assert!(end.is_err() && all.len() <= 200_000 + PIECE, "{end:?} {}", all.len());
                link.until(|figures| figures.cuts == cuts).await;
            }
            let down = link.figures().down;
            assert!((400_000..=400_000 + 2 * PIECE as u64).contains(&down), "{down}");
        });
    }

    #[test]
    fn all_connections_share_the_rate() {
        alone(async {
            let server = sender(&[7; 100_000]).await;
            let link = Link::to(server, Speech::Http, Weather { rate: 1_000_000, ..CALM }).await.unwrap();
            let begun = Instant::now();
            let (one, other) = tokio::join!(fetched(link.address()), fetched(link.address()));
            assert_eq!(one.0.len() + other.0.len(), 200_000);
            assert!(begun.elapsed() >= Duration::from_millis(160), "{:?}", begun.elapsed());
        });
    }

    #[test]
    fn an_outage_ends_what_is_open_and_nothing_that_comes_later() {
        alone(async {
            let server = sender(&[7; 100_000]).await;
            let link = Link::to(server, Speech::Http, Weather { rate: 100_000, ..CALM }).await.unwrap();
            let (cut, ()) = tokio::join!(fetched(link.address()), async {
                link.until(|figures| figures.down > 0).await;
                link.fail();
            });
            assert!(cut.1.is_err() && cut.0.len() < 100_000);
            assert_eq!(fetched(link.address()).await.0.len(), 100_000);
        });
    }

    #[test]
    fn a_data_port_that_is_told_leads_over_the_link() {
        alone(async {
            let data = sender(&[8; 50_000]).await;
            let greeting = format!("220 Hello\r\n229 Entering (|||{}|)\r\n", data.port());
            let control = sender(Box::leak(greeting.into_bytes().into_boxed_slice())).await;
            let link = Link::to(control, Speech::Ftp, CALM).await.unwrap();
            let (said, _) = fetched(link.address()).await;
            let said = String::from_utf8(said).unwrap();
            let port = said.split("|||").nth(1).and_then(|rest| rest.split('|').next()).unwrap();
            assert_ne!(port, data.port().to_string());
            let (all, _) = fetched(SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))).await;
            assert_eq!(all.len(), 50_000);
            assert_eq!(link.figures().down, 50_000 + said.len() as u64);
        });
    }
}
