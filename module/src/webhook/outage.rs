//! Whether a webhook answers.

use std::sync::atomic::{AtomicBool, Ordering};

/// Remembers whether a webhook has failed last, so that the log says so once and not for every
/// request.
#[derive(Debug, Default)]
pub(crate) struct Outage(AtomicBool);

impl Outage {
    /// It has failed; whether that is news.
    pub(crate) fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// It has answered; whether that is news.
    pub(crate) fn ends(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
