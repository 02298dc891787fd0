//! Linux: socket options, sendfile, and a look at a connection that takes nothing from it.

use std::{
    fs::File,
    io::{self, PipeWriter},
    net::{SocketAddr, TcpListener},
    num::NonZeroU64,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileExt as _,
    },
    sync::OnceLock,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{AddressFamily, RecvFlags, SocketFlags, SocketType, sockopt},
    pipe::{SpliceFlags, splice},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use tokio::process::Command;

pub(crate) use std::os::fd::AsFd as Socket;

/// Whether the system sends files by itself.
pub(crate) const SENDS_FILES: bool = true;

/// Lets this thread's short waits end when they are to, and not some fifty microseconds later together with others'.
pub(crate) fn wake_in_time() {
    // Where that cannot be set they are a little longer.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

/// Listens there for a few connections; nobody is woken when one comes, and no call waits for one.
pub(crate) fn listen(at: SocketAddr, backlog: u16) -> io::Result<TcpListener> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // A port of a range may be used again while its last connection is still being forgotten.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &at)?;
    rustix::net::listen(&socket, backlog.into())?;
    Ok(socket.into())
}

/// Asks the other end now and then whether it is still there, so that a session whose client vanished ends.
pub(crate) fn keep_awake(socket: impl AsFd, idle: Duration) -> io::Result<()> {
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, idle)?;
    sockopt::set_tcp_keepintvl(&socket, idle / 4)?;
    sockopt::set_tcp_keepcnt(&socket, 4)?;
    Ok(())
}

/// A byte that is sent as urgent stays in its place in the stream.
pub(crate) fn urgent_inline(socket: impl AsFd) -> io::Result<()> {
    Ok(sockopt::set_socket_oobinline(socket, true)?)
}

/// When it is closed the other end sees a reset, and not an end.
pub(crate) fn drop_hard(socket: impl AsFd) -> io::Result<()> {
    Ok(sockopt::set_socket_linger(socket, Some(Duration::ZERO))?)
}

/// Nothing more is sent; what comes can still be read.
pub(crate) fn end_of_sending(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Write)?)
}

/// Reads at a place of a file what need not be waited for: [`io::ErrorKind::WouldBlock`] where a disk would have to
/// be, or where nobody knows.
pub(crate) fn read_cached(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    match preadv2(file, &mut [io::IoSliceMut::new(into)], at, ReadWriteFlags::NOWAIT) {
        // It knows no such flag, and has all it has in memory.
        Err(Errno::OPNOTSUPP) if is_in_memory(file) => file.read_at(into, at),
        Err(Errno::OPNOTSUPP) => Err(io::ErrorKind::WouldBlock.into()),
        read => Ok(read?),
    }
}

/// Whether a file lies in a file system that is memory (tmpfs).
fn is_in_memory(file: &File) -> bool {
    const TMPFS: u32 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|seen| u32::try_from(seen.f_type & 0xffff_ffff) == Ok(TMPFS))
}

/// Reads at a place of a file, and waits for it.
pub(crate) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, at)
}

/// Takes [`drop_hard`] back.
pub(crate) fn drop_gently(socket: impl AsFd) -> io::Result<()> {
    Ok(sockopt::set_socket_linger(socket, None)?)
}

/// Whether the other end has closed or reset the connection, whatever may still be unread.
pub(crate) fn hung_up(socket: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&socket, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let told = poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0);
    told && fds[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
}

/// Reads what is there now, and never waits. A read that comes to urgent bytes ends before them, however much is behind
/// them; whoever takes that for all there was would wait for what is there already.
pub(crate) fn read_now(socket: impl AsFd, into: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, into, RecvFlags::DONTWAIT)?.0)
}

/// A second handle of a socket, to be looked at on whatever thread.
pub(crate) struct Quiet(OwnedFd);

impl Quiet {
    /// Of this socket.
    pub(crate) fn of(socket: impl AsFd) -> io::Result<Self> {
        Ok(Self(rustix::io::fcntl_dupfd_cloexec(socket, 0)?))
    }

    /// Whether nothing can be read from it, and it is whole at both ends.
    pub(crate) fn lasts(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN | PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&now)).is_ok_and(|ready| ready == 0)
    }
}

