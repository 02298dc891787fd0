//! The client of haul: fetches files over links that break, and goes on where it stopped.
//!
//! [`get`] is the way in: a [`Job`] says what is wanted, [`Notice`]s tell how it goes, [`Done`] or [`Failure`] how it
//! ended. The decisions are haul-core's, the wire rules haul-proto's, the bytes on disk haul-store's; here are the
//! connections, and the driver that holds them all together.

mod checksum;
mod client;
pub mod connect;
pub mod credentials;
mod drive;
mod escape;
mod failure;
pub mod folder;
mod ftp;
mod host;
mod job;
pub mod netrc;
mod notice;
mod out;
pub mod probe;
pub mod put;
mod rate;
mod source;
mod threads;

pub use client::{Client, ClientOptions, Stop};
pub use drive::{Watch, get, get_text, is_text};
pub use escape::{escape, is_harmful, place};
pub use failure::{Failure, Kind};
pub use ftp::{FtpCommand, FtpOptions, FtpTls};
pub use job::{Connections, Job, Target};
pub use notice::{Done, LaneView, Notice, Progress, Verified};
