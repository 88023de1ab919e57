//! Looks at the host while the run goes on: what the plots are drawn from, and the guard that gives
//! the run up before the host is in want of memory.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::kernel::{Kernel, meminfo};
use crate::host::{PAGE_BYTES, used};
use crate::load::Interrupt;
use crate::tally::{Tally, Totals};

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Swap that may be taken meanwhile: others may swap a little, a run that makes them swap is over.
const SWAPPED_MAX: u64 = 64 << 20;

/// One look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// Seconds since the run began.
    pub(super) at: f64,
    pub(super) open: u64,
    /// Anonymous memory of the two processes.
    pub(super) server_bytes: u64,
    pub(super) client_bytes: u64,
    /// The kernel's, beyond what it was at the begin.
    pub(super) kernel_bytes: u64,
    pub(super) available_bytes: u64,
    /// Cores kept busy since the look before.
    pub(super) server_cores: f64,
    pub(super) client_cores: f64,
}

/// A thread that looks.
#[derive(Debug)]
pub(super) struct Monitor {
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
    begin: Instant,
}

#[derive(Debug, Default)]
struct Seen {
    samples: Mutex<Vec<Sample>>,
    over: AtomicBool,
    /// The run was given up for want of memory.
    exhausted: AtomicBool,
}

/// Whom it watches, and below what the run is given up.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) server: u32,
    pub(super) tallies: Vec<Arc<Tally>>,
    /// The kernel's memory before the first connection.
    pub(super) kernel: Kernel,
    pub(super) floor_bytes: u64,
    pub(super) interrupt: Interrupt,
}

impl Monitor {
    pub(super) fn start(watched: Watched) -> anyhow::Result<Self> {
        let (seen, begin) = (Arc::new(Seen::default()), Instant::now());
        let own = Arc::clone(&seen);
        let thread = thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || watch(&watched, &own, begin))
            .context("starting the thread that watches the host")?;
        Ok(Self {
            seen,
            thread: Some(thread),
            begin,
        })
    }

    /// Seconds since it began to look.
    pub(super) fn now(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Whether it has given the run up.
    pub(super) fn is_exhausted(&self) -> bool {
        self.seen.exhausted.load(Ordering::Relaxed)
    }

    /// All that was seen.
    pub(super) fn end(mut self) -> Vec<Sample> {
        self.seen.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic has been printed by then; what was seen before stands.
            let _ = thread.join();
        }
        std::mem::take(&mut *self.seen.samples())
    }
}

impl Seen {
    fn samples(&self) -> std::sync::MutexGuard<'_, Vec<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watch(watched: &Watched, seen: &Seen, begin: Instant) {
    let swap = meminfo("SwapFree:").unwrap_or_default();
    let mut before: Option<(Instant, Duration, Duration)> = None;
    while !seen.over.load(Ordering::Relaxed) {
        let now = Instant::now();
        let (server, client) = (
            used(&watched.server.to_string()).unwrap_or_default(),
            used("self").unwrap_or_default(),
        );
        let cores = |now_used: Duration, was: Duration, since: Instant| {
            now_used.saturating_sub(was).as_secs_f64()
                / now.duration_since(since).as_secs_f64().max(1e-3)
        };
        let (server_cores, client_cores) = before.map_or((0.0, 0.0), |(since, s, c)| {
            (cores(server, s, since), cores(client, c, since))
        });
        before = Some((now, server, client));
        let totals: Totals = watched.tallies.iter().map(|tally| &**tally).collect();
        let kernel = Kernel::bytes_now();
        let available = meminfo("MemAvailable:").unwrap_or(u64::MAX);
        let swapped = swap.saturating_sub(meminfo("SwapFree:").unwrap_or(swap));
        if available < watched.floor_bytes || swapped > SWAPPED_MAX {
            seen.exhausted.store(true, Ordering::Relaxed);
            watched.interrupt.set();
        }
        seen.samples().push(Sample {
            at: begin.elapsed().as_secs_f64(),
            open: totals.open().saturating_sub(totals.left),
            server_bytes: anonymous(&watched.server.to_string()).unwrap_or_default(),
            client_bytes: anonymous("self").unwrap_or_default(),
            kernel_bytes: kernel.saturating_sub(watched.kernel.bytes()),
            available_bytes: available,
            server_cores,
            client_cores,
        });
        thread::sleep(LOOK_EVERY);
    }
}

/// Resident memory of a process that is no file's, to be had without a walk over its pages.
pub(super) fn anonymous(process: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let mut pages = text.split_whitespace().skip(1).map(str::parse::<u64>);
    let resident = pages.next()?.ok()?;
    let shared = pages.next()?.ok()?;
    Some(resident.saturating_sub(shared) * PAGE_BYTES)
}
