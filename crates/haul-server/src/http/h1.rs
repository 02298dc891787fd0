//! HTTP/1.1 (RFC 9112) by hyper, one request after the other.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, header};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::{
    answer::Body,
    content::Content,
    interim::Interim,
    leaving::Leaving,
    request::{Client, Request},
    service,
    settings::Settings,
    wire::{Lift, Line, Piece, Wire},
};
use crate::{
    ServerError,
    house::{closing, over},
    sys,
};

/// What is read at once when much comes: uploads are fast by large pieces.
const MOST_AT_ONCE: usize = 1 << 20;

/// TLS brings no larger ones.
const MOST_WITHIN_TLS: usize = 128 << 10;

/// Serves a connection until it ends; why it ended, where not well.
pub(super) async fn serve(client: &Arc<Client>, line: Line, first: Bytes) -> Result<(), String> {
    let settings = &client.settings;
    // Within TLS the system cannot send files by itself.
    let lift = (sys::SENDS_FILES && matches!(line, Line::Plain(_))).then(Lift::default);
    let lift_is_had = lift.is_some();
    let interim = Interim::taken();
    let wire =
        Wire::new(line, first, lift.clone().unwrap_or_default(), interim.clone(), settings.times.stall);
    let service = service_fn(|request: http::Request<Incoming>| {
        let (client, interim, lift) = (Arc::clone(client), interim.clone(), lift.clone());
        let (parts, incoming) = request.into_parts();
        let mut request = Request::new(parts, Content::h1(incoming), interim.clone());
        Box::pin(async move {
            let mut answer = service::answer(&client, &mut request).await;
            // It comes too late now.
            drop(interim.take());
            let mut head = answer.head();
            if client.full.is_some() {
                head.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(head.map(|()| Sending::new(answer.body, lift)))
        })
    });
    // As much is also kept of what leaves within TLS, for each client that does not take it.
    let most = if lift_is_had { MOST_AT_ONCE } else { MOST_WITHIN_TLS };
    let connection = rules(settings, most).serve_connection(TokioIo::new(wire), service);
    let mut connection = std::pin::pin!(connection);
    let mut phase = client.house.stop.watch();
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = closing(&mut phase) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            // Only then is there memory for it.
            let mut stopped = Box::pin(over(&mut phase));
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped.as_mut() => return Err("the server is being stopped".to_owned()),
            }
        }
    };
    ended.map_err(|error| error.to_string())
}

/// What holds for a connection on which so much is read at once.
fn rules(settings: &Settings, most: usize) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .half_close(true)
        .max_headers(settings.limits.fields)
        .max_header_size(settings.limits.head)
        .max_buf_size(most.max(settings.limits.head))
        .timer(TokioTimer::new())
        .header_read_timeout(settings.times.head)
        .writev(true);
    builder
}

/// The bytes of an answer, as hyper asks for them.
struct Sending {
    state: State,
    left: Option<u64>,
    lift: Option<Lift>,
}

type Next = Pin<Box<dyn Future<Output = (Box<Leaving>, Option<Result<Piece, ServerError>>)> + Send>>;

enum State {
    Over,
    Bytes(Bytes),
    Leaving(Box<Leaving>),
    Next(Next),
    Made(tokio::sync::mpsc::Receiver<Result<Bytes, ServerError>>),
}

impl Sending {
    fn new(body: Body, lift: Option<Lift>) -> Self {
        let (state, left) = match body {
            Body::Empty | Body::Withheld => (State::Over, Some(0)),
            Body::Bytes(bytes) => {
                let left = bytes.len() as u64;
                (if bytes.is_empty() { State::Over } else { State::Bytes(bytes) }, Some(left))
            }
            Body::Leaving(leaving) => {
                let left = leaving.length();
                (if left == 0 { State::Over } else { State::Leaving(leaving) }, Some(left))
            }
            Body::Made(made) => (State::Made(made), None),
        };
        Self { state, left, lift }
    }
}

impl hyper::body::Body for Sending {
    type Data = Piece;
    type Error = ServerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, ServerError>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Bytes(bytes) => {
                    self.left = Some(0);
                    return Poll::Ready(Some(Ok(Frame::data(Piece::Bytes(bytes)))));
                }
                State::Made(mut made) => {
                    let next = made.poll_recv(cx);
                    if !matches!(next, Poll::Ready(None | Some(Err(_)))) {
                        self.state = State::Made(made);
                    }
                    return next
                        .map(|next| next.map(|made| made.map(|made| Frame::data(Piece::Bytes(made)))));
                }
                State::Leaving(mut leaving) => {
                    let lift = self.lift.clone();
                    self.state = State::Next(Box::pin(async move {
                        let next = leaving.next(lift.as_ref()).await;
                        (leaving, next)
                    }));
                }
                State::Next(mut next) => match next.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Next(next);
                        return Poll::Pending;
                    }
                    Poll::Ready((leaving, Some(Ok(piece)))) => {
                        let len = bytes::Buf::remaining(&piece) as u64;
                        self.left = self.left.map(|left| left.saturating_sub(len));
                        self.state = State::Leaving(leaving);
                        return Poll::Ready(Some(Ok(Frame::data(piece))));
                    }
                    Poll::Ready((_, Some(Err(error)))) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready((_, None)) => return Poll::Ready(None),
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
