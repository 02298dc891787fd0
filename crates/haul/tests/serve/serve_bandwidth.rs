//! Rates, in all, for users and for sessions, through both doors and by clients that nobody here wrote. That nothing is
//! faster than it may be is held closely; how much slower a busy machine makes it is not.

use crate::scene;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{Barrier, OnceLock},
    time::{Duration, Instant},
};

use haul_testkit::{Content, Haul, HttpCaller, Serve, Served, real::peer};

use crate::scene::{
    MIB, SOON,
    http::{OWNER, STRANGER, request},
    served::{OTHERS_PASSWORD, Place, hash_of, owner, stranger},
    tus::Tus,
};

/// Slower than so much of what a rate comes to is no longer the rate.
const SLOWEST: f64 = 4.0;

fn users(keys: &str) -> String {
    let (owner, other) = (hash_of("secret"), hash_of(OTHERS_PASSWORD));
    format!(
        "[[user]]\nname = \"a\"\npassword = \"{owner}\"\n{keys}\n[[user]]\nname = \"b\"\npassword = \"{other}\"\n"
    )
}

fn serve(place: &Place, toml: &str) -> Serve {
    Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).config(toml).http()
}

/// Runs a client to its good end; how many seconds that is after the beginning of all, None where it is missing.
fn takes(place: &Place, program: &str, args: &[&str], began: Instant) -> Option<f64> {
    let program = peer(program)?;
    let end = Haul::new(program).args(args).dir(place.dir()).run();
    assert_eq!(end.code, Some(0), "{args:?}: {}", end.stderr);
    Some(began.elapsed().as_secs_f64())
}

