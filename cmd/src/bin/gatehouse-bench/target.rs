//! Where the load goes: parsed, resolved, allowed, and tried once before it begins.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use network::Profile;
use network::codec::tcp::TcpFraming;
use network::codec::ws::handshake::ClientHandshake;
use network::codec::{Framing, MessageKind, ProtocolError};
use network::tls::{ALPN_HTTP, Tls, TlsClient};
use rustls::{ClientConnection, StreamOwned};

use crate::options::Common;
use crate::units;

/// Time in which a close is to be answered: as much as a connect may take by default. A server that
/// shares its cores with the load gets behind when all leave at once.
pub(crate) const CLOSE_SECONDS: u32 = 15;

/// One server address and what is spoken there.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As it was typed.
    pub(crate) url: String,
    pub(crate) addr: SocketAddr,
    pub(crate) framing: Framing,
    pub(crate) tls: Option<TlsClient>,
}

/// Resolves the targets that were typed, or `default` if there are none.
pub(crate) fn resolve(common: &Common, default: &[&str]) -> anyhow::Result<Vec<Target>> {
    let mut urls: Vec<&str> = common.targets.iter().map(String::as_str).collect();
    if urls.is_empty() {
        urls.extend(default);
    }
    if urls.is_empty() {
        bail!(
            "no --target given, for example --target ws://127.0.0.1:9001/\n\
             An echo server on that port: gatehouse echo --listen 127.0.0.1:9001"
        );
    }
    let targets = urls
        .into_iter()
        .map(|url| Target::parse(url, common))
        .collect::<anyhow::Result<Vec<_>>>()?;
    for target in &targets {
        if !target.addr.ip().is_loopback() && !common.allow_remote {
            bail!(
                "{} is {}, which is not a loopback address.\n\
                 Thousands of connections to a host that does not expect them are an attack, so \
                 this needs your word:\nadd --allow-remote if the host is yours, or you have leave \
                 to load it.",
                target.url,
                target.addr.ip()
            );
        }
    }
    Ok(targets)
}

