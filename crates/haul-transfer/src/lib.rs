//! The client of haul: sources, connections and the driver of the transfer machine.

pub mod connect;
pub mod credentials;
pub mod netrc;
