//! What a gate counts beside what its reactor does.

use common::{Counter, DurationHistogram};

/// Counters of the gate of one reactor: it alone writes them, anyone may read.
#[derive(Debug, Default)]
pub struct GateStats {
    /// Messages dropped because their session was over its rate.
    pub limited: Counter,
    /// Times that a session was not read on because its worker's mailbox was full.
    pub held_back: Counter,
}

/// Counters of one worker: it alone writes them, anyone may read.
#[derive(Debug, Default)]
pub struct WorkerStats {
    /// Batches worked on.
    pub batches: Counter,
    /// Events in them.
    pub events: Counter,
    /// Module calls that panicked, each of which cost a session.
    pub panics: Counter,
    /// How long batches waited in the mailbox: one in [`WorkerStats::SAMPLED_BATCHES`], and the
    /// first of each second from each reactor.
    pub wait_time: DurationHistogram,
    /// How long those batches then took.
    pub batch_time: DurationHistogram,
}

impl WorkerStats {
    /// Of so many batches that a reactor sends one is measured.
    pub const SAMPLED_BATCHES: u64 = 16;
}
