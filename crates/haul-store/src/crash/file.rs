//! An open file of a [`CrashDisk`].

use std::io;

use super::{CrashDisk, DataOp, Fate, Interlude, coin, off};
use crate::disk::{DiskFile, FileId};

/// An open file of a [`CrashDisk`]; its lock ends with it.
#[derive(Debug)]
pub struct CrashFile {
    disk: CrashDisk,
    inode: usize,
    handle: u64,
}

impl CrashFile {
    pub(super) fn new(disk: CrashDisk, inode: usize, handle: u64) -> Self {
        Self { disk, inode, handle }
    }

    /// A change of the file's bytes, which happens in part if the machine stops at it.
    fn change(&self, op: DataOp) -> io::Result<()> {
        let mut model = self.disk.model();
        let fate = model.step()?;
        let op = if fate == Fate::Half { op.torn(&mut model.random) } else { op };
        op.apply(&mut model.inodes[self.inode].now);
        model.inodes[self.inode].log.push(op);
        if fate == Fate::Done { Ok(()) } else { Err(off()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut model = self.disk.model();
        let fate = model.step()?;
        let log = std::mem::take(&mut model.inodes[self.inode].log);
        if let Some(Interlude(other)) = model.during_sync.take() {
            drop(model);
            other();
            model = self.disk.model();
        }
        if fate == Fate::Done {
            match model.syncs_to_failure {
                Some(0) => {
                    model.syncs_to_failure = None;
                    return Err(io::Error::other("a write-back failed"));
                }
                Some(more) => model.syncs_to_failure = Some(more - 1),
                None => {}
            }
        }
        for op in &log {
            if fate == Fate::Done || coin(&mut model.random) {
                op.apply(&mut model.inodes[self.inode].saved);
            }
        }
        if fate == Fate::Half {
            // Nobody was told of a failure: all of it is still on its way.
            model.inodes[self.inode].log = log;
        }
        if fate == Fate::Done { Ok(()) } else { Err(off()) }
    }
}

fn position(at: u64) -> io::Result<usize> {
    usize::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl DiskFile for CrashFile {
    fn id(&self) -> io::Result<FileId> {
        Ok((0, self.inode as u64))
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut model = self.disk.model();
        let lock = &mut model.inodes[self.inode].lock;
        Ok(*lock.get_or_insert(self.handle) == self.handle)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.model().inodes[self.inode].now.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(DataOp::SetLen(position(len)?))
    }

    fn write_all(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(DataOp::Write { at: position(at)?, bytes: bytes.to_vec() })?;
        let interlude = self.disk.model().during_write.take();
        interlude.into_iter().for_each(|Interlude(other)| other());
        Ok(())
    }

    fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let model = self.disk.model();
        if model.off {
            return Err(off());
        }
        let there = model.inodes[self.inode].now.get(position(at)?..).unwrap_or_default();
        let len = there.len().min(buffer.len());
        buffer[..len].copy_from_slice(&there[..len]);
        Ok(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn set_modified(&self, _: i64, _: u32) -> io::Result<()> {
        self.disk.model().step().and_then(|fate| if fate == Fate::Done { Ok(()) } else { Err(off()) })
    }

    fn has_hole(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// What counts as clean and is not on the disk is gone.
    fn drop_clean_pages(&self) {
        let mut model = self.disk.model();
        let inode = &mut model.inodes[self.inode];
        inode.now.clone_from(&inode.saved);
        inode.log.iter().for_each(|op| op.apply(&mut inode.now));
    }
}

impl Drop for CrashFile {
    fn drop(&mut self) {
        let mut model = self.disk.model();
        let lock = &mut model.inodes[self.inode].lock;
        if *lock == Some(self.handle) {
            *lock = None;
        }
    }
}
