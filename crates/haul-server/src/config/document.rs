//! The file as tables and values, each with its line. Reading goes on after a mistake, so that all of them are told at
//! once. What is asked for is taken out; what is left at the end is a mistake, too.

use std::{collections::BTreeSet, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{lines::Lines, problem::Problem};

/// A document that is being read.
pub(super) struct Document<'a> {
    text: &'a str,
    /// What was wrong so far.
    pub(super) problems: Vec<Problem>,
    /// Every key that was asked for.
    pub(super) asked: BTreeSet<String>,
    /// Where those stand that are there.
    pub(super) lines: Lines,
}

/// A table of it, without what was taken out.
pub(super) struct Table<'a> {
    /// What stands before its keys, with the dot.
    prefix: String,
    entries: DeTable<'a>,
    /// Its own line.
    line: Option<usize>,
}

impl<'a> Document<'a> {
    /// Reads the whole text; where that is no TOML, what could be read.
    pub(super) fn parse(text: &'a str) -> (Self, Table<'a>) {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut this = Self { text, problems: Vec::new(), asked: BTreeSet::new(), lines: Lines::default() };
        for error in errors {
            let line = error.span().map(|span| this.line(&span));
            this.problems.push(Problem::new(line, None, error.message().to_owned()));
        }
        (this, Table { prefix: String::new(), entries: root.into_inner(), line: None })
    }

