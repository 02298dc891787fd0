//! Where in the file each key stands, for mistakes that are found only once all of it was read: keys that do not fit
//! together, files that are not there.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::problem::{Problem, Problems};

/// The file, and the lines of its keys.
#[derive(Clone, Default)]
pub(super) struct Lines {
    pub(super) file: Option<PathBuf>,
    /// Of each key and table every place, in their order.
    keys: BTreeMap<String, Vec<usize>>,
}

/// What is configured does not depend on them.
impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl Lines {
    /// A key stands there, or a table begins there.
    pub(super) fn note(&mut self, key: String, line: usize) {
        self.keys.entry(key).or_default().push(line);
    }

    /// What the command line says of these keys counts, and no line does.
    pub(super) fn forget(&mut self, begins: &[&str]) {
        self.keys.retain(|key, _| !begins.contains(&key.as_str()));
    }

    /// The line of a key, or else of the table that it would be in, where there is one of that name.
    fn only(&self, key: &str) -> Option<usize> {
        let table = || key.rsplit_once('.').and_then(|(table, _)| self.keys.get(table));
        match self.keys.get(key).or_else(table)?.as_slice() {
            [line] => Some(*line),
            _ => None,
        }
    }

    /// The line of a key in the table of this number, of those that have its name, where all of them have the key.
    pub(super) fn nth(&self, key: &str, number: usize) -> Option<usize> {
        let (table, _) = key.rsplit_once('.')?;
        let (tables, lines) = (self.keys.get(table)?, self.keys.get(key)?);
        lines.get(number).filter(|_| tables.len() == lines.len()).or_else(|| tables.get(number)).copied()
    }

    /// Mistakes, each with its line.
    pub(super) fn told(&self, list: Vec<Problem>) -> Problems {
        let placed = |problem: Problem| {
            let line = problem.line.or_else(|| self.only(problem.key.as_deref()?));
            Problem { line, ..problem }
        };
        let mut list: Vec<_> = list.into_iter().map(placed).collect();
        list.sort_by_key(|problem| (problem.line.is_none(), problem.line));
        Problems { file: self.file.clone(), list }
    }
}
