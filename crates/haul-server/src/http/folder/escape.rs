//! Text in HTML (HTML Living Standard §13.1.2): whatever a name has in it, it stays text, between tags and within
//! quotes.

use std::fmt::{self, Write as _};

/// A name, or other bytes that are to be shown. What is not UTF-8 is shown as U+FFFD, and a control character by its
/// picture.
pub(super) struct Shown<'a>(pub(super) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for shown in String::from_utf8_lossy(self.0).chars() {
            match shown {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '"' => out.write_str("&quot;")?,
                '\'' => out.write_str("&#39;")?,
                '\u{7f}' => out.write_char('\u{2421}')?,
                '\0'..='\x1f' => {
                    out.write_char(char::from_u32(0x2400 + u32::from(shown)).unwrap_or('\u{fffd}'))?;
                }
                '\u{80}'..='\u{9f}' => out.write_char('\u{fffd}')?,
                shown => out.write_char(shown)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Shown;

    #[test]
    fn nothing_of_a_name_is_markup() {
        let name = b"<b>&amp;\"x\"='y'\xff\x1b[1m\t\x7f\xc2\x85";
        let shown = Shown(name).to_string();
        assert_eq!(
            shown,
            "&lt;b&gt;&amp;amp;&quot;x&quot;=&#39;y&#39;\u{fffd}\u{241b}[1m\u{2409}\u{2421}\u{fffd}"
        );
    }
}
