//! From outboxes to sockets.

use std::net::Shutdown;

use common::{CloseReason, ConnId};

use super::Net;
use crate::codec::Stack;
use crate::conn::outbox::Flush;
use crate::conn::state::State;
use crate::conn::{Connection, Flags};

/// Outboxes that may be filled before they are written. A message to all is so written from caches
/// that still hold it, and does not take a queue for each of its receivers.
const DIRTY_MAX: usize = 256;

impl Net {
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
    pub(super) fn flush_if_many(&mut self) {
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
}
