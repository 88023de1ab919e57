//! What a listener is told.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use common::limits;
use network::codec::http::{Response, StreamedRequests};
use network::codec::tcp::TcpFraming;
use network::codec::ws::DeflateConfig;
use network::codec::{Framing, StackConfig};
use network::sys::ListenOptions;
use network::tls::{Tls, TlsServer};
use network::{Overflow, Profile};

use crate::envelope::ModuleId;
use crate::files::{Files, Site};
use crate::http::{Route, Router, UPLOADING};
use crate::origin::Origins;
use crate::proxy::TrustedProxies;
use crate::rate::Rate;

/// Limits of the connections of one listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections_max: usize,
    /// Connections at once from one client address (IPv6: one /64).
    pub connections_per_address_max: usize,
    /// Bytes of a WebSocket message. TCP framings have their own limit.
    pub message_bytes_max: usize,
    /// Bytes of an HTTP request body.
    pub body_bytes_max: usize,
    /// Messages per session; `None` for no limit.
    pub message_rate: Option<Rate>,
    /// Bytes that may wait to be written to one connection.
    pub outbox_bytes_max: usize,
    /// What happens beyond that.
    pub overflow: Overflow,
    /// Seconds until the upgrade, or the first complete frame.
    pub handshake_seconds: u32,
    /// Seconds from the first byte of a frame to its last.
    pub frame_seconds: u32,
    /// Seconds until a session must be bound to a user; 0 for no limit.
    pub auth_seconds: u32,
    /// Seconds without a sign of life until a session is asked for one; after as many more it is
    /// closed. 0 for never.
    pub idle_seconds: u32,
    /// Seconds that a close may take.
    pub close_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: usize::MAX,
            connections_per_address_max: usize::MAX,
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
            body_bytes_max: limits::BODY_BYTES_MAX,
            message_rate: None,
            outbox_bytes_max: 4 * limits::OUTBOX_BYTES_MAX,
            overflow: Overflow::Close,
            handshake_seconds: limits::HANDSHAKE_SECONDS,
            frame_seconds: limits::FRAME_SECONDS,
            auth_seconds: 0,
            idle_seconds: limits::IDLE_SECONDS,
            close_seconds: limits::CLOSE_SECONDS,
        }
    }
}

/// An address to listen on, what is spoken there, and who answers.
#[derive(Clone, Debug)]
pub struct Listener {
    pub(crate) name: Arc<str>,
    pub(crate) addr: SocketAddr,
    pub(crate) framing: Framing,
    /// Who gets the messages of a TCP framing.
    pub(crate) module: Option<ModuleId>,
    pub(crate) router: Router,
    pub(crate) streamed: Vec<StreamedRequests>,
    pub(crate) limits: Limits,
    pub(crate) options: ListenOptions,
    pub(crate) compression: Option<DeflateConfig>,
    pub(crate) farewell: Option<Bytes>,
    pub(crate) origins: Origins,
    pub(crate) tls: Option<TlsServer>,
    pub(crate) proxy_protocol: bool,
    pub(crate) trusted_proxies: TrustedProxies,
}

impl Listener {
    /// HTTP/1.1 and WebSocket on one port.
    #[must_use]
    pub fn http(addr: SocketAddr) -> Self {
        Self::new(addr, Framing::Http, "http")
    }

    /// A TCP framing; its messages go to `module`.
    #[must_use]
    pub fn tcp(addr: SocketAddr, framing: TcpFraming, module: ModuleId) -> Self {
        let name = framing.name();
        let mut listener = Self::new(addr, Framing::Tcp(framing), name);
        listener.module = Some(module);
        listener
    }

    fn new(addr: SocketAddr, framing: Framing, name: &str) -> Self {
        Self {
            name: name.into(),
            addr,
            framing,
            module: None,
            router: Router::default(),
            streamed: Vec::new(),
            limits: Limits::default(),
            options: ListenOptions::default(),
            compression: None,
            farewell: None,
            origins: Origins::default(),
            tls: None,
            proxy_protocol: false,
            trusted_proxies: TrustedProxies::default(),
        }
    }

    /// Name in logs and metrics; by default what is spoken.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Accepts WebSocket upgrades of `path`; `*` stands for every path. Messages go to `module`.
    #[must_use]
    pub fn websocket(mut self, path: &str, module: ModuleId) -> Self {
        self.router.add(path, Route::WebSocket(module));
        self
    }

