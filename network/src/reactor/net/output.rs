//! Messages into outboxes, and what happens where there is no room.

use bytes::Bytes;
use common::{CloseReason, ConnId};
use rand::Rng;

use super::Net;
use crate::codec::ws::{self, Opcode};
use crate::codec::{EncodeError, HEADER_BYTES_MAX, MessageKind, WireForm};
use crate::conn::{Connection, Flags};
use crate::reactor::delivery::{Delivery, Drops, Overflow};
use crate::reactor::handler::SendError;

impl Net {
    /// Queues a message in the outbox.
    #[inline(never)]
    pub(super) fn queue(
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
}
