//! What is wrong with a configuration: all of it, in plain words, each with its key and its line, and with those of what
//! it contradicts.

use std::{fmt, path::PathBuf};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line of the file, from 1; `None` where it is on the command line, or about nothing that was written.
    pub line: Option<usize>,
    /// The key (`ftp.idle`) or the option (`--tls-key`).
    pub key: Option<String>,
    /// What is wrong with it.
    pub what: String,
    /// The keys that it does not fit to, with their lines.
    pub beside: Vec<(String, Option<usize>)>,
}

impl Problem {
    /// About nothing that has a key.
    pub fn in_words(what: String) -> Self {
        Self { line: None, key: None, what, beside: Vec::new() }
    }

    pub(super) fn new(line: Option<usize>, key: Option<String>, what: String) -> Self {
        Self { line, key, what, beside: Vec::new() }
    }

    /// About one option or key that has no line, or one that is still to be found.
    pub(super) fn of(key: &str, what: impl Into<String>) -> Self {
        Self::new(None, Some(key.to_owned()), what.into())
    }

    /// The same in this line.
    pub(super) fn at(self, line: Option<usize>) -> Self {
        Self { line, ..self }
    }

    /// The same, which does not fit to this key.
    pub(super) fn beside(self, key: &str) -> Self {
        self.beside_at(key, None)
    }

    /// The same, which does not fit to this key in this line.
    pub(super) fn beside_at(mut self, key: &str, line: Option<usize>) -> Self {
        self.beside.push((key.to_owned(), line));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(self.what.trim_end())?;
        let placed = |(key, line): &(String, Option<usize>)| Some(format!("{key} in line {}", (*line)?));
        let beside: Vec<_> = self.beside.iter().filter_map(placed).collect();
        if beside.is_empty() { Ok(()) } else { write!(f, " ({})", beside.join(", ")) }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The file.
    pub file: Option<PathBuf>,
    /// At least one.
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    /// One line for each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if let (Some(file), Some(line)) = (&self.file, problem.line) {
                write!(f, "{}:{line}: ", file.display())?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}
