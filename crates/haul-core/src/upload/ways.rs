//! By which way the rest of a file is sent, and what was learned of the ways that a far end offers.
//!
//! An offset that is named comes before appending: where appending means replacing, the beginning is lost. Neither is
//! believed for being accepted; the size afterwards decides.

use super::Way;

/// What is known of the ways.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ways {
    /// A named offset is refused, or does something else.
    restart_fails: bool,
    /// Appending is refused, or does something else.
    append_fails: bool,
}

/// What a file's size says of the sending that is just over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landed {
    /// All of it is there.
    Whole,
    /// A part arrived behind what was there; the rest is to be sent.
    Short,
    /// What there was is not there any more, or more than there should be.
    Spoilt,
}

impl Ways {
    /// The way to send the bytes from `at` on; `None` where a part can't be continued.
    pub(super) fn choose(self, at: u64) -> Option<Way> {
        match at {
            0 => Some(Way::Begin),
            _ if !self.restart_fails => Some(Way::Restart),
            _ if !self.append_fails => Some(Way::Append),
            _ => None,
        }
    }

    /// This way does not do.
    pub(super) fn fails(&mut self, way: Way) {
        match way {
            Way::Begin => {}
            Way::Restart => self.restart_fails = true,
            Way::Append => self.append_fails = true,
        }
    }
}

/// What the far end's size `now` says, after `at..whole` was sent by `way` and confirmed.
pub(super) fn landed(way: Way, at: u64, whole: u64, now: u64) -> Landed {
    match way {
        _ if now == whole => Landed::Whole,
        _ if now > whole => Landed::Spoilt,
        Way::Begin => Landed::Short,
        // Nothing more than before: it went elsewhere. As much as was sent: what was there is gone.
        _ if now <= at || now == whole - at => Landed::Spoilt,
        Way::Restart | Way::Append => Landed::Short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_comes_before_appending_and_both_before_nothing() {
        let mut ways = Ways::default();
        assert_eq!(ways.choose(0), Some(Way::Begin));
        assert_eq!(ways.choose(7), Some(Way::Restart));
        ways.fails(Way::Restart);
        assert_eq!(ways.choose(7), Some(Way::Append));
        ways.fails(Way::Append);
        assert_eq!(ways.choose(7), None);
        ways.fails(Way::Begin);
        assert_eq!(ways.choose(0), Some(Way::Begin), "there is no other way to begin");
    }

    #[test]
    fn the_size_tells_where_the_bytes_went() {
        for (way, at, now, expected) in [
            (Way::Begin, 0, 100, Landed::Whole),
            (Way::Begin, 0, 99, Landed::Short),
            (Way::Begin, 0, 101, Landed::Spoilt),
            (Way::Restart, 60, 100, Landed::Whole),
            (Way::Restart, 60, 80, Landed::Short),
            // 350, and then from the start: cut there, or in place.
            (Way::Restart, 60, 40, Landed::Spoilt),
            (Way::Restart, 60, 60, Landed::Spoilt),
            (Way::Restart, 30, 70, Landed::Spoilt),
            // An append that truncates; one that another session appended to as well.
            (Way::Append, 30, 70, Landed::Spoilt),
            (Way::Append, 60, 130, Landed::Spoilt),
            (Way::Append, 60, 80, Landed::Short),
        ] {
            assert_eq!(landed(way, at, 100, now), expected, "{way:?} from {at}, {now} after");
        }
    }
}
