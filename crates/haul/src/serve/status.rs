//! `haul serve status`: how a server is, in lines for people or as JSON.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use haul_server::control::{Answer, Moved, Question, Server, Session, Status, unix_now};

use super::{
    Unserved,
    columns::columns,
    uploads,
    which::{self, Asked},
};
use crate::{
    args::serve::StatusArgs,
    exit, human,
    screen::text::{safe, safe_json},
};

/// Runs the command; the result is the exit code.
pub(super) fn run(args: &StatusArgs) -> Result<u8, Unserved> {
    let config = which::config(&args.which)?;
    let status = match which::ask(&config, &Question::Status)? {
        Asked::Answered(Answer::Status(status)) => *status,
        Asked::Answered(_) => return Err(Unserved::Local("the server answers something else".to_owned())),
        Asked::Nobody => Status { server: None, sessions: Vec::new(), uploads: which::left(&config)? },
    };
    let text = if args.json {
        // Serialising these shapes has no way to fail.
        let json = serde_json::to_string(&status).unwrap_or_default();
        format!("{}\n", safe_json(&json))
    } else {
        let server = status.server.as_ref().map_or_else(|| which::nobody(&config) + "\n", server);
        server + &sessions(&status) + &uploads::people(&status.uploads)
    };
    // Whoever reads it may stop reading.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(if status.server.is_some() { exit::DONE } else { exit::LOCAL })
}

/// `3m 05s` before now.
fn since(seconds: i64) -> String {
    let past = u64::try_from(unix_now().saturating_sub(seconds)).unwrap_or(0);
    human::time(Duration::from_secs(past.max(1)))
}

fn server(server: &Server) -> String {
    let stopping = if server.stopping { ", stopping" } else { "" };
    let (process, up) = (server.process, since(server.since));
    let mut text = format!("haul {}, process {process}, up {up}{stopping}\n", safe(&server.version));
    text += &format!("serves {}, state {}\n", safe(&server.dir), safe(&server.state));
    for door in &server.doors {
        text += &format!("  {:<5}  {}\n", safe(&door.name), safe(&door.address));
    }
    text
}

fn sessions(status: &Status) -> String {
    if status.server.is_none() {
        return String::new();
    }
    let count = match status.sessions.len() {
        0 => return "\nnobody is on\n".to_owned(),
        1 => "1 session".to_owned(),
        count => format!("{count} sessions"),
    };
    let rows: Vec<_> = status.sessions.iter().flat_map(rows).collect();
    format!("\n{count}\n{}", columns(["session", "door", "user", "from", "since", "doing"], &rows))
}

/// A line for each thing that is on its way; one where there is none.
fn rows(session: &Session) -> Vec<[String; 6]> {
    let user = session.user.clone().unwrap_or_else(|| "-".to_owned());
    let row = |user: &str, doing: String| {
        let (number, from) = (session.session.to_string(), session.address.clone());
        [number, session.door.clone(), user.to_owned(), from, since(session.since), doing]
    };
    if session.moving.is_empty() {
        return vec![row(&user, session.doing.clone().unwrap_or_else(|| "-".to_owned()))];
    }
    session.moving.iter().map(|moved| row(&moved.user, moving(moved))).collect()
}

fn moving(moved: &Moved) -> String {
    let rate = if moved.took > 0.0 { moved.bytes as f64 / moved.took } else { 0.0 };
    let word = if moved.way == "sent" { "sends" } else { "receives" };
    let from = if moved.from > 0 { format!(" from byte {}", moved.from) } else { String::new() };
    let (bytes, path) = (human::size(moved.bytes), &moved.path);
    format!("{word} {path}{from}: {bytes}, {}", human::rate(rate))
}
