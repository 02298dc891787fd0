//! The audit log: who changed what, through both doors, one line each; it is moved away under a running server by
//! logrotate, and lines that cannot be written are told and counted.

use crate::scene;
use std::{collections::BTreeSet, fs, path::Path};

use haul_testkit::{Haul, Served, disk::SmallDisk, real::peer};
use serde_json::Value;

use crate::scene::{
    figures::Figures,
    http::{OWNER, STRANGER, ask, send},
    served::{Place, left_unfinished, owner},
    wait_until,
};

/// A server that writes its audit log there.
fn serve(place: &Place, audit: &Path) -> Served {
    let toml = format!("[log]\naudit = {:?}\n", audit.to_str().unwrap());
    place.serve().config(&toml).http().start()
}

/// All lines, each of them a whole one.
#[track_caller]
fn lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    text.lines().map(line).collect()
}

#[track_caller]
fn read(audit: &Path) -> Vec<Value> {
    lines(&fs::read_to_string(audit).unwrap_or_default())
}

/// Lines that were written when so many are there.
#[track_caller]
fn once(audit: &Path, count: usize) -> Vec<Value> {
    wait_until(|| fs::read_to_string(audit).unwrap_or_default().lines().count() >= count);
    read(audit)
}

/// What was done, to what, with what it is called then, or how much came.
fn did(line: &Value) -> String {
    let word = |key: &str| line[key].as_str().map(|word| format!(" {word}")).unwrap_or_default();
    let number = |key: &str| line[key].as_u64().map(|number| format!(" {number}")).unwrap_or_default();
    format!("{}{}{}{}", line["did"].as_str().unwrap(), word("path"), word("to"), number("bytes"))
}

#[test]
fn over_ftp_each_change_is_one_line() {
    let place = Place::new();
    let audit = place.local("audit.log");
    let served = serve(&place, &audit);
    let mut caller = owner(served.addr());
    let put = |caller: &mut haul_testkit::Caller, name: &str, bytes: &[u8]| {
        let mut data = caller.data();
        caller.says(&format!("STOR {name}"), 150);
        data.sends(bytes);
        data.finish();
        assert_eq!(caller.reply().code, 226);
    };
    put(&mut caller, "one", b"12345");
    put(&mut caller, "one", b"123456");
    caller.says("MKD d", 257);
    caller.says("RNFR one", 350);
    caller.says("RNTO d/two \"x\"", 250);
    caller.says("MFMT 20200101000000 d/two \"x\"", 213);
    caller.says("SITE CHMOD 600 d/two \"x\"", 200);
    caller.says("DELE d/two \"x\"", 250);
    caller.says("RMD d", 250);
    // What does not come about is no change.
    caller.says("DELE d", 550);
    left_unfinished(served.addr(), "half", b"123456");
    let told = once(&audit, 10);
    let expected = [
        "login",
        "uploaded /one 5",
        "replaced /one 6",
        "folder made /d",
        "renamed /one /d/two \"x\"",
        "dated /d/two \"x\"",
        "mode set /d/two \"x\"",
        "removed /d/two \"x\"",
        "folder removed /d",
        "login",
    ];
    assert_eq!(told.iter().map(did).collect::<Vec<_>>(), expected);
    for line in &told {
        assert_eq!(
            (&line["user"], &line["address"], &line["door"]),
            (&"a".into(), &"127.0.0.1".into(), &"ftp".into())
        );
        assert!(line["time"].as_str().unwrap().starts_with("20") && line["session"].is_u64(), "{line}");
    }
    assert_eq!((&told[1]["dialect"], &told[1]["from"]), (&"stream".into(), &0.into()));
    // What whoever runs the server does is written down, too.
    let end = scene::haul().args(["serve", "uploads", "--drop", "--all"]).arg(place.root()).run();
    end.expect_code(0);
    served.process().hang_up();
    let told = once(&audit, 12);
    assert_eq!(did(&told[10]), "dropped /half 5");
    assert_eq!(did(&told[11]), "reloaded");
    let dropped = Figures::at(served.http_addr(), "/-/metrics").of("haul_dropped_uploads_total");
    assert_eq!(dropped as u64, 1);
}

#[test]
fn an_upload_whose_end_is_told_is_written_down_as_any() {
    let place = Place::new();
    let audit = place.local("audit.log");
    let served = serve(&place, &audit);
    let mut caller = owner(served.addr());
    caller.says("MODE B", 200);
    for _ in 0..2 {
        assert_eq!(caller.stores("STOR blocks", b"\x40\0\x0512345").code, 226);
    }
    caller.says("MODE S", 200);
    caller.says("STRU R", 200);
    for _ in 0..2 {
        assert_eq!(caller.stores("STOR records", b"12345\xff\x02").code, 226);
    }
    let expected =
        ["login", "uploaded /blocks 8", "replaced /blocks 8", "uploaded /records 7", "replaced /records 7"];
    assert_eq!(once(&audit, 5).iter().map(did).collect::<Vec<_>>(), expected);
}

