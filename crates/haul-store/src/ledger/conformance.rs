//! What every [`Ledger`] must do, whatever it is made of. An implementation runs [`all`] over fresh, empty ledgers of
//! its own, on an executor of its own. What outlives a process or the machine's power is its own affair and its own
//! tests'.

use haul_core::{ByteRange, RangeSet, TreePath};

use super::{Dated, Ledger, Letter, Outstanding, PUBLISHED, Pledge, Published, Unfinished, UploadKey};
use crate::{Durability, StageId, StoreError};

/// Runs everything, each on a fresh ledger.
pub async fn all<L: Ledger>(make: impl Fn() -> L) -> Result<(), StoreError> {
    what_is_saved_is_loaded(&make()).await?;
    a_newer_claim_fences_the_older(&make()).await?;
    what_is_forgotten_is_gone_and_its_lease_with_it(&make()).await?;
    a_lease_of_before_is_worth_nothing_after_it_was_forgotten(&make()).await?;
    owners_do_not_see_each_other_s(&make()).await?;
    a_folder_s_uploads_are_found_directly_and_deep(&make()).await?;
    what_moves_takes_its_uploads_along(&make()).await?;
    one_owner_s_upload_moves_alone(&make()).await?;
    an_owner_s_uploads_are_counted(&make()).await?;
    all_of_them_are_added_up(&make()).await?;
    what_is_published_is_no_more_unfinished(&make()).await?;
    of_what_was_published_the_newest_is_remembered(&make()).await?;
    letters_wait_in_order_until_they_are_taken_out(&make()).await?;
    every_value_comes_back(&make()).await
}

/// The path that these words mean.
pub fn path(raw: &[u8]) -> TreePath {
    TreePath::ROOT.join(raw).unwrap_or_default()
}

/// An upload of this owner.
pub fn key(owner: &str, raw: &str) -> UploadKey {
    UploadKey { owner: owner.to_owned(), path: path(raw.as_bytes()) }
}

fn ranges(ranges: &[(u64, u64)]) -> RangeSet {
    ranges.iter().filter_map(|(from, to)| ByteRange::new(*from, *to)).collect()
}

/// A record that differs by its number.
pub fn record(number: u64) -> Unfinished {
    Unfinished {
        stage: StageId(format!("stage-{number}")),
        mark: number.to_be_bytes()[..number as usize % 9].to_vec(),
        offset: number,
        beyond: ranges(&[(number + 1, number + 3), (number + 9, number + 10)][..number as usize % 3]),
        settled: number.is_multiple_of(2),
        boot: "this one".to_owned(),
        declared: (number > 5).then_some(number * 2),
        base: None,
        copied: 0,
        touched: 1_700_000_000,
        note: Vec::new(),
    }
}

async fn put<L: Ledger>(ledger: &L, key: &UploadKey, number: u64) -> Result<(), StoreError> {
    let (lease, _) = ledger.claim(key).await?;
    ledger.save(&lease, &record(number), Durability::Relaxed).await
}

async fn paths<L: Ledger>(ledger: &L, folder: &str) -> Result<Vec<String>, StoreError> {
    let mut found: Vec<_> = ledger.within(&path(folder.as_bytes())).await?;
    found.sort_by(|(a, _), (b, _)| (&a.path, &a.owner).cmp(&(&b.path, &b.owner)));
    Ok(found.into_iter().map(|(key, _)| format!("{}:{}", key.owner, key.path)).collect())
}

async fn what_is_saved_is_loaded<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    let key = key("ann", "a/b");
    assert_eq!(ledger.load(&key).await?, None);
    let (lease, known) = ledger.claim(&key).await?;
    assert_eq!(known, None);
    assert_eq!(ledger.load(&key).await?, None, "a claim remembers nothing");
    for (number, how) in [(1, Durability::Relaxed), (2, Durability::Full), (3, Durability::Relaxed)] {
        ledger.save(&lease, &record(number), how).await?;
        assert_eq!(ledger.load(&key).await?, Some(record(number)));
    }
    assert_eq!(ledger.claim(&key).await?.1, Some(record(3)));
    Ok(())
}

