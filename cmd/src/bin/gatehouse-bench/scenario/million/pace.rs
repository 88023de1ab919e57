//! So many things a second, each due at a time of its own.

/// A rate in one thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// In nanoseconds of the run.
    begin: u64,
    interval: f64,
    done: u64,
}

impl Pace {
    /// The part of thread `index` of `threads` in a rate of `per_second`, beginning at `begin`:
    /// they take turns, so that they do not all wake at once.
    pub(super) fn share(per_second: f64, index: usize, threads: usize, begin: u64) -> Self {
        let interval = threads as f64 * 1e9 / per_second.max(1e-3);
        Self {
            begin: begin + (interval * index as f64 / threads as f64) as u64,
            interval,
            done: 0,
        }
    }

    /// Nothing, ever.
    pub(super) fn never() -> Self {
        Self {
            begin: u64::MAX,
            interval: 0.0,
            done: 0,
        }
    }

    fn next(&self) -> u64 {
        self.begin
            .saturating_add((self.interval * self.done as f64) as u64)
    }

    /// When the next was due, if it is by `now`.
    pub(super) fn due(&self, now: u64) -> Option<u64> {
        Some(self.next()).filter(|&due| due <= now)
    }

    /// The one that is due is done.
    pub(super) fn step(&mut self) {
        self.done += 1;
    }

    /// Milliseconds until the next is due, at least one.
    pub(super) fn next_in_ms(&self, now: u64) -> u32 {
        let millis = self.next().saturating_sub(now).div_ceil(1_000_000);
        u32::try_from(millis.clamp(1, 1000)).unwrap_or(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_keep_the_rate_together() {
        let mut all: Vec<_> = (0..3)
            .map(|index| Pace::share(3000.0, index, 3, 500))
            .collect();
        let mut dues = Vec::new();
        for pace in &mut all {
            while let Some(due) = pace.due(500 + 9_900_000) {
                dues.push(due);
                pace.step();
            }
            assert!((1..=2).contains(&pace.next_in_ms(500 + 9_900_000)));
        }
        dues.sort_unstable();
        assert_eq!(dues.len(), 30, "a hundredth of a second");
        assert!(
            dues.windows(2)
                .all(|two| (333_332..=333_334).contains(&(two[1] - two[0])))
        );
    }
}
