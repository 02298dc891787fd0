//! What the database promises beyond every ledger: what survives, what is created when, and who is kept out.

use std::sync::Arc;

use super::tables::Journal;
use super::*;
use crate::PUBLISHED;
use crate::ledger::conformance::{key, letter, published, record};
use crate::ledger::wait;

fn put(ledger: &SqliteLedger, raw: &str, number: u64, how: Durability) {
    wait(async {
        let (lease, _) = ledger.claim(&key("ann", raw)).await.unwrap();
        ledger.save(&lease, &record(number), how).await.unwrap();
    });
}

fn publish(ledger: &SqliteLedger, raw: &str, number: u64) -> Result<(), StoreError> {
    wait(async {
        let (lease, _) = ledger.claim(&key("ann", raw)).await?;
        ledger.publish(&lease, &published("ann", raw, number)).await
    })
}

fn has(ledger: &SqliteLedger, raw: &str) -> Option<Unfinished> {
    wait(ledger.load(&key("ann", raw))).unwrap()
}

#[test]
fn it_keeps_what_a_ledger_promises() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    let fresh = || {
        number.set(number.get() + 1);
        SqliteLedger::open(&folder.path().join(number.get().to_string())).unwrap()
    };
    wait(crate::ledger::conformance::all(fresh)).unwrap();
}

#[test]
fn nothing_but_the_lock_is_on_disk_before_the_first_record() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let ledger = SqliteLedger::open(&state).unwrap();
    let (lease, _) = wait(ledger.claim(&key("ann", "a"))).unwrap();
    wait(ledger.forget(&lease)).unwrap();
    wait(ledger.moved(None, &TreePath::ROOT.join(b"a").unwrap(), &TreePath::ROOT.join(b"b").unwrap()))
        .unwrap();
    let names: Vec<_> = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["lock"]);
    put(&ledger, "a", 1, Durability::Relaxed);
    assert!(state.join("uploads.db").exists());
}

#[test]
fn records_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    put(&ledger, "a", 1, Durability::Relaxed);
    put(&ledger, "d/b", 2, Durability::Full);
    put(&ledger, "gone", 3, Durability::Full);
    let (lease, _) = wait(ledger.claim(&key("ann", "gone"))).unwrap();
    wait(ledger.forget(&lease)).unwrap();
    wait(ledger.moved(None, &TreePath::ROOT.join(b"d").unwrap(), &TreePath::ROOT.join(b"e").unwrap()))
        .unwrap();
    drop(ledger);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    assert_eq!(has(&ledger, "a"), Some(record(1)));
    assert_eq!(has(&ledger, "e/b"), Some(record(2)));
    assert_eq!(wait(ledger.within(&TreePath::ROOT)).unwrap().len(), 2);
}

#[test]
fn records_outlive_a_killed_server() {
    // As a kill leaves it: a copy of the files while the server has them open.
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    for number in 0..50 {
        put(&ledger, &number.to_string(), number, Durability::Relaxed);
    }
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let survivor = SqliteLedger::open(copy.path()).unwrap();
    for number in 0..50 {
        assert_eq!(has(&survivor, &number.to_string()), Some(record(number)));
    }
}

#[test]
fn a_second_server_is_kept_out_while_the_first_lives() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteLedger::open(folder.path()).unwrap();
    let second = SqliteLedger::open(folder.path());
    let own = std::process::id();
    assert!(matches!(&second, Err(StoreError::InUse { pid: Some(pid), .. }) if *pid == own), "{second:?}");
    drop(first);
    SqliteLedger::open(folder.path()).unwrap();
}

#[test]
fn what_a_dead_server_has_left_is_waited_for_and_who_lives_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let soon = std::time::Duration::from_secs(60);
    // Where none ever was, and where one lives.
    SqliteLedger::outlive(folder.path(), soon);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    SqliteLedger::outlive(folder.path(), soon);
    drop(ledger);
    // The number of a process that is gone, while the lock is held still.
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let lock = folder.path().join("lock");
    std::fs::write(&lock, gone.id().to_string()).unwrap();
    let held = File::open(&lock).unwrap();
    held.lock().unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| SqliteLedger::outlive(folder.path(), soon));
        assert!(is_held_by_the_dead(&lock) && !waits.is_finished());
        drop(held);
    });
    SqliteLedger::open(folder.path()).unwrap();
}

