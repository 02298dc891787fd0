//! A file that goes over in pieces and is out of sight until all of it is there (308). It has no URL of its own, only
//! that of the file: what is there of it is this run's where this run began it and the server acknowledged that. Then
//! its offset is relied on as that of an upload's URL is.

use std::time::Instant;

use haul_core::upload::SETTLE;
use haul_proto::http::upload_client::{Said, question, safe};
use http::{HeaderValue, Method, header};

use super::{
    super::Fault,
    HttpSink, Ranges,
    look::{RESTLESS, beyond, went_back},
    words,
};

/// What is known of such a file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hidden {
    /// The most that was told of it since this run began it; before anything was, what is there may be another's, or what
    /// the local file was before.
    acknowledged: u64,
    /// How far it is, as the last look found.
    seen: Option<u64>,
}

impl Hidden {
    /// The server has said that so many bytes are safe.
    pub(super) fn acknowledge(&mut self, offset: u64) {
        self.acknowledged = self.acknowledged.max(offset);
    }

    /// A new look begins: what the last one found counts no more.
    pub(super) fn forget_look(&mut self) {
        self.seen = None;
    }

    /// Whether the last look found so many bytes, all of them sent by this run.
    pub(super) fn was_seen_at(self, size: u64) -> bool {
        self.seen == Some(size)
    }
}

impl HttpSink {
    /// How far what this run sends in pieces is; with `settle` once it holds still. `None` where there is no such thing.
    pub(super) async fn look_at_hidden(&mut self, settle: bool) -> Result<Option<u64>, Fault> {
        if self.ranges != Ranges::Hidden || self.is_haul() || self.hidden.acknowledged == 0 {
            return Ok(None);
        }
        let begun = Instant::now();
        let mut before = self.ask_how_far().await?;
        // What is on its way over a connection that broke may still be taken.
        while settle && before.is_some() && begun.elapsed() < RESTLESS {
            tokio::time::sleep(SETTLE).await;
            let now = self.ask_how_far().await?;
            if now == before {
                break;
            }
            before = now;
        }
        self.hidden.seen = before;
        Ok(before)
    }

    /// The question of PUT: how far is it? (308)
    async fn ask_how_far(&mut self) -> Result<Option<u64>, Fault> {
        let Some(total) = self.sending_total else { return Ok(None) };
        let Ok(value) = HeaderValue::try_from(question(total)) else { return Ok(None) };
        let url = self.url_of_name(self.sent_to());
        let asked = self.caller.ask(Method::PUT, &url, vec![(header::CONTENT_RANGE, value)]).await;
        let answered = asked.map_err(Fault::Failed)?;
        let told = match answered.said() {
            Said::More => safe(&answered.headers),
            Said::Later { .. } | Said::Unwell { .. } => return Err(words::fault(&answered)),
            _ => None,
        };
        answered.read(&self.caller.idle, self.caller.patience).await;
        match told {
            // It is gone, or all there.
            None | Some(0) => Ok(None),
            Some(offset) if offset > self.moved => Err(beyond(offset, self.moved)),
            // No piece is left to send; it may still be about to become the file.
            Some(offset) if offset >= total => {
                Err(words::broken("the server has all of it, and does not call it complete"))
            }
            Some(offset) if offset < self.hidden.acknowledged => {
                Err(went_back(offset, self.hidden.acknowledged))
            }
            Some(offset) => {
                self.hidden.acknowledge(offset);
                Ok(Some(offset))
            }
        }
    }
}
