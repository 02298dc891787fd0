//! MODE B of `haul serve` (RFC 959 §3.4.2, §3.5), by hand: an upload is whole where its end was told and nowhere else, what
//! a 110 told is there whoever is killed, and what cannot be relied on is not published.

use std::{net::SocketAddr, time::Instant};

use haul_testkit::{
    Caller, Content, HaulProcess,
    caller::{Data, Reply},
    served::{PASSWORD, USER},
    tls::{Certificates, Version},
};

use crate::scene::{
    MIB,
    figures::{Figures, told_at},
    served::{Place, owner, part, stranger, wait_until_taken},
    wait_until,
};

const LEN: u64 = 300_000;
const NEW: Content = Content::new(2, LEN);
const OLD: Content = Content::new(3, LEN / 2);

const END: [u8; 3] = [64, 0, 0];

/// Some bytes in blocks of at most 50,000.
fn blocks(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(50_000).flat_map(|piece| block(0, piece)).collect()
}

fn block(descriptor: u8, bytes: &[u8]) -> Vec<u8> {
    let count = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[descriptor], &count[..], bytes].concat()
}

fn marker(name: &str) -> Vec<u8> {
    block(16, name.as_bytes())
}

/// What came in blocks: the bytes, the markers and where they stood, and whether the end was told.
fn read(wire: &[u8]) -> (Vec<u8>, Vec<(usize, String)>, bool) {
    let (mut rest, mut file, mut markers) = (wire, Vec::new(), Vec::new());
    while let [descriptor, high, low, behind @ ..] = rest {
        let count = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((bytes, next)) = behind.split_at_checked(count) else { break };
        match descriptor {
            0 => file.extend_from_slice(bytes),
            16 => markers.push((file.len(), String::from_utf8(bytes.to_vec()).unwrap())),
            64 => {
                file.extend_from_slice(bytes);
                assert!(next.is_empty(), "something stands behind the end");
                return (file, markers, true);
            }
            other => panic!("a descriptor of {other}"),
        }
        rest = next;
    }
    (file, markers, false)
}

fn in_blocks(addr: SocketAddr) -> Caller {
    let mut caller = owner(addr);
    caller.says("MODE B", 200);
    caller
}

#[track_caller]
fn begins(caller: &mut Caller, command: &str) -> Data {
    let data = caller.data();
    caller.says(command, 150);
    data
}

/// All of it in one go; the reply at the end.
#[track_caller]
fn stores(caller: &mut Caller, command: &str, wire: &[u8]) -> Reply {
    let mut data = begins(caller, command);
    data.sends(wire);
    data.finish();
    caller.reply()
}

#[track_caller]
fn marked(caller: &mut Caller, theirs: &str, ours: u64) {
    assert_eq!(caller.reply().text, format!("110 MARK {theirs} = {ours}\r\n"));
}

#[test]
fn an_upload_is_whole_where_its_end_was_told() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    let mut caller = in_blocks(served.addr());
    let wire = [blocks(&part(NEW, 0, LEN)), END.to_vec()].concat();
    assert_eq!(stores(&mut caller, "STOR f", &wire).code, 226);
    NEW.assert_file_is(place.far("f"));
    // In any pieces, and with the last bytes in the block that is the end.
    let last = [blocks(&part(NEW, 0, LEN - 9)), block(64, &part(NEW, LEN - 9, LEN))].concat();
    let mut data = begins(&mut caller, "STOR g");
    for piece in last.chunks(7001) {
        data.sends(piece);
    }
    // The connection stays: the end is told, and nothing else is waited for.
    caller.hears(226);
    NEW.assert_file_is(place.far("g"));
    drop(data);
    // An empty file, and one of which something is there already.
    assert_eq!(stores(&mut caller, "STOR empty", &END).code, 226);
    assert_eq!(std::fs::read(place.far("empty")).unwrap(), b"");
    assert_eq!(stores(&mut caller, "APPE g", &[block(0, b"more"), END.to_vec()].concat()).code, 226);
    assert_eq!(std::fs::metadata(place.far("g")).unwrap().len(), LEN + 4);
}

