//! Folders of other file systems at places in the tree: the same as any folder of it, but that nothing moves over their
//! edges.

use crate::scene;
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use haul_testkit::{Caller, Haul, HttpCaller, Serve, Served, real::peer};

use crate::scene::{
    http::{OWNER, ask, get, request, send},
    served::{Place, begun, hash_of, left_unfinished, owner},
    wait_until,
};

/// A tree in memory, and two folders beside it: one on a disk, one within the first.
struct Mounted {
    place: Place,
    disk: tempfile::TempDir,
    inner: tempfile::TempDir,
}

impl Mounted {
    fn new() -> Self {
        let place = Place::new();
        let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let inner = tempfile::tempdir().unwrap();
        fs::create_dir(place.far("media")).unwrap();
        fs::create_dir(disk.path().join("d")).unwrap();
        fs::write(place.far("f"), "first").unwrap();
        fs::write(disk.path().join("f"), "disk").unwrap();
        fs::write(inner.path().join("f"), "inner").unwrap();
        Self { place, disk, inner }
    }

    fn configuration(&self) -> String {
        let mount =
            |path: &str, dir: &Path| format!("[[mount]]\npath = \"{path}\"\ndir = \"{}\"\n", dir.display());
        format!(
            "{}{}[[user]]\nname = \"a\"\npassword = \"{}\"\n[[user]]\nname = \"b\"\npassword = \"{}\"\nhome = \"/media/disk\"\n",
            mount("/media/disk", self.disk.path()),
            mount("/media/disk/d/inner", self.inner.path()),
            hash_of("secret"),
            hash_of("other")
        )
    }

    fn serve(&self, more: &str) -> Served {
        let toml = self.configuration() + more;
        Serve::without_user(env!("CARGO_BIN_EXE_haul"), self.place.root()).config(&toml).http().start()
    }

    fn disk(&self, name: &str) -> PathBuf {
        self.disk.path().join(name)
    }

    /// How many files lie staged in a mount.
    fn staged(&self) -> usize {
        fs::read_dir(self.disk(".haul/staging")).map_or(0, Iterator::count)
    }
}

fn renames(caller: &mut Caller, from: &str, to: &str) -> u16 {
    caller.says(&format!("RNFR {from}"), 350);
    caller.asks(&format!("RNTO {to}")).code
}

#[test]
fn a_mount_is_listed_in_its_folder_and_is_read_and_written_as_any() {
    let mounted = Mounted::new();
    let served = mounted.serve("");
    let device = |path: &Path| path.metadata().unwrap().dev();
    if device(mounted.place.root()) == device(mounted.disk.path()) {
        eprintln!("both are on one file system here");
    }
    let mut caller = owner(served.addr());
    assert_eq!(caller.names("/media"), ["disk"]);
    assert_eq!(caller.names("/media/disk/d"), ["inner"]);
    let json = ask(served.http_addr(), "GET", "/media/", &[OWNER, "Accept: application/json"]).expect(200);
    assert!(json.text().contains("\"disk\""), "{}", json.text());
    for (path, content) in [("/f", "first"), ("/media/disk/f", "disk"), ("/media/disk/d/inner/f", "inner")] {
        assert_eq!(caller.receives(&format!("RETR {path}")), content.as_bytes());
        assert_eq!(get(served.http_addr(), path), content.as_bytes());
    }
    assert_eq!(caller.stores("STOR /media/disk/d/new", b"over ftp").code, 226);
    assert_eq!(
        send(served.http_addr(), "PUT", "/media/disk/d/inner/new", &[OWNER], b"over http").status(),
        201
    );
    assert_eq!(fs::read(mounted.disk("d/new")).unwrap(), b"over ftp");
    assert_eq!(fs::read(mounted.inner.path().join("new")).unwrap(), b"over http");
    caller.says("MKD /media/disk/e", 257);
    assert_eq!(renames(&mut caller, "/media/disk/d/new", "/media/disk/e/newer"), 250);
    caller.says("DELE /media/disk/e/newer", 250);
    caller.says("RMD /media/disk/e", 250);
    caller.says("CWD /media/disk", 250);
    assert_eq!(caller.receives("RETR f"), b"disk");
    // A home may lie in it.
    let mut other = Caller::binary(served.addr(), "b", "other");
    assert_eq!(other.names("/"), ["d", "f"]);
    assert_eq!(other.receives("RETR /d/inner/f"), b"inner");
    // Clients that go through a tree find it.
    if let Some(lftp) = peer("lftp") {
        let (ip, port) = (served.addr().ip(), served.addr().port());
        let script = format!("set ftp:ssl-allow no; open -u a,secret -p {port} {ip}; mirror / all");
        let end = Haul::new(lftp).args(["--norc", "-c", &script]).dir(mounted.place.dir()).run();
        assert_eq!(end.code, Some(0), "{}", end.stderr);
        assert_eq!(fs::read(mounted.place.local("all/media/disk/d/inner/f")).unwrap(), b"inner");
    }
}

