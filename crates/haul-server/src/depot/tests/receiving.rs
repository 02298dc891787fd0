//! From where an upload goes, when it is published, what is kept.

use super::*;

#[tokio::test]
async fn what_is_just_being_received_counts_as_unfinished_too() {
    let bench = Bench::new();
    let server = bench.start(Rules { max_unfinished: 3, ..RULES }).await;
    let ann = server.ann();
    break_off(&ann, "kept", Wish::Anew, 10).await;
    // One without a byte, and one that the ledger may know of by now.
    let silent = ann.receive(&path("silent"), Wish::Anew, None).await.unwrap();
    let mut large = send(&ann, "large", Wish::Anew, 10).await;
    large.name().await.unwrap();
    let refused = ann.receive(&path("more"), Wish::Anew, None).await.map(drop);
    assert!(matches!(refused, Err(ServerError::TooMany { unfinished: 3 })), "{refused:?}");
    drop(server.bob().receive(&path("more"), Wish::Anew, None).await.unwrap());
    // What is there already is gone on with, and whatever comes to its end makes room.
    break_off(&ann, "kept", Wish::Append, 20).await;
    published(large.settle(DataEnd::Clean, Control::Alive).await);
    published(complete(&ann, "more", Wish::Anew, 10).await);
    let next = ann.receive(&path("next"), Wish::Anew, None).await.unwrap();
    assert!(ann.receive(&path("another"), Wish::Anew, None).await.is_err());
    silent.settle(DataEnd::Unclean, Control::Gone).await.unwrap();
    next.settle(DataEnd::Unclean, Control::Gone).await.unwrap();
    assert_eq!(server.ledger.count("ann").await.unwrap(), 1);
    // All at once: as many as there is room for.
    let many = (0..20).map(|number| {
        let ann = server.ann();
        tokio::spawn(async move { ann.receive(&path(&number.to_string()), Wish::Anew, None).await })
    });
    let mut begun = Vec::new();
    for one in many.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(receiving) => begun.push(receiving),
            Err(ServerError::TooMany { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(begun.len(), 2);
}

#[tokio::test]
async fn rest_goes_on_at_the_end_cuts_inside_and_is_refused_past_it() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    assert_eq!(break_off(&ann, "a", Wish::Anew, 1000).await, 999);
    let past = ann.receive(&path("a"), Wish::From(1000), None).await;
    assert!(matches!(past, Err(ServerError::PastEnd { end: 999 })));
    assert_eq!(break_off(&ann, "a", Wish::From(999), 2000).await, 1999);
    assert_eq!(peeked(&ann, "a").await, content(0, 1999));
    // Inside: what was behind is gone.
    assert_eq!(break_off(&ann, "a", Wish::From(500), 600).await, 599);
    assert_eq!(peeked(&ann, "a").await, content(0, 599));
    published(complete(&ann, "a", Wish::Append, 3000).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 3000));
    assert_eq!((server.record("ann", "a").await, bench.staged()), (None, 0));
}

#[tokio::test]
async fn without_an_unfinished_upload_the_published_file_is_gone_on_with() {
    let bench = Bench::new();
    bench.put("a", &content(0, 100_000));
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let past = ann.receive(&path("a"), Wish::From(100_001), None).await;
    assert!(matches!(past, Err(ServerError::PastEnd { end: 100_000 })));
    let nothing = ann.receive(&path("b"), Wish::From(1), None).await;
    assert!(matches!(nothing, Err(ServerError::PastEnd { end: 0 })));
    published(complete(&ann, "a", Wish::Append, 150_000).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 150_000));
    // Cut to n, and whole to everybody else until it is published.
    let receiving = send(&ann, "a", Wish::From(70_000), 80_000).await;
    assert_eq!(bench.published("a").unwrap(), content(0, 150_000));
    published(receiving.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 80_000));
    published(complete(&ann, "b", Wish::Append, 10).await);
}

