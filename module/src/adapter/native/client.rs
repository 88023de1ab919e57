//! A session that speaks the protocol.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use common::{CloseReason, ErrorCode, SessionId};
use gate::{Context, Message, MessageKind};
use parking_lot::Mutex;
use serde_json::value::RawValue;

use super::reply::{Replies, Ticket, encode};
use super::wire::Request;
use crate::api::Outcome;
use crate::api::input::Object;
use crate::im::{Im, ImError, Login};
use crate::outlet::Outlet;

/// Longest `id` of a request, in bytes of JSON.
const ID_BYTES_MAX: usize = 66;
/// Messages in a row that do not parse, after which a session is closed.
const BAD_IN_A_ROW_MAX: u8 = 10;
/// Replies of one session that may wait for the store.
const REPLIES_MAX: usize = 1_024;
/// Requests of one session that may wait for its login.
const WAITING_MAX: usize = 64;

/// What the adapter knows of a session. Its worker serves it, and threads of the store come with
/// outcomes; the lock is held for what has to happen in one order.
#[derive(Debug)]
pub(super) struct Client {
    im: Arc<Im>,
    session: SessionId,
    kind: MessageKind,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bad_in_a_row: u8,
    /// We have asked for the end of the session.
    closing: bool,
    /// It has ended.
    closed: bool,
    login: Option<Arc<Login>>,
    /// What waits; an idle session has none.
    line: Option<Box<Line>>,
}

/// What of a session waits for the store.
#[derive(Debug, Default)]
struct Line {
    replies: Replies,
    turnstile: Turnstile,
    requests: VecDeque<Bytes>,
}

/// Whether requests are served as they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Turnstile {
    /// They are.
    #[default]
    Open,
    /// Who is logged in is just being decided: they wait.
    Shut,
    /// Those that have waited are being served: later ones wait behind them.
    Clearing,
}

impl State {
    fn line(&mut self) -> &mut Line {
        self.line.get_or_insert_default()
    }

    /// Sends the replies whose turn it is.
    fn send_replies(&mut self, session: SessionId, outlet: &mut dyn Outlet) {
        let Some(line) = &mut self.line else { return };
        while let Some(reply) = line.replies.next() {
            if !self.closed {
                outlet.send(session, reply);
            }
        }
        let idle = line.turnstile == Turnstile::Open && line.requests.is_empty();
        if idle && line.replies.is_empty() {
            self.line = None;
        }
    }
}

impl Client {
    pub(super) fn new(im: Arc<Im>, session: SessionId, kind: MessageKind) -> Self {
        Self {
            im,
            session,
            kind,
            state: Mutex::default(),
        }
    }

    pub(super) fn im(&self) -> &Arc<Im> {
        &self.im
    }

    pub(super) const fn session(&self) -> SessionId {
        self.session
    }

    pub(super) const fn kind(&self) -> MessageKind {
        self.kind
    }

    pub(super) fn login(&self) -> Option<Arc<Login>> {
        self.state.lock().login.clone()
    }

    /// Serves a message, or has it wait for its turn.
    pub(super) fn on_message(self: &Arc<Self>, context: &mut Context<'_>, payload: &[u8]) {
        let mut state = self.state.lock();
        // What came in the same read as the last straw is not looked at.
        if state.closing {
            return;
        }
        if let Some(line) = &mut state.line {
            if line.replies.len() >= REPLIES_MAX || line.requests.len() >= WAITING_MAX {
                state.closing = true;
                drop(state);
                let text = "too many requests wait for their replies";
                context.close(self.session, CloseReason::RateExceeded, text);
                return;
            }
            if line.turnstile != Turnstile::Open {
                line.requests.push_back(Bytes::copy_from_slice(payload));
                return;
            }
        }
        drop(state);
        self.serve(context, payload);
    }

