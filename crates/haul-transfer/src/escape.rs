//! Words from a far end, made safe to show: no control characters, no tricks with writing direction, no secrets.

use url::Url;

/// Longer words are cut.
const LONGEST: usize = 300;

/// The text with everything that could move a terminal's cursor or hide something written as `\u{…}`.
pub fn escape(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut safe = String::with_capacity(text.len());
    for c in text.chars().take(LONGEST) {
        if hidden(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    if text.chars().nth(LONGEST).is_some() {
        safe.push('…');
    }
    safe
}

/// A URL as it may be shown and written down: without userinfo, query and fragment, which may hold secrets.
pub fn place(url: &Url) -> String {
    let mut shown = format!("{}://", url.scheme());
    shown.push_str(&url[url::Position::BeforeHost..url::Position::AfterPath]);
    if url.query().is_some() {
        shown.push_str("?…");
    }
    escape(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_left_alone() {
        assert_eq!(escape("a\x1b[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        let url = Url::parse("http://me:secret@host:81/a%20b?token=x#y").unwrap();
        assert_eq!(place(&url), "http://host:81/a%20b?…");
    }
}
