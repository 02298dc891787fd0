//! Exit codes: the one place where a kind of failure becomes a number (cli.md, "Exit codes").
//!
//! Scripts hold on to these numbers, and the same ones stand as `code` in the JSON events.

use haul_transfer::Kind;

/// Done, or complete already.
pub(crate) const DONE: u8 = 0;
/// Something nobody thought of.
pub(crate) const UNEXPECTED: u8 = 1;
/// What was asked for cannot be understood or done as asked.
pub(crate) const USAGE: u8 = 2;
/// This machine: no space, no permission, in use, nothing there.
pub(crate) const LOCAL: u8 = 7;
/// Stopped by a signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// The exit code of a failure.
pub(crate) fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Unexpected => UNEXPECTED,
        Kind::Usage => USAGE,
        Kind::Network => 3,
        Kind::Refused => 4,
        Kind::Changed => 5,
        Kind::Mismatch => 6,
        Kind::Local => LOCAL,
        Kind::Unsafe => 8,
        Kind::Interrupted => INTERRUPTED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_code_of_the_contract() {
        let kinds = [
            (Kind::Unexpected, 1),
            (Kind::Usage, 2),
            (Kind::Network, 3),
            (Kind::Refused, 4),
            (Kind::Changed, 5),
            (Kind::Mismatch, 6),
            (Kind::Local, 7),
            (Kind::Unsafe, 8),
            (Kind::Interrupted, 130),
        ];
        for (kind, expected) in kinds {
            assert_eq!(code(kind), expected, "{kind:?}");
        }
    }
}
