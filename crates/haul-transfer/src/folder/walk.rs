//! A tree, walked folder by folder: which files are to be fetched, which are here already, and what is left out and
//! why.
//!
//! Below the folder to save into, the tree has a folder of its own, called as the URL's last segment, else as the host.
//! A server may list for ever, or deep for ever: the number of entries and the depth have limits. A folder that is one
//! of those above it, as a link makes it, is known by its `unique` fact or by what PWD calls it.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use haul_core::transfer::Basis;
use haul_proto::{
    ftp::{
        entry::{Entry, EntryName, Kind as EntryKind, Precision},
        path::FtpPath,
    },
    http::name::safe_name,
};
use haul_store::FsPartial;
use url::Url;

use super::{
    Door, ground,
    names::{self, Called},
    place::FolderPlace,
    told,
    visit::{Seen, Visited, Wanted, leads_out},
};
use crate::{
    client::{Client, Stop},
    escape::{escape, place as shown},
    failure::{Failure, Kind},
    job::{Job, Target},
    notice::{Done, Verified},
    put::url_in_folder,
};

/// The deepest folder, below the one that was asked for.
const DEEPEST: usize = 64;
/// The most entries of a tree.
const MOST: u64 = 1_000_000;

/// What a walk comes upon.
#[derive(Debug)]
pub enum Found {
    /// A file to be fetched.
    File(Box<Job>),
    /// A file that is here, the same by size and date.
    Already(Box<Job>, Done),
    /// Something that a user should know, in a plain sentence (escaped for a terminal).
    Remark(String),
    /// Something that cannot be had, and why; the walk goes on.
    Failed(Box<Job>, Failure),
}

/// A tree under way.
#[derive(Debug)]
pub struct Walk {
    /// What every file's job is like.
    like: Job,
    door: Door,
    /// The folder to save into.
    base: PathBuf,
    /// What was found and not taken yet.
    ready: VecDeque<Ready>,
    /// Folders to visit, the next one last.
    waiting: Vec<Waiting>,
    entries: u64,
}

/// A folder of the tree.
#[derive(Debug)]
struct Folder {
    url: Url,
    path: FtpPath,
    local: PathBuf,
    depth: usize,
    /// By which it would be known again.
    unique: Option<Vec<u8>>,
    real: Option<Vec<u8>>,
    above: Option<Arc<Folder>>,
}

/// A folder that was listed and not visited yet.
#[derive(Debug)]
enum Waiting {
    Root(Box<FolderPlace>, PathBuf),
    In { above: Arc<Folder>, name: EntryName, local: Option<String>, unique: Option<Vec<u8>> },
}

/// Something found; a file in as few bytes as can be, for folders with very many.
#[derive(Debug)]
enum Ready {
    File { folder: Arc<Folder>, name: EntryName, local: Option<String>, already: Option<u64> },
    Other(Box<Found>),
}

impl Walk {
    /// A walk through the folder of a job's URL; each file's job is like it in everything but its place.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a URL that cannot be walked, [`Kind::Local`] where the folder to save into is missing.
    pub fn new(client: &Client, job: Job) -> Result<Self, Failure> {
        let usage = |why| Failure::new(Kind::Usage, format!("{}: {why}", shown(&job.url)));
        if !matches!(job.url.scheme(), "ftp" | "ftps") {
            return Err(usage("only ftp:// and ftps:// have folders"));
        }
        let Target::Folder(into) = &job.target else {
            return Err(usage("a tree is saved into a folder"));
        };
        let missing = || format!("the folder {} does not exist", escape(&into.to_string_lossy()));
        if !into.is_dir() {
            return Err(Failure::new(Kind::Local, missing()));
        }
        // As a person would write it.
        let base = if into == Path::new(".") { PathBuf::new() } else { into.clone() };
        let place = FolderPlace::of(&job.url).map_err(usage)?;
        let door = client.ftp_door(&job.url).map_err(usage)?;
        let local = base.join(called(&job.url, &place));
        let waiting = vec![Waiting::Root(Box::new(place), local)];
        Ok(Self { like: job, door, base, ready: VecDeque::new(), waiting, entries: 0 })
    }

