//! What the system allows this process.

use rustix::process::{Resource, getrlimit, setrlimit};

/// As many open files as may be had, for tests with many connections; how many that are.
pub fn raise_open_files() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
