//! `haul serve` that is killed, that has no room left, that is started twice, and that is asked to stop: what was
//! told is there, and goes on.

use std::{
    sync::{Barrier, Mutex},
    time::Duration,
};

use haul_testkit::{Caller, Content, disk::SmallDisk, real::peer, served};

use crate::scene::{
    MIB, Seeded, haul,
    served::{Place, begun, left_unfinished, owner, part, serve, stranger, wait_until_taken},
    wait_until,
};

const LEN: u64 = 2 * MIB + 77;

#[test]
fn a_server_that_is_killed_in_the_middle_of_fifty_uploads_has_all_it_told_and_no_half() {
    const MANY: u64 = 50;
    let place = Place::new();
    let served = place.serve().start();
    let addr = served.addr();
    let (all_there, killed) = (Barrier::new(MANY as usize + 1), Barrier::new(MANY as usize + 1));
    let again = Mutex::new(None);
    std::thread::scope(|scope| {
        for number in 0..MANY {
            let (all_there, killed) = (&all_there, &killed);
            scope.spawn(move || {
                let content = Content::new(number, LEN);
                let name = format!("{number}.bin");
                let sent = Seeded(number).below(LEN - 2) + 1;
                let mut caller = owner(addr);
                let mut data = begun(&mut caller, &format!("STOR {name}"), &part(content, 0, sent));
                let told = owner(addr).size(&name).expect("its owner sees it");
                assert!(told <= sent, "{told} of {sent}");
                all_there.wait();
                // Some are at work at that very moment.
                let _ = data.tries(&part(content, sent, LEN - 1));
                killed.wait();
                let mut caller = owner(addr);
                let offset = caller.size(&name).unwrap_or(0);
                assert!((told..LEN).contains(&offset), "{name}: {told} were told, {offset} are there");
                assert_eq!(stranger(addr).size(&name), None, "nobody sees a half");
                caller.says(&format!("REST {offset}"), 350);
                let end = caller.stores(&format!("STOR {name}"), &part(content, offset, LEN));
                assert_eq!(end.code, 226, "{end:?}");
            });
        }
        all_there.wait();
        *again.lock().unwrap() = Some(served.killed_and_started_again());
        killed.wait();
    });
    for number in 0..MANY {
        Content::new(number, LEN).assert_file_is(place.far(&format!("{number}.bin")));
    }
    let mut after = stranger(addr);
    assert_eq!(after.names("/").len() as u64, MANY);
}

#[test]
fn clients_go_on_by_themselves_when_the_server_comes_back() {
    let place = Place::new();
    let served = place.serve().start();
    let content = Content::new(1, 6 * MIB);
    content.write_to(place.local("f.bin"));
    let hauls: Vec<_> = (0..4)
        .map(|number| {
            let (url, state) =
                (served.url(&format!("/haul{number}")), place.local(&format!("state{number}")));
            let put = haul().args(["put", "-q", "--limit-rate", "3M", "f.bin", &url]);
            put.dir(place.dir()).env("XDG_STATE_HOME", state).spawn()
        })
        .collect();
    let lftps: Vec<_> = (0..4)
        .filter_map(|number| {
            let script = format!(
                "set ftp:ssl-allow no; set net:reconnect-interval-base 1; set net:limit-rate 3M:3M; \
                 set net:limit-max 65536; open -u {},{} -p {} 127.0.0.1; put -c f.bin -o lftp{number}",
                served::USER,
                served::PASSWORD,
                served.addr().port()
            );
            let lftp = haul_testkit::Haul::new(peer("lftp")?).args(["--norc", "-c", &script]);
            Some(lftp.dir(place.dir()).spawn())
        })
        .collect();
    let addr = served.addr();
    for name in ["haul0", "haul3"].into_iter().chain((!lftps.is_empty()).then_some("lftp3")) {
        wait_until(|| owner(addr).size(name).unwrap_or(0) >= MIB);
    }
    let served = served.killed_and_started_again();
    for process in hauls.into_iter().chain(lftps) {
        process.wait().expect_code(0);
    }
    for name in stranger(served.addr()).names("/") {
        content.assert_file_is(place.far(&name));
    }
}

