//! Which dialect is spoken: what OPTIONS tells, before any byte is sent, and what the user wants.

use haul_core::{transfer::Trouble, upload::Name};
use haul_proto::http::{
    upload_client::{INTEROP, Offer, Said},
    upload_draft::INTEROP_VERSION,
};
use haul_store::UploadDialect;
use http::Method;

use super::{super::Fault, HttpSink, Protocol, Ranges, words};
use crate::{put::job::MakeFolders, source::Failed};

impl HttpSink {
    /// Asks what the server offers, once; where it is behind redirects is known then, too.
    pub(super) async fn explore(&mut self) -> Result<(), Fault> {
        if self.offer.is_some() {
            return Ok(());
        }
        let fields = vec![(INTEROP_VERSION, INTEROP.value())];
        let answered = self.caller.ask(Method::OPTIONS, &self.place, fields).await.map_err(Fault::Failed)?;
        let told = Offer::of(&answered.headers);
        let offer = match answered.said() {
            Said::Yes => told,
            Said::NeedsCredentials | Said::Later { .. } | Said::Unwell { .. } => {
                return Err(words::fault(&answered));
            }
            // Who does not like the question has not said anything else.
            _ => Offer { haul: told.haul, ..Offer::default() },
        };
        self.place = answered.url.clone();
        answered.read(&self.caller.idle, self.caller.patience).await;
        if offer.haul {
            self.ranges = Ranges::Hidden;
        }
        self.dialect = self.choose(&offer);
        // A haul's URL of an upload is good in every dialect, another server's in its own.
        self.unfinished = self.unfinished.take().filter(|known| offer.haul || known.dialect == self.dialect);
        self.unfinished.iter_mut().for_each(|known| known.dialect = self.dialect);
        tracing::debug!(?offer, dialect = ?self.dialect, "what the server offers");
        self.offer = Some(offer);
        Ok(())
    }

    fn choose(&self, offer: &Offer) -> UploadDialect {
        let remembered = self.unfinished.as_ref().map(|unfinished| unfinished.dialect);
        match (self.plan.protocol, remembered) {
            (Protocol::Draft, _) => UploadDialect::Draft,
            (Protocol::Tus, _) => UploadDialect::Tus,
            (Protocol::Put, _) => UploadDialect::Put,
            // What was begun in a dialect is gone on with in it.
            (Protocol::Auto, Some(dialect)) => dialect,
            (Protocol::Auto, None)
                if self.plan.spread && offer.tus.as_ref().is_some_and(|tus| tus.concatenation) =>
            {
                UploadDialect::Tus
            }
            (Protocol::Auto, None) if offer.draft.is_some() => UploadDialect::Draft,
            // tus wants to know the size.
            (Protocol::Auto, None) if offer.tus.is_some() && self.plan.resumes => UploadDialect::Tus,
            (Protocol::Auto, None) => UploadDialect::Put,
        }
    }

    /// Makes the folders above the file that may be made, as far as they are missing (MKCOL, RFC 4918 §9.3).
    pub(super) async fn make_folders(&mut self) -> Result<(), Fault> {
        let most = match self.plan.make_folders {
            MakeFolders::Never => return Ok(()),
            MakeFolders::Last(count) => count,
            MakeFolders::All => usize::MAX,
        };
        if std::mem::replace(&mut self.folders_made, true) {
            return Ok(());
        }
        let method = Method::from_bytes(b"MKCOL").unwrap_or(Method::PUT);
        let mut folders = Vec::new();
        let mut url = self.url_of_name(Name::Target);
        // Upwards, until one is there or is made; then downwards again.
        while folders.len() < most {
            let Ok(folder) = url.join(if url.path().ends_with('/') { ".." } else { "." }) else { break };
            if folder.path() == "/" || folder == url {
                break;
            }
            let answered =
                self.caller.ask(method.clone(), &folder, Vec::new()).await.map_err(Fault::Failed)?;
            let said = answered.said();
            let words = answered.words();
            answered.read(&self.caller.idle, self.caller.patience).await;
            match said {
                Said::Conflict | Said::Gone => folders.push(folder.clone()),
                Said::Later { .. } | Said::Unwell { .. } | Said::NeedsCredentials => {
                    return Err(words::of(&said, words));
                }
                // It is there now; or it was, or cannot be made, which the file will tell.
                _ => break,
            }
            url = folder;
        }
        for folder in folders.iter().rev() {
            let answered =
                self.caller.ask(method.clone(), folder, Vec::new()).await.map_err(Fault::Failed)?;
            let (said, words) = (answered.said(), answered.words());
            answered.read(&self.caller.idle, self.caller.patience).await;
            if !matches!(said, Said::Yes | Said::NotThisWay) {
                let message = format!("the folder could not be made: {words}");
                return Err(Fault::Failed(Failed::new(Trouble::Fatal, message)));
            }
        }
        Ok(())
    }
}
