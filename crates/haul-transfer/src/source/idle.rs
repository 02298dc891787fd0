//! Connections between two requests: kept by origin, for whoever asks there next.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::connect::{Connection, Origin};

/// Servers close idle connections after a few seconds (nginx 75, Apache 5); later than this it is not worth the try.
const KEPT: Duration = Duration::from_secs(4);

/// Idle connections.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    kept: Mutex<HashMap<Origin, Vec<(Instant, Connection)>>>,
}

impl Idle {
    /// Keeps a connection whose last answer was read to its end.
    pub(crate) fn put(&self, connection: Connection) {
        if connection.is_closed() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, connections| {
            connections.retain(|(since, connection)| is_alive(*since, connection));
            !connections.is_empty()
        });
        kept.entry(connection.origin().clone()).or_default().push((Instant::now(), connection));
    }

    /// A connection to this origin that is likely to be alive still.
    pub(crate) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = kept.get_mut(origin)?;
        connections.retain(|(since, connection)| is_alive(*since, connection));
        connections.pop().map(|(_, connection)| connection)
    }
}

fn is_alive(since: Instant, connection: &Connection) -> bool {
    since.elapsed() < KEPT && !connection.is_closed()
}
