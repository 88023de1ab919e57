//! Nodes in process, on ports that the kernel chooses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use gate::{
    Builder, DeflateConfig, Drain, Files, GateHandle, GateStats, Limits, ListenOptions, Listener,
    Module, ModuleId, Origins, Placement, ReactorConfig, ReactorStats, Response, RunningGate,
    TcpFraming, TlsServer, TrustedProxies,
};
use module::adapter::native::Native;
use module::adapter::rest::{self, Clients, Rest};
use module::attachment::AttachmentModule;
use module::{Im, ImConfig};

use crate::PATIENCE;

/// Seconds that a node may take to stop when a test drops it.
const STOP_SECONDS: u32 = 5;

/// Bytes of the page at `/long`: too many for a small kernel buffer.
pub const LONG_PAGE_BYTES: usize = 50_000;

/// Bytes of a body at `/upload`, at most.
pub const UPLOAD_BYTES_MAX: u64 = 4 << 20;

/// What a test asks of its node. `Default` is two reactors and two workers, modules on the
/// workers, and every limit as a server has it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Limits of all listeners.
    pub limits: Limits,
    /// Where the module runs.
    pub placement: Placement,
    /// Number of reactor threads.
    pub reactors: usize,
    /// Number of worker threads.
    pub workers: usize,
    /// Whether each reactor has a descriptor table of its own.
    pub private_fd_tables: bool,
    /// Connections of the whole node.
    pub connections_max: usize,
    /// Events that may wait for one worker.
    pub mailbox_events_max: usize,
    /// Bytes that may be held for clients.
    pub memory_bytes_max: usize,
    /// How the WebSocket listener compresses, if it does.
    pub compression: Option<DeflateConfig>,
    /// Options of the listening sockets.
    pub listen: ListenOptions,
    /// Payload bytes that a TCP framing carries at most.
    pub tcp_bytes_max: u32,
    /// What a peer reads that breaks a TCP framing, before the end.
    pub farewell: Option<&'static str>,
    /// TLS of all listeners.
    pub tls: Option<TlsServer>,
    /// Proxies whose header is demanded on all listeners.
    pub proxies: Option<TrustedProxies>,
    /// Steps of TLS handshakes per turn.
    pub tls_handshakes_per_turn: usize,
    /// Whose pages may open WebSockets.
    pub origins: Origins,
    /// Whose word about the address of a client is taken.
    pub trusted_proxies: TrustedProxies,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            placement: Placement::Worker,
            reactors: 2,
            workers: 2,
            private_fd_tables: true,
            connections_max: usize::MAX,
            mailbox_events_max: common::limits::MAILBOX_EVENTS_MAX,
            memory_bytes_max: usize::MAX,
            compression: None,
            listen: ListenOptions::default(),
            tcp_bytes_max: 65_536,
            farewell: None,
            tls: None,
            proxies: None,
            tls_handshakes_per_turn: ReactorConfig::default().tls_handshakes_per_turn,
            origins: Origins::default(),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

impl Options {
    /// Every combination of placement and of descriptor tables, for tests that must hold in all.
    #[must_use]
    pub fn everywhere() -> Vec<Self> {
        let mut all = Vec::new();
        for placement in [Placement::Worker, Placement::Reactor] {
            for private_fd_tables in [true, false] {
                all.push(Self {
                    placement,
                    private_fd_tables,
                    ..Self::default()
                });
            }
        }
        all
    }

    /// Both kinds of descriptor tables, for what runs on workers only.
    #[must_use]
    pub fn on_workers() -> [Self; 2] {
        [true, false].map(|private_fd_tables| Self {
            private_fd_tables,
            ..Self::default()
        })
    }

    /// Both placements and both kinds of descriptor tables, each once, for tests that take seconds.
    #[must_use]
    pub fn crosswise() -> [Self; 2] {
        [(Placement::Worker, true), (Placement::Reactor, false)].map(
            |(placement, private_fd_tables)| Self {
                placement,
                private_fd_tables,
                ..Self::default()
            },
        )
    }

