//! Rounds and medians.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds of which the median is taken.
    pub rounds: usize,
    /// Shortest round of a loop that is timed as a whole.
    pub round: Duration,
    /// Fewer connections and messages.
    pub quick: bool,
}

impl Effort {
    /// Full under `cargo bench`; quick with `--quick`, and wherever else the program is run just to
    /// see that it runs.
    #[must_use]
    pub fn from_args() -> Self {
        let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
        let quick = asked("--quick") || !asked("--bench");
        Self {
            rounds: if quick { 5 } else { 15 },
            round: Duration::from_millis(if quick { 2 } else { 10 }),
            quick,
        }
    }

    /// `full`, or `quick` if there is little time.
    #[must_use]
    pub fn pick<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Times calls of `work` next to calls of `yardstick`, in rounds that alternate, so that both
    /// meet the same machine.
    pub fn compare<T, Y>(
        self,
        mut work: impl FnMut() -> T,
        mut yardstick: impl FnMut() -> Y,
    ) -> Comparison {
        let calls = self.calls_per_round(&mut work);
        let yardstick_calls = self.calls_per_round(&mut yardstick);
        let mut samples = Vec::with_capacity(self.rounds);
        let mut ratios = Vec::with_capacity(self.rounds);
        for _ in 0..self.rounds {
            let work = ns_per_call(calls, &mut work);
            let yardstick = ns_per_call(yardstick_calls, &mut yardstick);
            samples.push(work);
            ratios.push(work / yardstick);
        }
        samples.sort_by(f64::total_cmp);
        ratios.sort_by(f64::total_cmp);
        Comparison {
            median_ns: samples[self.rounds / 2],
            best_ns: samples[0],
            ratio: ratios[self.rounds / 2],
        }
    }

    fn calls_per_round<T>(self, work: &mut impl FnMut() -> T) -> u32 {
        let mut calls = 1_u32;
        while time(|| repeat(calls, work)) < self.round {
            calls = calls.saturating_mul(2);
        }
        calls
    }
}

/// What [`Effort::compare`] found.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Nanoseconds of one call in the middle round.
    pub median_ns: f64,
    /// Nanoseconds of one call in the best round: what it costs when nobody disturbs.
    pub best_ns: f64,
    /// Time of a call by that of the yardstick, the middle of the rounds.
    pub ratio: f64,
}

fn ns_per_call<T>(calls: u32, work: &mut impl FnMut() -> T) -> f64 {
    time(|| repeat(calls, work)).as_nanos() as f64 / f64::from(calls)
}

fn repeat<T>(calls: u32, work: &mut impl FnMut() -> T) {
    for _ in 0..calls {
        black_box(work());
    }
}

/// How long `work` takes.
pub fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    black_box(work());
    begun.elapsed()
}

/// The one in the middle; the samples are sorted afterwards.
///
/// # Panics
/// If there is none.
pub fn median(samples: &mut [Duration]) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}
