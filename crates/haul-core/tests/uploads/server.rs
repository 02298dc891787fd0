//! A server in a few lines: what it does with an offset, with an append, and with sessions that are dead.

use std::fmt;

use haul_core::{
    Modified, Random,
    upload::{Can, Name, Refusal, Seen, There, Way},
};

/// What a server does with REST and STOR, or APPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Writes there and keeps what lies behind (vsftpd, ProFTPD, pyftpdlib).
    InPlace,
    /// Cuts the file there (Pure-FTPd, libunftp, FileZilla Server); appends, as append should.
    Truncates,
    /// Says no (ProFTPD by default, HiddenStores).
    Refuses,
    /// Says yes and writes from the first byte, keeping what lies behind.
    LiesInPlace,
    /// Says yes and begins an empty file.
    LiesEmpty,
}

/// The server.
pub(crate) struct Server {
    target: Option<Vec<u8>>,
    temporary: Option<Vec<u8>>,
    restart: Manner,
    append: Manner,
    tells_size: bool,
    can: Can,
    keeps_dates: bool,
    renames: bool,
    /// So much more is told of every size, or less.
    size_is_off: i64,
    /// Ends of what it confirms get lost.
    loses_ends: bool,
    /// What a dead session has still to write: where, how, and the bytes.
    lingering: Option<(Name, usize, Way, Vec<u8>)>,
    /// Bytes that arrived in all.
    pub(crate) received: u64,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { restart, append, tells_size, can, keeps_dates, renames, .. } = self;
        let (off, loses) = (self.size_is_off, self.loses_ends);
        write!(
            f,
            "{restart:?} {append:?} size {tells_size} {off:+} {can:?} dates {keeps_dates} renames {renames}"
        )?;
        write!(f, " loses ends {loses}")
    }
}

/// What lay there before.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) file: Option<Vec<u8>>,
    /// Nothing, or the beginning of the local file, or all of it.
    pub(crate) is_a_part: bool,
}

/// Nothing, a part of ours, or something else.
pub(crate) fn before(random: &mut Random, local: &[u8]) -> Before {
    let cut = random.below(local.len() as u64 + 1) as usize;
    let (file, is_a_part) = match random.below(8) {
        0 => (Some(local[..cut].to_vec()), true),
        1 => (Some(local.to_vec()), true),
        2 if cut > 0 => {
            let mut other = local[..cut].to_vec();
            // Within what every comparison looks at.
            other[cut - 1] ^= 1;
            (Some(other), false)
        }
        3 => (Some([local, b"more"].concat()), false),
        _ => (None, true),
    };
    Before { file, is_a_part }
}

impl Server {
    pub(crate) fn random(random: &mut Random, before: &Before) -> Self {
        use Manner::{InPlace, LiesEmpty, LiesInPlace, Refuses, Truncates};
        let restart =
            [InPlace, InPlace, Truncates, Refuses, LiesInPlace, LiesEmpty][random.below(6) as usize];
        let append = [Truncates, Truncates, Refuses, LiesEmpty][random.below(4) as usize];
        let mut one_in = |n| random.below(n) == 0;
        Self {
            target: before.file.clone(),
            temporary: None,
            restart,
            append,
            tells_size: !one_in(12),
            can: Can { hash: one_in(3), read_back: !one_in(8) },
            // Another file with the date and the size of ours would have been made to deceive.
            keeps_dates: one_in(2) && before.is_a_part,
            renames: !one_in(8),
            size_is_off: if one_in(15) { [-100, 100][usize::from(one_in(2))] } else { 0 },
            loses_ends: one_in(15),
            lingering: None,
            received: 0,
        }
    }

    /// One that does as one would wish.
    pub(crate) fn plain(random: &mut Random) -> Self {
        let restart = [Manner::InPlace, Manner::Truncates, Manner::Refuses][random.below(3) as usize];
        let can = Can { hash: random.below(2) == 0, read_back: true };
        Self {
            restart,
            append: Manner::Truncates,
            tells_size: true,
            can,
            keeps_dates: false,
            renames: true,
            size_is_off: 0,
            loses_ends: false,
            ..Self::random(random, &Before { file: None, is_a_part: true })
        }
    }

