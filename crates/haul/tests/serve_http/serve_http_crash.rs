//! `haul serve` over HTTP that is killed or has no room left in the middle of uploads of every dialect: what was told is
//! there, all of it goes on, and whoever reads meanwhile sees whole files or none.

use crate::scene;
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Barrier, Mutex, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use haul_testkit::{Content, HaulProcess, Link, disk::SmallDisk};
use serde_json::{Value, json};

use crate::scene::{
    MIB, SOON, Seeded,
    browser::Events,
    served::{OTHER, OTHERS_PASSWORD, Place, part, serve, stranger},
    uploaders::Uploader,
    uploading::{Ask, Draft, Sending, filename, location, offset, polled, safe, tus, tus_appends},
    wait_until,
};

/// More than what a server may take for a small file that will be whole in a moment.
const LEN: u64 = 2 * MIB + 77;

/// How an upload is begun and gone on with.
#[derive(Clone, Copy, Debug)]
enum Dialect {
    /// PUT without a length.
    Chunked,
    /// PUT with one.
    Sized,
    /// PUT with Content-Range.
    Pieces,
    /// The IETF draft, all in one request.
    Draft,
    /// The same in several.
    Parts,
    /// tus, created and then sent.
    Tus,
}

const DIALECTS: [Dialect; 6] =
    [Dialect::Chunked, Dialect::Sized, Dialect::Pieces, Dialect::Draft, Dialect::Parts, Dialect::Tus];

/// A file that is uploaded.
#[derive(Clone, Copy, Debug)]
struct File {
    number: u64,
    dialect: Dialect,
    content: Content,
}

/// A file on its way: the request that brings it, what was told of it so far, and its URL where it has one.
struct Going {
    sending: Sending,
    told: u64,
    url: Option<String>,
}

impl File {
    fn new(number: u64, len: u64) -> Self {
        let dialect = DIALECTS[number as usize % DIALECTS.len()];
        Self { number, dialect, content: Content::new(number, len) }
    }

    fn size(&self) -> u64 {
        self.content.size()
    }

    fn name(&self) -> String {
        format!("{}.bin", self.number)
    }

    fn path(&self) -> String {
        format!("/{}", self.name())
    }

    fn draft(&self) -> Draft {
        Draft(3 + (self.number / DIALECTS.len() as u64 % 7) as u8)
    }

    fn piece(&self, from: u64, to: u64) -> Ask {
        Ask::new("PUT", &self.path()).range(format!("{from}-{}/{}", to - 1, self.size()))
    }

    /// Begins it, as far as that.
    #[track_caller]
    fn begins(&self, addr: SocketAddr, upto: u64) -> Going {
        let (path, draft, half) = (self.path(), self.draft(), upto / 2);
        let (mut going, from) = match self.dialect {
            Dialect::Chunked | Dialect::Sized => {
                let length = matches!(self.dialect, Dialect::Sized).then_some(self.size());
                (Going { sending: Ask::new("PUT", &path).begins(addr, length), told: 0, url: None }, 0)
            }
            Dialect::Pieces => {
                let first = self.piece(0, half).brings(addr, &part(self.content, 0, half)).expect(308);
                let sending = self.piece(half, self.size()).begins(addr, Some(self.size() - half));
                (Going { sending, told: safe(&first), url: None }, half)
            }
            Dialect::Draft => {
                let ask = draft.creates(Ask::new("POST", &path), true);
                let mut sending = ask.begins(addr, self.number.is_multiple_of(2).then_some(self.size()));
                let url = Some(location(&sending.interim()));
                (Going { sending, told: 0, url }, 0)
            }
            Dialect::Parts => {
                let ask = draft.creates(Ask::new("POST", &path), false);
                let created = ask.brings(addr, &part(self.content, 0, half)).expect(201);
                let url = location(&created.head);
                let told = created.head.number("Upload-Offset").expect("an offset");
                assert_eq!(told, half);
                let sending = draft.appends(&url, half, true).begins(addr, None);
                (Going { sending, told, url: Some(url) }, half)
            }
            Dialect::Tus => {
                let ask = tus("POST", "/-/tus").with("Upload-Length", self.size());
                let created = ask.with("Upload-Metadata", filename(&self.name())).brings(addr, b"");
                let url = location(&created.expect(201).head);
                let sending = tus_appends(&url, 0).begins(addr, Some(self.size()));
                (Going { sending, told: 0, url: Some(url) }, 0)
            }
        };
        going.sending.sends(&part(self.content, from, upto));
        going
    }

