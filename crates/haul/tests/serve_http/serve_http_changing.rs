//! Files on their way out over HTTP: whole and right in any size and by any way, sent by the system itself where that can
//! be, and never ended cleanly when they were changed meanwhile.

use crate::scene;
use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::FileExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use haul_testkit::{Content, HttpCaller, Link, Serve, real::peer};

use crate::scene::{
    MIB,
    http::{OWNER, WAYS, Way, ask, get, request},
    served::Place,
};

const KIB: u64 = 1 << 10;
const SIZES: [u64; 17] = [
    0,
    1,
    4095,
    4096,
    4097,
    8192,
    64 * KIB - 1,
    64 * KIB,
    64 * KIB + 1,
    68 * KIB - 1,
    68 * KIB,
    68 * KIB + 1,
    132 * KIB + 1,
    MIB - 1,
    MIB,
    MIB + 1,
    9 * MIB + 7,
];

fn all_doors(place: &Place) -> Serve {
    place.serve().arg("--tls-self-signed").http().https()
}

/// curl with its output in our hands: it reads no more than we take.
struct Taking(Child);

impl Taking {
    fn begin(way: Way, url: &str) -> Option<Self> {
        Self::begin_with(way, url, &[])
    }

    fn begin_with(way: Way, url: &str, more: &[&str]) -> Option<Self> {
        let mut curl = Command::new(peer("curl")?);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().to_ascii_uppercase().ends_with("_PROXY") {
                curl.env_remove(name);
            }
        }
        curl.args(way.options())
            .args(more)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Some(Self(curl.spawn().unwrap()))
    }

    fn takes(&mut self, count: usize) -> Vec<u8> {
        let mut taken = vec![0; count];
        self.0.stdout.as_mut().unwrap().read_exact(&mut taken).unwrap();
        taken
    }

    /// The rest, and curl's exit code.
    fn ends(mut self) -> (Vec<u8>, i32) {
        let mut rest = Vec::new();
        self.0.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
        (rest, self.0.wait().unwrap().code().unwrap())
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn files_of_any_size_arrive_by_any_way() {
    let place = Place::new();
    for size in SIZES {
        Content::new(size, size).write_to(place.far(&format!("{size}.bin")));
    }
    let served = all_doors(&place).start();
    for way in WAYS {
        // One connection for all of them, but for a version in which curl 7.88 fails with any server.
        let at_once = if way == Way::Http2 { 1 } else { SIZES.len() };
        for sizes in SIZES.chunks(at_once) {
            let Some(program) = peer("curl") else { return };
            let files = sizes.iter().flat_map(|size| {
                let url = way.url(&served, &format!("/{size}.bin"));
                ["-o".to_owned(), format!("{size}.bin"), url]
            });
            let curl = haul_testkit::Haul::new(program).args(way.options()).args(files);
            curl.dir(place.dir()).run().expect_code(0);
        }
        for size in SIZES {
            Content::new(size, size).assert_file_is(place.local(&format!("{size}.bin")));
        }
        place.clear_local();
    }
}

#[test]
fn ranges_of_any_size_arrive_alone_and_together() {
    let place = Place::new();
    let content = Content::new(3, 4 * MIB);
    content.write_to(place.far("f.bin"));
    let served = place.serve().http().start();
    let mut caller = HttpCaller::to(served.http_addr());
    for size in SIZES.into_iter().filter(|size| (1..2 * MIB).contains(size)) {
        for at in [0, 1, 4096, 4 * MIB - size] {
            let range = format!("Range: bytes={at}-{}", at + size - 1);
            let part = caller.asks(request("GET", "/f.bin", &[OWNER, &range], None)).expect(206);
            assert!(part.body == content.bytes(at..at + size), "{range}");
        }
    }
    // Large and small ones in turn, so that the system and hyper take turns within one message.
    for ranges in [
        vec![(0, 99_999), (200_000, 200_000), (400_000, 1_500_000), (3 * MIB, 4 * MIB - 1)],
        vec![(5, 5), (10, 70_000), (80_000, 80_001)],
        vec![(2 * MIB, 2 * MIB + 65_536), (0, 65_535), (65_540, 200_000)],
    ] {
        let told: Vec<String> = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
        let field = format!("Range: bytes={}", told.join(","));
        let answer = caller.asks(request("GET", "/f.bin", &[OWNER, &field], None)).expect(206);
        let kind = answer.field("Content-Type").unwrap();
        let boundary = kind.split_once("boundary=").unwrap().1.trim_matches('"').to_owned();
        let mut expected = Vec::new();
        let mut rest = &answer.body[..];
        for (first, last) in &ranges {
            // The heads are the corpus' business (serve_http_rules); the bytes are ours.
            let head = rest.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            expected.extend(&rest[..head]);
            expected.extend(content.bytes(*first..last + 1));
            rest = &answer.body[expected.len().min(answer.body.len())..];
        }
        expected.extend(rest);
        assert!(rest.ends_with(format!("--{boundary}--\r\n").as_bytes()), "{field}");
        assert!(expected == answer.body, "{field}");
    }
}

#[test]
fn a_slow_reader_gets_the_same_bytes() {
    let place = Place::new();
    let content = Content::new(4, 6 * MIB);
    content.write_to(place.far("f.bin"));
    let served = all_doors(&place).start();
    for addr in [served.http_addr(), served.https_addr()] {
        let link = Link::to(addr);
        link.rate(Some(4 * MIB));
        let url = if addr == served.http_addr() { "http" } else { "https" };
        for version in ["--http1.1", "--http2-prior-knowledge", "--http2"] {
            if (url == "http") == (version == "--http2") {
                continue;
            }
            let Some(program) = peer("curl") else { return };
            let url = format!("{url}://{}/f.bin", link.addr());
            let curl =
                haul_testkit::Haul::new(program).args(["-q", "-sS", "-k", version, "-o", "f.bin", &url]);
            curl.dir(place.dir()).run().expect_code(0);
            content.assert_file_is(place.local("f.bin"));
        }
    }
}

/// What somebody else does to the file in the middle.
type Change = fn(&Path);

const CHANGES: [(&str, Change); 4] = [
    ("written to in place, at its end", |path| {
        let file = File::options().write(true).open(path).unwrap();
        file.write_all_at(b"changed", 47 * MIB).unwrap();
    }),
    ("written to in place, where it was sent already", |path| {
        let file = File::options().write(true).open(path).unwrap();
        file.write_all_at(b"changed", 5).unwrap();
    }),
    ("cut", |path| File::options().write(true).open(path).unwrap().set_len(40 * MIB).unwrap()),
    ("longer", |path| File::options().append(true).open(path).unwrap().write_all(b"more").unwrap()),
];

#[test]
fn a_file_that_changes_on_its_way_never_ends_cleanly() {
    let place = Place::new();
    let content = Content::new(5, 48 * MIB);
    let served = all_doors(&place).start();
    for way in WAYS {
        for (what, change) in CHANGES {
            content.write_to(place.far("f.bin"));
            let Some(mut taking) = Taking::begin(way, &way.url(&served, "/f.bin")) else { return };
            let begun = taking.takes(100_000);
            assert!(begun == content.bytes(0..100_000), "{way:?}");
            change(&place.far("f.bin"));
            let (rest, code) = taking.ends();
            assert!(begun.len() + rest.len() < 48 << 20, "{way:?}, {what}: all of it came");
            assert_ne!(code, 0, "{way:?}, {what}: curl takes it for whole");
        }
    }
    // It is written down after the connection was ended.
    scene::wait_until(|| {
        served.process().stderr().matches("complete=no").count() >= WAYS.len() * CHANGES.len()
    });
}

#[test]
fn several_ranges_of_a_file_that_changes_in_between_never_end_cleanly() {
    let place = Place::new();
    let content = Content::new(6, 48 * MIB);
    let served = all_doors(&place).start();
    for way in WAYS {
        content.write_to(place.far("f.bin"));
        let ranges = ["-r", "0-20000000,30000000-50000000"];
        let Some(mut taking) = Taking::begin_with(way, &way.url(&served, "/f.bin"), &ranges) else { return };
        taking.takes(100_000);
        let file = File::options().write(true).open(place.far("f.bin")).unwrap();
        file.write_all_at(b"changed", 40 * MIB).unwrap();
        let (_, code) = taking.ends();
        assert_ne!(code, 0, "{way:?}: curl takes two versions for one");
    }
}

#[test]
fn a_file_that_is_replaced_on_its_way_comes_whole_in_its_old_version() {
    let place = Place::new();
    let (old, new) = (Content::new(6, 32 * MIB), Content::new(7, 32 * MIB));
    let served = all_doors(&place).start();
    for way in WAYS {
        old.write_to(place.far("f.bin"));
        let Some(mut taking) = Taking::begin(way, &way.url(&served, "/f.bin")) else { return };
        let begun = taking.takes(100_000);
        new.write_to(place.far("next"));
        fs::rename(place.far("next"), place.far("f.bin")).unwrap();
        let (rest, code) = taking.ends();
        assert_eq!(code, 0, "{way:?}");
        assert!([begun, rest].concat() == old.bytes(0..old.size()), "{way:?}");
    }
}

#[test]
fn files_that_are_written_all_the_while_come_in_one_version_or_not_at_all() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let over = AtomicBool::new(false);
    let sizes = [1000_usize, 60_000, 70_000, 500_000];
    for size in sizes {
        fs::write(place.far(&format!("{size}")), vec![0; size]).unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let open = |size| File::options().write(true).open(place.far(&format!("{size}"))).unwrap();
            let files = sizes.map(|size| (open(size), size as u64));
            for round in 1_u64.. {
                // The first byte, then the last one: each is a version of its own.
                for (file, at) in files.iter().flat_map(|(file, size)| [(file, 0), (file, size - 1)]) {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    // Dates on some systems move in steps; a change within one is seen by nobody.
                    thread::sleep(Duration::from_millis(5));
                    file.write_all_at(&[round.to_le_bytes()[0]], at).unwrap();
                }
            }
        });
        let (mut whole, mut cut) = (0, 0);
        for round in 0..1000 {
            let size = sizes[round % sizes.len()];
            match HttpCaller::to(addr).hears_of(size) {
                Some(body) => {
                    let (first, last) = (body[0], body[size - 1]);
                    assert!(
                        first == last || first == last.wrapping_add(1),
                        "{size}: {first} and then {last}"
                    );
                    whole += 1;
                }
                None => cut += 1,
            }
        }
        over.store(true, Ordering::Relaxed);
        assert!(whole > 0, "{cut} were cut");
    });
}

