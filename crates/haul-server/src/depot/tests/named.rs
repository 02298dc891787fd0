//! Uploads that are named: what a name means, what goes on by it, and what counts only once it was vouched for.

use super::*;

/// An upload of `length` bytes that was begun without one; its name.
async fn begun(visitor: &Visitor, name: &str, length: u64, note: &[u8]) -> String {
    let order =
        Order { announced: Announced::Whole(length), note: Some(note.to_vec()), ..Order::new(Wish::Anew) };
    let mut receiving = visitor.begin(&path(name), order).await.unwrap();
    let id = receiving.name().await.unwrap().unwrap();
    assert_eq!(kept(receiving.keep().await), 0);
    id
}

/// Goes on with the upload that is named so.
async fn go_on(visitor: &Visitor, name: &str, id: &str, at: u64) -> Result<Receiving, ServerError> {
    let order = Order { older: Older::Goes, of: Some(id.to_owned()), ..Order::new(Wish::From(at)) };
    visitor.begin(&path(name), order).await
}

async fn append(receiving: &mut Receiving, upto: u64) {
    receiving.append(content(receiving.offset(), upto).into()).await.unwrap();
}

async fn offset(visitor: &Visitor, name: &str, id: &str) -> u64 {
    match visitor.named(&path(name), id).await.unwrap() {
        Named::Unfinished(pending) => pending.offset,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_that_is_named_goes_on_at_its_end_and_nowhere_else() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let id = begun(&ann, "a", 1000, b"").await;
    // Without a byte yet it is this one all the same.
    let mut receiving = go_on(&ann, "a", &id, 0).await.unwrap();
    append(&mut receiving, 10).await;
    assert_eq!(kept(receiving.keep().await), 10);
    for elsewhere in [0, 9, 11, 1000] {
        let refused = go_on(&ann, "a", &id, elsewhere).await;
        assert!(matches!(refused, Err(ServerError::PastEnd { end: 10 })));
    }
    assert_eq!(offset(&ann, "a", &id).await, 10);
    let other = go_on(&ann, "a", "another", 10).await;
    assert!(matches!(other, Err(ServerError::Store(StoreError::NotFound { .. }))));
    let mut receiving = go_on(&ann, "a", &id, 10).await.unwrap();
    append(&mut receiving, 1000).await;
    published(receiving.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 1000));
}

#[tokio::test]
async fn a_name_says_what_became_of_its_upload() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let (ann, bob) = (server.ann(), server.bob());
    let first = begun(&ann, "a", 10, b"first").await;
    let second = begun(&ann, "a", 0, b"second").await;
    let meaning = async |id: &str| ann.named(&path("a"), id).await.unwrap();
    assert_eq!(meaning(&first).await, Named::Gone);
    assert_eq!(bob.named(&path("a"), &second).await.unwrap(), Named::Unknown);
    let receiving = go_on(&ann, "a", &second, 0).await.unwrap();
    published(receiving.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(meaning(&second).await, Named::Published(0));
    assert_eq!(ann.noted(&path("a"), &second).unwrap().as_deref(), Some(&b"second"[..]));
    assert_eq!(ann.noted(&path("a"), &first).unwrap(), None);
    let long = begun(&ann, "b", 0, &[b'n'; 5000]).await;
    let receiving = go_on(&ann, "b", &long, 0).await.unwrap();
    published(receiving.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(ann.noted(&path("b"), &long).unwrap().as_deref(), Some(&b""[..]));
}

#[tokio::test]
async fn nothing_is_told_or_kept_of_what_nobody_vouched_for() {
    const MIB: u64 = 1 << 20;
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let id = begun(&ann, "a", 6 * MIB, b"").await;
    let mut receiving = go_on(&ann, "a", &id, 0).await.unwrap();
    append(&mut receiving, MIB).await;
    assert_eq!(kept(receiving.keep().await), MIB);
    // So much that it is synced meanwhile, up to the last byte that was declared.
    let mut receiving = go_on(&ann, "a", &id, MIB).await.unwrap();
    receiving.withhold().await.unwrap();
    for end in 2..=6 {
        append(&mut receiving, end * MIB).await;
        assert_eq!(offset(&ann, "a", &id).await, MIB);
        let record = server.record("ann", "a").await.unwrap();
        assert_eq!((record.offset, record.settled), (MIB, true), "what a server that is killed leaves");
    }
    assert_eq!(kept(receiving.settle(DataEnd::Clean, Control::Alive).await), MIB);
    // Taken over by a newer request.
    let mut receiving = go_on(&ann, "a", &id, MIB).await.unwrap();
    receiving.withhold().await.unwrap();
    append(&mut receiving, 6 * MIB).await;
    let mut newer = go_on(&ann, "a", &id, MIB).await.unwrap();
    assert!(receiving.append(bytes(b"late")).await.is_err());
    // Vouched for.
    newer.withhold().await.unwrap();
    append(&mut newer, 3 * MIB).await;
    newer.vouch().await.unwrap();
    assert_eq!(kept(newer.keep().await), 3 * MIB);
    let mut last = go_on(&ann, "a", &id, 3 * MIB).await.unwrap();
    last.withhold().await.unwrap();
    append(&mut last, 6 * MIB).await;
    last.vouch().await.unwrap();
    published(last.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 6 * MIB));
}