#[test]
fn an_offset_never_goes_back_however_often_the_server_is_killed() {
    let place = Place::new();
    let mut served = place.serve().start();
    let content = Content::new(2, 16 * MIB);
    let (mut offset, mut random) = (0, Seeded(9));
    for _ in 0..12 {
        let mut caller = owner(served.addr());
        caller.says(&format!("REST {offset}"), 350);
        // More than what a server may take for a small file that will be whole in a moment.
        let end = offset + MIB + random.below(MIB / 4);
        let _data = begun(&mut caller, "STOR f", &part(content, offset, end));
        let told = owner(served.addr()).size("f").unwrap_or(0);
        assert!((offset..=end).contains(&told), "{offset} {told} {end}");
        served = served.killed_and_started_again();
        let kept = owner(served.addr()).size("f").unwrap_or(0);
        assert!((told..=end).contains(&kept), "{told} were told, {kept} are kept");
        offset = kept;
    }
    assert!(offset > 6 * MIB, "only {offset} were kept of twelve times a MiB");
    assert_eq!(owner(served.addr()).stores("APPE f", &part(content, offset, content.size())).code, 226);
    content.assert_file_is(place.far("f"));
}

#[test]
fn a_published_file_outlives_the_server() {
    let place = Place::new();
    let served = place.serve().start();
    let content = Content::new(3, LEN);
    let mut caller = owner(served.addr());
    let mut data = caller.data();
    caller.says("STOR f", 150);
    data.sends(&part(content, 0, LEN));
    data.finish();
    caller.hears(226);
    let served = served.killed_and_started_again();
    assert_eq!(stranger(served.addr()).size("f"), Some(LEN));
    content.assert_file_is(place.far("f"));
}

#[test]
fn a_full_disk_is_552_and_the_upload_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::new(8 * MIB) else { return };
    let content = Content::new(4, 12 * MIB);
    std::fs::write(disk.path().join("old"), "old").unwrap();
    let served = serve(disk.path()).start();
    let mut caller = owner(served.addr());
    let mut data = caller.data();
    caller.says("STOR old", 150);
    // The server hangs up where it can take no more.
    let _ = data.tries(&content.bytes(0..content.size()));
    drop(data);
    let full = caller.reply();
    assert_eq!(full.code, 552, "{full:?}");
    assert_eq!(std::fs::read(disk.path().join("old")).unwrap(), b"old");
    let kept = caller.size("old").unwrap();
    assert!(kept > 4 * MIB, "{kept}");
    assert!(full.text.contains(&format!("{kept} bytes are kept, go on with REST {kept}")), "{full:?}");
    let kept_in_log = format!("complete=no kept={kept} why=\"no space left\"");
    served.process().wait_for_line(|line| line.contains(&kept_in_log), Duration::from_secs(30));
    // Still no room: the server lives, and loses nothing.
    let again = {
        let mut data = caller.data();
        caller.sends("APPE old");
        let _ = data.tries(&content.bytes(kept..content.size()));
        drop(data);
        let first = caller.reply();
        if first.code == 150 { caller.reply() } else { first }
    };
    assert_eq!(again.code, 552, "{again:?}");
    assert!(caller.size("old").unwrap() >= kept);
    let served = served.killed_and_started_again();
    disk.resize(64 * MIB);
    let mut caller = owner(served.addr());
    let kept = caller.size("old").unwrap();
    assert_eq!(caller.stores("APPE old", &content.bytes(kept..content.size())).code, 226);
    content.assert_file_is(disk.path().join("old"));
}

