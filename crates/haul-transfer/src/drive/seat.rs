//! Where the bytes of a transfer lie: under which name, whether an earlier run left something there, and whether that
//! is ours to go on with.
//!
//! It opens partials and judges files that are in the way. It moves no bytes.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use haul_core::{ByteRange, Entity, RangeSet, transfer::Memo};
use haul_proto::http::name::{name_from_url_path, safe_name};
use haul_store::{Found, FsPartial, Orphan, Resumed, SourceRecord, StoreError, Subject};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{
    checksum,
    escape::{escape, place},
    failure::{Failure, Kind},
    job::{Job, Target},
};

/// A partial that is ours, and what it holds.
pub(super) struct Seat {
    pub(super) partial: FsPartial,
    pub(super) target: PathBuf,
    /// What an earlier run left; `None` is a fresh start.
    pub(super) memo: Option<Memo>,
    /// What a user should know of it.
    pub(super) remarks: Vec<String>,
    /// The bytes were left by another program, under the file's own name.
    pub(super) adopted: bool,
}

/// What looking at the target came to.
pub(super) enum Look {
    /// Here is the place.
    Seat(Box<Seat>),
    /// The file is there already, and it is this one.
    Already { target: PathBuf, size: u64 },
}

/// By what a URL is known again in a journal: a hash, since queries may be secrets.
pub(super) fn key(url: &Url) -> [u8; 32] {
    let mut bare = url.clone();
    bare.set_fragment(None);
    // A URL with a host always takes these.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    Sha256::digest(bare.as_str()).into()
}

/// What the journal remembers of a job: its URLs and what each said.
pub(super) fn subject(
    job: &Job,
    target: Option<&Path>,
    size: Option<u64>,
    known: &[Option<Entity>],
) -> Subject {
    let urls = std::iter::once(&job.url).chain(&job.mirrors);
    let entity = |index: usize| known.get(index).cloned().flatten().unwrap_or_default();
    let record = |(index, url): (usize, &Url)| SourceRecord {
        shown_url: place(url),
        url_key: key(url),
        entity: entity(index),
    };
    let name = target.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    Subject { sources: urls.enumerate().map(record).collect(), size, name: name.unwrap_or_default() }
}

/// Stands in a journal among the sources for as long as nobody has vouched for bytes that another program left.
pub(super) fn stranger() -> SourceRecord {
    SourceRecord { shown_url: "another program".to_owned(), url_key: [0; 32], entity: Entity::default() }
}

/// Looks before anything is asked. `None`: the far end's first answer is needed to tell.
pub(super) fn before_asking(job: &Job) -> Result<Option<Seat>, Failure> {
    let target = match &job.target {
        Target::Stdout => return Ok(None),
        Target::File(path) => {
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                return Err(no_folder(folder));
            }
            Some(path.clone())
        }
        Target::Folder(folder) if !folder.is_dir() => return Err(no_folder(folder)),
        Target::Folder(folder) => {
            let found = haul_store::find_by_key(folder, &key(&job.url));
            found.as_deref().and_then(Path::file_name).map(|name| within(folder, name))
        }
    };
    let Some(target) = target else { return Ok(None) };
    check_kind(&target)?;
    // A finished file is in the way, or done: only the far end can tell which.
    if target.symlink_metadata().is_ok() && !job.overwrite {
        return Ok(None);
    }
    match find(job, &target)? {
        Found::Nothing => Ok(None),
        Found::Journaled(resumed) if job.restart || known_to(job, &resumed.subject) => {
            Ok(Some(resume(job, *resumed, target, None)))
        }
        // Another URL's: the far end's answer tells whether it is the same file.
        Found::Journaled(_) => Ok(None),
        Found::Orphan(orphan) => adopt(job, orphan, target).map(Some),
    }
}

/// Looks when the far end's first answer is there.
pub(super) fn with_answer(job: &Job, seen: &Entity, name: Option<&str>) -> Result<Look, Failure> {
    let Some(target) = target(job, name) else {
        return Err(Failure::new(Kind::Unexpected, "standard output has no place to look at"));
    };
    check_kind(&target)?;
    if let Ok(there) = fs::symlink_metadata(&target)
        && !job.overwrite
    {
        if is_this_file(job, &target, &there, seen) {
            // Looking sweeps up a journal that a crash right after the publication left.
            let _ = FsPartial::find(&target);
            return Ok(Look::Already { target, size: there.len() });
        }
        if !job.adopt || !there.is_file() || seen.size.is_some_and(|size| there.len() > size) {
            return Err(local(format!("{} is there already and is not this file", target.display()))
                .advise("use --overwrite to replace it, or -o to choose another name (-d: another folder)"));
        }
        let orphan = FsPartial::adopt_finished(&target).map_err(|error| store(&error))?;
        return adopt(job, orphan, target).map(|seat| Look::Seat(Box::new(seat)));
    }
    let seat = match find(job, &target)? {
        Found::Nothing => begin(job, target, seen)?,
        Found::Journaled(resumed)
            if job.restart || known_to(job, &resumed.subject) || proof(&resumed.subject, seen).is_some() =>
        {
            resume(job, *resumed, target, Some(seen))
        }
        Found::Journaled(resumed) => {
            let from =
                resumed.subject.sources.first().map(|source| escape(&source.shown_url)).unwrap_or_default();
            return Err(local(format!(
                "{}.part belongs to another file, begun from {from}",
                target.display()
            ))
            .advise("use -o to choose another name, or --restart to drop what is there"));
        }
        Found::Orphan(orphan) => adopt(job, orphan, target)?,
    };
    Ok(Look::Seat(Box::new(seat)))
}

