//! What a reactor measures of itself, and how its connections are counted by state.

use std::time::Duration;

use common::Clock;

use super::{Handler, Net, Reactor, ReactorStats};
use crate::conn::{Connection, Flags};

impl<H: Handler, K: Clock> Reactor<H, K> {
    /// The turn that began at `began` is over. One of a few is measured, and the first of each
    /// second, so that a quiet reactor is not left out; the others pay two comparisons.
    #[inline]
    pub(super) fn observe(&mut self, began: Duration) {
        let turns = self.net.stats.turns.get();
        if turns.is_multiple_of(ReactorStats::SAMPLED_TURNS) || self.measured != self.net.now {
            self.measure(began);
        }
    }

    #[cold]
    fn measure(&mut self, began: Duration) {
        let took = self.clock.elapsed().saturating_sub(began);
        self.net.stats.turn_time.record(took.as_nanos() as u64);
        let events = self.events.iter().count();
        self.net.stats.turn_events.record(events as u64);
        self.measured = self.net.now;
        self.net.set_gauges();
    }
}

impl Net {
    pub(super) fn set_gauges(&self) {
        self.stats.outbox_bytes.set(self.pool.lent() as u64);
        self.stats.input_bytes.set(self.input_bytes as u64);
        self.stats.tls_bytes.set(self.transports.bytes() as u64);
    }

    /// A connection has come into the table.
    pub(super) fn note_opening(&self, profile: u16) {
        self.stats.profiles[usize::from(profile)].opening.add(1);
    }

    /// A connection that was opening is open.
    pub(crate) fn note_open(&mut self, slot: u32) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        conn.flags.set(Flags::COUNTED_OPEN);
        let counts = &self.stats.profiles[usize::from(conn.profile)];
        counts.opening.sub(1);
        counts.open.add(1);
    }

    /// The end of a connection has begun, perhaps not only now.
    pub(super) fn note_closing(&mut self, slot: u32) {
        let Some(conn) = self.conns.at(slot) else {
            return;
        };
        if conn.flags.has(Flags::COUNTED_CLOSING) {
            return;
        }
        conn.flags.set(Flags::COUNTED_CLOSING);
        let counts = &self.stats.profiles[usize::from(conn.profile)];
        if conn.flags.has(Flags::COUNTED_OPEN) {
            counts.open.sub(1);
        } else {
            counts.opening.sub(1);
        }
        counts.closing.add(1);
    }

    /// A connection, whose end had begun, is out of the table.
    pub(super) fn note_freed(&self, conn: &Connection) {
        debug_assert!(conn.flags.has(Flags::COUNTED_CLOSING));
        let counts = &self.stats.profiles[usize::from(conn.profile)];
        counts.closing.sub(1);
    }
}
