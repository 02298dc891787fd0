//! Apache httpd with the few modules that serving files needs, and with mod_dav where they are to be written.

use std::path::Path;
use std::process::Command;

use super::running::{Running, is_root, open_to_all, write};

/// The kernel's own number for somebody who is nobody.
const NOBODY: u32 = 65534;

/// Apache httpd.
#[derive(Debug)]
pub struct Apache;

impl Apache {
    /// Starts it over a folder, to be read only; None where it is not installed.
    #[track_caller]
    pub fn serve(root: &Path) -> Option<Running> {
        Self::start(root, false)
    }

    /// The same with mod_dav: whoever comes may write. PUT with Content-Range writes into the file that is there.
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
            let (root, dir) = (root.display(), scratch.display());
            let [load, on] = if writable { dav(modules, scratch) } else { Default::default() };
            let text = format!(
                "ServerRoot {dir}\nServerName localhost\nListen {addr}\nPidFile {dir}/pid\n\
                 DefaultRuntimeDir {dir}\nErrorLog {dir}/error.log\n\
                 LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
                 LoadModule authz_core_module {modules}/mod_authz_core.so\n\
                 {load}{user}DocumentRoot {root}\n<Directory {root}>\nRequire all granted\n{on}</Directory>\n"
            );
            let mut command = Command::new(program);
            command.arg("-DFOREGROUND").arg("-d").arg(scratch).arg("-f").arg(write(
                scratch,
                "httpd.conf",
                &text,
            ));
            command
        });
        if writable && is_root() {
            let running = running.with_owner(root, NOBODY);
            running.hand_over();
            return Some(running);
        }
        Some(running)
    }
}

/// What loads mod_dav, with its locks where its user may write, and what turns it on for a folder.
fn dav(modules: &str, scratch: &Path) -> [String; 2] {
    let locks = scratch.join("locks");
    std::fs::create_dir(&locks).expect("a folder in our scratch folder");
    if is_root() {
        std::os::unix::fs::chown(&locks, Some(NOBODY), None).expect("a folder of ours");
        open_to_all(&locks);
    }
    let load = format!(
        "LoadModule dav_module {modules}/mod_dav.so\nLoadModule dav_fs_module {modules}/mod_dav_fs.so\n\
         DAVLockDB {}/db\n",
        locks.display()
    );
    [load, "Dav On\n".to_owned()]
}
