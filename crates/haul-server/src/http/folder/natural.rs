//! Names in the order in which people look for them: `10` after `9`, `b` beside `B`.

use std::cmp::Ordering;

/// A name, prepared to be compared often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Natural(String);

impl Natural {
    pub(super) fn of(name: &[u8]) -> Self {
        Self(String::from_utf8_lossy(name).to_lowercase())
    }

    /// Whether this is in it; lower case.
    pub(super) fn contains(&self, part: &str) -> bool {
        self.0.contains(part)
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut one, mut two) = (self.0.as_str(), other.0.as_str());
        loop {
            let ((number, rest), (other_number, other_rest)) = (number(one), number(two));
            let ordering = match (number, other_number) {
                // A longer number without leading zeros is larger, and of the same length text decides.
                (Some(one), Some(two)) => one.len().cmp(&two.len()).then_with(|| one.cmp(two)),
                _ => {
                    let (mut one_left, mut two_left) = (one.chars(), two.chars());
                    let ordering = one_left.next().cmp(&two_left.next());
                    if ordering == Ordering::Equal && one.is_empty() {
                        // Alike but for leading zeros.
                        return self.0.cmp(&other.0);
                    }
                    if ordering == Ordering::Equal {
                        (one, two) = (one_left.as_str(), two_left.as_str());
                        continue;
                    }
                    ordering
                }
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
            (one, two) = (rest, other_rest);
        }
    }
}

/// The number that a text begins with, without leading zeros, and what comes after it.
fn number(text: &str) -> (Option<&str>, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    match text.split_at_checked(end) {
        Some((digits, rest)) if end > 0 => (Some(digits.trim_start_matches('0')), rest),
        _ => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::Natural;

    #[test]
    fn numbers_count_and_case_does_not() {
        let mut names = ["b10", "B9", "a", "b", "ä", "b9a", "b09", "", "1", "b010x", "18446744073709551616"];
        names.sort_by_key(|name| Natural::of(name.as_bytes()));
        assert_eq!(names, ["", "1", "18446744073709551616", "a", "b", "b09", "B9", "b9a", "b10", "b010x", "ä"]);
    }
}
