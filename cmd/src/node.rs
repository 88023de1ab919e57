//! From a configuration to a running gate, and to its end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use gate::admin::{Admin, AdminError};
use gate::{
    Builder, Drain, Files, FilesError, GateError, GateHandle, Health, Listener, ModuleId,
    Placement, ReactorConfig, RunningGate, TcpFraming, TlsError, TlsServer, TlsSettings,
};
use module::adapter::native::Native;
use module::adapter::rest::{self, Clients, Rest};
use module::attachment::AttachmentModule;
use module::storage::sqlite::Location;
use module::{Im, ImConfig, OpenError, web};

use crate::admin::{self, Administration};
use crate::config::{Config, ListenerConfig, Speech};
use crate::doctor::broken_promises;
use crate::host::{ACCOUNTED_BYTES, HostFacts};
use crate::metrics;

/// What the program calls itself to clients.
const SERVER: &str = concat!("gatehouse/", env!("CARGO_PKG_VERSION"));
/// Path of the native protocol on WebSocket listeners.
const IM_PATH: &str = "/im";
/// Sent before the close when a line is too long to be read: the error of docs/protocol.md.
const LINE_TOO_LONG: &str =
    "{\"id\":null,\"error\":{\"code\":\"bad_request\",\"message\":\"line too long\"}}\n";
/// Logged when what was to be reloaded is not right.
pub const NOT_RELOADED: &str = "certificates not reloaded, the old ones stay";
/// How often a stop that takes long says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);
/// Seconds beyond the deadline that threads get to end in, before they are left behind.
const GRACE: Duration = Duration::from_secs(1);

/// A running gate, and what to say about it.
#[derive(Debug)]
pub struct Node {
    running: RunningGate,
    listeners: Vec<Listening>,
    secured: Vec<Secured>,
    room: Room,
    admin: Option<Admin>,
    im: Option<Arc<Im>>,
}

/// The TLS of a listener, to be reloaded.
#[derive(Clone, Debug)]
pub(crate) struct Secured {
    pub(crate) listener: String,
    pub(crate) server: TlsServer,
}

/// What the memory of a node allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may be held for clients.
    pub memory_bytes: usize,
    /// The largest outbox of any listener, in bytes.
    pub outbox_bytes: usize,
}

impl fmt::Display for Room {
    /// One line for an operator, in which the connections are those that fit before anyone is
    /// refused.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usable = self.memory_bytes / 4 * 3;
        write!(
            f,
            "memory: {} for clients, the kernel's buffers aside: {} idle connections, or {} full \
             outboxes",
            bytesize::ByteSize::b(self.memory_bytes as u64),
            indicatif::HumanCount(usable as u64 / ACCOUNTED_BYTES),
            indicatif::HumanCount((usable / self.outbox_bytes.max(1)) as u64),
        )
    }
}

/// The adapters that listeners lead to.
#[derive(Clone, Copy, Debug)]
struct Modules {
    native: ModuleId,
    rest: ModuleId,
    /// With the bytes of the longest body that it takes.
    attachments: Option<(ModuleId, u64)>,
}

/// Where a node listens, as a client would write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Name of the listener.
    pub name: String,
    /// Address with its real port.
    pub addr: SocketAddr,
    /// `ws` or `tcp`; with TLS, `wss` or `tls+tcp`.
    pub scheme: &'static str,
    /// Path of the WebSocket; empty on TCP.
    pub path: &'static str,
    /// Name of the framing.
    pub framing: &'static str,
    /// Whether the chat page is there.
    pub page: bool,
}

impl Listening {
    /// Where a browser on this host finds the chat page.
    #[must_use]
    pub fn page_url(&self) -> Option<String> {
        let ip = match self.addr {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => "[::1]".to_owned(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        };
        let scheme = if self.scheme == "wss" {
            "https"
        } else {
            "http"
        };
        self.page
            .then(|| format!("{scheme}://{ip}:{}/", self.addr.port()))
    }
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.addr, self.path)
    }
}

