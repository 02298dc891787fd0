//! A file that the system sends by itself in MODE B (RFC 959 §3.4.2): each block's header is sent so that it waits for
//! what follows, and the block's bytes come from the file behind it. Markers stand where RETR has them (§3.5).
//!
//! A header that was sent binds: exactly so many bytes follow it, or the connection is broken off by whoever has it.

use std::{fs::File, io, sync::Arc};

use haul_proto::ftp::block;

use super::{figures::Figures, retrieve::MARKED};
use crate::{
    by_system::{Bare, Laying, is_unsupported},
    sys::{self, Socket},
};

/// The bytes of a block: whole pages of a file.
const BLOCK: usize = 60 << 10;

/// How a file lies on a connection.
pub(super) enum Laid {
    /// As it is.
    Bare,
    InBlocks(InBlocks),
}

/// Where a file in blocks is.
pub(super) struct InBlocks {
    from: u64,
    /// What is to be sent before the next byte of the file.
    head: Vec<u8>,
    /// How many bytes of the present block are still to come.
    left: usize,
    /// A piece of a file that the system does not send by itself (some of FUSE).
    piece: Option<Vec<u8>>,
    figures: Arc<Figures>,
}

impl Laying for Laid {
    fn send(&mut self, socket: &impl Socket, file: &File, at: &mut u64, count: usize) -> io::Result<usize> {
        match self {
            Self::Bare => Bare.send(socket, file, at, count),
            Self::InBlocks(blocks) => blocks.send(socket, file, at, count),
        }
    }
}

impl InBlocks {
    /// Of a file that is sent from here on.
    pub(super) fn new(from: u64, figures: &Arc<Figures>) -> Self {
        Self { from, head: Vec::new(), left: 0, piece: None, figures: Arc::clone(figures) }
    }

    /// Announces the next block, of at most so many bytes.
    fn begin(&mut self, at: u64, most: usize) {
        // Where it begins nobody needs a marker.
        if at.is_multiple_of(MARKED) && at > self.from {
            self.head = block::mark(at);
        }
        let to_marker = usize::try_from(MARKED - at % MARKED).unwrap_or(BLOCK);
        let count = u16::try_from(most.min(to_marker).min(BLOCK)).unwrap_or(block::MOST);
        self.head.extend(block::content(count));
        self.left = count.into();
    }

    /// Sends what is next; how many bytes of the file were in it.
    fn step(&mut self, socket: &impl Socket, file: &File, at: &mut u64, most: usize) -> io::Result<usize> {
        if self.left == 0 {
            self.begin(*at, most);
        }
        while !self.head.is_empty() {
            let sent = sys::write_before(socket, &self.head)?;
            self.figures.add(sent);
            self.head.drain(..sent);
        }
        let sent = match &mut self.piece {
            None => match sys::send_file(socket, file, at, self.left) {
                Err(error) if is_unsupported(&error) => {
                    self.piece = Some(vec![0; BLOCK]);
                    return Err(io::ErrorKind::Interrupted.into());
                }
                sent => sent?,
            },
            Some(piece) => by_hand(socket, file, at, piece.get_mut(..self.left).unwrap_or_default())?,
        };
        self.left -= sent;
        Ok(sent)
    }

    /// Sends some of a file, of which `count` bytes may go now; how many.
    fn send(&mut self, socket: &impl Socket, file: &File, at: &mut u64, count: usize) -> io::Result<usize> {
        let mut sent = 0;
        while sent < count {
            match self.step(socket, file, at, count - sent) {
                Ok(step @ 1..) => sent += step,
                // What stopped it is seen again.
                Ok(_) | Err(_) if sent > 0 => break,
                stopped => return stopped,
            }
        }
        Ok(sent)
    }
}

/// As [`sys::send_file`], read and written.
fn by_hand(socket: &impl Socket, file: &File, at: &mut u64, piece: &mut [u8]) -> io::Result<usize> {
    // Whatever it is called, the system is not asked to send it another way: a block has begun.
    let read = sys::read_at(file, piece, *at).map_err(io::Error::other)?;
    if read == 0 {
        return Ok(0);
    }
    let sent = sys::write_now(socket, piece.get(..read).unwrap_or_default())?;
    *at += sent as u64;
    Ok(sent)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Shutdown, TcpListener, TcpStream},
        thread,
    };

    use haul_testkit::Content;

    use super::*;
    use crate::by_system::{Broken, turn};

    /// What a client reads: the file, its markers and where they stood.
    type Read = (Vec<u8>, Vec<(usize, String)>);

    /// What comes out where `from..to` of a file is sent, in turns, to a client that takes all.
    fn sent(file: &File, from: u64, to: u64) -> (Result<(), Broken>, Read) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let reading = thread::spawn(move || {
            let mut wire = Vec::new();
            (&client).read_to_end(&mut wire).map(|_| wire)
        });
        let figures = Arc::new(Figures::new(None));
        let (mut at, mut laid) = (from, Laid::InBlocks(InBlocks::new(from, &figures)));
        let mut turned = Ok(());
        while at < to && turned.is_ok() {
            turned = turn(&stream, (file, &mut laid), &mut at, to, figures.as_ref());
        }
        stream.shutdown(Shutdown::Write).unwrap();
        let wire = reading.join().unwrap().unwrap();
        assert_eq!(figures.moved(), wire.len() as u64, "headers and markers are counted, too");
        let (mut decoder, mut rest, mut read) = (block::Decoder::default(), &wire[..], Read::default());
        while let Some(next) = decoder.next(&mut rest).unwrap() {
            match next {
                block::Next::Content(bytes) => read.0.extend_from_slice(bytes),
                block::Next::Marker(name) => {
                    read.1.push((read.0.len(), String::from_utf8(name.as_bytes().to_vec()).unwrap()));
                }
                other => panic!("{other:?}"),
            }
        }
        (turned, read)
    }

    #[test]
    fn a_file_is_what_its_blocks_are_and_a_marker_stands_at_each_mebibyte() {
        let content = Content::new(3, 9 * MARKED + 77);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content.bytes(0..content.size())).unwrap();
        for (from, to) in
            [(0, content.size()), (5, 2 * MARKED), (MARKED, MARKED + 1), (MARKED - 1, MARKED + 1)]
        {
            let (turned, (bytes, markers)) = sent(&file, from, to);
            assert!(turned.is_ok() && bytes == content.bytes(from..to), "{from} {to}");
            let marked = (from / MARKED + 1..).map(|n| n * MARKED).take_while(|at| *at < to);
            let marked: Vec<_> = marked.map(|at| ((at - from) as usize, at.to_string())).collect();
            assert_eq!(markers, marked, "{from} {to}");
        }
    }

    #[test]
    fn a_file_that_the_system_does_not_send_is_read_and_written() {
        let path = "/proc/self/environ";
        let bytes = std::fs::read(path).unwrap();
        let (turned, (read, _)) = sent(&File::open(path).unwrap(), 0, bytes.len() as u64);
        assert!(turned.is_ok() && read == bytes);
    }

    #[test]
    fn what_became_shorter_is_told_also_within_a_block() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"short").unwrap();
        let (turned, (read, _)) = sent(&file, 0, 9);
        assert!(matches!(turned, Err(Broken::Shrunk)));
        assert_eq!(read, b"short");
    }
}
