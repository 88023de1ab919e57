//! The framing of one connection: HTTP that may become WebSocket, or one TCP framing. Static
//! dispatch over the codecs, and the encoding of what goes out.

use bytes::Bytes;

use super::http::{HttpCodec, HttpConfig, ResponseContext};
use super::plain::PlainForm;
use super::tcp::{LengthCodec, LineCodec, LineConfig, TcpFraming, encode_line};
use super::ws::handshake::ClientHandshake;
use super::ws::{
    self, Agreement, Contexts, DeflateForm, DeflateParams, Deflaters, Inflater, Opcode, Role,
    WsCodec, WsConfig,
};
use super::{Codec, Decoded, Frame, HEADER_BYTES_MAX, Payload, ProtocolError};

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
    /// The same, compressed where that pays; each message by itself, whatever the connection's
    /// contexts are.
    WebSocketDeflated(DeflateForm),
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
    /// The plainest form that has the same bytes for a message of this length.
    #[must_use]
    pub const fn for_length(self, payload_bytes: usize) -> Self {
        match self {
            Self::WebSocketDeflated(form) if !form.applies_to(payload_bytes) => Self::WebSocket,
            form => form,
        }
    }

    /// One message as it stands on the wire, for any number of receivers.
    ///
    /// # Errors
    /// [`EncodeError::Unfit`].
    pub fn encode(
        self,
        kind: MessageKind,
        payload: &[u8],
        deflaters: &mut Deflaters,
    ) -> Result<Bytes, EncodeError> {
        let mut out = Vec::new();
        if let Self::WebSocketDeflated(form) = self.for_length(payload.len())
            && let Some(compressed) = deflaters.compress(form, payload)
        {
            ws::encode_compressed(opcode(kind), compressed, None, &mut out);
            return Ok(out.into());
        }
        out.reserve(payload.len() + HEADER_BYTES_MAX);
        encode_message(self, kind, payload, None, &mut out)?;
        Ok(out.into())
    }
}

