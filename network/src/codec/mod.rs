//! Sans-I/O framings: bytes in, frames out, and back. Nothing here knows a socket or reads a clock.
//!
//! ```text
//!   bytes ──▶ Codec::decode ──▶ Decoded { Partial | Skip(n) | Frame }
//!   Frame ──▶ encode        ──▶ bytes appended to an outbox
//! ```
//!
//! A frame that arrived whole borrows the caller's buffer, unmasked in place. A message that came
//! in pieces is collected by the codec and handed up as an owned buffer ([`Payload::Owned`]), so a
//! frame never borrows from the codec and an idle codec owns no heap.

pub mod http;
pub mod tcp;
pub mod ws;

mod error;
mod plain;
mod stack;

use bytes::{Bytes, BytesMut};

pub use error::ProtocolError;
pub(crate) use plain::PlainForm;
pub(crate) use stack::Stack;
pub use stack::{EncodeError, Framing, MessageKind, StackConfig, WireForm};

/// Bytes that a framing can put before a payload, at most: the longest header of a WebSocket frame.
pub(crate) const HEADER_BYTES_MAX: usize = 14;

/// One framing's state for one connection: a machine from bytes to frames.
pub trait Codec {
    /// Limits and options, shared by all connections of a listener and passed to each call, so that
    /// a connection does not carry a pointer to them.
    type Config;

    /// Takes what it can from the front of `input`; may unmask in place what it consumes.
    ///
    /// The caller repeats the call with the rest of the buffer until it gets [`Decoded::Partial`],
    /// keeps the bytes left over, and passes them again in front of those that follow. An empty
    /// `input` is allowed and gives `Partial`.
    ///
    /// # Errors
    /// What the peer broke. The stream position is lost: the caller decodes no further.
    fn decode<'a>(
        &mut self,
        config: &Self::Config,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError>;

    /// Whether a unit has begun that is not complete yet (a fragmented message, a body): bytes
    /// which the codec holds itself, beside those that it left to the caller with `Partial`.
    fn mid_frame(&self) -> bool;
}

/// What one call of [`Codec::decode`] found.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// Nothing complete at the front; the bytes stay with the caller until more have come.
    Partial,
    /// So many bytes were taken in (part of a longer unit, or nothing of interest). `0 < n <= len`.
    Skip(usize),
    /// One complete frame, which took this many bytes from the front.
    Frame {
        /// Bytes taken from the front of the input; `0 < consumed <= len`.
        consumed: usize,
        /// The frame.
        frame: Frame<'a>,
    },
}

/// One complete unit that a codec hands up.
#[derive(Debug)]
pub enum Frame<'a> {
    /// A WebSocket text message, or one line of a line framing. The payload is valid UTF-8 if it
    /// came from WebSocket; a line is handed up as it came.
    Text(Payload<'a>),
    /// A WebSocket binary message, or one length-prefixed payload.
    Binary(Payload<'a>),
    /// WebSocket ping, 0 to 125 bytes.
    Ping(&'a [u8]),
    /// WebSocket pong, 0 to 125 bytes.
    Pong(&'a [u8]),
    /// WebSocket close, with the code and reason that the peer gave.
    Close(Option<CloseFrame<'a>>),
    /// A complete HTTP/1.1 request, body included.
    Request(http::Request<'a>),
    /// An HTTP/1.1 request whose body comes behind it in pieces.
    RequestHead(http::Request<'a>),
    /// A piece of the body of the last request.
    RequestBody(http::BodyPart<'a>),
    /// Client role only: the server has accepted the upgrade.
    Upgraded,
}

/// The payload of a WebSocket close frame (RFC 6455 section 5.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Close code, already checked to be one that may stand on the wire (section 7.4).
    pub code: u16,
    /// UTF-8, at most 123 bytes.
    pub reason: &'a str,
}

/// The bytes of a frame: a slice of the read buffer, or a buffer of its own if it came in pieces.
#[derive(Debug)]
pub enum Payload<'a> {
    /// Borrowed from the buffer that was decoded.
    Borrowed(&'a mut [u8]),
    /// Collected from several pieces.
    Owned(BytesMut),
}

impl Payload<'_> {
    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Payload::Borrowed(slice) => slice,
            Payload::Owned(buffer) => buffer,
        }
    }

    /// Takes the bytes out: one allocation and copy for a borrowed payload, none for an owned one.
    #[inline]
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Payload::Borrowed(slice) => Bytes::copy_from_slice(slice),
            Payload::Owned(buffer) => buffer.freeze(),
        }
    }
}

impl std::ops::Deref for Payload<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}
