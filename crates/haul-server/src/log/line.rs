//! An event as a line: for people and fail2ban, or as JSON. And the dates in such lines, in UTC.
//!
//! Whatever a client sent stays within its quotes and on its line.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use haul_core::Modified;
use haul_proto::ftp::time;

use super::{
    Format,
    event::{Event, Value},
};

/// The line of an event, with its end.
pub(super) fn of(format: Format, when: SystemTime, event: &Event) -> String {
    match format {
        Format::Text => text(when, event),
        Format::Json => json(when, event),
    }
}

/// `2026-11-21T18:33:34.120Z login failed user="bob" address=192.0.2.1 session=7`
fn text(when: SystemTime, event: &Event) -> String {
    let (name, fields) = event.told();
    let mut line = format!("{} {name}", date(when));
    // Writing to a String cannot fail.
    for (key, value) in fields {
        let _ = match value {
            Value::Text(text) => write!(line, " {key}={}", quoted(&text)),
            Value::Word(word) => write!(line, " {key}={word}"),
            Value::Number(number) => write!(line, " {key}={number}"),
            Value::Seconds(seconds) => write!(line, " {key}={:.3}", seconds.as_secs_f64()),
            Value::Flag(flag) => write!(line, " {key}={}", if flag { "yes" } else { "no" }),
        };
    }
    line.push('\n');
    line
}

/// One object; text that is no UTF-8 is made so.
fn json(when: SystemTime, event: &Event) -> String {
    let (name, fields) = event.told();
    let string = |text: &str| serde_json::Value::from(text).to_string();
    let mut line = format!(r#"{{"time":"{}","event":{}"#, date(when), string(name));
    for (key, value) in fields {
        let value = match value {
            Value::Text(text) => string(&String::from_utf8_lossy(&text)),
            Value::Word(word) => string(&word),
            Value::Number(number) => number.to_string(),
            Value::Seconds(seconds) => format!("{:.3}", seconds.as_secs_f64()),
            Value::Flag(flag) => flag.to_string(),
        };
        let _ = write!(line, r#","{key}":{value}"#);
    }
    line.push_str("}\n");
    line
}

/// In quotes; a quote, a backslash, what is no UTF-8 and what could move a terminal's cursor are escaped.
fn quoted(text: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                c if c.is_ascii_control() => {
                    let _ = write!(quoted, "\\x{:02x}", u32::from(c));
                }
                // Direction marks, line separators and the like.
                c if !c.is_ascii() => quoted.extend(c.escape_debug()),
                c => quoted.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(quoted, "\\x{byte:02x}");
        }
    }
    quoted.push('"');
    quoted
}

/// `2026-11-21T18:33:34.120Z`
pub(crate) fn date(when: SystemTime) -> String {
    let Moment { digits, millis, .. } = Moment::of(when);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or("00");
    format!(
        "{}-{}-{}T{}:{}:{}.{millis:03}Z",
        digits.get(..4).unwrap_or("0000"),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    )
}

/// `Sat Nov 21 18:33:34 2026`, as C's `ctime` writes.
pub(super) fn ctime(when: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Moment { digits, seconds, .. } = Moment::of(when);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or("00");
    let number = |from: usize, to: usize| part(from, to).parse::<usize>().unwrap_or(1);
    let weekday =
        usize::try_from((seconds / 86_400) % 7).ok().and_then(|day| DAYS.get(day)).unwrap_or(&"Thu");
    let month = MONTHS.get(number(4, 6).saturating_sub(1)).unwrap_or(&"Jan");
    let year = digits.get(..4).unwrap_or("0000");
    format!("{weekday} {month} {:2} {}:{}:{} {year}", number(6, 8), part(8, 10), part(10, 12), part(12, 14))
}

struct Moment {
    seconds: u64,
    /// `YYYYMMDDHHMMSS`.
    digits: String,
    millis: u32,
}

impl Moment {
    fn of(when: SystemTime) -> Self {
        let since = when.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let digits = time::time_val(Modified { seconds, nanos: 0, strong: false }).unwrap_or_default();
        Self { seconds: since.as_secs(), digits, millis: since.subsec_millis() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::DoorName;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_286_014_120)
    }

    fn failed(user: &[u8]) -> Event {
        Event::LoginFailed {
            door: DoorName::Ftp,
            session: 7,
            user: user.to_vec(),
            address: "::ffff:192.0.2.1".parse().unwrap(),
        }
    }

    #[test]
    fn a_failed_login_is_one_stable_line() {
        assert_eq!(
            of(Format::Text, now(), &failed(b"bob")),
            "2026-11-21T18:33:34.120Z login failed user=\"bob\" address=192.0.2.1 session=7\n"
        );
        assert_eq!(
            of(Format::Json, now(), &failed(b"bob")),
            r#"{"time":"2026-11-21T18:33:34.120Z","event":"login failed","user":"bob","address":"192.0.2.1","session":7}"#
                .to_owned()
                + "\n"
        );
    }

    #[test]
    fn nothing_that_a_client_sends_leaves_its_quotes() {
        for evil in [
            &b"a\" address=1.1.1.1 \"b"[..],
            b"a\r\nlogin failed",
            b"\x1b[2J",
            b"\\\" address=1.1.1.1",
            "\u{202e}\u{2028}".as_bytes(),
            b"\xff\xfe\"",
        ] {
            let line = of(Format::Text, now(), &failed(evil));
            let inside = line
                .split_once("user=\"")
                .unwrap()
                .1
                .strip_suffix("\" address=192.0.2.1 session=7\n")
                .unwrap();
            assert!(inside.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{inside}");
            let unescaped = inside.replace("\\\\", "").replace("\\\"", "");
            assert!(!unescaped.contains('"'), "{inside}");
            let json: serde_json::Value =
                serde_json::from_str(&of(Format::Json, now(), &failed(evil))).unwrap();
            assert_eq!(json["user"], String::from_utf8_lossy(evil).as_ref());
        }
    }

    #[test]
    fn a_name_that_is_text_is_shown_as_such() {
        assert_eq!(quoted("übel é".as_bytes()), "\"übel é\"");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(ctime(now()), "Sat Nov 21 18:33:34 2026");
        assert_eq!(ctime(SystemTime::UNIX_EPOCH), "Thu Jan  1 00:00:00 1970");
        assert_eq!(date(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }
}