/// What these clients take, all at once.
fn at_once(place: &Place, commands: &[(&str, Vec<String>)]) -> Vec<f64> {
    // One beginning for all: who comes late on a busy machine is compared with the others by the ends.
    let began = Instant::now();
    std::thread::scope(|scope| {
        let run = |(program, args): &(&'static str, Vec<String>)| {
            let (program, args) = (*program, args.clone());
            scope.spawn(move || {
                takes(place, program, &args.iter().map(String::as_str).collect::<Vec<_>>(), began)
            })
        };
        let commands: Vec<(&'static str, Vec<String>)> = commands
            .iter()
            .map(|(program, args)| (if *program == "lftp" { "lftp" } else { "curl" }, args.clone()))
            .collect();
        let running: Vec<_> = commands.iter().map(run).collect();
        running.into_iter().filter_map(|running| running.join().unwrap()).collect()
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn lftp(served: &Served, what: &str) -> Vec<String> {
    let (ip, port) = (served.addr().ip(), served.addr().port());
    let script =
        format!("set ftp:ssl-allow no; set net:max-retries 1; open -u a,secret -p {port} {ip}; {what}");
    words(&["--norc", "-c", &script])
}

#[track_caller]
fn is_at_rate(seconds: f64, expected: f64) {
    assert!(seconds > expected * 0.93 && seconds < expected * SLOWEST, "{seconds} s and not {expected}");
}

#[test]
fn a_session_is_as_fast_as_it_may_be_either_way_over_whichever_door() {
    let place = Place::new();
    let toml = users("session_down = \"2M\"\nsession_up = \"3M\"");
    let served = serve(&place, &toml).arg("--tls-self-signed").https().start();
    let content = Content::new(3, 6 * MIB);
    content.write_to(place.far("f"));
    content.write_to(place.local("g"));
    let (ftp, http, https) =
        (served.url("/f"), served.http_url("/f"), format!("https://{}/f", served.https_addr()));
    let always = ["-q", "-sSk", "-u", "a:secret"];
    let down = |name: &str, more: &[&str], url: &str| {
        ("curl", [words(&always), words(&["-o", name]), words(more), words(&[url])].concat())
    };
    let mut commands = vec![
        down("1", &[], &ftp),
        down("2", &["--ssl-reqd"], &ftp),
        down("3", &["--http1.1"], &http),
        down("4", &["--http2-prior-knowledge"], &http),
        down("5", &["--http1.1"], &https),
        down("6", &["--http2"], &https),
        down("7", &["-r", "0-"], &http),
    ];
    commands.push(("lftp", lftp(&served, "get f -o 8")));
    // 6 MiB at 2 a second.
    for seconds in at_once(&place, &commands) {
        is_at_rate(seconds, 3.0);
    }
    for name in ["1", "2", "3", "4", "5", "6", "7", "8"].into_iter().filter(|name| place.local(name).exists())
    {
        content.assert_file_is(place.local(name));
    }
    let up = |more: &[&str], url: &str| {
        ("curl", [words(&always), words(&["-T", "g"]), words(more), words(&[url])].concat())
    };
    let at = |url: &str, name: &str| format!("{}{name}", url.trim_end_matches('f'));
    let commands = vec![
        up(&[], &at(&ftp, "u1")),
        up(&["--ssl-reqd"], &at(&ftp, "u2")),
        up(&["--http1.1"], &at(&http, "u3")),
        up(&["--http2-prior-knowledge"], &at(&http, "u4")),
        up(&["--http2"], &at(&https, "u5")),
        ("lftp", lftp(&served, "put g -o u6")),
    ];
    // 6 MiB at 3 a second.
    for seconds in at_once(&place, &commands) {
        is_at_rate(seconds, 2.0);
    }
    for name in ["u1", "u2", "u3", "u4", "u5", "u6"].into_iter().filter(|name| place.far(name).exists()) {
        content.assert_file_is(place.far(name));
    }
    // The other user is not held to it: that would be half a minute.
    fs::write(place.far("large"), vec![7; 60 << 20]).unwrap();
    let began = Instant::now();
    assert_eq!(stranger(served.addr()).receives("RETR large").len() as u64, 60 * MIB);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn sessions_of_a_user_share_alike_and_users_share_alike_what_there_is_in_all() {
    let place = Place::new();
    let served = serve(&place, &format!("[limits]\ndown = \"4M\"\n{}", users(""))).start();
    Content::new(3, 4 * MIB).write_to(place.far("f"));
    let http = format!("http://{}/f", served.http_addr());
    let ftp = format!("ftp://{}/f", served.addr());
    let down = |user: &str, url: &str| ("curl", words(&["-q", "-sS", "-u", user, "-o", "/dev/null", url]));
    // One of b, and six of a: b has half of all as long as it is there, 4 MiB at 2 a second. Then a's six, which have
    // had as much together, have all of it: 20 MiB at 4 a second. That b is done long before them is seen also where
    // its client comes late.
    let by_a = [&http, &ftp, &http, &ftp, &http, &http].map(|url| down("a:secret", url));
    let commands = [vec![down("b:other", &http)], Vec::from(by_a)].concat();
    let seconds = at_once(&place, &commands);
    let [of_b, of_a @ ..] = &seconds[..] else { return };
    is_at_rate(*of_b, 2.0);
    let (first, last) =
        (of_a.iter().copied().fold(f64::MAX, f64::min), of_a.iter().copied().fold(0.0, f64::max));
    is_at_rate(last, 7.0);
    assert!(first > last * 0.8, "sessions of one user end together: {of_a:?}");
    assert!(*of_b < last * 0.75, "{of_b} {last}");
}

#[test]
fn nothing_is_saved_up_for_a_burst() {
    let place = Place::new();
    let served = serve(&place, &users("down = \"1M\"")).start();
    fs::write(place.far("f"), vec![7; 8 << 20]).unwrap();
    let mut caller = owner(served.addr());
    let mut data = caller.data();
    let began = Instant::now();
    caller.says("RETR f", 150);
    let (mut seen, mut window, mut at) = (0_u64, began, 0_u64);
    // Within any second there is no more than a second's worth, and what a piece and a late timer make of it. What was
    // sent before and only had to be read belongs to the time before.
    while began.elapsed() < Duration::from_secs(3) {
        seen += data.takes(4096).len() as u64;
        if window.elapsed() >= Duration::from_millis(500) {
            let (bytes, time) = (seen.saturating_sub(at), window.elapsed().as_secs_f64());
            assert!(bytes as f64 <= (time + 0.15) * MIB as f64, "{bytes} bytes in {time} s");
            window = Instant::now();
            at = seen + scene::queued(data.port()).unwrap_or(0);
        }
    }
    let rate = seen as f64 / began.elapsed().as_secs_f64();
    assert!(rate < 1.08 * MIB as f64 && rate > MIB as f64 / SLOWEST, "{rate}");
}

/// What each of so many connections over HTTP takes of a large file, all at once and for so long once all are there.
fn taken(served: &Served, credentials: &[&str], time: Duration) -> Vec<u64> {
    let at = served.http_addr();
    let (all_there, end) = (Barrier::new(credentials.len()), OnceLock::new());
    std::thread::scope(|scope| {
        let take = |fields: &str| {
            let mut stream = TcpStream::connect(at).unwrap();
            let request = format!("GET /f HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let (mut taken, mut piece) = (0, [0; 16 << 10]);
            all_there.wait();
            let until = *end.get_or_init(|| Instant::now() + time);
            // What came while others were not there yet is nobody's share.
            stream.set_nonblocking(true).unwrap();
            while stream.read(&mut piece).is_ok_and(|length| length > 0) {}
            stream.set_nonblocking(false).unwrap();
            loop {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return taken;
                }
                stream.set_read_timeout(Some(left)).unwrap();
                let length = stream.read(&mut piece).unwrap_or(0) as u64;
                // A reader that was late has what was sent later.
                taken += if Instant::now() < until { length } else { 0 };
            }
        };
        let running: Vec<_> = credentials.iter().map(|fields| scope.spawn(move || take(fields))).collect();
        running.into_iter().map(|running| running.join().unwrap()).collect()
    })
}

#[test]
fn a_hundred_sessions_share_alike_and_nobody_starves() {
    let place = Place::new();
    let served = serve(&place, &format!("[limits]\ndown = \"4M\"\n{}", users(""))).start();
    fs::write(place.far("f"), vec![7; 16 << 20]).unwrap();
    // Whose password was right once costs no hash a second time.
    for user in [OWNER, STRANGER] {
        HttpCaller::to(served.http_addr()).asks(request("HEAD", "/f", &[user], None)).expect(200);
    }
    let (few, many) = (20, 80);
    let credentials = [vec![OWNER; few], vec![STRANGER; many]].concat();
    let time = Duration::from_secs(3);
    let taken = taken(&served, &credentials, time);
    let (few, many) = taken.split_at(few);
    let (of_few, of_many): (u64, u64) = (few.iter().sum(), many.iter().sum());
    let all = (of_few + of_many) as f64 / (4 * MIB) as f64;
    assert!(all < time.as_secs_f64() + 0.2 && all > time.as_secs_f64() / SLOWEST, "{all} s worth");
    let share = of_few as f64 / (of_few + of_many) as f64;
    assert!((0.42..0.58).contains(&share), "each user has half, however many sessions: {share}");
    for sessions in [few, many] {
        let (least, most) = (sessions.iter().min().unwrap(), sessions.iter().max().unwrap());
        // Two pieces, and what the heads are.
        assert!(*least > 0 && most - least < 128 << 10, "{sessions:?}");
    }
}

#[test]
fn a_rate_that_changes_holds_for_what_runs_and_a_wrong_one_changes_nothing() {
    let place = Place::new();
    let file = place.local("serve.toml");
    let with = |rate: &str| fs::write(&file, users(rate)).unwrap();
    let read_again = |served: &Served, told: &str| {
        let before = served.process().stderr().matches(told).count();
        served.process().hang_up();
        scene::wait_until(|| served.process().stderr().matches(told).count() > before);
    };
    with("");
    fs::write(place.far("f"), vec![7; 96 << 20]).unwrap();
    let serve = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).arg("--config").arg(&file);
    let served = serve.http().start();
    // Both have begun without a limit, and their clients wait: what is in the network's buffers they have.
    let mut caller = owner(served.addr());
    let mut data = caller.data();
    caller.says("RETR f", 150);
    data.takes(1 << 20);
    let mut http = std::net::TcpStream::connect(served.http_addr()).unwrap();
    std::io::Write::write_all(&mut http, &request("GET", "/f", &[OWNER], None)).unwrap();
    http.read_exact(&mut vec![0; 1 << 20]).unwrap();
    with("session_down = \"8M\"\ndown = \"fast\"");
    read_again(&served, "everything stays as it was");
    let log = served.process().stderr();
    assert!(log.contains("serve.toml:5: user.down: \\\"fast\\\" is no rate in bytes a second"), "{log}");
    with("session_down = \"8M\"");
    read_again(&served, " reloaded");
    let began = Instant::now();
    let slow = std::thread::spawn(move || {
        http.read_exact(&mut vec![0; 40 << 20]).unwrap();
        (http, began.elapsed().as_secs_f64())
    });
    data.takes(40 << 20);
    let (ftp, (mut http, took)) = (began.elapsed().as_secs_f64(), slow.join().unwrap());
    // Up to some 16 MiB of it were on their way.
    assert!(ftp > 2.5 && took > 2.5, "ftp {ftp} s, http {took} s");
    // And free again.
    with("");
    read_again(&served, " reloaded");
    let began = Instant::now();
    let rest = data.all().len();
    assert_eq!(rest, 55 << 20);
    caller.hears(226);
    http.read_exact(&mut vec![0; 50 << 20]).unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn an_upload_that_is_held_up_is_not_silent_and_nobody_takes_it_over() {
    let place = Place::new();
    // Of four uploads each has its turn every four seconds, twice as long as somebody is waited for who is silent.
    let served = serve(&place, &users("up = \"1K\"")).start();
    let bytes = vec![7; 3 << 10];
    let staged = |count: usize| {
        scene::wait_until(|| {
            let there = fs::read_dir(place.far(".haul/staging")).into_iter().flatten().flatten();
            let begun = there.filter(|file| file.metadata().is_ok_and(|found| found.len() > 0)).count();
            begun == count
        });
    };
    let mut ftp = owner(served.addr());
    let mut data = ftp.data();
    ftp.says("STOR ftp", 150);
    data.sends(&bytes);
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "tus", 3 << 10);
    let mut tus = ann.begins(&url, 0, 3 << 10, &[], &bytes);
    let mut puts = ["/http", "/more"].map(|path| {
        let mut caller = HttpCaller::to(served.http_addr());
        caller.sends(request("PUT", path, &[OWNER], Some(&bytes)));
        caller
    });
    staged(4);
    // Newcomers wait for as long as somebody may be silent, and go.
    let put = request("PUT", "/http", &[OWNER], Some(b"new"));
    let other = std::thread::spawn({
        let at = served.http_addr();
        move || HttpCaller::to(at).asks(put).status()
    });
    let mut newcomer = owner(served.addr());
    newcomer.says("PASV", 227);
    newcomer.says("STOR ftp", 450);
    assert_eq!(other.join().unwrap(), 409);
    // Who asks how far it is ends nobody.
    assert!(ann.offset(&url) < 3 << 10);
    data.finish();
    ftp.hears(226);
    for put in &mut puts {
        put.answer("PUT").expect(201);
    }
    tus.answer("PATCH").expect(204);
    for name in ["ftp", "http", "more", "tus"] {
        assert_eq!(fs::read(place.far(name)).unwrap(), bytes, "{name}");
    }
}

#[test]
fn a_limited_transfer_can_be_given_up_and_gone_on_with() {
    let place = Place::new();
    let served = serve(&place, &users("up = \"256K\"")).start();
    let bytes: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
    let mut caller = owner(served.addr());
    let mut data = caller.data();
    caller.says("STOR f", 150);
    data.sends(&bytes);
    caller.sends("ABOR");
    let reply = caller.hears(426);
    caller.hears(226);
    drop(data);
    let kept = caller.size("f").unwrap_or(0);
    assert!(kept < 1 << 20, "{reply:?}");
    caller.says(&format!("REST {kept}"), 350);
    assert_eq!(caller.stores("STOR f", &bytes[usize::try_from(kept).unwrap()..]).code, 226);
    assert_eq!(fs::read(place.far("f")).unwrap(), bytes);
    // Who goes away in the middle of a limited answer leaves nothing behind.
    for _ in 0..20 {
        let mut gone = HttpCaller::to(served.http_addr());
        gone.sends(request("GET", "/f", &[OWNER], None));
    }
    served.process().wait_for_line(|line| line.contains("sent ") && line.contains("complete=no"), SOON);
}
