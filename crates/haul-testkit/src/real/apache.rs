//! Apache httpd with the few modules that serving files needs.

use std::path::Path;
use std::process::Command;

use super::running::{Running, is_root, open_to_all, write};

/// Apache httpd.
#[derive(Debug)]
pub struct Apache;

impl Apache {
    /// Starts it over a folder; None where it is not installed.
    #[track_caller]
    pub fn serve(root: &Path) -> Option<Running> {
        let program = super::peer("apache2")?;
        let modules = ["/usr/lib/apache2/modules", "/usr/lib64/httpd/modules"];
        let modules =
            modules.into_iter().find(|folder| Path::new(folder).is_dir()).expect("Apache's modules");
        // Apache refuses to serve as root; whoever it becomes has to get at the files.
        let user = if is_root() {
            open_to_all(root);
            "User nobody\nGroup nogroup\n"
        } else {
            ""
        };
        let running = Running::start("apache2", |addr, scratch| {
            let (root, dir) = (root.display(), scratch.display());
            let text = format!(
                "ServerRoot {dir}\nServerName localhost\nListen {addr}\nPidFile {dir}/pid\n\
                 DefaultRuntimeDir {dir}\nErrorLog {dir}/error.log\n\
                 LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
                 LoadModule authz_core_module {modules}/mod_authz_core.so\n\
                 {user}DocumentRoot {root}\n<Directory {root}>\nRequire all granted\n</Directory>\n"
            );
            let mut command = Command::new(program);
            command.arg("-DFOREGROUND").arg("-d").arg(scratch).arg("-f").arg(write(
                scratch,
                "httpd.conf",
                &text,
            ));
            command
        });
        Some(running)
    }
}
