//! WebSocket, RFC 6455: frames in and out for both roles. The upgrade that comes before them is
//! [`handshake`].
//!
//! ```text
//!   input   [ header 2..=14 | payload ............ | next frame ]
//!             checked         unmasked in place
//!
//!   whole, unfragmented ──▶ Frame borrowing the input, no allocation (the usual one: whole.rs)
//!   anything longer     ──▶ Assembly: bytes copied as they come ──▶ Frame owning them
//!   compressed, either  ──▶ inflated when it is complete ──▶ Frame borrowing the Inflater
//! ```

mod close;
mod context;
mod deflate;
mod extension;
pub mod handshake;
mod header;
pub(crate) mod mask;
#[cfg(test)]
mod tests;
pub(crate) mod utf8;
mod whole;

use bytes::BytesMut;
use common::limits;

use crate::codec::{Codec, Decoded, Frame, Payload, ProtocolError};

pub use close::encode_close;
pub use context::{ContextBudget, INFLATE_CONTEXT_BYTES, deflate_context_bytes};
pub(crate) use context::{Contexts, ReceiveContext};
pub(crate) use deflate::Agreement;
pub use deflate::{DeflateConfig, DeflateForm, Deflaters, Inflater};
use deflate::{Inflate, InflateWith};
pub use extension::DeflateParams;
use header::FrameHeader;
pub use header::{Header, Opcode};
pub(crate) use whole::{decode_whole, encode_whole, write_whole};

/// Which end of the connection this is. It decides which way frames are masked (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes masked frames, sends plain ones.
    Server,
    /// Takes plain frames, sends masked ones.
    Client,
}

/// Limits of a listener's WebSocket connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WsConfig {
    /// Largest message in bytes, all fragments together; default 1 MiB. A peer that sends a message
    /// slowly makes its connection hold up to twice this, since the buffer grows by doubling. A
    /// compressed message may be no longer than this before nor after it is inflated.
    pub message_bytes_max: usize,
    /// Most fragments of one message, empty ones included; default 2^20. An unfragmented message
    /// counts none.
    pub fragments_max: u32,
    /// Compression (RFC 7692), for peers that know it too; default none.
    pub deflate: Option<DeflateConfig>,
}

impl Default for WsConfig {
    fn default() -> Self {
        Self {
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
            fragments_max: limits::FRAGMENTS_MAX,
            deflate: None,
        }
    }
}

/// The receiving side of one WebSocket connection, owned by that connection.
///
/// It holds heap memory only while a message is under way that did not arrive whole. Nothing may be
/// decoded after a [`Frame::Close`] or an error: the codec does not remember either.
#[derive(Debug)]
pub struct WsCodec {
    role: Role,
    /// Present if permessage-deflate was negotiated: the largest window that the peer allows.
    send_bits: Option<u8>,
    /// Present from the first byte of a message that did not arrive whole until its last.
    assembly: Option<Box<Assembly>>,
}

/// Idle connections dominate memory, and each has one of these.
const _: () = assert!(size_of::<WsCodec>() <= 16);

