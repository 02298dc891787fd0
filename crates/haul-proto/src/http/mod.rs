//! HTTP's rules for both ends of a transfer that resumes (RFC 9110, 9530, 6266, 8187, 9457): one field or one question
//! to a file.
//!
//! For a client [`answer`] reads an answer's fields together. For a server [`download`] reads a request's conditions and
//! ranges together, for the version of a file that [`current`] describes; [`upload_draft`], [`tus`] and [`put_range`] are
//! the dialects in which uploads resume,
//! and [`upload_client`] is their other end.
//!
//! Parsing of HTTP messages is hyper's; here come in a status and a header map. Whatever a peer sends, nothing here
//! panics, and a field that cannot be trusted counts as absent or makes the answer [`answer::Nonsense`].

pub mod accept;
pub mod answer;
pub mod byteranges;
pub mod conditional;
pub mod content_digest;
pub mod content_disposition;
pub mod content_range;
mod content_type;
pub mod current;
pub mod date;
pub mod disposition;
pub mod download;
pub mod etag;
mod field;
pub mod if_range;
pub mod name;
pub mod problem;
pub mod put_range;
pub mod range;
mod range_spec;
pub mod repr_digest;
pub mod retry_after;
pub mod selection;
mod tags;
pub mod tus;
pub mod upload_client;
pub mod upload_draft;
pub mod upload_field;
pub mod upload_state;
