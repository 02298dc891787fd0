//! The names in a folder, with the unfinished uploads of whoever asks among them.

use std::collections::BTreeMap;

use haul_store::Listing;

use super::Seen;
use crate::ServerError;

/// The names in a folder, some at a time.
pub struct Names {
    listing: Box<dyn Listing>,
    /// Unfinished uploads that were not told yet.
    own: BTreeMap<Vec<u8>, Seen>,
    at_end: bool,
}

impl Names {
    pub(super) fn new(listing: Box<dyn Listing>, own: BTreeMap<Vec<u8>, Seen>) -> Self {
        Self { listing, own, at_end: false }
    }

    /// Some more, unfinished uploads of this account among them; none at the end.
    pub async fn next(&mut self) -> Result<Vec<(Vec<u8>, Seen)>, ServerError> {
        if !self.at_end {
            let page = self.listing.next().await?;
            if !page.is_empty() {
                let seen = page.into_iter().map(|entry| match self.own.remove(&entry.name) {
                    Some(seen) => (entry.name, seen),
                    None => (entry.name, Seen { meta: entry.meta, unfinished: false }),
                });
                return Ok(seen.collect());
            }
            self.at_end = true;
        }
        Ok(std::mem::take(&mut self.own).into_iter().collect())
    }
}