async fn all_of_them_are_added_up<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    assert_eq!(ledger.outstanding().await?, Outstanding::default());
    for (owner, raw, number) in [("ann", "a", 1), ("bob", "b", 2), ("ann", "c", 3)] {
        put(ledger, &key(owner, raw), number).await?;
    }
    let beyond = record(1).beyond.total() + record(2).beyond.total();
    let sum = Outstanding { uploads: 3, bytes: 1 + 2 + 3 + beyond, oldest: Some(1_700_000_000) };
    assert_eq!(ledger.outstanding().await?, sum);
    Ok(())
}

async fn an_owner_s_uploads_are_counted<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    for (owner, raw) in [("ann", "a"), ("ann", "d/b"), ("bob", "a"), ("ann", "a"), ("ann", "e/b")] {
        put(ledger, &key(owner, raw), 1).await?;
    }
    assert_eq!((ledger.count("ann").await?, ledger.count("bob").await?), (3, 1));
    assert_eq!(ledger.count("nobody").await?, 0);
    assert_eq!(ledger.count_of(&|owner| owner.len() == 3).await?, 4);
    assert_eq!(ledger.count_of(&|owner| owner.starts_with('b')).await?, 1);
    ledger.moved(None, &path(b"d"), &path(b"e")).await?;
    assert_eq!(ledger.count("ann").await?, 2, "what was there is replaced");
    let (lease, _) = ledger.claim(&key("ann", "a")).await?;
    ledger.forget(&lease).await?;
    assert_eq!((ledger.count("ann").await?, ledger.count("bob").await?), (1, 1));
    Ok(())
}

async fn a_newer_claim_fences_the_older<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    let key = key("ann", "a");
    let (older, _) = ledger.claim(&key).await?;
    ledger.save(&older, &record(1), Durability::Relaxed).await?;
    let (newer, known) = ledger.claim(&key).await?;
    assert_eq!(known, Some(record(1)));
    assert!(newer.fence > older.fence);
    let late = ledger.save(&older, &record(2), Durability::Full).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    let late = ledger.forget(&older).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    assert_eq!(ledger.load(&key).await?, Some(record(1)));
    ledger.save(&newer, &record(3), Durability::Relaxed).await?;
    assert_eq!(ledger.load(&key).await?, Some(record(3)));
    Ok(())
}

async fn what_is_forgotten_is_gone_and_its_lease_with_it<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    let key = key("ann", "a");
    let (lease, _) = ledger.claim(&key).await?;
    ledger.save(&lease, &record(1), Durability::Relaxed).await?;
    ledger.forget(&lease).await?;
    assert_eq!(ledger.load(&key).await?, None);
    let late = ledger.save(&lease, &record(1), Durability::Relaxed).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    // Nothing was ever saved under this one.
    let (lease, _) = ledger.claim(&key).await?;
    ledger.forget(&lease).await
}

async fn a_lease_of_before_is_worth_nothing_after_it_was_forgotten<L: Ledger>(
    ledger: &L,
) -> Result<(), StoreError> {
    let key = key("ann", "a");
    let (first, _) = ledger.claim(&key).await?;
    ledger.forget(&first).await?;
    let (second, _) = ledger.claim(&key).await?;
    assert!(second.fence > first.fence);
    assert!(ledger.save(&first, &record(1), Durability::Relaxed).await.is_err());
    ledger.save(&second, &record(2), Durability::Relaxed).await
}

async fn owners_do_not_see_each_other_s<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    put(ledger, &key("ann", "a"), 1).await?;
    put(ledger, &key("bob", "a"), 2).await?;
    assert_eq!(ledger.load(&key("ann", "a")).await?, Some(record(1)));
    assert_eq!(ledger.load(&key("bob", "a")).await?, Some(record(2)));
    assert_eq!(ledger.load(&key("eve", "a")).await?, None);
    assert_eq!(ledger.in_folder("eve", &TreePath::ROOT).await?, []);
    Ok(())
}

