//! What one value of the configuration means, the same on the command line and in the file. Errors are the end of a
//! sentence that began with what was given.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
    time::Duration,
};

use haul_core::TreePath;

use crate::{
    account::{Completion, Permissions},
    accounts::{Password, User, is_anonymous},
    house::Others,
};

/// The longest time that can be configured.
const LONGEST: Duration = Duration::from_secs(3650 * 86_400);

/// Where a door listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// On every address of this machine, at this port (0: any free one).
    Everywhere(u16),
    /// There.
    At(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(port) = text.strip_prefix(':').and_then(|port| port.parse().ok()) {
            return Ok(Self::Everywhere(port));
        }
        let named = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
        let address = named.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        address.or_else(|| text.parse().ok()).map(Self::At).ok_or_else(|| {
            "is no address to listen at: write 127.0.0.1:2121, [::1]:2121, :2121 (everywhere) or off"
                .to_owned()
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Everywhere(port) => write!(f, ":{port}"),
            Self::At(address) => write!(f, "{address}"),
        }
    }
}

/// A page's origin as browsers write it (RFC 6454 §6.2), or `*`.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_one = host.is_some_and(|host| {
        !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) && *text == text.to_ascii_lowercase()
    });
    if is_one || text == "*" {
        Ok(text.to_owned())
    } else {
        Err("is no origin: write https://example.org, with its port where it has one, or *".to_owned())
    }
}

/// A host's name, without a port.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_one = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if is_one {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("is no name of a host, without a port".to_owned())
    }
}

/// Ports for data connections, `50000-50999`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports(pub RangeInclusive<u16>);

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ports = text.split_once('-').and_then(|(first, last)| {
            let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (1..=last).contains(&first).then_some(first..=last)
        });
        ports.map(Self).ok_or_else(|| "is no range of ports: write 50000-50999".to_owned())
    }
}

/// What those without a name may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnonymousAccess {
    /// Not even come in.
    Off,
    /// Read and list.
    #[default]
    Read,
    /// Create files and folders, too.
    ReadWrite,
}

impl FromStr for AnonymousAccess {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        one_of(text, &[("off", Self::Off), ("r", Self::Read), ("rw", Self::ReadWrite)])
    }
}

/// Whether FTP may be spoken without TLS, where there is a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// It may.
    #[default]
    Offered,
    /// It may not.
    Required,
}

impl FromStr for TlsMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        one_of(text, &[("offered", Self::Offered), ("required", Self::Required)])
    }
}

/// How a data connection proves that it is the control connection's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsReuse {
    /// By the same TLS session, or else by the client's address.
    #[default]
    Prefer,
    /// By the same TLS session only. Clients that use a ticket of TLS 1.3 once and never read a new one are refused
    /// after some uploads.
    Require,
    /// By the client's address; sessions are never resumed.
    Off,
}

impl FromStr for TlsReuse {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        one_of(text, &[("prefer", Self::Prefer), ("require", Self::Require), ("off", Self::Off)])
    }
}

impl FromStr for Others {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        one_of(text, &[("refuse", Self::Refuse), ("direct", Self::Direct)])
    }
}

/// Whether the server gives up what it need not reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// Where the system has a way to.
    #[default]
    Auto,
    /// Or it does not start.
    Required,
    /// No.
    Off,
}

impl FromStr for Sandbox {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        one_of(text, &[("auto", Self::Auto), ("required", Self::Required), ("off", Self::Off)])
    }
}

/// The name of a user or group of this machine, or its number.
pub(super) fn name_or_number(text: &str) -> Result<String, String> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ':' | '/' | ',');
    if text.is_empty() || text.contains(bad) {
        return Err("is neither a name nor a number".to_owned());
    }
    Ok(text.to_owned())
}

/// Permission bits that nothing gets, in octal.
pub(super) fn umask(text: &str) -> Result<u32, String> {
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o777 && text.len() <= 4);
    bits.ok_or_else(|| "is no umask: write 022 or 027".to_owned())
}

/// `NAME:PASSWORD[:PERMS]`. What follows the last colon is PERMS if it is made of those letters, else it belongs to
/// the password.
#[derive(Clone, Debug)]
pub struct PlainUser(pub User);

