//! Clients that cost little and count nothing: blocking sockets, prepared bytes.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use network::codec::ws::handshake::ClientHandshake;
use network::codec::ws::{self, Opcode};
use network::sys;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};

/// Connections that one thread holds: below the hard limit of descriptors that is common in
/// sandboxes, with room for what the process needs besides.
const CLIENTS_PER_THREAD: usize = 10_000;
/// Upgrades that are asked for before the first answer is awaited, so that client and server need
/// not take turns.
const UPGRADES_AT_ONCE: usize = 256;

/// The nonce proves nothing here, and one will do for all.
const HANDSHAKE: ClientHandshake = ClientHandshake::new([7; 16]);

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// WebSocket.
    Ws,
    /// A big-endian length of four bytes.
    Len4be,
}

impl Wire {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Ws, Self::Len4be];

    /// Name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Len4be => "len4be",
        }
    }

    /// So many messages as a client sends them.
    #[must_use]
    pub fn messages(self, payload: &[u8], messages: usize) -> Vec<u8> {
        let mut wire = Vec::new();
        for _ in 0..messages {
            match self {
                Self::Ws => {
                    ws::encode(Opcode::Binary, payload, Some([1, 2, 3, 4]), &mut wire);
                }
                Self::Len4be => {
                    wire.extend_from_slice(&(payload.len() as u32).to_be_bytes());
                    wire.extend_from_slice(payload);
                }
            }
        }
        wire
    }

    /// Bytes of one message from the server.
    #[must_use]
    pub fn reply_bytes(self, payload_bytes: usize) -> usize {
        match self {
            Self::Ws => {
                ws::encode_header(Opcode::Binary, payload_bytes, None).len() + payload_bytes
            }
            Self::Len4be => 4 + payload_bytes,
        }
    }
}

/// One connected client.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
}

impl Client {
    /// Connects, from `local` if it is given, and upgrades if that is what is spoken.
    ///
    /// # Errors
    /// What the host answers, or the server.
    pub fn connect(addr: SocketAddr, local: Option<IpAddr>, wire: Wire) -> io::Result<Self> {
        let mut client = Self::begin(addr, local, wire)?;
        client.finish(wire)?;
        Ok(client)
    }

