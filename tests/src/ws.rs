//! A WebSocket client that can also misbehave.

use std::net::SocketAddr;

use network::codec::ws::{self, Inflater, Opcode, Role, WsCodec, WsConfig};
use network::codec::{Codec, Decoded, Frame};

use crate::Script;

/// The key of every mask that these clients use; any would do.
const MASK: [u8; 4] = [0x5a, 0x01, 0xff, 0x77];
/// The nonce of RFC 6455 section 1.3.
const NONCE: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What a server answers to it.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What came, in a form that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WsFrame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame: its code and reason; 1005 and nothing if it has none.
    Close(u16, String),
}

/// A client on a [`Script`], whose bytes can still be sent as they are.
#[derive(Debug)]
pub struct WsClient {
    /// The bytes below.
    pub script: Script,
    codec: WsCodec,
    inflater: Inflater,
    /// Messages that came compressed.
    pub compressed: usize,
    /// What the server has answered to the offer of compression.
    pub extensions: Option<String>,
}

/// A request for an upgrade of `path`.
#[must_use]
pub fn upgrade_request(path: &str) -> String {
    upgrade_request_with(path, "host: test\r\n")
}

/// A request for an upgrade of `path` with these lines, of which one is the host.
#[must_use]
pub fn upgrade_request_with(path: &str, lines: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\n{lines}upgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {NONCE}\r\n\r\n"
    )
}

/// A request for an upgrade of `path` that offers these extensions.
#[must_use]
pub fn offering_request(path: &str, extensions: &str) -> String {
    let field = format!("sec-websocket-extensions: {extensions}\r\n\r\n");
    let request = upgrade_request(path);
    let lines = request
        .strip_suffix("\r\n")
        .expect("an empty line at the end");
    format!("{lines}{field}")
}

/// One masked frame of a client whose payload is compressed.
#[must_use]
pub fn compressed_frame(opcode: Opcode, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = frame(opcode, payload);
    bytes[0] |= 0x40;
    bytes
}

/// One masked frame of a client, complete.
#[must_use]
pub fn frame(opcode: Opcode, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    ws::encode(opcode, payload.as_ref(), Some(MASK), &mut bytes);
    bytes
}

/// One masked fragment of a client.
#[must_use]
pub fn fragment(opcode: Opcode, payload: impl AsRef<[u8]>, fin: bool) -> Vec<u8> {
    let mut bytes = frame(opcode, payload);
    if !fin {
        bytes[0] &= 0x7f;
    }
    bytes
}

/// The header of a masked frame that announces `length` bytes, without any of them.
#[must_use]
pub fn header(opcode: Opcode, length: usize) -> Vec<u8> {
    ws::encode_header(opcode, length, Some(MASK)).to_vec()
}

impl WsClient {
    /// Connects and upgrades.
    ///
    /// # Panics
    /// If the upgrade is refused.
    #[must_use]
    pub fn open(addr: SocketAddr, path: &str) -> Self {
        Self::upgrade(Script::connect(addr), path)
    }

    /// Connects and upgrades, offering these extensions. The client does without context takeover.
    ///
    /// # Panics
    /// If the upgrade is refused.
    #[must_use]
    pub fn offering(addr: SocketAddr, path: &str, extensions: &str) -> Self {
        let mut script = Script::connect(addr);
        script.send(offering_request(path, extensions));
        Self::accepted(script)
    }

    /// Upgrades a connection.
    ///
    /// # Panics
    /// If the upgrade is refused.
    #[must_use]
    pub fn upgrade(mut script: Script, path: &str) -> Self {
        script.send(upgrade_request(path));
        Self::accepted(script)
    }

    /// Goes on after the request for the upgrade was sent.
    ///
    /// # Panics
    /// If it is refused.
    #[must_use]
    pub fn accepted(mut script: Script) -> Self {
        let reply = script.reply();
        assert_eq!(reply.status, 101, "the upgrade is accepted");
        assert_eq!(reply.header("sec-websocket-accept"), Some(ACCEPT));
        let extensions = reply.header("sec-websocket-extensions").map(str::to_owned);
        let codec = match extensions {
            Some(_) => WsCodec::with_deflate(Role::Client, 15),
            None => WsCodec::new(Role::Client),
        };
        Self {
            script,
            codec,
            inflater: Inflater::default(),
            compressed: 0,
            extensions,
        }
    }

    /// Sends a text message.
    pub fn send(&mut self, text: impl AsRef<str>) {
        self.script.send(frame(Opcode::Text, text.as_ref()));
    }