    pub(crate) fn can(&self) -> Can {
        self.can
    }

    pub(crate) fn file(&self, name: Name) -> Option<&[u8]> {
        match name {
            Name::Target => self.target.as_deref(),
            Name::Temporary => self.temporary.as_deref(),
        }
    }

    fn slot(&mut self, name: Name) -> &mut Option<Vec<u8>> {
        match name {
            Name::Target => &mut self.target,
            Name::Temporary => &mut self.temporary,
        }
    }

    pub(crate) fn see(&self, name: Name) -> Seen {
        let there = match self.file(name) {
            _ if !self.tells_size => There::Unknown,
            None => There::Absent,
            Some(file) => {
                let len = file.len() as u64;
                // A file that seems to be empty is never looked into.
                There::Size(len.saturating_add_signed(self.size_is_off).max(len.min(1)))
            }
        };
        let modified = self.keeps_dates.then_some(Modified { seconds: 1_000, nanos: 0, strong: true });
        Seen { there, modified, can: self.can, declared: None, lost: false }
    }

    /// Whether it takes the bytes, and what it does to the file by that.
    pub(crate) fn opens(&mut self, name: Name, at: usize, way: Way) -> Result<(), Refusal> {
        let manner = match way {
            Way::Begin => Manner::LiesEmpty,
            Way::Restart => self.restart,
            Way::Append => self.append,
        };
        if manner == Manner::Refuses {
            return Err(Refusal::Way);
        }
        let file = self.slot(name).get_or_insert_default();
        match (manner, way) {
            (Manner::LiesEmpty, _) => file.clear(),
            (Manner::Truncates, Way::Restart) => file.truncate(at),
            _ => {}
        }
        Ok(())
    }

    /// How much of the end of so many bytes gets lost although all of them will be confirmed.
    pub(crate) fn loses(&self, random: &mut Random, sent: usize) -> usize {
        if self.loses_ends && random.below(2) == 0 {
            random.below(sent.min(20_000) as u64 + 1) as usize
        } else {
            0
        }
    }

    pub(crate) fn receive(&mut self, name: Name, at: usize, way: Way, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        let manner = match way {
            Way::Begin => Manner::InPlace,
            Way::Restart => self.restart,
            Way::Append => self.append,
        };
        let file = self.slot(name).get_or_insert_default();
        let from = match (manner, way) {
            (Manner::LiesInPlace | Manner::LiesEmpty, _) => 0,
            (_, Way::Append) => file.len(),
            _ => at,
        };
        if file.len() < from + bytes.len() {
            file.resize(from + bytes.len(), 0);
        }
        file[from..from + bytes.len()].copy_from_slice(bytes);
    }

    /// A session is dead; of what it was sent it has still to write what follows its first `arrived` bytes.
    pub(crate) fn linger(&mut self, name: Name, at: usize, way: Way, bytes: &[u8], arrived: usize) {
        let rest = bytes[arrived..].to_vec();
        // What goes to a fixed place goes on behind what arrived; what is appended goes to the end.
        let lies = way == Way::Restart && matches!(self.restart, Manner::LiesInPlace | Manner::LiesEmpty);
        let to = if lies { arrived } else { at + arrived };
        self.lingering = Some((name, to, way, rest));
    }

    /// Enough time goes by for dead sessions to write a part of what they have, or all.
    pub(crate) fn settle(&mut self) {
        if let Some((name, to, way, rest)) = self.lingering.take() {
            let received = self.received;
            let rest = &rest[..rest.len() / 2];
            let file = self.slot(name).get_or_insert_default();
            let to = if way == Way::Append { file.len() } else { to };
            if file.len() < to + rest.len() {
                file.resize(to + rest.len(), 0);
            }
            file[to..to + rest.len()].copy_from_slice(rest);
            self.received = received + rest.len() as u64;
        }
    }

    pub(crate) fn rename(&mut self) -> bool {
        if self.renames && self.temporary.is_some() {
            self.target = self.temporary.take();
        }
        self.renames
    }
}
