//! What a reactor counts.

use common::{CloseReason, Counter};

/// Counters of one reactor: it alone writes them, anyone may read.
#[derive(Debug, Default)]
pub struct ReactorStats {
    /// Passes of the loop.
    pub turns: Counter,
    /// Events that the waits returned.
    pub events: Counter,
    /// Connections that are open now, in whatever state.
    pub connections: Counter,
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections refused by admission, a full table or exhausted descriptors.
    pub refused: Counter,
    /// Connections made.
    pub connected: Counter,
    /// Read calls.
    pub reads: Counter,
    /// Write calls.
    pub writes: Counter,
    /// Bytes read.
    pub bytes_in: Counter,
    /// Bytes written.
    pub bytes_out: Counter,
    /// Messages and requests decoded.
    pub frames_in: Counter,
    /// Pings answered.
    pub pongs: Counter,
    /// Messages and answers queued.
    pub frames_out: Counter,
    /// Messages dropped because they found no room in an outbox.
    pub dropped_newest: Counter,
    /// Messages dropped from an outbox because they were the oldest in it.
    pub dropped_oldest: Counter,
    /// Messages dropped from a full outbox because a later one of their key had come.
    pub superseded: Counter,
    /// Messages that a framing could not carry.
    pub unfit: Counter,
    /// Connections reset because the peer did not answer a close, or read it, in time.
    pub unanswered_closes: Counter,
    /// Turns in which nothing was read because the node's memory was nearly used up.
    pub memory_stalls: Counter,
    /// Connections left for the next turn because their budget was used up.
    pub carried: Counter,
    /// Wake-ups by other threads.
    pub woken: Counter,
    /// Ends of connections, by [`CloseReason::index`].
    pub closes: [Counter; CloseReason::KINDS],
}

impl ReactorStats {
    /// Messages dropped for slow consumers, by whatever policy.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped_newest.get() + self.dropped_oldest.get() + self.superseded.get()
    }
}
