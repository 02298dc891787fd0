//! What is left behind: an upload that is not gone on with, and a place from which content was sent on to another one.

use std::time::Duration;

use haul_core::{transfer::Trouble, upload::Refusal};
use haul_store::UploadDialect;
use http::Method;
use url::Url;

use super::{super::Fault, HttpSink, Ranges, Unfinished, Whose, look::spoken, words};
use crate::{escape::place, source::Failed};

/// How long it is waited for an old upload to be taken away, which nothing depends on.
const TAKEN_AWAY: Duration = Duration::from_secs(5);
/// So often content may be sent on to another URL.
const LATE_REDIRECTS: u32 = 3;

impl HttpSink {
    /// An unfinished upload that this user's runs have begun is not gone on with: where the server lets it be taken away,
    /// nothing stays behind. A haul's gives way to the new one by itself.
    pub(super) async fn take_away(&mut self, unfinished: Unfinished) {
        let takes = match unfinished.dialect {
            UploadDialect::Draft => true,
            UploadDialect::Tus => self.tus_offer().termination,
            UploadDialect::Put => false,
        };
        // What others name is asked for, but nothing is removed for them at somebody else's.
        let own = unfinished.whose != Whose::Found && unfinished.url.origin() == self.place.origin();
        if !takes || !own || self.is_haul() {
            return;
        }
        let asked = self.caller.ask(Method::DELETE, &unfinished.url, spoken(unfinished.dialect));
        match tokio::time::timeout(TAKEN_AWAY, Box::pin(asked)).await {
            Ok(Ok(answered)) => {
                answered.read(&self.caller.idle, TAKEN_AWAY).await;
            }
            // It expires there.
            Ok(Err(failed)) => tracing::debug!(why = failed.message, "not taken away"),
            Err(_elapsed) => tracing::debug!("not taken away in time"),
        }
    }

    /// A request with content is to be sent again to another URL.
    pub(super) fn led_elsewhere(&mut self, from: &Url, next: Url, words: &str) -> Fault {
        if let Some(known) = self.unfinished.as_mut().filter(|known| known.url == *from) {
            known.url = next;
        } else if !self.plan.temporary {
            // Nothing is known of what lies there: it is looked at as if nothing had been begun.
            self.late_redirects += 1;
            if !self.plan.resumes || self.late_redirects > LATE_REDIRECTS {
                let words = format!("{words}: it is elsewhere; send it to {}", place(&next));
                return Fault::Failed(Failed::new(Trouble::Fatal, words));
            }
            self.place = next;
            (self.unfinished, self.offer, self.ranges) = (None, None, Ranges::Unknown);
            return Fault::Refused(Refusal::Came, format!("{words}: it is elsewhere"));
        }
        words::broken(format!("{words}: it is elsewhere"))
    }
}
