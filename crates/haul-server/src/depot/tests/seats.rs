//! Two writers of one upload.

use std::{future::Future, time::Instant};

use super::*;

#[tokio::test]
async fn a_second_writer_is_refused_while_bytes_come() {
    let bench = Bench::new();
    // As long as the test: a busy machine is no silent client.
    let server = bench.start(Rules { takeover: Duration::from_millis(1000), ..RULES }).await;
    let (ann, other) = (server.ann(), server.ann());
    let mut first = send(&ann, "a", Wish::Anew, 1).await;
    let second = tokio::spawn(async move { other.receive(&path("a"), Wish::Append, None).await.map(drop) });
    let mut at = 1;
    while !second.is_finished() {
        first.append(content(at, at + 1).into()).await.unwrap();
        at += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(second.await.unwrap(), Err(ServerError::Busy)));
    published(first.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.published("a").unwrap(), content(0, at));
}

#[tokio::test]
async fn a_silent_writer_is_taken_over_and_fenced_off() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let mut older = send(&server.ann(), "a", Wish::Anew, 1000).await;
    let came = Instant::now();
    let mut newer = server.ann().receive(&path("a"), Wish::Append, None).await.unwrap();
    assert!(came.elapsed() < Duration::from_secs(5));
    assert_eq!(newer.offset(), 999, "what the older one had is kept, as after any broken connection");
    let late = older.append(bytes(b"late")).await;
    assert!(matches!(late, Err(ServerError::Store(StoreError::Fenced { .. }))), "{late:?}");
    newer.append(content(999, 2000).into()).await.unwrap();
    assert!(older.append(bytes(b"later")).await.is_err());
    assert!(older.sync().await.is_err());
    let late = older.settle(DataEnd::Clean, Control::Alive).await;
    assert!(matches!(late, Err(ServerError::Store(StoreError::Fenced { .. }))), "{late:?}");
    published(newer.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 2000));
}

#[tokio::test]
async fn who_appends_goes_on_where_it_was_told_though_the_older_session_has_kept_more_since() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    for (name, listing) in [("a", false), ("b", true)] {
        let told = break_off(&server.ann(), name, Wish::Anew, 1000).await;
        let mut older = send(&server.ann(), name, Wish::From(told), 1500).await;
        let newer = server.ann();
        let told = if listing {
            assert!(listed(&newer, "").await.contains(&(name.to_owned(), told, true)));
            told
        } else {
            size(&newer, name).await.unwrap()
        };
        older.append(content(1500, 1700).into()).await.unwrap();
        // It was dying when the newer one asked.
        assert_eq!(kept(older.settle(DataEnd::Unclean, Control::Gone).await), 1699);
        // A client of FTP hears no offset: it sends on from what SIZE said.
        let mut receiving = newer.receive(&path(name), Wish::Append, None).await.unwrap();
        receiving.append(content(told, 2000).into()).await.unwrap();
        published(receiving.settle(DataEnd::Clean, Control::Alive).await);
        assert_eq!(bench.published(name).unwrap(), content(0, 2000));
    }
}

#[tokio::test]
async fn who_was_told_nothing_or_something_of_before_appends_at_the_end() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    assert_eq!(break_off(&ann, "a", Wish::Anew, 1000).await, 999);
    assert_eq!(size(&ann, "a").await, Some(999));
    // What it sends itself it knows of.
    assert_eq!(break_off(&ann, "a", Wish::Append, 1500).await, 1499);
    assert_eq!(break_off(&ann, "a", Wish::Append, 1600).await, 1599);
    assert_eq!(size(&ann, "a").await, Some(1599));
    // Another upload has the name now: behind that of which file it would go on is for its client to say.
    assert_eq!(break_off(&server.ann(), "a", Wish::Anew, 1800).await, 1799);
    assert!(is_changed(&ann.receive(&path("a"), Wish::Append, None).await));
    assert_eq!(size(&ann, "a").await, Some(1799));
    assert_eq!(ann.receive(&path("a"), Wish::Append, None).await.unwrap().offset(), 1799);
}

fn is_changed<T>(done: &Result<T, ServerError>) -> bool {
    matches!(done, Err(ServerError::Store(StoreError::Changed { .. })))
}

#[tokio::test]
async fn who_appends_goes_on_where_it_was_told_though_the_older_session_has_finished_the_file() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let mut older = send(&server.ann(), "a", Wish::Anew, 1000).await;
    let newer = server.ann();
    let told = size(&newer, "a").await.unwrap();
    assert!(told < 1000);
    older.append(content(1000, 2000).into()).await.unwrap();
    published(older.settle(DataEnd::Clean, Control::Alive).await);
    let mut receiving = newer.receive(&path("a"), Wish::Append, None).await.unwrap();
    assert_eq!(receiving.offset(), told);
    receiving.append(content(told, 2000).into()).await.unwrap();
    published(receiving.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 2000));
}

