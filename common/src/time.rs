//! Time, passed in: a reactor reads its clock once a turn, tests move theirs by hand.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Whole seconds since the clock's start. What timers count in; 136 years fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u32);

impl Tick {
    /// The tick `seconds` later.
    #[inline]
    #[must_use]
    pub const fn after(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The first tick at which `seconds` have passed in full, however late in its second this one
    /// was taken. What a deadline is set with: with [`Tick::after`] it could pass early by almost a
    /// second, which of one second leaves nothing.
    #[inline]
    #[must_use]
    pub const fn past(self, seconds: u32) -> Self {
        self.after(seconds.saturating_add(1))
    }
}

/// Where a reactor gets its time from.
pub trait Clock {
    /// Time since the clock's start; never goes back.
    fn elapsed(&self) -> Duration;
}

/// The host's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock(Instant);

impl MonotonicClock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for MonotonicClock {
    #[inline]
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that stands still until it is moved; clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Rc<Cell<Duration>>);

impl ManualClock {
    /// Moves the time forward.
    pub fn advance(&self, by: Duration) {
        self.0.set(self.0.get() + by);
    }
}

impl Clock for ManualClock {
    fn elapsed(&self) -> Duration {
        self.0.get()
    }
}