async fn a_folder_s_uploads_are_found_directly_and_deep<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    // A neighbour whose name begins like the folder's sorts between the folder and what is in it.
    for (number, raw) in ["a", "a-b", "a/b", "a/b/c", "a/d", "ab", "b/a"].iter().enumerate() {
        put(ledger, &key("ann", raw), number as u64).await?;
    }
    put(ledger, &key("bob", "a/b"), 9).await?;
    let mut direct = ledger.in_folder("ann", &path(b"a")).await?;
    direct.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    assert_eq!(direct, [(key("ann", "a/b"), record(2)), (key("ann", "a/d"), record(4))]);
    assert_eq!(paths(ledger, "a").await?, ["ann:/a", "ann:/a/b", "bob:/a/b", "ann:/a/b/c", "ann:/a/d"]);
    assert_eq!(ledger.within(&TreePath::ROOT).await?.len(), 8);
    Ok(())
}

async fn what_moves_takes_its_uploads_along<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    let (lease, _) = ledger.claim(&key("ann", "a/b")).await?;
    ledger.save(&lease, &record(1), Durability::Relaxed).await?;
    put(ledger, &key("bob", "a/b/c"), 2).await?;
    put(ledger, &key("bob", "ab"), 3).await?;
    ledger.moved(None, &path(b"a"), &path(b"x/y")).await?;
    assert_eq!(paths(ledger, "").await?, ["bob:/ab", "ann:/x/y/b", "bob:/x/y/b/c"]);
    assert_eq!(ledger.load(&key("ann", "x/y/b")).await?, Some(record(1)));
    let late = ledger.save(&lease, &record(4), Durability::Relaxed).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    Ok(())
}

async fn one_owner_s_upload_moves_alone<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    put(ledger, &key("ann", "a"), 1).await?;
    put(ledger, &key("bob", "a"), 2).await?;
    let (lease, _) = ledger.claim(&key("ann", "b")).await?;
    ledger.save(&lease, &record(3), Durability::Relaxed).await?;
    ledger.moved(Some("ann"), &path(b"a"), &path(b"b")).await?;
    assert_eq!(paths(ledger, "").await?, ["bob:/a", "ann:/b"]);
    assert_eq!(ledger.load(&key("ann", "b")).await?, Some(record(1)), "what was there is replaced");
    let late = ledger.save(&lease, &record(4), Durability::Relaxed).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    Ok(())
}

/// An upload of this owner that was published, and differs by its number.
pub fn published(owner: &str, raw: &str, number: u64) -> Published {
    Published {
        key: key(owner, raw),
        stage: StageId(format!("stage-{number}")),
        size: u64::MAX - number,
        note: vec![0; number as usize % 3],
        boot: if number.is_multiple_of(2) { String::new() } else { "this one".to_owned() },
        at: 1_700_000_000 - number as i64,
    }
}

async fn what_is_published_is_no_more_unfinished<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    assert_eq!(ledger.published().await?, []);
    put(ledger, &key("ann", "a"), 1).await?;
    put(ledger, &key("bob", "a"), 2).await?;
    let (older, _) = ledger.claim(&key("ann", "a")).await?;
    let (lease, _) = ledger.claim(&key("ann", "a")).await?;
    let late = ledger.publish(&older, &published("ann", "a", 9)).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    assert_eq!(ledger.published().await?, []);
    ledger.publish(&lease, &published("ann", "a", 1)).await?;
    assert_eq!(ledger.load(&key("ann", "a")).await?, None);
    assert_eq!(ledger.load(&key("bob", "a")).await?, Some(record(2)));
    assert!(ledger.save(&lease, &record(3), Durability::Relaxed).await.is_err(), "its lease is over");
    assert_eq!((ledger.count("ann").await?, ledger.count("bob").await?), (0, 1));
    // Of what is begun and whole before anybody could go on with it nothing was known.
    let (lease, _) = ledger.claim(&key("ann", "b")).await?;
    ledger.publish(&lease, &published("ann", "b", 2)).await?;
    assert_eq!(ledger.published().await?, [published("ann", "a", 1)]);
    // They are about the tree, and do not lie in it; and the same place may be uploaded to again.
    ledger.moved(None, &path(b"a"), &path(b"c")).await?;
    put(ledger, &key("ann", "a"), 3).await?;
    let (lease, _) = ledger.claim(&key("ann", "a")).await?;
    ledger.publish(&lease, &published("ann", "a", 3)).await?;
    assert_eq!(ledger.published().await?, [published("ann", "a", 1), published("ann", "a", 3)]);
    Ok(())
}

