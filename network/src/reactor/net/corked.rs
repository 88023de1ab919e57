//! Answers to the connection that is being served, gathered until its frames are all handed up (see
//! [`Cork`](crate::reactor::cork::Cork)).

use std::io;

use common::ConnId;

use super::Net;
use crate::codec::{MessageKind, PlainForm};
use crate::conn::{Flags, Stream};
use crate::reactor::delivery::{Delivery, Overflow};
use crate::reactor::handler::SendError;

impl Net {
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
}
