//! haul-server: one tree, and doors to it.
//!
//! The [`Depot`](depot::Depot) is the tree as every door sees it: finished files, and unfinished uploads that only their
//! owner knows of. A door speaks one protocol and knows no disk; the depot knows no protocol. Who may do what are
//! the [`account`]s.

pub mod account;
pub mod accounts;
pub mod config;
pub mod depot;
mod error;
pub mod ftp;
pub mod log;
mod sys;

pub use error::ServerError;
