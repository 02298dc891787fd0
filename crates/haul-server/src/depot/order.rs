//! What a client wants who begins or goes on with an upload, beside its bytes.

use haul_core::receiving::{Declared, Wish};
use haul_store::{Meta, Unfinished, When};

use super::unfinished::Base;

/// An upload that is wanted.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where its bytes go.
    pub wish: Wish,
    /// What was said of its size.
    pub announced: Announced,
    /// Whether the file's end is told among its bytes: then it is whole with that and with nothing else, whatever was said
    /// of its size.
    pub tells_end: bool,
    /// On which condition it may become what it is to become.
    pub condition: Condition,
    /// What happens to an older session that receives it.
    pub older: Older,
    /// Whether the beginning of the finished file stands in for that of an unfinished upload, where there is none.
    pub from_finished: bool,
    /// The unfinished upload that is meant, by its name ([`Pending::id`](super::Pending::id)); whatever has the place,
    /// where none is named. [`Wish::From`] another byte than its end is refused then.
    pub of: Option<String>,
    /// What a door wants to know of it later, beside its offset: opaque here. `None`: as an earlier run has left it.
    pub note: Option<Vec<u8>>,
}

/// What a client says of the size of a file before it sends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Announced {
    /// Nothing.
    #[default]
    Nothing,
    /// The size of the whole file.
    Whole(u64),
    /// The size of the whole file, or of the rest of it that is sent: clients differ (ALLO, RFC 959 §4.1.3).
    WholeOrRest(u64),
}

/// On which condition a file may take its name, or lose it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// None: whatever has the name is replaced.
    #[default]
    Any,
    /// Nothing has the name.
    Absent,
    /// The file that has the name is still this one.
    Same(Meta),
}

/// What happens to an older session that receives the same upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Older {
    /// It goes only when it has been silent for a while; while bytes come, the newer one does.
    #[default]
    GoesIfSilent,
    /// It goes at once: the newer one names this very upload.
    Goes,
}

impl Order {
    /// Nothing but where its bytes go.
    pub fn new(wish: Wish) -> Self {
        Self {
            wish,
            announced: Announced::Nothing,
            tells_end: false,
            condition: Condition::Any,
            older: Older::GoesIfSilent,
            from_finished: true,
            of: None,
            note: None,
        }
    }
}

impl From<Option<u64>> for Announced {
    /// What ALLO says.
    fn from(size: Option<u64>) -> Self {
        size.map_or(Self::Nothing, Self::WholeOrRest)
    }
}

impl Announced {
    /// What that comes to, for an upload that begins at `at` and of which an earlier run has declared `before`.
    pub(super) fn declared(self, at: u64, before: Option<u64>) -> Declared {
        match self {
            Self::Nothing => Declared::earlier(before),
            Self::Whole(size) => Declared::Size(size),
            Self::WholeOrRest(size) => Declared::allo(size, at, before),
        }
    }
}

impl Condition {
    /// Whether it is met by the finished file that has the name.
    pub(super) fn is_met(&self, published: Option<&Meta>) -> bool {
        match (self, published) {
            (Self::Any, _) | (Self::Absent, None) => true,
            (Self::Absent, Some(_)) | (Self::Same(_), None) => false,
            (Self::Same(wanted), Some(there)) => {
                wanted.unique == there.unique
                    && wanted.size == there.size
                    && wanted.modified.same_moment(there.modified)
            }
        }
    }

    /// The same for a store, which lets nobody come in between.
    pub(super) fn when(&self) -> When {
        match self {
            Self::Any => When::Always,
            Self::Absent => When::Absent,
            Self::Same(meta) => When::Same(meta.clone()),
        }
    }

    /// The file that it is to replace.
    pub(super) fn base(&self) -> Option<Base> {
        match self {
            Self::Same(meta) => Some(super::unfinished::base(meta)),
            Self::Absent => Some(nothing()),
            Self::Any => None,
        }
    }
}

/// The base of an upload that must replace nothing: no file has such marks.
pub(super) fn nothing() -> Base {
    (Vec::new(), 0, 0, 0)
}

/// The note of an upload: the new one, or else what was there.
pub(super) fn note(new: Option<Vec<u8>>, earlier: Option<&Unfinished>) -> Vec<u8> {
    new.or_else(|| earlier.map(|record| record.note.clone())).unwrap_or_default()
}