    /// Sends a binary message.
    pub fn send_binary(&mut self, payload: impl AsRef<[u8]>) {
        self.script.send(frame(Opcode::Binary, payload));
    }

    /// Sends a close frame.
    pub fn send_close(&mut self, code: u16) {
        let mut bytes = Vec::new();
        ws::encode_close(code, "", Some(MASK), &mut bytes);
        // The server may be gone by now, which is what a close is for.
        let _ = self.script.try_send(bytes);
    }

    /// The next frame, or `None` at the end of the stream, be it a reset.
    ///
    /// # Panics
    /// If nothing comes, or what comes is no frame of a server.
    #[must_use]
    pub fn poll(&mut self) -> Option<WsFrame> {
        loop {
            if let Some(frame) = self.decode() {
                return Some(frame);
            }
            match self.script.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) if crate::script::is_reset(&error) => return None,
                Err(error) => panic!("{error} instead of a frame"),
            }
        }
    }

    fn decode(&mut self) -> Option<WsFrame> {
        let config = WsConfig {
            message_bytes_max: usize::MAX,
            ..WsConfig::default()
        };
        loop {
            let compressed = self
                .script
                .pending
                .first()
                .is_some_and(|byte| byte & 0x40 != 0);
            let begins = !self.codec.mid_frame();
            let decoded = self
                .codec
                .decode_with(&config, &mut self.inflater, &mut self.script.pending)
                .expect("the server keeps to the framing");
            if begins && compressed && !matches!(decoded, Decoded::Partial) {
                self.compressed += 1;
            }
            let (consumed, frame) = match decoded {
                Decoded::Partial => return None,
                Decoded::Skip(consumed) => (consumed, None),
                Decoded::Frame { consumed, frame } => (consumed, Some(owned(frame))),
            };
            self.script.pending.drain(..consumed);
            if frame.is_some() {
                return frame;
            }
        }
    }

    /// The next frame.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn take_frame(&mut self) -> WsFrame {
        self.poll().expect("a frame before the end of the stream")
    }

    /// The next message, which must be text; pings are answered.
    ///
    /// # Panics
    /// If it is something else.
    #[must_use]
    pub fn text(&mut self) -> String {
        loop {
            match self.take_frame() {
                WsFrame::Text(text) => return text,
                WsFrame::Ping(payload) => self.script.send(frame(Opcode::Pong, payload)),
                other => panic!("expected text and not {other:?}"),
            }
        }
    }

    /// Checks the next message.
    ///
    /// # Panics
    /// If it is another.
    pub fn expect(&mut self, text: &str) {
        assert_eq!(self.text(), text);
    }

    /// Sends a message and checks that it comes back before anything else.
    pub fn ask(&mut self, text: &str, answer: &str) {
        self.send(text);
        self.expect(answer);
    }

    /// Checks that the next frame closes with this code, answers it, and sees the end.
    ///
    /// # Panics
    /// If it does not.
    pub fn expect_close(&mut self, code: u16) {
        match self.take_frame() {
            WsFrame::Close(sent, _) => assert_eq!(sent, code),
            other => panic!("expected a close and not {other:?}"),
        }
        self.send_close(code);
        self.expect_gone();
    }

    /// Checks that nothing comes but the end of the stream.
    ///
    /// # Panics
    /// If something does.
    pub fn expect_gone(&mut self) {
        assert_eq!(self.poll(), None);
    }

    /// Closes in order and sees the end.
    ///
    /// # Panics
    /// If the server does not echo the close, or ends with a reset.
    pub fn close(mut self) {
        self.send_close(1000);
        loop {
            match self.take_frame() {
                WsFrame::Ping(_) => {}
                frame => {
                    assert_eq!(frame, WsFrame::Close(1000, String::new()));
                    break;
                }
            }
        }
        self.script.expect_end();
    }
}

fn owned(frame: Frame<'_>) -> WsFrame {
    match frame {
        Frame::Text(payload) => {
            WsFrame::Text(String::from_utf8(payload.to_vec()).expect("the codec has checked it"))
        }
        Frame::Binary(payload) => WsFrame::Binary(payload.to_vec()),
        Frame::Ping(payload) => WsFrame::Ping(payload.to_vec()),
        Frame::Pong(payload) => WsFrame::Pong(payload.to_vec()),
        Frame::Close(Some(close)) => WsFrame::Close(close.code, close.reason.to_owned()),
        Frame::Close(None) => WsFrame::Close(1005, String::new()),
        other => panic!("no frame of WebSocket: {other:?}"),
    }
}
