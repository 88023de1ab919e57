//! Lines decode to the same whatever pieces they come in, stay within their limit, and are encoded
//! to what decodes to them.
//!
//! The first byte is the size of the pieces; the rest is the stream.

use network::codec::tcp::{LineCodec, LineConfig, encode_line};
use network::codec::{Codec, Decoded, Frame, ProtocolError};

use crate::pieces::{Step, cut, feed};

/// Small, so that short inputs reach it.
const LINE_BYTES_MAX: u32 = 20;

/// See above.
pub fn check(input: &[u8]) {
    let Some((&size, wire)) = input.split_first() else {
        return;
    };
    let config = LineConfig::new(LINE_BYTES_MAX).expect("a limit above 0");
    let decoder = || {
        let mut codec = LineCodec::default();
        move |input: &mut [u8]| -> Result<Step<Vec<u8>>, ProtocolError> {
            Ok(match codec.decode(&config, input)? {
                Decoded::Partial => Step::Partial,
                Decoded::Skip(taken) => Step::Skip(taken),
                Decoded::Frame {
                    consumed,
                    frame: Frame::Text(line),
                } => Step::Unit(consumed, line.to_vec()),
                other => panic!("{other:?}"),
            })
        }
    };
    let (lines, end) = feed([wire], decoder());
    assert_eq!(feed(cut(wire, &[size]), decoder()), (lines.clone(), end));

    let mut encoded = Vec::new();
    for line in &lines {
        assert!(line.len() <= LINE_BYTES_MAX as usize && !line.contains(&b'\n'));
        // Of several carriage returns at its end a line keeps all but one, and cannot be sent so.
        if !line.ends_with(b"\r") {
            encode_line(line, &mut encoded).expect("a line that came can go");
        }
    }
    let (again, rest) = feed([&encoded[..]], decoder());
    assert_eq!(rest, Ok(Vec::new()));
    assert!(
        again
            .iter()
            .eq(lines.iter().filter(|line| !line.ends_with(b"\r")))
    );
}
