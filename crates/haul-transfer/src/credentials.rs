//! Who gets which secret: pure rules, no I/O.
//!
//! What the user gave for the first URL (`-u`, its userinfo, `-H`) stays with that URL's origin, wherever redirects
//! lead; RFC 9110 §15.4 leaves this to the client, and every client that was careless about it has a CVE. What a netrc
//! file holds is bound to hosts by the file itself and is looked up for the host that is really asked.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::connect::Origin;
use crate::netrc::Netrc;

/// Fields of `-H` that another origin may see too. Whatever is not named here could be a key under any name.
const HARMLESS: [HeaderName; 9] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::DNT,
    header::PRAGMA,
    header::TE,
    header::USER_AGENT,
];

/// A user's name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password; empty where none was given.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Credentials {
    /// From `NAME:PASSWORD` or `NAME`: the first colon parts them, since names hold none (RFC 7617 §2).
    pub fn parse(text: &str) -> Self {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Self { user: user.to_owned(), password: password.to_owned() }
    }

    /// The userinfo of `url`, percent-decoded; `None` where it has neither name nor password.
    pub fn from_userinfo(url: &Url) -> Option<Self> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let password = url.password().unwrap_or_default();
        if url.username().is_empty() && password.is_empty() {
            return None;
        }
        Some(Self { user: decoded(url.username()), password: decoded(password) })
    }

    /// The value of Authorization or Proxy-Authorization (RFC 7617), marked so that no log shows it.
    pub fn basic(&self) -> HeaderValue {
        let pair = BASE64_STANDARD.encode(format!("{}:{}", self.user, self.password));
        let mut value = HeaderValue::from_maybe_shared(bytes::Bytes::from(format!("Basic {pair}")))
            .unwrap_or_else(|_never| HeaderValue::from_static("Basic"));
        value.set_sensitive(true);
        value
    }
}

/// Who one is on an FTP server (RFC 959 §4.1.1).
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
    /// What some servers want besides.
    pub(crate) account: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

impl Login {
    /// For who has no name there (RFC 1635).
    pub(crate) fn anonymous() -> Self {
        Self { user: "anonymous".into(), password: "anonymous@".into(), account: None }
    }
}

/// Everything the user gave that may be a secret.
#[derive(Clone, Default)]
pub struct Secrets {
    explicit: Option<Credentials>,
    netrc: Option<Netrc>,
    headers: HeaderMap,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("explicit", &self.explicit)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// `explicit` is `-u`, `headers` are those of `-H`: all values that are not harmless are marked, so that no log
    /// shows them.
    pub fn new(explicit: Option<Credentials>, netrc: Option<Netrc>, mut headers: HeaderMap) -> Self {
        for (name, value) in &mut headers {
            value.set_sensitive(!is_harmless(name));
        }
        Self { explicit, netrc, headers }
    }

    /// What a request for `now` carries when redirects led here from `first`, which is the user's own URL `owner` or a
    /// mirror of it.
    ///
    /// An Authorization of `-H` stands above `-u`, that above the userinfo of `first`, that above netrc. A name given
    /// without a password takes the password that netrc has for this name at this host.
    pub fn headers_for(&self, owner: &Url, first: &Url, now: &Url) -> HeaderMap {
        let mut headers = self.headers.clone();
        let ours = same_origin(owner, now);
        if !ours {
            headers = harmless(&headers);
        }
        let userinfo = || Credentials::from_userinfo(first).filter(|_| same_origin(first, now));
        let given = self.explicit.clone().filter(|_| ours).or_else(userinfo);
        if headers.contains_key(header::AUTHORIZATION) {
            return headers;
        }
        if let Some(credentials) = self.with_netrc(given, now, same_origin(first, now)) {
            headers.insert(header::AUTHORIZATION, credentials.basic());
        }
        headers
    }

