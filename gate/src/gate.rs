//! The layer between a reactor and the modules: sessions, routing, topics, limits.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use common::{CloseReason, ConnId};
use network::codec::http::{BodyPart, Request, Response};
use network::codec::ws::handshake::{HandshakeError, UpgradeFields};
use network::codec::{Frame, Framing, MessageKind, Payload};
use network::{Admission, Ctx, Deadline, Drops, Ending, Handler, LastInput, Messages, Offer};

use crate::admission::Doorman;
use crate::command::Command;
use crate::config::Listener;
use crate::context::{Context, Near};
use crate::dispatch::Dispatcher;
use crate::drain::{Drain, Draining};
use crate::envelope::{
    BodyPiece, Envelope, EnvelopePayload, Event, Fence, Handshake, HttpRequest, ModuleId, Parcel,
};
use crate::files;
use crate::forwarded;
use crate::handle::{GateHandle, Outgoing};
use crate::held::hold;
use crate::http::Found;
use crate::module::Module;
use crate::rate::{Bucket, Rate};
use crate::session::{Session, SessionState};
use crate::stats::GateStats;
use crate::tables::Tables;
use crate::worker;

/// Commands that may wait for another reactor that is overloaded, beyond its own queue.
const COMMANDS_HELD_MAX: usize = 65_536;
/// Messages in a row over the rate, as a multiple of the burst, after which a session is closed.
const OVER_RATE_BURSTS_MAX: u32 = 2;

/// One per reactor, and sole owner of that reactor's tables.
pub(crate) struct Gate {
    tables: Tables,
    listeners: Arc<[Listener]>,
    doorman: Arc<Doorman>,
    dispatcher: Dispatcher,
    stats: Arc<GateStats>,
    /// Instances of the modules that are placed here, by module; `None` for those on workers.
    modules: Vec<Option<Box<dyn Module>>>,
    handle: GateHandle,
    outgoing: Outgoing,
    /// Bytes of the commands that were taken in this turn.
    command_bytes: usize,
    /// The end, once it has begun.
    draining: Option<Draining>,
}

impl Gate {
    pub(crate) fn new(
        listeners: Arc<[Listener]>,
        doorman: Arc<Doorman>,
        dispatcher: Dispatcher,
        stats: Arc<GateStats>,
        modules: Vec<Option<Box<dyn Module>>>,
        handle: GateHandle,
    ) -> Self {
        let auth = listeners
            .iter()
            .map(|listener| listener.limits.auth_seconds)
            .collect();
        let tables = Tables::new(Arc::clone(&handle.presence), auth);
        let outgoing = Outgoing::new(handle.reactors.len());
        Self {
            tables,
            listeners,
            doorman,
            dispatcher,
            stats,
            modules,
            handle,
            outgoing,
            command_bytes: 0,
            draining: None,
        }
    }

    /// Hands an event to the session's module: here, or to its worker.
    fn announce(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, module: ModuleId, event: Event) {
        let parcel = Parcel {
            session: conn,
            module,
            event,
        };
        match &mut self.modules[usize::from(module.0)] {
            None => self.dispatcher.dispatch(ctx, parcel),
            Some(module) => {
                let mut context = near(&self.handle, &mut self.outgoing, &mut self.tables, ctx);
                worker::deliver(module.as_mut(), &mut context, parcel);
            }
        }
    }

    /// Tells a session's module that it has begun: here, or by its worker.
    fn announce_open(
        &mut self,
        ctx: &mut Ctx<'_>,
        conn: ConnId,
        module: ModuleId,
        handshake: Handshake,
    ) {
        match &mut self.modules[usize::from(module.0)] {
            None => {
                let event = Event::Open(Box::new(handshake));
                self.announce(ctx, conn, module, event);
            }
            Some(module) => {
                let mut context = near(&self.handle, &mut self.outgoing, &mut self.tables, ctx);
                module.on_open(&mut context, conn, &handshake);
            }
        }
    }

    /// Hands an event to the module of a session that was announced to it.
    fn announce_session(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, event: Event) {
        if let Some(session) = self.tables.sessions.get(conn)
            && session.state.is_announced()
        {
            self.announce(ctx, conn, session.module, event);
        }
    }

