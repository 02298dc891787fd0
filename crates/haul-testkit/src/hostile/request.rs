//! Reading requests, and the record that tests look at.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A request as it came, and what it got. The figures go on counting while the answer is under way.
#[derive(Debug, Clone)]
pub struct Request {
    /// The number of the connection it came on, from 0.
    pub connection: usize,
    /// GET, HEAD …
    pub method: String,
    /// The request target as it was written.
    pub target: String,
    /// The header fields in order, as they were written.
    pub fields: Vec<(String, String)>,
    pub(super) progress: Arc<Progress>,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) status: AtomicU64,
    pub(super) body_sent: AtomicU64,
    pub(super) complete: AtomicBool,
}

impl Request {
    /// The value of a field, whatever the case of its name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The first and the last position of `Range: bytes=A-B`; None for several ranges, suffixes and nonsense.
    pub fn range(&self) -> Option<(u64, Option<u64>)> {
        let (first, last) = self.field("Range")?.strip_prefix("bytes=")?.split_once('-')?;
        let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
        let first = first.parse().ok()?;
        last.is_none_or(|last| last >= first).then_some((first, last))
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The status it got; 0 as long as it got none.
    pub fn status(&self) -> u16 {
        self.progress.status.load(Ordering::Relaxed) as u16
    }

    /// How many bytes of body it was sent.
    pub fn body_sent(&self) -> u64 {
        self.progress.body_sent.load(Ordering::Relaxed)
    }

    /// Whether its answer was sent to the end.
    pub fn is_complete(&self) -> bool {
        self.progress.complete.load(Ordering::Relaxed)
    }
}

/// The next request of a connection; None when it ends instead.
pub(super) fn read(from: &mut impl BufRead, connection: usize) -> io::Result<Option<Request>> {
    let Some(line) = line(from)? else { return Ok(None) };
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("not a request line: {line:?}")));
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let mut fields = Vec::new();
    while let Some(line) = line_of_head(from)? {
        if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    let request = Request { connection, method, target, fields, progress: Arc::default() };
    let body = request.field("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
    io::copy(&mut from.take(body), &mut io::sink())?;
    Ok(Some(request))
}

fn line_of_head(from: &mut impl BufRead) -> io::Result<Option<String>> {
    Ok(line(from)?.filter(|line| !line.is_empty()))
}

fn line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if from.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&line);
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}
