//! Length-prefixed payloads decode to the same whatever pieces they come in, within their limits,
//! and encode to the bytes that they came from.
//!
//! The first byte selects the framing, the second is the size of the pieces; the rest is the
//! stream.

use network::codec::tcp::{LengthCodec, TcpFraming, encode_prefix};
use network::codec::{Codec, Decoded, Frame};

use crate::pieces::{Step, cut, feed};

const NAMES: [&str; 5] = ["len1", "len2be", "len2le", "len4be", "len4le"];

/// See above.
pub fn check(input: &[u8]) {
    let &[name, size, ref wire @ ..] = input else {
        return;
    };
    // Small limits, so that short inputs reach them.
    let framing = TcpFraming::named(NAMES[usize::from(name) % NAMES.len()])
        .and_then(|framing| framing.with_frame_bytes(2, 40).ok());
    let Some(TcpFraming::Length(config)) = framing else {
        panic!("{framing:?}");
    };
    let decode = |input: &mut [u8]| {
        Ok(match LengthCodec.decode(&config, input)? {
            Decoded::Partial => Step::Partial,
            Decoded::Frame {
                consumed,
                frame: Frame::Binary(payload),
            } => Step::Unit(consumed, payload.to_vec()),
            other => panic!("{other:?}"),
        })
    };
    let (payloads, end) = feed([wire], decode);
    assert_eq!(
        feed(cut(wire, &[size]), decode),
        (payloads.clone(), end.clone())
    );

    let mut encoded = Vec::new();
    for payload in &payloads {
        encoded.extend_from_slice(&encode_prefix(&config, payload.len()).expect("within limits"));
        encoded.extend_from_slice(payload);
    }
    encoded.extend_from_slice(&end.unwrap_or_default());
    assert!(wire.starts_with(&encoded));
}
