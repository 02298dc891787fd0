//! tus 1.0.0 (tus.io, "tus resumable upload protocol"), the server's half of the wire: the core protocol with the
//! extensions in [`EXTENSIONS`].
//!
//! [`read`] makes a request of method and fields, or a [`Refusal`] with its status; [`reply`] has what the answers
//! carry. Which URL stands for which upload, whose it is, and what its metadata mean is not known here.
//!
//! ```text
//! OPTIONS ──► Options                        POST ──► Create(Whole | Partial | Final)
//! HEAD ─────► Head                           PATCH ─► Patch ─► against the state
//! DELETE ───► Delete                         POST + X-HTTP-Method-Override ─► any of these
//! ```

mod checksum;
mod concat;
mod metadata;
mod method;
mod refusal;
pub mod reply;
mod request;

use http::header::HeaderName;

pub use checksum::{ALGORITHMS, Proof, trailing};
pub use concat::{Concat, PartUrl};
pub use metadata::Metadata;
pub use method::asked;
pub use refusal::Refusal;
pub use request::{Content, Create, Length, Patch, Request, What, read};

/// The one version of the protocol that is spoken here.
pub const VERSION: &str = "1.0.0";

/// The extensions that are spoken here.
pub const EXTENSIONS: &str = "creation,creation-with-upload,creation-defer-length,expiration,checksum,\
                              checksum-trailer,termination,concatenation";

/// The media type of an upload's bytes.
pub const OFFSET_OCTETS: &str = "application/offset+octet-stream";

/// The version of the protocol that a message is in.
pub const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");

/// That the length is told later.
pub const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");

/// What the client wants to be known of the upload.
pub const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");

/// Whether the upload is a part, or put together from parts.
pub const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");

/// The digest of a request's content.
pub const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");

/// How long the upload is kept.
pub const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