#[tokio::test]
async fn a_continuation_does_not_replace_what_another_has_put_there_meanwhile() {
    let bench = Bench::new();
    bench.put("a", &content(0, 1000));
    let server = bench.start(RULES).await;
    let (ann, bob) = (server.ann(), server.bob());
    let receiving = send(&ann, "a", Wish::Append, 2000).await;
    published(complete(&bob, "a", Wish::Anew, 50).await);
    let mixed = receiving.settle(DataEnd::Clean, Control::Alive).await;
    assert!(matches!(mixed, Err(ServerError::Store(StoreError::Changed { .. }))), "{mixed:?}");
    assert_eq!(bench.published("a").unwrap(), content(0, 50));
    // It is kept, and can be finished under another name.
    assert_eq!(size(&ann, "a").await, Some(1999));
    ann.rename(&path("a"), &path("b")).await.unwrap();
    published(complete(&ann, "b", Wish::Append, 2000).await);
    assert_eq!(bench.published("b").unwrap(), content(0, 2000));
    assert_eq!(bench.published("a").unwrap(), content(0, 50));
}

#[tokio::test]
async fn a_whole_upload_replaces_whatever_is_there() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let receiving = send(&server.ann(), "a", Wish::Anew, 2000).await;
    published(complete(&server.bob(), "a", Wish::Anew, 50).await);
    published(receiving.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 2000));
}

#[tokio::test]
async fn a_killed_client_publishes_nothing() {
    let bench = Bench::new();
    bench.put("a", b"old");
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let killed = send(&ann, "a", Wish::Anew, 1000).await.settle(DataEnd::Clean, Control::Gone).await;
    assert_eq!(kept(killed), 999);
    assert_eq!(bench.published("a").unwrap(), b"old");
    let lenient = server.visitor(Account { completion: Completion::Lenient, ..account("ann") });
    published(send(&lenient, "a", Wish::From(999), 1000).await.settle(DataEnd::Clean, Control::Gone).await);
}

#[tokio::test]
async fn a_declared_size_that_is_reached_publishes_however_it_ended() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let short = send_declared(&ann, "a", Wish::Anew, Some(1000), 400).await;
    let short = short.settle(DataEnd::Clean, Control::Alive).await;
    assert!(matches!(short, Ok(Settled::Kept { at: 400, declared: Some(1000) })), "{short:?}");
    // The declaration is remembered.
    let whole = send(&ann, "a", Wish::From(400), 1000).await;
    published(whole.settle(DataEnd::Unclean, Control::Gone).await);
    // The whole or the rest: the larger one is sure.
    break_off(&ann, "b", Wish::Anew, 101).await;
    let rest = send_declared(&ann, "b", Wish::From(100), Some(900), 1000).await;
    published(rest.settle(DataEnd::Unclean, Control::Gone).await);
}

#[tokio::test]
async fn a_clean_end_without_a_byte_publishes_what_is_there() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    assert_eq!(break_off(&ann, "a", Wish::Anew, 1000).await, 999);
    let nothing = ann.receive(&path("a"), Wish::Append, None).await.unwrap();
    assert_eq!(published(nothing.settle(DataEnd::Clean, Control::Alive).await).size, 999);
    let empty = ann.receive(&path("empty"), Wish::Anew, None).await.unwrap();
    published(empty.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.published("empty").unwrap(), b"");
}

#[tokio::test]
async fn an_upload_without_a_byte_changes_nothing() {
    let bench = Bench::new();
    bench.put("b", b"published");
    let server = bench.start(RULES).await;
    let ann = server.ann();
    assert_eq!(break_off(&ann, "a", Wish::Anew, 1000).await, 999);
    for wish in [Wish::Anew, Wish::From(0), Wish::From(10), Wish::Append] {
        for control in [Control::Alive, Control::Gone] {
            let nothing = ann.receive(&path("a"), wish, None).await.unwrap();
            assert_eq!(kept(nothing.settle(DataEnd::Unclean, control).await), 999);
            assert_eq!(size(&ann, "a").await, Some(999), "{wish:?}");
        }
        let nothing = ann.receive(&path("b"), wish, None).await;
        if let Ok(nothing) = nothing {
            let _ = nothing.settle(DataEnd::Unclean, Control::Gone).await;
        }
        assert_eq!(ann.read(&path("b")).await.unwrap().meta.size, 9);
    }
    assert_eq!(peeked(&ann, "a").await, content(0, 999));
    assert_eq!(bench.staged(), 1);
}

#[tokio::test]
async fn beginning_anew_gives_up_what_was_there() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    assert_eq!(break_off(&ann, "a", Wish::Anew, 1000).await, 999);
    let first = server.record("ann", "a").await.unwrap().stage;
    let receiving = send(&ann, "a", Wish::Anew, 10).await;
    assert_eq!(bench.staged(), 1, "only the new one");
    assert_ne!(server.record("ann", "a").await.unwrap().stage, first);
    assert_eq!(kept(receiving.settle(DataEnd::Unclean, Control::Gone).await), 9);
}