#[test]
fn without_its_end_nothing_is_published_however_well_the_connections_end() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    let wire = blocks(&part(NEW, 0, LEN));
    // A close, a close within a block, within a header; the control connection lives.
    for cut in [wire.len(), wire.len() - 10, wire.len() - 50_000 - 2, 0] {
        let mut caller = in_blocks(served.addr());
        let reply = stores(&mut caller, "STOR f", &wire[..cut]);
        assert_eq!(reply.code, 426, "{reply:?}");
        assert!(reply.text.contains("before the file did"), "{reply:?}");
        OLD.assert_file_is(place.far("f"));
        if cut == 0 {
            continue;
        }
        let kept = caller.size("f").unwrap();
        assert!(reply.text.contains(&format!("REST {kept}")), "{kept}, {reply:?}");
        // The same session goes on with it, in whatever mode.
        let rest = part(NEW, kept, LEN);
        caller.says(&format!("REST {kept}"), 350);
        if cut == wire.len() {
            caller.says("MODE S", 200);
            assert_eq!(caller.stores("STOR f", &rest).code, 226);
        } else {
            let wire = [blocks(&rest), END.to_vec()].concat();
            assert_eq!(stores(&mut caller, "STOR f", &wire).code, 226);
        }
        NEW.assert_file_is(place.far("f"));
        OLD.write_to(place.far("f"));
    }
}

#[test]
fn a_killed_client_publishes_nothing_and_one_that_told_the_end_has_published() {
    let place = Place::new();
    let served = place.serve().start();
    let wire = blocks(&part(NEW, 0, LEN));
    let mut killed = in_blocks(served.addr());
    let mut data = begins(&mut killed, "STOR f");
    data.sends(&wire);
    wait_until_taken(&data);
    // What the kernel does for it, in the order of its descriptors.
    data.fin();
    drop(killed);
    let mut back = in_blocks(served.addr());
    wait_until(|| owner(served.addr()).size("f") == Some(LEN - 1));
    assert!(!place.far("f").exists());
    back.says(&format!("REST {}", LEN - 1), 350);
    let rest = [blocks(&part(NEW, LEN - 1, LEN)), END.to_vec()].concat();
    assert_eq!(stores(&mut back, "STOR f", &rest).code, 226);
    // The same with its end: nothing that happens afterwards takes it back.
    let mut killed = in_blocks(served.addr());
    let mut data = begins(&mut killed, "STOR g");
    data.sends(&[&wire[..], &END].concat());
    killed.resets();
    data.fin();
    wait_until(|| place.far("g").exists());
    for name in ["f", "g"] {
        NEW.assert_file_is(place.far(name));
    }
}

#[test]
fn a_marker_is_answered_once_all_before_it_is_safe_and_survives_the_server() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    let addr = served.addr();
    let mut caller = in_blocks(addr);
    let mut data = begins(&mut caller, "STOR f");
    // The answer comes without another byte, at the very first one as well.
    data.sends(&marker("0"));
    marked(&mut caller, "0", 0);
    data.sends(&blocks(&part(NEW, 0, 1000)));
    data.sends(&marker("first:1000"));
    marked(&mut caller, "first:1000", 1000);
    assert_eq!(owner(addr).size("f"), Some(1000), "nothing is held back");
    // Several at once are all answered, in order.
    let many: Vec<u8> = (1..6)
        .flat_map(|n| [blocks(&part(NEW, n * 1000, n * 1000 + 1000)), marker(&n.to_string())].concat())
        .collect();
    data.sends(&many);
    for n in 1..6 {
        marked(&mut caller, &n.to_string(), n * 1000 + 1000);
    }
    data.sends(&blocks(&part(NEW, 6000, 9000)));
    let served = served.killed_and_started_again();
    let mut caller = in_blocks(served.addr());
    let there = caller.size("f").unwrap();
    assert!(there >= 6000, "{there}");
    assert_eq!(stranger(served.addr()).size("f"), Some(OLD.size()));
    caller.says("REST 6000", 350);
    let mut data = begins(&mut caller, "STOR f");
    data.sends(&[blocks(&part(NEW, 6000, LEN)), marker("all"), END.to_vec()].concat());
    marked(&mut caller, "all", LEN);
    caller.hears(226);
    drop(data);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_marker_at_the_very_end_is_kept_although_only_the_end_is_missing() {
    let place = Place::new();
    let served = place.serve().start();
    let mut caller = in_blocks(served.addr());
    let mut data = begins(&mut caller, "STOR f");
    data.sends(&[blocks(&part(NEW, 0, LEN)), marker("end")].concat());
    marked(&mut caller, "end", LEN);
    data.reset();
    assert_eq!(caller.reply().code, 426);
    assert_eq!(caller.size("f"), Some(LEN));
    assert!(!place.far("f").exists());
    caller.says(&format!("REST {LEN}"), 350);
    assert_eq!(stores(&mut caller, "STOR f", &END).code, 226);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn what_cannot_be_relied_on_is_kept_up_to_there_and_not_published() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().start();
    let mut caller = in_blocks(served.addr());
    let good = blocks(&part(NEW, 0, 5000));
    for (wrong, words) in [
        (block(32, b"doubtful"), "suspected"),
        (block(1, b"?"), "means nothing"),
        (block(16, b""), "marker"),
        (block(16, b"a b"), "marker"),
        (block(16, b"226 \r\n226"), "marker"),
        (block(16, &[b'x'; 256]), "marker"),
        ([END, END].concat(), "behind the end"),
        ([END.to_vec(), block(0, b"more")].concat(), "behind the end"),
    ] {
        let reply = stores(&mut caller, "STOR f", &[&good[..], &wrong].concat());
        assert_eq!(reply.code, 451, "{reply:?}");
        assert!(reply.text.contains(words), "{reply:?}");
        assert_eq!(caller.size("f"), Some(4999), "{reply:?}");
        OLD.assert_file_is(place.far("f"));
        caller.says("DELE f", 250);
    }
    // A name that says another place than where it stands is a name and no more: the server tells its own.
    let odd = [&good[..], &marker("4000"), &block(0, b""), &block(0, b""), &marker("18446744073709551616")]
        .concat();
    let mut data = begins(&mut caller, "STOR f");
    data.sends(&odd);
    marked(&mut caller, "4000", 5000);
    marked(&mut caller, "18446744073709551616", 5000);
    data.sends(&END);
    caller.hears(226);
    assert!(std::fs::read(place.far("f")).unwrap() == part(NEW, 0, 5000));
}