    /// Connects and asks for the upgrade.
    fn begin(addr: SocketAddr, local: Option<IpAddr>, wire: Wire) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        if let Some(local) = local {
            // The port is left to the connect, where it need be unique per pair of addresses only.
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
            socket.bind(&SocketAddr::from((local, 0)).into())?;
        }
        socket.connect(&addr.into())?;
        socket.set_tcp_nodelay(true)?;
        let mut client = Self {
            stream: socket.into(),
        };
        if wire == Wire::Ws {
            let mut request = Vec::new();
            HANDSHAKE.write_request("localhost", "/", &[], &mut request);
            client.send(&request)?;
        }
        Ok(client)
    }

    /// Waits for the answer to the upgrade.
    fn finish(&mut self, wire: Wire) -> io::Result<()> {
        if wire != Wire::Ws {
            return Ok(());
        }
        let mut answer = [0; 512];
        let mut read = 0;
        loop {
            match self.stream.read(&mut answer[read..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => read += n,
            }
            match HANDSHAKE.decode(&answer[..read]) {
                Ok(None) => {}
                // The server has nothing to say before it is asked.
                Ok(Some(answer)) if answer.bytes == read => return Ok(()),
                Ok(Some(_)) => return Err(io::Error::other("frames behind the upgrade")),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// What the host answers.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says something, and waits for one whole message.
    ///
    /// # Errors
    /// What the host answers; `InvalidData` for a message that is too long for an answer.
    pub fn ask(&mut self, wire: Wire, payload: &[u8]) -> io::Result<()> {
        self.send(&wire.messages(payload, 1))?;
        let mut head = [0; 4];
        let rest = match wire {
            Wire::Ws => {
                self.receive(&mut head[..2])?;
                match head[1] {
                    126 => {
                        self.receive(&mut head[2..])?;
                        u16::from_be_bytes([head[2], head[3]]).into()
                    }
                    127.. => return Err(io::ErrorKind::InvalidData.into()),
                    short => short.into(),
                }
            }
            Wire::Len4be => {
                self.receive(&mut head)?;
                u32::from_be_bytes(head)
            }
        };
        if rest > 65_536 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.receive(&mut vec![0; rest as usize])
    }

    /// Waits for so many bytes as `into` takes.
    ///
    /// # Errors
    /// What the host answers.
    pub fn receive(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.stream.read_exact(into)
    }
}

/// So many clients, held by the calling thread.
///
/// # Errors
/// What the host answers, or the server.
pub fn connect_all(addr: SocketAddr, wire: Wire, clients: usize) -> io::Result<Vec<Client>> {
    connect_all_from(None, addr, wire, clients)
}

fn connect_all_from(
    local: Option<IpAddr>,
    addr: SocketAddr,
    wire: Wire,
    clients: usize,
) -> io::Result<Vec<Client>> {
    let mut all: Vec<Client> = Vec::with_capacity(clients);
    while all.len() < clients {
        let begun = all.len();
        for _ in 0..UPGRADES_AT_ONCE.min(clients - begun) {
            all.push(Client::begin(addr, local, wire)?);
        }
        for client in &mut all[begun..] {
            client.finish(wire)?;
        }
    }
    Ok(all)
}

/// Each of `clients` sends `request` and waits for its `reply_bytes`, so many times: all send, then
/// all are waited for.
///
/// # Errors
/// What the host answers.
pub fn ping_pong(
    clients: &mut [Client],
    request: &[u8],
    reply_bytes: usize,
    rounds: usize,
) -> io::Result<()> {
    let mut reply = vec![0; reply_bytes];
    for _ in 0..rounds {
        for client in clients.iter_mut() {
            client.send(request)?;
        }
        for client in clients.iter_mut() {
            client.receive(&mut reply)?;
        }
    }
    Ok(())
}

/// Clients that are connected and say nothing, held by threads with descriptor tables of their own,
/// each from an address of its own: neither descriptors nor ports run out.
#[derive(Debug, Default)]
pub struct IdleCrowd {
    holders: Vec<Holder>,
    clients: usize,
    /// What each says when it is connected, by its number.
    hello: Option<Hello>,
}

/// What a client says when it is connected, by its number; one message is the answer.
pub type Hello = fn(usize) -> String;

#[derive(Debug)]
struct Holder {
    thread: JoinHandle<()>,
    /// The thread holds its clients as long as this is there.
    release: Sender<()>,
}

impl IdleCrowd {
    /// A crowd whose clients each say something first.
    #[must_use]
    pub fn saying(hello: Hello) -> Self {
        let mut crowd = Self::default();
        crowd.hello = Some(hello);
        crowd
    }

    /// Connects so many more over the loopback network.
    ///
    /// # Errors
    /// What the host answers, or the server.
    pub fn grow(&mut self, addr: SocketAddr, wire: Wire, clients: usize) -> io::Result<()> {
        let (ready, connected) = mpsc::channel();
        for begun in (0..clients).step_by(CLIENTS_PER_THREAD) {
            let count = CLIENTS_PER_THREAD.min(clients - begun);
            let local = IpAddr::from([127, 0, 1, self.holders.len() as u8 + 1]);
            let (release, released) = mpsc::channel();
            let ready = ready.clone();
            let (hello, first) = (self.hello, self.clients);
            self.clients += count;
            let thread = thread::spawn(move || {
                let held = sys::unshare_descriptors()
                    .and_then(|()| connect_all_from(Some(local), addr, wire, count))
                    .and_then(|mut held| {
                        for (number, client) in held.iter_mut().enumerate() {
                            if let Some(hello) = hello {
                                client.ask(wire, hello(first + number).as_bytes())?;
                            }
                        }
                        Ok(held)
                    });
                // Nobody listens any more if another thread has failed.
                let _ = ready.send(held.as_ref().map(drop).map_err(ToString::to_string));
                drop(ready);
                let _ = released.recv();
            });
            self.holders.push(Holder { thread, release });
        }
        drop(ready);
        connected
            .iter()
            .try_for_each(|outcome| outcome.map_err(io::Error::other))
    }
}

impl Drop for IdleCrowd {
    fn drop(&mut self) {
        for Holder { thread, release } in self.holders.drain(..) {
            drop(release);
            if thread.join().is_err() {
                eprintln!("a thread of clients panicked");
            }
        }
    }
}