#[test]
fn a_mount_stays_where_it_is_and_nothing_moves_over_its_edge() {
    let mounted = Mounted::new();
    let served = mounted.serve("");
    let mut caller = owner(served.addr());
    for folder in ["/media/disk", "/media/disk/d/inner"] {
        caller.says(&format!("RMD {folder}"), 550);
        caller.says(&format!("MKD {folder}"), 550);
        assert_eq!(renames(&mut caller, folder, "/elsewhere"), 550, "{folder}");
        assert_eq!(ask(served.http_addr(), "DELETE", folder, &[OWNER]).status(), 403, "{folder}");
        assert_eq!(renames(&mut caller, "/f", folder), 550, "{folder}");
    }
    // Nor does what has one in it.
    for folder in ["/media", "/media/disk/d"] {
        caller.says(&format!("RMD {folder}"), 550);
        assert_eq!(renames(&mut caller, folder, "/elsewhere"), 550, "{folder}");
    }
    let moves = |from: &str, to: &str| {
        let to = format!("Destination: {to}");
        HttpCaller::to(served.http_addr()).asks(request("MOVE", from, &[OWNER, &to], None)).status()
    };
    for (from, to) in
        [("/f", "/media/disk/g"), ("/media/disk/f", "/g"), ("/media/disk/f", "/media/disk/d/inner/g")]
    {
        assert_eq!(renames(&mut caller, from, to), 553, "{from}");
        assert_eq!(moves(from, to), 409, "{from}");
    }
    // What is unfinished does not, either.
    let kept = left_unfinished(served.addr(), "/half", b"0123456789");
    assert_eq!(renames(&mut caller, "/half", "/media/disk/half"), 553);
    assert_eq!(caller.size("/half"), Some(kept));
    let kept = left_unfinished(served.addr(), "/media/disk/half", b"0123456789");
    assert_eq!(renames(&mut caller, "/media/disk/half", "/media/disk/d/half"), 250);
    caller.says(&format!("REST {kept}"), 350);
    assert_eq!(caller.stores("STOR /media/disk/d/half", b"9 and more").code, 226);
    assert_eq!(fs::read(mounted.disk("d/half")).unwrap(), b"0123456789 and more");
    for (file, content) in [(mounted.place.far("f"), "first"), (mounted.disk("f"), "disk")] {
        assert_eq!(fs::read(file).unwrap(), content.as_bytes());
    }
}

#[test]
fn what_is_unfinished_in_a_mount_lies_there_and_is_found_after_a_kill() {
    let mounted = Mounted::new();
    let served = mounted.serve("");
    let mut caller = owner(served.addr());
    let bytes: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
    let _data = begun(&mut caller, "STOR /media/disk/f", &bytes);
    wait_until(|| mounted.staged() == 1);
    assert_eq!(mounted.place.staged(), 0, "nothing of it is on the other medium");
    // Whoever asks how far it is makes it safe.
    let told = owner(served.addr()).size("/media/disk/f").unwrap();
    assert_eq!(fs::read(mounted.disk("f")).unwrap(), b"disk");
    let served = served.killed_and_started_again();
    let mut caller = owner(served.addr());
    let kept = caller.size("/media/disk/f").unwrap();
    assert!(kept >= told.saturating_sub(1) && kept > 0 && kept < 1 << 20, "{told} {kept}");
    assert!(!caller.names("/media/disk").contains(&".haul".to_owned()));
    caller.says("SIZE /media/disk/.haul", 550);
    // Gone on with over the other door.
    let range = format!("Content-Range: bytes {kept}-{}/{}", bytes.len() - 1, bytes.len());
    let rest = &bytes[usize::try_from(kept).unwrap()..];
    assert_eq!(send(served.http_addr(), "PUT", "/media/disk/f", &[OWNER, &range], rest).status(), 204);
    assert_eq!(fs::read(mounted.disk("f")).unwrap(), bytes);
    assert_eq!(mounted.staged(), 0);
    // What no record speaks of is swept with the next start.
    left_unfinished(served.addr(), "/media/disk/half", b"0123456789");
    caller = owner(served.addr());
    assert_eq!(mounted.staged(), 1);
    caller.says("DELE /media/disk/half", 250);
    assert_eq!(mounted.staged(), 0);
}

