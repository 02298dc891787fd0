//! python's http.server: HTTP/1.0, no ranges, no ETag; the server that everybody has started once.

use std::path::Path;
use std::process::Command;

use super::running::Running;

/// `python3 -m http.server`.
#[derive(Debug)]
pub struct PythonHttp;

impl PythonHttp {
    /// Starts it over a folder; None where it is not installed.
    #[track_caller]
    pub fn serve(root: &Path) -> Option<Running> {
        let mut command = Command::new(super::peer("python3")?);
        command.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"]).arg(root);
        // It says "Serving HTTP on 127.0.0.1 port 40123 (…" once it listens.
        let running = Running::start_telling("python3", command, |said| {
            said.split_once(" port ")?.1.split_once(' ')?.0.parse().ok()
        });
        Some(running)
    }
}
