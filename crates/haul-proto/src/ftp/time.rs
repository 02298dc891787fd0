//! Moments as FTP writes them: time-val, `YYYYMMDDHHMMSS[.fraction]` in UTC (RFC 3659 §2.3), in MDTM's reply (§3),
//! in the `modify` fact and in MFMT.
//!
//! Whether such a date may stand for the bytes is not judged here: it is told as not strong. Only the transfer knows
//! when it asked.

use haul_core::Modified;

use super::{digits, reply::Reply};

const DAY: i64 = 86_400;

/// The moment in the reply to MDTM.
pub fn mdtm(reply: &Reply) -> Option<Modified> {
    parse(digits::words(reply.text_of(213)?).next()?)
}

/// The moment that a time-val names.
///
/// Fifteen digits that begin with `191` are of a server that writes `19` and the years since 1900: `19100…` is 2000.
/// A second 60 is the first of the next minute.
pub fn parse(time_val: &[u8]) -> Option<Modified> {
    let (whole, rest) = digits::leading(time_val);
    let nanos = match rest.split_first() {
        None => 0,
        Some((b'.', fraction)) => nanos(fraction)?,
        Some(_) => return None,
    };
    let (year, rest) = match whole.len() {
        14 => (digits::number(whole.get(..4)?)?, whole.get(4..)?),
        15 if whole.starts_with(b"191") => (1900 + digits::number(whole.get(2..5)?)?, whole.get(5..)?),
        _ => return None,
    };
    let two = |at: usize| digits::number(rest.get(at..at + 2)?).and_then(|number| u32::try_from(number).ok());
    let date = Date { year: i64::try_from(year).ok()?, month: two(0)?, day: two(2)? };
    let seconds = date.days()? * DAY + clock(two(4)?, two(6)?, two(8)?)?;
    Some(Modified { seconds, nanos, strong: false })
}

/// The time-val of a moment, with a fraction only where there is one; `None` outside of the years 0 to 9999.
pub fn time_val(modified: Modified) -> Option<String> {
    let date = Date::of(modified.seconds.div_euclid(DAY))?;
    let second = modified.seconds.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = format!("{:04}{:02}{:02}{hour:02}{minute:02}{second:02}", date.year, date.month, date.day);
    if modified.nanos != 0 {
        let fraction = format!("{:09}", modified.nanos);
        text.push('.');
        text.push_str(fraction.trim_end_matches('0'));
    }
    Some(text)
}

/// Nanoseconds of the digits behind the point; what is finer is cut off.
fn nanos(fraction: &[u8]) -> Option<u32> {
    if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((0..9).fold(0, |sum, at| sum * 10 + fraction.get(at).map_or(0, |digit| u32::from(digit - b'0'))))
}

/// The seconds of a day until this time.
pub(super) fn clock(hour: u32, minute: u32, second: u32) -> Option<i64> {
    let valid = hour <= 23 && minute <= 59 && second <= 60;
    valid.then(|| i64::from(hour * 3600 + minute * 60 + second))
}

/// A day of the Gregorian calendar, extended backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    /// 0 to 9999.
    pub(super) year: i64,
    /// From 1.
    pub(super) month: u32,
    /// From 1.
    pub(super) day: u32,
}

