//! From the outbox to the socket.

use std::io;

use crate::conn::Flags;
use crate::conn::outbox::Flush;
use crate::conn::state::State;
use crate::reactor::Net;
use crate::tls::stream::Sealed;

impl Net {
    /// Writes what the kernel takes of a connection whose output is sealed.
    ///
    /// The outbox keeps plaintext until the kernel has room for it, so that a broadcast is held
    /// once for all its receivers, and small frames share a record.
    ///
    /// # Errors
    /// What the socket answers.
    #[inline(never)]
    pub(crate) fn flush_wrapped(
        &mut self,
        slot: u32,
        written: &mut u64,
        calls: &mut u64,
    ) -> io::Result<Flush> {
        let Some(conn) = self.conns.at(slot) else {
            return Ok(Flush::Done);
        };
        let Some((session, buffers)) = self.transports.sealing(slot) else {
            // Before the transport is there, nothing can be said.
            conn.outbox.clear(&mut self.pool);
            return Ok(Flush::Done);
        };
        let may_seal = session.may_seal();
        let mut sealed = Sealed {
            socket: &mut conn.stream,
            session,
            seals: &mut buffers.seals,
            written: 0,
            calls: 0,
        };
        let flushed = if may_seal && !conn.outbox.is_empty() {
            // What it counts is plaintext.
            let (mut bytes, mut writes) = (0, 0);
            conn.outbox
                .flush(&mut self.pool, &mut sealed, &mut bytes, &mut writes)
        } else {
            conn.outbox.clear(&mut self.pool);
            sealed.write_pending().map(|_| Flush::Done)
        };
        *written += sealed.written;
        *calls += sealed.calls;
        let left = sealed.session.has_pending();
        flushed.map(|flushed| if left { Flush::Blocked } else { flushed })
    }

    /// Says on the TLS layer that nothing more comes (RFC 8446 section 6.1); false if the kernel
    /// has no room for that now, and an event will say when it has.
    pub(crate) fn say_goodbye(&mut self, slot: u32) -> bool {
        let Some((session, buffers)) = self.transports.sealing(slot) else {
            return true;
        };
        if let Err(error) = session.end(&mut buffers.seals.scratch) {
            tracing::debug!(%error, "cannot end a TLS session");
        }
        let (mut written, mut calls) = (0, 0);
        let flushed = self.flush_wrapped(slot, &mut written, &mut calls);
        self.stats.bytes_out.add(written);
        self.stats.writes.add(calls);
        if !matches!(flushed, Ok(Flush::Blocked)) {
            return true;
        }
        if let Some(conn) = self.conns.at(slot) {
            debug_assert!(matches!(conn.state, State::Flushing(_)));
            conn.flags.set(Flags::BLOCKED);
        }
        false
    }
}
