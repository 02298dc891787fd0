//! Download clients that nobody here wrote, at haul's HTTP door: each is killed in the middle and started again, has its
//! server killed under it and finds it again, and has the right bytes in the end.

use crate::scene;
use haul_testkit::{
    Content, Haul, HaulProcess, Link, Served,
    real::peer,
    served::{PASSWORD, USER},
};

use crate::scene::{MIB, SOON, served::Place, wait_until};

/// Slow enough to be caught in the middle.
const RATE: u64 = 12 * MIB;
const FILE: Content = Content::new(5, 24 * MIB);

/// A client: its program, and what it is told to fetch `f.bin` into the current folder, going on with what is there.
struct Client {
    program: &'static str,
    arguments: fn(&str) -> Vec<String>,
    /// Whether what it had when it was killed counts: it fetches only the rest.
    keeps: bool,
    /// Whether it can be stopped and started to go on: lftp's pget leaves holes that it forgets, whatever the server.
    survives: bool,
    /// Whether its exit code tells that a file is not whole: wget2 2.0 takes one that was cut for whole, whatever the
    /// server.
    tells: bool,
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn with_login(link: &str) -> String {
    format!("http://{USER}:{PASSWORD}@{link}/f.bin")
}

const CLIENTS: [Client; 8] = [
    Client {
        program: "curl",
        arguments: |link| words(["-q", "-sS", "-f", "-C", "-", "-o", "f.bin", &with_login(link)]),
        keeps: true,
        survives: true,
        tells: true,
    },
    Client {
        program: "wget",
        arguments: |link| words(["-q", "-c", "--tries=20", "--waitretry=1", &with_login(link)]),
        keeps: true,
        survives: true,
        tells: true,
    },
    Client {
        program: "wget2",
        arguments: |link| {
            let (user, password) = (format!("--http-user={USER}"), format!("--http-password={PASSWORD}"));
            words([
                "-q",
                "-c",
                "--tries=20",
                "--waitretry=1",
                &user,
                &password,
                &format!("http://{link}/f.bin"),
            ])
        },
        keeps: true,
        survives: true,
        tells: false,
    },
    Client {
        program: "aria2c",
        arguments: |link| {
            words([
                "--no-conf",
                "-q",
                "-c",
                "-x16",
                "-s16",
                "-k1M",
                "--auto-save-interval=1",
                "-m20",
                "--retry-wait=1",
                &with_login(link),
            ])
        },
        // It saves where it is now and then.
        keeps: false,
        survives: true,
        tells: true,
    },
    Client {
        program: "axel",
        arguments: |link| words(["-q", "-n", "4", "-o", "f.bin", &with_login(link)]),
        keeps: false,
        survives: true,
        tells: true,
    },
    Client {
        program: "lftp",
        arguments: |link| {
            let script = format!("set net:reconnect-interval-base 1; get -c {} -o f.bin", with_login(link));
            words(["--norc", "-c", &script])
        },
        keeps: true,
        survives: true,
        tells: true,
    },
    // Four connections at once.
    Client {
        program: "lftp",
        arguments: |link| {
            let script =
                format!("set net:reconnect-interval-base 1; pget -n 4 -c {} -o f.bin", with_login(link));
            words(["--norc", "-c", &script])
        },
        keeps: false,
        survives: false,
        tells: true,
    },
    Client {
        program: "rclone",
        arguments: |link| {
            let remote = format!(":http,url='http://{USER}:{PASSWORD}@{link}/':f.bin");
            words(["--config", "", "-q", "--retries", "3", "copyto", &remote, "f.bin"])
        },
        // It has no partial files to go on with.
        keeps: false,
        survives: true,
        tells: true,
    },
];

impl Client {
    fn start(&self, link: &Link, place: &Place) -> Option<HaulProcess> {
        let program = peer(self.program)?;
        let arguments = (self.arguments)(&link.addr().to_string());
        Some(Haul::new(program).args(arguments).dir(place.dir()).env("LC_ALL", "C.UTF-8").spawn())
    }

