//! The corpus of range and conditional requests (crates/haul-proto/tests/corpus.txt) over the wire: haul has to give each
//! answer as RFC 9110 has it, and docs/http-differences.md tells where other servers do not, in one run.
//!
//! With `HAUL_WRITE_DOCS=1` the table is written instead of compared. Columns of servers that are not installed here are
//! left as they are, unless peers are required; versions of servers stand in no cell.

use crate::scene;
#[path = "../../../haul-proto/tests/corpus/mod.rs"]
mod corpus;
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use haul_testkit::{
    Content, HttpCaller, Served,
    http_caller::Answer as Heard,
    real::{Apache, Caddy, Lighttpd, Nginx, Running},
};

use crate::scene::http::OWNER;
use corpus::{Answer, Case, File, Words};

const FILE: Content = Content::new(1575, 1575);
const MODIFIED: u64 = 784_903_526;
const DAY: Duration = Duration::from_secs(86_400);

fn name(file: File) -> &'static str {
    match file {
        File::Ordinary => "1575.bin",
        File::Empty => "empty.bin",
        File::Undated => "undated.bin",
        File::Ahead => "ahead.bin",
        File::Absent => "absent.bin",
    }
}

/// The file as a case wants it, whatever was there.
fn place(root: &Path, file: File) {
    let path = root.join(name(file));
    let modified = match file {
        File::Ordinary | File::Empty => UNIX_EPOCH + Duration::from_secs(MODIFIED),
        File::Undated => UNIX_EPOCH - DAY,
        File::Ahead => SystemTime::now() + 365 * DAY,
        File::Absent => {
            let _ = fs::remove_file(path);
            return;
        }
    };
    fs::write(&path, content(file)).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

fn content(file: File) -> Vec<u8> {
    if matches!(file, File::Empty | File::Absent) { Vec::new() } else { FILE.bytes(0..1575) }
}

const ALL: [File; 5] = [File::Ordinary, File::Empty, File::Undated, File::Ahead, File::Absent];

/// A server to be asked.
struct Asked {
    addr: SocketAddr,
    host: String,
    root: PathBuf,
    /// What every request has beside its own fields.
    fields: &'static [&'static str],
}

impl Asked {
    /// None where the server hangs up instead of an answer.
    fn ask(&self, method: &str, path: &str, fields: &[(String, String)]) -> Option<Heard> {
        let mut head = format!("{method} /{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host);
        for field in self.fields {
            head += &format!("{field}\r\n");
        }
        for (name, value) in fields {
            head += &format!("{name}: {value}\r\n");
        }
        if method == "PUT" {
            head += "Content-Length: 3\r\n\r\nnew";
        } else {
            head += "\r\n";
        }
        let mut caller = HttpCaller::to(self.addr);
        caller.sends(head);
        caller.hears(method)
    }

    /// The tag by which this server knows a file; one that it knows not, where it tells none.
    fn words(&self, file: File) -> Words {
        let head = self.ask("HEAD", name(file), &[]).expect("an answer to HEAD");
        let etag = head.field("ETag").map(|tag| tag.trim_start_matches("W/").to_owned());
        let future = httpdate(SystemTime::now() + 365 * DAY);
        Words {
            etag: etag.unwrap_or_else(|| "\"it tells none\"".to_owned()),
            modified: "Tue, 15 Nov 1994 12:45:26 GMT".into(),
            modified_850: "Tuesday, 15-Nov-94 12:45:26 GMT".into(),
            modified_asctime: "Tue Nov 15 12:45:26 1994".into(),
            earlier: "Tue, 15 Nov 1994 12:45:25 GMT".into(),
            later: "Tue, 15 Nov 1994 12:45:27 GMT".into(),
            future,
        }
    }

    /// What it answers to a case, with the bytes of the answer looked at.
    fn answer(&self, case: &Case) -> String {
        let changes = matches!(case.method.as_str(), "PUT" | "DELETE");
        if changes {
            place(&self.root, case.file);
        }
        let heard = self.ask(&case.method, name(case.file), &case.fields(&self.words(case.file)));
        let Some(heard) = heard else { return "hangs up".to_owned() };
        let told = cell(&heard, case);
        if changes {
            let there = fs::read(self.root.join(name(case.file))).ok();
            let done = match case.method.as_str() {
                "PUT" => there.as_deref() == Some(b"new"),
                _ => there.is_none(),
            };
            let said = (200..300).contains(&heard.status());
            if done != said && case.file != File::Absent {
                return format!("{told}, but {}", if done { "done" } else { "not done" });
            }
        }
        told
    }
}

fn httpdate(at: SystemTime) -> String {
    // As the system writes it: there is a file of that date.
    let scratch = tempfile::NamedTempFile::new().unwrap();
    scratch.as_file().set_modified(at).unwrap();
    let date = haul_testkit::Haul::new("/bin/date").args(["-u", "+%a, %d %b %Y %H:%M:%S GMT", "-r"]);
    let end = date.arg(scratch.path()).env("LC_ALL", "C").run().expect_code(0);
    String::from_utf8(end.stdout).unwrap().trim().to_owned()
}

/// An answer in the words of the corpus, with what is wrong with its bytes.
fn cell(heard: &Heard, case: &Case) -> String {
    let whole = content(case.file);
    let status = heard.status();
    let got_by_head = case.method == "HEAD";
    let cut = if heard.whole { "" } else { ", cut" };
    match (status, heard.field("Content-Range")) {
        (206, Some(range)) => {
            let told = range.strip_prefix("bytes ").and_then(|range| range.split_once('/'));
            let right = told.is_some_and(|(part, _)| slice(&whole, part) == Some(&heard.body[..]));
            format!("206 {range}{}{cut}", if right || got_by_head { "" } else { ", other bytes" })
        }
        (206, None) => match parts(heard, &whole) {
            Some(parts) => format!("206 multipart {}{cut}", parts.join(",")),
            None => format!("206 without Content-Range{cut}"),
        },
        (416, Some(range)) => format!("416 {range}{cut}"),
        (200, None) if case.method == "GET" && heard.body != whole => "200, other bytes".to_owned(),
        (status, Some(range)) => format!("{status} {range}{cut}"),
        (status, None) => format!("{status}{cut}"),
    }
}

fn slice<'a>(whole: &'a [u8], part: &str) -> Option<&'a [u8]> {
    let (first, last) = part.split_once('-')?;
    whole.get(first.parse().ok()?..last.parse::<usize>().ok()?.checked_add(1)?)
}