#[test]
fn what_a_newer_haul_wrote_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    put(&SqliteLedger::open(folder.path()).unwrap(), "a", 1, Durability::Full);
    let path = folder.path().join("uploads.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 8).unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let refused = SqliteLedger::open(folder.path());
    assert!(matches!(refused, Err(StoreError::NewerFormat { version: 8, .. })), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn what_an_older_haul_wrote_is_read_and_gone_on_with() {
    // Version 1 had no note, version 2 no ranges, version 3 no letters, version 4 did not say what was copied.
    for (version, column, value) in [
        (1, "", ""),
        (2, "note BLOB,", ", CAST('put' AS BLOB)"),
        (3, "note BLOB, beyond BLOB,", ", CAST('put' AS BLOB), NULL"),
        (4, "note BLOB, beyond BLOB,", ", CAST('put' AS BLOB), NULL"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("uploads.db");
        let older = rusqlite::Connection::open(&path).unwrap();
        let table = format!(
            "CREATE TABLE uploads (
            owner TEXT NOT NULL, path BLOB NOT NULL, stage TEXT NOT NULL, offset INTEGER NOT NULL,
            settled INTEGER NOT NULL, boot TEXT NOT NULL, declared INTEGER, base_unique BLOB, base_size INTEGER,
            base_seconds INTEGER, base_nanos INTEGER, touched INTEGER NOT NULL, {column}
            PRIMARY KEY (path, owner)) STRICT, WITHOUT ROWID;
            INSERT INTO uploads
            VALUES ('ann', CAST('a' AS BLOB), 's', 7, 1, 'b', 9, NULL, NULL, NULL, NULL, 5{value});
            PRAGMA user_version = {version}"
        );
        older.execute_batch(&table).unwrap();
        if version == 4 {
            older.execute_batch(&super::letters::CREATE.replace(", replaces_nanos INTEGER", "")).unwrap();
            let base =
                "UPDATE uploads SET base_unique = x'01', base_size = 9, base_seconds = 0, base_nanos = 0";
            older.execute_batch(base).unwrap();
        }
        drop(older);
        let ledger = SqliteLedger::open(folder.path()).unwrap();
        let key = key("ann", "a");
        let (lease, known) = wait(ledger.claim(&key)).unwrap();
        let known: Unfinished = known.unwrap();
        let note: &[u8] = if version == 1 { b"" } else { b"put" };
        assert_eq!((known.offset, known.declared, known.note.as_slice()), (7, Some(9), note));
        assert!(known.beyond.is_empty());
        // All that is there may be the finished file's, where there is one that it goes on from.
        assert_eq!(known.copied, if version == 4 { 7 } else { 0 });
        let beyond = haul_core::ByteRange::new(8, 9).into_iter().collect();
        let noted = Unfinished { note: b"tus".to_vec(), beyond, ..known };
        wait(ledger.save(&lease, &noted, Durability::Full)).unwrap();
        wait(ledger.post(&[letter(version)], Durability::Full)).unwrap();
        drop(ledger);
        let again = SqliteLedger::open(folder.path()).unwrap();
        assert_eq!(wait(again.load(&key)).unwrap(), Some(noted), "{version}");
        assert_eq!(wait(again.letters()).unwrap(), [letter(version)]);
    }
}

/// What format 6 had not.
const TO_FORMAT_6: &str =
    "ALTER TABLE uploads DROP COLUMN mark; DROP TABLE published; PRAGMA user_version = 6";

#[test]
fn of_format_6_what_was_unfinished_is_known_and_nothing_that_was_published() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    for number in [1, 2] {
        put(&ledger, &number.to_string(), number, Durability::Full);
    }
    wait(ledger.post(&[letter(8)], Durability::Full)).unwrap();
    drop(ledger);
    let older = rusqlite::Connection::open(folder.path().join("uploads.db")).unwrap();
    older.execute_batch(TO_FORMAT_6).unwrap();
    drop(older);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    let unmarked = |number| Some(Unfinished { mark: Vec::new(), ..record(number) });
    assert_eq!((has(&ledger, "1"), has(&ledger, "2")), (unmarked(1), unmarked(2)));
    assert_eq!(wait(ledger.letters()).unwrap(), [letter(8)]);
    assert_eq!(wait(ledger.published()).unwrap(), []);
    put(&ledger, "1", 3, Durability::Full);
    publish(&ledger, "2", 2).unwrap();
    drop(ledger);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    assert_eq!((has(&ledger, "1"), has(&ledger, "2")), (Some(record(3)), None));
    assert_eq!(wait(ledger.published()).unwrap(), [published("ann", "2", 2)]);
}

#[test]
fn what_was_published_outlives_the_server_and_costs_nothing_where_nothing_was_known() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    assert_eq!(wait(ledger.published()).unwrap(), []);
    publish(&ledger, "small", 1).unwrap();
    assert!(!folder.path().join("uploads.db").exists(), "nothing was to be written");
    for number in 1..=9 {
        put(&ledger, "a", number, Durability::Relaxed);
        publish(&ledger, "a", number).unwrap();
    }
    assert_eq!(has(&ledger, "a"), None);
    drop(ledger);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    assert_eq!(has(&ledger, "a"), None);
    let all: Vec<_> = (1..=9).map(|number| published("ann", "a", number)).collect();
    assert_eq!(wait(ledger.published()).unwrap(), all);
}

