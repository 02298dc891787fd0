//! That everything told is written, in order, once, and that nobody waits for it.

use std::sync::{Condvar, Mutex};

use haul_core::TreePath;

use super::*;
use crate::metrics::{Dialect, DoorName};

/// What was written; a gate holds the writer up.
#[derive(Clone, Default)]
struct Paper(Arc<Gated>);

#[derive(Default)]
struct Gated {
    written: Mutex<Vec<u8>>,
    shut: Mutex<bool>,
    opened: Condvar,
}

impl Paper {
    fn shut(&self, shut: bool) {
        *self.0.shut.lock().unwrap() = shut;
        self.0.opened.notify_all();
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.written.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        drop(self.0.opened.wait_while(self.0.shut.lock().unwrap(), |shut| *shut).unwrap());
        self.0.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn problem(what: &str) -> Event {
    Event::Problem { what: what.to_owned() }
}

fn sent(name: &str) -> Event {
    Event::Transferred(Transfer {
        session: 1,
        user: "ann".to_owned(),
        anonymous: false,
        address: "::1".parse().unwrap(),
        door: DoorName::Ftp,
        dialect: Dialect::Stream,
        resumed: true,
        replaced: false,
        direction: Direction::Sent,
        path: TreePath::ROOT.join(name.as_bytes()).unwrap(),
        from: 5,
        bytes: 10,
        took: Duration::from_millis(1500),
        ascii: false,
        protected: false,
        ended: Ended::Kept { at: 7, why: "gone".to_owned() },
    })
}

#[test]
fn events_come_in_order() {
    let paper = Paper::default();
    let log = Log::write_to(Box::new(paper.clone()), Format::Text, None).unwrap();
    for number in 0..100 {
        log.clone().tell(problem(&format!("number {number}")));
    }
    log.flush();
    let text = paper.text();
    let numbers: Vec<_> = text.lines().map(|line| line.rsplit_once("number ").unwrap().1).collect();
    let expected: Vec<_> = (0..100).map(|number| format!("{number}\"")).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up_and_tells_what_was_lost() {
    let paper = Paper::default();
    paper.shut(true);
    let log = Log::write_to(Box::new(paper.clone()), Format::Text, None).unwrap();
    // More than what is written at once and what may wait.
    for _ in 0..WAITING * 3 {
        log.tell(problem("x"));
    }
    paper.shut(false);
    log.flush();
    log.tell(problem("after"));
    log.flush();
    let text = paper.text();
    let written = text.lines().filter(|line| line.ends_with("what=\"x\"")).count();
    let lost: usize = text
        .lines()
        .filter_map(|line| line.strip_suffix(" events could not be written\"")?.rsplit_once('"'))
        .map(|(_, number)| number.parse::<usize>().unwrap())
        .sum();
    assert!(lost > 0);
    assert_eq!(written + lost, WAITING * 3);
}

#[test]
fn a_transfer_stands_in_both_logs_and_a_moved_xferlog_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("xferlog"), folder.path().join("xferlog.1"));
    let paper = Paper::default();
    let log = Log::write_to(Box::new(paper.clone()), Format::Json, Some(&path)).unwrap();
    log.tell(sent("a"));
    log.flush();
    std::fs::rename(&path, &moved).unwrap();
    log.reopen();
    log.tell(sent("b"));
    log.tell(problem("no transfer"));
    log.flush();
    let (first, second) = (std::fs::read_to_string(&moved).unwrap(), std::fs::read_to_string(&path).unwrap());
    assert!(first.ends_with(" 2 ::1 10 /a b _ o r ann ftp 1 ann i\n"), "{first}");
    assert!(second.ends_with(" 2 ::1 10 /b b _ o r ann ftp 1 ann i\n") && second.lines().count() == 1);
    let told: serde_json::Value = serde_json::from_str(paper.text().lines().next().unwrap()).unwrap();
    assert_eq!((&told["event"], &told["kept"], &told["seconds"]), (&"sent".into(), &7.into(), &1.5.into()));
    assert_eq!((&told["complete"], &told["path"]), (&false.into(), &"/a".into()));
}

#[test]
fn an_xferlog_that_cannot_be_opened_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("none/xferlog");
    assert!(Log::start(Format::Text, Some(&nowhere)).is_err());
}