/// The parts of a multipart answer as `first-last`; None where it is no such message, or has other bytes.
fn parts(heard: &Heard, whole: &[u8]) -> Option<Vec<String>> {
    let kind = heard.field("Content-Type")?;
    let boundary = kind.strip_prefix("multipart/byteranges")?.split_once("boundary=")?.1.trim_matches('"');
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter may stand at the very beginning (RFC 2046 §5.1.1).
    let body = [b"\r\n", &heard.body[..]].concat();
    let places = find(&body, delimiter.as_bytes());
    let mut found = Vec::new();
    for pair in places.windows(2) {
        let part = &body[pair[0] + delimiter.len()..pair[1]];
        let head_ends = *find(part, b"\r\n\r\n").first()?;
        let head = String::from_utf8_lossy(&part[..head_ends]).to_ascii_lowercase();
        let range = head.lines().find_map(|line| line.strip_prefix("content-range:"))?;
        let (range, size) = range.trim().strip_prefix("bytes ")?.split_once('/')?;
        if size != whole.len().to_string() || slice(whole, range)? != &part[head_ends + 4..] {
            return None;
        }
        found.push(range.to_owned());
    }
    let end = places.last()? + delimiter.len();
    (body.get(end..end + 2) == Some(b"--")).then_some(found)
}

fn find(text: &[u8], word: &[u8]) -> Vec<usize> {
    let windows = text.windows(word.len()).enumerate();
    windows.filter(|(_, window)| *window == word).map(|(at, _)| at).collect()
}

/// An answer as the corpus has it.
fn expected(Answer { status, content_range, parts }: &Answer) -> String {
    match (content_range, parts) {
        (Some(range), _) => format!("{status} {range}"),
        (None, Some(parts)) => format!("{status} multipart {}", parts.join(",")),
        (None, None) => status.to_string(),
    }
}

fn served() -> (tempfile::TempDir, Served) {
    let dir = tempfile::tempdir().unwrap();
    ALL.iter().for_each(|file| place(dir.path(), *file));
    let served = scene::served::serve(dir.path()).http().start();
    (dir, served)
}

