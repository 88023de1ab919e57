//! Frame headers, in and out (RFC 6455 section 5.2).
//!
//! ```text
//!    byte 0                 byte 1
//!   | FIN | RSV1-3 | op 4 || MASK | len 7 | 0, 2 or 8 bytes of length | 0 or 4 bytes of key |
//! ```

use std::ops::Deref;

use super::Role;
use crate::codec::ProtocolError;

/// Largest payload of a control frame in bytes (section 5.5), and largest length that fits the
/// second header byte.
pub(super) const SHORT_PAYLOAD_BYTES_MAX: usize = 125;

pub(super) const FIN: u8 = 0b1000_0000;
/// As it stands among the three reserved bits. It marks a compressed message (RFC 7692 section 6).
pub(super) const RSV1: u8 = 0b100;
pub(super) const MASK: u8 = 0b1000_0000;
const LENGTH: u8 = 0b0111_1111;
/// Marks a length of two bytes behind the second header byte.
pub(super) const LENGTH_16: u8 = 126;
/// Marks a length of eight bytes behind the second header byte.
pub(super) const LENGTH_64: u8 = 127;

/// What a frame carries. The value is the one on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message begun before.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The sender will send nothing more.
    Close = 0x8,
    /// To be answered by a pong with the same payload.
    Ping = 0x9,
    /// Answer to a ping, or a sign of life.
    Pong = 0xa,
}

impl Opcode {
    /// Whether this is Close, Ping or Pong (section 5.5).
    #[inline]
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    #[inline]
    const fn from_wire(bits: u8) -> Result<Self, ProtocolError> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return Err(ProtocolError::ReservedOpcode(bits)),
        })
    }
}

/// A header that has been read and may stand where it stood.
#[derive(Debug)]
pub(super) struct FrameHeader {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    /// Whether the message that begins here is compressed.
    pub(super) compressed: bool,
    /// In bytes; not compared with any limit yet, but below 2^63.
    pub(super) payload_len: u64,
    /// Present exactly if the role that reads is the server.
    pub(super) mask: Option<[u8; 4]>,
    /// Bytes of the header itself, 2 to 14.
    pub(super) size: usize,
}

impl FrameHeader {
    /// Parses one header from the front of `input`. `in_message` says whether a fragmented message
    /// waits for its continuation, `compresses` whether RSV1 has a meaning: it may stand on the
    /// first frame of a data message then (RFC 7692 section 6.1).
    ///
    /// Gives `None` until all 2 to 14 bytes are there, and never looks past them. What is wrong
    /// with the bytes that are there is found without waiting for the others.
    ///
    /// # Errors
    /// From the first byte `ReservedBits`, `ReservedOpcode`, `FragmentedControl`,
    /// `UnexpectedContinuation`, `ExpectedContinuation`; from the second `Unmasked`, `Masked`,
    /// `ControlTooLong`; from the length `BadLength`.
    #[inline]
    pub(super) fn parse(
        role: Role,
        in_message: bool,
        compresses: bool,
        input: &[u8],
    ) -> Result<Option<Self>, ProtocolError> {
        let Some(&first) = input.first() else {
            return Ok(None);
        };
        let reserved = first >> 4 & 0b111;
        if reserved != 0 && !(compresses && begins_compressed(first)) {
            return Err(ProtocolError::ReservedBits(reserved));
        }
        let opcode = Opcode::from_wire(first & 0x0f)?;
        let fin = first & FIN != 0;
        if opcode.is_control() {
            if !fin {
                return Err(ProtocolError::FragmentedControl);
            }
        } else if in_message != (opcode == Opcode::Continuation) {
            return Err(if in_message {
                ProtocolError::ExpectedContinuation
            } else {
                ProtocolError::UnexpectedContinuation
            });
        }

        let Some(&second) = input.get(1) else {
            return Ok(None);
        };
        let masked = second & MASK != 0;
        if masked != (role == Role::Server) {
            return Err(if masked {
                ProtocolError::Masked
            } else {
                ProtocolError::Unmasked
            });
        }
        let length = second & LENGTH;
        if opcode.is_control() && usize::from(length) > SHORT_PAYLOAD_BYTES_MAX {
            return Err(ProtocolError::ControlTooLong);
        }

        let (payload_len, mask_at) = match length {
            LENGTH_16 => {
                let Some(bytes) = input[2..].first_chunk() else {
                    return Ok(None);
                };
                let len = u16::from_be_bytes(*bytes);
                if usize::from(len) <= SHORT_PAYLOAD_BYTES_MAX {
                    return Err(ProtocolError::BadLength);
                }
                (u64::from(len), 4)
            }
            LENGTH_64 => {
                let Some(bytes) = input[2..].first_chunk() else {
                    return Ok(None);
                };
                let len = u64::from_be_bytes(*bytes);
                if len <= u64::from(u16::MAX) || len > i64::MAX as u64 {
                    return Err(ProtocolError::BadLength);
                }
                (len, 10)
            }
            _ => (u64::from(length), 2),
        };
        if !masked {
            return Ok(Some(Self {
                opcode,
                fin,
                compressed: reserved != 0,
                payload_len,
                mask: None,
                size: mask_at,
            }));
        }
        let Some(&key) = input[mask_at..].first_chunk() else {
            return Ok(None);
        };
        Ok(Some(Self {
            opcode,
            fin,
            compressed: reserved != 0,
            payload_len,
            mask: Some(key),
            size: mask_at + 4,
        }))
    }
}

/// Whether the first byte of a frame, FIN aside, is that of a compressed message.
const fn begins_compressed(first: u8) -> bool {
    matches!(first & !FIN, 0x41 | 0x42)
}

/// An encoded header, 2 to 14 bytes on the stack; dereferences to them.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: [u8; 14],
    /// `2 <= len <= 14`
    len: u8,
}

impl Header {
    #[inline]
    pub(super) fn new(
        opcode: Opcode,
        fin: bool,
        payload_len: usize,
        mask: Option<[u8; 4]>,
    ) -> Self {
        assert!(
            !opcode.is_control() || (fin && payload_len <= SHORT_PAYLOAD_BYTES_MAX),
            "control frames are whole and carry at most 125 bytes"
        );
        let mut bytes = [0; 14];
        bytes[0] = opcode as u8 | if fin { FIN } else { 0 };
        let mut len = if payload_len <= SHORT_PAYLOAD_BYTES_MAX {
            bytes[1] = payload_len as u8;
            2
        } else if let Ok(short) = u16::try_from(payload_len) {
            bytes[1] = LENGTH_16;
            bytes[2..4].copy_from_slice(&short.to_be_bytes());
            4
        } else {
            bytes[1] = LENGTH_64;
            bytes[2..10].copy_from_slice(&(payload_len as u64).to_be_bytes());
            10
        };
        if let Some(key) = mask {
            bytes[1] |= MASK;
            bytes[len..len + 4].copy_from_slice(&key);
            len += 4;
        }
        Self {
            bytes,
            len: len as u8,
        }
    }

    /// The same for a payload that is compressed.
    pub(super) const fn compressed(mut self) -> Self {
        self.bytes[0] |= RSV1 << 4;
        self
    }
}

impl Deref for Header {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}
