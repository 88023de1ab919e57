//! The floor: what the kernel alone costs. An epoll loop that reads bytes and writes as many as a
//! WebSocket server would, without looking at them.

use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use crate::serve::{Arguments, Mode};
use crate::wire;

/// Events of one wait.
const EVENTS: usize = 1024;
/// Bytes of one read, and at most of one write.
const BUFFER_BYTES: usize = 256 * 1024;
/// Token of the listening socket; those of connections are their descriptors.
const LISTENER: u64 = u64::MAX;
/// Token of the bell.
const BELL: u64 = u64::MAX - 1;

/// One bell for each loop: rung by another loop, it has its loop broadcast too.
#[derive(Clone, Debug)]
pub struct Bells(Arc<[OwnedFd]>);

impl Bells {
    /// So many. They must be there before any thread takes a table of descriptors of its own.
    ///
    /// # Errors
    /// What the host answers.
    pub fn new(loops: u16) -> anyhow::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bells = (0..loops).map(|_| Ok(eventfd(0, flags)?));
        Ok(Self(bells.collect::<anyhow::Result<_>>()?))
    }

    fn ring_all_but(&self, own: usize) {
        for (at, bell) in self.0.iter().enumerate() {
            if at != own {
                // Nobody rings as often as the count can hold.
                let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
            }
        }
    }

    /// How often a bell was rung since it was asked last.
    fn take(&self, own: usize) -> u64 {
        let mut count = [0; 8];
        match rustix::io::read(&self.0[own], &mut count) {
            Ok(_) => u64::from_ne_bytes(count),
            // Another wait has taken it: nobody has rung since.
            Err(_) => 0,
        }
    }
}

/// A connection of the floor.
#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    /// The upgrade has been answered.
    open: bool,
    /// Bytes of a message that has come in part.
    partial: usize,
    /// Bytes that are still to be written.
    owed: usize,
}

/// The loop and its connections.
#[derive(Debug)]
pub struct Floor {
    epoll: OwnedFd,
    listener: TcpListener,
    bells: Bells,
    /// Which of the loops this is.
    own: usize,
    /// By descriptor.
    connections: Vec<Option<Connection>>,
    /// Descriptors in the order of acceptance, or shuffled if that is what is measured.
    order: Vec<usize>,
    mode: Mode,
    shuffled: bool,
    unmasking: bool,
    payload_bytes: usize,
    request_bytes: usize,
    reply_bytes: usize,
    buffer: Vec<u8>,
    out: Vec<u8>,
}

