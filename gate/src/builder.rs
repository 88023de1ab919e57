//! The framework's front door: modules and listeners in, a running gate out.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use common::{REACTORS_MAX, limits};
use crossbeam_channel::bounded;
use network::codec::ws::ContextBudget;
use network::sys::Reservation;
use network::{Listen, MemoryBudget, ReactorConfig, ReactorHandle, ReactorSeed, ReactorStats};

use crate::admission::Doorman;
use crate::command::Command;
use crate::config::Listener;
use crate::dispatch::Dispatcher;
use crate::drain::Drain;
use crate::envelope::ModuleId;
use crate::error::GateError;
use crate::gate::Gate;
use crate::handle::GateHandle;
use crate::health::Health;
use crate::mailbox::Mailbox;
use crate::module::{Module, Placement};
use crate::stats::GateStats;
use crate::telemetry::{ReactorView, Telemetry, WorkerView};
use crate::topic::TopicPresence;
use crate::worker::Worker;

type Factory = Box<dyn Fn(&GateHandle) -> Box<dyn Module> + Send + Sync>;

/// Collects what a gate is made of.
pub struct Builder {
    reactors: usize,
    workers: usize,
    connections_max: usize,
    mailbox_events_max: usize,
    memory_bytes_max: usize,
    context_bytes_max: usize,
    reactor_config: ReactorConfig,
    modules: Vec<(Placement, Factory)>,
    listeners: Vec<Listener>,
    thread_prefix: &'static str,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("reactors", &self.reactors)
            .field("workers", &self.workers)
            .field("modules", &self.modules.len())
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            reactors: if cores > 4 { cores / 2 } else { cores },
            workers: cores,
            connections_max: usize::MAX,
            mailbox_events_max: limits::MAILBOX_EVENTS_MAX,
            memory_bytes_max: usize::MAX,
            context_bytes_max: limits::CONTEXT_BYTES_MAX,
            reactor_config: ReactorConfig::default(),
            modules: Vec::new(),
            listeners: Vec::new(),
            thread_prefix: "",
        }
    }
}

impl Builder {
    /// A builder with one reactor per core (half of the cores where there are more than 4) and one
    /// worker per core.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of reactor threads, at least 1; 0 leaves the default.
    #[must_use]
    pub fn reactors(mut self, reactors: usize) -> Self {
        if reactors > 0 {
            self.reactors = reactors;
        }
        self
    }

