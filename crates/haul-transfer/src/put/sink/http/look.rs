//! What the server has: of an unfinished upload at that upload's own URL, of the file by HEAD.

use std::time::{Instant, SystemTime};

use haul_core::{
    transfer::Trouble,
    upload::{Can, Name, SETTLE, Seen, There},
};
use haul_proto::http::{
    answer,
    tus::{TUS_RESUMABLE, VERSION},
    upload_client::{self, INTEROP, Said, Told, listing_path},
    upload_draft::INTEROP_VERSION,
};
use haul_store::UploadDialect;
use http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    super::Fault,
    HttpSink, Target, Unfinished, Whose,
    caller::Fields,
    create::SMALL,
    words::{self, contradiction},
};
use crate::source::Failed;

/// A size that does not hold still for so long is that of a file which somebody else sends.
pub(super) const RESTLESS: std::time::Duration = std::time::Duration::from_secs(10);
/// An upload that is kept for longer is not spoken of.
const SOON: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

/// What a look at an unfinished upload found.
enum Looked {
    /// It has so many bytes.
    At(u64),
    /// It is over, with so many bytes.
    Over(u64),
    /// There is no such upload.
    Gone,
}

impl HttpSink {
    /// What is there under a name.
    pub(super) async fn look_at(&mut self, name: Name, settle: bool) -> Result<Seen, Fault> {
        self.hidden.forget_look();
        let (mut lost, mut over) = (false, false);
        if name == self.sent_to() && self.finished.is_none() {
            if self.unfinished.is_some() {
                match self.look_at_unfinished(settle).await? {
                    // Nothing but the end may be missing of a file without bytes: it is as well begun anew.
                    Looked::At(0) if self.may_lack_its_end() => self.unfinished = None,
                    Looked::At(offset) => return Ok(self.seen_unfinished(offset)),
                    Looked::Over(size) => {
                        self.finished = Some(size);
                        over = self.unfinished.as_ref().is_some_and(|known| known.whose == Whose::Record);
                    }
                    Looked::Gone => {
                        self.unfinished = None;
                        lost = true;
                    }
                }
            }
            if self.finished.is_none()
                && let Some(offset) = self.look_elsewhere(settle).await?
            {
                return Ok(self.seen_unfinished(offset));
            }
        }
        let there = self.settled_file(name, settle).await?;
        // An earlier run has finished it without hearing so: the file may be another's by now.
        lost |= over && matches!(there, There::Size(_));
        let there = match (there, self.finished) {
            // The server has all of it, and shows it elsewhere, or to others.
            (There::Absent | There::Unknown, Some(_))
                if self.unfinished.is_some() && name == self.sent_to() =>
            {
                self.finished.map_or(there, There::Size)
            }
            (there, _) => there,
        };
        let can = Can { hash: self.is_haul() && !self.no_hash, read_back: !self.no_reading };
        Ok(Seen { there, modified: self.target.modified, declared: None, can, lost })
    }

    /// Whether an upload may have all its bytes, and its end was never told: its file is not there.
    fn may_lack_its_end(&self) -> bool {
        self.unfinished.as_ref().is_some_and(|unfinished| unfinished.unended)
    }

    fn seen_unfinished(&self, offset: u64) -> Seen {
        // What has its size would be taken for the file.
        let offset = if self.may_lack_its_end() { offset.saturating_sub(1) } else { offset };
        let own = self.unfinished.as_ref().is_none_or(|unfinished| unfinished.whose == Whose::Run);
        // What this run has sent needs no proof.
        let can = Can { hash: self.is_haul() && !self.no_hash_of_unfinished && !own, read_back: true };
        let declared = self.unfinished.as_ref().and_then(|unfinished| unfinished.declared);
        Seen { there: There::Size(offset), modified: None, declared, can, lost: false }
    }

    /// An unfinished upload of this file that nobody here knows of yet, for which only a server of haul's is asked; or what
    /// this run sends in pieces out of sight.
    async fn look_elsewhere(&mut self, settle: bool) -> Result<Option<u64>, Fault> {
        if self.plan.resumes && self.is_haul() && !self.listed {
            self.find().await?;
            if self.unfinished.is_some()
                && let Looked::At(offset) = self.look_at_unfinished(settle).await?
            {
                return Ok(Some(offset));
            }
            self.unfinished = None;
        }
        self.look_at_hidden(settle).await
    }

