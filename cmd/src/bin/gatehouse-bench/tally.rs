//! What one load thread counts, for the main thread to read while it goes on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use common::Counter;

/// Where in a connection's life something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It could not be made.
    Dialing,
    /// It ended before it was to end.
    Open,
    /// The server answered a request with an error.
    Request,
}

/// Counters that their thread alone writes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Connections that became ready.
    pub(crate) ready: Counter,
    /// Connections that could not be made.
    pub(crate) failed: Counter,
    /// Connections that ended without being asked to.
    pub(crate) ended: Counter,
    /// Users logged in.
    pub(crate) logged_in: Counter,
    /// Messages or requests sent.
    pub(crate) sent: Counter,
    /// Messages, replies or requests answered.
    pub(crate) answered: Counter,
    /// Requests that the server did not even read, and that get no reply.
    pub(crate) refused: Counter,
    /// Messages that the server passed on to a receiver.
    pub(crate) delivered: Counter,
    /// Connections that ended as they were asked to.
    pub(crate) left: Counter,
    /// Signs of life that framings without a ping were given.
    pub(crate) heartbeats: Counter,
    /// Reasons, with how often. Only what goes wrong takes the lock.
    reasons: Mutex<Reasons>,
}

/// How often what went wrong, by stage and reason.
pub(crate) type Reasons = BTreeMap<(Stage, String), u64>;

impl Tally {
    /// Counts something that went wrong.
    pub(crate) fn note(&self, stage: Stage, reason: String) {
        match stage {
            Stage::Dialing => self.failed.add(1),
            Stage::Open => self.ended.add(1),
            Stage::Request => {}
        }
        // A thread that panicked in here leaves a map that is still a map.
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        *reasons.entry((stage, reason)).or_default() += 1;
    }

    /// Counts a request that was refused without a reply, for the reason `code`.
    pub(crate) fn note_refused(&self, code: &str) {
        self.refused.add(1);
        self.note(Stage::Request, code.to_owned());
    }

    /// Adds what went wrong to `sum`.
    pub(crate) fn add_reasons(&self, sum: &mut Reasons) {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, count) in reasons.iter() {
            *sum.entry(reason.clone()).or_default() += count;
        }
    }
}

/// The counters of all threads together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) ready: u64,
    pub(crate) failed: u64,
    pub(crate) ended: u64,
    pub(crate) logged_in: u64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) refused: u64,
    pub(crate) delivered: u64,
    pub(crate) left: u64,
    pub(crate) heartbeats: u64,
}

impl Totals {
    /// Connections that are open.
    pub(crate) fn open(&self) -> u64 {
        self.ready.saturating_sub(self.ended)
    }

    /// Messages under way. The counters go on while they are read, so they may disagree a little.
    pub(crate) fn outstanding(&self) -> u64 {
        self.sent.saturating_sub(self.answered)
    }
}

impl<'a> FromIterator<&'a Tally> for Totals {
    fn from_iter<I: IntoIterator<Item = &'a Tally>>(tallies: I) -> Self {
        tallies
            .into_iter()
            .fold(Self::default(), |sum, tally| Self {
                ready: sum.ready + tally.ready.get(),
                failed: sum.failed + tally.failed.get(),
                ended: sum.ended + tally.ended.get(),
                logged_in: sum.logged_in + tally.logged_in.get(),
                sent: sum.sent + tally.sent.get(),
                answered: sum.answered + tally.answered.get(),
                refused: sum.refused + tally.refused.get(),
                delivered: sum.delivered + tally.delivered.get(),
                left: sum.left + tally.left.get(),
                heartbeats: sum.heartbeats + tally.heartbeats.get(),
            })
    }
}
