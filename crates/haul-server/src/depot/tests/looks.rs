//! What an owner and everybody else see of an unfinished upload.

use super::*;

#[tokio::test]
async fn an_unfinished_upload_is_seen_by_its_owner_only() {
    let bench = Bench::new();
    bench.put("a", b"published");
    let server = bench.start(RULES).await;
    let (ann, bob) = (server.ann(), server.bob());
    assert_eq!(break_off(&ann, "a", Wish::Anew, 5000).await, 4999);
    assert_eq!(break_off(&ann, "new", Wish::Anew, 10).await, 9);

    assert_eq!(size(&ann, "a").await, Some(4999));
    assert!(ann.stat(&path("a")).await.unwrap().unfinished);
    assert!(matches!(ann.read(&path("a")).await, Err(ServerError::Unfinished { at: 4999 })));
    assert_eq!(peeked(&ann, "a").await, content(0, 4999));
    let seen = [("a".to_owned(), 4999, true), ("new".to_owned(), 9, true)];
    assert_eq!(listed(&ann, "").await, seen);

    assert_eq!(size(&bob, "a").await, Some(9));
    assert_eq!(size(&bob, "new").await, None);
    assert_eq!(bob.read(&path("a")).await.unwrap().meta.size, 9);
    assert_eq!(peeked(&bob, "a").await, b"published");
    assert_eq!(listed(&bob, "").await, [("a".to_owned(), 9, false)]);
    assert_eq!(bench.names(), ["a"]);
}

#[tokio::test]
async fn what_is_being_received_is_told_as_far_as_it_is_safe() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let (ann, other) = (server.ann(), server.ann());
    let mut receiving = ann.receive(&path("a"), Wish::Anew, None).await.unwrap();
    assert_eq!(size(&other, "a").await, None, "nothing has come");
    receiving.append(content(0, 1000).into()).await.unwrap();
    assert_eq!(listed(&other, "").await, [("a".to_owned(), 0, true)], "nothing is safe");
    assert_eq!(size(&other, "a").await, Some(999), "what is asked for by name is made safe");
    assert_eq!(listed(&other, "").await, [("a".to_owned(), 999, true)]);
    // More than is synced at once.
    receiving.append(content(1000, 3 << 20).into()).await.unwrap();
    receiving.append(content(3 << 20, 5 << 20).into()).await.unwrap();
    let told = size(&other, "a").await.unwrap();
    assert_eq!(told, (5 << 20) - 1, "the last byte that is safe may be held back");
    assert_eq!(peeked(&other, "a").await, content(0, told));
    assert_eq!(server.record("ann", "a").await.unwrap().offset, told);
    let at = kept(receiving.settle(DataEnd::Unclean, Control::Gone).await);
    assert_eq!(at, (5 << 20) - 1);
    assert_eq!(size(&other, "a").await, Some(at));
}

#[tokio::test]
async fn a_home_is_the_root_of_its_account() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.root().join("homes/ann")).unwrap();
    let server = bench.start(RULES).await;
    let ann = server.visitor(Account { home: path("homes/ann"), ..account("ann") });
    published(complete(&ann, "a", Wish::Anew, 10).await);
    assert_eq!(bench.published("homes/ann/a").unwrap(), content(0, 10));
    assert_eq!(listed(&ann, "").await, [("a".to_owned(), 10, false)]);
    assert!(is_denied(&ann.remove_folder(&TreePath::ROOT).await));
}

#[tokio::test]
async fn each_permission_opens_its_own_door() {
    let bench = Bench::new();
    bench.put("a", b"x");
    let server = bench.start(RULES).await;
    let nothing = server.visitor(Account { may: Permissions::default(), ..account("eve") });
    let a = path("a");
    assert!(is_denied(&nothing.read(&a).await));
    assert!(is_denied(&nothing.peek(&a).await));
    assert!(is_denied(&nothing.list(&TreePath::ROOT).await));
    assert!(is_denied(&nothing.receive(&path("b"), Wish::Anew, None).await));
    assert!(is_denied(&nothing.make_folder(&path("d")).await));
    assert!(is_denied(&nothing.unique(&TreePath::ROOT).await));
    assert!(is_denied(&nothing.space(&a).await));
    assert!(is_denied(&nothing.remove(&a).await));
    assert!(is_denied(&nothing.remove_folder(&a).await));
    assert!(is_denied(&nothing.rename(&a, &path("b")).await));
    let when = haul_core::Modified { seconds: 0, nanos: 0, strong: false };
    assert!(is_denied(&nothing.set_modified(&a, when).await));
    assert!(is_denied(&nothing.set_mode(&a, 0o600).await));
    assert_eq!(bench.names(), ["a"]);
}