#[test]
fn over_http_each_change_is_one_line_whatever_the_dialect() {
    let place = Place::new();
    let audit = place.local("audit.log");
    let served = serve(&place, &audit);
    let addr = served.http_addr();
    send(addr, "PUT", "/one", &[OWNER], b"12345").expect(201);
    send(addr, "PUT", "/one", &[OWNER], b"123456").expect(204);
    send(addr, "PUT", "/one", &[OWNER, "If-Match: \"other\""], b"1").expect(412);
    send(addr, "POST", "/draft", &[OWNER, "Upload-Complete: ?1", "Upload-Draft-Interop-Version: 6"], b"123")
        .expect(201);
    let tus = ["Tus-Resumable: 1.0.0", "Upload-Length: 4", "Upload-Metadata: filename dHVz"];
    let offset = ["Content-Type: application/offset+octet-stream"];
    send(addr, "POST", "/-/tus", &[&[OWNER], &tus[..], &offset].concat(), b"1234").expect(201);
    ask(addr, "MKCOL", "/d", &[OWNER]).expect(201);
    ask(addr, "MOVE", "/one", &[OWNER, "Destination: /d/one"]).expect(201);
    ask(addr, "DELETE", "/d/one", &[OWNER]).expect(204);
    ask(addr, "DELETE", "/d/", &[OWNER]).expect(204);
    ask(addr, "DELETE", "/d/", &["Authorization: Basic YTp3cm9uZw=="]).expect(401);
    ask(addr, "GET", "/tus", &[STRANGER]).expect(200);
    wait_until(|| fs::read_to_string(&audit).unwrap_or_default().contains("\"user\":\"b\""));
    let told = read(&audit);
    let changes: Vec<String> = told.iter().map(did).filter(|did| did != "login").collect();
    let expected = [
        "uploaded /one 5",
        "replaced /one 6",
        "uploaded /draft 3",
        "uploaded /tus 4",
        "folder made /d",
        "renamed /one /d/one",
        "removed /d/one",
        "folder removed /d",
        "login failed",
    ];
    assert_eq!(changes, expected);
    let dialects: Vec<&str> = told.iter().filter_map(|line| line["dialect"].as_str()).collect();
    assert_eq!(dialects, ["put", "put", "draft", "tus"]);
    assert!(told.iter().all(|line| line["door"] == "http"));
}

#[test]
fn moved_away_by_logrotate_in_the_middle_no_line_is_lost_or_torn() {
    let Some(logrotate) = peer("logrotate") else { return };
    let place = Place::new();
    // It refuses folders that others may write to.
    let folder = place.local("logs");
    fs::create_dir(&folder).unwrap();
    let audit = folder.join("audit.log");
    let served = serve(&place, &audit);
    let conf = place.local("rotate.conf");
    let process = served.process().id();
    let text = format!(
        "{} {{\n rotate 9\n nocreate\n missingok\n postrotate\n  kill -HUP {process}\n endscript\n}}\n",
        audit.display()
    );
    fs::write(&conf, text).unwrap();
    let addr = served.http_addr();
    const EACH: usize = 40;
    std::thread::scope(|scope| {
        for who in 0..4 {
            scope.spawn(move || {
                for number in 0..EACH {
                    send(addr, "PUT", &format!("/f-{who}-{number}"), &[OWNER], b"x").expect(201);
                }
            });
        }
        for turn in 1..=3 {
            let state = place.local("rotate.state");
            let run = Haul::new(&logrotate).args(["-f", "-s"]).arg(state).arg(&conf).dir(place.dir());
            run.run().expect_code(0);
            // It is opened anew before the next turn: what was moved is not moved over.
            wait_until(|| served.process().stderr().matches(" reloaded").count() >= turn && audit.exists());
        }
    });
    let files = || {
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<String>>()
    };
    let count = |texts: &[String]| {
        texts.iter().flat_map(|text| text.lines()).filter(|line| line.contains("\"uploaded\"")).count()
    };
    wait_until(|| count(&files()) >= 4 * EACH);
    let texts = files();
    assert_eq!(texts.len(), 4, "three were moved away");
    let all: Vec<Value> = texts.iter().flat_map(|text| lines(text)).collect();
    let uploaded = all.iter().filter(|line| line["did"] == "uploaded");
    let paths: BTreeSet<&str> = uploaded.map(|line| line["path"].as_str().unwrap()).collect();
    assert_eq!((paths.len(), count(&texts)), (4 * EACH, 4 * EACH), "each once");
}

#[test]
fn lines_that_have_no_room_are_told_and_counted_and_the_next_ones_are_whole() {
    let place = Place::new();
    let Some(disk) = SmallDisk::new(16 << 10) else { return };
    let audit = disk.path().join("audit.log");
    let served = serve(&place, &audit);
    let addr = served.http_addr();
    let failures = || Figures::at(addr, "/-/metrics").of("haul_log_failures_total{log=\"audit\"}") as u64;
    let mut number = 0;
    while failures() == 0 {
        send(addr, "PUT", &format!("/f{number}"), &[OWNER], b"x").expect(201);
        number += 1;
        assert!(number < 2000);
    }
    wait_until(|| served.process().stderr().contains("audit.log"));
    assert_eq!(served.process().stderr().matches("cannot write").count(), 1, "told once");
    disk.resize(1 << 20);
    send(addr, "PUT", "/last", &[OWNER], b"x").expect(201);
    wait_until(|| fs::read_to_string(&audit).unwrap().contains("/last"));
    let text = fs::read_to_string(&audit).unwrap();
    let (whole, torn): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| serde_json::from_str::<Value>(line).is_ok());
    assert!(torn.len() <= 1, "what a full disk has cut off stands for itself: {torn:?}");
    // Each upload came over a connection of its own: with its login it has two lines.
    assert_eq!(whole.len() as u64 + failures(), 2 * (number + 1), "each line is there or counted");
}
