//! What is remembered of uploads that are files by now, and what the next server makes of a record whose bytes have gone.

use haul_core::RangeSet;
use haul_store::{MemoryLedger, PUBLISHED, Published, StageId, boot};

use super::*;

/// An upload that has a name and these bytes, published; its name.
async fn whole(visitor: &Visitor, name: &str, size: u64, note: &[u8]) -> String {
    let order =
        Order { announced: Announced::Whole(size), note: Some(note.to_vec()), ..Order::new(Wish::Anew) };
    let mut receiving = visitor.begin(&path(name), order).await.unwrap();
    let id = receiving.name().await.unwrap().unwrap();
    receiving.append(content(0, size).into()).await.unwrap();
    published(receiving.settle(DataEnd::Clean, Control::Alive).await);
    id
}

#[tokio::test]
async fn the_next_server_tells_what_was_published_as_the_last_one_did() {
    for durability in [Durability::Full, Durability::Relaxed] {
        let rules = Rules { durability, ..RULES };
        let bench = Bench::new();
        let mut server = bench.start(rules).await;
        let first = whole(&server.ann(), "a", 10, b"first").await;
        let second = whole(&server.ann(), "a", 20, &[b'n'; 5000]).await;
        let gone = whole(&server.ann(), "gone", 30, b"").await;
        std::fs::remove_file(bench.root().join("gone")).unwrap();
        for _ in 0..3 {
            let ann = server.ann();
            let meaning = async |name: &str, id: &str| ann.named(&path(name), id).await.unwrap();
            assert_eq!(meaning("a", &first).await, Named::Published(10));
            assert_eq!(meaning("a", &second).await, Named::Published(20));
            assert_eq!(meaning("a", "another").await, Named::Gone);
            assert_eq!(meaning("gone", &gone).await, Named::Gone);
            assert_eq!(meaning("b", &first).await, Named::Unknown);
            assert_eq!(server.bob().named(&path("a"), &first).await.unwrap(), Named::Unknown);
            assert!(ann.has_just_published(&path("a"), 20).await.unwrap());
            assert!(!ann.has_just_published(&path("a"), 10).await.unwrap());
            assert!(!ann.has_just_published(&path("gone"), 30).await.unwrap());
            assert_eq!(ann.noted(&path("a"), &first).unwrap().as_deref(), Some(&b"first"[..]));
            assert_eq!(ann.noted(&path("a"), &second).unwrap().as_deref(), Some(&b""[..]));
            drop(ann);
            server.stop().await;
            server = bench.start(rules).await;
        }
    }
}

#[tokio::test]
async fn what_was_small_and_came_at_once_costs_the_ledger_nothing() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    published(complete(&ann, "a", Wish::Anew, 1000).await);
    assert!(ann.has_just_published(&path("a"), 1000).await.unwrap());
    assert!(!bench.state().join("uploads.db").exists());
    // What was broken off and gone on with was known.
    assert_eq!(break_off(&ann, "a", Wish::Anew, 1000).await, 999);
    published(complete(&ann, "a", Wish::Append, 2000).await);
    drop(ann);
    server.stop().await;
    let server = bench.start(RULES).await;
    assert!(server.ann().has_just_published(&path("a"), 2000).await.unwrap());
}

#[tokio::test]
async fn the_newest_are_remembered_whoever_published_them() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let bench = Bench::new();
    let server = bench.start_with(RULES, Arc::clone(&ledger)).await;
    let ids = [whole(&server.ann(), "a", 10, b"").await, whole(&server.ann(), "b", 10, b"").await];
    for number in 0..PUBLISHED as u64 - 1 {
        let (lease, _) = ledger.claim(&key("bob", "c")).await.unwrap();
        let stage = StageId(number.to_string());
        let (key, at) = (key("bob", "c"), i64::try_from(number).unwrap());
        let published = Published { key, stage, size: 1, note: Vec::new(), boot: String::new(), at };
        // Known of, so that it is remembered.
        ledger.save(&lease, &of_nothing(), Durability::Relaxed).await.unwrap();
        ledger.publish(&lease, &published).await.unwrap();
    }
    bench.put("c", b"x");
    drop(server);
    let server = bench.start_with(RULES, ledger).await;
    let (ann, bob) = (server.ann(), server.bob());
    assert_eq!(ann.named(&path("a"), &ids[0]).await.unwrap(), Named::Unknown);
    assert_eq!(ann.named(&path("b"), &ids[1]).await.unwrap(), Named::Published(10));
    assert_eq!(bob.named(&path("c"), "0").await.unwrap(), Named::Published(1));
    assert!(!bob.has_just_published(&path("c"), 1).await.unwrap(), "that is long ago");
}

