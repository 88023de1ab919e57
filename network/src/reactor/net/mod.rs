//! What a reactor owns beside its handler: the connections, their timers and outboxes, and the
//! lists of what is still to be done in this turn. What is done with them:
//!
//! ```text
//!   corked     answers, gathered while their connection is served
//!   output     messages into outboxes, and what happens where there is no room
//!   response   answers to HTTP requests, the upgrade among them
//!   flush      from outboxes to sockets
//!   end        closes of both sides, failures
//!   deadline   what is due when
//!   memory     what all of it holds, and who is closed when that is too much
//! ```

mod corked;
mod deadline;
mod end;
mod flush;
mod memory;
mod output;
mod response;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use common::{CloseReason, ConnId, Tick};
use mio::{Interest, Registry};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustc_hash::FxHashMap;

use super::config::{Profile, ReactorConfig};
use super::cork::Cork;
use super::date::DateCache;
use super::delivery::Drops;
use super::handler::Offer;
use super::peers::RecentPeers;
use super::stats::ReactorStats;
use crate::codec::ws::Deflaters;
use crate::codec::{Framing, Stack};
use crate::conn::outbox::QueuePool;
use crate::conn::state::State;
use crate::conn::table::ConnTable;
use crate::conn::{Connection, Flags};
use crate::memory::{Account, MemoryBudget, Pressure};
use crate::sys;
use crate::timer::TimerWheel;
use crate::tls::Tls;
use crate::transport::Transports;

pub(crate) use deadline::Due;

#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) index: u16,
    pub(crate) conns: ConnTable,
    pub(crate) wheel: TimerWheel,
    pub(crate) pool: QueuePool,
    cork: Cork,
    peers: RecentPeers,
    pub(crate) deflaters: Deflaters,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) registry: Registry,
    pub(crate) stats: Arc<ReactorStats>,
    pub(crate) now: Tick,
    pub(crate) now_ms: u64,
    /// Slots to be served in the next turn although no event will speak of them.
    pub(crate) carry: VecDeque<u32>,
    /// Slots with something to write.
    pub(crate) dirty: Vec<u32>,
    /// Slots to be freed at the end of the turn.
    pub(crate) doomed: Vec<u32>,
    /// What was dropped in this turn, by slot; the handler is told at its end.
    pub(crate) drops: FxHashMap<u32, Drops>,
    /// Connections whose outbox, watched, has become empty; the handler is told in the next turn.
    pub(crate) drained: Vec<ConnId>,
    /// When the handler wants a turn, in milliseconds on the clock.
    pub(crate) wake_at_ms: Option<u64>,
    pub(crate) accepting: bool,
    pub(crate) stopping: bool,
    pub(crate) read_bytes_per_turn: usize,
    pub(crate) transports: Transports,
    pub(crate) memory: Arc<MemoryBudget>,
    account: Account,
    /// How near the node was to the end of its memory when this turn began.
    pub(crate) pressure: Pressure,
    /// Bytes of heap behind input of all connections.
    pub(crate) input_bytes: usize,
    /// Bytes that will be free once those who were closed for want of memory are freed.
    pub(crate) dying_bytes: usize,
    /// Connections closed for want of memory of which the log does not know: it is told once a
    /// second.
    shed_untold: usize,
    shed_told_at: Tick,
    date: DateCache,
    rng: StdRng,
}

impl Net {
    pub(crate) fn new(
        index: u16,
        config: &ReactorConfig,
        profiles: Vec<Profile>,
        registry: Registry,
        stats: Arc<ReactorStats>,
        now: Tick,
    ) -> Self {
        Self {
            index,
            conns: ConnTable::new(index),
            wheel: TimerWheel::new(now),
            pool: QueuePool::default(),
            cork: Cork::default(),
            peers: RecentPeers::default(),
            deflaters: Deflaters::default(),
            profiles,
            registry,
            stats,
            now,
            now_ms: 0,
            carry: VecDeque::new(),
            dirty: Vec::new(),
            doomed: Vec::new(),
            drops: FxHashMap::default(),
            drained: Vec::new(),
            wake_at_ms: None,
            accepting: true,
            stopping: false,
            read_bytes_per_turn: config.read_bytes_per_turn,
            transports: Transports::new(config.tls_handshakes_per_turn.max(1)),
            memory: Arc::clone(&config.memory),
            account: Account::open(&config.memory),
            pressure: Pressure::Low,
            input_bytes: 0,
            dying_bytes: 0,
            shed_untold: 0,
            shed_told_at: Tick::default(),
            date: DateCache::default(),
            rng: config
                .seed
                .map_or_else(StdRng::from_os_rng, StdRng::from_seed),
        }
    }

