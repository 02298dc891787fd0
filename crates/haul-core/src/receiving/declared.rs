//! The size that a client declared, and what it can mean.
//!
//! ALLO n before an upload that begins at r means the whole to some clients, the rest to others (RFC 959 says neither),
//! so both are candidates until one is ruled out. A size that is declared over HTTP is always the whole.

/// What is declared of the size of the whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Declared {
    /// Nothing.
    #[default]
    Nothing,
    /// It is this.
    Size(u64),
    /// It is one of these two.
    Either {
        /// If the whole was meant.
        whole: u64,
        /// If the rest was meant: more than `whole`.
        rest: u64,
    },
}

impl Declared {
    /// What ALLO `n` means for an upload that begins at `start`, when `earlier` is what is known from its earlier runs.
    ///
    /// 0 declares nothing: clients that know no size say it, and an empty file is published by its clean end.
    pub fn allo(n: u64, start: u64, earlier: Option<u64>) -> Self {
        if n == 0 {
            return Self::earlier(earlier);
        }
        let rest = start.checked_add(n);
        match (n >= start, rest) {
            (true, Some(rest)) if rest > n => match earlier {
                Some(size) if size == n || size == rest => Self::Size(size),
                _ => Self::Either { whole: n, rest },
            },
            // It began at 0, or no file can be so long.
            (true, _) => Self::Size(n),
            (false, Some(rest)) => Self::Size(rest),
            (false, None) => Self::Nothing,
        }
    }

    /// What is declared when this run said nothing.
    pub fn earlier(size: Option<u64>) -> Self {
        size.map_or(Self::Nothing, Self::Size)
    }

    /// The one size, where there is only one.
    pub fn certain(self) -> Option<u64> {
        match self {
            Self::Size(size) => Some(size),
            Self::Nothing | Self::Either { .. } => None,
        }
    }

    /// What is still possible when so many bytes are there. When more came than was ever declared, the declaration was
    /// wrong and says nothing.
    pub fn given(self, end: u64) -> Self {
        match self {
            Self::Size(size) if end <= size => self,
            Self::Either { whole, .. } if end <= whole => self,
            Self::Either { rest, .. } if end <= rest => Self::Size(rest),
            Self::Nothing | Self::Size(_) | Self::Either { .. } => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_start_whole_and_rest_are_the_same() {
        assert_eq!(Declared::allo(10, 0, None), Declared::Size(10));
    }

    #[test]
    fn after_rest_it_may_be_the_whole_or_the_rest() {
        assert_eq!(Declared::allo(10, 4, None), Declared::Either { whole: 10, rest: 14 });
        assert_eq!(Declared::allo(4, 4, None), Declared::Either { whole: 4, rest: 8 });
        // Less than what is there can only be the rest.
        assert_eq!(Declared::allo(3, 4, None), Declared::Size(7));
    }

    #[test]
    fn what_an_earlier_run_declared_tells_which_is_meant() {
        assert_eq!(Declared::allo(10, 4, Some(10)), Declared::Size(10));
        assert_eq!(Declared::allo(6, 4, Some(10)), Declared::Size(10));
        assert_eq!(Declared::allo(7, 4, Some(10)), Declared::Either { whole: 7, rest: 11 });
    }

    #[test]
    fn zero_declares_nothing_new() {
        assert_eq!(Declared::allo(0, 0, None), Declared::Nothing);
        assert_eq!(Declared::allo(0, 4, Some(9)), Declared::Size(9));
    }

    #[test]
    fn no_size_is_past_what_can_be_counted() {
        assert_eq!(Declared::allo(u64::MAX, 1, None), Declared::Size(u64::MAX));
        assert_eq!(Declared::allo(1, u64::MAX, None), Declared::Nothing);
    }

    #[test]
    fn bytes_rule_out_what_they_pass() {
        let either = Declared::Either { whole: 10, rest: 14 };
        assert_eq!(either.given(10), either);
        assert_eq!(either.given(11), Declared::Size(14));
        assert_eq!(either.given(15), Declared::Nothing);
        assert_eq!(Declared::Size(10).given(11), Declared::Nothing);
    }
}
