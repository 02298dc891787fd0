//! Where the bytes of unfinished files lie: `.haul/staging` on the medium of what they become, in the topmost folder of
//! the tree there that the server may write to. A rename then makes them visible, wherever on that medium.
//!
//! Nothing is made before the first upload. Both folders are the owner's alone, whatever access list lies above, and the
//! staging folder is one server's: it is locked from the first look at it on. A tree within this one that another server
//! serves has its own, which is out of reach as everything of that name; only where that tree is a medium of its own do
//! both want the same one, and the first has it.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use haul_core::{RESERVED, TreePath};
use rustix::{
    fs::{self, AtFlags, FlockOperation, Mode, OFlags},
    io::Errno,
};

use super::{
    beneath::{Beneath, Folder},
    door::Door,
};
use crate::{
    StageId,
    sys::tree::{Medium, PASSING, device, drop_default_access_list, medium},
};

/// The folder of staged files in `.haul`.
const STAGING: &str = "staging";
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const OWNER_ONLY: Mode = Mode::RWXU;

/// One staging folder, open.
#[derive(Debug)]
pub(super) struct Home {
    /// In which folder of the tree its `.haul` is.
    pub(super) at: TreePath,
    pub(super) medium: Medium,
    pub(super) staging: OwnedFd,
    /// Device and inode of the staging folder.
    pub(super) unique: (u64, u64),
}

/// All staging folders that were met.
#[derive(Debug, Default)]
pub(super) struct Homes {
    open: Mutex<HashMap<Medium, Arc<Home>>>,
    /// What no path may lead into: `.haul` and its staging folders, by device and inode. They are held open, so that no
    /// other folder gets the same inode should somebody remove them.
    hidden: RwLock<HashMap<(u64, u64), OwnedFd>>,
    /// The names that a sweep has kept: staging folders that are met later are swept then. Names alone tell staged files
    /// apart: where a folder lies may have changed since the id was made.
    kept: Mutex<Option<HashSet<String>>>,
    /// The staging folders that are ours, and the root, by device and inode, each locked as long as it is open here:
    /// another server would take what is staged in it for the leavings of a dead one.
    ours: Mutex<HashMap<(u64, u64), OwnedFd>>,
}

