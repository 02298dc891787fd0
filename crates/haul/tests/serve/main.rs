//! `haul serve` over FTP, and what both doors have in common: accounts, operation, hooks, monitoring.
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

mod serve_audit;
mod serve_bandwidth;
mod serve_blocks;
mod serve_by_hand;
mod serve_certificates;
mod serve_clients;
mod serve_confined;
mod serve_crash;
mod serve_endings;
mod serve_expiry;
mod serve_floods;
mod serve_guard;
mod serve_hooks;
mod serve_hooks_hostile;
mod serve_hooks_killed;
mod serve_hosts;
mod serve_limits;
mod serve_metrics;
mod serve_metrics_reasons;
mod serve_modes;
mod serve_monitoring;
mod serve_mounts;
mod serve_permissions;
mod serve_proxied;
mod serve_published;
mod serve_pyftpdlib;
mod serve_quotas;
mod serve_reload;
mod serve_status;
mod serve_swelling;
mod serve_systemd;
mod serve_tls;
mod serve_uploads;
mod serve_xferlog;