impl Node {
    /// Starts what `config` describes; when this returns, every listener accepts.
    ///
    /// # Errors
    /// [`StartError`]; then nothing is left running.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        // 1. Room for connections, before the first descriptor of a reactor is made.
        raise_descriptor_limit();
        // Who asks while the rest starts is told so.
        let admin = admin::start(config.admin.as_ref())?;
        for broken in broken_promises(config, &HostFacts::read(Path::new("/"))) {
            tracing::warn!("{broken} (gatehouse doctor says more)");
        }
        // 2. The IM, one for all workers.
        let im = ImConfig::default();
        let im = Im::open(ImConfig {
            heartbeat_seconds: config.heartbeat_seconds().unwrap_or(im.heartbeat_seconds),
            server: SERVER.to_owned(),
            store: config.store.clone(),
            accounts: config.accounts.clone(),
            attachments: config.attachments.clone(),
            webhooks: config.webhooks.clone(),
        })?;
        if config.accounts.guests {
            tracing::info!("whoever gives a name is let in as a guest: see [accounts]");
        }
        if let Some(admin) = &admin {
            // It answers until the very end, and must not keep the store open.
            let im = Arc::downgrade(&im);
            admin.show(move || im.upgrade().map_or_else(Vec::new, |im| metrics::of_im(&im)));
        }
        match &config.store.location {
            Location::Memory => tracing::info!("messages are kept in memory: see [store]"),
            Location::Directory(directory) => {
                tracing::info!(path = %directory.display(), "the store is open");
            }
        }
        // 3. Its adapters, one of each in each worker.
        let reactor_config = ReactorConfig {
            private_fd_tables: config.private_fd_tables,
            ..Default::default()
        };
        let mut builder = Builder::new()
            .reactors(config.reactors)
            .workers(config.workers)
            .connections_max(config.connections_max)
            .mailbox_events_max(config.mailbox_events_max)
            .memory_bytes_max(config.memory_bytes_max)
            .context_bytes_max(config.context_bytes_max)
            .reactor_config(reactor_config);
        if let Some(admin) = &admin {
            let rest = Rest::new(Arc::clone(&im), Clients::Administrators);
            admin.mount(rest::ROOT, Administration(rest));
        }
        let shared = Arc::clone(&im);
        let rest = Rest::new(Arc::clone(&im), Clients::Users);
        let attachments = im.attachments().map(|service| {
            let (im, service) = (Arc::clone(&im), Arc::clone(service));
            let body_bytes_max = service.body_bytes_max();
            let make = move |gate: &GateHandle| {
                AttachmentModule::new(Arc::clone(&im), Arc::clone(&service), gate.clone())
            };
            (builder.module(Placement::Worker, make), body_bytes_max)
        });
        let modules = Modules {
            attachments,
            native: builder.module(Placement::Worker, move |_| Native::new(Arc::clone(&im))),
            rest: builder.module(Placement::Worker, move |_| rest.clone()),
        };
        // 4. Listeners, in the order of the configuration.
        let mut secured = Vec::new();
        for config in &config.listeners {
            let mut listener = build_listener(config, modules)?;
            if let Some(settings) = &config.tls {
                let server = load_tls(&config.name, settings)?;
                listener = listener.tls(server.clone());
                let listener = config.name.clone();
                secured.push(Secured { listener, server });
            }
            builder.listen(listener);
        }
        // 5. Addresses are bound, reactors and workers started, and only then is anyone accepted.
        let names: Vec<_> = config
            .listeners
            .iter()
            .map(|l| (l.addr, l.name.as_str()))
            .collect();
        let running = builder
            .start()
            .map_err(|error| StartError::new(error, &names))?;
        let listeners: Vec<_> = config
            .listeners
            .iter()
            .zip(running.addrs())
            .map(|(l, addr)| listening(l, *addr))
            .collect();
        for listener in &listeners {
            tracing::info!(
                name = listener.name,
                framing = listener.framing,
                "listening on {listener}"
            );
        }
        let outboxes = config.listeners.iter().map(|l| l.limits.outbox_bytes_max);
        let room = Room {
            memory_bytes: config.memory_bytes_max,
            outbox_bytes: outboxes.max().unwrap_or(0),
        };
        let node = Self {
            running,
            listeners,
            secured,
            room,
            admin: None,
            im: Some(shared),
        };
        Ok(node.watched_by(admin))
    }

    /// A node around a gate that was built elsewhere.
    pub(crate) fn around(
        running: RunningGate,
        listeners: Vec<Listening>,
        secured: Vec<Secured>,
    ) -> Self {
        let room = Room {
            memory_bytes: running.memory().limit(),
            outbox_bytes: common::limits::OUTBOX_BYTES_MAX,
        };
        Self {
            running,
            listeners,
            secured,
            room,
            admin: None,
            im: None,
        }
    }

    /// Shows the node on an admin listener, which stops with it.
    pub(crate) fn watched_by(mut self, admin: Option<Admin>) -> Self {
        if let Some(admin) = &admin {
            admin.ready(self.running.telemetry());
        }
        self.admin = admin;
        self
    }

    /// Where the dashboard is.
    #[must_use]
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Admin::addr)
    }

    /// Reads the certificates of every listener with TLS anew; `settings_of` says by name what they
    /// are now. Handshakes use them from here on, and connections that are open stay. What is wrong
    /// is logged, and that listener keeps what it has.
    pub fn reload_tls(&self, settings_of: impl Fn(&str) -> Option<TlsSettings>) {
        for Secured { listener, server } in &self.secured {
            let Some(settings) = settings_of(listener) else {
                tracing::error!(listener, "has no TLS any more, which takes a restart");
                continue;
            };
            match server.reload(&settings) {
                Ok(()) => tracing::info!(listener, "certificates reloaded"),
                Err(error) => tracing::error!(listener, %error, "{NOT_RELOADED}"),
            }
        }
    }

    /// Whether its reactors run.
    #[must_use]
    pub fn health(&self) -> &Health {
        self.running.handle().health()
    }

    /// What its memory allows.
    #[must_use]
    pub fn room(&self) -> Room {
        self.room
    }

    /// Where it listens, in the order of the configuration.
    #[must_use]
    pub fn listeners(&self) -> &[Listening] {
        &self.listeners
    }

    /// Stops as `drain` says, and logs how far it is.
    ///
    /// # Errors
    /// If threads had not ended a moment after its deadline; they are left behind.
    pub fn stop(self, drain: Drain) -> Result<(), StopError> {
        let stats = self.running.stats().to_vec();
        let connections = || stats.iter().map(|s| s.connections.get()).sum::<u64>();
        tracing::info!(
            connections = connections(),
            deadline_seconds = drain.seconds,
            per_second = drain.effective_rate(connections()),
            "stopping"
        );
        let started = Instant::now();
        // 1. The reactors close their listeners, so that nobody comes after those who are told.
        // 2. Every session is closed behind what waits in its outbox, at the rate that was asked
        //    for, and its module hears of the end.
        // 3. A reactor ends when its last connection has, or at the deadline; the workers end when
        //    they have dealt with all that the reactors sent.
        // 4. Webhooks are told what is left.
        // All but the last is the gate's; a thread waits for it here, since a module that never
        // returns would hold up its worker forever.
        let (ended, wait) = sync_channel(1);
        let Self {
            running, admin, im, ..
        } = self;
        if let Some(admin) = &admin {
            admin.draining();
        }
        thread::Builder::new()
            .name("stop".to_owned())
            .spawn(move || {
                running.drain(drain);
                // Nobody listens any more if this took too long.
                let _ = ended.send(());
            })
            .map_err(StopError::Thread)?;
        let deadline = started + Duration::from_secs(drain.seconds.into()) + GRACE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match wait.recv_timeout(left.min(PROGRESS)) {
                Ok(()) => {
                    if let Some(im) = im {
                        im.finish();
                    }
                    let seconds = started.elapsed().as_secs_f32();
                    tracing::info!(seconds, connections = connections(), "stopped");
                    // Until here whoever asked could see how far the others were.
                    if let Some(admin) = admin {
                        admin.stop();
                    }
                    return Ok(());
                }
                Err(RecvTimeoutError::Timeout) if left > PROGRESS => {
                    tracing::info!(connections = connections(), "still stopping");
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(StopError::Deadline {
                        seconds: drain.seconds,
                    });
                }
            }
        }
    }
}

