//! What a reactor owns beside its handler: the connections, their timers and outboxes, and the
//! lists of what is still to be done in this turn.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use common::{CloseReason, ConnId, Tick};
use mio::{Interest, Registry};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustc_hash::FxHashMap;

use super::config::{Profile, ReactorConfig};
use super::cork::Cork;
use super::date::DateCache;
use super::delivery::{Delivery, Drops, Overflow};
use super::handler::{Deadline, LastInput, Offer, SendError};
use super::peers::RecentPeers;
use super::stats::ReactorStats;
use crate::codec::http::{CONTINUE, Response, ResponseContext, encode_head_of};
use crate::codec::ws::handshake::Accept;
use crate::codec::ws::{self, Deflaters, Opcode};
use crate::codec::{
    EncodeError, Framing, HEADER_BYTES_MAX, MessageKind, PlainForm, ProtocolError, Stack, WireForm,
};
use crate::conn::outbox::{Flush, QueuePool};
use crate::conn::state::State;
use crate::conn::table::ConnTable;
use crate::conn::{Connection, Flags, Stream};
use crate::memory::{Account, MemoryBudget, Pressure};
use crate::sys;
use crate::timer::TimerWheel;
use crate::tls::Tls;
use crate::transport::Transports;

/// Bytes that a connection takes while it holds nothing: its own, and its handler's for a session.
const CONNECTION_BYTES: usize = size_of::<Connection>() + 64;
/// Bytes of a body that is handed up in pieces which must come in each second on average, counted
/// over the time of a frame: far below what a bad line carries, and enough that nobody holds an
/// upload open for nothing.
const BODY_BYTES_PER_SECOND_MIN: u64 = 512;
/// Outboxes that may be filled before they are written. A message to all is so written from caches
/// that still hold it, and does not take a queue for each of its receivers.
const DIRTY_MAX: usize = 256;

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

/// What a deadline that has passed asks for.
pub(crate) enum Due {
    Nothing,
    Handler(Deadline),
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

    /// What is gathered is so where it is sent from, without a call: it is all that there is to
    /// most answers.
    #[inline(always)]
    pub(crate) fn send(
        &mut self,
        id: ConnId,
        kind: MessageKind,
        payload: &[u8],
        delivery: Delivery,
    ) -> Result<(), SendError> {
        let may_be_dropped = delivery.overflow.is_some_and(Overflow::drops_waiting);
        if !may_be_dropped && self.cork.take(id, kind, payload) {
            return Ok(());
        }
        self.queue(id, (kind, payload), delivery)
    }

    /// Bytes that wait to be written.
    pub(crate) fn outbox_bytes(&self, id: ConnId) -> usize {
        let queued = self.conns.get(id).map_or(0, |conn| conn.outbox.len());
        queued + self.cork.bytes_for(id)
    }

    // Answers to the connection that is being served.

    /// From here on messages to this connection, which is calm and about to hand up what it was
    /// sent, are gathered if nothing waits in front of them. Whatever else is asked of a connection
    /// ends that: see [`Net::uncork`]. False if there is more to its messages than a header.
    #[inline]
    pub(crate) fn cork(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(id) else {
            return false;
        };
        let profile = &self.profiles[usize::from(conn.profile)];
        let Some(form) = conn.stack.plain_form(&profile.stack) else {
            return false;
        };
        let queued = conn.flags.has(Flags::DIRTY | Flags::AFTER_WRITE) || !conn.outbox.is_null();
        let room = if queued || profile.overflow.drops_waiting() {
            0
        } else {
            profile.outbox_bytes_max / 2
        };
        self.cork.begin(id, form, room);
        true
    }

    /// The form in which messages of the connection that is being served come, as long as it is as
    /// it was when that began: nothing was asked for but messages that are gathered, and what else
    /// has come may be handed up without another look at it.
    #[inline]
    pub(crate) fn undisturbed_form(&self) -> Option<&PlainForm> {
        self.cork.form()
    }

    /// Ends the gathering of answers, and queues them in the outbox of their connection: something
    /// is about to happen that must come behind them.
    #[inline]
    pub(crate) fn uncork(&mut self) {
        if let Some((id, frames)) = self.cork.end() {
            self.stats.frames_out.add(u64::from(frames));
            self.queue_corked(id, 0);
        }
    }

    /// All but the first `written` bytes.
    #[cold]
    fn queue_corked(&mut self, id: ConnId, written: usize) {
        if self.cork.bytes().len() > written
            && let Some(conn) = self.conns.get_mut(id)
        {
            let left = &self.cork.bytes()[written..];
            conn.outbox
                .append(&mut self.pool, |out| out.extend_from_slice(left));
            self.mark_dirty(id.slot());
        }
        self.cork.clear();
    }