impl Floor {
    /// The floor of what `arguments` ask for, as the loop `own` of those that have bells. With the
    /// variant `shuffled` a broadcast walks the connections in random order; with `unmasking` the
    /// payloads of echoes are those that came.
    ///
    /// # Errors
    /// What the host answers.
    pub fn new(
        listener: TcpListener,
        arguments: &Arguments,
        bells: Bells,
        own: usize,
    ) -> anyhow::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), flags)?;
        epoll::add(&epoll, &bells.0[own], EventData::new_u64(BELL), flags)?;
        let payload = vec![0; arguments.payload];
        let reply = wire::reply(&payload);
        Ok(Self {
            epoll,
            listener,
            bells,
            own,
            connections: Vec::new(),
            order: Vec::new(),
            mode: arguments.mode,
            shuffled: arguments.variant == "shuffled",
            unmasking: arguments.variant == "unmasking",
            payload_bytes: arguments.payload,
            request_bytes: wire::request(&payload).len(),
            reply_bytes: reply.len(),
            buffer: vec![0; BUFFER_BYTES],
            out: reply.iter().copied().cycle().take(BUFFER_BYTES).collect(),
        })
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// What the host answers to a wait.
    pub fn run(&mut self) -> anyhow::Result<()> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        loop {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let (flags, token) = (event.flags, event.data.u64());
                if token == LISTENER {
                    self.accept()?;
                    continue;
                }
                if token == BELL {
                    (0..self.bells.take(self.own)).for_each(|_| self.broadcast());
                    continue;
                }
                if flags.contains(EventFlags::OUT) {
                    self.write(token as usize);
                }
                if flags.contains(EventFlags::IN) {
                    self.read(token as usize);
                }
            }
        }
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = match rustix::net::accept_with(&self.listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let at = socket.as_raw_fd() as usize;
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
            epoll::add(&self.epoll, &socket, EventData::new_u64(at as u64), flags)?;
            if self.connections.len() <= at {
                self.connections.resize_with(at + 1, || None);
            }
            self.connections[at] = Some(Connection {
                socket,
                open: false,
                partial: 0,
                owed: 0,
            });
            if self.mode == Mode::Broadcast {
                self.order.push(at);
            }
        }
    }

    fn read(&mut self, at: usize) {
        loop {
            let Some(connection) = &mut self.connections[at] else {
                return;
            };
            let read =
                rustix::net::recv(&connection.socket, &mut self.buffer[..], RecvFlags::empty());
            let bytes = match read {
                Err(Errno::AGAIN) => return,
                Ok((0, _)) | Err(_) => {
                    self.connections[at] = None;
                    return;
                }
                Ok((bytes, _)) => bytes,
            };
            if connection.open {
                let begun = connection.partial + bytes;
                connection.partial = begun % self.request_bytes;
                let messages = begun / self.request_bytes;
                match self.mode {
                    Mode::Echo => {
                        connection.owed += messages * self.reply_bytes;
                        if self.unmasking {
                            self.unmask(messages);
                        }
                        self.write(at);
                    }
                    Mode::Broadcast => (0..messages).for_each(|_| {
                        self.bells.ring_all_but(self.own);
                        self.broadcast();
                    }),
                }
            } else {
                // The client sends its request in one piece, and waits for the answer.
                connection.open = true;
                // One that is gone ends by its read.
                let _ = rustix::net::send(&connection.socket, wire::ANSWER, SendFlags::NOSIGNAL);
            }
            // A short read has emptied the socket: the next bytes are an event of their own.
            if bytes < BUFFER_BYTES {
                return;
            }
        }
    }

    /// Takes the mask off the payloads of as many messages and puts them behind the headers of as
    /// many answers, in one pass: what no WebSocket server is spared.
    fn unmask(&mut self, messages: usize) {
        let requests = self.buffer.chunks_exact(self.request_bytes);
        let answers = self.out.chunks_exact_mut(self.reply_bytes);
        for (request, answer) in requests.zip(answers).take(messages) {
            let (header, masked) = request.split_at(self.request_bytes - self.payload_bytes);
            let (_, payload) = answer.split_at_mut(self.reply_bytes - self.payload_bytes);
            let [.., a, b, c, d] = *header else {
                return;
            };
            let key = [a, b, c, d, a, b, c, d];
            let (whole, rest) = payload.as_chunks_mut::<8>();
            let (masked, masked_rest) = masked.as_chunks::<8>();
            for (to, from) in whole.iter_mut().zip(masked) {
                *to = (u64::from_ne_bytes(*from) ^ u64::from_ne_bytes(key)).to_ne_bytes();
            }
            for ((to, from), key) in rest.iter_mut().zip(masked_rest).zip(key) {
                *to = from ^ key;
            }
        }
    }

    fn write(&mut self, at: usize) {
        let Some(connection) = &mut self.connections[at] else {
            return;
        };
        while connection.owed > 0 {
            let out = &self.out[..connection.owed.min(BUFFER_BYTES)];
            match rustix::net::send(&connection.socket, out, SendFlags::NOSIGNAL) {
                Ok(bytes) => connection.owed -= bytes,
                // What is full says so when it is not any more; what is gone ends by its read.
                Err(_) => return,
            }
        }
    }

    /// Sends to the connections of this loop.
    fn broadcast(&mut self) {
        if self.shuffled {
            let mut generator = SmallRng::seed_from_u64(self.order.len() as u64);
            self.order.shuffle(&mut generator);
        }
        for at in 0..self.order.len() {
            let at = self.order[at];
            if let Some(connection) = &mut self.connections[at] {
                connection.owed += self.reply_bytes;
                self.write(at);
            }
        }
    }
}