    fn on_message(
        &mut self,
        ctx: &mut Ctx<'_>,
        conn: ConnId,
        kind: MessageKind,
        payload: Payload<'_>,
    ) {
        let Some(session) = self.tables.sessions.get_mut(conn) else {
            return;
        };
        session.asked = false;
        if let Some(rate) = self.listeners[usize::from(session.listener)]
            .limits
            .message_rate
            && !session.bucket.take(rate, ctx.now_ms())
        {
            self.on_over_rate(ctx, conn, rate);
            return;
        }
        session.over_rate = 0;
        let module = session.module;
        match &mut self.modules[usize::from(module.0)] {
            None => {
                let event = Event::Message(kind, payload.into_bytes());
                self.dispatcher.dispatch(
                    ctx,
                    Parcel {
                        session: conn,
                        module,
                        event,
                    },
                );
            }
            Some(module) => {
                let mut context = near(&self.handle, &mut self.outgoing, &mut self.tables, ctx);
                let payload = match payload {
                    Payload::Borrowed(payload) => EnvelopePayload::Borrowed(payload),
                    Payload::Owned(payload) => EnvelopePayload::Owned(payload.freeze()),
                };
                module.on_message(
                    &mut context,
                    Envelope {
                        session: conn,
                        kind,
                        payload,
                    },
                );
            }
        }
    }

    #[cold]
    fn on_over_rate(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, rate: Rate) {
        let Some(session) = self.tables.sessions.get_mut(conn) else {
            return;
        };
        self.stats.limited.add(1);
        let first = session.over_rate == 0;
        session.over_rate = session.over_rate.saturating_add(1);
        let module = session.module;
        let patience = rate.burst.saturating_mul(OVER_RATE_BURSTS_MAX);
        if u32::from(session.over_rate) > patience.min(u32::from(u16::MAX) - 1) {
            ctx.mute(conn);
            self.announce(ctx, conn, module, Event::Fence(Fence::OverRate));
        } else if first {
            self.announce(ctx, conn, module, Event::Limited);
        }
    }

    fn on_request(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, request: &Request<'_>) {
        let Some(session) = self.tables.sessions.get_mut(conn) else {
            return;
        };
        session.asked = false;
        let listener = usize::from(session.listener);
        let listeners = Arc::clone(&self.listeners);
        let path = request.path();
        let fields = UpgradeFields::of(request.headers);
        let found = listeners[listener]
            .router
            .find(request.method, path, fields.asks());
        let answer = match found {
            Found::WebSocket(module) => {
                match self.open_websocket(ctx, conn, request, &fields, module) {
                    Ok(()) => return,
                    Err(error) => refuse_upgrade(error),
                }
            }
            Found::Requests(module) | Found::Uploads(module) => {
                if let Some(request) = owned(ctx, conn, &listeners[listener], request) {
                    self.announce(ctx, conn, module, Event::Request(request));
                }
                return;
            }
            Found::Page(page) => {
                // Who does not wait for an answer any more has gone.
                let _ = ctx.respond(conn, page);
                return;
            }
            Found::Health => self.handle.health.response(),
            Found::File(file) => {
                // The same.
                let _ = ctx.respond(conn, &file.answer(request));
                return;
            }
            Found::Folder => files::redirect(request),
            Found::CrookedPath => Response::text(400, "no path of a file\n"),
            Found::UpgradeOnly => Response::text(426, "this path speaks WebSocket\n")
                .with_header("upgrade", "websocket"),
            Found::WrongMethod(methods) => {
                Response::text(405, "method not allowed\n").with_header("allow", methods)
            }
            Found::Methods(methods) => Response::new(204).with_header("allow", methods),
            Found::UnknownMethod => Response::text(501, "unknown method\n"),
            Found::Nothing => Response::text(404, "not found\n"),
        };
        // The same.
        let _ = ctx.respond(conn, &answer);
    }

    /// A request whose body is still to come.
    fn on_request_head(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, request: &Request<'_>) {
        let Some(session) = self.tables.sessions.get_mut(conn) else {
            return;
        };
        let listener = usize::from(session.listener);
        let listeners = Arc::clone(&self.listeners);
        let router = &listeners[listener].router;
        let Found::Uploads(module) = router.find(request.method, request.path(), false) else {
            // Who does not wait for an answer any more has gone.
            let _ = ctx.respond(conn, &Response::text(404, "not found\n"));
            return;
        };
        session.module = module;
        session.state = SessionState::Receiving;
        if let Some(request) = owned(ctx, conn, &listeners[listener], request) {
            self.announce(ctx, conn, module, Event::Upload(request));
        }
    }

