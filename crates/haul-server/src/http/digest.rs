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
use crate::sys;

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

/// The ETag has all that tells a version from another.
type Key = (String, Algorithm);
/// `None` until it is computed, or where it could not be.
type Known = watch::Receiver<Option<Digest>>;

impl Default for Digests {
    fn default() -> Self {
        Self { known: Mutex::default(), turns: Arc::new(Semaphore::new(AT_A_TIME)) }
    }
}

/// The digest of what was opened, if there is one in time.
pub(super) async fn of(client: &Client, reading: &Reading, algorithm: Algorithm) -> Option<Digest> {
    let Body::File(file) = &reading.body else { return None };
    let digests = &client.house.digests;
    let key = (file::current(reading).etag().opaque.clone(), algorithm);
    let mut known = digests.ask(key, reading, file, algorithm);
    let told = timeout(PATIENCE, known.wait_for(Option::is_some)).await;
    told.ok()?.ok().and_then(|digest| digest.clone())
}

impl Digests {
    fn known(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the digest will be told; has it computed where nobody has.
    fn ask(&self, key: Key, reading: &Reading, file: &Arc<File>, algorithm: Algorithm) -> Known {
        let mut known = self.known();
        if let Some(there) = known.get(&key)
            // One that could not be computed is tried again.
            && (there.borrow().is_some() || there.has_changed().is_ok())
        {
            return there.clone();
        }
        let is_computed = |one: &Known| one.borrow().is_none() && one.has_changed().is_ok();
        if known.values().filter(|one| is_computed(one)).count() >= MOST_WAITING {
            // Each holds a file open.
            return watch::channel(None).1;
        }
        if known.len() >= MOST {
            known.retain(|_, other| other.borrow().is_none() && other.has_changed().is_ok());
        }
        let (tell, told) = watch::channel(None);
        known.insert(key, told.clone());
        let (file, turns, meta) = (Arc::clone(file), Arc::clone(&self.turns), reading.meta.clone());
        tokio::spawn(async move {
            let Ok(turn) = turns.acquire_owned().await else { return };
            let computed = spawn_blocking(move || compute(&file, &meta, algorithm)).await;
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

fn compute(file: &File, meta: &Meta, algorithm: Algorithm) -> io::Result<Digest> {
    let computed = match algorithm {
        Algorithm::Sha512 => whole::<Sha512>(file, meta.size, algorithm),
        _ => whole::<Sha256>(file, meta.size, Algorithm::Sha256),
    }?;
    // One of half an old and half a new file is nobody's.
    let since = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    let same = i64::try_from(since.as_secs()) == Ok(meta.modified.seconds)
        && since.subsec_nanos() == meta.modified.nanos;
    if same { Ok(computed) } else { Err(io::Error::other("the file was changed meanwhile")) }
}

fn whole<D: sha2::Digest>(file: &File, size: u64, algorithm: Algorithm) -> io::Result<Digest> {
    let (mut hasher, mut buffer, mut at) = (D::new(), vec![0; PIECE], 0);
    while at < size {
        let read = sys::read_at(file, &mut buffer, at)?;
        let piece = buffer.get(..read).filter(|piece| !piece.is_empty());
        let piece = piece.ok_or(io::ErrorKind::UnexpectedEof)?;
        hasher.update(piece);
        at += piece.len() as u64;
    }
    Digest::new(algorithm, hasher.finalize().to_vec()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