impl Homes {
    /// The staging folder for what becomes something in `folder`; made where there is none.
    pub(super) fn for_folder(
        &self,
        root: &Beneath,
        folder: &Folder,
        door: &dyn Door,
    ) -> io::Result<Arc<Home>> {
        let medium = medium(folder.fd.as_fd())?;
        if let Some(home) = self.lock().get(&medium) {
            return Ok(Arc::clone(home));
        }
        let mut refused = io::Error::from(Errno::ACCESS);
        for at in from_the_top(&folder.real) {
            let above = root.folder(&at)?;
            if self::medium(above.fd.as_fd())? != medium {
                continue;
            }
            match make(above.fd) {
                // Somebody has mounted another medium there: no rename leads out of it.
                Ok(made) if self::medium(made.staging.as_fd())? != medium => refused = Errno::XDEV.into(),
                Ok(made) => return self.met(at, medium, made, door),
                // A tree whose top belongs to somebody else, with a folder for uploads in it.
                Err(error) if is_refusal(&error) => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    /// Looks where an earlier run may have left something, so that it is out of reach from the start; writes nothing.
    pub(super) fn look(&self, root: &Beneath) -> io::Result<()> {
        let mut above = rustix::io::fcntl_dupfd_cloexec(root.root(), 0)?;
        for name in [RESERVED, STAGING] {
            above = match fs::openat(
                &above,
                name,
                PASSING | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            ) {
                Err(Errno::NOENT | Errno::ACCESS) => return Ok(()),
                opened => opened?,
            };
            self.hide(above.as_fd())?;
        }
        Ok(())
    }

    /// The staging folder whose `.haul` is in `at`, if it is there.
    pub(super) fn existing(&self, root: &Beneath, at: &TreePath, door: &dyn Door) -> io::Result<Arc<Home>> {
        if let Some(home) = self.lock().values().find(|home| home.at == *at) {
            return Ok(Arc::clone(home));
        }
        let above = root.folder(at)?;
        let haul = fs::openat(&above.fd, RESERVED, FOLDER, Mode::empty())?;
        self.hide(haul.as_fd())?;
        let staging = fs::openat(&haul, STAGING, FOLDER, Mode::empty())?;
        close_to_others(&haul)?;
        close_to_others(&staging)?;
        let medium = medium(staging.as_fd())?;
        self.met(above.real, medium, Made { above: above.fd, haul, staging }, door)
    }

    /// Forgets a staging folder that somebody has removed.
    pub(super) fn forget(&self, home: &Home) {
        self.lock().retain(|_, open| open.unique != home.unique);
    }

    /// Removes the staging folder in a folder that has nothing else in it, if nothing is staged there; whether it did.
    pub(super) fn leave(&self, folder: &Folder) -> io::Result<bool> {
        let mut entries = fs::Dir::read_from(&folder.fd)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") && entry.file_name() != c".haul" {
                return Ok(false);
            }
        }
        let haul = fs::openat(&folder.fd, RESERVED, FOLDER, Mode::empty())?;
        for (above, name) in [(&haul, STAGING), (&folder.fd, RESERVED)] {
            match fs::unlinkat(above, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(false),
                Err(errno) => return Err(errno.into()),
            }
        }
        self.lock().retain(|_, home| home.at != folder.real);
        Ok(true)
    }

    /// Whether this is a folder that no path may lead into.
    pub(super) fn hides(&self, unique: (u64, u64)) -> bool {
        self.hidden.read().unwrap_or_else(PoisonError::into_inner).contains_key(&unique)
    }

    /// Has the whole tree from the start, also where no staging folder is made yet: a second server is to hear of the
    /// first one when it begins, and not at its first upload.
    fn claim(&self, root: &Beneath) -> io::Result<()> {
        let folder = rustix::io::fcntl_dupfd_cloexec(root.root(), 0)?;
        let unique = identity(folder.as_fd())?;
        if let Entry::Vacant(place) = self.ours().entry(unique) {
            match locked(&folder) {
                Ok(held) => drop(place.insert(held)),
                Err(error) if Errno::from_io_error(&error) == Some(Errno::AGAIN) => return Err(error),
                // What cannot be locked keeps nobody out: the staging folders have locks of their own.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Removes all staged files but these, in the staging folders `at` and in whatever is met later; how many. What is
    /// another server's is left alone, and [`Errno::AGAIN`] if it is the root or the root's.
    pub(super) fn sweep(
        &self,
        root: &Beneath,
        at: impl IntoIterator<Item = TreePath>,
        keep: HashSet<String>,
        door: &dyn Door,
    ) -> io::Result<usize> {
        self.claim(root)?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut removed = 0;
        let mut seen = HashSet::new();
        for at in at {
            match self.existing(root, &at, door) {
                Ok(home) if seen.insert(home.unique) => removed += home.sweep(&keep)?,
                Ok(_) => {}
                Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NOTDIR)) => {}
                Err(error) if is_refusal(&error) => {}
                Err(error) if !at.is_root() && Errno::from_io_error(&error) == Some(Errno::AGAIN) => {}
                Err(error) => return Err(error),
            }
        }
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(keep);
        Ok(removed)
    }

    fn met(&self, at: TreePath, medium: Medium, made: Made, door: &dyn Door) -> io::Result<Arc<Home>> {
        let unique = identity(made.staging.as_fd())?;
        self.hide(made.haul.as_fd())?;
        self.hide(made.staging.as_fd())?;
        let folders = [made.haul, made.above];
        let home = Arc::new(Home { at, medium, staging: made.staging, unique });
        let mut open = self.lock();
        if let Some(first) = open.get(&medium)
            && first.at == home.at
        {
            // Two began at once.
            return Ok(Arc::clone(first));
        }
        // What is mounted twice is met twice, and what was staged in it meanwhile is ours.
        if !self.ours().contains_key(&unique) {
            let held = locked(&home.staging)?;
            // Whoever made them may not have come so far as this: what lies in them survives only if they do.
            for folder in [&home.staging].into_iter().chain(&folders) {
                door.sync_folder(folder.as_fd())?;
            }
            // Before anybody can stage something in it.
            if let Some(kept) = &*self.kept.lock().unwrap_or_else(PoisonError::into_inner) {
                home.sweep(kept)?;
            }
            let mut ours = self.ours();
            ours.retain(|_, folder| fs::fstat(folder).is_ok_and(|seen| seen.st_nlink > 0));
            ours.insert(unique, held);
        }
        // There may be two of them on one medium: either will do.
        open.entry(medium).or_insert_with(|| Arc::clone(&home));
        Ok(home)
    }

    fn hide(&self, folder: BorrowedFd<'_>) -> io::Result<()> {
        let unique = identity(folder)?;
        let mut hidden = self.hidden.write().unwrap_or_else(PoisonError::into_inner);
        if !hidden.contains_key(&unique) {
            hidden.retain(|_, folder| fs::fstat(folder).is_ok_and(|seen| seen.st_nlink > 0));
            hidden.insert(unique, rustix::io::fcntl_dupfd_cloexec(folder, 0)?);
        }
        Ok(())
    }

    fn ours(&self) -> MutexGuard<'_, HashMap<(u64, u64), OwnedFd>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Medium, Arc<Home>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Home {
    /// What a file of this name in here is called in the store.
    pub(super) fn id(&self, name: &str) -> StageId {
        if self.at.is_root() {
            return StageId(name.to_owned());
        }
        StageId(format!("{name}@{}", hex(&self.at)))
    }

    fn sweep(&self, keep: &HashSet<String>) -> io::Result<usize> {
        let mut removed = 0;
        let mut entries = fs::Dir::read_from(&self.staging)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if !is_staged_name(name) || keep.contains(name) {
                continue;
            }
            match fs::unlinkat(&self.staging, name, AtFlags::empty()) {
                Ok(()) => removed += 1,
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(removed)
    }
}

/// The folder and the name within it that an id stands for.
pub(super) fn parsed(id: &StageId) -> Option<(TreePath, &str)> {
    let (name, at) = match id.0.split_once('@') {
        None => (id.0.as_str(), TreePath::ROOT),
        Some((name, hex)) => (name, unhex(hex)?),
    };
    is_staged_name(name).then_some((at, name))
}

/// A path as printable text without blanks.
pub(super) fn hex(path: &TreePath) -> String {
    path.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`hex`] was made of.
pub(super) fn unhex(hex: &str) -> Option<TreePath> {
    let digits = hex.as_bytes().chunks(2).map(std::str::from_utf8);
    let bytes: Option<Vec<u8>> =
        digits.map(|pair| pair.ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect();
    TreePath::ROOT.join(&bytes?).ok()
}

/// 32 hexadecimal digits.
fn is_staged_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A name that no other staged file has; a collision would only be a failed creation.
pub(super) fn new_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Each has keys of its own, from the system.
    let half = || RandomState::new().hash_one(super::dates::now().nanos);
    format!("{:016x}{:016x}", half(), half())
}

struct Made {
    above: OwnedFd,
    haul: OwnedFd,
    staging: OwnedFd,
}

fn make(above: OwnedFd) -> io::Result<Made> {
    let haul = make_private(above.as_fd(), RESERVED)?;
    let staging = make_private(haul.as_fd(), STAGING)?;
    Ok(Made { above, haul, staging })
}

/// Opens a folder, and where it is not there makes it, for its owner alone.
fn make_private(above: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    match fs::openat(above, name, FOLDER, Mode::empty()) {
        Err(Errno::NOENT) => {}
        opened => {
            let opened = opened?;
            close_to_others(&opened)?;
            return Ok(opened);
        }
    }
    match fs::mkdirat(above, name, OWNER_ONLY) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    let made = fs::openat(above, name, FOLDER, Mode::empty())?;
    // What lies above may give an access list and a group to what is made in it.
    drop_default_access_list(made.as_fd());
    fs::fchmod(&made, OWNER_ONLY)?;
    Ok(made)
}

/// What is staged is nobody else's, also where the folder was made by other means or by another hand.
fn close_to_others(folder: &OwnedFd) -> io::Result<()> {
    if fs::fstat(folder)?.st_mode & 0o077 != 0 {
        fs::fchmod(folder, OWNER_ONLY)?;
    }
    Ok(())
}

/// A second handle of a folder, which is locked until the last one is closed; [`Errno::AGAIN`] where another
/// server has it.
fn locked(staging: &OwnedFd) -> io::Result<OwnedFd> {
    let held = rustix::io::fcntl_dupfd_cloexec(staging, 0)?;
    match fs::flock(&held, FlockOperation::NonBlockingLockExclusive) {
        // Not every file system can lock a folder (NFS cannot): there nobody is kept out.
        Ok(()) | Err(Errno::BADF | Errno::NOLCK | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => Ok(held),
        Err(errno) => Err(errno.into()),
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

fn identity(folder: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    let seen = fs::fstat(folder)?;
    Ok((device(&seen), seen.st_ino))
}

/// The root, then the folder in it, down to `folder` itself.
fn from_the_top(folder: &TreePath) -> Vec<TreePath> {
    let mut all = vec![folder.clone()];
    while let Some(above) = all.last().and_then(TreePath::parent) {
        all.push(above);
    }
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_its_file_and_nowhere_else() {
        let name = new_name();
        assert_eq!(parsed(&StageId(name.clone())), Some((TreePath::ROOT, name.as_str())));
        let mounted = TreePath::ROOT.join("mnt/ä b".as_bytes()).unwrap();
        assert_eq!(parsed(&StageId(format!("{name}@{}", hex(&mounted)))), Some((mounted, name.as_str())));
        for bad in ["", "../../etc/passwd", "x", &format!("{name}/"), &format!("{name}@zz"), &name[1..]] {
            assert_eq!(parsed(&StageId(bad.to_owned())), None, "{bad}");
        }
    }

    #[test]
    fn names_differ() {
        let names: HashSet<String> = (0..1000).map(|_| new_name()).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| is_staged_name(name)));
    }
}
