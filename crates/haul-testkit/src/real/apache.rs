//! Apache httpd with the few modules that serving files needs.

use std::os::unix::fs::PermissionsExt;
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
        Self::start(root, false)
    }

    /// The same with mod_dav: whoever comes may write.
    #[track_caller]
    pub fn dav(root: &Path) -> Option<Running> {
        Self::start(root, true)
    }

    #[track_caller]
    fn start(root: &Path, writable: bool) -> Option<Running> {
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
            let dir = scratch.display();
            let (load, dav) = if writable {
                let load = format!(
                    "LoadModule dav_module {modules}/mod_dav.so\n\
                     LoadModule dav_fs_module {modules}/mod_dav_fs.so\nDavLockDB {dir}/locks/db\n"
                );
                // Whoever it becomes has to write there.
                let locks = scratch.join("locks");
                std::fs::create_dir_all(&locks).expect("a folder in our scratch folder");
                if is_root() {
                    open_to_all(scratch);
                    for folder in [&locks, root] {
                        let mode = std::fs::Permissions::from_mode(0o777);
                        std::fs::set_permissions(folder, mode).expect("a folder of ours");
                    }
                }
                (load, "Dav On\n")
            } else {
                (String::new(), "")
            };
            let root = root.display();
            let text = format!(
                "ServerRoot {dir}\nServerName localhost\nListen {addr}\nPidFile {dir}/pid\n\
                 DefaultRuntimeDir {dir}\nErrorLog {dir}/error.log\n\
                 LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
                 LoadModule authz_core_module {modules}/mod_authz_core.so\n{load}\
                 {user}DocumentRoot {root}\n<Directory {root}>\n{dav}Require all granted\n</Directory>\n"
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
