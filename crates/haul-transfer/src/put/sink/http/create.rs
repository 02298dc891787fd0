//! The beginning of a sending: an upload is created in its dialect, or gone on with at its offset.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use haul_core::{
    Algorithm,
    upload::{Name, Refusal, Way},
};
use haul_proto::http::{
    repr_digest::{REPR_DIGEST, repr_digest_value},
    tus::UPLOAD_METADATA,
    upload_client::{Said, TusOffer, resource},
    upload_draft::{Limits, UPLOAD_COMPLETE},
    upload_field::UPLOAD_LENGTH,
};
use haul_store::UploadDialect;
use http::{HeaderValue, Method, header};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    super::super::job::MakeFolders,
    super::Fault,
    HttpSink, Ranges, Unfinished, Whose,
    caller::{Answered, Fields},
    hidden::Hidden,
    look::{spoken, told},
    running::Ended,
    send::{Mode, Probe, Sending},
    words,
};

/// What is no larger is sent at once: to send it again costs no more than to ask how far it was.
pub(super) const SMALL: u64 = 256 << 10;
/// How long the announcement of an upload's URL is waited for.
const ANNOUNCED: Duration = Duration::from_secs(1);

impl HttpSink {
    /// Begins to send from `at` on.
    ///
    /// An upload that has all bytes and was not ended is told one byte short, so that its end is sent: that byte is
    /// passed over here.
    pub(super) async fn begin_at(
        &mut self,
        name: Name,
        at: u64,
        way: Way,
        whole: Option<u64>,
    ) -> Result<(), Fault> {
        self.sending_total = whole;
        let finished = self.finished.take();
        match way {
            Way::Append => return Err(Fault::Refused(Refusal::Way, "HTTP knows no appending".to_owned())),
            Way::Restart => {
                self.moved = self.moved.max(at);
                return self.go_on(name, at, whole);
            }
            Way::Begin => {}
        }
        if let Some(unfinished) = self.unfinished.take().filter(|_| finished.is_none()) {
            self.take_away(unfinished).await;
        }
        self.hidden = Hidden::default();
        self.listed = false;
        self.moved = 0;
        self.make_folders().await?;
        match (self.dialect, whole) {
            (UploadDialect::Draft, _) => Box::pin(self.create_draft(name, whole)).await,
            (UploadDialect::Tus, Some(whole)) => Box::pin(self.create_tus(name, whole)).await,
            (UploadDialect::Tus, None) => {
                let words = "tus wants to know the size beforehand: not for standard input".to_owned();
                Err(Fault::Refused(Refusal::Denied, words))
            }
            (UploadDialect::Put, whole) => self.put_whole(name, whole).await,
        }
    }

    /// More of what is there.
    fn go_on(&mut self, name: Name, at: u64, whole: Option<u64>) -> Result<(), Fault> {
        let known = self.unfinished.as_ref().filter(|_| name == self.sent_to());
        let mode = match (self.dialect, known) {
            (UploadDialect::Draft, Some(known)) => Mode::Draft { max: known.max_append },
            (UploadDialect::Tus, Some(_)) => {
                Mode::Tus { checksum: self.tus_offer().checksum, creates: false }
            }
            (UploadDialect::Put, _) => match self.ranges {
                Ranges::None => return Err(Fault::Refused(Refusal::Way, no_pieces())),
                Ranges::Unknown => Mode::Pieces(Probe::First),
                Ranges::Hidden | Ranges::InPlace => Mode::Pieces(Probe::Rest),
            },
            (UploadDialect::Draft | UploadDialect::Tus, None) => {
                return Err(Fault::Refused(Refusal::Way, "what is there is no unfinished upload".to_owned()));
            }
        };
        let known = known.map_or(at, |known| known.offset);
        let skip = known.checked_sub(at).filter(|skip| *skip <= 1);
        let skip = skip.ok_or_else(|| words::broken("the upload is elsewhere by now"))?;
        let mut sending = Sending::new(name, at, whole, mode);
        sending.skip = skip;
        self.sending = Some(sending);
        Ok(())
    }

    pub(super) fn tus_offer(&self) -> TusOffer {
        self.offer.as_ref().and_then(|offer| offer.tus.clone()).unwrap_or_default()
    }

    fn limits(&self) -> Limits {
        self.offer.as_ref().and_then(|offer| offer.draft).unwrap_or_default()
    }