    /// Number of worker threads, at least 1; 0 leaves the default.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        if workers > 0 {
            self.workers = workers;
        }
        self
    }

    /// Put before the names of the gate's threads, `reactor-0` and so on, where a process has more
    /// than one gate. The kernel shows 15 bytes of a name.
    #[must_use]
    pub fn thread_prefix(mut self, prefix: &'static str) -> Self {
        self.thread_prefix = prefix;
        self
    }

    /// Connections of all listeners together.
    #[must_use]
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// Events that may wait for one worker; beyond that its sessions are not read.
    #[must_use]
    pub fn mailbox_events_max(mut self, events: usize) -> Self {
        self.mailbox_events_max = events.max(1);
        self
    }

    /// Budgets and capacities of the reactors.
    #[must_use]
    pub fn reactor_config(mut self, config: ReactorConfig) -> Self {
        self.reactor_config = config;
        self
    }

    /// Bytes of user-space memory that may be held for clients: outboxes, unfinished frames,
    /// connections, events on their way. Without it there is no limit.
    #[must_use]
    pub fn memory_bytes_max(mut self, bytes: usize) -> Self {
        self.memory_bytes_max = bytes;
        self
    }

    /// Bytes that the contexts of compression may take together, where a listener lets it go on
    /// from message to message; default 64 MiB. They are a part of `memory_bytes_max`. Connections
    /// for which there is no room compress each message by itself.
    #[must_use]
    pub fn context_bytes_max(mut self, bytes: usize) -> Self {
        self.context_bytes_max = bytes;
        self
    }

    /// Adds a module. `make` is called once for each thread that runs it.
    pub fn module<M: Module + 'static>(
        &mut self,
        placement: Placement,
        make: impl Fn(&GateHandle) -> M + Send + Sync + 'static,
    ) -> ModuleId {
        let id = ModuleId(u16::try_from(self.modules.len()).expect("fewer than 65,536 modules"));
        self.modules
            .push((placement, Box::new(move |handle| Box::new(make(handle)))));
        id
    }

    /// Adds a listener.
    pub fn listen(&mut self, listener: Listener) -> &mut Self {
        self.listeners.push(listener);
        self
    }

    /// Binds the addresses, starts the threads, and returns when every reactor accepts.
    ///
    /// # Errors
    /// [`GateError`]; then nothing is left running.
    pub fn start(self) -> Result<RunningGate, GateError> {
        let started = Instant::now();
        if self.listeners.is_empty() {
            return Err(GateError::NoListener);
        }
        if self.reactors > REACTORS_MAX {
            return Err(GateError::TooMany("reactors"));
        }
        if self.listeners.len() > usize::from(u16::MAX) {
            return Err(GateError::TooMany("listeners"));
        }
        let (reservations, listen) = self.reserve()?;
        let Self {
            reactors,
            workers,
            modules,
            mut listeners,
            mut reactor_config,
            memory_bytes_max,
            context_bytes_max,
            thread_prefix,
            ..
        } = self;
        reactor_config.memory = Arc::new(MemoryBudget::new(memory_bytes_max));
        let contexts = ContextBudget::within(Arc::clone(&reactor_config.memory), context_bytes_max);
        for deflate in listeners.iter_mut().filter_map(|l| l.compression.as_mut()) {
            deflate.contexts = contexts.clone();
        }
        for (listener, listen) in listeners.iter_mut().zip(&listen) {
            listener.addr = listen.addr;
        }
        let listeners: Arc<[Listener]> = listeners.into();

        // 1. Reactors and mailboxes, so that everything can reach everything. Their descriptors are
        //    made here, before any thread has a table of its own.
        let profiles: Vec<_> = listeners.iter().map(Listener::profile).collect();
        let caps: Vec<_> = listeners
            .iter()
            .map(|listener| {
                let limits = &listener.limits;
                (limits.connections_max, limits.connections_per_address_max)
            })
            .collect();
        let doorman = Arc::new(Doorman::new(self.connections_max, &caps));
        let (mailboxes, letters): (Vec<_>, Vec<_>) = (0..workers)
            .map(|_| Mailbox::new(self.mailbox_events_max, reactors))
            .unzip();
        let mut made = Vec::with_capacity(reactors);
        let mut handles: Vec<ReactorHandle<Command>> = Vec::with_capacity(reactors);
        for reactor in 0..reactors {
            let (seed, handle) =
                ReactorSeed::new(reactor as u16, reactor_config.clone(), profiles.clone())
                    .map_err(|error| GateError::Reactor { reactor, error })?;
            made.push(seed);
            handles.push(handle);
        }
        let handle = GateHandle {
            reactors: handles.into(),
            presence: Arc::new(TopicPresence::new(reactors)),
            memory: Arc::clone(&reactor_config.memory),
            health: Health::default(),
        };

        // 2. Reactor threads, each of which opens its own listeners.
        let telemetry = Telemetry {
            listeners: listeners.iter().map(|l| Arc::clone(&l.name)).collect(),
            reactors: made
                .iter()
                .map(|seed| ReactorView {
                    stats: seed.stats(),
                    gate: Arc::default(),
                })
                .collect(),
            workers: mailboxes
                .iter()
                .map(|mailbox| WorkerView {
                    stats: Arc::default(),
                    mailbox: mailbox.depth(),
                })
                .collect(),
            handle: handle.clone(),
            mailbox_events_max: self.mailbox_events_max,
        };
        let mut running = RunningGate {
            handle: handle.clone(),
            addrs: listen.iter().map(|listen| listen.addr).collect(),
            stats: made.iter().map(ReactorSeed::stats).collect(),
            gate_stats: telemetry
                .reactors
                .iter()
                .map(|view| Arc::clone(&view.gate))
                .collect(),
            telemetry,
            reactors: Vec::new(),
            workers: Vec::new(),
        };
        let (ready, prepared) = bounded(reactors);
        for (index, seed) in made.into_iter().enumerate() {
            let stats = Arc::clone(&running.gate_stats[index]);
            let dispatcher = Dispatcher::new(
                index as u16,
                reactors,
                mailboxes.clone(),
                Arc::clone(&stats),
            );
            let modules = instances(&modules, Placement::Reactor, &handle);
            let gate = Gate::new(
                Arc::clone(&listeners),
                Arc::clone(&doorman),
                dispatcher,
                stats,
                modules,
                handle.clone(),
            );
            let (listen, ready) = (listen.clone(), ready.clone());
            let health = handle.health.clone();
            let thread = thread::Builder::new()
                .name(format!("{thread_prefix}reactor-{index}"))
                .spawn(move || {
                    let _watch = health.watch(index);
                    let outcome = seed.start(gate, &listen);
                    let (outcome, reactor) = match outcome {
                        Ok(reactor) => (Ok(()), Some(reactor)),
                        Err(error) => (Err(error), None),
                    };
                    // The builder waits for this, and for the sender to be dropped.
                    let _ = ready.send((index, outcome));
                    drop(ready);
                    if let Some(mut reactor) = reactor
                        && let Err(error) = reactor.run()
                    {
                        health.fail(index, error.to_string());
                    }
                })
                .map_err(|error| GateError::Reactor {
                    reactor: index,
                    error,
                })?;
            running.reactors.push(thread);
        }
        // The mailboxes end when the reactors that hold them do, and the workers with them.
        drop((mailboxes, ready));

        // 3. Workers.
        for (index, letters) in letters.into_iter().enumerate() {
            let modules = instances(&modules, Placement::Worker, &handle);
            let stats = Arc::clone(&running.telemetry.workers[index].stats);
            let mut worker = Worker::new(letters, modules, handle.clone(), started, stats);
            let thread = thread::Builder::new()
                .name(format!("{thread_prefix}worker-{index}"))
                .spawn(move || worker.run())
                .map_err(|error| GateError::Worker {
                    worker: index,
                    error,
                })?;
            running.workers.push(thread);
        }

        // 4. Everyone accepts; now the reservations of the ports can go.
        let mut failed = None;
        for (reactor, outcome) in prepared.iter() {
            if let Err(error) = outcome {
                failed = Some(GateError::Reactor { reactor, error });
            }
        }
        drop(reservations);
        match failed {
            Some(error) => {
                running.stop(0);
                Err(error)
            }
            None => Ok(running),
        }
    }

    fn reserve(&self) -> Result<(Vec<Reservation>, Vec<Listen>), GateError> {
        let mut reservations = Vec::new();
        let mut listen = Vec::new();
        for (profile, listener) in self.listeners.iter().enumerate() {
            let addr = listener.addr;
            let reservation =
                Reservation::new(addr).map_err(|error| GateError::Listen { addr, error })?;
            listen.push(Listen {
                addr: reservation.addr(),
                profile: profile as u16,
                options: listener.options,
            });
            reservations.push(reservation);
        }
        Ok((reservations, listen))
    }
}