    fn on_request_body(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, part: &BodyPart<'_>) {
        let Some(session) = self.tables.sessions.get(conn) else {
            return;
        };
        let module = session.module;
        let bytes = hold(Bytes::copy_from_slice(part.bytes), ctx.memory());
        let last = part.last;
        self.announce(ctx, conn, module, Event::Body(BodyPiece { bytes, last }));
    }

    fn open_websocket(
        &mut self,
        ctx: &mut Ctx<'_>,
        conn: ConnId,
        request: &Request<'_>,
        fields: &UpgradeFields<'_>,
        module: ModuleId,
    ) -> Result<(), HandshakeError> {
        let accept = fields.accept(request)?;
        let Some(session) = self.tables.sessions.get_mut(conn) else {
            return Ok(());
        };
        let index = usize::from(session.listener);
        let listener = &self.listeners[index];
        let Some(asker) = Asker::of(ctx, conn, listener, request) else {
            return Ok(());
        };
        if !listener.origins.allow(fields.origin(), asker.host) {
            refuse_origin(ctx, conn, request, asker.host);
            return Ok(());
        }
        if asker.forwarded {
            let address = self.doorman.fingerprint(asker.addr.ip());
            if !self.doorman.enter_address(index, address) {
                refuse_address(ctx, conn);
                return Ok(());
            }
            session.address = address;
        }
        if ctx.upgrade(conn, &accept, None).is_err() {
            return Ok(());
        }
        session.module = module;
        session.state = SessionState::Anonymous;
        self.tables.expect_login(ctx, conn);
        tracing::debug!(%conn, peer = %asker.addr, path = request.target, "session opened");
        let handshake = Handshake {
            listener: Arc::clone(&listener.name),
            peer: asker.addr,
            certificate: certificate(ctx, conn),
            kind: MessageKind::Text,
            lines: false,
            path: request.path().to_owned(),
            query: request.query().to_owned(),
            headers: Bytes::copy_from_slice(request.headers.as_bytes()),
        };
        self.announce_open(ctx, conn, module, handshake);
        Ok(())
    }

    /// The address that a new connection counts for. A proxy's own would count for all its
    /// clients; theirs are known, and counted, when they open sessions.
    fn address(&self, offer: Offer) -> u32 {
        let listener = &self.listeners[usize::from(offer.profile)];
        let counted = self.doorman.counts_addresses(usize::from(offer.profile))
            && !listener.speaks_for_others(offer.peer.ip());
        if counted {
            self.doorman.fingerprint(offer.peer.ip())
        } else {
            Doorman::UNCOUNTED
        }
    }

    fn admit_address(&self, offer: Offer) -> Admission {
        let listener = usize::from(offer.profile);
        let address = self.address(offer);
        admission(self.doorman.enter_address(listener, address))
    }

    /// The module of a session that was announced to a worker.
    fn worker_module(&self, conn: ConnId) -> Option<ModuleId> {
        let session = self.tables.sessions.get(conn)?;
        let here = self.modules[usize::from(session.module.0)].is_some();
        (!here && session.state.is_announced()).then_some(session.module)
    }

    fn drain(&mut self, ctx: &mut Ctx<'_>, drain: Drain) {
        ctx.stop_accepting();
        let mut conns = Vec::with_capacity(ctx.connections());
        ctx.walk(0, usize::MAX, |conn| conns.push(conn));
        // A rate is for those who come back elsewhere; who only asks for pages has no session.
        if drain.per_second.is_some() {
            conns.retain(|&conn| {
                let session = ctx.wire_form(conn).is_some();
                if !session {
                    self.send_away(ctx, conn, drain.reason);
                }
                session
            });
        }
        let until = ctx.now().after(drain.seconds);
        let now_ms = ctx.now_ms();
        let draining = Draining::begin(conns, drain.reason, until, now_ms, drain.per_second);
        self.draining = Some(draining);
    }

