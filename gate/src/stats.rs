//! What a gate counts beside what its reactor does.

use common::Counter;

/// Counters of the gate of one reactor: it alone writes them, anyone may read.
#[derive(Debug, Default)]
pub struct GateStats {
    /// Messages dropped because their session was over its rate.
    pub limited: Counter,
    /// Times that a session was not read on because its worker's mailbox was full.
    pub held_back: Counter,
}
