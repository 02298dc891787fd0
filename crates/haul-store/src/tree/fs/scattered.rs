//! Several writers of one staged file, each in its own stretch: they wait for nobody but the disk. Where a byte was not
//! written the file is sparse.

use std::{
    io,
    sync::{Arc, PoisonError},
};

use bytes::Bytes;

use super::{
    staged::Received,
    take::{Held, Way},
};
use crate::{Scattered, Source, StoreError, Stretch, Taken, Then, Work, tree::pool::hop};

pub(super) struct FsScattered(pub(super) Arc<Received>);

impl Scattered for FsScattered {
    fn write<'a>(&'a self, stretch: &'a Arc<Stretch>, bytes: Bytes) -> Work<'a, u64> {
        let (received, stretch) = (Arc::clone(&self.0), Arc::clone(stretch));
        hop(&self.0.tree.pool, move || received.write_into(&stretch, &bytes))
    }

    fn take<'a>(
        &'a self,
        stretch: &'a Arc<Stretch>,
        mut source: Box<dyn Source>,
        most: u64,
    ) -> Work<'a, Taken> {
        let (received, stretch) = (Arc::clone(&self.0), Arc::clone(stretch));
        hop(&self.0.tree.pool, move || received.take_into(&stretch, source.as_mut(), most))
    }
}

impl Received {
    fn write_into(&self, stretch: &Stretch, bytes: &[u8]) -> Result<u64, StoreError> {
        let (at, room) = stretch.reserve(bytes.len() as u64);
        let piece = usize::try_from(room).ok().and_then(|room| bytes.get(..room)).unwrap_or_default();
        let written = self.beside(at + room, || self.write(piece, at).map(drop));
        stretch.wrote(if written.is_ok() { room } else { 0 });
        written.map(|()| room)
    }

    /// Writes somewhere before `end`, unless all is over.
    fn beside(&self, end: u64, write: impl FnOnce() -> io::Result<()>) -> Result<(), StoreError> {
        // First this: whoever ends all waits for it, and whoever comes later sees that it is over.
        let _turn = self.beside.read().unwrap_or_else(PoisonError::into_inner);
        self.reach(end)?;
        let written = write().map_err(|error| self.failed("writing", error));
        // A sync that was under way when this began has not saved it.
        self.touched();
        written
    }

    fn take_into(&self, stretch: &Stretch, source: &mut dyn Source, most: u64) -> Result<Taken, StoreError> {
        let mut way = Way::new();
        let mut bytes = 0;
        let then = loop {
            let (at, room) = stretch.reserve(way.room());
            if bytes >= most || room == 0 {
                stretch.wrote(0);
                break Then::Enough;
            }
            let came = match way.fill(source, room) {
                Ok(came) => came,
                Err(then) => {
                    stretch.wrote(0);
                    break then;
                }
            };
            let end = at + came as u64;
            let written = self.beside(end, || way.empty(came, |held| self.put(&held, at)));
            stretch.wrote(if written.is_ok() { came as u64 } else { 0 });
            written?;
            bytes += came as u64;
        };
        Ok(Taken { bytes, then })
    }

    /// Writes what a way holds at a place; whether the file system can take it from a pipe.
    fn put(&self, held: &Held<'_>, mut at: u64) -> io::Result<bool> {
        let (pipe, mut left) = match held {
            Held::Memory(bytes) => return self.write(bytes, at).map(|_| true),
            Held::Pipe(pipe, held) => (pipe, *held),
        };
        let mut able = true;
        while left > 0 {
            let put = self.splice(pipe, at, left)?;
            able &= put.able;
            at += put.bytes as u64;
            left = left.saturating_sub(put.bytes);
        }
        Ok(able)
    }
}
