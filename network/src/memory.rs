//! The memory that a node may take for its clients, and what happens near the end of it.
//!
//! ```text
//!   0 ───────────── 5/8 ────── 3/4 ────── 7/8 ────── limit
//!                    ▲          │          │
//!                    │          │          └ nothing is read until less is held
//!                    └──────────┴ nobody is accepted, and those who hold the most are closed
//!                                 until this much is held
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes by which a reactor's account may differ from what it has told the budget, so that the one
/// number that all threads share is seldom written.
const SLACK_BYTES: usize = 16 * 1024;

/// One number for a whole node: bytes of user-space memory held for clients. Outboxes, unfinished
/// frames, connections, events and commands between threads are accounted to it, by capacity where
/// a buffer is larger than what it holds.
///
/// The kernel's socket buffers, code, stacks and what modules keep are not in it.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    used: AtomicUsize,
    /// Reactors that hold a part of it.
    holders: AtomicUsize,
}

/// How near the limit a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Far from it.
    #[default]
    Low,
    /// From three quarters on: nobody is accepted, and the largest are closed.
    High,
    /// From seven eighths on: nothing is read either.
    Full,
}

impl MemoryBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            used: AtomicUsize::new(0),
            holders: AtomicUsize::new(0),
        }
    }

    /// A budget that is never used up.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self::new(usize::MAX)
    }

    /// The limit in bytes.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes that are held now.
    #[must_use]
    pub fn used(&self) -> usize {
        // A reactor gives back what it took in another turn; in between the sum may be off by its
        // slack, and so below zero.
        let used = self.used.load(Ordering::Relaxed);
        if used > usize::MAX / 2 { 0 } else { used }
    }

    /// Accounts for bytes that are held from now on.
    pub fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Accounts for bytes that are held no more.
    pub fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How near the limit the node is.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        let used = self.used();
        if used < self.limit / 4 * 3 {
            Pressure::Low
        } else if used < self.limit / 8 * 7 {
            Pressure::High
        } else {
            Pressure::Full
        }
    }

    /// Bytes that a reactor whose peers make it hold `own` of them should let go, so that five
    /// eighths of the budget are held if everyone does. None if what peers make the node hold is
    /// not what fills it: if there were no more than this in each reactor, it would be less than an
    /// eighth.
    pub(crate) fn excess_of(&self, own: usize) -> usize {
        let holders = self.holders.load(Ordering::Relaxed).max(1);
        if own.saturating_mul(holders) < self.limit / 8 {
            return 0;
        }
        let used = self.used().max(1);
        let excess = used.saturating_sub(self.limit / 8 * 5);
        (excess as u128 * own.min(used) as u128 / used as u128) as usize
    }
}

/// What one reactor holds, told to the budget in steps.
#[derive(Debug, Default)]
pub(crate) struct Account {
    told: usize,
}

impl Account {
    /// One more reactor holds a part of the budget.
    pub(crate) fn open(budget: &MemoryBudget) -> Self {
        budget.holders.fetch_add(1, Ordering::Relaxed);
        Self::default()
    }

    /// Tells the budget that `held` bytes are held now, if that is news.
    #[inline]
    pub(crate) fn tell(&mut self, budget: &MemoryBudget, held: usize) {
        if held.abs_diff(self.told) >= SLACK_BYTES {
            budget.take(held.wrapping_sub(self.told));
            self.told = held;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_rises_with_what_is_held() {
        let budget = MemoryBudget::new(800);
        for (held, pressure) in [
            (0, Pressure::Low),
            (599, Pressure::Low),
            (600, Pressure::High),
            (699, Pressure::High),
            (700, Pressure::Full),
            (900, Pressure::Full),
        ] {
            budget.take(held);
            assert_eq!(budget.pressure(), pressure, "{held}");
            budget.give_back(held);
        }
        assert_eq!(MemoryBudget::unlimited().pressure(), Pressure::Low);
    }

    #[test]
    fn everyone_lets_go_in_proportion() {
        let budget = MemoryBudget::new(800);
        budget.take(700);
        // 200 are too many: who holds six sevenths of all gives six sevenths of them.
        assert_eq!(budget.excess_of(600), 171);
        assert_eq!(budget.excess_of(100), 28);
        assert_eq!(
            budget.excess_of(99),
            0,
            "it is something else that fills it"
        );
        budget.give_back(200);
        assert_eq!(budget.excess_of(400), 0);
    }

    #[test]
    fn an_account_tells_what_is_news() {
        let budget = MemoryBudget::new(1 << 30);
        let mut account = Account::default();
        account.tell(&budget, SLACK_BYTES - 1);
        assert_eq!(budget.used(), 0);
        account.tell(&budget, 5 * SLACK_BYTES);
        assert_eq!(budget.used(), 5 * SLACK_BYTES);
        account.tell(&budget, SLACK_BYTES);
        assert_eq!(budget.used(), SLACK_BYTES);
    }
}