#[tokio::test]
async fn who_appends_to_what_was_dropped_meanwhile_begins_no_file_with_its_tail() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let (ann, other) = (server.ann(), server.ann());
    assert_eq!(break_off(&other, "a", Wish::Anew, 1000).await, 999);
    assert_eq!(size(&ann, "a").await, Some(999));
    other.remove(&path("a")).await.unwrap();
    assert!(is_changed(&ann.receive(&path("a"), Wish::Append, None).await));
    // Who drops it itself knows that nothing is there.
    assert_eq!(break_off(&ann, "a", Wish::Anew, 1000).await, 999);
    assert_eq!(size(&ann, "a").await, Some(999));
    ann.remove(&path("a")).await.unwrap();
    assert_eq!(ann.receive(&path("a"), Wish::Append, None).await.unwrap().offset(), 0);
}

#[tokio::test]
async fn an_upload_that_is_being_settled_is_told_as_it_will_be() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let older = send(&server.ann(), "a", Wish::Anew, 1000).await;
    let ann = server.ann();
    let settling = tokio::spawn(older.settle(DataEnd::Unclean, Control::Gone));
    let asked = tokio::spawn(async move { size(&ann, "a").await });
    assert_eq!(kept(settling.await.unwrap()), 999);
    assert_eq!(asked.await.unwrap(), Some(999));
}

#[tokio::test]
async fn who_takes_over_and_goes_away_leaves_the_seat_free() {
    let bench = Bench::new();
    let server = bench.start(Rules { takeover: Duration::ZERO, ..RULES }).await;
    let older = send(&server.ann(), "a", Wish::Anew, 1000).await;
    let ann = server.ann();
    let target = path("a");
    let mut newer = Box::pin(ann.receive(&target, Wish::Append, None));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(newer.as_mut().poll(&mut context).is_pending());
    drop(newer);
    // The older one does not know yet, and may wait for its client a long time.
    let free = async {
        loop {
            match ann.receive(&target, Wish::Append, None).await {
                Err(ServerError::Busy) => tokio::task::yield_now().await,
                newest => return newest.unwrap().offset(),
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), free).await, Ok(999));
    drop(older);
}

#[tokio::test]
async fn who_comes_back_goes_on_as_soon_as_the_older_session_is_done() {
    let bench = Bench::new();
    let server = bench.start(Rules { takeover: Duration::from_secs(600), ..RULES }).await;
    let older = send(&server.ann(), "a", Wish::Anew, 1000).await;
    let again = server.ann();
    let newer = tokio::spawn(async move { again.receive(&path("a"), Wish::Append, None).await });
    tokio::task::yield_now().await;
    kept(older.settle(DataEnd::Unclean, Control::Gone).await);
    assert_eq!(newer.await.unwrap().unwrap().offset(), 999);
}

#[tokio::test]
async fn owners_write_the_same_name_beside_each_other() {
    let bench = Bench::new();
    let server = bench.start(Rules { takeover: Duration::from_secs(600), ..RULES }).await;
    let ann = send(&server.ann(), "a", Wish::Anew, 1000).await;
    let bob = send(&server.bob(), "a", Wish::Anew, 500).await;
    published(ann.settle(DataEnd::Clean, Control::Alive).await);
    published(bob.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 500));
}

#[tokio::test]
async fn in_place_there_is_one_writer_whoever_it_is() {
    let bench = Bench::new();
    let rules = Rules { in_place: true, ..RULES };
    let server = bench.start(Rules { takeover: Duration::from_millis(1000), ..rules }).await;
    let mut first = send(&server.ann(), "a", Wish::Anew, 1).await;
    let bob = server.bob();
    let second = tokio::spawn(async move { bob.receive(&path("a"), Wish::Append, None).await.map(drop) });
    let mut at = 1;
    while !second.is_finished() {
        first.append(content(at, at + 1).into()).await.unwrap();
        at += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(second.await.unwrap(), Err(ServerError::Busy)));
    published(first.settle(DataEnd::Clean, Control::Alive).await);
}

#[tokio::test]
async fn a_session_that_is_aborted_while_it_settles_settles_all_the_same() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let receiving = send(&server.ann(), "a", Wish::Anew, 1000).await;
    let task = tokio::spawn(receiving.settle(DataEnd::Clean, Control::Alive));
    tokio::task::yield_now().await;
    task.abort();
    let _ = task.await;
    let again = server.ann().receive(&path("a"), Wish::Anew, None).await.unwrap();
    drop(again);
    assert!(
        bench.published("a").is_some_and(|bytes| bytes == content(0, 1000))
            || size(&server.ann(), "a").await == Some(999)
    );
}
