//! The server's control: a socket in its state folder at which whoever runs the server asks how it is, and gives
//! unfinished uploads up.
//!
//! ```text
//! STATE/control    a Unix socket, for its owner and root only
//! ```
//! One connection is one question and one answer, each a line of JSON. `socket` knows where it is and who may ask,
//! `shape` what a line looks like, `answer` what is true. It knows no protocol of the doors.

mod answer;
mod shape;
mod socket;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    sync::Semaphore,
    time::{sleep, timeout},
};

use crate::{ServerError, house::House, log::Event};

pub use shape::{Answer, Door, Dropped, Moved, Question, Server, Session, Status, Upload, unix_now};
use socket::Socket;
pub use socket::ask;

/// A question is no longer than this.
const QUESTION: u64 = 1 << 20;
/// Whoever asks has so long to say what, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many ask at a time; others wait.
const AT_ONCE: usize = 16;
/// When the system has no socket left, so long until it is asked again.
const BREATH: Duration = Duration::from_millis(100);

/// Where a server is asked.
pub struct Control {
    socket: Socket,
    about: About,
}

/// What a server knows of itself beside its house.
#[derive(Clone, Debug)]
pub struct About {
    /// Its version.
    pub version: &'static str,
    /// The folder that is served.
    pub dir: PathBuf,
    /// Its state folder.
    pub state: PathBuf,
    /// Names of doors and where they are.
    pub doors: Vec<(&'static str, SocketAddr)>,
    /// When it was started, in seconds since 1970.
    pub started: i64,
}

impl Control {
    /// Opens the socket in the state folder. What a server that was killed has left there is replaced; `alone`: this
    /// one has the lock of the state folder, so that whatever is there is of no use any more.
    ///
    /// # Errors
    /// Where the folder is not there or cannot be written to, or where another server answers there.
    pub fn open(state: &Path, alone: bool, about: About) -> Result<Self, ServerError> {
        let socket = Socket::bind(state, alone).map_err(|error| {
            let path = state.join(socket::NAME);
            ServerError::Other(format!("cannot be asked at {}: {error}", path.display()))
        })?;
        Ok(Self { socket, about })
    }

    /// Answers until this is dropped.
    pub async fn serve(self, house: House) {
        let (about, room) = (Arc::new(self.about), Arc::new(Semaphore::new(AT_ONCE)));
        loop {
            // It is never closed.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            match self.socket.accept().await {
                Ok(stream) => {
                    let (house, about) = (house.clone(), Arc::clone(&about));
                    tokio::spawn(async move {
                        // Who asks and does not wait for the answer has none.
                        let _ = attend(stream, &house, &about).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    house.log.tell(Event::Problem { what: format!("cannot be asked how it is: {error}") });
                    sleep(BREATH).await;
                }
            }
        }
    }
}

async fn attend(stream: UnixStream, house: &House, about: &About) -> io::Result<()> {
    if !socket::may_ask(&stream) {
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let asked = timeout(PATIENCE, (&mut stream).take(QUESTION).read_until(b'\n', &mut line)).await;
    asked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let answer = match serde_json::from_slice(&line) {
        Ok(question) => answer::to(question, house, about).await,
        Err(error) => Answer::Failed(format!("this server does not understand that: {error}")),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    let told = timeout(PATIENCE, stream.write_all(&text)).await;
    told.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.shutdown().await
}