    /// Who one is at `url`, which is the user's own FTP URL `owner` or a mirror of it: `-u`, else the URL's userinfo,
    /// else netrc, else anonymous.
    pub(crate) fn login_for(&self, owner: &Url, url: &Url) -> Login {
        let explicit = self.explicit.clone().filter(|_| same_origin(owner, url));
        let given = explicit.or_else(|| Credentials::from_userinfo(url));
        let given = given.filter(|known| !known.user.is_empty());
        let Some(known) = self.with_netrc(given, url, true) else { return Login::anonymous() };
        let host = bare_host(url);
        let account =
            self.netrc.as_ref().zip(host).and_then(|(netrc, host)| netrc.account(host, &known.user));
        Login { user: known.user, password: known.password, account }
    }

    fn with_netrc(&self, given: Option<Credentials>, now: &Url, named: bool) -> Option<Credentials> {
        if given.as_ref().is_some_and(|known| !known.password.is_empty()) {
            return given;
        }
        let user = given.as_ref().map(|known| known.user.as_str());
        let host = bare_host(now);
        let found = self.netrc.as_ref().zip(host).and_then(|(netrc, host)| netrc.lookup(host, user, named));
        found.or(given)
    }
}

/// The host as netrc has it: an IPv6 address without brackets.
fn bare_host(url: &Url) -> Option<&str> {
    url.host_str().map(|host| host.trim_matches(['[', ']']))
}

/// Whether both URLs have the same scheme, host and port; never where one of them has no host.
pub fn same_origin(one: &Url, other: &Url) -> bool {
    let origin = Origin::of(one);
    origin.is_some() && origin == Origin::of(other)
}

fn is_harmless(name: &HeaderName) -> bool {
    HARMLESS.contains(name)
}

