//! The client's side of an FTP dialogue (RFC 959, 1123 §4.1, 2228, 2389, 2428, 3659, 4217): plain async code, since
//! it is one.
//!
//! ```text
//! Session::open ─ greeting ─ [AUTH TLS] ─ USER, PASS, ACCT ─ [PBSZ, PROT] ─ FEAT ─ quoted commands ─ TYPE I
//!    └─ command ─▶ Reply
//!    └─ start(REST n, RETR …) ─▶ Data ─ bytes ─ end ─ finish ─▶ Reply
//!                                  └─ release: the bytes are not wanted any more
//! ```
//! What bytes and replies look like is haul-proto's; what is fetched, and what a failure leads to, is decided
//! elsewhere ([`crate::source`]). A session that failed in the middle of something is of no use afterwards.

mod blocks;
mod control;
mod data;
mod error;
mod from_blocks;
mod list;
mod login;
mod options;
mod session;
mod start;
#[cfg(test)]
mod tests;

pub use haul_proto::ftp::Command as FtpCommand;
pub use options::{FtpOptions, FtpTls};

pub(crate) use blocks::PIECE as BLOCK;
pub(crate) use data::{Data, Piece};
pub(crate) use error::{FtpError, Words};
pub(crate) use from_blocks::{BadBlocks, FromBlocks};
pub(crate) use list::{Item, ListError};
pub(crate) use session::{Place, Session};
pub(crate) use start::{DataWay, Started};