    /// One reactor and one worker: every session meets the same two threads.
    #[must_use]
    pub fn single() -> Self {
        Self {
            reactors: 1,
            workers: 1,
            ..Self::default()
        }
    }

    /// The same with other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with the module placed elsewhere.
    #[must_use]
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// The same with TLS on all listeners.
    #[must_use]
    pub fn tls(mut self, tls: &TlsServer) -> Self {
        self.tls = Some(tls.clone());
        self
    }

    /// The same behind proxies, whose header is demanded on all listeners.
    ///
    /// # Panics
    /// If it is no network.
    #[must_use]
    pub fn behind(mut self, proxies: &str) -> Self {
        self.proxies = Some(TrustedProxies::parse([proxies]).expect("a network"));
        self
    }

    fn builder(&self) -> Builder {
        let config = ReactorConfig {
            private_fd_tables: self.private_fd_tables,
            tls_handshakes_per_turn: self.tls_handshakes_per_turn,
            ..ReactorConfig::default()
        };
        Builder::new()
            .reactors(self.reactors)
            .workers(self.workers)
            .connections_max(self.connections_max)
            .mailbox_events_max(self.mailbox_events_max)
            .memory_bytes_max(self.memory_bytes_max)
            .reactor_config(config)
    }

    fn framing(&self, name: &str) -> TcpFraming {
        TcpFraming::named(name)
            .and_then(|framing| framing.with_frame_bytes(1, self.tcp_bytes_max).ok())
            .expect("a known framing and a limit that it can keep")
    }

    fn listen(&self, builder: &mut Builder, module: ModuleId, mut web: Listener) {
        if let Some(deflate) = &self.compression {
            web = web.compression(deflate.clone());
        }
        let adorn = |listener: Listener| {
            let mut listener = listener
                .limits(self.limits.clone())
                .options(self.listen)
                .trusted_proxies(self.trusted_proxies.clone());
            if let Some(tls) = &self.tls {
                listener = listener.tls(tls.clone());
            }
            if let Some(proxies) = &self.proxies {
                listener = listener.proxy_protocol().trusted_proxies(proxies.clone());
            }
            listener
        };
        builder.listen(adorn(web).origins(self.origins.clone()));
        for name in ["len4be", "ndjson"] {
            let mut listener = Listener::tcp(any_port(), self.framing(name), module);
            if let Some(farewell) = self.farewell {
                listener = listener.farewell(farewell);
            }
            builder.listen(adorn(listener));
        }
    }
}

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A node with three listeners: HTTP with WebSocket, `len4be` and `ndjson`. Stopped when dropped.
#[derive(Debug)]
pub struct TestNode {
    running: Option<RunningGate>,
}

