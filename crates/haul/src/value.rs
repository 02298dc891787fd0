//! One value of the command line at a time, from text to a type that cannot be wrong.
//!
//! An error is one sentence without the option's name, which [`crate::usage`] puts in front. No error repeats what may
//! be a secret: headers, passwords, the userinfo of a URL.

use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use haul_core::Digest;
use haul_transfer::FtpCommand;
use haul_transfer::connect::ProxyChoice;
use haul_transfer::credentials::Credentials;
use http::{HeaderName, HeaderValue, header};
use url::{ParseError, Url};

/// The most of anything that is counted: connections, jobs.
const MOST: usize = 256;
/// The longest time to wait: a year.
const LONGEST: f64 = 366.0 * 86_400.0;

/// Fields that decide which bytes come and what they mean. They are haul's own: a second opinion in them would mix
/// versions or break the connection.
const OWN: [HeaderName; 14] = [
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A URL that can be fetched, without its fragment.
pub(crate) fn url(text: &str) -> Result<Url, String> {
    let shown = shown(text);
    // The URL standard drops some of these silently, and would ask for something else than what is seen.
    if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(format!(
            "{shown:?} has a blank or a control character in it; write it as %20 and the like"
        ));
    }
    let no_scheme = || format!("{shown:?} has no scheme; write http:// or https:// in front of it");
    let mut url = Url::parse(text).map_err(|error| match error {
        ParseError::RelativeUrlWithoutBase => no_scheme(),
        error => format!("{shown:?} is not a URL: {error}"),
    })?;
    match url.scheme() {
        "http" | "https" => {}
        "ftp" | "ftps" if url.host().is_none() => return Err(format!("{shown:?} names no host")),
        "ftp" | "ftps" => {}
        // `localhost:8080/a` and `example.com:80` have a colon, but no scheme.
        scheme if scheme.contains('.') || scheme == "localhost" => return Err(no_scheme()),
        scheme => {
            return Err(format!(
                "{shown:?}: {scheme} is no scheme that haul speaks; it speaks http, https, ftp and ftps"
            ));
        }
    }
    url.set_fragment(None);
    Ok(url)
}

/// `text` without what stands where a URL has its userinfo.
fn shown(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => text.to_owned(),
    }
}

/// An FTP command as one types it.
pub(crate) fn command(text: &str) -> Result<FtpCommand, String> {
    FtpCommand::raw(text).map_err(|error| error.to_string())
}

/// `ALGO=HEX`.
pub(crate) fn checksum(text: &str) -> Result<Digest, String> {
    text.parse().map_err(|error: haul_core::BadDigest| error.to_string())
}

/// Bytes a second: digits, with a fraction if need be, and K, M, G or T.
pub(crate) fn rate(text: &str) -> Result<NonZeroU64, String> {
    let bad = || format!("{text:?} is no rate; write bytes a second as 500K or 10M, K is 1024");
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit: u64 = match unit.to_ascii_uppercase().as_str() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err(bad()),
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(bad());
    }
    let rate = number.parse::<f64>().map_err(|_| bad())? * unit as f64;
    // The cast saturates.
    NonZeroU64::new(rate as u64).ok_or_else(|| format!("{text:?} is less than a byte a second"))
}

/// A number from 1 on.
pub(crate) fn count(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse::<NonZeroUsize>().ok().filter(|number| number.get() <= MOST);
    number.ok_or_else(|| format!("{text:?} is not a number from 1 to {MOST}"))
}

/// A time in seconds, with a fraction if need be.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.001 && *seconds <= LONGEST);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| format!("{text:?} is not a number of seconds above 0"))
}

/// Failures in a row before giving up; `None` is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retries(pub(crate) Option<u32>);

/// A number from 0 on, or `inf`.
pub(crate) fn retries(text: &str) -> Result<Retries, String> {
    if text.eq_ignore_ascii_case("inf") {
        return Ok(Retries(None));
    }
    let number = text.parse().map(|number| Retries(Some(number)));
    number.map_err(|_| format!("{text:?} is neither a number nor inf"))
}

/// `Name: value`.
pub(crate) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written 'Name: value'")?;
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| "what stands before the colon is no header name".to_owned())?;
    if OWN.contains(&name) {
        return Err(format!("{name} is set by haul itself, since it decides which bytes come"));
    }
    let value = HeaderValue::from_str(value.trim_matches([' ', '\t']))
        .or_else(|_| HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes()))
        .map_err(|_| format!("the value of {name} has a line end or another control character in it"))?;
    Ok((name, value))
}

