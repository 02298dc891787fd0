//! Standard output as a place for a file: bytes go out in order and never come back.
//!
//! The last of them are remembered, so that a connection that goes on after a break can be compared with them.

#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsHandle;
use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use haul_core::{ByteRange, transfer::BLOCK};
use haul_store::{Geometry, Held, Note, Partial, Publish, StoreError, Subject};

use crate::failure::{Failure, Kind};

/// Bytes in order, to any writer.
#[derive(Debug)]
pub(crate) struct Out<W> {
    state: Mutex<State<W>>,
}

#[derive(Debug)]
struct State<W> {
    to: W,
    at: u64,
    /// The last bytes that went out.
    tail: Vec<u8>,
}

impl Out<File> {
    /// Standard output itself: the library's own looks for line ends in what goes out and cuts it there.
    pub(crate) fn standard() -> Result<Self, Failure> {
        let stdout = io::stdout();
        #[cfg(unix)]
        let own = stdout.as_fd().try_clone_to_owned();
        #[cfg(windows)]
        let own = stdout.as_handle().try_clone_to_owned();
        let own = own.map_err(|error| Failure::new(Kind::Local, format!("no standard output: {error}")))?;
        Ok(Self::new(own.into()))
    }
}

impl<W: Write> Out<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { state: Mutex::new(State { to, at: 0, tail: Vec::new() }) }
    }

    fn fail(source: io::Error) -> StoreError {
        StoreError::Io { doing: "writing to", path: PathBuf::from("standard output"), source }
    }

    fn refuse(doing: &'static str) -> StoreError {
        let source = io::Error::from(io::ErrorKind::Unsupported);
        StoreError::Io { doing, path: PathBuf::from("standard output"), source }
    }
}

impl<W: Write + Send + 'static> Partial for Out<W> {
    fn geometry(&self) -> Geometry {
        Geometry { can_cut: false, can_read: false, in_order: true, min_part: 0, max_parts: None }
    }

    async fn write(&self, at: u64, bytes: Bytes) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if at != state.at {
            return Err(Self::refuse("writing out of order to"));
        }
        state.to.write_all(&bytes).map_err(Self::fail)?;
        state.at += bytes.len() as u64;
        let kept = BLOCK as usize;
        let fresh = &bytes[bytes.len().saturating_sub(kept)..];
        let old = (state.tail.len() + fresh.len()).saturating_sub(kept);
        state.tail.drain(..old);
        state.tail.extend_from_slice(fresh);
        Ok(())
    }

    async fn read(&self, range: ByteRange) -> Result<Bytes, StoreError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = state.at - state.tail.len() as u64;
        let from = range.start().checked_sub(first).map(|from| from as usize);
        let found = from.and_then(|from| state.tail.get(from..from + range.len() as usize));
        found.map(Bytes::copy_from_slice).ok_or_else(|| Self::refuse("reading back from"))
    }

    async fn sync(&self) -> Result<Held, StoreError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let written = ByteRange::new(0, state.at).into_iter().collect();
        Ok(Held { written, ..Held::default() })
    }

    async fn note(&self, _note: Note) -> Result<(), StoreError> {
        // Nothing outlives this run.
        Ok(())
    }

    async fn reset(&self, _subject: Subject) -> Result<(), StoreError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.at == 0 { Ok(()) } else { Err(Self::refuse("taking back from")) }
    }

    async fn cut(&self, _at: u64) -> Result<(), StoreError> {
        Err(Self::refuse("cutting"))
    }

    async fn publish(self, _how: Publish) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.to.flush().map_err(Self::fail)
    }

    async fn set_aside(self, _suffix: &str) -> Result<PathBuf, StoreError> {
        Ok(PathBuf::from("standard output"))
    }

    async fn discard(self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_tail_can_be_read_again() {
        let out = Out::new(Vec::new());
        let long: Vec<u8> = (0..200_000_u32).map(|i| i as u8).collect();
        for (i, chunk) in long.chunks(7_000).enumerate() {
            out.write(i as u64 * 7_000, Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        let range = ByteRange::new(200_000 - BLOCK, 200_000).unwrap();
        assert_eq!(out.read(range).await.unwrap(), &long[range.start() as usize..]);
        assert!(out.read(ByteRange::new(0, 10).unwrap()).await.is_err());
        assert!(out.write(5, Bytes::from_static(b"x")).await.is_err());
    }
}