impl Target {
    fn parse(url: &str, common: &Common) -> anyhow::Result<Self> {
        let (scheme, rest) = url.split_once("://").with_context(|| {
            format!("target {url:?} has no scheme: ws://host:port/path or tcp://host:port")
        })?;
        let (plain, secured) = match scheme {
            "wss" => ("ws", true),
            "tls+tcp" => ("tcp", true),
            scheme => (scheme, false),
        };
        let (authority, path) = rest
            .find('/')
            .map_or((rest, ""), |slash| rest.split_at(slash));
        let (framing, port) = match plain {
            "ws" => {
                let path = path.split('#').next().unwrap_or_default();
                if path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
                    bail!("target {url:?}: blanks in a path have to be written as %20");
                }
                let target = if path.is_empty() { "/" } else { path }.to_owned();
                (
                    Framing::WebSocketClient {
                        host: authority.to_owned(),
                        target,
                    },
                    if secured { ":443" } else { ":80" },
                )
            }
            "tcp" if path.is_empty() || path == "/" => {
                let framing = TcpFraming::named(&common.framing).ok_or_else(|| {
                    anyhow!(
                        "--framing {:?} is none of len1, len2be, len2le, len4be, len4le, ndjson",
                        common.framing
                    )
                })?;
                (Framing::Tcp(framing), "")
            }
            "tcp" => bail!("target {url:?}: a {scheme}:// target has no path"),
            _ => bail!("target {url:?}: {scheme} is none of ws, wss, tcp, tls+tcp"),
        };
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.ends_with(']'));
        let endpoint = if has_port {
            authority.to_owned()
        } else {
            format!("{authority}{port}")
        };
        let addr = endpoint
            .to_socket_addrs()
            .with_context(|| format!("target {url:?}: cannot resolve {endpoint:?}"))?
            .next()
            .with_context(|| format!("target {url:?}: {endpoint:?} has no address"))?;
        let tls = secured
            .then(|| trust(&endpoint, &framing, common))
            .transpose()
            .with_context(|| format!("target {url:?}"))?;
        Ok(Self {
            url: url.to_owned(),
            addr,
            framing,
            tls,
        })
    }

    /// Makes sure that payloads of `bytes` can travel.
    pub(crate) fn fit(&mut self, bytes: usize) -> anyhow::Result<()> {
        let Framing::Tcp(framing) = &mut self.framing else {
            return Ok(());
        };
        if bytes > framing.frame_bytes_max() as usize {
            *framing = u32::try_from(bytes)
                .ok()
                .and_then(|bytes| framing.with_frame_bytes(1, bytes).ok())
                .ok_or_else(|| {
                    anyhow!(
                        "{} carries payloads of up to {} bytes; --size {bytes} needs another \
                         --framing",
                        framing.name(),
                        framing.frame_bytes_max()
                    )
                })?;
        }
        Ok(())
    }

    /// How the connections to it behave; `outbox_bytes` may wait in one.
    pub(crate) fn profile(&self, common: &Common, bytes: usize, outbox: usize) -> Profile {
        let handshake = common.handshake_timeout;
        let mut profile = Profile::new(self.framing.clone());
        profile.tls = self.tls.clone().map(Tls::Client);
        profile.handshake_seconds = handshake.as_secs_f64().ceil().max(1.0) as u32;
        profile.close_seconds = CLOSE_SECONDS;
        // The client has no opinion about silence.
        profile.idle_seconds = 24 * 3600;
        // Above half of its limit a connection would stop reading, and so would the load.
        profile.outbox_bytes_max = profile.outbox_bytes_max.max(4 * outbox);
        let ws = &mut profile.stack.ws;
        ws.message_bytes_max = ws.message_bytes_max.max(2 * bytes);
        ws.deflate = common.deflate.config();
        profile
    }

    /// Whether a connection is ready only after an upgrade.
    pub(crate) fn upgrades(&self) -> bool {
        matches!(self.framing, Framing::WebSocketClient { .. })
    }

    /// Whether payloads have to be printable.
    pub(crate) fn is_lines(&self) -> bool {
        matches!(self.framing, Framing::Tcp(TcpFraming::Line(_)))
    }

    /// Connects once and tries the upgrade, so that what is wrong is said before thousands of
    /// connections find it.
    pub(crate) fn probe(&self, timeout: Duration) -> anyhow::Result<()> {
        let timeout = timeout.max(Duration::from_millis(100));
        let socket = TcpStream::connect_timeout(&self.addr, timeout)
            .map_err(|error| self.explain(&error))?;
        let until = Instant::now() + timeout;
        let mut stream = self.secure(socket, timeout)?;
        let Framing::WebSocketClient { host, target } = &self.framing else {
            return Ok(());
        };

        let handshake = ClientHandshake::new(rand::random());
        let mut request = Vec::new();
        handshake.write_request(host, target, &[], &mut request);
        let mut answer = Vec::new();
        let mut exchange = || -> io::Result<Result<(), ProtocolError>> {
            stream.write_all(&request)?;
            loop {
                match handshake.decode(&answer) {
                    Ok(None) => {}
                    Ok(Some(_)) => return Ok(Ok(())),
                    Err(error) => return Ok(Err(error)),
                }
                let left = until.saturating_duration_since(Instant::now());
                stream.wait_for(left)?;
                let mut piece = [0; 2048];
                match stream.read(&mut piece)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    n => answer.extend_from_slice(&piece[..n]),
                }
            }
        };
        match exchange() {
            Ok(Ok(())) => {
                // A masked, empty close frame with code 1000 (RFC 6455 section 5.5.1): the server
                // need not log a broken connection. If it is gone by now, the load will tell.
                let _ = stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
                Ok(())
            }
            Ok(Err(ProtocolError::BadUpgradeAnswer(status))) if status != 101 => bail!(
                "{} answers the upgrade to WebSocket with HTTP status {status}.\n\
                 Is the path right? Does the server limit connections or origins?",
                self.url
            ),
            Ok(Err(error)) => bail!(
                "{} accepts connections, but does not answer as a WebSocket server: {error}.\n\
                 If it speaks a TCP framing, use tcp://{} with --framing.",
                self.url,
                self.addr
            ),
            Err(error) => {
                let how = match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                        format!("does not answer it within {}", units::duration(timeout))
                    }
                    _ => format!("ends the connection instead of answering it ({error})"),
                };
                bail!(
                    "{} is asked for the upgrade to WebSocket and {how}.\n\
                     If it speaks a TCP framing, use tcp://{} with --framing.",
                    self.url,
                    self.addr
                )
            }
        }
    }

    /// Makes the TLS handshake, if there is to be one.
    fn secure(&self, socket: TcpStream, timeout: Duration) -> anyhow::Result<Link> {
        let Some(tls) = &self.tls else {
            return Ok(Link::Plain(socket));
        };
        let conn = ClientConnection::new(tls.config(), tls.server_name())?;
        let mut stream = StreamOwned::new(conn, socket);
        stream.sock.set_read_timeout(Some(timeout))?;
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| {
                anyhow!(
                    "{} accepts connections, but the TLS handshake fails: {error}.\n\
                     A certificate that is not trusted: --ca FILE names who may have signed it.\n\
                     A server without TLS: ws:// and tcp:// in place of wss:// and tls+tcp://.",
                    self.url
                )
            })?;
        }
        Ok(Link::Secured(Box::new(stream)))
    }

    fn explain(&self, error: &io::Error) -> anyhow::Error {
        let Self { url, addr, .. } = self;
        match error.kind() {
            io::ErrorKind::ConnectionRefused => anyhow!(
                "nothing listens at {addr} (connection refused).\n\
                 Start the server first, or correct --target {url}.\n\
                 The IM server: gatehouse serve. An echo server: gatehouse echo --listen {addr}"
            ),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => anyhow!(
                "{addr} does not answer: a firewall drops the packets, or the host is down.\n\
                 Correct --target {url}, or give it more --handshake-timeout."
            ),
            _ => anyhow!("cannot connect to {addr} ({url}): {error}"),
        }
    }
}