    /// Ends the gathering of answers and writes them. What the kernel does not take goes to the
    /// outbox.
    #[inline]
    pub(crate) fn write_corked(&mut self) {
        let Some((id, frames)) = self.cork.end() else {
            return;
        };
        if frames == 0 {
            return;
        }
        self.stats.frames_out.add(u64::from(frames));
        let Some(conn) = self.conns.get_mut(id) else {
            self.cork.clear();
            return;
        };
        self.stats.writes.add(1);
        match conn.stream.write(self.cork.bytes()) {
            Ok(written) if written == self.cork.bytes().len() => {
                self.stats.bytes_out.add(written as u64);
                self.cork.clear();
            }
            written => self.on_corked_left(id, written),
        }
    }

    /// The kernel has not taken all of what was gathered.
    #[cold]
    fn on_corked_left(&mut self, id: ConnId, written: io::Result<usize>) {
        // Its event starts the next write. Another error comes again when the outbox is flushed.
        let is_full = match &written {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        if is_full && let Some(conn) = self.conns.get_mut(id) {
            conn.flags.set(Flags::BLOCKED);
        }
        let taken = written.unwrap_or(0);
        self.stats.bytes_out.add(taken as u64);
        self.queue_corked(id, taken);
    }

    // Output.

    /// Queues a message in the outbox.
    #[inline(never)]
    fn queue(
        &mut self,
        id: ConnId,
        (kind, payload): (MessageKind, &[u8]),
        delivery: Delivery,
    ) -> Result<(), SendError> {
        self.uncork();
        let conn = self.conns.get_mut(id).ok_or(SendError::Gone)?;
        let profile = &self.profiles[usize::from(conn.profile)];
        let overflow = delivery.overflow.unwrap_or(profile.overflow);
        let most = payload.len() + HEADER_BYTES_MAX;
        let usual = conn.state.is_open()
            && !overflow.drops_waiting()
            && conn.outbox.len() + most <= profile.outbox_bytes_max / 2
            && conn
                .stack
                .plain_form(&profile.stack)
                .is_some_and(|form| form.is_websocket_for(payload.len()));
        if !usual {
            return self.queue_in_long(id, (kind, payload), delivery);
        }
        conn.outbox.reserve(&mut self.pool, most);
        conn.outbox.append(&mut self.pool, |out| {
            ws::encode_whole(kind, payload, out);
        });
        if conn.mark_dirty() {
            self.dirty.push(id.slot());
            self.flush_if_many();
        }
        self.stats.frames_out.add(1);
        Ok(())
    }

    /// Of a message that is framed otherwise, masked, compressed, or may be dropped, or for which
    /// room has to be made.
    #[inline(never)]
    fn queue_in_long(
        &mut self,
        id: ConnId,
        message: (MessageKind, &[u8]),
        delivery: Delivery,
    ) -> Result<(), SendError> {
        let most = message.1.len() + HEADER_BYTES_MAX;
        let overflow = self.make_room(id, most, delivery)?;
        let conn = self.conns.get_mut(id).ok_or(SendError::Gone)?;
        let config = &self.profiles[usize::from(conn.profile)].stack;
        let (stack, rng) = (&mut conn.stack, &mut self.rng);
        let deflaters = &mut self.deflaters;
        let sure = !overflow.drops_waiting();
        let mut outcome = Ok(());
        conn.outbox.reserve(&mut self.pool, most);
        let bytes = conn.outbox.append(&mut self.pool, |out| {
            outcome = stack.encode(config, deflaters, message, sure, || rng.random(), out);
        });
        if overflow.drops_waiting() {
            conn.outbox
                .mark_last(bytes, overflow.run_kind(delivery.key));
        }
        self.mark_dirty(id.slot());
        if outcome.is_err() {
            self.stats.unfit.add(1);
            return Err(SendError::Unfit);
        }
        self.stats.frames_out.add(1);
        Ok(())
    }

    pub(crate) fn send_encoded(
        &mut self,
        id: ConnId,
        encoded: Bytes,
        delivery: Delivery,
    ) -> Result<(), SendError> {
        let overflow = self.make_room(id, encoded.len(), delivery)?;
        let conn = self.conns.get_mut(id).ok_or(SendError::Gone)?;
        conn.stack.note_shared(&encoded);
        let bytes = conn.outbox.append_shared(&mut self.pool, encoded);
        if overflow.drops_waiting() {
            conn.outbox
                .mark_last(bytes, overflow.run_kind(delivery.key));
        }
        if conn.mark_dirty() {
            self.dirty.push(id.slot());
            self.flush_if_many();
        }
        self.stats.frames_out.add(1);
        Ok(())
    }

    /// Sees to it that the outbox may take `bytes` more; gives the policy of the message.
    #[inline]
    fn make_room(
        &mut self,
        id: ConnId,
        bytes: usize,
        delivery: Delivery,
    ) -> Result<Overflow, SendError> {
        let conn = self.conns.get(id).ok_or(SendError::Gone)?;
        if !conn.state.speaks() {
            return Err(SendError::Gone);
        }
        let profile = &self.profiles[usize::from(conn.profile)];
        let overflow = delivery.overflow.unwrap_or(profile.overflow);
        if conn.outbox.len() + bytes > profile.outbox_bytes_max / 2 {
            self.make_room_in_long(id, bytes, overflow, delivery.key)?;
        }
        Ok(overflow)
    }

    /// The outbox is more than half full, or will be.
    #[cold]
    fn make_room_in_long(
        &mut self,
        id: ConnId,
        bytes: usize,
        overflow: Overflow,
        key: u64,
    ) -> Result<(), SendError> {
        let conn = self.conns.get_mut(id).ok_or(SendError::Gone)?;
        let max = self.profiles[usize::from(conn.profile)].outbox_bytes_max;
        // A peer that does not read what it asked for is not asked for more. What may be dropped
        // it has not asked for, or not in this number.
        if overflow == Overflow::Close && conn.outbox.fixed_len() + bytes > max / 2 {
            conn.flags.set(Flags::CHOKED | Flags::WATCHED);
        }
        if conn.outbox.len() + bytes > max {
            self.make_room_by_policy(id, bytes, overflow, key)?;
        }
        Ok(())
    }

    fn make_room_by_policy(
        &mut self,
        id: ConnId,
        bytes: usize,
        overflow: Overflow,
        key: u64,
    ) -> Result<(), SendError> {
        self.flush(id.slot());
        let conn = self.conns.get_mut(id).ok_or(SendError::Gone)?;
        let max = self.profiles[usize::from(conn.profile)].outbox_bytes_max;
        // An empty outbox takes one message of any size: there is no other way to send it.
        let fits = |conn: &Connection| conn.outbox.is_empty() || conn.outbox.len() + bytes <= max;
        if fits(conn) {
            return Ok(());
        }
        // Nothing is dropped for a message that would not fit all the same.
        let fixed = conn.outbox.fixed_len();
        let may_fit = fixed == 0 || fixed + bytes <= max;
        if overflow != Overflow::DropNewest && may_fit {
            // More is dropped than this message needs, so that the work of dropping is shared by
            // the messages that come after it.
            let target = (max - max / 8).saturating_sub(bytes);
            let incoming = (overflow == Overflow::Latest).then_some(key);
            let evicted = conn.outbox.evict(&mut self.pool, target, incoming);
            let fits = fits(conn);
            self.note_drops(
                id,
                Drops {
                    newest: 0,
                    oldest: evicted.oldest,
                    superseded: evicted.superseded,
                },
            );
            if fits {
                return Ok(());
            }
        }
        if overflow == Overflow::Close {
            self.abort(id, CloseReason::SlowConsumer);
            return Err(SendError::SlowConsumer);
        }
        self.note_drops(
            id,
            Drops {
                newest: 1,
                ..Drops::default()
            },
        );
        Err(SendError::Dropped)
    }

    fn note_drops(&mut self, id: ConnId, drops: Drops) {
        if drops == Drops::default() {
            return;
        }
        self.stats.dropped_newest.add(u64::from(drops.newest));
        self.stats.dropped_oldest.add(u64::from(drops.oldest));
        self.stats.superseded.add(u64::from(drops.superseded));
        let told = self.drops.entry(id.slot()).or_default();
        told.newest += drops.newest;
        told.oldest += drops.oldest;
        told.superseded += drops.superseded;
        self.watch(id);
    }

    /// Tells the handler once the outbox, as it is now, is empty.
    pub(crate) fn watch(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.flags.set(Flags::WATCHED);
            self.mark_dirty(id.slot());
        }
    }