#[test]
fn haul_answers_each_request_as_the_rfc_has_it() {
    let (dir, served) = served();
    let asked = Asked {
        addr: served.http_addr(),
        host: "localhost".into(),
        root: dir.path().into(),
        fields: &[OWNER],
    };
    let wrong: Vec<String> = corpus::cases()
        .iter()
        .filter_map(|case| {
            let (told, right) = (asked.answer(case), expected(&case.answer));
            let Case { line, method, file, fields, section, .. } = case;
            (told != right).then(|| {
                format!("line {line}: {method} {file:?} {fields:?} (§{section}): {told}, and not {right}")
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), wrong.len());
}

type Start = fn(&Path) -> Option<Running>;

/// Those who serve files, as they come; nginx also takes changes, by its dav module.
const SERVERS: [(&str, Start); 4] = [
    ("nginx", |root| Nginx::over(root).directive("dav_methods PUT DELETE;").start()),
    ("Apache", |root| Apache::serve(root)),
    ("lighttpd", |root| Lighttpd::serve(root)),
    ("caddy", |root| Caddy::serve(root)),
];

/// What a server answers to each case, by its line; None where it is not installed.
fn column(start: Start, cases: &[Case]) -> Option<BTreeMap<usize, String>> {
    let dir = tempfile::tempdir().unwrap();
    ALL.iter().for_each(|file| place(dir.path(), *file));
    let server = start(dir.path())?;
    let (addr, root) = (server.addr(), dir.path().into());
    let asked = Asked { addr, host: addr.to_string(), root, fields: &[] };
    Some(cases.iter().map(|case| (case.line, asked.answer(case))).collect())
}

/// What the sections say that the corpus rests on, in short.
const WORDS: [(&str, &str); 18] = [
    ("5.3", "a field that is there twice is one list; where it is no list, it is invalid"),
    ("5.6.1.2", "empty elements of a list are to be ignored"),
    ("8.8.2.1", "a Last-Modified from the future is not to be sent"),
    ("8.8.2.2", "a date is weak unless it is known to be strong"),
    ("9.3.1", "GET: the representation"),
    ("9.3.2", "HEAD: as GET, without content"),
    ("9.3.4", "PUT: 201 where it creates, 200 or 204 where it replaces"),
    ("13.1.1", "If-Match compares strongly; where it is false nothing may be done: 412"),
    ("13.1.2", "If-None-Match compares weakly; where it is false: 304 to GET and HEAD, else 412"),
    (
        "13.1.3",
        "If-Modified-Since must be ignored beside If-None-Match, where it is no date, and but for GET and HEAD",
    ),
    (
        "13.1.4",
        "If-Unmodified-Since must be ignored beside If-Match and where it is no date; where it is false: 412",
    ),
    ("13.1.5", "If-Range: the very same strong tag or strong date, else Range must be ignored"),
    ("13.2.1", "conditions are ignored where the answer without them would be no 2xx or 412"),
    (
        "13.2.2",
        "the order: If-Match, else If-Unmodified-Since; If-None-Match, else If-Modified-Since; Range with If-Range",
    ),
    ("14.1", "units have names, in either case; others may be ignored"),
    (
        "14.1.1",
        "a set of ranges that breaks the grammar is invalid; it may be ignored, as haul does, or refused",
    ),
    (
        "14.1.2",
        "a last position past the end is the end, a suffix that is too long is all, of any number of digits",
    ),
    ("14.2", "Range is for GET alone and may be ignored; what costs too much should be"),
];

/// The rest of it.
const MORE_WORDS: [(&str, &str); 3] = [
    (
        "15.3.7.2",
        "several parts: multipart, in their order, joined where they touch; a request for one is never multipart",
    ),
    ("15.5.5", "404: there is none"),
    ("15.5.17", "416 where no range can be satisfied, with the size"),
];

fn word(section: &str) -> &'static str {
    let mut all = WORDS.iter().chain(&MORE_WORDS);
    all.find(|(number, _)| *number == section).unwrap_or_else(|| panic!("what does §{section} say?")).1
}

/// How much a difference weighs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// The RFC lets a server have it: Range may be ignored (§14.2), and one that is invalid or of many parts may be
    /// refused as well, parts may be joined or not and come in another order (§15.3.7.2).
    May,
    /// It should be otherwise: a 416 without a size (§15.5.17), a file that is sent though If-Modified-Since says that
    /// the client has it (§13.1.3).
    Should,
    Must,
}

fn weight(case: &Case, told: &str) -> Weight {
    let of_ranges = matches!(case.answer.status, 206 | 416);
    let several = told.starts_with("206 multipart") && case.answer.status == 206;
    let refusable = case.answer.status == 200 && case.method == "GET" && told.starts_with("416");
    let refused = refusable && (matches!(&*case.section, "14.1.1" | "14.2") || case.file == File::Empty);
    let by_date = |name: &str| name.eq_ignore_ascii_case("If-Modified-Since");
    if (of_ranges && told == "200") || several || refused {
        Weight::May
    } else if told == "416" && case.answer.status == 416
        || case.answer.status == 304 && told == "200" && case.fields.iter().all(|(name, _)| by_date(name))
    {
        Weight::Should
    } else {
        Weight::Must
    }
}

const NONE: &str = "–";

/// A cell of the table.
fn shown(case: &Case, told: &str) -> String {
    if told == expected(&case.answer) {
        "as it should be".to_owned()
    } else if !matches!(case.method.as_str(), "GET" | "HEAD") && matches!(told, "405" | "403" | "501") {
        NONE.to_owned()
    } else {
        match weight(case, told) {
            Weight::May => format!("{told} (may)"),
            Weight::Should => format!("{told} (should not)"),
            Weight::Must => format!("**{told}**"),
        }
    }
}

