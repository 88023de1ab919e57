//! What both WebSocket targets check: pieces give what the whole gives, and limits hold.
//!
//! The first byte says whether permessage-deflate was negotiated, the next four are the lengths of
//! the pieces, in turn; the rest is the stream.

use network::codec::ws::{Inflater, Role, WsCodec, WsConfig};
use network::codec::{Decoded, Frame, ProtocolError};

use crate::pieces::{Step, cut, feed};

/// Small, so that short inputs get to them.
const CONFIG: WsConfig = WsConfig {
    message_bytes_max: 300,
    fragments_max: 4,
    deflate: None,
};

/// See above.
pub(crate) fn check(role: Role, input: &[u8]) {
    let Some((&compresses, rest)) = input.split_first() else {
        return;
    };
    let Some((sizes, wire)) = rest.split_first_chunk::<4>() else {
        return;
    };
    let decoder = || decoder(role, compresses & 1 == 1);
    assert_eq!(feed(cut(wire, sizes), decoder()), feed([wire], decoder()));
}

fn decoder(
    role: Role,
    compresses: bool,
) -> impl FnMut(&mut [u8]) -> Result<Step<String>, ProtocolError> {
    let mut codec = if compresses {
        WsCodec::with_deflate(role, 15)
    } else {
        WsCodec::new(role)
    };
    let mut inflater = Inflater::default();
    move |input| {
        Ok(match codec.decode_with(&CONFIG, &mut inflater, input)? {
            Decoded::Partial => Step::Partial,
            Decoded::Skip(consumed) => Step::Skip(consumed),
            Decoded::Frame { consumed, frame } => match frame {
                Frame::Close(_) => Step::Last(consumed, print(&frame)),
                _ => Step::Unit(consumed, print(&frame)),
            },
        })
    }
}

fn print(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Text(payload) => {
            assert!(payload.len() <= CONFIG.message_bytes_max);
            let text = std::str::from_utf8(payload).expect("text is UTF-8");
            format!("text {text:?}")
        }
        Frame::Binary(payload) => {
            assert!(payload.len() <= CONFIG.message_bytes_max);
            format!("binary {:02x?}", &payload[..])
        }
        Frame::Ping(payload) | Frame::Pong(payload) => {
            assert!(payload.len() <= 125);
            format!("{frame:02x?}")
        }
        frame => format!("{frame:?}"),
    }
}
