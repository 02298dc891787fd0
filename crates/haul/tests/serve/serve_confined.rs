//! What `haul serve` is on its machine: which user, with which umask, and what it can no longer reach.
//!
//! To become somebody is for root: where the tests are not, those tests only see that it is refused.

use crate::scene;
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::Path,
    process::{Command, Stdio},
};

use haul_testkit::{Caller, Content, Served, tls::Certificates};

use crate::scene::{
    SOON,
    http::{OWNER, send},
    served::{Place, hash_of, left_unfinished, owner, part},
};

const BIN: &str = env!("CARGO_BIN_EXE_haul");
const CONTENT: Content = Content::new(1, 50_000);
/// Nobody's numbers.
const USER: u32 = 4711;
const GROUP: u32 = 4712;

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|seen| seen.uid() == 0)
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What stands behind a word in the process's status.
fn status(served: &Served, word: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/status", served.process().id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{word}:")));
    line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn new_files_and_folders_get_no_more_than_the_umask_lets() {
    for (umask, file, folder) in [("027", 0o640, 0o750), ("000", 0o666, 0o777), ("077", 0o600, 0o700)] {
        let place = Place::new();
        let served = place.serve().http().config(&format!("[process]\numask = \"{umask}\"\n")).start();
        send(served.http_addr(), "PUT", "/by-http", &[OWNER], b"x").expect(201);
        let mut caller = owner(served.addr());
        caller.stores("STOR by-ftp", b"x");
        caller.says("MKD d", 257);
        assert_eq!([mode(place.far("by-http")), mode(place.far("by-ftp"))], [file; 2], "{umask}");
        assert_eq!(mode(place.far("d")), folder, "{umask}");
        assert_eq!(mode(place.far(".haul/control")), 0o600);
    }
}

