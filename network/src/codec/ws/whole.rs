//! The frame that nearly all messages are, at one go: unfragmented, not compressed, masked, and
//! there from its first byte to its last.

use super::{Role, WsCodec, WsConfig, mask, utf8};
use crate::codec::MessageKind;

const FIN_TEXT: u8 = 0x81;
const FIN_BINARY: u8 = 0x82;
const MASK: u8 = 0x80;
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
            MASK..=0xfd => (2, usize::from(second - MASK)),
            0xfe => (4, usize::from(u16::from_be_bytes([third, fourth]))),
            _ => return None,
        };
        // A length of two bytes where one would do is a fault, and for the other path to tell.
        if length > config.message_bytes_max || (key_at == 4 && length < 126) {
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
