//! From the file to the wire.

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::ftp::{
    ascii::ToWire,
    block, record,
    server::step::{Form, Mode, Shape, Structure},
};

/// What a compressor writes at a time.
const ROOM: usize = 32 << 10;

/// A file on its way out.
#[derive(Debug)]
pub struct Outgoing {
    shape: Shape,
    text: ToWire,
    deflate: Option<Compress>,
    /// What the mode is still to be laid around.
    bare: Vec<u8>,
}

impl Outgoing {
    /// In this shape.
    pub fn new(shape: Shape) -> Self {
        let deflate = match shape.mode {
            Mode::Deflate(level) => Some(Compress::new(Compression::new(level.get().into()), true)),
            Mode::Stream | Mode::Block => None,
        };
        Self { shape, text: ToWire::default(), deflate, bare: Vec::new() }
    }

    /// Appends what these bytes are on the wire.
    pub fn take(&mut self, bytes: &[u8], wire: &mut Vec<u8>) {
        match (self.shape.structure, self.shape.form) {
            (Structure::File, Form::Image) => self.lay(bytes, wire),
            (Structure::File, Form::Ascii) => {
                let mut bare = std::mem::take(&mut self.bare);
                self.text.take(bytes, &mut bare);
                self.lay(&bare, wire);
                bare.clear();
                self.bare = bare;
            }
            (Structure::Record, _) => self.records(bytes, wire),
        }
    }

    /// Appends a restart marker for this place, in MODE B.
    pub fn mark(&mut self, offset: u64, wire: &mut Vec<u8>) {
        if self.shape.mode == Mode::Block {
            wire.extend(block::mark(offset));
        }
    }

    /// Appends the end of the file, where it is told.
    pub fn finish(&mut self, wire: &mut Vec<u8>) {
        match (self.shape.mode, self.shape.structure) {
            (Mode::Block, _) => wire.extend(block::END_OF_FILE),
            (Mode::Stream, Structure::File) => {}
            (Mode::Stream | Mode::Deflate(_), Structure::Record) => self.lay(&record::END_OF_FILE, wire),
            (Mode::Deflate(_), Structure::File) => {}
        }
        if let Some(deflate) = &mut self.deflate {
            compress(deflate, &[], FlushCompress::Finish, wire);
        }
    }

    fn records(&mut self, bytes: &[u8], wire: &mut Vec<u8>) {
        let mut bare = std::mem::take(&mut self.bare);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (record, ends) = match line.split_last() {
                Some((b'\n', record)) => (record, true),
                _ => (line, false),
            };
            if self.shape.mode == Mode::Block {
                block::wrap(record, wire);
                if ends {
                    wire.extend(block::END_OF_RECORD);
                }
                continue;
            }
            record::escape(record, &mut bare);
            if ends {
                bare.extend(record::END_OF_RECORD);
            }
        }
        if !bare.is_empty() {
            self.lay(&bare, wire);
        }
        bare.clear();
        self.bare = bare;
    }

    /// Lays the mode around these bytes.
    fn lay(&mut self, bytes: &[u8], wire: &mut Vec<u8>) {
        match (&mut self.deflate, self.shape.mode) {
            (Some(deflate), _) => compress(deflate, bytes, FlushCompress::None, wire),
            (None, Mode::Block) => block::wrap(bytes, wire),
            (None, Mode::Stream | Mode::Deflate(_)) => wire.extend_from_slice(bytes),
        }
    }
}

/// Compresses all of these bytes.
fn compress(deflate: &mut Compress, mut bytes: &[u8], flush: FlushCompress, wire: &mut Vec<u8>) {
    loop {
        wire.reserve(ROOM);
        let before = deflate.total_in();
        let status = deflate.compress_vec(bytes, wire, flush);
        let taken = usize::try_from(deflate.total_in() - before).unwrap_or(bytes.len());
        bytes = bytes.get(taken..).unwrap_or_default();
        let is_full = wire.len() == wire.capacity();
        match status {
            Ok(Status::StreamEnd) | Err(_) => return,
            // Whatever is held back for now comes with what follows.
            Ok(_) if bytes.is_empty() && !is_full && flush == FlushCompress::None => return,
            Ok(_) => {}
        }
    }
}