    /// The table of this name; an empty one where there is none.
    pub(super) fn table(&mut self, from: &mut Table<'a>, name: &str) -> Table<'a> {
        let (entries, line) = match self.take(from, name) {
            None => (DeTable::new(), None),
            Some((DeValue::Table(entries), line)) => (entries, Some(line)),
            Some((_, line)) => {
                self.wrong(line, from, name, format!("is a table: write [{name}]"));
                (DeTable::new(), None)
            }
        };
        Table { prefix: format!("{name}."), entries, line }
    }

    /// The tables of this name, `[[name]]`.
    pub(super) fn tables(&mut self, from: &mut Table<'a>, name: &str) -> Vec<Table<'a>> {
        let (items, line) = match self.take(from, name) {
            None => return Vec::new(),
            Some((DeValue::Array(items), line)) => (items, line),
            Some((_, line)) => {
                self.wrong(line, from, name, format!("is a list of tables: write [[{name}]]"));
                return Vec::new();
            }
        };
        let mut tables = Vec::new();
        for item in items {
            let at = self.line(&item.span());
            match item.into_inner() {
                DeValue::Table(entries) => {
                    self.lines.note(format!("{}{name}", from.prefix), from.line, at);
                    let prefix = format!("{}{name}.", from.prefix);
                    tables.push(Table { prefix, entries, line: Some(at) });
                }
                _ => self.wrong(line, from, name, format!("is a list of tables: write [[{name}]]")),
            }
        }
        tables
    }

    /// A text, as what `parse` makes of it.
    pub(super) fn text<T>(
        &mut self,
        from: &mut Table<'a>,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.shown(from, key, true, parse)
    }

    /// As [`Self::text`], of a key that has another value in each table.
    pub(super) fn once<T: ToString>(
        &mut self,
        from: &mut Table<'a>,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let mut given = String::new();
        let value = self.text(from, key, |text| {
            text.clone_into(&mut given);
            parse(text)
        })?;
        let line = self.lines.within(&format!("{}{key}", from.prefix), from.line)?;
        self.is_new(from, key, &given, &value, line).then_some(value)
    }

    /// As [`Self::texts`], of a key that has no value twice, in whichever tables.
    pub(super) fn each_once<T: ToString>(
        &mut self,
        from: &mut Table<'a>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let listed = self.listed(from, key, parse).into_iter();
        listed
            .filter_map(|(value, text, line)| self.is_new(from, key, &text, &value, line).then_some(value))
            .collect()
    }

    /// Whether a key has not had this value before; else that is a mistake.
    fn is_new(
        &mut self,
        from: &Table<'a>,
        key: &str,
        given: &str,
        value: &impl ToString,
        line: usize,
    ) -> bool {
        let key = format!("{}{key}", from.prefix);
        let before = self.lines.claim(&key, value.to_string(), from.line, line);
        if before.is_some() {
            let what = format!("{given:?} is there twice");
            self.problems.push(Problem::of(&key, what).at(Some(line)).beside_at(&key, before));
        }
        before.is_none()
    }

    /// What values a key has had in tables of this one is forgotten.
    pub(super) fn anew(&mut self, table: &Table<'a>, key: &str) {
        self.lines.release(&format!("{}{key}", table.prefix));
    }

    /// As [`Self::text`], but what was given is never shown.
    pub(super) fn secret<T>(
        &mut self,
        from: &mut Table<'a>,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.shown(from, key, false, parse)
    }

    fn shown<T>(
        &mut self,
        from: &mut Table<'a>,
        key: &str,
        show: bool,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (value, line) = self.take(from, key)?;
        let DeValue::String(text) = value else {
            self.wrong(line, from, key, "is a text: write it in quotes".to_owned());
            return None;
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(why) => {
                let given = if show { format!("{text:?} ") } else { String::new() };
                self.wrong(line, from, key, format!("{given}{why}"));
                None
            }
        }
    }

    /// As [`Self::text`], of a date, which TOML has without quotes, too.
    pub(super) fn date<T>(
        &mut self,
        from: &mut Table<'a>,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (value, line) = self.take(from, key)?;
        let text = match value {
            DeValue::String(text) => text.into_owned(),
            DeValue::Datetime(date) => date.to_string(),
            _ => {
                self.wrong(line, from, key, "is a date: write 2030-12-31".to_owned());
                return None;
            }
        };
        let parsed = parse(&text);
        parsed.map_err(|why| self.wrong(line, from, key, format!("{text:?} {why}"))).ok()
    }

    /// A list of texts, as what `parse` makes of each.
    pub(super) fn texts<T>(
        &mut self,
        from: &mut Table<'a>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        self.listed(from, key, parse).into_iter().map(|(value, ..)| value).collect()
    }

    /// The same, each as it was given, with its line.
    fn listed<T>(
        &mut self,
        from: &mut Table<'a>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<(T, String, usize)> {
        let Some((value, line)) = self.take(from, key) else { return Vec::new() };
        let DeValue::Array(items) = value else {
            self.wrong(line, from, key, "is a list of texts: write them in [ ]".to_owned());
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            let at = self.line(&item.span());
            match item.into_inner() {
                DeValue::String(text) => match parse(&text) {
                    Ok(value) => texts.push((value, text.into_owned(), at)),
                    Err(why) => self.wrong(at, from, key, format!("{text:?} {why}")),
                },
                _ => self.wrong(at, from, key, "is a list of texts: write each in quotes".to_owned()),
            }
        }
        texts
    }

    /// Whether there is such a key.
    pub(super) fn has(&self, table: &Table<'a>, key: &str) -> bool {
        table.entries.contains_key(key)
    }

    /// A mistake of a key that was read already, or of the table as a whole where it has no such key.
    pub(super) fn refuse(&mut self, table: &Table<'a>, key: &str, what: impl Into<String>) {
        self.contradicts(table, key, &[], what);
    }

    /// As [`Self::refuse`], of a key that does not fit to others of its table.
    pub(super) fn contradicts(
        &mut self,
        table: &Table<'a>,
        key: &str,
        others: &[&str],
        what: impl Into<String>,
    ) {
        let full = |key: &str| format!("{}{key}", table.prefix);
        let line = self.lines.within(&full(key), table.line).or(table.line);
        let problem = Problem::of(&full(key), what).at(line);
        let problem = others.iter().fold(problem, |problem, other| {
            let (other, line) = (full(other), self.lines.within(&full(other), table.line));
            problem.beside_at(&other, line)
        });
        self.problems.push(problem);
    }

    /// A whole number in this range.
    pub(super) fn number(&mut self, from: &mut Table<'a>, key: &str, range: &Range<u32>) -> Option<u32> {
        let (value, line) = self.take(from, key)?;
        let number = value.as_integer().and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let last = range.end.saturating_sub(1);
            self.wrong(line, from, key, format!("is a whole number from {} to {last}", range.start));
        }
        number
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, from: &mut Table<'a>, key: &str) -> Option<bool> {
        let (value, line) = self.take(from, key)?;
        if value.as_bool().is_none() {
            self.wrong(line, from, key, "is true or false".to_owned());
        }
        value.as_bool()
    }

    /// A key that must be there.
    pub(super) fn demand(&mut self, table: &Table<'a>, key: &str) {
        if !table.entries.contains_key(key) {
            let key = format!("{}{key}", table.prefix);
            self.problems.push(Problem::new(table.line, Some(key), "is missing".to_owned()));
        }
    }

    /// All that is left in this table is a mistake.
    pub(super) fn finish(&mut self, table: Table<'a>) {
        let known: Vec<_> = self.asked.iter().filter_map(|key| key.strip_prefix(&table.prefix)).collect();
        let known = known.into_iter().filter(|key| !key.contains('.')).collect::<Vec<_>>().join(", ");
        for (key, _) in table.entries {
            let line = self.line(&key.span());
            let name = format!("{}{}", table.prefix, key.get_ref());
            let what = format!("there is no such key; here may be {known}");
            self.problems.push(Problem::new(Some(line), Some(name), what));
        }
    }

    fn take(&mut self, from: &mut Table<'a>, key: &str) -> Option<(DeValue<'a>, usize)> {
        self.asked.insert(format!("{}{key}", from.prefix));
        let value: Spanned<DeValue<'a>> = from.entries.remove(key)?;
        let line = self.line(&value.span());
        let value = value.into_inner();
        // Of a list of tables each has its own.
        if !matches!(&value, DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table())) {
            self.lines.note(format!("{}{key}", from.prefix), from.line, line);
        }
        Some((value, line))
    }

    fn wrong(&mut self, line: usize, from: &Table<'a>, key: &str, what: String) {
        self.problems.push(Problem::new(Some(line), Some(format!("{}{key}", from.prefix)), what));
    }

    /// The line in which a span begins, counted from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        1 + self.text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count()
    }
}