#[tokio::test]
async fn who_may_only_write_may_compare_what_it_has_sent() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let may = Permissions { write: true, ..Permissions::default() };
    let dropbox = server.visitor(Account { may, ..account("ann") });
    break_off(&dropbox, "a", Wish::Anew, 100).await;
    assert_eq!(peeked(&dropbox, "a").await, content(0, 99));
    published(complete(&dropbox, "a", Wish::From(99), 100).await);
    assert!(is_denied(&dropbox.peek(&path("a")).await));
}

#[tokio::test]
async fn who_may_only_write_reads_nothing_of_a_finished_file_by_going_on_from_it() {
    let bench = Bench::new();
    bench.put("a", &content(0, 100));
    let server = bench.start(RULES).await;
    let may = Permissions { write: true, delete: true, ..Permissions::default() };
    let dropbox = server.visitor(Account { may, ..account("ann") });
    let mut receiving = send(&dropbox, "a", Wish::Append, 200).await;
    let id = receiving.name().await.unwrap().unwrap();
    let is_kept_from = async |name: &str| {
        is_denied(&dropbox.peek(&path(name)).await) && is_denied(&dropbox.beginning(&path(name), &id).await)
    };
    assert!(is_kept_from("a").await, "while it is received");
    assert_eq!(kept(receiving.settle(DataEnd::Unclean, Control::Gone).await), 199);
    assert!(is_kept_from("a").await, "as it was kept");
    assert_eq!(break_off(&dropbox, "a", Wish::From(60), 80).await, 79);
    assert!(is_kept_from("a").await, "of what was cut, too");
    let range = haul_core::ByteRange::new(90, 95).unwrap();
    let piece = Piece { range, total: Some(100), of: Some(id.clone()) };
    let lane = dropbox.lane(&path("a"), piece).await.unwrap();
    assert!(is_kept_from("a").await, "as lanes fill it");
    lane.end().await.unwrap();
    assert!(is_kept_from("a").await, "and afterwards");
    dropbox.rename(&path("a"), &path("b")).await.unwrap();
    assert!(is_kept_from("b").await, "whatever it is called");
    assert_eq!(peeked(&server.ann(), "b").await, content(0, 79), "who may read may compare");
    // To go on needs no look at it.
    published(complete(&dropbox, "b", Wish::From(79), 100).await);
    assert_eq!(bench.published("b").unwrap(), content(0, 100));
    // What goes on from the first byte is all its own.
    break_off(&dropbox, "a", Wish::From(0), 50).await;
    assert_eq!(peeked(&dropbox, "a").await, content(0, 49));
}

#[tokio::test]
async fn a_tree_that_nobody_may_write_is_left_as_it_is() {
    let bench = Bench::new();
    bench.put("a", b"x");
    let server = bench.start(RULES).await;
    break_off(&server.ann(), "b", Wish::Anew, 10).await;
    server.stop().await;
    assert_eq!(bench.staged(), 1);
    let depot = Depot::read_only(Arc::new(FsStore::open(&bench.root(), pool()).unwrap()));
    let ann = depot.visitor(account("ann"));
    assert_eq!(listed(&ann, "").await, [("a".to_owned(), 1, false)]);
    assert!(is_denied(&ann.receive(&path("c"), Wish::Anew, None).await));
    assert!(is_denied(&ann.remove(&path("a")).await));
    assert!(is_denied(&ann.make_folder(&path("d")).await));
    assert_eq!(depot.expire().await.unwrap(), 0);
    assert_eq!((bench.names(), bench.staged()), (vec!["a".to_owned()], 1));
}

#[tokio::test]
async fn a_rule_for_a_folder_lets_nobody_make_a_file_of_its_name() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let write = Permissions { write: true, ..Permissions::default() };
    let folders = crate::accounts::Folders(vec![(path("incoming"), write)]);
    let bounds = Arc::new(crate::accounts::Bounds { folders, ..Default::default() });
    let may = Permissions { read: true, list: true, ..Permissions::default() };
    let ann = server.visitor(Account { may, bounds, ..account("ann") });
    assert!(is_denied(&ann.receive(&path("incoming"), Wish::Anew, None).await.map(drop)));
    std::fs::create_dir(bench.root().join("incoming")).unwrap();
    published(complete(&ann, "incoming/f", Wish::Anew, 10).await);
}