    /// Asks the list of unfinished uploads for the one of this file.
    async fn find(&mut self) -> Result<(), Fault> {
        let path = self.url_of_name(self.sent_to()).path().to_owned();
        let Ok(list) = self.place.join(&listing_path(&path)) else { return Ok(()) };
        let answered = self.caller.ask(Method::GET, &list, Vec::new()).await.map_err(Fault::Failed)?;
        let (said, url) = (answered.said(), answered.url.clone());
        match said {
            Said::Yes => {}
            Said::Later { .. } | Said::Unwell { .. } => return Err(words::fault(&answered)),
            _ => {
                self.listed = true;
                return Ok(());
            }
        }
        let body = answered.read(&self.caller.idle, self.caller.patience).await.unwrap_or_default();
        self.listed = true;
        let uploads: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap_or_default();
        // Of a folder all that are in it are listed.
        let wanted: Vec<u8> = percent_decode_str(&path).collect();
        let is_ours = |upload: &&serde_json::Value| {
            upload["path"].as_str().is_some_and(|path| percent_decode_str(path).eq(wanted.iter().copied()))
        };
        let found = uploads.iter().find(is_ours).and_then(|upload| upload["url"].as_str());
        let Some(found) = found else { return Ok(()) };
        self.unfinished = Some(Unfinished {
            url: Self::resolve(&url, found)?,
            // PUT goes to the path itself; what is there of it is asked in the draft.
            dialect: self.dialect,
            whose: Whose::Found,
            offset: 0,
            acknowledged: 0,
            declared: None,
            unended: false,
            max_append: None,
        });
        Ok(())
    }

    /// What the upload's URL tells; with `settle` once it holds still.
    async fn look_at_unfinished(&mut self, settle: bool) -> Result<Looked, Fault> {
        let begun = Instant::now();
        let mut before = self.head_of_unfinished().await?;
        let tus = self.unfinished.as_ref().is_some_and(|unfinished| unfinished.dialect == UploadDialect::Tus);
        // In the draft a look ends what was under way, and in the first place what is told is final.
        while settle && tus && begun.elapsed() < RESTLESS {
            let Looked::At(offset) = before else { return Ok(before) };
            tokio::time::sleep(SETTLE).await;
            before = self.head_of_unfinished().await?;
            if matches!(before, Looked::At(now) if now == offset) {
                break;
            }
        }
        Ok(before)
    }

    async fn head_of_unfinished(&mut self) -> Result<Looked, Fault> {
        let Some(unfinished) = self.unfinished.clone() else { return Ok(Looked::Gone) };
        let fields = spoken(unfinished.dialect);
        let answered = self.caller.ask(Method::HEAD, &unfinished.url, fields).await.map_err(Fault::Failed)?;
        let told = told(unfinished.dialect, &answered.headers);
        let said = answered.said();
        match said {
            Said::Yes => {}
            Said::Later { .. } | Said::Unwell { .. } | Said::NeedsCredentials => {
                return Err(words::fault(&answered));
            }
            // tus: 403, 404 and 410 alike mean that there is none.
            _ => return Ok(Looked::Gone),
        }
        let words = answered.words();
        answered.read(&self.caller.idle, self.caller.patience).await;
        self.tell_expiry(&told);
        let Some(offset) = told.offset else {
            return Err(words::broken(format!("{words}, without a word on how far the upload is")));
        };
        self.heed_offset(offset)?;
        if told.length.is_some_and(|length| offset > length) {
            return Err(contradiction(format!(
                "the server tells offset {offset} of an upload that is shorter"
            )));
        }
        if let Some(known) = &mut self.unfinished {
            known.declared = told.length;
            // Where no length is known it may have all its bytes, and be no file all the same.
            known.unended = told.complete != Some(true) && told.length.is_none_or(|length| length == offset);
            known.max_append = told.max_append.or(known.max_append);
        }
        Ok(if told.complete == Some(true) { Looked::Over(offset) } else { Looked::At(offset) })
    }

    /// Takes note of an offset that the upload's URL tells, unless it cannot be.
    pub(super) fn heed_offset(&mut self, offset: u64) -> Result<(), Fault> {
        let moved = self.moved;
        let Some(unfinished) = &mut self.unfinished else { return Ok(()) };
        if unfinished.whose != Whose::Found && offset < unfinished.acknowledged {
            return Err(went_back(offset, unfinished.acknowledged));
        }
        if unfinished.whose == Whose::Run && offset > moved {
            return Err(beyond(offset, moved));
        }
        unfinished.offset = offset;
        unfinished.acknowledged = unfinished.acknowledged.max(offset);
        Ok(())
    }

