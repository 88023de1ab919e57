//! What a module is handed.

use std::net::SocketAddr;

use bytes::Bytes;
use common::{CloseReason, SessionId};
use network::codec::MessageKind;
use network::codec::http::Headers;
use network::{Drops, LastInput};

use crate::rate::Rate;

/// One message of a session.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// Whose message it is.
    pub session: SessionId,
    /// Whether it came as text or binary.
    pub kind: MessageKind,
    pub(crate) payload: EnvelopePayload<'a>,
}

#[derive(Debug)]
pub(crate) enum EnvelopePayload<'a> {
    /// In the reactor, straight from the read buffer.
    Borrowed(&'a [u8]),
    /// On a worker, or collected from several pieces.
    Owned(Bytes),
}

impl Envelope<'_> {
    /// The bytes of the message.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match &self.payload {
            EnvelopePayload::Borrowed(payload) => payload,
            EnvelopePayload::Owned(payload) => payload,
        }
    }

    /// Takes the bytes out: free on a worker, one allocation in the reactor.
    #[inline]
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.payload {
            EnvelopePayload::Borrowed(payload) => Bytes::copy_from_slice(payload),
            EnvelopePayload::Owned(payload) => payload,
        }
    }
}

/// How a session came to be.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// Name of the listener.
    pub listener: std::sync::Arc<str>,
    /// Address of the peer; where a trusted proxy says for whom it speaks, of that client. Its port
    /// is 0 if the proxy does not tell it.
    pub peer: SocketAddr,
    /// The certificate that the peer has shown and that was verified (DER), on a listener whose TLS
    /// asks for one.
    pub certificate: Option<Bytes>,
    /// How messages travel: text or binary is what a module should answer with.
    pub kind: MessageKind,
    /// Whether the framing tells the end of one message from the next by lines.
    pub lines: bool,
    /// Path of the WebSocket upgrade; empty on TCP.
    pub path: String,
    /// Query of the WebSocket upgrade, not decoded; empty on TCP.
    pub query: String,
    /// Header fields of the upgrade, as lines; empty on TCP.
    pub(crate) headers: Bytes,
}

impl Handshake {
    /// Header fields of the upgrade.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers::from_checked(&self.headers)
    }
}

/// An HTTP request, complete or with its body still to come; to be answered with
/// [`crate::Context::respond`].
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The connection that waits for the answer.
    pub session: SessionId,
    /// Address of the peer, as in [`Handshake::peer`].
    pub peer: SocketAddr,
    /// Method as it came.
    pub method: String,
    /// Path of the target.
    pub path: String,
    /// Query of the target, not decoded.
    pub query: String,
    /// The body; empty if it comes behind in pieces.
    pub body: Bytes,
    /// How fast the listener lets the messages of a session come. Requests have no session that
    /// could be held to it: that is for those who know whose they are.
    pub message_rate: Option<Rate>,
    pub(crate) headers: Bytes,
}

impl HttpRequest {
    /// Header fields.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers::from_checked(&self.headers)
    }
}

/// A piece of the body of a request.
#[derive(Clone, Debug)]
pub struct BodyPiece {
    /// The bytes, which count for the memory of the node as long as they are held. Only the last
    /// piece may be empty.
    pub bytes: Bytes,
    /// Whether the body ends with it; the connection then waits for its answer.
    pub last: bool,
}

/// What happened to a session, on its way to a worker.
#[derive(Debug)]
pub(crate) enum Event {
    Open(Box<Handshake>),
    Message(MessageKind, Bytes),
    Request(Box<HttpRequest>),
    Upload(Box<HttpRequest>),
    Body(BodyPiece),
    UploadLost(CloseReason),
    Limited,
    Drops(Drops),
    Drained,
    /// Comes back as a command once all events before it are dealt with.
    Fence(Fence),
    Close(CloseReason),
}

/// How a session ends once its replies are queued.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fence {
    /// Nothing more will be heard from the peer.
    Last(LastInput),
    /// It sends faster than it may, for too long.
    OverRate,
    /// The gate is drained.
    Drain(CloseReason),
}

/// An event with its address.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) session: SessionId,
    pub(crate) module: ModuleId,
    pub(crate) event: Event,
}

impl Parcel {
    /// Bytes of memory that it takes while it waits.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        let heap = match &self.event {
            Event::Message(_, payload) => payload.len(),
            Event::Open(handshake) => {
                size_of::<Handshake>()
                    + handshake.path.len()
                    + handshake.query.len()
                    + handshake.headers.len()
            }
            Event::Request(request) | Event::Upload(request) => {
                size_of::<HttpRequest>()
                    + request.path.len()
                    + request.query.len()
                    + request.headers.len()
                    + request.body.len()
            }
            _ => 0,
        };
        size_of::<Self>() + heap
    }
}

/// Which of the gate's modules; given by [`crate::Builder::module`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModuleId(pub(crate) u16);