/// A request as the table has it, short enough to be read.
fn asked_for(case: &Case) -> String {
    let fields = case.fields.iter().map(|(name, value)| {
        let value = if value.len() > 60 { format!("{}…", &value[..60]) } else { value.clone() };
        format!("{name}: {value}")
    });
    let fields = fields.collect::<Vec<_>>().join("; ");
    let file = match case.file {
        File::Ordinary => "",
        File::Empty => " (an empty file)",
        File::Undated => " (before 1970)",
        File::Ahead => " (of next year)",
        File::Absent => " (nothing there)",
    };
    let fields = if fields.is_empty() { String::new() } else { format!(" `{fields}`") };
    format!("{}{file}{fields}", case.method)
}

/// A row: what it begins with, and a cell for each server.
struct Row {
    begins: String,
    cells: Vec<String>,
}

const BEGIN: &str = "<!-- made by serve_http_rules -->\n";
const END: &str = "<!-- end -->\n";
const HINT: &str = "docs/http-differences.md is not what the servers do; HAUL_WRITE_DOCS=1 writes it anew";

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http-differences.md")
}

/// The cells of a row of the document, by what the row begins with.
fn told_by(document: &str) -> BTreeMap<String, Vec<String>> {
    let rows = document.lines().filter(|line| line.starts_with("| ")).map(|line| {
        let cells: Vec<String> =
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        (cells[..3].join(" | "), cells[3..].to_vec())
    });
    rows.collect()
}

#[test]
fn the_differences_are_what_other_servers_do() {
    let cases = corpus::cases();
    let columns: Vec<_> = thread::scope(|scope| {
        let cases = &cases;
        let asked: Vec<_> = SERVERS.iter().map(|(_, start)| scope.spawn(|| column(*start, cases))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let text = fs::read_to_string(document()).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("where the table begins");
    let (inside, after) = rest.split_once(END).expect("where it ends");
    let writes = std::env::var_os("HAUL_WRITE_DOCS").is_some_and(|value| value == "1");
    let told = told_by(inside);
    let mut rows = Vec::new();
    for case in &cases {
        let right = expected(&case.answer);
        let begins = format!("{} | {right} | {}", asked_for(case).replace('|', "\\|"), case.section);
        let right = "as it should be".to_owned();
        let as_told = |at: usize| told.get(&begins).and_then(|cells| cells.get(at)).unwrap_or(&right).clone();
        let cells: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| match column {
                Some(column) => shown(case, &column[&case.line]),
                None if writes => panic!("the table cannot be made without {}", SERVERS[at].0),
                None => as_told(at),
            })
            .collect();
        if cells.iter().any(|cell| *cell != right && cell != NONE) {
            rows.push(Row { begins, cells });
        }
    }
    let made = rendered(&rows, cases.len());
    if writes {
        fs::write(document(), format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
    } else {
        for (found, told) in made.lines().zip(inside.lines()) {
            assert_eq!(found, told, "{HINT}");
        }
        assert_eq!(made, inside, "{HINT}");
    }
}

fn rendered(rows: &[Row], cases: usize) -> String {
    let names: Vec<&str> = SERVERS.iter().map(|(name, _)| *name).collect();
    let count = |is: fn(&str) -> bool| -> Vec<String> {
        let of = |at: usize| rows.iter().filter(|row| is(&row.cells[at])).count().to_string();
        (0..names.len()).map(of).collect()
    };
    let mut text = format!(
        "Of {cases} requests:\n\n| | haul | {} |\n|---|---|{}\n",
        names.join(" | "),
        "---|".repeat(4)
    );
    for (label, is) in [
        ("against the RFC", (|cell| cell.starts_with("**")) as fn(&str) -> bool),
        ("not as the RFC says it should be", |cell| cell.ends_with("(should not)")),
        ("otherwise, as the RFC allows", |cell| cell.ends_with("(may)")),
    ] {
        text += &format!("| {label} | 0 | {} |\n", count(is).join(" | "));
    }
    let dashes = "---|".repeat(3 + names.len());
    text += &format!("\n| request | haul | § | {} |\n|{dashes}\n", names.join(" | "));
    for Row { begins, cells } in rows {
        text += &format!("| {begins} | {} |\n", cells.join(" | "));
    }
    let mut sections: Vec<&str> = rows.iter().map(|row| row.begins.rsplit(" | ").next().unwrap()).collect();
    sections.sort_by_key(|section| {
        section.split('.').map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>()
    });
    sections.dedup();
    text += "\nWhat the sections of RFC 9110 say, in short:\n\n";
    for section in sections {
        text += &format!("- §{section}: {}.\n", word(section));
    }
    text
}