    /// On what conditions a file may come about: where nothing was, nothing must have come meanwhile; what is replaced is
    /// what was looked at (RFC 9110 §13.1).
    pub(super) fn conditions(&self, name: Name) -> Fields {
        let condition = match (name, self.target.exists, &self.target.etag) {
            (Name::Temporary, ..) | (_, None, _) => None,
            (_, Some(false), _) => Some((header::IF_NONE_MATCH, HeaderValue::from_static("*"))),
            (_, Some(true), Some(tag)) if !tag.weak => {
                HeaderValue::try_from(format!("\"{}\"", tag.opaque)).ok().map(|tag| (header::IF_MATCH, tag))
            }
            (_, Some(true), _) => None,
        };
        condition.into_iter().collect()
    }

    /// The conditions, and the digest that the user has given.
    fn of_whole(&self, name: Name) -> Fields {
        let mut fields = self.conditions(name);
        let digest = self.plan.digest.as_ref().and_then(repr_digest_value);
        fields.extend(digest.and_then(|value| Some((REPR_DIGEST, HeaderValue::try_from(value).ok()?))));
        fields
    }

    pub(super) fn fits(most: Option<u64>, whole: Option<u64>) -> Result<(), Fault> {
        match (most, whole) {
            (Some(most), Some(whole)) if whole > most => {
                let words = format!("it takes files of up to {most} bytes, and this one has {whole}");
                Err(Fault::Refused(Refusal::TooLarge, words))
            }
            _ => Ok(()),
        }
    }

    /// The IETF's draft: with the content, where the server announces the upload's URL or the file is small; else
    /// carefully, with an empty request whose answer has the URL.
    async fn create_draft(&mut self, name: Name, whole: Option<u64>) -> Result<(), Fault> {
        let limits = self.limits();
        Self::fits(limits.max_size, whole)?;
        let most = limits.max_append_size;
        let at_once = whole.is_none_or(|whole| most.is_none_or(|most| whole <= most));
        let offer = self.offer.clone().unwrap_or_default();
        let puts = offer.allows("PUT") != Some(false) || offer.allows("POST") == Some(false);
        let method = if puts { Method::PUT } else { Method::POST };
        let url = self.url_of_name(name);
        let mut fields = spoken(UploadDialect::Draft);
        fields.extend(self.of_whole(name));
        fields.extend(whole.map(|whole| (UPLOAD_LENGTH, HeaderValue::from(whole))));
        let small = whole.is_none_or(|whole| whole <= SMALL);
        if at_once
            && (offer.announces || small)
            && self.create_with_content((method.clone(), &url), fields.clone(), (name, whole), small).await?
        {
            return Ok(());
        }
        fields.push((UPLOAD_COMPLETE, HeaderValue::from_static("?0")));
        let answered = self.caller.ask(method, &url, fields).await.map_err(Fault::Failed)?;
        self.created(answered, UploadDialect::Draft).await?;
        let max = self.unfinished.as_ref().and_then(|known| known.max_append).or(most);
        self.sending = Some(Sending::new(name, 0, whole, Mode::Draft { max }));
        Ok(())
    }

    /// The creation brings the content. Where that is not small, it waits for the announcement of the upload's URL; says
    /// whether it came: some servers do not keep the promise, and many proxies pass on no interim answer.
    async fn create_with_content(
        &mut self,
        (method, url): (Method, &Url),
        mut fields: Fields,
        (name, whole): (Name, Option<u64>),
        small: bool,
    ) -> Result<bool, Fault> {
        fields.push((UPLOAD_COMPLETE, HeaderValue::from_static("?1")));
        let started = self.caller.start(method, url, fields, whole, !self.plan.resumes).await;
        let started = started.map_err(Fault::Failed)?;
        let heard = started.heard();
        let running = if small { Ok(started) } else { started.announced(ANNOUNCED).await };
        let running = match running {
            Ok(running) => running,
            Err(Ended::Failed(failed)) => return Err(Fault::Failed(failed)),
            Err(Ended::Answered(answered)) => {
                self.adopt_announced(url, &heard)?;
                return Err(self.early(*answered).await);
            }
        };
        if !small && heard.now().0.is_none() {
            // Nothing of it was sent but its head; dropped, it brings nothing.
            if let Some(offer) = &mut self.offer {
                offer.announces = false;
            }
            return Ok(false);
        }
        let mut sending = Sending::new(name, 0, whole, Mode::Once(UploadDialect::Draft));
        sending.until = whole;
        sending.running = Some(running);
        self.sending = Some(sending);
        self.heed_interim()?;
        Ok(true)
    }

