//! The one writer of a transfer: writes what lanes bring, keeps the journal, syncs, and publishes.
//!
//! ```text
//! driver ──pieces──► written here and now, while they are warm
//!        ──jobs────► thread: comparisons, notes, resets, the end ──► told
//!                      └── syncs, beside it
//! ```
//! A piece is written on the thread that received it: it is still in that core's cache, its buffer is free for the next
//! read, and a kill loses no queue (docs/adr/012-written-where-received.md). Whatever may take long is a job for a thread
//! of its own, done first in, first out; a piece waits for the jobs before it, so nothing is written ahead of a reset or
//! of the note that says which version it belongs to. What only takes bytes in order, a pipe, may block for as long as
//! somebody likes: its pieces are jobs too.

use std::{fmt, path::PathBuf, pin::Pin, sync::Arc, time::SystemTime};

use bytes::Bytes;
use haul_core::{ByteRange, Digest, transfer::BLOCK};
use haul_store::{Note, Partial, Publish, StoreError, Subject};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::checksum;

/// Something for the thread to do.
#[derive(Debug)]
enum Job {
    Write { at: u64, bytes: Bytes, turn: Arc<OwnedSemaphorePermit> },
    Read { range: ByteRange, answer: oneshot::Sender<Option<Bytes>> },
    Sync,
    Reset(Subject),
    Note(Note),
    SetAside(&'static str),
    Publish { how: Publish, size: u64, digest: Option<Digest> },
}

/// What the writer tells.
#[derive(Debug)]
pub(super) enum Told {
    Written(ByteRange),
    Durable,
    ResetDone,
    Published,
    /// The partial was kept under this name and is done with.
    Aside(PathBuf),
    /// The whole has another digest; it was kept under this name.
    Mismatch {
        found: Option<Digest>,
        kept: PathBuf,
    },
    /// The store failed; nothing more is done.
    Broken(StoreError),
}

/// The driver's end.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::UnboundedSender<Job>,
    thread: Option<std::thread::JoinHandle<()>>,
    reach: Option<u64>,
    hand: Hand,
    /// Jobs handed over that pieces must not overtake …
    sent: u64,
    /// … and how many of them are done.
    done: watch::Receiver<u64>,
}

/// The future of a write.
type Writing = Pin<Box<dyn Future<Output = Result<bool, StoreError>> + Send>>;

/// Who writes a piece.
enum Hand {
    /// Whoever brings it; `false` where the partial is gone.
    Here(Box<dyn Fn(u64, Bytes) -> Writing + Send + Sync>),
    /// The thread.
    Thread,
}

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Thread => "Thread",
        })
    }
}

impl Hand {
    fn of<P: Partial>(partial: &Arc<P>) -> Self {
        if partial.geometry().in_order {
            return Self::Thread;
        }
        // Weak, so that publishing has the partial for itself.
        let partial = Arc::downgrade(partial);
        Self::Here(Box::new(move |at, bytes| {
            let partial = partial.upgrade();
            Box::pin(async move {
                match partial {
                    Some(partial) => partial.write(at, &[bytes]).await.map(|()| true),
                    None => Ok(false),
                }
            })
        }))
    }
}

/// For reading what is there, in turn with what is being written.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    jobs: mpsc::UnboundedSender<Job>,
    /// How many of the last bytes can be read again; `None` is all.
    pub(super) reach: Option<u64>,
}

impl Reader {
    /// The bytes, or `None` where they can't be read.
    pub(super) async fn read(&self, range: ByteRange) -> Option<Bytes> {
        let (answer, told) = oneshot::channel();
        self.jobs.send(Job::Read { range, answer }).ok()?;
        told.await.ok().flatten()
    }
}

impl Writer {
    /// Starts the thread. It is to be called within the runtime.
    pub(super) fn start<P: Partial>(partial: P) -> std::io::Result<(Self, mpsc::UnboundedReceiver<Told>)> {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let (tell, told) = mpsc::unbounded_channel();
        let runtime = Handle::current();
        let reach = (!partial.geometry().can_read).then_some(BLOCK);
        let partial = Arc::new(partial);
        let hand = Hand::of(&partial);
        let (count, done) = watch::channel(0);
        let at_work = AtWork { partial: Some(partial), inbox, tell, sync: None, done: count };
        let thread = std::thread::Builder::new()
            .name("haul-writer".into())
            .spawn(move || runtime.block_on(at_work.run()))?;
        Ok((Self { jobs, thread: Some(thread), reach, hand, sent: 0, done }, told))
    }

    pub(super) fn reader(&self) -> Reader {
        Reader { jobs: self.jobs.clone(), reach: self.reach }
    }

    /// Writes a piece, behind everything that was handed over before it. Returns what is written and claimed by now;
    /// `None`: it will be told. The turn is given back when the next piece may come.
    pub(super) async fn write(
        &mut self,
        at: u64,
        bytes: Bytes,
        turn: &Arc<OwnedSemaphorePermit>,
    ) -> Result<Option<ByteRange>, StoreError> {
        let Hand::Here(hand) = &self.hand else {
            self.send(Job::Write { at, bytes, turn: Arc::clone(turn) });
            return Ok(None);
        };
        let sent = self.sent;
        // A thread that ended early has told why.
        if *self.done.borrow() < sent && self.done.wait_for(|done| *done >= sent).await.is_err() {
            return Ok(None);
        }
        let range = ByteRange::from_len(at, bytes.len() as u64);
        Ok(if hand(at, bytes).await? { range } else { None })
    }