/// A name, and the password where one was given.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// Both.
    Whole(Credentials),
    /// The password has to be found.
    Name(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

/// `NAME` or `NAME:PASSWORD`; `NAME:` is an empty password.
pub(crate) fn login(text: &str) -> Result<Login, String> {
    if text.contains(char::is_control) {
        return Err("a name or password has a control character in it".to_owned());
    }
    match text.split_once(':') {
        Some(("", _)) => Err("there is no name before the colon".to_owned()),
        Some(_) => Ok(Login::Whole(Credentials::parse(text))),
        None if text.is_empty() => Err("there is no name".to_owned()),
        None => Ok(Login::Name(text.to_owned())),
    }
}

/// A proxy's URL, a bare host and port, or nothing for none.
pub(crate) fn proxy(text: &str) -> Result<ProxyChoice, String> {
    ProxyChoice::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_in_powers_of_1024() {
        let bytes = |text| rate(text).map(NonZeroU64::get);
        for (text, expected) in
            [("500K", 500 << 10), ("10M", 10 << 20), ("1.5m", 3 << 19), ("2G", 2 << 30), ("77", 77)]
        {
            assert_eq!(bytes(text), Ok(expected));
        }
        for bad in
            ["", "K", "fast", "10X", "10MB", "-5", "1e3", "1.2.3", "0", "0.2", "+1", "inf", "nan", "1 M"]
        {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(bytes("99999999999999999999999T"), Ok(u64::MAX));
    }

    #[test]
    fn a_url_needs_a_scheme_that_is_spoken() {
        assert_eq!(url("http://h/a?b=c#d").unwrap().as_str(), "http://h/a?b=c");
        for (bad, said) in [
            ("example.com/a", "has no scheme"),
            ("localhost:8080/a", "has no scheme"),
            ("example.com:80", "has no scheme"),
            ("", "has no scheme"),
            ("gopher://h/a", "gopher is no scheme that haul speaks; it speaks http, https, ftp and ftps"),
            ("ftps:///a", "names no host"),
            ("file:///etc/passwd", "it speaks http, https, ftp and ftps"),
            ("http://", "is not a URL: empty host"),
            ("http://h:99999/", "invalid port"),
            ("http://h/a b", "a blank or a control character"),
            ("http://h/a\nb", "a blank or a control character"),
        ] {
            let error = url(bad).unwrap_err();
            assert!(error.contains(said), "{bad:?}: {error}");
            assert!(!error.contains('\n'));
        }
    }

    #[test]
    fn an_error_never_repeats_a_password() {
        for bad in [
            "scp://me:hunter2@h/a",
            "http://me:hunter2@h:99999/",
            "http://me:hun/ter2@ /",
            "gopher://a@hunter2@h",
        ] {
            let error = url(bad).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(!format!("{:?}", login("me:hunter2")).contains("hunter2"));
        assert!(!header("Authorization: hunter2\r\nX: y").unwrap_err().contains("hunter2"));
        assert!(!header("hunter2").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn a_header_cannot_bring_another_header_along() {
        assert_eq!(
            header("X-Key:  v w ").unwrap(),
            (HeaderName::from_static("x-key"), "v w".parse().unwrap())
        );
        assert_eq!(header("x-empty:").unwrap().1, "");
        for bad in [
            "x",
            ": v",
            "x y: v",
            "x: a\r\nb: c",
            "x: a\0",
            "x\r\n: v",
            "Range: bytes=0-1",
            "if-range: \"x\"",
        ] {
            assert!(header(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn counts_times_and_retries_have_their_limits() {
        assert_eq!(count("8").map(NonZeroUsize::get), Ok(8));
        for bad in ["0", "-1", "x", "", "257", "1.5"] {
            assert!(count(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["0", "-1", "x", "", "nan", "inf", "1e300"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(retries("0"), Ok(Retries(Some(0))));
        assert_eq!(retries("INF"), Ok(Retries(None)));
        for bad in ["-1", "", "many", "4294967296"] {
            assert!(retries(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_login_has_a_name() {
        assert!(login("me") == Ok(Login::Name("me".into())));
        assert!(login("me:") == Ok(Login::Whole(Credentials::parse("me:"))));
        assert!(login("me:a:b") == Ok(Login::Whole(Credentials::parse("me:a:b"))));
        assert!(login("").is_err() && login(":pw").is_err() && login("a:\n").is_err());
    }
}
