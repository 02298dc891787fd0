//! Lines of LIST and NLST, written. No document fixes the form (RFC 959 §4.1.3), so it is the one that every client
//! reads: `ls -l` of GNU, in English, times in UTC.
//!
//! Whoever calls this knows what is in the folder; here is only how it looks. Names go out as they are: they have no
//! line end in them, by the rules of a path.

use std::io::Write as _;

use super::{
    facts::{self, Chosen},
    step::Listed,
};
use crate::ftp::time::Date;

const DAY: i64 = 86_400;

/// Half an average year, as `ls` counts it: an older file shows its year instead of its time.
const HALF_A_YEAR: i64 = 15_778_476;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends `-rw-r--r--   1 owner    group        1234 Jan 31 23:59 name`, without a line end. `now` is in seconds since
/// 1970.
pub fn long(listed: &Listed, now: i64, out: &mut Vec<u8>) {
    let mode = mode(listed);
    let (owner, group) = (one_word(&listed.owner.0), one_word(&listed.owner.1));
    let links = if listed.folder { 2 } else { 1 };
    let date = date(listed.modified.seconds, now);
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{mode} {links:3} {owner:8} {group:8} {:12} {date} ", listed.size);
    out.extend_from_slice(&listed.name);
}

/// Appends the name, as NLST tells it.
pub fn name(listed: &Listed, out: &mut Vec<u8>) {
    out.extend_from_slice(&listed.name);
}

/// How a list looks on a data connection: lines that end in CR LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// LIST, at this time (seconds since 1970).
    Long {
        /// The present.
        now: i64,
    },
    /// NLST.
    Names,
    /// MLSD.
    Facts(Chosen),
}

impl Form {
    /// Appends the line of an entry, with its line end.
    pub fn write(self, listed: &Listed, out: &mut Vec<u8>) {
        match self {
            Self::Long { now } => long(listed, now, out),
            Self::Names => name(listed, out),
            Self::Facts(chosen) => out.append(&mut facts::line(listed, chosen)),
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// `drwxr-xr-x`.
fn mode(listed: &Listed) -> String {
    let bits = (0..9).map(|at| match (listed.mode >> (8 - at) & 1, at % 3) {
        (0, _) => '-',
        (_, 0) => 'r',
        (_, 1) => 'w',
        _ => 'x',
    });
    std::iter::once(if listed.folder { 'd' } else { '-' }).chain(bits).collect()
}

/// A column must be one word: a blank in it would shift all that follow.
fn one_word(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    text.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect()
}

/// `Jan 31 23:59`, or `Jan 31  2023` of what is older than half a year or lies ahead.
fn date(seconds: i64, now: i64) -> String {
    // A year that clients take for something else (a size, a name) is told as the first day that has a number.
    let told = Date::of(seconds.div_euclid(DAY)).filter(|date| (1900..2200).contains(&date.year));
    let (date, seconds) = told.map_or((Date { year: 1970, month: 1, day: 1 }, 0), |date| (date, seconds));
    let month = usize::try_from(date.month).ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let month = month.copied().unwrap_or("Jan");
    let age = now.saturating_sub(seconds);
    if (0..HALF_A_YEAR).contains(&age) {
        let second = seconds.rem_euclid(DAY);
        format!("{month} {:2} {:02}:{:02}", date.day, second / 3600, second / 60 % 60)
    } else {
        format!("{month} {:2}  {:4}", date.day, date.year)
    }
}

#[cfg(test)]
mod tests {
    use haul_core::Modified;
    use proptest::prelude::*;

    use super::*;
    use crate::ftp::{
        entry::{Kind, Line, Precision},
        list,
        server::step::May,
    };

    /// 2024-07-01T12:00:00Z
    const NOW: i64 = 1_719_835_200;

    fn listed(name: &[u8], seconds: i64) -> Listed {
        Listed {
            name: name.to_vec(),
            folder: false,
            size: 1234,
            modified: Modified { seconds, nanos: 0, strong: false },
            unique: Vec::new(),
            mode: 0o644,
            owner: ("haul".to_owned(), "users".to_owned()),
            may: May::default(),
            unfinished: false,
        }
    }

    fn text(listed: &Listed) -> String {
        let mut out = Vec::new();
        long(listed, NOW, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_looks_as_that_of_ls() {
        assert_eq!(
            text(&listed(b"a b", NOW - 60)),
            "-rw-r--r--   1 haul     users            1234 Jul  1 11:59 a b"
        );
        let folder = Listed { folder: true, size: 0, mode: 0o2751, ..listed(b"d", 0) };
        assert_eq!(text(&folder), "drwxr-x--x   2 haul     users               0 Jan  1  1970 d");
    }

    #[test]
    fn half_a_year_ago_and_tomorrow_show_their_year() {
        let date = |seconds| text(&listed(b"a", seconds)).split_at(46).1.to_owned();
        assert_eq!(date(NOW), "Jul  1 12:00 a");
        assert_eq!(date(NOW - HALF_A_YEAR + 1), "Dec 31 21:05 a");
        assert_eq!(date(NOW - HALF_A_YEAR), "Dec 31  2023 a");
        assert_eq!(date(NOW + 1), "Jul  1  2024 a");
        for beyond in [i64::MIN, i64::MAX, -5_000_000_000, 9_000_000_000] {
            assert_eq!(date(beyond), "Jan  1  1970 a");
        }
    }

    #[test]
    fn no_column_has_a_blank_in_it() {
        let odd = Listed { owner: ("domain users\n".to_owned(), String::new()), ..listed(b"a", NOW) };
        assert!(text(&odd).contains(" domain_users_ -        "));
    }

    #[test]
    fn each_form_ends_its_line() {
        let mut out = Vec::new();
        Form::Names.write(&listed(b"a\xff", 0), &mut out);
        Form::Facts(Chosen::parse(b"size;")).write(&listed(b"a", 0), &mut out);
        assert_eq!(out, b"a\xff\r\nsize=1234; a\r\n");
    }

    proptest! {
        #[test]
        fn our_own_client_reads_it(
            name in "[^\r\n\0/\\\\]{1,30}", size: u64, folder: bool, owner in "[a-z0-9 ]{0,12}",
            seconds in (NOW - 400 * DAY)..(NOW + 300 * DAY), mode in 0..0o1000_u32,
        ) {
            prop_assume!(name != "." && name != ".." && !(folder && name.ends_with('/')));
            let written =
                Listed { size, folder, mode, owner: (owner.clone(), owner), ..listed(name.as_bytes(), seconds) };
            let line = text(&written);
            let Line::Entry(entry) = list::parse(line.as_bytes(), NOW) else { panic!("{line:?}") };
            prop_assert_eq!(entry.name.as_bytes(), name.as_bytes());
            prop_assert_eq!(entry.kind, if folder { Kind::Folder } else { Kind::File });
            prop_assert_eq!(entry.size, (!folder).then_some(size));
            let stamp = entry.stamp.unwrap();
            let step = if stamp.precision == Precision::Day { DAY } else { 60 };
            prop_assert_eq!(stamp.modified.seconds, seconds.div_euclid(step) * step);
        }
    }
}
