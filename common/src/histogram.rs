//! Distributions that one thread records and any thread reads.

use crate::Counter;

/// How often values of each size came, in buckets whose bounds are powers of two: the first takes
/// what is at most 2^`FIRST`, each further one twice as much, and the last whatever is left.
///
/// Recording finds the bucket with one instruction and adds to two [`Counter`]s: no lock, no locked
/// instruction, no float. As with those, one thread records and any may read at any time.
#[derive(Debug)]
pub struct Histogram<const FIRST: u32, const BUCKETS: usize> {
    counts: [Counter; BUCKETS],
    sum: Counter,
}

/// Durations in nanoseconds, from 2^10 (a microsecond) to 2^33 (8.6 seconds).
pub type DurationHistogram = Histogram<10, 25>;

/// Numbers of things, from 1 to 2^12 (4,096).
pub type CountHistogram = Histogram<0, 14>;

impl<const FIRST: u32, const BUCKETS: usize> Default for Histogram<FIRST, BUCKETS> {
    fn default() -> Self {
        Self {
            counts: [const { Counter::new() }; BUCKETS],
            sum: Counter::new(),
        }
    }
}

impl<const FIRST: u32, const BUCKETS: usize> Histogram<FIRST, BUCKETS> {
    /// How many buckets there are.
    pub const BUCKETS: usize = BUCKETS;

    /// Records a value. Only the owning thread may call this.
    #[inline]
    pub fn record(&self, value: u64) {
        // Bits that it takes to write the values that are too large for the first bucket.
        let above = u64::BITS - (value.saturating_sub(1) >> FIRST).leading_zeros();
        self.counts[(above as usize).min(BUCKETS - 1)].add(1);
        self.sum.add(value);
    }

    /// The largest value of each bucket; `None` for the last one, which has no bound.
    pub fn bounds() -> impl Iterator<Item = Option<u64>> {
        (0..BUCKETS).map(|bucket| (bucket + 1 < BUCKETS).then(|| 1 << (FIRST as usize + bucket)))
    }

    /// How many values came to each bucket. Values that come meanwhile may be missing from it.
    #[must_use]
    pub fn counts(&self) -> [u64; BUCKETS] {
        self.counts.each_ref().map(Counter::get)
    }

    /// All values together.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum.get()
    }

    /// The value below which the share `quantile` (0 to 1) of `counts` lies, taken as spread evenly
    /// over each bucket; `None` if there are none. Of the last bucket its least value is given.
    #[must_use]
    pub fn quantile(counts: &[u64; BUCKETS], quantile: f64) -> Option<f64> {
        let all: u64 = counts.iter().sum();
        if all == 0 {
            return None;
        }
        let rank = quantile.clamp(0.0, 1.0) * all as f64;
        let (mut below, mut least) = (0, 0);
        for (&count, bound) in counts.iter().zip(Self::bounds()) {
            let Some(most) = bound else {
                break;
            };
            if count > 0 && (below + count) as f64 >= rank {
                let share = (rank - below as f64).max(0.0) / count as f64;
                return Some(least as f64 + share * (most - least) as f64);
            }
            below += count;
            least = most;
        }
        Some(least as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Small = Histogram<2, 4>;

    #[test]
    fn each_value_comes_to_the_first_bucket_that_holds_it() {
        let bounds: Vec<_> = Small::bounds().collect();
        assert_eq!(bounds, [Some(4), Some(8), Some(16), None]);
        for value in [0, 1, 3, 4, 5, 8, 9, 15, 16, 17, 1 << 40, u64::MAX] {
            let histogram = Small::default();
            histogram.record(value);
            let bucket = histogram.counts().iter().position(|&count| count == 1);
            let holds = |bound: &Option<u64>| bound.is_none_or(|bound| value <= bound);
            assert_eq!(bucket, bounds.iter().position(holds), "{value}");
            assert_eq!(histogram.sum(), value);
        }
    }

    #[test]
    fn quantiles_lie_in_the_bucket_that_has_their_rank() {
        assert_eq!(Small::quantile(&[0; 4], 0.5), None);
        let counts = [0, 90, 10, 0];
        assert_eq!(Small::quantile(&counts, 0.0), Some(4.0));
        assert_eq!(Small::quantile(&counts, 0.45), Some(6.0));
        assert_eq!(Small::quantile(&counts, 0.95), Some(12.0));
        assert_eq!(Small::quantile(&counts, 1.0), Some(16.0));
        assert_eq!(Small::quantile(&[0, 0, 0, 1], 0.5), Some(16.0));
    }
}
