//! What a request brings (RFC 9112 §6): nothing, or bytes that come piece by piece from elsewhere.
//!
//! Pieces are handed on as they are, without a copy. Whoever lets go of [`Pieces`] before the end was told breaks the
//! request off: a body that is cut never looks like one that is whole.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// Pieces that wait to be taken by the connection.
const WAITING: usize = 1;

/// The content of a request.
pub struct Content {
    pieces: Option<mpsc::Receiver<Word>>,
    /// How many bytes are still to come; `None` is not known.
    left: Option<u64>,
}

/// Where a request's bytes are handed over.
#[derive(Debug)]
pub struct Pieces {
    words: mpsc::Sender<Word>,
}

#[derive(Debug)]
enum Word {
    Piece(Bytes),
    End,
}

/// The content was broken off on purpose, or its source went away.
#[derive(Debug, thiserror::Error)]
#[error("the content was broken off")]
pub struct BrokenOff;

impl Content {
    /// None at all, and no Content-Length.
    pub fn none() -> Self {
        Self { pieces: None, left: Some(0) }
    }

    /// Content of so many bytes, or in chunks where nobody knows how many.
    pub fn of(length: Option<u64>) -> (Pieces, Self) {
        let (words, pieces) = mpsc::channel(WAITING);
        (Pieces { words }, Self { pieces: Some(pieces), left: length })
    }
}

impl Pieces {
    /// Waits until the connection can take another piece. Can be broken off.
    ///
    /// # Errors
    /// The connection wants no more.
    pub async fn room(&self) -> Result<Room<'_>, BrokenOff> {
        self.words.reserve().await.map(Room).map_err(|_| BrokenOff)
    }
}

/// Room for one piece, or for the end.
#[derive(Debug)]
pub struct Room<'a>(mpsc::Permit<'a, Word>);

impl Room<'_> {
    /// Hands a piece over.
    pub fn take(self, piece: Bytes) {
        self.0.send(Word::Piece(piece));
    }

    /// That was all.
    pub fn end(self) {
        self.0.send(Word::End);
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let content = self.get_mut();
        let Some(pieces) = &mut content.pieces else { return Poll::Ready(None) };
        match std::task::ready!(pieces.poll_recv(cx)) {
            Some(Word::Piece(piece)) => {
                if let Some(left) = &mut content.left {
                    *left = left.saturating_sub(piece.len() as u64);
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Some(Word::End) => {
                content.pieces = None;
                Poll::Ready(None)
            }
            None => Poll::Ready(Some(Err(BrokenOff))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_none() || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("left", &self.left).finish_non_exhaustive()
    }
}
