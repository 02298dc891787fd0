//! One hook as it is configured: what it wants to hear, and how it is told. What waits to be heard again, and when.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use haul_core::TreePath;

use super::{Happened, Outcome};
use crate::log::Direction;

/// No wait is longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Somebody who wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its name, which no other hook has: what waits for it is found by that.
    pub name: String,
    /// Which ends it wants to hear of.
    pub on: Vec<Outcome>,
    /// Of files that go which way.
    pub direction: Direction,
    /// Of files within this folder, or this file.
    pub path: TreePath,
    /// How it is told.
    pub to: To,
    /// How long a try may take.
    pub deadline: Duration,
    /// How long is waited before the second try; before each further one twice as long, up to an hour.
    pub retry: Duration,
    /// How often it is tried again.
    pub retries: u32,
    /// How many deliveries at once.
    pub at_once: usize,
}

/// How somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// A program is run, by no shell.
    Command {
        /// Which.
        program: PathBuf,
        /// With these arguments, as they are.
        args: Vec<String>,
    },
    /// A server is asked.
    Post {
        /// Where.
        url: Url,
        /// A file with the secret by which it knows that we ask.
        secret: Option<PathBuf>,
    },
}

/// Where a server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether within TLS.
    pub tls: bool,
    /// The host, an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Host and port as the server is to be called.
    pub authority: String,
    /// Path and query.
    pub target: String,
}

impl Hook {
    /// Whether it wants to hear of this.
    pub(super) fn wants(&self, happened: &Happened) -> bool {
        self.direction == happened.direction
            && self.on.contains(&happened.outcome)
            && happened.path.is_within(&self.path)
    }

    /// How long is waited after so many tries that failed; `None` where it is given up.
    pub(super) fn wait(&self, tries: u32) -> Option<Duration> {
        let doubled = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        (tries <= self.retries).then(|| self.retry.saturating_mul(doubled).min(LONGEST_WAIT.max(self.retry)))
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "is no address of a server: write https://example.org/path".to_owned();
        let uri: http::Uri = text.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err("has a user in it: let the server know us by secret_file".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Ok(Self { tls, host, port, authority: authority.as_str().to_owned(), target })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_end() {
        let hook = Hook {
            name: "a".to_owned(),
            on: vec![Outcome::Complete],
            direction: Direction::Received,
            path: TreePath::ROOT,
            to: To::Command { program: PathBuf::from("/bin/true"), args: Vec::new() },
            deadline: Duration::from_secs(1),
            retry: Duration::from_secs(5),
            retries: 40,
            at_once: 1,
        };
        let wait = |tries| hook.wait(tries).map(|wait| wait.as_secs());
        assert_eq!([wait(1), wait(2), wait(3), wait(10)], [Some(5), Some(10), Some(20), Some(2560)]);
        assert_eq!([wait(11), wait(40), wait(41)], [Some(3600), Some(3600), None]);
        assert_eq!(Hook { retries: 0, ..hook.clone() }.wait(1), None);
        let patient = Hook { retry: Duration::from_secs(7200), ..hook };
        assert_eq!(patient.wait(3), Some(Duration::from_secs(7200)));
    }

    #[test]
    fn an_address_has_a_scheme_and_a_host_and_no_user() {
        let url: Url = "https://example.org/a?b=c".parse().unwrap();
        assert_eq!(
            (url.tls, url.host.as_str(), url.port, url.target.as_str()),
            (true, "example.org", 443, "/a?b=c")
        );
        let url: Url = "http://[::1]:8000".parse().unwrap();
        assert_eq!((url.tls, url.host.as_str(), url.port, url.target.as_str()), (false, "::1", 8000, "/"));
        assert_eq!(url.to_string(), "http://[::1]:8000/");
        for bad in
            ["", "example.org", "ftp://a/", "http://", "https://u:p@a/", "/path", "http:///x", "http://a b/"]
        {
            assert!(bad.parse::<Url>().is_err(), "{bad}");
        }
    }
}
