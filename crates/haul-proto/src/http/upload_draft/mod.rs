//! Resumable uploads of the IETF (draft-ietf-httpbis-resumable-upload, -01 to -12), the server's half of the wire.
//! Sections are those of -12.
//!
//! A client says [`Interop`] for the version of the draft that it speaks; what differs between them is asked of that
//! type and nowhere else. [`creation`] reads a request for something that is to be uploaded, [`on_upload`] one for the
//! URL of an upload; [`reply`] has what the answers carry. Where the bytes go, who may send them, and which request
//! ends another one, is not known here.
//!
//! ```text
//! any method, Upload-Complete ──creation──► Creation ─► 104 announcement, 104 progress …, created
//! HEAD, GET    of the upload ─┐             Query ────► offset
//! PATCH                       ├─on_upload─► Append ───► against the state ─► 104 progress …, appended
//! DELETE                     ─┘             Cancel ───► cancelled
//! ```

mod append;
mod interop;
mod item;
mod limits;
mod problem;
pub mod reply;
mod request;
mod wrong;

use http::header::HeaderName;

pub use append::{Append, Verdict};
pub use interop::Interop;
pub use item::{LARGEST, integer_of, truth_of};
pub use limits::Limits;
pub use problem::Problem;
pub use request::{Creation, Request, creation, on_upload};
pub use wrong::Wrong;

/// Whether the upload is complete (§4.1.2); its inverse is [`UPLOAD_INCOMPLETE`].
pub const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");

/// What [`UPLOAD_COMPLETE`] was in interop version 3: the inverse of it.
pub const UPLOAD_INCOMPLETE: HeaderName = HeaderName::from_static("upload-incomplete");

/// How large an upload and a request may be, and how long it is kept (§4.1.4).
pub const UPLOAD_LIMIT: HeaderName = HeaderName::from_static("upload-limit");

/// Which version of the draft is spoken.
pub const INTEROP_VERSION: HeaderName = HeaderName::from_static("upload-draft-interop-version");

/// The media type of what is appended (§6).
pub const PARTIAL_UPLOAD: &str = "application/partial-upload";