    /// tus: an empty creation, so that the upload's URL is known before any byte is sent; with the content where that is
    /// small and the server takes it.
    ///
    /// It goes to the folder, with the name in the metadata; where that is no place for it, to the URL itself.
    async fn create_tus(&mut self, name: Name, whole: u64) -> Result<(), Fault> {
        let offer = self.tus_offer();
        Self::fits(offer.max_size, Some(whole))?;
        if offer.creation_with_upload && whole > 0 && whole <= SMALL {
            let mode = Mode::Tus { checksum: offer.checksum, creates: true };
            self.sending = Some(Sending::new(name, 0, Some(whole), mode));
            return Ok(());
        }
        let fields = self.tus_creation(name, whole);
        let [folder, itself] = self.endpoints(name);
        let mut answered =
            self.caller.ask(Method::POST, &folder, fields.clone()).await.map_err(Fault::Failed)?;
        if matches!(answered.said(), Said::Gone | Said::NotThisWay) {
            answered = self.caller.ask(Method::POST, &itself, fields).await.map_err(Fault::Failed)?;
        }
        self.created(answered, UploadDialect::Tus).await?;
        if whole == 0 {
            self.finished = Some(0);
            self.sending = Some(Sending::new(name, 0, Some(0), Mode::Nothing));
            return Ok(());
        }
        let mode = Mode::Tus { checksum: offer.checksum, creates: false };
        self.sending = Some(Sending::new(name, 0, Some(whole), mode));
        Ok(())
    }

    /// The fields of a creation in tus.
    pub(super) fn tus_creation(&self, name: Name, whole: u64) -> Fields {
        let mut fields = spoken(UploadDialect::Tus);
        fields.extend(self.conditions(name));
        fields.push((UPLOAD_LENGTH, HeaderValue::from(whole)));
        fields.extend(self.tus_name(name));
        fields
    }

    /// What the file is called, as tus has it.
    pub(super) fn tus_name(&self, name: Name) -> Option<(http::HeaderName, HeaderValue)> {
        let url = self.url_of_name(name);
        let last = url.path().rsplit('/').next().unwrap_or_default();
        let file: Vec<u8> = percent_decode_str(last).collect();
        let metadata = format!("filename {}", BASE64_STANDARD.encode(file));
        HeaderValue::try_from(metadata).ok().map(|value| (UPLOAD_METADATA, value))
    }

    /// Where a creation in tus goes to: the folder, else the URL itself.
    pub(super) fn endpoints(&self, name: Name) -> [Url; 2] {
        let url = self.url_of_name(name);
        let mut folder = url.join(".").unwrap_or_else(|_| url.clone());
        folder.set_query(url.query());
        [folder, url]
    }

    /// An answer to a creation without content: the upload's URL is in it.
    async fn created(&mut self, answered: Answered, dialect: UploadDialect) -> Result<(), Fault> {
        if answered.said() != Said::Yes {
            return Err(self.early(answered).await);
        }
        self.adopt(&answered.url, resource(&answered.headers), told(dialect, &answered.headers), dialect)?;
        let words = answered.words();
        answered.read(&self.caller.idle, self.caller.patience).await;
        match &self.unfinished {
            Some(_) => Ok(()),
            None => Err(words::of(&Said::No, format!("{words}, without saying where the upload is"))),
        }
    }

    /// The upload has this URL from now on.
    pub(super) fn adopt(
        &mut self,
        asked: &Url,
        location: Option<String>,
        told: haul_proto::http::upload_client::Told,
        dialect: UploadDialect,
    ) -> Result<(), Fault> {
        let Some(location) = location else { return Ok(()) };
        let url = Self::resolve(asked, &location)?;
        self.tell_expiry(&told);
        self.unfinished = Some(Unfinished {
            url,
            dialect,
            whose: Whose::Run,
            offset: 0,
            acknowledged: 0,
            declared: self.sending_total,
            unended: false,
            max_append: told.max_append,
        });
        Ok(())
    }