/// A record of nothing.
fn of_nothing() -> Unfinished {
    Unfinished {
        stage: StageId("nothing".to_owned()),
        mark: Vec::new(),
        offset: 0,
        beyond: RangeSet::new(),
        settled: true,
        boot: boot().to_owned(),
        declared: None,
        base: None,
        copied: 0,
        touched: 0,
        note: Vec::new(),
    }
}

/// How a file came to be where an upload was to be, and what its record says.
#[derive(Clone, Copy)]
struct Left {
    /// What was staged was given the name; else it was copied there, and removed.
    renamed: bool,
    durability: Durability,
    change: fn(&mut Unfinished),
}

impl Default for Left {
    fn default() -> Self {
        Self { renamed: true, durability: Durability::Full, change: |_| {} }
    }
}

/// What a server tells of an upload of 1,000 bytes, of which the last one has noted 999, and that it finds so.
async fn told_of(left: Left) -> Named {
    let bench = Bench::new();
    let rules = Rules { durability: left.durability, ..RULES };
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let server = bench.start_with(rules, Arc::clone(&ledger)).await;
    assert_eq!(break_off(&server.ann(), "a", Wish::Anew, 1000).await, 999);
    let (lease, known) = ledger.claim(&key("ann", "a")).await.unwrap();
    let mut record = known.unwrap();
    (left.change)(&mut record);
    ledger.save(&lease, &record, Durability::Full).await.unwrap();
    server.depot.at_rest().await;
    drop(server);
    let (staged, there) = (bench.root().join(".haul/staging").join(&record.stage.0), bench.root().join("a"));
    if left.renamed {
        std::fs::rename(staged, there).unwrap();
    } else {
        std::fs::copy(&staged, there).unwrap();
        std::fs::remove_file(staged).unwrap();
    }
    let server = bench.start_with(rules, Arc::clone(&ledger)).await;
    assert_eq!(server.record("ann", "a").await, None);
    let named = server.ann().named(&path("a"), &record.stage.0).await.unwrap();
    let kept = ledger.published().await.unwrap();
    assert_eq!(kept.len(), usize::from(matches!(named, Named::Published(_))), "{kept:?}");
    named
}

#[tokio::test]
async fn what_was_staged_and_has_the_name_is_published_and_nothing_else() {
    let whole = Named::Published(1000);
    assert_eq!(told_of(Left::default()).await, whole);
    let copied = Left { renamed: false, ..Left::default() };
    assert_eq!(told_of(copied).await, Named::Unknown, "another file, whatever is in it");
    let change: fn(&mut Unfinished) = |record| record.declared = Some(1000);
    assert_eq!(told_of(Left { change, ..Left::default() }).await, whole);
    for change in [
        (|record| record.declared = Some(1001)) as fn(&mut Unfinished),
        |record| record.offset = 1001,
        |record| record.mark.clear(),
    ] {
        assert_eq!(told_of(Left { change, ..Left::default() }).await, Named::Unknown);
    }
}

#[tokio::test]
async fn after_a_power_cut_only_what_was_made_safe_is_said_to_be_published() {
    let change: fn(&mut Unfinished) = |record| record.boot = "another one".to_owned();
    assert_eq!(told_of(Left { change, ..Left::default() }).await, Named::Published(1000));
    let relaxed = Left { durability: Durability::Relaxed, ..Left::default() };
    assert_eq!(told_of(relaxed).await, Named::Published(1000), "in the same run of the machine it is there");
    let relaxed = Left { durability: Durability::Relaxed, change, ..Left::default() };
    assert_eq!(told_of(relaxed).await, Named::Unknown);
    // What the last server has noted itself is kept to the same.
    let bench = Bench::new();
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    for (name, boot) in [("safe", String::new()), ("now", boot().to_owned()), ("lost", "other".to_owned())] {
        let (lease, _) = ledger.claim(&key("ann", name)).await.unwrap();
        ledger.save(&lease, &of_nothing(), Durability::Full).await.unwrap();
        let (key, stage) = (key("ann", name), StageId("id".to_owned()));
        let published = Published { key, stage, size: 1, note: Vec::new(), boot, at: 1 };
        ledger.publish(&lease, &published).await.unwrap();
        bench.put(name, b"x");
    }
    let server = bench.start_with(RULES, ledger).await;
    let told = async |name: &str| server.ann().named(&path(name), "id").await.unwrap();
    assert_eq!(told("safe").await, Named::Published(1));
    assert_eq!(told("now").await, Named::Published(1));
    assert_eq!(told("lost").await, Named::Unknown);
}