/// As [`read_now`], into an empty pipe; [`io::ErrorKind::Unsupported`] where that cannot be.
pub(crate) fn fill_now(socket: impl AsFd, pipe: &PipeWriter, most: usize) -> io::Result<usize> {
    match splice(socket, None, pipe, None, most, SpliceFlags::MOVE | SpliceFlags::NONBLOCK) {
        Err(Errno::INVAL) => Err(io::ErrorKind::Unsupported.into()),
        moved => Ok(moved?),
    }
}

/// Whether a thread may wait for what comes on a socket: [`read_now`] and [`wait_readable`] do what they say.
pub(crate) const READS_ON_A_THREAD: bool = true;

/// Waits on this thread until something can be read; whether it can.
pub(crate) fn wait_readable(socket: impl AsFd, at_most: Duration) -> bool {
    wait(socket, PollFlags::IN, at_most)
}

/// Sends up to `count` bytes of a file from `offset` on, which moves; how many. 0 is the end of the file.
pub(crate) fn send_file(socket: impl AsFd, file: &File, offset: &mut u64, count: usize) -> io::Result<usize> {
    Ok(rustix::fs::sendfile(socket, file, Some(offset), count)?)
}

/// Writes what can be written without waiting.
pub(crate) fn write_now(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL)?)
}

/// Writes some bytes that are to travel with what is sent next; it waits where the socket does.
pub(crate) fn write_before(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, rustix::net::SendFlags::MORE | rustix::net::SendFlags::NOSIGNAL)?)
}

/// A socket whose calls wait, on this thread, while this is had; it never waited before and does not after.
pub(crate) struct Waiting<'a, S: AsFd>(&'a S);

impl<'a, S: AsFd> Waiting<'a, S> {
    /// A call to send waits at most so long without a byte that goes.
    pub(crate) fn within(socket: &'a S, at_most: Duration) -> io::Result<Self> {
        sockopt::set_socket_timeout(socket, sockopt::Timeout::Send, Some(at_most))?;
        rustix::io::ioctl_fionbio(socket, false)?;
        Ok(Self(socket))
    }

    /// The socket: what sends fewer bytes than it was given has waited too long.
    pub(crate) fn socket(&self) -> &S {
        self.0
    }
}

impl<S: AsFd> Drop for Waiting<'_, S> {
    fn drop(&mut self) {
        // It was set before, so it can be set again.
        let _ = rustix::io::ioctl_fionbio(self.0, true);
    }
}

/// Waits on this thread until more can be sent; whether it can.
pub(crate) fn wait_writable(socket: impl AsFd, at_most: Duration) -> bool {
    wait(socket, PollFlags::OUT, at_most)
}

fn wait(socket: impl AsFd, what: PollFlags, at_most: Duration) -> bool {
    let mut fds = [PollFd::new(&socket, what)];
    let time = Timespec { tv_sec: 0, tv_nsec: i64::from(at_most.subsec_nanos()) };
    poll(&mut fds, Some(&time)).is_ok_and(|ready| ready > 0)
}

/// How many files this process might have open before it raised that.
static FEWER_FILES: OnceLock<Rlimit> = OnceLock::new();

/// As many open files and connections as this process may have without asking anybody.
pub(crate) fn many_files() {
    let limit = FEWER_FILES.get_or_init(|| getrlimit(Resource::Nofile));
    // Where it stays as it was there are fewer sessions.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..*limit });
}

/// Has a program that is started as many as this process had at first: one that uses select(2) must not get a descriptor
/// beyond 1023, and one that closes all it might have takes its time with a million.
pub(crate) fn as_many_files_as_at_first(command: &mut Command) {
    let Some(limit) = FEWER_FILES.get() else { return };
    let lower = move || {
        let Rlimit { current, maximum } = *limit;
        Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
    };
    // SAFETY: between fork and exec this is one system call with numbers that are there already; nothing is allocated,
    // and no lock is taken.
    #[allow(unsafe_code, reason = "the system has no call that starts a program with other limits")]
    unsafe {
        command.pre_exec(lower);
    }
}
