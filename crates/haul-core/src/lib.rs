//! haul-core: what haul knows about moving a file, without touching one.
//!
//! Ranges and what they add up to, what a far end tells of a file, the transfer machine that decides which connection
//! fetches which bytes, and the upload machine that decides what is sent, from where, and whether it arrived. No I/O,
//! no clock, no async: time comes in as an argument, so that all of it can be simulated.

mod digest;
mod entity;
mod random;
mod range;
mod range_set;
pub mod receiving;
pub mod transfer;
mod tree_path;
pub mod upload;

pub use digest::{Algorithm, BadDigest, Digest};
pub use entity::{ETag, Entity, Modified};
pub use random::Random;
pub use range::{ByteRange, Span};
pub use range_set::RangeSet;
pub use tree_path::{BadPath, RESERVED, TreePath};