impl Date {
    /// Days since 1970-01-01; `None` where there is no such day.
    pub(super) fn days(self) -> Option<i64> {
        let length = match self.month {
            2 if is_leap(self.year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(0..=9999).contains(&self.year) || !(1..=length).contains(&self.day) {
            return None;
        }
        // Years are counted from March, so that the leap day is the last of its year: then the months before one
        // have 30.6 days on average, rounded.
        let early = self.month < 3;
        let year = self.year - i64::from(early);
        let month = i64::from(if early { self.month + 9 } else { self.month - 3 });
        let before = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        Some(before + (month * 153 + 2) / 5 + i64::from(self.day) - 1 - DAYS_TO_1970)
    }

    /// The day that is so many days after 1970-01-01; `None` outside of the years 0 to 9999.
    pub(super) fn of(days: i64) -> Option<Self> {
        // A guess by the average year is at most one off.
        let guess = days.checked_add(DAYS_TO_1970)?.checked_mul(400)?.div_euclid(146_097);
        let start = |year| Self { year, month: 1, day: 1 }.days();
        let year = [guess + 1, guess, guess - 1]
            .into_iter()
            .find(|year| start(*year).is_some_and(|first| first <= days))?;
        let in_year = days - start(year)?;
        let length = if is_leap(year) { 366 } else { 365 };
        if in_year >= length {
            return None;
        }
        let month = (1..=12)
            .rev()
            .find(|month| Self { year, month: *month, day: 1 }.days().is_some_and(|first| first <= days))?;
        let first = Self { year, month, day: 1 }.days()?;
        Some(Self { year, month, day: u32::try_from(days - first + 1).ok()? })
    }
}

/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Option<i64> {
        parse(text.as_bytes()).map(|modified| modified.seconds)
    }

    #[test]
    fn moments_are_read() {
        assert_eq!(seconds("19700101000000"), Some(0));
        assert_eq!(seconds("19980615100045"), Some(897_904_845));
        assert_eq!(seconds("20000229235959"), Some(951_868_799));
        assert_eq!(seconds("20380119031408"), Some(1 << 31));
        assert_eq!(seconds("19691231235959"), Some(-1));
        assert_eq!(seconds("99991231235959"), Some(253_402_300_799));
        assert_eq!(seconds("20161231235960"), seconds("20170101000000"), "a leap second");
    }

    #[test]
    fn fractions_are_read() {
        let nanos = |text: &str| parse(text.as_bytes()).map(|modified| modified.nanos);
        assert_eq!(nanos("19980615100045.014"), Some(14_000_000));
        assert_eq!(nanos("19980615100045.1234567899"), Some(123_456_789));
        assert_eq!(nanos("19980615100045.0"), Some(0));
        assert_eq!(nanos("19980615100045."), None);
        assert_eq!(nanos("19980615100045.1a"), None);
    }

    #[test]
    fn years_since_1900_are_understood_where_they_can_be_nothing_else() {
        assert_eq!(seconds("191000229235959"), seconds("20000229235959"));
        assert_eq!(seconds("191240102030405"), seconds("20240102030405"));
        assert_eq!(seconds("201000229235959"), None);
    }

    #[test]
    fn what_is_no_moment_is_none() {
        let bad = [
            "",
            "1998061510004",
            "1998061510004a",
            "19980015100045",
            "19981315100045",
            "19980631100045",
            "19990229100045",
            "19000229100045",
            "19980615240045",
            "19980615106045",
            "19980615100061",
            "-9980615100045",
            "19980615100045Z",
        ];
        for text in bad {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn mdtm_is_read_from_a_213_only() {
        let told = mdtm(&Reply::new(213, &[b"19980615100045.5 "])).unwrap();
        assert_eq!((told.seconds, told.nanos, told.strong), (897_904_845, 500_000_000, false));
        assert_eq!(mdtm(&Reply::new(550, &[b"19980615100045"])), None);
        assert_eq!(mdtm(&Reply::new(213, &[b""])), None);
    }

    #[test]
    fn moments_out_of_reach_are_not_written() {
        let written = |seconds| time_val(Modified { seconds, nanos: 0, strong: false });
        assert_eq!(written(-62_167_219_200).as_deref(), Some("00000101000000"));
        for seconds in [-62_167_219_201, 253_402_300_800, i64::MAX, i64::MIN] {
            assert_eq!(written(seconds), None);
        }
    }

    proptest! {
        #[test]
        fn never_panics(any: Vec<u8>, near in "[0-9]{12,16}[.]?[0-9]{0,12}", seconds: i64, nanos: u32) {
            let _ = (parse(&any), parse(near.as_bytes()), time_val(Modified { seconds, nanos, strong: false }));
        }

        #[test]
        fn round_trips(seconds in -62_167_219_200..=253_402_300_799_i64, nanos in 0..1_000_000_000_u32) {
            let modified = Modified { seconds, nanos, strong: false };
            prop_assert_eq!(parse(time_val(modified).unwrap().as_bytes()), Some(modified));
        }
    }
}
