//! What all connections of a peer share: the behaviour, the uploads and files, the record; and the rules by which bytes
//! are taken.

use std::collections::BTreeMap;
use std::time::Instant;

use sha1::Digest as _;

use super::answer::{self, Answer, Progress};
use super::ask::{Ask, Creation, Dialect, Name, UPLOADS};
use super::behaviour::{Fate, Finish, Instead, Step, Told, UploadBehaviour, When};
use super::request::UploadRequest;

#[derive(Debug)]
pub(super) struct State {
    pub(super) behaviour: UploadBehaviour,
    pub(super) requests: Vec<UploadRequest>,
    pub(super) files: BTreeMap<String, File>,
    /// By their number; none is ever taken out.
    uploads: Vec<Upload>,
    /// Requests so far by step, forgotten ones too.
    counts: BTreeMap<u8, usize>,
    completions: usize,
    /// Requests so far that had the right to write.
    writers: usize,
    /// Files so far: the next one's ETag.
    versions: usize,
    /// Bytes of content that were read.
    pub(super) received: u64,
    /// Those of them that had been acknowledged before.
    pub(super) again: u64,
    /// No content is read once so many bytes of it were, over all requests.
    pub(super) hold: Option<u64>,
    /// What was withheld may go on.
    pub(super) released: bool,
    locked_until: Option<Instant>,
    lock_is_used: bool,
}

/// A file that is complete.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    pub(super) version: usize,
}

#[derive(Debug)]
struct Upload {
    path: String,
    length: Option<u64>,
    bytes: Vec<u8>,
    /// The most that was ever told, and is true.
    told: u64,
    complete: bool,
    fate: Fate,
    /// The number of the request that may write.
    writer: usize,
}

/// A request that brings bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taking {
    pub(super) dialect: Dialect,
    pub(super) step: Step,
    /// Its number among those of the step.
    pub(super) number: usize,
    pub(super) id: usize,
    /// The offset at which its content begins.
    pub(super) from: u64,
    /// Whether its content is the end of the file.
    ends: bool,
    writer: usize,
}

/// What came of some bytes.
pub(super) enum Taken {
    /// They are there.
    Well,
    /// They are there, and now the connection is to be cut: a lock stays behind.
    Locks,
    /// Another request has the upload now, or it is gone.
    Fenced,
    /// It would become too large.
    TooLarge,
}

impl State {
    pub(super) fn new(behaviour: UploadBehaviour) -> Self {
        Self {
            behaviour,
            requests: Vec::new(),
            files: BTreeMap::new(),
            uploads: Vec::new(),
            counts: BTreeMap::new(),
            completions: 0,
            writers: 0,
            versions: 0,
            received: 0,
            again: 0,
            hold: None,
            released: false,
            locked_until: None,
            lock_is_used: false,
        }
    }

    /// Records a request; what it wants, its number among those that want the like, and whether it is never read.
    pub(super) fn register(&mut self, request: &mut UploadRequest) -> (Ask, usize, bool) {
        let ask = Ask::of(request, &self.behaviour);
        request.step = ask.step();
        if let Ask::Append(_, _, addition) = &ask {
            request.from = addition.from;
        }
        let unread = self.behaviour.never_reads.is_some_and(|which| which.includes(self.requests.len()));
        self.requests.push(request.clone());
        let number = self.next(request.step);
        (ask, number, unread)
    }

    fn next(&mut self, step: Step) -> usize {
        let count = self.counts.entry(step as u8).or_default();
        *count += 1;
        *count - 1
    }

    /// What stands in for obedience at this moment.
    pub(super) fn instead(&self, step: Step, number: usize, such: impl Fn(When) -> bool) -> Option<Instead> {
        let fits = |entry: &&Instead| entry.step == step && entry.which.includes(number) && such(entry.when);
        self.behaviour.instead.iter().find(fits).cloned()
    }

    /// That answer; with 409 come the fields that tell the offset.
    pub(super) fn answer_instead(&mut self, instead: &Instead, upload: Option<(Dialect, usize)>) -> Answer {
        let mut answer = Answer::new(instead.status).with_all(instead.fields.clone());
        if let Some((dialect, id)) = upload {
            if instead.status == 409 && !self.behaviour.bare_conflicts {
                answer = answer.with_all(self.fields(dialect, id, None));
            }
            if instead.upload != Fate::Kept {
                self.lose(id, instead.upload);
            }
        }
        answer
    }

