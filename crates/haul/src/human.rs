//! Numbers as people read them: sizes, rates, times. Binary units throughout, as the options take them (K = 1024).

use std::time::Duration;

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `999 B`, `1.5 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be printed as 1024.0.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `20.1 MiB/s`; what is no number is `0 B/s`.
pub(crate) fn rate(bytes_a_second: f64) -> String {
    // The cast saturates, and makes 0 of what is no number.
    format!("{}/s", size(bytes_a_second.round() as u64))
}

/// `52ms`, `2.3s`, `51s`, `1m 05s`, `2h 07m`, `3d 04h`.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..10 => format!("{:.1}s", (time.as_secs_f64() * 10.0).floor() / 10.0),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// The time that `missing` bytes take at `rate`, in whole seconds; `None` where nothing moves, or not within a year.
pub(crate) fn time_left(missing: u64, rate: f64) -> Option<String> {
    let seconds = missing as f64 / rate;
    if !(0.0..=366.0 * 86_400.0).contains(&seconds) {
        return None;
    }
    let seconds = seconds.ceil() as u64;
    Some(if seconds < 10 { format!("{seconds}s") } else { time(Duration::from_secs(seconds)) })
}

/// Whole percent, rounded down: 100 is said of nothing that is not whole. An empty file is whole.
pub(crate) fn percent(done: u64, size: u64) -> u64 {
    match size {
        0 => 100,
        _ => (u128::from(done.min(size)) * 100 / u128::from(size)) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_never_read_1024() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536 << 20, "1.5 GiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!(rate(20.1 * 1048576.0), "20.1 MiB/s");
        assert_eq!(rate(f64::NAN), "0 B/s");
    }

    #[test]
    fn times_have_two_units_at_most() {
        for (seconds, shown) in [
            (0.0345, "34ms"),
            (2.39, "2.3s"),
            (9.99, "9.9s"),
            (51.9, "51s"),
            (65.0, "1m 05s"),
            (7620.0, "2h 07m"),
            (273_600.0, "3d 04h"),
        ] {
            assert_eq!(time(Duration::from_secs_f64(seconds)), shown);
        }
    }

    #[test]
    fn time_left_is_told_only_where_something_moves() {
        assert_eq!(time_left(100, 50.0).as_deref(), Some("2s"));
        assert_eq!(time_left(6500, 100.0).as_deref(), Some("1m 05s"));
        assert_eq!(time_left(100, 0.0), None);
        assert_eq!(time_left(0, 0.0), None);
        assert_eq!(time_left(u64::MAX, 1.0), None);
    }

    #[test]
    fn percent_is_100_only_when_whole() {
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
        assert_eq!(percent(7, 7), 100);
        assert_eq!(percent(0, 0), 100);
    }
}