/// Appends one message, not compressed.
fn encode_message(
    form: WireForm,
    kind: MessageKind,
    payload: &[u8],
    mask: Option<[u8; 4]>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    match form {
        WireForm::WebSocket | WireForm::WebSocketDeflated(_) => {
            ws::encode(opcode(kind), payload, mask, out);
            Ok(())
        }
        WireForm::Tcp(TcpFraming::Length(config)) => {
            if config.encode(payload, out) {
                Ok(())
            } else {
                Err(EncodeError::Unfit)
            }
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
    /// WebSocket frames whose compression goes on from message to message, in one direction at
    /// least.
    WsInContext(Box<WsInContext>),
    /// Client role, before the server has accepted.
    Upgrading(Box<Upgrading>),
    /// Length-prefixed payloads.
    Length,
    /// Lines.
    Line(LineCodec),
}

const _: () = assert!(size_of::<Stack>() <= 24);

/// A WebSocket codec and what its connection alone compresses with.
#[derive(Debug)]
pub(crate) struct WsInContext {
    codec: WsCodec,
    contexts: Contexts,
}

/// A client's upgrade, and what it has set aside in case its offer is accepted.
#[derive(Debug)]
pub(crate) struct Upgrading {
    handshake: ClientHandshake,
    contexts: Contexts,
}

impl Upgrading {
    fn new(config: &WsConfig, nonce: [u8; 16]) -> Self {
        let mut this = Self {
            handshake: ClientHandshake::new(nonce),
            contexts: Contexts::default(),
        };
        if let Some(deflate) = &config.deflate {
            let (offer, contexts) = deflate.offer();
            this.handshake = this.handshake.offering(offer);
            this.contexts = contexts;
        }
        this
    }

    /// Appends the request; see [`ClientHandshake::write_request`].
    pub(crate) fn write_request(&self, host: &str, target: &str, out: &mut Vec<u8>) {
        self.handshake.write_request(host, target, &[], out);
    }
}

impl Stack {
    /// The codec of a connection that has just begun. `nonce` is drawn only for a WebSocket client.
    pub(crate) fn new(
        framing: &Framing,
        config: &StackConfig,
        nonce: impl FnOnce() -> [u8; 16],
    ) -> Self {
        match framing {
            Framing::Http => Self::Http(HttpCodec::default(), ResponseContext::CLOSING),
            Framing::WebSocketClient { .. } => {
                Self::Upgrading(Box::new(Upgrading::new(&config.ws, nonce())))
            }
            Framing::Tcp(TcpFraming::Length(_)) => Self::Length,
            Framing::Tcp(TcpFraming::Line(_)) => Self::Line(LineCodec::default()),
        }
    }

    /// The codec of a server's connection that was upgraded with these extensions.
    pub(crate) fn accepted(
        config: &WsConfig,
        offer: Option<DeflateParams>,
    ) -> (Self, Option<DeflateParams>) {
        match (&config.deflate, offer) {
            (Some(deflate), Some(offer)) => {
                let (answer, agreement) = deflate.accept(&offer);
                (Self::compressing(Role::Server, agreement), Some(answer))
            }
            _ => (Self::Ws(WsCodec::new(Role::Server)), None),
        }
    }

    fn compressing(role: Role, agreement: Agreement) -> Self {
        let codec = WsCodec::with_deflate(role, agreement.send_bits);
        let contexts = agreement.contexts;
        if contexts.is_empty() {
            Self::Ws(codec)
        } else {
            Self::WsInContext(Box::new(WsInContext { codec, contexts }))
        }
    }

    /// A message that needs nothing but to be unwrapped, if one stands whole at the front of
    /// `input`: how many bytes it takes, and itself. `None` says nothing about what is there
    /// instead, and leaves it as it was.
    #[inline]
    pub(crate) fn decode_whole<'a>(
        &self,
        config: &StackConfig,
        input: &'a mut [u8],
    ) -> Option<(usize, MessageKind, &'a mut [u8])> {
        match (self, &config.tcp) {
            (Self::Ws(codec), _) if codec.awaits_message() => {
                ws::decode_whole(config.ws.message_bytes_max, input)
            }
            (Self::Length, TcpFraming::Length(length)) => {
                let (consumed, payload) = length.decode_whole(input)?;
                Some((consumed, MessageKind::Binary, payload))
            }
            _ => None,
        }
    }

    /// See [`Codec::decode`]. A frame may borrow from `inflater` in place of the input.
    #[inline]
    pub(crate) fn decode<'a>(
        &mut self,
        config: &StackConfig,
        inflater: &'a mut Inflater,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        match (self, &config.tcp) {
            (Self::Ws(codec), _) => codec.decode_with(&config.ws, inflater, input),
            (Self::WsInContext(ws), _) => match &mut ws.contexts.receive {
                Some(context) => ws
                    .codec
                    .decode_in_context(&config.ws, context, inflater, input),
                None => ws.codec.decode_with(&config.ws, inflater, input),
            },
            (Self::Length, TcpFraming::Length(length)) => LengthCodec.decode(length, input),
            (Self::Line(codec), TcpFraming::Line(line)) => codec.decode(line, input),
            (Self::Length | Self::Line(_), _) => unreachable!("made from the same framing"),
            (Self::Http(codec, context), _) => {
                // What stands in a body says nothing about the request.
                let refusing = match codec.is_streaming() {
                    true => ResponseContext::CLOSING,
                    false => ResponseContext::refusing(input),
                };
                let decoded = codec.decode(&config.http, input).inspect_err(|_| {
                    *context = refusing;
                })?;
                if let Decoded::Frame {
                    frame: Frame::Request(request) | Frame::RequestHead(request),
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
        let Self::Upgrading(upgrading) = self else {
            return Ok(Decoded::Partial);
        };
        let Some(answer) = upgrading.handshake.decode(input)? else {
            return Ok(Decoded::Partial);
        };
        *self = match answer.deflate {
            Some(deflate) => {
                let contexts = std::mem::take(&mut upgrading.contexts);
                Self::compressing(Role::Client, Agreement::of_answer(&deflate, contexts))
            }
            None => Self::Ws(WsCodec::new(Role::Client)),
        };
        Ok(Decoded::Frame {
            consumed: answer.bytes,
            frame: Frame::Upgraded,
        })
    }

    /// See [`Codec::mid_frame`].
    #[inline]
    pub(crate) fn mid_frame(&self) -> bool {
        match self {
            Self::Ws(codec) => codec.mid_frame(),
            Self::WsInContext(ws) => ws.codec.mid_frame(),
            Self::Line(codec) => codec.mid_frame(),
            Self::Http(codec, _) => codec.mid_frame(),
            Self::Length | Self::Upgrading(_) => false,
        }
    }

    /// Bytes of heap that the codec holds for input. Contexts of compression are accounted where
    /// they are granted.
    #[inline]
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Ws(codec) => codec.held_bytes(),
            Self::WsInContext(ws) => ws.codec.held_bytes(),
            Self::Http(..) | Self::Upgrading(_) | Self::Length | Self::Line(_) => 0,
        }
    }

    /// Whether this is a TCP framing.
    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self, Self::Length | Self::Line(_))
    }

    /// Whether messages go both ways, and no requests and answers.
    #[inline]
    pub(crate) const fn is_framed(&self) -> bool {
        !matches!(self, Self::Http(..) | Self::Upgrading(_))
    }

    /// The form in which messages go both ways, as far as there is nothing to them but a header.
    #[inline]
    pub(crate) fn plain_form(&self, config: &StackConfig) -> Option<PlainForm> {
        match (self, &config.tcp) {
            (Self::Ws(codec), _) if codec.role() == Role::Server => {
                let sent_bytes_max = match ws_form(codec, &config.ws) {
                    WireForm::WebSocketDeflated(form) => form.plain_bytes_max(),
                    _ => usize::MAX,
                };
                let taken_bytes_max = config.ws.message_bytes_max;
                Some(PlainForm::websocket(taken_bytes_max, sent_bytes_max))
            }
            (Self::Length, TcpFraming::Length(length)) => Some(PlainForm::length(*length)),
            _ => None,
        }
    }

    /// The wire form of messages on this connection, if it takes messages.
    #[inline]
    pub(crate) fn wire_form(&self, config: &StackConfig) -> Option<WireForm> {
        match self {
            Self::Ws(codec) => Some(ws_form(codec, &config.ws)),
            Self::WsInContext(ws) => Some(ws_form(&ws.codec, &config.ws)),
            Self::Length | Self::Line(_) => Some(WireForm::Tcp(config.tcp)),
            Self::Http(..) | Self::Upgrading(_) => None,
        }
    }

    /// Appends one message. `mask` is asked for a key in the WebSocket client role. What is `sure`
    /// to be written, and cannot be dropped while it waits, may go through the connection's own
    /// compressor.
    #[inline]
    pub(crate) fn encode(
        &mut self,
        config: &StackConfig,
        deflaters: &mut Deflaters,
        (kind, payload): (MessageKind, &[u8]),
        sure: bool,
        mask: impl FnOnce() -> [u8; 4],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let form = self.wire_form(config).ok_or(EncodeError::NoMessages)?;
        let mask = self.masks().then(mask);
        if let WireForm::WebSocketDeflated(form) = form.for_length(payload.len())
            && let Some(compressed) = self.compress(form, deflaters, payload, sure)
        {
            ws::encode_compressed(opcode(kind), compressed, mask, out);
            return Ok(());
        }
        encode_message(form, kind, payload, mask, out)
    }

    /// The compressed form of `payload`, if it pays to send that.
    #[inline(never)]
    fn compress<'a>(
        &mut self,
        form: DeflateForm,
        deflaters: &'a mut Deflaters,
        payload: &[u8],
        sure: bool,
    ) -> Option<&'a [u8]> {
        if let Self::WsInContext(ws) = self
            && let Some(context) = &mut ws.contexts.send
        {
            if sure {
                return context.compress(form, payload, &mut deflaters.scratch);
            }
            context.forget();
        }
        deflaters.compress(form, payload)
    }

    /// These bytes, encoded for many, are sent on this connection too.
    #[inline]
    pub(crate) fn note_shared(&mut self, encoded: &[u8]) {
        if let Self::WsInContext(ws) = self
            && let Some(context) = &mut ws.contexts.send
            && ws::is_compressed(encoded)
        {
            context.forget();
        }
    }

    /// Whether this is WebSocket, after the upgrade.
    #[inline]
    pub(crate) const fn is_ws(&self) -> bool {
        matches!(self, Self::Ws(_) | Self::WsInContext(_))
    }

    /// Whether the request that is coming in waits for `100 Continue`; true once per request.
    pub(crate) fn take_continue(&mut self) -> bool {
        match self {
            Self::Http(codec, _) => codec.take_continue(),
            _ => false,
        }
    }

    /// Whether the body of a request is handed up in pieces and has not ended.
    pub(crate) const fn is_receiving(&self) -> bool {
        matches!(self, Self::Http(codec, _) if codec.is_streaming())
    }

    /// Whether an answer goes out in pieces and is not whole.
    pub(crate) const fn is_answering(&self) -> bool {
        matches!(self, Self::Http(codec, _) if codec.answer_left().is_some())
    }

    /// Bytes of a body that have come since this was last asked.
    pub(crate) fn take_progress(&mut self) -> u64 {
        match self {
            Self::Http(codec, _) => codec.take_progress(),
            _ => 0,
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
        match self {
            Self::Ws(codec) => codec.role() == Role::Client,
            Self::WsInContext(ws) => ws.codec.role() == Role::Client,
            _ => false,
        }
    }
}

#[inline]
fn ws_form(codec: &WsCodec, config: &WsConfig) -> WireForm {
    match (codec.send_bits(), &config.deflate) {
        (Some(bits), Some(deflate)) => WireForm::WebSocketDeflated(deflate.form(bits)),
        _ => WireForm::WebSocket,
    }
}

impl<'a> Frame<'a> {
    /// A message.
    #[inline]
    #[must_use]
    pub const fn message(kind: MessageKind, payload: Payload<'a>) -> Self {
        match kind {
            MessageKind::Text => Frame::Text(payload),
            MessageKind::Binary => Frame::Binary(payload),
        }
    }

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