impl FromStr for PlainUser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What was given has a password in it and is not shown.
        let (name, rest) = text.split_once(':').ok_or("a user is NAME:PASSWORD or NAME:PASSWORD:PERMS")?;
        let with_letters = rest.rsplit_once(':').and_then(|(password, letters)| {
            let may = permissions(letters).ok().filter(|_| !letters.is_empty())?;
            Some((password, may))
        });
        let (password, may) = with_letters.unwrap_or((rest, ALL));
        let name = user_name(name).map_err(|why| format!("{name:?} {why}"))?;
        if password.is_empty() {
            return Err(format!("the user {name:?} has no password"));
        }
        Ok(Self(User {
            name,
            password: Password::plain(password),
            home: TreePath::ROOT,
            may,
            completion: Completion::default(),
            bounds: std::sync::Arc::default(),
        }))
    }
}

/// Everything.
pub(super) const ALL: Permissions = Permissions { read: true, write: true, delete: true, list: true };

/// Letters of r, w, d and l.
pub(super) fn permissions(letters: &str) -> Result<Permissions, String> {
    let mut may = Permissions::default();
    for letter in letters.chars() {
        let one = match letter {
            'r' => &mut may.read,
            'w' => &mut may.write,
            'd' => &mut may.delete,
            'l' => &mut may.list,
            _ => {
                return Err("is not made of r (read), w (write), d (remove, rename) and l (list)".to_owned());
            }
        };
        if std::mem::replace(one, true) {
            return Err(format!("has {letter} twice"));
        }
    }
    Ok(may)
}

/// A name that somebody may have.
pub(super) fn user_name(name: &str) -> Result<String, String> {
    if name.is_empty() || name.len() > 128 || name.chars().any(|c| c.is_control() || matches!(c, ':' | '/')) {
        return Err("is no name for a user: 1 to 128 bytes, no colon, slash or control character".to_owned());
    }
    // Owners of unfinished uploads are `anonymous@ADDRESS`.
    if is_anonymous(name) || name.to_ascii_lowercase().starts_with("anonymous@") {
        return Err("is a name of those who have none: see [anonymous]".to_owned());
    }
    Ok(name.to_owned())
}

/// A place in the served tree.
pub(super) fn home(text: &str) -> Result<TreePath, String> {
    TreePath::ROOT.join(text.as_bytes()).map_err(|why| format!("is no place in the tree: {why}"))
}

/// An address that PASV can tell.
pub(super) fn external_address(text: &str) -> Result<Ipv4Addr, String> {
    match text.parse() {
        Ok(IpAddr::V4(address)) if !address.is_unspecified() => Ok(address),
        _ => Err("is no IPv4 address (over IPv6 no address is told)".to_owned()),
    }
}

/// A time with its unit, as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        time(text).map(Self)
    }
}

/// `45s`, `10m`, `12h`, `7d`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(*unit)?.trim_end().parse().ok()?;
        number.checked_mul(*seconds).map(Duration::from_secs)
    });
    read.filter(|time| !time.is_zero() && *time <= LONGEST)
        .ok_or_else(|| "is no time: write 45s, 10m, 12h or 7d, at most ten years".to_owned())
}

/// Bytes: `500K`, `10M`, `2G`, `1T`, or a plain number; K is 1024.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let units = [("K", 10), ("M", 20), ("G", 30), ("T", 40)];
    let unit = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)));
    let (number, shift) = unit.unwrap_or((text, 0));
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse::<u64>().ok().filter(|number| plain && *number > 0);
    let bytes = number.and_then(|number| number.checked_mul(1 << shift)).filter(|bytes| *bytes < 1 << 62);
    bytes.ok_or_else(|| "is no number of bytes: write 500K, 10M, 2G or 1T".to_owned())
}

/// Bytes a second, as [`size`].
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let rate = size(text).ok().filter(|rate| *rate >= 1024);
    rate.ok_or_else(|| "is no rate in bytes a second: write 500K, 10M or 1G, at least 1K".to_owned())
}

