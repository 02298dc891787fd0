//! Words from a far end, made safe to show: no control characters, no tricks with writing direction, no secrets.

use url::Url;

/// Longer words are cut.
const LONGEST: usize = 300;

/// Whether a terminal might obey this character, or a reader not see it.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Direction of writing: marks, embeddings, overrides, isolates (UAX #9).
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
            // Nothing to be seen: zero-width space, word joiner and its like, BOM, annotations, tags.
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// The text with everything that could move a terminal's cursor or hide something written as `\u{…}`.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars().take(LONGEST) {
        if is_harmful(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
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
