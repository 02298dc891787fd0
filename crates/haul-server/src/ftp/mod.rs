//! The FTP door: sockets, TLS and time for the session machine of `haul_proto::ftp::server`.
//!
//! A [`Door`] lets clients in; each has a task of its own (`session`), which listens to its client, asks the depot,
//! and has bytes moved. What is said and in which order is the machine's; what an upload becomes is the depot's.
//!
//! What holds, and where: one data connection at a time, to the control connection's peer and nobody else (`data`);
//! an upload ends cleanly only by FIN or close_notify while its control connection lives (`receive`, `watch`); a file
//! that changed while it was sent does not end cleanly (`retrieve`); every wait has an end (`clock`, `settings`); a
//! session that is idle holds no buffer (`control`).

mod aside;
mod ask;
mod by_system;
mod clock;
mod control;
mod data;
mod decrypt;
mod door;
mod entry;
mod figures;
mod from_blocks;
mod in_blocks;
mod list;
mod marks;
mod receive;
mod record;
mod retrieve;
mod session;
mod settings;
mod shaping;
mod socket;
mod sum;
mod taking;
mod target;
mod tickets;
mod tls;
mod transfer;
mod trouble;
mod watch;

/// What hooks are told is spoken here.
const PROTOCOL: &str = "ftp";

pub use door::{Door, Kind};
pub use settings::{Limits, Passive, Settings, Times};
pub use tls::{Protection, Reuse};
