//! What people who wrote parts of HTTP's specifications have to say of an answer: httplint, and redbot, which asks a
//! server itself.

use haul_testkit::{Haul, real::peer};
use serde_json::Value;

/// How much a note weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Good,
    Info,
    Warn,
    Bad,
}

/// One thing that was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) level: Level,
    /// The note's own name: `CL_INCORRECT`.
    pub(crate) name: String,
    /// The field it is about, or `status`; may be empty.
    pub(crate) about: String,
    pub(crate) text: String,
    /// Of redbot's notes: the request beside the plain one that it is about.
    pub(crate) asked: Option<String>,
}

impl Note {
    #[track_caller]
    fn told(line: &str) -> Self {
        let note: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("not JSON: {line:?} ({e})"));
        let text = |name: &str| note[name].as_str().map(str::to_owned);
        let level = match note["level"].as_str() {
            Some("good") => Level::Good,
            Some("info") => Level::Info,
            Some("warn") => Level::Warn,
            Some("bad") => Level::Bad,
            _ => panic!("no level: {line}"),
        };
        let (name, about) = (text("note").unwrap(), text("about").unwrap());
        Self { level, name, about, text: text("text").unwrap(), asked: text("asked") }
    }
}

/// What httplint notices of an answer as it came off the socket, to a request with this method, path and fields
/// (`Name: value`); None where it is not installed. An answer that is none, or not whole, stops the test.
#[track_caller]
pub(crate) fn httplint(method: &str, path: &str, fields: &[&str], answer: &[u8]) -> Option<Vec<Note>> {
    notes(&[&[method, path], fields].concat(), "with_httplint.py", answer)
}

/// What redbot notices when it asks for this URL in its many ways, each time with these fields (`Name: value`); None
/// where it is not installed.
#[track_caller]
pub(crate) fn redbot(url: &str, fields: &[&str]) -> Option<Vec<Note>> {
    notes(&[&[url], fields].concat(), "with_redbot.py", b"")
}

#[track_caller]
fn notes(arguments: &[&str], script: &str, input: &[u8]) -> Option<Vec<Note>> {
    let script = format!("{}/tests/scene/lint/{script}", env!("CARGO_MANIFEST_DIR"));
    let python = Haul::new(peer("redbot")?).arg(script).args(arguments).input(input);
    let end = python.env("PYTHONDONTWRITEBYTECODE", "1").run().expect_code(0);
    Some(String::from_utf8(end.stdout).unwrap().lines().map(Note::told).collect())
}

/// None of them is worse than an information, but those of these names.
#[track_caller]
pub(crate) fn assert_clean(notes: &[Note], but: &[&str]) {
    let bad = |note: &&Note| note.level >= Level::Warn && !but.contains(&note.name.as_str());
    let found: Vec<&Note> = notes.iter().filter(bad).collect();
    assert!(found.is_empty(), "{found:#?}");
}
