//! The frame that nearly all messages are, at one go: unfragmented, not compressed, masked, and
//! there from its first byte to its last.

use super::header::{FIN, LENGTH_16, LENGTH_64, MASK, SHORT_PAYLOAD_BYTES_MAX};
use super::{Opcode, mask, utf8};
use crate::codec::MessageKind;

const FIN_TEXT: u8 = FIN | Opcode::Text as u8;
const FIN_BINARY: u8 = FIN | Opcode::Binary as u8;
const SHORT_MASKED_MAX: u8 = MASK | SHORT_PAYLOAD_BYTES_MAX as u8;
const LENGTH_16_MASKED: u8 = MASK | LENGTH_16;

/// Takes such a frame from the front of `input`, as a server that is in no longer message. Gives
/// the bytes that it takes and the message, unmasked in place.
///
/// `None` says nothing about what is there instead, and leaves it as it was:
/// [`decode_with`](super::WsCodec::decode_with) knows.
#[inline(always)]
pub(crate) fn decode_whole(
    message_bytes_max: usize,
    input: &mut [u8],
) -> Option<(usize, MessageKind, &mut [u8])> {
    let &[first, second, ..] = &*input else {
        return None;
    };
    let kind = match first {
        FIN_BINARY => MessageKind::Binary,
        FIN_TEXT => MessageKind::Text,
        _ => return None,
    };
    let (payload, start) = match second {
        MASK..=SHORT_MASKED_MAX => {
            let length = usize::from(second - MASK);
            (unmask::<6>(message_bytes_max, length, kind, input)?, 6)
        }
        LENGTH_16_MASKED => {
            let &[_, _, high, low, ..] = &*input else {
                return None;
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            // Two bytes where one would do are a fault, and for the other path to tell.
            if length <= SHORT_PAYLOAD_BYTES_MAX {
                return None;
            }
            (unmask::<8>(message_bytes_max, length, kind, input)?, 8)
        }
        _ => return None,
    };
    Some((start + payload.len(), kind, payload))
}

/// The payload behind a header of `HEADER` bytes, which ends with the key.
#[inline(always)]
fn unmask<const HEADER: usize>(
    message_bytes_max: usize,
    length: usize,
    kind: MessageKind,
    input: &mut [u8],
) -> Option<&mut [u8]> {
    if length > message_bytes_max {
        return None;
    }
    let (header, rest) = input.split_first_chunk_mut::<HEADER>()?;
    let payload = rest.get_mut(..length)?;
    let key = *header.last_chunk()?;
    mask::apply(key, payload);
    if kind == MessageKind::Text && !utf8::is_valid(payload) {
        mask::apply(key, payload);
        return None;
    }
    Some(payload)
}

/// Appends a message in such a frame, as the server sends it: not masked.
#[inline]
pub(crate) fn encode_whole(kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) {
    let first = first_byte(kind);
    if payload.len() <= SHORT_PAYLOAD_BYTES_MAX {
        out.extend_from_slice(&[first, payload.len() as u8]);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        let [high, low] = length.to_be_bytes();
        out.extend_from_slice(&[first, LENGTH_16, high, low]);
    } else {
        out.extend_from_slice(&[first, LENGTH_64]);
        out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    }
    out.extend_from_slice(payload);
}

/// Writes a message in such a frame to the front of `out`; how many bytes it takes. `None` if there
/// is no room for it, or its length would need eight bytes.
#[inline]
pub(crate) fn write_whole(kind: MessageKind, payload: &[u8], out: &mut [u8]) -> Option<usize> {
    let first = first_byte(kind);
    if payload.len() <= SHORT_PAYLOAD_BYTES_MAX {
        return write_behind([first, payload.len() as u8], payload, out);
    }
    let [high, low] = u16::try_from(payload.len()).ok()?.to_be_bytes();
    write_behind([first, LENGTH_16, high, low], payload, out)
}

/// Writes a header of a length that the compiler knows, and the payload.
#[inline]
fn write_behind<const HEADER: usize>(
    header: [u8; HEADER],
    payload: &[u8],
    out: &mut [u8],
) -> Option<usize> {
    let (front, rest) = out.split_first_chunk_mut()?;
    let body = rest.get_mut(..payload.len())?;
    *front = header;
    body.copy_from_slice(payload);
    Some(HEADER + payload.len())
}

#[inline]
const fn first_byte(kind: MessageKind) -> u8 {
    match kind {
        MessageKind::Binary => FIN_BINARY,
        MessageKind::Text => FIN_TEXT,
    }
}
