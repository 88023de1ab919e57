//! What the host decides: descriptor tables and limits, processor affinity, socket options. The
//! one file that speaks to the operating system beside mio.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::fd::RawFd;

use mio::net::TcpStream;
use nix::sched::{CloneFlags, CpuSet};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::{Pid, SysconfVar, sysconf};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Reads what has come on a socket that does not block.
///
/// # Errors
/// What the kernel answers.
#[inline]
pub(crate) fn recv(stream: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
    let (bytes, _) = rustix::net::recv(stream, into, RecvFlags::empty())?;
    Ok(bytes)
}

/// Writes to a socket that does not block; a peer that is gone is an error and no signal.
///
/// # Errors
/// What the kernel answers.
#[inline]
pub(crate) fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(stream, bytes, SendFlags::NOSIGNAL)?)
}

/// As [`send`], of several slices in a row.
///
/// # Errors
/// What the kernel answers.
pub(crate) fn send_vectored(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut no_control = SendAncillaryBuffer::default();
    let sent = rustix::net::sendmsg(stream, slices, &mut no_control, SendFlags::NOSIGNAL)?;
    Ok(sent)
}

/// Has the allocator take every large block (128 KiB or more) from the kernel by itself, and give
/// it back when it is freed. To be called by a program before it starts threads; does nothing where
/// the C library is not glibc.
///
/// Left to itself, glibc raises that bound to the largest block that was ever freed (`mallopt(3)`,
/// `M_MMAP_THRESHOLD`). After one burst of connections the tables of the next would then be grown
/// within the arenas of the threads, copy beside copy, and stay there.
pub fn return_large_blocks() {
    #[cfg(target_env = "gnu")]
    {
        const LARGE_BYTES: libc::c_int = 128 * 1024;
        // SAFETY: `mallopt` takes two integers and may be called at any time; it locks its arena.
        #[expect(unsafe_code, reason = "no crate has a safe way to it")]
        let set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES) };
        debug_assert_eq!(set, 1, "glibc knows this setting");
    }
}

/// Gives the calling thread a descriptor table of its own (`unshare(CLONE_FILES)`, Linux), a copy
/// of the one it shared.
///
/// Sockets that the copy inherited are closed in it: otherwise a socket that another thread closes
/// would stay open here, and its peer would never see the end. Files, pipes and epoll instances
/// stay. From here on a descriptor made in this thread means nothing in another one.
///
/// # Errors
/// Whatever the kernel answers; the thread then still shares its table.
pub fn unshare_descriptors() -> io::Result<()> {
    nix::sched::unshare(CloneFlags::CLONE_FILES)?;
    for descriptor in open_sockets()? {
        nix::unistd::close(descriptor)?;
    }
    Ok(())
}

fn open_sockets() -> io::Result<Vec<RawFd>> {
    let mut sockets = Vec::new();
    for entry in std::fs::read_dir("/proc/thread-self/fd")? {
        let entry = entry?;
        let Some(descriptor) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // 0 to 2 may be sockets when a supervisor started us; they stay what they are.
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        if descriptor > 2
            && target
                .as_os_str()
                .as_encoded_bytes()
                .starts_with(b"socket:")
        {
            sockets.push(descriptor);
        }
    }
    Ok(sockets)
}

/// Bytes of a page of memory, in which the kernel counts.
#[must_use]
pub fn page_bytes() -> u64 {
    let bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    bytes.map_or(4096, |bytes| bytes as u64)
}

/// Soft and hard limit of descriptors per table (RLIMIT_NOFILE).
///
/// # Errors
/// Whatever the kernel answers.
pub fn descriptor_limits() -> io::Result<(u64, u64)> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?)
}