    /// Until it says that it has it all, a few times at most.
    #[track_caller]
    fn finishes(&self, link: &Link, place: &Place) {
        let mut said = String::new();
        for _ in 0..5 {
            let end = self.start(link, place).unwrap().wait_at_most(SOON);
            said += &end.stderr;
            let is_right = FILE.difference(place.local("f.bin")).is_none();
            assert!(end.code != Some(0) || is_right || !self.tells, "{}: {said}", self.program);
            if end.code == Some(0) && is_right {
                return;
            }
            if end.stderr.contains("No state file") {
                // axel goes on with nothing of which it has not written down where it was.
                place.clear_local();
            }
        }
        panic!("{} gives up: {said}", self.program);
    }
}

fn served(place: &Place) -> Served {
    FILE.write_to(place.far("f.bin"));
    place.serve().args(["--anonymous", "off"]).http().start()
}

#[test]
fn a_client_that_is_killed_goes_on_where_it_was() {
    let place = Place::new();
    let served = served(&place);
    for client in CLIENTS.iter().filter(|client| client.survives) {
        let link = Link::to(served.http_addr());
        link.rate(Some(RATE));
        let Some(running) = client.start(&link, &place) else { continue };
        wait_until(|| link.passed() > 8 * MIB);
        running.kill_9();
        link.rate(None);
        let before = link.passed();
        client.finishes(&link, &place);
        let fetched = link.passed() - before;
        assert!(!client.keeps || fetched < 20 * MIB, "{} fetched {fetched} bytes again", client.program);
        place.clear_local();
    }
}

#[test]
fn a_client_whose_server_is_killed_finds_it_again() {
    let place = Place::new();
    let mut served = served(&place);
    for client in &CLIENTS {
        let link = Link::to(served.http_addr());
        link.rate(Some(RATE));
        let Some(running) = client.start(&link, &place) else { continue };
        wait_until(|| link.passed() > 8 * MIB);
        served = served.killed_and_started_again();
        link.rate(None);
        // Some go on by themselves, some say that it was cut; none says that it is whole when it isn't.
        let end = running.wait_at_most(SOON);
        if end.code == Some(0) && client.tells {
            let told = (client.arguments)("…");
            assert_eq!(
                FILE.difference(place.local("f.bin")),
                None,
                "{told:?}: {}\n{}",
                end.stderr,
                served.process().stderr()
            );
        }
        if !client.survives {
            place.clear_local();
        }
        client.finishes(&link, &place);
        place.clear_local();
    }
}

#[test]
fn a_client_goes_on_with_no_other_version() {
    let place = Place::new();
    let served = served(&place);
    // Those that ask with a condition: what they had is of no use, and they notice.
    for client in CLIENTS.iter().filter(|client| client.program == "aria2c") {
        let link = Link::to(served.http_addr());
        link.rate(Some(RATE));
        let Some(running) = client.start(&link, &place) else { continue };
        wait_until(|| link.passed() > 8 * MIB);
        running.kill_9();
        link.rate(None);
        let other = FILE.changed(MIB).resized(FILE.size() + 1);
        other.write_to(place.far("f.bin"));
        let end = client.start(&link, &place).unwrap().wait_at_most(SOON);
        if end.code == Some(0) {
            other.assert_file_is(place.local("f.bin"));
        }
        place.clear_local();
    }
}

#[test]
fn haul_itself_goes_on_after_either_end_was_killed() {
    let place = Place::new();
    let mut served = served(&place);
    let url = |link: &Link| with_login(&link.addr().to_string());
    let link = Link::to(served.http_addr());
    link.rate(Some(RATE));
    let get = || scene::get(place.dir(), &[&url(&link)]);
    let running = get().spawn();
    wait_until(|| link.passed() > 8 * MIB);
    running.kill_9();
    let running = get().spawn();
    wait_until(|| link.passed() > 14 * MIB);
    served = served.killed_and_started_again();
    link.rate(None);
    let told = scene::Told::by(running.wait_at_most(SOON).expect_code(0));
    FILE.assert_file_is(place.local("f.bin"));
    assert_eq!(told.verified(), "etag");
    assert!(link.passed() < FILE.size() + 4 * MIB, "{} passed", link.passed());
    drop(served);
}
