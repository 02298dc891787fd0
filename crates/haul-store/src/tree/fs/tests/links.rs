//! No link leads out of the tree, or to what is haul's own; one that stays inside is what it means.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
};

use super::*;
use crate::{Body, Kind};

fn names(store: &FsStore, at: &str) -> Vec<String> {
    let mut listing = wait(store.list(&path(at))).unwrap();
    let mut names = Vec::new();
    loop {
        let page = wait(listing.next()).unwrap();
        if page.is_empty() {
            names.sort();
            return names;
        }
        names.extend(page.into_iter().map(|entry| String::from_utf8(entry.name).unwrap()));
    }
}

fn text(store: &FsStore, at: &str) -> Result<String, StoreError> {
    use std::io::Read;
    let Body::File(file) = wait(store.read(&path(at)))?.body else { panic!("a file") };
    let mut text = String::new();
    (&*file).read_to_string(&mut text).unwrap();
    Ok(text)
}

/// A tree with links of every kind, beside a folder that nobody may see.
fn scene() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (root, secret) = (dir.path().join("root"), dir.path().join("secret"));
    for folder in [&root, &root.join("f"), &root.join("f/g"), &secret] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(root.join("f/a"), "inside").unwrap();
    fs::write(secret.join("a"), "secret").unwrap();
    dir
}

fn link(to: impl AsRef<Path>, root: &Path, name: &str) {
    symlink(to, root.join(name)).unwrap();
}

#[test]
fn a_link_inside_is_what_it_means() {
    for resolver in BOTH {
        let dir = scene();
        let root = dir.path().join("root");
        link("f", &root, "folder");
        link("f/a", &root, "file");
        link(root.join("f/a"), &root, "absolute");
        link("../a", &root, "f/g/up");
        link("folder/g/up", &root, "chain");
        link(".", &root, "here");
        link(&root, &root, "top");
        let store = open(&root, resolver);
        for name in ["folder/a", "file", "absolute", "f/g/up", "chain", "here/here/file", "top/f/a"] {
            assert_eq!(text(&store, name).unwrap(), "inside", "{name}");
            assert_eq!(wait(store.stat(&path(name))).unwrap().kind, Kind::File, "{name}");
        }
        assert_eq!(wait(store.stat(&path("folder"))).unwrap().kind, Kind::Folder);
        assert_eq!(names(&store, "/"), ["absolute", "chain", "f", "file", "folder", "here", "top"]);
        assert_eq!(names(&store, "folder"), ["a", "g"]);
        // What is published to a link takes the place of what it means; the link stays.
        upload(&store, "chain", "new").unwrap();
        upload(&store, "folder/b", "other").unwrap();
        assert_eq!(fs::read_to_string(root.join("f/a")).unwrap(), "new");
        assert_eq!(fs::read_to_string(root.join("f/b")).unwrap(), "other");
        assert!(root.join("chain").is_symlink());
        // Removing and renaming are about the link.
        wait(store.remove(&path("file"), Durability::Full)).unwrap();
        wait(store.rename(&path("absolute"), &path("moved"), false, Durability::Full)).unwrap();
        assert!(root.join("f/a").exists() && root.join("moved").is_symlink());
        // It stays in its folder, by whatever way that is told: elsewhere it would lead elsewhere.
        for (from, to) in
            [("moved", "f/moved"), ("moved", "folder/moved"), ("f/g/up", "up"), ("here", "f/here")]
        {
            let moved = wait(store.rename(&path(from), &path(to), false, Durability::Full));
            assert!(matches!(moved, Err(StoreError::Permission { .. })), "{from} {to}: {moved:?}");
            assert!(root.join(from).is_symlink() && !root.join(to).is_symlink());
        }
        wait(store.rename(&path("folder/g/up"), &path("f/g/above"), false, Durability::Full)).unwrap();
    }
}

#[test]
fn a_link_out_of_the_tree_is_not_there() {
    for resolver in BOTH {
        let dir = scene();
        let root = dir.path().join("root");
        link("../secret", &root, "out");
        link("../secret/a", &root, "file");
        link(dir.path().join("secret"), &root, "absolute");
        link("/", &root, "slash");
        link("f/../../secret", &root, "f/around");
        link("nowhere", &root, "dangling");
        link("loop", &root, "loop");
        link(dir.path().join("rootless"), &root, "prefix");
        link("f/a/", &root, "slashed");
        let store = open(&root, resolver);
        assert_eq!(names(&store, "/"), ["f"]);
        assert_eq!(names(&store, "f"), ["a", "g"]);
        let all = ["out", "file", "absolute", "slash", "f/around", "dangling", "loop", "prefix"];
        for name in all {
            let at = path(name);
            let not_found = |done: Result<(), StoreError>, what: &str| {
                assert!(matches!(done, Err(StoreError::NotFound { .. })), "{what} {name}: {done:?}");
            };
            not_found(wait(store.stat(&at)).map(drop), "stat");
            not_found(wait(store.read(&at)).map(drop), "read");
            not_found(wait(store.list(&at)).map(drop), "list");
            not_found(wait(store.remove(&at, Durability::Full)), "remove");
            not_found(wait(store.rename(&at, &path("x"), true, Durability::Full)), "rename");
            not_found(wait(store.set_mode(&at, 0o777)), "mode");
            not_found(wait(store.read(&at.join(b"a").unwrap())).map(drop), "read in");
            not_found(wait(store.stage(&at.join(b"b").unwrap())).map(drop), "stage in");
            not_found(wait(store.make_folder(&at.join(b"b").unwrap(), Durability::Full)), "make in");
            not_found(
                wait(store.rename(&path("f/a"), &at.join(b"b").unwrap(), true, Durability::Full)),
                "rename into",
            );
            let over = upload(&store, name, "mine").unwrap_err();
            assert!(matches!(over, StoreError::NotAFile { .. }), "{name}: {over:?}");
            assert!(wait(store.in_place(&at, 0)).is_err(), "in place {name}");
            assert!(
                wait(store.rename(&path("f/a"), &at, true, Durability::Full)).is_err(),
                "rename over {name}"
            );
            assert!(root.join(name).is_symlink(), "{name} is left as it is");
        }
        assert_eq!(fs::read_dir(dir.path().join("secret")).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(dir.path().join("secret/a")).unwrap(), "secret");
    }
}