/// Raises the soft limit of descriptors to the hard one and returns it.
///
/// # Errors
/// Whatever the kernel answers.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let (soft, hard) = descriptor_limits()?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// Binds the calling thread to one processor.
///
/// # Errors
/// If there is no such processor, or it may not be used.
pub fn pin_to_processor(processor: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor)?;
    Ok(nix::sched::sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Options of a listening socket. Linux hands the buffer sizes and TCP_NODELAY on to the
/// connections that it accepts, so that none has to be set for each.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    /// Connections that may wait to be accepted; the kernel caps it at `somaxconn`.
    pub backlog: i32,
    /// Receive buffer of each connection in bytes; `None` leaves it to the kernel.
    pub receive_buffer_bytes: Option<usize>,
    /// Send buffer of each connection in bytes; `None` leaves it to the kernel.
    pub send_buffer_bytes: Option<usize>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 65_535,
            receive_buffer_bytes: None,
            send_buffer_bytes: None,
        }
    }
}

/// A bound address that several reactors may listen on. While it is held, the port stays ours.
#[derive(Debug)]
pub struct Reservation {
    addr: SocketAddr,
    _socket: Socket,
}

impl Reservation {
    /// Binds `addr`; port 0 becomes the port that the kernel chose.
    ///
    /// SO_REUSEPORT would let a second process of the same user share the port silently, so a given
    /// port is first bound without it. A port that the kernel chooses is one that nobody has, and
    /// must not be let go again in between: somebody else could be given it.
    ///
    /// # Errors
    /// `AddrInUse`, `PermissionDenied`, and whatever else the kernel answers.
    pub fn new(addr: SocketAddr) -> io::Result<Self> {
        let chosen = addr.port() == 0;
        if !chosen {
            let probe = stream_socket(addr)?;
            probe.set_reuse_address(true)?;
            probe.bind(&addr.into())?;
            // Two sockets may be bound with SO_REUSEADDR as long as none of them listens.
            probe.listen(1)?;
        }
        let socket = stream_socket(addr)?;
        socket.set_reuse_address(!chosen)?;
        socket.set_reuse_port(true)?;
        socket.bind(&addr.into())?;
        Ok(Self {
            addr: local_addr(&socket)?,
            _socket: socket,
        })
    }

    /// The address, with its real port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// A non-blocking socket that listens on `addr` beside others (SO_REUSEPORT).
pub(crate) fn listen(
    addr: SocketAddr,
    options: &ListenOptions,
) -> io::Result<mio::net::TcpListener> {
    let socket = stream_socket(addr)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(bytes) = options.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(options.backlog)?;
    Ok(mio::net::TcpListener::from_std(socket.into()))
}

/// Begins to connect, from `local` if it is given.
///
/// With a local address the port is left to the connect (IP_BIND_ADDRESS_NO_PORT), so that it must
/// be unique per pair of addresses and not per host: one local address then carries as many
/// connections to each remote one as there are ports.
pub(crate) fn connect(remote: SocketAddr, local: Option<SocketAddr>) -> io::Result<TcpStream> {
    let socket = stream_socket(remote)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(local) = local {
        if local.port() == 0 && local.is_ipv4() {
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        }
        socket.bind(&local.into())?;
    }
    match socket.connect(&SockAddr::from(remote)) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(StdStream::from(socket)))
}

/// Makes the close of `stream` a reset: unsent bytes are dropped, and the kernel keeps nothing.
pub(crate) fn reset_on_close(stream: &TcpStream) {
    // A socket that is already gone needs no reset.
    let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
}

/// Whether `error` says that a table of descriptors or the kernel's memory is exhausted.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    use nix::errno::Errno;
    [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM]
        .iter()
        .any(|&errno| error.raw_os_error() == Some(errno as i32))
}

/// A descriptor kept in reserve, so that a connection can still be taken and refused when the
/// table is full.
#[derive(Debug)]
pub(crate) struct SpareDescriptor(Option<std::fs::File>);

impl SpareDescriptor {
    pub(crate) fn new() -> Self {
        Self(std::fs::File::open("/dev/null").ok())
    }

    /// Runs `take` with the reserve free, then takes the reserve back.
    pub(crate) fn lend<T>(&mut self, take: impl FnOnce() -> T) -> T {
        self.0 = None;
        let result = take();
        *self = Self::new();
        result
    }
}

fn stream_socket(addr: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))
}

fn local_addr(socket: &Socket) -> io::Result<SocketAddr> {
    socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("bound to something that is not an internet address"))
}