#[tokio::test]
async fn what_is_dropped_without_an_end_is_kept() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    drop(send(&server.ann(), "a", Wish::Anew, 1000).await);
    server.stop().await;
    let server = bench.start(RULES).await;
    assert_eq!(size(&server.ann(), "a").await, Some(999));
}

#[tokio::test]
async fn a_small_file_leaves_nothing_in_the_ledger() {
    let bench = Bench::new();
    for durability in [Durability::Full, Durability::Relaxed] {
        let server = bench.start(Rules { durability, ..RULES }).await;
        for number in 0..20 {
            published(complete(&server.ann(), &number.to_string(), Wish::Anew, 4096).await);
        }
        assert!(!bench.state().join("uploads.db").exists());
        server.stop().await;
    }
}

#[tokio::test]
async fn only_a_folder_that_is_there_takes_files() {
    let bench = Bench::new();
    bench.put("file", b"x");
    std::fs::create_dir(bench.root().join("folder")).unwrap();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let refused = |name: &'static str| {
        let ann = ann.clone();
        async move {
            match ann.receive(&path(name), Wish::Anew, None).await {
                Err(ServerError::Store(error)) => error,
                Err(other) => panic!("{other}"),
                Ok(_) => panic!("{name} was taken"),
            }
        }
    };
    assert!(matches!(refused("folder").await, StoreError::NotAFile { .. }));
    assert!(matches!(refused("").await, StoreError::NotAFile { .. }));
    assert!(matches!(refused("missing/a").await, StoreError::NotFound { .. }));
    assert!(matches!(refused("file/a").await, StoreError::NotAFolder { .. }));
}

#[tokio::test]
async fn anonymous_creates_and_never_replaces() {
    let bench = Bench::new();
    bench.put("old", b"x");
    let server = bench.start(RULES).await;
    let here = server.visitor(anonymous("192.0.2.1"));
    let there = server.visitor(anonymous("192.0.2.2"));
    for wish in [Wish::Anew, Wish::Append, Wish::From(1)] {
        assert!(is_denied(&here.receive(&path("old"), wish, None).await));
    }
    assert!(is_denied(&here.remove(&path("old")).await));
    assert!(is_denied(&here.rename(&path("old"), &path("b")).await));
    assert!(is_denied(&here.set_mode(&path("old"), 0o777).await));
    // Its own, by its address.
    assert_eq!(break_off(&here, "new", Wish::Anew, 100).await, 99);
    assert_eq!(size(&there, "new").await, None);
    assert_eq!(size(&here, "new").await, Some(99));
    // Two at once: the first one has the name, the other is kept.
    let late = send(&there, "new", Wish::Anew, 10).await;
    published(complete(&here, "new", Wish::From(99), 200).await);
    let late = late.settle(DataEnd::Clean, Control::Alive).await;
    assert!(matches!(late, Err(ServerError::Store(StoreError::Exists { .. }))), "{late:?}");
    assert_eq!(bench.published("new").unwrap(), content(0, 200));
    assert_eq!(size(&there, "new").await, Some(9));
    assert!(is_denied(&there.receive(&path("new"), Wish::Append, None).await));
}

#[tokio::test]
async fn in_place_everybody_sees_what_is_there_so_far() {
    let bench = Bench::new();
    bench.put("a", &content(0, 100));
    let server = bench.start(Rules { in_place: true, ..RULES }).await;
    let (ann, bob) = (server.ann(), server.bob());
    let mut receiving = ann.receive(&path("a"), Wish::From(50), None).await.unwrap();
    receiving.append(content(50, 80).into()).await.unwrap();
    assert_eq!(bench.published("a").unwrap(), content(0, 80));
    assert_eq!(size(&bob, "a").await, Some(80));
    // One writer, whoever it is.
    receiving.append(content(80, 90).into()).await.unwrap();
    assert_eq!(kept(receiving.settle(DataEnd::Unclean, Control::Gone).await), 90);
    assert_eq!(size(&bob, "a").await, Some(90));
    published(complete(&bob, "a", Wish::Append, 120).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 120));
    published(complete(&ann, "new", Wish::Anew, 7).await);
    assert!(!bench.state().join("uploads.db").exists());
}