    /// The upload that is meant; an answer where there is none to be had.
    pub(super) fn find(&self, name: &Name) -> Result<usize, Answer> {
        let found = match name {
            Name::Id(id) => Some(*id),
            Name::Path(path) => {
                let open = |upload: &Upload| &upload.path == path && !upload.complete;
                self.uploads.iter().rposition(|upload| open(upload) && upload.fate == Fate::Kept)
            }
        };
        let Some((id, upload)) = found.and_then(|id| Some((id, self.uploads.get(id)?))) else {
            return Err(Answer::new(404));
        };
        if self.locked_until.is_some_and(|until| Instant::now() < until) {
            let retry = self.behaviour.locked.and_then(|locked| locked.retry_after);
            let fields = retry.map(|seconds| ("Retry-After".to_owned(), seconds.to_string()));
            return Err(Answer::new(423).with_all(fields));
        }
        if upload.fate != Fate::Kept || (upload.complete && self.behaviour.forgets_complete) {
            return Err(Answer::gone(upload.fate));
        }
        Ok(id)
    }

    pub(super) fn lose(&mut self, id: usize, fate: Fate) {
        if let Some(upload) = self.uploads.get_mut(id) {
            upload.fate = fate;
            upload.bytes = Vec::new();
        }
    }

    /// All of them that are unfinished.
    pub(super) fn lose_all(&mut self, fate: Fate) {
        for id in 0..self.uploads.len() {
            if !self.uploads[id].complete {
                self.lose(id, fate);
            }
        }
    }

    /// How many bytes the newest upload has, unless it is lost.
    pub(super) fn newest(&self) -> Option<u64> {
        let kept = self.uploads.last().filter(|upload| upload.fate == Fate::Kept);
        kept.map(|upload| upload.bytes.len() as u64)
    }

    /// The fields that tell how far an upload is, perhaps not truly; the truth is what counts as told.
    pub(super) fn fields(
        &mut self,
        dialect: Dialect,
        id: usize,
        to: Option<(Step, usize)>,
    ) -> Vec<(String, String)> {
        let upload = &mut self.uploads[id];
        let offset = upload.bytes.len() as u64;
        let stated = answer::stated(offset, to.and_then(|(step, number)| lie(&self.behaviour, step, number)));
        if let Some(told) = stated.as_ref().and_then(|text| text.parse().ok()) {
            upload.told = upload.told.max(offset.min(told));
        }
        let progress = Progress { length: upload.length, complete: upload.complete };
        answer::fields(dialect, progress, stated, &self.behaviour)
    }

    /// The offset for a 104 in the middle.
    pub(super) fn progress(&mut self, id: usize) -> Option<String> {
        let number = self.next(Step::Progress);
        let upload = self.uploads.get_mut(id)?;
        let offset = upload.bytes.len() as u64;
        let stated = answer::stated(offset, lie(&self.behaviour, Step::Progress, number))?;
        if let Ok(told) = stated.parse::<u64>() {
            upload.told = upload.told.max(offset.min(told));
        }
        Some(stated)
    }

    /// Begins a request that brings bytes, or says why not.
    pub(super) fn open(&mut self, ask: &Ask, number: usize) -> Result<Taking, Answer> {
        let max = self.behaviour.limits.max_size.unwrap_or(u64::MAX);
        let (dialect, step, id, from, ends) = match ask {
            Ask::Create(dialect, creation) => {
                if creation.length.is_some_and(|length| length > max) {
                    return Err(Answer::new(413));
                }
                let id = self.create(creation);
                (*dialect, Step::Create, id, 0, creation.ends)
            }
            Ask::Append(dialect, name, addition) => {
                let id = self.find(name)?;
                let (offset, complete) = (self.uploads[id].bytes.len() as u64, self.uploads[id].complete);
                if offset != addition.from || complete {
                    let bare = self.behaviour.bare_conflicts;
                    let fields = if bare {
                        Vec::new()
                    } else {
                        self.fields(*dialect, id, Some((Step::Append, number)))
                    };
                    return Err(Answer::mismatch((!bare).then_some(offset), addition.from).with_all(fields));
                }
                let upload = &mut self.uploads[id];
                upload.length = upload.length.or(addition.length);
                (*dialect, Step::Append, id, addition.from, addition.ends)
            }
            Ask::Options | Ask::Query(..) | Ask::Cancel(..) | Ask::Look(_) | Ask::Refused(_) => {
                return Err(Answer::new(500));
            }
        };
        let writer = self.fence(id);
        Ok(Taking { dialect, step, number, id, from, ends, writer })
    }

    fn create(&mut self, creation: &Creation) -> usize {
        // Parts that are put together are the whole of it; none of theirs has a path.
        let parts = creation.parts.iter().filter_map(|id| self.uploads.get(*id));
        let bytes: Vec<u8> = parts.flat_map(|part| part.bytes.iter().copied()).collect();
        let length = if creation.parts.is_empty() { creation.length } else { Some(bytes.len() as u64) };
        let path = creation.path.clone();
        self.uploads.push(Upload {
            path,
            length,
            bytes,
            told: 0,
            complete: false,
            fate: Fate::Kept,
            writer: 0,
        });
        self.uploads.len() - 1
    }

