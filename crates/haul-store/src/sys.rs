//! Everything that asks the platform for more than the standard library offers. Linux first; elsewhere the nearest
//! portable thing, which is said where it is weaker.

mod machine;

#[cfg(unix)]
pub(crate) mod pipe;
#[cfg(unix)]
pub(crate) mod tree;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(unix)]
use rustix::{fs, io::Errno};

pub(crate) use machine::{answers_at_once, boot_id, open_private, over_network};

/// Which file to open for reading and writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// One that is there.
    Existing,
    /// One that is there or is created with the mode that the umask gives.
    Partial,
    /// One that is created and that only its owner may read.
    Private,
}

/// The first `most` bytes of a regular file, never through a symbolic link, never waiting for a pipe's other end.
pub(crate) fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((fs::OFlags::NOFOLLOW | fs::OFlags::NONBLOCK).bits().cast_signed());
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a regular file, never through a symbolic link at the last place of the path.
#[cfg(unix)]
pub(crate) fn open(path: &Path, opening: Opening) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match opening {
        Opening::Existing => {}
        Opening::Partial => {
            options.create(true).mode(0o666);
        }
        Opening::Private => {
            options.create_new(true).mode(0o600);
        }
    }
    // O_NONBLOCK: what lies there may be a pipe, and the look at it must not hang. It means nothing for a file.
    let flags = fs::OFlags::NOFOLLOW | fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Errno::LOOP.into()) }
}

/// Opens a file; a symbolic link is refused by a look beforehand.
#[cfg(not(unix))]
pub(crate) fn open(path: &Path, opening: Opening) -> io::Result<File> {
    if path.symlink_metadata().is_ok_and(|seen| !seen.is_file()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let (create, new) = (opening == Opening::Partial, opening == Opening::Private);
    OpenOptions::new().read(true).write(true).create(create).create_new(new).open(path)
}

/// Whether [`open`] failed because there is no regular file but something else.
pub(crate) fn is_not_a_file(error: &io::Error) -> bool {
    #[cfg(unix)]
    if Errno::from_io_error(error) == Some(Errno::LOOP) {
        return true;
    }
    error.kind() == io::ErrorKind::IsADirectory
}

/// What is written at once at most. File systems that keep large folios take one of the write's size for it, and pages
/// that lie together in such number are often ones that nobody used before: where the machine is a virtual one, its
/// host has to find them first (docs/performance.md).
pub(crate) const AT_ONCE: usize = 256 << 10;

/// One write at an offset: how many bytes were written.
pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    let bytes = bytes.get(..AT_ONCE).unwrap_or(bytes);
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_at(file, bytes, at);
    #[cfg(not(unix))]
    return std::os::windows::fs::FileExt::seek_write(file, bytes, at);
}

/// One read at an offset: how many bytes were read, 0 at the end of the file.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, at);
    #[cfg(not(unix))]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, at);
}

/// What tells a file from every other one: device and inode.
#[cfg(unix)]
pub(crate) fn identity(seen: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (seen.dev(), seen.ino())
}

/// No identity to be had: every file is taken for the one that it should be.
#[cfg(not(unix))]
pub(crate) fn identity(_: &std::fs::Metadata) -> (u64, u64) {
    (0, 0)
}

/// Renames `from` to `to` unless that is taken ([`io::ErrorKind::AlreadyExists`]). Where a file system knows neither such
/// a rename nor hard links, this is weaker: see [`rename_if_free`].
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    match fs::renameat_with(fs::CWD, from, fs::CWD, to, fs::RenameFlags::NOREPLACE) {
        // Not every file system knows the flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        done => return done.map_err(io::Error::from),
    }
    // A hard link is refused where the name is taken, too. Should the machine stop between the two, both names mean
    // the same whole file.
    match std::fs::hard_link(from, to) {
        Err(error) if knows_no_links(&error) => rename_if_free(from, to),
        linked => linked.and_then(|()| std::fs::remove_file(from)),
    }
}

/// Whether this is what a file system says that has no hard links, as FAT and many a network file system.
fn knows_no_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}

/// Weaker than a rename that refuses by itself: a file that another program puts there between the look and the rename
/// is replaced.
fn rename_if_free(from: &Path, to: &Path) -> io::Result<()> {
    match to.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::rename(from, to),
        Err(error) => Err(error),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return match File::open(dir)?.sync_all() {
        // Some network file systems have no such thing; their names are durable by themselves or not at all.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done,
    };
    #[cfg(not(unix))]
    return dir.metadata().map(drop);
}