#[tokio::test]
async fn what_was_withheld_from_the_first_byte_on_is_not_there_after_a_kill() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let order = Order { announced: Announced::Whole(1000), ..Order::new(Wish::Anew) };
    let mut receiving = ann.begin(&path("a"), order).await.unwrap();
    receiving.name().await.unwrap().unwrap();
    receiving.withhold().await.unwrap();
    append(&mut receiving, 900).await;
    let record = server.record("ann", "a").await.unwrap();
    assert_eq!((record.offset, record.settled), (0, true));
    assert_eq!(kept(receiving.keep().await), 0);
}

#[tokio::test]
async fn to_give_up_one_that_was_replaced_ends_nobody() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let first = begun(&ann, "a", 10, b"").await;
    let second = begun(&ann, "a", 10, b"").await;
    let mut receiving = go_on(&ann, "a", &second, 0).await.unwrap();
    append(&mut receiving, 5).await;
    assert!(!ann.cancel(&path("a"), &first).await.unwrap());
    append(&mut receiving, 6).await;
    assert!(ann.cancel(&path("a"), &second).await.unwrap());
    assert!(receiving.append(bytes(b"late")).await.is_err());
    assert_eq!(ann.named(&path("a"), &second).await.unwrap(), Named::Unknown);
    assert_eq!(bench.staged(), 0);
}

#[tokio::test]
async fn to_ask_ends_only_who_is_silent() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let id = begun(&ann, "a", 10, b"").await;
    let mut receiving = go_on(&ann, "a", &id, 0).await.unwrap();
    append(&mut receiving, 5).await;
    let asked = ann.named_unless_lively(&path("a"), &id, Duration::from_secs(600)).await.unwrap();
    assert!(matches!(asked, Named::Unfinished(Pending { offset: 5, .. })), "{asked:?}");
    append(&mut receiving, 7).await;
    let asked = ann.named_unless_lively(&path("a"), &id, Duration::ZERO).await.unwrap();
    assert!(matches!(asked, Named::Unfinished(Pending { offset: 7, .. })), "{asked:?}");
    assert!(receiving.append(bytes(b"late")).await.is_err());
}

#[tokio::test]
async fn a_part_is_complete_as_soon_as_its_size_is_told() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let aside = server.ann().aside();
    let mut receiving = aside.begin(&path("part"), Order::new(Wish::Anew)).await.unwrap();
    let id = receiving.name().await.unwrap().unwrap();
    append(&mut receiving, 8).await;
    assert_eq!(kept(receiving.keep().await), 8);
    let told = Order { announced: Announced::Whole(8), of: Some(id.clone()), ..Order::new(Wish::From(8)) };
    let receiving = aside.begin(&path("part"), told).await.unwrap();
    assert_eq!(kept(receiving.settle(DataEnd::Clean, Control::Alive).await), 8);
    let named = aside.named(&path("part"), &id).await.unwrap();
    assert!(matches!(named, Named::Unfinished(Pending { offset: 8, declared: Some(8), .. })), "{named:?}");
    assert_eq!(bench.names(), Vec::<String>::new());
    assert_eq!(server.ann().pending(&path("part")).await.unwrap(), None);
}
