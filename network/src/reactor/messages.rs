//! Messages of one connection that came together.

use common::ConnId;

use super::Ctx;
use crate::codec::MessageKind;

/// Messages that stand whole, one behind another, in what was just read from a connection of which
/// nothing else is true. Whoever takes them from here pays for what is looked up for a connection
/// once, and not for each of them.
#[derive(Debug)]
pub struct Messages<'a> {
    conn: ConnId,
    bytes: &'a mut [u8],
    /// Bytes taken from the front.
    taken: usize,
    /// Messages taken.
    count: u32,
    count_max: u32,
}

impl<'a> Messages<'a> {
    #[inline]
    pub(crate) fn new(conn: ConnId, bytes: &'a mut [u8]) -> Self {
        Self {
            conn,
            bytes,
            taken: 0,
            count: 0,
            count_max: u32::MAX,
        }
    }

    /// Whose they are.
    #[inline]
    #[must_use]
    pub fn conn(&self) -> ConnId {
        self.conn
    }

    /// The next of them. `None` does not say that nothing more has come, but that what comes next
    /// is to be looked at closer: another kind of frame, part of one, or one behind which something
    /// else than a message to the same connection was asked for.
    #[inline(always)]
    pub fn next(&mut self, ctx: &Ctx<'_>) -> Option<(MessageKind, &mut [u8])> {
        let form = ctx.net.undisturbed_form()?;
        if self.count == self.count_max {
            return None;
        }
        let left = self.bytes.get_mut(self.taken..)?;
        let (bytes, kind, payload) = form.decode(left)?;
        self.taken += bytes;
        self.count += 1;
        Some((kind, payload))
    }

    /// Gives no more than so many altogether.
    pub fn limit(&mut self, count_max: u32) {
        self.count_max = count_max;
    }

    /// How many were taken.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How many bytes those took.
    #[inline]
    pub(crate) fn bytes_taken(&self) -> usize {
        self.taken
    }
}
