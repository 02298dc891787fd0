//! MODE Z and STRU R of `haul serve`: what lftp and zlib make of them, what is cut and what is junk; CSID and LANG. What
//! swells, and what it costs, is in serve_swelling.rs, MODE B in serve_blocks.rs.

use std::{
    io::{Read as _, Write as _},
    path::Path,
};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use haul_testkit::{
    Caller, Content, Finished, Haul, Serve, Served,
    caller::Reply,
    real::peer,
    served::{PASSWORD, USER},
};

use crate::scene::served::{Place, owner, part, wait_until_taken};

const LEN: u64 = 300_000;
const NEW: Content = Content::new(2, LEN);
const OLD: Content = Content::new(3, LEN / 2);

fn compressing(place: &Place) -> Serve {
    place.serve().config("[ftp]\ncompression = true\n")
}

fn in_mode_z(served: &Served) -> Caller {
    let mut caller = owner(served.addr());
    caller.says("MODE Z", 200);
    caller
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn inflated(wire: &[u8]) -> Vec<u8> {
    let (mut decoder, mut bytes) = (ZlibDecoder::new(wire), Vec::new());
    decoder.read_to_end(&mut bytes).unwrap();
    assert_eq!(decoder.total_in(), wire.len() as u64, "nothing stands behind it");
    bytes
}

/// Text, which can be compressed.
fn text(lines: usize) -> Vec<u8> {
    (0..lines).flat_map(|n| format!("line {n} of a text that repeats itself\n").into_bytes()).collect()
}

fn lftp(served: &Served, dir: &Path, script: &str) -> Option<Finished> {
    let settings = "set net:max-retries 1; set ftp:use-mode-z yes; set cmd:fail-exit yes; \
                    set ftp:ssl-allow no; debug 5; ";
    let open = format!("open -u {USER},{PASSWORD} ftp://{}; ", served.addr());
    let script = format!("{settings}{open}{script}; quit");
    Some(Haul::new(peer("lftp")?).args(["--norc", "-c", &script]).dir(dir).run())
}

#[test]
fn mode_z_is_offered_only_where_it_was_asked_for() {
    let place = Place::new();
    let served = place.serve().start();
    let mut caller = owner(served.addr());
    assert!(!caller.says("FEAT", 211).text.contains("MODE Z"));
    caller.says("MODE Z", 504);
    let served = compressing(&Place::new()).start();
    let mut caller = owner(served.addr());
    assert!(caller.says("FEAT", 211).text.contains("\r\n MODE Z\r\n"));
    caller.says("OPTS MODE Z LEVEL 9", 200);
    caller.says("OPTS MODE Z LEVEL 10", 504);
}

#[test]
fn lftp_compresses_both_ways_and_goes_on() {
    let place = Place::new();
    let text = text(60_000);
    std::fs::write(place.far("t"), &text).unwrap();
    let served = compressing(&place).start();
    let Some(end) = lftp(&served, place.dir(), "get t -o got; put got -o sent; cls -1") else { return };
    let end = end.expect_code(0);
    assert!(end.stderr.contains("200 Mode Z."), "{}", end.stderr);
    assert!(end.stdout.ends_with(b"sent\nt\n"), "{:?}", String::from_utf8_lossy(&end.stdout));
    assert!(std::fs::read(place.local("got")).unwrap() == text);
    assert!(std::fs::read(place.far("sent")).unwrap() == text);
    // An empty file, and on from where something is, both ways.
    std::fs::write(place.far("empty"), "").unwrap();
    std::fs::write(place.local("got"), &text[..700_000]).unwrap();
    let end = lftp(&served, place.dir(), "get empty; put empty -o empty2; get -c t -o got").unwrap();
    let end = end.expect_code(0);
    assert!(end.stderr.contains("REST 700000"), "{}", end.stderr);
    assert!(std::fs::read(place.local("got")).unwrap() == text);
    assert_eq!(
        (place.local("empty").metadata().unwrap().len(), place.far("empty2").metadata().unwrap().len()),
        (0, 0)
    );
    let mut caller = in_mode_z(&served);
    let mut data = caller.data();
    caller.says("STOR half", 150);
    let wire = deflated(&text);
    data.sends(&wire[..wire.len() / 2]);
    wait_until_taken(&data);
    data.reset();
    assert_eq!(caller.reply().code, 426);
    let kept = caller.size("half").unwrap();
    assert!(kept > 700_000, "bytes of the file, and not of the wire: {kept}");
    let end = lftp(&served, place.dir(), "put -c got -o half").unwrap().expect_code(0);
    assert!(end.stderr.contains(&format!("REST {kept}")), "{}", end.stderr);
    assert!(std::fs::read(place.far("half")).unwrap() == text);
}

#[test]
fn an_upload_in_mode_z_is_whole_where_its_stream_is() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = compressing(&place).start();
    let whole = deflated(&part(NEW, 0, LEN));
    let mut caller = in_mode_z(&served);
    // A clean end of the connection before that of the stream, and none at all.
    let reply = caller.stores("STOR f", &whole[..whole.len() - 1]);
    assert_eq!(reply.code, 426, "{reply:?}");
    OLD.assert_file_is(place.far("f"));
    let kept = caller.size("f").unwrap();
    caller.says(&format!("REST {kept}"), 350);
    assert_eq!(caller.stores("STOR f", &deflated(&part(NEW, kept, LEN))).code, 226);
    NEW.assert_file_is(place.far("f"));
    // Junk behind the end, and junk alone.
    OLD.write_to(place.far("f"));
    for (wire, words) in [
        ([&whole[..], b"junk"].concat(), "behind the end"),
        ([&whole[..], &whole].concat(), "behind the end"),
        (part(NEW, 0, LEN), "zlib"),
    ] {
        let reply = caller.stores("STOR f", &wire);
        assert_eq!(reply.code, 451, "{reply:?}");
        assert!(reply.text.contains(words), "{reply:?}");
        OLD.assert_file_is(place.far("f"));
    }
    caller.says("DELE f", 250);
    // Its end is told: nobody waits for that of the connection.
    let mut data = caller.data();
    caller.says("STOR f", 150);
    data.sends(&whole);
    caller.hears(226);
    drop(data);
    NEW.assert_file_is(place.far("f"));
    assert!(inflated(&caller.receives("RETR f")) == part(NEW, 0, LEN));
    caller.says("REST 299990", 350);
    assert_eq!(inflated(&caller.receives("RETR f")), part(NEW, 299_990, LEN));
    assert_eq!(inflated(&caller.receives("NLST")), b"f\r\n");
}