#[test]
fn a_second_server_on_the_same_state_ends_with_7_and_touches_nothing() {
    let place = Place::new();
    let served = place.serve().start();
    left_unfinished(served.addr(), "f", b"some bytes");
    let end = serve(place.root()).run().expect_code(7);
    assert!(end.stderr.contains(".haul"), "{}", end.stderr);
    assert_eq!(owner(served.addr()).size("f"), Some(9));
    drop(served);
    let served = place.serve().start();
    assert_eq!(owner(served.addr()).size("f"), Some(9));
}

#[test]
fn a_second_server_on_the_same_tree_ends_with_7_wherever_its_state_is() {
    let place = Place::new();
    let served = place.serve().start();
    left_unfinished(served.addr(), "f", b"some bytes");
    let end = serve(place.root()).arg("--state").arg(place.local("state")).run().expect_code(7);
    let root = place.root().canonicalize().unwrap();
    assert!(end.stderr.contains(root.to_str().unwrap()), "{}", end.stderr);
    assert_eq!(owner(served.addr()).stores("APPE f", b"s").code, 226);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"some bytes");
}

#[test]
fn a_second_server_on_a_tree_hears_of_the_first_at_its_start_also_before_any_upload() {
    let place = Place::new();
    let first = place.serve().arg("--state").arg(place.local("first")).start();
    serve(place.root()).arg("--state").arg(place.local("second")).run().expect_code(7);
    assert_eq!(owner(first.addr()).stores("STOR f", b"x").code, 226);
}

#[test]
fn sigterm_lets_a_running_transfer_come_to_its_end() {
    let place = Place::new();
    let content = Content::new(5, LEN);
    content.write_to(place.far("down"));
    let served = place.serve().start();
    let (mut up, mut down, mut idle) = (owner(served.addr()), owner(served.addr()), owner(served.addr()));
    let mut upward = begun(&mut up, "STOR up", &part(content, 0, 1000));
    let mut downward = down.data();
    down.says("RETR down", 150);
    let first = downward.takes(1000);
    served.process().terminate();
    idle.hears(421);
    assert!(idle.is_ended());
    upward.sends(&part(content, 1000, LEN));
    upward.finish();
    up.hears(226);
    assert!([first, downward.all()].concat() == part(content, 0, LEN));
    down.hears(226);
    let end = served.wait();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    content.assert_file_is(place.far("up"));
}

#[test]
fn what_is_not_done_when_the_draining_ends_is_kept() {
    let place = Place::new();
    let served = place.serve().args(["--drain", "1"]).start();
    let mut caller = owner(served.addr());
    let data = begun(&mut caller, "STOR f", &part(Content::new(6, LEN), 0, 5000));
    served.process().terminate();
    let end = served.wait();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    drop(data);
    let served = place.serve().start();
    let kept = owner(served.addr()).size("f").unwrap();
    assert!((4999..=5000).contains(&kept), "{kept}");
    assert!(!place.far("f").exists());
}

#[test]
fn a_second_sigterm_stops_at_once() {
    let place = Place::new();
    let served = place.serve().args(["--drain", "600"]).start();
    let mut caller = owner(served.addr());
    let mut idle = owner(served.addr());
    let data = begun(&mut caller, "STOR f", &part(Content::new(7, LEN), 0, 5000));
    wait_until_taken(&data);
    served.process().terminate();
    idle.hears(421);
    served.process().terminate();
    served.wait();
    let served = place.serve().start();
    assert!(owner(served.addr()).size("f").unwrap() >= 4999);
}

#[test]
fn a_server_that_was_halted_for_a_while_goes_on() {
    let place = Place::new();
    let served = place.serve().start();
    let content = Content::new(8, LEN);
    let mut caller = owner(served.addr());
    let mut data = begun(&mut caller, "STOR f", &part(content, 0, 1000));
    served.process().halt();
    std::thread::sleep(Duration::from_millis(300));
    served.process().go_on();
    data.sends(&part(content, 1000, LEN));
    data.finish();
    caller.hears(226);
    content.assert_file_is(place.far("f"));
    let mut after = Caller::to(served.addr());
    after.hears(220);
}