    /// How far it is.
    #[track_caller]
    fn asks(&self, addr: SocketAddr, url: Option<&str>) -> u64 {
        match (self.dialect, url) {
            (Dialect::Tus, Some(url)) => {
                let told = tus("HEAD", url).to(addr);
                assert_eq!(told.status() / 100, 2, "{self:?} {told:?}");
                told.head.number("Upload-Offset").expect("an offset")
            }
            (_, Some(url)) => {
                let known = self.draft().asks(addr, url);
                assert!(!known.complete, "{self:?}");
                known.offset
            }
            (_, None) => {
                let ask = Ask::new("PUT", &self.path()).range("*/*").with("Content-Length", 0);
                safe(&ask.to(addr).expect(308))
            }
        }
    }

    /// A request that brings the rest from there on.
    fn rest(&self, at: u64, url: Option<&str>) -> Ask {
        match (self.dialect, url) {
            (Dialect::Tus, Some(url)) => tus_appends(url, at),
            (_, Some(url)) => self.draft().appends(url, at, true),
            (_, None) => self.piece(at, self.size()),
        }
    }

    /// All of the rest.
    #[track_caller]
    fn goes_on(&self, addr: SocketAddr, told: u64, url: Option<&str>) {
        let (at, size) = (self.asks(addr, url), self.size());
        assert!((told..size).contains(&at), "{self:?}: {told} were told, {at} are there");
        let ended = self.rest(at, url).brings(addr, &part(self.content, at, size));
        assert_eq!(ended.status() / 100, 2, "{self:?} {ended:?}");
        assert_eq!(ended.head.number("Upload-Offset"), Some(size), "{self:?}");
    }
}

/// Who polls all files all the time, and what they have seen.
#[derive(Default)]
struct Readers {
    over: AtomicBool,
    looks: AtomicUsize,
    whole: AtomicUsize,
    /// Whoever speaks FTP is not in the middle of a word when the server is killed.
    word: RwLock<()>,
}

impl Readers {
    fn seen(&self, file: &File, bytes: Option<Vec<u8>>) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        if let Some(bytes) = bytes {
            let all = bytes.len() as u64 == file.size() && bytes == part(file.content, 0, file.size());
            assert!(all, "{file:?}: {} bytes of it were seen", bytes.len());
            self.whole.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// By GET, until it is over.
    fn get(&self, addr: SocketAddr, files: &[File]) {
        while !self.over.load(Ordering::Relaxed) {
            for file in files {
                self.seen(file, polled(addr, &file.path()));
            }
        }
    }

    /// By RETR, until it is over.
    fn retrieve(&self, addr: SocketAddr, files: &[File]) {
        while !self.over.load(Ordering::Relaxed) {
            for file in files {
                let _word = self.word.read().unwrap();
                let mut caller = stranger(addr);
                let data = caller.data();
                let bytes = match caller.asks(&format!("RETR {}", file.name())).code {
                    125 | 150 => Some(data.all()),
                    550 => None,
                    code => panic!("{code}"),
                };
                self.seen(file, bytes);
            }
        }
    }

    fn assert_seen(&self, least: usize) {
        let (looks, whole) = (self.looks.load(Ordering::Relaxed), self.whole.load(Ordering::Relaxed));
        assert!(looks > whole && whole >= least, "{looks} looks, {whole} whole files");
    }
}

/// Ends the readers also where a test fails: else it would never end.
struct Ends<'a>(&'a Readers);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_fifty_uploads_has_all_it_told_and_shows_no_half() {
    const MANY: u64 = 50;
    let place = Place::new();
    let served = place.serve().http().start();
    let (addr, ftp) = (served.http_addr(), served.addr());
    let files: Vec<File> = (0..MANY).map(|number| File::new(number, LEN)).collect();
    let (all_there, killed) = (Barrier::new(MANY as usize + 1), Barrier::new(MANY as usize + 1));
    let readers = Readers::default();
    let again = Mutex::new(None);
    std::thread::scope(|scope| {
        scope.spawn(|| readers.get(addr, &files));
        scope.spawn(|| readers.retrieve(ftp, &files));
        let ends = Ends(&readers);
        let uploads: Vec<_> = files
            .iter()
            .map(|file| {
                let (all_there, killed) = (&all_there, &killed);
                scope.spawn(move || {
                    let sent = Seeded(file.number).below(LEN - 5) + 3;
                    let mut going = file.begins(addr, sent);
                    going.sending.is_taken();
                    going.told = going.told.max(offset(addr, &file.path()).unwrap_or(0));
                    assert!(going.told <= sent, "{} of {sent}", going.told);
                    all_there.wait();
                    // Some are at work at that very moment.
                    let _ = going.sending.tries(&part(file.content, sent, LEN - 1));
                    killed.wait();
                    file.goes_on(addr, going.told, going.url.as_deref());
                })
            })
            .collect();
        all_there.wait();
        {
            let _no_word = readers.word.write().unwrap();
            *again.lock().unwrap() = Some(served.killed_and_started_again());
        }
        killed.wait();
        for upload in uploads {
            upload.join().unwrap();
        }
        // What is whole now is seen, too.
        let whole = readers.whole.load(Ordering::Relaxed);
        wait_until(|| readers.whole.load(Ordering::Relaxed) >= whole + MANY as usize);
        drop(ends);
    });
    readers.assert_seen(MANY as usize);
    for file in &files {
        file.content.assert_file_is(place.far(&file.name()));
    }
}

