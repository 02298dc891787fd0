//! Which staged files are open, so that opening one again ends the handle before it.
//!
//! Whoever waited for a write may be gone while the write still runs. What opens the file then waits for it, and
//! whatever the older handle has left to do finds itself fenced off.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use super::staged::Received;
use crate::StageId;

/// The open staged files by what they are called.
#[derive(Default)]
pub(super) struct Handles(Mutex<HashMap<StageId, Weak<Received>>>);

impl Handles {
    /// This one is open now.
    pub(super) fn enter(&self, id: &StageId, received: &Arc<Received>) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The table is as large as what is open, and never more than twice that.
        if open.len() == open.capacity() {
            open.retain(|_, older| older.strong_count() > 0);
        }
        open.insert(id.clone(), Arc::downgrade(received));
    }

    /// Ends the handle that is open, if any, once its write has ended.
    pub(super) fn end(&self, id: &StageId) {
        let older = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        if let Some(older) = older.and_then(|older| older.upgrade()) {
            older.leave();
        }
    }
}
