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

use crate::codec::ws::encode_whole;
use crate::codec::{HEADER_BYTES_MAX, MessageKind, PlainForm};

/// What is longer together goes to the outbox. One reactor holds this much at most.
const CORK_BYTES_MAX: usize = 64 * 1024;

/// The buffer of one reactor. It holds something only while a handler is told of the frames of one
/// connection, whose outbox is empty meanwhile.
#[derive(Debug, Default)]
pub(super) struct Cork {
    conn: Option<(ConnId, PlainForm)>,
    /// `bytes.len() <= room <= CORK_BYTES_MAX`
    room: usize,
    bytes: Vec<u8>,
}

impl Cork {
    /// From here on answers to this connection are gathered, if they are no more than `room` bytes.
    #[inline]
    pub(super) fn begin(&mut self, conn: ConnId, form: PlainForm, room: usize) {
        debug_assert!(self.bytes.is_empty());
        self.conn = Some((conn, form));
        self.room = room.min(CORK_BYTES_MAX);
    }

    /// Gathers a message, if it is to the connection that is being served and there is room.
    #[inline]
    pub(super) fn take(&mut self, conn: ConnId, kind: MessageKind, payload: &[u8]) -> bool {
        let Some((served, form)) = &self.conn else {
            return false;
        };
        let bytes = self.bytes.len() + payload.len() + HEADER_BYTES_MAX;
        if *served != conn || bytes > self.room {
            return false;
        }
        match form {
            PlainForm::WebSocket => {
                encode_whole(kind, payload, &mut self.bytes);
                true
            }
            PlainForm::Length(config) => config.encode(payload, &mut self.bytes),
        }
    }

    /// Ends the gathering; whose answers they are, if there was one.
    #[inline]
    pub(super) fn end(&mut self) -> Option<ConnId> {
        self.conn.take().map(|(conn, _)| conn)
    }

    /// What was gathered.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes gathered for this connection.
    pub(super) fn bytes_for(&self, conn: ConnId) -> usize {
        match self.conn {
            Some((served, _)) if served == conn => self.bytes.len(),
            _ => 0,
        }
    }

    /// Forgets what was gathered, which is written or queued.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }
}
