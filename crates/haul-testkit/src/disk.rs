//! File systems that are too small, or that cannot be written to.
//!
//! Root ignores modes, so a read-only folder is a tmpfs mounted read-only where we may mount, and a mode where we are
//! somebody else.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Has the system forget what it keeps of a file in memory, so that whoever reads it next waits for the disk. Whether it
/// did: some file systems have no disk, and what is not saved yet is kept.
pub fn forgets(path: &Path) -> bool {
    let file = std::fs::File::open(path).expect("the file");
    file.sync_all().expect("the file is saved");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("advice is taken");
    let mut byte = [0; 1];
    let into = &mut [std::io::IoSliceMut::new(&mut byte)];
    let read = rustix::io::preadv2(&file, into, 0, rustix::io::ReadWriteFlags::NOWAIT);
    read == Err(rustix::io::Errno::AGAIN)
}

/// A file system of a few bytes; gone when it is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// A tmpfs of `bytes`, rounded up to whole pages; None, and said so, where we may not mount.
    pub fn new(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a scratch folder");
        if mount(&format!("size={bytes},mode=755"), dir.path(), &["-t", "tmpfs", "haul-test"]) {
            return Some(Self { dir });
        }
        println!("skipped: mounting a tmpfs is not permitted here");
        None
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes it larger (or smaller, if it is not full): somebody made room.
    pub fn resize(&self, bytes: u64) {
        assert!(mount(&format!("remount,size={bytes}"), self.path(), &[]), "cannot resize the disk");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that still stands in it must not keep it mounted for ever.
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}

/// A folder in which nothing can be created or changed; gone when it is dropped.
#[derive(Debug)]
pub struct ReadOnlyDisk {
    folder: Folder,
}

#[derive(Debug)]
enum Folder {
    Mounted(SmallDisk),
    Mode(TempDir),
}

impl ReadOnlyDisk {
    /// A folder with what `prepare` puts into it, then closed; None, and said so, where that cannot be had.
    pub fn new(prepare: impl FnOnce(&Path)) -> Option<Self> {
        let folder = if rustix::process::geteuid().is_root() {
            Folder::Mounted(SmallDisk::new(64 << 20)?)
        } else {
            Folder::Mode(tempfile::tempdir().expect("a scratch folder"))
        };
        let disk = Self { folder };
        prepare(disk.path());
        disk.set_writable(false);
        Some(disk)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match &self.folder {
            Folder::Mounted(disk) => disk.path(),
            Folder::Mode(dir) => dir.path(),
        }
    }

    /// Opens or closes it.
    pub fn set_writable(&self, writable: bool) {
        match &self.folder {
            Folder::Mounted(disk) => {
                let option = if writable { "remount,rw" } else { "remount,ro" };
                assert!(mount(option, disk.path(), &[]), "cannot remount the disk");
            }
            Folder::Mode(dir) => chmod(dir.path(), if writable { 0o755 } else { 0o555 }),
        }
    }
}

impl Drop for ReadOnlyDisk {
    fn drop(&mut self) {
        if let Folder::Mode(dir) = &self.folder {
            chmod(dir.path(), 0o755);
        }
    }
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a folder of ours");
}

fn mount(options: &str, at: &Path, more: &[&str]) -> bool {
    let program = ["/bin/mount", "/usr/bin/mount"].map(PathBuf::from).into_iter().find(|p| p.is_file());
    let Some(program) = program else { return false };
    let out = Command::new(program).args(["-o", options]).args(more).arg(at).output();
    out.is_ok_and(|out| out.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_is_full_soon_and_can_grow() {
        let Some(disk) = SmallDisk::new(1 << 20) else { return };
        let file = disk.path().join("f");
        let full = std::fs::write(&file, vec![0; 2 << 20]).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        disk.resize(4 << 20);
        std::fs::write(&file, vec![0; 2 << 20]).unwrap();
    }

    #[test]
    fn a_read_only_disk_takes_nothing_until_it_is_opened() {
        let Some(disk) = ReadOnlyDisk::new(|path| std::fs::write(path.join("old"), "x").unwrap()) else {
            return;
        };
        assert!(std::fs::write(disk.path().join("new"), "y").is_err());
        assert_eq!(std::fs::read(disk.path().join("old")).unwrap(), b"x");
        disk.set_writable(true);
        std::fs::write(disk.path().join("new"), "y").unwrap();
    }
}
