//! What a served tree asks of Linux beyond the standard library: opening beneath a folder, telling media apart, sharing
//! blocks, the access list that a folder gives to what is created in it, the mounts below a path.
//!
//! Elsewhere the nearest portable thing; each says where it is weaker.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

/// How a folder is opened that is only passed through: searched, not read.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const PASSING: OFlags = OFlags::PATH;
/// Elsewhere it must be readable as well.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const PASSING: OFlags = OFlags::RDONLY;

/// Opens a path beneath `root` that has no symbolic link in it, whatever is done to its folders meanwhile; with a link
/// on the way it is [`Errno::LOOP`]. `None` where the system has no such call, or a sandbox keeps it from us.
pub(crate) fn open_beneath(
    root: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
) -> Option<rustix::io::Result<OwnedFd>> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use fs::ResolveFlags as Resolve;
        let resolve = Resolve::BENEATH | Resolve::NO_MAGICLINKS | Resolve::NO_SYMLINKS;
        let path = if path.is_empty() { b"." } else { path };
        match rustix::io::retry_on_intr(|| fs::openat2(root, path, flags, mode, resolve)) {
            Err(Errno::NOSYS) => None,
            done => Some(done),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (root, path, flags, mode);
        None
    }
}

/// What a rename cannot leave: a mounted file system, or a part of one (a subvolume).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Medium {
    device: u64,
    /// 0 where the system does not tell: then a second mount of the same device shows only by the rename's EXDEV.
    mount: u64,
}

/// On which medium an open file or folder lies.
pub(crate) fn medium(of: BorrowedFd<'_>) -> io::Result<Medium> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use fs::{AtFlags, StatxFlags};
        if let Ok(seen) = fs::statx(of, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID) {
            let told = StatxFlags::from_bits_retain(seen.stx_mask).contains(StatxFlags::MNT_ID);
            let device = fs::makedev(seen.stx_dev_major, seen.stx_dev_minor);
            return Ok(Medium { device, mount: if told { seen.stx_mnt_id } else { 0 } });
        }
    }
    let seen = fs::fstat(of)?;
    Ok(Medium { device: device(&seen), mount: 0 })
}

/// The device of a stat, of the same type everywhere.
#[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "the type differs from system to system")]
pub(crate) fn device(seen: &fs::Stat) -> u64 {
    seen.st_dev as u64
}

/// What a file keeps on its medium whatever it is called, as bytes: its inode and when it was made. No other file ever has
/// both; where the system does not tell the second, the inode alone, which another file may get once this one is gone. An
/// empty name means what is open.
pub(crate) fn identity(at: BorrowedFd<'_>, name: &[u8]) -> io::Result<Vec<u8>> {
    use fs::AtFlags;
    let told = |inode: u64, seconds: i64, nanos: u32| {
        [&inode.to_be_bytes()[..], &seconds.to_be_bytes(), &nanos.to_be_bytes()].concat()
    };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use fs::StatxFlags;
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
        if let Ok(seen) = fs::statx(at, name, flags, StatxFlags::INO | StatxFlags::BTIME) {
            let made = StatxFlags::from_bits_retain(seen.stx_mask).contains(StatxFlags::BTIME);
            let (seconds, nanos) =
                if made { (seen.stx_btime.tv_sec, seen.stx_btime.tv_nsec) } else { (0, 0) };
            return Ok(told(seen.stx_ino, seconds, nanos));
        }
    }
    let seen =
        if name.is_empty() { fs::fstat(at)? } else { fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)? };
    Ok(told(seen.st_ino, 0, 0))
}

