//! Dates as FTP writes them (RFC 3659, section 2.3) and as listings do; seconds since 1970 everywhere else.

const DAY: u64 = 24 * 60 * 60;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

struct Date {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn date_of(seconds: u64) -> Date {
    let (mut days, rest) = (seconds / DAY, seconds % DAY);
    let (mut year, mut month) = (1970, 1);
    while days >= days_of(year, month) {
        days -= days_of(year, month);
        month += 1;
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    Date { year, month, day: days + 1, hour, minute, second }
}

/// `YYYYMMDDHHMMSS`.
pub(super) fn stamp(seconds: u64) -> String {
    let Date { year, month, day, hour, minute, second } = date_of(seconds);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// The seconds of a `YYYYMMDDHHMMSS`, with or without a fraction.
pub(super) fn parse(stamp: &str) -> Option<u64> {
    let digits = stamp.split('.').next()?;
    if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| digits[range].parse::<u64>().ok();
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let years: u64 = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum();
    let months: u64 = (1..month).map(|month| days_of(year, month)).sum();
    let days = years + months + day - 1;
    Some(days * DAY + part(8..10)? * 3600 + part(10..12)? * 60 + part(12..14)?)
}

/// As `ls -l` writes one that is more than half a year old.
pub(super) fn unix(seconds: u64) -> String {
    let Date { year, month, day, .. } = date_of(seconds);
    format!("{} {day:2}  {year}", MONTHS[month as usize - 1])
}

/// As `dir` writes it.
pub(super) fn dos(seconds: u64) -> String {
    let Date { year, month, day, hour, minute, .. } = date_of(seconds);
    let half = if hour < 12 { "AM" } else { "PM" };
    format!("{month:02}-{day:02}-{:02}  {:02}:{minute:02}{half}", year % 100, (hour + 11) % 12 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_what_it_was_made_of() {
        assert_eq!(stamp(1_700_000_000), "20231114221320");
        for seconds in [0, 951_782_399, 951_782_400, 1_700_000_000, 4_102_444_799] {
            assert_eq!(parse(&stamp(seconds)), Some(seconds));
        }
        assert_eq!(parse("20230229000000"), None);
        assert_eq!(
            (unix(1_700_000_000), dos(1_700_000_000)),
            ("Nov 14  2023".into(), "11-14-23  10:13PM".into())
        );
    }
}
