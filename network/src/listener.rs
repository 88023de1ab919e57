//! An accepting socket: takes what comes within a budget, and gets through exhaustion.

use std::io;
use std::net::SocketAddr;

use common::{CloseReason, Tick};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Token};

use crate::codec::Framing;
use crate::conn::state::State;
use crate::memory::Pressure;
use crate::reactor::{Admission, Ctx, Handler, Listen, Net, Offer};
use crate::sys::{self, SpareDescriptor};

/// What a refused HTTP client reads (RFC 9110 section 15.6.4).
pub(crate) const REFUSED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\
      retry-after: 5\r\n\r\n";

#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    profile: u16,
    /// An edge came, and no accept has found the queue empty since.
    ready: bool,
    /// Descriptors or memory ran out: nothing is accepted before this tick.
    paused_until: Option<Tick>,
}

impl Listener {
    pub(crate) fn bind(listen: &Listen, token: Token, net: &Net) -> io::Result<Self> {
        let mut socket = sys::listen(listen.addr, &listen.options)?;
        net.registry
            .register(&mut socket, token, Interest::READABLE)?;
        Ok(Self {
            socket,
            profile: listen.profile,
            ready: false,
            paused_until: None,
        })
    }

    pub(crate) fn on_event(&mut self) {
        self.ready = true;
    }

    /// Whether there may be someone to accept without a further event.
    pub(crate) fn is_ready(&self, now: Tick) -> bool {
        self.ready && self.paused_until.is_none_or(|until| until <= now)
    }

    /// Whether the listener waits for better times.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused_until.is_some()
    }

    /// Accepts up to `budget` connections.
    pub(crate) fn accept<H: Handler>(
        &mut self,
        net: &mut Net,
        handler: &mut H,
        spare: &mut SpareDescriptor,
        budget: usize,
    ) {
        if !self.is_ready(net.now) {
            return;
        }
        self.paused_until = None;
        for _ in 0..budget {
            match self.socket.accept() {
                Ok((stream, peer)) => self.admit(net, handler, stream, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready = false;
                    return;
                }
                Err(error) if sys::is_exhaustion(&error) => {
                    self.refuse_waiting(net, spare, budget, &error);
                    return;
                }
                // The peer went away while it waited; the next one may be fine.
                Err(_) => {}
            }
        }
    }

    fn admit<H: Handler>(
        &self,
        net: &mut Net,
        handler: &mut H,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let offer = Offer {
            peer,
            profile: self.profile,
            proxy: None,
        };
        if net.pressure > Pressure::Low {
            self.refuse(net, stream, CloseReason::MemoryShort);
            return;
        }
        if net.conns.is_full() || handler.on_accept(&mut Ctx { net }, offer) == Admission::Refuse {
            self.refuse(net, stream, CloseReason::TooManyConnections);
            return;
        }
        let state = if net.profiles[usize::from(self.profile)].greets() {
            State::Greeting
        } else {
            State::Opening
        };
        match net.adopt(stream, self.profile, state) {
            Ok(id) if state == State::Greeting => {
                self.note_accepted(net);
                net.greet(id, offer);
            }
            Ok(id) => {
                self.note_accepted(net);
                net.note_peer(id, peer);
                handler.on_open(&mut Ctx { net }, id, offer);
            }
            Err(error) => {
                tracing::warn!(%peer, %error, "cannot watch a connection");
                self.note_refused(net);
                handler.on_abandon(&mut Ctx { net }, offer);
            }
        }
    }

    fn note_accepted(&self, net: &Net) {
        net.stats.accepted.add(1);
        net.stats.profiles[usize::from(self.profile)]
            .accepted
            .add(1);
    }

    fn note_refused(&self, net: &Net) {
        net.stats.refused.add(1);
        net.stats.profiles[usize::from(self.profile)].refused.add(1);
    }

    fn refuse(&self, net: &Net, stream: TcpStream, reason: CloseReason) {
        self.note_refused(net);
        net.stats.closes[reason.index()].add(1);
        let profile = &net.profiles[usize::from(self.profile)];
        if profile.framing == Framing::Http && profile.tls.is_none() {
            // A new socket's buffer takes these few bytes; if not, the peer sees the end alone.
            let mut stream = stream;
            let _ = io::Write::write(&mut stream, REFUSED);
            // Unread bytes would turn the close into a reset that overtakes the answer.
            let _ = io::Read::read(&mut stream, &mut [0; 4096]);
        } else {
            sys::reset_on_close(&stream);
        }
    }

    /// There is no descriptor for those who wait: with the one in reserve they are taken and
    /// refused, so that none hangs; then the listener pauses for a second.
    fn refuse_waiting(
        &mut self,
        net: &Net,
        spare: &mut SpareDescriptor,
        budget: usize,
        error: &io::Error,
    ) {
        tracing::warn!(
            %error,
            "cannot accept: raise the limit of open files, or use more reactors"
        );
        for _ in 0..budget {
            let more = spare.lend(|| match self.socket.accept() {
                Ok((stream, _)) => {
                    self.refuse(net, stream, CloseReason::NoDescriptors);
                    true
                }
                Err(_) => false,
            });
            if !more {
                break;
            }
        }
        self.paused_until = Some(net.now.after(1));
    }
}