    /// PUT: in pieces where that goes, else whole.
    async fn put_whole(&mut self, name: Name, whole: Option<u64>) -> Result<(), Fault> {
        let large = whole.filter(|whole| *whole > SMALL * 4);
        // What is there stays whole until the new one is: a server that takes pieces in place would spoil it.
        let free =
            self.ranges == Ranges::Hidden || self.target.exists == Some(false) || name == Name::Temporary;
        if large.is_some() && self.plan.resumes && free && self.ranges != Ranges::None {
            // Elsewhere than at a haul, where an upload has a URL, the answer to the first one says that what is out of
            // sight was begun with these bytes.
            let known = self.ranges == Ranges::InPlace || self.is_haul();
            let probe = if known { Probe::Rest } else { Probe::First };
            let mut sending = Sending::new(name, 0, whole, Mode::Pieces(probe));
            sending.fields = self.of_whole(name);
            self.sending = Some(sending);
            return Ok(());
        }
        if large.is_some() && self.plan.resumes {
            self.remarks.push(no_pieces());
        }
        let sending = Sending::new(name, 0, whole, Mode::Once(UploadDialect::Put));
        self.start_whole(sending, self.of_whole(name)).await
    }

    /// A plain PUT.
    pub(super) async fn start_whole(&mut self, mut sending: Sending, fields: Fields) -> Result<(), Fault> {
        let url = self.url_of_name(sending.name);
        let fresh = !self.plan.resumes;
        let started = self.caller.start(Method::PUT, &url, fields, sending.whole, fresh).await;
        sending.mode = Mode::Once(UploadDialect::Put);
        sending.until = sending.whole;
        sending.running = Some(started.map_err(Fault::Failed)?);
        self.sending = Some(sending);
        Ok(())
    }

    /// What a request was answered that was not to be answered yet, or not so.
    pub(super) async fn early(&mut self, answered: Answered) -> Fault {
        let (said, words) = (answered.said(), answered.words());
        let url = answered.url.clone();
        if let Err(contradiction) = self.heed_conflict(&answered) {
            return contradiction;
        }
        let fault = match &said {
            Said::Elsewhere { location, .. } => match super::caller::elsewhere(&url, location) {
                Ok(next) => self.led_elsewhere(&url, next, &words),
                Err(failed) => Fault::Failed(failed),
            },
            Said::Yes | Said::More => words::broken(format!("{words} before it had all of it")),
            Said::Gone if self.unfinished.is_some() => words::broken(format!("{words}: the upload is gone")),
            Said::Gone | Said::Conflict if self.creates() => {
                let advice = match self.plan.make_folders {
                    MakeFolders::Never => "perhaps the folder is not there; --mkdir makes it",
                    _ => "perhaps the folder could not be made",
                };
                Fault::Refused(Refusal::Denied, format!("{words}: {advice}"))
            }
            said => words::of(said, words),
        };
        // Its reason may stand in a body that is still to come: it is not waited for.
        drop(answered);
        fault
    }

    /// An upload's URL does not take bytes at the offset that it told: where it tells another one now, that counts,
    /// unless it contradicts what was told before.
    fn heed_conflict(&mut self, answered: &Answered) -> Result<(), Fault> {
        let known = self.unfinished.as_ref().filter(|known| known.url == answered.url);
        let offset = known.and_then(|known| told(known.dialect, &answered.headers).offset);
        match offset {
            Some(offset) if answered.said() == Said::Conflict => self.heed_offset(offset),
            _ => Ok(()),
        }
    }

    /// Whether a request for this URL was to create a file or an upload, and not to go on with one.
    fn creates(&self) -> bool {
        let piece = self.sending.as_ref().is_some_and(|sending| matches!(sending.mode, Mode::Pieces(_)));
        self.unfinished.is_none() && !piece
    }

    /// The digest that a whole file is to have, as tus has it.
    pub(super) fn checksum_value(
        name: &str,
        algorithm: Algorithm,
        bytes: &[bytes::Bytes],
    ) -> Option<HeaderValue> {
        let mut hasher = crate::checksum::Hasher::new(algorithm);
        bytes.iter().for_each(|piece| hasher.update(piece));
        HeaderValue::try_from(format!("{name} {}", BASE64_STANDARD.encode(hasher.finish()))).ok()
    }
}

pub(super) fn no_pieces() -> String {
    "the server takes the file only in one go: this upload cannot be resumed".to_owned()
}