    /// The next thing; `None` at the end, or when it was stopped.
    pub async fn next(&mut self, stop: &Stop) -> Option<Found> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(self.made(ready));
            }
            let waiting = self.waiting.pop()?;
            tokio::select! {
                () = self.visit(waiting) => {}
                () = stop.stopped() => return None,
            }
        }
    }

    /// A file's job, once its folder is known to be one.
    fn made(&self, ready: Ready) -> Found {
        let (folder, name, local, already) = match ready {
            Ready::Other(found) => return *found,
            Ready::File { folder, name, local, already } => (folder, name, local, already),
        };
        let path = folder.local.join(local.unwrap_or_else(|| names::text(name.as_bytes())));
        let job = Box::new(self.job(url_in_folder(&folder.url, name.as_bytes()), path.clone()));
        if let Some(size) = already {
            // Looking sweeps up a journal that a crash right after the publication left.
            let _ = FsPartial::find(&path);
            let verified = Verified::By(Basis::Date);
            let (target, took) = (Some(path), Duration::ZERO);
            return Found::Already(
                job,
                Done { target, size, fetched: 0, kept: size, took, verified, already: true },
            );
        }
        match ground::stand(&self.base, &folder.local) {
            Ok(()) => Found::File(job),
            Err(failure) => Found::Failed(job, failure),
        }
    }

    fn job(&self, url: Url, path: PathBuf) -> Job {
        Job { url, target: Target::File(path), ..self.like.clone() }
    }

    fn say(&mut self, found: Found) {
        self.ready.push_back(Ready::Other(Box::new(found)));
    }

    fn fail(&mut self, url: &Url, local: &Path, mut failure: Failure) {
        failure.target.get_or_insert_with(|| local.to_path_buf());
        let job = Box::new(self.job(url.clone(), local.to_path_buf()));
        self.say(Found::Failed(job, failure));
    }

    async fn visit(&mut self, waiting: Waiting) {
        let is_root = matches!(waiting, Waiting::Root(..));
        let mut folder = waiting.folder();
        let said = shown(&folder.url);
        if folder.depth > DEEPEST {
            let what = format!("folders are nested deeper than {DEEPEST}: {said} is left out");
            return self.fail(&folder.url, &folder.local, Failure::new(Kind::Unsafe, what));
        }
        if folder.is_above(|above| folder.unique.is_some() && above.unique == folder.unique) {
            return self.say(Found::Remark(leads_back(&said)));
        }
        let local = folder.local.clone();
        let undated =
            |entry: &Entry| has_the_size(entry, &local).is_some_and(|date| !date_agrees(entry, date));
        let wanted = Wanted { identity: folder.unique.is_none(), undated };
        let visited = match self.door.visit(&folder.path, &said, self.like.retries, wanted).await {
            Ok(visited) => visited,
            // What does not say that it is a folder may be a file.
            Err(failure) if is_root && failure.kind == Kind::Refused && !super::is_folder(&self.like.url) => {
                let job = Job { target: self.like.target.clone(), ..self.like.clone() };
                return self.say(Found::File(Box::new(job)));
            }
            Err(failure) => return self.fail(&folder.url, &folder.local, failure),
        };
        folder.real.clone_from(&visited.real);
        if folder.unique.is_none() {
            folder.unique.clone_from(&visited.unique);
        }
        let again = |above: &Folder| {
            let same = |one: &Option<Vec<u8>>, other: &Option<Vec<u8>>| one.is_some() && one == other;
            same(&above.real, &folder.real) || same(&above.unique, &folder.unique)
        };
        if folder.is_above(again) {
            return self.say(Found::Remark(leads_back(&said)));
        }
        if let Err(failure) = ground::stand(&self.base, &folder.local) {
            return self.fail(&folder.url, &folder.local, failure);
        }
        self.entries = self.entries.saturating_add(visited.seen.len() as u64);
        if self.entries > MOST {
            let what = format!("the tree has more than {MOST} entries: {said} and what follows is left out");
            self.waiting.clear();
            return self.fail(&folder.url, &folder.local, Failure::new(Kind::Unsafe, what));
        }
        self.take(&Arc::new(folder), visited, &said);
    }

    /// What a list says: files first, and the folders in it next.
    fn take(&mut self, folder: &Arc<Folder>, mut visited: Visited, said: &str) {
        let unsafe_names = std::mem::take(&mut visited.refused);
        for name in &unsafe_names.0 {
            let what = format!("{}, in {said}", leads_out(name));
            self.fail(&folder.url, &folder.local, Failure::new(Kind::Unsafe, what));
        }
        if unsafe_names.1 > 0 {
            let what = format!("{} more such names in {said} are left out", unsafe_names.1);
            self.fail(&folder.url, &folder.local, Failure::new(Kind::Unsafe, what));
        }
        if let Some(unread) = visited.unread() {
            // Who asked for all of the folder does not get that.
            let what = format!("{unread}, in {said}: what it says is left out");
            self.fail(&folder.url, &folder.local, Failure::new(Kind::Unsafe, what));
            visited.unreadable = 0;
        }
        for remark in visited.remarks() {
            self.say(Found::Remark(format!("{said}: {remark}")));
        }
        let mut seen = visited.seen;
        seen.sort_by(|one, other| one.item.entry.name.cmp(&other.item.entry.name));
        // Some servers list an entry twice.
        seen.dedup_by(|one, other| one.item.entry.name == other.item.entry.name);
        let called = names::all(seen.iter().map(|seen| &seen.item.entry.name));
        let mut folders = Vec::new();
        for (seen, called) in seen.into_iter().zip(called) {
            let told = told(seen.item.entry.name.as_bytes());
            let local = match called {
                Called::Same => None,
                Called::Else(local) => {
                    self.say(Found::Remark(format!("{told} is saved as {local}, in {said}")));
                    Some(local)
                }
                Called::Taken(local) => {
                    let why = match local {
                        Some(local) => format!("another one is saved as {}", escape(&local)),
                        None => "nothing of its name can be used".to_owned(),
                    };
                    let what = format!("{told} in {said} is left out: {why}");
                    self.fail(&folder.url, &folder.local, Failure::new(Kind::Unsafe, what));
                    continue;
                }
            };
            self.entry(folder, seen, local, &mut folders);
        }
        self.waiting.extend(folders.into_iter().rev());
    }

    fn entry(&mut self, folder: &Arc<Folder>, seen: Seen, local: Option<String>, folders: &mut Vec<Waiting>) {
        let already = is_here(&seen, &folder.local);
        let Seen { item, leads_to_file, .. } = seen;
        let Entry { name, kind, .. } = item.entry;
        match kind {
            EntryKind::Folder => {
                folders.push(Waiting::In { above: Arc::clone(folder), name, local, unique: item.unique });
            }
            EntryKind::Link { .. } if !leads_to_file => {
                let (told, said) = (told(name.as_bytes()), shown(&folder.url));
                let what = "a link to a folder or to nothing, which is not followed";
                self.say(Found::Remark(format!("{told} in {said} is left out: {what}")));
            }
            EntryKind::Link { .. } | EntryKind::File => {
                let folder = Arc::clone(folder);
                self.ready.push_back(Ready::File { folder, name, local, already });
            }
        }
    }
}

