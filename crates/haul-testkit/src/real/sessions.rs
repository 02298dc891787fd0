//! The processes below a server: FTP servers fork one for every session, and some leave them behind when they end.
//!
//! What is found is held by pidfds, so that a number that was given to somebody else meanwhile is never signalled.

use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// All processes below one.
#[derive(Debug)]
pub(super) struct Sessions(Vec<OwnedFd>);

impl Sessions {
    /// Those that are below `parent` now.
    pub(super) fn below(parent: u32) -> Self {
        let found = descendants(parent);
        let held = found.iter().filter_map(|pid| pidfd_open(Pid::from_raw(*pid)?, PidfdFlags::empty()).ok());
        let held: Vec<OwnedFd> = held.collect();
        // A number whose owner ended between the two looks is no longer below the parent.
        let still = descendants(parent);
        Self(held.into_iter().zip(&found).filter(|(_, pid)| still.contains(pid)).map(|(fd, _)| fd).collect())
    }

    /// How many there are below `parent` now.
    pub(super) fn count(parent: u32) -> usize {
        descendants(parent).len()
    }

    /// Ends those that still run.
    pub(super) fn kill(self) {
        for process in self.0 {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

fn descendants(parent: u32) -> Vec<i32> {
    let parents: Vec<(i32, i32)> = processes().collect();
    let mut found = vec![parent as i32];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// Each process and its parent, as the kernel tells them.
fn processes() -> impl Iterator<Item = (i32, i32)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name is in brackets, and may hold brackets and blanks itself; after it come the state and the parent.
        let (_, rest) = stat.rsplit_once(')')?;
        Some((pid, rest.split_whitespace().nth(1)?.parse().ok()?))
    })
}
