//! The clients: connections over one epoll instance, prepared bytes, answers that are counted and
//! thrown away. As quick as the floor, so that the server is what is measured.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use gatehouse_peers::wire;
use hdrhistogram::Histogram;
use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::process::own_cpu_ns;

/// Events of one wait.
const EVENTS: usize = 1024;
/// Upgrades that are asked for before the first answer is awaited: fewer than a server may have
/// waiting.
const UPGRADES_AT_ONCE: usize = 256;
/// Bytes that one read may find.
const READ_BYTES: usize = 1 << 20;
/// Clients of one address: with few of its ports taken, the kernel finds a free one at once.
const CLIENTS_OF_ADDRESS: usize = 4_000;
/// A server that is silent for so long while it owes an answer has lost it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Latencies up to ten seconds.
const LATENCY_NS_MAX: u64 = 10_000_000_000;

/// One connection.
#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    /// Bytes of answers that have not come yet.
    missing: usize,
    sent_at: Instant,
}

/// What everybody sends, and what comes back.
#[derive(Debug)]
pub(crate) struct Exchange {
    payload: Vec<u8>,
    /// All messages that are in flight at once.
    requests: Vec<u8>,
    reply_bytes: usize,
    in_flight: usize,
}

impl Exchange {
    pub(crate) fn new(payload_bytes: usize, in_flight: usize) -> Self {
        let payload: Vec<u8> = (b'a'..=b'z').cycle().take(payload_bytes).collect();
        Self {
            requests: wire::request(&payload).repeat(in_flight),
            reply_bytes: wire::reply(&payload).len() * in_flight,
            payload,
            in_flight,
        }
    }
}

/// What an echo was measured by, of server and client, at the beginning and at the end.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    messages: u64,
    server_ns: u64,
    client_ns: u64,
}

/// An echo of some time.
#[derive(Debug)]
pub(crate) struct Echoed {
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    pub(crate) server_ns: u64,
    pub(crate) client_ns: u64,
    /// From the write of a message to the wait that found its answer, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
}

/// Clients of one server.
#[derive(Debug)]
pub(crate) struct Crowd {
    epoll: OwnedFd,
    /// The first three bytes of the addresses that the clients come from; the kernel chooses if it
    /// is not said.
    network: Option<[u8; 3]>,
    clients: Vec<Client>,
    buffer: Vec<u8>,
}