    /// Hands HTTP requests whose path begins with `prefix` to `module`.
    #[must_use]
    pub fn requests(mut self, prefix: &str, module: ModuleId) -> Self {
        self.router.add(prefix, Route::Requests(module));
        self
    }

    /// Hands POST requests of `path` to `module` as they come: the head first
    /// ([`crate::Module::on_upload`]), and the body behind it in pieces, so that it may be longer
    /// than memory. Requests without a body come as others do. Other methods are for a route whose
    /// prefix fits, which should be shorter.
    #[must_use]
    pub fn uploads(mut self, path: &str, body_bytes_max: u64, module: ModuleId) -> Self {
        self.router.add(path, Route::Uploads(module));
        self.streamed.push(StreamedRequests {
            method: UPLOADING,
            path: path.to_owned(),
            body_bytes_max,
        });
        self
    }

    /// Answers GET and HEAD of `path` with 200 while all reactors of the gate run, and with 503 and
    /// the reason once one has failed.
    #[must_use]
    pub fn health(mut self, path: &str) -> Self {
        self.router.add(path, Route::Health);
        self
    }

    /// Answers GET and HEAD of `path` with this response, in the reactor.
    #[must_use]
    pub fn page(mut self, path: &str, response: Response) -> Self {
        self.router.add(path, Route::Page(Arc::new(response)));
        self
    }

    /// Answers GET and HEAD of the paths below `prefix` with files. Routes of longer paths come
    /// first.
    #[must_use]
    pub fn files(mut self, prefix: &str, files: Files) -> Self {
        let prefix = format!("{}/", prefix.trim_end_matches('/'));
        let site = Arc::new(Site::new(files));
        self.router.add(&prefix, Route::Files(site));
        self
    }

    /// Says from whose pages browsers may open WebSockets; from this server's own by default.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the options of the listening socket.
    #[must_use]
    pub fn options(mut self, options: ListenOptions) -> Self {
        self.options = options;
        self
    }

    /// Compresses WebSocket messages (permessage-deflate) for clients that offer it; without this
    /// nothing is. The memory for contexts is that of [`crate::Builder::context_bytes_max`],
    /// whatever budget stands in `deflate`.
    #[must_use]
    pub fn compression(mut self, deflate: DeflateConfig) -> Self {
        self.compression = Some(deflate);
        self
    }

    /// Encoded bytes that are sent before the close when a peer breaks a TCP framing.
    #[must_use]
    pub fn farewell(mut self, bytes: impl Into<Bytes>) -> Self {
        self.farewell = Some(bytes.into());
        self
    }

    /// Secures the connections. Keep a clone to reload the certificates while the gate runs.
    #[must_use]
    pub fn tls(mut self, tls: TlsServer) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Demands of every connection that it begins with the header by which a proxy says for whom it
    /// speaks (PROXY protocol, version 1 or 2), before TLS if there is any. Who is none of
    /// [`Listener::trusted_proxies`] is refused.
    #[must_use]
    pub fn proxy_protocol(mut self) -> Self {
        self.proxy_protocol = true;
        self
    }

    /// Sets whose word about the address of a client is taken; by default nobody's.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// Whether a peer at this address says in its requests for whom they are, so that it is those
    /// clients who are counted and not the peer.
    pub(crate) fn speaks_for_others(&self, peer: IpAddr) -> bool {
        self.framing == Framing::Http && self.trusted_proxies.contains(peer)
    }

    pub(crate) fn profile(&self) -> Profile {
        let limits = &self.limits;
        let mut stack = StackConfig::for_framing(&self.framing);
        stack.ws.message_bytes_max = limits.message_bytes_max;
        stack.ws.deflate = self.compression.clone();
        stack.http.body_bytes_max = limits.body_bytes_max;
        stack.http.streamed = self.streamed.clone();
        let mut profile = Profile::new(self.framing.clone());
        profile.stack = stack;
        profile.handshake_seconds = limits.handshake_seconds;
        profile.frame_seconds = limits.frame_seconds;
        profile.idle_seconds = limits.idle_seconds;
        profile.close_seconds = limits.close_seconds;
        profile.outbox_bytes_max = limits.outbox_bytes_max;
        profile.overflow = limits.overflow;
        profile.farewell = self.farewell.clone();
        profile.tls = self.tls.clone().map(Tls::Server);
        profile.proxy_protocol = self.proxy_protocol;
        profile
    }
}
