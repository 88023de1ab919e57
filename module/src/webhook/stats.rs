//! What is counted about webhooks.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count that several threads keep.
#[derive(Debug, Default)]
pub(super) struct Tally(AtomicU64);

impl Tally {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(super) struct Stats {
    pub(super) delivered: Tally,
    pub(super) retried: Tally,
    pub(super) given_up: Tally,
    pub(super) dropped: Tally,
    pub(super) allowed: Tally,
    pub(super) refused: Tally,
    pub(super) replaced: Tally,
    pub(super) unanswered: Tally,
}

/// What webhooks have done since the start, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookStats {
    /// Events that were told.
    pub delivered: u64,
    /// Requests that were made again.
    pub retried: u64,
    /// Events that were not told, however often it was tried.
    pub given_up: u64,
    /// Events that were dropped because too many waited.
    pub dropped: u64,
    /// Events that wait.
    pub waiting: usize,
    /// Questions that were answered with yes.
    pub allowed: u64,
    /// Questions that were answered with no.
    pub refused: u64,
    /// Messages that were sent with another body.
    pub replaced: u64,
    /// Questions that were not answered in time, or not in a way that can be understood.
    pub unanswered: u64,
}

impl Stats {
    pub(super) fn read(&self, waiting: usize) -> WebhookStats {
        WebhookStats {
            delivered: self.delivered.get(),
            retried: self.retried.get(),
            given_up: self.given_up.get(),
            dropped: self.dropped.get(),
            waiting,
            allowed: self.allowed.get(),
            refused: self.refused.get(),
            replaced: self.replaced.get(),
            unanswered: self.unanswered.get(),
        }
    }
}