    // Beginnings.

    /// Takes a stream into the table and registers it; its handshake deadline runs from now.
    pub(crate) fn adopt(
        &mut self,
        stream: mio::net::TcpStream,
        profile: u16,
        state: State,
    ) -> io::Result<ConnId> {
        let settings = &self.profiles[usize::from(profile)];
        let stack = Stack::new(&settings.framing, &settings.stack, || self.rng.random());
        let deadline = self.now.past(settings.handshake_seconds);
        let id = self.conns.insert(|generation| {
            let mut conn = Connection::new(stream, generation, stack, profile, self.now);
            conn.state = state;
            conn
        });
        let conn = self.conns.at(id.slot()).expect("just inserted");
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self
            .registry
            .register(&mut conn.stream, ConnTable::token(id), interest)
        {
            self.conns.remove(id.slot());
            return Err(error);
        }
        let counts = &self.stats.profiles[usize::from(profile)];
        counts.of(state.phase()).add(1);
        self.wheel.schedule(&mut self.conns, id.slot(), deadline);
        self.stats.connections.set(self.conns.len() as u64);
        Ok(id)
    }

    /// Remembers for a moment who a connection was accepted from.
    pub(crate) fn note_peer(&mut self, id: ConnId, peer: SocketAddr) {
        self.peers.note(id, peer);
    }

    /// Address of the peer, or of the client for whom a proxy speaks.
    pub(crate) fn peer_addr(&self, id: ConnId) -> Option<SocketAddr> {
        let conn = self.conns.get(id)?;
        self.transports
            .peer(id.slot())
            .or_else(|| self.peers.get(id))
            .or_else(|| conn.stream.peer_addr().ok())
    }

    /// An accepted connection that is not there before its transport is.
    pub(crate) fn greet(&mut self, id: ConnId, offer: Offer) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        conn.flags.set(Flags::WRAPPED);
        let awaits_header = self.profiles[usize::from(conn.profile)].proxy_protocol;
        self.transports.insert(id.slot(), offer, awaits_header);
    }

    pub(crate) fn connect(
        &mut self,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        profile: u16,
    ) -> io::Result<ConnId> {
        let stream = sys::connect(remote, local)?;
        self.adopt(stream, profile, State::Connecting)
    }

    /// The TCP handshake of an outgoing connection is over; true if it succeeded and nothing else
    /// is to come before it may be used.
    pub(crate) fn finish_connect(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get_mut(id) else {
            return false;
        };
        let made = match conn.stream.take_error() {
            Ok(None) => conn.stream.peer_addr().map(|_| ()),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        if let Err(error) = made {
            self.finish(id, CloseReason::ConnectFailed(error.kind()));
            return false;
        }
        conn.since = self.now;
        self.stats.connected.add(1);
        if let Some(tls @ Tls::Client(_)) = &self.profiles[usize::from(conn.profile)].tls {
            if let Err(error) = self.transports.begin(id.slot(), tls, self.now_ms) {
                tracing::warn!(conn = %id, %error, "cannot begin a TLS session");
                self.finish(id, CloseReason::TlsFailed);
                return false;
            }
            conn.flags.set(Flags::WRAPPED);
            conn.enter(State::Greeting, &self.stats);
            self.mark_dirty(id.slot());
            return false;
        }
        self.begin_client(id);
        true
    }

    /// The transport of an outgoing connection is there: begins what is spoken on it.
    pub(crate) fn begin_client(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        conn.enter(State::Opening, &self.stats);
        if let Stack::Upgrading(upgrading) = &conn.stack
            && let Framing::WebSocketClient { host, target } =
                &self.profiles[usize::from(conn.profile)].framing
        {
            conn.outbox.append(&mut self.pool, |out| {
                upgrading.write_request(host, target, out);
            });
        } else {
            // There is no upgrade to wait for: who connects may speak first.
            conn.enter(State::Open, &self.stats);
            conn.since = Tick::default();
        }
        self.mark_dirty(id.slot());
    }

    // Reading, paused and taken up again.

    pub(crate) fn carry(&mut self, slot: u32) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        if !conn.flags.has(Flags::CARRIED) {
            conn.flags.set(Flags::CARRIED);
            self.carry.push_back(slot);
        }
    }

    pub(crate) fn pause(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.flags.set(Flags::PAUSED);
        }
    }

    pub(crate) fn resume(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id)
            && conn.flags.has(Flags::PAUSED)
        {
            conn.flags.clear(Flags::PAUSED);
            conn.forgive(self.now);
            self.carry(id.slot());
        }
    }
}
