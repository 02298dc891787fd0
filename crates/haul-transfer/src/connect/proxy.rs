//! Which proxy, if any, stands between us and an origin: `--proxy`, or the environment as curl reads it. Pure: the
//! environment is a function from names to values, and nothing here opens a connection.

use std::fmt;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::origin::Origin;
use super::{ConnectError, ProxyChoice};
use crate::credentials::Credentials;

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// HTTP: absolute-form for http origins, CONNECT for https ones.
    Http,
    /// The same through TLS.
    Https,
    /// SOCKS 5; names are resolved here.
    Socks5,
    /// SOCKS 5; names are resolved there.
    Socks5h,
}

/// One proxy.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) kind: Kind,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<Credentials>,
}

impl fmt::Display for Proxy {
    /// Host and port: never the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Proxy {
    fn of(url: &Url) -> Result<Self, String> {
        let (kind, default_port) = match url.scheme() {
            "http" => (Kind::Http, 80),
            "https" => (Kind::Https, 443),
            "socks5" => (Kind::Socks5, 1080),
            "socks5h" => (Kind::Socks5h, 1080),
            other => return Err(format!("{other} is none of http, https, socks5 and socks5h")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("it names no host")?;
        let credentials = Credentials::from_userinfo(url);
        if matches!(kind, Kind::Socks5 | Kind::Socks5h)
            && credentials.as_ref().is_some_and(too_long_for_socks)
        {
            return Err("SOCKS takes a user name and a password of 1 to 255 bytes".to_owned());
        }
        Ok(Self { kind, host: host.to_owned(), port: url.port().unwrap_or(default_port), credentials })
    }
}

/// RFC 1929 §2: one byte of length each, and neither may be empty.
fn too_long_for_socks(credentials: &Credentials) -> bool {
    [&credentials.user, &credentials.password].iter().any(|field| !(1..=255).contains(&field.len()))
}

/// A proxy's URL as users write it: without a scheme it is an http proxy.
pub(super) fn parse_url(text: &str) -> Result<Url, String> {
    let parsed = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    parsed.map_err(|error| error.to_string())
}

/// What is asked for one scheme: nothing, a proxy, or something that is only an error for who needs it.
/// (Desktops set `all_proxy=socks://…` beside a good `http_proxy`.)
type Chosen = Result<Option<Proxy>, (Option<&'static str>, String)>;

/// The rules of one run.
pub(super) struct Rules {
    http: Chosen,
    https: Chosen,
    ftp: Chosen,
    /// Intercepts everything that NO_PROXY does not name.
    no_proxy: Matcher,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("http", &self.http)
            .field("https", &self.https)
            .field("ftp", &self.ftp)
            .finish_non_exhaustive()
    }
}

impl Rules {
    /// What `choice` means in this environment. NO_PROXY also holds for `--proxy`, as it does in curl.
    pub(super) fn new(
        choice: &ProxyChoice,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConnectError> {
        // An empty value is as good as none: that is how people unset.
        let value = |name: &'static str| environment(name).filter(|value| !value.trim().is_empty());
        let (http, https, ftp) = match choice {
            ProxyChoice::Direct => (Ok(None), Ok(None), Ok(None)),
            ProxyChoice::Url(url) => {
                let proxy = Proxy::of(url).map_err(|reason| ConnectError::BadProxy { from: None, reason })?;
                (Ok(Some(proxy.clone())), Ok(Some(proxy.clone())), Ok(Some(proxy)))
            }
            // Under CGI a request's `Proxy:` header arrives as HTTP_PROXY (CVE-2016-5385): not ours to trust.
            ProxyChoice::Environment if environment("REQUEST_METHOD").is_some() => {
                (Ok(None), Ok(None), Ok(None))
            }
            ProxyChoice::Environment => (
                first_set(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"], value),
                first_set(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"], value),
                first_set(&["ftp_proxy", "FTP_PROXY", "all_proxy", "ALL_PROXY"], value),
            ),
        };
        let listed = value("no_proxy").or_else(|| value("NO_PROXY")).unwrap_or_default();
        Ok(Self { http, https, ftp, no_proxy: everything_but(&listed) })
    }

    /// The proxy on the way to `origin`, if there is one.
    pub(super) fn proxy_for(&self, origin: &Origin) -> Result<Option<&Proxy>, ConnectError> {
        let chosen = match origin.scheme.as_str() {
            "https" => &self.https,
            "ftp" | "ftps" => &self.ftp,
            _ => &self.http,
        };
        if matches!(chosen, Ok(None)) || self.is_exempt(origin) {
            return Ok(None);
        }
        match chosen {
            Ok(proxy) => Ok(proxy.as_ref()),
            Err((from, reason)) => Err(ConnectError::BadProxy { from: *from, reason: reason.clone() }),
        }
    }

    fn is_exempt(&self, origin: &Origin) -> bool {
        // The dot at the end of a full name is not part of what NO_PROXY lists.
        let host = origin.host.to_string();
        let uri = format!("http://{}/", host.trim_end_matches('.')).parse::<Uri>();
        uri.is_ok_and(|uri| self.no_proxy.intercept(&uri).is_none())
    }
}

fn first_set(names: &[&'static str], value: impl Fn(&'static str) -> Option<String>) -> Chosen {
    let Some((name, text)) = names.iter().find_map(|name| value(name).map(|text| (*name, text))) else {
        return Ok(None);
    };
    parse_url(text.trim()).and_then(|url| Proxy::of(&url)).map(Some).map_err(|reason| (Some(name), reason))
}

/// curl also splits the list at blanks and takes IPv6 addresses in brackets.
fn everything_but(listed: &str) -> Matcher {
    let listed = listed.replace(char::is_whitespace, ",").replace(['[', ']'], "");
    if listed.split(',').any(|member| member == "*") {
        // The matcher takes a star for names only, not for addresses.
        return Matcher::builder().build();
    }
    Matcher::builder().all("http://proxy.invalid").no(listed).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy_of(
        choice: &ProxyChoice,
        environment: &[(&str, &str)],
        url: &str,
    ) -> Result<String, ConnectError> {
        let value = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let origin = Origin::of(&Url::parse(url).unwrap()).unwrap();
        let rules = Rules::new(choice, value)?;
        Ok(rules.proxy_for(&origin)?.map_or_else(|| "none".to_owned(), ToString::to_string))
    }

    fn by_environment(environment: &[(&str, &str)], url: &str) -> String {
        proxy_of(&ProxyChoice::Environment, environment, url).unwrap()
    }

    #[test]
    fn the_environment_is_read_by_scheme_in_lower_and_upper_case() {
        let all =
            [("ALL_PROXY", "socks5h://all"), ("HTTPS_PROXY", "https://upper"), ("http_proxy", "lower:3128")];
        assert_eq!(by_environment(&all, "http://a/"), "lower:3128");
        assert_eq!(by_environment(&all, "https://a/"), "upper:443");
        assert_eq!(by_environment(&all[..1], "http://a/"), "all:1080");
        assert_eq!(by_environment(&[("http_proxy", ""), ("HTTP_PROXY", "up:1")], "http://a/"), "up:1");
        assert_eq!(by_environment(&[], "http://a/"), "none");
    }

    #[test]
    fn ftp_has_a_proxy_of_its_own_in_the_environment() {
        let all = [("all_proxy", "socks5://all"), ("http_proxy", "web:3128"), ("FTP_PROXY", "files:3128")];
        assert_eq!(by_environment(&all, "ftp://a/"), "files:3128");
        assert_eq!(by_environment(&all, "ftps://a/"), "files:3128");
        assert_eq!(by_environment(&all[..2], "ftp://a/"), "all:1080");
        assert_eq!(by_environment(&all[1..2], "ftp://a/"), "none");
    }

    #[test]
    fn a_proxy_header_of_a_cgi_request_is_not_believed() {
        let cgi = [("HTTP_PROXY", "http://evil"), ("REQUEST_METHOD", "GET")];
        assert_eq!(by_environment(&cgi, "http://a/"), "none");
    }

    #[test]
    fn a_bad_url_in_the_environment_is_an_error_only_for_who_needs_it() {
        let desktop = [("all_proxy", "socks://x:1"), ("http_proxy", "http://p:1"), ("no_proxy", "b")];
        assert_eq!(by_environment(&desktop, "http://a/"), "p:1");
        assert_eq!(by_environment(&desktop, "https://b/"), "none");
        let told = proxy_of(&ProxyChoice::Environment, &desktop, "https://a/").unwrap_err().to_string();
        let expected =
            "the proxy URL in all_proxy cannot be used: socks is none of http, https, socks5 and socks5h";
        assert_eq!(told, expected);
    }

    #[test]
    fn no_proxy_names_hosts_domains_and_networks_and_holds_for_the_option_too() {
        let choice = ProxyChoice::parse("http://p:1").unwrap();
        let listed = [("NO_PROXY", "example.com .inner.test, 10.0.0.0/8,[::1]")];
        for (url, expected) in [
            ("http://example.com/", "none"),
            ("http://www.example.com:81/", "none"),
            ("https://EXAMPLE.com./", "none"),
            ("http://notexample.com/", "p:1"),
            ("http://x.inner.test/", "none"),
            ("http://10.1.2.3/", "none"),
            ("http://11.1.2.3/", "p:1"),
            ("http://[::1]:8080/", "none"),
            ("http://localhost/", "p:1"),
        ] {
            assert_eq!(proxy_of(&choice, &listed, url).unwrap(), expected, "{url}");
        }
        for url in ["http://a/", "https://10.1.2.3/", "http://[::1]:8080/"] {
            assert_eq!(proxy_of(&choice, &[("no_proxy", "x, *")], url).unwrap(), "none");
        }
        assert_eq!(proxy_of(&ProxyChoice::Direct, &[("http_proxy", "x:1")], "http://a/").unwrap(), "none");
    }

    #[test]
    fn the_option_takes_four_schemes_and_a_bare_host() {
        for (text, shown) in [
            ("p:3128", "p:3128"),
            ("http://p", "p:80"),
            ("https://p", "p:443"),
            ("socks5://127.0.0.1", "127.0.0.1:1080"),
            ("socks5h://u:w@[::1]:9050", "[::1]:9050"),
        ] {
            assert_eq!(proxy_of(&ProxyChoice::parse(text).unwrap(), &[], "http://a/").unwrap(), shown);
        }
        assert_eq!(ProxyChoice::parse("").unwrap(), ProxyChoice::Direct);
        for bad in ["ftp://p", "http://", "socks4://p", "socks5://", "socks5://user@p", "a b"] {
            let error = ProxyChoice::parse(bad).unwrap_err();
            assert!(matches!(error, ConnectError::BadProxy { from: None, .. }), "{bad}: {error}");
        }
    }
}
