//! The body of one HTTP answer (RFC 9112 section 6), in pieces that are worth writing.
//!
//! A big read is handed on as it came. Small ones, chunks of a few KiB or what a slow link brings, would each cost a
//! write and a record in the journal: what has come already is joined, and nothing is waited for. It is never joined
//! beyond what one read brings: under a rate limit reads are small, so that bytes come evenly.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{Body, Failed, Idle, http::broken};
use crate::connect::Connection;

/// A piece of this size is worth a write of its own.
const ENOUGH: usize = 128 << 10;

/// The body of an HTTP answer.
#[derive(Debug)]
pub(crate) struct HttpBody {
    incoming: Incoming,
    connection: Option<Connection>,
    idle: Arc<Idle>,
    /// From this size on a piece is handed on.
    enough: usize,
    /// How it ended, where that was seen while pieces were joined.
    ended: Option<Result<(), Failed>>,
}

impl HttpBody {
    /// `read` is what one read of the connection may bring.
    pub(super) fn new(incoming: Incoming, connection: Connection, idle: Arc<Idle>, read: usize) -> Self {
        Self { incoming, connection: Some(connection), idle, enough: read.min(ENOUGH), ended: None }
    }

    /// Adds what has come already to a small piece.
    async fn gather(&mut self, first: Bytes) -> Bytes {
        let mut joined = BytesMut::new();
        while joined.len() < self.enough {
            // The connection's task hands over one frame at a turn of its own.
            tokio::task::yield_now().await;
            let now = pin!(frame(&mut self.incoming)).poll(&mut Context::from_waker(Waker::noop()));
            match now {
                Poll::Ready(Ok(Some(more))) => {
                    if joined.is_empty() {
                        joined.reserve(first.len() + more.len().max(self.enough));
                        joined.extend_from_slice(&first);
                    }
                    joined.extend_from_slice(&more);
                }
                Poll::Ready(end) => {
                    self.ended = Some(end.map(drop));
                    break;
                }
                Poll::Pending => break,
            }
        }
        if joined.is_empty() { first } else { joined.freeze() }
    }

    fn end(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.idle.put(connection);
        }
    }
}

impl Body for HttpBody {
    async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        let piece = match self.ended.take() {
            Some(end) => end.map(|()| None)?,
            None => frame(&mut self.incoming).await?,
        };
        match piece {
            Some(piece) if piece.len() < self.enough => Ok(Some(self.gather(piece).await)),
            Some(piece) => Ok(Some(piece)),
            None => {
                self.end();
                Ok(None)
            }
        }
    }
}

/// The bytes of the next frame that has some. Waiting for it can be broken off.
async fn frame(incoming: &mut Incoming) -> Result<Option<Bytes>, Failed> {
    loop {
        match incoming.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if !data.is_empty() => return Ok(Some(data)),
                _ => {}
            },
            Some(Err(error)) => return Err(broken(&error)),
            None => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::{Request, client::conn::http1};
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// The body of what a server sends after the head `HTTP/1.1 200 OK`.
    async fn body_of(rest: Vec<u8>) -> HttpBody {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move {
            let mut asked = vec![0; 4096];
            let _ = far.read(&mut asked).await;
            let _ = far.write_all(b"HTTP/1.1 200 OK\r\n").await;
            let _ = far.write_all(&rest).await;
        });
        let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/").body(http_body_util::Empty::<Bytes>::new()).unwrap();
        let incoming = sender.send_request(request).await.unwrap().into_body();
        HttpBody { incoming, connection: None, idle: Arc::default(), enough: ENOUGH, ended: None }
    }

    fn chunks(count: usize) -> Vec<u8> {
        let mut sent = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
        for n in 0..count {
            sent.extend_from_slice(format!("100\r\n{}\r\n", format!("{n:04}").repeat(64)).as_bytes());
        }
        sent
    }

    /// All pieces to the end, and how that was.
    async fn pieces(mut body: HttpBody) -> (Vec<Bytes>, Result<(), Failed>) {
        let mut pieces = Vec::new();
        loop {
            match body.next().await {
                Ok(Some(piece)) => pieces.push(piece),
                Ok(None) => return (pieces, Ok(())),
                Err(failed) => return (pieces, Err(failed)),
            }
        }
    }

    #[tokio::test]
    async fn small_chunks_that_are_here_are_one_piece() {
        let mut sent = chunks(1000);
        sent.extend_from_slice(b"0\r\n\r\n");
        let (pieces, end) = pieces(body_of(sent).await).await;
        assert!(end.is_ok());
        assert!(pieces.len() < 20, "{} pieces of 1000 chunks", pieces.len());
        let whole: Vec<u8> = (0..1000).flat_map(|n| format!("{n:04}").repeat(64).into_bytes()).collect();
        assert_eq!(pieces.concat(), whole);
    }

    #[tokio::test]
    async fn what_came_before_the_connection_broke_is_not_lost() {
        let (pieces, end) = pieces(body_of(chunks(100)).await).await;
        assert_eq!(pieces.concat().len(), 25_600);
        assert!(end.is_err());
    }

    #[tokio::test]
    async fn a_body_of_nothing_ends() {
        let (pieces, end) = pieces(body_of(b"Content-Length: 0\r\n\r\n".to_vec()).await).await;
        assert!(pieces.is_empty() && end.is_ok());
    }
}
