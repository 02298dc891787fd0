//! What is remembered of an upload between two runs, and the lock that keeps a second run away meanwhile.
//!
//! The store keeps the records; here is what goes into them, and what they mean for the upload machine. A state folder
//! that cannot be used is said, and costs no more than the memory.

use std::{
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use haul_core::upload::{Local, Memo, Stage};
use haul_store::{
    Remembered, StoreError, UploadClaim, UploadPart, UploadRecord, UploadRecords, UploadResource, UploadStage,
};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::sink::Resource;
use crate::{
    escape::place,
    failure::{Failure, Kind},
};

/// So many more bytes that the far end has confirmed are worth a write to the disk.
const WORTH: u64 = 64 << 20;

/// What may be a secret is not remembered.
const SECRET: &str = "the server gave the upload a URL with a query, which may be a secret and is not written down: only this \
                      run can go on with it";

/// Parts that an earlier run has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parts {
    None,
    /// Of the local file as it is.
    Same(Vec<UploadPart>),
    /// Of the local file as it was.
    Other(Vec<UploadPart>),
}

/// The memory of one upload.
#[derive(Debug)]
pub(super) struct Memory {
    claim: Option<Arc<UploadClaim>>,
    record: UploadRecord,
    found: Option<UploadRecord>,
    /// What this run has saved last.
    saved: Option<(Local, UploadStage)>,
    /// It was said that a URL may be a secret.
    secret_told: bool,
    /// What a user should know.
    pub(super) remark: Option<String>,
}

