//! `[[hook]]`: who is told of transfers, as the file says it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Problem,
    document::{Document, Table},
    file::path,
    value,
};
use crate::{
    hooks::{Hook, Outcome, To, Url},
    log::Direction,
};

/// How long a try may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long is waited before the second one.
const RETRY: Duration = Duration::from_secs(5);
/// With waits that double up to an hour: for most of a day.
const RETRIES: u32 = 30;
const AT_ONCE: u32 = 4;

const OUTCOMES: [(&str, Outcome); 2] = [("complete", Outcome::Complete), ("incomplete", Outcome::Incomplete)];
const DIRECTIONS: [(&str, Direction); 2] = [("received", Direction::Received), ("sent", Direction::Sent)];

/// All of them, with names that differ.
pub(super) fn read<'a>(document: &mut Document<'a>, root: &mut Table<'a>, folder: &Path) -> Vec<Hook> {
    let mut hooks: Vec<Hook> = Vec::new();
    for mut table in document.tables(root, "hook") {
        hooks.extend(one(document, &mut table, folder));
        document.finish(table);
    }
    hooks
}

fn one<'a>(document: &mut Document<'a>, table: &mut Table<'a>, folder: &Path) -> Option<Hook> {
    document.demand(table, "name");
    let says_on = document.has(table, "on");
    let to = to(document, table, folder);
    let name = document.once(table, "name", name);
    let mut on = document.texts(table, "on", |text| value::one_of(text, &OUTCOMES));
    if !says_on {
        on.push(Outcome::Complete);
    } else if on.is_empty() {
        document.refuse(table, "on", "is empty: name complete or incomplete, or both");
    }
    let direction = document.text(table, "direction", |text| value::one_of(text, &DIRECTIONS));
    let most = document.number(table, "at_once", &(1..101)).unwrap_or(AT_ONCE);
    let hook = Hook {
        name: String::new(),
        on,
        direction: direction.unwrap_or(Direction::Received),
        path: document.text(table, "path", value::home).unwrap_or_default(),
        to: To::Command { program: PathBuf::new(), args: Vec::new() },
        deadline: document.text(table, "deadline", value::time).unwrap_or(DEADLINE),
        retry: document.text(table, "retry", value::time).unwrap_or(RETRY),
        retries: document.number(table, "retries", &(0..1001)).unwrap_or(RETRIES),
        at_once: usize::try_from(most).unwrap_or(1),
    };
    Some(Hook { name: name?, to: to?, ..hook })
}

/// A program or a server, and not both.
fn to<'a>(document: &mut Document<'a>, table: &mut Table<'a>, folder: &Path) -> Option<To> {
    let is_command = document.has(table, "command");
    let (is_url, has_secret) = (document.has(table, "url"), document.has(table, "secret_file"));
    let words = document.texts(table, "command", word);
    let url = document.text(table, "url", str::parse::<Url>);
    let secret = document.text(table, "secret_file", |text| path(folder, text));
    match (is_command, is_url) {
        (true, true) => {
            let words = "there is a command already: it is one or the other";
            document.contradicts(table, "url", &["command"], words);
            None
        }
        (false, false) => {
            document.refuse(table, "command", "is missing: name a command or a url");
            None
        }
        (true, false) if has_secret => {
            let words = "is for a url: a command is told nothing that is signed";
            document.contradicts(table, "secret_file", &["command"], words);
            None
        }
        (true, false) => command(document, table, words, folder),
        (false, true) => Some(To::Post { url: url?, secret }),
    }
}

fn command<'a>(
    document: &mut Document<'a>,
    table: &Table<'a>,
    words: Vec<String>,
    folder: &Path,
) -> Option<To> {
    let mut words = words.into_iter();
    let Some(program) = words.next() else {
        document.refuse(table, "command", "names no program");
        return None;
    };
    // No shell looks for it, and it is run elsewhere.
    if !program.contains('/') {
        document.refuse(table, "command", format!("{program:?} is no path of a program: write all of it"));
        return None;
    }
    Some(To::Command { program: folder.join(program), args: words.collect() })
}

/// A word of a command.
fn word(text: &str) -> Result<String, String> {
    if text.contains('\0') { Err("has a zero in it".to_owned()) } else { Ok(text.to_owned()) }
}

fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
        return Err("is no name of 1 to 128 bytes".to_owned());
    }
    Ok(text.to_owned())
}

/// What of a hook is not there.
pub(super) fn unfit(hook: &Hook) -> Option<Problem> {
    let told = |key: &str, path: &Path, what: &str| {
        let what = format!("{:?}: {}{what}", hook.name, path.display());
        Some(Problem::of(key, what))
    };
    match &hook.to {
        To::Command { program, .. } if !program.is_file() => told("hook.command", program, " is no file"),
        To::Command { program, .. } if !is_program(program) => {
            told("hook.command", program, " is no program that can be run")
        }
        To::Post { secret: Some(file), .. } => {
            let error = File::open(file).err()?;
            told("hook.secret_file", file, &format!(": {error}"))
        }
        To::Command { .. } | To::Post { secret: None, .. } => None,
    }
}

fn is_program(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}
