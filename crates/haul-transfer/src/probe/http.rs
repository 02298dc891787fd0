//! Over HTTP: a few small requests, the first 1,001 bytes, the next ones under the right and under a wrong condition
//! (If-Range, RFC 9110 §13.1.5). Bodies are not read beyond what shows which bytes come.

use std::time::Duration;

use haul_core::{
    ETag, Entity,
    transfer::{Ranges, Trouble},
};
use url::Url;

use crate::{
    client::Client,
    failure::Failure,
    source::{Body, Failed, HttpSource, OpenError, Opened, Source, Wish},
};

use super::{Resume, Verdict, refused};

/// How many bytes the first range asks for: the example of the old texts.
const FIRST: u64 = 1001;

/// What a server was found to do.
#[derive(Clone, Debug)]
pub struct HttpReport {
    /// Where the answers came from in the end, without secrets.
    pub place: String,
    /// The file's size, where told.
    pub size: Option<u64>,
    /// What the answer says of the file.
    pub entity: Entity,
    /// The name that the server gives the file.
    pub name: Option<String>,
    /// Digests of the whole file that the server tells, as text.
    pub digests: Vec<String>,
    /// Whether a range was answered with exactly that range.
    pub ranges: bool,
    /// Whether the server said that it offers ranges.
    pub offers_ranges: bool,
    /// Whether the right If-Range brought the part; `None` where there is no strong validator to ask with.
    pub if_range_right: Option<bool>,
    /// Whether a wrong If-Range brought the whole; `None` where that was not tried.
    pub if_range_wrong: Option<bool>,
    /// Whether the bytes of two overlapping ranges agreed.
    pub overlap_agrees: Option<bool>,
    /// What follows.
    pub verdict: Verdict,
}

/// One source, asked again and again.
struct Asking<'a> {
    source: &'a HttpSource,
    /// A server that lets a step take longer than this has told what it can.
    patience: Duration,
}

/// Finds out whether the server of `url` can resume.
pub(super) async fn probe(client: &Client, url: &Url, patience: Duration) -> Result<HttpReport, Failure> {
    let asking = Asking { source: &client.http(url, url), patience };
    let wish = |from, to, same| Wish { from, to: Some(to), same, fresh: false };
    let first = match asking.open(wish(0, FIRST, None)).await {
        Ok(opened) => opened,
        Err(OpenError::Unsatisfiable { seen, .. }) => return Ok(empty(url, seen)),
        Err(OpenError::Failed(failed)) => return Err(refused(failed)),
    };
    let Opened { seen, ranges, name, digests, place, body, .. } = first;
    let part = ranges == Ranges::Proven;
    let head = asking.read(body, FIRST).await?;
    let mut report = HttpReport {
        place,
        size: seen.size,
        name,
        digests: digests.iter().map(ToString::to_string).collect(),
        ranges: false,
        offers_ranges: part || ranges == Ranges::Offered,
        if_range_right: None,
        if_range_wrong: None,
        overlap_agrees: None,
        verdict: Verdict { resume: Resume::No, why: String::new() },
        entity: seen.clone(),
    };
    let end = seen.size.unwrap_or(FIRST).min(FIRST);
    let from = end / 2;
    let mut flaw = None;
    if part && from > 0 {
        flaw = try_ranges(&asking, &seen, from, end, &head, &mut report).await?;
    }
    report.verdict = match flaw {
        Some(why) => Verdict { resume: Resume::No, why },
        None => verdict(&report),
    };
    Ok(report)
}