#[test]
fn a_client_that_leaves_all_answers_untaken_costs_no_memory_and_no_time() {
    let place = Place::new();
    let served = place.serve().start();
    let mut caller = in_blocks(served.addr());
    let mut data = begins(&mut caller, "STOR f");
    let name = "m".repeat(255);
    let many = [block(0, b"x"), marker(&name)].concat().repeat(3000);
    data.sends(&many);
    data.sends(&END);
    data.finish();
    let mut told = 0;
    let end = loop {
        let reply = caller.reply();
        if reply.code != 110 {
            break reply;
        }
        told += 1;
    };
    assert_eq!(end.code, 226, "{end:?}");
    assert!((1..=3000).contains(&told), "{told}");
    assert_eq!(std::fs::metadata(place.far("f")).unwrap().len(), 3000);
}

/// Calls of a process that have written something, where the system counts them.
fn writes_of(process: &HaulProcess) -> Option<u64> {
    let counted = std::fs::read_to_string(format!("/proc/{}/io", process.id())).ok()?;
    counted.lines().find_map(|line| line.strip_prefix("syscw: "))?.parse().ok()
}

#[test]
fn a_flood_of_markers_is_neither_a_flood_of_writes_nor_of_syncs() {
    let place = Place::new();
    let served = place.serve().args(["--metrics", "127.0.0.1:0"]).start();
    let at = told_at(&served);
    let mut caller = in_blocks(served.addr());
    let many = 150_000;
    let wire = [block(0, b"x"), marker("m")].concat().repeat(many);
    let mut data = begins(&mut caller, "STOR f");
    let (began, before) = (Instant::now(), writes_of(served.process()));
    data.sends(&wire);
    data.sends(&marker("last"));
    // The last one is answered, as soon as nothing more comes.
    let last = format!("110 MARK last = {many}\r\n");
    while caller.reply().text != last {}
    let (took, after) = (began.elapsed(), writes_of(served.process()));
    let syncs = Figures::at(at, "/metrics").of("haul_sync_seconds_count{what=\"file\"}") as u128;
    data.sends(&END);
    caller.hears(226);
    assert_eq!(std::fs::metadata(place.far("f")).unwrap().len(), many as u64);
    // Twice a second, and once each time that the client, on a slow machine, seems to have fallen quiet.
    let most = 4 + took.as_millis() / 500 + took.as_millis() / 20;
    assert!(syncs <= most, "{syncs} syncs in {took:?}");
    if let (Some(before), Some(after)) = (before, after) {
        // As many as it was read in pieces, and some for the ledger at each sync.
        let most = many as u64 / 10 + 100 * syncs as u64;
        assert!(after - before < most, "{} writes", after - before);
    }
}