/// Raises the limit of descriptors as far as it may be raised, and logs it. A server with a low
/// limit is still a server, so that what goes wrong is logged and no more.
pub(crate) fn raise_descriptor_limit() {
    match network::sys::raise_descriptor_limit() {
        Ok(limit) => tracing::info!(limit, "descriptors per table"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of descriptors"),
    }
}

fn build_listener(config: &ListenerConfig, modules: Modules) -> Result<Listener, StartError> {
    let listener = match config.speech {
        Speech::WebSocket { page } => {
            let listener = Listener::http(config.addr)
                .websocket(IM_PATH, modules.native)
                .requests(rest::ROOT, modules.rest)
                .origins(config.origins.clone())
                .health("/healthz");
            let listener = match modules.attachments {
                Some((module, body_bytes_max)) => listener
                    .uploads(rest::UPLOADS, body_bytes_max, module)
                    .requests(AttachmentModule::FILES, module),
                None => listener,
            };
            match &config.files {
                Some(folder) => listener.files("/", load_files(config, folder)?),
                None if page => listener.files("/", web::chat_files()),
                None => listener,
            }
        }
        Speech::Tcp(framing) => {
            let listener = Listener::tcp(config.addr, framing, modules.native);
            match framing {
                TcpFraming::Line(_) => listener.farewell(LINE_TOO_LONG),
                TcpFraming::Length(_) => listener,
            }
        }
    };
    let listener = match &config.compression {
        Some(deflate) => listener.compression(deflate.clone()),
        None => listener,
    };
    let listener = listener
        .named(&config.name)
        .limits(config.limits.clone())
        .trusted_proxies(config.trusted_proxies.clone())
        .options(config.options);
    Ok(if config.proxy_protocol {
        listener.proxy_protocol()
    } else {
        listener
    })
}

/// Reads the certificates of a listener.
pub(crate) fn load_tls(listener: &str, settings: &TlsSettings) -> Result<TlsServer, StartError> {
    TlsServer::load(settings).map_err(|error| StartError::Tls {
        listener: listener.to_owned(),
        error,
    })
}

/// How the addresses of a listener are written.
pub(crate) const fn scheme(websocket: bool, tls: bool) -> &'static str {
    match (websocket, tls) {
        (true, false) => "ws",
        (true, true) => "wss",
        (false, false) => "tcp",
        (false, true) => "tls+tcp",
    }
}

