//! Resumable uploads by clients that nobody here wrote: tus-js-client (tus 1.0.0 and the IETF draft), tuspy, and Uppy
//! in a real browser. Each has a script beside this file, which tells its options and what it says.

use std::path::Path;

use haul_testkit::{Haul, real::peer};
use serde_json::{Value, json};

use super::browser::{joined, programs};

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uploader {
    /// Under node.
    TusJs,
    /// Under python.
    Tuspy,
    /// In Chromium. The options need `page`, and have no `storage` but a `profile`.
    Uppy,
}

impl Uploader {
    /// The client, about to send a file to where uploads are created; `options` are those of its script. What it tells
    /// is on standard output, for [`Events`](super::browser::Events). None where it is missing.
    #[track_caller]
    pub(crate) fn command(self, file: &Path, endpoint: &str, options: &Value) -> Option<Haul> {
        let (program, script) = match self {
            Self::TusJs => (peer("tus-js-client")?, "with_tus_js.js"),
            Self::Tuspy => (peer("tuspy")?, "with_tuspy.py"),
            Self::Uppy => (programs()?.1, "with_uppy.js"),
        };
        let mut wanted = joined(&json!({ "file": file, "endpoint": endpoint }), options);
        if self == Self::Uppy {
            let (browser, uppy) = (programs()?.0, peer("uppy")?);
            wanted = joined(&wanted, &json!({ "browser": browser, "uppy": uppy }));
        }
        let script = format!("{}/tests/scene/uploaders/{script}", env!("CARGO_MANIFEST_DIR"));
        let client = Haul::new(program).arg(script).arg(wanted.to_string());
        Some(client.env("PYTHONDONTWRITEBYTECODE", "1"))
    }
}
