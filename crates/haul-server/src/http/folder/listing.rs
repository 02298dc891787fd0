//! What is in a folder: which of it somebody wants to see, and in which order. Folders come first in every order.

use std::{cmp::Ordering, collections::HashMap};

use haul_core::{Modified, TreePath};
use haul_store::Kind;
use http::StatusCode;

use super::natural::Natural;
use crate::{
    depot::{Seen, Visitor},
    http::{request::Request, trouble::Trouble},
};

/// A folder with more names than that is not shown at once.
const MOST: usize = 100_000;

/// One name in a folder.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: Vec<u8>,
    key: Natural,
    pub(super) folder: bool,
    /// In bytes; so far, of what is unfinished.
    pub(super) size: u64,
    pub(super) modified: Modified,
    pub(super) unfinished: Option<Unfinished>,
}

/// An upload of whoever looks that did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfinished {
    /// The size it is to have, where that was told.
    pub(super) of: Option<u64>,
}

/// What is in a folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) rows: Vec<Row>,
    /// Whether its visitor may see what there is.
    pub(super) hidden: bool,
    /// So many names there are, shown or not.
    pub(super) total: usize,
}

/// What somebody wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    pub(super) sort: Sort,
    pub(super) descending: bool,
    /// What names must have in them; empty for all.
    pub(super) filter: String,
    /// The first row on the page.
    pub(super) from: usize,
}

/// By which column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Name,
    Size,
    Date,
}

impl Sort {
    pub(super) const ALL: [Self; 3] = [Self::Name, Self::Size, Self::Date];

    /// As it is asked for.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Date => "date",
        }
    }
}

impl View {
    /// What a query asks for; what is not understood is as if it were not there.
    pub(super) fn asked(request: &Request) -> Self {
        let text = |key| request.asked(key).map(|text| String::from_utf8_lossy(&text).into_owned());
        let sort = text("sort").and_then(|word| Sort::ALL.into_iter().find(|sort| sort.word() == word));
        Self {
            sort: sort.unwrap_or_default(),
            descending: text("order").is_some_and(|order| order == "desc"),
            filter: text("filter").unwrap_or_default(),
            from: text("from").and_then(|from| from.parse().ok()).unwrap_or_default(),
        }
    }

    /// The same of so many rows: what begins after the last begins with the first.
    #[must_use]
    pub(super) fn of(self, rows: usize) -> Self {
        Self { from: if self.from < rows { self.from } else { 0 }, ..self }
    }
}

impl Listing {
    /// All of it, in no order.
    pub(super) async fn read(visitor: &Visitor, folder: &TreePath) -> Result<Self, Trouble> {
        let mut names = visitor.list(folder).await?;
        let pending = visitor.pending_in(folder).await?;
        let declared: HashMap<&[u8], Option<u64>> =
            pending.iter().map(|pending| (pending.path.name(), pending.declared)).collect();
        let mut rows = Vec::new();
        loop {
            let some = names.next().await?;
            if some.is_empty() {
                break;
            }
            rows.extend(some.into_iter().map(|(name, seen)| {
                let of = declared.get(name.as_slice()).copied().flatten();
                Row::new(name, &seen, of)
            }));
            if rows.len() > MOST {
                let words = format!("there are over {MOST} names in it: FTP lists them");
                return Err(Trouble::new(StatusCode::INSUFFICIENT_STORAGE, words));
            }
        }
        Ok(Self { total: rows.len(), rows, hidden: false })
    }

    /// Of which nothing may be seen.
    pub(super) fn hidden() -> Self {
        Self { hidden: true, ..Self::default() }
    }

    /// What is wanted of it, in that order.
    #[must_use]
    pub(super) fn seen_by(mut self, view: &View) -> Self {
        let part = view.filter.to_lowercase();
        if !part.is_empty() {
            self.rows.retain(|row| row.key.contains(&part));
        }
        self.rows.sort_unstable_by(|one, other| {
            let order = one.compared(other, view.sort);
            let order = if view.descending { order.reverse() } else { order };
            other.folder.cmp(&one.folder).then(order)
        });
        self
    }
}

impl Row {
    fn new(name: Vec<u8>, seen: &Seen, of: Option<u64>) -> Self {
        Self {
            key: Natural::of(&name),
            name,
            folder: seen.meta.kind == Kind::Folder,
            size: seen.meta.size,
            modified: seen.meta.modified,
            unfinished: seen.unfinished.then_some(Unfinished { of }),
        }
    }

    /// Names decide between what is alike.
    fn compared(&self, other: &Self, by: Sort) -> Ordering {
        let date = |row: &Self| (row.modified.seconds, row.modified.nanos);
        let first = match by {
            Sort::Name => Ordering::Equal,
            Sort::Size => self.size.cmp(&other.size),
            Sort::Date => date(self).cmp(&date(other)),
        };
        first.then_with(|| self.key.cmp(&other.key)).then_with(|| self.name.cmp(&other.name))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file of that size, or a folder; its date is its size.
    pub(in super::super) fn row(name: &[u8], size: Option<u64>) -> Row {
        let seconds = i64::try_from(size.unwrap_or_default()).unwrap();
        Row {
            name: name.to_vec(),
            key: Natural::of(name),
            folder: size.is_none(),
            size: size.unwrap_or_default(),
            modified: Modified { seconds, nanos: 0, strong: false },
            unfinished: None,
        }
    }

    fn shown(view: &View) -> Vec<String> {
        let rows = vec![
            row(b"b10", Some(3)),
            row(b"B9", Some(1)),
            row(b"zoo", None),
            row(b"A", None),
            row(b"c", Some(3)),
            row(b"\xff.bin", Some(2)),
        ];
        let listing = Listing { total: rows.len(), rows, hidden: false }.seen_by(view);
        listing.rows.iter().map(|row| String::from_utf8_lossy(&row.name).into_owned()).collect()
    }

    #[test]
    fn folders_come_first_and_names_decide() {
        let by = |sort, descending| shown(&View { sort, descending, ..View::default() });
        assert_eq!(by(Sort::Name, false), ["A", "zoo", "B9", "b10", "c", "\u{fffd}.bin"]);
        assert_eq!(by(Sort::Name, true), ["zoo", "A", "\u{fffd}.bin", "c", "b10", "B9"]);
        assert_eq!(by(Sort::Size, false), ["A", "zoo", "B9", "\u{fffd}.bin", "b10", "c"]);
        assert_eq!(by(Sort::Size, true), ["zoo", "A", "c", "b10", "\u{fffd}.bin", "B9"]);
        assert_eq!(by(Sort::Date, false), ["A", "zoo", "B9", "\u{fffd}.bin", "b10", "c"]);
    }

    #[test]
    fn a_filter_looks_into_names_whatever_their_case() {
        let filtered = |filter: &str| shown(&View { filter: filter.to_owned(), ..View::default() });
        assert_eq!(filtered("B"), ["B9", "b10", "\u{fffd}.bin"]);
        assert_eq!(filtered("O"), ["zoo"]);
        assert!(filtered("<").is_empty());
    }
}
