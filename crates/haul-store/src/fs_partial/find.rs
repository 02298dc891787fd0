//! Finding what an earlier run left, or making a new partial. Whoever gets one has its lock.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use haul_core::{ByteRange, RangeSet};

use super::{FsPartial, Names, publish, read_range, restore};
use crate::disk::{Disk, DiskFile, Opening, RealDisk};
use crate::journal::claims::Claims;
use crate::journal::file::{self, JournalFile};
use crate::journal::record::Record;
use crate::journal::replay::{self, Reading};
use crate::{StoreError, Subject};

/// How often a file is opened again that was renamed or removed between open and lock.
const ATTEMPTS: u32 = 16;

/// Bytes whose history is not known are claimed in pieces of this length.
const ADOPTED: u64 = 16 << 20;

/// What lies at a target's partial name.
#[derive(Debug)]
pub enum Found<D: Disk = RealDisk> {
    /// Nothing that holds a byte.
    Nothing,
    /// A partial with its journal, checked.
    Journaled(Box<Resumed<D>>),
    /// A file NAME.part without a journal that could be used.
    Orphan(Orphan<D>),
}

/// A partial taken up again.
#[derive(Debug)]
pub struct Resumed<D: Disk = RealDisk> {
    /// The partial, locked.
    pub partial: FsPartial<D>,
    /// What it is a partial of.
    pub subject: Subject,
    /// What it holds, checked.
    pub held: RangeSet,
    /// Whether bytes that were durable differ: another program wrote to it, or the disk lies. Then nothing is held;
    /// the bytes are still there until a reset, or to be set aside.
    pub touched: bool,
    /// How many claimed bytes are not there any more.
    pub lost: u64,
    /// When and why the last run stopped, where it said so.
    pub stopped: Option<(i64, String)>,
}

/// A file NAME.part, locked, of which nothing is known.
#[derive(Debug)]
pub struct Orphan<D: Disk = RealDisk> {
    disk: D,
    names: Names,
    file: D::File,
    len: u64,
    has_holes: bool,
}

impl FsPartial {
    /// Looks for what an earlier run left for `target`, takes its lock, and checks it.
    ///
    /// [`StoreError::InUse`] where another process has it, [`StoreError::NewerFormat`] where only a newer haul can
    /// read its journal; nothing is touched then.
    pub fn find(target: &Path) -> Result<Found, StoreError> {
        Self::find_on(RealDisk, target)
    }

    /// Begins a partial for `target`. [`StoreError::Exists`] where one with bytes is there already.
    pub fn create(target: &Path, subject: &Subject) -> Result<Self, StoreError> {
        Self::create_on(RealDisk, target, subject)
    }

    /// Takes a file that has the target's name for a partial again: renames NAME to NAME.part, never over one.
    pub fn adopt_finished(target: &Path) -> Result<Orphan, StoreError> {
        Self::adopt_finished_on(RealDisk, target)
    }
}

impl<D: Disk> FsPartial<D> {
    /// [`FsPartial::find`] on another disk.
    pub fn find_on(disk: D, target: &Path) -> Result<Found<D>, StoreError> {
        let names = Names::of(target);
        let Some(part) = lock(&disk, &names, Opening::Existing)? else {
            // Failing is no harm here.
            let _ = sweep(&disk, &names);
            return Ok(Found::Nothing);
        };
        if let Some((journal, reading)) = open_journal(&disk, &names)? {
            match reading {
                Reading::Newer { version } => {
                    return Err(StoreError::NewerFormat { path: names.journal, version });
                }
                Reading::Usable(mut replayed) => {
                    let stopped = replayed.claims.stopped.take();
                    let subject = replayed.claims.subject.clone().unwrap_or_default();
                    let restored = restore::restore(disk, &names, part, journal, *replayed)?;
                    let restore::Restored { partial, held, touched, lost } = restored;
                    let resumed = Resumed { partial, subject, held, touched, lost, stopped };
                    return Ok(Found::Journaled(Box::new(resumed)));
                }
                Reading::Unusable => {}
            }
        }
        let mut orphan = Orphan::new(disk, names, part)?;
        // What lanes had left out becomes zeros where a program copied it that knows no holes.
        orphan.has_holes |= has_blank_page(&orphan.file)
            .map_err(|error| StoreError::at("checking", &orphan.names.part, error))?;
        Ok(if orphan.len == 0 { Found::Nothing } else { Found::Orphan(orphan) })
    }

