//! How uploads to `haul serve` end (design, section 6): what counts as whole, what is kept, and who takes over.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use haul_testkit::{Caller, Content};

use crate::scene::{
    served::{Place, begun, hash_of, owner, part, serve, wait_until_taken},
    wait_until,
};

const LEN: u64 = 300_000;
const NEW: Content = Content::new(2, LEN);
const OLD: Content = Content::new(3, LEN / 2);

/// All of the new content.
fn whole() -> Vec<u8> {
    part(NEW, 0, LEN)
}

#[test]
fn a_client_that_is_killed_ends_data_and_control_at_once_and_its_upload_is_kept() {
    let place = Place::new();
    let served = place.serve().start();
    for reset in [false, true] {
        let name = format!("f{reset}");
        let mut killed = owner(served.addr());
        let data = begun(&mut killed, &format!("STOR {name}"), &part(NEW, 0, 1000));
        // A transfer that took its time is watched long enough for a test's threads to be late.
        sleep(Duration::from_secs(1));
        // What the kernel does for it, in the order of its descriptors.
        data.fin();
        if reset {
            killed.resets();
        } else {
            drop(killed);
        }
        let mut back = owner(served.addr());
        wait_until_settled(&mut back, &name);
        assert!(!place.far(&name).exists(), "a half is no file");
        assert_eq!(back.stores(&format!("APPE {name}"), &part(NEW, 999, LEN)).code, 226);
        NEW.assert_file_is(place.far(&name));
    }
}

