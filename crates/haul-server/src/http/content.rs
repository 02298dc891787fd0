//! What a request brings: bytes, one piece after the other, whether they ended as a whole message ends, and the fields
//! that may stand behind them (trailers, RFC 9110 §6.5). How many of those there may be, hyper and h2 say, as of a head.

use std::{io, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::{error::Elapsed, timeout};

/// Less than this is copied: who sends little waits long, and hyper reads on into the same buffer if nobody has a part
/// of it any more, and into another one if somebody has.
const LITTLE: usize = 4 << 10;

/// The content of a request.
pub(super) enum Content {
    /// None.
    Empty,
    /// Over HTTP/1.1.
    H1(Incoming),
    /// Over HTTP/2.
    H2(h2::RecvStream),
    /// All of it came, and these fields behind it.
    Trailed(Box<HeaderMap>),
}

/// What comes next of a content.
enum Next {
    Piece(Bytes),
    /// The end, with these fields, where there are any.
    End(Option<HeaderMap>),
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

    /// The fields that stand behind the content, once its end has come.
    pub(super) fn trailers(&self) -> HeaderMap {
        match self {
            Self::Trailed(fields) => HeaderMap::clone(fields),
            Self::Empty | Self::H1(_) | Self::H2(_) => HeaderMap::new(),
        }
    }

    /// The next piece, if it comes within this time; it may be asked for again, and nothing of it is lost. `None` at a
    /// clean end. A failure is the end as well.
    pub(super) async fn next(&mut self, time: Duration) -> Result<Option<Result<Bytes, Cut>>, Elapsed> {
        timeout(time, self.piece()).await.map(|next| self.come(next))
    }

    /// No more is waited for.
    pub(super) fn stalled(&mut self) -> Option<Result<Bytes, Cut>> {
        self.come(Err(Cut("it stood still for too long".to_owned())))
    }

    fn come(&mut self, next: Result<Next, Cut>) -> Option<Result<Bytes, Cut>> {
        match next {
            Ok(Next::Piece(piece)) => Some(Ok(piece)),
            Ok(Next::End(Some(fields))) => {
                *self = Self::Trailed(Box::new(fields));
                None
            }
            Ok(Next::End(None)) => {
                *self = Self::Empty;
                None
            }
            Err(cut) => {
                *self = Self::Empty;
                Some(Err(cut))
            }
        }
    }

    async fn piece(&mut self) -> Result<Next, Cut> {
        loop {
            let piece = match self {
                Self::Empty => return Ok(Next::End(None)),
                Self::Trailed(fields) => return Ok(Next::End(Some(std::mem::take(&mut **fields)))),
                Self::H1(incoming) => match incoming.frame().await {
                    None => return Ok(Next::End(None)),
                    Some(Err(error)) => return Err(Cut(words(&error))),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(piece) if piece.len() < LITTLE => Bytes::copy_from_slice(&piece),
                        Ok(piece) => piece,
                        // Nothing else follows.
                        Err(frame) => return Ok(Next::End(frame.into_trailers().ok())),
                    },
                },
                Self::H2(stream) => match stream.data().await {
                    None => {
                        let trailers = stream.trailers().await;
                        return trailers.map(Next::End).map_err(|error| Cut(error.to_string()));
                    }
                    Some(Err(error)) => return Err(Cut(error.to_string())),
                    Some(Ok(piece)) => {
                        // The stream is open: there is a window to give back to.
                        let _ = stream.flow_control().release_capacity(piece.len());
                        piece
                    }
                },
            };
            if !piece.is_empty() {
                return Ok(Next::Piece(piece));
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
