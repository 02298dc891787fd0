//! Mode, access list and group that a file created in a folder would have, for one that was created elsewhere.
//!
//! It was created with 0666 less the umask: that stays where the folder has no say. A folder with a default access list
//! decides instead of the umask (acl(5), "OBJECT CREATION AND DEFAULT ACLs"); one with the setgid bit gives its group.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{self, Gid, Stat},
    io::Errno,
};

use crate::sys::tree::{default_access_list, set_access_list};

/// Makes the file what it would be had it been created in this folder; whether anything was changed.
pub(super) fn dress(file: &File, folder: BorrowedFd<'_>, seen: &Stat) -> io::Result<bool> {
    let mut changed = false;
    if super::seen::permissions(seen) & 0o2000 != 0 && fs::fstat(file)?.st_gid != seen.st_gid {
        match fs::fchown(file.as_fd(), None, Some(Gid::from_raw(seen.st_gid))) {
            Ok(()) => changed = true,
            // A group that the server does not belong to: only the system itself could give it.
            Err(Errno::PERM) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    if let Some(list) = default_access_list(folder).and_then(of_a_new_file) {
        set_access_list(file, &list)?;
        changed = true;
    }
    Ok(changed)
}

/// The access list of a file created with 0666, from the folder's default one: owner, others, and the mask (or without
/// one the group) get nothing beyond 6. The form is that of the attribute: a version, then tag, permissions and number
/// of each entry, little-endian. `None` of a form that is not known.
fn of_a_new_file(mut list: Vec<u8>) -> Option<Vec<u8>> {
    const USER_OBJ: u16 = 1;
    const GROUP_OBJ: u16 = 4;
    const MASK: u16 = 16;
    const OTHER: u16 = 32;
    let (version, entries) = list.split_at_mut_checked(4)?;
    if version != [2, 0, 0, 0] || entries.len() % 8 != 0 {
        return None;
    }
    let tag = |entry: &[u8]| u16::from_le_bytes([entry[0], entry[1]]);
    let has_mask = entries.chunks_exact(8).any(|entry| tag(entry) == MASK);
    for entry in entries.chunks_exact_mut(8) {
        let limited = match tag(entry) {
            USER_OBJ | OTHER | MASK => true,
            GROUP_OBJ => !has_mask,
            _ => false,
        };
        if limited {
            entry[2] &= 6;
        }
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let entry = |&(tag, permissions, id): &(u16, u16, u32)| {
            [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        [vec![2, 0, 0, 0], entries.iter().flat_map(entry).collect()].concat()
    }

    #[test]
    fn a_mask_takes_the_limit_in_place_of_the_group() {
        let given = list(&[(1, 7, !0), (2, 7, 1000), (4, 7, !0), (16, 7, !0), (32, 5, !0)]);
        let wanted = list(&[(1, 6, !0), (2, 7, 1000), (4, 7, !0), (16, 6, !0), (32, 4, !0)]);
        assert_eq!(of_a_new_file(given), Some(wanted));
        let given = list(&[(1, 7, !0), (4, 7, !0), (32, 0, !0)]);
        assert_eq!(of_a_new_file(given), Some(list(&[(1, 6, !0), (4, 6, !0), (32, 0, !0)])));
        assert_eq!(of_a_new_file(vec![3, 0, 0, 0]), None);
    }
}
