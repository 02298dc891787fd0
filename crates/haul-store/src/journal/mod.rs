//! The journal beside a partial: what it says byte by byte ([`record`]), what the records add up to ([`claims`]),
//! reading one back ([`replay`]), and the file itself ([`file`]). The format is documented in docs/format.md.
//!
//! It does not read the partial: whether a claim is still true is checked in [`crate::fs_partial`].

pub(crate) mod claims;
pub(crate) mod file;
pub(crate) mod record;
pub(crate) mod replay;

pub use record::VERSION;
