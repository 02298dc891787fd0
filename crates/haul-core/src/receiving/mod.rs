//! The rules of receiving a file: where its bytes go, when it is complete, which offset is told, and who may write.
//!
//! All of it is arithmetic on offsets. Nothing here knows a protocol, a disk or a clock: a door says what a client
//! wishes and how connections ended, the depot says what is there, and what is to be done comes out.
//!
//! ```text
//!  wish + what is there ── begin ──> Begin ── bytes ──> settle ──> Publish
//!                            │                             └─────> Keep { at }
//!                            └─────> PastEnd { end }
//! ```
//! Two invariants hold throughout: nothing is ever a hole, and an offset that was told never goes back. What they rest
//! on is design.md, section 6; the commands behind a wish are RFC 959 §4.1.3 (STOR, APPE, ALLO, REST) and RFC 3659 §5.

mod begin;
mod declared;
mod lanes;
mod settle;
mod takeover;

pub use begin::{Begin, PastEnd, There, Wish, begin};
pub use declared::Declared;
pub use lanes::{Claim, claim};
pub use settle::{Completion, Control, DataEnd, Ended, Settle, held, recovered, settle, told};
pub use takeover::{Takeover, takeover};
