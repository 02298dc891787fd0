//! The doors by name, and sockets for them: opened here, or handed over by a service manager.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    str::FromStr,
};

use haul_server::{
    House, ServerError,
    config::{Config, Listen},
    ftp, http, listen, metrics,
};
use tokio::task::JoinSet;

/// A door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    Http,
    Https,
    Ftp,
    Ftps,
    /// Figures, and no file.
    Metrics,
}

impl Entrance {
    const ALL: [Self; 5] = [Self::Http, Self::Https, Self::Ftp, Self::Ftps, Self::Metrics];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ftp => "ftp",
            Self::Ftps => "ftps",
            Self::Metrics => "metrics",
        }
    }

    fn listens(self, config: &Config) -> Listen {
        match self {
            Self::Http => config.http.listen,
            Self::Https => config.http.listen_tls,
            Self::Ftp => config.ftp.listen,
            Self::Ftps => config.ftp.listen_tls,
            Self::Metrics => config.metrics,
        }
    }

    /// Serves there; where that is.
    pub(super) fn serve(
        self,
        house: House,
        at: TcpListener,
        serving: &mut JoinSet<()>,
    ) -> Result<SocketAddr, ServerError> {
        let address = at.local_addr().map_err(|error| ServerError::Other(error.to_string()))?;
        match self {
            Self::Http => serving.spawn(http::Door::over(house, at, http::Kind::Plain)?.serve()),
            Self::Https => serving.spawn(http::Door::over(house, at, http::Kind::Secured)?.serve()),
            Self::Ftp => serving.spawn(ftp::Door::over(house, at, ftp::Kind::Explicit)?.serve()),
            Self::Ftps => serving.spawn(ftp::Door::over(house, at, ftp::Kind::Implicit)?.serve()),
            Self::Metrics => serving.spawn(metrics::Door::over(house, at)?.serve()),
        };
        Ok(address)
    }
}

impl FromStr for Entrance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|door| door.name() == text);
        known.ok_or_else(|| format!("is {text:?}, and must be one of http, https, ftp, ftps, metrics"))
    }
}

/// A socket for each door: what was handed over, and elsewhere what the settings say.
pub(super) fn open(
    config: &Config,
    mut handed: Vec<(Entrance, TcpListener)>,
) -> Result<Vec<(Entrance, TcpListener)>, ServerError> {
    for door in Entrance::ALL {
        if handed.iter().any(|(known, _)| *known == door) {
            continue;
        }
        let opened = match addresses(door.listens(config)).as_slice() {
            [] => continue,
            [only] => listen(*only)?,
            // Both families at one door; where there is no IPv6, the other alone.
            [both, one, ..] => listen(*both).or_else(|_| listen(*one))?,
        };
        handed.push((door, opened));
    }
    handed.sort_by_key(|(door, _)| Entrance::ALL.iter().position(|known| known == door));
    Ok(handed)
}

/// Where a door listens: nowhere, there, or everywhere, first of both families and then of the old one alone.
fn addresses(listen: Listen) -> Vec<SocketAddr> {
    match listen {
        Listen::Off => Vec::new(),
        Listen::At(address) => vec![address],
        Listen::Everywhere(port) => {
            vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
        }
    }
}
