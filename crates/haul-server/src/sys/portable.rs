//! Everywhere else: what cannot be asked of the system is answered so that nothing worse follows than more work.

use std::{
    fs::File,
    io::{self, PipeWriter},
    net::{SocketAddr, TcpListener},
    time::Duration,
};

/// Whatever is written to.
pub(crate) trait Socket {}
impl<S: ?Sized> Socket for S {}

/// The session writes.
pub(crate) fn write_now<S>(_socket: S, _bytes: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The session writes.
pub(crate) fn write_before<S>(_socket: S, _bytes: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the system sends files by itself.
pub(crate) const SENDS_FILES: bool = false;

/// Short waits last as long as the system likes.
pub(crate) fn wake_in_time() {}

/// Listens there, for as many connections as the system likes.
pub(crate) fn listen(at: SocketAddr, _backlog: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The system's own idea of how long a silent connection lives stays.
pub(crate) fn keep_awake<S>(_socket: S, _idle: Duration) -> io::Result<()> {
    Ok(())
}

/// An urgent byte may get lost; the command behind it does not.
pub(crate) fn urgent_inline<S>(_socket: S) -> io::Result<()> {
    Ok(())
}

/// The connection ends as the system ends it.
pub(crate) fn drop_hard<S>(_socket: S) -> io::Result<()> {
    Ok(())
}

/// It is ended when it is closed.
pub(crate) fn end_of_sending<S>(_socket: S) -> io::Result<()> {
    Ok(())
}

/// Nobody knows what is cached.
pub(crate) fn read_cached(_file: &File, _into: &mut [u8], _at: u64) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Reads at a place of a file, and waits for it.
pub(crate) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, into, at);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, into, at);
}

/// There is nothing to take back.
pub(crate) fn drop_gently<S>(_socket: S) -> io::Result<()> {
    Ok(())
}

/// Not to be known without reading.
pub(crate) fn hung_up<S>(_socket: S) -> bool {
    false
}

/// Nothing more is there: where urgent bytes are not kept in line no read ends before them.
pub(crate) fn read_now<S>(_socket: S, _into: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Not here.
pub(crate) struct Quiet(std::convert::Infallible);

impl Quiet {
    /// Never.
    pub(crate) fn of<S>(_socket: S) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never.
    pub(crate) fn lasts(&self) -> bool {
        match self.0 {}
    }
}

/// Not here.
pub(crate) fn fill_now<S>(_socket: S, _pipe: &PipeWriter, _most: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whoever reads waits in the runtime.
pub(crate) const READS_ON_A_THREAD: bool = false;

/// Not to be known on this thread.
pub(crate) fn wait_readable<S>(_socket: S, _at_most: Duration) -> bool {
    false
}

/// Not here: whoever asks reads and writes instead.
pub(crate) fn send_file<S>(_socket: S, _file: &File, _offset: &mut u64, _count: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not here.
pub(crate) struct Waiting<'a, S>(std::convert::Infallible, std::marker::PhantomData<&'a S>);

impl<'a, S> Waiting<'a, S> {
    /// Never.
    pub(crate) fn within(_socket: &'a S, _at_most: Duration) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never.
    pub(crate) fn socket(&self) -> &S {
        match self.0 {}
    }
}

/// Not to be known on this thread.
pub(crate) fn wait_writable<S>(_socket: S, _at_most: Duration) -> bool {
    false
}

/// The number stays as it is.
pub(crate) fn many_files() {}

/// It has as many as this one, which were not raised.
pub(crate) fn as_many_files_as_at_first<C>(_command: &mut C) {}
