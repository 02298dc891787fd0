//! `haul serve` with hooks: who is told of transfers, when, how often, and what is left of that by a kill.

use crate::scene;
use std::{fs, path::Path, time::Duration};

use haul_testkit::{Caller, Content, Haul, Serve, Served, real::peer, served};

use crate::scene::{
    MIB,
    ear::Ear,
    http::{OWNER, ask, send},
    receiver::{Receiver, field},
    served::{Place, begun, hash_of, owner, part},
    tus::{BYTES, Tus, filename, location},
    wait_until,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn stores(served: &Served, name: &str, bytes: &[u8]) -> u16 {
    owner(served.addr()).stores(&format!("STOR {name}"), bytes).code
}

/// The server says in its log that a hook was told, so often.
fn wait_for_lines(served: &Served, what: &str, count: usize) {
    wait_until(|| served.process().stderr().matches(what).count() >= count);
}

#[test]
fn a_complete_upload_is_told_once_whichever_client_sends_it_through_whichever_door() {
    let (place, ear) = (Place::new(), Ear::new());
    let served = place.serve().http().config(&ear.hook("ear", "", "")).start();
    let content = Content::new(1, 300_000);
    content.write_to(place.local("f.bin"));
    fs::create_dir(place.far("d")).unwrap();
    let mut sent = Vec::new();
    if let Some(curl) = peer("curl") {
        for (url, protocol, path) in
            [(served.url("/d/a%20b"), "ftp", "/d/a b"), (served.http_url("/c"), "http", "/c")]
        {
            let end = Haul::new(&curl).args(["-sS", "-f", "-T", "f.bin", &url]).dir(place.dir()).run();
            end.expect_code(0);
            sent.push((path, protocol));
        }
    }
    if let Some(lftp) = peer("lftp") {
        let script = format!(
            "set ftp:ssl-allow no; open -u {},{} -p {} 127.0.0.1; put f.bin -o l",
            served::USER,
            served::PASSWORD,
            served.addr().port()
        );
        Haul::new(lftp).args(["--norc", "-c", &script]).dir(place.dir()).run().expect_code(0);
        sent.push(("/l", "ftp"));
    }
    wait_for_lines(&served, "hook done", sent.len());
    let heard = ear.heard();
    assert_eq!(heard.len(), sent.len(), "each once: {heard:?}");
    for (told, (path, protocol)) in heard.iter().zip(sent) {
        let value = |key: &str| told.get(key).map(String::as_str);
        assert_eq!((value("PATH"), value("PROTOCOL")), (Some(path), Some(protocol)));
        assert_eq!((value("EVENT"), value("DIRECTION")), (Some("complete"), Some("received")));
        assert_eq!((value("USER"), value("ADDRESS")), (Some(served::USER), Some("127.0.0.1")));
        assert_eq!(
            (value("SIZE"), value("BYTES"), value("RESUMED")),
            (Some("300000"), Some("300000"), Some("false"))
        );
        assert_eq!((value("ATTEMPT"), value("HOOK")), (Some("1"), Some("ear")));
        content.assert_file_is(value("FILE").unwrap());
    }
}

/// What was told last, once there are so many: path, event, direction, first byte, how many.
fn last_of(ear: &Ear, count: usize) -> (String, String, String, u64, u64) {
    let told = ear.wait_for(count).pop().unwrap();
    let number = |key: &str| told[key].parse().unwrap();
    let value = |key: &str| told[key].clone();
    (value("PATH"), value("EVENT"), value("DIRECTION"), number("FROM"), number("BYTES"))
}

#[test]
fn each_dialect_tells_one_complete_of_an_upload_in_however_many_pieces() {
    let (place, ear) = (Place::new(), Ear::new());
    let hook = ear.hook("ear", "", "on = [\"complete\", \"incomplete\"]");
    let served = place.serve().http().config(&hook).start();
    let (ftp, addr) = (served.addr(), served.http_addr());
    let received = |path: &str, from, bytes| {
        (path.to_owned(), "complete".to_owned(), "received".to_owned(), from, bytes)
    };
    // FTP: STOR, and APPE to what is there.
    assert_eq!(stores(&served, "f", b"some"), 226);
    assert_eq!(last_of(&ear, 1), received("/f", 0, 4));
    assert_eq!(owner(ftp).stores("APPE f", b" more").code, 226);
    assert_eq!(last_of(&ear, 2), received("/f", 4, 5));
    // FTP by lanes: the ranges are no ends.
    let lane = |range: &str, of: &str, bytes: &[u8]| {
        let mut caller = owner(ftp);
        if of.is_empty() {
            caller.says("ALLO 8", 200);
        }
        caller.says(&format!("RANG {range} {of}"), 350);
        caller.stores("STOR l", bytes)
    };
    let first = lane("4 7", "", b"wise");
    let of = first.text.split_whitespace().skip_while(|word| *word != "RANG").nth(3).unwrap().to_owned();
    assert_eq!(lane("0 3", &of, b"like").code, 226);
    assert_eq!(last_of(&ear, 3).0, "/l");
    assert_eq!(ear.heard()[2]["SIZE"], "8");
    // PUT, whole and in pieces.
    send(addr, "PUT", "/p", &[OWNER], b"whole").expect(201);
    assert_eq!(last_of(&ear, 4), received("/p", 0, 5));
    assert!(send(addr, "PUT", "/q", &[OWNER, "Content-Range: bytes 0-3/8"], b"half").status() < 400);
    assert!(send(addr, "PUT", "/q", &[OWNER, "Content-Range: bytes 4-7/8"], b"half").status() < 300);
    assert_eq!(last_of(&ear, 5), received("/q", 4, 4));
    // The draft.
    let interop = "Upload-Draft-Interop-Version: 8";
    let fields = [OWNER, interop, "Upload-Complete: ?0", "Upload-Length: 8"];
    let made = send(addr, "POST", "/r", &fields, b"half").expect(201);
    let fields = [
        OWNER,
        interop,
        "Upload-Complete: ?1",
        "Upload-Offset: 4",
        "Content-Type: application/partial-upload",
    ];
    assert!(send(addr, "PATCH", &location(&made), &fields, b"half").status() < 300);
    assert_eq!(last_of(&ear, 6), received("/r", 4, 4));
    // tus, and a file of its parts.
    let ann = Tus::owner(addr);
    let url = ann.creates("/-/tus", "s", 8);
    ann.sends(&url, 0, b"half").expect(204);
    ann.sends(&url, 4, b"half").expect(204);
    assert_eq!(last_of(&ear, 7), received("/s", 4, 4));
    let part = |bytes: &[u8]| {
        let length = format!("Upload-Length: {}", bytes.len());
        location(&ann.asks("POST", "/-/tus", &[&length, "Upload-Concat: partial", BYTES], bytes).expect(201))
    };
    let concat = format!("Upload-Concat: final;{} {}", part(b"a"), part(b"bc"));
    ann.asks("POST", "/-/tus", &[&concat, &filename("t")], b"").expect(201);
    assert_eq!(last_of(&ear, 8), received("/t", 0, 3));
    // Parts and ranges are told of by nobody, and each of these once.
    let events: Vec<_> = ear.heard().into_iter().map(|told| told["EVENT"].clone()).collect();
    assert_eq!(events, ["complete"; 8]);
    let protocols: Vec<_> = ear.heard().into_iter().map(|told| told["PROTOCOL"].clone()).collect();
    assert_eq!(protocols, ["ftp", "ftp", "ftp", "http", "http", "http", "http", "http"]);
}

#[test]
fn what_goes_out_is_told_of_each_answer_with_its_first_byte() {
    let (place, ear) = (Place::new(), Ear::new());
    let hook = ear.hook("ear", "", "on = [\"complete\", \"incomplete\"]\ndirection = \"sent\"");
    let served = place.serve().http().config(&hook).start();
    let content = Content::new(5, 40 * MIB);
    content.write_to(place.far("f"));
    let sent = |from, bytes| ("/f".to_owned(), "complete".to_owned(), "sent".to_owned(), from, bytes);
    let mut caller = owner(served.addr());
    caller.says(&format!("REST {}", 40 * MIB - 7), 350);
    assert_eq!(caller.receives("RETR f").len(), 7);
    assert_eq!(last_of(&ear, 1), sent(40 * MIB - 7, 7));
    ask(served.http_addr(), "GET", "/f", &[OWNER, "Range: bytes=100-199"]).expect(206);
    assert_eq!(last_of(&ear, 2), sent(100, 100));
    // Whoever goes away in the middle has not all of it.
    let data = caller.data();
    caller.says("RETR f", 150);
    drop((data, caller));
    let (path, event, direction, from, bytes) = last_of(&ear, 3);
    assert_eq!((path.as_str(), event.as_str(), direction.as_str(), from), ("/f", "incomplete", "sent", 0));
    assert!(bytes < 40 * MIB && !ear.heard()[2]["WHY"].is_empty());
    // A look is no transfer.
    ask(served.http_addr(), "HEAD", "/f", &[OWNER]).expect(200);
    ask(served.http_addr(), "GET", "/f", &[OWNER, "Range: bytes=0-0"]).expect(206);
    assert_eq!(last_of(&ear, 4), sent(0, 1));
}

#[test]
fn what_a_quota_has_no_room_for_is_told_as_incomplete_and_a_home_and_a_mount_are_told_as_they_lie() {
    let (place, ear) = (Place::new(), Ear::new());
    let disk = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.far("home/media")).unwrap();
    let user = |name: &str, more: &str| {
        format!("[[user]]\nname = {name:?}\npassword = {:?}\n{more}\n", hash_of("secret"))
    };
    let config = format!(
        "[[mount]]\npath = \"/home/media\"\ndir = {:?}\n{}{}{}",
        disk.path(),
        user("a", "home = \"/home\""),
        user("q", "home = \"/small\"\nquota_bytes = \"1M\""),
        ear.hook("ear", "", "on = [\"complete\", \"incomplete\"]")
    );
    fs::create_dir_all(place.far("small")).unwrap();
    let serve = haul_testkit::Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root());
    let served = serve.http().config(&config).start();
    // Within the home, and within what is mounted there.
    for (name, path, file) in
        [("f", "/home/f", place.far("home/f")), ("media/g", "/home/media/g", disk.path().join("g"))]
    {
        let heard = ear.heard().len();
        assert_eq!(stores(&served, name, b"some"), 226);
        let told = &ear.wait_for(heard + 1)[heard];
        assert_eq!((told["PATH"].as_str(), Path::new(&told["FILE"])), (path, file.as_path()));
        assert_eq!(fs::read(&told["FILE"]).unwrap(), b"some");
    }
    // More than there is room for: in the middle, and at once.
    let big = vec![0; 2 << 20];
    let quota = "Authorization: Basic cTpzZWNyZXQ=";
    let mut caller = Caller::binary(served.addr(), "q", "secret");
    let stored = caller.stores("STOR x", &big);
    assert_eq!(stored.code, 552);
    send(served.http_addr(), "PUT", "/y", &[quota], &big).expect(507);
    for (told, path) in ear.wait_for(4)[2..].iter().zip(["/small/x", "/small/y"]) {
        assert_eq!((told["PATH"].as_str(), told["EVENT"].as_str()), (path, "incomplete"), "{told:?}");
        assert!(told["WHY"].contains("quota"), "{told:?}");
        assert!(!told.contains_key("FILE"), "{told:?}");
    }
}

