//! What goes up: `haul put` to real servers, hostile peers and over broken links.
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

mod put_ascii;
mod put_blocks;
mod put_hostile;
mod put_http;
mod put_http_hostile;
mod put_http_pairs;
mod put_http_real;
mod put_http_reviewed;
mod put_http_strangers;
mod put_http_ways;
mod put_kill;
mod put_lanes;
mod put_options;
mod put_real;
mod put_strangers;
mod put_tls;
