//! Who is talked to: scheme, host and port (RFC 9110 §4.3.1, RFC 6454). It knows nothing of paths or of the way there.

use std::fmt;

use url::{Host, Url};

use super::ConnectError;

/// The origin of a URL: what credentials are bound to and what one connection serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `http`, `https`, `ftp` or `ftps`, in lower case.
    pub scheme: String,
    /// The name or address.
    pub host: Host<String>,
    /// The port, the scheme's own where the URL names none.
    pub port: u16,
}

impl Origin {
    /// The origin of `url`; `None` for a URL without host or known port, which has no origin to compare.
    pub fn of(url: &Url) -> Option<Self> {
        Some(Self {
            scheme: url.scheme().to_owned(),
            host: host(url)?,
            port: url.port_or_known_default().or_else(|| (url.scheme() == "ftps").then_some(FTPS_PORT))?,
        })
    }

    /// The origin of a URL that HTTP can ask.
    pub(super) fn of_http(url: &Url) -> Result<Self, ConnectError> {
        let bad = |reason| ConnectError::BadUrl { url: without_secrets(url), reason };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("its scheme is neither http nor https"));
        }
        Self::of(url).ok_or_else(|| bad("it names no host"))
    }

    /// Whether the bytes go through TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }
}

impl fmt::Display for Origin {
    /// As the front of a URL, the port always told: `https://example.com:443`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// FTP within TLS from the first byte on; the URL standard does not know the scheme.
const FTPS_PORT: u16 = 990;

/// The host. Of a scheme that the URL standard does not know it was not read as an address.
fn host(url: &Url) -> Option<Host<String>> {
    match url.host()? {
        Host::Domain(name) if !url.is_special() => Host::parse(name).ok(),
        host => Some(host.to_owned()),
    }
}

/// `url` as it may be shown: no userinfo, no query (signed URLs), no fragment.
pub(super) fn without_secrets(url: &Url) -> String {
    match url.host_str() {
        Some(host) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{host}{port}{}", url.scheme(), url.path())
        }
        None => format!("{}:…", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_port_is_the_same_origin_as_none() {
        let of = |text: &str| Origin::of(&Url::parse(text).unwrap()).unwrap();
        assert_eq!(of("https://Example.com/a"), of("https://user@example.com:443/b?c"));
        assert_ne!(of("https://example.com/"), of("http://example.com:443/"));
        assert_eq!(of("http://[::1]/").to_string(), "http://[::1]:80");
        assert_eq!(of("ftp://a/").to_string(), "ftp://a:21");
    }

    #[test]
    fn ftps_has_a_port_and_addresses_of_its_own() {
        let of = |text: &str| Origin::of(&Url::parse(text).unwrap()).unwrap();
        assert_eq!(of("ftps://Example.com/a").to_string(), "ftps://example.com:990");
        assert_eq!(of("ftps://127.0.0.1/a").host, Host::parse("127.0.0.1").unwrap());
    }

    #[test]
    fn a_url_is_shown_without_userinfo_and_query() {
        let url = Url::parse("ftp://anna:secret@host:2121/a?sig=1#x").unwrap();
        let error = Origin::of_http(&url).unwrap_err().to_string();
        assert_eq!(error, "cannot ask ftp://host:2121/a: its scheme is neither http nor https");
    }
}
