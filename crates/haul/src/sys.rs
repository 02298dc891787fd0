//! What this process was given by whoever started it, descriptors and variables, and who it is: taken and changed once,
//! at the beginning, while there is one thread. What only Linux has is refused elsewhere, in words.

#![allow(unsafe_code, reason = "the standard library cannot know that nobody else has these")]

use std::{
    env, io,
    os::{
        fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::net::SocketAddr,
    },
};

use rustix::io::{FdFlags, fcntl_setfd};

/// The descriptors from `first` on, `count` of them, as our own; none of them goes on to another program. None where one
/// is not there.
pub(crate) fn inherited(first: RawFd, count: RawFd) -> Option<Vec<OwnedFd>> {
    let end = first.checked_add(count)?;
    let own = |number: RawFd| {
        // SAFETY: it is only asked whether this is a descriptor, by a call that fails where it is none.
        fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC).ok()?;
        // SAFETY: it is open, and was handed to this process to be its own; whoever calls this does it once.
        Some(unsafe { OwnedFd::from_raw_fd(number) })
    };
    (first..end).map(own).collect()
}

/// What a variable says, once: nobody hears it afterwards, no program that is started either.
pub(crate) fn heard_once(name: &str) -> Option<String> {
    let value = env::var(name).ok();
    // SAFETY: there is one thread yet.
    unsafe { env::remove_var(name) };
    value
}

/// Keeps the rights that this process was handed over (capabilities(7)) to itself: no program that it starts has them.
#[cfg(target_os = "linux")]
pub(crate) fn keep_rights() {
    // Where there is no such set there is nothing in it.
    let _ = rustix::thread::clear_ambient_capability_set();
}

/// There is nothing of that kind.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keep_rights() {}

/// Whether somebody listens at this socket for connections.
#[cfg(target_os = "linux")]
pub(crate) fn listens(socket: impl AsFd) -> bool {
    use rustix::net::{SocketType, sockopt};
    sockopt::socket_type(&socket) == Ok(SocketType::STREAM) && sockopt::socket_acceptconn(&socket) == Ok(true)
}

/// Whoever asks it for connections will see.
#[cfg(not(target_os = "linux"))]
pub(crate) fn listens(_socket: impl AsFd) -> bool {
    true
}

/// The address of a socket that is in no file system.
#[cfg(target_os = "linux")]
pub(crate) fn abstract_address(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    SocketAddr::from_abstract_name(name)
}

/// There is none.
#[cfg(not(target_os = "linux"))]
pub(crate) fn abstract_address(_name: &str) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes this process, which has one thread, somebody else's for good: this user, this group, these groups and no other.
#[cfg(target_os = "linux")]
pub(crate) fn become_for_good(user: u32, groups: &[u32]) -> io::Result<()> {
    use rustix::{
        process::{getegid, geteuid},
        thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
    };
    if std::fs::read_dir("/proc/self/task")?.count() > 1 {
        return Err(io::Error::other("there is more than one thread"));
    }
    let groups: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let (user, Some(group)) = (Uid::from_raw(user), groups.first().copied()) else {
        return Err(io::Error::other("there is no group"));
    };
    set_thread_groups(&groups)?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    // Whoever could go back has not gone.
    let back = set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT);
    if back.is_ok() || geteuid() != user || getegid() != group {
        return Err(io::Error::other("there is a way back"));
    }
    Ok(())
}

/// Elsewhere it is not known how to do that for good.
#[cfg(not(target_os = "linux"))]
pub(crate) fn become_for_good(_user: u32, _groups: &[u32]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
