//! A reactor stepped by hand, over streams and a clock that whoever steps it holds; and what must
//! be true of it between two turns.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use common::{Clock, ConnId};

use super::{Ctx, Handler, Offer, Reactor};
use crate::codec::Framing;
use crate::conn::state::State;
use crate::conn::{Connection, Flags};
use crate::memory::Pressure;

impl<H: Handler, K: Clock> Reactor<H, K> {
    /// Takes a stream as if a listener of this profile had accepted it, or, if the profile is one
    /// of a client, as if it had just been connected.
    ///
    /// # Errors
    /// If the stream cannot be watched.
    pub fn adopt(
        &mut self,
        stream: TcpStream,
        profile: u16,
        peer: SocketAddr,
    ) -> io::Result<ConnId> {
        stream.set_nonblocking(true)?;
        let settings = &self.net.profiles[usize::from(profile)];
        let state = match settings.framing {
            Framing::WebSocketClient { .. } => State::Connecting,
            _ if settings.greets() => State::Greeting,
            _ => State::Opening,
        };
        let stream = mio::net::TcpStream::from_std(stream);
        let id = self.net.adopt(stream, profile, state)?;
        let offer = Offer {
            peer,
            profile,
            proxy: None,
        };
        if state == State::Greeting {
            self.net.greet(id, offer);
            return Ok(id);
        }
        if state == State::Connecting {
            self.net.begin_client(id);
        }
        let net = &mut self.net;
        self.handler.on_open(&mut Ctx { net }, id, offer);
        Ok(id)
    }

    /// One turn without sleeping; true if the next one would have to be waited for.
    ///
    /// # Errors
    /// If the wait fails.
    pub fn step(&mut self) -> io::Result<bool> {
        let timeout = self.timeout();
        self.wait(Some(Duration::ZERO))?;
        let slept = timeout != Some(Duration::ZERO) && self.events.is_empty();
        self.work();
        Ok(slept)
    }

    /// What keeps the reactor from resting, for whoever wonders.
    pub fn describe(&self) -> String {
        let net = &self.net;
        let conns: Vec<_> = net.conns.iter().collect();
        format!(
            "busy {} carry {:?} doomed {:?} drained {:?} drops {:?} pressure {:?} {conns:?}",
            self.busy, net.carry, net.doomed, net.drained, net.drops, net.pressure,
        )
    }

    /// Lets the handler act outside of a turn, as a command would.
    pub fn act<T>(&mut self, act: impl FnOnce(&mut H, &mut Ctx<'_>) -> T) -> T {
        let net = &mut self.net;
        act(&mut self.handler, &mut Ctx { net })
    }

    /// The handler.
    pub fn handler(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Bytes that the reactor accounts for.
    pub fn held_bytes(&self) -> usize {
        self.net.held_bytes()
    }

    /// Checks what must be true between two turns; `rested` if the last one had nothing to do and
    /// no event has come since.
    ///
    /// # Panics
    /// If something is not.
    pub fn audit(&self, rested: bool) {
        let net = &self.net;
        assert!(net.dirty.is_empty(), "not written");
        let conns = || net.conns.iter();
        let lent: usize = conns().map(|(_, conn)| conn.outbox.heap_bytes()).sum();
        assert_eq!(net.pool.lent(), lent, "heap behind outboxes");
        let shared: usize = conns().map(|(_, conn)| conn.outbox.shared_bytes()).sum();
        assert_eq!(net.pool.shared(), shared, "what outboxes share");
        let input: usize = conns().map(|(_, conn)| conn.input_bytes()).sum();
        assert_eq!(net.input_bytes, input, "heap behind input");
        for (slot, conn) in conns() {
            conn.outbox.audit();
            self.audit_connection(slot, conn, rested);
        }
        for slot in net.drops.keys() {
            assert!(conns().any(|(other, _)| other == *slot), "drops of nobody");
        }
        if rested && net.pressure != Pressure::Full {
            let lists = [net.carry.len(), net.doomed.len(), net.drained.len()];
            assert_eq!(lists, [0; 3], "carry, doomed, drained");
            assert!(net.drops.is_empty());
        }
    }

    fn audit_connection(&self, slot: u32, conn: &Connection, rested: bool) {
        let net = &self.net;
        let on = |list: &mut dyn Iterator<Item = &u32>| list.filter(|&&s| s == slot).count();
        let doomed = on(&mut net.doomed.iter());
        assert_eq!(doomed, usize::from(conn.flags.has(Flags::DOOMED)));
        let closed = matches!(conn.state, State::Closed(_));
        assert_eq!(doomed == 1, closed, "{conn:?}");
        // An entry may outlive its connection and stand for the next one in the slot as well.
        if conn.flags.has(Flags::CARRIED) {
            assert!(on(&mut net.carry.iter()) > 0, "{conn:?}");
        }
        assert!(!conn.flags.has(Flags::DIRTY), "{conn:?}");
        if closed {
            return;
        }
        assert!(conn.links.is_linked(), "no deadline will end it: {conn:?}");
        if conn.state != State::Connecting {
            let waits = !conn.outbox.is_empty();
            assert!(
                !waits || conn.flags.has(Flags::BLOCKED),
                "forgotten: {conn:?}"
            );
            let flushing = matches!(conn.state, State::Flushing(_));
            assert!(!flushing || waits, "nothing will end it: {conn:?}");
            let carried = conn.flags.has(Flags::CARRIED);
            let choked = conn.state.hears() && conn.flags.has(Flags::CHOKED) && !carried;
            assert!(!choked || waits, "nothing will take it up again: {conn:?}");
        }
        if rested && net.pressure != Pressure::Full {
            let blocked = conn.state.hears() && conn.is_blocked();
            let unread = conn.flags.has(Flags::READABLE) && conn.state.reads();
            assert!(blocked || !unread, "not read: {conn:?}");
            let unseen = conn.flags.has(Flags::UNSEEN) && conn.state.hears();
            assert!(blocked || !unseen, "not decoded: {conn:?}");
        }
    }
}