impl Memory {
    /// Takes the place that `url` means for `who` logs in there, for this run. `far` is the path that bytes are sent to.
    ///
    /// # Errors
    /// [`Kind::Local`] where another process sends there.
    pub(super) fn of(
        state: Option<&Path>,
        url: &Url,
        who: &str,
        local: Option<&Path>,
        far: Vec<u8>,
    ) -> Result<Self, Failure> {
        // The same file by another name of its folder is still the same.
        let local = local.map(|path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()));
        let local = local.map(|path| path.into_os_string().into_encoded_bytes()).unwrap_or_default();
        let mut memory = Self {
            claim: None,
            record: UploadRecord {
                local,
                size: 0,
                modified: (0, 0),
                inode: 0,
                shown_url: place(url),
                far,
                offset: 0,
                when_unix: 0,
                stage: UploadStage::Begun,
                resource: None,
                parts: Vec::new(),
            },
            found: None,
            saved: None,
            secret_told: false,
            remark: None,
        };
        let Some(state) = state else { return Ok(memory) };
        match UploadRecords::open(state).and_then(|records| records.claim(&key(url, who))) {
            Ok((claim, remembered)) => {
                memory.claim = Some(Arc::new(claim));
                match remembered {
                    Remembered::Nothing => {}
                    Remembered::Record(record) => memory.found = Some(*record),
                    Remembered::Forgotten(why) => {
                        memory.remark =
                            Some(format!("what was remembered of this upload is forgotten: {why}"));
                    }
                }
            }
            Err(StoreError::InUse { pid, .. }) => {
                let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                return Err(Failure::new(
                    Kind::Local,
                    format!("{} is in use by {who}, which sends to it", place(url)),
                ));
            }
            Err(error) => {
                memory.remark = Some(format!("what is begun now will not be remembered: {error}"));
            }
        }
        Ok(memory)
    }

    /// What the machine may know: only what was sent from the same local path to the same far one.
    pub(super) fn memo(&self) -> Option<Memo> {
        let found = self.found.as_ref()?;
        // Of parts with URLs of their own nothing lies under the name.
        let apart = found.parts.iter().any(|part| Url::parse(&part.url).is_ok());
        if found.local != self.record.local || apart {
            return None;
        }
        let local = Local { size: found.size, modified: found.modified, inode: found.inode };
        let stage = match found.stage {
            UploadStage::Begun if found.far == self.record.far => Stage::Begun,
            // A text is no beginning of anything.
            UploadStage::Begun | UploadStage::Text => return None,
            UploadStage::Finished { modified } => Stage::Finished { modified },
        };
        Some(Memo { local, stage })
    }

    /// Where what is there is a text that an earlier run began and did not finish, by the same paths: the most bytes that a
    /// server can have made of it.
    pub(super) fn unfinished_text(&self) -> Option<u64> {
        let found = self.found.as_ref().filter(|found| found.stage == UploadStage::Text)?;
        let same = found.local == self.record.local && found.far == self.record.far;
        // Each byte may have been a line end, and nobody knows how much came from standard input.
        let most = if found.local.is_empty() { u64::MAX } else { found.size.saturating_mul(2) };
        same.then_some(most)
    }

    /// The far end has taken the file as text: whatever was there before is gone, and what was remembered of it with it.
    pub(super) async fn text_begun(&mut self, local: Option<Local>) {
        let local = local.unwrap_or(Local { size: 0, modified: (0, 0), inode: 0 });
        if self.saved != Some((local, UploadStage::Text)) {
            self.save(local, 0, UploadStage::Text).await;
        }
    }

    /// Where the far end has what an earlier run began, if that is elsewhere than under its name.
    pub(super) fn resource(&self) -> Option<Resource> {
        let begun = self.memo().is_some_and(|memo| memo.stage == Stage::Begun);
        let found = self.found.as_ref().filter(|_| begun)?;
        let resource = found.resource.as_ref()?;
        let url = Url::parse(&resource.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        Some(Resource { url, dialect: resource.dialect, acknowledged: found.offset })
    }

    /// Whether an earlier run has left parts of this file, sent to the same path.
    pub(super) fn has_parts(&self) -> bool {
        let same = |found: &UploadRecord| found.local == self.record.local && found.far == self.record.far;
        self.found.as_ref().is_some_and(|found| same(found) && !found.parts.is_empty())
    }

    /// These parts, or those that this run has begun, in the order of the file.
    pub(super) fn parts(&self, local: Local) -> Parts {
        if !self.record.parts.is_empty() {
            return Parts::Same(self.record.parts.clone());
        }
        let Some(found) = self.found.as_ref().filter(|_| self.has_parts()) else { return Parts::None };
        let parts = found.parts.clone();
        let same = Local { size: found.size, modified: found.modified, inode: found.inode } == local;
        if same { Parts::Same(parts) } else { Parts::Other(parts) }
    }

    /// The far end has these parts, or beginnings of them.
    pub(super) async fn parts_begun(&mut self, local: Local, mut parts: Vec<UploadPart>) {
        let secret = |part: &UploadPart| Url::parse(&part.url).is_ok_and(|url| url.query().is_some());
        if parts.iter().any(secret) {
            self.tell_secret();
            parts.retain(|part| !secret(part));
        }
        self.record.resource = None;
        self.record.parts = parts;
        self.found = None;
        self.save(local, 0, UploadStage::Begun).await;
        // What is begun as one upload is another thing to remember.
        self.saved = None;
    }

    /// There are no parts any more.
    pub(super) fn no_parts(&mut self) {
        self.record.parts.clear();
        self.found = self.found.take().filter(|found| found.parts.is_empty());
    }

    /// The far end has taken the file, and has so many bytes of it. What was saved already is not saved again: on a bad
    /// line that would be a wait for the disk at each break.
    pub(super) async fn begun(&mut self, local: Local, offset: u64, resource: Option<&Resource>) {
        let kept = self.keepable(resource);
        let offset = resource.map_or(offset, |resource| resource.acknowledged);
        // A new upload may have the URL of the one before: what that one had is no word on this one.
        let anew = offset < self.record.offset;
        let moved = anew || offset >= self.record.offset.saturating_add(WORTH);
        let moved = moved && resource.is_some();
        if !moved && self.saved == Some((local, UploadStage::Begun)) && kept == self.record.resource {
            return;
        }
        self.record.resource = kept;
        self.no_parts();
        self.save(local, offset, UploadStage::Begun).await;
    }

    /// Of what was begun the far end has said so many bytes to be safe. Whoever comes back asks it anew.
    pub(super) async fn safe(&mut self, local: Local, offset: u64) {
        let moved = offset >= self.record.offset.saturating_add(WORTH);
        if moved && self.saved == Some((local, UploadStage::Begun)) {
            self.save(local, offset, UploadStage::Begun).await;
        }
    }

    /// The last word on what the far end has confirmed, where the upload stays unfinished.
    pub(super) async fn left(&mut self, local: Local, resource: &Resource) {
        if resource.acknowledged > self.record.offset && self.saved == Some((local, UploadStage::Begun)) {
            self.save(local, resource.acknowledged, UploadStage::Begun).await;
        }
    }

    /// What was begun has not come about: it is remembered what was before.
    pub(super) async fn not_begun(&mut self) {
        self.saved = None;
        let (Some(claim), found) = (&self.claim, self.found.clone()) else { return };
        let claim = Arc::clone(claim);
        let restoring = tokio::task::spawn_blocking(move || match found {
            Some(found) => claim.save(&found),
            None => claim.forget(),
        });
        if let Ok(Err(error)) = restoring.await {
            tracing::debug!(%error, "not restored");
        }
    }

    /// A URL as it may be written down. What stands behind a question mark could be a key.
    fn keepable(&mut self, resource: Option<&Resource>) -> Option<UploadResource> {
        let resource = resource?;
        if resource.url.query().is_some() {
            self.tell_secret();
            return None;
        }
        let mut url = resource.url.clone();
        // A URL with a host always takes these.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        Some(UploadResource { url: url.into(), dialect: resource.dialect })
    }

    fn tell_secret(&mut self) {
        if self.claim.is_some() && !std::mem::replace(&mut self.secret_told, true) {
            self.remark = Some(SECRET.to_owned());
        }
    }

    /// The far end has it all. Where its date is the local one, that says it for ever, and nothing need be remembered;
    /// unless the local file is so new that a change to come could bear the same date.
    pub(super) async fn finished(&mut self, local: Option<Local>, modified: Option<i64>) {
        match local {
            Some(local) if modified != Some(local.modified.0) || is_fresh(local) => {
                self.save(local, local.size, UploadStage::Finished { modified }).await;
            }
            _ => self.forget(),
        }
    }

    fn forget(&self) {
        if let Some(Err(error)) = self.claim.as_ref().map(|claim| claim.forget()) {
            tracing::debug!(%error, "not forgotten");
        }
    }

    async fn save(&mut self, local: Local, offset: u64, stage: UploadStage) {
        let Some(claim) = &self.claim else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.record.size = local.size;
        self.record.modified = local.modified;
        self.record.inode = local.inode;
        self.record.offset = offset;
        self.record.when_unix = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.record.stage = stage;
        let (claim, record) = (Arc::clone(claim), self.record.clone());
        // A disk may take its time for that.
        let saving = tokio::task::spawn_blocking(move || claim.save(&record));
        self.saved = Some((local, stage));
        if let Ok(Err(error)) = saving.await {
            self.remark = Some(format!("what is begun now will not be remembered: {error}"));
        }
    }
}

/// Whether the file could change again, and servers that tell seconds, some of them every other one, would tell the
/// same date.
fn is_fresh(local: Local) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).is_ok_and(|now| now - local.modified.0 < 2)
}

/// By what a place is known again: its URL without name and password, and the name of who logs in there, since paths
/// begin where a login begins; as a hash.
fn key(url: &Url, who: &str) -> [u8; 32] {
    let mut bare = url.clone();
    bare.set_fragment(None);
    // A URL with a host always takes these.
    let _ = bare.set_password(None);
    let _ = bare.set_username("");
    let mut hasher = Sha256::new();
    hasher.update(who);
    hasher.update([0]);
    hasher.update(bare.as_str());
    hasher.finalize().into()
}

#[cfg(test)]
mod tests;