impl Crowd {
    /// Nobody yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            network: None,
            clients: Vec::new(),
            buffer: vec![0; READ_BYTES],
        })
    }

    /// Nobody yet; who comes is from an address that begins so.
    pub(crate) fn of_network(network: [u8; 3]) -> anyhow::Result<Self> {
        Ok(Self {
            network: Some(network),
            ..Self::new()?
        })
    }

    /// Connects so many and upgrades them.
    pub(crate) fn connect(&mut self, addr: SocketAddr, clients: usize) -> anyhow::Result<()> {
        for begun in (0..clients).step_by(UPGRADES_AT_ONCE) {
            let first = self.clients.len();
            for _ in 0..UPGRADES_AT_ONCE.min(clients - begun) {
                self.begin(addr)?;
            }
            self.finish(first)?;
        }
        Ok(())
    }

    /// Connects one and asks for its upgrade.
    fn begin(&mut self, addr: SocketAddr) -> anyhow::Result<()> {
        let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        // A reset at the end: ports that wait for stray segments would run out.
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
        if let Some([a, b, c]) = self.network {
            // The port is chosen when it is known where to: one serves for many targets.
            setsockopt(&socket, IpBindAddressNoPort, &true)?;
            let last = self.clients.len() / CLIENTS_OF_ADDRESS + 1;
            let source = Ipv4Addr::new(a, b, c, last as u8);
            rustix::net::bind(&socket, &SocketAddr::from((source, 0)))?;
        }
        rustix::net::connect(&socket, &addr).context("cannot connect")?;
        let token = EventData::new_u64(self.clients.len() as u64);
        epoll::add(&self.epoll, &socket, token, EventFlags::IN | EventFlags::ET)?;
        send_all(&socket, wire::REQUEST)?;
        self.clients.push(Client {
            socket,
            missing: 0,
            sent_at: Instant::now(),
        });
        Ok(())
    }

    /// Waits for the answers to all upgrades from the client `first` on. An answer comes in one
    /// piece, or its server is told so by an error.
    fn finish(&mut self, first: usize) -> anyhow::Result<()> {
        let mut awaited = self.clients.len() - first;
        let mut events = Vec::with_capacity(EVENTS);
        while awaited > 0 {
            self.wait(&mut events)?;
            for event in events.drain(..) {
                let client = &self.clients[event.data.u64() as usize];
                let read =
                    rustix::net::recv(&client.socket, &mut self.buffer[..], RecvFlags::DONTWAIT)?;
                let answer = String::from_utf8_lossy(&self.buffer[..read.1]);
                ensure!(
                    answer.starts_with("HTTP/1.1 101 ")
                        && answer.ends_with("\r\n\r\n")
                        && answer.contains(wire::ACCEPT),
                    "this is no upgrade: {answer:?}"
                );
                awaited -= 1;
            }
        }
        Ok(())
    }

    fn wait(&self, events: &mut Vec<Event>) -> anyhow::Result<()> {
        let patience = Timespec::try_from(PATIENCE)?;
        loop {
            match epoll::wait(&self.epoll, spare_capacity(events), Some(&patience)) {
                Ok(0) => bail!("no answer for {PATIENCE:?}"),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Exchanges one message for each client, and compares every byte of the answers; of a server
    /// that `is_blind` only their number.
    pub(crate) fn check(&mut self, payload_bytes: usize, is_blind: bool) -> anyhow::Result<()> {
        let exchange = Exchange::new(payload_bytes, 1);
        let expected = wire::reply(&exchange.payload);
        for client in &self.clients {
            send_all(&client.socket, &exchange.requests)?;
            let mut answer: Vec<u8> = Vec::new();
            while answer.len() < expected.len() {
                let rest = expected.len() - answer.len();
                let (bytes, _) = rustix::net::recv(
                    &client.socket,
                    &mut self.buffer[..rest],
                    RecvFlags::empty(),
                )?;
                ensure!(bytes > 0, "the server has closed a connection");
                answer.extend(&self.buffer[..bytes]);
            }
            ensure!(
                is_blind || answer == expected,
                "the answer is not the message"
            );
        }
        Ok(())
    }

    /// Everybody sends, and sends again as soon as all answers have come, for `warm_up` and then
    /// for `span`, which is what counts. `server_ns` tells the CPU time of the server.
    pub(crate) fn echo(
        &mut self,
        exchange: &Exchange,
        warm_up: Duration,
        span: Duration,
        server_ns: impl Fn() -> anyhow::Result<u64>,
    ) -> anyhow::Result<Echoed> {
        let mark = |messages| -> anyhow::Result<Mark> {
            let (client_ns, server_ns) = (own_cpu_ns()?, server_ns()?);
            let at = Instant::now();
            Ok(Mark {
                at,
                messages,
                server_ns,
                client_ns,
            })
        };
        let mut latency = Histogram::new_with_max(LATENCY_NS_MAX, 3)?;
        let mut events = Vec::with_capacity(EVENTS);
        let begun = Instant::now();
        for client in &mut self.clients {
            client.send(exchange, begun)?;
        }
        let mut owing = self.clients.len();
        let mut messages = 0;
        let (mut first, mut last) = (None, None);
        while owing > 0 {
            self.wait(&mut events)?;
            let now = Instant::now();
            if first.is_none() && now - begun >= warm_up {
                first = Some(mark(messages)?);
            }
            if last.is_none() && now - begun >= warm_up + span {
                last = Some(mark(messages)?);
            }
            for event in events.drain(..) {
                let client = &mut self.clients[event.data.u64() as usize];
                client.receive(&mut self.buffer)?;
                if client.missing > 0 {
                    continue;
                }
                messages += exchange.in_flight as u64;
                if first.is_some() && last.is_none() {
                    latency.saturating_record((now - client.sent_at).as_nanos() as u64);
                }
                if last.is_some() {
                    owing -= 1;
                } else {
                    client.send(exchange, now)?;
                }
            }
        }
        let (Some(first), Some(last)) = (first, last) else {
            bail!("the echo ended before it was measured");
        };
        Ok(Echoed {
            messages: last.messages - first.messages,
            seconds: (last.at - first.at).as_secs_f64(),
            server_ns: last.server_ns - first.server_ns,
            client_ns: last.client_ns - first.client_ns,
            latency,
        })
    }

    /// One client sends, everybody receives: the time until the last has it.
    pub(crate) fn broadcast(&mut self, payload_bytes: usize) -> anyhow::Result<Duration> {
        let exchange = Exchange::new(payload_bytes, 1);
        self.expect(&exchange);
        let begun = self.speak(&exchange)?;
        Ok(self.hear()? - begun)
    }

    /// Everybody will hear one message.
    pub(crate) fn expect(&mut self, exchange: &Exchange) {
        for client in &mut self.clients {
            client.missing = exchange.reply_bytes;
        }
    }

    /// The first of them sends; when it began.
    pub(crate) fn speak(&self, exchange: &Exchange) -> anyhow::Result<Instant> {
        let begun = Instant::now();
        send_all(&self.clients[0].socket, &exchange.requests)?;
        Ok(begun)
    }

    /// Waits until everybody has heard what was expected; when the last had.
    pub(crate) fn hear(&mut self) -> anyhow::Result<Instant> {
        let mut events = Vec::with_capacity(EVENTS);
        let mut owing = self.clients.len();
        while owing > 0 {
            self.wait(&mut events)?;
            for event in events.drain(..) {
                let client = &mut self.clients[event.data.u64() as usize];
                client.receive(&mut self.buffer)?;
                owing -= usize::from(client.missing == 0);
            }
        }
        Ok(Instant::now())
    }

    /// Connects so many and writes their requests while the server does not run; lets it run by
    /// `thaw`, and says how long it took until the last was upgraded.
    pub(crate) fn burst(
        addr: SocketAddr,
        clients: usize,
        thaw: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Duration> {
        let mut crowd = Self::new()?;
        for _ in 0..clients {
            crowd.begin(addr)?;
        }
        let begun = Instant::now();
        thaw()?;
        crowd.finish(0)?;
        Ok(begun.elapsed())
    }
}

impl Client {
    fn send(&mut self, exchange: &Exchange, now: Instant) -> anyhow::Result<()> {
        self.missing = exchange.reply_bytes;
        self.sent_at = now;
        send_all(&self.socket, &exchange.requests)
    }

    /// Takes what has come, without having it copied (`MSG_TRUNC` on TCP).
    fn receive(&mut self, buffer: &mut [u8]) -> anyhow::Result<()> {
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let (_, bytes) = match rustix::net::recv(&self.socket, buffer, flags) {
            Err(Errno::AGAIN) => return Ok(()),
            other => other?,
        };
        ensure!(bytes > 0, "the server has closed a connection");
        let rest = self.missing.checked_sub(bytes);
        self.missing = rest.context("more came back than was sent")?;
        Ok(())
    }
}

/// Sends all of it: the socket's buffer is empty, since everything before has been answered.
fn send_all(socket: &OwnedFd, bytes: &[u8]) -> anyhow::Result<()> {
    let sent = rustix::net::send(socket, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
    ensure!(
        sent == bytes.len(),
        "the kernel took a part of a message only"
    );
    Ok(())
}
