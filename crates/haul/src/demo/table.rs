//! The table at the end: what each step cost, and whether it was as it should be.

use std::time::Duration;

use console::{Alignment, measure_text_width, pad_str, style};

use crate::human;

/// One step.
pub(super) struct Row {
    /// What it was.
    pub(super) step: &'static str,
    /// Bytes of the file.
    pub(super) size: u64,
    /// Bytes that the link carried towards the one who receives the file, all runs together.
    pub(super) carried: u64,
    /// Those of them that were not needed.
    pub(super) twice: u64,
    /// How often the link was cut.
    pub(super) cuts: u64,
    pub(super) took: Duration,
    pub(super) verdict: Verdict,
}

/// Whether a step was as it should be; in words either way.
pub(super) type Verdict = Result<&'static str, String>;

const HEAD: [&str; 7] = ["step", "file", "over the link", "sent twice", "cuts", "time", "verdict"];

/// The table, and below it what its figures mean.
pub(super) fn table(rows: &[Row]) -> String {
    let cells: Vec<[String; 7]> = rows.iter().map(cells).collect();
    let widest = |column: usize| {
        let of = cells.iter().map(|row| measure_text_width(&row[column]));
        of.chain([HEAD[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; 7] = std::array::from_fn(widest);
    let mut text = format!("{}\n", style(line(&HEAD.map(str::to_owned), &widths)).bold());
    for cells in &cells {
        text += &format!("{}\n", line(cells, &widths));
    }
    text + "\n\"Over the link\" was counted by the link, towards the one who receives the file, all runs and whatever\n\
            comes with the bytes (heads of HTTP, replies) together. \"Sent twice\" is what of that goes beyond the\n\
            file; of the file that changed, only of its new version.\n"
}

fn cells(row: &Row) -> [String; 7] {
    let verdict = match &row.verdict {
        Ok(well) => style(*well).green().to_string(),
        Err(why) => style(format!("WRONG: {why}")).red().bold().to_string(),
    };
    [
        row.step.to_owned(),
        human::size(row.size),
        human::size(row.carried),
        human::size(row.twice),
        row.cuts.to_string(),
        human::time(row.took),
        verdict,
    ]
}

/// Words to the left, figures to the right.
fn line(cells: &[String; 7], widths: &[usize; 7]) -> String {
    let padded = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
        let side = if matches!(column, 0 | 6) { Alignment::Left } else { Alignment::Right };
        pad_str(cell, *width, side, None)
    });
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_below_each_other_and_a_failure_is_loud() {
        let row = |step, verdict| Row {
            step,
            size: 64 << 20,
            carried: (64 << 20) + 500,
            twice: 500,
            cuts: 15,
            took: Duration::from_millis(2345),
            verdict,
        };
        let text =
            table(&[row("download", Ok("the same bytes")), row("upload", Err("byte 7 differs".into()))]);
        let lines: Vec<&str> = text.lines().take(3).collect();
        assert_eq!(
            lines,
            [
                "step          file  over the link  sent twice  cuts  time  verdict",
                "download  64.0 MiB       64.0 MiB       500 B    15  2.3s  the same bytes",
                "upload    64.0 MiB       64.0 MiB       500 B    15  2.3s  WRONG: byte 7 differs",
            ]
        );
    }
}
