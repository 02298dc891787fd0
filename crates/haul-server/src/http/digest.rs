//! Digests of whole files (RFC 9530 §3), each computed once for a version of a file and remembered.
//!
//! A large one takes its time: whoever asks first waits a little, and is answered without it when that is not enough; it
//! is computed all the same, for whoever asks next.

use std::{
    collections::HashMap,
    fs::File,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use haul_core::{Algorithm, Digest};
use haul_store::{Body, Meta, Reading};
use sha2::{Sha256, Sha512};
use tokio::{
    sync::{Semaphore, watch},
    task::spawn_blocking,
    time::timeout,
};

use super::{file, request::Client};
use crate::{
    depot::{Beginning, Kept},
    sys,
};

/// So many are remembered.
const MOST: usize = 4096;
/// So many wait to be computed; whoever asks then is answered without.
const MOST_WAITING: usize = 32;
/// So long a request waits for one.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many are computed at a time.
const AT_A_TIME: usize = 1;
/// What is read at once.
const PIECE: usize = 1 << 20;

/// Digests by version and algorithm.
#[derive(Debug)]
pub(crate) struct Digests {
    known: Mutex<HashMap<Key, Known>>,
    turns: Arc<Semaphore>,
}

/// The ETag has all that tells a version from another; an unfinished upload is told by its name and its offset.
type Key = (String, Algorithm);

/// One of them.
#[derive(Debug)]
struct Known {
    /// `None` until it is computed, or where it could not be.
    told: Told,
    /// Whether what it is of is still the same, where its key does not tell that.
    kept: Option<Kept>,
}

type Told = watch::Receiver<Option<Digest>>;

impl Default for Digests {
    fn default() -> Self {
        Self { known: Mutex::default(), turns: Arc::new(Semaphore::new(AT_A_TIME)) }
    }
}

/// The digest of what was opened, if there is one in time.
pub(super) async fn of(client: &Client, reading: &Reading, algorithm: Algorithm) -> Option<Digest> {
    let Body::File(file) = &reading.body else { return None };
    let key = (file::current(reading).etag().opaque.clone(), algorithm);
    let (file, meta) = (Arc::clone(file), reading.meta.clone());
    in_time(client.house.digests.ask(key, None, move || compute(&file, &meta, algorithm))).await
}

/// The digest of what is there of an unfinished upload, if there is one in time.
pub(super) async fn of_beginning(
    client: &Client,
    beginning: &Beginning,
    algorithm: Algorithm,
) -> Option<Digest> {
    let Body::File(file) = &beginning.body else { return None };
    let (kept, len) = (beginning.kept.clone(), beginning.pending.offset);
    // No ETag has a blank in it.
    let key = (format!("upload {} {len}", beginning.pending.id), algorithm);
    let (file, still) = (Arc::clone(file), kept.clone());
    let computed = move || {
        let digest = first(&file, len, algorithm)?;
        if still.is_same() {
            Ok(digest)
        } else {
            Err(io::Error::other("the upload was taken back meanwhile"))
        }
    };
    in_time(client.house.digests.ask(key, Some(kept), computed)).await
}

async fn in_time(mut told: Told) -> Option<Digest> {
    let known = timeout(PATIENCE, told.wait_for(Option::is_some)).await;
    known.ok()?.ok().and_then(|digest| digest.clone())
}

impl Digests {
    fn known(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the digest will be told; has it computed where nobody has.
    fn ask(
        &self,
        key: Key,
        kept: Option<Kept>,
        compute: impl FnOnce() -> io::Result<Digest> + Send + 'static,
    ) -> Told {
        let mut known = self.known();
        if let Some(there) = known.get(&key).filter(|there| there.counts()) {
            return there.told.clone();
        }
        if known.values().filter(|one| one.is_being_computed()).count() >= MOST_WAITING {
            // Each holds a file open.
            return watch::channel(None).1;
        }
        if known.len() >= MOST {
            known.retain(|_, other| other.is_being_computed());
        }
        let (tell, told) = watch::channel(None);
        known.insert(key, Known { told: told.clone(), kept });
        let turns = Arc::clone(&self.turns);
        tokio::spawn(async move {
            let Ok(turn) = turns.acquire_owned().await else { return };
            let computed = spawn_blocking(compute).await;
            drop(turn);
            match computed {
                Ok(Ok(digest)) => drop(tell.send(Some(digest))),
                Ok(Err(error)) => tracing::warn!(%error, "a digest could not be computed"),
                Err(error) => tracing::warn!(%error, "a digest could not be computed"),
            }
        });
        told
    }
}

impl Known {
    fn is_being_computed(&self) -> bool {
        self.told.borrow().is_none() && self.told.has_changed().is_ok()
    }

    /// One that could not be computed is tried again, and so is one of bytes that are not there any more.
    fn counts(&self) -> bool {
        (self.told.borrow().is_some() || self.told.has_changed().is_ok())
            && self.kept.as_ref().is_none_or(Kept::is_same)
    }
}

fn compute(file: &File, meta: &Meta, algorithm: Algorithm) -> io::Result<Digest> {
    let computed = first(file, meta.size, algorithm)?;
    // One of half an old and half a new file is nobody's.
    let since = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    let same = i64::try_from(since.as_secs()) == Ok(meta.modified.seconds)
        && since.subsec_nanos() == meta.modified.nanos;
    if same { Ok(computed) } else { Err(io::Error::other("the file was changed meanwhile")) }
}

/// Of its first `len` bytes.
fn first(file: &File, len: u64, algorithm: Algorithm) -> io::Result<Digest> {
    match algorithm {
        Algorithm::Sha512 => made::<Sha512>(file, len, algorithm),
        _ => made::<Sha256>(file, len, Algorithm::Sha256),
    }
}

fn made<D: sha2::Digest>(file: &File, len: u64, algorithm: Algorithm) -> io::Result<Digest> {
    let (mut hasher, mut buffer, mut at) = (D::new(), vec![0; PIECE], 0);
    while at < len {
        // There may be more, which is not meant.
        let most = usize::try_from(len - at).unwrap_or(PIECE).min(PIECE);
        let read = sys::read_at(file, buffer.get_mut(..most).unwrap_or_default(), at)?;
        let piece = buffer.get(..read).filter(|piece| !piece.is_empty());
        let piece = piece.ok_or(io::ErrorKind::UnexpectedEof)?;
        hasher.update(piece);
        at += piece.len() as u64;
    }
    Digest::new(algorithm, hasher.finalize().to_vec()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
