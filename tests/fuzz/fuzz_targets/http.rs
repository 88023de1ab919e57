//! Requests decode to the same whatever pieces they come in, and stay within their limits.
//!
//! The first byte is the size of the pieces; the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use network::codec::http::{HttpCodec, HttpConfig};
use network::codec::{Codec, Decoded, Frame, ProtocolError};

/// Small, so that short inputs reach the limits.
const CONFIG: HttpConfig = HttpConfig {
    head_bytes_max: 256,
    headers_max: 8,
    target_bytes_max: 64,
    body_bytes_max: 64,
};

fuzz_target!(|input: &[u8]| {
    let Some((&size, wire)) = input.split_first() else {
        return;
    };
    let pieces = wire.chunks(usize::from(size).max(1));
    assert_eq!(feed(pieces), feed([wire]));
});

type Outcome = (Vec<String>, Result<Vec<u8>, ProtocolError>);

fn feed<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Outcome {
    let mut codec = HttpCodec::new();
    let mut buffer = Vec::new();
    let mut requests = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let bytes = buffer.len();
            let taken = match codec.decode(&CONFIG, &mut buffer) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Skip(taken)) => taken,
                Ok(Decoded::Frame {
                    consumed,
                    frame: Frame::Request(request),
                }) => {
                    assert!(request.body.len() <= CONFIG.body_bytes_max);
                    assert!(request.target.len() <= CONFIG.target_bytes_max);
                    assert!(request.headers.iter().count() <= CONFIG.headers_max);
                    requests.push(format!("{request:?}"));
                    consumed
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => return (requests, Err(error)),
            };
            assert!(0 < taken && taken <= bytes);
            buffer.drain(..taken);
        }
    }
    (requests, Ok(buffer))
}
