//! The writer's thread over a disk that fails on command.

use std::path::Path;

use haul_store::{FsPartial, Partial, crash::CrashDisk};

use super::*;

fn started(disk: &CrashDisk) -> (Writer, mpsc::UnboundedReceiver<Told>) {
    let partial = FsPartial::create_on(disk.clone(), Path::new("/d/file"), &Subject::default());
    Writer::start(partial.unwrap()).unwrap()
}

#[tokio::test]
async fn a_sync_that_panics_is_told() {
    let disk = CrashDisk::new(1);
    let (writer, mut told) = started(&disk);
    disk.during_next_sync(|| panic!("a disk that cannot be"));
    writer.sync();
    assert!(matches!(told.recv().await, Some(Told::Broken(_))));
    writer.end().await;
}

/// What came behind a job that failed would build on it.
#[tokio::test]
async fn after_a_failure_nothing_more_is_done() {
    let disk = CrashDisk::new(1);
    let (mut writer, mut told) = started(&disk);
    // Of the journal, which says first that nothing is held any more.
    disk.fail_sync_after(0);
    writer.reset(Subject::default());
    writer.publish(Publish { replace: true, modified: None }, 0, None);
    assert!(matches!(told.recv().await, Some(Told::Broken(_))));
    writer.end().await;
    assert!(told.recv().await.is_none());
    assert_eq!(disk.get(Path::new("/d/file")), None);
}

#[tokio::test]
async fn a_writer_that_has_ended_has_let_the_partial_go() {
    let disk = CrashDisk::new(1);
    let (writer, _told) = started(&disk);
    let reader = writer.reader();
    writer.note_stop("asked to".to_owned());
    drop(reader);
    writer.end().await;
    let found = FsPartial::find_on(disk, Path::new("/d/file"));
    let Ok(haul_store::Found::Journaled(resumed)) = found else { panic!("{found:?}") };
    assert_eq!(resumed.stopped.map(|(_, why)| why).as_deref(), Some("asked to"));
    assert!(resumed.partial.geometry().can_cut);
}