#[test]
fn a_client_that_is_killed_is_told_as_incomplete_and_who_goes_on_as_complete_from_there() {
    let (place, ear) = (Place::new(), Ear::new());
    let hook = ear.hook("ear", "", "on = [\"complete\", \"incomplete\"]");
    let served = place.serve().http().config(&hook).start();
    let content = Content::new(2, 4 * MIB);
    content.write_to(place.local("f.bin"));
    let Some(curl) = peer("curl") else { return };
    for (number, url) in [served.url("/f"), served.http_url("/h")].iter().enumerate() {
        let args = ["-sS", "--limit-rate", "1M", "-T", "f.bin", url.as_str()];
        let process = Haul::new(&curl).args(args).dir(place.dir()).spawn();
        wait_until(|| place.hidden() > MIB / 2);
        process.kill_9();
        let heard = ear.wait_for(number + 1);
        let told = &heard[number];
        assert_eq!(told["EVENT"], "incomplete", "{told:?}");
        assert!(!told["WHY"].is_empty() && !told.contains_key("FILE"), "{told:?}");
        owner(served.addr()).says(if number == 0 { "DELE f" } else { "DELE h" }, 250);
    }
    // And the one who comes back.
    let mut caller = owner(served.addr());
    drop(begun(&mut caller, "STOR g", &part(content, 0, MIB)));
    drop(caller);
    let kept: u64 = ear.wait_for(3)[2]["KEPT"].parse().unwrap();
    let mut caller = owner(served.addr());
    caller.says(&format!("REST {kept}"), 350);
    assert_eq!(caller.stores("STOR g", &part(content, kept, content.size())).code, 226);
    let told = &ear.wait_for(4)[3];
    assert_eq!((told["EVENT"].as_str(), told["RESUMED"].as_str()), ("complete", "true"), "{told:?}");
    assert_eq!((told["FROM"].clone(), told["SIZE"].clone()), (kept.to_string(), content.size().to_string()));
}

