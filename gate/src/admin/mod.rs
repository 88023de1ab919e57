//! The admin listener: metrics, health, CPU profiles and a dashboard, for operators and not for
//! clients.
//!
//! It is a gate of its own beside the one that it shows, with a reactor, a worker and a descriptor
//! table of its own. So its answers do not depend on the other's: it accepts when the node has
//! reached its limits, its memory or its descriptors, and until the last thread has drained. And it
//! may take its time, since what is shown are counters that nobody has to be stopped for.
//!
//! ```no_run
//! # fn modules_and_listeners() -> gate::Builder { gate::Builder::new() }
//! use gate::admin::{Admin, AdminConfig};
//!
//! let admin = Admin::start(AdminConfig::new(([127, 0, 0, 1], 9090).into()))?;
//! let running = modules_and_listeners().start()?;
//! admin.ready(running.telemetry());
//! // … and when it is time to go:
//! admin.draining();
//! running.stop(10);
//! admin.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod history;
mod metrics;
mod mount;
mod page;
mod process;
mod profile;
mod routes;
mod sample;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use network::ReactorConfig;
use parking_lot::Mutex;

use crate::builder::{Builder, RunningGate};
use crate::config::{Limits, Listener};
use crate::error::GateError;
use crate::health::Failure;
use crate::module::Placement;
use crate::telemetry::Telemetry;
use history::History;
use mount::Mounts;
use process::ProcessCache;
use routes::Routes;
use sample::Sources;

pub use mount::Service;
pub use sample::Sample;
pub use token::{BadToken, Token};

/// Connections at once: a few scrapers and browsers.
const CONNECTIONS_MAX: usize = 64;
/// Bytes that may be held for them.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest body of a request: what a product lets its operators send.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Seconds that a stop may take; an answer that is on its way is still sent.
const STOP_SECONDS: u32 = 1;

/// What an admin listener is told.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// Where it listens; port 0 lets the kernel choose.
    pub addr: SocketAddr,
    /// What a request must bring as `authorization: Bearer …`, health checks and the page without
    /// its data excepted; without one everybody who reaches the address is answered, and so it must
    /// be one of this host alone.
    pub token: Option<Token>,
    /// What the product calls itself in the metrics and on the dashboard.
    pub product: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl AdminConfig {
    /// A listener without a token.
    #[must_use]
    pub const fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            token: None,
            product: "gatehouse",
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Why there is no admin listener.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Everybody in the network could read the metrics and make profiles.
    #[error("{0} can be reached from other hosts, and there is no token that keeps them out")]
    Exposed(SocketAddr),
    /// The gate that answers could not be started.
    #[error(transparent)]
    Gate(GateError),
    /// The thread that keeps the history could not be made.
    #[error("cannot start the thread of the dashboard: {0}")]
    Thread(#[source] std::io::Error),
}

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Draining,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// What the threads of the admin listener share.
#[derive(Debug)]
struct Shared {
    config: AdminConfig,
    started: SystemTime,
    shown: Mutex<Shown>,
    process: Mutex<ProcessCache>,
    history: Mutex<History>,
    profiler: profile::Profiler,
    /// Counts of modules.
    sources: Sources,
    mounts: Mounts,
}

/// What there is to show, which comes with the start of the node.
#[derive(Clone, Debug)]
struct Shown {
    phase: Phase,
    telemetry: Option<Telemetry>,
}

/// An admin listener that answers. Dropping it leaves it answering; see [`Admin::stop`].
#[derive(Debug)]
pub struct Admin {
    running: RunningGate,
    shared: Arc<Shared>,
    /// Dropped when the history is to end.
    _sampling: Sender<()>,
}

impl Shown {
    /// Why the node should be started anew, if a part of it has failed.
    fn failure(&self) -> Option<Failure> {
        self.telemetry.as_ref()?.handle.health().failure()
    }

    /// Whether clients may be sent to the node; if not, why.
    fn readiness(&self) -> Result<(), String> {
        match (self.phase, self.failure()) {
            (_, Some(failure)) => Err(failure.to_string()),
            (Phase::Ready, None) => Ok(()),
            (phase, None) => Err(phase.name().to_owned()),
        }
    }

    /// Where the node is in its life, in a word.
    fn state(&self) -> &'static str {
        match self.failure() {
            Some(_) => "failed",
            None => self.phase.name(),
        }
    }
}

