//! Length-prefixed payloads decode to the same whatever pieces they come in, within their limits,
//! and encode to the bytes that they came from.
//!
//! The first byte selects the framing, the second is the size of the pieces; the rest is the
//! stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use network::codec::tcp::{LengthCodec, LengthConfig, TcpFraming, encode_prefix};
use network::codec::{Codec, Decoded, Frame, ProtocolError};

const NAMES: [&str; 5] = ["len1", "len2be", "len2le", "len4be", "len4le"];

fuzz_target!(|input: &[u8]| {
    let &[name, size, ref wire @ ..] = input else {
        return;
    };
    // Small limits, so that short inputs reach them.
    let framing = TcpFraming::named(NAMES[usize::from(name) % NAMES.len()])
        .and_then(|framing| framing.with_frame_bytes(2, 40).ok());
    let Some(TcpFraming::Length(config)) = framing else {
        panic!("{framing:?}");
    };
    let pieces = wire.chunks(usize::from(size).max(1));
    let (payloads, end) = feed(&config, [wire]);
    assert_eq!(feed(&config, pieces), (payloads.clone(), end.clone()));

    let mut encoded = Vec::new();
    for payload in &payloads {
        encoded.extend_from_slice(&encode_prefix(&config, payload.len()).expect("within limits"));
        encoded.extend_from_slice(payload);
    }
    encoded.extend_from_slice(&end.unwrap_or_default());
    assert!(wire.starts_with(&encoded));
});

type Outcome = (Vec<Vec<u8>>, Result<Vec<u8>, ProtocolError>);

fn feed<'p>(config: &LengthConfig, pieces: impl IntoIterator<Item = &'p [u8]>) -> Outcome {
    let mut buffer = Vec::new();
    let mut payloads = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let bytes = buffer.len();
            let taken = match LengthCodec.decode(config, &mut buffer) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Frame {
                    consumed,
                    frame: Frame::Binary(payload),
                }) => {
                    payloads.push(payload.to_vec());
                    consumed
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => return (payloads, Err(error)),
            };
            assert!(0 < taken && taken <= bytes);
            buffer.drain(..taken);
        }
    }
    (payloads, Ok(buffer))
}
