//! What every [`Store`] must do, whatever it is made of. An implementation runs [`all`] over a [`Bench`] of its own, on
//! an executor of its own.
//!
//! It asks for what the [`Geometry`](crate::Geometry) promises and no more. Links, access lists, what a crash leaves:
//! that is an implementation's own affair and its own tests'.

mod scattered;
mod taking;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use bytes::Bytes;
use haul_core::{Modified, TreePath};

use crate::{
    Body, Durability, Entry, Kind, Meta, Reading, StageId, Staged, Store, StoreError, When,
    conformance::content,
};

/// An empty tree.
pub trait Bench {
    /// Opens it; once more, as after a restart, where it was opened before.
    fn open(&self) -> Arc<dyn Store>;
}

/// Runs everything, each on a fresh bench.
pub async fn all<B: Bench>(make: impl Fn() -> B) -> Result<(), StoreError> {
    a_fresh_tree_is_empty(&make()).await?;
    what_is_staged_has_no_name(&make()).await?;
    what_is_published_is_read_whole(&make()).await?;
    a_staged_file_outlives_its_handle(&make()).await?;
    opening_it_again_ends_the_older_handle(&make()).await?;
    what_is_staged_is_read_beside_its_writer(&make()).await?;
    taking::what_is_taken_is_all_that_came(&make()).await?;
    scattered::stretches_are_filled_beside_each_other(&make()).await?;
    scattered::who_opens_it_again_ends_who_fills_it(&make()).await?;
    scattered::a_stretch_takes_no_more_than_it_has_room_for(&make()).await?;
    a_cut_forgets_what_lies_behind(&make()).await?;
    a_copy_has_the_bytes_of_the_finished_file(&make()).await?;
    a_copy_goes_to_the_end_from_wherever_it_begins(&make()).await?;
    a_sync_tells_how_much_is_safe(&make()).await?;
    publishing_keeps_to_its_condition(&make()).await?;
    publishing_needs_a_folder(&make()).await?;
    a_refused_publication_leaves_it_staged(&make()).await?;
    assent_is_asked_last_and_without_it_nothing_changes(&make()).await?;
    what_has_its_name_is_known_again(&make()).await?;
    no_two_versions_of_a_name_have_the_same_second(&make()).await?;
    a_reader_keeps_its_file(&make()).await?;
    a_sweep_removes_what_is_not_kept(&make()).await?;
    folders_are_made_listed_and_removed(&make()).await?;
    a_long_folder_is_listed_in_pages(&make()).await?;
    renaming_replaces_only_files_and_only_when_told(&make()).await?;
    a_folder_takes_its_files_along(&make()).await?;
    dates_and_modes_can_be_set(&make()).await?;
    what_is_not_there_is_not_found(&make()).await
}

/// What a store must do that can write in place, each on a fresh bench.
pub async fn in_place<B: Bench>(make: impl Fn() -> B) -> Result<(), StoreError> {
    what_is_written_in_place_is_seen_at_once(&make()).await?;
    in_place_nothing_is_taken_back(&make()).await
}

/// A path of the tree.
///
/// # Panics
/// Where it is none.
pub fn path(raw: &str) -> TreePath {
    let path = TreePath::ROOT.join(raw.as_bytes());
    assert!(path.is_ok(), "{raw} is no path");
    path.unwrap_or_default()
}

/// Stages and publishes a file.
pub async fn put(store: &dyn Store, at: &str, bytes: Bytes, when: When) -> Result<Meta, StoreError> {
    let mut staged = store.stage(&path(at)).await?;
    staged.append(bytes).await?;
    staged.publish(&path(at), when, Durability::Relaxed).await
}

async fn begin(store: &dyn Store, at: &str, bytes: Bytes) -> Result<Box<dyn Staged>, StoreError> {
    let mut staged = store.stage(&path(at)).await?;
    staged.append(bytes).await?;
    Ok(staged)
}

/// All bytes of a finished file.
pub async fn bytes_of(reading: &Reading) -> Result<Vec<u8>, StoreError> {
    bytes_in(&reading.body).await
}