/// A file in blocks of all sizes, with markers: the wire, and where they stand. The last bytes are in the block that is
/// the end.
fn of_all_sizes(content: Content, from: u64) -> (Vec<u8>, Vec<u64>) {
    let sizes = [65_535, 61_440, 65_535, 16_384, 16_383, 0, 50_000, 1, 300, 65_535];
    let (mut wire, mut marks, mut at) = (Vec::new(), Vec::new(), from);
    for size in sizes.iter().cycle() {
        let to = at + size;
        if to >= content.size() {
            wire.extend(block(64, &part(content, at, content.size())));
            return (wire, marks);
        }
        wire.extend(block(0, &part(content, at, to)));
        if at >> 22 != to >> 22 {
            wire.extend(marker(&to.to_string()));
            marks.push(to);
        }
        at = to;
    }
    (wire, marks)
}

#[test]
fn a_fast_upload_in_blocks_of_all_sizes_is_what_was_sent_in_the_clear_and_within_tls() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let (cert, key) = (certificates.cert_pem_path(), certificates.key_pem_path());
    let served = place.serve().arg("--tls-cert").arg(cert).arg("--tls-key").arg(key).start();
    let content = Content::new(6, 30 * MIB + 12_345);
    let config = certificates.client_config(None);
    for mut caller in [owner(served.addr()), Caller::protected(served.addr(), config, USER, PASSWORD)] {
        caller.says("MODE B", 200);
        let (wire, marks) = of_all_sizes(content, 0);
        let mut data = begins(&mut caller, "STOR f");
        data.sends(&wire);
        for mark in marks {
            marked(&mut caller, &mark.to_string(), mark);
        }
        caller.hears(226);
        drop(data);
        content.assert_file_is(place.far("f"));
        // Cut within the bytes of a block; gone on with from there; and what stands behind the end is found.
        let cut =
            [blocks(&part(content, 0, 20 * MIB)), block(0, &part(content, 20 * MIB, 21 * MIB - 1_000_000))];
        let cut = cut.concat();
        let mut data = begins(&mut caller, "STOR g");
        data.sends(&cut[..cut.len() - 3]);
        data.finish();
        assert_eq!(caller.reply().code, 426);
        let there = 21 * MIB - 1_000_000 - 3;
        assert_eq!(caller.size("g"), Some(there - 1));
        for behind in [&b"\0"[..], &END, &[0; 200]] {
            caller.says(&format!("REST {}", there - 1), 350);
            let (wire, _) = of_all_sizes(content, there - 1);
            let mut data = begins(&mut caller, "STOR g");
            let (most, last) = wire.split_at(wire.len() - 10);
            data.sends(most);
            wait_until_taken(&data);
            // In one segment.
            data.sends(&[last, behind].concat());
            let end = ends(&mut caller);
            assert_eq!(end.code, 451, "{end:?}");
            drop(data);
        }
        assert!(!place.far("g").exists());
        caller.says(&format!("REST {}", there - 1), 350);
        let mut data = begins(&mut caller, "STOR g");
        data.sends(&of_all_sizes(content, there - 1).0);
        assert_eq!(ends(&mut caller).code, 226);
        drop(data);
        content.assert_file_is(place.far("g"));
        caller.says("DELE g", 250);
    }
}

/// The reply to the end, after whatever was told of markers.
#[track_caller]
fn ends(caller: &mut Caller) -> Reply {
    loop {
        let reply = caller.reply();
        if reply.code != 110 {
            return reply;
        }
    }
}

#[test]
fn abor_ends_an_upload_in_blocks_and_keeps_what_came() {
    let place = Place::new();
    let served = place.serve().start();
    let mut caller = in_blocks(served.addr());
    let mut data = begins(&mut caller, "STOR f");
    data.sends(&blocks(&part(NEW, 0, 1000)));
    wait_until_taken(&data);
    caller.says("ABOR", 426);
    caller.hears(226);
    assert_eq!(caller.size("f"), Some(999));
}