    /// Tells those whose turn it is.
    fn go_on_draining(&mut self, ctx: &mut Ctx<'_>) {
        let Some(draining) = &mut self.draining else {
            return;
        };
        let reason = draining.reason;
        let due = draining.due(ctx.now_ms());
        if let Some(pause) = draining.pause_ms() {
            ctx.wake_in(pause);
        }
        for conn in due {
            self.send_away(ctx, conn, reason);
        }
    }

    /// Ends a connection behind what is on its way to it.
    fn send_away(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, reason: CloseReason) {
        // What is with a module is answered first.
        if ctx.end_after_answer(conn) {
            return;
        }
        match self.worker_module(conn) {
            Some(module) if ctx.wire_form(conn).is_some() => {
                ctx.mute(conn);
                self.announce(ctx, conn, module, Event::Fence(Fence::Drain(reason)));
            }
            _ => ctx.close(conn, reason, "the server stops"),
        }
    }
}

const fn admission(welcome: bool) -> Admission {
    if welcome {
        Admission::Accept
    } else {
        Admission::Refuse
    }
}

/// The verified certificate of a peer, if it has shown one.
fn certificate(ctx: &Ctx<'_>, conn: ConnId) -> Option<Bytes> {
    ctx.peer_certificate(conn).map(Bytes::copy_from_slice)
}

/// The context of a module that runs in the reactor.
#[inline]
fn near<'a>(
    handle: &'a GateHandle,
    outgoing: &'a mut Outgoing,
    tables: &'a mut Tables,
    ctx: &'a mut Ctx<'_>,
) -> Context<'a> {
    let now_ms = ctx.now_ms();
    let near = Near {
        reactor: ctx.reactor(),
        tables,
        ctx: ctx.reborrow(),
    };
    Context {
        handle,
        outgoing,
        near: Some(near),
        now_ms,
    }
}

/// A request as it is handed to a module; without it the peer has gone.
fn owned(
    ctx: &mut Ctx<'_>,
    conn: ConnId,
    listener: &Listener,
    request: &Request<'_>,
) -> Option<Box<HttpRequest>> {
    let asker = Asker::of(ctx, conn, listener, request)?;
    Some(Box::new(HttpRequest {
        session: conn,
        peer: asker.addr,
        method: request.method.to_owned(),
        path: request.path().to_owned(),
        query: request.query().to_owned(),
        body: Bytes::copy_from_slice(&request.body),
        message_rate: listener.limits.message_rate,
        headers: Bytes::copy_from_slice(request.headers.as_bytes()),
    }))
}

/// Who has sent a request, and for which host.
struct Asker<'a> {
    /// Of the client; the proxy's own if it is not known.
    addr: SocketAddr,
    host: Option<&'a str>,
    /// Whether a proxy has said so.
    forwarded: bool,
}

impl<'a> Asker<'a> {
    /// Without an address the peer has gone, and the connection ends.
    fn of(
        ctx: &mut Ctx<'_>,
        conn: ConnId,
        listener: &Listener,
        request: &Request<'a>,
    ) -> Option<Self> {
        let Some(peer) = ctx.peer_addr(conn) else {
            ctx.abort(conn, CloseReason::Io);
            return None;
        };
        let forwarded = listener.speaks_for_others(peer.ip());
        if !forwarded {
            return Some(Self {
                addr: peer,
                host: request.host,
                forwarded,
            });
        }
        Some(Self {
            addr: forwarded::client(request.headers, peer, &listener.trusted_proxies),
            host: forwarded::host(request.headers).or(request.host),
            forwarded,
        })
    }
}

/// Answers a browser that another server's page has sent. Whoever runs this server is the one to
/// mend it, and finds in the answer how.
fn refuse_origin(ctx: &mut Ctx<'_>, conn: ConnId, request: &Request<'_>, host: Option<&str>) {
    let origin = request.headers.get("origin").unwrap_or("?");
    let host = host.unwrap_or("?");
    tracing::debug!(%conn, origin, host, "upgrade from a page of another origin");
    let text = format!(
        "WebSockets from pages of {origin:?} are not accepted at {host:?}.\n\
         If they are to be, add the origin to `origins` of this listener; if a proxy changes the \
         Host field, let it pass the field on, or send X-Forwarded-Host and be listed in \
         `trusted_proxies`.\n"
    );
    // Who does not wait for an answer any more has gone.
    let _ = ctx.respond_last(conn, &Response::text(403, text), CloseReason::Refused);
}

