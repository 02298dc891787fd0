//! Which server is asked, and what can be known where none runs: its state folder says both.

use std::{io, path::PathBuf};

use haul_server::{
    config::{Config, Flags},
    control::{self, Answer, Question, Upload},
    depot::Remaining,
};
use haul_store::{SqliteLedger, StoreError};

use super::{Unserved, read};
use crate::args::serve::WhichArgs;

/// What a question came to.
pub(super) enum Asked {
    /// A server answered.
    Answered(Answer),
    /// There is none.
    Nobody,
}

/// The settings of a server, as far as they say where its state is.
pub(super) fn config(which: &WhichArgs) -> Result<Config, Unserved> {
    let flags = Flags { dir: which.dir.clone(), state: which.state.clone(), ..Flags::default() };
    read(which.config.as_deref(), flags)
}

/// Asks the server that has this state folder.
pub(super) fn ask(config: &Config, question: &Question) -> Result<Asked, Unserved> {
    let state = config.state.display();
    match control::ask(&config.state, question) {
        Ok(Answer::Failed(why)) => Err(Unserved::Local(format!("the server answers: {why}"))),
        Ok(answer) => Ok(Asked::Answered(answer)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
                Ok(Asked::Nobody)
            }
            io::ErrorKind::PermissionDenied => Err(Unserved::Local(format!(
                "the server of {state} tells its own user and root only: ask as one of them"
            ))),
            _ => Err(Unserved::Local(format!("cannot ask the server of {state}: {error}"))),
        },
    }
}

/// What a server that does not run has left unfinished.
pub(super) fn left(config: &Config) -> Result<Vec<Upload>, Unserved> {
    match SqliteLedger::look(&config.state) {
        Ok(left) => Ok(left.into_iter().map(|(key, record)| Remaining::of(key, record).into()).collect()),
        // It has begun, or is about to end, or was told to open no socket.
        Err(StoreError::InUse { pid, .. }) => Err(Unserved::Local(format!(
            "{}: in use by process {}, which does not answer",
            config.state.display(),
            pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string())
        ))),
        Err(error) => Err(error.into()),
    }
}

/// That there is none, in words.
pub(super) fn nobody(config: &Config) -> String {
    let state: PathBuf = std::path::absolute(&config.state).unwrap_or_else(|_| config.state.clone());
    format!("nobody serves with the state folder {}", state.display())
}
