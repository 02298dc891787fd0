//! Reading the head and the content of a request, and the record that tests look at.

use std::io::{self, BufRead, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::behaviour::Step;

/// A request as it came, and what it got. The figures go on counting while it is under way.
#[derive(Debug, Clone)]
pub struct UploadRequest {
    /// The number of the connection it came on, from 0.
    pub connection: usize,
    /// PUT, PATCH …
    pub method: String,
    /// The request target as it was written.
    pub target: String,
    /// The header fields in order, as they were written.
    pub fields: Vec<(String, String)>,
    /// What it was for.
    pub step: Step,
    /// The offset in the upload at which its content was meant to begin.
    pub from: u64,
    pub(super) progress: Arc<Progress>,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) status: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) interim: AtomicU64,
    pub(super) complete: AtomicBool,
}

impl UploadRequest {
    /// The value of a field, whatever the case of its name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The same where its value is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The status it got; 0 as long as it got none.
    pub fn status(&self) -> u16 {
        self.progress.status.load(Ordering::Relaxed) as u16
    }

    /// How many bytes of its content were read, whatever became of them.
    pub fn received(&self) -> u64 {
        self.progress.received.load(Ordering::Relaxed)
    }

    /// How many 104 it got.
    pub fn announcements(&self) -> u64 {
        self.progress.interim.load(Ordering::Relaxed)
    }

    /// Whether all of its content came.
    pub fn is_complete(&self) -> bool {
        self.progress.complete.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, bytes: usize) {
        self.progress.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The next request's head; None when the connection ends instead. Its step and offset are still to be found out.
pub(super) fn head(from: &mut impl BufRead, connection: usize) -> io::Result<Option<UploadRequest>> {
    let Some(line) = line(from)? else { return Ok(None) };
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("not a request line: {line:?}")));
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let mut fields = Vec::new();
    while let Some(line) = self::line(from)?.filter(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    Ok(Some(UploadRequest {
        connection,
        method,
        target,
        fields,
        step: Step::Other,
        from: 0,
        progress: Arc::default(),
    }))
}

fn line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if from.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&line);
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The content of a request, as far as it was not yet read (RFC 9112 §6 and §7.1).
#[derive(Debug)]
pub(super) enum Content {
    /// So many bytes.
    Sized(u64),
    /// So many of the chunk that has begun.
    Chunk(u64),
    /// Nothing more.
    Ended,
}

impl Content {
    pub(super) fn of(request: &UploadRequest) -> Self {
        let chunked = request.field("Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
        match request.number("Content-Length") {
            _ if chunked => Self::Chunk(0),
            Some(length) if length > 0 => Self::Sized(length),
            _ => Self::Ended,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// Some bytes of it; none at its end. The end of the connection is an error.
    pub(super) fn read(&mut self, from: &mut impl BufRead, out: &mut [u8]) -> io::Result<usize> {
        let left = match self {
            Self::Ended => return Ok(0),
            Self::Chunk(0) => {
                let Some(size) = line(from)? else { return Err(ErrorKind::UnexpectedEof.into()) };
                let size = size.split(';').next().unwrap_or_default();
                let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
                if size == 0 {
                    while line(from)?.is_some_and(|line| !line.is_empty()) {}
                    *self = Self::Ended;
                    return Ok(0);
                }
                *self = Self::Chunk(size);
                size
            }
            Self::Sized(left) | Self::Chunk(left) => *left,
        };
        let most = left.min(out.len() as u64) as usize;
        let read = from.read(&mut out[..most])?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        match self {
            Self::Sized(left) => {
                *left -= read as u64;
                if *left == 0 {
                    *self = Self::Ended;
                }
            }
            Self::Chunk(left) => {
                *left -= read as u64;
                if *left == 0 {
                    line(from)?;
                }
            }
            Self::Ended => {}
        }
        Ok(read)
    }
}