/// Answers a client that has as many sessions as it may, and comes by a proxy: when the connection
/// was accepted, its address was not known.
fn refuse_address(ctx: &mut Ctx<'_>, conn: ConnId) {
    let full = Response::text(503, "too many connections from this address\n")
        .with_header("retry-after", "5");
    // Who does not wait for an answer any more has gone.
    let _ = ctx.respond_last(conn, &full, CloseReason::TooManyConnections);
}

fn refuse_upgrade(error: HandshakeError) -> Response {
    let response = Response::text(error.status(), format!("{error}\n"));
    error
        .headers()
        .iter()
        .fold(response, |response, &(name, value)| {
            response.with_header(name, value)
        })
}

impl Handler for Gate {
    type Command = Command;

    fn on_accept(&mut self, _ctx: &mut Ctx<'_>, offer: Offer) -> Admission {
        let listener = usize::from(offer.profile);
        let settings = &self.listeners[listener];
        if settings.proxy_protocol {
            // Whoever is trusted stands for many: only the client that it names is counted.
            let trusted = settings.trusted_proxies.contains(offer.peer.ip());
            return admission(trusted && self.doorman.enter(listener));
        }
        if !self.doorman.enter(listener) {
            return Admission::Refuse;
        }
        let admission = self.admit_address(offer);
        if admission == Admission::Refuse {
            self.doorman.leave(listener);
        }
        admission
    }

    fn on_named(&mut self, _ctx: &mut Ctx<'_>, offer: Offer) -> Admission {
        self.admit_address(offer)
    }

    fn on_abandon(&mut self, _ctx: &mut Ctx<'_>, offer: Offer) {
        let listener = usize::from(offer.profile);
        self.doorman.leave(listener);
        // A proxy that never said for whom it speaks has counted for no client.
        if offer.proxy.is_some() || !self.listeners[listener].proxy_protocol {
            self.doorman.leave_address(listener, self.address(offer));
        }
    }

    fn on_open(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, offer: Offer) {
        let listener = &self.listeners[usize::from(offer.profile)];
        let module = listener.module;
        let bucket = listener
            .limits
            .message_rate
            .map_or_else(Bucket::default, |rate| Bucket::full(rate, ctx.now_ms()));
        let session = Session {
            generation: conn.generation(),
            module: module.unwrap_or(ModuleId(0)),
            listener: offer.profile,
            state: if module.is_some() {
                SessionState::Anonymous
            } else {
                SessionState::Plain
            },
            asked: false,
            over_rate: 0,
            address: self.address(offer),
            bucket,
            topics: Default::default(),
        };
        let handshake = module.map(|module| {
            tracing::debug!(%conn, peer = %offer.peer, "session opened");
            let handshake = Handshake {
                listener: Arc::clone(&listener.name),
                peer: offer.peer,
                certificate: certificate(ctx, conn),
                kind: listener.message_kind(),
                lines: listener.speaks_lines(),
                path: String::new(),
                query: String::new(),
                headers: Bytes::new(),
            };
            (module, handshake)
        });
        self.tables.sessions.insert(conn, session);
        if let Some((module, handshake)) = handshake {
            self.tables.expect_login(ctx, conn);
            self.announce_open(ctx, conn, module, handshake);
        }
    }

    #[inline(always)]
    fn on_frame(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, frame: Frame<'_>) {
        match frame {
            Frame::Text(payload) => self.on_message(ctx, conn, MessageKind::Text, payload),
            Frame::Binary(payload) => self.on_message(ctx, conn, MessageKind::Binary, payload),
            Frame::Request(request) => self.on_request(ctx, conn, &request),
            Frame::RequestHead(request) => self.on_request_head(ctx, conn, &request),
            Frame::RequestBody(part) => self.on_request_body(ctx, conn, &part),
            Frame::Pong(_) => {
                if let Some(session) = self.tables.sessions.get_mut(conn) {
                    session.asked = false;
                }
            }
            // Answered by the network layer, or of the client role, in which a gate never is.
            Frame::Ping(_) | Frame::Close(_) | Frame::Upgraded => {}
        }
    }