#[tokio::test]
async fn a_name_for_stou_is_one_that_nothing_has() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let [one, two] = [ann.unique(&TreePath::ROOT).await.unwrap(), ann.unique(&TreePath::ROOT).await.unwrap()];
    assert_ne!(one, two);
    let receiving = ann.receive(&one, Wish::Anew, None).await.unwrap();
    published(receiving.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.names().len(), 1);
}

const RELAXED: Rules = Rules { durability: Durability::Relaxed, ..RULES };

fn says(answer: bool) -> haul_store::Assent {
    Box::new(move || answer)
}

#[tokio::test]
async fn what_needs_no_sync_is_published_at_once_if_that_is_wanted_to_the_last() {
    let bench = Bench::new();
    let server = bench.start(RELAXED).await;
    let ann = server.ann();
    let receiving = send(&ann, "a", Wish::Anew, 1000).await;
    let receiving = receiving.publish_now(says(false)).await.unwrap().err().unwrap();
    assert_eq!(bench.published("a"), None);
    // It is as it was: it goes on, and is judged by its end.
    assert_eq!(receiving.offset(), 1000);
    assert_eq!(kept(receiving.settle(DataEnd::Clean, Control::Gone).await), 999);
    let again = send(&ann, "a", Wish::Append, 2000).await;
    assert_eq!(again.publish_now(says(true)).await.unwrap().ok().unwrap().size, 2000);
    assert_eq!(bench.published("a").unwrap(), content(0, 2000));
    assert_eq!((server.record("ann", "a").await, bench.staged()), (None, 0));
}

#[tokio::test]
async fn what_is_to_be_judged_or_synced_first_is_not_published_at_once() {
    let bench = Bench::new();
    for (rules, declared) in [(RULES, None), (RELAXED, Some(2000))] {
        let server = bench.start(rules).await;
        let ann = server.ann();
        let mut receiving = ann.receive(&path("a"), Wish::Anew, declared).await.unwrap();
        receiving.append(content(0, 1000).into()).await.unwrap();
        let asked: haul_store::Assent = Box::new(|| panic!("asked for nothing"));
        let receiving = receiving.publish_now(asked).await.unwrap().err().unwrap();
        assert_eq!(bench.published("a"), None);
        kept(receiving.settle(DataEnd::Unclean, Control::Alive).await);
    }
}

#[tokio::test]
async fn what_nobody_has_vouched_for_is_not_published_at_once() {
    let bench = Bench::new();
    let server = bench.start(RELAXED).await;
    let ann = server.ann();
    let mut receiving = send(&ann, "a", Wish::Anew, 1000).await;
    receiving.withhold().await.unwrap();
    receiving.append(content(1000, 1500).into()).await.unwrap();
    let receiving = receiving.publish_now(says(true)).await.unwrap().err().unwrap();
    assert_eq!(bench.published("a"), None);
    assert_eq!(kept(receiving.settle(DataEnd::Clean, Control::Alive).await), 1000);
}

#[tokio::test]
async fn with_too_many_unfinished_uploads_no_other_is_begun_and_those_go_on() {
    let bench = Bench::new();
    let server = bench.start(Rules { max_unfinished: 2, ..RULES }).await;
    let (ann, bob) = (server.ann(), server.bob());
    for name in ["a", "b"] {
        assert_eq!(break_off(&ann, name, Wish::Anew, 1000).await, 999);
    }
    for wish in [Wish::Anew, Wish::Append] {
        let another = ann.receive(&path("c"), wish, None).await;
        assert!(matches!(another, Err(ServerError::TooMany { unfinished: 2 })));
    }
    assert_eq!(bench.staged(), 2, "nothing is made for it");
    assert_eq!(break_off(&bob, "c", Wish::Anew, 1000).await, 999, "others have room");
    assert_eq!(break_off(&ann, "a", Wish::Append, 2000).await, 1999);
    assert_eq!(break_off(&ann, "a", Wish::Anew, 500).await, 499);
    published(complete(&ann, "a", Wish::Append, 2000).await);
    published(complete(&ann, "c", Wish::Anew, 10).await);
    assert_eq!(break_off(&ann, "c", Wish::Append, 1000).await, 999, "one is finished");
    assert!(matches!(ann.receive(&path("d"), Wish::Anew, None).await, Err(ServerError::TooMany { .. })));
    ann.remove(&path("b")).await.unwrap();
    published(complete(&ann, "d", Wish::Anew, 10).await);
}