/// Renames beneath folders; if not `replace`, [`Errno::EXIST`] where the name is taken.
pub(crate) fn rename_at(
    from: (BorrowedFd<'_>, &[u8]),
    to: (BorrowedFd<'_>, &[u8]),
    replace: bool,
) -> io::Result<()> {
    if replace {
        return Ok(fs::renameat(from.0, from.1, to.0, to.1)?);
    }
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    match fs::renameat_with(from.0, from.1, to.0, to.1, fs::RenameFlags::NOREPLACE) {
        // Not every file system knows the flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        done => return Ok(done?),
    }
    rename_at_by_link(from, to)
}

/// A hard link is refused where the name is taken, too; of a folder, and where there are no links, a look beforehand
/// has to do, and what another program puts there between the two is replaced if it is an empty folder or a file.
fn rename_at_by_link(from: (BorrowedFd<'_>, &[u8]), to: (BorrowedFd<'_>, &[u8])) -> io::Result<()> {
    match fs::linkat(from.0, from.1, to.0, to.1, fs::AtFlags::empty()) {
        Ok(()) => Ok(fs::unlinkat(from.0, from.1, fs::AtFlags::empty())?),
        Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::NOSYS) => {
            match fs::statat(to.0, to.1, fs::AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => Err(Errno::EXIST.into()),
                Err(Errno::NOENT) => Ok(fs::renameat(from.0, from.1, to.0, to.1)?),
                Err(errno) => Err(errno.into()),
            }
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Makes the names in an open folder durable.
pub(crate) fn sync_folder(folder: BorrowedFd<'_>) -> io::Result<()> {
    match fs::fsync(folder) {
        // Some network file systems have no such thing; their names are durable by themselves or not at all.
        Err(Errno::INVAL) => Ok(()),
        // A folder that may be written to but not read cannot be opened for this: everything is made durable then.
        Err(Errno::BADF) => sync_all_around(folder),
        done => Ok(done?),
    }
}

fn sync_all_around(folder: BorrowedFd<'_>) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if fs::syncfs(folder).is_ok() {
        return Ok(());
    }
    let _ = folder;
    #[cfg(not(target_vendor = "apple"))]
    fs::sync();
    Ok(())
}

/// Sets permission bits of an open file or folder, also of one that was opened only to be passed through.
pub(crate) fn set_mode(of: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    #[allow(clippy::useless_conversion, reason = "the type differs from system to system")]
    let mode = Mode::from_raw_mode(mode.try_into().map_err(|_| Errno::INVAL)?);
    match fs::fchmod(of, mode) {
        Err(Errno::BADF) => {
            use std::os::fd::AsRawFd;
            Ok(fs::chmod(format!("/proc/self/fd/{}", of.as_raw_fd()), mode)?)
        }
        done => Ok(done?),
    }
}

/// Gives the empty `to` the first `upto` bytes of `from` without moving one, where the medium can share them.
pub(crate) fn share(from: &File, to: &File, upto: u64) -> bool {
    #[cfg(target_os = "linux")]
    if fs::ioctl_ficlone(to, from).is_ok() {
        return to.metadata().is_ok_and(|now| now.len() >= upto) && to.set_len(upto).is_ok();
    }
    let _ = (from, to, upto);
    false
}

/// Copies at most `most` bytes within the system, from a place in a file to a place in another; how many. `None` where
/// it cannot between these two. What begins with whole blocks at both places is shared where the medium can do that.
pub(crate) fn copy_range(
    (from, at): (&File, u64),
    (to, put): (&File, u64),
    most: u64,
) -> Option<io::Result<usize>> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let (mut source, mut target) = (at, put);
        let most = usize::try_from(most.min(1 << 30)).unwrap_or(1 << 30);
        match fs::copy_file_range(from, Some(&mut source), to, Some(&mut target), most) {
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => None,
            done => Some(done.map_err(io::Error::from)),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (from, at, to, put, most);
        None
    }
}

const DEFAULT_LIST: &str = "system.posix_acl_default";
const ACCESS_LIST: &str = "system.posix_acl_access";

/// The access list that a folder gives to what is created in it, as the system keeps it; `None` where it has none.
pub(crate) fn default_access_list(folder: BorrowedFd<'_>) -> Option<Vec<u8>> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let mut list = vec![0; 4096];
        let len = match fs::fgetxattr(folder, DEFAULT_LIST, list.as_mut_slice()) {
            // Opened only to be passed through.
            Err(Errno::BADF) => {
                use std::os::fd::AsRawFd;
                let at = format!("/proc/self/fd/{}", folder.as_raw_fd());
                fs::getxattr(at, DEFAULT_LIST, list.as_mut_slice()).ok()?
            }
            len => len.ok()?,
        };
        list.truncate(len);
        Some(list).filter(|list| !list.is_empty())
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = folder;
        None
    }
}

/// Forgets the access list that a folder gives to what is created in it.
pub(crate) fn drop_default_access_list(folder: BorrowedFd<'_>) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = fs::fremovexattr(folder, DEFAULT_LIST);
    let _ = folder;
}

/// Gives a file an access list.
pub(crate) fn set_access_list(file: &File, list: &[u8]) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Ok(fs::fsetxattr(file.as_fd(), ACCESS_LIST, list, fs::XattrFlags::empty())?);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (file, list);
        Ok(())
    }
}

/// The places below `root` (absolute, real) where something is mounted, relative to it.
pub(crate) fn mounts_below(root: &[u8]) -> Vec<Vec<u8>> {
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    mounts_in(&table, root)
}

/// `36 35 98:0 /mnt1 /mnt/parent\040dir rw,noatime master:1 - ext3 /dev/root rw`: the fifth word is the place.
fn mounts_in(table: &[u8], root: &[u8]) -> Vec<Vec<u8>> {
    let root = root.strip_suffix(b"/").unwrap_or(root);
    let places = table.split(|byte| *byte == b'\n').filter_map(|line| {
        let place = unescaped(line.split(|byte| *byte == b' ').nth(4)?);
        let rest = place.strip_prefix(root)?.strip_prefix(b"/")?;
        (!rest.is_empty()).then(|| rest.to_vec())
    });
    places.collect()
}

/// The system writes blanks, tabs, line ends and backslashes of a path as three octal digits.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_below_the_root_are_found_with_blanks_in_their_names() {
        let table = b"22 1 8:1 / / rw - ext4 /dev/a rw\n\
            36 22 98:0 / /srv/ftp/in\\040coming rw - ext4 /dev/b rw\n\
            37 22 98:1 / /srv/ftp rw - ext4 /dev/c rw\n\
            38 22 98:2 / /srv/ftpx/y rw - ext4 /dev/d rw\n";
        assert_eq!(mounts_in(table, b"/srv/ftp"), [b"in coming".to_vec()]);
        assert_eq!(mounts_in(table, b"/").len(), 3);
    }

    #[test]
    fn without_the_flag_a_taken_name_is_still_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        std::fs::create_dir(dir.path().join("f")).unwrap();
        let fd = File::open(dir.path()).unwrap();
        let rename = |from: &str, to: &str| {
            rename_at_by_link((fd.as_fd(), from.as_bytes()), (fd.as_fd(), to.as_bytes()))
        };
        assert_eq!(rename("a", "b").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(rename("f", "b").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        rename("a", "c").unwrap();
        rename("f", "g").unwrap();
        assert!(
            !dir.path().join("a").exists() && dir.path().join("c").exists() && dir.path().join("g").exists()
        );
    }
}
