//! What comes down: `haul get` and `haul probe` against real servers, hostile peers and broken links.
//!
//! One program of many rooms, since each program of its own costs seconds to build.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may"
)]

#[path = "../scene/mod.rs"]
mod scene;

mod ascii;
mod changed;
mod cut;
mod demo;
mod disk;
mod endings;
mod faults;
mod folders;
mod get_blocks;
mod get_blocks_hostile;
mod get_blocks_learned;
mod get_ftp_hostile;
mod get_ftp_mirrors;
mod get_ftp_real;
mod get_ftp_tls;
mod http_judges;
mod kill;
mod liars;
mod limits;
mod looking;
mod mirrors;
mod names;
mod others;
mod probe_ftp;
mod proxies;
mod publishing;
mod redirects;
mod servers;
mod servers_matrix;
mod state;
mod stopping;
mod tls;
