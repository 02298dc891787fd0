//! What is wrong with a configuration: all of it, in plain words, each with its key and its line.

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
}

impl Problem {
    pub(super) fn new(line: Option<usize>, key: Option<String>, what: String) -> Self {
        Self { line, key, what }
    }

    /// About one option or key that has no line.
    pub(super) fn of(key: &str, what: impl Into<String>) -> Self {
        Self { line: None, key: Some(key.to_owned()), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(self.what.trim_end())
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