    pub(crate) fn wire_form(&self, id: ConnId) -> Option<WireForm> {
        let conn = self.conns.get(id)?;
        if !conn.state.speaks() || conn.stack.masks() {
            return None;
        }
        conn.stack
            .wire_form(&self.profiles[usize::from(conn.profile)].stack)
    }

    /// Encodes a message for any number of connections of this wire form.
    pub(crate) fn encode(
        &mut self,
        form: WireForm,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<Bytes, EncodeError> {
        form.encode(kind, payload, &mut self.deflaters)
    }

    pub(crate) fn ping(&mut self, id: ConnId) -> Result<(), SendError> {
        self.control(id, Opcode::Ping, &[])
    }

    /// Queues a WebSocket control frame.
    pub(crate) fn control(
        &mut self,
        id: ConnId,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let conn = self.conns.get(id).ok_or(SendError::Gone)?;
        if !conn.state.speaks() {
            return Err(SendError::Gone);
        }
        // Before room is made: nothing is dropped for a frame that is not sent.
        if !conn.stack.is_ws() {
            return Err(SendError::Unfit);
        }
        let overflow = match self.profiles[usize::from(conn.profile)].overflow {
            // A control frame stands for nothing that a message could, and supersedes none.
            Overflow::Latest => Overflow::DropOldest,
            overflow => overflow,
        };
        let delivery = Delivery {
            overflow: Some(overflow),
            key: 0,
        };
        self.make_room(id, payload.len() + HEADER_BYTES_MAX, delivery)?;
        let conn = self.conns.get_mut(id).ok_or(SendError::Gone)?;
        let mask = conn.stack.masks().then(|| self.rng.random());
        conn.outbox
            .append(&mut self.pool, |out| ws::encode(opcode, payload, mask, out));
        self.mark_dirty(id.slot());
        self.flush_if_many();
        Ok(())
    }

    /// Answers the request that the connection waits with; `end` says why the connection ends
    /// behind the answer, if it does so whatever the client has asked for.
    pub(crate) fn respond(
        &mut self,
        id: ConnId,
        response: &Response,
        end: Option<CloseReason>,
    ) -> Result<(), SendError> {
        let mut context = self.begin_answer(id)?;
        context.keep_alive &= end.is_none();
        self.append_response(id.slot(), response, context);
        self.end_answer(id, context.keep_alive, end);
        Ok(())
    }

    /// Answers with a body that comes in pieces, `body_bytes` in all; true if none is to come, and
    /// the answer is whole.
    pub(crate) fn respond_in_pieces(
        &mut self,
        id: ConnId,
        head: &Response,
        body_bytes: u64,
    ) -> Result<bool, SendError> {
        let context = self.begin_answer(id)?;
        self.append_head(id.slot(), head, body_bytes, context);
        let whole = body_bytes == 0 || !head.sends_body(context);
        if whole {
            self.end_answer(id, context.keep_alive, None);
            return Ok(true);
        }
        let conn = self.conns.get_mut(id).ok_or(SendError::Gone)?;
        if let Stack::Http(codec, kept) = &mut conn.stack {
            codec.begin_answer(body_bytes);
            *kept = context;
        }
        conn.flags.clear(Flags::HELD);
        conn.flags.set(Flags::ANSWERING);
        conn.heard = self.now;
        self.schedule(id.slot());
        self.mark_dirty(id.slot());
        Ok(false)
    }

    /// Queues a piece of the body of such an answer; true if it was the last.
    pub(crate) fn send_body(&mut self, id: ConnId, piece: Bytes) -> Result<bool, SendError> {
        let conn = self.conns.get_mut(id).ok_or(SendError::Gone)?;
        let bytes = piece.len() as u64;
        let Stack::Http(codec, context) = &mut conn.stack else {
            return Err(SendError::Gone);
        };
        let left = codec.answer_left().ok_or(SendError::Gone)?;
        if !conn.state.speaks() {
            return Err(SendError::Gone);
        }
        if bytes > left {
            return Err(SendError::Unfit);
        }
        let whole = codec.advance_answer(bytes);
        let keep_alive = context.keep_alive;
        conn.outbox.append_shared(&mut self.pool, piece);
        conn.heard = self.now;
        if whole {
            self.end_answer(id, keep_alive, None);
        } else {
            self.mark_dirty(id.slot());
        }
        Ok(whole)
    }

    /// How the request that the connection waits with is to be answered.
    fn begin_answer(&self, id: ConnId) -> Result<ResponseContext, SendError> {
        let conn = self.conns.get(id).ok_or(SendError::Gone)?;
        let Stack::Http(codec, context) = &conn.stack else {
            return Err(SendError::Gone);
        };
        if !conn.state.speaks() || !conn.awaits_answer() || codec.answer_left().is_some() {
            return Err(SendError::Gone);
        }
        // Behind a body that is not read to its end, no request can be found.
        Ok(ResponseContext {
            keep_alive: context.keep_alive && !codec.is_streaming(),
            ..*context
        })
    }

    /// All of the answer is queued.
    fn end_answer(&mut self, id: ConnId, keep_alive: bool, end: Option<CloseReason>) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        conn.flags.clear(Flags::ANSWERING | Flags::HELD);
        conn.heard = self.now;
        if !keep_alive {
            conn.enter(
                State::Flushing(end.unwrap_or(CloseReason::HttpDone)),
                &self.stats,
            );
            self.expect_end(id.slot());
        } else {
            // Who asks for pages and does not read them is not heard before it has.
            let max = self.profiles[usize::from(conn.profile)].outbox_bytes_max;
            if conn.outbox.len() > max / 2 {
                conn.flags.set(Flags::CHOKED);
            }
            if !conn.spill.is_empty() || conn.flags.has(Flags::READABLE) {
                self.carry(id.slot());
            }
            // While the handler had the request, no idle time ran.
            self.schedule(id.slot());
        }
        self.stats.frames_out.add(1);
        self.mark_dirty(id.slot());
    }

