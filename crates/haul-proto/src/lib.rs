//! haul-proto: the rules of the wire, as pure functions.
//!
//! What a header means, what may be put into one, and what an answer as a whole says. No sockets, no clock, no
//! async: bytes and the present time come in as arguments, so every rule can be tested by itself. What to *do*
//! about an answer is decided above, in haul-core's transfer machine.

pub mod ftp;
pub mod http;
pub mod proxy;