#[test]
fn the_table_of_what_was_published_does_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    for number in 0..500 {
        put(&ledger, "a", 1, Durability::Relaxed);
        publish(&ledger, "a", number).unwrap();
    }
    drop(ledger);
    let database = rusqlite::Connection::open(folder.path().join("uploads.db")).unwrap();
    let rows: i64 = database.query_row("SELECT count(*) FROM published", [], |row| row.get(0)).unwrap();
    assert!((PUBLISHED..PUBLISHED + 64).contains(&usize::try_from(rows).unwrap()), "{rows}");
    drop(database);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    let newest: Vec<_> = (500 - PUBLISHED as u64..500).map(|number| published("ann", "a", number)).collect();
    assert_eq!(wait(ledger.published()).unwrap(), newest);
}

#[test]
fn what_is_published_while_others_wait_is_published_for_certain() {
    // No more than are remembered.
    const EACH: u64 = 12;
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(SqliteLedger::open(folder.path()).unwrap());
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let ledger = Arc::clone(&ledger);
            scope.spawn(move || {
                for number in 0..EACH {
                    let name = format!("f{writer}");
                    put(&ledger, &name, number, Durability::Full);
                    publish(&ledger, &name, number).unwrap();
                    // Of this one nothing is known, whatever of others is on its way.
                    publish(&ledger, &name, 99).unwrap();
                }
            });
        }
    });
    drop(ledger);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    assert_eq!(wait(ledger.within(&TreePath::ROOT)).unwrap(), []);
    let all = wait(ledger.published()).unwrap();
    for writer in 0..8 {
        let name = format!("f{writer}");
        let its = all.iter().filter(|known| known.key == key("ann", &name));
        assert!(its.cloned().eq((0..EACH).map(|number| published("ann", &name, number))));
    }
}