#[test]
fn a_file_comes_in_blocks_with_a_marker_after_each_mebibyte_and_goes_on_there() {
    let place = Place::new();
    let content = Content::new(5, 3 * MIB + 77);
    content.write_to(place.far("f"));
    let served = place.serve().start();
    let mut caller = in_blocks(served.addr());
    let (file, markers, ended) = read(&caller.receives("RETR f"));
    assert!(file == part(content, 0, content.size()) && ended);
    let expected: Vec<(usize, String)> = (1..=3).map(|n| n << 20).map(|at| (at, at.to_string())).collect();
    assert_eq!(markers, expected);
    caller.says(&format!("REST {}", markers[1].1), 350);
    let (rest, markers, ended) = read(&caller.receives("RETR f"));
    assert!(rest == part(content, 2 * MIB, content.size()) && ended);
    assert_eq!(markers, [(1 << 20, (3 << 20).to_string())]);
    // From anywhere; and nothing at all has an end, too.
    caller.says("RANG 5 9", 350);
    assert_eq!(read(&caller.receives("RETR f")), (part(content, 5, 10), Vec::new(), true));
    caller.says(&format!("REST {}", content.size()), 350);
    assert_eq!(read(&caller.receives("RETR f")), (Vec::new(), Vec::new(), true));
    // Lists, too; and in TYPE A nobody could go on at a marker.
    let (names, _, ended) = read(&caller.receives("NLST"));
    assert_eq!((names, ended), (b"f\r\n".to_vec(), true));
    std::fs::write(place.far("t"), "a\nb\n".repeat(400_000)).unwrap();
    caller.says("TYPE A", 200);
    let (text, markers, ended) = read(&caller.receives("RETR t"));
    assert!(text == "a\r\nb\r\n".repeat(400_000).into_bytes() && ended);
    assert_eq!(markers, []);
}

#[test]
fn a_download_that_its_server_did_not_finish_has_no_end() {
    let place = Place::new();
    let content = Content::new(5, 40 * MIB);
    content.write_to(place.far("f"));
    let served = place.serve().start();
    let mut caller = in_blocks(served.addr());
    let mut data = begins(&mut caller, "RETR f");
    let mut wire = data.takes(5 * MIB as usize);
    let again = served.killed();
    wire.extend(data.to_the_end().unwrap_or_default());
    let (file, markers, ended) = read(&wire);
    assert!(!ended && content.size() > file.len() as u64);
    let served = again.start();
    let mut caller = in_blocks(served.addr());
    let from = markers.last().map_or(0, |(_, name)| name.parse::<u64>().unwrap());
    caller.says(&format!("REST {from}"), 350);
    let (rest, _, ended) = read(&caller.receives("RETR f"));
    assert!(ended && [&file[..from as usize], &rest].concat() == part(content, 0, content.size()));
}

#[test]
fn within_tls_it_is_the_same() {
    let (place, certificates) = (Place::new(), Certificates::for_loopback());
    let (cert, key) = (certificates.cert_pem_path(), certificates.key_pem_path());
    let served = place.serve().arg("--tls-cert").arg(cert).arg("--tls-key").arg(key).start();
    for version in [Version::Tls12, Version::Tls13] {
        let config = certificates.client_config(Some(version));
        let mut caller = Caller::protected(served.addr(), config, USER, PASSWORD);
        caller.says("MODE B", 200);
        let mut data = begins(&mut caller, "STOR f");
        data.sends(&[blocks(&part(NEW, 0, 70_000)), marker("x")].concat());
        marked(&mut caller, "x", 70_000);
        // A clean end of TLS is no end of the file.
        data.finish();
        assert_eq!(caller.reply().code, 426);
        caller.says("REST 70000", 350);
        let rest = [blocks(&part(NEW, 70_000, LEN)), END.to_vec()].concat();
        assert_eq!(stores(&mut caller, "STOR f", &rest).code, 226);
        NEW.assert_file_is(place.far("f"));
        let (file, _, ended) = read(&caller.receives("RETR f"));
        assert!(file == part(NEW, 0, LEN) && ended);
    }
}

#[test]
fn where_uploads_are_in_place_blocks_and_markers_are_the_same() {
    let place = Place::new();
    let served = place.serve().config("[uploads]\nmode = \"in-place\"\n").start();
    let mut caller = in_blocks(served.addr());
    let mut data = begins(&mut caller, "STOR f");
    data.sends(&[blocks(&part(NEW, 0, 70_000)), marker("x")].concat());
    marked(&mut caller, "x", 70_000);
    data.reset();
    assert_eq!(caller.reply().code, 426);
    caller.says("REST 70000", 350);
    let rest = [blocks(&part(NEW, 70_000, LEN)), END.to_vec()].concat();
    assert_eq!(stores(&mut caller, "STOR f", &rest).code, 226);
    NEW.assert_file_is(place.far("f"));
}
