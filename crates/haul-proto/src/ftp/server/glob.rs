//! Patterns for names, as LIST and NLST are given them: `*` is anything, `?` one byte, `[a-z]` one of these, `[!a-z]`
//! or `[^a-z]` one that is none of these; a backslash takes the next byte as it is.
//!
//! All states of the match are bits of one number, so that a byte of a name costs the same few steps whatever the
//! pattern is: there is no pattern that makes a server slow. It knows nothing of dots and slashes; whether a name is
//! shown at all is for whoever lists.

/// The most things that a pattern can ask for, one after the other: a name has no more bytes than this.
const MOST: usize = 255;

/// The most bytes of a pattern.
const LONGEST: usize = 1024;

/// As many bits as there are states: one for each number of things that were found, from none to all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bits([u128; 2]);

impl Bits {
    fn set(&mut self, at: usize) {
        if let Some(half) = self.0.get_mut(at / 128) {
            *half |= 1 << (at % 128);
        }
    }

    fn has(self, at: usize) -> bool {
        self.0.get(at / 128).is_some_and(|half| half >> (at % 128) & 1 == 1)
    }

    fn up(self) -> Self {
        let Self([low, high]) = self;
        Self([low << 1, high << 1 | low >> 127])
    }

    fn and(self, other: Self) -> Self {
        Self([self.0[0] & other.0[0], self.0[1] & other.0[1]])
    }

