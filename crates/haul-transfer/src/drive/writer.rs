//! The one writer of a transfer: a thread that owns the partial, writes what lanes bring, keeps the journal, syncs,
//! and publishes.
//!
//! Order is its business alone: jobs are done first in, first out, so a comparison sees every byte that was handed over
//! before it, and nothing is written behind a reset that was meant to go before it. Only syncs run beside, on a thread
//! of their own. A partial on a local disk blocks here and nowhere else.

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::SystemTime};

use bytes::Bytes;
use haul_core::{ByteRange, Digest, transfer::BLOCK};
use haul_store::{Note, Partial, Publish, StoreError, Subject};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    task::JoinHandle,
};

use crate::checksum;

/// Contiguous pieces are gathered into writes of up to so many bytes; each write is one claim in the journal.
const GATHER: usize = 1 << 20;
/// … and of at most so many pieces, the most that one pwritev takes well.
const GATHER_PIECES: usize = 64;

/// Something for the writer to do.
#[derive(Debug)]
enum Job {
    Write { at: u64, bytes: Bytes, room: Arc<OwnedSemaphorePermit> },
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
        let at_work =
            AtWork { partial: Some(Arc::new(partial)), inbox, ahead: VecDeque::new(), tell, sync: None };
        let thread = std::thread::Builder::new()
            .name("haul-writer".into())
            .spawn(move || runtime.block_on(at_work.run()))?;
        Ok((Self { jobs, thread: Some(thread), reach }, told))
    }

    pub(super) fn reader(&self) -> Reader {
        Reader { jobs: self.jobs.clone(), reach: self.reach }
    }

    pub(super) fn write(&self, at: u64, bytes: Bytes, room: Arc<OwnedSemaphorePermit>) {
        self.send(Job::Write { at, bytes, room });
    }

    pub(super) fn sync(&self) {
        self.send(Job::Sync);
    }

    pub(super) fn reset(&self, subject: Subject) {
        self.send(Job::Reset(subject));
    }

    pub(super) fn note(&self, subject: Subject) {
        self.send(Job::Note(Note::Subject(subject)));
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
    /// Jobs taken from the inbox while looking for more to gather.
    ahead: VecDeque<Job>,
    tell: mpsc::UnboundedSender<Told>,
    sync: Option<JoinHandle<()>>,
}

impl<P: Partial> AtWork<P> {
    async fn run(mut self) {
        while let Some(job) = self.next().await {
            if let Err(error) = self.work(job).await {
                let _ = self.tell.send(Told::Broken(error));
                break;
            }
        }
        self.wait_for_sync().await;
    }

    async fn next(&mut self) -> Option<Job> {
        match self.ahead.pop_front() {
            Some(job) => Some(job),
            None => self.inbox.recv().await,
        }
    }

    async fn work(&mut self, job: Job) -> Result<(), StoreError> {
        let Some(partial) = self.partial.clone() else { return Ok(()) };
        match job {
            Job::Write { at, bytes, room } => return self.write(&partial, at, bytes, room).await,
            Job::Read { range, answer } => {
                let _ = answer.send(partial.read(range).await.ok());
            }
            Job::Sync => self.begin_sync(partial).await,
            Job::Reset(subject) => {
                self.wait_for_sync().await;
                partial.reset(subject).await?;
                self.tell(Told::ResetDone);
            }
            Job::Note(note) => partial.note(note).await?,
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

    /// Writes this piece and those that follow it without a gap.
    async fn write(
        &mut self,
        partial: &Arc<P>,
        at: u64,
        bytes: Bytes,
        room: Arc<OwnedSemaphorePermit>,
    ) -> Result<(), StoreError> {
        let mut len = bytes.len();
        let mut pieces = vec![bytes];
        let mut rooms = vec![room];
        while len < GATHER && pieces.len() < GATHER_PIECES {
            if self.ahead.is_empty() {
                match self.inbox.try_recv() {
                    Ok(job) => self.ahead.push_back(job),
                    Err(_) => break,
                }
            }
            match self.ahead.pop_front() {
                Some(Job::Write { at: next, bytes, room }) if next == at + len as u64 => {
                    len += bytes.len();
                    pieces.push(bytes);
                    rooms.push(room);
                }
                Some(other) => {
                    self.ahead.push_front(other);
                    break;
                }
                None => break,
            }
        }
        partial.write(at, &pieces).await?;
        if let Some(range) = ByteRange::from_len(at, len as u64) {
            self.tell(Told::Written(range));
        }
        Ok(())
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
