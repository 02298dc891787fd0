//! Where in the file each key stands, for mistakes that are found only once all of it was read: keys that do not fit
//! together, files that are not there.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::problem::{Problem, Problems};

/// The file, and the lines of its keys.
#[derive(Clone, Default)]
pub(super) struct Lines {
    pub(super) file: Option<PathBuf>,
    /// Of each key and table every place, in their order.
    keys: BTreeMap<String, Vec<Place>>,
    /// Of keys whose values differ, in which place each value stands.
    values: BTreeMap<String, Vec<(String, Place)>>,
}

/// A key in a table.
#[derive(Clone, Copy)]
struct Place {
    /// The line in which its table begins; `None` at the top.
    table: Option<usize>,
    line: usize,
}

/// What is configured does not depend on them.
impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl Lines {
    /// A key stands there, in the table that begins there, or a table begins.
    pub(super) fn note(&mut self, key: String, table: Option<usize>, line: usize) {
        self.keys.entry(key).or_default().push(Place { table, line });
    }

    /// A key has this value there; the line in which it has had the same one before.
    pub(super) fn claim(
        &mut self,
        key: &str,
        value: String,
        table: Option<usize>,
        line: usize,
    ) -> Option<usize> {
        let values = self.values.entry(key.to_owned()).or_default();
        let before = values.iter().find(|(there, _)| *there == value).map(|(_, place)| place.line);
        values.push((value, Place { table, line }));
        before
    }

    /// Values of this key may be there again from now on.
    pub(super) fn release(&mut self, key: &str) {
        self.values.remove(key);
    }

    /// What the command line says of these keys counts, and no line does.
    pub(super) fn forget(&mut self, keys: &[&str]) {
        self.keys.retain(|key, _| !keys.contains(&key.as_str()));
    }

    /// The same of the table in which a key has this value.
    pub(super) fn forget_where(&mut self, key: &str, value: &str) {
        if let Some(values) = self.values.get_mut(key) {
            values.retain(|(there, _)| there != value);
        }
    }

    /// The line of a key that is there once.
    fn exactly(&self, key: &str) -> Option<usize> {
        match self.keys.get(key)?.as_slice() {
            [place] => Some(place.line),
            _ => None,
        }
    }

    /// The line of a key, or else of the table that it would be in, where there is one of that name.
    fn only(&self, key: &str) -> Option<usize> {
        if self.keys.contains_key(key) {
            return self.exactly(key);
        }
        self.exactly(key.rsplit_once('.')?.0)
    }

    /// The line of a key in the table that begins there, if it has one.
    pub(super) fn within(&self, key: &str, table: Option<usize>) -> Option<usize> {
        let place = self.keys.get(key)?.iter().find(|place| place.table == table)?;
        Some(place.line)
    }

    /// The line of a key in the table of this number, of those that have its name; of that table where it has none.
    pub(super) fn nth(&self, key: &str, number: usize) -> Option<usize> {
        let (table, _) = key.rsplit_once('.')?;
        let begins = self.keys.get(table)?.get(number)?.line;
        self.within(key, Some(begins)).or(Some(begins))
    }

    /// The line of a key in the table in which another key has this value; of that one where it has none.
    pub(super) fn of(&self, key: &str, other: &str, value: &str) -> Option<usize> {
        let (_, place) = self.values.get(other)?.iter().find(|(there, _)| there == value)?;
        self.within(key, place.table).or(Some(place.line))
    }

    /// Mistakes, each with its line.
    pub(super) fn told(&self, list: Vec<Problem>) -> Problems {
        let placed = |problem: Problem| {
            let line = problem.line.or_else(|| self.only(problem.key.as_deref()?));
            let beside = problem.beside.into_iter();
            let beside = beside.map(|(key, line)| {
                let line = line.or_else(|| self.exactly(&key));
                (key, line)
            });
            Problem { line, beside: beside.collect(), ..problem }
        };
        let mut list: Vec<_> = list.into_iter().map(placed).collect();
        list.sort_by_key(|problem| (problem.line.is_none(), problem.line));
        Problems { file: self.file.clone(), list }
    }
}