    fn or(self, other: Self) -> Self {
        Self([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }
}

/// A pattern, ready to be compared.
#[derive(Clone)]
pub struct Pattern {
    /// For each byte the states that it can lead to.
    into: Box<[Bits; 256]>,
    /// The states that a `*` keeps.
    stay: Bits,
    /// How many things are to be found.
    len: usize,
    /// Whether the first of them is a dot and nothing else.
    dot: bool,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pattern").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Whether a name has to be compared with: whether something in it means more than itself.
pub fn is_pattern(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

impl Pattern {
    /// Reads a pattern; `None` where it is longer than any name could need. A `[` without its `]` is itself.
    pub fn new(pattern: &[u8]) -> Option<Self> {
        if pattern.len() > LONGEST {
            return None;
        }
        let mut this =
            Self { into: Box::new([Bits::default(); 256]), stay: Bits::default(), len: 0, dot: false };
        let mut rest = pattern;
        while let Some((first, behind)) = rest.split_first() {
            rest = behind;
            match first {
                b'*' => this.stay.set(this.len),
                b'?' => this.take(|_| true)?,
                b'[' => {
                    if let Some((set, behind)) = Set::read(behind) {
                        rest = behind;
                        this.take(|byte| set.has(byte))?;
                    } else {
                        this.take(|byte| byte == b'[')?;
                    }
                }
                b'\\' if !behind.is_empty() => {
                    let (escaped, behind) = behind.split_first()?;
                    rest = behind;
                    this.literal(*escaped)?;
                }
                literal => this.literal(*literal)?,
            }
        }
        Some(this)
    }

    /// Whether all of this name is what the pattern says.
    pub fn matches(&self, name: &[u8]) -> bool {
        let mut states = Bits::default();
        states.set(0);
        for byte in name {
            let into = self.into.get(usize::from(*byte)).copied().unwrap_or_default();
            states = states.up().and(into).or(states.and(self.stay));
            if states == Bits::default() {
                return false;
            }
        }
        states.has(self.len)
    }

    /// Whether it speaks of names that begin with a dot: such are hidden from any other pattern, as in a shell.
    pub fn asks_for_dot(&self) -> bool {
        self.dot
    }

    fn literal(&mut self, byte: u8) -> Option<()> {
        if self.len == 0 && !self.stay.has(0) {
            self.dot = byte == b'.';
        }
        self.take(|other| other == byte)
    }

    /// One more thing to be found: one of these bytes.
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> Option<()> {
        if self.len == MOST {
            return None;
        }
        self.len += 1;
        for (byte, into) in (0..=u8::MAX).zip(self.into.iter_mut()) {
            if wanted(byte) {
                into.set(self.len);
            }
        }
        Some(())
    }
}

/// What stands between brackets.
struct Set<'a> {
    negated: bool,
    text: &'a [u8],
}

impl<'a> Set<'a> {
    /// The set behind a `[`, and what is behind its `]`. A `]` that comes first is one of the bytes.
    fn read(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let negated = matches!(text.first(), Some(b'!' | b'^'));
        let text = if negated { text.get(1..)? } else { text };
        let end = 1 + text.get(1..)?.iter().position(|byte| *byte == b']')?;
        Some((Self { negated, text: text.get(..end)? }, text.get(end + 1..)?))
    }

    fn has(&self, byte: u8) -> bool {
        let mut rest = self.text;
        let mut found = false;
        while let Some((first, behind)) = rest.split_first() {
            (found, rest) = match behind {
                [b'-', last, behind @ ..] => (found || (*first..=*last).contains(&byte), behind),
                _ => (found || *first == byte, behind),
            };
        }
        found != self.negated
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern.as_bytes()).unwrap().matches(name.as_bytes())
    }

    /// Slow, and easy to believe.
    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match pattern {
            [] => name.is_empty(),
            [b'*', rest @ ..] => (0..=name.len()).any(|at| naive(rest, &name[at..])),
            [b'?', rest @ ..] => !name.is_empty() && naive(rest, &name[1..]),
            [first, rest @ ..] => name.first() == Some(first) && naive(rest, &name[1..]),
        }
    }

    #[test]
    fn each_sign_means_what_it_means_in_a_shell() {
        for (pattern, name) in [
            ("*", ""),
            ("*.txt", "a.txt"),
            ("a*b*c", "aXbYbc"),
            ("?", "x"),
            ("[a-c]", "b"),
            ("[!a-c]", "d"),
            ("[^a-c]x", "dx"),
            ("[]x]", "]"),
            ("[!]]", "x"),
            ("[a-]", "-"),
            ("a[", "a["),
            ("[]", "[]"),
            (r"\*", "*"),
            (r"a\", r"a\"),
            ("", ""),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.txt", "a.txt.gz"),
            ("?", ""),
            ("?", "ab"),
            ("[a-c]", "d"),
            ("[!a-c]", "a"),
            (r"\*", "x"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn every_name_that_can_be_can_be_asked_for() {
        let name = "a".repeat(255);
        assert!(matches(&name, &name));
        assert!(matches(&"?".repeat(255), &name));
        assert!(matches(&format!("*{}*", "[a]".repeat(255)), &name));
        assert!(!matches(&"a".repeat(254), &name));
        assert!(Pattern::new(&[b'a'; 256]).is_none());
        assert!(Pattern::new(&[b'*'; 1025]).is_none());
    }

    #[test]
    fn dots_are_asked_for_by_name() {
        let dot = |pattern: &[u8]| Pattern::new(pattern).unwrap().asks_for_dot();
        assert!(dot(b".*") && dot(br"\.a"));
        assert!(!dot(b"*.a") && !dot(b"?a") && !dot(b"[.]a") && !dot(b"a.") && !dot(b""));
    }

    #[test]
    fn what_is_no_pattern_is_told_from_one() {
        assert!(is_pattern(b"a*") && is_pattern(b"?") && is_pattern(b"[a]"));
        assert!(!is_pattern(br"a]\b"));
    }

    /// The pattern that a matcher with recursion would never finish.
    #[test]
    fn no_pattern_makes_it_slow() {
        let pattern = Pattern::new("a*".repeat(250).as_bytes()).unwrap();
        let name = [[b'a'; 249].as_slice(), b"b"].concat();
        for _ in 0..10_000 {
            assert!(!pattern.matches(&name));
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_naive_way(pattern in "[ab?*]{0,8}", name in "[abc]{0,8}") {
            prop_assert_eq!(matches(&pattern, &name), naive(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn ranges_hold_what_is_between(low: u8, high: u8, byte: u8) {
            prop_assume!(![low, high].iter().any(|b| b"]!^-\\".contains(b)));
            let set = Pattern::new(&[b'[', low, b'-', high, b']']).unwrap();
            prop_assert_eq!(set.matches(&[byte]), (low..=high).contains(&byte));
        }

        #[test]
        fn never_panics(pattern: Vec<u8>, near in r"[\[\]!^\\*?a-]{0,12}", name: Vec<u8>) {
            for pattern in [&pattern[..], near.as_bytes()] {
                let _ = Pattern::new(pattern).map(|pattern| pattern.matches(&name));
            }
        }
    }
}