/// Whom a target's connections trust.
fn trust(endpoint: &str, framing: &Framing, common: &Common) -> anyhow::Result<TlsClient> {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let offered: &[&[u8]] = match framing {
        Framing::Tcp(_) => &[],
        Framing::Http | Framing::WebSocketClient { .. } => &[ALPN_HTTP],
    };
    Ok(match &common.ca {
        Some(ca) => TlsClient::trusting(ca, host, offered)?,
        None if common.insecure => TlsClient::accepting_any_certificate(host, offered)?,
        None => bail!(
            "who is trusted? --ca FILE names the authorities, --insecure trusts anybody (for load \
             tests only)"
        ),
    })
}

/// A blocking connection.
enum Link {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Link {
    /// Waits so long for what is read next.
    fn wait_for(&self, time: Duration) -> io::Result<()> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Secured(stream) => &stream.sock,
        };
        socket.set_read_timeout(Some(time.max(Duration::from_millis(1))))
    }
}

impl Read for Link {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Secured(stream) => stream.read(into),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Secured(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Secured(stream) => stream.flush(),
        }
    }
}

/// The kind of message to send: lines and the native protocol are text.
pub(crate) const fn kind(text: bool) -> MessageKind {
    if text {
        MessageKind::Text
    } else {
        MessageKind::Binary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use clap::Parser as _;

    fn targets(arguments: &[&str]) -> anyhow::Result<Vec<Target>> {
        let all = ["gatehouse-bench", "connect"].iter().chain(arguments);
        resolve(&Options::try_parse_from(all)?.common, &[])
    }

    #[test]
    fn urls_are_read() {
        let parsed = targets(&["-t", "ws://127.0.0.1:9/a?b=c", "-t", "tcp://[::1]:10"]).unwrap();
        assert_eq!(
            parsed[0].framing,
            Framing::WebSocketClient {
                host: "127.0.0.1:9".into(),
                target: "/a?b=c".into()
            }
        );
        assert!(parsed[1].addr.is_ipv6() && !parsed[1].upgrades());
        assert_eq!(
            targets(&["-t", "ws://127.0.0.1"]).unwrap()[0].addr.port(),
            80
        );
        let secured = [
            "-t",
            "wss://127.0.0.1",
            "-t",
            "tls+tcp://[::1]:10",
            "--insecure",
        ];
        let parsed = targets(&secured).unwrap();
        assert_eq!(parsed[0].addr.port(), 443);
        assert!(parsed.iter().all(|target| target.tls.is_some()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for bad in [
            "127.0.0.1:9",
            "wss://127.0.0.1/",
            "tls://127.0.0.1:1",
            "tls+tcp://127.0.0.1:1/x",
            "tcp://127.0.0.1",
            "tcp://127.0.0.1:1/x",
        ] {
            assert!(targets(&["-t", bad]).is_err(), "{bad}");
        }
        assert!(targets(&[]).is_err());
        let missing = ["-t", "wss://127.0.0.1/", "--ca", "/does/not/exist"];
        assert!(targets(&missing).is_err());
        assert!(targets(&["-t", "tcp://127.0.0.1:1", "--framing", "len3"]).is_err());
    }

    #[test]
    fn remote_targets_need_a_word() {
        let remote = ["-t", "ws://192.0.2.1:80/"];
        assert!(
            targets(&remote)
                .unwrap_err()
                .to_string()
                .contains("--allow-remote")
        );
        assert!(targets(&[&remote[..], &["--allow-remote"]].concat()).is_ok());
    }
}
