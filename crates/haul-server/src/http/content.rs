//! What a request brings: bytes, one piece after the other, and whether they ended as a whole message ends.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

/// The content of a request.
pub(super) enum Content {
    /// None.
    Empty,
    /// Over HTTP/1.1.
    H1(Incoming),
    /// Over HTTP/2.
    H2(h2::RecvStream),
}

/// Why no more came, though more was to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut(pub(super) String);

impl Content {
    /// Of a request over HTTP/1.1.
    pub(super) fn h1(incoming: Incoming) -> Self {
        if incoming.is_end_stream() { Self::Empty } else { Self::H1(incoming) }
    }

    /// Of a request over HTTP/2.
    pub(super) fn h2(stream: h2::RecvStream) -> Self {
        if stream.is_end_stream() { Self::Empty } else { Self::H2(stream) }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The next piece, waited for no longer than `stall`; `None` at a clean end. A failure is the end as well.
    pub(super) async fn next(&mut self, stall: Duration) -> Option<Result<Bytes, Cut>> {
        let waited = timeout(stall, self.piece()).await;
        let next = waited.unwrap_or_else(|_| Some(Err(Cut("it stood still for too long".to_owned()))));
        if !matches!(next, Some(Ok(_))) {
            *self = Self::Empty;
        }
        next
    }

    async fn piece(&mut self) -> Option<Result<Bytes, Cut>> {
        loop {
            let piece = match self {
                Self::Empty => return None,
                Self::H1(incoming) => match incoming.frame().await? {
                    // Trailers say nothing that is asked for here.
                    Ok(frame) => frame.into_data().unwrap_or_default(),
                    Err(error) => return Some(Err(Cut(words(&error)))),
                },
                Self::H2(stream) => match stream.data().await? {
                    Ok(piece) => {
                        // The stream is open: there is a window to give back to.
                        let _ = stream.flow_control().release_capacity(piece.len());
                        piece
                    }
                    Err(error) => return Some(Err(Cut(error.to_string()))),
                },
            };
            if !piece.is_empty() {
                return Some(Ok(piece));
            }
        }
    }
}

fn words(error: &hyper::Error) -> String {
    if error.is_timeout() {
        "it stood still for too long".to_owned()
    } else if error.is_incomplete_message() || error.is_closed() {
        "the connection ended".to_owned()
    } else {
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        source.map_or_else(|| error.to_string(), |source| source.kind().to_string())
    }
}