/// A day, which is in it to its end (UTC), or a moment: seconds since 1970.
pub(super) fn until(text: &str) -> Result<i64, String> {
    const WRONG: &str = "is no day or moment: write 2030-12-31, or 2030-12-31T18:00:00Z";
    let (day, time) = match text.split_once(['T', 't', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let days = days(day).ok_or(WRONG)?;
    let seconds = match time {
        None => 86_400,
        Some(time) => {
            let time =
                time.strip_suffix(['Z', 'z']).ok_or("is no moment in UTC: write 2030-12-31T18:00:00Z")?;
            let parts: Vec<u32> = time.split(':').map(digits).collect::<Option<_>>().ok_or(WRONG)?;
            let [hour @ 0..24, minute @ 0..60, second @ 0..60] = parts[..] else {
                return Err(WRONG.to_owned());
            };
            i64::from(hour * 3600 + minute * 60 + second)
        }
    };
    Ok(days * 86_400 + seconds)
}

/// The days from 1970-01-01 to this one, which there is.
fn days(text: &str) -> Option<i64> {
    let parts: Vec<u32> = text.split('-').map(digits).collect::<Option<_>>()?;
    let [year @ 1970..10_000, month @ 1..=12, day @ 1..=31] = parts[..] else { return None };
    let leap = |year: u32| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let of_month = |month: u32| match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day > of_month(month) {
        return None;
    }
    let years: u32 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months: u32 = (1..month).map(of_month).sum();
    Some(i64::from(years + months + day - 1))
}

/// A number without a sign.
fn digits(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// One line that can be told to a client.
pub(super) fn line(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 500 || text.chars().any(char::is_control) {
        return Err("is no line of 1 to 500 bytes".to_owned());
    }
    Ok(text.to_owned())
}

/// What these words mean.
pub(super) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("is none of {}", words.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_listen_where_they_are_told() {
        let listen = |text: &str| text.parse::<Listen>();
        assert_eq!(listen("off"), Ok(Listen::Off));
        assert_eq!(listen(":2121"), Ok(Listen::Everywhere(2121)));
        for text in ["127.0.0.1:0", "[::1]:21", ":80"] {
            assert_eq!(listen(text).map(|listen| listen.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(listen("localhost:1"), listen("127.0.0.1:1"));
        for bad in ["", "2121", "::1:x", ":", ":65536", "example.org:21", "127.0.0.1"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_user_is_a_name_a_password_and_perhaps_letters() {
        let user = |text: &str| {
            let PlainUser(user) = text.parse().unwrap();
            let may = [user.may.read, user.may.write, user.may.delete, user.may.list];
            (user.name, may)
        };
        assert_eq!(user("ann:secret"), ("ann".to_owned(), [true; 4]));
        assert_eq!(user("ann:secret:rl"), ("ann".to_owned(), [true, false, false, true]));
        assert_eq!(user("ann:se:cret"), ("ann".to_owned(), [true; 4]), "the password has a colon in it");
        assert_eq!(user("ann:se:cret:w"), ("ann".to_owned(), [false, true, false, false]));
        for bad in ["ann", "ann:", ":secret", "anonymous:x", "FTP:x", "anonymous@::1:x", "a/b:x", "ann::rw"] {
            let error = bad.parse::<PlainUser>().unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn letters_are_known_and_stand_once() {
        assert_eq!(permissions(""), Ok(Permissions::default()));
        assert_eq!(permissions("ldwr"), Ok(ALL));
        assert!(permissions("rx").is_err());
        assert!(permissions("rr").is_err());
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(time("45s"), Ok(Duration::from_secs(45)));
        assert_eq!(time("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(time("2 h"), Ok(Duration::from_secs(7200)));
        for bad in ["", "5", "0s", "-1s", "1w", "s", "1.5h", "99999999999999999999s", "3651d"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_may_have_a_unit() {
        assert_eq!((size("1"), size("500K"), size("2G")), (Ok(1), Ok(512_000), Ok(2 << 30)));
        for bad in ["", "0", "-1", "+1", "1.5M", "1k", "1MB", "K", "99999999T"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_day_is_over_at_its_end() {
        assert_eq!(until("1970-01-01"), Ok(86_400));
        assert_eq!(until("2000-02-29"), Ok(951_868_800));
        assert_eq!(until("2030-12-31T18:00:00Z"), Ok(1_924_970_400));
        assert_eq!(until("2030-12-31 18:00:00z"), until("2030-12-31T18:00:00Z"));
        for bad in [
            "",
            "2030",
            "2030-13-01",
            "2030-02-30",
            "2100-02-29",
            "2030-1-",
            "+2030-01-01",
            "1969-12-31",
            "2030-12-31T18:00:00",
            "2030-12-31T24:00:00Z",
            "2030-12-31T18:00Z",
            "2030-12-31T18:00:00+01:00",
        ] {
            assert!(until(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_of_ports_go_up() {
        assert_eq!("50000-50999".parse(), Ok(Ports(50_000..=50_999)));
        assert_eq!("21 - 21".parse(), Ok(Ports(21..=21)));
        for bad in ["50000", "2-1", "0-10", "1-65536", "-", "a-b"] {
            assert!(bad.parse::<Ports>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_an_address_that_pasv_can_tell_is_external() {
        assert!(external_address("203.0.113.7").is_ok());
        for bad in ["::1", "0.0.0.0", "example.org"] {
            assert!(external_address(bad).is_err(), "{bad}");
        }
    }
}
