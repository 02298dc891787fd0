//! The lines of LIST, whose form no document fixes (RFC 959 §4.1.3): as `ls -l` prints them, as DOS does, and EPLF
//! (Bernstein's easily parsed list format).
//!
//! MLSD is better wherever there is one: here dates are rounded, of a zone that is not told, and often without a year,
//! so the present time comes in; names are what follows the date, and one that begins with spaces is known only by
//! counting columns.

use haul_core::Modified;

use super::{
    digits,
    entry::{Kind, Line, Precision, Stamp},
    time::{self, Date},
};

const DAY: i64 = 86_400;

/// The date is among the first words, or the line is not one of ours.
const MOST_WORDS: usize = 16;

/// What one line of LIST is, read at `now` (seconds since 1970).
pub fn parse(line: &[u8], now: i64) -> Line {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let words: Vec<Word<'_>> = words(line).take(MOST_WORDS).collect();
    // `total 12`, in whatever language.
    let total = matches!(words.as_slice(), [_, number] if digits::number(number.text).is_some());
    if words.is_empty() || total {
        return Line::Nothing;
    }
    eplf(line).or_else(|| unix(line, &words, now)).or_else(|| dos(line, &words)).unwrap_or(Line::Unreadable)
}

/// A word and where it ends in its line.
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a [u8],
    end: usize,
}

fn words(line: &[u8]) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + line.get(at..)?.iter().position(|byte| *byte != b' ')?;
        let rest = line.get(start..)?;
        let text = rest.split(|byte| *byte == b' ').next()?;
        at = start + text.len();
        Some(Word { text, end: at })
    })
}

/// `+facts,<TAB>name`: `/` a folder, `r` a file, `s` its size, `m` its date.
fn eplf(line: &[u8]) -> Option<Line> {
    let line = line.strip_prefix(b"+")?;
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let (mut kind, mut size, mut stamp) = (None, None, None);
    for fact in line.get(..tab)?.split(|byte| *byte == b',') {
        match fact {
            b"/" => kind = Some(Kind::Folder),
            b"r" => kind = kind.or(Some(Kind::File)),
            [b's', number @ ..] => size = digits::number(number),
            [b'm', number @ ..] => {
                let seconds = digits::number(number).and_then(|seconds| i64::try_from(seconds).ok());
                stamp = seconds.map(|seconds| stamped(seconds, Precision::Exact));
            }
            _ => {}
        }
    }
    // Neither to be entered nor to be fetched.
    Some(kind.map_or(Line::Nothing, |kind| {
        Line::entry(line.get(tab + 1..).unwrap_or_default(), kind, size, stamp)
    }))
}

