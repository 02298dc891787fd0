//! Uploads that resume, as a client: what a server offers ([`Offer`]), what it tells of an upload (`told`), and what
//! its answer to a request with bytes means ([`Said`]), for the dialects of the IETF draft, tus and PUT with
//! Content-Range (RFC 9110 §14.5).
//!
//! Pure readings of a status and fields. A field that cannot be trusted counts as absent; what then follows, and what a
//! server said before, is the client's business. Nothing a peer sends makes anything here panic.

mod offer;
mod pieces;
mod said;
mod told;

pub use offer::{Checksum, Offer, TusOffer, listing_path};
pub use pieces::{piece, question, safe};
pub use said::{Said, said};
pub use told::{Told, draft, interim_offset, resource, tus};

/// The version of the draft that is spoken: that of drafts 09 to 11, the newest that servers in use know.
pub const INTEROP: super::upload_draft::Interop = super::upload_draft::Interop::V8;
