//! The machine's letters: what it is told ([`Event`]) and what it wants done ([`Action`]).

use std::time::Duration;

use super::{Local, Proof};
use crate::{Modified, transfer::Trouble};

/// Which of the two names the far end's file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The one it shall have in the end.
    Target,
    /// The one it has until it is complete, where the plan wants that.
    Temporary,
}

/// What is at the far end under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Absent,
    /// A file of so many bytes.
    Size(u64),
    /// The far end does not tell whether there is one, or how large it is.
    Unknown,
}

/// What the far end can do for somebody who wants to know what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Can {
    /// It makes checksums of files.
    pub hash: bool,
    /// Parts of the file can be read.
    pub read_back: bool,
}

/// What a look at the far end found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The file.
    pub there: There,
    /// Its date, where told.
    pub modified: Option<Modified>,
    /// How many bytes it will have once it is complete, where that was declared.
    pub declared: Option<u64>,
    /// What else can be asked.
    pub can: Can,
    /// What was begun is gone, and whatever is there now was there apart from it: known only where bytes of an unfinished
    /// file lie elsewhere than under its name.
    pub lost: bool,
}

/// How the far end's file is compared with ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A checksum of all of it, made by both sides.
    Hash,
    /// Its last 64 KiB, read back.
    Tail,
    /// All of it, read back.
    Whole,
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The same bytes.
    Same,
    /// Other bytes, or fewer.
    Different,
    /// The same, but all of them one repeated byte, which a hole would have as well.
    Blank,
    /// There was more of it than the far end had said: it grows, or its size is not what the far end says.
    Grown,
    /// The far end did not let it be done.
    Unable,
}

/// How bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The whole file; whatever is there is replaced.
    Begin,
    /// From an offset that is named.
    Restart,
    /// To the end of what is there.
    Append,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not in this way; another one may do.
    Way,
    /// Not now: somebody, perhaps an earlier session of ours, still has the file.
    Busy,
    /// A file came under the name since it was looked at.
    Came,
    /// No room at the far end.
    Full,
    /// It is more than the far end takes.
    TooLarge,
    /// The far end contradicts what it said before, or speaks of bytes that were never sent.
    Contradiction,
    /// Not at all.
    Denied,
}

/// Why everything is sent from the first byte although something was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    /// The local file is not the one any more that was begun.
    LocalChanged,
    /// What was sent before is gone.
    Gone,
    /// What is there are not the first bytes of the local file.
    NotAPrefix,
    /// It is longer than the local file.
    TooLong,
    /// It is the beginning of a file of another size.
    OtherSize,
    /// The far end knows no way to continue a file.
    NoWay,
    /// The far end continued the file elsewhere than at its end, or dropped its beginning.
    Spoilt,
    /// The far end confirmed a file that was sent whole, and what it has is not the local one.
    Wrong,
    /// It can't be compared.
    Unverifiable,
    /// The far end does not tell how much it has.
    SizeUnknown,
    /// The caller wants it.
    Asked,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The look that was asked for.
    Seen(Seen),
    /// The comparison that was asked for.
    Checked(Found),
    /// The far end takes the bytes: from here on what it has under this name is ours.
    Begun,
    /// Of what is sent in parts the far end had so many bytes from an earlier run: they count once the whole is proven.
    Kept(u64),
    /// Bytes up to this offset were handed over to the connection.
    Moved(u64),
    /// Of the bytes under way the far end says that those up to this offset are safe, whatever happens.
    Safe(u64),
    /// All bytes, up to this offset, went over, and the far end says that it has them.
    Sent(u64),
    /// All bytes went over, or not; meanwhile the local file became this one.
    LocalChanged(Local),
    /// The far end refused what was asked for.
    Refused(Refusal),
    /// Date and name are as they should be.
    Sealed,
    /// The connection came to nothing, or broke off.
    Failed {
        /// Why.
        why: Trouble,
        /// How long the far end wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The caller wants to stop.
    Pause,
}

/// Something that the driver shall do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// See what the far end has; answered by [`Event::Seen`].
    Look {
        /// Under which name.
        name: Name,
        /// An earlier session may still be writing: only a size that holds still counts.
        settle: bool,
    },
    /// Compare; answered by [`Event::Checked`].
    Check {
        /// What is at this name …
        name: Name,
        /// … its first so many bytes, which is all of it …
        size: u64,
        /// … in this way.
        how: How,
    },
    /// Send the local file's bytes from an offset on; answered by [`Event::Begun`], [`Event::Moved`] and then
    /// [`Event::Sent`], [`Event::LocalChanged`] or a failure.
    Send {
        /// To what is at this name.
        name: Name,
        /// The first byte.
        at: u64,
        /// In this way.
        way: Way,
    },
    /// Give the file its date and, where it has a temporary name, its name; answered by [`Event::Sealed`].
    Seal,
    /// Tell the user that the file is sent from its first byte.
    Say(Anew),
    /// It is over.
    Finish(Outcome),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The far end has the file.
    Done {
        /// What says so.
        proof: Proof,
        /// Nothing had to be sent.
        already: bool,
    },
    /// There is a file of that name, and the caller wants it left alone.
    Skipped,
    /// There is a file of that name that must not be replaced; nothing was touched.
    InTheWay(Obstacle),
    /// The far end refused.
    Refused(Refusal),
    /// The far end has all bytes under the temporary name, and refused to rename it.
    NotRenamed,
    /// The far end said that it has all bytes, and now it has no such file.
    Vanished,
    /// However it was sent, the far end's file did not become the local one.
    NeverRight,
    /// The local file changed each time it was sent.
    Restless,
    /// A stream can't be sent twice, and a part of it is lost.
    StreamBroken(Trouble),
    /// Too many failures in a row; the last trouble.
    GaveUp(Trouble),
    /// Stopped by the caller.
    Paused,
}

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A file, and the caller wants none replaced.
    Exists,
    /// A file with other bytes.
    Different,
    /// A file of the same size that looks the same where it was looked at, but has another date.
    Doubtful,
    /// A file that can't be compared.
    Unverifiable,
    /// Perhaps a file: the far end does not tell.
    Unknown,
    /// A file that was not there when this one was begun, which is all there under its temporary name.
    Came,
}
