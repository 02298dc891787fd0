//! A published file looks as if it had been created where it is; what is staged is nobody else's.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
};

use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::*;

const DEFAULT: &str = "system.posix_acl_default";
const ACCESS: &str = "system.posix_acl_access";

/// An access list with a named user: tag, permissions, number.
fn list() -> Vec<u8> {
    let entries: [(u16, u16, u32); 5] = [(1, 7, !0), (2, 6, 4242), (4, 5, !0), (16, 7, !0), (32, 0, !0)];
    let entry = |(tag, permissions, id): (u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    [vec![2, 0, 0, 0], entries.into_iter().flat_map(entry).collect()].concat()
}

fn attribute(at: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1024];
    let len = getxattr(at, name, value.as_mut_slice()).ok()?;
    value.truncate(len);
    Some(value)
}

/// What the system makes of a file created there, and what haul makes of one published there.
fn assert_alike(store: &FsStore, root: &Path, folder: &str) {
    let by_hand = root.join(folder).join("by hand");
    File::create_new(&by_hand).unwrap();
    let at = format!("{folder}/published");
    let told = upload(store, &at, "x").unwrap();
    let published = root.join(&at);
    let [by_hand_meta, meta] = [&by_hand, &published].map(|at| at.metadata().unwrap());
    assert_eq!(format!("{:o}", meta.mode()), format!("{:o}", by_hand_meta.mode()), "{folder}");
    assert_eq!((meta.uid(), meta.gid()), (by_hand_meta.uid(), by_hand_meta.gid()), "{folder}");
    assert_eq!(attribute(&published, ACCESS), attribute(&by_hand, ACCESS), "{folder}");
    assert_eq!(told.mode, Some(meta.mode() & 0o7777));
}

#[test]
fn mode_group_and_access_list_are_those_of_a_file_created_there() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let store = open(root, Resolver::System);
    fs::create_dir(root.join("plain")).unwrap();
    assert_alike(&store, root, "plain");

    fs::create_dir(root.join("group")).unwrap();
    if chown(root.join("group"), None, Some(4711)).is_ok() {
        fs::set_permissions(root.join("group"), Permissions::from_mode(0o2775)).unwrap();
        assert_alike(&store, root, "group");
        assert_eq!(root.join("group/published").metadata().unwrap().gid(), 4711);
    }

    fs::create_dir(root.join("list")).unwrap();
    match setxattr(root.join("list"), DEFAULT, &list(), XattrFlags::empty()) {
        Ok(()) => {
            assert_alike(&store, root, "list");
            assert!(attribute(&root.join("list/published"), ACCESS).is_some());
        }
        Err(errno) => println!("skipped: no access lists here: {errno}"),
    }
}

#[test]
fn what_is_staged_is_its_owner_s_alone_whatever_lies_above() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::set_permissions(root, Permissions::from_mode(0o2777)).unwrap();
    let lists = setxattr(root, DEFAULT, &list(), XattrFlags::empty()).is_ok();
    let store = open(root, Resolver::System);
    let staged = wait(store.stage(&path("a"))).unwrap();
    for folder in [".haul", ".haul/staging"] {
        let at = root.join(folder);
        assert_eq!(format!("{:o}", at.metadata().unwrap().mode() & 0o7777), "700", "{folder}");
        assert_eq!(attribute(&at, DEFAULT), None, "{folder}");
    }
    wait(staged.discard()).unwrap();
    fs::create_dir(root.join("f")).unwrap();
    assert_alike(&store, root, "f");
    assert_eq!(attribute(&root.join("f/published"), ACCESS).is_some(), lists);

    // One that somebody has opened to others is closed again.
    fs::set_permissions(root.join(".haul/staging"), Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir(root.join(".haul/staging")).unwrap();
    fs::create_dir(root.join(".haul/staging")).unwrap();
    let store = open(root, Resolver::System);
    upload(&store, "b", "x").unwrap();
    assert_eq!(root.join(".haul/staging").metadata().unwrap().mode() & 0o777, 0o700);
}