impl WsCodec {
    /// An idle codec.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            send_bits: None,
            assembly: None,
        }
    }

    /// Bytes of heap behind a message that is not complete.
    pub(crate) fn held_bytes(&self) -> usize {
        self.assembly.as_ref().map_or(0, |assembly| {
            size_of::<Assembly>() + assembly.buffer.capacity()
        })
    }

    /// An idle codec of a connection on which permessage-deflate was negotiated. `send_bits` is the
    /// largest window that the peer allows, 8 to 15.
    #[must_use]
    pub const fn with_deflate(role: Role, send_bits: u8) -> Self {
        Self {
            role,
            send_bits: Some(send_bits),
            assembly: None,
        }
    }

    /// The largest window that the peer allows, if permessage-deflate was negotiated.
    #[inline]
    #[must_use]
    pub const fn send_bits(&self) -> Option<u8> {
        self.send_bits
    }

    /// Whether a message from the front of the input on would be one that the other end of a
    /// server's connection begins there.
    #[inline]
    pub(crate) fn awaits_message(&self) -> bool {
        self.role == Role::Server && self.assembly.is_none()
    }

    /// The end of the connection that this codec serves.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// As [`Codec::decode`], with what compressed messages are inflated with: each by itself, so
    /// that one [`Inflater`] serves any number of connections. Such a message is handed up as a
    /// slice of it.
    ///
    /// # Errors
    /// Beside what a codec without compression finds, `BadDeflate`, and `FrameTooLarge` as soon as
    /// a message is inflated to more than the limit.
    #[inline]
    pub fn decode_with<'a>(
        &mut self,
        config: &WsConfig,
        inflater: &'a mut Inflater,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        let inflate = Inflate {
            with: InflateWith::Shared(&mut inflater.shared),
            scratch: &mut inflater.scratch,
        };
        self.step(config, Some(inflate), input)
    }

    /// As [`decode_with`](Self::decode_with), for a peer whose compressor goes on from message to
    /// message.
    pub(crate) fn decode_in_context<'a>(
        &mut self,
        config: &WsConfig,
        context: &mut ReceiveContext,
        inflater: &'a mut Inflater,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        let inflate = Inflate {
            with: InflateWith::Own(context),
            scratch: &mut inflater.scratch,
        };
        self.step(config, Some(inflate), input)
    }

    #[inline]
    fn step<'a>(
        &mut self,
        config: &WsConfig,
        inflate: Option<Inflate<'_, 'a>>,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        if input.is_empty() {
            return Ok(Decoded::Partial);
        }
        if let Some(assembly) = self.assembly.take_if(|assembly| assembly.outstanding > 0) {
            return self.collect(config, inflate, assembly, 0, input);
        }

        let collected = self.assembly.as_ref().map(|assembly| assembly.buffer.len());
        let compresses = self.send_bits.is_some() && inflate.is_some();
        let parsed = FrameHeader::parse(self.role, collected.is_some(), compresses, input)?;
        let Some(header) = parsed else {
            return Ok(Decoded::Partial);
        };
        let whole = header.payload_len <= (input.len() - header.size) as u64;
        if header.opcode.is_control() {
            return if whole {
                decode_control(&header, input)
            } else {
                Ok(Decoded::Partial)
            };
        }

        let total = header.payload_len + collected.unwrap_or(0) as u64;
        if total > config.message_bytes_max as u64 {
            return Err(ProtocolError::FrameTooLarge(total));
        }
        if !whole || !header.fin || collected.is_some() {
            let mut assembly = self
                .assembly
                .take()
                .unwrap_or_else(|| Box::new(Assembly::new(&header)));
            assembly.begin_fragment(&header, config)?;
            return self.collect(config, inflate, assembly, header.size, input);
        }

        let consumed = header.size + header.payload_len as usize;
        let mut payload = &mut input[header.size..consumed];
        if let Some(key) = header.mask {
            mask::apply(key, payload);
        }
        if header.compressed {
            payload = inflated(inflate, payload, config)?;
        }
        let frame = if header.opcode == Opcode::Text {
            utf8::check(payload)?;
            Frame::Text(Payload::Borrowed(payload))
        } else {
            Frame::Binary(Payload::Borrowed(payload))
        };
        Ok(Decoded::Frame { consumed, frame })
    }

    /// Takes in payload behind `header_bytes`, and hands up the message if that was its last.
    ///
    /// The codec is left without an assembly when the message is complete or broken.
    #[inline(never)]
    fn collect<'a>(
        &mut self,
        config: &WsConfig,
        inflate: Option<Inflate<'_, 'a>>,
        mut assembly: Box<Assembly>,
        header_bytes: usize,
        input: &mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        let payload = &mut input[header_bytes..];
        let len = payload.len().min(assembly.outstanding);
        assembly.take_in(&mut payload[..len])?;

        let consumed = header_bytes + len;
        if assembly.is_complete() {
            let frame = if assembly.compressed {
                let message = inflated(inflate, &assembly.buffer, config)?;
                if assembly.text {
                    utf8::check(message)?;
                }
                message_frame(assembly.text, Payload::Borrowed(message))
            } else {
                message_frame(assembly.text, Payload::Owned(assembly.buffer))
            };
            return Ok(Decoded::Frame { consumed, frame });
        }
        self.assembly = Some(assembly);
        Ok(Decoded::Skip(consumed))
    }
}

impl Codec for WsCodec {
    type Config = WsConfig;

    #[inline]
    fn decode<'a>(
        &mut self,
        config: &WsConfig,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        self.step(config, None, input)
    }

    fn mid_frame(&self) -> bool {
        self.assembly.is_some()
    }
}

/// The message whose compressed form is `payload`. The header's parser lets no compressed frame
/// through where there is nothing to inflate it with.
#[inline(never)]
fn inflated<'a>(
    inflate: Option<Inflate<'_, 'a>>,
    payload: &[u8],
    config: &WsConfig,
) -> Result<&'a mut [u8], ProtocolError> {
    let inflate = inflate.ok_or(ProtocolError::ReservedBits(header::RSV1))?;
    inflate.run(payload, config.message_bytes_max)
}

const fn message_frame(text: bool, payload: Payload<'_>) -> Frame<'_> {
    if text {
        Frame::Text(payload)
    } else {
        Frame::Binary(payload)
    }
}

/// Hands up a control frame that is there as a whole (section 5.5). It may stand between the
/// fragments of a message, so it leaves the assembly alone.
#[inline(never)]
fn decode_control<'a>(
    header: &FrameHeader,
    input: &'a mut [u8],
) -> Result<Decoded<'a>, ProtocolError> {
    debug_assert!(header.opcode.is_control());
    let consumed = header.size + header.payload_len as usize;
    let payload = &mut input[header.size..consumed];
    if let Some(key) = header.mask {
        mask::apply(key, payload);
    }
    let frame = match header.opcode {
        Opcode::Ping => Frame::Ping(payload),
        Opcode::Pong => Frame::Pong(payload),
        _ => Frame::Close(close::parse(payload)?),
    };
    Ok(Decoded::Frame { consumed, frame })
}

