//! lighttpd.

use std::path::Path;
use std::process::Command;

use super::running::{Running, write};

/// lighttpd.
#[derive(Debug)]
pub struct Lighttpd;

impl Lighttpd {
    /// Starts it over a folder; None where it is not installed.
    #[track_caller]
    pub fn serve(root: &Path) -> Option<Running> {
        let program = super::peer("lighttpd")?;
        let running = Running::start("lighttpd", |addr, scratch| {
            let (root, dir, port) = (root.display(), scratch.display(), addr.port());
            // It sends validators only with files whose type it knows.
            let text = format!(
                "server.document-root = \"{root}\"\nserver.bind = \"127.0.0.1\"\nserver.port = {port}\n\
                 server.errorlog = \"{dir}/error.log\"\nserver.upload-dirs = (\"{dir}\")\n\
                 mimetype.assign = (\".bin\" => \"application/octet-stream\")\n"
            );
            let mut command = Command::new(program);
            command.arg("-D").arg("-f").arg(write(scratch, "lighttpd.conf", &text));
            command
        });
        Some(running)
    }
}