#[test]
fn no_offset_goes_back_however_often_the_server_is_killed() {
    let place = Place::new();
    let mut served = place.serve().http().start();
    for dialect in 0..DIALECTS.len() as u64 {
        let file = File::new(dialect, 12 * MIB);
        let mut random = Seeded(dialect);
        let mut upto = 600 << 10;
        let Going { mut sending, mut told, url } = file.begins(served.http_addr(), upto);
        for _ in 0..6 {
            sending.is_taken();
            told = told.max(offset(served.http_addr(), &file.path()).unwrap_or(0));
            served = served.killed_and_started_again();
            let addr = served.http_addr();
            let at = file.asks(addr, url.as_deref());
            assert!(at >= told, "{file:?}: {told} were told, {at} are there");
            upto = at + MIB + random.below(MIB / 4);
            sending = file.rest(at, url.as_deref()).begins(addr, Some(file.size() - at));
            sending.sends(&part(file.content, at, upto));
        }
        // Taken from the socket is not yet received, and what is received after a question is not in its answer. Where
        // no size is known one byte is held back.
        let addr = served.http_addr();
        wait_until(|| offset(addr, &file.path()).is_some_and(|at| at + 1 >= upto));
        sending.resets();
        file.goes_on(served.http_addr(), told, url.as_deref());
        file.content.assert_file_is(place.far(&file.name()));
    }
}

#[test]
fn a_full_disk_is_507_and_every_upload_goes_on_when_there_is_room() {
    const MANY: u64 = 10;
    let Some(disk) = SmallDisk::new(12 * MIB) else { return };
    let served = serve(disk.path()).arg("--user").arg(format!("{OTHER}:{OTHERS_PASSWORD}")).http().start();
    let addr = served.http_addr();
    let files: Vec<File> = (0..MANY).map(|number| File::new(number, 4 * MIB)).collect();
    std::fs::write(disk.path().join(files[1].name()), part(files[1].content, 0, files[1].size())).unwrap();
    let (all_there, full) = (Barrier::new(MANY as usize), Mutex::new(Vec::new()));
    let readers = Readers::default();
    std::thread::scope(|scope| {
        scope.spawn(|| readers.get(addr, &files));
        let ends = Ends(&readers);
        let uploads: Vec<_> = files
            .iter()
            .map(|file| {
                let (all_there, full) = (&all_there, &full);
                scope.spawn(move || {
                    let mut going = file.begins(addr, 300 << 10);
                    going.sending.is_taken();
                    going.told = going.told.max(offset(addr, &file.path()).unwrap_or(0));
                    all_there.wait();
                    let rest = part(file.content, 300 << 10, file.size());
                    let all = rest.chunks(64 << 10).all(|piece| going.sending.tries(piece).is_ok());
                    let answer = if all { Some(going.sending.ends()) } else { going.sending.hears() };
                    if answer.as_ref().is_some_and(|answer| answer.status() / 100 == 2) {
                        return;
                    }
                    if let Some(answer) = &answer {
                        assert_eq!(answer.status(), 507, "{file:?} {answer:?}");
                        let kept = answer.head.number("Upload-Offset");
                        let kept = kept.unwrap_or_else(|| panic!("how much is kept? {file:?} {answer:?}"));
                        assert!((going.told..file.size()).contains(&kept), "{file:?} {kept}");
                        going.told = kept;
                    }
                    full.lock().unwrap().push((*file, going.told, going.url, answer.is_some()));
                })
            })
            .collect();
        for upload in uploads {
            upload.join().unwrap();
        }
        drop(ends);
    });
    let full = full.into_inner().unwrap();
    assert!(full.iter().filter(|(.., heard)| *heard).count() >= 5, "so many have no room: {full:?}");
    // Still no room: the server lives, and what it has told stays.
    let (first, told, ..) = &full[0];
    assert!(offset(addr, &first.path()).unwrap_or(0) >= *told);
    let served = served.killed_and_started_again();
    disk.resize(128 * MIB);
    for (file, told, url, _) in &full {
        file.goes_on(served.http_addr(), *told, url.as_deref());
    }
    for file in &files {
        file.content.assert_file_is(disk.path().join(file.name()));
    }
}

