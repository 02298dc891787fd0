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
mod tests {
    use super::*;

    const LOCAL: Local = Local { size: 9, modified: (5, 6), inode: 7 };

    fn memory(state: &Path, local: &str, far: &[u8]) -> Memory {
        let url = Url::parse("ftp://me:secret@h/f").unwrap();
        Memory::of(Some(state), &url, "me", Some(Path::new(local)), far.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn only_the_same_file_sent_to_the_same_place_is_remembered() {
        let state = tempfile::tempdir().unwrap();
        let mut first = memory(state.path(), "/a", b"f");
        assert_eq!(first.memo(), None);
        first.begun(LOCAL, 4, None).await;
        drop(first);
        let same = memory(state.path(), "/a", b"f").memo().unwrap();
        assert_eq!(same, Memo { local: LOCAL, stage: Stage::Begun });
        assert_eq!(memory(state.path(), "/b", b"f").memo(), None, "another local file");
        assert_eq!(memory(state.path(), "/a", b"f.part").memo(), None, "another name");
    }

    #[tokio::test]
    async fn what_one_user_began_says_nothing_of_anothers_file() {
        let state = tempfile::tempdir().unwrap();
        memory(state.path(), "/a", b"f").begun(LOCAL, 4, None).await;
        let of = |url: &str, who: &str| {
            let url = Url::parse(url).unwrap();
            let memory = Memory::of(Some(state.path()), &url, who, Some(Path::new("/a")), b"f".to_vec());
            memory.unwrap().memo()
        };
        assert_eq!(of("ftp://h/f", "you"), None);
        assert_eq!(of("ftp://me@h/f", "you"), None, "another login than that of the URL");
        assert!(of("ftp://h/f", "me").is_some(), "however the name was told");
    }

    #[tokio::test]
    async fn a_finished_one_is_remembered_only_where_its_date_does_not_say_it() {
        let state = tempfile::tempdir().unwrap();
        memory(state.path(), "/a", b"f").finished(Some(LOCAL), Some(99)).await;
        let memo = memory(state.path(), "/a", b"f.part").memo().unwrap();
        assert_eq!(memo.stage, Stage::Finished { modified: Some(99) });
        memory(state.path(), "/a", b"f").finished(Some(LOCAL), Some(5)).await;
        assert_eq!(memory(state.path(), "/a", b"f").memo(), None);
    }

    #[tokio::test]
    async fn where_an_upload_is_is_remembered_unless_its_url_may_be_a_secret() {
        let state = tempfile::tempdir().unwrap();
        let at = |url: &str| Resource {
            url: Url::parse(url).unwrap(),
            dialect: haul_store::UploadDialect::Draft,
            acknowledged: 3,
        };
        let mut first = memory(state.path(), "/a", b"f");
        first.begun(LOCAL, 0, Some(&at("http://me:pw@h/u/1"))).await;
        drop(first);
        let again = memory(state.path(), "/a", b"f");
        assert_eq!(again.resource(), Some(at("http://h/u/1")));
        drop(again);
        assert_eq!(memory(state.path(), "/b", b"f").resource(), None, "another local file");
        let mut signed = memory(state.path(), "/a", b"f");
        signed.begun(LOCAL, 0, Some(&at("http://h/u/1?key=secret"))).await;
        assert!(signed.remark.take().unwrap().contains("not written down"));
        drop(signed);
        assert_eq!(memory(state.path(), "/a", b"f").resource(), None);
    }

    #[tokio::test]
    async fn what_did_not_come_about_leaves_the_memory_as_it_was() {
        let state = tempfile::tempdir().unwrap();
        let mut first = memory(state.path(), "/a", b"f");
        first.begun(LOCAL, 4, None).await;
        first.not_begun().await;
        drop(first);
        assert_eq!(memory(state.path(), "/a", b"f").memo(), None);
    }

    #[tokio::test]
    async fn an_unfinished_text_is_no_beginning_of_a_file_nor_the_other_way_round() {
        let state = tempfile::tempdir().unwrap();
        memory(state.path(), "/a", b"f").begun(LOCAL, 4, None).await;
        let mut text = memory(state.path(), "/a", b"f");
        assert_eq!(text.unfinished_text(), None);
        assert!(text.memo().is_some(), "nothing was forgotten by asking");
        text.text_begun(Some(LOCAL)).await;
        drop(text);
        let again = memory(state.path(), "/a", b"f");
        assert_eq!((again.unfinished_text(), again.memo()), (Some(18), None));
        drop(again);
        assert_eq!(memory(state.path(), "/b", b"f").unfinished_text(), None, "another local file");
        assert_eq!(memory(state.path(), "/a", b"f.part").unfinished_text(), None, "another name");
        let mut text = memory(state.path(), "/a", b"f");
        text.finished(None, None).await;
        drop(text);
        assert_eq!(memory(state.path(), "/a", b"f").unfinished_text(), None);
    }

    /// A part of nine bytes.
    fn part(from: u64, url: &str) -> UploadPart {
        UploadPart { from, end: from + 9, url: url.to_owned() }
    }

    #[tokio::test]
    async fn parts_are_those_of_the_local_file_as_it_was() {
        let state = tempfile::tempdir().unwrap();
        let mut first = memory(state.path(), "/a", b"f");
        assert_eq!((first.parts(LOCAL), first.has_parts()), (Parts::None, false));
        let parts = vec![part(0, "http://h/1"), part(9, "http://h/2")];
        first.parts_begun(LOCAL, parts.clone()).await;
        assert_eq!(first.parts(LOCAL), Parts::Same(parts.clone()), "this run knows them, too");
        drop(first);
        let again = memory(state.path(), "/a", b"f");
        assert!(again.has_parts());
        assert_eq!(again.parts(LOCAL), Parts::Same(parts.clone()));
        assert_eq!(again.parts(Local { size: 10, ..LOCAL }), Parts::Other(parts));
        assert_eq!(again.memo(), None, "nothing of them lies under the name");
        drop(again);
        assert!(!memory(state.path(), "/b", b"f").has_parts(), "another local file");
        assert!(!memory(state.path(), "/a", b"f.part").has_parts(), "another name");
    }

    #[tokio::test]
    async fn ranges_of_one_upload_lie_under_the_name() {
        let state = tempfile::tempdir().unwrap();
        let mut first = memory(state.path(), "/a", b"f");
        first.parts_begun(LOCAL, vec![part(0, "an-id-of-ftp")]).await;
        drop(first);
        let again = memory(state.path(), "/a", b"f");
        assert_eq!(again.memo(), Some(Memo { local: LOCAL, stage: Stage::Begun }));
        assert!(again.has_parts());
    }

    #[tokio::test]
    async fn parts_are_forgotten_when_the_file_is_sent_as_one_or_finished() {
        let state = tempfile::tempdir().unwrap();
        for finished in [false, true] {
            let mut first = memory(state.path(), "/a", b"f");
            first.parts_begun(LOCAL, vec![part(0, "http://h/1")]).await;
            if finished {
                first.no_parts();
                first.finished(Some(LOCAL), None).await;
            } else {
                first.begun(LOCAL, 0, None).await;
            }
            drop(first);
            let again = memory(state.path(), "/a", b"f");
            assert!(!again.has_parts(), "finished: {finished}");
            assert!(again.memo().is_some(), "finished: {finished}");
        }
    }

    #[tokio::test]
    async fn what_may_be_a_secret_is_not_written_down_and_that_is_said_once() {
        let state = tempfile::tempdir().unwrap();
        let mut first = memory(state.path(), "/a", b"f");
        let parts = vec![part(0, "http://h/1?key=hidden"), part(9, "http://h/2")];
        first.parts_begun(LOCAL, parts.clone()).await;
        assert_eq!(first.remark.take().as_deref(), Some(SECRET));
        first.parts_begun(LOCAL, parts).await;
        assert_eq!(first.remark.take(), None);
        drop(first);
        let again = memory(state.path(), "/a", b"f");
        assert_eq!(again.parts(LOCAL), Parts::Same(vec![part(9, "http://h/2")]));
        drop(again);
        for entry in std::fs::read_dir(state.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("hidden"));
        }
    }

    fn resource(url: &str, acknowledged: u64) -> Resource {
        Resource { url: Url::parse(url).unwrap(), dialect: haul_store::UploadDialect::Tus, acknowledged }
    }

    #[tokio::test]
    async fn how_far_an_upload_is_is_remembered_and_a_new_one_at_the_same_url_begins_at_its_own_offset() {
        let state = tempfile::tempdir().unwrap();
        let acknowledged = || memory(state.path(), "/a", b"f").resource().unwrap().acknowledged;
        let mut first = memory(state.path(), "/a", b"f");
        first.begun(LOCAL, 0, Some(&resource("http://h/u", 0))).await;
        first.begun(LOCAL, 0, Some(&resource("http://h/u", WORTH - 1))).await;
        assert_eq!(first.record.offset, 0, "that is not worth a write");
        first.begun(LOCAL, 0, Some(&resource("http://h/u", WORTH))).await;
        drop(first);
        assert_eq!(acknowledged(), WORTH);
        let mut second = memory(state.path(), "/a", b"f");
        second.begun(LOCAL, 0, Some(&resource("http://h/u", WORTH))).await;
        second.begun(LOCAL, 0, Some(&resource("http://h/u", 5))).await;
        drop(second);
        assert_eq!(acknowledged(), 5);
        let mut third = memory(state.path(), "/a", b"f");
        third.begun(LOCAL, 0, Some(&resource("http://h/u", 5))).await;
        third.left(LOCAL, &resource("http://h/u", 77)).await;
        drop(third);
        assert_eq!(acknowledged(), 77, "the last word");
    }

    #[tokio::test]
    async fn a_second_run_is_kept_away_and_no_secret_is_written() {
        let state = tempfile::tempdir().unwrap();
        let mut first = memory(state.path(), "/a", b"f");
        first.begun(LOCAL, 4, None).await;
        let url = Url::parse("ftp://me:other@h/f").unwrap();
        let second = Memory::of(Some(state.path()), &url, "me", None, b"f".to_vec()).unwrap_err();
        assert_eq!(second.kind, Kind::Local);
        assert!(second.message.starts_with("ftp://h/f is in use by "), "{second}");
        for entry in std::fs::read_dir(state.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("secret") && !text.contains("me@"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_state_folder_that_cannot_be_used_is_said_and_no_reason_to_stop() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut memory = memory(&file.path().join("state"), "/a", b"f");
        assert!(memory.remark.take().unwrap().starts_with("what is begun now will not be remembered"));
        memory.begun(LOCAL, 4, None).await;
        assert_eq!(memory.memo(), None);
    }
}