#[tokio::test]
async fn a_64_of_ipv6_has_as_many_unfinished_uploads_as_one_address() {
    let bench = Bench::new();
    let server = bench.start(Rules { max_unfinished: 3, ..RULES }).await;
    let from = |address: &str| server.visitor(anonymous(address));
    assert_eq!(break_off(&from("2001:db8::1"), "kept", Wish::Anew, 10).await, 9);
    // One that is just being received, and one whose name a neighbour has as well: an upload is its own address's.
    let silent = from("2001:db8::2").receive(&path("silent"), Wish::Anew, None).await.unwrap();
    assert_eq!(break_off(&from("2001:db8::3"), "kept", Wish::Anew, 20).await, 19);
    for (address, room) in [
        ("2001:db8::1", false),
        ("2001:db8::ffff:0:0:4", false),
        ("2001:db8:0:1::1", true),
        ("192.0.2.1", true),
    ] {
        let next = from(address).receive(&path("next"), Wish::Anew, None).await;
        assert_eq!(next.is_ok(), room, "{address}");
        assert!(room || matches!(next, Err(ServerError::TooMany { unfinished: 3 })), "{address}");
        drop(next);
    }
    assert_eq!(size(&from("2001:db8::1"), "kept").await, Some(9));
    assert_eq!(break_off(&from("2001:db8::3"), "kept", Wish::Append, 30).await, 29, "what is there goes on");
    drop(silent);
}

#[tokio::test]
async fn what_was_taken_away_while_assent_was_asked_for_is_not_published_as_an_empty_file() {
    let bench = Bench::new();
    bench.put("a", b"old");
    let server = bench.start(RELAXED).await;
    let receiving = send(&server.ann(), "a", Wish::Anew, 1000).await;
    let staging = bench.root().join(".haul/staging");
    let told = receiving.publish_now(Box::new(move || {
        for staged in std::fs::read_dir(staging).unwrap() {
            std::fs::remove_file(staged.unwrap().path()).unwrap();
        }
        false
    }));
    assert!(matches!(told.await, Err(ServerError::Store(StoreError::Unclaimed { .. }))));
    assert_eq!(bench.published("a").unwrap(), b"old");
}

#[tokio::test]
async fn what_is_safe_while_its_end_is_judged_is_told_in_full() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    // So much that the ledger knows of it before anything is safe.
    let mut dying = send(&ann, "a", Wish::Anew, 500_000).await;
    while server.record("ann", "a").await.is_none() {
        dying.rest().await.unwrap();
        tokio::task::yield_now().await;
    }
    dying.sync().await.unwrap();
    // Its client may be dead, and another one asks from where to go on.
    let told = ann.pending(&path("a")).await.unwrap().expect("it is listed");
    assert_eq!(told.offset, 499_999);
    drop(dying);
    assert_eq!(break_off(&ann, "a", Wish::From(499_999), 600_000).await, 599_999);
}

#[tokio::test]
async fn where_the_end_is_told_among_the_bytes_no_declared_size_stands_in_for_it() {
    let bench = Bench::new();
    bench.put("a", b"old");
    let server = bench.start(RULES).await;
    let ann = server.ann();
    let begun = async |name: &'static str| {
        let order = Order { announced: Announced::Whole(100), tells_end: true, ..Order::new(Wish::Anew) };
        let mut receiving = ann.begin(&path(name), order).await.unwrap();
        receiving.append(content(0, 100).into()).await.unwrap();
        receiving
    };
    assert_eq!(kept(begun("a").await.settle(DataEnd::Unclean, Control::Alive).await), 99);
    // Nor does it where a newer session takes over.
    let silent = begun("a").await;
    let newer = loop {
        match server.ann().receive(&path("a"), Wish::From(99), None).await {
            Ok(newer) => break newer,
            Err(error) => assert!(matches!(error, ServerError::Busy), "{error}"),
        }
    };
    assert_eq!(bench.published("a").unwrap(), b"old");
    assert!(silent.settle(DataEnd::Unclean, Control::Alive).await.is_err());
    drop(newer);
    server.depot.at_rest().await;
    published(begun("a").await.settle(DataEnd::Clean, Control::Gone).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 100));
}