/// Asks for ranges inside of the file. Returns what is wrong with the answers, where they cannot be used at all.
async fn try_ranges(
    asking: &Asking<'_>,
    seen: &Entity,
    from: u64,
    end: u64,
    head: &[u8],
    report: &mut HttpReport,
) -> Result<Option<String>, Failure> {
    let wish = |same| Wish { from, to: Some(end), same, fresh: false };
    let mut answer = asking.open(wish(None)).await;
    if matches!(&answer, Err(OpenError::Failed(failed)) if failed.why == Trouble::Broken) {
        // A connection may break by chance; what is the server's way comes again.
        answer = asking.open(Wish { fresh: true, ..wish(None) }).await;
    }
    let opened = match answer {
        Ok(opened) => opened,
        Err(OpenError::Unsatisfiable { .. }) => return Ok(None),
        Err(OpenError::Failed(failed)) if failed.why == Trouble::Broken => return Ok(Some(failed.message)),
        Err(OpenError::Failed(failed)) => return Err(refused(failed)),
    };
    report.ranges = opened.ranges == Ranges::Proven && opened.from == from;
    let tail = asking.read(opened.body, end - from).await?;
    report.overlap_agrees = Some(head.get(from as usize..end as usize) == Some(&tail[..]));
    if seen.strong_etag().is_none() && seen.strong_date().is_none() {
        return Ok(None);
    }
    if let Ok(opened) = asking.open(wish(Some(seen.clone()))).await {
        report.if_range_right = Some(opened.ranges == Ranges::Proven);
    }
    if let Ok(opened) = asking.open(wish(Some(another(seen)))).await {
        report.if_range_wrong = Some(opened.ranges != Ranges::Proven);
    }
    Ok(None)
}

/// A version that the file never had.
fn another(seen: &Entity) -> Entity {
    match seen.strong_etag() {
        Some(_) => {
            let etag = Some(ETag { opaque: "haul-probe-of-another-version".into(), weak: false });
            Entity { etag, ..Entity::default() }
        }
        None => {
            let modified = seen.modified.map(|m| haul_core::Modified { seconds: m.seconds - 86_400, ..m });
            Entity { modified, ..Entity::default() }
        }
    }
}

impl Asking<'_> {
    /// One request, with an end to the wait.
    async fn open(&self, wish: Wish) -> Result<Opened<<HttpSource as Source>::Body>, OpenError> {
        tokio::time::timeout(self.patience, self.source.open(wish))
            .await
            .unwrap_or_else(|_| Err(OpenError::Failed(self.silent())))
    }

    fn silent(&self) -> Failed {
        Failed::new(Trouble::Broken, format!("nothing came for {} s", self.patience.as_secs()))
    }

    async fn read<B: Body>(&self, mut body: B, most: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < most {
            let next = tokio::time::timeout(self.patience, body.next()).await;
            match next.unwrap_or_else(|_| Err(self.silent())) {
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => break,
                Err(failed) => return Err(refused(failed)),
            }
        }
        bytes.truncate(most as usize);
        Ok(bytes)
    }
}

fn verdict(report: &HttpReport) -> Verdict {
    let say = |resume, why: &str| Verdict { resume, why: why.to_owned() };
    let tag = report.entity.strong_etag().is_some();
    let date = report.entity.strong_date().is_some();
    if report.size == Some(0) {
        // RFC 9110 §14.2 has it sent whole, whatever the range.
        return say(Resume::Yes, "the file is empty");
    }
    if !report.ranges {
        let why =
            if report.offers_ranges { "it offers ranges but sends the whole" } else { "it sends no ranges" };
        return say(Resume::No, why);
    }
    if report.overlap_agrees == Some(false) {
        return say(Resume::No, "the same bytes asked for twice were not the same");
    }
    match (tag, date) {
        (true, _) if report.if_range_right == Some(true) && report.if_range_wrong == Some(true) => {
            say(Resume::Yes, "ranges, a strong ETag, and If-Range is honoured")
        }
        (true, _) => {
            say(Resume::Yes, "ranges and a strong ETag; If-Range is not honoured, so haul compares ETags")
        }
        (false, true) => say(Resume::Yes, "ranges and a Last-Modified that is old enough to be trusted"),
        (false, false) => say(Resume::Unsafe, "ranges, but no strong validator: haul compares bytes instead"),
    }
}

fn empty(url: &Url, seen: Entity) -> HttpReport {
    HttpReport {
        place: crate::escape::place(url),
        size: Some(0),
        entity: seen,
        name: None,
        digests: Vec::new(),
        ranges: false,
        offers_ranges: false,
        if_range_right: None,
        if_range_wrong: None,
        overlap_agrees: None,
        verdict: Verdict { resume: Resume::Yes, why: "the file is empty".into() },
    }
}