async fn bytes_in(body: &Body) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    loop {
        let at = bytes.len() as u64;
        let piece = match body {
            Body::File(file) => {
                let mut piece = vec![0; 1 << 16];
                let read = crate::sys::read_at(file, &mut piece, at);
                let read =
                    read.map_err(|error| StoreError::at("reading", std::path::Path::new("it"), error))?;
                piece.truncate(read);
                piece
            }
            Body::Pieces(pieces) => pieces.read(at, 1 << 16).await?.to_vec(),
        };
        if piece.is_empty() {
            return Ok(bytes);
        }
        bytes.extend(piece);
    }
}

async fn get(store: &dyn Store, at: &str) -> Result<Vec<u8>, StoreError> {
    bytes_of(&store.read(&path(at)).await?).await
}

async fn names(store: &dyn Store, at: &str) -> Result<Vec<String>, StoreError> {
    let entries = listed(store, at).await?;
    let mut names: Vec<_> =
        entries.iter().map(|entry| String::from_utf8_lossy(&entry.name).into_owned()).collect();
    names.sort();
    Ok(names)
}

async fn listed(store: &dyn Store, at: &str) -> Result<Vec<Entry>, StoreError> {
    let mut listing = store.list(&path(at)).await?;
    let mut all = Vec::new();
    loop {
        let page = listing.next().await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn is_not_found<T>(done: &Result<T, StoreError>) -> bool {
    matches!(done, Err(StoreError::NotFound { .. }))
}

async fn a_fresh_tree_is_empty(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    assert_eq!(store.stat(&TreePath::ROOT).await?.kind, Kind::Folder);
    assert!(names(&*store, "/").await?.is_empty());
    assert_eq!(store.sweep(&[]).await?, 0);
    Ok(())
}

async fn what_is_staged_has_no_name(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let mut staged = store.stage(&path("a")).await?;
    assert!(staged.is_empty());
    staged.append(content(1, 0, 1000)).await?;
    staged.sync().await?;
    assert!(names(&*store, "/").await?.is_empty(), "it is out of sight");
    assert!(is_not_found(&store.stat(&path("a")).await));
    assert!(is_not_found(&store.read(&path("a")).await));
    let id = staged.id().clone();
    assert!(id.0.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?} is printable");
    staged.discard().await?;
    assert!(is_not_found(&store.staged(&id).await.map(drop)), "it is gone");
    Ok(())
}

async fn what_is_published_is_read_whole(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    for (how, name) in [(Durability::Full, "a"), (Durability::Relaxed, "b")] {
        let mut staged = store.stage(&path(name)).await?;
        staged.append(content(1, 0, 100_000)).await?;
        staged.append(Bytes::new()).await?;
        staged.append(content(1, 100_000, 150_001)).await?;
        assert_eq!(staged.len(), 150_001);
        let id = staged.id().clone();
        let meta = staged.publish(&path(name), When::Absent, how).await?;
        assert_eq!((meta.kind, meta.size), (Kind::File, 150_001));
        assert_eq!(store.stat(&path(name)).await?, meta);
        assert_eq!(get(&*store, name).await?, content(1, 0, 150_001));
        assert!(is_not_found(&store.staged(&id).await.map(drop)), "it is staged no more");
    }
    let empty = put(&*store, "c", Bytes::new(), When::Absent).await?;
    assert_eq!(empty.size, 0);
    assert_eq!(names(&*store, "/").await?, ["a", "b", "c"]);
    Ok(())
}

async fn a_staged_file_outlives_its_handle(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let mut staged = store.stage(&path("a")).await?;
    staged.append(content(1, 0, 500)).await?;
    staged.sync().await?;
    let id = staged.id().clone();
    drop((staged, store));
    let store = bench.open();
    let mut staged = store.staged(&id).await?;
    assert_eq!((staged.len(), staged.id()), (500, &id));
    staged.append(content(1, 500, 900)).await?;
    staged.publish(&path("a"), When::Always, Durability::Full).await?;
    assert_eq!(get(&*store, "a").await?, content(1, 0, 900));
    Ok(())
}

async fn opening_it_again_ends_the_older_handle(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let mut older = store.stage(&path("a")).await?;
    older.append(content(1, 0, 500)).await?;
    let newer = store.staged(older.id()).await?;
    assert_eq!(newer.len(), 500);
    assert!(matches!(older.append(content(2, 0, 500)).await, Err(StoreError::Fenced { .. })));
    assert!(matches!(older.cut(0).await, Err(StoreError::Fenced { .. })));
    let published = older.publish(&path("a"), When::Always, Durability::Full).await;
    assert!(matches!(published, Err(StoreError::Fenced { .. })));
    assert!(is_not_found(&store.stat(&path("a")).await));
    newer.publish(&path("a"), When::Always, Durability::Full).await?;
    assert_eq!(get(&*store, "a").await?, content(1, 0, 500));
    Ok(())
}

async fn what_is_staged_is_read_beside_its_writer(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    if !store.geometry().can_read {
        return Ok(());
    }
    let mut staged = store.stage(&path("a")).await?;
    staged.append(content(1, 0, 500)).await?;
    let id = staged.id().clone();
    let body = store.peek(&id).await?;
    assert_eq!(bytes_in(&body).await?, content(1, 0, 500));
    staged.append(content(1, 500, 900)).await?;
    staged.publish(&path("a"), When::Always, Durability::Full).await?;
    assert_eq!(bytes_in(&body).await?.get(..500), content(1, 0, 500).get(..500), "it stays the same file");
    assert!(is_not_found(&store.peek(&id).await));
    Ok(())
}

async fn a_cut_forgets_what_lies_behind(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    if !store.geometry().can_cut {
        return Ok(());
    }
    let mut staged = store.stage(&path("a")).await?;
    staged.append(content(1, 0, 500)).await?;
    staged.sync().await?;
    staged.cut(700).await?;
    assert_eq!(staged.len(), 500, "nothing is ever a hole");
    staged.cut(300).await?;
    assert_eq!(staged.len(), 300);
    staged.append(content(2, 300, 800)).await?;
    staged.sync().await?;
    let whole = [content(1, 0, 300), content(2, 300, 800)].concat();
    if store.geometry().can_read {
        assert_eq!(staged.read(250, 100).await?, whole.get(250..350).unwrap_or_default());
        assert_eq!(staged.read(700, 500).await?, whole.get(700..).unwrap_or_default());
        assert!(staged.read(800, 10).await?.is_empty() && staged.read(u64::MAX, 10).await?.is_empty());
    }
    staged.publish(&path("a"), When::Always, Durability::Full).await?;
    assert_eq!(get(&*store, "a").await?, whole);
    Ok(())
}

async fn a_copy_has_the_bytes_of_the_finished_file(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    put(&*store, "a", content(1, 0, 3_000_001), When::Always).await?;
    let reading = store.read(&path("a")).await?;
    for upto in [0, 1, 4097, 3_000_001] {
        let mut staged = store.stage(&path("b")).await?;
        staged.copy_from(&reading.body, 0, upto).await?;
        assert_eq!(staged.len(), upto);
        staged.append(content(2, 0, 10)).await?;
        staged.publish(&path("b"), When::Always, Durability::Relaxed).await?;
        assert_eq!(get(&*store, "b").await?, [content(1, 0, upto), content(2, 0, 10)].concat());
    }
    let mut staged = store.stage(&path("b")).await?;
    assert!(staged.copy_from(&reading.body, 0, 3_000_002).await.is_err(), "there is not so much of it");
    assert_eq!(get(&*store, "a").await?, content(1, 0, 3_000_001));
    staged.discard().await
}

async fn a_copy_goes_to_the_end_from_wherever_it_begins(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let mut other = store.stage(&path("other")).await?;
    other.append(content(1, 0, 300_000)).await?;
    let of_other = store.peek(other.id()).await?;
    let mut staged = store.stage(&path("a")).await?;
    let mut whole = Vec::new();
    // Whole blocks and odd places.
    for (at, len) in [(0, 8192), (4096, 4096), (1, 10_000), (299_999, 1), (7, 0), (65_536, 200_000)] {
        staged.copy_from(&of_other, at, len).await?;
        whole.extend_from_slice(&content(1, at, at + len));
        assert_eq!(staged.len(), whole.len() as u64);
    }
    staged.append(content(2, 0, 10)).await?;
    whole.extend_from_slice(&content(2, 0, 10));
    // The other one may go: what was taken of it stays.
    other.discard().await?;
    assert_eq!(staged.sync().await?, whole.len() as u64);
    staged.publish(&path("a"), When::Always, Durability::Full).await?;
    assert_eq!(get(&*store, "a").await?, whole);
    Ok(())
}

async fn a_sync_tells_how_much_is_safe(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let mut staged = store.stage(&path("a")).await?;
    assert_eq!(staged.sync().await?, 0);
    staged.append(content(1, 0, 500)).await?;
    staged.syncer().sync().await?;
    assert_eq!(staged.sync().await?, 500);
    assert_eq!(staged.sync().await?, 500);
    staged.append(content(1, 500, 600)).await?;
    assert_eq!(staged.sync().await?, 600);
    staged.discard().await
}

async fn publishing_keeps_to_its_condition(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let store = &*store;
    let first = put(store, "a", content(1, 0, 10), When::Absent).await?;
    let taken = put(store, "a", content(2, 0, 10), When::Absent).await;
    assert!(matches!(taken, Err(StoreError::Exists { .. })));
    let gone = put(store, "b", content(2, 0, 10), When::Same(first.clone())).await;
    assert!(matches!(gone, Err(StoreError::Changed { .. })));
    let second = put(store, "a", content(3, 0, 10), When::Same(first.clone())).await?;
    assert_ne!(first, second);
    let stale = put(store, "a", content(4, 0, 10), When::Same(first)).await;
    assert!(matches!(stale, Err(StoreError::Changed { .. })));
    assert_eq!(get(store, "a").await?, content(3, 0, 10));
    put(store, "a", content(5, 0, 10), When::Always).await?;
    assert_eq!(get(store, "a").await?, content(5, 0, 10));
    Ok(())
}

async fn publishing_needs_a_folder(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    assert!(is_not_found(&store.stage(&path("no/a")).await.map(drop)));
    store.make_folder(&path("f"), Durability::Full).await?;
    let mut staged = store.stage(&path("f/a")).await?;
    staged.append(content(1, 0, 10)).await?;
    let id = staged.id().clone();
    store.remove_folder(&path("f"), Durability::Full).await?;
    assert!(is_not_found(&staged.publish(&path("f/a"), When::Always, Durability::Full).await));
    store.make_folder(&path("g"), Durability::Full).await?;
    let over = store.staged(&id).await?.publish(&path("g"), When::Always, Durability::Full).await;
    assert!(matches!(over, Err(StoreError::NotAFile { .. })), "a folder is not replaced");
    store.staged(&id).await?.publish(&path("g/b"), When::Always, Durability::Full).await?;
    assert_eq!(get(&*store, "g/b").await?, content(1, 0, 10));
    Ok(())
}

async fn a_refused_publication_leaves_it_staged(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    put(&*store, "a", content(1, 0, 10), When::Always).await?;
    let mut staged = store.stage(&path("a")).await?;
    staged.append(content(2, 0, 20)).await?;
    let id = staged.id().clone();
    assert!(staged.publish(&path("a"), When::Absent, Durability::Full).await.is_err());
    let staged = store.staged(&id).await?;
    assert_eq!(staged.len(), 20);
    staged.publish(&path("a"), When::Always, Durability::Full).await?;
    assert_eq!(get(&*store, "a").await?, content(2, 0, 20));
    Ok(())
}

async fn assent_is_asked_last_and_without_it_nothing_changes(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    put(store.as_ref(), "a", content(1, 0, 50), When::Absent).await?;
    for how in [Durability::Full, Durability::Relaxed] {
        // A condition that does not hold is told without asking.
        let staged = begin(store.as_ref(), "a", content(2, 0, 70)).await?;
        let id = staged.id().clone();
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = |answer| {
            let asked = Arc::clone(&asked);
            Box::new(move || {
                asked.fetch_add(1, SeqCst);
                answer
            })
        };
        let taken = staged.publish_if(&path("a"), When::Absent, how, answer(true)).await;
        assert!(matches!(taken, Err(StoreError::Exists { .. })), "{taken:?}");
        assert_eq!(asked.load(SeqCst), 0);
        let staged = store.staged(&id).await?;
        let refused = staged.publish_if(&path("a"), When::Always, how, answer(false)).await;
        assert!(matches!(refused, Err(StoreError::Withdrawn { .. })), "{refused:?}");
        assert_eq!(get(store.as_ref(), "a").await?, content(1, 0, 50));
        let mut staged = store.staged(&id).await?;
        staged.append(content(2, 70, 90)).await?;
        staged.publish_if(&path("a"), When::Always, how, answer(true)).await?;
        assert_eq!(get(store.as_ref(), "a").await?, content(2, 0, 90));
        assert_eq!(asked.load(SeqCst), 2);
        put(store.as_ref(), "a", content(1, 0, 50), When::Always).await?;
    }
    Ok(())
}

async fn what_has_its_name_is_known_again(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    put(store.as_ref(), "a", content(1, 0, 50), When::Absent).await?;
    let staged = begin(store.as_ref(), "a", content(2, 0, 50)).await?;
    let (id, mark) = (staged.id().clone(), staged.mark().to_vec());
    drop(staged);
    let staged = store.staged(&id).await?;
    assert_eq!(staged.mark(), mark, "as long as it is the same one");
    if mark.is_empty() {
        // This one does not know them again.
        return Ok(());
    }
    for how in [Durability::Full, Durability::Relaxed] {
        assert_eq!(store.became(&path("a"), &mark, how).await?, None, "another file has the name");
        assert_eq!(store.became(&path("b"), &mark, how).await?, None);
        assert_eq!(store.became(&path("b/c"), &mark, how).await?, None);
        assert_eq!(store.became(&TreePath::ROOT, &mark, how).await?, None);
    }
    let meta = staged.publish(&path("a"), When::Always, Durability::Relaxed).await?;
    drop(store);
    let store = bench.open();
    for how in [Durability::Full, Durability::Relaxed] {
        assert_eq!(store.became(&path("a"), &mark, how).await?, Some(meta.clone()));
        assert_eq!(store.became(&path("a"), &[], how).await?, None);
    }
    // What has the name next is another one, also where the system gives it what the first one had.
    store.remove(&path("a"), Durability::Relaxed).await?;
    put(store.as_ref(), "a", content(2, 0, 50), When::Absent).await?;
    assert_eq!(store.became(&path("a"), &mark, Durability::Full).await?, None);
    Ok(())
}

async fn no_two_versions_of_a_name_have_the_same_second(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let store = &*store;
    store.make_folder(&path("f"), Durability::Full).await?;
    // By another name first, as many a client does it.
    let mut last = i64::MIN;
    for turn in 0..3 {
        put(store, "temporary", content(turn, 0, 10), When::Always).await?;
        store.rename(&path("temporary"), &path("renamed"), true, Durability::Full).await?;
        let modified = store.stat(&path("renamed")).await?.modified;
        assert!(modified.seconds > last, "turn {turn}: {} after {last}", modified.seconds);
        last = modified.seconds;
    }
    let mut last = i64::MIN;
    for turn in 0..6 {
        let meta = put(store, "f/a", content(turn, 0, 10), When::Always).await?;
        assert!(meta.modified.seconds > last, "turn {turn}: {} after {last}", meta.modified.seconds);
        last = meta.modified.seconds;
        match turn {
            0 => {}
            1 => store.remove(&path("f/a"), Durability::Full).await?,
            2 => store.rename(&path("f/a"), &path("f/b"), true, Durability::Full).await?,
            3 => {
                store.rename(&path("f"), &path("g"), true, Durability::Full).await?;
                store.make_folder(&path("f"), Durability::Full).await?;
            }
            _ => {
                let old = Modified { seconds: 1_000_000_000, nanos: 0, strong: false };
                store.set_modified(&path("f/a"), old).await?;
            }
        }
    }
    Ok(())
}

async fn a_reader_keeps_its_file(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    put(&*store, "a", content(1, 0, 5000), When::Always).await?;
    let reading = store.read(&path("a")).await?;
    put(&*store, "a", content(2, 0, 6000), When::Always).await?;
    store.remove(&path("a"), Durability::Full).await?;
    assert_eq!(bytes_of(&reading).await?, content(1, 0, 5000));
    store.unchanged(&reading).await
}

async fn a_sweep_removes_what_is_not_kept(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    store.make_folder(&path("f"), Durability::Full).await?;
    let mut ids: Vec<StageId> = Vec::new();
    for name in ["a", "b", "f/c"] {
        let mut staged = store.stage(&path(name)).await?;
        staged.append(content(1, 0, 10)).await?;
        ids.push(staged.id().clone());
    }
    put(&*store, "d", content(1, 0, 10), When::Always).await?;
    drop(store);
    let store = bench.open();
    assert_eq!(store.sweep(ids.get(1..2).unwrap_or_default()).await?, 2);
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(store.staged(id).await.is_ok(), n == 1, "{n}");
    }
    assert_eq!(names(&*store, "/").await?, ["d", "f"]);
    Ok(())
}

async fn folders_are_made_listed_and_removed(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let store = &*store;
    assert!(is_not_found(&store.make_folder(&path("f/g"), Durability::Full).await));
    store.make_folder(&path("f"), Durability::Full).await?;
    assert!(matches!(store.make_folder(&path("f"), Durability::Full).await, Err(StoreError::Exists { .. })));
    store.make_folder(&path("f/g"), Durability::Full).await?;
    let meta = put(store, "f/a b\u{e9}", content(1, 0, 10), When::Always).await?;
    let mut entries = listed(store, "f").await?;
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let kinds: Vec<_> = entries.iter().map(|entry| entry.meta.kind).collect();
    assert_eq!(kinds, [Kind::File, Kind::Folder]);
    assert_eq!(entries.first().map(|entry| &entry.meta), Some(&meta));
    assert!(matches!(
        store.remove_folder(&path("f"), Durability::Full).await,
        Err(StoreError::NotEmpty { .. })
    ));
    assert!(matches!(store.remove(&path("f/g"), Durability::Full).await, Err(StoreError::NotAFile { .. })));
    let file = path("f/a b\u{e9}");
    assert!(matches!(store.remove_folder(&file, Durability::Full).await, Err(StoreError::NotAFolder { .. })));
    assert!(matches!(store.list(&file).await.map(drop), Err(StoreError::NotAFolder { .. })));
    assert!(matches!(store.read(&path("f/g")).await, Err(StoreError::NotAFile { .. })));
    store.remove(&file, Durability::Full).await?;
    store.remove_folder(&path("f/g"), Durability::Full).await?;
    store.remove_folder(&path("f"), Durability::Full).await?;
    assert!(names(store, "/").await?.is_empty());
    Ok(())
}

async fn a_long_folder_is_listed_in_pages(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let mut wanted: Vec<String> = (0..1200).map(|n| format!("folder {n}")).collect();
    for name in &wanted {
        store.make_folder(&path(name), Durability::Full).await?;
    }
    wanted.sort();
    assert_eq!(names(&*store, "/").await?, wanted);
    Ok(())
}

async fn renaming_replaces_only_files_and_only_when_told(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let store = &*store;
    put(store, "a", content(1, 0, 10), When::Always).await?;
    put(store, "b", content(2, 0, 10), When::Always).await?;
    store.make_folder(&path("f"), Durability::Full).await?;
    store.make_folder(&path("g"), Durability::Full).await?;
    for (from, to, replace) in [("a", "b", false), ("a", "f", true), ("f", "b", true), ("f", "g", true)] {
        let refused = store.rename(&path(from), &path(to), replace, Durability::Full).await;
        assert!(matches!(refused, Err(StoreError::Exists { .. })), "{from} {to}: {refused:?}");
    }
    store.rename(&path("a"), &path("c"), false, Durability::Full).await?;
    store.rename(&path("c"), &path("b"), true, Durability::Full).await?;
    assert_eq!(get(store, "b").await?, content(1, 0, 10));
    assert_eq!(names(store, "/").await?, ["b", "f", "g"]);
    assert!(is_not_found(&store.rename(&path("a"), &path("x"), true, Durability::Full).await));
    assert!(is_not_found(&store.rename(&path("b"), &path("x/y"), true, Durability::Full).await));
    Ok(())
}

async fn a_folder_takes_its_files_along(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    store.make_folder(&path("f"), Durability::Full).await?;
    put(&*store, "f/a", content(1, 0, 10), When::Always).await?;
    let mut staged = store.stage(&path("f/b")).await?;
    staged.append(content(2, 0, 10)).await?;
    store.rename(&path("f"), &path("g"), false, Durability::Full).await?;
    staged.publish(&path("g/b"), When::Absent, Durability::Full).await?;
    assert_eq!(names(&*store, "g").await?, ["a", "b"]);
    assert!(
        store.rename(&path("g"), &path("g/h"), false, Durability::Full).await.is_err(),
        "not into itself"
    );
    assert_eq!(names(&*store, "/").await?, ["g"]);
    Ok(())
}

async fn dates_and_modes_can_be_set(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let before = put(&*store, "a", content(1, 0, 10), When::Always).await?;
    let date = Modified { seconds: 1_234_567_890, nanos: 0, strong: false };
    store.set_modified(&path("a"), date).await?;
    assert!(store.stat(&path("a")).await?.modified.same_moment(date));
    if before.mode.is_some() {
        for mode in [0o600, 0o000, 0o644] {
            store.set_mode(&path("a"), 0o7000 | mode).await?;
            assert_eq!(store.stat(&path("a")).await?.mode, Some(mode));
        }
    }
    assert_eq!(store.stat(&path("a")).await?.unique, before.unique, "it is the same file");
    Ok(())
}

async fn what_is_not_there_is_not_found(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let date = Modified { seconds: 1, nanos: 0, strong: false };
    for name in ["a", "f/a"] {
        let at = path(name);
        assert!(is_not_found(&store.stat(&at).await));
        assert!(is_not_found(&store.read(&at).await));
        assert!(is_not_found(&store.list(&at).await.map(drop)));
        assert!(is_not_found(&store.remove(&at, Durability::Full).await));
        assert!(is_not_found(&store.remove_folder(&at, Durability::Full).await));
        assert!(is_not_found(&store.set_modified(&at, date).await));
        assert!(is_not_found(&store.set_mode(&at, 0o600).await));
    }
    for id in ["", "0123456789abcdef0123456789abcdef", "../a", "x y"] {
        assert!(is_not_found(&store.staged(&StageId(id.to_owned())).await.map(drop)), "{id}");
    }
    store.space(&path("f/a")).await.map(drop)
}

async fn what_is_written_in_place_is_seen_at_once(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    let mut file = store.in_place(&path("a"), 0).await?;
    file.append(content(1, 0, 500)).await?;
    assert_eq!(get(&*store, "a").await?, content(1, 0, 500));
    let reading = store.read(&path("a")).await?;
    file.append(content(1, 500, 700)).await?;
    assert!(matches!(store.unchanged(&reading).await, Err(StoreError::Changed { .. })));
    assert_eq!(file.sync().await?, 700);
    let meta = file.publish(&path("a"), When::Always, Durability::Full).await?;
    assert_eq!(meta.size, 700);
    Ok(())
}

async fn in_place_nothing_is_taken_back(bench: &impl Bench) -> Result<(), StoreError> {
    let store = bench.open();
    put(&*store, "a", content(1, 0, 500), When::Always).await?;
    let mut file = store.in_place(&path("a"), 300).await?;
    assert_eq!(file.len(), 300);
    file.append(content(2, 300, 400)).await?;
    let id = file.id().clone();
    file.discard().await?;
    assert_eq!(get(&*store, "a").await?, [content(1, 0, 300), content(2, 300, 400)].concat());
    assert_eq!(store.staged(&id).await?.len(), 400);
    assert_eq!(store.in_place(&path("a"), u64::MAX).await?.len(), 400, "no hole");
    Ok(())
}
