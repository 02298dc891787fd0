//! Bytes on their way: in one request or in several, each no larger than the server takes, each answered before the next.
//!
//! The last bytes of the file wait for the end to be told: they make it whole, and the local file may have changed.

use bytes::Bytes;
use haul_core::upload::Name;
use haul_proto::http::{
    tus::OFFSET_OCTETS,
    upload_client::{Checksum, Said, piece, safe},
    upload_draft::{PARTIAL_UPLOAD, UPLOAD_COMPLETE},
    upload_field::{UPLOAD_LENGTH, UPLOAD_OFFSET},
};
use haul_store::UploadDialect;
use http::{HeaderValue, Method, header};

use super::{
    super::Fault,
    HttpSink,
    caller::{Answered, Fields},
    look::{spoken, told},
    running::{Ended, Ends, Heard, Running},
    words::{self, contradiction},
};

/// What is sent under one checksum: that has to be known before its first byte goes, and a cut costs all of it.
const CHECKED: u64 = 4 << 20;
/// The pieces with which it is tried whether Content-Range is honoured.
const TRIED: u64 = 64 << 10;

/// How bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// All in one request, which is under way.
    Once(UploadDialect),
    /// Appended in the draft, so many bytes a request at most.
    Draft { max: Option<u64> },
    /// Appended in tus, or created with the content.
    Tus { checksum: Option<Checksum>, creates: bool },
    /// PUT with Content-Range.
    Pieces(Probe),
    /// There is nothing to send.
    Nothing,
}

/// How much is known of pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// The first small one tells whether they are taken.
    First,
    /// The second one whether it is put behind the first.
    Second,
    /// They are.
    Rest,
}

/// One sending.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) name: Name,
    /// Where it began.
    pub(super) from: u64,
    /// The next byte that is handed over.
    pub(super) at: u64,
    /// How many bytes the file has; `None` is not known.
    pub(super) whole: Option<u64>,
    pub(super) mode: Mode,
    /// So many of the next bytes are there already.
    pub(super) skip: u64,
    pub(super) running: Option<Running>,
    /// Where the request under way ends; `None` is not known.
    pub(super) until: Option<u64>,
    /// Bytes that are not handed over yet.
    pub(super) held: Vec<Bytes>,
    pub(super) held_len: u64,
    /// What was tried with: it is sent again where it was not put in its place.
    pub(super) tried: Vec<Bytes>,
    /// Fields of the first request.
    pub(super) fields: Fields,
}

impl Sending {
    pub(super) fn new(name: Name, at: u64, whole: Option<u64>, mode: Mode) -> Self {
        Self {
            name,
            from: at,
            at,
            whole,
            mode,
            skip: 0,
            running: None,
            until: None,
            held: Vec::new(),
            held_len: 0,
            tried: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// How many bytes are gathered before they are sent; `None` where they pass.
    pub(super) fn gathers(&self) -> Option<u64> {
        match self.mode {
            Mode::Tus { checksum: Some(_), .. } => Some(CHECKED),
            Mode::Tus { checksum: None, creates: true } => Some(CHECKED),
            Mode::Pieces(Probe::First | Probe::Second) => Some(TRIED),
            Mode::Once(_)
            | Mode::Draft { .. }
            | Mode::Tus { .. }
            | Mode::Pieces(Probe::Rest)
            | Mode::Nothing => None,
        }
    }

    /// What bytes up to `to` end.
    pub(super) fn ends_at(&self, to: u64) -> Ends {
        if self.whole.is_none_or(|whole| to >= whole) { Ends::File } else { Ends::Part }
    }

    pub(super) fn hold(&mut self, piece: Bytes) {
        self.held_len += piece.len() as u64;
        self.held.push(piece);
    }

    pub(super) fn let_go(&mut self) -> Vec<Bytes> {
        self.held_len = 0;
        std::mem::take(&mut self.held)
    }
}

pub(super) fn none() -> Fault {
    words::broken("there is no request under way")
}

impl HttpSink {
    /// Takes the next bytes.
    pub(super) async fn take(&mut self, mut bytes: Bytes) -> Result<(), Fault> {
        loop {
            let sending = self.sending.as_mut().ok_or_else(none)?;
            if sending.skip > 0 {
                let skipped = bytes.len().min(usize::try_from(sending.skip).unwrap_or(usize::MAX));
                let _ = bytes.split_to(skipped);
                sending.skip -= skipped as u64;
                sending.at += skipped as u64;
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let left = bytes.len() as u64;
            if let Some(most) = sending.gathers() {
                let room = usize::try_from(left.min(most - sending.held_len)).unwrap_or(bytes.len());
                sending.hold(bytes.split_to(room));
                let last = sending.whole == Some(sending.at + sending.held_len);
                if sending.held_len == most && !last {
                    Box::pin(self.flush()).await?;
                }
                continue;
            }
            // What came last waits, in case it was the end.
            let held = sending.let_go();
            for piece in held {
                self.pass(piece).await?;
            }
            let sending = self.sending.as_mut().ok_or_else(none)?;
            if sending.whole == Some(sending.at + left) {
                sending.hold(bytes);
                return Ok(());
            }
            self.pass(bytes.split_off(0)).await?;
            bytes.clear();
        }
    }

    /// Hands bytes over that pass, over as many requests as it takes.
    pub(super) async fn pass(&mut self, mut bytes: Bytes) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let sending = self.sending.as_ref().ok_or_else(none)?;
            if sending.running.is_none() {
                self.open().await?;
            }
            let sending = self.sending.as_mut().ok_or_else(none)?;
            let room = sending.until.map_or(u64::MAX, |until| until.saturating_sub(sending.at));
            let part = bytes.split_to(usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len()));
            let len = part.len() as u64;
            if len == 0 {
                return Err(words::broken("there is more than was told"));
            }
            let running = sending.running.take().ok_or_else(none)?;
            // At least what is on its way may be told to be there.
            self.moved = self.moved.max(sending.at + len);
            let heard = running.heard();
            let handed = running.hand(part, self.caller.patience).await;
            let running = match handed {
                Ok(running) => running,
                Err(ended) => {
                    let url = self.url_of_name(self.sent_to());
                    self.adopt_announced(&url, &heard)?;
                    return Err(match ended {
                        Ended::Failed(failed) => Fault::Failed(failed),
                        Ended::Answered(answered) => self.early(*answered).await,
                    });
                }
            };
            let sending = self.sending.as_mut().ok_or_else(none)?;
            sending.running = Some(running);
            sending.at += len;
            let ended = sending.until == Some(sending.at) && sending.until != sending.whole;
            self.heed_interim()?;
            if ended {
                self.finish_request().await?;
            }
        }
        Ok(())
    }