fn load_files(config: &ListenerConfig, folder: &Path) -> Result<Files, StartError> {
    let files = Files::load(folder, Files::BYTES_MAX).map_err(|error| StartError::Files {
        listener: config.name.clone(),
        error,
    })?;
    tracing::info!(
        listener = config.name,
        folder = %folder.display(),
        files = files.len(),
        "serving files"
    );
    Ok(files)
}

fn listening(config: &ListenerConfig, addr: SocketAddr) -> Listening {
    let name = config.name.clone();
    match config.speech {
        Speech::WebSocket { page } => Listening {
            name,
            addr,
            scheme: scheme(true, config.tls.is_some()),
            path: IM_PATH,
            framing: "websocket",
            page,
        },
        Speech::Tcp(framing) => {
            let framing = framing.name();
            Listening {
                name,
                addr,
                scheme: scheme(false, config.tls.is_some()),
                path: "",
                framing,
                page: false,
            }
        }
    }
}

/// A node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be listened on.
    #[error(
        "listener `{listener}` cannot listen on {addr}: {error}\n  {}",
        advice(error, *addr, OF_LISTENER)
    )]
    Listen {
        /// Name of the listener.
        listener: String,
        /// The address.
        addr: SocketAddr,
        /// What the host answered.
        #[source]
        error: io::Error,
    },
    /// The address of the admin listener could not be listened on.
    #[error(
        "the admin listener cannot listen on {addr}: {error}\n  {}",
        advice(error, *addr, "`listen` in [admin], --admin ADDR; --admin off does without")
    )]
    AdminListen {
        /// The address.
        addr: SocketAddr,
        /// What the host answered.
        #[source]
        error: io::Error,
    },
    /// The admin listener could not be started.
    #[error("the admin listener cannot be started: {0}")]
    Admin(#[source] AdminError),
    /// A certificate or key cannot be used.
    #[error("listener `{listener}`: {error}")]
    Tls {
        /// Name of the listener.
        listener: String,
        /// What is wrong with which file.
        #[source]
        error: TlsError,
    },
    /// The files that a listener is to serve could not be loaded.
    #[error("`files` of listener `{listener}`: {error}")]
    Files {
        /// Name of the listener.
        listener: String,
        /// What is wrong with them.
        #[source]
        error: FilesError,
    },
    /// The IM could not be opened: its store, or what tokens are checked with.
    #[error(transparent)]
    Im(#[from] OpenError),
    /// Something else.
    #[error(transparent)]
    Gate(GateError),
}

impl StartError {
    /// Names the listener that an error is about.
    pub(crate) fn new(error: GateError, listeners: &[(SocketAddr, &str)]) -> Self {
        match error {
            GateError::Listen { addr, error } => {
                let listener = listeners.iter().find(|listener| listener.0 == addr);
                let listener = listener.map_or("?", |listener| listener.1).to_owned();
                Self::Listen {
                    listener,
                    addr,
                    error,
                }
            }
            error => Self::Gate(error),
        }
    }
}

/// What sets the address of a listener.
const OF_LISTENER: &str = "`listen` of this listener, --listen, --tcp";

fn advice(error: &io::Error, addr: SocketAddr, set_by: &str) -> String {
    let port = addr.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another program has this port (`ss -ltnp sport = :{port}` shows which): stop it, or \
             choose another address ({set_by})"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "ports below 1024 need the right to bind them: choose a higher one than {port}, or \
             grant CAP_NET_BIND_SERVICE"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "no interface of this host has the address {}: `ip address` shows those there are; \
             0.0.0.0 and [::] stand for all of them",
            addr.ip()
        ),
        _ => "choose another address".to_owned(),
    }
}

