//! What a reactor counts.

use common::{CloseReason, CountHistogram, Counter, DurationHistogram};

use crate::conn::state::Phase;

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
    /// WebSocket upgrades accepted.
    pub upgrades: Counter,
    /// TLS handshakes completed.
    pub tls_handshakes: Counter,
    /// Bytes of heap behind what waits to be written, by capacity; payloads that wait by reference
    /// are not in it. Looked at every few turns, and at least once a second.
    pub outbox_bytes: Counter,
    /// Bytes that wait to be written by reference, each as often as somebody has yet to take it;
    /// looked at as often.
    pub outbox_shared_bytes: Counter,
    /// Bytes of heap behind input that is not complete or not decoded; looked at as often.
    pub input_bytes: Counter,
    /// Bytes of TLS sessions; looked at as often.
    pub tls_bytes: Counter,
    /// Ends of connections, by [`CloseReason::index`].
    pub closes: [Counter; CloseReason::KINDS],
    /// How long turns took, waits left out: of one turn in [`ReactorStats::SAMPLED_TURNS`], and of
    /// the first of each second.
    pub turn_time: DurationHistogram,
    /// Events with which those turns began.
    pub turn_events: CountHistogram,
    /// How long TLS handshakes took, from a client's first bytes on, counted in whole milliseconds.
    pub tls_handshake_time: DurationHistogram,
    /// What is counted by profile, and so by listener, in the order of the profiles.
    pub profiles: Box<[ProfileStats]>,
}

/// What a reactor counts of the connections of one profile.
#[derive(Debug, Default)]
pub struct ProfileStats {
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections refused.
    pub refused: Counter,
    /// Connections on which nothing complete was heard yet.
    pub opening: Counter,
    /// Connections on which frames go both ways.
    pub open: Counter,
    /// Connections whose end is under way.
    pub closing: Counter,
}

impl ReactorStats {
    /// Of so many turns one is measured, which costs it one more reading of the clock.
    pub const SAMPLED_TURNS: u64 = 16;

    pub(crate) fn new(profiles: usize) -> Self {
        Self {
            profiles: (0..profiles).map(|_| ProfileStats::default()).collect(),
            ..Self::default()
        }
    }

    /// Messages dropped for slow consumers, by whatever policy.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped_newest.get() + self.dropped_oldest.get() + self.superseded.get()
    }
}

impl ProfileStats {
    /// Connections in this phase of their life.
    pub(crate) const fn of(&self, phase: Phase) -> &Counter {
        match phase {
            Phase::Opening => &self.opening,
            Phase::Open => &self.open,
            Phase::Closing => &self.closing,
        }
    }
}