/// Whether a process is there and more than a number that nobody has asked for.
fn lives(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_program_beyond_its_deadline_is_killed_with_all_that_it_has_started() {
    let (place, ear) = (Place::new(), Ear::new());
    let script = r#"sleep 600 & echo $! > "$1/child.new"; mv "$1/child.new" "$1/child"; echo began; wait"#;
    let hook = ear.hook("slow", script, "deadline = \"4s\"\nretries = 0");
    let served = place.serve().config(&hook).start();
    assert_eq!(stores(&served, "f", b"some"), 226);
    let line = served.process().wait_for_line(|line| line.contains("hook given up"), PATIENCE);
    assert!(line.contains("ended after 4 s") && line.contains("began"), "{line}");
    let child = fs::read_to_string(ear.path("child")).unwrap();
    wait_until(|| !lives(child.trim()));
    assert_eq!(ear.heard().len(), 0);
}

#[test]
fn who_fails_is_tried_again_and_then_given_up_and_the_log_says_so() {
    let (place, ear) = (Place::new(), Ear::new());
    let third = ear.hook("third", "[ $HAUL_ATTEMPT -ge 3 ] || { echo not yet; exit 7; }", "retry = \"1s\"");
    let never = ear.hook("never", "exit 1", "retry = \"1s\"\nretries = 1");
    let absent = "[[hook]]\nname = \"gone\"\ncommand = [\"/bin/sh\"]\npath = \"/elsewhere\"\n";
    let served = place.serve().config(&format!("{third}{never}{absent}")).start();
    assert_eq!(stores(&served, "f", b"some"), 226);
    wait_for_lines(&served, "hook done", 1);
    served.process().wait_for_line(|line| line.contains("hook given up"), PATIENCE);
    let said = served.process().stderr();
    let lines = |what: &str| said.lines().filter(|line| line.contains(what)).count();
    assert_eq!((lines("hook failed hook=\"third\""), lines("hook failed hook=\"never\"")), (2, 1), "{said}");
    assert!(said.contains("it ended with 7") && said.contains("not yet"), "{said}");
    let heard = ear.heard();
    assert_eq!((heard.len(), heard[0]["ATTEMPT"].as_str()), (1, "3"), "{heard:?}");
}

#[test]
fn what_waits_is_delivered_by_the_next_server_in_order_and_under_its_id() {
    let (place, ear) = (Place::new(), Ear::new());
    let hook = ear.hook("ear", "[ -e \"$1/open\" ] || exit 1", "retry = \"1s\"");
    let served = place.serve().config(&hook).start();
    for size in [1, 2, 3] {
        assert_eq!(stores(&served, "f", &vec![0; size]), 226);
    }
    let line = served.process().wait_for_line(|line| line.contains("hook failed"), PATIENCE);
    let id = line.split(" id=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    served.process().terminate();
    served.process().wait_for_line(|line| line.contains("stopping"), PATIENCE);
    let (served, end) = ended_and_started_again(served, &ear);
    assert!(!end.contains("hook done"), "{end}");
    wait_for_lines(&served, "hook done", 3);
    let heard = ear.heard();
    assert_eq!(heard.iter().filter(|told| told["ID"] == id && told["SIZE"] == "1").count(), 1, "{heard:?}");
    let said = served.process().stderr();
    let done = said.lines().filter(|line| line.contains("hook done"));
    let sizes: Vec<_> = done
        .map(|line| heard.iter().find(|told| line.contains(&told["ID"])).unwrap()["SIZE"].as_str())
        .collect();
    assert_eq!(sizes, ["1", "2", "3"], "in the order in which they were published");
}

/// Waits for its end, opens the ear and starts it again.
fn ended_and_started_again(served: Served, ear: &Ear) -> (Served, String) {
    let said = std::cell::RefCell::new(String::new());
    let pid = served.process().id().to_string();
    wait_until(|| {
        *said.borrow_mut() = served.process().stderr();
        !lives(&pid)
    });
    fs::write(ear.path("open"), "").unwrap();
    (served.killed_and_started_again(), said.into_inner())
}

#[test]
fn a_server_is_asked_with_a_signature_that_others_can_verify_until_it_has_heard() {
    let (place, ear) = (Place::new(), Ear::new());
    let receiver = Receiver::answering(&["503 Later", "302 Found\r\nLocation: /elsewhere", "204 Thanks"]);
    fs::write(ear.path("secret"), " whsec_c2VjcmV0IG9mIG91cnM=\n").unwrap();
    let hook = format!(
        "[[hook]]\nname = \"web\"\nurl = \"{}/in?a=b\"\nsecret_file = {:?}\nretry = \"1s\"\n",
        receiver.url,
        ear.path("secret")
    );
    let served = place.serve().config(&hook).start();
    assert_eq!(stores(&served, "caf\u{e9}", b"some"), 226);
    wait_for_lines(&served, "hook done", 1);
    let asked = receiver.asked();
    assert_eq!(asked.len(), 3, "no redirect is followed: {asked:?}");
    for (number, (head, body)) in asked.iter().enumerate() {
        assert!(head.starts_with("POST /in?a=b HTTP/1.1\r\n"), "{head}");
        let told: serde_json::Value = serde_json::from_slice(body).unwrap();
        assert_eq!(
            (&told["event"], &told["path"], &told["size"]),
            (&"complete".into(), &"/caf\u{e9}".into(), &4.into())
        );
        assert_eq!(told["id"], field(head, "webhook-id").as_str());
        assert_eq!(body, &asked[0].1, "the same each time");
        assert_eq!(field(head, "haul-attempt"), (number + 1).to_string());
        assert_eq!(field(head, "content-type"), "application/json");
        let Some(python) = peer("python3") else { continue };
        let script = "import sys, hmac, hashlib, base64\n\
            i, t, s = sys.argv[1:]\n\
            told = (i + '.' + t + '.').encode() + sys.stdin.buffer.read()\n\
            made = base64.b64encode(hmac.new(b'secret of ours', told, hashlib.sha256).digest()).decode()\n\
            sys.exit(0 if hmac.compare_digest('v1,' + made, s) else 1)";
        let fields = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| field(head, name));
        Haul::new(python).args(["-c", script]).args(fields).input(body.clone()).run().expect_code(0);
    }
}

#[test]
fn a_server_that_says_gone_is_not_asked_again() {
    let place = Place::new();
    let receiver = Receiver::answering(&["410 Gone", "204 Thanks"]);
    let hook = format!("[[hook]]\nname = \"web\"\nurl = \"{}\"\nretry = \"1s\"\n", receiver.url);
    let served = place.serve().config(&hook).start();
    assert_eq!(stores(&served, "a", b"some"), 226);
    served.process().wait_for_line(|line| line.contains("hook given up"), PATIENCE);
    assert_eq!(stores(&served, "a", b"more"), 226);
    wait_for_lines(&served, "hook done", 1);
    assert_eq!(receiver.asked().len(), 2);
}

#[test]
fn a_program_may_have_as_many_files_open_as_whoever_started_the_server_lets_it_have() {
    use std::os::unix::fs::PermissionsExt as _;
    let (place, ear) = (Place::new(), Ear::new());
    // A few for select(2), as most systems have it, and more for who asks.
    let script = place.local("limited");
    let shell = format!("#!/bin/sh\nulimit -Sn 300 && exec {} \"$@\"\n", env!("CARGO_BIN_EXE_haul"));
    fs::write(&script, shell).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let hook = ear.hook("limits", r#"cat /proc/self/limits > "$1/limits""#, "");
    let served = Serve::over(&script, place.root()).config(&hook).start();
    assert_eq!(stores(&served, "f", b"some"), 226);
    ear.wait_for(1);
    let limits = |path: &Path| -> (String, String) {
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    };
    let server = limits(Path::new(&format!("/proc/{}/limits", served.process().id())));
    assert_eq!(server.0, server.1, "the server itself has as many as it can");
    assert_eq!(limits(&ear.path("limits")), ("300".to_owned(), server.1));
}

#[test]
fn what_is_sent_is_told_too_where_nobody_may_write() {
    let (place, ear) = (Place::new(), Ear::new());
    fs::write(place.far("f"), "content").unwrap();
    let state = place.local("state");
    let hook = ear.hook("ear", "", "direction = \"sent\"");
    let serve = haul_testkit::Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root());
    let served = serve.arg("--state").arg(&state).http().config(&hook).start();
    let mut caller = Caller::binary(served.addr(), "anonymous", "x");
    assert_eq!(caller.receives("RETR f"), b"content");
    wait_for_lines(&served, "hook done", 1);
    let told = &ear.heard()[0];
    assert_eq!((told["PATH"].as_str(), told["BYTES"].as_str()), ("/f", "7"));
    assert_eq!((told["ANONYMOUS"].as_str(), told["DIRECTION"].as_str()), ("true", "sent"));
}

#[test]
fn a_hang_up_changes_hooks_and_what_waits_for_one_that_is_gone_is_dropped() {
    let (place, ear) = (Place::new(), Ear::new());
    let file = place.local("serve.toml");
    fs::write(&file, ear.hook("old", "exit 1", "retry = \"1h\"")).unwrap();
    let served = place.serve().arg("--config").arg(&file).start();
    assert_eq!(stores(&served, "a", b"some"), 226);
    served.process().wait_for_line(|line| line.contains("hook failed hook=\"old\""), PATIENCE);
    fs::write(&file, "[[hook]]\nname = \"new\"\n").unwrap();
    served.process().hang_up();
    let line = served.process().wait_for_line(|line| line.contains("everything stays as it was"), PATIENCE);
    assert!(line.contains("serve.toml:1: hook.command: is missing"), "{line}");
    // The old one is told, as before.
    assert_eq!(stores(&served, "d", b"some"), 226);
    wait_for_lines(&served, "hook failed hook=\"old\"", 2);
    fs::write(&file, ear.hook("new", "", "path = \"/b\"")).unwrap();
    served.process().hang_up();
    served.process().wait_for_line(|line| line.ends_with(" reloaded"), PATIENCE);
    served.process().wait_for_line(|line| line.contains("2 deliveries are dropped"), PATIENCE);
    assert_eq!((stores(&served, "c", b"some"), stores(&served, "b", b"some")), (226, 226));
    wait_for_lines(&served, "hook done", 1);
    let heard = ear.heard();
    assert_eq!((heard.len(), heard[0]["PATH"].as_str()), (1, "/b"), "{heard:?}");
}

#[test]
fn a_program_is_run_in_no_sandbox_and_the_log_says_so_or_the_server_does_not_start() {
    let (place, ear) = (Place::new(), Ear::new());
    let hook = ear.hook("ear", "", "");
    let served = place.serve().config(&hook).start();
    let line = served.process().wait_for_line(|line| line.contains(" sandbox "), PATIENCE);
    assert!(line.ends_with(r#"sandbox none="the hook \"ear\" runs a program""#), "{line}");
    drop(served);
    let end =
        place.serve().config(&format!("[process]\nsandbox = \"required\"\n{hook}")).run().expect_code(2);
    let why =
        "serve.toml:2: process.sandbox: is required, and there is none: the hook \"ear\" runs a program";
    assert!(end.stderr.contains(why), "{}", end.stderr);
}

#[test]
fn without_a_hook_a_small_upload_leaves_nothing_in_the_ledger() {
    let place = Place::new();
    let served = place.serve().config("[uploads]\ndurability = \"relaxed\"\n").start();
    assert_eq!(stores(&served, "f", b"some"), 226);
    assert!(place.far(".haul/lock").exists() && !place.far(".haul/uploads.db").exists());
}

#[test]
fn mistakes_in_hooks_are_told_with_line_and_reason() {
    let place = Place::new();
    let told = |config: &str| -> String {
        let file = place.local("wrong.toml");
        fs::write(&file, config).unwrap();
        let end = scene::haul().args(["serve", "--check", "--config"]).arg(&file).arg(place.root()).run();
        assert_ne!(end.code, Some(0), "{config}");
        end.stderr
    };
    let program = "command = [\"/bin/sh\"]";
    for (config, what) in [
        ("[[hook]]\ncommand = [\"/bin/sh\"]".to_owned(), "wrong.toml:1: hook.name: is missing"),
        (
            format!("[[hook]]\nname = \"a\"\n{program}\nurl = \"http://a/\""),
            ":4: hook.url: there is a command already: it is one or the other (hook.command in line 3)",
        ),
        (format!("[[hook]]\nname = \"a\"\n{program}\non = [\"done\"]"), ":4: hook.on: \"done\" is none of"),
        (format!("[[hook]]\nname = \"a\"\n{program}\non = []"), ":4: hook.on: is empty"),
        (
            format!("[[hook]]\nname = \"a\"\n{program}\ndirection = \"up\""),
            ":4: hook.direction: \"up\" is none of",
        ),
        (
            format!("[[hook]]\nname = \"a\"\n{program}\nsecret_file = \"s\""),
            ":4: hook.secret_file: is for a url",
        ),
        (
            format!("[[hook]]\nname = \"a\"\n{program}\n[[hook]]\nname = \"a\"\n{program}"),
            ":5: hook.name: \"a\" is there twice (hook.name in line 2)",
        ),
        (format!("[[hook]]\nname = \"a\"\n{program}\nretries = -1"), ":4: hook.retries: is a whole number"),
        (
            format!("[[hook]]\nname = \"a\"\n{program}\ndealine = \"1s\""),
            ":4: hook.dealine: there is no such key",
        ),
        ("[[hook]]\nname = \"a\"\ncommand = []".to_owned(), "hook.command: names no program"),
        ("[[hook]]\nname = \"a\"\ncommand = [\"sh\"]".to_owned(), "\"sh\" is no path of a program"),
        ("[[hook]]\nname = \"a\"\ncommand = [\"/no/such\"]".to_owned(), "/no/such is no file"),
        ("[[hook]]\nname = \"a\"\ncommand = [\"wrong.toml\"]".to_owned(), "is no path of a program"),
        ("[[hook]]\nname = \"a\"\ncommand = [\"./wrong.toml\"]".to_owned(), "is no program that can be run"),
        ("[[hook]]\nname = \"a\"\nurl = \"ftp://a/\"".to_owned(), ":3: hook.url: \"ftp://a/\" is no address"),
        ("[[hook]]\nname = \"a\"\nurl = \"http://u:p@a/\"".to_owned(), "has a user in it"),
        (
            "[[hook]]\nname = \"a\"\nurl = \"http://a/\"\nsecret_file = \"no\"".to_owned(),
            "hook.secret_file: \"a\": ",
        ),
    ] {
        let told = told(&config);
        assert!(told.contains(what), "{config}\n{told}");
    }
    assert!(!Path::new(&place.far(".haul")).exists());
}
