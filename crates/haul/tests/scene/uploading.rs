//! Uploads over the HTTP door, said word by word in each of its dialects: PUT whole and in pieces, the IETF draft in
//! every version, and what is told of them at `/-/uploads`.

use std::{
    fmt::Display,
    net::{SocketAddr, TcpStream},
};

use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use haul_testkit::{
    HttpCaller,
    http_caller::{Answer, Head},
};
use serde_json::Value;

use super::{queued, wait_until};

/// The credentials of the user whom everybody knows: `a:secret`.
const OWNER: &str = "Basic YTpzZWNyZXQ=";
/// Those of the second one: `b:other`.
const STRANGER: &str = "Basic YjpvdGhlcg==";

/// The head of a request that is about to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: String,
    head: String,
}

impl Ask {
    /// By nobody.
    pub(crate) fn nameless(method: &str, path: &str) -> Self {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        Self { method: method.to_owned(), head }
    }

    /// By the user whom everybody knows.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self::nameless(method, path).with("Authorization", OWNER)
    }

    /// By the second one.
    pub(crate) fn stranger(method: &str, path: &str) -> Self {
        Self::nameless(method, path).with("Authorization", STRANGER)
    }

    /// With one more field.
    pub(crate) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    /// A piece of a file by Content-Range: `a-b/total`, `*/total`.
    pub(crate) fn range(self, range: impl Display) -> Self {
        self.with("Content-Range", format!("bytes {range}"))
    }

    /// Sent without content, on a connection of its own.
    #[track_caller]
    pub(crate) fn to(self, addr: SocketAddr) -> Answer {
        let Self { method, head } = self;
        let mut caller = HttpCaller::to(addr);
        caller.sends(head + "\r\n");
        caller.answer(&method)
    }

    /// The same with content, and its length.
    #[track_caller]
    pub(crate) fn brings(self, addr: SocketAddr, content: &[u8]) -> Answer {
        let mut sending = self.begins(addr, Some(content.len() as u64));
        // Who is refused beforehand may find nobody who reads on.
        let _ = sending.tries(content);
        sending.ends()
    }

    /// The beginning of a request whose content comes bit by bit: so much of it, or in chunks.
    #[track_caller]
    pub(crate) fn begins(self, addr: SocketAddr, length: Option<u64>) -> Sending {
        let sized = match length {
            Some(length) => self.with("Content-Length", length),
            None => self.with("Transfer-Encoding", "chunked"),
        };
        let mut caller = HttpCaller::to(addr);
        caller.sends(sized.head + "\r\n");
        Sending { caller, method: sized.method, chunked: length.is_none() }
    }
}

/// A request whose content is on its way.
pub(crate) struct Sending {
    caller: HttpCaller,
    method: String,
    chunked: bool,
}

impl Sending {
    #[track_caller]
    pub(crate) fn sends(&mut self, content: &[u8]) {
        self.tries(content).expect("a server that takes them");
    }

    /// Sends to somebody who may have gone.
    pub(crate) fn tries(&mut self, content: &[u8]) -> std::io::Result<()> {
        if self.chunked && !content.is_empty() {
            self.caller.tries(format!("{:x}\r\n", content.len()))?;
            self.caller.tries(content)?;
            self.caller.tries("\r\n")
        } else {
            self.caller.tries(content)
        }
    }

    /// Waits until the server has read all that was sent.
    #[track_caller]
    pub(crate) fn is_taken(&self) {
        let port = self.caller.port();
        wait_until(|| queued(port).unwrap_or(0) == 0);
    }

    /// The next interim answer while it is being sent.
    #[track_caller]
    pub(crate) fn interim(&mut self) -> Head {
        let head = self.caller.next_head().expect("an interim answer");
        assert_eq!(head.status, 104, "{head:?}");
        head
    }

    /// The answer, where all was sent.
    #[track_caller]
    pub(crate) fn ends(mut self) -> Answer {
        if self.chunked {
            let _ = self.caller.tries("0\r\n\r\n");
        }
        self.caller.answer(&self.method)
    }

    /// The answer, where the server has one before all was sent; None where it just hangs up.
    #[track_caller]
    pub(crate) fn hears(&mut self) -> Option<Answer> {
        self.caller.hears(&self.method)
    }

    /// RST, in the middle.
    pub(crate) fn resets(self) {
        self.caller.resets();
    }
}

/// A version of the IETF draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draft(pub(crate) u8);

