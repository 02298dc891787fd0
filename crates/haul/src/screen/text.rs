//! What came from elsewhere, made harmless for a terminal: the one place where that is done.
//!
//! File names, reasons, dates and URLs are chosen by servers. A terminal obeys control characters (CVE after CVE), and
//! a reader is misled by characters that turn the direction of writing or cannot be seen. Each such character is
//! written out as `\u{1b}`. Text that was escaped once stays as it is when it is escaped again.

use std::borrow::Cow;
use std::fmt::Write as _;

use haul_transfer::is_harmful;

/// `text` with every harmful character written out.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// JSON text in which harmful characters stand as JSON's own escapes: exact for a program, harmless for a terminal.
///
/// `serde_json` escapes what JSON demands, and in JSON text all other characters stand inside of strings.
pub(crate) fn safe_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_harmful) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_of_any_script_stays_as_it_is() {
        for text in ["name.iso", "Überraschung — ファイル.bin", "a\u{200d}b", "תמונה.png", "👍"]
        {
            assert!(matches!(safe(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn control_and_direction_characters_are_written_out() {
        for (text, shown) in [
            ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
            ("a\r\nb\t", "a\\u{d}\\u{a}b\\u{9}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("x\u{2066}\u{200f}\u{feff}", "x\\u{2066}\\u{200f}\\u{feff}"),
            ("\u{e0041}\u{2028}", "\\u{e0041}\\u{2028}"),
        ] {
            assert_eq!(safe(text), shown);
            assert_eq!(safe(&safe(text)), shown, "escaping twice is escaping once");
        }
    }

    #[test]
    fn json_stays_exact_and_becomes_harmless() {
        for name in ["a\x1b[2J\u{9b}\u{202e}\u{e0041}\"\\", "plain"] {
            let json = serde_json::to_string(name).unwrap();
            let safe = safe_json(&json);
            assert!(!safe.contains(is_harmful), "{safe}");
            assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), name);
        }
    }
}