/// A GET whose answer may be cut, or be no answer at all.
trait HearsOf {
    fn hears_of(self, size: usize) -> Option<Vec<u8>>;
}

impl HearsOf for HttpCaller {
    fn hears_of(mut self, size: usize) -> Option<Vec<u8>> {
        self.sends(request("GET", &format!("/{size}"), &[OWNER], None));
        let answer = self.hears("GET")?;
        (answer.whole && answer.status() == 200).then_some(answer.body)
    }
}

#[test]
fn large_files_are_sent_by_the_system_and_small_ones_and_tls_are_not() {
    let Some(strace) = peer("strace") else { return };
    if haul_testkit::Haul::new(&strace).args(["-o", "/dev/null", "true"]).run().code != Some(0) {
        println!("skipped: tracing is not permitted here");
        return;
    }
    let place = Place::new();
    let content = Content::new(8, 32 * MIB);
    content.write_to(place.far("large"));
    content.write_first(place.far("small"), 50_000);
    // The server keeps the process number that we know; strace looks on from beside it.
    let (log, script) = (place.local("strace.log"), place.local("traced"));
    let shell = format!(
        "#!/bin/sh\nexec {} -D -f -qq -e trace=sendfile,splice -e signal=none -o {} {} \"$@\"\n",
        strace.display(),
        log.display(),
        env!("CARGO_BIN_EXE_haul")
    );
    fs::write(&script, shell).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let served = Serve::over(&script, place.root()).arg("--tls-self-signed").http().https().start();
    let sent = || -> u64 {
        let text = fs::read_to_string(&log).unwrap();
        let calls = text.lines().filter(|line| line.contains("sendfile"));
        calls.filter_map(|line| line.rsplit(" = ").next()?.trim().parse::<u64>().ok()).sum()
    };
    let before = sent();
    assert!(get(served.http_addr(), "/small") == content.bytes(0..50_000));
    let Some(mut secured) = Taking::begin(Way::Https11, &Way::Https11.url(&served, "/large")) else { return };
    assert!(secured.takes(32 << 20) == content.bytes(0..content.size()));
    assert_eq!(sent(), before, "neither by sendfile");
    assert!(get(served.http_addr(), "/large") == content.bytes(0..content.size()));
    scene::wait_until(|| sent() - before >= 31 * MIB);
    let part = ask(served.http_addr(), "GET", "/large", &[OWNER, "Range: bytes=1000000-2999999"]).expect(206);
    assert!(part.body == content.bytes(1_000_000..3_000_000));
    scene::wait_until(|| sent() - before >= 32 * MIB);
}