    #[inline]
    fn on_messages(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, messages: &mut Messages<'_>) {
        let Some(session) = self.tables.sessions.get_mut(conn) else {
            return;
        };
        session.asked = false;
        let rate = self.listeners[usize::from(session.listener)]
            .limits
            .message_rate;
        if let Some(rate) = rate {
            // What comes beyond that is handed up by itself, and refused.
            messages.limit(session.bucket.fill(rate, ctx.now_ms()));
        }
        let module = session.module;
        match &mut self.modules[usize::from(module.0)] {
            None => {
                while let Some((kind, payload)) = messages.next(ctx) {
                    let event = Event::Message(kind, Bytes::copy_from_slice(payload));
                    self.dispatcher.dispatch(
                        ctx,
                        Parcel {
                            session: conn,
                            module,
                            event,
                        },
                    );
                }
            }
            Some(module) => {
                let mut context = near(&self.handle, &mut self.outgoing, &mut self.tables, ctx);
                module.on_messages(&mut context, messages);
            }
        }
        if rate.is_some()
            && messages.count() > 0
            && let Some(session) = self.tables.sessions.get_mut(conn)
        {
            session.bucket.spend(messages.count());
            session.over_rate = 0;
        }
    }

    fn on_last(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, last: LastInput) -> Ending {
        let Some(module) = self.worker_module(conn) else {
            return Ending::Now;
        };
        // Replies of the worker to earlier messages go out first.
        self.announce(ctx, conn, module, Event::Fence(Fence::Last(last)));
        Ending::Later
    }

    fn on_command(&mut self, ctx: &mut Ctx<'_>, command: Command) {
        self.command_bytes += command.bytes();
        match command {
            Command::Drain(drain) => self.drain(ctx, drain),
            command => self.tables.apply(ctx, command),
        }
    }

    fn on_drops(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, drops: Drops) {
        self.announce_session(ctx, conn, Event::Drops(drops));
    }

    fn on_drained(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        match self.tables.sessions.get(conn).map(|session| session.state) {
            Some(SessionState::Sending) => {
                self.tables.go_on_with_body(ctx, conn, &self.handle);
            }
            _ => self.announce_session(ctx, conn, Event::Drained),
        }
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, deadline: Deadline) {
        let Some(session) = self.tables.sessions.get_mut(conn) else {
            return;
        };
        match deadline {
            Deadline::Idle if session.asked => ctx.close(conn, CloseReason::Idle, "idle"),
            Deadline::Idle => {
                session.asked = true;
                // Framings without a ping can only wait for their client to speak.
                let _ = ctx.ping(conn);
            }
            Deadline::Asked if session.state == SessionState::Anonymous => {
                ctx.close(conn, CloseReason::AuthTimeout, "no login in time");
            }
            Deadline::Asked => {}
        }
    }

    fn on_turn(&mut self, ctx: &mut Ctx<'_>) -> bool {
        if self.command_bytes > 0 {
            ctx.memory()
                .give_back(std::mem::take(&mut self.command_bytes));
        }
        self.go_on_draining(ctx);
        self.dispatcher.send(ctx);
        let held = self.outgoing.try_submit(&self.handle, COMMANDS_HELD_MAX);
        let fanning = self.tables.run_fanouts(ctx);
        self.tables.fanouts.end_turn();
        if let Some(draining) = &self.draining {
            let everything_handed_over = ctx.connections() == 0 && self.dispatcher.is_empty();
            if everything_handed_over || draining.is_over(ctx.now()) {
                ctx.stop();
            }
        }
        held || fanning
    }

    fn on_close(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, reason: CloseReason) {
        let Some(session) = self.tables.remove(conn) else {
            return;
        };
        let listener = usize::from(session.listener);
        self.doorman.leave(listener);
        self.doorman.leave_address(listener, session.address);
        let event = match session.state {
            SessionState::Plain | SessionState::Sending => return,
            SessionState::Receiving => Event::UploadLost(reason),
            SessionState::Anonymous | SessionState::Bound => Event::Close(reason),
        };
        self.announce(ctx, conn, session.module, event);
    }
}

impl Listener {
    fn message_kind(&self) -> MessageKind {
        if self.speaks_lines() {
            MessageKind::Text
        } else {
            MessageKind::Binary
        }
    }

    fn speaks_lines(&self) -> bool {
        use network::codec::tcp::TcpFraming;
        matches!(self.framing, Framing::Tcp(TcpFraming::Line(_)))
    }
}
