//! `haul serve` with hooks that mean it no good: programs that do not end, that leave their group or are never silent, and
//! servers that trickle, that never come to an end or show the wrong certificate. Each has its deadline, costs no memory
//! to speak of, and keeps nobody else from hearing.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use haul_testkit::{Served, real::peer, tls::Certificates};

use crate::scene::{
    SOON,
    ear::Ear,
    receiver::{Receiver, field},
    served::{Place, owner},
    wait_until,
};

fn stores(served: &Served, name: &str) {
    assert_eq!(owner(served.addr()).stores(&format!("STOR {name}"), b"some").code, 226);
}

fn wait_for(served: &Served, what: &str) -> String {
    served.process().wait_for_line(|line| line.contains(what), SOON)
}

/// Whether a process is there and more than a number that nobody has asked for.
fn lives(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_program_that_leaves_its_group_has_its_deadline_all_the_same() {
    let (place, ear) = (Place::new(), Ear::new());
    let Some(python) = peer("python3") else { return };
    let leave = format!(
        "exec {} -c 'import os, sys, time; os.setpgid(0, os.getpgid(os.getppid())); \
         open(sys.argv[1] + \"/pid\", \"w\").write(str(os.getpid())); time.sleep(600)' \"$1\"",
        python.display()
    );
    let hook = ear.hook("runaway", &leave, "deadline = \"5s\"\nretries = 0\nat_once = 1");
    let served = place.serve().config(&hook).start();
    stores(&served, "f");
    let line = wait_for(&served, "hook given up");
    assert!(line.contains("it was ended after 5 s"), "{line}");
    let pid = fs::read_to_string(ear.path("pid")).unwrap();
    wait_until(|| !lives(&pid));
}

#[test]
fn a_program_that_is_never_silent_and_what_it_leaves_running_hold_nobody_up() {
    let (place, ear) = (Place::new(), Ear::new());
    // Whoever holds on to its standard output after its end is not waited for.
    let leaves = ear.hook("leaves", "sleep 600 & echo $! > \"$1/left\"", "deadline = \"60s\"");
    let loud = ear.hook("loud", "yes | cat & exec yes", "deadline = \"2s\"\nretries = 0");
    let served = place.serve().config(&format!("{leaves}{loud}")).start();
    stores(&served, "f");
    wait_for(&served, "hook done hook=\"leaves\"");
    let left = fs::read_to_string(ear.path("left")).unwrap();
    assert!(lives(left.trim()), "it is not killed either");
    haul_testkit::Haul::new("kill").arg(left.trim()).run().expect_code(0);
    let line = wait_for(&served, "hook given up hook=\"loud\"");
    assert!(line.contains("it was ended after 2 s") && line.contains(r"y\x0ay\x0a"), "{line}");
    assert!(line.len() < 10_000, "the end of what it says: {} bytes", line.len());
    assert!(served.process().peak_memory().unwrap() < 200 << 20);
}

/// A server's name, what the log says of it, and what it does.
type Hostile = (&'static str, &'static str, fn(TcpStream) -> std::io::Result<()>);

/// A server that does this with whoever asks, each in a thread of its own.
fn serves(answer: fn(TcpStream) -> std::io::Result<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || answer(stream));
        }
    });
    url
}

/// Once it was asked, for ever, or until the other end goes away.
fn repeats(mut stream: TcpStream, first: &[u8], then: &[u8], pause: Duration) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 4096])?;
    stream.write_all(first)?;
    loop {
        stream.write_all(then)?;
        std::thread::sleep(pause);
    }
}

