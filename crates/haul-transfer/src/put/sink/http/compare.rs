//! Comparing what the server has with the local file: by a digest of its own (Want-Repr-Digest, RFC 9530), or by reading
//! it back (Range, RFC 9110 §14).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use haul_core::{
    Algorithm, Digest, Span,
    transfer::{BLOCK, Trouble},
    upload::{Found, How, Name},
};
use haul_proto::{
    ftp::hash::{Kind, Sum},
    http::{
        answer::{self, Answer, Asked},
        content_digest,
        range::range_value,
        repr_digest::WANT_REPR_DIGEST,
        upload_client::Said,
    },
};
use http::{HeaderValue, Method, header};
use http_body_util::BodyExt as _;
use url::Url;

use super::{super::Fault, HttpSink, Whose, caller::Answered, words};
use crate::{
    put::{local::LocalFile, sum},
    source::{Failed, broken},
};

/// A server may have to read a very large file for a digest.
const HASHING: Duration = Duration::from_secs(1800);
/// Who answers so soon without a digest has not begun with one.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A whole answer is read up to the part that is wanted, if that is no further than this.
const PASSED_OVER: u64 = 16 << 20;

impl HttpSink {
    /// Compares the first `size` bytes that are there.
    pub(super) async fn compare_with(
        &mut self,
        name: Name,
        size: u64,
        how: How,
        local: &LocalFile,
    ) -> Result<Found, Fault> {
        let unfinished =
            self.unfinished.as_ref().filter(|_| name == self.sent_to() && self.finished.is_none());
        let (url, size, whose) = match unfinished {
            // It may have one byte more than was said: see `begin_at`.
            Some(unfinished) => (unfinished.url.clone(), unfinished.offset.max(size), Some(unfinished.whose)),
            None => (self.url_of_name(name), size, None),
        };
        let hidden = name == self.sent_to() && self.finished.is_none() && self.hidden.was_seen_at(size);
        // This run has sent them, and an upload's URL stands for one upload.
        if whose == Some(Whose::Run) || hidden {
            return Ok(Found::Same);
        }
        let found = match how {
            How::Hash => self.by_digest(&url, size, local).await?,
            How::Tail => self.by_reading(&url, (size.saturating_sub(BLOCK), size), local).await?,
            How::Whole => self.by_reading(&url, (0, size), local).await?,
        };
        Ok(match (found, how) {
            (Found::Unable, How::Hash) => {
                let known = if whose.is_some() { &mut self.no_hash_of_unfinished } else { &mut self.no_hash };
                *known = true;
                Found::Unable
            }
            // The URL was given to us for these very bytes, and its offset never goes back.
            (Found::Unable, How::Tail) if whose == Some(Whose::Record) => Found::Same,
            (Found::Unable, How::Whole) if whose.is_none() => {
                self.no_reading = true;
                Found::Unable
            }
            (found, _) => found,
        })
    }

    async fn by_digest(&mut self, url: &Url, size: u64, local: &LocalFile) -> Result<Found, Fault> {
        let wanted = "sha-256=10, sha-512=1";
        // It may take its time on both sides, so both begin at once.
        let waiting = Arc::new(());
        let awaited = Arc::downgrade(&waiting);
        let file = local.clone();
        let ours = tokio::task::spawn_blocking(move || {
            sum::of(&file, size, Kind::Digest(Algorithm::Sha256), || awaited.strong_count() > 0)
        });
        let begun = Instant::now();
        let theirs = loop {
            let asked = Instant::now();
            let fields = vec![(WANT_REPR_DIGEST, HeaderValue::from_static(wanted))];
            let answered = self.caller.ask(Method::HEAD, url, fields).await.map_err(Fault::Failed)?;
            match answered.said() {
                Said::Yes => {}
                Said::Later { .. } | Said::Unwell { .. } => return Err(words::fault(&answered)),
                _ => return Ok(Found::Unable),
            }
            let digests = content_digest::of(&answered.headers);
            answered.read(&self.caller.idle, self.caller.patience).await;
            let sha256 = |digest: &Digest| digest.algorithm() == Algorithm::Sha256;
            if let Some(digest) = digests.into_iter().find(sha256) {
                break digest;
            }
            // A haul that was not done in time goes on with it, and tells whoever asks next; who answers at once makes none.
            if !self.is_haul() || asked.elapsed() < AT_ONCE || begun.elapsed() > HASHING {
                return Ok(Found::Unable);
            }
        };
        let ours = ours.await;
        drop(waiting);
        Ok(match ours {
            Ok(Ok(Some(Sum::Digest(ours)))) if ours == theirs => Found::Same,
            Ok(Ok(_)) => Found::Different,
            Ok(Err(_)) | Err(_) => Found::Unable,
        })
    }

    async fn by_reading(
        &mut self,
        url: &Url,
        (from, size): (u64, u64),
        local: &LocalFile,
    ) -> Result<Found, Fault> {
        let span = Span { from, to: Some(size) };
        let Ok(range) = HeaderValue::try_from(range_value(span)) else { return Ok(Found::Unable) };
        let answered = self.caller.ask(Method::GET, url, vec![(header::RANGE, range)]).await;
        let answered = answered.map_err(Fault::Failed)?;
        let asked = Asked { span, ranged: true };
        let now = std::time::SystemTime::now();
        let read = answer::read(asked, answered.status, &answered.headers, now);
        let (serves, total) = match read {
            Answer::Body { serves, entity, .. } if entity.encoding.is_none() => (serves, entity.size),
            Answer::Busy { status: 408 | 421 | 425 | 429 | 500..=599, .. } if answered.status != 501 => {
                return Err(words::fault(&answered));
            }
            _ => return Ok(Found::Unable),
        };
        if total.is_some_and(|total| total > size) {
            return Ok(Found::Grown);
        }
        if from.saturating_sub(serves.from) > PASSED_OVER {
            return Ok(Found::Unable);
        }
        self.read_and_compare(answered, (serves.from, from, size), local).await
    }

    /// Reads a body that begins at `begins`, and compares `from..size` of it.
    async fn read_and_compare(
        &mut self,
        mut answered: Answered,
        (begins, from, size): (u64, u64, u64),
        local: &LocalFile,
    ) -> Result<Found, Fault> {
        let (mut at, mut first, mut differs) = (begins, None, false);
        loop {
            let frame = tokio::time::timeout(self.caller.patience, answered.body.frame()).await;
            let piece = match frame {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Ok(Some(Err(error))) => return Err(Fault::Failed(broken(&error))),
                Err(_elapsed) => {
                    let message = "nothing came while what is there was read back";
                    return Err(Fault::Failed(Failed::new(Trouble::Broken, message)));
                }
            };
            let end = at + piece.len() as u64;
            let skipped = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
            let theirs = piece.get(skipped..).unwrap_or_default();
            if end > size {
                return Ok(Found::Grown);
            }
            match local.read_exactly(at + skipped as u64, theirs.len()).await {
                Ok(ours) if ours == theirs => {}
                Ok(_) | Err(_) => return Ok(Found::Different),
            }
            if let Some(byte) = theirs.first() {
                let first = *first.get_or_insert(*byte);
                differs |= theirs.iter().any(|other| *other != first);
            }
            at = end;
        }
        answered.read(&self.caller.idle, self.caller.patience).await;
        Ok(match at {
            at if at < size => Found::Different,
            _ if from > 0 && !differs => Found::Blank,
            _ => Found::Same,
        })
    }
}
