//! Answers to HTTP requests, the upgrade among them.

use bytes::Bytes;
use common::{CloseReason, ConnId};

use super::Net;
use crate::codec::Stack;
use crate::codec::http::{CONTINUE, Response, ResponseContext, encode_head_of};
use crate::codec::ws::handshake::Accept;
use crate::conn::Flags;
use crate::conn::state::State;
use crate::reactor::handler::SendError;

impl Net {
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
    pub(super) fn append_response(
        &mut self,
        slot: u32,
        response: &Response,
        context: ResponseContext,
    ) {
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
}
