//! MODE B (RFC 959, section 3.4.2) on the way out: a file in blocks, and all that can be wrong with that.

use std::io::{self, Write};
use std::time::Duration;

use crate::hostile::Which;
use crate::hostile::wire::Wire;

/// Whether the client has gone is looked at so often.
const TICK: Duration = Duration::from_millis(1);

/// How files are sent in MODE B.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// A block has so many bytes, where nothing ends it sooner.
    pub len: u16,
    /// A restart marker stands at each multiple of so many bytes of the file, but where it begins and ends: the offset
    /// in digits. None for none.
    pub marked: Option<u64>,
    /// FEAT says that there are markers.
    pub says_marks: bool,
    /// What is wrong: in which transfers, at which byte of the file, and what. That byte may be the end.
    pub faults: Vec<(Which, u64, Fault)>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// These bytes stand there, between two blocks.
    Raw(Vec<u8>),
    /// These bytes, again and again, until the client goes.
    Endless(Vec<u8>),
    /// The block that begins there promises so many bytes more than it has.
    Short(u16),
    /// The file's end is told there, and no more is sent.
    Ends,
    /// Its end is not told; wherever that is.
    NoEnd,
    /// These bytes stand behind its end.
    Behind(Vec<u8>),
    /// The data connection is left to the client to close.
    LeftOpen,
    /// No blocks at all: the file as it is.
    Streamed,
}

/// How a transfer goes on.
pub(super) enum Laid {
    /// These bytes are to be sent.
    Wire(Vec<u8>),
    /// These, and the transfer is over: its end was told.
    Last(Vec<u8>),
    /// These, and then these without an end.
    Endless(Vec<u8>, Vec<u8>),
}

impl Default for Blocks {
    /// Blocks of 50,000 bytes and a marker at each MiB, and nothing is wrong.
    fn default() -> Self {
        Self { len: 50_000, marked: Some(1 << 20), says_marks: true, faults: Vec::new() }
    }
}

impl Blocks {
    /// With this at this byte of the file, in these transfers.
    #[must_use]
    pub fn fault(mut self, which: Which, at: u64, fault: Fault) -> Self {
        self.faults.push((which, at, fault));
        self
    }
}

/// One file on its way.
pub(super) struct Laying {
    len: u64,
    marked: Option<u64>,
    faults: Vec<(u64, Fault)>,
    size: u64,
    /// So many bytes of the present block are still to be laid.
    left: u64,
    /// Where the last marker stood, or it began.
    done: u64,
}

impl Laying {
    /// Of the transfer of this number.
    pub(super) fn new(blocks: &Blocks, transfer: usize, from: u64, size: u64) -> Self {
        let own = blocks.faults.iter().filter(|(which, ..)| which.includes(transfer));
        let faults = own.map(|(_, at, fault)| (*at, fault.clone())).collect();
        Self { len: blocks.len.into(), marked: blocks.marked, faults, size, left: 0, done: from }
    }

    fn has(&self, fault: &Fault) -> bool {
        self.faults.iter().any(|(_, known)| known == fault)
    }

    /// These bytes, which begin at `at`.
    pub(super) fn lay(&mut self, mut at: u64, mut bytes: &[u8]) -> Laid {
        if self.has(&Fault::Streamed) {
            return Laid::Wire(bytes.to_vec());
        }
        let mut wire = Vec::with_capacity(bytes.len() + 1000);
        while !bytes.is_empty() {
            if self.left == 0 {
                if let Some(over) = self.between(at, &mut wire) {
                    return over;
                }
                self.begin(at, &mut wire);
            }
            let (piece, rest) = bytes.split_at((self.left as usize).min(bytes.len()));
            wire.extend_from_slice(piece);
            bytes = rest;
            at += piece.len() as u64;
            self.left -= piece.len() as u64;
        }
        Laid::Wire(wire)
    }

    /// What stands between two blocks: a marker, and what is wrong there.
    fn between(&mut self, at: u64, wire: &mut Vec<u8>) -> Option<Laid> {
        if self.marked.is_some_and(|each| at.is_multiple_of(each)) && self.done < at && at < self.size {
            self.done = at;
            wire.extend(marker(&at.to_string()));
        }
        let here: Vec<Fault> =
            self.faults.iter().filter(|(place, _)| *place == at).map(|(_, fault)| fault.clone()).collect();
        for fault in here {
            match fault {
                Fault::Raw(bytes) => wire.extend(bytes),
                Fault::Endless(bytes) => return Some(Laid::Endless(std::mem::take(wire), bytes)),
                Fault::Ends => {
                    wire.extend(block(64, &[]));
                    return Some(Laid::Last(std::mem::take(wire)));
                }
                _ => {}
            }
        }
        None
    }

    /// The header of the block that begins here.
    fn begin(&mut self, at: u64, wire: &mut Vec<u8>) {
        let marker = self.marked.map_or(u64::MAX, |each| (at / each + 1) * each);
        let fault = self.faults.iter().map(|(place, _)| *place).filter(|place| *place > at).min();
        let end = self.size.min(marker).min(fault.unwrap_or(u64::MAX));
        self.left = self.len.min(end - at);
        let more = self.faults.iter().find_map(|(place, fault)| match fault {
            Fault::Short(more) if *place == at => Some(*more),
            _ => None,
        });
        let count = self.left as u16 + more.unwrap_or(0);
        wire.push(0);
        wire.extend(count.to_be_bytes());
    }

    /// The end of the file.
    pub(super) fn finish(&mut self) -> Laid {
        let mut wire = Vec::new();
        if self.has(&Fault::Streamed) {
            return Laid::Wire(wire);
        }
        if let Some(over) = self.between(self.size, &mut wire) {
            return over;
        }
        if !self.has(&Fault::NoEnd) {
            wire.extend(block(64, &[]));
        }
        for (_, fault) in &self.faults {
            if let Fault::Behind(bytes) = fault {
                wire.extend(bytes);
            }
        }
        Laid::Wire(wire)
    }

    /// Where the connection is left to the client to close, waits for that.
    pub(super) fn part(&self, data: &mut Wire, stopped: impl Fn() -> bool) -> io::Result<()> {
        if !self.has(&Fault::LeftOpen) {
            return Ok(());
        }
        data.flush()?;
        while !stopped() && data.read_now(&mut [0; 16])?.is_none() {
            std::thread::sleep(TICK);
        }
        Ok(())
    }
}

/// A block with this descriptor.
pub fn block(descriptor: u8, bytes: &[u8]) -> Vec<u8> {
    let count = u16::try_from(bytes.len()).expect("a block's length").to_be_bytes();
    [&[descriptor], &count[..], bytes].concat()
}

/// A restart marker of this name.
pub fn marker(name: &str) -> Vec<u8> {
    block(16, name.as_bytes())
}
