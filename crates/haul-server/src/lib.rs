//! haul-server: one tree, and doors to it.
//!
//! The [`Depot`](depot::Depot) is the tree as every door sees it: finished files, and unfinished uploads that only their
//! owner knows of. A door speaks one protocol and knows no disk; the depot knows no protocol. Who may do what are
//! the [`account`]s.

pub mod account;
pub mod accounts;
mod by_system;
mod certificate;
mod checksum;
mod client_authority;
pub mod config;
pub mod control;
pub mod depot;
mod error;
pub mod ftp;
pub mod hooks;
mod hosts;
mod house;
pub mod http;
pub mod log;
pub mod metrics;
pub mod pace;
mod sys;

pub use certificate::Certificate;
pub use client_authority::ClientAuthority;
pub use error::ServerError;
pub use hosts::{Host, Hosts};
pub use house::{
    House, Limits, Moving, Others, Present, Proxies, Sessions, Stop, Terms, Turn, Workers, listen,
};

/// Raises the number of files and connections that this process may have open to what the system allows it without
/// asking: each session has one connection, and another while it transfers. Programs that hooks run have as many as this
/// process had before.
pub fn allow_many_files() {
    sys::many_files();
}