impl Draft {
    /// All that clients speak.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (3..=9).map(Self)
    }

    /// A request that says which version it is of.
    pub(crate) fn says(self, ask: Ask) -> Ask {
        ask.with("Upload-Draft-Interop-Version", self.0)
    }

    /// The field that tells whether an upload is complete, and its value then.
    pub(crate) fn completeness(self, complete: bool) -> (&'static str, &'static str) {
        if self.0 == 3 {
            ("Upload-Incomplete", if complete { "?0" } else { "?1" })
        } else {
            ("Upload-Complete", if complete { "?1" } else { "?0" })
        }
    }

    /// A request that begins an upload.
    pub(crate) fn creates(self, ask: Ask, complete: bool) -> Ask {
        let (name, value) = self.completeness(complete);
        self.says(ask).with(name, value)
    }

    /// A request that brings more.
    pub(crate) fn appends(self, url: &str, offset: u64, complete: bool) -> Ask {
        let ask = self.creates(Ask::new("PATCH", url), complete).with("Upload-Offset", offset);
        if self.0 >= 6 { ask.with("Content-Type", "application/partial-upload") } else { ask }
    }

    /// What HEAD tells of an upload.
    #[track_caller]
    pub(crate) fn asks(self, addr: SocketAddr, url: &str) -> Known {
        Known::of(&self.says(Ask::new("HEAD", url)).to(addr).expect(204), self)
    }
}

/// A request of tus 1.0.0.
pub(crate) fn tus(method: &str, path: &str) -> Ask {
    Ask::new(method, path).with("Tus-Resumable", "1.0.0")
}

/// One that brings more.
pub(crate) fn tus_appends(url: &str, offset: u64) -> Ask {
    tus("PATCH", url).with("Upload-Offset", offset).with("Content-Type", "application/offset+octet-stream")
}

/// The value of Upload-Metadata that names a file.
pub(crate) fn filename(name: &str) -> String {
    format!("filename {}", STANDARD.encode(name))
}

/// What an answer tells of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) offset: u64,
    pub(crate) complete: bool,
}

impl Known {
    #[track_caller]
    pub(crate) fn of(answer: &Answer, draft: Draft) -> Self {
        let (name, yes) = draft.completeness(true);
        let told = answer.field(name).unwrap_or_else(|| panic!("no {name}: {:?}", answer.head));
        assert!(["?0", "?1"].contains(&told), "{told}");
        let offset = answer.head.number("Upload-Offset").expect("Upload-Offset");
        Self { offset, complete: told == yes }
    }
}

/// Where an upload is.
#[track_caller]
pub(crate) fn location(head: &Head) -> String {
    head.field("Location").unwrap_or_else(|| panic!("no Location: {head:?}")).to_owned()
}

/// What its owner is told of unfinished uploads at a path.
#[track_caller]
pub(crate) fn listed(addr: SocketAddr, path: &str) -> Vec<Value> {
    list_of(&Ask::new("GET", &format!("/-/uploads?path={path}")).to(addr))
}

/// The same of the second user.
#[track_caller]
pub(crate) fn listed_to_stranger(addr: SocketAddr, path: &str) -> Vec<Value> {
    list_of(&Ask::stranger("GET", &format!("/-/uploads?path={path}")).to(addr))
}

#[track_caller]
fn list_of(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.field("Content-Type"), Some("application/json"));
    let list: Value = serde_json::from_slice(&answer.body).expect("JSON");
    list.as_array().expect("a list").clone()
}

/// The offset of the unfinished upload at a path, where there is one.
#[track_caller]
pub(crate) fn offset(addr: SocketAddr, path: &str) -> Option<u64> {
    let list = listed(addr, path);
    list.first().map(|told| told["offset"].as_u64().expect("an offset"))
}

/// The members of a problem (RFC 9457).
#[track_caller]
pub(crate) fn problem(answer: &Answer) -> Value {
    assert_eq!(answer.field("Content-Type"), Some("application/problem+json"), "{:?}", answer.head);
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// The last byte of which the answer's Range speaks, plus one: so many bytes are safe.
#[track_caller]
pub(crate) fn safe(answer: &Answer) -> u64 {
    let Some(range) = answer.field("Range") else { return 0 };
    let last = range.strip_prefix("bytes=0-").unwrap_or_else(|| panic!("{range}"));
    last.parse::<u64>().expect("a number") + 1
}

/// What somebody who polls gets of a file: None where it is not there, where nobody answers, or where the answer is cut.
pub(crate) fn polled(addr: SocketAddr, path: &str) -> Option<Vec<u8>> {
    let mut caller = HttpCaller::over(TcpStream::connect(addr).ok()?);
    caller.tries(Ask::stranger("GET", path).head + "\r\n").ok()?;
    let answer = caller.hears("GET")?;
    match answer.status() {
        200 => answer.whole.then_some(answer.body),
        404 => None,
        status => panic!("{path}: {status} {}", answer.text()),
    }
}
