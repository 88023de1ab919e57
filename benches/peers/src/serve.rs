//! How a server is told what to do, and its listening socket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use clap::{Parser, ValueEnum};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Resource, getrlimit, setrlimit};

/// Connections that may wait: more than a burst has.
const BACKLOG: i32 = 4096;

/// What a server does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Sends it back.
    Echo,
    /// Sends it to every connection.
    Broadcast,
}

/// Command line of every server.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// What to do with a message.
    #[arg(long, value_enum, default_value = "echo")]
    pub mode: Mode,
    /// Bytes of the payloads that clients send; the floor does not read frames and must be told.
    #[arg(long, default_value_t = 20)]
    pub payload: usize,
    /// Loops, each with a table of descriptors of its own: more connections than one table holds.
    /// Only Gatehouse and the floor take more than one.
    #[arg(long, default_value_t = 1)]
    pub loops: u16,
    /// What sets this server apart from others of the same program.
    #[arg(long, default_value = "")]
    pub variant: String,
}

impl Arguments {
    /// Those that this process was given; its limit of descriptors is raised on the way.
    ///
    /// # Errors
    /// If the limit cannot be raised.
    pub fn take() -> anyhow::Result<Self> {
        let arguments = Self::parse();
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit)?;
        Ok(arguments)
    }
}

/// So many sockets that listen on one port; the kernel spreads what connects over them.
///
/// # Errors
/// What the host answers.
pub fn listen_in(loops: u16) -> anyhow::Result<Vec<TcpListener>> {
    let first = listen()?;
    let addr = first.local_addr()?;
    let more = (1..loops).map(|_| listen_at(addr));
    std::iter::once(Ok(first)).chain(more).collect()
}

/// A socket that listens on a free port of the loopback interface. What it accepts has TCP_NODELAY,
/// which Linux hands on, so that no server spends a call on it.
///
/// # Errors
/// What the host answers.
pub fn listen() -> anyhow::Result<TcpListener> {
    listen_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

fn listen_at(addr: SocketAddr) -> anyhow::Result<TcpListener> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &addr)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// Says where the server listens, and ends the process when its input does, so that no server
/// outlives the program that started it.
///
/// # Errors
/// If nobody is there to be told.
pub fn announce(addr: SocketAddr) -> anyhow::Result<()> {
    println!("{addr}");
    std::io::stdout().flush()?;
    std::thread::spawn(|| {
        // An error is an end too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    Ok(())
}