#[test]
fn a_declared_size_makes_no_file_of_what_is_damaged_or_has_no_end() {
    let place = Place::new();
    let served = compressing(&place).start();
    let mut caller = owner(served.addr());
    let bytes = part(NEW, 0, LEN);
    let stream = deflated(&bytes);
    let mut damaged = stream.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let block = |descriptor: u8, bytes: &[u8]| {
        [&[descriptor], &u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
    };
    let blocks: Vec<u8> = bytes.chunks(50_000).flat_map(|piece| block(0, piece)).collect();
    let junk = |wire: &[u8], behind: &[u8]| [wire, behind].concat();
    for (mode, wire, code) in [
        ("MODE Z", stream[..stream.len() - 4].to_vec(), 426),
        ("MODE Z", damaged, 451),
        ("MODE Z", junk(&stream, b"junk"), 451),
        ("MODE B", blocks.clone(), 426),
        ("MODE B", junk(&blocks, &block(32, b"x")), 451),
        ("MODE B", junk(&blocks, &[block(64, b""), block(0, b"x")].concat()), 451),
    ] {
        OLD.write_to(place.far("f"));
        caller.says(mode, 200);
        caller.says(&format!("ALLO {LEN}"), 200);
        let reply = caller.stores("STOR f", &wire);
        assert_eq!(reply.code, code, "{mode} {reply:?}");
        OLD.assert_file_is(place.far("f"));
        // Its end is still to be told, and then it is there.
        let kept = caller.size("f").unwrap();
        assert!(kept < LEN && (code == 451 || kept == LEN - 1), "{mode} {code}: {kept}");
        caller.says(&format!("REST {kept}"), 350);
        let last = part(NEW, kept, LEN);
        let end = if mode == "MODE Z" { deflated(&last) } else { block(64, &last) };
        assert_eq!(caller.stores("STOR f", &end).code, 226);
        NEW.assert_file_is(place.far("f"));
    }
}

#[test]
fn python_s_zlib_reads_and_writes_it() {
    let Some(python) = peer("python3") else { return };
    let place = Place::new();
    let text = text(20_000);
    std::fs::write(place.far("t"), &text).unwrap();
    let served = compressing(&place).start();
    let script = format!(
        "import ftplib, zlib, io\n\
         ftp = ftplib.FTP(); ftp.connect('127.0.0.1', {}); ftp.login({USER:?}, {PASSWORD:?})\n\
         ftp.voidcmd('TYPE I'); ftp.voidcmd('OPTS MODE Z LEVEL 1'); ftp.voidcmd('MODE Z')\n\
         got = []; ftp.retrbinary('RETR t', got.append)\n\
         wire = b''.join(got); text = zlib.decompress(wire)\n\
         assert len(wire) < len(text) / 5, (len(wire), len(text))\n\
         ftp.storbinary('STOR sent', io.BytesIO(zlib.compress(text, 9)))\n\
         ftp.voidcmd('MODE B')\n\
         def blocks(data):\n    return b''.join(b'\\0' + len(data[i:i+999]).to_bytes(2, 'big') + data[i:i+999] for i in range(0, len(data), 999)) + b'\\x40\\0\\0'\n\
         ftp.storbinary('STOR blocks', io.BytesIO(blocks(text)))\n\
         got = []; ftp.retrbinary('RETR blocks', got.append)\n\
         wire, out = b''.join(got), b''\n\
         while wire:\n    kind, count = wire[0], int.from_bytes(wire[1:3], 'big')\n    out += wire[3:3+count] if kind != 16 else b''\n    wire = wire[3+count:]\n\
         assert kind == 64 and out == text\n\
         ftp.quit()\n",
        served.addr().port()
    );
    Haul::new(python).args(["-c", &script]).run().expect_code(0);
    for name in ["sent", "blocks"] {
        assert!(std::fs::read(place.far(name)).unwrap() == text, "{name}");
    }
}

fn stores(caller: &mut Caller, wire: &[u8]) -> Reply {
    caller.stores("STOR f", wire)
}

#[test]
fn records_are_lines_in_each_mode_and_end_where_they_say() {
    let place = Place::new();
    let served = compressing(&place).start();
    let mut caller = owner(served.addr());
    caller.says("STRU R", 200);
    caller.says("STRU P", 504);
    for form in ["TYPE I", "TYPE A"] {
        caller.says(form, 200);
        let wire = b"one\xff\x01\xff\xff two\xff\x01\xff\x01last\xff\x02";
        assert_eq!(stores(&mut caller, wire).code, 226);
        assert_eq!(std::fs::read(place.far("f")).unwrap(), b"one\n\xff two\n\nlast");
        assert_eq!(caller.receives("RETR f"), wire);
        assert_eq!(caller.receives("NLST"), b"f\r\n", "a list has no records");
        caller.says("MODE B", 200);
        assert_eq!(
            caller.receives("RETR f"),
            b"\0\0\x03one\x80\0\0\0\0\x05\xff two\x80\0\0\x80\0\0\0\0\x04last\x40\0\0"
        );
        assert_eq!(stores(&mut caller, b"\x80\0\x03uno\xc0\0\x03due").code, 226);
        assert_eq!(std::fs::read(place.far("f")).unwrap(), b"uno\ndue\n");
        caller.says("MODE Z", 200);
        assert_eq!(inflated(&caller.receives("RETR f")), b"uno\xff\x01due\xff\x01\xff\x02");
        assert_eq!(stores(&mut caller, &deflated(b"a\xff\x03")).code, 226);
        assert_eq!(std::fs::read(place.far("f")).unwrap(), b"a\n");
        caller.says("MODE S", 200);
    }
    // Without the end that they have themselves they are not whole; what means nothing, or comes behind it, is refused.
    caller.says("TYPE I", 200);
    for (wire, code) in [(&b"new\xff\x01"[..], 426), (b"new\xff\x07", 451), (b"new\xff\x02\xff\x02", 451)] {
        assert_eq!(stores(&mut caller, wire).code, code);
        assert_eq!(std::fs::read(place.far("f")).unwrap(), b"a\n");
        caller.says("DELE f", 250);
    }
    caller.says("STRU F", 200);
    assert_eq!(caller.receives("RETR f"), b"a\n");
    caller.says("STRU R", 200);
    caller.says("REST 1", 350);
    assert_eq!(
        caller.receives("RETR f"),
        b"\xff\x01\xff\x02",
        "an offset is one of the file as it lies there"
    );
}

#[test]
fn client_and_server_tell_what_they_are_and_the_language_is_english() {
    let place = Place::new();
    let served = place.serve().start();
    let mut caller = Caller::to(served.addr());
    caller.hears(220);
    let told = caller.says("CSID Name=lftp; Version=4.9.2;", 200).text;
    assert_eq!(told, format!("200 Name=haul; Version={};\r\n", env!("CARGO_PKG_VERSION")));
    for (line, code) in [
        ("LANG", 200),
        ("LANG en", 200),
        ("LANG en-GB", 200),
        ("LANG de", 504),
        ("LANG ;", 501),
        ("CSID x", 501),
    ] {
        caller.says(line, code);
    }
    assert!(caller.says("FEAT", 211).text.contains("\r\n LANG EN*\r\n MDTM"));
}