/// `-rw-r--r-- 1 owner group 1234 Jan 31 23:59 name`: the date is found by its look, whatever columns are missing.
fn unix(line: &[u8], words: &[Word<'_>], now: i64) -> Option<Line> {
    let kind = match mode(words)? {
        b'-' => Kind::File,
        b'd' => Kind::Folder,
        b'l' => Kind::Link { target: None },
        _ => return Some(Line::Nothing),
    };
    // First with a month that is known, else an owner called `5` could be taken for a part of the date; without one,
    // at least the number of links and the owner must stand before the size.
    let (size, (stamp, last)) =
        [(Months::English, 1), (Months::Any, 3)].into_iter().find_map(|(months, from)| {
            (from..words.len()).find_map(|at| {
                let size = digits::number(words.get(at)?.text)?;
                Some((size, unix_date(words.get(at + 1..)?, months, now)?))
            })
        })?;
    // One space stands behind the date; any more belong to the name.
    let name = line.get(last.end + 1..).filter(|name| !name.is_empty())?;
    Some(match kind {
        Kind::Link { .. } => {
            let (name, target) = link(name, size);
            Line::entry(name, Kind::Link { target: target.map(<[u8]>::to_vec) }, None, stamp)
        }
        // `ls -F` and its like mark folders.
        Kind::Folder => Line::entry(name.strip_suffix(b"/").unwrap_or(name), kind, None, stamp),
        Kind::File => Line::entry(name, kind, Some(size), stamp),
    })
}

/// The first letter of `-rw-r--r--`, or of NetWare's `- [RWCEAFMS]`.
fn mode(words: &[Word<'_>]) -> Option<u8> {
    let (kind, bits) = words.first()?.text.split_first()?;
    let known = matches!(kind, b'-' | b'd' | b'l' | b'b' | b'c' | b'p' | b's' | b'D');
    let netware = bits.is_empty() && words.get(1).is_some_and(|rights| rights.text.starts_with(b"["));
    let unix = bits.get(..9).is_some_and(|bits| bits.iter().all(|bit| b"rwxsStTlL-".contains(bit)));
    (known && (unix || netware)).then_some(*kind)
}

/// A link's name and target: at the arrow that leaves a target as long as the link's size, else at the first.
fn link(text: &[u8], size: u64) -> (&[u8], Option<&[u8]>) {
    const ARROW: &[u8] = b" -> ";
    let split = |at: usize| (text.get(..at).unwrap_or_default(), text.get(at + ARROW.len()..));
    let mut arrows =
        text.windows(ARROW.len()).enumerate().filter(|(_, window)| *window == ARROW).map(|(at, _)| at);
    let fits = |at: &usize| split(*at).1.is_some_and(|target| u64::try_from(target.len()) == Ok(size));
    arrows.clone().find(fits).or_else(|| arrows.next()).map_or((text, None), split)
}

/// Which words may be months.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Months {
    English,
    /// Any word; then there is no date to be had, but the name is found.
    Any,
}

/// The date at the beginning of these words, and its last word.
fn unix_date<'a>(words: &[Word<'a>], months: Months, now: i64) -> Option<(Option<Stamp>, Word<'a>)> {
    let (first, second) = (words.first()?, words.get(1)?);
    if let Some(date) = iso_date(first.text) {
        let (clock, full) = iso_clock(second.text)?;
        let stamp = date.days().map(|days| stamped(days * DAY + clock, Precision::Minute));
        // `ls --full-time` adds the zone.
        return Some((stamp, if full { *words.get(2)? } else { *second }));
    }
    let (month, day) = if digits::number(second.text).is_some() { (first, second) } else { (second, first) };
    let last = words.get(2)?;
    let day = u32::try_from(digits::number(day.text)?).ok().filter(|day| (1..=31).contains(day))?;
    let known = month_number(month.text);
    if known.is_none() && (months == Months::English || month.text.iter().any(u8::is_ascii_digit)) {
        return None;
    }
    let year = digits::number(last.text).filter(|year| last.text.len() == 4 && (1900..2200).contains(year));
    let clock = clock_of(last.text);
    if year.is_none() && clock.is_none() {
        return None;
    }
    let stamp = known.and_then(|month| match (year, clock) {
        (Some(year), _) => {
            let days = Date { year: i64::try_from(year).ok()?, month, day }.days()?;
            Some(stamped(days * DAY, Precision::Day))
        }
        (None, clock) => Some(stamped(latest(month, day, clock?, now)?, Precision::Minute)),
    });
    Some((stamp, *last))
}

/// The last time that it was this day and time: `ls` leaves out the year of the past half year. The server's zone or
/// clock may be ahead of ours, by up to a day.
fn latest(month: u32, day: u32, clock: i64, now: i64) -> Option<i64> {
    let present = Date::of(now.div_euclid(DAY))?.year;
    (present - 8..=present + 1).rev().find_map(|year| {
        let seconds = Date { year, month, day }.days()? * DAY + clock;
        (seconds <= now.saturating_add(DAY)).then_some(seconds)
    })
}

