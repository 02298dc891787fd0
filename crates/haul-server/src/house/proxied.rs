//! Connections that a trusted proxy makes for somebody else: before anything else, TLS too, it tells for whom (the PROXY
//! protocol; what is told is `haul_proto::proxy`'s). Nobody else is believed.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use haul_proto::proxy::{self, Header, Next};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

use super::canonical;
use crate::accounts::Networks;

/// A proxy knows at once whom it speaks for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Proxies before this server, and everybody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// From where they come; none: there are no such proxies.
    pub trusted: Networks,
    /// What is done about those who come from elsewhere.
    pub others: Others,
}

/// What is done about those who come from elsewhere, where there are proxies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Others {
    /// They are sent away.
    #[default]
    Refuse,
    /// They are served as who they are.
    Direct,
}

/// How a connection is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// As what it is.
    AsItIs,
    /// It must tell first whose it is.
    ForAnother,
    /// Not at all.
    Refused,
}

impl Proxies {
    /// How a connection from this address is to be taken.
    pub(crate) fn take(&self, from: IpAddr) -> Taken {
        match (self.trusted.0.is_empty(), self.others) {
            (true, _) => Taken::AsItIs,
            (false, _) if self.trusted.let_in(from) => Taken::ForAnother,
            (false, Others::Direct) => Taken::AsItIs,
            (false, Others::Refuse) => Taken::Refused,
        }
    }
}

/// The client of a connection that must tell whose it is; `peer` where it says that it is the proxy's own. Exactly the
/// header is taken from it. In words why there is none.
pub(crate) async fn client(stream: &mut TcpStream, peer: SocketAddr) -> Result<SocketAddr, String> {
    let told = timeout(PATIENCE, header(stream)).await;
    match told.unwrap_or_else(|_| Err("its PROXY header did not come in time".to_owned()))? {
        Header::Own => Ok(peer),
        Header::Proxied { from, .. } => Ok(canonical(from)),
    }
}

async fn header(stream: &mut TcpStream) -> Result<Header, String> {
    let mut read = Vec::new();
    loop {
        match proxy::next(&read).map_err(|error| error.to_string())? {
            Next::Done(header) => return Ok(header),
            Next::Read(more) => {
                let at = read.len();
                read.resize(at + more, 0);
                let rest = read.get_mut(at..).unwrap_or_default();
                stream.read_exact(rest).await.map_err(|_| "it ended within its PROXY header".to_owned())?;
            }
        }
    }
}
