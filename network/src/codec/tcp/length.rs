//! A length in front of each payload.
//!
//! ```text
//!   +-----------------+-----------------------+
//!   | length L        | payload, L bytes      |
//!   | 1, 2 or 4 bytes |                       |
//!   +-----------------+-----------------------+
//! ```
//!
//! The length counts the payload only and is unsigned. There is no version, type or checksum.

use std::fmt;
use std::ops::Deref;

use super::FramingError;
use crate::codec::{Codec, Decoded, Frame, Payload, ProtocolError};

/// Takes length-prefixed payloads apart. It keeps nothing between calls: what is incomplete stays
/// with the caller, whose buffer grows with the bytes that came and never by what a length says.
#[derive(Clone, Copy, Debug, Default)]
pub struct LengthCodec;

const _: () = assert!(size_of::<LengthCodec>() == 0);

impl Codec for LengthCodec {
    type Config = LengthConfig;

    /// Gives one [`Frame::Binary`] for each payload.
    ///
    /// # Errors
    /// `FrameTooSmall` and `FrameTooLarge`, as soon as the length is there.
    #[inline]
    fn decode<'a>(
        &mut self,
        config: &LengthConfig,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        let Some((length, rest)) = config.split_length(input) else {
            return Ok(Decoded::Partial);
        };
        if length < config.payload_bytes_min {
            return Err(ProtocolError::FrameTooSmall(length));
        }
        if length > config.payload_bytes_max {
            return Err(ProtocolError::FrameTooLarge(u64::from(length)));
        }
        let Some(payload) = rest.get_mut(..length as usize) else {
            return Ok(Decoded::Partial);
        };
        Ok(Decoded::Frame {
            consumed: config.prefix.bytes() + payload.len(),
            frame: Frame::Binary(Payload::Borrowed(payload)),
        })
    }

    fn mid_frame(&self) -> bool {
        false
    }
}

/// The form of the length and the limits of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthConfig {
    prefix: Prefix,
    order: ByteOrder,
    /// `1 <= payload_bytes_min <= payload_bytes_max`
    payload_bytes_min: u32,
    /// `payload_bytes_max <= prefix.length_max()`
    payload_bytes_max: u32,
}

impl LengthConfig {
    /// Limits are in payload bytes, both inclusive.
    ///
    /// # Errors
    /// `MinZero`, `MinAboveMax` and `MaxBeyondPrefix`.
    pub const fn new(
        prefix: Prefix,
        order: ByteOrder,
        payload_bytes_min: u32,
        payload_bytes_max: u32,
    ) -> Result<Self, FramingError> {
        if payload_bytes_min == 0 {
            return Err(FramingError::MinZero);
        }
        if payload_bytes_min > payload_bytes_max {
            return Err(FramingError::MinAboveMax {
                bytes_min: payload_bytes_min,
                bytes_max: payload_bytes_max,
            });
        }
        if payload_bytes_max > prefix.length_max() {
            return Err(FramingError::MaxBeyondPrefix {
                bytes_max: payload_bytes_max,
                prefix_bytes: prefix.bytes(),
            });
        }
        Ok(Self {
            prefix,
            order,
            payload_bytes_min,
            payload_bytes_max,
        })
    }

    /// The limits that a listener has if none are configured.
    pub(super) const fn with_default_limits(prefix: Prefix, order: ByteOrder) -> Self {
        let payload_bytes_max = match prefix {
            Prefix::One => 255,
            Prefix::Two => 4096,
            Prefix::Four => 65_536,
        };
        Self {
            prefix,
            order,
            payload_bytes_min: 1,
            payload_bytes_max,
        }
    }

    /// The width of the length.
    #[must_use]
    pub const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// The byte order of the length; without meaning for a length of one byte.
    #[must_use]
    pub const fn order(&self) -> ByteOrder {
        self.order
    }

    /// Smallest payload, in bytes.
    #[must_use]
    pub const fn payload_bytes_min(&self) -> u32 {
        self.payload_bytes_min
    }

    /// Largest payload, in bytes.
    #[must_use]
    pub const fn payload_bytes_max(&self) -> u32 {
        self.payload_bytes_max
    }