/// Waits until the session that uploaded has ended, by what the server tells of its sessions.
#[track_caller]
fn wait_until_settled(caller: &mut Caller, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while caller.size(name) != Some(999) {
        assert!(Instant::now() < deadline, "not settled: {:?}", caller.size(name));
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn control_that_ends_a_while_after_data_means_complete() {
    let place = Place::new();
    let served = place.serve().start();
    let mut device = owner(served.addr());
    let mut data = device.data();
    device.says("STOR f", 150);
    data.sends(&whole());
    data.fin();
    sleep(Duration::from_millis(100));
    drop(device);
    wait_until(|| place.far("f").exists());
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn abor_after_the_end_of_data_means_not_complete() {
    let place = Place::new();
    let served = place.serve().start();
    let mut client = owner(served.addr());
    let data = begun(&mut client, "STOR f", &part(NEW, 0, 1000));
    // Long enough for the watch over control to last some time.
    sleep(Duration::from_secs(1));
    data.fin();
    client.sends("ABOR");
    assert_eq!((client.reply().code, client.reply().code), (426, 226));
    assert!(!place.far("f").exists());
    assert_eq!(client.size("f"), Some(999));
}

#[test]
fn quit_during_the_transfer_and_then_the_end_means_complete() {
    for durability in ["full", "relaxed"] {
        let place = Place::new();
        let served = place.serve().config(&with(durability)).start();
        let mut client = owner(served.addr());
        let mut data = begun(&mut client, "STOR f", &part(NEW, 0, 1000));
        client.sends("QUIT");
        data.sends(&part(NEW, 1000, LEN));
        client.shuts();
        data.fin();
        client.hears(226);
        client.hears(221);
        assert!(client.is_ended());
        NEW.assert_file_is(place.far("f"));
    }
}

#[test]
fn control_that_ends_before_data_means_not_complete() {
    for durability in ["full", "relaxed"] {
        for reset in [false, true] {
            let place = Place::new();
            let served = place.serve().config(&with(durability)).start();
            let mut client = owner(served.addr());
            // So small that it would have its name at once.
            let data = begun(&mut client, "STOR f", &part(NEW, 0, 1000));
            if reset {
                client.resets();
            } else {
                drop(client);
            }
            data.fin();
            let mut back = owner(served.addr());
            wait_until_settled(&mut back, "f");
            assert!(!place.far("f").exists(), "{durability}: a half is no file");
            assert_eq!(back.stores("APPE f", &part(NEW, 999, LEN)).code, 226);
            NEW.assert_file_is(place.far("f"));
        }
    }
}

/// What the end of an upload promises.
fn with(durability: &str) -> String {
    format!("[uploads]\ndurability = \"{durability}\"\n")
}

#[test]
fn a_declared_size_that_is_reached_publishes_however_the_connections_end() {
    let place = Place::new();
    let served = place.serve().start();
    let mut client = owner(served.addr());
    client.says(&format!("ALLO {LEN}"), 200);
    let mut data = client.data();
    client.says("STOR f", 150);
    data.sends(&whole());
    wait_until_taken(&data);
    data.reset();
    client.resets();
    wait_until(|| place.far("f").exists());
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_declared_size_that_is_not_reached_keeps_the_upload_and_no_byte_is_held_back() {
    let place = Place::new();
    let served = place.serve().start();
    let mut client = owner(served.addr());
    client.says(&format!("ALLO {LEN}"), 200);
    let end = client.stores("STOR f", &part(NEW, 0, 1000));
    assert!((400..600).contains(&end.code), "{end:?}");
    assert_eq!(client.size("f"), Some(1000));
    // The rest, declared as such.
    client.says("REST 1000", 350);
    client.says(&format!("ALLO {}", LEN - 1000), 200);
    assert_eq!(client.stores("STOR f", &part(NEW, 1000, LEN)).code, 226);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_device_that_just_hangs_up_is_believed_where_the_configuration_says_so() {
    let place = Place::new();
    let hash = hash_of("click");
    let config = format!("[[user]]\nname = \"camera\"\npassword = \"{hash}\"\ncompletion = \"lenient\"\n");
    let served = place.serve().config(&config).start();
    let mut camera = Caller::binary(served.addr(), "camera", "click");
    let data = begun(&mut camera, "STOR f", &whole());
    data.fin();
    camera.resets();
    wait_until(|| place.far("f").exists());
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn in_place_is_the_classic_way() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = serve(place.root()).config("[uploads]\nmode = \"in-place\"\n").start();
    let mut writer = owner(served.addr());
    let data = begun(&mut writer, "STOR f", &part(NEW, 0, 1000));
    wait_until(|| place.far("f").metadata().unwrap().len() >= 1000);
    data.reset();
    writer.reply();
    let kept = writer.size("f").unwrap();
    assert!((999..=1000).contains(&kept), "{kept}");
    writer.says(&format!("REST {kept}"), 350);
    assert_eq!(writer.stores("STOR f", &part(NEW, kept, LEN)).code, 226);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_second_writer_of_the_same_user_waits_while_bytes_come_and_is_refused() {
    let place = Place::new();
    let served = place.serve().start();
    let (mut first, mut second) = (owner(served.addr()), owner(served.addr()));
    let mut data = begun(&mut first, "STOR f", &part(NEW, 0, 1000));
    let refused = std::thread::scope(|scope| {
        let newcomer = scope.spawn(|| {
            let _data = second.data();
            second.asks("STOR f")
        });
        let mut at = 1000;
        while !newcomer.is_finished() {
            data.sends(&part(NEW, at, at + 10));
            at += 10;
            sleep(Duration::from_millis(50));
        }
        data.sends(&part(NEW, at, LEN));
        newcomer.join().unwrap()
    });
    assert_eq!(refused.code, 450, "{refused:?}");
    data.finish();
    first.hears(226);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_client_that_comes_back_takes_over_from_its_own_dead_session() {
    let place = Place::new();
    let served = place.serve().start();
    let (mut dead, mut back) = (owner(served.addr()), owner(served.addr()));
    // Its host lost its network: nothing comes, and nothing ends.
    let mut silent = begun(&mut dead, "STOR f", &part(NEW, 0, 100_000));
    let began = Instant::now();
    let offset = back.size("f").expect("its owner sees it");
    assert!(offset <= 100_000, "{offset}");
    back.says(&format!("REST {offset}"), 350);
    let mut data = back.data();
    back.says("STOR f", 150);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    data.sends(&part(NEW, offset, LEN - 5));
    wait_until_taken(&data);
    // It wakes up: what it sends now goes nowhere.
    let _ = silent.tries(&[0xFF; 70_000]);
    silent.fin();
    let fenced = dead.reply();
    assert!((400..600).contains(&fenced.code), "{fenced:?}");
    data.sends(&part(NEW, LEN - 5, LEN));
    data.finish();
    back.hears(226);
    NEW.assert_file_is(place.far("f"));
}
