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
    /// Messages and answers queued.
    pub frames_out: Counter,
    /// Messages dropped because an outbox had no room.
    pub dropped: Counter,
    /// Messages that a framing could not carry.
    pub unfit: Counter,
    /// Connections left for the next turn because their budget was used up.
    pub carried: Counter,
    /// Wake-ups by other threads.
    pub woken: Counter,
    /// Ends of connections, by [`CloseReason::index`].
    pub closes: [Counter; CloseReason::KINDS],
}
