//! Command lines and paths as a server reads them: whatever comes, it is a request or a refusal, and no path leaves the
//! tree.
#![no_main]

use haul_core::TreePath;
use haul_proto::ftp::server::{
    glob::Pattern,
    request::{Refusal, Request},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Err(Refusal::Syntax(syntax)) = Request::parse(line) {
        assert!(!syntax.is_empty());
    }
    if let Ok(path) = TreePath::ROOT.join(line) {
        assert!(path.names().all(|name| !matches!(name, b"." | b".." | b"")));
        assert!(!path.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        assert_eq!(TreePath::ROOT.join(&path.absolute()).as_ref(), Ok(&path));
    }
    let middle = line.len() / 2;
    if let Some(pattern) = Pattern::new(&line[..middle]) {
        let _ = pattern.matches(&line[middle..]);
    }
});
