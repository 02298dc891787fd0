//! What an upload in MODE B adds to its bytes (RFC 959 §3.4.2, §3.5): a header before each block, a restart marker every
//! so often, which the server answers once all before it is safe, and the end of the file.

use std::{
    io::{self, IoSlice},
    time::{Duration, Instant},
};

use haul_proto::ftp::block;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// The bytes of a block: whole pages of a file.
pub(crate) const PIECE: usize = 60 << 10;
/// A marker is sent after so many bytes …
const BYTES: u64 = 32 << 20;
/// … or so long: what is behind the last one may be lost.
const TIME: Duration = Duration::from_secs(5);

/// Where an upload in blocks is.
#[derive(Debug)]
pub(super) struct Blocks {
    /// The offset of the next byte.
    at: u64,
    /// That of the last marker, and when it was; `None`: nobody answers them.
    marked: Option<(u64, Instant)>,
}

impl Blocks {
    pub(super) fn new(at: u64, marks: bool) -> Self {
        Self { at, marked: marks.then(|| (at, Instant::now())) }
    }

    /// Sends these bytes. A marker stands before them and never behind the last byte of all: who has all bytes and no end
    /// could be taken for done.
    pub(super) async fn write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
    ) -> io::Result<()> {
        if let Some((last, when)) = self.marked
            && self.at > last
            && (self.at - last >= BYTES || when.elapsed() >= TIME)
        {
            stream.write_all(&block::mark(self.at)).await?;
            self.marked = Some((self.at, Instant::now()));
        }
        for piece in bytes.chunks(PIECE) {
            // No piece is longer.
            let header = block::content(u16::try_from(piece.len()).unwrap_or(block::MOST));
            both(stream, &header, piece).await?;
            self.at += piece.len() as u64;
        }
        Ok(())
    }

    /// Says that the file ends here.
    pub(super) async fn end(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        stream.write_all(&block::END_OF_FILE).await
    }
}

/// Sends a header and what is behind it, together where that can be.
async fn both(stream: &mut (impl AsyncWrite + Unpin), header: &[u8], piece: &[u8]) -> io::Result<()> {
    let sent = stream.write_vectored(&[IoSlice::new(header), IoSlice::new(piece)]).await?;
    if let Some(rest) = header.get(sent..).filter(|rest| !rest.is_empty()) {
        stream.write_all(rest).await?;
    }
    stream.write_all(piece.get(sent.saturating_sub(header.len())..).unwrap_or_default()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server reads of it: bytes, markers, and whether there was an end.
    fn read(wire: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>, bool) {
        let (mut decoder, mut rest) = (block::Decoder::default(), wire);
        let (mut bytes, mut markers) = (Vec::new(), Vec::new());
        while let Some(next) = decoder.next(&mut rest).unwrap() {
            match next {
                block::Next::Content(piece) => bytes.extend_from_slice(piece),
                block::Next::Marker(marker) => markers.push(marker.as_bytes().to_vec()),
                block::Next::Record => panic!("a record"),
                block::Next::End => {}
            }
        }
        (bytes, markers, decoder.has_ended())
    }

    #[tokio::test]
    async fn what_is_sent_is_read_as_it_was_whatever_is_taken_at_a_time() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for room in [1, 2, 3, 4, 5000, 1 << 20] {
            let (mut ours, mut theirs) = tokio::io::duplex(room);
            let (sent, mut wire) = (bytes.clone(), Vec::new());
            let sending = async move {
                let mut blocks = Blocks::new(7, true);
                for piece in sent.chunks(70_000) {
                    blocks.write(&mut ours, piece).await.unwrap();
                }
                blocks.end(&mut ours).await.unwrap();
            };
            let reading = tokio::io::AsyncReadExt::read_to_end(&mut theirs, &mut wire);
            let ((), read_all) = tokio::join!(sending, reading);
            read_all.unwrap();
            assert!(read(&wire) == (bytes.clone(), Vec::new(), true));
        }
    }

    #[tokio::test]
    async fn a_marker_stands_before_the_bytes_that_follow_it() {
        let (mut wire, piece) = (Vec::new(), vec![1; 20 << 20]);
        let mut blocks = Blocks::new(5, true);
        for _ in 0..4 {
            blocks.write(&mut wire, &piece).await.unwrap();
        }
        let (bytes, markers, ended) = read(&wire);
        assert_eq!((bytes.len(), ended), (80 << 20, false));
        assert_eq!(markers, [((40 << 20) + 5).to_string().into_bytes()]);
        let (mut wire, mut silent) = (Vec::new(), Blocks::new(5, false));
        silent.write(&mut wire, &piece).await.unwrap();
        silent.write(&mut wire, &piece).await.unwrap();
        silent.write(&mut wire, b"x").await.unwrap();
        assert!(read(&wire).1.is_empty());
    }
}
