//! What a ledger asks of the machine: which run of it this is, and whether a folder lies on another machine.

use std::path::Path;

/// The name of this run of the machine, where the system tells one.
pub(crate) fn boot_id() -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let id = id.trim();
        (!id.is_empty()).then(|| id.to_owned())
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Whether a folder lies on a network file system, as far as the system tells.
pub(crate) fn over_network(folder: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        // statfs(2): NFS, SMB, CIFS, SMB2, Coda, AFS, Ceph, 9P.
        const KINDS: [u32; 8] =
            [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x7375_7245, 0x5346_414f, 0x00c3_6400, 0x0102_1997];
        rustix::fs::statfs(folder).is_ok_and(|seen| {
            // The width of the number differs between machines, its value has 32 bits.
            u32::try_from(seen.f_type & 0xffff_ffff).is_ok_and(|kind| KINDS.contains(&kind))
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        false
    }
}

/// Whether names in a folder are looked up and made without waiting for another machine or another process.
pub(crate) fn answers_at_once(folder: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        // statfs(2): FUSE, autofs.
        const KINDS: [u32; 2] = [0x6573_5546, 0x0000_0187];
        !over_network(folder)
            && rustix::fs::statfs(folder).is_ok_and(|seen| {
                u32::try_from(seen.f_type & 0xffff_ffff).is_ok_and(|kind| !KINDS.contains(&kind))
            })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        false
    }
}

/// The file that only its owner may read, created where there is none, for a lock.
pub(crate) fn open_private(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(path)
}
