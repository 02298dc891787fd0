//! Caddy, with everything that it does by itself (certificates, an admin port) turned off.

use std::path::Path;
use std::process::Command;

use super::running::{Running, write};

/// Caddy.
#[derive(Debug)]
pub struct Caddy;

impl Caddy {
    /// Starts it over a folder; None where it is not installed.
    #[track_caller]
    pub fn serve(root: &Path) -> Option<Running> {
        let program = super::peer("caddy")?;
        let running = Running::start("caddy", |addr, scratch| {
            let (root, dir) = (root.display(), scratch.display());
            let text = format!(
                "{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {dir}\n}}\n\
                 http://{addr} {{\n\tbind 127.0.0.1\n\troot * {root}\n\tfile_server\n}}\n"
            );
            let mut command = Command::new(program);
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(write(
                scratch,
                "Caddyfile",
                &text,
            ));
            command.env("HOME", scratch).env("XDG_DATA_HOME", scratch).env("XDG_CONFIG_HOME", scratch);
            command
        });
        Some(running)
    }
}