#[test]
fn a_pledge_that_an_older_haul_wrote_has_whole_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("uploads.db");
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    wait(ledger.post(&[letter(1), letter(8)], Durability::Full)).unwrap();
    drop(ledger);
    let older = rusqlite::Connection::open(&path).unwrap();
    let back = "ALTER TABLE letters DROP COLUMN replaces_nanos; PRAGMA user_version = 5";
    older.execute_batch(TO_FORMAT_6).unwrap();
    older.execute_batch(back).unwrap();
    drop(older);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    let mut whole = letter(8);
    let replaces = whole.pledge.as_mut().and_then(|pledge| pledge.replaces.as_mut()).unwrap();
    replaces.nanos = None;
    let date = |seconds, nanos| haul_core::Modified { seconds, nanos, strong: false };
    assert!(replaces.is(date(i64::MIN, 5)) && !replaces.is(date(0, 0)));
    assert_eq!(wait(ledger.letters()).unwrap(), [letter(1), whole]);
    wait(ledger.post(&[letter(8)], Durability::Full)).unwrap();
    drop(ledger);
    let again = SqliteLedger::open(folder.path()).unwrap();
    assert_eq!(wait(again.letters()).unwrap(), [letter(1), letter(8)]);
}

#[test]
fn letters_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    let many: Vec<_> = (0..2000).map(letter).collect();
    wait(ledger.post(&many, Durability::Relaxed)).unwrap();
    wait(ledger.unpost(&(0..1998).collect::<Vec<_>>())).unwrap();
    drop(ledger);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    assert_eq!(wait(ledger.letters()).unwrap(), [letter(1998), letter(1999)]);
}

#[test]
fn a_damaged_database_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("uploads.db"), b"this is no database, whoever put it here").unwrap();
    let refused = SqliteLedger::open(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("damaged") && refused.contains("move it away"), "{refused}");
    assert!(refused.contains("uploads.db"), "{refused}");
}

#[test]
fn a_database_with_a_broken_page_is_not_half_believed() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    for number in 0..200 {
        put(&ledger, &number.to_string(), number, Durability::Relaxed);
    }
    drop(ledger);
    let path = folder.path().join("uploads.db");
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 3 * 4096);
    bytes[2 * 4096..2 * 4096 + 512].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let refused = SqliteLedger::open(folder.path());
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn many_at_once_are_all_saved_in_the_order_they_were_given() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(SqliteLedger::open(folder.path()).unwrap());
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let ledger = Arc::clone(&ledger);
            scope.spawn(move || {
                let key = key("ann", &format!("f{writer}"));
                let (mut lease, _) = wait(ledger.claim(&key)).unwrap();
                for number in 0..20 {
                    wait(ledger.save(&lease, &record(number), Durability::Full)).unwrap();
                    let (newer, known) = wait(ledger.claim(&key)).unwrap();
                    assert_eq!(known, Some(record(number)));
                    assert!(wait(ledger.save(&lease, &record(99), Durability::Relaxed)).is_err());
                    lease = newer;
                }
            });
        }
    });
    drop(ledger);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    for writer in 0..16 {
        assert_eq!(has(&ledger, &format!("f{writer}")), Some(record(19)));
    }
}

#[test]
fn a_full_disk_is_told_as_such_and_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("uploads.db");
    let (mut tables, _) = Tables::find(path.clone()).unwrap();
    let save = |tables: &mut Tables, number: u64| {
        let key = key("ann", &format!("{number}-{}", "x".repeat(200)));
        tables.write(Durability::Full, |transaction| tables::save(transaction, &key, &record(number)))
    };
    save(&mut tables, 0).unwrap();
    // No limit of a disk, but SQLite says the same at both.
    tables.connection().unwrap().pragma_update(None, "max_page_count", 4).unwrap();
    let mut saved = 1;
    let full = loop {
        match save(&mut tables, saved) {
            Ok(()) => saved += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::NoSpace { .. }), "{full:?}");
    assert!(matches!(save(&mut tables, saved), Err(StoreError::NoSpace { .. })));
    tables.connection().unwrap().pragma_update(None, "max_page_count", 4000).unwrap();
    save(&mut tables, saved).unwrap();
    drop(tables);
    let (_, records) = Tables::find(path).unwrap();
    assert_eq!(records.within(&TreePath::ROOT, None).count() as u64, saved + 1);
}

