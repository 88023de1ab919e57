//! Requests decode to the same whatever pieces they come in, and stay within their limits.
//!
//! The first byte is the size of the pieces; the rest is the stream.

use network::codec::http::{HttpCodec, HttpConfig};
use network::codec::{Codec, Decoded, Frame, ProtocolError};

use crate::pieces::{Step, cut, feed};

/// Small, so that short inputs reach the limits.
const CONFIG: HttpConfig = HttpConfig {
    head_bytes_max: 256,
    headers_max: 8,
    target_bytes_max: 64,
    body_bytes_max: 64,
    streamed: Vec::new(),
};

/// See above.
pub fn check(input: &[u8]) {
    let Some((&size, wire)) = input.split_first() else {
        return;
    };
    assert_eq!(feed(cut(wire, &[size]), decoder()), feed([wire], decoder()));
}

fn decoder() -> impl FnMut(&mut [u8]) -> Result<Step<String>, ProtocolError> {
    let mut codec = HttpCodec::new();
    move |input| {
        Ok(match codec.decode(&CONFIG, input)? {
            Decoded::Partial => Step::Partial,
            Decoded::Skip(taken) => Step::Skip(taken),
            Decoded::Frame {
                consumed,
                frame: Frame::Request(request),
            } => {
                assert!(request.body.len() <= CONFIG.body_bytes_max);
                assert!(request.target.len() <= CONFIG.target_bytes_max);
                assert!(request.headers.iter().count() <= CONFIG.headers_max);
                assert!(request.path().starts_with('/') || request.path() == "*");
                Step::Unit(consumed, format!("{request:?}"))
            }
            other => panic!("{other:?}"),
        })
    }
}