    pub(super) fn sync(&self) {
        self.send(Job::Sync);
    }

    pub(super) fn reset(&mut self, subject: Subject) {
        self.send_ahead(Job::Reset(subject));
    }

    pub(super) fn note(&mut self, subject: Subject) {
        self.send_ahead(Job::Note(Note::Subject(subject)));
    }

    pub(super) fn note_stop(&self, why: String) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.send(Job::Note(Note::Stopped { when_unix: now.as_secs().try_into().unwrap_or(i64::MAX), why }));
    }

    pub(super) fn set_aside(&self, suffix: &'static str) {
        self.send(Job::SetAside(suffix));
    }

    pub(super) fn publish(&self, how: Publish, size: u64, digest: Option<Digest>) {
        self.send(Job::Publish { how, size, digest });
    }

    /// Hands over what pieces must not overtake.
    fn send_ahead(&mut self, job: Job) {
        self.sent += 1;
        self.send(job);
    }

    /// A writer that is gone has told why before it went.
    fn send(&self, job: Job) {
        let _ = self.jobs.send(job);
    }

    /// Waits until everything handed over is done and the partial is let go.
    pub(super) async fn end(mut self) {
        let Some(thread) = self.thread.take() else { return };
        let (closed, _) = mpsc::unbounded_channel();
        // The jobs' channel closes with its last sender; lanes with readers are gone by now.
        self.jobs = closed;
        drop(self);
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

/// The thread's side.
struct AtWork<P> {
    partial: Option<Arc<P>>,
    inbox: mpsc::UnboundedReceiver<Job>,
    tell: mpsc::UnboundedSender<Told>,
    sync: Option<JoinHandle<()>>,
    /// How many jobs are done that pieces must not overtake.
    done: watch::Sender<u64>,
}

impl<P: Partial> AtWork<P> {
    async fn run(mut self) {
        while let Some(job) = self.inbox.recv().await {
            if let Err(error) = self.work(job).await {
                let _ = self.tell.send(Told::Broken(error));
                break;
            }
        }
        self.wait_for_sync().await;
    }

    async fn work(&mut self, job: Job) -> Result<(), StoreError> {
        let Some(partial) = self.partial.clone() else { return Ok(()) };
        match job {
            Job::Write { at, bytes, turn } => {
                let range = ByteRange::from_len(at, bytes.len() as u64);
                partial.write(at, &[bytes]).await?;
                range.into_iter().for_each(|range| self.tell(Told::Written(range)));
                drop(turn);
            }
            Job::Read { range, answer } => {
                let _ = answer.send(partial.read(range).await.ok());
            }
            Job::Sync => self.begin_sync(partial).await,
            Job::Reset(subject) => {
                self.wait_for_sync().await;
                partial.reset(subject).await?;
                self.tell(Told::ResetDone);
                self.count();
            }
            Job::Note(note) => {
                partial.note(note).await?;
                self.count();
            }
            Job::SetAside(suffix) => {
                drop(partial);
                self.wait_for_sync().await;
                if let Some(partial) = self.partial.take().and_then(Arc::into_inner) {
                    let kept = partial.set_aside(suffix).await?;
                    self.tell(Told::Aside(kept));
                }
            }
            Job::Publish { how, size, digest } => {
                drop(partial);
                return self.publish(how, size, digest).await;
            }
        }
        Ok(())
    }

    fn tell(&self, told: Told) {
        let _ = self.tell.send(told);
    }

    fn count(&self) {
        self.done.send_modify(|done| *done += 1);
    }

    /// Begins a sync beside the writing.
    async fn begin_sync(&mut self, partial: Arc<P>) {
        self.wait_for_sync().await;
        let tell = self.tell.clone();
        let runtime = Handle::current();
        self.sync = Some(tokio::task::spawn_blocking(move || {
            let told = match runtime.block_on(partial.sync()) {
                Ok(_) => Told::Durable,
                Err(error) => Told::Broken(error),
            };
            drop(partial);
            let _ = tell.send(told);
        }));
    }

    async fn wait_for_sync(&mut self) {
        if let Some(sync) = self.sync.take() {
            let _ = sync.await;
        }
    }

    async fn publish(&mut self, how: Publish, size: u64, digest: Option<Digest>) -> Result<(), StoreError> {
        self.wait_for_sync().await;
        let Some(partial) = self.partial.take().and_then(Arc::into_inner) else { return Ok(()) };
        if let Some(wanted) = digest {
            let found = checksum::of(&partial, size, wanted.algorithm()).await?;
            if found.as_ref() != Some(&wanted) {
                let kept = partial.set_aside("bad").await?;
                self.tell(Told::Mismatch { found, kept });
                return Ok(());
            }
        }
        partial.publish(how).await?;
        self.tell(Told::Published);
        Ok(())
    }
}
