//! From the wire to the file.

use flate2::{Decompress, FlushDecompress, Status};

use crate::ftp::{
    ascii::FromWire,
    block::{self, Marker},
    record,
    server::step::{Form, Mode, Shape, Structure},
};

/// What is inflated at a time.
const ROOM: usize = 32 << 10;

/// Why what came is nothing that the mode or the structure has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// No blocks, or such as are not to be relied on.
    #[error(transparent)]
    Block(#[from] block::Wrong),
    /// No records.
    #[error(transparent)]
    Record(#[from] record::Wrong),
    /// No stream of zlib, or a damaged one.
    #[error("it is no stream of zlib, or a damaged one")]
    Deflate,
    /// The stream of zlib is at its end, and the records in it are not.
    #[error("the compressed stream ended before its records did")]
    Unended,
    /// Something stands behind the end.
    #[error("something came behind the end of the file")]
    Behind,
}

impl Wrong {
    /// In a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Block(block::Wrong::Descriptor(_)) => "a block has a descriptor that means nothing",
            Self::Block(block::Wrong::Suspect) => "a block is suspected of errors by its sender",
            Self::Block(block::Wrong::Marker) => "a restart marker is empty, too long or not printable",
            Self::Block(block::Wrong::Behind) | Self::Record(record::Wrong::Behind) | Self::Behind => {
                "something came behind the end of the file"
            }
            Self::Record(record::Wrong::Code(_)) => "a control code of a record means nothing",
            Self::Deflate => "it is no stream of zlib, or a damaged one",
            Self::Unended => "the compressed stream ended before its records did",
        }
    }
}

/// How far [`Incoming::take`] has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All that was given is taken.
    All,
    /// There is as much of the file as was asked for; the next call goes on.
    Enough,
    /// A restart marker stands here.
    Marker(Marker),
    /// The file ends here. Whatever is given from now on is wrong.
    End,
}

/// A file on its way in.
#[derive(Debug)]
pub struct Incoming {
    shape: Shape,
    blocks: block::Decoder,
    records: record::Decoder,
    text: FromWire,
    inflate: Option<Box<Inflate>>,
    ended: bool,
}

#[derive(Debug)]
struct Inflate {
    stream: Decompress,
    /// What was inflated, and how much of it is taken.
    out: Vec<u8>,
    taken: usize,
    /// The stream is at its end.
    over: bool,
}

impl Incoming {
    /// In this shape.
    pub fn new(shape: Shape) -> Self {
        let inflate = matches!(shape.mode, Mode::Deflate(_)).then(|| {
            let out = Vec::with_capacity(ROOM);
            Box::new(Inflate { stream: Decompress::new(true), out, taken: 0, over: false })
        });
        Self {
            shape,
            blocks: block::Decoder::default(),
            records: record::Decoder::default(),
            text: FromWire::default(),
            inflate,
            ended: false,
        }
    }

    /// Takes from `bytes`, which moves past what was taken, and appends what that is in the file, until there are about
    /// `enough` bytes of it.
    ///
    /// # Errors
    /// What came is nothing that the mode or the structure has: nothing behind this place can be read.
    pub fn take(&mut self, bytes: &mut &[u8], file: &mut Vec<u8>, enough: usize) -> Result<Taken, Wrong> {
        if self.ended {
            return if bytes.is_empty() { Ok(Taken::All) } else { Err(Wrong::Behind) };
        }
        let taken = match self.shape.mode {
            Mode::Block => self.of_blocks(bytes, file, enough),
            Mode::Stream => self.of_structure(bytes, file, enough),
            Mode::Deflate(_) => self.of_deflate(bytes, file, enough),
        }?;
        self.ended = taken == Taken::End;
        Ok(taken)
    }

    /// The connection ended, well: appends what is left. Whether the file has ended, too.
    pub fn finish(&mut self, file: &mut Vec<u8>) -> bool {
        self.text.finish(file);
        self.ended || !self.shape.tells_end()
    }

