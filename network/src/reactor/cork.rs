//! Answers to the connection that is being served, gathered until its frames are all handed up.
//!
//! ```text
//!   read ─▶ frame frame frame ─▶ handler ─▶ Cork ─▶ one write
//!                                             └────▶ outbox, as soon as anything is unusual
//! ```
//!
//! Most of what a server sends answers the frame that it has just read. Such an answer needs no
//! queue of its own: there is one buffer for the connection whose turn it is, and what the kernel
//! takes at once never was in an outbox. (uWebSockets names the technique.)

use common::ConnId;

use crate::codec::{HEADER_BYTES_MAX, MessageKind, PlainForm};

/// What is longer together goes to the outbox. One reactor holds this much at most.
const CORK_BYTES_MAX: usize = 64 * 1024;
/// With so much the buffer begins.
const CORK_BYTES_MIN: usize = 4 * 1024;

/// The buffer of one reactor. It holds something only while a handler is told of the frames of one
/// connection, whose outbox is empty meanwhile.
#[derive(Debug, Default)]
pub(super) struct Cork {
    served: Option<(ConnId, PlainForm)>,
    /// Bytes of the buffer that hold answers.
    /// `length <= limit <= buffer.len() <= CORK_BYTES_MAX`
    length: usize,
    /// How far they may go before the buffer has to grow: it does up to `room`.
    limit: usize,
    room: usize,
    /// Messages among the answers.
    frames: u32,
    buffer: Vec<u8>,
}

impl Cork {
    /// From here on answers to this connection are gathered, if they are no more than `room` bytes.
    #[inline]
    pub(super) fn begin(&mut self, conn: ConnId, form: PlainForm, room: usize) {
        debug_assert_eq!((self.length, self.frames), (0, 0));
        self.served = Some((conn, form));
        self.room = room.min(CORK_BYTES_MAX);
        self.limit = self.buffer.len().min(self.room);
    }

    /// The form of messages to the connection that is being served, if nothing has ended this yet:
    /// all that a handler asks for beside answers does.
    #[inline]
    pub(super) fn form(&self) -> Option<&PlainForm> {
        self.served.as_ref().map(|(_, form)| form)
    }

    /// Gathers a message, if it is to the connection that is being served and there is room.
    #[inline(always)]
    pub(super) fn take(&mut self, conn: ConnId, kind: MessageKind, payload: &[u8]) -> bool {
        let Some((served, form)) = &self.served else {
            return false;
        };
        if *served != conn {
            return false;
        }
        let free = self.buffer.get_mut(self.length..self.limit);
        let Some(written) = free.and_then(|free| form.write(kind, payload, free)) else {
            return self.take_growing(kind, payload);
        };
        self.length += written;
        self.frames += 1;
        true
    }

    /// The same in a larger buffer, if there may be one.
    #[cold]
    fn take_growing(&mut self, kind: MessageKind, payload: &[u8]) -> bool {
        let end = self.length + payload.len() + HEADER_BYTES_MAX;
        if end > self.room || end <= self.limit {
            return false;
        }
        if end > self.buffer.len() {
            let enough = end.next_power_of_two().max(CORK_BYTES_MIN);
            self.buffer.resize(enough, 0);
        }
        self.limit = self.buffer.len().min(self.room);
        let Some((_, form)) = &self.served else {
            return false;
        };
        let free = &mut self.buffer[self.length..self.limit];
        let Some(written) = form.write(kind, payload, free) else {
            return false;
        };
        self.length += written;
        self.frames += 1;
        true
    }

    /// Ends the gathering; whose answers they are and how many messages, if there was one.
    #[inline]
    pub(super) fn end(&mut self) -> Option<(ConnId, u32)> {
        let (conn, _) = self.served.take()?;
        Some((conn, self.frames))
    }

    /// What was gathered.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Bytes gathered for this connection.
    pub(super) fn bytes_for(&self, conn: ConnId) -> usize {
        match self.served {
            Some((served, _)) if served == conn => self.length,
            _ => 0,
        }
    }

    /// Forgets what was gathered, which is written or queued.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.length = 0;
        self.frames = 0;
    }
}