#[test]
fn a_server_that_does_not_come_to_an_answer_is_left_in_time_and_holds_nobody_up() {
    const NOW: Duration = Duration::ZERO;
    let place = Place::new();
    let receiver = Receiver::answering(&["204 Thanks"]);
    let servers: [Hostile; 8] = [
        ("silent", "no answer came in time", |stream| {
            stream.try_clone()?.read_to_end(&mut Vec::new()).map(drop)
        }),
        ("trickles", "no answer came in time", |stream| {
            repeats(stream, b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", Duration::from_millis(200))
        }),
        ("interim", "no answer came in time", |stream| {
            repeats(stream, b"", b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n", NOW)
        }),
        ("field", "no answer: ", |stream| repeats(stream, b"HTTP/1.1 200 OK\r\nA: ", &[b'b'; 65_536], NOW)),
        ("fields", "no answer: ", |stream| {
            repeats(stream, b"HTTP/1.1 200 OK\r\n", &b"A: b\r\n".repeat(10_000), NOW)
        }),
        ("nonsense", "no answer: ", |stream| repeats(stream, b"", &[b'?'; 65_536], NOW)),
        ("elsewhere", "the answer was 307", |stream| {
            repeats(stream, b"HTTP/1.1 307 There\r\nLocation: /\r\n\r\n", b"x", NOW)
        }),
        // It has heard: what else it says is not waited for.
        ("endless", "", |stream| repeats(stream, b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65_536], NOW)),
    ];
    let hook = |name: &str, url: &str| {
        format!("[[hook]]\nname = {name:?}\nurl = {url:?}\ndeadline = \"3s\"\nretries = 0\n")
    };
    let hostile: String = servers.iter().map(|(name, _, answer)| hook(name, &serves(*answer))).collect();
    let served = place.serve().config(&(hostile + &hook("friend", &receiver.url))).start();
    stores(&served, "f");
    wait_for(&served, "hook done hook=\"friend\"");
    for (name, why, _) in servers {
        let what = if why.is_empty() { "done" } else { "given up" };
        let line = wait_for(&served, &format!("hook {what} hook=\"{name}\""));
        assert!(line.contains(why), "{line}");
    }
    assert!(served.process().peak_memory().unwrap() < 200 << 20);
    assert_eq!(receiver.asked().len(), 1);
}

#[test]
fn over_tls_only_the_server_that_was_named_is_told_and_only_if_somebody_trusted_vouches_for_it() {
    let (place, trust) = (Place::new(), tempfile::tempdir().unwrap());
    let (right, wrong) = (Certificates::for_loopback(), Certificates::for_loopback());
    let other = Certificates::for_names(&["elsewhere.example"]);
    let [good, unknown, misnamed] =
        [&right, &wrong, &other].map(|shown| Receiver::protected(shown.server_config(), &["204 Thanks"]));
    let bundle = |of: &[&Certificates]| -> String {
        of.iter().map(|of| fs::read_to_string(of.ca_pem_path()).unwrap()).collect()
    };
    let trusted = trust.path().join("bundle.pem");
    fs::write(&trusted, bundle(&[&right, &other])).unwrap();
    fs::write(place.local("secret"), "of ours").unwrap();
    let hook = |name: &str, receiver: &Receiver| {
        let secret = place.local("secret");
        format!(
            "[[hook]]\nname = {name:?}\nurl = \"{}/in\"\nsecret_file = {secret:?}\nretry = \"1s\"\n",
            receiver.url
        )
    };
    let config = hook("good", &good) + &hook("unknown", &unknown) + &hook("misnamed", &misnamed);
    let served = place.serve().env("SSL_CERT_FILE", &trusted).config(&config).start();
    stores(&served, "f");
    wait_for(&served, "hook done hook=\"good\"");
    let (head, body) = good.asked().remove(0);
    assert!(
        head.starts_with("POST /in HTTP/1.1\r\n") && body.starts_with(b"{\"address\":\"127.0.0.1\""),
        "{head}"
    );
    assert!(field(&head, "webhook-signature").starts_with("v1,"));
    let tries = |name: &str, why: &str| {
        let said = served.process().stderr();
        let failed = format!("hook failed hook=\"{name}\"");
        said.lines().filter(|line| line.contains(&failed) && line.contains(why)).count()
    };
    wait_until(|| tries("unknown", "its certificate is signed by nobody whom this system trusts") >= 2);
    wait_until(|| tries("misnamed", "its certificate is for another name") >= 2);
    assert_eq!((unknown.asked().len(), misnamed.asked().len()), (0, 0), "nothing is told before that");
    // Authorities are read anew by a hang-up, also where the file is another one by then.
    fs::write(trust.path().join("new.pem"), bundle(&[&right, &wrong])).unwrap();
    fs::rename(trust.path().join("new.pem"), &trusted).unwrap();
    served.process().hang_up();
    wait_for(&served, " reloaded");
    wait_for(&served, "hook done hook=\"unknown\"");
    assert_eq!(field(&unknown.asked()[0].0, "webhook-id"), field(&head, "webhook-id"));
    assert_eq!(misnamed.asked().len(), 0);
}

#[test]
fn what_a_sandbox_does_not_reach_is_told_where_a_hang_up_brings_the_first_hook_for_it() {
    let (place, ear) = (Place::new(), Ear::new());
    let file = place.local("serve.toml");
    fs::write(&file, "").unwrap();
    let served = place.serve().arg("--config").arg(&file).start();
    let confined = wait_for(&served, " sandbox ").contains("landlock=");
    let url = "[[hook]]\nname = \"web\"\nurl = \"http://localhost:1/\"\n";
    for (config, part) in [(url.to_owned(), "hook.url"), (ear.hook("ear", "", ""), "hook.command")] {
        fs::write(&file, config).unwrap();
        served.process().hang_up();
        let line = served
            .process()
            .wait_for_line(|line| line.contains(part) || !confined && line.ends_with(" reloaded"), SOON);
        assert!(!confined || line.contains("changed, but not before a restart"), "{line}");
    }
}
