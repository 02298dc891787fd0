//! `haul serve` over HTTP: downloads, changes, and each way there is to resume an upload.
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

mod serve_http2_uploads;
mod serve_http_accounts;
mod serve_http_beginning;
mod serve_http_changing;
mod serve_http_clients;
mod serve_http_crash;
mod serve_http_curl;
mod serve_http_draft;
mod serve_http_floods;
mod serve_http_guard;
mod serve_http_hostile;
mod serve_http_lint;
mod serve_http_put;
mod serve_http_reviewed;
mod serve_http_rules;
mod serve_http_uploads;
mod serve_http_versions;
mod serve_https_uploads;
mod serve_page;
mod serve_ranges;
mod serve_tus;
mod serve_tus_clients;
mod serve_tus_ends;
mod serve_tus_parts;
mod serve_tus_trailers;