    /// Whether the end of the file was told.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// MODE B of a file as it is, where its bytes may be taken elsewhere.
    pub fn bare_blocks(&mut self) -> Option<&mut block::Decoder> {
        let bare = self.shape.mode == Mode::Block && self.shape.keeps_bytes();
        (bare && !self.ended).then_some(&mut self.blocks)
    }

    fn of_blocks(&mut self, bytes: &mut &[u8], file: &mut Vec<u8>, enough: usize) -> Result<Taken, Wrong> {
        while file.len() < enough {
            match self.blocks.next(bytes)? {
                None => return Ok(Taken::All),
                Some(block::Next::Content(piece)) => lines(&mut self.text, self.shape, piece, file),
                // In STRU F records mean nothing.
                Some(block::Next::Record) => {
                    if self.shape.structure == Structure::Record {
                        file.push(b'\n');
                    }
                }
                Some(block::Next::Marker(marker)) => return Ok(Taken::Marker(marker)),
                Some(block::Next::End) => return Ok(Taken::End),
            }
        }
        Ok(Taken::Enough)
    }

    /// What the mode adds is gone.
    fn of_structure(&mut self, bytes: &mut &[u8], file: &mut Vec<u8>, enough: usize) -> Result<Taken, Wrong> {
        if self.shape.structure == Structure::File {
            lines(&mut self.text, self.shape, bytes, file);
            *bytes = &[];
            return Ok(Taken::All);
        }
        while file.len() < enough {
            match self.records.next(bytes)? {
                None => return Ok(Taken::All),
                Some(record::Next::Content(piece)) => lines(&mut self.text, self.shape, piece, file),
                Some(record::Next::Record) => file.push(b'\n'),
                Some(record::Next::End) => return Ok(Taken::End),
            }
        }
        Ok(Taken::Enough)
    }

    fn of_deflate(&mut self, bytes: &mut &[u8], file: &mut Vec<u8>, enough: usize) -> Result<Taken, Wrong> {
        let Some(mut inflate) = self.inflate.take() else { return Err(Wrong::Deflate) };
        let taken = self.inflated(&mut inflate, bytes, file, enough);
        self.inflate = Some(inflate);
        taken
    }

    fn inflated(
        &mut self,
        inflate: &mut Inflate,
        bytes: &mut &[u8],
        file: &mut Vec<u8>,
        enough: usize,
    ) -> Result<Taken, Wrong> {
        while file.len() < enough {
            let mut rest = inflate.out.get(inflate.taken..).unwrap_or_default();
            if !rest.is_empty() {
                // What ends the records ends the file only where the stream does as well.
                self.of_structure(&mut rest, file, enough)?;
                inflate.taken = inflate.out.len() - rest.len();
                continue;
            }
            if inflate.over {
                let whole = self.shape.structure == Structure::File || self.records.has_ended();
                return if whole { Ok(Taken::End) } else { Err(Wrong::Unended) };
            }
            if !inflate.more(bytes)? {
                return Ok(Taken::All);
            }
        }
        Ok(Taken::Enough)
    }
}

impl Inflate {
    /// Inflates some more; whether that made a difference.
    fn more(&mut self, bytes: &mut &[u8]) -> Result<bool, Wrong> {
        self.out.clear();
        self.taken = 0;
        let before = self.stream.total_in();
        let status = self.stream.decompress_vec(bytes, &mut self.out, FlushDecompress::None);
        let taken = usize::try_from(self.stream.total_in() - before).unwrap_or(bytes.len());
        *bytes = bytes.get(taken..).unwrap_or_default();
        self.over = status.map_err(|_| Wrong::Deflate)? == Status::StreamEnd;
        Ok(self.over || !self.out.is_empty() || taken > 0)
    }
}

/// Bytes of the structure to bytes of the file.
fn lines(text: &mut FromWire, shape: Shape, piece: &[u8], file: &mut Vec<u8>) {
    match (shape.form, shape.structure) {
        (Form::Ascii, Structure::File) => text.take(piece, file),
        // The ends of lines are those of records.
        (Form::Image, _) | (Form::Ascii, Structure::Record) => file.extend_from_slice(piece),
    }
}
