//! `haul serve uploads`: what is unfinished, and giving some of it up. A server that runs is asked; where none does, what
//! it left is looked at, and given up by the same rules, with its state folder locked meanwhile.

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use haul_server::{
    config::{Config, Time},
    control::{Answer, Dropped, Question, Upload},
    depot::{Depot, GivenUp},
};
use haul_store::SqliteLedger;
use tokio::runtime;

use super::{
    Unserved,
    columns::columns,
    house,
    which::{self, Asked},
};
use crate::{args::serve::UploadsArgs, exit, human, screen::text::safe, screen::text::safe_json};

/// Runs the command; the result is the exit code.
pub(super) fn run(args: &UploadsArgs) -> Result<u8, Unserved> {
    let config = which::config(&args.which)?;
    let (serves, mut uploads) = match which::ask(&config, &Question::Uploads)? {
        Asked::Answered(Answer::Uploads(uploads)) => (true, uploads),
        Asked::Answered(_) => return Err(Unserved::Local("the server answers something else".to_owned())),
        Asked::Nobody => (false, which::left(&config)?),
    };
    uploads.retain(|upload| is_meant(upload, args));
    if !args.drop {
        let people = || {
            let nobody = if serves { String::new() } else { which::nobody(&config) + "\n" };
            nobody + people(&uploads).trim_start_matches('\n')
        };
        tell(&if args.json { lines(&uploads) } else { people() });
        return Ok(exit::DONE);
    }
    let ids: Vec<String> = uploads.iter().map(|upload| upload.id.clone()).collect();
    let dropped = if serves {
        match which::ask(&config, &Question::Drop { ids })? {
            Asked::Answered(Answer::Dropped(dropped)) => dropped,
            Asked::Answered(_) => {
                return Err(Unserved::Local("the server answers something else".to_owned()));
            }
            Asked::Nobody => return Err(Unserved::Local("the server has just ended: once more".to_owned())),
        }
    } else {
        by_ourselves(&config, &ids)?
    };
    tell(&if args.json { lines(&dropped) } else { outcomes(&uploads, &dropped) });
    // What is named and not there is not dropped either.
    let missing = args.ids.iter().any(|id| !dropped.iter().any(|dropped| dropped.id == *id));
    for id in args.ids.iter().filter(|id| !dropped.iter().any(|dropped| dropped.id == **id)) {
        let screen = crate::screen::Screen::new(crate::screen::Style::Plain);
        screen.refused(&format!("{}: there is no such upload", safe(id)), exit::LOCAL);
    }
    Ok(if !missing && dropped.iter().all(|dropped| dropped.dropped) { exit::DONE } else { exit::LOCAL })
}

fn is_meant(upload: &Upload, args: &UploadsArgs) -> bool {
    let old = |Time(least): Time| Duration::from_secs(upload.age) >= least;
    (args.ids.is_empty() || args.ids.contains(&upload.id))
        && args.user.as_ref().is_none_or(|user| *user == upload.user)
        && args.older_than.is_none_or(old)
}

/// As a server would, which must not run meanwhile.
fn by_ourselves(config: &Config, ids: &[String]) -> Result<Vec<Dropped>, Unserved> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    super::is_ours(&config.state)?;
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Unserved::Local(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let store = house::tree(&config.dir, &config.mounts, &Arc::default())?;
        let ledger = SqliteLedger::open(&config.state)?;
        // Nothing else is put in order or expires: that is for a server, which was told by which rules.
        let depot = Depot::as_it_is(store, Arc::new(ledger), config.uploads);
        let mut told = Vec::new();
        let known = depot.remaining().await?;
        for id in ids {
            let why = match known.iter().find(|it| it.id == *id) {
                None => Some("it is no longer there".to_owned()),
                Some(it) => match depot.give_up(it).await? {
                    GivenUp::Yes => None,
                    GivenUp::Busy | GivenUp::Gone => Some("it has just been changed".to_owned()),
                },
            };
            told.push(Dropped { id: id.clone(), dropped: why.is_none(), why });
        }
        Ok(told)
    })
}

fn tell(text: &str) {
    // Whoever reads it may stop reading.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn lines<T: serde::Serialize>(all: &[T]) -> String {
    // Serialising these shapes has no way to fail.
    let line = |one: &T| format!("{}\n", safe_json(&serde_json::to_string(one).unwrap_or_default()));
    all.iter().map(line).collect()
}

/// The uploads, below each other.
pub(super) fn people(uploads: &[Upload]) -> String {
    let count = match uploads.len() {
        0 => return "\nno unfinished uploads\n".to_owned(),
        1 => "1 unfinished upload".to_owned(),
        count => format!("{count} unfinished uploads"),
    };
    let rows: Vec<_> = uploads.iter().map(row).collect();
    format!("\n{count}\n{}", columns(["id", "user", "there", "of", "last byte", "path"], &rows))
}

fn row(upload: &Upload) -> [String; 6] {
    let of = upload.size.map_or_else(|| "?".to_owned(), human::size);
    let path =
        if upload.part { format!("(a part of an upload at {})", upload.path) } else { upload.path.clone() };
    let age = match (upload.receiving, upload.age) {
        (true, _) => "now".to_owned(),
        (false, age) => human::time(Duration::from_secs(age.max(1))) + " ago",
    };
    let there = human::size(upload.offset.saturating_add(upload.beyond));
    [upload.id.clone(), upload.user.clone(), there, of, age, path]
}

fn outcomes(uploads: &[Upload], dropped: &[Dropped]) -> String {
    if dropped.is_empty() {
        return "there is nothing to drop\n".to_owned();
    }
    let line = |one: &Dropped| {
        let upload = uploads.iter().find(|upload| upload.id == one.id);
        let path = upload.map_or(one.id.as_str(), |upload| &upload.path);
        let user = upload.map_or("", |upload| &upload.user);
        match (&one.why, upload) {
            (None, Some(upload)) => {
                format!("dropped {} of {}, {}\n", safe(path), safe(user), human::size(upload.offset))
            }
            (None, None) => format!("dropped {}\n", safe(path)),
            (Some(why), _) => format!("kept {} of {}: {}\n", safe(path), safe(user), safe(why)),
        }
    };
    dropped.iter().map(line).collect()
}
