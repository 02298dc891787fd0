//! The local side: a file that is read at offsets, or standard input that comes once.
//!
//! What the system has in memory is read here and now, while it is warm; what it has to wait for is read on another
//! thread, so that a slow disk holds up nobody else.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use haul_core::upload::Local;
use tokio::sync::mpsc;

use crate::{
    escape::escape,
    failure::{Failure, Kind},
};

/// Pieces of standard input that wait to be sent.
const PIECES: usize = 2;

/// An open file.
#[derive(Clone, Debug)]
pub(crate) struct LocalFile {
    path: PathBuf,
    file: Arc<File>,
    /// What it was when it was opened.
    pub(crate) identity: Local,
}

impl LocalFile {
    /// Opens a regular file. A link that the user names is followed.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: io::Error| {
            Failure::new(Kind::Local, format!("cannot read {}: {error}", escape(&path.to_string_lossy())))
        };
        // Looked at first: to open a pipe would wait for its other end.
        let seen = path.metadata().map_err(cannot)?;
        if !seen.is_file() {
            let what = if seen.is_dir() { "is a folder" } else { "is not a regular file" };
            let failure = Failure::new(Kind::Local, format!("{} {what}", escape(&path.to_string_lossy())));
            return Err(if seen.is_dir() { failure.advise("use -r to send a folder") } else { failure });
        }
        let file = File::open(path).map_err(cannot)?;
        let identity = identity(&file).map_err(cannot)?;
        if identity.size == 0 && is_longer_than_told(&file) {
            let what = "is longer than the system says, which is no bytes at all";
            let failure = Failure::new(Kind::Local, format!("{} {what}", escape(&path.to_string_lossy())));
            return Err(failure.advise("send it as standard input (-)"));
        }
        Ok(Self { path: path.to_path_buf(), file: Arc::new(file), identity })
    }

    /// Opens what has the name now.
    pub(crate) fn reopen(&self) -> Result<Self, Failure> {
        Self::open(&self.path)
    }

    /// Whether it is as it was when it was opened.
    pub(crate) fn is_unchanged(&self) -> bool {
        identity(&self.file).is_ok_and(|now| now == self.identity)
    }

    /// Reads at an offset, as much as the buffer holds; less only at the end of the file.
    pub(crate) async fn read(&self, mut buffer: Vec<u8>, at: u64) -> io::Result<(Vec<u8>, usize)> {
        if let Some(read) = read_now(&self.file, &mut buffer, at) {
            return Ok((buffer, read));
        }
        let file = Arc::clone(&self.file);
        let reading = tokio::task::spawn_blocking(move || {
            let read = read_full(&file, &mut buffer, at)?;
            Ok((buffer, read))
        });
        reading.await.map_err(io::Error::other)?
    }

    /// The same, on this thread, for as long as it takes.
    pub(crate) fn read_blocking(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        read_full(&self.file, buffer, at)
    }

    /// Exactly these bytes.
    pub(crate) async fn read_exactly(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        match self.read(vec![0; len], at).await? {
            (buffer, read) if read == len => Ok(buffer),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Whether a file without a length has bytes all the same, as those of /proc have.
fn is_longer_than_told(file: &File) -> bool {
    read_full(file, &mut [0], 0).is_ok_and(|read| read > 0)
        // It may have become longer since.
        && file.metadata().is_ok_and(|seen| seen.len() == 0)
}

fn identity(file: &File) -> io::Result<Local> {
    let seen = file.metadata()?;
    let modified = match seen.modified()?.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match before.subsec_nanos() {
                0 => (-whole, 0),
                nanos => (-whole - 1, 1_000_000_000 - nanos),
            }
        }
    };
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&seen);
    #[cfg(not(unix))]
    let inode = 0;
    Ok(Local { size: seen.len(), modified, inode })
}

/// A full buffer, if it can be had without waiting for a disk.
#[cfg(target_os = "linux")]
fn read_now(file: &File, buffer: &mut [u8], at: u64) -> Option<usize> {
    use rustix::io::{IoSliceMut, ReadWriteFlags, preadv2};
    let len = buffer.len();
    let read = preadv2(file, &mut [IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT).ok()?;
    (read == len).then_some(read)
}

#[cfg(not(target_os = "linux"))]
fn read_now(_: &File, _: &mut [u8], _: u64) -> Option<usize> {
    None
}

fn read_full(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(file, &mut buffer[filled..], at + filled as u64);
        #[cfg(not(unix))]
        let read = std::os::windows::fs::FileExt::seek_read(file, &mut buffer[filled..], at + filled as u64);
        match read {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Something that comes once, in order, on a thread that nobody waits for: a terminal may never say another word.
#[derive(Debug)]
pub(crate) struct Stream {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
}

impl Stream {
    /// Reads `from` in pieces of up to `most` bytes.
    pub(crate) fn begin(mut from: impl Read + Send + 'static, most: usize) -> io::Result<Self> {
        let (sender, pieces) = mpsc::channel(PIECES);
        std::thread::Builder::new().name("haul-stdin".to_owned()).spawn(move || {
            loop {
                let mut piece = vec![0; most];
                let word = match from.read(&mut piece) {
                    Ok(0) => return,
                    Ok(read) => {
                        piece.truncate(read);
                        Ok(piece)
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let last = word.is_err();
                if sender.blocking_send(word).is_err() || last {
                    return;
                }
            }
        })?;
        Ok(Self { pieces })
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.pieces.recv().await.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_at_offsets_and_short_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i / 7) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = LocalFile::open(&path).unwrap();
        assert_eq!(file.identity.size, 100_000);
        let (buffer, read) = file.read(vec![0; 64_000], 50_000).await.unwrap();
        assert_eq!(buffer[..read], bytes[50_000..]);
        assert_eq!(file.read_exactly(10, 20).await.unwrap(), &bytes[10..30]);
        assert!(file.read_exactly(99_999, 2).await.is_err());
    }

    #[test]
    fn a_change_is_seen_and_a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, b"one").unwrap();
        let file = LocalFile::open(&path).unwrap();
        assert!(file.is_unchanged());
        std::fs::write(&path, b"two!").unwrap();
        assert!(!file.is_unchanged());
        assert_eq!(file.reopen().unwrap().identity.size, 4);
        assert_eq!(
            LocalFile::open(folder.path()).unwrap_err().advice.as_deref(),
            Some("use -r to send a folder")
        );
        assert_eq!(LocalFile::open(&folder.path().join("none")).unwrap_err().kind, Kind::Local);
    }

    #[tokio::test]
    async fn a_stream_comes_in_order_and_ends() {
        let bytes: Vec<u8> = (0..50_000_u32).map(|i| i as u8).collect();
        let mut stream = Stream::begin(io::Cursor::new(bytes.clone()), 7_000).unwrap();
        let mut all = Vec::new();
        while let Some(piece) = stream.next().await.unwrap() {
            all.extend(piece);
        }
        assert_eq!(all, bytes);
    }
}