#[test]
fn no_way_leads_to_what_is_unfinished() {
    for resolver in BOTH {
        let dir = scene();
        let root = dir.path().join("root");
        let store = open(&root, resolver);
        let mut staged = wait(store.stage(&path("f/b"))).unwrap();
        wait(staged.append(Bytes::from_static(b"unfinished"))).unwrap();
        let file = format!(".haul/staging/{}", staged.id().0);
        assert_eq!(fs::read_to_string(root.join(&file)).unwrap(), "unfinished");
        link(".haul", &root, "own");
        link(".haul/staging", &root, "own2");
        link(&file, &root, "own3");
        link(root.join(".haul/staging"), &root, "own4");
        link("../.haul", &root, "f/own");
        link("f/../.haul/../.haul", &root, "own5");
        fs::create_dir_all(root.join("f/.HAUL")).unwrap();
        fs::write(root.join("f/g/.Haul"), "").unwrap();
        for name in ["own", "own2", "own3", "own4", "own5", "f/own"] {
            for at in [name.to_owned(), format!("{name}/staging"), format!("{name}/{}", staged.id().0)] {
                let at = path(&at);
                assert!(matches!(wait(store.stat(&at)), Err(StoreError::NotFound { .. })), "{at:?}");
                assert!(wait(store.read(&at)).is_err() && wait(store.list(&at)).is_err(), "{at:?}");
                assert!(
                    wait(store.in_place(&at, 0)).is_err()
                        && wait(store.remove(&at, Durability::Full)).is_err(),
                    "{at:?}"
                );
                assert!(wait(store.rename(&at, &path("x"), false, Durability::Full)).is_err(), "{at:?}");
            }
        }
        assert_eq!(names(&store, "/"), ["f"]);
        assert_eq!(names(&store, "f"), ["a", "g"]);
        assert!(names(&store, "f/g").is_empty());
        // Also not by what another medium might take for the same name.
        upload(&store, "haul~1", "a file").unwrap();
        upload(&store, ".haulage", "a file").unwrap();
        assert_eq!(text(&store, "haul~1").unwrap(), "a file");
        assert_eq!(names(&store, "/"), [".haulage", "f", "haul~1"]);
    }
}

#[test]
fn what_is_neither_file_nor_folder_is_not_opened() {
    for resolver in BOTH {
        let dir = scene();
        let root = dir.path().join("root");
        let pipe = rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        );
        pipe.unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let store = open(&root, resolver);
        assert_eq!(names(&store, "/"), ["f"]);
        for name in ["pipe", "socket"] {
            assert!(matches!(wait(store.stat(&path(name))), Err(StoreError::NotFound { .. })));
            assert!(wait(store.read(&path(name))).is_err());
            assert!(wait(store.in_place(&path(name), 0)).is_err());
            assert!(matches!(upload(&store, name, "x"), Err(StoreError::NotAFile { .. })));
        }
    }
}

#[test]
fn a_folder_that_becomes_a_link_in_mid_walk_leads_nowhere() {
    for resolver in BOTH {
        let dir = scene();
        let root = dir.path().join("root");
        fs::create_dir(root.join("real")).unwrap();
        fs::write(root.join("real/a"), "inside").unwrap();
        link("../secret", &root, "evil");
        let store = open(&root, resolver);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    // `turn` is the folder, then the link, in turn.
                    for name in ["real", "evil"] {
                        fs::rename(root.join(name), root.join("turn")).unwrap();
                        fs::rename(root.join("turn"), root.join(name)).unwrap();
                    }
                }
            });
            let wrong = (0..1000).map(|_| text(&store, "turn/a")).find(|read| match read {
                Ok(text) => text != "inside",
                Err(error) => !matches!(error, StoreError::NotFound { .. } | StoreError::NotAFile { .. }),
            });
            stop.store(true, SeqCst);
            assert!(wrong.is_none(), "{wrong:?}");
        });
    }
}