impl TestNode {
    /// A node with one module: WebSocket on every path, requests below `/api/`, uploads at
    /// `/upload`, pages at `/page` and `/long`.
    pub fn start<M: Module + 'static>(
        options: &Options,
        make: impl Fn(&GateHandle) -> M + Send + Sync + 'static,
    ) -> Self {
        Self::with_files(options, Files::new(), make)
    }

    /// The same, and files at `/`.
    pub fn with_files<M: Module + 'static>(
        options: &Options,
        files: Files,
        make: impl Fn(&GateHandle) -> M + Send + Sync + 'static,
    ) -> Self {
        let mut builder = options.builder();
        let module = builder.module(options.placement, make);
        let web = Listener::http(any_port())
            .websocket("*", module)
            .requests("/api/", module)
            .uploads("/upload", UPLOAD_BYTES_MAX, module)
            .page("/page", Response::text(200, "a page"))
            .page("/long", Response::text(200, vec![b'x'; LONG_PAGE_BYTES]))
            .files("/", files);
        options.listen(&mut builder, module, web);
        Self::run(builder)
    }

    /// A node with the IM on it, as the server has it: on workers; WebSocket on `/im`, REST, the
    /// chat page, TCP.
    #[must_use]
    pub fn im(options: &Options) -> Self {
        let im = Im::open(ImConfig::default()).expect("a store in memory");
        Self::around_im(options, &im)
    }

    /// The same with this IM, which the test can ask, too.
    #[must_use]
    pub fn around_im(options: &Options, im: &Arc<Im>) -> Self {
        let mut builder = options.builder();
        let rest = Rest::new(Arc::clone(im), Clients::Users);
        let rest = builder.module(Placement::Worker, move |_| rest.clone());
        let of = Arc::clone(im);
        let module = builder.module(Placement::Worker, move |_| Native::new(Arc::clone(&of)));
        let mut web = Listener::http(any_port())
            .websocket("/im", module)
            .requests(rest::ROOT, rest);
        if let Some(service) = im.attachments() {
            let body_bytes_max = service.body_bytes_max();
            let (im, service) = (Arc::clone(im), Arc::clone(service));
            let attachments = builder.module(Placement::Worker, move |gate| {
                AttachmentModule::new(Arc::clone(&im), Arc::clone(&service), gate.clone())
            });
            web = web
                .uploads(rest::UPLOADS, body_bytes_max, attachments)
                .requests(AttachmentModule::FILES, attachments);
        }
        let web = web.files("/", module::web::chat_files());
        options.listen(&mut builder, module, web);
        Self::run(builder)
    }

    fn run(builder: Builder) -> Self {
        let running = builder.start().expect("a node on free ports starts");
        Self {
            running: Some(running),
        }
    }

    fn running(&self) -> &RunningGate {
        self.running.as_ref().expect("runs until it is dropped")
    }

    /// Address of HTTP and WebSocket.
    #[must_use]
    pub fn web(&self) -> SocketAddr {
        self.running().addrs()[0]
    }

    /// Address of the `len4be` framing.
    #[must_use]
    pub fn len4be(&self) -> SocketAddr {
        self.running().addrs()[1]
    }

    /// Address of the `ndjson` framing.
    #[must_use]
    pub fn ndjson(&self) -> SocketAddr {
        self.running().addrs()[2]
    }

    /// Reaches the node's sessions.
    #[must_use]
    pub fn handle(&self) -> GateHandle {
        self.running().handle().clone()
    }

    /// One counter, summed over the reactors.
    pub fn count(&self, counter: impl Fn(&ReactorStats) -> u64) -> u64 {
        self.running()
            .stats()
            .iter()
            .map(|stats| counter(stats))
            .sum()
    }

    /// One counter of the gates, summed over the reactors.
    pub fn gate_count(&self, counter: impl Fn(&GateStats) -> u64) -> u64 {
        self.running()
            .gate_stats()
            .iter()
            .map(|stats| counter(stats))
            .sum()
    }

    /// Calls of modules on workers that have panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        let workers = self.running().telemetry().workers();
        workers.map(|stats| stats.panics.get()).sum()
    }

    /// Bytes that are held for clients now, as the node accounts for them.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.running().memory().used()
    }

    /// Connections open now.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.count(|stats| stats.connections.get())
    }

    /// Waits until a fact about the node's counters is true.
    ///
    /// # Panics
    /// If it does not become true.
    pub fn until(&self, what: &str, fact: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !fact(self) {
            assert!(begun.elapsed() < PATIENCE, "never came true: {what}");
            // Counters raise no event; this is how often they are looked at.
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops the node in order, within `seconds`, and tells how long that took.
    #[must_use]
    pub fn stop(mut self, seconds: u32) -> Duration {
        let begun = Instant::now();
        if let Some(running) = self.running.take() {
            running.stop(seconds);
        }
        begun.elapsed()
    }
}

impl TestNode {
    /// Stops the node as `drain` says, and tells how long that took.
    #[must_use]
    pub fn drain(mut self, drain: Drain) -> Duration {
        let begun = Instant::now();
        if let Some(running) = self.running.take() {
            running.drain(drain);
        }
        begun.elapsed()
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop(STOP_SECONDS);
        }
    }
}
