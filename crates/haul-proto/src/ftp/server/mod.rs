//! The server's side of FTP: what comes in as lines leaves as things to do, and what was done leaves as replies.
//!
//! [`session::Session`] is a machine without I/O. Whoever drives it feeds it lines and outcomes, and does what
//! [`Step`] says. It knows no socket, no file and no account.

mod answer;
pub mod facts;
pub mod glob;
pub mod line;
pub mod listing;
pub mod request;
pub mod session;
pub mod step;
pub mod wire;

pub use step::{
    Ask, Data, Family, Form, Hosted, Incomplete, Level, Listed, Login, May, Mode, Outcome, Password, Ranges,
    Retrieve, Scope, Shape, Step, StoreWish, Structure, Style, Sum, SumValue, Terms, Tls, Transfer,
    Transferred, Trouble, What,
};