const PROTOCOLS: [&str; 2] = ["ietf-draft-03", "ietf-draft-05"];
const SENT: Content = Content::new(5, 8 * MIB + 5);
/// One that is not sent within a moment.
const LARGE: Content = Content::new(6, 200 * MIB + 5);

/// tus-js-client about to send a file to a path, by way of this address.
fn tus_js(place: &Place, addr: SocketAddr, name: &str, protocol: &str, more: &Value) -> Option<HaulProcess> {
    let options = json!({
        "protocol": protocol,
        "storage": place.local(&format!("{name}.urls")),
        "headers": { "Authorization": "Basic YTpzZWNyZXQ=" },
    });
    let options = scene::browser::joined(&options, more);
    let file: PathBuf = place.local("f");
    let endpoint = format!("http://{addr}/{name}");
    Some(Uploader::TusJs.command(&file, &endpoint, &options)?.spawn())
}

#[test]
fn tus_js_client_that_is_killed_goes_on_by_the_draft() {
    let place = Place::new();
    SENT.write_to(place.local("f"));
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for protocol in PROTOCOLS {
        for (chunk, name) in [(None, "whole"), (Some(MIB), "chunks")] {
            let name = format!("{name}{protocol}");
            let mut more = json!({ "hold": 5 * MIB });
            if let Some(chunk) = chunk {
                more["chunk"] = json!(chunk);
            }
            let Some(first) = tus_js(&place, addr, &name, protocol, &more) else { return };
            first.wait_for_output_line(|line| line.contains(r#""event":"held""#), SOON);
            wait_until(|| place.hidden() > 4 * MIB);
            first.kill_9();
            assert!(!place.far(&name).exists());
            more.as_object_mut().unwrap().remove("hold");
            let second = tus_js(&place, addr, &name, protocol, &more).unwrap().wait().expect_code(0);
            let told = Events::of(&second);
            assert_eq!(told.all("resuming").len(), 1, "{told:?}");
            let found = told.all("response").iter().find_map(|event| {
                (event["method"] == "HEAD").then(|| event["offset"].as_str()?.parse::<u64>().ok())?
            });
            assert!(found.is_some_and(|found| found >= 4 * MIB), "{found:?}");
            SENT.assert_file_is(place.far(&name));
        }
    }
}

#[test]
fn tus_js_client_goes_on_with_a_server_that_was_killed_by_the_draft() {
    let place = Place::new();
    LARGE.write_to(place.local("f"));
    let mut served = place.serve().http().start();
    let link = Link::up_to(served.http_addr());
    for protocol in PROTOCOLS {
        for (chunk, name) in [(None, "whole"), (Some(16 * MIB), "chunks")] {
            // It has to be caught in the middle, however late somebody looks.
            link.rate(Some(40 * MIB));
            let name = format!("{name}{protocol}");
            let mut more = json!({ "retry_delays": vec![300; 100] });
            if let Some(chunk) = chunk {
                more["chunk"] = json!(chunk);
            }
            let client = tus_js(&place, link.addr(), &name, protocol, &more);
            let Some(client) = client else { return };
            wait_until(|| place.hidden() > 30 * MIB);
            served = served.killed_and_started_again();
            link.rate(None);
            let end = client.wait_at_most(Duration::from_secs(120)).expect_code(0);
            let told = Events::of(&end);
            assert_eq!(told.all("done").len(), 1, "{told:?}");
            let asked = told.all("response").iter().filter(|event| event["method"] == "HEAD").count();
            assert!(asked >= 1, "it was in the middle: {told:?}");
            LARGE.assert_file_is(place.far(&name));
            std::fs::remove_file(place.far(&name)).unwrap();
        }
    }
}