/// Whether a stretch of the file has never been written. Where the file system cannot tell: no.
pub(crate) fn has_hole(file: &File) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        let len = file.metadata()?.len();
        match fs::seek(file, fs::SeekFrom::Hole(0)) {
            Ok(hole) => Ok(hole < len),
            Err(Errno::INVAL | Errno::NXIO | Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
    #[cfg(not(target_os = "linux"))]
    file.metadata().map(|_| false)
}

/// Lets go of cached pages that need no write-back, so that the next read sees what the disk has.
///
/// After a failed write-back the cache may show bytes that never arrived. Only advice: without it a read may still
/// be answered from the cache.
pub(crate) fn drop_clean_pages(file: &File) {
    #[cfg(target_os = "linux")]
    let _ = fs::fadvise(file, 0, None, fs::Advice::DontNeed);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// How many bytes the user may still write on the file system of `dir`.
pub fn free_space(dir: &Path) -> io::Result<u64> {
    #[cfg(unix)]
    {
        let stat = rustix::io::retry_on_intr(|| fs::statvfs(dir))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
    #[cfg(not(unix))]
    dir.metadata().map(|_| u64::MAX)
}

/// Whether there is a process with this number, as far as the system tells.
pub(crate) fn lives(process: u32) -> bool {
    #[cfg(unix)]
    if let Some(pid) = rustix::process::Pid::from_raw(process.cast_signed()) {
        return rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH);
    }
    let _ = process;
    true
}

/// The process that holds the lock on a file, without trying to take it; `session` is the one that the journal names.
pub(crate) fn lock_holder(part: &Path, session: Option<u32>) -> Option<u32> {
    #[cfg(target_os = "linux")]
    if let (Ok(locks), Ok(seen)) = (std::fs::read_to_string("/proc/locks"), part.symlink_metadata()) {
        let (dev, ino) = identity(&seen);
        return holder_in(&locks, (fs::major(dev), fs::minor(dev), ino), session);
    }
    let _ = part;
    #[cfg(unix)]
    {
        let pid = rustix::process::Pid::from_raw(session?.cast_signed())?;
        rustix::process::test_kill_process(pid).ok().and(session)
    }
    #[cfg(not(unix))]
    session
}

/// Finds a file's flock in the text of /proc/locks: `1: FLOCK ADVISORY WRITE 4242 08:01:131 0 EOF`.
///
/// Some file systems show another device there than stat does; then the journal's process has to agree.
#[cfg(target_os = "linux")]
fn holder_in(locks: &str, file: (u32, u32, u64), session: Option<u32>) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next() == Some("FLOCK")).then_some(())?;
        let pid: u32 = words.nth(2)?.parse().ok()?;
        let mut id = words.next()?.split(':');
        let major = u32::from_str_radix(id.next()?, 16).ok()?;
        let minor = u32::from_str_radix(id.next()?, 16).ok()?;
        let ino: u64 = id.next()?.parse().ok()?;
        (ino == file.2 && ((major, minor) == (file.0, file.1) || session == Some(pid))).then_some(pid)
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn without_links_a_name_that_is_taken_is_still_refused() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        std::fs::write(&from, "new").unwrap();
        // Also by a link that leads nowhere.
        std::os::unix::fs::symlink("nowhere", &to).unwrap();
        assert_eq!(rename_if_free(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        std::fs::remove_file(&to).unwrap();
        rename_if_free(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
        assert!(!from.exists());
        for errno in [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS] {
            assert!(knows_no_links(&errno.into()), "{errno}");
        }
        assert!(!knows_no_links(&Errno::EXIST.into()) && !knows_no_links(&Errno::NOSPC.into()));
    }

    #[test]
    fn the_holder_of_a_lock_is_found_by_device_and_inode() {
        let locks =
            "1: POSIX  ADVISORY  WRITE 7 08:01:131 0 EOF\n2: FLOCK  ADVISORY  WRITE 4242 08:01:131 0 EOF\n";
        assert_eq!(holder_in(locks, (8, 1, 131), None), Some(4242));
        assert_eq!(holder_in(locks, (8, 2, 131), None), None);
        assert_eq!(holder_in(locks, (0, 42, 131), Some(4242)), Some(4242));
        assert_eq!(holder_in(locks, (8, 1, 132), Some(4242)), None);
    }
}
