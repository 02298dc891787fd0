//! FTP's rules for a client that resumes (RFC 959, 1123 §4.1, 1738 §3.2, 2228, 2389, 2428, 2640, 3659, 4217): one
//! kind of reply, command or line to a file.
//!
//! Replies come in as bytes and leave as values; commands go the other way. Paths and names are bytes, not text:
//! RFC 2640 asks for UTF-8, and many servers send what their disk holds. Nothing here knows a connection, the order
//! of a dialogue, or what to do about a refusal. Whatever a peer sends, nothing panics, nothing grows without limit,
//! and what cannot be read for certain counts as not told.

pub mod ascii;
pub mod block;
pub mod command;
mod digits;
pub mod echo;
pub mod entry;
pub mod facts;
pub mod feat;
pub mod hash;
pub mod line;
pub mod list;
pub mod mark;
pub mod passive;
pub mod path;
pub mod quote;
pub mod ranges;
pub mod record;
pub mod reply;
pub mod server;
pub mod size;
pub mod time;

pub use command::Command;
pub use reply::{Code, Reply, ReplyParser};