    fn serve(self: &Arc<Self>, outlet: &mut dyn Outlet, payload: &[u8]) {
        let Ok(Object(request)) = serde_json::from_slice::<Object<Request<'_>>>(payload) else {
            self.on_garbage(outlet);
            return;
        };
        self.state.lock().bad_in_a_row = 0;
        match request.id.map(checked_id).transpose() {
            Ok(id) => self.perform(outlet, id, &request.op, request.data),
            Err(error) => self.answer(outlet, None, &Err(error)),
        }
    }

    /// A message that is no request at all.
    fn on_garbage(&self, outlet: &mut dyn Outlet) {
        let error = ImError::new(
            ErrorCode::BadRequest,
            "a request is one JSON object: {\"id\":1,\"op\":\"login\",\"data\":{…}}",
        );
        self.answer(outlet, None, &Err(error));
        let mut state = self.state.lock();
        state.bad_in_a_row = state.bad_in_a_row.saturating_add(1);
        if state.bad_in_a_row >= BAD_IN_A_ROW_MAX {
            state.closing = true;
            let text = "too many malformed requests";
            outlet.close(self.session, CloseReason::BadProtocol, text);
        }
    }

    /// Replies with what is known at once, behind what is not.
    pub(super) fn answer(&self, outlet: &mut dyn Outlet, id: Option<&RawValue>, outcome: &Outcome) {
        let reply = encode(self.kind, id, outcome);
        let mut state = self.state.lock();
        match &mut state.line {
            Some(line) if !line.replies.is_empty() => line.replies.push(reply),
            _ => outlet.send(self.session, reply),
        }
    }

    /// Has `ask` put a question to the store; it is given the ticket for the reply.
    pub(super) fn ask(
        self: &Arc<Self>,
        outlet: &mut dyn Outlet,
        id: Option<&RawValue>,
        ask: impl FnOnce(Ticket),
    ) {
        // The reply comes from another thread, and must not overtake those that were collected.
        outlet.flush();
        let number = self.state.lock().line().replies.reserve();
        ask(Ticket::new(Arc::clone(self), number, id));
        let mut state = self.state.lock();
        let Some(line) = &mut state.line else { return };
        line.replies.asked(number);
        // What is collected here leaves later than what others send: that will do only while there
        // is nothing else to send.
        if line.replies.len() == 1 && line.turnstile == Turnstile::Open {
            state.send_replies(self.session, outlet);
        } else {
            self.im
                .act(|outlet| state.send_replies(self.session, outlet));
        }
    }

    /// A reply has come.
    pub(super) fn fill(&self, number: u64, reply: Message) {
        let mut state = self.state.lock();
        let Some(line) = &mut state.line else { return };
        line.replies.fill(number, reply);
        self.im
            .act(|outlet| state.send_replies(self.session, outlet));
    }

    /// Has later requests wait until who is logged in is decided.
    pub(super) fn shut(&self) {
        self.state.lock().line().turnstile = Turnstile::Shut;
    }

    /// Decides who is logged in: `decide` is given what was so far, and not called if the session
    /// has ended.
    pub(super) fn decide(
        &self,
        decide: impl FnOnce(&mut dyn Outlet, Option<Arc<Login>>) -> Option<Arc<Login>>,
    ) {
        let mut state = self.state.lock();
        if !state.closed {
            self.im.act(|outlet| {
                let login = state.login.take();
                state.login = decide(outlet, login);
            });
        }
    }

    /// Serves the requests that have waited, up to one that has others wait again.
    pub(super) fn open(self: &Arc<Self>) {
        self.im.act(|outlet| {
            loop {
                let mut state = self.state.lock();
                let line = state.line();
                let Some(request) = line.requests.pop_front() else {
                    line.turnstile = Turnstile::Open;
                    state.send_replies(self.session, outlet);
                    return;
                };
                line.turnstile = Turnstile::Clearing;
                drop(state);
                self.serve(outlet, &request);
                if self.state.lock().line().turnstile == Turnstile::Shut {
                    return;
                }
            }
        });
    }

    pub(super) fn on_close(&self, context: &mut Context<'_>) {
        let mut state = self.state.lock();
        state.closed = true;
        state.line = None;
        let login = state.login.take();
        drop(state);
        if let Some(login) = login {
            self.im.on_close(context, &login);
        }
    }
}

/// An id that may come back in a reply: a number or a string. It comes back as it was written, so
/// it must be one that any client can read: no number beyond a double, no half of a surrogate pair.
fn checked_id(id: &RawValue) -> Result<&RawValue, ImError> {
    let text = id.get();
    let is_readable = match text.as_bytes() {
        _ if text.len() > ID_BYTES_MAX => false,
        [b'"', inside @ ..] => {
            !inside.contains(&b'\\') || serde_json::from_str::<Cow<'_, str>>(text).is_ok()
        }
        [b'-' | b'0'..=b'9', ..] => text.parse().is_ok_and(f64::is_finite),
        _ => false,
    };
    if is_readable {
        Ok(id)
    } else {
        Err(ImError::new(
            ErrorCode::BadRequest,
            "id is a number or a string of at most 64 bytes",
        ))
    }
}
