//! The HTTP door: the tree over HTTP/1.1 and HTTP/2 (RFC 9110, 9112, 9113).
//!
//! ```text
//!   connection ── h1 (hyper) ──┐                       ┌── read     files, in ranges, and folders
//!        │                     ├── Request ── service ─┼── change   PUT, DELETE, MKCOL, MOVE
//!        └────── h2 ───────────┘       ▲               ├── uploads  tus, the IETF draft, what is unfinished
//!                                   Answer             └── about    health, metrics
//! ```
//! A handler gets a `Request` and returns an `Answer`; it knows neither a socket nor which version of HTTP is spoken.
//! What fields mean is said by `haul_proto::http`, what an upload becomes by the depot. No HTTP is parsed here: that is
//! hyper's and h2's.
//!
//! What holds, and where: no upload ends well unless its message did (`content`); a file that changes while it is sent
//! does not end cleanly (`leaving`); every wait has an end (`settings`); a browser that was lured here changes nothing
//! (`guard`).

mod about;
mod account;
mod answer;
mod buffer;
mod change;
mod connection;
mod content;
mod digest;
mod door;
mod file;
mod folder;
mod guard;
mod h1;
mod h2;
mod interim;
mod leaving;
mod pieces;
mod place;
mod preface;
mod put;
mod receive;
mod request;
mod service;
mod settings;
mod tls;
mod trouble;
mod upload;
mod wire;

/// What hooks are told is spoken here.
const PROTOCOL: &str = "http";

pub(crate) use digest::Digests;
pub use door::{Door, Kind};
pub use settings::{Limits, Settings, Times};
pub use tls::Protection;

use std::sync::Arc;

use crate::{ServerError, depot::Depot};

/// Drops what a server that was killed has left half-way of its own work at these doors; before one is opened. How many
/// uploads.
///
/// # Errors
/// Where what is known of unfinished uploads cannot be read or changed.
pub async fn put_in_order(depot: &Arc<Depot>) -> Result<usize, ServerError> {
    upload::tus::put_in_order(depot).await
}
