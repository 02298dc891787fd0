//! The power goes before every call of an upload and after the last one: what the disk has then is mounted as another
//! disk, and looked at. A real ext4 on a file; where mounting is not permitted this says so.
//!
//! What the file system has not yet handed to the disk is gone in such a copy; what it has handed over counts as kept.

use std::{
    fs::{self, File},
    io,
    os::{fd::BorrowedFd, unix::fs::MetadataExt},
    path::PathBuf,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use super::*;
use crate::{
    conformance::content,
    tree::fs::door::{Door, Named, Real},
};

const SIZE: u64 = 300_000;

fn old() -> Bytes {
    content(1, 0, 100_000)
}

fn new() -> Bytes {
    content(2, 0, SIZE)
}

fn run(program: &str, args: &[&Path]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|done| done.status.success())
}

/// A file system on a file, mounted.
struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    fn mount(image: PathBuf) -> Option<Self> {
        let at = image.with_extension("mounted");
        fs::create_dir_all(&at).unwrap();
        let mounted = run("mount", &[Path::new("-o"), Path::new("loop"), &image, &at]);
        mounted.then_some(Self { image, at })
    }

    fn new(dir: &Path) -> Option<Self> {
        let image = dir.join("disk");
        File::create(&image).unwrap().set_len(24 << 20).unwrap();
        let disk = run("mkfs.ext4", &[Path::new("-q"), &image]).then(|| Self::mount(image)).flatten();
        if disk.is_none() {
            println!("skipped: no file system can be made and mounted here");
        }
        disk
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &[Path::new("-l"), &self.at]);
    }
}

/// What the disk had at one moment.
struct Shot {
    image: PathBuf,
    /// Before which call, or after which change.
    before: String,
    /// Whether a sync of all bytes had returned.
    synced: bool,
}

#[derive(Default)]
struct Film {
    shots: Mutex<Vec<Shot>>,
    synced: AtomicBool,
}

impl Film {
    fn shoot(&self, image: &Path, before: &str) {
        let mut shots = self.shots.lock().unwrap();
        let copy = image.with_extension(format!("{}", shots.len()));
        assert!(run("cp", &[Path::new("--sparse=always"), image, &copy]));
        shots.push(Shot { image: copy, before: before.to_owned(), synced: self.synced.load(SeqCst) });
    }
}

/// Takes a picture before every call.
struct Camera(Arc<Film>, PathBuf);

impl std::fmt::Debug for Camera {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Camera")
    }
}

impl Door for Camera {
    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.0.shoot(&self.1, "sync of bytes");
        Real.sync_data(file)
    }
    fn sync_all(&self, file: &File) -> io::Result<()> {
        self.0.shoot(&self.1, "sync of a file");
        Real.sync_all(file)
    }
    fn rename(&self, from: Named<'_>, to: Named<'_>, replace: bool) -> io::Result<()> {
        self.0.shoot(&self.1, "rename");
        Real.rename(from, to, replace)
    }
    fn sync_folder(&self, folder: BorrowedFd<'_>) -> io::Result<()> {
        self.0.shoot(&self.1, "sync of a folder");
        Real.sync_folder(folder)
    }
}

#[test]
fn whenever_the_power_goes_the_file_is_whole_and_what_was_acknowledged_is_there() {
    for target in ["f/old", "f/new"] {
        let dir = tempfile::tempdir().unwrap();
        let Some(disk) = Disk::new(dir.path()) else { return };
        fs::create_dir(disk.at.join("f")).unwrap();
        fs::write(disk.at.join("f/old"), old()).unwrap();
        assert!(run("sync", &[Path::new("-f"), &disk.at]));

        let film = Arc::new(Film::default());
        let door = Box::new(Camera(Arc::clone(&film), disk.image.clone()));
        let pool = Arc::new(|job: Job| job());
        let store = FsStore::behind(&disk.at, pool, Resolver::System, door).unwrap();
        let mut staged = wait(store.stage(&path(target))).unwrap();
        wait(staged.append(new().slice(..100_000))).unwrap();
        wait(staged.append(new().slice(100_000..))).unwrap();
        assert_eq!(wait(staged.sync()).unwrap(), SIZE);
        film.synced.store(true, SeqCst);
        let id = staged.id().clone();
        let told = wait(staged.publish(&path(target), When::Always, Durability::Full)).unwrap();
        film.shoot(&disk.image, "nothing more");
        drop(store);

        for shot in film.shots.lock().unwrap().drain(..) {
            let before = shot.before;
            let disk = Disk::mount(shot.image).unwrap();
            let seen = fs::read(disk.at.join(target)).ok();
            let is_new = seen.as_deref() == Some(&*new());
            let was = (target == "f/old").then(|| old().to_vec());
            assert!(is_new || seen == was, "half of it before {before}: {:?}", seen.map(|seen| seen.len()));
            let store = open(&disk.at, Resolver::System);
            if before == "nothing more" {
                assert!(is_new, "acknowledged and gone");
                let meta = disk.at.join(target).metadata().unwrap();
                assert_eq!((meta.mtime(), meta.mode() & 0o7777), (told.modified.seconds, told.mode.unwrap()));
            } else if shot.synced && !is_new {
                let staged = wait(store.staged(&id)).unwrap();
                assert!(staged.len() >= SIZE, "before {before}");
                let mut bytes = Vec::new();
                while bytes.len() < new().len() {
                    bytes.extend(wait(staged.read(bytes.len() as u64, 1 << 20)).unwrap());
                }
                assert_eq!(bytes, new(), "before {before}");
            }
        }
    }
}

#[test]
fn a_name_that_was_made_changed_or_removed_is_so_after_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(dir.path()) else { return };
    fs::create_dir_all(disk.at.join("f/empty")).unwrap();
    for name in ["f/old", "f/gone"] {
        fs::write(disk.at.join(name), old()).unwrap();
    }
    assert!(run("sync", &[Path::new("-f"), &disk.at]));
    let (store, film) = (open(&disk.at, Resolver::System), Film::default());
    let shoot = |done: Result<(), StoreError>, after| {
        done.unwrap();
        film.shoot(&disk.image, after);
    };
    let how = Durability::Full;
    shoot(wait(store.make_folder(&path("d"), how)), "d is made");
    shoot(wait(store.rename(&path("f/old"), &path("d/new"), false, how)), "f/old is d/new");
    shoot(wait(store.remove(&path("f/gone"), how)), "f/gone is gone");
    shoot(wait(store.remove_folder(&path("f/empty"), how)), "f/empty is gone");
    drop(store);

    let changes = [("d", true), ("d/new", true), ("f/old", false), ("f/gone", false), ("f/empty", false)];
    let known = [1, 3, 4, 5];
    let shots = film.shots.into_inner().unwrap();
    assert_eq!(shots.len(), known.len());
    for (shot, known) in shots.into_iter().zip(known) {
        let disk = Disk::mount(shot.image).unwrap();
        for (name, there) in &changes[..known] {
            assert_eq!(
                disk.at.join(name).exists(),
                *there,
                "{name} after the power went when {}",
                shot.before
            );
        }
    }
}
