//! HTTP's rules for a client that resumes (RFC 9110, 9530, 6266, 8187): one field to a file, and [`answer`], which
//! reads them together.
//!
//! And for a server that is resumed from: [`download`] reads a request's conditions and ranges together, for the
//! version of a file that [`current`] describes.
//!
//! Parsing of HTTP messages is hyper's; here come in a status and a header map. Whatever a peer sends, nothing here
//! panics, and a field that cannot be trusted counts as absent or makes the answer [`answer::Nonsense`].

pub mod answer;
pub mod byteranges;
pub mod conditional;
pub mod content_digest;
pub mod content_disposition;
pub mod content_range;
pub mod current;
pub mod date;
pub mod disposition;
pub mod download;
pub mod etag;
mod field;
pub mod if_range;
pub mod name;
pub mod problem;
pub mod range;
mod range_spec;
pub mod repr_digest;
pub mod retry_after;
pub mod selection;
mod tags;