/// Where the file will be, when the far end calls it so; `None` is standard output.
pub(super) fn target(job: &Job, name: Option<&str>) -> Option<PathBuf> {
    match &job.target {
        Target::File(path) => Some(path.clone()),
        Target::Folder(folder) => Some(within(folder, name_for(&job.url, name).as_ref())),
        Target::Stdout => None,
    }
}

/// Nothing but a file, or nothing at all, may be where the file shall be.
fn check_kind(target: &Path) -> Result<(), Failure> {
    match target.metadata() {
        Ok(there) if there.is_dir() => Err(local(format!("{} is a folder", target.display()))),
        Ok(there) if !there.is_file() => Err(local(format!("{} is not a regular file", target.display()))
            .advise("use -o to choose another name; -o - is standard output")),
        _ => Ok(()),
    }
}

/// Whether there is room for what is still missing.
pub(super) fn check_room(target: &Path, size: Option<u64>, held: u64) -> Result<(), Failure> {
    let folder = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Some(size), Ok(free)) = (size, haul_store::free_space(folder)) else { return Ok(()) };
    let needed = size.saturating_sub(held);
    if needed <= free {
        return Ok(());
    }
    let mut failure =
        local(format!("no room in {}: {needed} bytes are needed, {free} are free", folder.display()))
            .advise("make room and run the same command again");
    failure.kept = held;
    Err(failure)
}

fn find(job: &Job, target: &Path) -> Result<Found, Failure> {
    match FsPartial::find(target) {
        // Told to begin anew, a journal that only a newer haul can read is in nobody's way.
        Err(StoreError::NewerFormat { path, .. }) if job.restart => {
            fs::remove_file(&path)
                .map_err(|error| local(format!("cannot remove {}: {error}", path.display())))?;
            FsPartial::find(target)
        }
        found => found,
    }
    .map_err(|error| store(&error))
}

fn begin(job: &Job, target: PathBuf, seen: &Entity) -> Result<Seat, Failure> {
    check_room(&target, seen.size, 0)?;
    let subject = subject(job, Some(&target), seen.size, &[Some(seen.clone())]);
    let partial = FsPartial::create(&target, &subject).map_err(|error| store(&error))?;
    Ok(Seat { partial, target, memo: None, remarks: Vec::new(), adopted: false })
}

fn resume(job: &Job, resumed: Resumed, target: PathBuf, seen: Option<&Entity>) -> Seat {
    let Resumed { partial, subject, held, touched, lost, .. } = resumed;
    let mut remarks = Vec::new();
    let adopted = !job.restart && !held.is_empty() && subject.sources.contains(&stranger());
    let mut memo = Some(Memo { size: subject.size, held, sources: known_by(job, &subject, seen) });
    if job.restart {
        memo = Some(Memo::default());
        remarks.push("what was there is dropped, as told".to_owned());
    } else if touched {
        memo = Some(Memo::default());
        remarks.push(format!("somebody changed {}.part since: begun anew", target.display()));
    } else if lost > 0 {
        remarks.push(format!("{lost} bytes did not survive and are fetched again"));
    }
    Seat { partial, target, memo, remarks, adopted }
}

fn adopt(job: &Job, orphan: Orphan, target: PathBuf) -> Result<Seat, Failure> {
    let (len, has_holes) = (orphan.len(), orphan.has_holes());
    let mut remarks = Vec::new();
    let mut held = RangeSet::new();
    // A journal that can't be read any more still says whose it is.
    let mut journal = target.as_os_str().to_owned();
    journal.push(".part.haul");
    let ours = Path::new(&journal).exists();
    if has_holes && !job.restart && !ours {
        // Its length says nothing of what it holds, and it may be anybody's.
        let aside = orphan.set_aside("old").map_err(|error| store(&error))?;
        let (shown, aside) = (target.display(), aside.display());
        remarks.push(format!("{shown}.part has no journal and has holes: kept as {aside}, begun anew"));
        let subject = subject(job, Some(&target), None, &[]);
        let partial = FsPartial::create(&target, &subject).map_err(|error| store(&error))?;
        return Ok(Seat { partial, target, memo: Some(Memo::default()), remarks, adopted: false });
    }
    if has_holes {
        remarks.push(format!("the journal of {}.part is damaged: begun anew", target.display()));
    } else if !job.restart && len > 0 {
        remarks.push(format!(
            "{}.part has no journal: {len} bytes are compared with the server's",
            target.display()
        ));
        held.extend(ByteRange::new(0, len));
    }
    let mut subject = subject(job, Some(&target), None, &[]);
    let adopted = !ours && !held.is_empty();
    if adopted {
        subject.sources.push(stranger());
    }
    let partial = orphan.begin(subject, &held).map_err(|error| store(&error))?;
    Ok(Seat { partial, target, memo: Some(Memo { held, ..Memo::default() }), remarks, adopted })
}

