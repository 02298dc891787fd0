//! Buffers that are read into, handed on as `Bytes`, and come back when the last holder lets go: a new one for each
//! piece would cost as much as reading it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// So many are kept for the next pieces.
const KEPT: usize = 8;

/// Where buffers come from.
#[derive(Clone, Debug)]
pub(super) struct Buffers {
    size: usize,
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Buffers {
    /// Of this size, in bytes.
    pub(super) fn of(size: usize) -> Self {
        Self { size, spare: Arc::default() }
    }

    /// What each of them holds.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// One to read into. What is in it is whatever was there before.
    pub(super) fn take(&self) -> Vec<u8> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| vec![0; self.size])
    }

    /// Its first bytes, which are handed on.
    pub(super) fn filled(&self, buffer: Vec<u8>, len: usize) -> Bytes {
        let len = len.min(buffer.len());
        Bytes::from_owner(Lent { buffer, len, home: Arc::clone(&self.spare) })
    }
}

/// A buffer on its way.
struct Lent {
    buffer: Vec<u8>,
    len: usize,
    home: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut spare = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < KEPT {
            spare.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_the_last_holder_lets_go() {
        let buffers = Buffers::of(10);
        let mut first = buffers.take();
        first.fill(7);
        let place = first.as_ptr();
        let mut piece = buffers.filled(first, 4);
        assert_eq!(&piece[..], [7; 4]);
        let part = piece.split_to(1);
        drop(piece);
        let other = buffers.take();
        assert_ne!(other.as_ptr(), place, "a part of it is still held");
        drop(part);
        let again = buffers.take();
        assert_eq!((again.as_ptr(), again.len()), (place, 10));
    }
}
