//! Two changes of one name at once.

use std::{fs, sync::Barrier};

use super::*;

/// Runs both at once.
fn at_once<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    let both = Barrier::new(2);
    std::thread::scope(|scope| {
        let both = &both;
        let one = scope.spawn(move || {
            both.wait();
            one()
        });
        both.wait();
        let other = other();
        (one.join().unwrap(), other)
    })
}

const ROUNDS: usize = 40;

#[test]
fn two_versions_that_are_published_at_once_have_two_dates() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Resolver::System);
    for round in 0..ROUNDS {
        let name = round.to_string();
        let (ann, bob) = at_once(|| upload(&store, &name, "ann"), || upload(&store, &name, "bob"));
        assert_ne!(ann.unwrap().modified.seconds, bob.unwrap().modified.seconds);
    }
}

#[test]
fn what_goes_on_from_a_version_does_not_replace_a_newer_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Resolver::System);
    for round in 0..ROUNDS {
        let name = round.to_string();
        let base = upload(&store, &name, "base").unwrap();
        let mut longer = wait(store.stage(&path(&name))).unwrap();
        wait(longer.append(Bytes::from_static(b"base and more"))).unwrap();
        let (longer, newer) = at_once(
            || wait(longer.publish(&path(&name), When::Same(base), Durability::Full)),
            || upload(&store, &name, "newer"),
        );
        newer.unwrap();
        assert!(matches!(longer, Ok(_) | Err(StoreError::Changed { .. })), "{longer:?}");
        assert_eq!(fs::read_to_string(dir.path().join(&name)).unwrap(), "newer");
    }
}

#[test]
fn only_the_version_that_was_meant_is_removed_or_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Resolver::System);
    for round in 0..ROUNDS {
        let name = round.to_string();
        let older = upload(&store, &name, "older").unwrap();
        let when = When::Same(older);
        let away = path(&format!("{name}-away"));
        let (gone, newer) = at_once(
            || match round % 2 {
                0 => wait(store.remove_if(&path(&name), when, Durability::Full)),
                _ => wait(store.rename_if(&path(&name), &away, when, false, Durability::Full)),
            },
            || upload(&store, &name, "newer"),
        );
        newer.unwrap();
        assert!(matches!(gone, Ok(()) | Err(StoreError::Changed { .. })), "{gone:?}");
        assert_eq!(fs::read_to_string(dir.path().join(&name)).unwrap(), "newer");
    }
    // A link is what it means.
    let meant = upload(&store, "file", "x").unwrap();
    std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
    let other = upload(&store, "other", "other").unwrap();
    let refused = wait(store.remove_if(&path("link"), When::Same(other), Durability::Full));
    assert!(matches!(refused, Err(StoreError::Changed { .. })));
    let refused = wait(store.remove_if(&path("link"), When::Absent, Durability::Full));
    assert!(matches!(refused, Err(StoreError::Exists { .. })));
    wait(store.remove_if(&path("link"), When::Same(meant), Durability::Full)).unwrap();
    assert!(dir.path().join("file").exists() && !dir.path().join("link").exists());
}

#[test]
fn a_version_that_is_removed_gives_its_date_to_none_that_comes_at_that_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Resolver::System);
    for round in 0..ROUNDS {
        let name = round.to_string();
        let older = upload(&store, &name, "older").unwrap();
        let (_, newer) =
            at_once(|| wait(store.remove(&path(&name), Durability::Full)), || upload(&store, &name, "newer"));
        assert_ne!(older.modified.seconds, newer.unwrap().modified.seconds);
    }
}

#[test]
fn a_name_has_one_history_by_whatever_link_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("f")).unwrap();
    std::os::unix::fs::symlink("f", dir.path().join("link")).unwrap();
    let store = open(dir.path(), Resolver::System);
    let mut last = None;
    for (publish, remove) in [("f/a", "link/a"), ("link/a", "f/a"), ("f/a", "f/a"), ("link/a", "link/a")] {
        let seconds = upload(&store, publish, "x").unwrap().modified.seconds;
        assert!(last.is_none_or(|last| last < seconds), "{publish}");
        last = Some(seconds);
        wait(store.remove(&path(remove), Durability::Full)).unwrap();
    }
}
