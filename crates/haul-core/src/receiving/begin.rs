//! Where the bytes of an upload go.

use std::fmt;

/// From where an upload goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// From the first byte.
    Anew,
    /// From this byte on.
    From(u64),
    /// From the end of what is there.
    Append,
}

/// What is there under the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct There {
    /// The offset of this owner's unfinished upload.
    pub unfinished: Option<u64>,
    /// The size of the published file.
    pub published: Option<u64>,
}

/// What the first byte of an upload needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// An empty file. An unfinished upload of that name is given up.
    Create,
    /// The unfinished upload, as it is.
    Continue {
        /// Its end.
        at: u64,
    },
    /// The unfinished upload, without its bytes from `at` on.
    Cut {
        /// Where the upload goes on; less than its end, and not 0.
        at: u64,
    },
    /// A copy of the first bytes of the published file.
    Copy {
        /// How many.
        upto: u64,
    },
}

impl Begin {
    /// The byte that comes first.
    pub fn at(self) -> u64 {
        match self {
            Self::Create => 0,
            Self::Continue { at } | Self::Cut { at } => at,
            Self::Copy { upto } => upto,
        }
    }
}

/// An upload cannot go on behind the end of what is there: that would leave a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastEnd {
    /// Where the end is.
    pub end: u64,
}

impl fmt::Display for PastEnd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "only {} bytes are there", self.end)
    }
}

impl std::error::Error for PastEnd {}

/// Where the bytes go. The unfinished upload counts before the published file, as everywhere for its owner.
pub fn begin(wish: Wish, there: There) -> Result<Begin, PastEnd> {
    let from = match (wish, there.unfinished, there.published) {
        (Wish::Anew | Wish::From(0), _, _) | (Wish::Append, None, None) => return Ok(Begin::Create),
        (Wish::Append, Some(end), _) => return Ok(Begin::Continue { at: end }),
        (Wish::Append, None, Some(size)) => return Ok(Begin::Copy { upto: size }),
        (Wish::From(from), _, _) => from,
    };
    match (there.unfinished, there.published) {
        (Some(end), _) if from == end => Ok(Begin::Continue { at: end }),
        (Some(end), _) if from < end => Ok(Begin::Cut { at: from }),
        (None, Some(size)) if from <= size => Ok(Begin::Copy { upto: from }),
        (Some(end), _) | (None, Some(end)) => Err(PastEnd { end }),
        (None, None) => Err(PastEnd { end: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: There = There { unfinished: None, published: None };

    fn unfinished(end: u64) -> There {
        There { unfinished: Some(end), published: Some(1000) }
    }

    fn published(size: u64) -> There {
        There { unfinished: None, published: Some(size) }
    }

    #[test]
    fn a_plain_store_begins_anew_whatever_is_there() {
        for there in [NOTHING, unfinished(7), published(7)] {
            assert_eq!(begin(Wish::Anew, there), Ok(Begin::Create));
            assert_eq!(begin(Wish::From(0), there), Ok(Begin::Create));
        }
    }

    #[test]
    fn rest_at_the_end_of_the_unfinished_upload_goes_on_with_it() {
        assert_eq!(begin(Wish::From(7), unfinished(7)), Ok(Begin::Continue { at: 7 }));
        assert_eq!(begin(Wish::Append, unfinished(7)), Ok(Begin::Continue { at: 7 }));
        assert_eq!(begin(Wish::Append, unfinished(0)), Ok(Begin::Continue { at: 0 }));
    }

    #[test]
    fn rest_inside_cuts_and_past_the_end_is_refused() {
        assert_eq!(begin(Wish::From(6), unfinished(7)), Ok(Begin::Cut { at: 6 }));
        // The published file is longer, and does not count.
        assert_eq!(begin(Wish::From(8), unfinished(7)), Err(PastEnd { end: 7 }));
        assert_eq!(begin(Wish::From(1), unfinished(0)), Err(PastEnd { end: 0 }));
    }

    #[test]
    fn without_an_unfinished_upload_the_published_file_is_gone_on_with() {
        assert_eq!(begin(Wish::From(3), published(7)), Ok(Begin::Copy { upto: 3 }));
        assert_eq!(begin(Wish::From(7), published(7)), Ok(Begin::Copy { upto: 7 }));
        assert_eq!(begin(Wish::From(8), published(7)), Err(PastEnd { end: 7 }));
        assert_eq!(begin(Wish::Append, published(7)), Ok(Begin::Copy { upto: 7 }));
        assert_eq!(begin(Wish::Append, published(0)), Ok(Begin::Copy { upto: 0 }));
    }

    #[test]
    fn where_nothing_is_append_begins_and_rest_is_refused() {
        assert_eq!(begin(Wish::Append, NOTHING), Ok(Begin::Create));
        assert_eq!(begin(Wish::From(1), NOTHING), Err(PastEnd { end: 0 }));
    }
}