#[test]
fn what_is_to_be_durable_is_synced_also_after_a_commit_that_failed() {
    const FULL: i64 = 2;
    let folder = tempfile::tempdir().unwrap();
    let (mut tables, _) = Tables::find(folder.path().join("uploads.db")).unwrap();
    let level = |tables: &mut Tables| -> i64 {
        let connection = tables.connection().unwrap();
        connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap()
    };
    tables.write(Durability::Full, |_| Ok(())).unwrap();
    let failed = tables.write(Durability::Relaxed, |_| Err(rusqlite::Error::InvalidQuery));
    assert!(failed.is_err());
    tables.write(Durability::Full, |_| Ok(())).unwrap();
    assert_eq!(level(&mut tables), FULL);
}

#[test]
fn what_is_published_is_forgotten_also_where_the_database_cannot_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let (mut tables, _) = Tables::find(folder.path().join("uploads.db")).unwrap();
    let state = Arc::new(Mutex::new(State::default()));
    let (a, b) = (key("ann", "a"), key("ann", "b"));
    state.lock().unwrap().records.put(a.clone(), record(1));
    state.lock().unwrap().records.put(b.clone(), record(1));
    // Whatever is written now fails: the table is gone.
    tables.connection().unwrap().execute_batch("DROP TABLE uploads").unwrap();
    let (orders, taken) = mpsc::channel();
    let (save, saved) = pair();
    let order = |save| Order::Save(a.clone(), Box::new(record(2)), Durability::Full, save);
    orders.send(order(save)).unwrap();
    let (forget, forgotten) = pair();
    orders.send(Order::Forget(a.clone(), forget)).unwrap();
    let (publish, said) = pair();
    orders.send(Order::Publish(Box::new(published("ann", "b", 1)), publish)).unwrap();
    drop(orders);
    clerk::work(tables, &state, None, &taken);
    assert!(wait(saved).unwrap().is_err());
    assert!(wait(forgotten).unwrap().is_err());
    assert!(wait(said).unwrap().is_err());
    let state = state.lock().unwrap();
    assert_eq!((state.records.get(&a), state.records.get(&b)), (None, None));
}

#[test]
fn on_a_network_file_system_there_is_no_log_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("uploads.db");
    let (mut tables, _) = Tables::find_with(path.clone(), Journal::Rollback).unwrap();
    for (number, how) in [(1, Durability::Relaxed), (2, Durability::Full), (3, Durability::Relaxed)] {
        let key = key("ann", &number.to_string());
        tables.write(how, |transaction| tables::save(transaction, &key, &record(number))).unwrap();
    }
    assert!(!folder.path().join("uploads.db-wal").exists());
    drop(tables);
    let (_, records) = Tables::find_with(path, Journal::Rollback).unwrap();
    assert_eq!(records.within(&TreePath::ROOT, None).count(), 3);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    put(&SqliteLedger::open(&state).unwrap(), "a", 1, Durability::Full);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&state.join("uploads.db")), 0o600);
    assert_eq!(mode(&state.join("lock")), 0o600);
}

#[test]
fn what_a_server_has_left_can_be_looked_at_and_keeps_none_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    assert_eq!(SqliteLedger::look(&state).unwrap(), []);
    assert!(!state.exists(), "nothing is created");
    let ledger = SqliteLedger::open(&state).unwrap();
    put(&ledger, "a", 1, Durability::Full);
    assert!(matches!(SqliteLedger::look(&state), Err(StoreError::InUse { pid: Some(_), .. })));
    drop(ledger);
    let seen: Vec<_> = SqliteLedger::look(&state).unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(seen, [key("ann", "a")]);
    // Somebody looks while a server starts: it waits.
    let looking = File::open(state.join("lock")).unwrap();
    looking.lock_shared().unwrap();
    let starting = std::thread::spawn(move || SqliteLedger::open(&state));
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(!starting.is_finished());
    drop(looking);
    starting.join().unwrap().unwrap();
}
