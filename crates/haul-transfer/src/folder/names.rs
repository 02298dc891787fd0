//! What entries of a folder are called here. A server chooses names; here they become safe ones, each another one.
//!
//! A name that is safe stays as it is and comes before any that would have to become the same: so what an entry is
//! called hangs on the folder alone, and the next run finds the same files under the same names.

use std::collections::HashSet;
use std::fmt::Write as _;

use haul_proto::{ftp::entry::EntryName, http::name::safe_name};

/// What an entry is called here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// As there.
    Same,
    /// Otherwise.
    Else(String),
    /// Nothing of the name can be used, or another entry has what would be left of it.
    Taken(Option<String>),
}

/// A name as text; bytes that are no UTF-8 become `%FF`, so that two of them do not become one.
pub(super) fn text(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// What an entry would be called if it were alone.
pub(super) fn alone(name: &EntryName) -> Option<String> {
    safe_name(&text(name.as_bytes()))
}

/// What the entries of one folder are called, in their order.
pub(super) fn all<'a>(names: impl Iterator<Item = &'a EntryName> + Clone) -> Vec<Called> {
    let is_safe = |name: &EntryName, safe: &str| safe.as_bytes() == name.as_bytes();
    let mut taken: HashSet<Vec<u8>> = HashSet::new();
    let mut called: Vec<Option<Called>> = names
        .clone()
        .map(|name| match alone(name) {
            None => Some(Called::Taken(None)),
            Some(safe) if is_safe(name, &safe) => {
                let first = taken.insert(safe.clone().into_bytes());
                Some(if first { Called::Same } else { Called::Taken(Some(safe)) })
            }
            Some(_) => None,
        })
        .collect();
    for (slot, name) in called.iter_mut().zip(names) {
        if slot.is_none()
            && let Some(safe) = alone(name)
        {
            let first = taken.insert(safe.clone().into_bytes());
            *slot = Some(if first { Called::Else(safe) } else { Called::Taken(Some(safe)) });
        }
    }
    called.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use haul_proto::ftp::entry::safe_entry_name;

    use super::*;

    fn called(names: &[&[u8]]) -> Vec<Called> {
        let names: Vec<_> = names.iter().map(|name| safe_entry_name(name).unwrap()).collect();
        all(names.iter())
    }

    #[test]
    fn safe_names_stay_and_others_make_room_for_them() {
        let other = |name: &str| Called::Else(name.into());
        let taken = |name: &str| Called::Taken(Some(name.into()));
        assert_eq!(called(&[b"a", b"-rf", "ü b".as_bytes()]), [Called::Same, Called::Same, Called::Same]);
        assert_eq!(called(&[b".rc", b"nul", b"a.part"]), [other("_rc"), other("_nul"), other("a.part_")]);
        assert_eq!(called(&[b"a:", b"a_"]), [taken("a_"), Called::Same]);
        assert_eq!(called(&[b"a:", b"a?"]), [other("a_"), taken("a_")]);
        assert_eq!(called(&[b"x", b"x"]), [Called::Same, taken("x")]);
        assert_eq!(called(&[b"\x1b\x07"]), [Called::Taken(None)]);
        assert_eq!(called(&[b"\xe4.txt", b"\xf6.txt"]), [other("%E4.txt"), other("%F6.txt")]);
        assert_eq!(called(&[b"\xe4", b"%E4"]), [taken("%E4"), Called::Same]);
    }

    #[test]
    fn no_two_entries_are_called_the_same() {
        let some: [&[u8]; 10] =
            [b"a", b"a:", b"a?", b"a_", b"a\x1b", b"a ", b"a.", b"\xe4", b"%E4", b"\xe4\x1b"];
        for picked in 0_u32..1 << some.len() {
            let names = some.iter().enumerate().filter(|(at, _)| picked >> at & 1 == 1);
            let names: Vec<_> = names.map(|(_, name)| safe_entry_name(name).unwrap()).collect();
            // In any order.
            for names in [names.clone(), names.into_iter().rev().collect()] {
                let mut seen = HashSet::new();
                for (name, called) in names.iter().zip(all(names.iter())) {
                    let here = match called {
                        Called::Same => text(name.as_bytes()),
                        Called::Else(here) => here,
                        Called::Taken(_) => continue,
                    };
                    assert_eq!(safe_name(&here).as_ref(), Some(&here));
                    assert!(seen.insert(here), "{names:?}");
                }
                assert_eq!(seen.is_empty(), names.is_empty());
            }
        }
    }
}
