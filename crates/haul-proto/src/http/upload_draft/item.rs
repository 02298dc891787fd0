//! Items of structured fields (RFC 9651 §4.2.3): an Integer or a Boolean, with parameters that are checked and passed
//! over.
//!
//! Read strictly, as the RFC asks: what is not wholly an Item is nothing at all.

use http::{HeaderMap, HeaderValue, header::HeaderName};

use crate::http::field::Single;

/// The largest Integer that a structured field can name: 15 digits.
pub const LARGEST: u64 = 999_999_999_999_999;

/// The number in a field that is one Integer and not negative; `None` where it is not there or is something else.
pub fn integer_of(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    integer(Single::of(headers, name).value()?)
}

/// The truth in a field that is one Boolean; `None` where it is not there or is something else.
pub fn truth_of(headers: &HeaderMap, name: &HeaderName) -> Option<bool> {
    boolean(Single::of(headers, name).value()?)
}

/// A field that is one Integer and not negative.
pub(super) fn integer(value: &HeaderValue) -> Option<u64> {
    match item(value)? {
        Bare::Integer(number) => u64::try_from(number).ok(),
        Bare::Boolean(_) | Bare::Other => None,
    }
}

/// A field that is one Boolean.
pub(super) fn boolean(value: &HeaderValue) -> Option<bool> {
    match item(value)? {
        Bare::Boolean(truth) => Some(truth),
        Bare::Integer(_) | Bare::Other => None,
    }
}

/// What an item is, without its parameters.
enum Bare {
    Integer(i64),
    Boolean(bool),
    /// A decimal, string, token, byte sequence, date or display string.
    Other,
}

