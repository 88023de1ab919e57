//! How connections end.

use common::{CloseReason, ConnId};
use rand::Rng;

use super::Net;
use crate::codec::http::Response;
use crate::codec::{ProtocolError, Stack, ws};
use crate::conn::Flags;
use crate::conn::state::State;
use crate::reactor::handler::LastInput;
use crate::sys;

impl Net {
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

    pub(super) fn finish_slot(&mut self, slot: u32, reason: CloseReason) {
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
}
