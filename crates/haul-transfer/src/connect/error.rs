//! Why there is no connection: one variant for each thing a retry policy or a reader of the message must tell apart.

use std::fmt;
use std::io;

use haul_core::transfer::Trouble;
use http::StatusCode;

use super::socks::Reply;

/// What kept a connection from coming about.
///
/// No text in here holds credentials, whatever the URL of the proxy or of the file had in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL cannot be asked over HTTP: another scheme, no host, or too long for a request line.
    #[error("cannot ask {url}: {reason}")]
    BadUrl {
        /// The URL without its userinfo, or as much of it as could be told.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The proxy's URL, from the command line or the environment, is not one that can be used.
    #[error("the proxy URL{} cannot be used: {reason}", from.map(|name| format!(" in {name}")).unwrap_or_default())]
    BadProxy {
        /// The environment variable it came from; `None` is the command line.
        from: Option<&'static str>,
        /// What is wrong with it.
        reason: String,
    },
    /// The file of trusted certificates cannot be read or holds none.
    #[error("the CA file {path} cannot be used: {reason}")]
    BadCa {
        /// The file, or "of this system" where the platform's own roots are meant.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The name of the server or of the proxy has no address.
    #[error("unknown host: {role}{host} ({source})")]
    UnknownHost {
        /// Whose name it is.
        role: Role,
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Every address of the host refused or cannot be routed to.
    #[error("cannot connect to {role}{host}:{port}: {source}")]
    Unreachable {
        /// Who was to be reached.
        role: Role,
        /// Its name or address, IPv6 in brackets.
        host: String,
        /// Its port.
        port: u16,
        /// What the system said of the last address, or of the one that refused.
        source: io::Error,
    },
    /// Name, connection, tunnel and TLS together took longer than allowed.
    #[error(
        "no connection to {host}{} within {seconds} s",
        proxy.as_ref().map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default()
    )]
    Timeout {
        /// The host of the URL.
        host: String,
        /// The proxy on the way to it, as host and port.
        proxy: Option<String>,
        /// How long was waited.
        seconds: f64,
    },
    /// The peer showed a certificate that does not prove that it is the host.
    #[error("the certificate of {role}{host} is not to be trusted: {reason}")]
    Certificate {
        /// Who showed it.
        role: Role,
        /// The name that it should have proved.
        host: String,
        /// Why, in plain words.
        reason: String,
    },
    /// Another failure of the TLS handshake.
    #[error("the TLS handshake with {role}{host} failed: {source}")]
    Tls {
        /// Who it was held with.
        role: Role,
        /// Its name.
        host: String,
        /// A [`rustls::Error`] inside where the two sides did not agree, else what happened to the connection.
        source: io::Error,
    },
    /// The proxy was reached and did not open the way.
    #[error("the proxy {proxy} {failure}")]
    Proxy {
        /// The proxy, as host and port.
        proxy: String,
        /// What it said.
        failure: ProxyFailure,
    },
    /// The connection broke before HTTP could begin on it.
    #[error("HTTP could not begin with {host}: {source}")]
    Handshake {
        /// The host of the URL.
        host: String,
        /// What hyper said.
        source: hyper::Error,
    },
}

/// Which end of a route an error speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The server of the URL.
    Server,
    /// The proxy on the way to it.
    Proxy,
}

impl fmt::Display for Role {
    /// What stands before the host's name: nothing, or `proxy `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Server => "",
            Role::Proxy => "proxy ",
        })
    }
}

/// What a proxy said instead of opening the way.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyFailure {
    /// 407, or SOCKS without an acceptable method: it wants a name and a password, and got none.
    #[error("needs a user name and a password")]
    NeedsCredentials,
    /// It got a name and a password and does not accept them.
    #[error("does not accept this user name and password")]
    BadCredentials,
    /// An HTTP proxy answered CONNECT with this status.
    #[error("refused the tunnel: HTTP {0}")]
    Status(StatusCode),
    /// A SOCKS proxy answered with this reply.
    #[error("could not open the way: {0}")]
    Socks(Reply),
    /// It broke the rules of its own protocol.
    #[error("does not speak the protocol that its URL names: {0}")]
    Protocol(&'static str),
    /// The connection to it ended in the middle of the dialogue.
    #[error("ended the dialogue: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How long it makes sense to try again after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// The next try ends the same way: the user has to change something.
    None,
    /// The far end does not seem to be there: before any answer in this run, a few tries.
    Few,
    /// A passing failure.
    Full,
}

impl From<Patience> for Trouble {
    fn from(patience: Patience) -> Self {
        match patience {
            Patience::None => Self::Fatal,
            Patience::Few => Self::Unreachable,
            Patience::Full => Self::Broken,
        }
    }
}

impl ConnectError {
    /// How long to try again after this one.
    pub fn patience(&self) -> Patience {
        match self {
            Self::BadUrl { .. } | Self::BadProxy { .. } | Self::BadCa { .. } | Self::Certificate { .. } => {
                Patience::None
            }
            Self::UnknownHost { .. } | Self::Unreachable { .. } => Patience::Few,
            // Two sides that cannot agree on TLS won't in an hour; a connection that broke in the middle may.
            Self::Tls { source, .. } if super::tls::rustls_error(source).is_some() => Patience::Few,
            Self::Proxy { failure, .. } => failure.patience(),
            Self::Tls { .. } | Self::Timeout { .. } | Self::Handshake { .. } => Patience::Full,
        }
    }
}

impl ProxyFailure {
    fn patience(&self) -> Patience {
        match self {
            Self::NeedsCredentials | Self::BadCredentials | Self::Protocol(_) => Patience::None,
            Self::Status(StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => Patience::Full,
            // A gateway's 5xx is how an HTTP proxy says that the server is unknown or unreachable.
            Self::Status(status) if status.is_server_error() => Patience::Few,
            Self::Status(_) | Self::Socks(Reply::NotAllowed | Reply::CommandNotSupported) => Patience::None,
            Self::Socks(_) => Patience::Few,
            Self::Broken(_) => Patience::Full,
        }
    }
}
