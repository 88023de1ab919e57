//! Messages of which there is nothing on the wire but a header and the payload, in both directions:
//! what nearly all of them are. They are taken and written here without the codec of their
//! connection, which would have nothing to remember of them.

use super::MessageKind;
use super::tcp::LengthConfig;
use super::ws::{decode_whole, write_whole};

/// How such messages look on one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainForm {
    header: Header,
    /// Longer payloads than this are not sent so, but compressed.
    sent_bytes_max: usize,
}

#[derive(Clone, Copy, Debug)]
enum Header {
    /// Of WebSocket, masked when it comes and not when it goes.
    WebSocket { taken_bytes_max: usize },
    /// A length.
    Length(LengthConfig),
}

impl PlainForm {
    /// WebSocket as a server speaks it.
    #[inline]
    pub(crate) const fn websocket(taken_bytes_max: usize, sent_bytes_max: usize) -> Self {
        Self {
            header: Header::WebSocket { taken_bytes_max },
            sent_bytes_max,
        }
    }

    /// A length before each message.
    #[inline]
    pub(crate) const fn length(config: LengthConfig) -> Self {
        Self {
            header: Header::Length(config),
            sent_bytes_max: usize::MAX,
        }
    }

    /// Whether this is WebSocket, and a payload of this length is sent so.
    #[inline]
    pub(crate) const fn is_websocket_for(&self, payload_bytes: usize) -> bool {
        matches!(self.header, Header::WebSocket { .. }) && payload_bytes <= self.sent_bytes_max
    }

    /// Takes a message that stands whole at the front of `input`: how many bytes it takes, and
    /// itself. `None` says nothing about what is there instead, and leaves it as it was.
    #[inline(always)]
    pub(crate) fn decode<'a>(
        &self,
        input: &'a mut [u8],
    ) -> Option<(usize, MessageKind, &'a mut [u8])> {
        match &self.header {
            Header::WebSocket { taken_bytes_max } => decode_whole(*taken_bytes_max, input),
            Header::Length(config) => {
                let (consumed, payload) = config.decode_whole(input)?;
                Some((consumed, MessageKind::Binary, payload))
            }
        }
    }

    /// Writes a message to the front of `out`; how many bytes it takes. `None` if there is no room
    /// for it, or it is not sent so.
    #[inline]
    pub(crate) fn write(&self, kind: MessageKind, payload: &[u8], out: &mut [u8]) -> Option<usize> {
        if payload.len() > self.sent_bytes_max {
            return None;
        }
        match &self.header {
            Header::WebSocket { .. } => write_whole(kind, payload, out),
            Header::Length(config) => config.write(payload, out),
        }
    }
}
