//! An echo server on the framework, for conformance runs and load tests.

use std::net::SocketAddr;

use gate::admin::AdminConfig;
use gate::{
    ALPN_HTTP_VERSIONS, Builder, CertificateFiles, Context, Envelope, HttpRequest, Limits,
    Listener, Message, MessageKind, Module, Origins, Placement, Response, TcpFraming, TlsSettings,
    TopicId,
};
use network::codec::tcp::Prefix;

use crate::admin;
use crate::compression::Deflate;
use crate::node::{Listening, Node, Secured, StartError, load_tls, raise_descriptor_limit, scheme};

/// Messages that an outbox holds at least, each of the largest size.
const OUTBOX_MESSAGES: usize = 4;
/// What the WebSocket listener is called.
const WEBSOCKET: &str = "websocket";
/// Where a request says what all sessions are to get.
const BROADCAST_PATH: &str = "/broadcast";
/// Least bytes of an outbox.
const OUTBOX_BYTES_MIN: usize = 64 * 1024 * 1024;

/// What an echo server is made of.
#[derive(Clone, Debug)]
pub struct EchoConfig {
    /// Address of the WebSocket listener, which takes every path.
    pub listen: SocketAddr,
    /// Address and framing of the TCP listener, if there is to be one.
    pub tcp: Option<(SocketAddr, TcpFraming)>,
    /// Where the echo runs.
    pub placement: Placement,
    /// Reactor threads; 0 for the default.
    pub reactors: usize,
    /// Worker threads; 0 for the default.
    pub workers: usize,
    /// Bytes of the largest message.
    pub message_bytes_max: usize,
    /// How WebSocket messages are compressed.
    pub deflate: Deflate,
    /// Where metrics and the dashboard are, if they are to be anywhere.
    pub admin: Option<AdminConfig>,
    /// Whether the body of a POST to `/broadcast` goes to every session.
    pub broadcast: bool,
    /// Seconds without a sign of life until a session is asked for one.
    pub idle_seconds: u32,
    /// Certificate and key of all listeners, if they are to be secured.
    pub tls: Option<CertificateFiles>,
}

impl EchoConfig {
    /// What the listener of this framing is secured with.
    #[must_use]
    pub fn tls_settings(&self, framing: &str) -> Option<TlsSettings> {
        let alpn = ALPN_HTTP_VERSIONS.iter().map(|name| name.to_vec());
        self.tls.clone().map(|files| TlsSettings {
            certificates: vec![files],
            alpn: alpn.filter(|_| framing == WEBSOCKET).collect(),
            ..TlsSettings::default()
        })
    }
}

/// The framing of this name, taking payloads up to `bytes_max` or up to what its length can count.
#[must_use]
pub fn framing(name: &str, bytes_max: usize) -> Option<TcpFraming> {
    let framing = TcpFraming::named(name)?;
    let countable = match framing {
        TcpFraming::Length(config) => match config.prefix() {
            Prefix::One => u8::MAX.into(),
            Prefix::Two => u16::MAX.into(),
            Prefix::Four => u32::MAX,
        },
        TcpFraming::Line(_) => u32::MAX,
    };
    let bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX).min(countable);
    framing.with_frame_bytes(1, bytes_max).ok()
}

/// Sends every message back as it came, and answers every request with its body.
struct Echo {
    placement: Placement,
    broadcast: bool,
}

impl Echo {
    /// Sends the body of a request to every session there is.
    fn broadcast(context: &mut Context<'_>, request: &HttpRequest) -> Response {
        if request.method != "POST" {
            return Response::new(405).with_header("allow", "POST");
        }
        let kind = if std::str::from_utf8(&request.body).is_ok() {
            MessageKind::Text
        } else {
            MessageKind::Binary
        };
        context.publish(TopicId::ALL, Message::new(kind, request.body.clone()));
        // It is on its way; nobody waits until the last session has it.
        Response::new(202)
    }
}

impl Module for Echo {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        let (session, kind) = (envelope.session, envelope.kind);
        match self.placement {
            Placement::Reactor => context.send(session, kind, envelope.payload()),
            // The bytes are the worker's own already; sending them on saves a copy.
            Placement::Worker => {
                context.send_message(session, Message::new(kind, envelope.into_bytes()));
            }
        }
    }

    fn on_request(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        let response = if self.broadcast && request.path == BROADCAST_PATH {
            Self::broadcast(context, &request)
        } else {
            Response::new(200).with_body("application/octet-stream", request.body.clone())
        };
        context.respond(request.session, response);
    }
}

/// Starts an echo server; when this returns, its listeners accept.
///
/// # Errors
/// [`StartError`]; then nothing is left running.
pub fn start(config: &EchoConfig) -> Result<Node, StartError> {
    raise_descriptor_limit();
    let admin = admin::start(config.admin.as_ref())?;
    let (placement, broadcast) = (config.placement, config.broadcast);
    let mut builder = Builder::new()
        .reactors(config.reactors)
        .workers(config.workers)
        .context_bytes_max(Deflate::CONTEXT_BYTES);
    let echo = builder.module(placement, move |_| Echo {
        placement,
        broadcast,
    });
    let limits = Limits {
        message_bytes_max: config.message_bytes_max,
        body_bytes_max: config.message_bytes_max,
        outbox_bytes_max: config
            .message_bytes_max
            .saturating_mul(OUTBOX_MESSAGES)
            .max(OUTBOX_BYTES_MIN),
        idle_seconds: config.idle_seconds,
        ..Limits::default()
    };
    // Whatever it echoes is nobody's secret, and load tests come from pages of anywhere.
    let mut http = Listener::http(config.listen)
        .websocket("*", echo)
        .requests("/", echo)
        .origins(Origins::any());
    if let Some(deflate) = config.deflate.config() {
        http = http.compression(deflate);
    }
    let mut all = vec![(http, config.listen, WEBSOCKET)];
    if let Some((addr, framing)) = config.tcp {
        let name = framing.name();
        all.push((Listener::tcp(addr, framing, echo), addr, name));
    }
    let (mut names, mut secured) = (Vec::new(), Vec::new());
    for (mut listener, addr, name) in all {
        if let Some(settings) = config.tls_settings(name) {
            let server = load_tls(name, &settings)?;
            listener = listener.tls(server.clone());
            let listener = name.to_owned();
            secured.push(Secured { listener, server });
        }
        builder.listen(listener.named(name).limits(limits.clone()));
        names.push((addr, name));
    }
    let running = builder
        .start()
        .map_err(|error| StartError::new(error, &names))?;
    let listeners = names
        .iter()
        .zip(running.addrs())
        .map(|((_, framing), addr)| Listening {
            name: (*framing).to_owned(),
            addr: *addr,
            scheme: scheme(*framing == WEBSOCKET, config.tls.is_some()),
            path: "",
            framing,
            page: false,
        });
    let listeners = listeners.collect();
    Ok(Node::around(running, listeners, secured).watched_by(admin))
}
