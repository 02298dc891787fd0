//! Parts of a file in tus (its extension concatenation): each is created, takes bytes in one request, is told where it
//! ends, and becomes a piece of the whole by `Upload-Concat: final`.
//!
//! ```text
//!   POST partial ──► Location ──► PATCH, in chunks ──► PATCH, Upload-Length ──┐
//!        HEAD of one that is there ──┘                                        ├─► POST final;part part …
//!                                                            the other parts ─┘
//! ```
//! A server that wants to know a part's length when it is created (no creation-defer-length) is told it then, and such a
//! part ends nowhere else. There is no checksum for each request here: it would cost an answer every few MiB on each
//! lane. The whole is compared at the end.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use haul_core::upload::{
    Name,
    lanes::{Cuts, Kept},
};
use haul_proto::http::{
    tus::{OFFSET_OCTETS, UPLOAD_CONCAT, UPLOAD_DEFER_LENGTH},
    upload_client::{Said, Told, resource},
    upload_field::{UPLOAD_LENGTH, UPLOAD_OFFSET},
};
use haul_store::{UploadDialect, UploadPart};
use http::{HeaderValue, Method, header};
use url::Url;

use super::{
    super::Fault,
    HttpSink, Unfinished, Whose,
    caller::{Answered, Caller, Fields},
    look::{spoken, told},
    running::{Ended, Ends, Running},
    words::{self, contradiction},
};
use crate::put::lanes::{Errand, Joined, Stopped};

/// Where parts are created and gone on with.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    caller: Arc<Caller>,
    /// Where creations go: to the folder, or else to the URL itself.
    endpoints: [Url; 2],
    /// The folder is no place for them.
    itself: Arc<AtomicBool>,
    pub(crate) cuts: Cuts,
    /// They can be given up.
    termination: bool,
}

/// A part that takes bytes.
#[derive(Debug)]
pub(crate) struct PartWay {
    caller: Arc<Caller>,
    url: Url,
    cuts: Cuts,
    /// The part's first byte, the next one, and the one behind its last as it was told when it was begun.
    from: u64,
    at: u64,
    end: u64,
    /// The server knows where it ends.
    closed: bool,
    running: Option<Running>,
}

impl Parts {
    /// What is there of a part of an earlier run; `None` where it is gone, or is not what it should be.
    pub(crate) async fn survey(&self, part: &UploadPart) -> Result<Option<Kept>, Fault> {
        let Ok(url) = self.url(&part.url) else { return Ok(None) };
        let Some((at, length)) = self.head(&url).await? else { return Ok(None) };
        let (at, end) = (part.from.saturating_add(at), length.map(|length| part.from.saturating_add(length)));
        let fits = at <= part.end && end.is_none_or(|end| at <= end && end <= part.end);
        // Where it cannot be told later it has to be known.
        let usable = fits && (end.is_some() || self.cuts == Cuts::Anywhere);
        let kept = Kept { from: part.from, at, end: end.unwrap_or(part.end), closed: end.is_some() };
        Ok(usable.then_some(kept))
    }

    /// Begins a part, or goes on with it. Returns its offset in the file and, where it is new, its URL.
    pub(crate) async fn open(&self, errand: &Errand) -> Result<(u64, Option<String>, PartWay), Stopped> {
        let (url, at, closed, new) = match &errand.place {
            Some(place) => {
                let url = self.url(place).map_err(Stopped::Fault)?;
                let found = self.head(&url).await.map_err(Stopped::Fault)?;
                let (at, length) = found.ok_or(Stopped::Lost)?;
                let told = length.map(|length| errand.from.saturating_add(length));
                if told.is_some_and(|end| end != errand.end) {
                    return Err(Stopped::Lost);
                }
                (url, errand.from.saturating_add(at), length.is_some(), None)
            }
            None => {
                let url = self.create(errand.end - errand.from).await.map_err(Stopped::Fault)?;
                let place = url.to_string();
                (url, errand.from, self.cuts == Cuts::Nowhere, Some(place))
            }
        };
        let way = PartWay {
            caller: Arc::clone(&self.caller),
            url,
            cuts: self.cuts,
            from: errand.from,
            at,
            end: errand.end,
            closed,
            running: None,
        };
        Ok((at, new, way))
    }

    /// Parts that nobody wants any more; a server that does not take that lets them expire.
    pub(crate) async fn give_up(&self, places: &[String]) {
        for place in places.iter().filter(|_| self.termination) {
            let Ok(url) = self.url(place) else { continue };
            // Nothing is removed at somebody else's because a server says that a part is there.
            if url.origin() != self.endpoint().origin() {
                continue;
            }
            match self.caller.ask(Method::DELETE, &url, spoken(UploadDialect::Tus)).await {
                Ok(answered) => {
                    answered.read(&self.caller.idle, self.caller.patience).await;
                }
                Err(_) => return,
            }
        }
    }

