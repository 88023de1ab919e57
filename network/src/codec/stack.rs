//! The framing of one connection: HTTP that may become WebSocket, or one TCP framing. Static
//! dispatch over the codecs, and the encoding of what goes out.

use bytes::Bytes;

use super::http::{HttpCodec, HttpConfig, ResponseContext};
use super::tcp::{LengthCodec, LineCodec, LineConfig, TcpFraming, encode_line, encode_prefix};
use super::ws::handshake::ClientHandshake;
use super::ws::{self, Opcode, Role, WsCodec, WsConfig};
use super::{Codec, Decoded, Frame, Payload, ProtocolError};

/// What a connection speaks from its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// HTTP/1.1, until a request is upgraded to WebSocket.
    Http,
    /// WebSocket in the client role: this request for an upgrade, then frames.
    WebSocketClient {
        /// Value of the `Host` field.
        host: String,
        /// Path and query.
        target: String,
    },
    /// A TCP framing, the same in both directions.
    Tcp(TcpFraming),
}

/// Limits and options of every codec that a listener's connections can come to use.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// WebSocket.
    pub ws: WsConfig,
    /// HTTP/1.1.
    pub http: HttpConfig,
    /// The TCP framing; on other listeners it is not used.
    pub tcp: TcpFraming,
}

impl StackConfig {
    /// The defaults, with the settings of `framing` in their place.
    #[must_use]
    pub fn for_framing(framing: &Framing) -> Self {
        let tcp = match framing {
            Framing::Tcp(tcp) => *tcp,
            Framing::Http | Framing::WebSocketClient { .. } => {
                TcpFraming::Line(LineConfig::default())
            }
        };
        Self {
            ws: WsConfig::default(),
            http: HttpConfig::default(),
            tcp,
        }
    }
}

/// Whether a message is text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// How a message looks on the wire: connections of one wire form can be sent the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireForm {
    /// Unmasked WebSocket frames, as a server sends them.
    WebSocket,
    /// A TCP framing of this configuration.
    Tcp(TcpFraming),
}

/// Why a message cannot be put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The framing cannot carry this payload: too long or too short for it, or a line feed inside.
    #[error("the framing cannot carry this payload")]
    Unfit,
    /// The connection speaks HTTP and takes answers only.
    #[error("the connection speaks HTTP")]
    NoMessages,
}

impl WireForm {
    /// One message as it stands on the wire, for any number of receivers.
    ///
    /// # Errors
    /// [`EncodeError::Unfit`].
    pub fn encode(self, kind: MessageKind, payload: &[u8]) -> Result<Bytes, EncodeError> {
        let mut out = Vec::with_capacity(payload.len() + 14);
        encode_message(self, kind, payload, None, &mut out)?;
        Ok(out.into())
    }
}

fn encode_message(
    form: WireForm,
    kind: MessageKind,
    payload: &[u8],
    mask: Option<[u8; 4]>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    match form {
        WireForm::WebSocket => {
            ws::encode(opcode(kind), payload, mask, out);
            Ok(())
        }
        WireForm::Tcp(TcpFraming::Length(config)) => {
            let prefix = encode_prefix(&config, payload.len()).map_err(|_| EncodeError::Unfit)?;
            out.extend_from_slice(&prefix);
            out.extend_from_slice(payload);
            Ok(())
        }
        WireForm::Tcp(TcpFraming::Line(_)) => {
            encode_line(payload, out).map_err(|_| EncodeError::Unfit)
        }
    }
}

const fn opcode(kind: MessageKind) -> Opcode {
    match kind {
        MessageKind::Text => Opcode::Text,
        MessageKind::Binary => Opcode::Binary,
    }
}

/// The codec that a connection has now.
#[derive(Debug)]
pub(crate) enum Stack {
    /// HTTP/1.1, with what has to be remembered from a request until its answer.
    Http(HttpCodec, ResponseContext),
    /// WebSocket frames, either role.
    Ws(WsCodec),
    /// Client role, before the server has accepted.
    Upgrading(Box<ClientHandshake>),
    /// Length-prefixed payloads.
    Length,
    /// Lines.
    Line(LineCodec),
}

const _: () = assert!(size_of::<Stack>() <= 24);

