//! Through the real hyper, over a real connection: what this room takes for granted of it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use haul_testkit::{Content, HttpCaller, http_caller};
use hyper::{
    body::{Body, Frame, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;

const FILE: Content = Content::new(25, 40 << 20);

/// How much went by the file's own way, and not through hyper's buffers.
#[derive(Default)]
struct Count(AtomicU64);

impl Watching for Count {
    fn sent(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// A part of a body: text, or a stretch of the file.
#[derive(Clone, Copy)]
enum Part {
    Text(&'static str),
    File(u64, u64),
}

/// A body of such parts.
struct Parts {
    parts: VecDeque<Part>,
    file: Arc<File>,
    count: Arc<Count>,
    lift: Lift,
}

impl Body for Parts {
    type Data = Piece;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Infallible>>> {
        ready!(self.lift.poll_empty(cx));
        Poll::Ready(self.parts.pop_front().map(|part| {
            Ok(Frame::data(match part {
                Part::Text(text) => Piece::Bytes(text.into()),
                Part::File(at, to) => {
                    let (file, watching) = (Arc::clone(&self.file), Arc::clone(&self.count));
                    self.lift.put(Stretch { file, at, to, watching, pace: None });
                    Piece::Stand(usize::try_from(to - at).unwrap())
                }
            }))
        }))
    }

    fn size_hint(&self) -> SizeHint {
        let len = |part: &Part| match part {
            Part::Text(text) => text.len() as u64,
            Part::File(at, to) => to - at,
        };
        SizeHint::with_exact(self.parts.iter().map(len).sum())
    }
}

/// What a client gets of such a body, and how much of it went by the file's own way.
fn sent(
    parts: &[Part],
    ask: impl FnOnce(SocketAddr) -> http_caller::Answer + Send + 'static,
) -> (Vec<u8>, u64) {
    let scratch = tempfile::tempdir().unwrap();
    FILE.write_to(scratch.path().join("f"));
    let file = Arc::new(File::open(scratch.path().join("f")).unwrap());
    let (count, parts) = (Arc::<Count>::default(), VecDeque::from(parts.to_vec()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counted = Arc::clone(&count);
    let answer = runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asking = thread::spawn(move || ask(addr));
        let (stream, _) = listener.accept().await.unwrap();
        let lift = Lift::default();
        let line = Line::Plain(Arc::new(stream));
        let stall = Duration::from_secs(30);
        let wire = Wire::new(line, Bytes::new(), lift.clone(), Interim::default(), stall);
        let service = service_fn(|_| {
            let (parts, file) = (parts.clone(), Arc::clone(&file));
            let body = Parts { parts, file, count: Arc::clone(&counted), lift: lift.clone() };
            async move { Ok::<_, Infallible>(http::Response::new(body)) }
        });
        let mut builder = http1::Builder::new();
        // As the door has it.
        builder.half_close(true).max_buf_size(1 << 20).writev(true);
        builder.serve_connection(TokioIo::new(wire), service).await.unwrap();
        asking.join().unwrap()
    });
    assert_eq!(answer.status(), 200);
    assert!(answer.whole);
    (answer.body, count.0.load(Ordering::Relaxed))
}

fn asks(addr: SocketAddr) -> http_caller::Answer {
    HttpCaller::to(addr).asks("GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
}

fn expected(parts: &[Part]) -> Vec<u8> {
    let bytes = |part: &Part| match *part {
        Part::Text(text) => text.as_bytes().to_vec(),
        Part::File(at, to) => FILE.bytes(at..to),
    };
    parts.iter().flat_map(bytes).collect()
}

#[test]
fn a_file_leaves_by_the_system_and_arrives_whole() {
    for (at, to) in [(0, 1), (7, 64), (0, 65), (1, 4096), (0, 1 << 20), (5, (1 << 20) + 6), (0, FILE.size())]
    {
        let parts = [Part::File(at, to)];
        let (body, by_system) = sent(&parts, asks);
        assert!(body == expected(&parts), "{at} to {to}");
        assert_eq!(by_system, to - at, "hyper has copied what stands for a file");
    }
}

#[test]
fn files_and_text_keep_their_order() {
    let parts = [
        Part::Text("first\r\n"),
        Part::File(0, 3_000_000),
        Part::Text("between\r\n"),
        Part::Text("and again\r\n"),
        Part::File(3_000_000, 3_000_001),
        Part::File(20_000_000, 30_000_000),
        Part::Text("last"),
    ];
    let (body, by_system) = sent(&parts, asks);
    assert!(body == expected(&parts));
    assert_eq!(by_system, 13_000_001);
}

#[test]
fn a_client_that_sends_while_it_is_answered_changes_nothing() {
    let parts = [Part::Text("head"), Part::File(0, FILE.size()), Part::Text("tail")];
    let (body, by_system) = sent(&parts, |addr| {
        let mut caller = HttpCaller::to(addr);
        caller.sends("GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        // More than it can want, while the file goes the other way.
        caller.sends("GET /f HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1000));
        caller.answer("GET")
    });
    assert!(body == expected(&parts));
    assert_eq!(by_system, FILE.size());
}
