//! Several stores as one tree: at some paths of the first one another begins, which may be on another medium.
//!
//! A mount hides what the first store has at its path. It is a folder that cannot be removed, renamed or replaced, and
//! nothing is renamed from one store to another ([`StoreError::OtherMedium`]). Staged files lie in the store of their
//! target; which one that is, is a part of their names, so that they are found again as long as the path of the mount
//! stays the same. It knows no kind of store, and no file system.

use std::{collections::HashSet, io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use haul_core::{Modified, TreePath};

use super::{
    Assent, Body, Durability, Entry, Listing, Meta, Reading, Scattered, Source, StageId, Staged, Store,
    Syncer, Taken, When, Work,
};
use crate::{Geometry, StoreError, crc};

/// What names of staged files begin with that lie in a mount; those of the first store begin with no such letter.
const MARK: char = 'm';
/// So many hexadecimal digits follow it.
const DIGITS: usize = 8;

/// A tree of several stores.
pub struct MountedStore {
    first: Arc<dyn Store>,
    /// The longest paths first.
    mounts: Vec<Mount>,
    places: Places,
}

/// The paths of all mounts, the longest first.
type Places = Arc<[TreePath]>;

struct Mount {
    at: TreePath,
    store: Arc<dyn Store>,
    /// What names of its staged files begin with.
    mark: String,
}

impl MountedStore {
    /// The first store, and others at these paths, which differ and are not the root.
    ///
    /// # Errors
    /// Where two paths cannot be told apart by their marks.
    pub fn new(
        first: Arc<dyn Store>,
        mounts: impl IntoIterator<Item = (TreePath, Arc<dyn Store>)>,
    ) -> Result<Self, StoreError> {
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for (at, store) in mounts {
            let mark = format!("{MARK}{:0DIGITS$x}", crc::append(0, at.as_bytes()));
            if at.is_root() || !seen.insert(mark.clone()) {
                return Err(StoreError::Exists { path: name(&at) });
            }
            all.push(Mount { at, store, mark });
        }
        all.sort_by_key(|mount| std::cmp::Reverse(mount.at.as_bytes().len()));
        let places = all.iter().map(|mount| mount.at.clone()).collect();
        Ok(Self { first, mounts: all, places })
    }

    /// The mount that has this path, and the path there.
    fn mount(&self, path: &TreePath) -> Option<(&Mount, TreePath)> {
        let mount = self.mounts.iter().find(|mount| path.is_within(&mount.at))?;
        Some((mount, path.moved(&mount.at, &TreePath::ROOT)?))
    }

    /// The store that has this path, and the path there.
    fn route(&self, path: &TreePath) -> (&Arc<dyn Store>, TreePath) {
        match self.mount(path) {
            Some((mount, inner)) => (&mount.store, inner),
            None => (&self.first, path.clone()),
        }
    }

    /// The store of a staged file, and its name there.
    fn staging(&self, id: &StageId) -> Option<(Option<&Mount>, StageId)> {
        if !id.0.starts_with(MARK) {
            return Some((None, id.clone()));
        }
        let mount = self.mounts.iter().find(|mount| id.0.starts_with(&mount.mark))?;
        Some((Some(mount), StageId(id.0.get(mount.mark.len()..)?.to_owned())))
    }

    fn is_mount(&self, path: &TreePath) -> bool {
        self.mounts.iter().any(|mount| mount.at == *path)
    }

    /// Whether a mount is somewhere below a path.
    fn has_mounts_below(&self, path: &TreePath) -> bool {
        self.mounts.iter().any(|mount| mount.at != *path && mount.at.is_within(path))
    }

    /// A staged file of one of the stores, by its name in the whole.
    fn own(&self, mount: Option<&Mount>, inner: Box<dyn Staged>) -> Box<dyn Staged> {
        let mark = mount.map(|mount| mount.mark.as_str()).unwrap_or_default();
        let id = StageId(format!("{mark}{}", inner.id().0));
        Box::new(MountedFile {
            inner,
            id,
            at: mount.map(|mount| mount.at.clone()),
            places: Arc::clone(&self.places),
        })
    }

    /// The same inside a store, by whichever means.
    async fn renames(
        &self,
        from: &TreePath,
        to: &TreePath,
        when: When,
        replace: bool,
        how: Durability,
    ) -> Result<(), StoreError> {
        if self.is_mount(from) || self.has_mounts_below(from) || self.has_mounts_below(to) {
            return Err(stays("renaming", from));
        }
        if self.is_mount(to) {
            return Err(StoreError::Exists { path: name(to) });
        }
        let (here, old) = self.route(from);
        let (there, new) = self.route(to);
        if !Arc::ptr_eq(here, there) {
            // What is not there is not on another medium.
            here.stat(&old).await?;
            return Err(StoreError::OtherMedium { path: name(to) });
        }
        here.rename_if(&old, &new, when, replace, how).await
    }
}

fn name(path: &TreePath) -> PathBuf {
    PathBuf::from(path.to_string())
}

/// A mount is where it is.
fn stays(doing: &'static str, path: &TreePath) -> StoreError {
    StoreError::Permission { doing, path: name(path), source: io::ErrorKind::PermissionDenied.into() }
}

/// A listing of a folder with mounts in it.
struct Together {
    inner: Box<dyn Listing>,
    /// Told first.
    mounts: Vec<Entry>,
    /// What lies beneath mounts.
    hidden: Vec<Vec<u8>>,
    told: bool,
}

impl Listing for Together {
    fn next(&mut self) -> Work<'_, Vec<Entry>> {
        Box::pin(async move {
            if !std::mem::replace(&mut self.told, true) && !self.mounts.is_empty() {
                return Ok(self.mounts.clone());
            }
            loop {
                let page = self.inner.next().await?;
                let end = page.is_empty();
                let hidden = |entry: &Entry| self.hidden.contains(&entry.name);
                let page: Vec<Entry> = page.into_iter().filter(|entry| !hidden(entry)).collect();
                // None at all would be the end.
                if end || !page.is_empty() {
                    return Ok(page);
                }
            }
        })
    }
}