    /// [`FsPartial::create`] on another disk.
    pub fn create_on(disk: D, target: &Path, subject: &Subject) -> Result<Self, StoreError> {
        let names = Names::of(target);
        let Some(part) = lock(&disk, &names, Opening::Partial)? else {
            return Err(StoreError::InUse { path: names.part, pid: None });
        };
        if part.len().map_err(|error| StoreError::at("measuring", &names.part, error))? > 0 {
            return Err(StoreError::Exists { path: names.part });
        }
        let begun = begin(&disk, &names, subject.clone(), &[]).inspect_err(|_| {
            // An empty file is no use to anybody. It is still locked, so it is still ours.
            let _ = publish::discard(&disk, &names, &part, None);
        });
        let (journal, claims) = begun?;
        Ok(Self::new(disk, names, part, journal, claims))
    }

    /// [`FsPartial::adopt_finished`] on another disk.
    pub fn adopt_finished_on(disk: D, target: &Path) -> Result<Orphan<D>, StoreError> {
        let names = Names::of(target);
        let file =
            disk.open(target, Opening::Existing).map_err(|error| StoreError::at("opening", target, error))?;
        locked(&disk, &names, &file)?;
        // A journal that was left behind speaks of other bytes: never may it lie beside these.
        sweep(&disk, &names)?;
        disk.rename_new(target, &names.part).map_err(|error| StoreError::at("renaming", target, error))?;
        disk.sync_dir(&names.dir).map_err(|error| StoreError::at("saving", &names.dir, error))?;
        Orphan::new(disk, names, file)
    }
}

impl<D: Disk> Orphan<D> {
    fn new(disk: D, names: Names, file: D::File) -> Result<Self, StoreError> {
        let at = |error| StoreError::at("measuring", &names.part, error);
        let (len, has_holes) = (file.len().map_err(at)?, file.has_hole().map_err(at)?);
        Ok(Self { disk, names, file, len, has_holes })
    }

    /// How long the file is, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "the length of a file, as elsewhere")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether parts of it were never written: then its length says nothing of what it holds.
    pub fn has_holes(&self) -> bool {
        self.has_holes
    }

    /// Reads exactly `range`.
    pub fn read(&self, range: ByteRange) -> Result<Bytes, StoreError> {
        read_range(&self.file, range).map_err(|error| StoreError::at("reading", &self.names.part, error))
    }

    /// Begins a journal for it that claims `held` of its bytes, as they are now, to be bytes of `subject`. What lies
    /// behind them is cut off.
    pub fn begin(self, subject: Subject, held: &RangeSet) -> Result<FsPartial<D>, StoreError> {
        let at = |error| StoreError::at("checking", &self.names.part, error);
        let mut claims = Vec::new();
        self.file.drop_clean_pages();
        for range in held.iter() {
            let mut start = range.start();
            while let Some(piece) = ByteRange::new(start, range.end().min(start.saturating_add(ADOPTED))) {
                let crc = restore::crc_of(&self.file, piece).map_err(at)?;
                claims.push(Record::Written { start, len: piece.len(), crc });
                start = piece.end();
            }
        }
        let (journal, claims) = begin(&self.disk, &self.names, subject, &claims)?;
        let partial = FsPartial::new(self.disk, self.names, self.file, journal, claims);
        if self.len > held.end() {
            partial.file.set_len(held.end()).map_err(partial.part_error("cutting"))?;
        }
        Ok(partial)
    }

    /// As [`crate::Partial::set_aside`].
    pub fn set_aside(self, suffix: &str) -> Result<PathBuf, StoreError> {
        publish::set_aside(&self.disk, &self.names, &self.file, None, suffix)
    }

    /// As [`crate::Partial::discard`].
    pub fn discard(self) -> Result<(), StoreError> {
        publish::discard(&self.disk, &self.names, &self.file, None)
    }
}

