//! What a reactor measures of itself.

use std::time::Duration;

use common::Clock;

use super::{Handler, Net, Reactor, ReactorStats};

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
        self.stats
            .outbox_shared_bytes
            .set(self.pool.shared() as u64);
        self.stats.input_bytes.set(self.input_bytes as u64);
        self.stats.tls_bytes.set(self.transports.bytes() as u64);
    }
}
