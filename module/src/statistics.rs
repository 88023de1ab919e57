//! What an administrator is told of the whole.

use std::ops::RangeInclusive;

/// Milliseconds of a day.
pub(crate) const DAY_MS: u64 = 24 * 3600 * 1_000;

/// Most days that can be asked for at once.
pub const DAYS_MAX: usize = 400;

/// Counts of everything, and of what was new by day.
#[derive(Clone, Debug)]
pub struct FindStatistics {
    /// Which days, counted since 1970 (UTC): see [`day_of`]. Of more than [`DAYS_MAX`] the last.
    pub days: RangeInclusive<u64>,
}

/// How much there is of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Users, guests included.
    pub users: u64,
    /// Guests among them.
    pub guests: u64,
    /// Groups that were not dismissed.
    pub groups: u64,
    /// Submissions that wait for an administrator.
    pub verifications_open: u64,
    /// The days that were asked for on which something happened, the first first.
    pub days: Vec<Day>,
}

/// What happened on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Which, counted since 1970 (UTC).
    pub day: u64,
    /// Accounts that were made, by registering or by the operator's backend.
    pub users: u64,
    /// Guests who came for the first time.
    pub guests: u64,
    /// Messages that were sent.
    pub messages: u64,
    /// Users who came online or sent something.
    pub active: u64,
}

/// The day in which a time lies, counted since 1970 (UTC).
#[must_use]
pub const fn day_of(time_ms: u64) -> u64 {
    time_ms / DAY_MS
}