impl Stack {
    /// The codec of a connection that has just begun. `nonce` is drawn only for a WebSocket client.
    pub(crate) fn new(framing: &Framing, nonce: impl FnOnce() -> [u8; 16]) -> Self {
        match framing {
            Framing::Http => Self::Http(HttpCodec::default(), ResponseContext::CLOSING),
            Framing::WebSocketClient { .. } => {
                Self::Upgrading(Box::new(ClientHandshake::new(nonce())))
            }
            Framing::Tcp(TcpFraming::Length(_)) => Self::Length,
            Framing::Tcp(TcpFraming::Line(_)) => Self::Line(LineCodec::default()),
        }
    }

    /// See [`Codec::decode`].
    #[inline]
    pub(crate) fn decode<'a>(
        &mut self,
        config: &StackConfig,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        match (self, &config.tcp) {
            (Self::Ws(codec), _) => codec.decode(&config.ws, input),
            (Self::Length, TcpFraming::Length(length)) => LengthCodec.decode(length, input),
            (Self::Line(codec), TcpFraming::Line(line)) => codec.decode(line, input),
            (Self::Length | Self::Line(_), _) => unreachable!("made from the same framing"),
            (Self::Http(codec, context), _) => {
                let refusing = ResponseContext::refusing(input);
                let decoded = codec.decode(&config.http, input).inspect_err(|_| {
                    *context = refusing;
                })?;
                if let Decoded::Frame {
                    frame: Frame::Request(request),
                    ..
                } = &decoded
                {
                    *context = ResponseContext::of(request);
                }
                Ok(decoded)
            }
            (this @ Self::Upgrading(_), _) => this.decode_answer(input),
        }
    }

    /// The server's answer to the request for an upgrade.
    fn decode_answer<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, ProtocolError> {
        let Self::Upgrading(handshake) = self else {
            return Ok(Decoded::Partial);
        };
        let Some(consumed) = handshake.decode(input)? else {
            return Ok(Decoded::Partial);
        };
        *self = Self::Ws(WsCodec::new(Role::Client));
        Ok(Decoded::Frame {
            consumed,
            frame: Frame::Upgraded,
        })
    }

    /// See [`Codec::mid_frame`].
    #[inline]
    pub(crate) fn mid_frame(&self) -> bool {
        match self {
            Self::Ws(codec) => codec.mid_frame(),
            Self::Line(codec) => codec.mid_frame(),
            Self::Http(codec, _) => codec.mid_frame(),
            Self::Length | Self::Upgrading(_) => false,
        }
    }

    /// Bytes of heap that the codec holds.
    #[inline]
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Ws(codec) => codec.held_bytes(),
            Self::Http(..) | Self::Upgrading(_) | Self::Length | Self::Line(_) => 0,
        }
    }

    /// Whether this is a TCP framing.
    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self, Self::Length | Self::Line(_))
    }

    /// The wire form of messages on this connection, if it takes messages.
    #[inline]
    pub(crate) fn wire_form(&self, config: &StackConfig) -> Option<WireForm> {
        match self {
            Self::Ws(_) => Some(WireForm::WebSocket),
            Self::Length | Self::Line(_) => Some(WireForm::Tcp(config.tcp)),
            Self::Http(..) | Self::Upgrading(_) => None,
        }
    }

    /// Appends one message. `mask` is asked for a key in the WebSocket client role.
    #[inline]
    pub(crate) fn encode(
        &self,
        config: &StackConfig,
        kind: MessageKind,
        payload: &[u8],
        mask: impl FnOnce() -> [u8; 4],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let form = self.wire_form(config).ok_or(EncodeError::NoMessages)?;
        encode_message(form, kind, payload, self.masks().then(mask), out)
    }

    /// Whether the request that is coming in waits for `100 Continue`; true once per request.
    pub(crate) fn take_continue(&mut self) -> bool {
        match self {
            Self::Http(codec, _) => codec.take_continue(),
            _ => false,
        }
    }

    /// The connection ends after the answer that it waits for.
    pub(crate) fn forget_keep_alive(&mut self) {
        if let Self::Http(_, context) = self {
            context.keep_alive = false;
        }
    }

    /// Whether what goes out is masked (RFC 6455 section 5.3).
    pub(crate) fn masks(&self) -> bool {
        matches!(self, Self::Ws(codec) if codec.role() == Role::Client)
    }
}

impl<'a> Frame<'a> {
    /// The kind and payload of a frame that is a message.
    #[must_use]
    pub fn into_message(self) -> Option<(MessageKind, Payload<'a>)> {
        match self {
            Frame::Text(payload) => Some((MessageKind::Text, payload)),
            Frame::Binary(payload) => Some((MessageKind::Binary, payload)),
            _ => None,
        }
    }
}
