//! Lines decode to the same whatever pieces they come in, and stay within their limit.
//!
//! The first byte is the size of the pieces; the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use network::codec::tcp::{LineCodec, LineConfig};
use network::codec::{Codec, Decoded, Frame, ProtocolError};

/// Small, so that short inputs reach it.
const LINE_BYTES_MAX: u32 = 20;

fuzz_target!(|input: &[u8]| {
    let Some((&size, wire)) = input.split_first() else {
        return;
    };
    let pieces = wire.chunks(usize::from(size).max(1));
    assert_eq!(feed(pieces), feed([wire]));
});

type Outcome = (Vec<Vec<u8>>, Result<Vec<u8>, ProtocolError>);

fn feed<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Outcome {
    let config = LineConfig::new(LINE_BYTES_MAX).expect("a limit above 0");
    let mut codec = LineCodec::default();
    let mut buffer = Vec::new();
    let mut lines = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let bytes = buffer.len();
            let taken = match codec.decode(&config, &mut buffer) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Skip(taken)) => taken,
                Ok(Decoded::Frame {
                    consumed,
                    frame: Frame::Text(line),
                }) => {
                    assert!(line.len() <= LINE_BYTES_MAX as usize && !line.contains(&b'\n'));
                    lines.push(line.to_vec());
                    consumed
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => return (lines, Err(error)),
            };
            assert!(0 < taken && taken <= bytes);
            buffer.drain(..taken);
        }
    }
    (lines, Ok(buffer))
}