/// A message that comes in pieces: fragments, or one frame over several reads.
///
/// In a codec at rest `outstanding > 0 || !fin`, else the message would have been handed up.
#[derive(Debug)]
struct Assembly {
    /// What has come, unmasked. It grows with the bytes and never by a length field, so that a
    /// header alone costs a peer's victim nothing. `buffer.len() <= message_bytes_max`.
    buffer: BytesMut,
    /// For text that is not compressed, the bytes known to be UTF-8; those behind are the beginning
    /// of one character. `utf8_len <= buffer.len() <= utf8_len + 3`.
    utf8_len: usize,
    /// Payload bytes of the current fragment that have not come yet.
    outstanding: usize,
    /// The current fragment's key, turned so that its first byte meets the next payload byte.
    mask: Option<[u8; 4]>,
    /// Fragments begun. `fragments <= fragments_max` unless the message is a single frame.
    fragments: u32,
    text: bool,
    /// Whether the buffer holds the message's compressed form.
    compressed: bool,
    /// Whether the current fragment is the last.
    fin: bool,
}

impl Assembly {
    fn new(header: &FrameHeader) -> Self {
        Self {
            buffer: BytesMut::new(),
            utf8_len: 0,
            outstanding: 0,
            mask: None,
            fragments: 0,
            text: header.opcode == Opcode::Text,
            compressed: header.compressed,
            fin: false,
        }
    }

    /// Enters a fragment whose length has been checked against the limit.
    fn begin_fragment(
        &mut self,
        header: &FrameHeader,
        config: &WsConfig,
    ) -> Result<(), ProtocolError> {
        let fragmented = !header.fin || header.opcode == Opcode::Continuation;
        if fragmented && self.fragments >= config.fragments_max {
            return Err(ProtocolError::TooManyFragments);
        }
        self.fragments += 1;
        self.outstanding = header.payload_len as usize;
        self.mask = header.mask;
        self.fin = header.fin;
        Ok(())
    }

    /// Takes in the next bytes of the current fragment. Text is checked at once, so that a peer is
    /// told at the first wrong byte and not at the end of a long message.
    fn take_in(&mut self, bytes: &mut [u8]) -> Result<(), ProtocolError> {
        debug_assert!(bytes.len() <= self.outstanding);
        if let Some(key) = &mut self.mask {
            mask::apply(*key, bytes);
            key.rotate_left(bytes.len() % 4);
        }
        self.buffer.extend_from_slice(bytes);
        self.outstanding -= bytes.len();

        if self.text && !self.compressed {
            self.utf8_len += utf8::valid_prefix(&self.buffer[self.utf8_len..])?;
            if self.is_complete() && self.utf8_len < self.buffer.len() {
                return Err(ProtocolError::InvalidUtf8);
            }
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.fin && self.outstanding == 0
    }
}

/// The header of an unfragmented frame, to stand before a payload that is kept elsewhere: one
/// payload then serves every receiver of a broadcast.
///
/// With a `mask` the payload has to be masked with the same key; a server gives `None`.
///
/// # Panics
/// If a control frame is to carry more than 125 bytes (section 5.5).
#[inline]
#[must_use]
pub fn encode_header(opcode: Opcode, payload_len: usize, mask: Option<[u8; 4]>) -> Header {
    Header::new(opcode, true, payload_len, mask)
}

/// Appends one whole, unfragmented frame. `mask` is a fresh random key for the client role and
/// `None` for the server (section 5.3).
///
/// # Panics
/// If a control frame is to carry more than 125 bytes (section 5.5).
#[inline]
pub fn encode(opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    encode_behind(
        encode_header(opcode, payload.len(), mask),
        payload,
        mask,
        out,
    );
}

/// Appends one whole message whose `payload` is compressed (RFC 7692 section 6.1).
pub(crate) fn encode_compressed(
    opcode: Opcode,
    payload: &[u8],
    mask: Option<[u8; 4]>,
    out: &mut Vec<u8>,
) {
    let header = encode_header(opcode, payload.len(), mask).compressed();
    encode_behind(header, payload, mask, out);
}

/// Whether an encoded frame begins with the mark of a compressed message.
#[inline]
pub(crate) fn is_compressed(encoded: &[u8]) -> bool {
    encoded
        .first()
        .is_some_and(|first| first & (header::RSV1 << 4) != 0)
}

/// Appends one fragment of a message (section 5.4): the first bears the message's opcode, the
/// others [`Opcode::Continuation`], and the last of them `fin`.
///
/// # Panics
/// If a control frame is to carry more than 125 bytes, or is not `fin` (section 5.5).
#[inline]
pub fn encode_fragment(
    opcode: Opcode,
    fin: bool,
    payload: &[u8],
    mask: Option<[u8; 4]>,
    out: &mut Vec<u8>,
) {
    encode_behind(
        Header::new(opcode, fin, payload.len(), mask),
        payload,
        mask,
        out,
    );
}

#[inline]
fn encode_behind(header: Header, payload: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    out.reserve(header.len() + payload.len());
    out.extend_from_slice(&header);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = mask {
        mask::apply(key, &mut out[start..]);
    }
}