async fn of_what_was_published_the_newest_is_remembered<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    const MORE: u64 = 3;
    let all = PUBLISHED as u64 + MORE;
    for number in 0..all {
        put(ledger, &key("ann", "a"), 1).await?;
        let (lease, _) = ledger.claim(&key("ann", "a")).await?;
        ledger.publish(&lease, &published("ann", "a", number)).await?;
    }
    let known = ledger.published().await?;
    assert_eq!(known.len(), PUBLISHED);
    assert_eq!(known.first(), Some(&published("ann", "a", MORE)));
    assert_eq!(known.last(), Some(&published("ann", "a", all - 1)));
    Ok(())
}

/// A letter that differs by its number.
pub fn letter(number: u64) -> Letter {
    let (stage, size) = (StageId(format!("stage-{number}")), u64::MAX - number);
    let nanos = number.is_multiple_of(8).then_some(999_999_999);
    let replaces = number.is_multiple_of(4).then_some(Dated { seconds: i64::MIN, nanos });
    let pledge = Pledge { stage, size, replaces };
    Letter {
        number,
        id: format!("event-{}", number / 2),
        to: "somebody".to_owned(),
        path: path(b"caf\xe9/\xff"),
        pledge: number.is_multiple_of(2).then_some(pledge),
        tries: u32::MAX,
        body: vec![0, 255, 10],
    }
}

async fn letters_wait_in_order_until_they_are_taken_out<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    assert_eq!(ledger.letters().await?, []);
    ledger.unpost(&[7]).await?;
    ledger.post(&[letter(9), letter(1), letter(8)], Durability::Full).await?;
    ledger.post(&[letter(4)], Durability::Relaxed).await?;
    assert_eq!(ledger.letters().await?, [letter(1), letter(4), letter(8), letter(9)]);
    let kept = Letter { pledge: None, tries: 3, ..letter(4) };
    ledger.post(std::slice::from_ref(&kept), Durability::Relaxed).await?;
    ledger.unpost(&[1, 2, 8]).await?;
    assert_eq!(ledger.letters().await?, [kept, letter(9)]);
    // They are about the tree, and do not lie in it.
    ledger.moved(None, &path(b"caf\xe9"), &path(b"d")).await?;
    assert_eq!(ledger.letters().await?.len(), 2);
    ledger.unpost(&[4, 9]).await?;
    assert_eq!(ledger.letters().await?, []);
    Ok(())
}

async fn every_value_comes_back<L: Ledger>(ledger: &L) -> Result<(), StoreError> {
    let odd = UploadKey { owner: "anonymous@2001:db8::1".to_owned(), path: path(b"caf\xe9/' \"%_\xff") };
    let full = Unfinished {
        stage: StageId("0123abcd".to_owned()),
        mark: vec![255, 0, 10],
        offset: 1 << 63,
        beyond: ranges(&[((1 << 63) + 1, u64::MAX - 1), (u64::MAX - 1, u64::MAX)]),
        settled: true,
        boot: String::new(),
        declared: Some(u64::MAX - 1),
        base: Some((vec![0, 255, 7], u64::MAX, i64::MIN, 999_999_999)),
        copied: u64::MAX,
        touched: -1,
        note: b"tus\0name".to_vec(),
    };
    let (lease, _) = ledger.claim(&odd).await?;
    ledger.save(&lease, &full, Durability::Full).await?;
    assert_eq!(ledger.load(&odd).await?, Some(full.clone()));
    assert_eq!(ledger.within(&path(b"caf\xe9")).await?, [(odd, full)]);
    Ok(())
}