#[test]
fn what_is_unfinished_in_a_mount_is_dropped_with_its_bytes_also_where_nobody_serves() {
    let mounted = Mounted::new();
    let file = mounted.place.local("serve.toml");
    let dir = format!("dir = \"{}\"\n", mounted.place.root().display());
    fs::write(&file, dir + &mounted.configuration()).unwrap();
    let served = mounted.serve("");
    left_unfinished(served.addr(), "/media/disk/half", b"0123456789");
    drop(served.killed());
    assert_eq!(mounted.staged(), 1);
    let drop = ["serve", "uploads", "--drop", "--all", "--config"];
    Haul::new(env!("CARGO_BIN_EXE_haul")).args(drop).arg(&file).run().expect_code(0);
    assert_eq!(mounted.staged(), 0);
}

#[test]
fn what_is_unfinished_in_a_mount_expires() {
    let mounted = Mounted::new();
    let served = mounted.serve("[uploads]\nexpire = \"1s\"\n");
    left_unfinished(served.addr(), "/media/disk/half", b"0123456789");
    wait_until(|| mounted.staged() == 0);
    assert_eq!(owner(served.addr()).size("/media/disk/half"), None);
}

#[test]
fn a_quota_counts_what_lies_in_mounts() {
    let mounted = Mounted::new();
    let served = mounted.serve("quota_bytes = \"1K\"\n");
    let mut other = Caller::binary(served.addr(), "b", "other");
    assert_eq!(other.says("AVBL", 213).number(), 1024 - "diskinner".len() as u64);
    assert_eq!(other.stores("STOR /d/inner/g", &[1; 1015]).code, 226);
    assert_eq!(
        send(served.http_addr(), "PUT", "/media/disk/d/inner/more", &[OWNER], b"x").status(),
        201,
        "no quota"
    );
    assert_eq!(other.stores("STOR /x", b"x").code, 552);
}

#[test]
fn mounts_that_cannot_be_are_told_and_change_with_a_restart_only() {
    let mounted = Mounted::new();
    let file = mounted.place.local("serve.toml");
    let serve =
        || Serve::without_user(env!("CARGO_BIN_EXE_haul"), mounted.place.root()).arg("--config").arg(&file);
    let inside = mounted.disk("d");
    for (path, dir, told) in [
        ("/", mounted.inner.path(), ":2: mount.path: \"/\" is the root"),
        ("/media/x", Path::new("/nowhere"), ":6: mount.dir: /nowhere is no folder"),
        ("/absent/x", mounted.inner.path(), ":5: mount.path: there is no folder /absent for /absent/x"),
        ("/media/x", &inside, "lie in each other"),
        ("/media/x", &mounted.place.far("media"), "lie in each other"),
        ("/media/disk", mounted.inner.path(), ":2: mount.path: \"/media/disk\" is there twice"),
    ] {
        let twice = format!("[[mount]]\npath = \"{path}\"\ndir = \"{}\"\n", dir.display());
        let first =
            format!("[[mount]]\npath = \"/media/disk\"\ndir = \"{}\"\n", mounted.disk.path().display());
        let told = if told.ends_with("twice") { told.replace(":2:", ":5:") } else { told.to_owned() };
        let text = if told.starts_with(":2:") { twice } else { first + &twice };
        fs::write(&file, text).unwrap();
        let end = serve().arg("--check").run().expect_code(2);
        assert!(end.stderr.contains(&told), "{told}: {}", end.stderr);
    }
    fs::write(&file, mounted.configuration()).unwrap();
    let served = serve().start();
    let users = mounted.configuration().replace("/media/disk/d/inner", "/media/other");
    fs::write(&file, users).unwrap();
    served.process().hang_up();
    served.process().wait_for_line(|line| line.contains("not before a restart: mount"), scene::SOON);
    assert_eq!(owner(served.addr()).receives("RETR /media/disk/d/inner/f"), b"inner");
}
