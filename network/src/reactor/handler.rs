//! What a reactor drives, and what it hands to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use common::{CloseReason, ConnId, Tick};

use super::delivery::{Delivery, Drops};
use super::messages::Messages;
use super::net::Net;
use super::stats::ReactorStats;
use crate::codec::http::Response;
use crate::codec::ws::handshake::Accept;
use crate::codec::{EncodeError, Frame, MessageKind, Payload, ProtocolError, WireForm};
use crate::memory::{MemoryBudget, Pressure};

/// The layer above: it is told what happens to connections and answers through [`Ctx`].
///
/// A handler is owned by its reactor's thread and called there only. It must not block.
pub trait Handler {
    /// What other threads may ask of this handler, through a [`super::ReactorHandle`].
    type Command: Send;

    /// A peer wants in. Called before anything is allocated for it.
    fn on_accept(&mut self, _ctx: &mut Ctx<'_>, _offer: Offer) -> Admission {
        Admission::Accept
    }

    /// A proxy that was let in has said for whom it speaks, which is now the peer of the offer; its
    /// own address is in [`Offer::proxy`]. Called once, and only where the profile asks for it.
    fn on_named(&mut self, _ctx: &mut Ctx<'_>, _offer: Offer) -> Admission {
        Admission::Accept
    }

    /// A peer that was let in did not become a connection: the kernel has no memory for it, a proxy
    /// did not say for whom it speaks, [`Handler::on_named`] refused, the TLS handshake failed.
    fn on_abandon(&mut self, _ctx: &mut Ctx<'_>, _offer: Offer) {}

    /// A connection is there: accepted, or made; where a proxy or TLS is to come first, after that.
    /// What it says comes with `on_frame`.
    fn on_open(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, offer: Offer);

    /// A complete frame has come. Pings and closes are answered already and do not come here.
    fn on_frame(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, frame: Frame<'_>);

    /// Messages have come together. Those that are not taken, and all that come in another way, are
    /// handed up one by one.
    fn on_messages(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, messages: &mut Messages<'_>) {
        while let Some((kind, payload)) = messages.next(ctx) {
            self.on_frame(ctx, conn, Frame::message(kind, Payload::Borrowed(payload)));
        }
    }

    /// Nothing more will be heard from this peer. Whoever has frames of it under way to other
    /// threads answers [`Ending::Later`], and ends the connection with [`Ctx::end`] when the
    /// replies to them are queued; it is not read meanwhile, and closed after the profile's frame
    /// time at the latest.
    fn on_last(&mut self, _ctx: &mut Ctx<'_>, _conn: ConnId, _last: LastInput) -> Ending {
        Ending::Now
    }

    /// A command from another thread.
    fn on_command(&mut self, ctx: &mut Ctx<'_>, command: Self::Command);

    /// Messages to this connection were dropped by their policy, because it reads too slowly. Told
    /// once a turn, of all that were dropped in it.
    fn on_drops(&mut self, _ctx: &mut Ctx<'_>, _conn: ConnId, _drops: Drops) {}

    /// The outbox of this connection has become empty, after messages were dropped, after it was
    /// more than half full of such that may not be, or as [`Ctx::watch`] asked.
    fn on_drained(&mut self, _ctx: &mut Ctx<'_>, _conn: ConnId) {}

    /// A deadline has passed.
    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, deadline: Deadline);

    /// The end of a turn, before what was queued is written. True if there is more to do, so that
    /// the next turn comes without a wait.
    fn on_turn(&mut self, _ctx: &mut Ctx<'_>) -> bool {
        false
    }

    /// The connection has ended; its id means nothing from here on.
    fn on_close(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, reason: CloseReason);
}

/// Who is on the other side of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Address of the peer; behind a proxy, of its client once that is known.
    pub peer: SocketAddr,
    /// Index of the profile, which tells the listener.
    pub profile: u16,
    /// Address of the proxy, once it has said for whom it speaks.
    pub proxy: Option<SocketAddr>,
}

/// Whether a peer is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Accept,
    /// It is not: HTTP listeners without TLS answer 503, the others reset.
    Refuse,
}

/// Why nothing more will be heard from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastInput {
    /// It broke the framing.
    Violation(ProtocolError),
    /// It has ended its side of the stream, between two frames of a TCP framing.
    End,
}

/// When a connection from which nothing more will be heard is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// At once, behind what is queued.
    Now,
    /// When the handler says so.
    Later,
}

/// Which deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Nothing was heard for the profile's idle time. It passes again after as long.
    Idle,
    /// The one that the handler asked for with [`Ctx::set_deadline`].
    Asked,
}

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no such connection, or it is closing.
    #[error("the connection is gone or closing")]
    Gone,
    /// The outbox had no room and the policy is to drop.
    #[error("dropped: the outbox is full")]
    Dropped,
    /// The outbox had no room and the policy is to close.
    #[error("closed: the outbox is full")]
    SlowConsumer,
    /// The framing cannot carry this payload.
    #[error("the framing cannot carry this payload")]
    Unfit,
}

