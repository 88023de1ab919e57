//! CPU profiles.
//!
//! # Why a profile has so few samples
//!
//! The profiler takes its samples in a signal handler, in whatever thread is running, and so in
//! reactors, where a descriptor of the rest of the process means a client's socket. The unwinder
//! that is built in here touches no descriptor; those of pprof's features `frame-pointer` and
//! `framehop-unwinder` write to a pipe to see whether an address is valid, and must not be turned
//! on. What is left is the collector: it keeps stacks in 4,096 places of four, and what is pushed
//! out of them in a buffer of 60, which goes to a temporary file when it is full.
//!
//! So it must not become full. [`SAMPLES_MAX`] stacks, were they all different, give four places
//! more than they can hold, on average; that 60 stacks are pushed out is less likely than one in
//! 10^30. Where there are more processors, the samples are taken less often; a share of the time
//! of which a profile says 10 % is then still known to within 1.1 percentage points.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pprof::ProfilerGuardBuilder;
use pprof::protos::Message;

/// Samples of one profile, all threads together.
const SAMPLES_MAX: usize = 3_000;
/// Samples per second of processor time, if they are not too many.
const FREQUENCY: usize = 99;
/// Seconds that a profile may take.
pub(super) const SECONDS_MAX: u32 = 60;
/// Seconds that it takes if nothing is said.
pub(super) const SECONDS_DEFAULT: u32 = 10;

/// How a profile is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The protobuf that `go tool pprof` and others read.
    Pprof,
    /// A flame graph.
    Svg,
}

/// Takes one profile at a time, since there is one timer in a process.
#[derive(Debug, Default)]
pub(super) struct Profiler {
    busy: AtomicBool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProfileError {
    #[error("a profile is being taken; try again when it is there")]
    Busy,
    #[error("nothing ran in this time")]
    Idle,
    #[error("cannot take a profile: {0}")]
    Failed(String),
}

impl Profiler {
    /// Watches the process for so many seconds, and waits that long.
    pub(super) fn take(&self, seconds: u32, format: Format) -> Result<Vec<u8>, ProfileError> {
        if self.busy.swap(true, Ordering::Acquire) {
            return Err(ProfileError::Busy);
        }
        let outcome = record(seconds, format);
        self.busy.store(false, Ordering::Release);
        match outcome {
            Ok(written) if written.is_empty() => Err(ProfileError::Idle),
            Ok(written) => Ok(written),
            Err(error) => Err(ProfileError::Failed(error.to_string())),
        }
    }
}

/// Samples per second of processor time, so that a profile of all processors has at most
/// [`SAMPLES_MAX`].
fn frequency(seconds: u32, processors: usize) -> i32 {
    (SAMPLES_MAX / (seconds as usize * processors)).clamp(1, FREQUENCY) as i32
}

fn record(seconds: u32, format: Format) -> Result<Vec<u8>, pprof::Error> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    // With very many processors even one sample a second would be too many.
    let seconds = (seconds as usize).min(SAMPLES_MAX / processors).max(1) as u32;
    let guard = ProfilerGuardBuilder::default()
        .frequency(frequency(seconds, processors))
        .build()?;
    thread::sleep(Duration::from_secs(seconds.into()));
    let report = guard.report().build()?;
    drop(guard);
    let mut written = Vec::new();
    match format {
        Format::Pprof => written = report.pprof()?.encode_to_vec(),
        Format::Svg => report.flamegraph(&mut written)?,
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_profile_has_more_samples_than_the_collector_keeps_in_memory() {
        for seconds in 1..=SECONDS_MAX {
            for processors in 1..=SAMPLES_MAX / SECONDS_MAX as usize {
                let samples = frequency(seconds, processors) as usize * seconds as usize;
                assert!(
                    samples * processors <= SAMPLES_MAX,
                    "{seconds} {processors}"
                );
            }
        }
        assert_eq!(frequency(10, 2), 99);
        assert_eq!(frequency(30, 2), 50);
    }
}