    /// Begins the next request.
    async fn open(&mut self) -> Result<(), Fault> {
        let sending = self.sending.as_mut().ok_or_else(none)?;
        let (at, whole, name, mode) = (sending.at, sending.whole, sending.name, sending.mode);
        let mut fields = std::mem::take(&mut sending.fields);
        let (method, url, until) = match mode {
            Mode::Once(_) | Mode::Nothing => return Err(none()),
            Mode::Draft { max } => {
                let most = max.filter(|max| *max > 0).map_or(u64::MAX, |max| at.saturating_add(max));
                let until = whole.map(|whole| whole.min(most));
                let complete = if until == whole { "?1" } else { "?0" };
                fields.extend(spoken(UploadDialect::Draft));
                fields.push((UPLOAD_COMPLETE, HeaderValue::from_static(complete)));
                fields.push((UPLOAD_OFFSET, HeaderValue::from(at)));
                fields.push((header::CONTENT_TYPE, HeaderValue::from_static(PARTIAL_UPLOAD)));
                (Method::PATCH, self.upload_url()?, until)
            }
            Mode::Tus { .. } => {
                fields.extend(self.tus_append(at, whole));
                (Method::PATCH, self.upload_url()?, whole)
            }
            Mode::Pieces(_) => {
                let range = whole.and_then(|whole| piece(at, whole, whole));
                let range = range.and_then(|range| HeaderValue::try_from(range).ok()).ok_or_else(none)?;
                fields.push((header::CONTENT_RANGE, range));
                (Method::PUT, self.url_of_name(name), whole)
            }
        };
        let length = until.map(|until| until - at);
        let started = self.caller.start(method, &url, fields, length, !self.plan.resumes).await;
        let sending = self.sending.as_mut().ok_or_else(none)?;
        sending.running = Some(started.map_err(Fault::Failed)?);
        sending.until = until;
        Ok(())
    }

    pub(super) fn upload_url(&self) -> Result<url::Url, Fault> {
        let known = self.unfinished.as_ref();
        known.map(|known| known.url.clone()).ok_or_else(|| words::broken("the upload has no URL"))
    }

    /// The fields of a PATCH in tus.
    pub(super) fn tus_append(&self, at: u64, whole: Option<u64>) -> Fields {
        let mut fields = spoken(UploadDialect::Tus);
        fields.push((UPLOAD_OFFSET, HeaderValue::from(at)));
        fields.push((header::CONTENT_TYPE, HeaderValue::from_static(OFFSET_OCTETS)));
        let sized = self.unfinished.as_ref().is_none_or(|known| known.declared.is_some());
        fields.extend(whole.filter(|_| !sized).map(|whole| (UPLOAD_LENGTH, HeaderValue::from(whole))));
        fields
    }