/// Whether a journal speaks of this job's URL, or of one of its mirrors.
fn known_to(job: &Job, subject: &Subject) -> bool {
    let keys: Vec<_> = std::iter::once(&job.url).chain(&job.mirrors).map(key).collect();
    subject.sources.iter().any(|source| keys.contains(&source.url_key))
}

/// What a journal knows of each source of this job. A new URL of the same file takes what the old one said.
fn known_by(job: &Job, subject: &Subject, seen: Option<&Entity>) -> Vec<Option<Entity>> {
    let said =
        |source: &SourceRecord| Some(source.entity.clone()).filter(|entity| *entity != Entity::default());
    let by_key = |url: &Url| subject.sources.iter().find(|source| source.url_key == key(url)).and_then(said);
    // Sources that ran side by side agree by the whole's digest alone; without one nothing vouches for their bytes.
    if job.checksum.is_none() && subject.sources.iter().filter_map(said).count() > 1 {
        return vec![None; 1 + job.mirrors.len()];
    }
    let mut known: Vec<_> = std::iter::once(&job.url).chain(&job.mirrors).map(by_key).collect();
    if known.iter().all(Option::is_none)
        && let Some(first) = known.first_mut()
    {
        *first = seen.and_then(|seen| proof(subject, seen).cloned());
    }
    known
}

/// What a journal remembers that proves that another URL's answer speaks of the same file.
fn proof<'a>(subject: &'a Subject, seen: &Entity) -> Option<&'a Entity> {
    let proves = |known: &&Entity| {
        let tags = known.strong_etag().zip(seen.strong_etag());
        let dates = known.strong_date().zip(seen.strong_date());
        tags.map_or_else(|| dates.is_some_and(|(was, is)| was.same_moment(is)), |(was, is)| was == is)
    };
    let same_size = subject.size.is_some() && subject.size == seen.size;
    subject.sources.iter().map(|source| &source.entity).find(proves).filter(|_| same_size)
}

/// Whether the finished file that is there is the one that the far end has: by digest, else by size and date.
fn is_this_file(job: &Job, target: &Path, there: &fs::Metadata, seen: &Entity) -> bool {
    if !there.is_file() || seen.size != Some(there.len()) {
        return false;
    }
    if let Some(wanted) = &job.checksum {
        return checksum::of_file(target, wanted.algorithm())
            .is_ok_and(|found| found.as_ref() == Some(wanted));
    }
    let modified = there.modified().ok().map(unix_seconds);
    modified.is_some() && modified == seen.modified.map(|modified| modified.seconds)
}

fn unix_seconds(at: SystemTime) -> i64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs().try_into().unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// A file in a folder, as a person would write it.
fn within(folder: &Path, name: &OsStr) -> PathBuf {
    if folder == Path::new(".") { name.into() } else { folder.join(name) }
}

/// The name of the file: the far end's, else the URL's last segment, made safe.
fn name_for(url: &Url, told: Option<&str>) -> String {
    told.and_then(safe_name)
        .or_else(|| name_from_url_path(url.path()))
        .unwrap_or_else(|| "index.html".to_owned())
}

fn no_folder(folder: &Path) -> Failure {
    local(format!("the folder {} does not exist", folder.display()))
}

fn local(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Local, message)
}

/// What a failure of the store means for the caller.
pub(super) fn store(error: &StoreError) -> Failure {
    let mut message = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        message = format!("{message}: {source}");
    }
    let failure = Failure::new(Kind::Local, escape(&message));
    match error {
        StoreError::NoSpace { .. } => failure.advise("make room and run the same command again"),
        StoreError::InUse { .. } => failure.advise("wait for it, or stop it"),
        StoreError::TakenAway { .. } => failure.advise("run the same command again"),
        StoreError::Exists { .. } => {
            failure.advise("use --overwrite to replace it, or -o to choose another name")
        }
        StoreError::NewerFormat { .. } => Failure { kind: Kind::Unsafe, ..failure }
            .advise("use that newer haul, or --restart to begin anew"),
        _ => failure,
    }
}