#[test]
fn started_as_root_it_becomes_its_user_and_cannot_go_back() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let certificates = Certificates::for_loopback();
    // Only root can read them.
    let (cert, key) = (place.local("cert.pem"), place.local("key.pem"));
    fs::copy(certificates.cert_pem_path(), &cert).unwrap();
    fs::copy(certificates.key_pem_path(), &key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    chown(place.root(), Some(USER), Some(GROUP)).unwrap();
    let file = place.local("serve.toml");
    fs::write(&file, format!("[process]\nuser = \"{USER}\"\ngroup = \"{GROUP}\"\n")).unwrap();
    fs::set_permissions(place.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let serve = place.serve().arg("--tls-cert").arg(&cert).arg("--tls-key").arg(&key);
    let served = serve.arg("--config").arg(&file).ftps().start();
    assert_eq!(status(&served, "Uid"), format!("{USER} {USER} {USER} {USER}"));
    assert_eq!(status(&served, "Gid"), format!("{GROUP} {GROUP} {GROUP} {GROUP}"));
    assert_eq!(status(&served, "Groups"), GROUP.to_string());
    for set in ["CapEff", "CapPrm", "CapAmb"] {
        assert_eq!(status(&served, set), "0000000000000000", "{set}");
    }
    // Each of its threads.
    for task in fs::read_dir(format!("/proc/{}/task", served.process().id())).unwrap().flatten() {
        let Ok(seen) = fs::metadata(task.path()) else { continue };
        assert_eq!((seen.uid(), seen.gid()), (USER, GROUP));
    }
    Caller::protected(served.addr(), certificates.client_config(None), "a", "secret").says("NOOP", 200);
    owner(served.addr()).stores("STOR f", &part(CONTENT, 0, 100));
    left_unfinished(served.addr(), "g", &part(CONTENT, 0, 1000));
    for path in
        [place.far("f"), place.far(".haul"), place.far(".haul/control"), place.far(".haul/uploads.db")]
    {
        let seen = fs::metadata(&path).unwrap();
        assert_eq!((seen.uid(), seen.gid()), (USER, GROUP), "{}", path.display());
    }
    // Root may ask how it is.
    scene::haul().args(["serve", "status"]).arg(place.root()).run().expect_code(0);
    // What it will miss at a reload is told at once, and then again; and all stays as it was.
    served.process().wait_for_line(
        |line| line.contains("key.pem cannot be read as 4711: a reload will change nothing"),
        SOON,
    );
    served.process().hang_up();
    served.process().wait_for_line(|line| line.contains("everything stays as it was: tls.key: "), SOON);
    owner(served.addr()).says("NOOP", 200);
    // Nobody may drop its uploads as root while it does not run: it could not use what root leaves.
    let _serve = served.killed();
    let end =
        scene::haul().args(["serve", "uploads", "--drop", "--all"]).arg(place.root()).run().expect_code(7);
    assert!(end.stderr.contains("belongs to the user with number 4711"), "{}", end.stderr);
}

#[test]
fn who_is_not_root_becomes_nobody_else() {
    let place = Place::new();
    fs::write(place.local("serve.toml"), "[process]\nuser = \"4713\"\ngroup = \"4713\"\n").unwrap();
    if is_root() {
        for folder in [place.root(), place.dir()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    let mut command = Command::new(BIN);
    command
        .args(["serve", "--ftp", "127.0.0.1:0", "--http", "off", "--config"])
        .arg(place.local("serve.toml"));
    command.arg(place.root()).current_dir("/").stdin(Stdio::null());
    if is_root() {
        command.uid(USER).gid(GROUP);
    }
    // Where the tests' own folder is closed to others there is nothing to be seen.
    let Ok(end) = command.output() else { return };
    let said = String::from_utf8_lossy(&end.stderr).into_owned();
    assert_eq!(end.status.code(), Some(7), "{said}");
    assert!(said.contains("process.user: only root can become 4713"), "{said}");
}

#[test]
fn who_is_not_there_is_told_before_anything_is_opened() {
    let place = Place::new();
    for check in [&["--check"][..], &[]] {
        let config = "[process]\nuser = \"nobody-of-this-name\"\n";
        let end = place.serve().args(check).config(config).run();
        assert_eq!(end.code, Some(7), "{}", end.stderr);
        assert!(end.stderr.contains("there is no user \"nobody-of-this-name\""), "{}", end.stderr);
    }
    let end = place.serve().config("[process]\numask = \"8\"\nsandbox = \"maybe\"\n").run().expect_code(2);
    assert!(end.stderr.contains("serve.toml:2: process.umask") && end.stderr.contains(":3: process.sandbox"));
}

/// Whether the log says that there is a sandbox: where the system has none there is nothing to be seen.
fn is_confined(served: &Served) -> bool {
    let line = served.process().wait_for_line(|line| line.contains(" sandbox "), SOON);
    line.contains(" sandbox landlock=")
}

#[test]
fn what_lies_outside_cannot_be_opened_by_the_process() {
    let (inside, outside) = (Certificates::for_loopback(), Certificates::for_loopback());
    for (sandbox, reaches) in [("auto", false), ("off", true)] {
        let place = Place::new();
        let file = place.local("serve.toml");
        let settings = |of: &Certificates| {
            let (cert, key) = (of.cert_pem_path(), of.key_pem_path());
            let (cert, key) = (cert.display(), key.display());
            format!("[tls]\ncert = \"{cert}\"\nkey = \"{key}\"\n[process]\nsandbox = \"{sandbox}\"\n")
        };
        fs::write(&file, settings(&inside)).unwrap();
        let served = place.serve().arg("--config").arg(&file).start();
        if !reaches && !is_confined(&served) {
            return;
        }
        // A file that anybody may read, and that the process is told to open.
        fs::write(&file, settings(&outside)).unwrap();
        assert!(fs::File::open(outside.key_pem_path()).is_ok());
        served.process().hang_up();
        let (wanted, shown) =
            if reaches { (" reloaded", &outside) } else { ("serve.toml:2: tls.cert: ", &inside) };
        let line = served.process().wait_for_line(|line| line.contains(wanted), SOON);
        assert!(
            reaches || line.contains("Permission denied") && line.contains("everything stays as it was"),
            "{line}"
        );
        Caller::protected(served.addr(), shown.client_config(None), "a", "secret").says("NOOP", 200);
    }
}

#[test]
fn within_the_sandbox_everything_goes_on() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let (state, logs, keys) =
        (elsewhere.path().join("state"), elsewhere.path().join("logs"), elsewhere.path().join("keys"));
    fs::create_dir(&logs).unwrap();
    fs::create_dir(&keys).unwrap();
    let put = |of: &Certificates, name: &str| {
        // As certbot renews: links to what is new, elsewhere.
        let real = elsewhere.path().join("real");
        let _ = fs::create_dir(&real);
        for (from, file) in [(of.cert_pem_path(), "cert.pem"), (of.key_pem_path(), "key.pem")] {
            fs::copy(from, real.join(format!("{name}-{file}"))).unwrap();
            let link = keys.join(file);
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(real.join(format!("{name}-{file}")), link).unwrap();
        }
    };
    let (old, new) = (Certificates::for_loopback(), Certificates::for_loopback());
    put(&old, "1");
    let file = place.local("serve.toml");
    let settings = |user: &str| {
        let hash = hash_of("x");
        let log = logs.join("xferlog");
        let (cert, key) = (keys.join("cert.pem"), keys.join("key.pem"));
        format!(
            "[process]\nsandbox = \"required\"\n[log]\nxferlog = \"{}\"\n[tls]\ncert = \"{}\"\nkey = \"{}\"\n\
             [[user]]\nname = \"{user}\"\npassword = \"{hash}\"\n",
            log.display(),
            cert.display(),
            key.display()
        )
    };
    fs::write(&file, settings("ann")).unwrap();
    // Where there is none it does not start, and says so.
    let serve = || place.serve().http().arg("--state").arg(&state).arg("--config").arg(&file);
    let probe =
        scene::haul().args(["serve", "--ftp", "127.0.0.1:0", "--http", "off"]).arg(place.root()).spawn();
    let can = probe.wait_for_line(|line| line.contains(" sandbox "), SOON).contains("landlock=");
    drop(probe);
    if !can {
        assert!(serve().run().expect_code(7).stderr.contains("process.sandbox is required"));
        return;
    }
    let served = serve().start();
    let mut caller = owner(served.addr());
    caller.says("MKD d", 257);
    caller.stores("STOR d/a", &part(CONTENT, 0, 100));
    caller.says("RNFR d/a", 350);
    caller.says("RNTO b", 250);
    assert_eq!(caller.receives("RETR b"), part(CONTENT, 0, 100));
    send(served.http_addr(), "PUT", "/d/c", &[OWNER], &CONTENT.bytes(0..CONTENT.size())).expect(201);
    CONTENT.assert_file_is(place.far("d/c"));
    left_unfinished(served.addr(), "u", &part(CONTENT, 0, 1000));
    caller.says("DELE d/c", 250);
    caller.says("RMD d", 250);
    // The log is moved away, the file edited by a rename, the certificate renewed.
    fs::rename(logs.join("xferlog"), logs.join("xferlog.1")).unwrap();
    fs::write(place.local("new.toml"), settings("ben")).unwrap();
    fs::rename(place.local("new.toml"), &file).unwrap();
    put(&new, "2");
    served.process().hang_up();
    served.process().wait_for_line(|line| line.contains(" reloaded"), SOON);
    Caller::protected(served.addr(), new.client_config(None), "ben", "x").says("NOOP", 200);
    owner(served.addr()).stores("STOR later", b"x");
    scene::wait_until(|| fs::read_to_string(logs.join("xferlog")).is_ok_and(|log| log.contains("/later ")));
    let status = scene::haul().args(["serve", "status", "--state"]).arg(&state).run().expect_code(0);
    assert!(String::from_utf8_lossy(&status.stdout).contains("1 unfinished upload"));
    // What a killed one has left is put in order within the sandbox, too.
    let served = served.killed_and_started_again();
    assert_eq!(owner(served.addr()).size("u"), Some(999));
}
