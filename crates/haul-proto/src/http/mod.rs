//! HTTP's rules for a client that resumes (RFC 9110, 9530, 6266, 8187): one field to a file, and [`answer`], which
//! reads them together.
//!
//! Parsing of HTTP messages is hyper's; here come in a status and a header map. Whatever a peer sends, nothing here
//! panics, and a field that cannot be trusted counts as absent or makes the answer [`answer::Nonsense`].

pub mod answer;
pub mod content_digest;
pub mod content_range;
mod content_type;
pub mod date;
pub mod disposition;
pub mod etag;
mod field;
pub mod if_range;
pub mod name;
pub mod put_range;
pub mod range;
pub mod retry_after;
pub mod tus;
pub mod upload_draft;
pub mod upload_field;
pub mod upload_state;