    /// The server does not join them: because it has not all of them any more?
    async fn why_not_joined(&self, parts: &[String], said: &Said, words: String) -> Result<Joined, Fault> {
        let mut gone = Vec::new();
        for (number, place) in parts.iter().enumerate() {
            if self.head(&self.url(place)?).await?.is_none() {
                gone.push(number);
            }
        }
        if gone.is_empty() { Err(words::of(said, words)) } else { Ok(Joined::Gone(gone)) }
    }

    fn url(&self, place: &str) -> Result<Url, Fault> {
        let url = Url::parse(place).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.ok_or_else(|| words::broken("a part has no URL"))
    }

    fn endpoint(&self) -> &Url {
        let [folder, itself] = &self.endpoints;
        if self.itself.load(Relaxed) { itself } else { folder }
    }

    async fn create(&self, length: u64) -> Result<Url, Fault> {
        let mut fields = spoken(UploadDialect::Tus);
        fields.push((UPLOAD_CONCAT, HeaderValue::from_static("partial")));
        fields.push(match self.cuts {
            Cuts::Anywhere => (UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
            Cuts::Nowhere => (UPLOAD_LENGTH, HeaderValue::from(length)),
        });
        let mut answered = self.ask(Method::POST, self.endpoint(), fields.clone()).await?;
        if matches!(answered.said(), Said::Gone | Said::NotThisWay) && !self.itself.swap(true, Relaxed) {
            answered = self.ask(Method::POST, self.endpoint(), fields).await?;
        }
        if answered.said() != Said::Yes {
            return Err(words::fault(&answered));
        }
        let (words, asked, location) = (answered.words(), answered.url.clone(), resource(&answered.headers));
        self.read(answered).await;
        let location = location
            .ok_or_else(|| words::of(&Said::No, format!("{words}, without saying where the part is")))?;
        HttpSink::resolve(&asked, &location)
    }

    /// How many bytes a part has, and how many it will have where that is known; `None` where there is no such part.
    async fn head(&self, url: &Url) -> Result<Option<(u64, Option<u64>)>, Fault> {
        let answered = self.ask(Method::HEAD, url, spoken(UploadDialect::Tus)).await?;
        let Told { offset, length, .. } = told(UploadDialect::Tus, &answered.headers);
        let (said, words) = (answered.said(), answered.words());
        match said {
            Said::Yes => {}
            Said::Later { .. } | Said::Unwell { .. } | Said::NeedsCredentials => {
                return Err(words::fault(&answered));
            }
            // tus: 403, 404 and 410 alike mean that there is none.
            _ => return Ok(None),
        }
        self.read(answered).await;
        match offset {
            Some(offset) => Ok(Some((offset, length))),
            None => Err(words::broken(format!("{words}, without a word on how far the part is"))),
        }
    }

    async fn ask(&self, method: Method, url: &Url, fields: Fields) -> Result<Answered, Fault> {
        self.caller.ask(method, url, fields).await.map_err(Fault::Failed)
    }

    async fn read(&self, answered: Answered) {
        answered.read(&self.caller.idle, self.caller.patience).await;
    }
}

impl PartWay {
    /// Hands over the next bytes.
    pub(crate) async fn hand(&mut self, bytes: Bytes) -> Result<(), Fault> {
        let len = bytes.len() as u64;
        let running = match self.running.take() {
            Some(running) => running,
            None => self.begin().await?,
        };
        match running.hand(bytes, self.caller.patience).await {
            Ok(running) => {
                self.running = Some(running);
                self.at += len;
                Ok(())
            }
            Err(Ended::Failed(failed)) => Err(Fault::Failed(failed)),
            Err(Ended::Answered(answered)) => Err(refused(&answered)),
        }
    }

    async fn begin(&mut self) -> Result<Running, Fault> {
        let mut fields = spoken(UploadDialect::Tus);
        fields.push((UPLOAD_OFFSET, HeaderValue::from(self.at - self.from)));
        fields.push((header::CONTENT_TYPE, HeaderValue::from_static(OFFSET_OCTETS)));
        // What can be cut short is sent in chunks: only its end says how long it was.
        let length = match self.cuts {
            Cuts::Nowhere => Some(self.end - self.at),
            Cuts::Anywhere => None,
        };
        let started = self.caller.start(Method::PATCH, &self.url, fields, length, false).await;
        started.map_err(Fault::Failed)
    }

