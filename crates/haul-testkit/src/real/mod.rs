//! Real peers.

use std::path::PathBuf;

/// Where a program is, if it is.
pub fn peer(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var_os("HAUL_REQUIRE_PEERS").is_none_or(|v| v != "1"), "{name} is not installed");
        println!("skipped: {name} is not installed");
    }
    found
}
