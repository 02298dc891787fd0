//! One try to deliver one letter, and what came of it.

use std::sync::Arc;

use haul_store::Letter;

use super::{
    Hook, To, Whereabouts, command,
    post::{self, Secret, Trust},
};
use crate::ServerError;

/// A hook with what it needs.
pub(super) struct Ready {
    pub(super) hook: Hook,
    secret: Option<Secret>,
    tree: Arc<Whereabouts>,
    trust: Arc<Trust>,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) end: End,
    /// What a program has said, as much of it as is written down.
    pub(super) output: Vec<u8>,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was heard.
    Heard,
    /// It was not, and is to be tried again.
    Failed(String),
    /// Nobody there wants to hear of it.
    Unwanted(String),
}

impl Ready {
    pub(super) fn new(hook: Hook, tree: Arc<Whereabouts>, trust: Arc<Trust>) -> Result<Self, ServerError> {
        let secret = match &hook.to {
            To::Post { secret: Some(file), .. } => Some(Secret::read(file).map_err(|why| {
                ServerError::Setting(format!(
                    "the secret of the hook {:?}: {}: {why}",
                    hook.name,
                    file.display()
                ))
            })?),
            To::Post { secret: None, .. } | To::Command { .. } => None,
        };
        Ok(Self { hook, secret, tree, trust })
    }

    /// Tries it; this is the try of that number, from 1.
    pub(super) async fn deliver(&self, letter: &Letter, attempt: u32) -> Tried {
        let deadline = self.hook.deadline;
        match &self.hook.to {
            To::Command { program, args } => {
                let told =
                    command::environment(letter, attempt, &self.hook.name, &self.tree.of(&letter.path));
                command::run(program, args, told, deadline).await
            }
            To::Post { url, .. } => {
                let asked = post::ask(url, &self.trust, letter, attempt, self.secret.as_ref());
                let end = tokio::time::timeout(deadline, asked).await;
                let end = end.unwrap_or_else(|_| End::Failed("no answer came in time".to_owned()));
                Tried { end, output: Vec::new() }
            }
        }
    }
}
