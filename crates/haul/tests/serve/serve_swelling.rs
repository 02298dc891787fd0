//! MODE Z of `haul serve` at its worst: streams that swell a thousandfold, and files that are long in work. Nobody else
//! waits for them, and they end where they are to end.

use std::{
    io::Write as _,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use flate2::{Compression, write::ZlibEncoder};
use haul_testkit::{Caller, Serve, Served};

use crate::scene::{
    MIB, Seeded, files,
    served::{OTHERS_PASSWORD, Place, hash_of, owner, stranger},
    wait_until,
};

const COMPRESSION: &str = "[ftp]\ncompression = true\n";

fn in_mode_z(served: &Served) -> Caller {
    let mut caller = owner(served.addr());
    caller.says("OPTS MODE Z LEVEL 9", 200);
    caller.says("MODE Z", 200);
    caller
}

/// So many mebibytes in about a thousandth of that.
fn bomb(mebibytes: u64) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(9));
    let zeroes = vec![0; MIB as usize];
    (0..mebibytes).for_each(|_| encoder.write_all(&zeroes).unwrap());
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() as u64 <= mebibytes * MIB / 512, "{}", bomb.len());
    bomb
}

/// What a compressor finds repeated everywhere, and never for long.
fn costly(len: u64) -> Vec<u8> {
    let mut random = Seeded(7);
    (0..len).map(|_| b'a' + random.below(2) as u8).collect()
}

/// A stream that becomes nothing, however long it is, and is not at its end: of blocks that have nothing in them but the
/// codes that it would be in (RFC 1951 §3.2.7), which are long to make.
fn barren(len: usize) -> Vec<u8> {
    let mut bits = Vec::new();
    let mut put = |value: u32, count: u32| bits.extend((0..count).map(|bit| (value >> bit) & 1 == 1));
    for _ in 0..8 {
        // Not the last block; 257 codes of letters and one of distances; lengths of 18 codes of lengths follow, of which
        // those of 18 (many zeroes) and of 1 are one bit long.
        put(0b100, 3);
        put(0, 10);
        put(14, 4);
        (0..18).for_each(|place| put(u32::from([2, 17].contains(&place)), 3));
        // No letter has a code, the end of the block and a distance have one; that end.
        [138, 118].into_iter().for_each(|zeroes| put(1 | ((zeroes - 11) << 1), 8));
        put(0, 3);
    }
    let byte = |eight: &[bool]| eight.iter().rev().fold(0, |byte, bit| (byte << 1) | u8::from(*bit));
    let blocks: Vec<u8> = bits.chunks(8).map(byte).collect();
    [&[0x78, 0x9c], blocks.repeat(len / blocks.len()).as_slice()].concat()
}

/// Says that it is over, whatever ends this.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long another session waits for its answers, in the middle of them, while on each thread that has sessions somebody
/// does this again and again.
fn waits(served: &Served, again: impl Fn(&mut Caller, usize) + Sync) -> Duration {
    let (over, at_it) = (AtomicBool::new(false), AtomicUsize::new(0));
    let many = thread::available_parallelism().unwrap().get().min(16);
    let mut waited = thread::scope(|scope| {
        let _over = Over(&over);
        for number in 0..many {
            let mut caller = in_mode_z(served);
            let (again, over, at_it) = (&again, &over, &at_it);
            scope.spawn(move || {
                again(&mut caller, number);
                at_it.fetch_add(1, Ordering::Relaxed);
                while !over.load(Ordering::Relaxed) {
                    again(&mut caller, number);
                }
            });
        }
        wait_until(|| at_it.load(Ordering::Relaxed) == many);
        let mut other = owner(served.addr());
        let answered = || {
            // At any time, and not just where the thread is free anyway.
            thread::sleep(Duration::from_millis(7));
            let asked = Instant::now();
            other.says("NOOP", 200);
            asked.elapsed()
        };
        std::iter::repeat_with(answered).take(40).collect::<Vec<_>>()
    });
    waited.sort_unstable();
    waited[waited.len() / 2]
}

#[test]
fn who_compresses_and_what_swells_keep_nobody_waiting() {
    const PROMPT: Duration = Duration::from_millis(25);
    let place = Place::new();
    std::fs::write(place.far("costly"), costly(2 * MIB)).unwrap();
    let served = place.serve().config(COMPRESSION).start();
    let sending = waits(&served, |caller, _| drop(caller.receives("RETR costly")));
    let barren = barren(2 * MIB as usize);
    let receiving = waits(&served, |caller, number| {
        assert_eq!(caller.stores(&format!("STOR f{number}"), &barren).code, 426);
    });
    assert!(sending < PROMPT && receiving < PROMPT, "{sending:?} {receiving:?}");
}

#[test]
fn what_swells_ends_soon_when_it_is_to_end() {
    const SOON: u64 = 64 * MIB;
    let place = Place::new();
    let served = place.serve().config(COMPRESSION).start();
    let bomb = bomb(768);
    let mut caller = in_mode_z(&served);
    let mut data = caller.data();
    caller.says("STOR bomb", 150);
    let (seen, kept) = thread::scope(|scope| {
        // The server may not want all of it.
        scope.spawn(move || drop(data.tries(&bomb)));
        wait_until(|| place.hidden() > MIB);
        let seen = place.hidden();
        caller.sends("ABOR");
        caller.hears(426);
        caller.hears(226);
        (seen, place.hidden())
    });
    assert!(kept < seen + SOON, "{seen} {kept}");
    assert!(caller.size("bomb").unwrap() <= kept);
    assert!(!place.far("bomb").exists());
}

#[test]
fn what_swells_comes_no_further_than_a_quota() {
    const QUOTA: u64 = 4 * MIB;
    let place = Place::new();
    std::fs::create_dir_all(place.far("home")).unwrap();
    let password = hash_of(OTHERS_PASSWORD);
    let config = format!(
        "{COMPRESSION}[[user]]\nname = \"b\"\npassword = \"{password}\"\nhome = \"/home\"\nquota_bytes = \"4M\"\n"
    );
    let served = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).config(&config).start();
    let mut caller = stranger(served.addr());
    caller.says("MODE Z", 200);
    let mut data = caller.data();
    caller.says("STOR bomb", 150);
    let _ = data.tries(&bomb(1024));
    let reply = caller.reply();
    assert_eq!(reply.code, 552, "{reply:?}");
    let there = place.hidden();
    assert!(there <= QUOTA && caller.size("bomb").unwrap() <= QUOTA, "{there}");
    assert_eq!(files(&place.far("home")), [""; 0]);
}