impl Store for MountedStore {
    fn geometry(&self) -> Geometry {
        self.first.geometry()
    }

    fn stat<'a>(&'a self, path: &'a TreePath) -> Work<'a, Meta> {
        let (store, path) = self.route(path);
        Box::pin(async move { store.stat(&path).await })
    }

    fn list<'a>(&'a self, folder: &'a TreePath) -> Work<'a, Box<dyn Listing>> {
        Box::pin(async move {
            let (store, path) = self.route(folder);
            let inner = store.list(&path).await?;
            let (mut mounts, mut hidden) = (Vec::new(), Vec::new());
            for mount in self.mounts.iter().filter(|mount| mount.at.parent().as_ref() == Some(folder)) {
                // One that cannot be looked at hides what lies beneath it all the same, and nothing beside it.
                if let Ok(meta) = mount.store.stat(&TreePath::ROOT).await {
                    mounts.push(Entry { name: mount.at.name().to_vec(), meta });
                }
                hidden.push(mount.at.name().to_vec());
            }
            if hidden.is_empty() {
                return Ok(inner);
            }
            Ok(Box::new(Together { inner, mounts, hidden, told: false }) as Box<dyn Listing>)
        })
    }

    fn read<'a>(&'a self, path: &'a TreePath) -> Work<'a, Reading> {
        let (store, path) = self.route(path);
        Box::pin(async move { store.read(&path).await })
    }

    fn unchanged<'a>(&'a self, reading: &'a Reading) -> Work<'a, ()> {
        // It is asked of what is open, wherever that lies.
        self.first.unchanged(reading)
    }

    fn make_folder<'a>(&'a self, path: &'a TreePath, how: Durability) -> Work<'a, ()> {
        Box::pin(async move {
            if self.is_mount(path) {
                return Err(StoreError::Exists { path: name(path) });
            }
            let (store, path) = self.route(path);
            store.make_folder(&path, how).await
        })
    }

    fn remove_folder<'a>(&'a self, path: &'a TreePath, how: Durability) -> Work<'a, ()> {
        Box::pin(async move {
            if self.is_mount(path) {
                return Err(stays("removing", path));
            }
            if self.has_mounts_below(path) {
                return Err(StoreError::NotEmpty { path: name(path) });
            }
            let (store, path) = self.route(path);
            store.remove_folder(&path, how).await
        })
    }

