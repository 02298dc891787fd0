//! What a server finds of the last one.

use haul_store::MemoryLedger;

use super::*;

/// What a kill leaves of an upload of 1,000 bytes, with what a test changes in its record.
async fn after(bench: &Bench, change: impl FnOnce(&mut Unfinished)) -> Server {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let server = bench.start_with(RULES, Arc::clone(&ledger)).await;
    assert_eq!(break_off(&server.ann(), "a", Wish::Anew, 1000).await, 999);
    let (lease, known) = ledger.claim(&key("ann", "a")).await.unwrap();
    let mut record = known.unwrap();
    change(&mut record);
    ledger.save(&lease, &record, Durability::Full).await.unwrap();
    drop(server);
    bench.start_with(RULES, ledger).await
}

/// Its staged file.
fn staged_file(bench: &Bench) -> PathBuf {
    let mut files = std::fs::read_dir(bench.root().join(".haul/staging")).unwrap();
    files.next().unwrap().unwrap().path()
}

#[tokio::test]
async fn after_a_kill_all_that_was_written_is_there_but_the_held_byte() {
    let bench = Bench::new();
    let server = after(&bench, |record| {
        record.settled = false;
        record.offset = 100;
    })
    .await;
    assert_eq!(size(&server.ann(), "a").await, Some(999));
    assert_eq!(peeked(&server.ann(), "a").await, content(0, 999));
    let record = server.record("ann", "a").await.unwrap();
    assert!(record.settled && record.offset == 999);
    published(complete(&server.ann(), "a", Wish::From(999), 1000).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 1000));
}

#[tokio::test]
async fn what_was_settled_stays_where_it_was() {
    let bench = Bench::new();
    let server = after(&bench, |_| {}).await;
    assert_eq!(size(&server.ann(), "a").await, Some(999));
    assert_eq!(break_off(&server.ann(), "a", Wish::Append, 1500).await, 1499);
    assert_eq!(peeked(&server.ann(), "a").await, content(0, 1499));
}

#[tokio::test]
async fn with_a_declared_size_a_kill_costs_no_byte() {
    let bench = Bench::new();
    let server = after(&bench, |record| {
        record.settled = false;
        record.offset = 100;
        record.declared = Some(5000);
    })
    .await;
    assert_eq!(size(&server.ann(), "a").await, Some(1000));
}

#[tokio::test]
async fn after_a_power_cut_what_was_synced_is_there() {
    let bench = Bench::new();
    let server = after(&bench, |record| {
        record.settled = false;
        record.offset = 100;
        record.boot = "another one".to_owned();
    })
    .await;
    assert_eq!(size(&server.ann(), "a").await, Some(100));
    assert_eq!(peeked(&server.ann(), "a").await, content(0, 100));
    assert_eq!(break_off(&server.ann(), "a", Wish::Append, 300).await, 299);
    assert_eq!(peeked(&server.ann(), "a").await, content(0, 299));
}

#[tokio::test]
async fn a_record_without_bytes_is_forgotten() {
    let bench = Bench::new();
    let server = after(&bench, |record| record.stage = haul_store::StageId("gone".to_owned())).await;
    assert_eq!(size(&server.ann(), "a").await, None);
    assert_eq!((server.record("ann", "a").await, bench.staged()), (None, 0));
    published(complete(&server.ann(), "a", Wish::Append, 10).await);
}

#[tokio::test]
async fn no_offset_says_more_than_is_there() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    break_off(&server.ann(), "a", Wish::Anew, 1000).await;
    // Another program's hand, while the server runs and while it does not.
    let cut =
        |len| std::fs::File::options().write(true).open(staged_file(&bench)).unwrap().set_len(len).unwrap();
    cut(500);
    let receiving = server.ann().receive(&path("a"), Wish::Append, None).await.unwrap();
    assert_eq!(receiving.offset(), 500);
    drop(receiving);
    server.stop().await;
    cut(300);
    let server = bench.start(RULES).await;
    assert_eq!(size(&server.ann(), "a").await, Some(300));
    published(complete(&server.ann(), "a", Wish::Append, 400).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 400));
}

#[tokio::test]
async fn bytes_that_vanish_under_a_running_server_are_begun_anew() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    break_off(&server.ann(), "a", Wish::Anew, 1000).await;
    std::fs::remove_file(staged_file(&bench)).unwrap();
    published(complete(&server.ann(), "a", Wish::Append, 50).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 50));
}

#[tokio::test]
async fn bytes_that_nothing_speaks_of_are_removed_at_the_start() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    break_off(&server.ann(), "a", Wish::Anew, 1000).await;
    let id = staged_file(&bench);
    server.stop().await;
    let mut other = id.file_name().unwrap().to_str().unwrap().to_owned();
    let last = if other.pop() == Some('0') { '1' } else { '0' };
    other.push(last);
    std::fs::copy(&id, id.with_file_name(other)).unwrap();
    let server = bench.start(RULES).await;
    assert_eq!(bench.staged(), 1);
    assert_eq!(size(&server.ann(), "a").await, Some(999));
}

#[tokio::test]
async fn what_had_no_byte_for_too_long_expires() {
    let bench = Bench::new();
    let server = after(&bench, |record| record.touched -= 90_000).await;
    assert_eq!(size(&server.ann(), "a").await, None);
    assert_eq!(bench.staged(), 0);
    break_off(&server.ann(), "a", Wish::Anew, 10).await;
    assert_eq!(server.depot.expire().await.unwrap(), 0);
    let (lease, record) = server.ledger.claim(&key("ann", "a")).await.unwrap();
    let old = Unfinished { touched: 0, ..record.unwrap() };
    server.ledger.save(&lease, &old, Durability::Full).await.unwrap();
    // Not while it is written to.
    let receiving = server.ann().receive(&path("a"), Wish::Append, None).await.unwrap();
    assert_eq!(server.depot.expire().await.unwrap(), 0);
    assert!(matches!(
        receiving.settle(DataEnd::Unclean, Control::Gone).await,
        Ok(Settled::Kept { at: 9, .. })
    ));
    assert_eq!(server.depot.expire().await.unwrap(), 1);
    assert_eq!(bench.staged(), 0);
}
