//! Token buckets.

/// How many messages a session may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Messages per second in the long run; at least 1.
    pub per_second: u32,
    /// Messages that may come at once after a pause; at least 1.
    pub burst: u32,
}

/// The bucket of one session, or of whoever else is held to a rate: eight bytes, filled lazily from
/// the time of the last take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// Thousandths of a message that may still come; `<= burst * 1000`.
    millis: u32,
    /// Low bits of the clock in milliseconds at the last take.
    at: u32,
}

impl Bucket {
    /// A bucket from which a whole burst may be taken.
    #[must_use]
    pub fn full(rate: Rate, now_ms: u64) -> Self {
        Self {
            millis: rate.burst.saturating_mul(1000),
            at: now_ms as u32,
        }
    }

    /// Takes one message; false if there is none left. `now_ms` is of any clock of milliseconds;
    /// one that is set back fills the bucket.
    #[inline]
    pub fn take(&mut self, rate: Rate, now_ms: u64) -> bool {
        let left = self.fill(rate, now_ms) > 0;
        if left {
            self.spend(1);
        }
        left
    }

    /// How many messages may come now.
    #[inline]
    pub(crate) fn fill(&mut self, rate: Rate, now_ms: u64) -> u32 {
        let passed = (now_ms as u32).wrapping_sub(self.at);
        self.at = now_ms as u32;
        self.millis = self
            .millis
            .saturating_add(passed.saturating_mul(rate.per_second))
            .min(rate.burst.saturating_mul(1000));
        self.millis / 1000
    }

    /// So many have come, of those that [`Bucket::fill`] has allowed.
    #[inline]
    pub(crate) fn spend(&mut self, messages: u32) {
        self.millis = self.millis.saturating_sub(messages.saturating_mul(1000));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 10,
        burst: 5,
    };

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut bucket = Bucket::full(RATE, 0);
        let passed = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.take(RATE, now)).count();
        assert_eq!(passed(&mut bucket, 0), 5);
        assert_eq!(passed(&mut bucket, 99), 0);
        assert_eq!(passed(&mut bucket, 100), 1);
        assert_eq!(
            passed(&mut bucket, 10_000),
            5,
            "no more than the burst after a pause"
        );
    }

    #[test]
    fn the_clock_may_wrap() {
        let start = u64::from(u32::MAX) - 50;
        let mut bucket = Bucket::full(RATE, start);
        while bucket.take(RATE, start) {}
        assert!(bucket.take(RATE, start + 100));
    }
}
