//! The dev floor: everything haul's tests need around the real binary.
//!
//! - [`content`]: files whose every byte follows from a seed, so that gigabytes need neither memory nor a fixture.
//! - [`link`]: a relay in front of any server whose speed, cuts and stalls change on command.
//! - [`hostile`]: an HTTP/1.1 peer that answers as wrongly as its [`hostile::Behaviour`] says.
//! - [`real`]: nginx, Apache, lighttpd, caddy, python and proxies, started on loopback over a scratch folder.
//! - [`haul_process`]: the haul binary itself, watched, interrupted, killed.
//! - [`disk`]: small and read-only file systems.
//!
//! Everything here is synchronous threads over std's sockets: a peer that has to misbehave byte by byte must own its
//! socket. Nothing here knows a word of haul's own crates, so a mistake in them cannot hide in their tests.

// A test that cannot go on should stop where it stands, loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

pub mod content;
pub mod disk;
pub mod haul_process;
pub mod hostile;
pub mod link;
pub mod pace;
mod port;
pub mod real;
mod socket;
pub mod tls;

pub use content::Content;
pub use haul_process::{Finished, Haul, HaulProcess};
pub use hostile::{Behaviour, HttpPeer};
pub use link::Link;
pub use socket::Cut;
