//! What the system lets a server do that is not root: folders that can only be put into, only be read, a top that
//! belongs to somebody else. Root may do everything, so it says that it skips these.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use super::*;

fn tree(modes: &[(&str, u32)]) -> Option<tempfile::TempDir> {
    if rustix::process::geteuid().is_root() {
        println!("skipped: root may do everything");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    for (name, _) in modes {
        fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    for (name, mode) in modes.iter().rev() {
        fs::set_permissions(dir.path().join(name), Permissions::from_mode(*mode)).unwrap();
    }
    Some(dir)
}

fn is_refused<T>(done: Result<T, StoreError>) {
    assert!(matches!(done.map(drop), Err(StoreError::Permission { .. })));
}

#[test]
fn a_folder_that_can_only_be_put_into_takes_uploads() {
    for resolver in BOTH {
        let Some(dir) = tree(&[("box", 0o300)]) else { return };
        let store = open(dir.path(), resolver);
        upload(&store, "box/a", "x").unwrap();
        assert_eq!(wait(store.stat(&path("box/a"))).unwrap().size, 1);
        let listed = wait(store.list(&path("box"))).and_then(|mut listing| wait(listing.next()));
        is_refused(listed);
        fs::set_permissions(dir.path().join("box"), Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_folder_that_can_only_be_read_refuses_before_a_byte_comes() {
    for resolver in BOTH {
        let Some(dir) = tree(&[("shelf", 0o500)]) else { return };
        let store = open(dir.path(), resolver);
        is_refused(wait(store.stage(&path("shelf/a"))));
        is_refused(wait(store.make_folder(&path("shelf/f"), Durability::Full)));
        is_refused(wait(store.in_place(&path("shelf/a"), 0)));
        assert_eq!(fs::read_dir(dir.path().join("shelf")).unwrap().count(), 0);
        fs::set_permissions(dir.path().join("shelf"), Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn under_a_top_that_is_not_ours_uploads_lie_in_the_first_folder_that_is() {
    for resolver in BOTH {
        let Some(dir) = tree(&[("", 0o555), ("incoming", 0o755), ("incoming/deep", 0o755)]) else { return };
        let store = open(dir.path(), resolver);
        let mut staged = wait(store.stage(&path("incoming/deep/a"))).unwrap();
        wait(staged.append(Bytes::from_static(b"x"))).unwrap();
        assert!(
            dir.path().join("incoming/.haul/staging").join(staged.id().0.split('@').next().unwrap()).exists()
        );
        let id = staged.id().clone();
        drop((staged, store));
        let store = open(dir.path(), resolver);
        let staged = wait(store.staged(&id)).unwrap();
        wait(staged.publish(&path("incoming/deep/a"), When::Absent, Durability::Full)).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_file_that_cannot_be_read_can_be_made_readable_again() {
    for resolver in BOTH {
        let Some(dir) = tree(&[]) else { return };
        let store = open(dir.path(), resolver);
        upload(&store, "a", "x").unwrap();
        wait(store.set_mode(&path("a"), 0)).unwrap();
        is_refused(wait(store.read(&path("a"))));
        wait(store.set_mode(&path("a"), 0o640)).unwrap();
        wait(store.read(&path("a"))).unwrap();
    }
}
