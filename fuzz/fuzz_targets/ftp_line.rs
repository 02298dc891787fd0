//! Lines of LIST and MLSD: whatever a server says, an entry's name is one path segment.
#![no_main]

use std::path::{Component, Path};

use haul_proto::ftp::{entry::Line, facts, line::Lines, list};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (i64, &[u8])| {
    let (now, mut bytes) = input;
    let mut lines = Lines::new(8192);
    while let Ok(Some(line)) = lines.advance(&mut bytes) {
        for read in [list::parse(&line, now), facts::parse(&line)] {
            let Line::Entry(entry) = read else { continue };
            let name = String::from_utf8_lossy(entry.name.as_bytes()).into_owned();
            let path = Path::new("folder").join(&name);
            let parts: Vec<_> = path.components().collect();
            assert!(matches!(parts[..], [_, Component::Normal(part)] if part == name.as_str()));
        }
    }
});