    fn remove_if<'a>(&'a self, path: &'a TreePath, when: When, how: Durability) -> Work<'a, ()> {
        let (store, path) = self.route(path);
        Box::pin(async move { store.remove_if(&path, when, how).await })
    }

    fn rename_if<'a>(
        &'a self,
        from: &'a TreePath,
        to: &'a TreePath,
        when: When,
        replace: bool,
        how: Durability,
    ) -> Work<'a, ()> {
        Box::pin(self.renames(from, to, when, replace, how))
    }

    fn is_one_medium(&self, one: &TreePath, other: &TreePath) -> bool {
        Arc::ptr_eq(self.route(one).0, self.route(other).0)
    }

    fn set_modified<'a>(&'a self, path: &'a TreePath, to: Modified) -> Work<'a, ()> {
        let (store, path) = self.route(path);
        Box::pin(async move { store.set_modified(&path, to).await })
    }

    fn set_mode<'a>(&'a self, path: &'a TreePath, mode: u32) -> Work<'a, ()> {
        let (store, path) = self.route(path);
        Box::pin(async move { store.set_mode(&path, mode).await })
    }

    fn space<'a>(&'a self, path: &'a TreePath) -> Work<'a, Option<u64>> {
        let (store, path) = self.route(path);
        Box::pin(async move { store.space(&path).await })
    }

    fn takes_file<'a>(&'a self, target: &'a TreePath) -> Work<'a, ()> {
        Box::pin(async move {
            if self.is_mount(target) {
                return Err(StoreError::NotAFile { path: name(target) });
            }
            let (store, target) = self.route(target);
            store.takes_file(&target).await
        })
    }

    fn stage<'a>(&'a self, target: &'a TreePath) -> Work<'a, Box<dyn Staged>> {
        Box::pin(async move {
            if self.is_mount(target) {
                return Err(StoreError::NotAFile { path: name(target) });
            }
            match self.mount(target) {
                None => Ok(self.own(None, self.first.stage(target).await?)),
                Some((mount, target)) => Ok(self.own(Some(mount), mount.store.stage(&target).await?)),
            }
        })
    }

    fn staged<'a>(&'a self, id: &'a StageId) -> Work<'a, Box<dyn Staged>> {
        Box::pin(async move {
            match self.staging(id) {
                None => Err(StoreError::NotFound { path: PathBuf::from(&id.0) }),
                Some((None, id)) => Ok(self.own(None, self.first.staged(&id).await?)),
                Some((Some(mount), id)) => Ok(self.own(Some(mount), mount.store.staged(&id).await?)),
            }
        })
    }

    fn peek<'a>(&'a self, id: &'a StageId) -> Work<'a, Body> {
        Box::pin(async move {
            match self.staging(id) {
                None => Err(StoreError::NotFound { path: PathBuf::from(&id.0) }),
                Some((mount, id)) => mount.map_or(&self.first, |mount| &mount.store).peek(&id).await,
            }
        })
    }

    fn became<'a>(&'a self, target: &'a TreePath, mark: &'a [u8], how: Durability) -> Work<'a, Option<Meta>> {
        let (store, target) = self.route(target);
        Box::pin(async move { store.became(&target, mark, how).await })
    }

    fn in_place<'a>(&'a self, target: &'a TreePath, from: u64) -> Work<'a, Box<dyn Staged>> {
        Box::pin(async move {
            if self.is_mount(target) {
                return Err(StoreError::NotAFile { path: name(target) });
            }
            match self.mount(target) {
                None => self.first.in_place(target, from).await,
                Some((mount, target)) => {
                    Ok(self.own(Some(mount), mount.store.in_place(&target, from).await?))
                }
            }
        })
    }

    fn sweep<'a>(&'a self, keep: &'a [StageId]) -> Work<'a, usize> {
        Box::pin(async move {
            let of = |wanted: Option<&Mount>| -> Vec<StageId> {
                let own = keep.iter().filter_map(|id| self.staging(id));
                let mark = wanted.map(|mount| &mount.mark);
                own.filter(|(mount, _)| mount.map(|mount| &mount.mark) == mark).map(|(_, id)| id).collect()
            };
            let mut swept = self.first.sweep(&of(None)).await?;
            for mount in &self.mounts {
                swept += mount.store.sweep(&of(Some(mount))).await?;
            }
            Ok(swept)
        })
    }
}

