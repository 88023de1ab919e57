//! What a run has found: everything that the report, the verdict and the page are made of.

use std::time::Duration;

use super::kernel::Kernel;
use super::monitor::{Sample, anonymous};
use crate::host::{Cores, Memory};
use crate::latency::Latency;

/// Memory at a moment, when nothing moves.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub(super) server: Memory,
    /// Anonymous memory of the client.
    pub(super) client: u64,
    pub(super) kernel: Kernel,
}

impl Held {
    pub(super) fn now(server: u32) -> anyhow::Result<Self> {
        Ok(Self {
            server: Memory::of(server)?,
            client: anonymous("self").unwrap_or_default(),
            kernel: Kernel::now(),
        })
    }

    /// Bytes that the server has more than at `start`.
    pub(super) fn server_growth(&self, start: &Self) -> u64 {
        self.server.pss_anon.saturating_sub(start.server.pss_anon)
    }

    pub(super) fn client_growth(&self, start: &Self) -> u64 {
        self.client.saturating_sub(start.client)
    }

    pub(super) fn kernel_growth(&self, start: &Self) -> u64 {
        self.kernel.bytes().saturating_sub(start.kernel.bytes())
    }
}

/// A stretch of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    /// Seconds of the run.
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) cores: Cores,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Opened {
    pub(super) connections: u64,
    pub(super) took: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Idle {
    pub(super) took: Duration,
    pub(super) heartbeats: u64,
    pub(super) cores: Cores,
}

/// Echoes in one way.
#[derive(Clone, Debug)]
pub(super) struct Echoes {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    /// Asked for; none where it is as fast as can be.
    pub(super) rate: Option<f64>,
    pub(super) took: Duration,
    /// Answers that came within that time.
    pub(super) per_second: f64,
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) corrupted: u64,
    pub(super) latency: Latency,
    pub(super) cores: Cores,
}

/// A broadcast.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) receivers: u64,
    pub(super) received: u64,
    pub(super) odd: u64,
    pub(super) arrivals: Latency,
}

impl Round {
    /// Nanoseconds until the last had it.
    pub(super) fn last(&self) -> u64 {
        self.arrivals.quantile(1.0)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Churned {
    pub(super) asked_per_second: f64,
    pub(super) took: Duration,
    pub(super) left: u64,
    pub(super) came: u64,
    pub(super) cores: Cores,
}

#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) connections: u64,
    pub(super) took: Duration,
    /// Closes that the server did not answer in time.
    pub(super) unanswered: u64,
}

/// All connect, exchange a message, and leave.
#[derive(Clone, Debug)]
pub(super) struct Burst {
    pub(super) opened: Opened,
    pub(super) echoes: Echoes,
    pub(super) closed: Closed,
    /// The most memory that the server had resident in this burst, and what it had after it.
    pub(super) peak: u64,
    pub(super) after: u64,
    /// The kernel's memory after it.
    pub(super) kernel_after: u64,
}

/// How the run was set up.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub(super) connections: u32,
    /// How many were asked for, if that is more than this host can hold, and what binds.
    pub(super) scaled: Option<String>,
    pub(super) framing: &'static str,
    pub(super) size: u32,
    pub(super) heartbeat: u32,
    pub(super) reactors: u16,
    pub(super) threads: u16,
    pub(super) sources: usize,
    pub(super) descriptors: u64,
    pub(super) memory: u64,
    /// Memory that could be had before the run, and below which it is given up.
    pub(super) available: u64,
    pub(super) floor: u64,
    pub(super) cores: usize,
}

/// All of it, as far as the run went.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub(super) shape: Shape,
    pub(super) start: Held,
    pub(super) phases: Vec<Phase>,
    pub(super) samples: Vec<Sample>,
    pub(super) opened: Option<Opened>,
    pub(super) connect: Latency,
    /// With all of them open and idle, and after they have left.
    pub(super) full: Option<Held>,
    pub(super) after: Option<Held>,
    pub(super) idle: Option<Idle>,
    pub(super) echoes: Vec<Echoes>,
    pub(super) rounds: Vec<Round>,
    pub(super) churned: Option<Churned>,
    pub(super) closed: Option<Closed>,
    pub(super) bursts: Vec<Burst>,
    /// Connections that were not made, and that ended without being asked to.
    pub(super) failed: u64,
    pub(super) ended: u64,
    /// Why the run did not come to its end.
    pub(super) cut_short: Option<String>,
}

impl Findings {
    /// Bytes per connection.
    pub(super) fn each(&self, bytes: u64) -> f64 {
        bytes as f64 / f64::from(self.shape.connections.max(1))
    }

    /// The least memory that was left to the host at any time.
    pub(super) fn lowest_available(&self) -> Option<u64> {
        self.samples.iter().map(|one| one.available_bytes).min()
    }
}
