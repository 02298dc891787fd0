//! The last question before a file is published.
//!
//! An HTTP answer says itself which version its bytes are of. Over FTP that is asked beside the bytes, and a file may
//! have been written to while they came: so its sources are asked once more when all bytes are there.

use std::future::pending;

use haul_core::transfer::Event;
use tokio::task::JoinHandle;

use super::{Drive, Step};
use crate::{
    failure::{Failure, Kind},
    source::Failed,
};

/// What came of it: what has changed, or nothing.
pub(super) type Answer = Result<Option<String>, Failed>;

/// The question on its way; dropping it takes it back.
#[derive(Debug)]
pub(super) struct Confirming {
    task: JoinHandle<Answer>,
}

impl Drop for Confirming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The answer, once there is a question and an answer to it.
pub(super) async fn confirmed(confirming: &mut Option<Confirming>) -> Answer {
    match confirming {
        // A task that is lost has panicked, which was said already; nobody has confirmed anything then.
        Some(confirming) => (&mut confirming.task)
            .await
            .unwrap_or_else(|lost| Err(Failed::new(haul_core::transfer::Trouble::Broken, lost.to_string()))),
        None => pending().await,
    }
}

impl Drive<'_> {
    /// Publishes, where there is nobody to be asked.
    pub(super) fn confirm(&mut self) {
        let told = self.machine.sources().into_iter().zip(&self.sources);
        let asked = told.filter_map(|(known, source)| Some((source.clone(), known?)));
        let asked: Vec<_> = asked.filter(|(source, _)| source.has_to_confirm()).collect();
        if asked.is_empty() {
            self.publish();
            return;
        }
        // A source that is gone cannot be asked; a digest, or one whose bytes were found to be the same, speaks for it.
        let others = self.machine.sources().into_iter().flatten().count() > 1;
        let vouched = others || self.job.checksum.is_some() || self.told_digest.is_some();
        let task = tokio::spawn(async move {
            for (source, known) in asked {
                match source.confirm(&known, !vouched).await {
                    Ok(None) => {}
                    Err(gone) if vouched => tracing::debug!(why = gone.message, "not asked once more"),
                    other => return other,
                }
            }
            Ok(None)
        });
        self.confirming = Some(Confirming { task });
    }

    /// Publishes what is still the same.
    pub(super) fn on_confirmed(&mut self, answer: Answer) -> Step {
        self.confirming = None;
        match answer {
            Ok(None) => self.publish(),
            Ok(Some(what)) => self.machine.handle(std::time::Instant::now(), Event::Outdated { what }),
            Err(failed) => {
                let message = format!(
                    "all bytes are here, but whether the file was changed meanwhile could not be found out: {}",
                    failed.message
                );
                return Err(Failure::new(Kind::Network, message)
                    .advise("the same command again asks once more and fetches nothing that is here"));
            }
        }
        Ok(None)
    }
}