    /// The part ends here; returns once the server has said that it has all of it.
    pub(crate) async fn end(mut self, at: u64) -> Result<(), Fault> {
        if let Some(running) = self.running.take() {
            let answered = running.end(self.caller.patience, Ends::Part).await.map_err(Fault::Failed)?;
            self.heed(answered).await?;
        }
        if self.at != at {
            return Err(words::broken("a part did not end where it should"));
        }
        if self.closed {
            return Ok(());
        }
        let mut fields = spoken(UploadDialect::Tus);
        fields.push((UPLOAD_OFFSET, HeaderValue::from(at - self.from)));
        fields.push((UPLOAD_LENGTH, HeaderValue::from(at - self.from)));
        fields.push((header::CONTENT_TYPE, HeaderValue::from_static(OFFSET_OCTETS)));
        let answered = self.caller.ask(Method::PATCH, &self.url, fields).await.map_err(Fault::Failed)?;
        self.heed(answered).await
    }

    async fn heed(&mut self, answered: Answered) -> Result<(), Fault> {
        if answered.said() != Said::Yes {
            return Err(refused(&answered));
        }
        let (has, words) = (told(UploadDialect::Tus, &answered.headers).offset, answered.words());
        answered.read(&self.caller.idle, self.caller.patience).await;
        let sent = self.at - self.from;
        match has {
            Some(has) if has > sent => Err(contradiction(format!(
                "the server tells that it has {has} bytes of a part, and {sent} were sent"
            ))),
            Some(has) if has < sent => {
                Err(words::broken(format!("{words}, and has {has} bytes of a part of {sent}")))
            }
            _ => Ok(()),
        }
    }
}

/// An answer to bytes that is no yes. What is gone is seen by the next look.
fn refused(answered: &Answered) -> Fault {
    match answered.said() {
        Said::Yes | Said::More => words::broken(format!("{} before it had all of it", answered.words())),
        _ => words::fault(answered),
    }
}

impl HttpSink {
    /// Whether parts can become a file here.
    pub(super) fn knows_parts(&self) -> bool {
        self.dialect == UploadDialect::Tus && self.tus_offer().concatenation
    }

    pub(super) fn parts(&self, name: Name) -> Parts {
        let offer = self.tus_offer();
        Parts {
            caller: Arc::clone(&self.caller),
            endpoints: self.endpoints(name),
            itself: Arc::default(),
            cuts: if offer.defer_length { Cuts::Anywhere } else { Cuts::Nowhere },
            termination: offer.termination,
        }
    }

    /// The parts become the file.
    pub(super) async fn join_parts(
        &mut self,
        name: Name,
        door: &Parts,
        parts: &[String],
        whole: u64,
    ) -> Result<Joined, Fault> {
        let endpoint = door.endpoint().clone();
        let mut fields = spoken(UploadDialect::Tus);
        fields.extend(self.conditions(name));
        fields.extend(self.tus_name(name));
        let concat = format!("final;{}", list(&endpoint, parts));
        let concat = HeaderValue::try_from(concat).map_err(|_| words::broken("a part's URL is none"))?;
        fields.push((UPLOAD_CONCAT, concat));
        // Not as other questions are asked: a server may have to copy all of it before it answers.
        let started = self.caller.start(Method::POST, &endpoint, fields, Some(0), false).await;
        let running = started.map_err(Fault::Failed)?;
        let answered = running.end(self.caller.patience, Ends::File).await.map_err(Fault::Failed)?;
        let (said, words) = (answered.said(), answered.words());
        match said {
            Said::Yes => {}
            Said::Gone | Said::NotThisWay | Said::Conflict | Said::No => {
                answered.read(&self.caller.idle, self.caller.patience).await;
                return door.why_not_joined(parts, &said, words).await;
            }
            _ => return Err(words::fault(&answered)),
        }
        let (asked, location) = (answered.url.clone(), resource(&answered.headers));
        answered.read(&self.caller.idle, self.caller.patience).await;
        if let Some(location) = location {
            self.unfinished = Some(Unfinished {
                url: Self::resolve(&asked, &location)?,
                dialect: UploadDialect::Tus,
                whose: Whose::Run,
                offset: whole,
                acknowledged: whole,
                declared: Some(whole),
                unended: false,
                max_append: None,
            });
        }
        self.moved = whole;
        self.finished = Some(whole);
        Ok(Joined::Whole)
    }
}

/// The parts as `Upload-Concat` names them: by their paths where they are at the same server, since a field has its limits.
fn list(endpoint: &Url, parts: &[String]) -> String {
    let short = |place: &String| match Url::parse(place) {
        Ok(url) if url.origin() == endpoint.origin() => {
            url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()
        }
        _ => place.clone(),
    };
    parts.iter().map(short).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_same_server_are_named_by_their_paths() {
        let endpoint = Url::parse("http://h/dir/").unwrap();
        let parts = ["http://h/-/a?x=1", "http://h:80/b", "https://h/c"].map(str::to_owned);
        assert_eq!(list(&endpoint, &parts), "/-/a?x=1 /b https://h/c");
    }
}