/// One instance of each module that is placed here.
fn instances(
    modules: &[(Placement, Factory)],
    here: Placement,
    handle: &GateHandle,
) -> Vec<Option<Box<dyn Module>>> {
    modules
        .iter()
        .map(|(placement, make)| (*placement == here).then(|| make(handle)))
        .collect()
}

/// A gate whose threads run. Dropping it leaves them running; see [`RunningGate::stop`].
#[derive(Debug)]
pub struct RunningGate {
    handle: GateHandle,
    addrs: Vec<SocketAddr>,
    stats: Vec<Arc<ReactorStats>>,
    gate_stats: Vec<Arc<GateStats>>,
    telemetry: Telemetry,
    reactors: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
}

impl RunningGate {
    /// The addresses of the listeners, in the order in which they were added, with real ports.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Reaches sessions from any thread.
    #[must_use]
    pub fn handle(&self) -> &GateHandle {
        &self.handle
    }

    /// The memory that is held for clients now, and its limit.
    #[must_use]
    pub fn memory(&self) -> &MemoryBudget {
        &self.handle.memory
    }

    /// The counters of each reactor.
    #[must_use]
    pub fn stats(&self) -> &[Arc<ReactorStats>] {
        &self.stats
    }

    /// The counters of each reactor's gate.
    #[must_use]
    pub fn gate_stats(&self) -> &[Arc<GateStats>] {
        &self.gate_stats
    }

    /// Everything that the gate counts, to be kept and read by others.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Waits until the gate is stopped by its threads ending, which in a healthy process is never.
    pub fn wait(self) {
        self.join();
    }

    /// Stops: no more is accepted, every session is closed (1001) once its outbox is written, and
    /// after `seconds` at most all threads have ended.
    pub fn stop(self, seconds: u32) {
        self.drain(Drain::within(seconds));
    }

    /// Stops as `drain` says; returns when all threads have ended.
    pub fn drain(self, drain: Drain) {
        let connections: Vec<_> = self.stats.iter().map(|s| s.connections.get()).collect();
        let all: u64 = connections.iter().sum();
        let rate = drain.effective_rate(all).map(u64::from);
        self.handle.drain(connections.iter().map(|&here| Drain {
            // Each reactor tells its own in the same time.
            per_second: rate.map(|rate| (rate * here).div_ceil(all.max(1)).max(1) as u32),
            ..drain
        }));
        self.join();
    }

    fn join(self) {
        for thread in self.reactors.into_iter().chain(self.workers) {
            if thread.join().is_err() {
                tracing::error!("a thread of the gate panicked");
            }
        }
    }
}
