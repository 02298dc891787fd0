//! What a stat says, in the words of the waist; names of owners from /etc/passwd and /etc/group, read once.

use std::{collections::HashMap, sync::OnceLock};

use haul_core::Modified;
use rustix::fs::{FileType, Stat};

use crate::{Kind, Meta, sys::tree::device};

/// Names of owners and groups by number.
#[derive(Debug, Default)]
pub(super) struct Owners(OnceLock<[HashMap<u32, String>; 2]>);

impl Owners {
    fn name(&self, which: usize, number: u32) -> String {
        let names = self.0.get_or_init(|| {
            ["/etc/passwd", "/etc/group"]
                .map(|path| by_number(&std::fs::read_to_string(path).unwrap_or_default()))
        });
        names.get(which).and_then(|names| names.get(&number)).cloned().unwrap_or_else(|| number.to_string())
    }
}

/// `name:x:number:…`, of which the first with a number counts.
fn by_number(table: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in table.lines() {
        let mut words = line.split(':');
        let (Some(name), Some(number)) = (words.next(), words.nth(1)) else { continue };
        if let Ok(number) = number.parse() {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}

/// `None` of what is neither file nor folder.
pub(super) fn meta(seen: &Stat, owners: &Owners) -> Option<Meta> {
    let kind = match FileType::from_raw_mode(seen.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        _ => return None,
    };
    Some(Meta {
        kind,
        size: if kind == Kind::File { u64::try_from(seen.st_size).unwrap_or(0) } else { 0 },
        modified: modified(seen),
        unique: unique(seen),
        mode: Some(permissions(seen)),
        owner: Some((owners.name(0, seen.st_uid), owners.name(1, seen.st_gid))),
    })
}

/// Whether this is still the file that was told so.
pub(super) fn is(seen: &Stat, meta: &Meta) -> bool {
    unique(seen) == meta.unique
        && u64::try_from(seen.st_size) == Ok(meta.size)
        && modified(seen).same_moment(meta.modified)
}

#[allow(clippy::useless_conversion, reason = "the type differs from system to system")]
pub(super) fn permissions(seen: &Stat) -> u32 {
    u32::from(seen.st_mode) & 0o7777
}

#[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions, reason = "as above")]
pub(super) fn modified(seen: &Stat) -> Modified {
    let nanos = u32::try_from(seen.st_mtime_nsec).unwrap_or(0);
    Modified { seconds: i64::from(seen.st_mtime), nanos, strong: false }
}

/// The time of the last change of anything about it.
#[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions, reason = "as above")]
pub(super) fn changed(seen: &Stat) -> (i64, u32) {
    (i64::from(seen.st_ctime), u32::try_from(seen.st_ctime_nsec).unwrap_or(0))
}

/// Device and inode.
pub(super) fn unique(seen: &Stat) -> Vec<u8> {
    [device(seen).to_be_bytes(), seen.st_ino.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts() {
        let names = by_number("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nftp:x:21:21::/srv/ftp:\nbad\n");
        assert_eq!(names.get(&0).map(String::as_str), Some("root"));
        assert_eq!(names.get(&21).map(String::as_str), Some("ftp"));
        assert_eq!(names.len(), 2);
    }
}
