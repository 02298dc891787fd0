//! What the dialects of resumable uploads share on the wire: two fields with one meaning in all of them, and the shape
//! in which a dialect hands over what a reply carries.
//!
//! Reading such a field is each dialect's own business: tus has plain digits, the IETF's draft structured fields.

use http::{HeaderValue, header::HeaderName};

/// How many bytes of the upload the one who says it has.
pub const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// How many bytes the whole upload will have.
pub const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");

/// What a reply carries of a dialect, in the order of writing; no name is there twice.
pub type ReplyFields = Vec<(HeaderName, HeaderValue)>;
