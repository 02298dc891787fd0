//! wsgidav on cheroot: the WebDAV server that people start from python. It writes a PUT into the file itself, as it
//! comes.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::running::Running;
use super::{PASSWORD, USER};

const SCRIPT: &str = include_str!("wsgidav.py");

/// A wsgidav that is about to be started over a folder.
#[derive(Debug)]
pub struct Wsgidav {
    root: PathBuf,
    login: bool,
}

impl Wsgidav {
    /// Starts it over a folder to which everybody may write; None where it is not installed.
    #[track_caller]
    pub fn serve(root: &Path) -> Option<Running> {
        Self::over(root).start()
    }

    /// One over a folder, to be told more.
    pub fn over(root: &Path) -> Self {
        Self { root: root.into(), login: false }
    }

    /// Only with name and password (Basic).
    #[must_use]
    pub fn login(self) -> Self {
        Self { login: true, ..self }
    }

    /// Starts it; None where it is not installed.
    #[track_caller]
    pub fn start(self) -> Option<Running> {
        let user = if self.login { USER } else { "" };
        // Debug's quotes are JSON's for the plain names of scratch folders.
        let options =
            format!("{{\"root\": {:?}, \"user\": \"{user}\", \"password\": \"{PASSWORD}\"}}", self.root);
        let mut command = Command::new(super::peer("wsgidav")?);
        command.env("PYTHONDONTWRITEBYTECODE", "1").args(["-u", "-W", "ignore", "-c", SCRIPT, &options]);
        let running = Running::start_telling("wsgidav", command, |said| {
            said.split_once("port ")?.1.split_once('\n')?.0.parse().ok()
        });
        Some(if self.login { running.with_login(USER, PASSWORD) } else { running })
    }
}
