//! `haul serve` with hooks: who is told of transfers, when, how often, and what is left of that by a kill.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod scene;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use haul_testkit::{Caller, Content, Haul, Served, real::peer, served};

use scene::{
    MIB, Seeded,
    served::{Place, begun, owner, part},
    wait_until,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder in which each call of a program leaves what it was told.
struct Ear {
    folder: tempfile::TempDir,
}

impl Ear {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("heard")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A hook that runs a script, which sees the folder as `$1`, and then leaves what it was told.
    fn hook(&self, name: &str, script: &str, keys: &str) -> String {
        let file = self.path(&format!("{name}.sh"));
        let leave = r#"env | grep '^HAUL_' > "$1/$HAUL_ID.$HAUL_ATTEMPT.$$" && mv "$1/$HAUL_ID.$HAUL_ATTEMPT.$$" "$1/heard""#;
        fs::write(&file, format!("{script}\n{leave}\n")).unwrap();
        let words = ["/bin/sh", file.to_str().unwrap(), self.folder.path().to_str().unwrap()];
        format!("[[hook]]\nname = {name:?}\ncommand = {words:?}\n{keys}\n")
    }

    /// All that was told, each by its keys without `HAUL_`.
    fn heard(&self) -> Vec<BTreeMap<String, String>> {
        let read = |path: PathBuf| {
            let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
            let pairs = text.lines().filter_map(|line| line.strip_prefix("HAUL_")?.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let entries = fs::read_dir(self.path("heard")).unwrap();
        let mut all: Vec<BTreeMap<String, String>> =
            entries.map(|entry| read(entry.unwrap().path())).collect();
        all.sort_by_key(|told| told["TIME"].clone());
        all
    }

    fn wait_for(&self, count: usize) -> Vec<BTreeMap<String, String>> {
        wait_until(|| self.heard().len() >= count);
        self.heard()
    }
}

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

/// Many clients, a server that is killed again and again: what was published and what was told of it.
fn killed_again_and_again(uploads: &str) {
    const ROUNDS: usize = 12;
    let (place, ear) = (Place::new(), Ear::new());
    let config = format!("[uploads]\n{uploads}\n{}", ear.hook("ear", "", "retry = \"1s\"\nat_once = 8"));
    let served = place.serve().http().config(&config).start();
    let (addr, http) = (served.addr(), served.http_url(""));
    let mut served = Some(served);
    let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answered = Mutex::new(Vec::new());
    let curl = peer("curl");
    std::thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (over, sent, answered) = (&over, &sent, &answered);
            let (place, http, curl) = (&place, &http, &curl);
            scope.spawn(move || {
                let mut random = Seeded(worker);
                for number in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let name = format!("{worker}-{number}");
                    let bytes = part(Content::new(number, MIB), 0, 1 + random.below(MIB / 2));
                    let done = match curl {
                        Some(curl) if worker % 2 == 1 => {
                            let local = place.local(&name);
                            fs::write(&local, &bytes).unwrap();
                            let url = format!("{http}/{name}");
                            let end = Haul::new(curl).args(["-sS", "-f", "-T"]).arg(local).arg(url).run();
                            end.code == Some(0)
                        }
                        _ => std::panic::catch_unwind(|| {
                            let mut caller = Caller::binary(addr, served::USER, served::PASSWORD);
                            caller.stores(&format!("STOR {name}"), &bytes).code == 226
                        })
                        .unwrap_or(false),
                    };
                    if done {
                        answered.lock().unwrap().push(name);
                    }
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut random = Seeded(77);
        for _ in 0..ROUNDS {
            let wanted = sent.load(Ordering::SeqCst) + 3 + usize::try_from(random.below(9)).unwrap();
            wait_until(|| sent.load(Ordering::SeqCst) >= wanted);
            served = served.take().map(Served::killed_and_started_again);
        }
        over.store(true, Ordering::SeqCst);
    });
    let answered = answered.into_inner().unwrap();
    assert!(answered.len() > ROUNDS, "only {} came through", answered.len());
    let published: Vec<String> = fs::read_dir(place.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".haul")
        .collect();
    assert!(answered.iter().all(|name| published.contains(name)), "what was answered is there");
    let ids = |name: &str| -> Vec<String> {
        let path = format!("/{name}");
        ear.heard().iter().filter(|told| told["PATH"] == path).map(|told| told["ID"].clone()).collect()
    };
    wait_until(|| published.iter().all(|name| !ids(name).is_empty()));
    for name in &published {
        let mut ids = ids(name);
        ids.dedup();
        assert_eq!(ids.len(), 1, "{name} has one id, however often it is told");
    }
    for told in ear.heard() {
        let size = fs::metadata(&told["FILE"]).map(|seen| seen.len()).ok();
        assert_eq!(
            size.map(|size| size.to_string()).as_ref(),
            Some(&told["SIZE"]),
            "told of a half: {told:?}"
        );
    }
}

#[test]
fn every_published_file_is_told_and_no_half_however_often_the_server_is_killed() {
    killed_again_and_again("durability = \"full\"");
}

#[test]
fn so_it_is_where_uploads_are_not_synced() {
    killed_again_and_again("durability = \"relaxed\"");
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
    let hook = ear.hook("slow", script, "deadline = \"1s\"\nretries = 0");
    let served = place.serve().config(&hook).start();
    assert_eq!(stores(&served, "f", b"some"), 226);
    let line = served.process().wait_for_line(|line| line.contains("hook given up"), PATIENCE);
    assert!(line.contains("ended after 1 s") && line.contains("began"), "{line}");
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

/// Requests: head and body of each.
type Asked = Vec<(String, Vec<u8>)>;

/// A server that notes what it is asked and gives these answers in turn, the last one for ever.
struct Receiver {
    url: String,
    asked: Arc<Mutex<Asked>>,
}

impl Receiver {
    fn answering(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    if stream.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                        break;
                    }
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    head += &line;
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                noted.lock().unwrap().push((head, body));
                let answer = answers[number.min(answers.len() - 1)];
                let _ = write!(stream.get_mut(), "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Asked {
        self.asked.lock().unwrap().clone()
    }
}

fn field(head: &str, name: &str) -> String {
    let found = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    found.unwrap_or_else(|| panic!("no {name} in {head}"))
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
    fs::write(&file, ear.hook("new", "", "path = \"/b\"")).unwrap();
    served.process().hang_up();
    served.process().wait_for_line(|line| line.ends_with(" reloaded"), PATIENCE);
    served.process().wait_for_line(|line| line.contains("1 deliveries are dropped"), PATIENCE);
    assert_eq!((stores(&served, "c", b"some"), stores(&served, "b", b"some")), (226, 226));
    wait_for_lines(&served, "hook done", 1);
    let heard = ear.heard();
    assert_eq!((heard.len(), heard[0]["PATH"].as_str()), (1, "/b"), "{heard:?}");
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
            ":1: hook.url: there is a command already",
        ),
        (format!("[[hook]]\nname = \"a\"\n{program}\non = [\"done\"]"), ":4: hook.on: \"done\" is none of"),
        (format!("[[hook]]\nname = \"a\"\n{program}\non = []"), ":1: hook.on: is empty"),
        (
            format!("[[hook]]\nname = \"a\"\n{program}\ndirection = \"up\""),
            ":4: hook.direction: \"up\" is none of",
        ),
        (format!("[[hook]]\nname = \"a\"\n{program}\nsecret_file = \"s\""), "hook.secret_file: is for a url"),
        (
            format!("[[hook]]\nname = \"a\"\n{program}\n[[hook]]\nname = \"a\"\n{program}"),
            ":4: hook.name: \"a\" is there twice",
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
