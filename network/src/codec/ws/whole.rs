//! The frame that nearly all messages are, at one go: unfragmented, not compressed, masked, and
//! there from its first byte to its last.

use super::header::{FIN, LENGTH_16, LENGTH_64, MASK, SHORT_PAYLOAD_BYTES_MAX};
use super::{Opcode, Role, WsCodec, WsConfig, mask, utf8};
use crate::codec::MessageKind;

const FIN_TEXT: u8 = FIN | Opcode::Text as u8;
const FIN_BINARY: u8 = FIN | Opcode::Binary as u8;
const SHORT_MASKED_MAX: u8 = MASK | SHORT_PAYLOAD_BYTES_MAX as u8;
const LENGTH_16_MASKED: u8 = MASK | LENGTH_16;
const KEY_BYTES: usize = 4;

impl WsCodec {
    /// Takes such a frame from the front of `input`, as the server. Gives the bytes that it takes
    /// and the message, unmasked in place.
    ///
    /// `None` says nothing about what is there instead, and leaves it as it was:
    /// [`decode_with`](WsCodec::decode_with) knows.
    #[inline]
    pub(crate) fn decode_whole<'a>(
        &self,
        config: &WsConfig,
        input: &'a mut [u8],
    ) -> Option<(usize, MessageKind, &'a mut [u8])> {
        let &[first, second, third, fourth, ..] = &*input else {
            return None;
        };
        if self.role != Role::Server || self.assembly.is_some() {
            return None;
        }
        let kind = match first {
            FIN_BINARY => MessageKind::Binary,
            FIN_TEXT => MessageKind::Text,
            _ => return None,
        };
        let (key_at, length) = match second {
            MASK..=SHORT_MASKED_MAX => (2, usize::from(second - MASK)),
            LENGTH_16_MASKED => (4, usize::from(u16::from_be_bytes([third, fourth]))),
            _ => return None,
        };
        // A length of two bytes where one would do is a fault, and for the other path to tell.
        if length > config.message_bytes_max || (key_at == 4 && length <= SHORT_PAYLOAD_BYTES_MAX) {
            return None;
        }
        let start = key_at + KEY_BYTES;
        let key = *input.get(key_at..start)?.first_chunk()?;
        let payload = input.get_mut(start..start + length)?;
        mask::apply(key, payload);
        if kind == MessageKind::Text && utf8::check(payload).is_err() {
            mask::apply(key, payload);
            return None;
        }
        Some((start + length, kind, payload))
    }
}

/// Appends a message in such a frame, as the server sends it: not masked.
#[inline]
pub(crate) fn encode_whole(kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) {
    let first = match kind {
        MessageKind::Binary => FIN_BINARY,
        MessageKind::Text => FIN_TEXT,
    };
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
