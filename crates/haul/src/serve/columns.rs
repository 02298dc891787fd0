//! Lines whose columns stand below each other, for people. The last one is as long as it is.

use console::measure_text_width;

use crate::screen::text::safe;

/// A head and rows below it. Whatever comes from clients is made harmless here.
pub(super) fn columns<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(str::to_uppercase);
    let cells = || std::iter::once(&head).chain(rows);
    let width = |column: usize| cells().map(|row| measure_text_width(&safe(&row[column]))).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in cells() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let cell = safe(cell);
            let blanks = width.saturating_sub(measure_text_width(&cell)) + 2;
            line.push_str(&cell);
            line.extend(std::iter::repeat_n(' ', blanks));
        }
        text.push_str("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_nothing_harmful_gets_through() {
        let rows = [["a".to_owned(), "long one".to_owned()], ["bcd".to_owned(), "\u{1b}x".to_owned()]];
        assert_eq!(columns(["n", "what"], &rows), "  N    WHAT\n  a    long one\n  bcd  \\u{1b}x\n");
    }
}