    /// Says how long an unfinished upload is kept, once, where that is not long and the upload can be gone on with.
    pub(super) fn tell_expiry(&mut self, told: &Told) {
        if !self.plan.resumes || self.sending_total.is_some_and(|whole| whole <= SMALL) {
            return;
        }
        let Some(kept) = told.kept.filter(|kept| *kept < SOON) else { return };
        if !std::mem::replace(&mut self.expiry_told, true) {
            let hours = kept.as_secs() / 3600;
            let time = match hours {
                0 => format!("{} min", kept.as_secs() / 60),
                1..=71 => format!("{hours} h"),
                _ => format!("{} days", (hours + 12) / 24),
            };
            self.remarks.push(format!("the server keeps what is unfinished for {time}"));
        }
    }

    /// What HEAD tells of the file, once it holds still where that is wanted.
    async fn settled_file(&mut self, name: Name, settle: bool) -> Result<There, Fault> {
        let begun = Instant::now();
        let mut before = self.head_of_file(name).await?;
        while settle && matches!(before, There::Size(_)) {
            if begun.elapsed() > RESTLESS {
                let message = "the file at the server goes on growing: somebody else writes to it";
                return Err(Fault::Failed(Failed::new(Trouble::Busy, message)));
            }
            tokio::time::sleep(SETTLE).await;
            let now = self.head_of_file(name).await?;
            if now == before {
                break;
            }
            before = now;
        }
        Ok(before)
    }

    /// What HEAD tells of the file.
    pub(super) async fn head_of_file(&mut self, name: Name) -> Result<There, Fault> {
        let url = self.url_of_name(name);
        let answered = self.caller.ask(Method::HEAD, &url, Vec::new()).await.map_err(Fault::Failed)?;
        let said = answered.said();
        let there = match &said {
            // A redirect to a folder's page tells of another thing.
            Said::Yes if answered.url.path().ends_with('/') && !url.path().ends_with('/') => There::Unknown,
            Said::Yes => length(&answered.headers).map_or(There::Unknown, There::Size),
            Said::Gone => There::Absent,
            Said::NeedsCredentials | Said::Later { .. } | Said::Unwell { .. } => {
                return Err(words::fault(&answered));
            }
            // At the endpoint of tus there are uploads, and no files.
            _ if self.dialect == UploadDialect::Tus => There::Absent,
            _ => There::Unknown,
        };
        let entity = answer::entity(&answered.headers, None);
        self.target = match there {
            There::Absent => Target { exists: Some(false), ..Target::default() },
            There::Unknown => Target::default(),
            There::Size(_) => Target { exists: Some(true), etag: entity.etag, modified: entity.modified },
        };
        answered.read(&self.caller.idle, self.caller.patience).await;
        Ok(there)
    }

    /// An upload's URL, as an answer to a request for `from` names it.
    pub(super) fn resolve(from: &Url, location: &str) -> Result<Url, Fault> {
        let mut url = super::caller::elsewhere(from, location).map_err(Fault::Failed)?;
        // Whoever gives a name and a password with it shall not have ours, nor have them written down.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        url.set_fragment(None);
        Ok(url)
    }
}

/// Offsets behind what was sent are of bytes that nobody has.
pub(super) fn beyond(offset: u64, moved: u64) -> Fault {
    contradiction(format!("the server tells that it has {offset} bytes, and {moved} were sent"))
}

/// What was acknowledged is not to be sent again.
pub(super) fn went_back(offset: u64, acknowledged: u64) -> Fault {
    contradiction(format!(
        "the server had confirmed {acknowledged} bytes of the upload, and now speaks of {offset}"
    ))
}

/// The fields that say which dialect is spoken.
pub(super) fn spoken(dialect: UploadDialect) -> Fields {
    match dialect {
        UploadDialect::Tus => vec![(TUS_RESUMABLE, HeaderValue::from_static(VERSION))],
        UploadDialect::Draft | UploadDialect::Put => vec![(INTEROP_VERSION, INTEROP.value())],
    }
}

/// What is told in a dialect.
pub(super) fn told(dialect: UploadDialect, headers: &HeaderMap) -> Told {
    match dialect {
        UploadDialect::Tus => upload_client::tus(headers, SystemTime::now()),
        UploadDialect::Draft | UploadDialect::Put => upload_client::draft(headers),
    }
}

/// The Content-Length of an answer to HEAD.
fn length(headers: &HeaderMap) -> Option<u64> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let mut lengths =
        headers.get_all(header::CONTENT_LENGTH).iter().map(|value| value.to_str().ok()?.parse().ok());
    let first = lengths.next()??;
    lengths.all(|other| other == Some(first)).then_some(first)
}
