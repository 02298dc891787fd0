//! A folder on standard output: one line an entry, for people and for `cut` alike.
//!
//! ```text
//! file          1234  2024-02-29 12:00:00  name
//! folder           -  2024-02-29           name/
//! link             -  -                    name -> target
//! ```
//! Sizes are bytes, dates are UTC and as exact as the server tells them. Names are last, since they may have anything
//! in them but what a terminal obeys.

use std::io::{self, Write as _};

use haul_proto::ftp::entry::{Entry, Kind, Precision, Stamp};
use haul_proto::ftp::time::time_val;
use haul_transfer::{folder, place};
use url::Url;

/// Prints them; several folders have their URLs above them.
pub(crate) fn print(entries: &[Entry], above: Option<&Url>) -> io::Result<()> {
    let mut text = above.map(|url| format!("{}:\n", place(url))).unwrap_or_default();
    for entry in entries {
        text += &line(entry);
    }
    if above.is_some() {
        text.push('\n');
    }
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads it may stop reading.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn line(entry: &Entry) -> String {
    let size = entry.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
    let date = entry.stamp.and_then(date).unwrap_or_else(|| "-".to_owned());
    let name = folder::told(entry.name.as_bytes());
    let (kind, behind) = match &entry.kind {
        Kind::File => ("file", String::new()),
        Kind::Folder => ("folder", "/".to_owned()),
        Kind::Link { target: None } => ("link", String::new()),
        Kind::Link { target: Some(target) } => ("link", format!(" -> {}", folder::told(target))),
    };
    format!("{kind:<6}  {size:>14}  {date:<19}  {name}{behind}\n")
}

/// `2024-02-29 12:00:00`, as far as it is known.
fn date(stamp: Stamp) -> Option<String> {
    let told = time_val(stamp.modified)?;
    let part = |from: usize, to: usize| told.get(from..to);
    let day = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    Some(match stamp.precision {
        Precision::Exact => format!("{day} {hour}:{minute}:{second}"),
        Precision::Minute => format!("{day} {hour}:{minute}"),
        Precision::Day => day,
    })
}

#[cfg(test)]
mod tests {
    use haul_proto::ftp::entry::Line;
    use haul_proto::ftp::{facts, list};

    use super::*;

    fn shown(parsed: Line) -> String {
        match parsed {
            Line::Entry(entry) => line(&entry),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_entry_is_a_line_whose_name_is_last() {
        let now = 1_709_208_000;
        for (parsed, expected) in [
            (
                facts::parse(b"type=file;size=1234;modify=20240229120001; a b"),
                "file              1234  2024-02-29 12:00:01  a b\n",
            ),
            (facts::parse(b"type=dir; d"), "folder               -  -                    d/\n"),
            (
                list::parse(b"-rw-r--r-- 1 a b 5 Feb 28 10:11 \x1b[2J\xff", now),
                "file                 5  2024-02-28 10:11     \\u{1b}[2J%FF\n",
            ),
            (
                list::parse(b"lrwxrwxrwx 1 a b 3 Jan  2  2020 l -> ../x", now),
                "link                 -  2020-01-02           l -> ../x\n",
            ),
        ] {
            assert_eq!(shown(parsed), expected);
        }
    }
}
