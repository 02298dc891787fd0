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

use std::{
    fmt,
    future::pending,
    io::ErrorKind,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    thread,
    time::SystemTime,
};

use bytes::Bytes;
use haul_core::{ByteRange, Digest, transfer::BLOCK};
use haul_store::{Held, Note, Partial, Publish, StoreError, Subject};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
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
    /// Answered when the thread has let the partial go.
    ended: oneshot::Receiver<()>,
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
                    Some(partial) => partial.write(at, bytes).await.map(|()| true),
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
    /// The bytes, or `None` where there are not as many. Where they can't be read the writer tells the driver why, and
    /// there is no answer any more: whoever asked waits to be let go.
    pub(super) async fn read(&self, range: ByteRange) -> Option<Bytes> {
        let (answer, told) = oneshot::channel();
        let _ = self.jobs.send(Job::Read { range, answer });
        match told.await {
            Ok(found) => found,
            Err(_) => pending().await,
        }
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
        let (over, ended) = oneshot::channel();
        thread::Builder::new().name("haul-writer".into()).spawn(move || {
            runtime.block_on(at_work.run());
            let _ = over.send(());
        })?;
        Ok((Self { jobs, ended, reach, hand, sent: 0, done }, told))
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

    /// Waits until everything handed over is done and the partial is let go. A pipe may never take what is handed over,
    /// and nothing of it is to be saved: that is not waited for.
    pub(super) async fn end(self) {
        let Self { jobs, ended, hand, .. } = self;
        // The jobs' channel closes with its last sender; lanes with readers are gone by now.
        drop(jobs);
        if let Hand::Here(_) = hand {
            let _ = ended.await;
        }
    }
}

/// The thread's side.
struct AtWork<P> {
    partial: Option<Arc<P>>,
    inbox: mpsc::UnboundedReceiver<Job>,
    tell: mpsc::UnboundedSender<Told>,
    sync: Option<thread::JoinHandle<()>>,
    /// How many jobs are done that pieces must not overtake.
    done: watch::Sender<u64>,
}

impl<P: Partial> AtWork<P> {
    async fn run(mut self) {
        while let Some(job) = self.inbox.recv().await {
            if let Err(error) = self.work(job).await {
                self.tell(Told::Broken(error));
                break;
            }
        }
        // Whatever else is wanted would build on what was not done; only why it ended may still be noted.
        while let Some(job) = self.inbox.recv().await {
            if let (Job::Note(note @ Note::Stopped { .. }), Some(partial)) = (job, &self.partial) {
                let _ = partial.note(note).await;
            }
        }
        self.wait_for_sync();
    }

    async fn work(&mut self, job: Job) -> Result<(), StoreError> {
        let Some(partial) = self.partial.clone() else { return Ok(()) };
        match job {
            Job::Write { at, bytes, turn } => {
                let range = ByteRange::from_len(at, bytes.len() as u64);
                partial.write(at, bytes).await?;
                range.into_iter().for_each(|range| self.tell(Told::Written(range)));
                drop(turn);
            }
            Job::Read { range, answer } => {
                // Fewer bytes than were claimed are other bytes; any other error says nothing of them.
                let found = match partial.read(range).await {
                    Ok(bytes) => Some(bytes),
                    Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::UnexpectedEof => None,
                    Err(error) => return Err(error),
                };
                let _ = answer.send(found);
            }
            Job::Sync => self.begin_sync(partial).await,
            Job::Reset(subject) => {
                self.wait_for_sync();
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
                self.wait_for_sync();
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

    /// Begins a sync beside the writing; where there is no thread for it, it is done here.
    async fn begin_sync(&mut self, partial: Arc<P>) {
        self.wait_for_sync();
        let (beside, tell, runtime) = (Arc::clone(&partial), self.tell.clone(), Handle::current());
        let begun = thread::Builder::new().name("haul-sync".into()).spawn(move || {
            // Whoever waits for this word would wait for ever if a panic swallowed it.
            let synced = catch_unwind(AssertUnwindSafe(|| runtime.block_on(beside.sync())));
            drop(beside);
            let _ = tell.send(saved(synced.unwrap_or_else(|_| Err(panicked()))));
        });
        match begun {
            Ok(thread) => self.sync = Some(thread),
            Err(_) => self.tell(saved(partial.sync().await)),
        }
    }

    fn wait_for_sync(&mut self) {
        if let Some(sync) = self.sync.take() {
            let _ = sync.join();
        }
    }

    async fn publish(&mut self, how: Publish, size: u64, digest: Option<Digest>) -> Result<(), StoreError> {
        self.wait_for_sync();
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

fn saved(synced: Result<Held, StoreError>) -> Told {
    synced.map_or_else(Told::Broken, |_| Told::Durable)
}

fn panicked() -> StoreError {
    let source = std::io::Error::other("it ended in a panic");
    StoreError::Io { doing: "saving", path: PathBuf::from("what was written"), source }
}

#[cfg(test)]
mod tests;