fn month_number(word: &[u8]) -> Option<u32> {
    const MONTHS: [&[u8]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    (1..).zip(MONTHS).find(|(_, month)| month.eq_ignore_ascii_case(word)).map(|(number, _)| number)
}

/// `YYYY-MM-DD`.
fn iso_date(word: &[u8]) -> Option<Date> {
    let [year, month, day] = numbers(word, b'-')?;
    let date = Date { year: i64::from(year), month, day };
    (word.len() == 10 && year >= 1000 && date.days().is_some()).then_some(date)
}

/// `HH:MM`, or `HH:MM:SS.fraction`, which is the full form.
fn iso_clock(word: &[u8]) -> Option<(i64, bool)> {
    let whole = word.split(|byte| *byte == b'.').next()?;
    if let Some(clock) = clock_of(whole) {
        return Some((clock, false));
    }
    let [hour, minute, second] = numbers(whole, b':')?;
    Some((time::clock(hour, minute, second)?, true))
}

/// `HH:MM`, in seconds.
fn clock_of(word: &[u8]) -> Option<i64> {
    let [hour, minute] = numbers(word, b':')?;
    time::clock(hour, minute, 0)
}

/// Exactly so many numbers, joined by this byte.
fn numbers<const N: usize>(word: &[u8], separator: u8) -> Option<[u32; N]> {
    let parts = word.split(|byte| *byte == separator);
    let numbers: Option<Vec<u32>> = parts.map(|part| u32::try_from(digits::number(part)?).ok()).collect();
    numbers?.try_into().ok()
}

/// `12-31-99  11:59PM       <DIR>          name`, or a size instead of `<DIR>`.
fn dos(line: &[u8], words: &[Word<'_>]) -> Option<Line> {
    let [date, clock, what, ..] = words else { return None };
    let (date, clock) = (dos_date(date.text)?, dos_clock(clock.text)?);
    let stamp = date.days().map(|days| stamped(days * DAY + clock, Precision::Minute));
    let behind = line.get(what.end..)?;
    if what.text.starts_with(b"<") && what.text.ends_with(b">") {
        // The name's column is ten behind.
        let spaces = behind.iter().take(10).take_while(|byte| **byte == b' ').count();
        let name = behind.get(spaces..).filter(|name| spaces > 0 && !name.is_empty())?;
        let kind = if what.text == b"<DIR>" { Kind::Folder } else { Kind::Link { target: None } };
        return Some(Line::entry(dos_link(name, &kind), kind, None, stamp));
    }
    let digits: Vec<u8> = what.text.iter().copied().filter(|byte| *byte != b',').collect();
    let size = digits::number(&digits)?;
    let name = behind.strip_prefix(b" ").filter(|name| !name.is_empty())?;
    Some(Line::entry(name, Kind::File, Some(size), stamp))
}

/// The name of a `<SYMLINKD>` or `<JUNCTION>`, without ` [target]` behind it.
fn dos_link<'a>(name: &'a [u8], kind: &Kind) -> &'a [u8] {
    let bracket = name.windows(2).position(|pair| pair == b" [").filter(|at| *at > 0 && name.ends_with(b"]"));
    match (kind, bracket) {
        (Kind::Link { .. }, Some(at)) => name.get(..at).unwrap_or(name),
        _ => name,
    }
}

/// `MM-DD-YY`, `MM-DD-YYYY` or `YYYY-MM-DD`.
fn dos_date(word: &[u8]) -> Option<Date> {
    let separator = *word.iter().find(|byte| matches!(byte, b'-' | b'/'))?;
    let [first, second, third] = numbers(word, separator)?;
    let (year, month, day) = if first >= 1000 { (first, second, third) } else { (third, first, second) };
    let year = match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        _ => year,
    };
    Some(Date { year: i64::from(year), month, day })
}

/// `HH:MM`, with or without AM or PM.
fn dos_clock(word: &[u8]) -> Option<i64> {
    let (digits, half) = match word.split_last_chunk::<2>() {
        Some((digits, half)) if half.eq_ignore_ascii_case(b"AM") => (digits, Some(0)),
        Some((digits, half)) if half.eq_ignore_ascii_case(b"PM") => (digits, Some(12)),
        _ => (word, None),
    };
    let [hour, minute] = numbers(digits, b':')?;
    match half {
        None => time::clock(hour, minute, 0),
        Some(half) => time::clock((1..=12).contains(&hour).then_some(hour % 12 + half)?, minute, 0),
    }
}

fn stamped(seconds: i64, precision: Precision) -> Stamp {
    Stamp { modified: Modified { seconds, nanos: 0, strong: false }, precision }
}

#[cfg(test)]
mod tests;
