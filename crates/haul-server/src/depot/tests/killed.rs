//! A server that is killed with -9 in the middle of uploads: this test program runs itself again as that server.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use haul_core::Random;

use super::*;

const FOLDER: &str = "HAUL_TEST_KILLED_IN";
const FILES: u64 = 12;
const SIZE: u64 = 6 << 20;

/// The server that is killed: goes on with every upload, and says what it tells and has written.
#[test]
fn the_server_that_is_killed() {
    // Run by the test below, and by nobody else.
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = Path::new(&folder);
        let store = FsStore::open(&folder.join("tree"), pool()).unwrap();
        let ledger = SqliteLedger::open(&folder.join("state")).unwrap();
        let depot = Depot::open(Arc::new(store), Arc::new(ledger), RULES).await.unwrap();
        let all = (0..FILES).map(|number| {
            let ann = depot.visitor(account("ann"));
            tokio::spawn(async move { serve(&ann, number).await })
        });
        for one in all.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        println!("done");
    });
}

async fn serve(ann: &Visitor, number: u64) {
    let mut random = Random::new(number * 1000 + u64::from(std::process::id()));
    let name = format!("f{number}");
    let mut receiving = ann.receive(&path(&name), Wish::Append, None).await.unwrap();
    while receiving.offset() < SIZE {
        let from = receiving.offset();
        let some = (random.below(100_000) + 1).min(SIZE - from);
        receiving.append(content(from, from + some).into()).await.unwrap();
        let told = size(ann, &name).await.unwrap_or(0);
        let line = format!("{name} {told} {}\n", from + some);
        std::io::stdout().write_all(line.as_bytes()).unwrap();
        // Never the last byte: only its client ends an upload.
        if from + some >= SIZE - 1 {
            return std::mem::forget(receiving);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_killed_server_has_lost_nothing_that_was_told_and_no_upload_that_was_well_under_way() {
    let bench = Bench::new();
    let mut random = Random::new(11);
    let mut told: HashMap<String, u64> = HashMap::new();
    for _ in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["depot::tests::killed::the_server_that_is_killed", "--exact", "--nocapture"])
            .env(FOLDER, bench.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut left = 20 + random.below(400);
        let mut written: HashMap<String, (u64, u64)> = HashMap::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let words: Vec<_> = line.split(' ').collect();
            if let [name, offset, end] = words[..]
                && let (Ok(offset), Ok(end)) = (offset.parse(), end.parse())
            {
                let before = told.insert(name.to_owned(), offset).unwrap_or(0);
                assert!(offset >= before, "{name}: {offset} after {before}");
                written.entry(name.to_owned()).or_insert((end, end)).1 = end;
                left = left.saturating_sub(1);
            }
            if left == 0 || line == "done" {
                // Whatever else it says until it is dead is read, too.
                let _ = child.kill();
            }
        }
        child.wait().unwrap();

        let server = bench.start(RULES).await;
        for (name, told) in &mut told {
            let at = size(&server.ann(), name).await.unwrap_or(0);
            assert!(at >= *told, "{name}: {at} after {told}");
            // Its record is on its way as soon as it is seen to be no small file.
            if let Some((first, end)) = written.get(name)
                && end - first >= 1 << 20
            {
                assert!(at + 1 >= *end, "{name}: {at} of {end} bytes that were written");
            }
            assert_eq!(peeked_or_nothing(&server.ann(), name).await, content(0, at));
            *told = at;
        }
        server.stop().await;
    }
    let server = bench.start(RULES).await;
    for name in told.keys() {
        published(complete(&server.ann(), name, Wish::Append, SIZE).await);
        assert!(bench.published(name).unwrap() == content(0, SIZE));
    }
    assert_eq!(bench.staged(), 0);
}

async fn peeked_or_nothing(visitor: &Visitor, name: &str) -> Vec<u8> {
    if size(visitor, name).await.is_none() { Vec::new() } else { peeked(visitor, name).await }
}