impl Admin {
    /// Listens, and answers that the node is starting.
    ///
    /// # Errors
    /// [`AdminError`]; then nothing is left running.
    pub fn start(config: AdminConfig) -> Result<Self, AdminError> {
        if config.token.is_none() && !config.addr.ip().to_canonical().is_loopback() {
            return Err(AdminError::Exposed(config.addr));
        }
        let shared = Arc::new(Shared {
            config,
            started: SystemTime::now(),
            shown: Mutex::new(Shown {
                phase: Phase::Starting,
                telemetry: None,
            }),
            process: Mutex::default(),
            history: Mutex::default(),
            profiler: profile::Profiler::default(),
            sources: Sources::default(),
            mounts: Mounts::default(),
        });
        let running = match answer(&shared, true) {
            // Where a thread may not have a table of its own, the node's has to do.
            Err(GateError::Reactor { .. }) => answer(&shared, false),
            outcome => outcome,
        };
        let running = running.map_err(AdminError::Gate)?;
        let (sampling, stopped) = channel();
        let sampled = Arc::clone(&shared);
        let thread = thread::Builder::new().name("admin-history".to_owned());
        thread
            .spawn(move || {
                while stopped.recv_timeout(History::INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    sampled.sample();
                }
            })
            .map_err(AdminError::Thread)?;
        Ok(Self {
            running,
            shared,
            _sampling: sampling,
        })
    }

    /// Where it listens, with the real port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.running.addrs()[0]
    }

    /// Has a service of the product answer for the paths that begin with `prefix`, to those who
    /// bring the token. Where no token is configured it answers nobody: a page from anywhere could
    /// otherwise have a browser on this host ask for what it likes.
    pub fn mount(&self, prefix: &'static str, service: impl Service) {
        self.shared.mounts.add(prefix, Arc::new(service));
    }

    /// The node is there: from here on its counters are shown, and it is said to be ready.
    pub fn ready(&self, telemetry: &Telemetry) {
        *self.shared.shown.lock() = Shown {
            phase: Phase::Ready,
            telemetry: Some(telemetry.clone()),
        };
        self.shared.sample();
    }

    /// Shows what a module counts, too: `source` is called whenever somebody asks for metrics. The
    /// values of one metric come one after the other.
    pub fn show(&self, source: impl Fn() -> Vec<Sample> + Send + Sync + 'static) {
        self.shared.sources.add(source);
    }

    /// The node stops: balancers that ask send nobody any more.
    pub fn draining(&self) {
        self.shared.shown.lock().phase = Phase::Draining;
    }

    /// Stops answering.
    pub fn stop(self) {
        self.running.stop(STOP_SECONDS);
    }
}

/// Starts the gate that answers.
fn answer(shared: &Arc<Shared>, private_fd_tables: bool) -> Result<RunningGate, GateError> {
    let mut builder = Builder::new()
        .reactors(1)
        .workers(1)
        .thread_prefix("admin-")
        .memory_bytes_max(MEMORY_BYTES_MAX)
        .reactor_config(ReactorConfig {
            private_fd_tables: private_fd_tables && cfg!(target_os = "linux"),
            ..ReactorConfig::default()
        });
    let routes = Arc::clone(shared);
    let routes = builder.module(Placement::Worker, move |_| Routes::new(Arc::clone(&routes)));
    let limits = Limits {
        connections_max: CONNECTIONS_MAX,
        body_bytes_max: BODY_BYTES_MAX,
        ..Limits::default()
    };
    builder.listen(
        Listener::http(shared.config.addr)
            .named("admin")
            .requests("/", routes)
            .limits(limits),
    );
    builder.start()
}

impl Shared {
    /// Adds the present to the history.
    fn sample(&self) {
        let Some(telemetry) = self.shown.lock().telemetry.clone() else {
            return;
        };
        let process = self.process.lock().get().clone();
        self.history.lock().sample(&telemetry, &process);
    }

    /// Time since the start.
    fn uptime(&self) -> Duration {
        self.started.elapsed().unwrap_or_default()
    }
}
