//! tus 1.0.0 as a test speaks it: requests as they stand on the wire, by whom, and what holds for every answer.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
};

use haul_testkit::{HttpCaller, http_caller::Answer};

use super::{queued, wait_until};

/// The version that every request says.
pub(crate) const V1: &str = "Tus-Resumable: 1.0.0";
/// The media type of an upload's bytes.
pub(crate) const BYTES: &str = "Content-Type: application/offset+octet-stream";

/// Somebody who speaks tus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tus {
    addr: SocketAddr,
    from: Option<IpAddr>,
    credentials: &'static str,
}

impl Tus {
    /// The user whom everybody knows.
    pub(crate) fn owner(addr: SocketAddr) -> Self {
        Self::with(addr, "Authorization: Basic YTpzZWNyZXQ=\r\n")
    }

    /// Whoever has these credentials: a line.
    pub(crate) fn with(addr: SocketAddr, credentials: &'static str) -> Self {
        Self { addr, from: None, credentials }
    }

    /// The second one.
    pub(crate) fn stranger(addr: SocketAddr) -> Self {
        Self::with(addr, "Authorization: Basic YjpvdGhlcg==\r\n")
    }

    /// Who has no name.
    pub(crate) fn nobody(addr: SocketAddr) -> Self {
        Self::with(addr, "")
    }

    /// The same from another address of loopback.
    pub(crate) fn from(self, from: IpAddr) -> Self {
        Self { from: Some(from), ..self }
    }

    /// A connection.
    #[track_caller]
    pub(crate) fn caller(&self) -> HttpCaller {
        match self.from {
            Some(from) => HttpCaller::from_address(from, self.addr),
            None => HttpCaller::to(self.addr),
        }
    }

    /// The head of a request.
    pub(crate) fn head(&self, method: &str, path: &str, fields: &[&str]) -> String {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{}{fields}\r\n", self.credentials)
    }

    /// A request without the version, on a connection of its own.
    #[track_caller]
    pub(crate) fn says(&self, method: &str, path: &str, fields: &[&str], content: &[u8]) -> Answer {
        let length = format!("Content-Length: {}", content.len());
        let mut all = fields.to_vec();
        if !content.is_empty() || method == "PATCH" {
            all.push(&length);
        }
        let mut request = self.head(method, path, &all).into_bytes();
        request.extend_from_slice(content);
        self.caller().asks(request)
    }

    /// A request in this version; so is its answer, whatever it says, and a refusal is told in words.
    #[track_caller]
    pub(crate) fn asks(&self, method: &str, path: &str, fields: &[&str], content: &[u8]) -> Answer {
        let fields: Vec<&str> = [V1].iter().chain(fields).copied().collect();
        let answer = self.says(method, path, &fields, content);
        is_an_answer(&answer, method);
        answer
    }

    /// A new upload of this name in a folder; its URL.
    #[track_caller]
    pub(crate) fn creates(&self, folder: &str, name: &str, length: u64) -> String {
        let length = format!("Upload-Length: {length}");
        location(&self.asks("POST", folder, &[&length, &filename(name)], b"").expect(201))
    }

    /// More of an upload.
    #[track_caller]
    pub(crate) fn sends(&self, url: &str, at: u64, content: &[u8]) -> Answer {
        self.asks("PATCH", url, &[BYTES, &offset_of(at)], content)
    }

    /// How far an upload is.
    #[track_caller]
    pub(crate) fn offset(&self, url: &str) -> u64 {
        let answer = self.asks("HEAD", url, &[], b"").expect(200);
        answer.head.number("Upload-Offset").expect("an offset")
    }

    /// The status of a HEAD.
    #[track_caller]
    pub(crate) fn status(&self, url: &str) -> u16 {
        self.asks("HEAD", url, &[], b"").status()
    }

    /// A PATCH of which `told` bytes are to come, and these came and were taken.
    #[track_caller]
    pub(crate) fn begins(&self, url: &str, at: u64, told: u64, more: &[&str], content: &[u8]) -> HttpCaller {
        let length = format!("Content-Length: {told}");
        let offset = offset_of(at);
        let fields: Vec<&str> = [V1, BYTES, &offset, &length].iter().chain(more).copied().collect();
        let mut caller = self.caller();
        caller.sends([self.head("PATCH", url, &fields).as_bytes(), content].concat());
        taken(&caller);
        caller
    }
}

/// Waits until the server has taken all that was sent.
#[track_caller]
pub(crate) fn taken(caller: &HttpCaller) {
    let port = caller.port();
    wait_until(|| queued(port).unwrap_or(0) == 0);
}

/// What holds for every answer.
#[track_caller]
fn is_an_answer(answer: &Answer, method: &str) {
    assert_eq!(answer.field("Tus-Resumable"), Some("1.0.0"), "{answer:?}");
    if answer.status() >= 400 && method != "HEAD" {
        assert_eq!(answer.field("Content-Type"), Some("application/problem+json"), "{answer:?}");
        let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["status"], answer.status());
        assert!(problem["detail"].is_string(), "{problem}");
    }
}

/// Where an upload was created.
#[track_caller]
pub(crate) fn location(answer: &Answer) -> String {
    answer.field("Location").expect("a Location").to_owned()
}

/// The Upload-Metadata of a file of this name.
pub(crate) fn filename(name: impl AsRef<[u8]>) -> String {
    format!("Upload-Metadata: filename {}", base64(name.as_ref()))
}

/// The Upload-Offset of a request.
pub(crate) fn offset_of(at: u64) -> String {
    format!("Upload-Offset: {at}")
}

/// RFC 4648 §4, by hand: a witness.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits =
            group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let letter = |at: usize| match at <= group.len() {
            true => char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]),
            false => '=',
        };
        (0..4).map(letter).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// Whether nothing of this name is to be seen in the tree.
pub(crate) fn unseen(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err()
}