    /// Takes a payload that is whole from the front of `input`, and tells how many bytes that are.
    /// `None` says nothing about what is there instead.
    #[inline]
    pub(crate) fn decode_whole<'a>(&self, input: &'a mut [u8]) -> Option<(usize, &'a mut [u8])> {
        let (length, rest) = self.split_length(input)?;
        if length < self.payload_bytes_min || length > self.payload_bytes_max {
            return None;
        }
        let payload = rest.get_mut(..length as usize)?;
        Some((self.prefix.bytes() + payload.len(), payload))
    }

    /// Appends a payload behind its length; false, and nothing is appended, if it is too long or
    /// too short for that.
    #[inline]
    pub(crate) fn encode(&self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        let Ok(prefix) = encode_prefix(self, payload.len()) else {
            return false;
        };
        out.extend_from_slice(&prefix);
        out.extend_from_slice(payload);
        true
    }

    /// Writes a payload behind its length to the front of `out`; how many bytes that are. `None` if
    /// there is no room for both, or the payload is too long or too short.
    #[inline]
    pub(crate) fn write(&self, payload: &[u8], out: &mut [u8]) -> Option<usize> {
        let length = u32::try_from(payload.len()).ok()?;
        if length < self.payload_bytes_min || length > self.payload_bytes_max {
            return None;
        }
        let prefix = self.prefix.bytes();
        let header = match self.order {
            ByteOrder::Big => length << (u32::BITS - 8 * prefix as u32),
            ByteOrder::Little => length.swap_bytes(),
        };
        let bytes = prefix + payload.len();
        // Four bytes at once: what is too much of them the payload covers, or what comes next.
        *out.first_chunk_mut()? = header.to_be_bytes();
        out.get_mut(prefix..bytes)?.copy_from_slice(payload);
        Some(bytes)
    }

    /// Splits the length from the bytes behind it; `None` until it is complete.
    #[inline]
    fn split_length<'a>(&self, input: &'a mut [u8]) -> Option<(u32, &'a mut [u8])> {
        match self.prefix {
            Prefix::One => {
                let (&mut [length], rest) = input.split_first_chunk_mut::<1>()?;
                Some((u32::from(length), rest))
            }
            Prefix::Two => {
                let (&mut length, rest) = input.split_first_chunk_mut::<2>()?;
                let length = match self.order {
                    ByteOrder::Big => u16::from_be_bytes(length),
                    ByteOrder::Little => u16::from_le_bytes(length),
                };
                Some((u32::from(length), rest))
            }
            Prefix::Four => {
                let (&mut length, rest) = input.split_first_chunk_mut::<4>()?;
                let length = match self.order {
                    ByteOrder::Big => u32::from_be_bytes(length),
                    ByteOrder::Little => u32::from_le_bytes(length),
                };
                Some((length, rest))
            }
        }
    }
}

/// The width of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// One byte, payloads up to 255 bytes.
    One,
    /// Two bytes, payloads up to 65,535 bytes.
    Two,
    /// Four bytes, payloads up to 4,294,967,295 bytes.
    Four,
}

impl Prefix {
    /// Width in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// The largest length that can be written.
    const fn length_max(self) -> u32 {
        match self {
            Self::One => u8::MAX as u32,
            Self::Two => u16::MAX as u32,
            Self::Four => u32::MAX,
        }
    }
}

/// The byte order of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Most significant byte first, the order of networks.
    Big,
    /// Least significant byte first.
    Little,
}

/// Writes the length that goes in front of a payload of `payload_bytes`. The payload itself needs
/// no encoding, so it can follow in a buffer of its own.
///
/// # Errors
/// `PayloadTooSmall`; `PayloadTooLarge` for what the length cannot express. The listener's own
/// maximum is for what comes in, since a reply may well be longer than any request.
#[inline]
pub fn encode_prefix(
    config: &LengthConfig,
    payload_bytes: usize,
) -> Result<PrefixBytes, FramingError> {
    let length = match u32::try_from(payload_bytes) {
        Ok(length) if length <= config.prefix.length_max() => length,
        _ => return Err(FramingError::PayloadTooLarge(payload_bytes)),
    };
    if length < config.payload_bytes_min {
        return Err(FramingError::PayloadTooSmall(payload_bytes));
    }
    // A limit beyond what the length can express does not exist, so the bytes cut off are zeros.
    let len = config.prefix.bytes();
    let mut bytes = match config.order {
        ByteOrder::Big => length.to_be_bytes(),
        ByteOrder::Little => length.to_le_bytes(),
    };
    if config.order == ByteOrder::Big {
        bytes.rotate_left(size_of::<u32>() - len);
    }
    Ok(PrefixBytes {
        bytes,
        len: len as u8,
    })
}

/// An encoded length: 1, 2 or 4 bytes, without heap.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PrefixBytes {
    bytes: [u8; 4],
    /// `len <= 4`
    len: u8,
}

impl Deref for PrefixBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for PrefixBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
