//! What a reactor holds, and who is closed when that is too much.

use common::CloseReason;

use super::Net;
use crate::conn::Connection;
use crate::conn::state::State;
use crate::memory::Pressure;

/// Bytes that a connection takes while it holds nothing: its own, and its handler's for a session.
const CONNECTION_BYTES: usize = size_of::<Connection>() + 64;

impl Net {
    /// Tells the node's budget what is held here, and acts on what that leaves.
    #[inline]
    pub(crate) fn settle_memory(&mut self) {
        let held = self.held_bytes();
        self.account.tell(&self.memory, held);
        self.pressure = self.memory.pressure();
        if self.pressure > Pressure::Low {
            self.relieve();
        }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.conns.len() * CONNECTION_BYTES
            + self.pool.lent()
            + self.input_bytes
            + self.transports.bytes()
    }

    /// Closes those who hold the most, until this reactor has done its share.
    #[cold]
    fn relieve(&mut self) {
        if self.pressure == Pressure::Full {
            self.stats.memory_stalls.add(1);
        }
        // What only waits for the end of the turn to be written is nobody's fault; and a few bytes
        // may lie in a large buffer, which the pool takes back when they are gone.
        self.flush_dirty();
        self.account.tell(&self.memory, self.held_bytes());
        // What outboxes share is accounted for by whoever made it, but it is those who do not read
        // it that have the node keep it.
        let own = self.held_bytes().saturating_add(self.pool.shared());
        if self.memory.excess_of(own) <= self.dying_bytes {
            // What is held is held elsewhere: in events that workers have not come to.
            return;
        }
        // By powers of two, so that the largest are found without a list of all.
        let class = |bytes: usize| bytes.checked_ilog2().unwrap_or(0) as usize;
        let mut held_by_class = [0; usize::BITS as usize];
        for (_, conn) in self.conns.iter() {
            let bytes = conn.footprint();
            held_by_class[class(bytes)] += bytes;
        }
        let excess = self.memory.excess_of(held_by_class.iter().sum());
        let excess = excess.saturating_sub(self.dying_bytes);
        let mut from = held_by_class.len();
        let mut found = 0;
        while found < excess && from > 0 {
            from -= 1;
            found += held_by_class[from];
        }
        let mut victims = Vec::new();
        let mut freed = 0;
        // Of the last class only as many as it takes, and only behind those above it.
        for is_last in [false, true] {
            for (slot, conn) in self.conns.iter() {
                let bytes = conn.footprint();
                let of_class = if is_last {
                    class(bytes) == from
                } else {
                    class(bytes) > from
                };
                let chosen = of_class && bytes > 0 && freed < excess;
                if chosen && !matches!(conn.state, State::Closed(_)) {
                    freed += bytes;
                    victims.push(slot);
                }
            }
        }
        if victims.is_empty() {
            return;
        }
        self.shed_untold += victims.len();
        if self.shed_told_at != self.now {
            self.shed_told_at = self.now;
            tracing::warn!(
                closed = std::mem::take(&mut self.shed_untold),
                used = self.memory.used(),
                limit = self.memory.limit(),
                "memory is short: those who hold the most are closed"
            );
        }
        self.dying_bytes += freed;
        for slot in victims {
            if let Some(id) = self.conns.id_at(slot) {
                self.abort(id, CloseReason::MemoryShort);
            }
        }
    }
}
