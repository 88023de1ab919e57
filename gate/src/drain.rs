//! The end of a gate: everyone is told to go elsewhere, not all at once if so asked, since those
//! who are told come back at the same time somewhere else.

use common::{CloseReason, ConnId, Tick};
use rand::seq::SliceRandom;

/// How a gate ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Seconds until all threads have ended; what is left then is cut off.
    pub seconds: u32,
    /// Sessions told per second, over all reactors, in random order; `None` for all at once. A rate
    /// at which four fifths of the time would not do is raised to what does, so that the last who
    /// are told have time to answer.
    pub per_second: Option<u32>,
    /// What they are told: [`CloseReason::Restart`] (1012) or [`CloseReason::Shutdown`] (1001).
    pub reason: CloseReason,
}

impl Drain {
    /// All are told at once that the node stops (1001).
    #[must_use]
    pub const fn within(seconds: u32) -> Self {
        Self {
            seconds,
            per_second: None,
            reason: CloseReason::Shutdown,
        }
    }

    /// Sessions to tell per second if there are so many of them.
    #[must_use]
    pub fn effective_rate(&self, sessions: u64) -> Option<u32> {
        let wanted = self.per_second?;
        let needed = (sessions * 5).div_ceil(u64::from(self.seconds.max(1)) * 4);
        Some(wanted.max(u32::try_from(needed).unwrap_or(u32::MAX)))
    }
}

/// Milliseconds between two steps of a drain, at least and at most: the steps of several reactors
/// must not fall together.
const STEP_MS: std::ops::Range<u32> = 5..25;

/// A drain under way in one reactor.
#[derive(Debug)]
pub(crate) struct Draining {
    pub(crate) reason: CloseReason,
    until: Tick,
    begun_ms: u64,
    /// Sessions to tell per second; `None` for all at once.
    per_second: Option<u32>,
    told: u64,
    /// Those to be told, the next one last.
    left: Vec<ConnId>,
}

impl Draining {
    pub(crate) fn begin(
        mut left: Vec<ConnId>,
        reason: CloseReason,
        until: Tick,
        now_ms: u64,
        per_second: Option<u32>,
    ) -> Self {
        if per_second.is_some() {
            left.shuffle(&mut rand::rng());
        }
        Self {
            reason,
            until,
            begun_ms: now_ms,
            per_second,
            told: 0,
            left,
        }
    }

    /// Whether whatever is left now is cut off.
    pub(crate) fn is_over(&self, now: Tick) -> bool {
        now >= self.until
    }

    /// Those whose turn it is to be told.
    pub(crate) fn due(&mut self, now_ms: u64) -> Vec<ConnId> {
        let due = match self.per_second {
            None => self.left.len(),
            Some(per_second) => {
                let passed = now_ms.saturating_sub(self.begun_ms) + 1;
                let due = passed * u64::from(per_second) / 1000;
                usize::try_from(due - self.told.min(due)).unwrap_or(usize::MAX)
            }
        };
        let due = due.min(self.left.len());
        self.told += due as u64;
        self.left.split_off(self.left.len() - due)
    }

    /// Milliseconds until the next step, if there is one.
    pub(crate) fn pause_ms(&self) -> Option<u32> {
        use rand::Rng;
        (!self.left.is_empty()).then(|| rand::rng().random_range(STEP_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conns(count: u32) -> Vec<ConnId> {
        (0..count).map(|slot| ConnId::new(0, slot, 1)).collect()
    }

    #[test]
    fn all_at_once_in_order_of_their_slots_is_one_step() {
        let mut draining = Draining::begin(conns(5), CloseReason::Shutdown, Tick(9), 0, None);
        assert_eq!(draining.due(0), conns(5));
        assert_eq!(draining.pause_ms(), None);
    }

    #[test]
    fn the_rate_holds_whatever_the_steps() {
        let mut draining =
            Draining::begin(conns(1000), CloseReason::Restart, Tick(9), 500, Some(200));
        let mut told = Vec::new();
        for (now_ms, sum) in [
            (500, 0),
            (504, 1),
            (999, 100),
            (1000, 100),
            (3499, 600),
            (9000, 1000),
        ] {
            told.extend(draining.due(now_ms));
            assert_eq!(told.len(), sum, "at {now_ms}");
        }
        assert_eq!(draining.pause_ms(), None);
        assert_ne!(told, conns(1000), "the order is random");
        told.sort_unstable();
        assert_eq!(told, conns(1000));
    }

    #[test]
    fn a_rate_that_does_not_fit_the_time_is_raised() {
        let drain = Drain {
            per_second: Some(100),
            ..Drain::within(10)
        };
        assert_eq!(drain.effective_rate(800), Some(100));
        assert_eq!(drain.effective_rate(8000), Some(1000));
        assert_eq!(Drain::within(10).effective_rate(8000), None);
    }
}