/// A staged file of one of the stores.
struct MountedFile {
    inner: Box<dyn Staged>,
    id: StageId,
    /// The mount that it lies in.
    at: Option<TreePath>,
    places: Places,
}

impl Staged for MountedFile {
    fn id(&self) -> &StageId {
        &self.id
    }

    fn mark(&self) -> &[u8] {
        self.inner.mark()
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn append(&mut self, bytes: Bytes) -> Work<'_, ()> {
        self.inner.append(bytes)
    }

    fn take(&mut self, source: Box<dyn Source>, most: u64) -> Work<'_, Taken> {
        self.inner.take(source, most)
    }

    fn copy_from<'a>(&'a mut self, body: &'a Body, at: u64, len: u64) -> Work<'a, ()> {
        self.inner.copy_from(body, at, len)
    }

    fn cut(&mut self, at: u64) -> Work<'_, ()> {
        self.inner.cut(at)
    }

    fn read(&self, at: u64, most: usize) -> Work<'_, Bytes> {
        self.inner.read(at, most)
    }

    fn sync(&mut self) -> Work<'_, u64> {
        self.inner.sync()
    }

    fn sync_to_publish(&mut self) -> Work<'_, ()> {
        self.inner.sync_to_publish()
    }

    fn syncer(&self) -> Arc<dyn Syncer> {
        self.inner.syncer()
    }

    fn scattered(&self) -> Option<Arc<dyn Scattered>> {
        self.inner.scattered()
    }

    fn publish_if<'a>(
        self: Box<Self>,
        target: &'a TreePath,
        when: When,
        how: Durability,
        assent: Assent,
    ) -> Work<'a, Meta> {
        Box::pin(async move {
            let Self { inner, at, places, .. } = *self;
            if places.iter().find(|place| target.is_within(place)) != at.as_ref() {
                return Err(StoreError::OtherMedium { path: name(target) });
            }
            let inside = at.map_or_else(|| Some(target.clone()), |at| target.moved(&at, &TreePath::ROOT));
            let inside = inside.ok_or_else(|| StoreError::NotFound { path: name(target) })?;
            inner.publish_if(&inside, when, how, assent).await
        })
    }

    fn discard(self: Box<Self>) -> Work<'static, ()> {
        self.inner.discard()
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::{
        FsStore, Job,
        ledger::wait,
        tree_conformance::{self as conformance, Bench},
    };

    struct Folders(tempfile::TempDir, tempfile::TempDir);

    impl Bench for Folders {
        fn open(&self) -> Arc<dyn Store> {
            let open = |folder: &tempfile::TempDir| -> Arc<dyn Store> {
                let pool = Arc::new(|job: Job| drop(std::thread::spawn(job)));
                Arc::new(FsStore::open(folder.path(), pool).unwrap())
            };
            let at = TreePath::ROOT.join(b"mounted/there").unwrap();
            Arc::new(MountedStore::new(open(&self.0), [(at, open(&self.1))]).unwrap())
        }
    }

    #[test]
    fn what_is_beside_a_mount_conforms() {
        let make = || Folders(tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        wait(conformance::all(make)).unwrap();
        wait(conformance::in_place(make)).unwrap();
    }

    #[test]
    fn mounts_differ_and_none_is_the_root() {
        let folders = Folders(tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = TreePath::ROOT.join(b"a").unwrap();
        let two = [(at.clone(), folders.open()), (at, folders.open())];
        assert!(matches!(MountedStore::new(folders.open(), two), Err(StoreError::Exists { .. })));
        let root = [(TreePath::ROOT, folders.open())];
        assert!(matches!(MountedStore::new(folders.open(), root), Err(StoreError::Exists { .. })));
    }
}
