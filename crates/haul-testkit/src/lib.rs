//! The dev floor: everything haul's tests need around the real binary.
//!
//! - [`content`]: files whose every byte follows from a seed, so that gigabytes need neither memory nor a fixture.
//! - [`link`]: a relay in front of any server whose speed, cuts and stalls change on command.
//! - [`hostile`]: an HTTP/1.1 peer that answers as wrongly as its [`hostile::Behaviour`] says.
//!   [`hostile::ftp`] is its FTP sibling, for downloads and uploads, [`hostile::upload`] the one that takes uploads over
//!   HTTP.
//! - [`real`]: nginx, Apache, lighttpd, caddy, python, WebDAV, tus, proxies, and FTP servers, started on loopback over a scratch folder.
//! - [`haul_process`]: the haul binary itself, watched, interrupted, killed; [`served`]: the same as a server.
//! - [`caller`]: an FTP client that says what the test says, and nothing else; [`http_caller`]: the same for HTTP/1.1.
//! - [`disk`]: small and read-only file systems; [`limits`]: of this process.
//!
//! An end-to-end test: every connection is cut, haul is killed in the middle, and no byte is fetched twice for it.
//!
//! ```no_run
//! use std::time::Duration;
//! use haul_testkit::hostile::{Ranges, Which};
//! use haul_testkit::{Behaviour, Content, Cut, Haul, HttpPeer};
//!
//! let haul = || Haul::new("target/debug/haul"); // in haul's own tests: env!("CARGO_BIN_EXE_haul")
//! let content = Content::new(1, 64 << 20);
//! let behaviour = Behaviour::of(content).cut(Which::Every, 5 << 20, Cut::Rst).rate(Which::Every, 40 << 20);
//! let peer = HttpPeer::start(behaviour);
//! let dir = tempfile::tempdir().unwrap();
//!
//! let first = haul().args(["get", "-n", "1", &peer.url("/f.bin")]).dir(dir.path()).spawn();
//! peer.wait_until_sent(20 << 20, Duration::from_secs(30));
//! first.kill_9();
//! let fetched = peer.body_sent();
//!
//! peer.forget_requests().change(|behaviour| behaviour.ranges = Ranges::Capped(1 << 20));
//! let second = haul().args(["get", "-n", "1", &peer.url("/f.bin")]).dir(dir.path()).run().expect_code(0);
//! content.assert_file_is(dir.path().join("f.bin"));
//! let from = peer.requests()[0].range().expect("the second run resumes").0;
//! assert!(fetched - from < 1 << 20, "{from} of {fetched} was kept\n{}", second.stderr);
//! ```
//!
//! Everything here is synchronous threads over std's sockets: a peer that has to misbehave byte by byte must own its
//! socket. Nothing here knows a word of haul's own crates, so a mistake in them cannot hide in their tests.

// A test that cannot go on should stop where it stands, loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

pub mod caller;
pub mod content;
pub mod disk;
pub mod haul_process;
pub mod hostile;
pub mod http_caller;
pub mod limits;
pub mod link;
pub mod pace;
mod port;
pub mod real;
pub mod served;
mod socket;
pub mod tls;
mod wire;

pub use caller::Caller;
pub use content::Content;
pub use haul_process::{Finished, Haul, HaulProcess};
pub use hostile::{Behaviour, FtpBehaviour, FtpPeer, HttpPeer, UploadBehaviour, UploadPeer};
pub use http_caller::HttpCaller;
pub use link::{FtpLink, Link, Lost};
pub use served::{Serve, Served};
pub use socket::Cut;
