//! A file on the wire, as TYPE, STRU and MODE have it together (RFC 959 §3.1, §3.4; draft-preston-ftpext-deflate).
//!
//! ```text
//!   the file ── lines or records ── blocks, zlib, or as it is ──> Outgoing
//!   Incoming ── blocks, zlib, or as it is ── lines or records ──> the file
//! ```
//! Both take bytes in pieces of any size, hold a bounded number of them, and know no connection. A record is a line of
//! the file without its LF; what stands behind the last LF is a record that has no end but the file's.

mod incoming;
mod outgoing;

pub use incoming::{Incoming, Taken, Wrong};
pub use outgoing::Outgoing;

#[cfg(test)]
mod tests;