fn item(value: &HeaderValue) -> Option<Bare> {
    let mut rest = Rest(value.as_bytes());
    rest.spaces();
    let bare = rest.bare()?;
    rest.parameters()?;
    rest.spaces();
    rest.0.is_empty().then_some(bare)
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Takes one byte if it is this one.
    fn eat(&mut self, byte: u8) -> bool {
        let there = self.0.first() == Some(&byte);
        if there {
            self.0 = &self.0[1..];
        }
        there
    }

    /// Takes bytes as long as they are of a kind.
    fn run(&mut self, kind: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !kind(*byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn spaces(&mut self) {
        self.run(|byte| byte == b' ');
    }

    fn parameters(&mut self) -> Option<()> {
        while self.eat(b';') {
            self.spaces();
            let starts = self.next()?;
            if !matches!(starts, b'a'..=b'z' | b'*') {
                return None;
            }
            self.run(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*'));
            if self.eat(b'=') {
                self.bare()?;
            }
        }
        Some(())
    }

    fn bare(&mut self) -> Option<Bare> {
        match self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'?' => self.boolean(),
            b'"' => self.string(),
            b'%' => self.display_string(),
            b':' => self.bytes(),
            b'@' => self.date(),
            b'A'..=b'Z' | b'a'..=b'z' | b'*' => {
                self.run(is_token);
                Some(Bare::Other)
            }
            _ => None,
        }
    }

    /// §4.2.4: up to 15 digits, or up to 12 with up to three behind a point.
    fn number(&mut self) -> Option<Bare> {
        let negative = self.eat(b'-');
        let digits = self.run(|byte| byte.is_ascii_digit());
        if self.eat(b'.') {
            let fraction = self.run(|byte| byte.is_ascii_digit());
            let fits = (1..=12).contains(&digits.len()) && (1..=3).contains(&fraction.len());
            return fits.then_some(Bare::Other);
        }
        if !(1..=15).contains(&digits.len()) {
            return None;
        }
        let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        Some(Bare::Integer(if negative { -number } else { number }))
    }

    fn boolean(&mut self) -> Option<Bare> {
        self.next()?;
        match self.next()? {
            b'0' => Some(Bare::Boolean(false)),
            b'1' => Some(Bare::Boolean(true)),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<Bare> {
        self.next()?;
        loop {
            match self.next()? {
                b'"' => return Some(Bare::Other),
                b'\\' => matches!(self.next()?, b'"' | b'\\').then_some(())?,
                0x20..=0x7e => {}
                _ => return None,
            }
        }
    }

    fn display_string(&mut self) -> Option<Bare> {
        self.next()?;
        self.eat(b'"').then_some(())?;
        let mut text = Vec::new();
        loop {
            match self.next()? {
                b'"' => return std::str::from_utf8(&text).is_ok().then_some(Bare::Other),
                b'%' => text.push(lower_hex(self.next()?)? << 4 | lower_hex(self.next()?)?),
                byte @ 0x20..=0x7e => text.push(byte),
                _ => return None,
            }
        }
    }

    fn bytes(&mut self) -> Option<Bare> {
        self.next()?;
        self.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
        self.eat(b':').then_some(Bare::Other)
    }

    fn date(&mut self) -> Option<Bare> {
        self.next()?;
        match self.number()? {
            Bare::Integer(_) => Some(Bare::Other),
            Bare::Boolean(_) | Bare::Other => None,
        }
    }
}

/// tchar (RFC 9110 §5.6.2), and the two more that a Token may have behind its first.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)
}

fn lower_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Option<u64> {
        integer(&HeaderValue::from_str(text).unwrap())
    }

    fn truth(text: &str) -> Option<bool> {
        boolean(&HeaderValue::from_str(text).unwrap())
    }

    #[test]
    fn integers_have_up_to_fifteen_digits() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("-0"), Some(0));
        assert_eq!(number("007"), Some(7));
        assert_eq!(number("  42  "), Some(42));
        assert_eq!(number("999999999999999"), Some(LARGEST));
        for bad in
            ["", " ", "1000000000000000", "0000000000000001", "-1", "+1", "1.0", "1.", "1e3", "0x1", "--1"]
        {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn booleans_are_a_question_mark_and_a_digit() {
        assert_eq!(truth("?1"), Some(true));
        assert_eq!(truth("?0"), Some(false));
        for bad in ["", "?", "1", "0", "true", "?2", "?10", "? 1", "?T", "\"?1\""] {
            assert_eq!(truth(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn nothing_may_follow_an_item() {
        for bad in ["1,2", "1, 1", "1 1", "1\t", "1x", "1;", "1;;a", "1 ;a", "?1,", "?1 ?1", "(1)", "1/2"] {
            assert_eq!((number(bad), truth(bad)), (None, None), "{bad:?}");
        }
    }

    #[test]
    fn parameters_are_passed_over() {
        let values = [
            "",
            "=1",
            "=-1.5",
            "=?0",
            "=\"a \\\" ; b\\\\\"",
            "=tok:en/1",
            "=*",
            "=:YQ==:",
            "=::",
            "=@17",
            "=%\"f%c3%bc\"",
        ];
        for value in values {
            assert_eq!(number(&format!("7;a{value}")), Some(7), "{value}");
            assert_eq!(truth(&format!("?1;  *x-1.y_{value};b=2")), Some(true), "{value}");
        }
    }

    #[test]
    fn what_is_no_parameter_spoils_the_item() {
        let bad = [
            ";A=1",
            ";1=1",
            ";a=",
            ";a= 1",
            ";a =1",
            ";a=1.",
            ";a=1.2345",
            ";a=1234567890123.1",
            ";a=\"x",
            ";a=\"\\x\"",
            ";a=:YQ",
            ";a=:!:",
            ";a=@1.5",
            ";a=%\"%C3%BC\"",
            ";a=%\"%ff\"",
            ";a=%x",
            ";a=?2",
            ";a=(1)",
            ";a=\"é\"",
        ];
        for parameter in bad {
            let value = HeaderValue::from_bytes(format!("7{parameter}").as_bytes()).unwrap();
            assert_eq!(integer(&value), None, "{parameter}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, near in "[-?0-9.;:@%\"a-z= \\\\]{0,24}") {
            let _ = HeaderValue::from_bytes(&bytes).ok().and_then(|value| integer(&value));
            let _ = (number(&near), truth(&near));
        }

        #[test]
        fn what_can_be_written_is_read(value in 0..=LARGEST, key in "[a-z*][a-z0-9_.*-]{0,8}") {
            prop_assert_eq!(number(&format!("{value};{key}")), Some(value));
        }

        #[test]
        fn what_is_too_large_is_not(value in LARGEST + 1..) {
            prop_assert_eq!(number(&value.to_string()), None);
        }
    }
}