fn harmless(headers: &HeaderMap) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| is_harmless(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn basic(user: &str, password: &str) -> Option<HeaderValue> {
        Some(Credentials { user: user.into(), password: password.into() }.basic())
    }

    fn sent(secrets: &Secrets, first: &str, now: &str) -> Option<HeaderValue> {
        secrets.headers_for(&url(first), &url(first), &url(now)).get(header::AUTHORIZATION).cloned()
    }

    #[test]
    fn basic_is_the_example_of_rfc_7617_and_is_not_shown() {
        let credentials = Credentials::parse("Aladdin:open sesame");
        assert_eq!(credentials.basic(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(credentials.basic().is_sensitive());
        let shown = format!("{:?}", Secrets::new(Some(credentials), None, headers(&[("x-api-key", "k3y")])));
        assert!(!shown.contains("sesame") && !shown.contains("k3y"), "{shown}");
    }

    #[test]
    fn userinfo_is_percent_decoded() {
        let credentials = Credentials::from_userinfo(&url("http://a%40b:p%3Aq%2F@h/")).unwrap();
        assert_eq!((credentials.user.as_str(), credentials.password.as_str()), ("a@b", "p:q/"));
        assert_eq!(Credentials::from_userinfo(&url("http://h/")), None);
    }

    #[test]
    fn another_scheme_host_or_port_is_another_origin() {
        let first = url("https://example.com/a");
        assert!(same_origin(&first, &url("https://EXAMPLE.com:443/b")));
        for other in [
            "http://example.com/",
            "https://example.com:444/",
            "https://www.example.com/",
            "data:text/plain,x",
        ] {
            assert!(!same_origin(&first, &url(other)), "{other}");
        }
        assert!(!same_origin(&url("data:,x"), &url("data:,x")));
    }

    #[test]
    fn credentials_never_go_to_another_origin() {
        let secrets = Secrets::new(Some(Credentials::parse("u:p")), None, HeaderMap::new());
        assert_eq!(sent(&secrets, "http://a/x", "http://a/y"), basic("u", "p"));
        assert_eq!(sent(&secrets, "http://a/x", "http://b/y"), None);
        assert_eq!(sent(&secrets, "http://a/x", "http://a:81/y"), None);
        let none = Secrets::default();
        assert_eq!(sent(&none, "http://u:p@a/x", "http://a/y"), basic("u", "p"));
        assert_eq!(sent(&none, "http://u:p@a/x", "http://b/y"), None);
        // A redirect cannot put words into our mouth either.
        assert_eq!(sent(&none, "http://a/x", "http://evil:pw@b/y"), None);
    }

    #[test]
    fn only_harmless_headers_go_to_another_origin() {
        let given = [
            ("authorization", "Bearer t"),
            ("cookie", "s=1"),
            ("proxy-authorization", "Basic x"),
            ("x-api-key", "k"),
            ("my-company-token", "k"),
            ("referer", "https://a/private?key=1"),
            ("host", "a"),
            ("accept", "*/*"),
            ("user-agent", "me"),
        ];
        let secrets = Secrets::new(None, None, headers(&given));
        let first = url("https://a/");
        assert_eq!(secrets.headers_for(&first, &first, &url("https://a/b")).len(), given.len());
        let away = secrets.headers_for(&first, &first, &url("https://b/"));
        let mut names: Vec<_> = away.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "user-agent"]);
    }

    #[test]
    fn header_then_user_then_userinfo_then_netrc() {
        let netrc = Netrc::parse("machine a login n password np\nmachine b login m password mp").unwrap();
        let header = Secrets::new(
            Some(Credentials::parse("u:p")),
            Some(netrc.clone()),
            headers(&[("authorization", "Bearer t")]),
        );
        assert_eq!(sent(&header, "http://x:y@a/", "http://a/").unwrap(), "Bearer t");
        // At another origin the netrc entry of that host holds, not the header of the first.
        assert_eq!(sent(&header, "http://x:y@a/", "http://b/"), basic("m", "mp"));
        let user = Secrets::new(Some(Credentials::parse("u:p")), Some(netrc.clone()), HeaderMap::new());
        assert_eq!(sent(&user, "http://x:y@a/", "http://a/"), basic("u", "p"));
        let only = Secrets::new(None, Some(netrc), HeaderMap::new());
        assert_eq!(sent(&only, "http://x:y@a/", "http://a/"), basic("x", "y"));
        assert_eq!(sent(&only, "http://a/", "http://a/"), basic("n", "np"));
        assert_eq!(sent(&only, "http://a/", "http://c/"), None);
    }

    #[test]
    fn a_login_is_given_or_in_netrc_or_anonymous() {
        let netrc = Netrc::parse("machine a login n password np account acct").unwrap();
        let secrets = Secrets::new(Some(Credentials::parse("u:p")), Some(netrc), HeaderMap::new());
        let login = |secrets: &Secrets, owner: &str, at: &str| {
            let login = secrets.login_for(&url(owner), &url(at));
            (login.user, login.password, login.account)
        };
        let of = |user: &str, password: &str, account: Option<&str>| {
            (user.to_owned(), password.to_owned(), account.map(str::to_owned))
        };
        assert_eq!(login(&secrets, "ftp://b/x", "ftp://b/x"), of("u", "p", None));
        assert_eq!(login(&secrets, "http://b/x", "ftp://b/x"), of("anonymous", "anonymous@", None));
        assert_eq!(login(&secrets, "http://b/x", "ftp://a/x"), of("n", "np", Some("acct")));
        assert_eq!(login(&secrets, "http://b/x", "ftps://v%40w:y%3A@a/x"), of("v@w", "y:", None));
        assert_eq!(login(&Secrets::default(), "ftp://n@a/", "ftp://n@a/"), of("n", "", None));
    }

    #[test]
    fn a_name_without_password_takes_the_password_of_netrc_for_that_name() {
        let netrc = Netrc::parse("machine a login n password np").unwrap();
        let secrets = Secrets::new(None, Some(netrc), HeaderMap::new());
        assert_eq!(sent(&secrets, "http://n@a/", "http://a/"), basic("n", "np"));
        assert_eq!(sent(&secrets, "http://other@a/", "http://a/"), basic("other", ""));
    }
}
