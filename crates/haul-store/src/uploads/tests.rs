//! Records through crashes, damage and two processes at once.

use super::*;
use crate::crash::{CrashDisk, Reboot};

const KEY: [u8; 32] = [7; 32];

fn record(offset: u64) -> UploadRecord {
    UploadRecord {
        local: b"/f".to_vec(),
        size: 100,
        modified: (1, 2),
        inode: 3,
        shown_url: "ftp://h/f".to_owned(),
        far: b"f".to_vec(),
        offset,
        when_unix: 4,
        stage: UploadStage::Begun,
        resource: None,
        parts: Vec::new(),
    }
}

fn remembered(records: &UploadRecords<impl Disk>) -> Remembered {
    records.claim(&KEY).unwrap().1
}

#[test]
fn what_is_saved_is_remembered_until_it_is_forgotten() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("state/haul/uploads");
    let records = UploadRecords::open(&folder).unwrap();
    let (claim, before) = records.claim(&KEY).unwrap();
    assert_eq!(before, Remembered::Nothing);
    claim.save(&record(10)).unwrap();
    claim.save(&record(20)).unwrap();
    drop(claim);
    assert_eq!(remembered(&records), Remembered::Record(Box::new(record(20))));
    assert_eq!(records.claim(&[8; 32]).unwrap().1, Remembered::Nothing, "another place");
    let (claim, _) = records.claim(&KEY).unwrap();
    claim.forget().unwrap();
    drop(claim);
    assert_eq!(remembered(&records), Remembered::Nothing);
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["swept"], "no lock is left behind");
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("haul/uploads");
    let (claim, _) = UploadRecords::open(&folder).unwrap().claim(&KEY).unwrap();
    claim.save(&record(1)).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&claim.record), 0o600);
}

#[test]
fn a_second_one_is_told_who_sends_there() {
    let home = tempfile::tempdir().unwrap();
    let records = UploadRecords::open(home.path()).unwrap();
    let (first, _) = records.claim(&KEY).unwrap();
    match records.claim(&KEY) {
        Err(StoreError::InUse { pid, .. }) => {
            assert!(pid.is_none_or(|pid| pid == std::process::id()), "{pid:?}");
        }
        other => panic!("{other:?}"),
    }
    drop(first);
    assert!(records.claim(&KEY).is_ok());
}

#[test]
fn a_damaged_record_is_forgotten_and_said() {
    let home = tempfile::tempdir().unwrap();
    let records = UploadRecords::open(home.path()).unwrap();
    let (claim, _) = records.claim(&KEY).unwrap();
    for bytes in [&b"nonsense"[..], b"", &[0; LONGEST as usize + 1]] {
        fs::write(&claim.record, bytes).unwrap();
        assert_eq!(claim.load().unwrap(), Remembered::Forgotten("it is damaged".to_owned()));
    }
    claim.save(&record(5)).unwrap();
    assert_eq!(claim.load().unwrap(), Remembered::Record(Box::new(record(5))));
}

#[test]
fn stopped_at_every_operation_it_says_the_old_or_the_new() {
    for (reboot, seed) in
        [(Reboot::Kill, 1), (Reboot::PowerCut, 1), (Reboot::PowerCut, 2), (Reboot::PowerCut, 3)]
    {
        for stop in 1.. {
            let disk = CrashDisk::new(seed);
            let records = UploadRecords::on(disk.clone(), Path::new("/state"));
            disk.stop_at(stop);
            let mut saved = 0;
            let ended = (|| {
                let (claim, _) = records.claim(&KEY)?;
                for offset in [10, 20, 30] {
                    claim.save(&record(offset))?;
                    saved = offset;
                }
                Ok::<_, StoreError>(())
            })();
            let after = disk.reboot(reboot, seed);
            let told = match remembered(&UploadRecords::on(after, Path::new("/state"))) {
                Remembered::Nothing => 0,
                Remembered::Record(record) => record.offset,
                Remembered::Forgotten(why) => panic!("stopped at {stop}: {why}"),
            };
            assert!(told == saved || told == saved + 10, "stopped at {stop}: {told}, but {saved} was saved");
            if ended.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn old_records_are_removed_and_new_ones_kept() {
    let home = tempfile::tempdir().unwrap();
    let records = UploadRecords::open(home.path()).unwrap();
    for key in [[1; 32], [2; 32]] {
        records.claim(&key).unwrap().0.save(&record(1)).unwrap();
    }
    let old = records.claim(&[1; 32]).unwrap().0.record.clone();
    let then = SystemTime::now() - KEPT - Duration::from_secs(60);
    fs::File::options().write(true).open(&old).unwrap().set_modified(then).unwrap();
    sweep(home.path(), SystemTime::now()).unwrap();
    assert!(old.exists(), "not twice a day");
    sweep(home.path(), SystemTime::now() + SWEEP_EVERY + Duration::from_secs(1)).unwrap();
    assert!(!old.exists());
    assert_ne!(records.claim(&[2; 32]).unwrap().1, Remembered::Nothing);
}

#[test]
fn the_folder_is_the_users_state() {
    let of = |pairs: &[(&str, &str)]| {
        UploadRecords::of_user(|name| {
            pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    };
    assert_eq!(of(&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")]), Some("/x/haul/uploads".into()));
    assert_eq!(of(&[("HOME", "/h")]), Some("/h/.local/state/haul/uploads".into()));
    assert_eq!(of(&[("XDG_STATE_HOME", "x"), ("HOME", "/h")]), Some("/h/.local/state/haul/uploads".into()));
    assert_eq!(of(&[]), None);
}
