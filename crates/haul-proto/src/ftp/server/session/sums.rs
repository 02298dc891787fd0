//! Checksums: HASH (draft-bryan-ftpext-hash-02), and XCRC, XMD5, XSHA…, which no document describes. They are of the
//! bytes as they lie, whatever the TYPE.

use std::{fmt::Write as _, mem};

use super::{Answer, Heard, Next, Purpose, Session, transfer::Restart};
use crate::ftp::{
    hash::Kind,
    server::step::{Ask, Sum, SumValue},
};

/// Who wants a checksum.
#[derive(Debug)]
pub(super) enum Wanted {
    /// HASH of this path, as it was said.
    Hash(Kind, Vec<u8>),
    /// XCRC and its like.
    X,
}

impl Session {
    /// Of what RANG says, or of all.
    pub(super) fn hash(&mut self, raw: Vec<u8>) -> Heard {
        let (from, to) = match mem::replace(&mut self.restart, Restart::None) {
            Restart::Part(from, to, _) => (from, Some(to)),
            other => {
                self.restart = other;
                (0, None)
            }
        };
        let ask = Ask::Sum { path: self.place(&raw)?, kind: self.hash, from, to };
        Ok(Next::Ask(ask, Purpose::Sum(Wanted::Hash(self.hash, raw))))
    }

    pub(super) fn x_hash(&self, kind: Kind, raw: &[u8], part: Option<(u64, u64)>) -> Heard {
        let (from, to) = part.map_or((0, None), |(from, to)| (from, Some(to)));
        let ask = Ask::Sum { path: self.place(raw)?, kind, from, to };
        Ok(Next::Ask(ask, Purpose::Sum(Wanted::X)))
    }
}

impl Wanted {
    pub(super) fn answer(self, sum: &Sum) -> Next {
        let hex = hex(&sum.value);
        Next::Say(match self {
            Self::Hash(kind, path) => {
                // The last byte, and not the one behind it; of nothing there is none.
                let last = sum.to.saturating_sub(1).max(sum.from);
                let name = kind.name().unwrap_or_default();
                let text = format!("{name} {}-{last} {hex} ", sum.from);
                Answer::new(213, [text.as_bytes(), &path].concat())
            }
            Self::X => Answer::new(250, hex),
        })
    }
}

fn hex(value: &SumValue) -> String {
    match value {
        SumValue::Crc32(crc) => format!("{crc:08X}"),
        SumValue::Digest(digest) => digest.bytes().iter().fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}
