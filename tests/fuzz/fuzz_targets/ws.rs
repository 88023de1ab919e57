//! What both WebSocket targets check: pieces give what the whole gives, and limits hold.

use network::codec::ws::{Role, WsCodec, WsConfig};
use network::codec::{Codec, Decoded, Frame, ProtocolError};

/// Small, so that short inputs get to them.
const CONFIG: WsConfig = WsConfig {
    message_bytes_max: 300,
    fragments_max: 4,
    deflate: None,
};

/// Takes the lengths of the pieces, in turn, from the first bytes of `data`.
pub fn check(role: Role, data: &[u8]) {
    let Some((sizes, bytes)) = data.split_first_chunk::<4>() else {
        return;
    };
    let mut pieces = Vec::new();
    let mut rest = bytes;
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(1 + usize::from(size)));
        pieces.push(piece);
        rest = after;
    }
    assert_eq!(decode(role, &pieces), decode(role, &[bytes]));
}

/// Every frame, printed, and the error that ended the stream.
fn decode(role: Role, pieces: &[&[u8]]) -> (Vec<String>, Option<ProtocolError>) {
    let mut codec = WsCodec::new(role);
    let mut frames = Vec::new();
    let mut spill = Vec::new();
    for piece in pieces {
        spill.extend_from_slice(piece);
        let mut at = 0;
        loop {
            let left = spill.len() - at;
            match codec.decode(&CONFIG, &mut spill[at..]) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Skip(consumed)) => {
                    assert!(0 < consumed && consumed <= left);
                    at += consumed;
                }
                Ok(Decoded::Frame { consumed, frame }) => {
                    assert!(0 < consumed && consumed <= left);
                    at += consumed;
                    frames.push(print(&frame));
                    if matches!(frame, Frame::Close(_)) {
                        return (frames, None);
                    }
                }
                Err(error) => return (frames, Some(error)),
            }
        }
        spill.drain(..at);
    }
    (frames, None)
}

fn print(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Text(payload) => {
            assert!(payload.len() <= CONFIG.message_bytes_max);
            format!(
                "text {:?}",
                std::str::from_utf8(payload).expect("text is UTF-8")
            )
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