    /// Where an upload is to be found.
    pub(super) fn path_of(id: usize) -> String {
        format!("{UPLOADS}{id}")
    }

    /// Nobody who wrote it before may go on; the number of who may.
    pub(super) fn fence(&mut self, id: usize) -> usize {
        self.writers += 1;
        if let Some(upload) = self.uploads.get_mut(id) {
            upload.writer = self.writers;
        }
        self.writers
    }

    /// Takes bytes of a request, of which `before` were taken already.
    pub(super) fn take(&mut self, taking: &Taking, before: u64, bytes: &[u8]) -> Taken {
        self.count(taking.id, taking.from + before, bytes.len());
        let b = &self.behaviour;
        let (max, append) = (b.limits.max_size.unwrap_or(u64::MAX), b.limits.max_append.unwrap_or(u64::MAX));
        let locked = b.locked.filter(|_| !self.lock_is_used);
        let Some(upload) = self.uploads.get_mut(taking.id) else { return Taken::Fenced };
        if upload.fate != Fate::Kept || upload.writer != taking.writer {
            return Taken::Fenced;
        }
        let after = upload.bytes.len() as u64 + bytes.len() as u64;
        if after > max || after > upload.length.unwrap_or(u64::MAX) || before + bytes.len() as u64 > append {
            return Taken::TooLarge;
        }
        upload.bytes.extend_from_slice(bytes);
        if let Some(locked) = locked
            && after >= locked.after
        {
            self.lock_is_used = true;
            self.locked_until = Some(Instant::now() + locked.time);
            return Taken::Locks;
        }
        Taken::Well
    }

    /// Bytes came, whatever becomes of them.
    fn count(&mut self, id: usize, at: u64, bytes: usize) {
        self.received += bytes as u64;
        let told =
            self.uploads.get(id).filter(|upload| upload.fate == Fate::Kept).map_or(0, |upload| upload.told);
        self.again += told.saturating_sub(at).min(bytes as u64);
    }

    /// Bytes of a request that is refused.
    pub(super) fn thrown_away(&mut self, of: Option<(usize, u64)>, bytes: usize) {
        match of {
            Some((id, at)) => self.count(id, at, bytes),
            None => self.received += bytes as u64,
        }
    }

    /// Whether what a request of tus brought is what its checksum says; what it brought goes if not.
    pub(super) fn proved(&mut self, taking: &Taking, checksum: Option<&str>) -> bool {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let Some((algorithm, digest)) = checksum.and_then(|text| text.split_once(' ')) else { return true };
        let upload = &mut self.uploads[taking.id];
        let brought = &upload.bytes[taking.from as usize..];
        let found = match algorithm {
            "sha1" => STANDARD.encode(sha1::Sha1::digest(brought)),
            "sha256" => STANDARD.encode(sha2::Sha256::digest(brought)),
            _ => return false,
        };
        let same = found == digest;
        if !same {
            upload.bytes.truncate(taking.from as usize);
        }
        same
    }

    /// All of a request's content is there. Whether that completes the upload, and how.
    pub(super) fn close(&mut self, taking: &Taking) -> (bool, Option<Finish>) {
        let upload = &mut self.uploads[taking.id];
        let there = upload.bytes.len() as u64;
        let complete = match taking.dialect {
            Dialect::Tus => upload.length == Some(there),
            Dialect::Draft | Dialect::Pieces | Dialect::Plain => taking.ends,
        };
        if !complete {
            return (false, None);
        }
        (upload.complete, upload.length) = (true, Some(there));
        let number = self.completions;
        if !upload.path.is_empty() {
            let (path, bytes) = (upload.path.clone(), upload.bytes.clone());
            self.versions += 1;
            self.files.insert(path, File { bytes, version: self.versions });
            self.completions += 1;
        }
        let finish = self.behaviour.finish.filter(|(which, _)| which.includes(number));
        (true, finish.map(|(_, finish)| finish))
    }

    /// Puts a file that nobody uploaded.
    pub(super) fn put(&mut self, path: &str, bytes: Vec<u8>) {
        self.versions += 1;
        self.files.insert(path.to_owned(), File { bytes, version: self.versions });
    }
}

fn lie(b: &UploadBehaviour, step: Step, number: usize) -> Option<&Told> {
    let found = b.lies.iter().find(|lie| lie.step == step && lie.which.includes(number));
    found.map(|lie| &lie.told)
}