    /// Hands up the next piece of the body that the connection is held with.
    pub(crate) fn read_body(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if !conn.flags.has(Flags::HELD) {
            return;
        }
        conn.flags.clear(Flags::HELD);
        conn.forgive(self.now);
        if conn.stack.take_continue() {
            conn.outbox
                .append(&mut self.pool, |out| out.extend_from_slice(CONTINUE));
            self.mark_dirty(id.slot());
        }
        self.carry(id.slot());
        self.schedule(id.slot());
    }

    /// Queues an answer, its body by reference if it is long.
    fn append_response(&mut self, slot: u32, response: &Response, context: ResponseContext) {
        self.append_head(slot, response, response.body().len() as u64, context);
        let body = response.sent_body(context);
        if !body.is_empty()
            && let Some(conn) = self.conns.at(slot)
        {
            conn.outbox.append_shared(&mut self.pool, body);
        }
    }

    fn append_head(
        &mut self,
        slot: u32,
        response: &Response,
        body_bytes: u64,
        context: ResponseContext,
    ) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        let date = self.date.text(self.now);
        conn.outbox.append(&mut self.pool, |out| {
            encode_head_of(response, body_bytes, context, date, out);
        });
    }

    pub(crate) fn upgrade(
        &mut self,
        id: ConnId,
        accept: &Accept,
        protocol: Option<&str>,
    ) -> Result<(), SendError> {
        let conn = self.conns.get_mut(id).ok_or(SendError::Gone)?;
        if !conn.state.speaks() || !conn.flags.has(Flags::ANSWERING) {
            return Err(SendError::Gone);
        }
        let config = &self.profiles[usize::from(conn.profile)].stack.ws;
        let (stack, deflate) = Stack::accepted(config, accept.deflate());
        conn.stack = stack;
        conn.outbox.append(&mut self.pool, |out| {
            accept.write_response(protocol, deflate, out);
        });
        self.stats.upgrades.add(1);
        conn.flags.clear(Flags::ANSWERING);
        if !conn.spill.is_empty() {
            self.carry(id.slot());
        }
        self.schedule(id.slot());
        self.mark_dirty(id.slot());
        Ok(())
    }

    /// Lets the connection end behind the answer that it waits for; false if it waits for none.
    pub(crate) fn end_after_answer(&mut self, id: ConnId) -> bool {
        let waits = self
            .conns
            .get_mut(id)
            .filter(|conn| conn.state.speaks() && conn.awaits_answer());
        waits.is_some_and(|conn| {
            conn.stack.forget_keep_alive();
            true
        })
    }

    #[inline]
    pub(crate) fn mark_dirty(&mut self, slot: u32) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        if conn.mark_dirty() {
            self.dirty.push(slot);
        }
    }

    /// Writes what the kernel takes, and goes on with an end that waited for it.
    #[inline]
    pub(crate) fn flush(&mut self, slot: u32) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        // Of a connection with nothing else under way, nearly always the kernel takes it all.
        if conn.state.is_open()
            && conn.stack.is_framed()
            && !conn.flags.has(Flags::AFTER_WRITE)
            && let Some(flushed) =
                conn.outbox
                    .write_at_once(&mut self.pool, &mut conn.stream, &self.stats)
        {
            conn.flags.clear(Flags::DIRTY);
            if flushed == Flush::Blocked {
                conn.flags.set(Flags::BLOCKED);
            }
        } else {
            self.flush_in_long(slot);
        }
    }

    #[inline(never)]
    fn flush_in_long(&mut self, slot: u32) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        conn.flags.clear(Flags::DIRTY);
        if matches!(conn.state, State::Closed(_) | State::Connecting) {
            return;
        }
        let (mut written, mut calls) = (0, 0);
        let flushed = if conn.flags.has(Flags::WRAPPED) {
            self.flush_wrapped(slot, &mut written, &mut calls)
        } else {
            conn.outbox
                .flush(&mut self.pool, &mut conn.stream, &mut written, &mut calls)
        };
        self.stats.bytes_out.add(written);
        self.stats.writes.add(calls);
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        if written > 0 && matches!(conn.stack, Stack::Http(..)) {
            // A long body takes as long as its reader; what ends it is that nothing moves.
            conn.heard = self.now;
            if matches!(conn.state, State::Flushing(_)) {
                conn.since = self.now;
            }
        }
        match flushed {
            Ok(Flush::Done) => {
                conn.flags.clear(Flags::BLOCKED);
                if conn.flags.has(Flags::WATCHED) {
                    conn.flags.clear(Flags::WATCHED);
                    let id = ConnId::new(self.index, slot, conn.generation);
                    self.drained.push(id);
                }
                if let State::Flushing(reason) = conn.state {
                    self.end_output(slot, reason);
                    return;
                }
            }
            Ok(Flush::Blocked) => {
                conn.flags.set(Flags::BLOCKED);
                if conn.stack.is_answering() {
                    self.schedule(slot);
                }
            }
            Err(_) => {
                self.finish_slot(slot, CloseReason::Io);
                return;
            }
        }
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        if conn.flags.has(Flags::CHOKED) {
            let max = self.profiles[usize::from(conn.profile)].outbox_bytes_max;
            if conn.outbox.fixed_len() <= max / 4 {
                conn.flags.clear(Flags::CHOKED);
                self.carry(slot);
            }
        }
    }

    /// Writes what was queued, if it is so much that it should not wait for the end of the turn.
    #[inline]
    fn flush_if_many(&mut self) {
        if self.dirty.len() >= DIRTY_MAX {
            self.flush_dirty();
        }
    }

    /// Writes what was queued in this turn.
    pub(crate) fn flush_dirty(&mut self) {
        let mut at = 0;
        while at < self.dirty.len() {
            let slot = self.dirty[at];
            let waits = |conn: &mut Connection| conn.flags.has(Flags::DIRTY);
            if self.conns.at(slot).is_some_and(waits) {
                self.flush(slot);
            }
            at += 1;
        }
        self.dirty.clear();
    }

    /// Everything is written and nothing more will be.
    fn end_output(&mut self, slot: u32, reason: CloseReason) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        if conn.flags.has(Flags::WRAPPED) && !self.say_goodbye(slot) {
            return;
        }
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        // After a close handshake it is the server that ends the TCP connection, at once (RFC 6455
        // section 7.1.1); the client waits for that.
        let peer_is_done =
            matches!(reason, CloseReason::PeerEof) || conn.flags.has(Flags::PEER_DONE);
        if peer_is_done && !conn.stack.masks() {
            self.finish_slot(slot, reason);
            return;
        }
        conn.enter(State::Draining(reason), &self.stats);
        conn.flags.set(Flags::READABLE);
        if conn.stream.shutdown(Shutdown::Write).is_err() {
            self.finish_slot(slot, reason);
            return;
        }
        self.carry(slot);
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

    // Memory.

    /// Tells the node's budget what is held here, and acts on what that leaves.
    #[inline]
    pub(crate) fn settle_memory(&mut self) {
        let held = self.held_bytes();
        self.account.tell(&self.memory, held);
        self.pressure = self.memory.pressure();
        if self.pressure > Pressure::Low {
            self.relieve();
        }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.conns.len() * CONNECTION_BYTES
            + self.pool.lent()
            + self.input_bytes
            + self.transports.bytes()
    }

    /// Closes those who hold the most, until this reactor has done its share.
    #[cold]
    fn relieve(&mut self) {
        if self.pressure == Pressure::Full {
            self.stats.memory_stalls.add(1);
        }
        // What only waits for the end of the turn to be written is nobody's fault; and a few bytes
        // may lie in a large buffer, which the pool takes back when they are gone.
        self.flush_dirty();
        self.account.tell(&self.memory, self.held_bytes());
        // What outboxes share is accounted for by whoever made it, but it is those who do not read
        // it that have the node keep it.
        let own = self.held_bytes().saturating_add(self.pool.shared());
        if self.memory.excess_of(own) <= self.dying_bytes {
            // What is held is held elsewhere: in events that workers have not come to.
            return;
        }
        // By powers of two, so that the largest are found without a list of all.
        let class = |bytes: usize| bytes.checked_ilog2().unwrap_or(0) as usize;
        let mut held_by_class = [0; usize::BITS as usize];
        for (_, conn) in self.conns.iter() {
            let bytes = conn.footprint();
            held_by_class[class(bytes)] += bytes;
        }
        let excess = self.memory.excess_of(held_by_class.iter().sum());
        let excess = excess.saturating_sub(self.dying_bytes);
        let mut from = held_by_class.len();
        let mut found = 0;
        while found < excess && from > 0 {
            from -= 1;
            found += held_by_class[from];
        }
        let mut victims = Vec::new();
        let mut freed = 0;
        // Of the last class only as many as it takes, and only behind those above it.
        for is_last in [false, true] {
            for (slot, conn) in self.conns.iter() {
                let bytes = conn.footprint();
                let of_class = if is_last {
                    class(bytes) == from
                } else {
                    class(bytes) > from
                };
                let chosen = of_class && bytes > 0 && freed < excess;
                if chosen && !matches!(conn.state, State::Closed(_)) {
                    freed += bytes;
                    victims.push(slot);
                }
            }
        }
        if victims.is_empty() {
            return;
        }
        self.shed_untold += victims.len();
        if self.shed_told_at != self.now {
            self.shed_told_at = self.now;
            tracing::warn!(
                closed = std::mem::take(&mut self.shed_untold),
                used = self.memory.used(),
                limit = self.memory.limit(),
                "memory is short: those who hold the most are closed"
            );
        }
        self.dying_bytes += freed;
        for slot in victims {
            if let Some(id) = self.conns.id_at(slot) {
                self.abort(id, CloseReason::MemoryShort);
            }
        }
    }

    // Ends.

    pub(crate) fn close(&mut self, id: ConnId, reason: CloseReason, text: &str) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if !conn.state.speaks() {
            if matches!(conn.state, State::Connecting | State::Greeting) {
                self.finish(id, reason);
            }
            return;
        }
        match (&conn.stack, reason.ws_code()) {
            (stack, Some(code)) if stack.is_ws() => {
                let mask = conn.stack.masks().then(|| self.rng.random());
                conn.outbox.append(&mut self.pool, |out| {
                    ws::encode_close(code, text, mask, out)
                });
                conn.enter(State::AwaitClose(reason), &self.stats);
            }
            _ => conn.enter(State::Flushing(reason), &self.stats),
        }
        // What was held back is of no interest any more, but the peer's close behind it is.
        conn.flags.clear(Flags::WITH_HANDLER | Flags::CHOKED);
        self.expect_end(id.slot());
        self.carry(id.slot());
        self.mark_dirty(id.slot());
    }

    /// The peer has sent its close frame.
    pub(crate) fn on_peer_close(&mut self, id: ConnId, code: Option<u16>) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        conn.flags.set(Flags::PEER_DONE);
        if conn.state.hears() {
            let mask = conn.stack.masks().then(|| self.rng.random());
            conn.outbox.append(&mut self.pool, |out| {
                ws::encode_close(code.unwrap_or(1005), "", mask, out);
            });
        }
        let reason = conn
            .state
            .reason()
            .unwrap_or_else(|| CloseReason::Peer(code.unwrap_or(1005)));
        conn.enter(State::Flushing(reason), &self.stats);
        self.expect_end(id.slot());
        self.mark_dirty(id.slot());
    }

    /// The peer broke the framing: says so in the framing's own way, then ends.
    pub(crate) fn fail(&mut self, id: ConnId, error: ProtocolError) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        // What ends a connection is what came first: a peer that breaks the framing while our close
        // is on its way has not been closed for that.
        let reason = conn.state.reason().unwrap_or_else(|| error.close_reason());
        tracing::debug!(conn = %id, %error, "peer broke the framing");
        if conn.state.speaks() {
            let profile = &self.profiles[usize::from(conn.profile)];
            match &conn.stack {
                Stack::Ws(_) | Stack::WsInContext(_) => {
                    let mask = conn.stack.masks().then(|| self.rng.random());
                    let code = reason.ws_code().unwrap_or(1002);
                    conn.outbox.append(&mut self.pool, |out| {
                        ws::encode_close(code, &error.to_string(), mask, out);
                    });
                }
                Stack::Http(_, context) => {
                    let response = Response::text(error.http_status(), format!("{error}\n"));
                    let context = *context;
                    self.append_response(id.slot(), &response, context);
                }
                Stack::Length | Stack::Line(_) => {
                    if let Some(farewell) = &profile.farewell {
                        conn.outbox.append_shared(&mut self.pool, farewell.clone());
                    }
                }
                Stack::Upgrading(_) => {}
            }
        }
        if let Some(conn) = self.conns.get_mut(id) {
            conn.enter(State::Flushing(reason), &self.stats);
        }
        self.expect_end(id.slot());
        self.mark_dirty(id.slot());
    }

    /// The peer broke TLS, or we could not agree: what says so in TLS is pending, and is written.
    pub(crate) fn fail_tls(&mut self, id: ConnId, error: &rustls::Error) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        tracing::debug!(conn = %id, %error, "TLS failed");
        let reason = conn.state.reason().unwrap_or(CloseReason::TlsFailed);
        conn.enter(State::Flushing(reason), &self.stats);
        self.expect_end(id.slot());
        self.mark_dirty(id.slot());
    }

    /// Nothing more is heard from this peer: ends the connection for that.
    pub(crate) fn end(&mut self, id: ConnId, last: LastInput) {
        match last {
            LastInput::Violation(error) => self.fail(id, error),
            LastInput::End => self.close(id, CloseReason::PeerEof, ""),
        }
    }

    pub(crate) fn mute(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        conn.flags.set(Flags::MUTE);
        conn.since = self.now;
        self.schedule(id.slot());
    }

    pub(crate) fn abort(&mut self, id: ConnId, reason: CloseReason) {
        if let Some(conn) = self.conns.get_mut(id) {
            sys::reset_on_close(&conn.stream);
            self.finish(id, reason);
        }
    }

    pub(crate) fn finish(&mut self, id: ConnId, reason: CloseReason) {
        if self.conns.get(id).is_some() {
            self.finish_slot(id.slot(), reason);
        }
    }

    fn finish_slot(&mut self, slot: u32, reason: CloseReason) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        conn.finish(reason, &self.stats);
        if !conn.flags.has(Flags::DOOMED) {
            conn.flags.set(Flags::DOOMED);
            self.doomed.push(slot);
        }
    }

    /// Starts the time that an end may take.
    pub(crate) fn expect_end(&mut self, slot: u32) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        conn.since = self.now;
        let at = self
            .now
            .past(self.profiles[usize::from(conn.profile)].close_seconds);
        self.wheel.schedule(&mut self.conns, slot, at);
    }

    // Deadlines.

    pub(crate) fn set_deadline(&mut self, id: ConnId, at: Tick) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        conn.handler_deadline = at;
        self.schedule(id.slot());
    }

    /// Links the connection at its earliest deadline.
    pub(crate) fn schedule(&mut self, slot: u32) {
        if let Some((at, _)) = self.earliest(slot) {
            self.wheel.schedule(&mut self.conns, slot, at);
        }
    }

    /// As [`Net::schedule`], for a connection that the wheel has just let go of: it must not stay
    /// without an entry, or no deadline would come again.
    fn schedule_again(&mut self, slot: u32) {
        let at = match (self.earliest(slot), self.conns.at(slot)) {
            (Some((at, _)), _) => at,
            (None, Some(conn)) if !matches!(conn.state, State::Closed(_)) => {
                // One that is paused will soon have a deadline again; one without an idle time has
                // none until its state changes, and is looked at as seldom as the wheel allows.
                let waits = conn.flags.has(Flags::WITH_HANDLER);
                self.now.after(if waits { 1 } else { u32::MAX })
            }
            _ => return,
        };
        self.wheel.schedule(&mut self.conns, slot, at);
    }

    fn earliest(&mut self, slot: u32) -> Option<(Tick, Expiry)> {
        let conn = self.conns.at(slot)?;
        let profile = &self.profiles[usize::from(conn.profile)];
        let handler = (conn.handler_deadline != Tick::default())
            .then_some((conn.handler_deadline, Expiry::Asked));
        let own = match conn.state {
            State::Connecting | State::Greeting | State::Opening => Some((
                conn.since.past(profile.handshake_seconds),
                Expiry::Handshake,
            )),
            State::Open if conn.flags.has(Flags::MUTE) => {
                Some((conn.since.past(profile.frame_seconds), Expiry::Close))
            }
            State::Open if conn.flags.has(Flags::BLOCKED) && conn.stack.is_answering() => {
                Some((conn.heard.past(profile.frame_seconds), Expiry::Stalled))
            }
            State::Open if conn.flags.has(Flags::WITH_HANDLER) => None,
            State::Open if conn.since != Tick::default() && !conn.flags.has(Flags::CHOKED) => {
                Some((conn.since.past(profile.frame_seconds), Expiry::Frame))
            }
            State::Open => (profile.idle_seconds > 0)
                .then(|| (conn.heard.past(profile.idle_seconds), Expiry::Idle)),
            State::Flushing(_) if matches!(conn.stack, Stack::Http(..)) => {
                let seconds = profile.close_seconds.max(profile.frame_seconds);
                return Some((conn.since.past(seconds), Expiry::Close));
            }
            State::AwaitClose(_) | State::Flushing(_) | State::Draining(_) => {
                return Some((conn.since.past(profile.close_seconds), Expiry::Close));
            }
            State::Closed(_) => return None,
        };
        own.into_iter().chain(handler).min_by_key(|(at, _)| *at)
    }

    /// The wheel has come to this connection: acts on a deadline that has passed, and links it
    /// again for the next.
    pub(crate) fn expire(&mut self, slot: u32) -> Due {
        let Some((at, expiry)) = self.earliest(slot) else {
            self.schedule_again(slot);
            return Due::Nothing;
        };
        if at > self.now {
            self.wheel.schedule(&mut self.conns, slot, at);
            return Due::Nothing;
        }
        let Some(id) = self.conns.id_at(slot) else {
            return Due::Nothing;
        };
        match expiry {
            Expiry::Handshake => self.on_handshake_timeout(id),
            Expiry::Close => {
                self.stats.unanswered_closes.add(1);
                self.abort(id, CloseReason::CloseTimeout);
            }
            Expiry::Frame if self.is_flowing(slot) => self.schedule_again(slot),
            Expiry::Stalled => self.abort(id, CloseReason::SlowConsumer),
            Expiry::Frame => {
                self.answer_unfinished(slot);
                self.close(id, CloseReason::FrameTimeout, "frame not completed");
            }
            Expiry::Idle => return self.on_idle(id),
            Expiry::Asked => {
                if let Some(conn) = self.conns.at(slot) {
                    conn.handler_deadline = Tick::default();
                }
                self.schedule_again(slot);
                return Due::Handler(Deadline::Asked);
            }
        }
        Due::Nothing
    }

    /// Whether a body that is handed up in pieces has come quickly enough since this was last
    /// asked; its time then begins anew.
    fn is_flowing(&mut self, slot: u32) -> bool {
        let Some(conn) = self.conns.at(slot) else {
            return false;
        };
        let seconds = self.profiles[usize::from(conn.profile)].frame_seconds;
        let flows = conn.stack.take_progress() >= u64::from(seconds) * BODY_BYTES_PER_SECOND_MIN;
        if flows {
            conn.since = self.now;
        }
        flows
    }

    /// A peer that has begun a request learns why it ends (RFC 9110 section 15.5.9); one that has
    /// said nothing is not answered.
    fn answer_unfinished(&mut self, slot: u32) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        let context = if conn.stack.is_receiving() {
            ResponseContext::CLOSING
        } else if matches!(conn.stack, Stack::Http(..)) && !conn.spill.is_empty() {
            ResponseContext::refusing(conn.spill.as_slice())
        } else {
            return;
        };
        let response = Response::text(408, "request not completed in time\n");
        self.append_response(slot, &response, context);
    }

    fn on_handshake_timeout(&mut self, id: ConnId) {
        self.answer_unfinished(id.slot());
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if matches!(conn.state, State::Opening | State::Greeting) {
            conn.enter(State::Flushing(CloseReason::HandshakeTimeout), &self.stats);
            self.expect_end(id.slot());
            self.mark_dirty(id.slot());
        } else {
            self.finish(id, CloseReason::ConnectFailed(io::ErrorKind::TimedOut));
        }
    }

    fn on_idle(&mut self, id: ConnId) -> Due {
        let Some(conn) = self.conns.get_mut(id) else {
            return Due::Nothing;
        };
        if matches!(conn.stack, Stack::Http(..)) {
            self.close(id, CloseReason::HttpDone, "");
            return Due::Nothing;
        }
        conn.heard = self.now;
        self.schedule(id.slot());
        Due::Handler(Deadline::Idle)
    }
}

enum Expiry {
    Handshake,
    Frame,
    Stalled,
    Close,
    Idle,
    Asked,
}
