//! What this process was given by whoever started it: descriptors and variables. Taken once, at the beginning, while
//! there is one thread.

#![allow(unsafe_code, reason = "the standard library cannot know that nobody else has these")]

use std::{
    env,
    os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
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