/// Whether a page of the file is all zeros.
fn has_blank_page<F: DiskFile>(file: &F) -> io::Result<bool> {
    const PAGE: usize = 4096;
    let mut piece = vec![0; 256 * PAGE];
    let (mut at, len) = (0, file.len()?);
    while at < len {
        let wanted = usize::try_from(len - at).unwrap_or(usize::MAX).min(piece.len());
        file.read_exact(at, &mut piece[..wanted])?;
        if piece[..wanted].chunks_exact(PAGE).any(|page| page.iter().all(|byte| *byte == 0)) {
            return Ok(true);
        }
        at += wanted as u64;
    }
    Ok(false)
}

/// The record with which a process takes a partial up.
pub(super) fn session() -> Record {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let started_unix = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    Record::Session { pid: std::process::id(), started_unix }
}

/// Writes the first journal of a locked partial: whole and durable before it gets its name, in place of whatever has
/// it, and the folder durable before any byte is claimed.
fn begin<D: Disk>(
    disk: &D,
    names: &Names,
    subject: Subject,
    written: &[Record],
) -> Result<(JournalFile<D::File>, Claims), StoreError> {
    let at = |error| StoreError::at("beginning", &names.journal, error);
    let mut claims = Claims::default();
    let beginning = [session(), Record::Subject(subject)];
    beginning.iter().chain(written).for_each(|record| claims.apply(0, record));
    let image = file::image(&claims).map_err(at)?;
    let journal = file::write_new(disk, &names.journal_new, &image).map_err(at)?;
    disk.rename(&names.journal_new, &names.journal).map_err(at)?;
    disk.sync_dir(&names.dir).map_err(|error| StoreError::at("saving", &names.dir, error))?;
    Ok((journal, claims))
}

/// Opens NAME.part and locks it; `None` where there is none. Between open and lock it may have been published or
/// removed by the process that had it: then what has the name now is tried.
fn lock<D: Disk>(disk: &D, names: &Names, opening: Opening) -> Result<Option<D::File>, StoreError> {
    let at = |error| StoreError::at("opening", &names.part, error);
    for _ in 0..ATTEMPTS {
        let file = match disk.open(&names.part, opening) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && opening == Opening::Existing => {
                return Ok(None);
            }
            opened => opened.map_err(at)?,
        };
        locked(disk, names, &file)?;
        if disk.id_at(&names.part).map_err(at)? == Some(file.id().map_err(at)?) {
            return Ok(Some(file));
        }
    }
    Err(StoreError::InUse { path: names.part.clone(), pid: None })
}

fn locked<D: Disk>(disk: &D, names: &Names, file: &D::File) -> Result<(), StoreError> {
    if file.try_lock().map_err(|error| StoreError::at("locking", &names.part, error))? {
        return Ok(());
    }
    let pid = match open_journal(disk, names) {
        Ok(Some((_, Reading::Usable(replayed)))) => replayed.claims.session.map(|session| session.pid),
        _ => None,
    };
    Err(StoreError::InUse { path: names.part.clone(), pid })
}

type Opened<F> = Option<(JournalFile<F>, Reading)>;

fn open_journal<D: Disk>(disk: &D, names: &Names) -> Result<Opened<D::File>, StoreError> {
    let at = |error| StoreError::at("reading", &names.journal, error);
    let file = match disk.open(&names.journal, Opening::Existing) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(at)?,
    };
    let reading = replay::replay(&file::read_all(&file).map_err(at)?);
    Ok(Some((JournalFile { file: file.into(), len: 0 }, reading)))
}

/// Removes a journal without a partial, which a crash between publication and its removal left. An empty partial is made
/// for the moment, since its lock is what keeps others from beginning one just now.
fn sweep<D: Disk>(disk: &D, names: &Names) -> Result<(), StoreError> {
    let left = [&names.journal, &names.journal_new];
    if !left.iter().any(|path| matches!(disk.id_at(path), Ok(Some(_)))) {
        return Ok(());
    }
    let Some(part) = lock(disk, names, Opening::Partial)? else { return Ok(()) };
    if matches!(part.len(), Ok(0)) { publish::discard(disk, names, &part, None) } else { Ok(()) }
}
