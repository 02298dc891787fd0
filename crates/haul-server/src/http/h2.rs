//! HTTP/2 (RFC 9113) by h2, many requests at a time. Not by hyper, which cannot send interim answers.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    server::{Builder, SendResponse},
};
use haul_core::Modified;
use haul_proto::http::date;
use http::{HeaderValue, Response, header};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{
    answer::Body,
    content::Content,
    interim::{Interim, UPLOAD_RESUMPTION_SUPPORTED},
    preface::Prefaced,
    request::{Client, Request},
    service,
    wire::Piece,
};
use crate::house::{closing, over};

/// What may be on its way for one request, and for all of a connection: much, because links are long.
const WINDOW: u32 = 1 << 20;
const ALL_WINDOWS: u32 = 4 << 20;
/// What waits to be sent for one request.
const WAITING: usize = 128 << 10;

/// Serves a connection until it ends; why it ended, where not well.
pub(super) async fn serve<S>(client: &Arc<Client>, stream: Prefaced<S>) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (limits, times) = (client.settings.limits, client.settings.times);
    let left = stream.left();
    let handshake = Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(ALL_WINDOWS)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .max_send_buffer_size(WAITING)
        .handshake::<_, Bytes>(stream);
    let shaken = timeout(times.handshake, handshake).await;
    let mut connection =
        shaken.map_err(|_| "it was silent for too long".to_owned())?.map_err(|error| error.to_string())?;
    let (mut phase, mut last) = (client.house.stop.watch(), client.house.stop.watch());
    let (mut ending, at_work, mut before) = (false, Arc::new(()), 0);
    loop {
        let next = tokio::select! {
            biased;
            () = over(&mut last) => return Err("the server is being stopped".to_owned()),
            () = closing(&mut phase), if !ending => {
                connection.graceful_shutdown();
                ending = true;
                continue;
            }
            next = timeout(if ending { times.stall } else { times.head }, connection.accept()) => next,
        };
        match next {
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(Some(Ok((request, respond)))) => {
                let (client, working) = (Arc::clone(client), Arc::clone(&at_work));
                tokio::spawn(async move {
                    Box::pin(exchange(&client, request, respond)).await;
                    drop(working);
                });
            }
            // Nothing was asked for; but what was answered may still be on its way out. What the system has of it is not
            // seen here, and would be lost by a connection that is closed while its client still says something: who is
            // told of the end answers that (RFC 9113 §6.8) when all before it has come, and has time for it.
            Err(_) => {
                let now = left.load(Ordering::Relaxed);
                let flows = std::mem::replace(&mut before, now) != now;
                match (flows || Arc::strong_count(&at_work) > 1, ending) {
                    (true, _) => {}
                    (false, true) => return Ok(()),
                    (false, false) => {
                        connection.graceful_shutdown();
                        ending = true;
                    }
                }
            }
        }
    }
}

/// One request and its answer.
async fn exchange(
    client: &Arc<Client>,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let (parts, stream) = request.into_parts();
    // What changes something is brought to its end, whoever still waits; an upload hears of it by its content.
    let safe = parts.method.is_safe();
    let interim = Interim::taken();
    let mut request = Request::new(parts, Content::h2(stream), interim.clone());
    let mut answer = {
        let mut answering = pin!(service::answer(client, &mut request));
        poll_fn(|cx| {
            let polled = answering.as_mut().poll(cx);
            let left = interim.take();
            if polled.is_pending() {
                for fields in left {
                    let mut head = Response::new(());
                    if let Ok(status) = UPLOAD_RESUMPTION_SUPPORTED.try_into() {
                        *head.status_mut() = status;
                    }
                    *head.headers_mut() = fields;
                    // A client that has gone is noticed soon enough.
                    let _ = respond.send_informational(head);
                }
            }
            match polled {
                Poll::Pending if safe && respond.poll_reset(cx).is_ready() => Poll::Ready(None),
                polled => polled.map(Some),
            }
        })
        .await
    };
    // Else the client does not want it any more.
    let Some(answer) = &mut answer else { return };
    let mut head = answer.head();
    // hyper does it over HTTP/1.1 (RFC 9110 §6.6.1).
    if let Some(date) = now() {
        head.headers_mut().insert(header::DATE, date);
    }
    let body = std::mem::replace(&mut answer.body, Body::Empty);
    let empty = matches!(&body, Body::Empty | Body::Withheld);
    let Ok(mut stream) = respond.send_response(head, empty) else { return };
    if empty {
        return;
    }
    if send(&mut stream, body, client.settings.times.stall).await.is_err() {
        stream.send_reset(Reason::INTERNAL_ERROR);
    }
}

/// The time, as HTTP writes it.
fn now() -> Option<HeaderValue> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since.as_secs()).ok()?;
    HeaderValue::try_from(date::http_date(Modified { seconds, nanos: 0, strong: false })?).ok()
}

/// Bytes stopped.
struct Stopped;

async fn send(stream: &mut SendStream<Bytes>, body: Body, stall: Duration) -> Result<(), Stopped> {
    match body {
        Body::Empty | Body::Withheld => {}
        Body::Bytes(bytes) => write(stream, bytes, stall).await?,
        Body::Made(mut made) => {
            while let Some(bytes) = made.recv().await {
                write(stream, bytes.map_err(|_| Stopped)?, stall).await?;
            }
        }
        Body::Leaving(mut leaving) => {
            while let Some(piece) = leaving.next(None).await {
                match piece {
                    Ok(Piece::Bytes(bytes)) => write(stream, bytes, stall).await?,
                    // Only where there is a lift.
                    Ok(Piece::Stand(_)) | Err(_) => return Err(Stopped),
                }
            }
        }
    }
    stream.send_data(Bytes::new(), true).map_err(|_| Stopped)
}

async fn write(stream: &mut SendStream<Bytes>, mut bytes: Bytes, stall: Duration) -> Result<(), Stopped> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let room = timeout(stall, poll_fn(|cx| stream.poll_capacity(cx))).await;
        let room = room.ok().flatten().and_then(Result::ok).ok_or(Stopped)?;
        let count = room.min(bytes.len());
        stream.send_data(bytes.split_to(count), false).map_err(|_| Stopped)?;
    }
    Ok(())
}
