//! @tus/server, the tus project's own server for node, with its file store: each upload is a file named by a random id
//! in one folder, with what is known of it in `ID.json`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::running::Running;

const SCRIPT: &str = include_str!("tus_server.js");

/// An @tus/server that is about to be started over a folder. Uploads are made at `/files`.
#[derive(Debug)]
pub struct TusServer {
    root: PathBuf,
    max_size: Option<u64>,
    expires: Option<Duration>,
    relative: bool,
}

impl TusServer {
    /// Starts it over a folder; None where it is not installed.
    #[track_caller]
    pub fn serve(root: &Path) -> Option<Running> {
        Self::over(root).start()
    }

    /// One over a folder, to be told more.
    pub fn over(root: &Path) -> Self {
        Self { root: root.into(), max_size: None, expires: None, relative: false }
    }

    /// At most so many bytes of a file; 413 beyond.
    #[must_use]
    pub fn max_size(self, bytes: u64) -> Self {
        Self { max_size: Some(bytes), ..self }
    }

    /// What is unfinished expires after so long: 410 then, and Upload-Expires before.
    #[must_use]
    pub fn expires(self, after: Duration) -> Self {
        Self { expires: Some(after), ..self }
    }

    /// Location is a path, and not a URL.
    #[must_use]
    pub fn relative_locations(self) -> Self {
        Self { relative: true, ..self }
    }

    /// Starts it; None where it is not installed.
    #[track_caller]
    pub fn start(self) -> Option<Running> {
        let Self { root, max_size, expires, relative } = &self;
        let max_size = max_size.map_or_else(|| "null".to_owned(), |bytes| bytes.to_string());
        let expires = expires.map_or_else(|| "null".to_owned(), |after| after.as_millis().to_string());
        // Debug's quotes are JSON's for the plain names of scratch folders.
        let options = format!(
            "{{\"root\": {root:?}, \"maxSize\": {max_size}, \"expires\": {expires}, \"relative\": {relative}}}"
        );
        let mut command = Command::new(super::peer("tus-server")?);
        // Behind `-e` the words that follow begin at the second place, as with a file.
        command.args(["-e", SCRIPT, "--", "-", &options]);
        Some(Running::start_telling("tus-server", command, |said| {
            said.split_once("port ")?.1.split_once('\n')?.0.parse().ok()
        }))
    }

    /// The files that are complete or under way in a folder that it serves: their ids.
    pub fn uploads(root: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(root).expect("the folder it serves").flatten();
        let paths = entries.map(|entry| entry.path());
        let mut uploads: Vec<PathBuf> = paths.filter(|path| path.extension().is_none()).collect();
        uploads.sort();
        uploads
    }
}
