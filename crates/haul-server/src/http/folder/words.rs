//! Sizes and dates as people read them.

use haul_core::Modified;
use haul_proto::ftp::time;

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `999 B`, `1.5 GiB`.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut units = UNITS.iter();
    let (mut value, mut unit) = (bytes as f64 / 1024.0, units.next());
    // 1023.95 would be written as 1024.0.
    while value >= 1023.95
        && let Some(next) = units.next()
    {
        (value, unit) = (value / 1024.0, Some(next));
    }
    format!("{value:.1} {}", unit.copied().unwrap_or_default())
}

/// `1,234,567`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A moment in UTC.
pub(super) struct Moment {
    /// `2026-11-22T01:49:25Z`
    pub(super) exact: String,
    /// `2026-11-22 01:49`
    pub(super) short: String,
}

/// In UTC; `None` outside of the years 0 to 9999.
pub(super) fn moment(modified: Modified) -> Option<Moment> {
    let digits = time::time_val(Modified { nanos: 0, ..modified })?;
    let part = |from: usize, to: usize| digits.get(from..to);
    let day = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    Some(Moment {
        exact: format!("{day}T{hour}:{minute}:{second}Z"),
        short: format!("{day} {hour}:{minute}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, words) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1575, "1.5 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), words);
        }
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn dates_are_in_utc() {
        let at = |seconds| moment(Modified { seconds, nanos: 5, strong: false });
        let told = at(1_795_312_165).unwrap();
        assert_eq!((told.exact.as_str(), told.short.as_str()), ("2026-11-22T01:49:25Z", "2026-11-22 01:49"));
        assert_eq!(at(-1).unwrap().exact, "1969-12-31T23:59:59Z");
        assert!(at(i64::MAX).is_none());
    }
}
