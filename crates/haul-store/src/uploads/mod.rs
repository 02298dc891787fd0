//! What is remembered of uploads from one run to the next: a folder of the user's state with one small file for each
//! place that something is sent to.
//!
//! ```text
//! $XDG_STATE_HOME/haul/uploads/KEY.upload   the record: written beside, synced, renamed, the folder synced
//!                              KEY.lock     exists and is locked while a process sends to that place
//! ```
//! The far end knows how far an upload got; the record knows what no far end tells: whether what lies there was begun
//! by us, and from which state of which local file. A record that cannot be read is forgotten, which costs no more
//! than a comparison. What this room does not know: protocols, and what to do about any of it.

mod record;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub use record::{UploadDialect, UploadPart, UploadRecord, UploadResource, UploadStage};

use crate::StoreError;
use crate::disk::{Disk, DiskFile, Opening, RealDisk};
use record::{LONGEST, Reading};

/// How often a lock is opened again that was removed between open and lock.
const ATTEMPTS: u32 = 16;
/// A record that nobody wrote or read for so long is removed.
const KEPT: Duration = Duration::from_secs(180 * 86_400);
/// Between two looks for such records.
const SWEEP_EVERY: Duration = Duration::from_secs(86_400);

/// The folder of records.
#[derive(Clone, Debug)]
pub struct UploadRecords<D: Disk = RealDisk> {
    disk: D,
    folder: PathBuf,
}

/// The right to send to one place; ends when dropped.
#[derive(Debug)]
pub struct UploadClaim<D: Disk = RealDisk> {
    disk: D,
    folder: PathBuf,
    record: PathBuf,
    fresh: PathBuf,
    lock: PathBuf,
    /// Holds the lock.
    _locked: D::File,
}

/// What an earlier run left.
#[derive(Debug, PartialEq, Eq)]
pub enum Remembered {
    /// Nothing.
    Nothing,
    /// A record.
    Record(Box<UploadRecord>),
    /// Something that can't be read, and was forgotten; why.
    Forgotten(String),
}

impl UploadRecords {
    /// The folder for this user, by the XDG base directory specification; `None` where there is no home.
    pub fn of_user(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
        Some(state.join("haul/uploads"))
    }

    /// Opens the folder, and makes it where it is missing.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|error| StoreError::at("making", folder, error))?;
        // Failing is no harm.
        let _ = sweep(folder, SystemTime::now());
        Ok(Self::on(RealDisk, folder))
    }
}

impl<D: Disk> UploadRecords<D> {
    /// A folder that is there on another disk.
    pub fn on(disk: D, folder: &Path) -> Self {
        Self { disk, folder: folder.to_path_buf() }
    }

    /// Takes the place with this key for this process, and tells what is remembered of it.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process sends to it, or whatever the disk says.
    pub fn claim(&self, key: &[u8; 32]) -> Result<(UploadClaim<D>, Remembered), StoreError> {
        let mut name = String::with_capacity(64);
        for byte in key {
            // Writing to a String cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        let path = |ending: &str| self.folder.join(format!("{name}.{ending}"));
        let (record, fresh, lock) = (path("upload"), path("upload.new"), path("lock"));
        let locked = self.lock(&lock)?;
        let claim = UploadClaim {
            disk: self.disk.clone(),
            folder: self.folder.clone(),
            record,
            fresh,
            lock,
            _locked: locked,
        };
        let remembered = claim.load()?;
        Ok((claim, remembered))
    }

    fn lock(&self, path: &Path) -> Result<D::File, StoreError> {
        let at = |error| StoreError::at("locking", path, error);
        let in_use = || StoreError::InUse { path: path.into(), pid: crate::sys::lock_holder(path, None) };
        for _ in 0..ATTEMPTS {
            let file = self.disk.open(path, Opening::Partial).map_err(at)?;
            if !file.try_lock().map_err(at)? {
                return Err(in_use());
            }
            // The one who had it may just have removed it, and the name may be another's already.
            if self.disk.id_at(path).map_err(at)? == Some(file.id().map_err(at)?) {
                return Ok(file);
            }
        }
        Err(in_use())
    }
}

impl<D: Disk> UploadClaim<D> {
    fn load(&self) -> Result<Remembered, StoreError> {
        let at = |error| StoreError::at("reading", &self.record, error);
        let file = match self.disk.open(&self.record, Opening::Existing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Remembered::Nothing),
            opened => opened.map_err(at)?,
        };
        let len = file.len().map_err(at)?;
        let reading = if len > LONGEST {
            Reading::Damaged
        } else {
            let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
            file.read_exact(0, &mut bytes).map_err(at)?;
            UploadRecord::read(&bytes)
        };
        Ok(match reading {
            Reading::Whole(record) => Remembered::Record(record),
            Reading::Damaged => Remembered::Forgotten("it is damaged".to_owned()),
            Reading::Newer(version) => Remembered::Forgotten(format!("it is in the newer format {version}")),
        })
    }

    /// Remembers, durably: whenever this returns, the next run finds it.
    ///
    /// # Errors
    /// Whatever the disk says; what was remembered before still is.
    pub fn save(&self, record: &UploadRecord) -> Result<(), StoreError> {
        let at = |error| StoreError::at("saving", &self.record, error);
        let image = record.image().map_err(at)?;
        remove(&self.disk, &self.fresh).map_err(at)?;
        let file = self.disk.open(&self.fresh, Opening::Private).map_err(at)?;
        let saved = file
            .write_all(0, &image)
            .and_then(|()| file.sync_data())
            .and_then(|()| self.disk.rename(&self.fresh, &self.record))
            .and_then(|()| self.disk.sync_dir(&self.folder));
        saved.map_err(|error| {
            let _ = self.disk.remove(&self.fresh);
            at(error)
        })
    }

    /// Forgets what is remembered of this place.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn forget(&self) -> Result<(), StoreError> {
        remove(&self.disk, &self.record).map_err(|error| StoreError::at("removing", &self.record, error))
    }
}

impl<D: Disk> Drop for UploadClaim<D> {
    fn drop(&mut self) {
        // Still locked: nobody else has this name yet.
        let _ = self.disk.remove(&self.lock);
    }
}

fn remove<D: Disk>(disk: &D, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Once a day, removes records that nobody has written for long.
fn sweep(folder: &Path, now: SystemTime) -> io::Result<()> {
    let stamp = folder.join("swept");
    let older = |path: &Path, than: Duration| -> io::Result<bool> {
        let modified = path.symlink_metadata()?.modified()?;
        Ok(now.duration_since(modified).is_ok_and(|age| age > than))
    };
    match older(&stamp, SWEEP_EVERY) {
        Ok(false) => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    crate::sys::open(&stamp, Opening::Partial)?.set_modified(now)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ours = path.extension().is_some_and(|ending| ending == "upload");
        if ours && older(&path, KEPT)? {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