/// What the folder of a tree is called here, by its URL: as its last segment, else as the host.
pub fn tree_name(url: &Url) -> Option<String> {
    FolderPlace::of(url).ok().map(|place| called(url, &place))
}

fn called(url: &Url, place: &FolderPlace) -> String {
    let last = place.path.segments().last().and_then(|name| safe_name(&names::text(name)));
    let host = || url.host_str().and_then(safe_name);
    last.or_else(host).unwrap_or_else(|| "ftp".to_owned())
}

impl Waiting {
    fn folder(self) -> Folder {
        match self {
            Self::Root(place, local) => {
                let FolderPlace { url, path } = *place;
                Folder { url, path, local, depth: 0, unique: None, real: None, above: None }
            }
            Self::In { above, name, local, unique } => {
                let local = above.local.join(local.unwrap_or_else(|| names::text(name.as_bytes())));
                let url = url_in_folder(&above.url, name.as_bytes());
                let path = above.path.child(&name, true);
                let depth = above.depth + 1;
                Folder { url, path, local, depth, unique, real: None, above: Some(above) }
            }
        }
    }
}

impl Folder {
    /// Whether one of the folders above it is so.
    fn is_above(&self, is_so: impl Fn(&Folder) -> bool) -> bool {
        let mut next = self.above.as_deref();
        while let Some(above) = next {
            if is_so(above) {
                return true;
            }
            next = above.above.as_deref();
        }
        false
    }
}

fn leads_back(said: &str) -> String {
    format!("{said} leads back to a folder above it: left out")
}

/// The date, in seconds since 1970, of the local file for an entry, where that has the entry's size.
fn has_the_size(entry: &Entry, local: &Path) -> Option<i64> {
    let size = entry.size.filter(|_| entry.kind == EntryKind::File)?;
    let here = fs::symlink_metadata(local.join(names::alone(&entry.name)?)).ok()?;
    let is_it = here.is_file() && here.len() == size;
    here.modified().ok().filter(|_| is_it).map(seconds)
}

/// Whether the list itself tells the date, and it is this one.
fn date_agrees(entry: &Entry, date: i64) -> bool {
    entry.stamp.is_some_and(|stamp| stamp.precision == Precision::Exact && stamp.modified.seconds == date)
}

/// The size of the local file that is this one, by size and date.
fn is_here(seen: &Seen, local: &Path) -> Option<u64> {
    let entry = &seen.item.entry;
    let date = has_the_size(entry, local)?;
    let same = date_agrees(entry, date) || seen.modified.is_some_and(|told| told.seconds == date);
    entry.size.filter(|_| same)
}

fn seconds(at: SystemTime) -> i64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs().try_into().unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}
