//! Buffers for pieces of files, used again by whichever thread let go of one: a new one costs as much as clearing it,
//! and one that is freed costs the allocator a look through all it has.

use std::cell::RefCell;

use bytes::Bytes;

/// What one holds.
pub(super) const SIZE: usize = 256 << 10;
/// What is read in less is not worth one.
const SMALL: usize = 16 << 10;
/// So many a thread keeps.
const KEPT: usize = 4;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer. What was in it before is never shown.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
}

impl Buffer {
    /// With room for so many bytes, at most [`SIZE`].
    pub(super) fn of(len: usize) -> Self {
        let len = len.min(SIZE);
        if len <= SMALL {
            return Self { bytes: vec![0; len], len };
        }
        // A thread that is ending has none.
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
        Self { bytes: spare.unwrap_or_else(|| vec![0; SIZE]), len }
    }

    /// Where to read to.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// As many bytes as were read into it.
    pub(super) fn filled(mut self, count: usize) -> Bytes {
        self.len = self.len.min(count);
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() == SIZE {
            let _ = SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < KEPT {
                    spare.push(bytes);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_shows_only_what_was_read_into_it() {
        let mut first = Buffer::of(SIZE);
        first.room().fill(7);
        let place = first.room().as_ptr();
        drop(first.filled(SIZE));
        let mut second = Buffer::of(64 << 10);
        assert_eq!(second.room().as_ptr(), place);
        assert_eq!(second.room().len(), 64 << 10);
        second.room()[..3].copy_from_slice(b"new");
        assert_eq!(second.filled(3), b"new".as_slice());
        assert_eq!(Buffer::of(10).filled(20).len(), 10);
    }
}