    /// The end of the local file: what is held goes out, and the server says that it has all of it.
    pub(super) async fn end_all(&mut self) -> Result<(), Fault> {
        let sending = self.sending.as_mut().ok_or_else(none)?;
        if sending.mode == Mode::Nothing {
            self.sending = None;
            return Ok(());
        }
        if sending.gathers().is_some() {
            if sending.held_len > 0 || self.finished.is_none() {
                Box::pin(self.flush()).await?;
            }
        } else {
            for piece in sending.let_go() {
                self.pass(piece).await?;
            }
            let sending = self.sending.as_ref().ok_or_else(none)?;
            if sending.running.is_none() && self.finished.is_none() {
                // All was there, and only the end was missing; or the file has no bytes.
                self.open().await?;
            }
            if self.sending.as_ref().is_some_and(|sending| sending.running.is_some()) {
                self.finish_request().await?;
            }
        }
        let sending = self.sending.take().ok_or_else(none)?;
        if self.finished.is_none() && sending.whole.is_some_and(|whole| sending.at < whole) {
            return Err(words::broken("the server wants more than there is"));
        }
        Ok(())
    }

    /// Ends the request under way, and heeds its answer.
    pub(super) async fn finish_request(&mut self) -> Result<(), Fault> {
        let sending = self.sending.as_mut().ok_or_else(none)?;
        let ends = sending.ends_at(sending.at);
        let running = sending.running.take().ok_or_else(none)?;
        let heard = running.heard();
        let answered = running.end(self.caller.patience, ends).await;
        let url = self.url_of_name(self.sent_to());
        self.adopt_announced(&url, &heard)?;
        self.heed_answer(answered.map_err(Fault::Failed)?).await
    }

    /// What the answer to a whole request means.
    pub(super) async fn heed_answer(&mut self, answered: Answered) -> Result<(), Fault> {
        let said = answered.said();
        let sending = self.sending.as_mut().ok_or_else(none)?;
        let (at, mode) = (sending.at, sending.mode);
        let last = sending.ends_at(at) == Ends::File;
        if said == Said::More && matches!(mode, Mode::Pieces(_)) && !last {
            return self.heed_more(answered, at).await;
        }
        if said != Said::Yes {
            return Err(self.early(answered).await);
        }
        let dialect = match mode {
            Mode::Once(dialect) => dialect,
            Mode::Draft { .. } => UploadDialect::Draft,
            Mode::Tus { .. } => UploadDialect::Tus,
            Mode::Pieces(_) | Mode::Nothing => UploadDialect::Put,
        };
        let told = told(dialect, &answered.headers);
        let words = answered.words();
        answered.read(&self.caller.idle, self.caller.patience).await;
        if dialect != UploadDialect::Put {
            match told.offset {
                Some(offset) if offset > at => {
                    return Err(contradiction(format!(
                        "the server tells that it has {offset} bytes, and {at} were sent"
                    )));
                }
                Some(offset) if offset < at => {
                    return Err(words::broken(format!("{words}, and has {offset} bytes of {at}")));
                }
                _ => {}
            }
            if !last {
                return self.heed_offset(at);
            }
            if dialect == UploadDialect::Draft && told.complete == Some(false) {
                return Err(words::broken(format!("{words}, and does not call the upload complete")));
            }
        }
        if last {
            self.finished = Some(at);
        }
        Ok(())
    }

    /// 308: a piece is there, and more is wanted.
    async fn heed_more(&mut self, answered: Answered, at: u64) -> Result<(), Fault> {
        let told = safe(&answered.headers);
        let words = answered.words();
        answered.read(&self.caller.idle, self.caller.patience).await;
        match told {
            Some(offset) if offset == at => {
                self.hidden.acknowledge(at);
                Ok(())
            }
            Some(offset) if offset > at => {
                Err(contradiction(format!("the server tells that it has {offset} bytes, and {at} were sent")))
            }
            _ => Err(words::broken(format!("{words}, and not at the end of what was sent"))),
        }
    }

    /// What interim answers have told meanwhile.
    pub(super) fn heed_interim(&mut self) -> Result<(), Fault> {
        let Some(sending) = &self.sending else { return Ok(()) };
        let Some(running) = &sending.running else { return Ok(()) };
        let heard = running.heard();
        let (url, (_, offset, _)) = (self.url_of_name(sending.name), heard.now());
        self.adopt_announced(&url, &heard)?;
        match offset {
            Some(offset) => self.heed_offset(offset),
            None => Ok(()),
        }
    }

    /// What was announced holds, however the request ends.
    pub(super) fn adopt_announced(&mut self, asked: &url::Url, heard: &Heard) -> Result<(), Fault> {
        match (heard.now(), &self.unfinished) {
            ((Some(location), _, told), None) => {
                self.adopt(asked, Some(location), told, UploadDialect::Draft)
            }
            _ => Ok(()),
        }
    }
}
