//! What is due when.

use std::io;

use common::{CloseReason, ConnId, Tick};

use super::Net;
use crate::codec::Stack;
use crate::codec::http::{Response, ResponseContext};
use crate::conn::Flags;
use crate::conn::state::State;
use crate::reactor::handler::Deadline;

/// Bytes of a body that is handed up in pieces which must come in each second on average, counted
/// over the time of a frame: far below what a bad line carries, and enough that nobody holds an
/// upload open for nothing.
const BODY_BYTES_PER_SECOND_MIN: u64 = 512;

/// What a deadline that has passed asks for.
pub(crate) enum Due {
    Nothing,
    Handler(Deadline),
}

impl Net {
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