/// A node has not stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The thread that waits could not be made.
    #[error("cannot start the thread that stops the others: {0}")]
    Thread(#[source] io::Error),
    /// Threads were still running a moment after the deadline.
    #[error("threads were still running after the deadline of {seconds} s")]
    Deadline {
        /// The deadline.
        seconds: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_where_a_browser_here_finds_it() {
        let at = |addr: &str| Listening {
            name: "web".to_owned(),
            addr: addr.parse().unwrap(),
            scheme: "ws",
            path: IM_PATH,
            framing: "websocket",
            page: true,
        };
        assert_eq!(at("0.0.0.0:80").page_url().unwrap(), "http://127.0.0.1:80/");
        assert_eq!(at("[::]:80").page_url().unwrap(), "http://[::1]:80/");
        assert_eq!(at("10.1.2.3:80").page_url().unwrap(), "http://10.1.2.3:80/");
        assert_eq!(
            at("[fe80::1]:80").page_url().unwrap(),
            "http://[fe80::1]:80/"
        );
        assert_eq!(at("10.1.2.3:80").to_string(), "ws://10.1.2.3:80/im");
        let secured = Listening {
            scheme: "wss",
            ..at("10.1.2.3:80")
        };
        assert_eq!(secured.page_url().unwrap(), "https://10.1.2.3:80/");
    }
}