/// What a handler may ask of its reactor. What it queues is written at the end of the turn, and
/// what it closes is freed there, so nothing goes away under its feet.
#[derive(Debug)]
pub struct Ctx<'a> {
    pub(crate) net: &'a mut Net,
}

impl Ctx<'_> {
    /// The reactor's side, for all that must come behind what was sent before it.
    #[inline]
    fn net(&mut self) -> &mut Net {
        self.net.uncork();
        self.net
    }

    /// The same for a shorter time, to be handed on by value.
    #[must_use]
    pub fn reborrow(&mut self) -> Ctx<'_> {
        Ctx { net: self.net }
    }

    /// Index of the reactor.
    #[must_use]
    pub fn reactor(&self) -> u16 {
        self.net.index
    }

    /// The present second of the reactor's clock, read once a turn.
    #[must_use]
    pub fn now(&self) -> Tick {
        self.net.now
    }

    /// Milliseconds on the reactor's clock, read once a turn.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.net.now_ms
    }

    /// Counters of the reactor.
    #[must_use]
    pub fn stats(&self) -> &ReactorStats {
        &self.net.stats
    }

    /// The node's budget of memory, to account for what the handler keeps for clients.
    #[must_use]
    pub fn memory(&self) -> &Arc<MemoryBudget> {
        &self.net.memory
    }

    /// Tells the budget what is held here now, in the middle of a turn that may queue much; if that
    /// is too much, those who hold the most are closed.
    pub fn settle_memory(&mut self) -> Pressure {
        self.net().settle_memory();
        self.net.pressure
    }

    /// Connections of this reactor, in whatever state.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.net.conns.len()
    }

    /// The connections from slot `from` on, in the order of their slots: at most `limit` of them,
    /// and the slot to go on from if there are more.
    pub fn walk(&self, from: u32, limit: usize, visit: impl FnMut(ConnId)) -> Option<u32> {
        self.net.conns.walk(from, limit, visit)
    }

    /// Queues one message, copying the payload.
    ///
    /// # Errors
    /// [`SendError`]; except for `Gone` it is counted too.
    #[inline]
    pub fn send(
        &mut self,
        conn: ConnId,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<(), SendError> {
        self.net.send(conn, kind, payload, Delivery::default())
    }

    /// Queues one message that has a policy of its own for want of room.
    ///
    /// # Errors
    /// [`SendError`]; except for `Gone` it is counted too.
    #[inline]
    pub fn send_as(
        &mut self,
        conn: ConnId,
        kind: MessageKind,
        payload: &[u8],
        delivery: Delivery,
    ) -> Result<(), SendError> {
        self.net.send(conn, kind, payload, delivery)
    }

    /// A message as it stands on the wire, for any number of connections of this form on any
    /// reactor; compressed, if the form is, with this reactor's compressors.
    ///
    /// # Errors
    /// [`EncodeError::Unfit`].
    pub fn encode(
        &mut self,
        form: WireForm,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<Bytes, EncodeError> {
        self.net.encode(form, kind, payload)
    }

    /// Queues bytes that [`Ctx::encode`] made for this connection's wire form.
    ///
    /// # Errors
    /// [`SendError`]; except for `Gone` it is counted too.
    #[inline]
    pub fn send_encoded(
        &mut self,
        conn: ConnId,
        encoded: Bytes,
        delivery: Delivery,
    ) -> Result<(), SendError> {
        self.net().send_encoded(conn, encoded, delivery)
    }

    /// Asks for [`Handler::on_drained`] once all that is queued now is with the kernel; soon, if
    /// it is already.
    pub fn watch(&mut self, conn: ConnId) {
        self.net().watch(conn);
    }

    /// The wire form of messages on this connection; `None` if it takes none (now), or none that
    /// could be sent to others too: in the WebSocket client role each frame has a mask of its own.
    #[inline]
    #[must_use]
    pub fn wire_form(&self, conn: ConnId) -> Option<WireForm> {
        self.net.wire_form(conn)
    }

    /// Sends a WebSocket ping; other framings have none.
    ///
    /// # Errors
    /// [`SendError::Unfit`] on other framings, [`SendError::Gone`].
    pub fn ping(&mut self, conn: ConnId) -> Result<(), SendError> {
        self.net().ping(conn)
    }

    /// Answers the HTTP request that the connection waits with.
    ///
    /// # Errors
    /// [`SendError::Gone`] if there is none.
    pub fn respond(&mut self, conn: ConnId, response: &Response) -> Result<(), SendError> {
        self.net().respond(conn, response, None)
    }

    /// The same, and the connection ends behind the answer, for `reason`.
    ///
    /// # Errors
    /// [`SendError::Gone`] if there is none.
    pub fn respond_last(
        &mut self,
        conn: ConnId,
        response: &Response,
        reason: CloseReason,
    ) -> Result<(), SendError> {
        self.net().respond(conn, response, Some(reason))
    }

    /// Answers it with a body that comes in pieces, `body_bytes` in all, which [`Ctx::send_body`]
    /// brings; true if none is to come, as in answer to HEAD. A connection that takes no more of it
    /// is closed after the profile's frame time.
    ///
    /// # Errors
    /// [`SendError::Gone`] if there is no request, or its answer has begun.
    pub fn respond_in_pieces(
        &mut self,
        conn: ConnId,
        head: &Response,
        body_bytes: u64,
    ) -> Result<bool, SendError> {
        self.net().respond_in_pieces(conn, head, body_bytes)
    }

    /// Queues the next piece of an answer, whatever waits already: [`Ctx::watch`] tells when it is
    /// time for more. True if it was the last.
    ///
    /// # Errors
    /// [`SendError::Gone`] if no answer is on its way in pieces, [`SendError::Unfit`] if it would
    /// be longer than was said.
    pub fn send_body(&mut self, conn: ConnId, piece: Bytes) -> Result<bool, SendError> {
        self.net().send_body(conn, piece)
    }

    /// Asks for the next piece of the body of the request whose head, or last piece, was handed up
    /// as a frame of its own: one is decoded for each time it is asked, and the socket is not read
    /// in between. A client that has held its body back is told to begin.
    pub fn read_body(&mut self, conn: ConnId) {
        self.net().read_body(conn);
    }

    /// Lets the connection end behind the answer to the HTTP request that it waits with; false, and
    /// nothing happens, if it waits with none.
    pub fn end_after_answer(&mut self, conn: ConnId) -> bool {
        self.net().end_after_answer(conn)
    }

    /// Answers the request for an upgrade; from here on the connection speaks WebSocket.
    ///
    /// # Errors
    /// [`SendError::Gone`] if the connection waits with no request.
    pub fn upgrade(
        &mut self,
        conn: ConnId,
        accept: &Accept,
        protocol: Option<&str>,
    ) -> Result<(), SendError> {
        self.net().upgrade(conn, accept, protocol)
    }

    /// Begins an orderly end: a close frame on WebSocket, the end of the stream elsewhere. What is
    /// queued is written first.
    pub fn close(&mut self, conn: ConnId, reason: CloseReason, text: &str) {
        self.net().close(conn, reason, text);
    }

    /// Ends a connection as [`Handler::on_last`] would have at once: what was wrong is said in the
    /// framing's own way, behind what is queued.
    pub fn end(&mut self, conn: ConnId, last: LastInput) {
        self.net().end(conn, last);
    }

    /// Hears nothing more from this connection, which is about to be ended by the handler; it is
    /// closed after the profile's frame time at the latest.
    pub fn mute(&mut self, conn: ConnId) {
        self.net().mute(conn);
    }

    /// Ends the connection at the end of the turn with a reset; what is queued is dropped.
    pub fn abort(&mut self, conn: ConnId, reason: CloseReason) {
        self.net().abort(conn, reason);
    }

    /// Hands up no more frames of this connection and reads it no further; the kernel's window
    /// slows the peer down.
    pub fn pause(&mut self, conn: ConnId) {
        self.net().pause(conn);
    }

    /// Takes up again what [`Ctx::pause`] stopped.
    pub fn resume(&mut self, conn: ConnId) {
        self.net().resume(conn);
    }

    /// Asks for [`Deadline::Asked`] at `at`; `Tick(0)` for none. There is one per connection.
    pub fn set_deadline(&mut self, conn: ConnId, at: Tick) {
        self.net().set_deadline(conn, at);
    }

    /// Address of the peer; behind a proxy, of its client. A system call where there is no proxy
    /// and the connection was not accepted just now, and `None` then once the peer has gone.
    #[must_use]
    pub fn peer_addr(&self, conn: ConnId) -> Option<SocketAddr> {
        self.net.peer_addr(conn)
    }

    /// The certificate that the peer has shown and that was verified (DER), if there is TLS and it
    /// was asked for one.
    #[must_use]
    pub fn peer_certificate(&self, conn: ConnId) -> Option<&[u8]> {
        self.net.conns.get(conn)?;
        self.net.transports.peer_certificate(conn.slot())
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn outbox_bytes(&self, conn: ConnId) -> usize {
        self.net.outbox_bytes(conn)
    }

    /// Begins a connection to `remote`, from `local` if it is given. `on_open` says that it is
    /// made, its TLS handshake included; `on_close` without that, that it could not be:
    /// `ConnectFailed` with the kind of error, or what ended the handshake.
    ///
    /// # Errors
    /// What the host answers at once: exhausted descriptors or ports, an unreachable network.
    pub fn connect(
        &mut self,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        profile: u16,
    ) -> io::Result<ConnId> {
        self.net().connect(remote, local, profile)
    }

    /// Asks for a turn in so many milliseconds at the latest.
    pub fn wake_in(&mut self, milliseconds: u32) {
        let at = self.net.now_ms + u64::from(milliseconds);
        self.net.wake_at_ms = Some(self.net.wake_at_ms.map_or(at, |known| known.min(at)));
    }

    /// Closes the listeners of this reactor.
    pub fn stop_accepting(&mut self) {
        self.net.accepting = false;
    }

    /// Ends the reactor after this turn.
    pub fn stop(&mut self) {
        self.net.stopping = true;
    }
}
