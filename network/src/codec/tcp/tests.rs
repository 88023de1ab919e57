//! Payloads of each framing, every split of them, and properties of the codecs.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::codec::{Codec, Decoded, Frame, ProtocolError};

/// What a stream came to: the payloads in order, and the error or the bytes at the end of it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    payloads: Vec<Vec<u8>>,
    end: Result<Vec<u8>, ProtocolError>,
}

impl Outcome {
    fn of(payloads: &[&[u8]], rest: &[u8]) -> Self {
        Self {
            payloads: owned(payloads),
            end: Ok(rest.to_vec()),
        }
    }

    fn error(payloads: &[&[u8]], error: ProtocolError) -> Self {
        Self {
            payloads: owned(payloads),
            end: Err(error),
        }
    }
}

fn owned(payloads: &[&[u8]]) -> Vec<Vec<u8>> {
    payloads.iter().map(|payload| payload.to_vec()).collect()
}

/// Feeds pieces as a connection does: what is left over goes in front of what comes next.
fn feed<'p, C: Codec>(
    mut codec: C,
    config: &C::Config,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Outcome {
    let mut buffer = Vec::new();
    let mut payloads = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let bytes = buffer.len();
            let taken = match codec.decode(config, &mut buffer) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Skip(taken)) => taken,
                Ok(Decoded::Frame { consumed, frame }) => {
                    let (Frame::Text(payload) | Frame::Binary(payload)) = frame else {
                        panic!("a frame of another framing: {frame:?}");
                    };
                    payloads.push(payload.to_vec());
                    consumed
                }
                Err(error) => {
                    return Outcome {
                        payloads,
                        end: Err(error),
                    };
                }
            };
            assert!(0 < taken && taken <= bytes);
            assert!(!codec.mid_frame());
            buffer.drain(..taken);
        }
    }
    Outcome {
        payloads,
        end: Ok(buffer),
    }
}

/// Decodes `wire` whole, byte by byte and cut in two at every place; all must come to the same.
fn decode<C: Codec + Default>(config: &C::Config, wire: &[u8]) -> Outcome {
    let whole = feed(C::default(), config, [wire]);
    assert_eq!(
        feed(C::default(), config, wire.chunks(1)),
        whole,
        "byte by byte"
    );
    // Long inputs are cut near their ends, where something happens.
    for cut in (0..wire.len()).filter(|&cut| cut < 100 || wire.len() - cut < 100) {
        let (front, back) = wire.split_at(cut);
        assert_eq!(
            feed(C::default(), config, [front, back]),
            whole,
            "cut at {cut}"
        );
    }
    whole
}

fn length(name: &str) -> LengthConfig {
    match TcpFraming::named(name) {
        Some(TcpFraming::Length(config)) => config,
        other => panic!("{name} is {other:?}"),
    }
}

fn line(line_bytes_max: u32) -> LineConfig {
    LineConfig::new(line_bytes_max).unwrap()
}

fn decode_length(name: &str, wire: &[u8]) -> Outcome {
    decode::<LengthCodec>(&length(name), wire)
}

fn decode_lines(wire: &[u8]) -> Outcome {
    decode::<LineCodec>(&LineConfig::default(), wire)
}

fn hex(dump: &str) -> Vec<u8> {
    dump.split_ascii_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

const LEAF: &[u8] = br#"{"Hello":{"Name":"leaf"}}"#;
const PING: &[u8] = br#"{"seq":"1","cmd":"ping","data":{}}"#;
const PONG: &[u8] =
    br#"{"seq":"1","cmd":"ping","response":{"code":200,"codeMsg":"Success","data":"pong"}}"#;

const LEAF_HEX: &str = "7b 22 48 65 6c 6c 6f 22 3a 7b 22 4e 61 6d 65 22 3a 22 6c 65 61 66 22 7d 7d";
const PING_HEX: &str =
    "7b 22 73 65 71 22 3a 22 31 22 2c 22 63 6d 64 22 3a 22 70 69 6e 67 22 2c 22 64 61 74
    61 22 3a 7b 7d 7d";
const PONG_HEX: &str =
    "7b 22 73 65 71 22 3a 22 31 22 2c 22 63 6d 64 22 3a 22 70 69 6e 67 22 2c 22 72 65 73
    70 6f 6e 73 65 22 3a 7b 22 63 6f 64 65 22 3a 32 30 30 2c 22 63 6f 64 65 4d 73 67 22 3a 22 53 75
    63 63 65 73 73 22 2c 22 64 61 74 61 22 3a 22 70 6f 6e 67 22 7d 7d";

/// The worked examples: framing, prefix, payload as a dump, payload.
fn length_examples() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let example = |name, prefix, payload, text: &[u8]| {
        assert_eq!(hex(payload), text);
        (name, hex(prefix), hex(payload))
    };
    vec![
        example("len1", "19", LEAF_HEX, LEAF),
        example("len2be", "00 19", LEAF_HEX, LEAF),
        example("len2le", "19 00", LEAF_HEX, LEAF),
        example("len4be", "00 00 00 19", LEAF_HEX, LEAF),
        example("len4le", "19 00 00 00", LEAF_HEX, LEAF),
        example(
            "len2be",
            "00 08",
            "00 00 0a 04 6c 65 61 66",
            b"\0\0\x0a\x04leaf",
        ),
        example("len2be", "00 02", "00 03", b"\0\x03"),
        example(
            "len2le",
            "08 00",
            "03 00 0a 04 6c 65 61 66",
            b"\x03\0\x0a\x04leaf",
        ),
        example("len4be", "00 00 00 22", PING_HEX, PING),
        example("len4be", "00 00 00 52", PONG_HEX, PONG),
    ]
}

/// T1, T2: every example, in pieces, several in one write, and back.
#[test]
fn length_examples_decode_and_encode() {
    for (name, prefix, payload) in length_examples() {
        let wire = [&prefix[..], &payload].concat();
        assert_eq!(decode_length(name, &wire), Outcome::of(&[&payload], b""));
        assert_eq!(
            decode_length(name, &wire.repeat(3)),
            Outcome::of(&[&payload[..]; 3], b"")
        );
        assert_eq!(
            &*encode_prefix(&length(name), payload.len()).unwrap(),
            prefix
        );
    }
}

/// T5: whatever is cut off, nothing is delivered and nothing is an error.
#[test]
fn cut_short_is_partial() {
    for (name, prefix, payload) in length_examples() {
        let wire = [&prefix[..], &payload].concat();
        for cut in 0..wire.len() {
            assert_eq!(
                decode_length(name, &wire[..cut]),
                Outcome::of(&[], &wire[..cut])
            );
        }
    }
    for cut in 0..=PING.len() {
        assert_eq!(decode_lines(&PING[..cut]), Outcome::of(&[], &PING[..cut]));
    }
}

/// T3: limits are inclusive, in both directions.
#[test]
fn length_limits() {
    for (name, bytes_min, bytes_max) in [
        ("len1", 3, 9),
        ("len2be", 1, 4096),
        ("len2le", 300, 301),
        ("len4be", 7, 7),
        ("len4le", 1, 65_536),
    ] {
        let framing = TcpFraming::named(name)
            .unwrap()
            .with_frame_bytes(bytes_min, bytes_max);
        let Ok(TcpFraming::Length(config)) = framing else {
            panic!("{framing:?}")
        };
        // The widest configuration of the same form writes the lengths that `config` refuses.
        let widest = match config.prefix() {
            Prefix::One => 255,
            Prefix::Two => 65_535,
            Prefix::Four => u32::MAX,
        };
        let wide = LengthConfig::new(config.prefix(), config.order(), 1, widest);
        let wire = |bytes: u32| {
            let payload = vec![b'x'; bytes as usize];
            let prefix = encode_prefix(&wide.unwrap(), payload.len());
            [&*prefix.unwrap(), &payload].concat()
        };
        for bytes in [bytes_min, bytes_max] {
            let outcome = decode::<LengthCodec>(&config, &wire(bytes));
            assert_eq!(outcome, Outcome::of(&[&vec![b'x'; bytes as usize]], b""));
            assert!(encode_prefix(&config, bytes as usize).is_ok());
        }
        let over = decode::<LengthCodec>(&config, &wire(bytes_max + 1));
        let error = ProtocolError::FrameTooLarge(u64::from(bytes_max) + 1);
        assert_eq!(over, Outcome::error(&[], error));
        // What goes out is as long as the length can say.
        assert_eq!(
            encode_prefix(&config, bytes_max as usize + 1).is_ok(),
            bytes_max < widest
        );
        assert!(encode_prefix(&config, widest as usize).is_ok());
        let over = widest as usize + 1;
        assert_eq!(
            encode_prefix(&config, over),
            Err(FramingError::PayloadTooLarge(over))
        );
        let under = bytes_min - 1;
        if under > 0 {
            let outcome = decode::<LengthCodec>(&config, &wire(under));
            assert_eq!(
                outcome,
                Outcome::error(&[], ProtocolError::FrameTooSmall(under))
            );
        }
        let under = under as usize;
        assert_eq!(
            encode_prefix(&config, under),
            Err(FramingError::PayloadTooSmall(under))
        );
    }
}

/// T4: refused by the length alone, before a byte of payload.
#[test]
fn length_alone_is_refused() {
    let cases: [(&str, &[u8], ProtocolError); 6] = [
        ("len1", b"\0", ProtocolError::FrameTooSmall(0)),
        ("len2be", b"\0\0", ProtocolError::FrameTooSmall(0)),
        ("len2be", b"\x10\x01", ProtocolError::FrameTooLarge(4097)),
        ("len2le", b"\x01\x10", ProtocolError::FrameTooLarge(4097)),
        (
            "len4be",
            b"\xff\xff\xff\xff",
            ProtocolError::FrameTooLarge(0xffff_ffff),
        ),
        (
            "len4le",
            b"\x01\0\x01\0",
            ProtocolError::FrameTooLarge(65_537),
        ),
    ];
    for (name, wire, error) in cases {
        assert_eq!(decode_length(name, wire), Outcome::error(&[], error));
    }
    // What came before the bad length is delivered.
    let outcome = decode_length("len2be", b"\0\x02ok\0\0");
    assert_eq!(
        outcome,
        Outcome::error(&[b"ok"], ProtocolError::FrameTooSmall(0))
    );
}

/// A limit of 4 GiB is no reason to wait for, or to count, bytes that are not there.
#[test]
fn largest_length_is_partial() {
    let framing = TcpFraming::named("len4be")
        .unwrap()
        .with_frame_bytes(1, u32::MAX)
        .unwrap();
    let TcpFraming::Length(config) = framing else {
        panic!("{framing:?}")
    };
    let wire = b"\xff\xff\xff\xffabc";
    assert_eq!(decode::<LengthCodec>(&config, wire), Outcome::of(&[], wire));
}

#[test]
fn line_examples_decode_and_encode() {
    for (payload, dump) in [(PING, PING_HEX), (PONG, PONG_HEX)] {
        let wire = [hex(dump), b"\n".to_vec()].concat();
        assert_eq!(decode_lines(&wire), Outcome::of(&[payload], b""));
        assert_eq!(
            decode_lines(&wire.repeat(3)),
            Outcome::of(&[payload; 3], b"")
        );
        let mut out = Vec::new();
        encode_line(payload, &mut out).unwrap();
        assert_eq!(out, wire);
    }
}

/// T11: ends of lines and blank lines.
#[test]
fn lines() {
    let cases: [(&[u8], Outcome); 9] = [
        (b"", Outcome::of(&[], b"")),
        (b"\n\r\n \t\r\n", Outcome::of(&[], b"")),
        (b"{}\r\n{}\n", Outcome::of(&[b"{}", b"{}"], b"")),
        (b"\n\n{}\n\n", Outcome::of(&[b"{}"], b"")),
        (b" {} \n", Outcome::of(&[b" {} "], b"")),
        (b"a\rb\n", Outcome::of(&[b"a\rb"], b"")),
        (b"a\r\r\n", Outcome::of(&[b"a\r"], b"")),
        (b"\xff\0\n{}\n", Outcome::of(&[b"\xff\0", b"{}"], b"")),
        (b"{}\n{}", Outcome::of(&[b"{}"], b"{}")),
    ];
    for (wire, outcome) in cases {
        assert_eq!(decode_lines(wire), outcome, "{}", wire.escape_ascii());
    }
}

/// T3, T11: the limit counts neither CR nor LF, and holds for blank lines too.
#[test]
fn line_limits() {
    let too_long = |payloads| Outcome::error(payloads, ProtocolError::LineTooLong);
    let cases: [(&[u8], Outcome); 10] = [
        (b"1234\n", Outcome::of(&[b"1234"], b"")),
        (b"1234\r\n", Outcome::of(&[b"1234"], b"")),
        (b"1234", Outcome::of(&[], b"1234")),
        (b"1234\r", Outcome::of(&[], b"1234\r")),
        (b"12345", too_long(&[])),
        (b"12345\n", too_long(&[])),
        (b"1234\rx", too_long(&[])),
        (b"1234\r\r\n", too_long(&[])),
        (b"     \n", too_long(&[])),
        (b"ok\n\n12345", too_long(&[b"ok"])),
    ];
    for (wire, outcome) in cases {
        let found = decode::<LineCodec>(&line(4), wire);
        assert_eq!(found, outcome, "{}", wire.escape_ascii());
    }
    let longest = vec![b'x'; 65_536];
    let wire = [&longest[..], b"\r\n"].concat();
    let whole = feed(LineCodec::default(), &LineConfig::default(), [&wire[..]]);
    assert_eq!(whole, Outcome::of(&[&longest], b""));
    let over = [&longest[..], b"x"].concat();
    let whole = feed(LineCodec::default(), &LineConfig::default(), [&over[..]]);
    assert_eq!(whole, too_long(&[]));
}

#[test]
fn a_payload_that_is_no_line_is_refused() {
    for payload in [&b""[..], b" \t", b"a\nb", b"a\n", b"\na", b"a\r", b"\r"] {
        let mut out = b"before".to_vec();
        assert_eq!(
            encode_line(payload, &mut out),
            Err(FramingError::NotOneLine)
        );
        assert_eq!(out, b"before");
    }
}

#[test]
fn names() {
    for (name, bytes_max) in [
        ("len1", 255),
        ("len2be", 4096),
        ("len2le", 4096),
        ("len4be", 65_536),
        ("len4le", 65_536),
        ("ndjson", 65_536),
    ] {
        let framing = TcpFraming::named(name).unwrap();
        assert_eq!(framing.name(), name);
        assert_eq!(
            (framing.frame_bytes_min(), framing.frame_bytes_max()),
            (1, bytes_max)
        );
        assert_eq!(framing.with_frame_bytes(1, bytes_max), Ok(framing));
    }
    for name in ["", "len", "len2", "len3be", "LEN4BE", "goim", "json"] {
        assert_eq!(TcpFraming::named(name), None);
    }
}

/// T15, as far as it is about framings: limits that cannot be kept are refused.
#[test]
fn limits_that_cannot_be_kept() {
    let with = |name, bytes_min, bytes_max| {
        TcpFraming::named(name)
            .unwrap()
            .with_frame_bytes(bytes_min, bytes_max)
            .err()
    };
    let beyond = |bytes_max, prefix_bytes| {
        Some(FramingError::MaxBeyondPrefix {
            bytes_max,
            prefix_bytes,
        })
    };
    let above = |bytes_min, bytes_max| {
        Some(FramingError::MinAboveMax {
            bytes_min,
            bytes_max,
        })
    };
    assert_eq!(with("len1", 1, 255), None);
    assert_eq!(with("len1", 1, 256), beyond(256, 1));
    assert_eq!(with("len2be", 65_535, 65_535), None);
    assert_eq!(with("len2le", 1, 65_536), beyond(65_536, 2));
    assert_eq!(with("len4be", 1, u32::MAX), None);
    assert_eq!(with("len4be", 0, 10), Some(FramingError::MinZero));
    assert_eq!(with("len4le", 11, 10), above(11, 10));
    assert_eq!(with("len4le", 1, 0), above(1, 0));
    assert_eq!(with("ndjson", 1, u32::MAX), None);
    assert_eq!(with("ndjson", 2, 10), Some(FramingError::MinOfLines(2)));
    assert_eq!(with("ndjson", 1, 0), above(1, 0));
}

/// Cuts `wire` at these places, in whatever order they come.
fn pieces<'w>(wire: &'w [u8], cuts: &[prop::sample::Index]) -> Vec<&'w [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    cuts.push(wire.len());
    cuts.into_iter()
        .map(|to| &wire[std::mem::replace(&mut from, to)..to])
        .collect()
}

fn any_length() -> impl Strategy<Value = LengthConfig> {
    prop::sample::select(vec!["len1", "len2be", "len2le", "len4be", "len4le"]).prop_map(length)
}

proptest! {
    #[test]
    fn length_round_trip(
        config in any_length(),
        payloads in vec(vec(any::<u8>(), 1..256), 0..5),
        cuts in vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut wire = Vec::new();
        for payload in &payloads {
            wire.extend_from_slice(&encode_prefix(&config, payload.len()).unwrap());
            wire.extend_from_slice(payload);
        }
        let outcome = feed(LengthCodec, &config, pieces(&wire, &cuts));
        prop_assert_eq!(outcome, Outcome { payloads, end: Ok(Vec::new()) });
    }

    #[test]
    fn line_round_trip(
        payloads in vec(vec(any::<u8>(), 1..100), 0..5),
        cuts in vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let (mut wire, mut sent) = (Vec::new(), Vec::new());
        for payload in payloads {
            if encode_line(&payload, &mut wire).is_ok() {
                sent.push(payload);
            }
        }
        let outcome = feed(LineCodec::default(), &LineConfig::default(), pieces(&wire, &cuts));
        prop_assert_eq!(outcome, Outcome { payloads: sent, end: Ok(Vec::new()) });
    }

    /// What the fuzz target `tcp_length` asks: noise in any pieces comes to the same.
    #[test]
    fn length_noise(
        config in any_length(),
        wire in vec(prop_oneof![0..4_u8, any::<u8>()], 0..64),
        cuts in vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let whole = feed(LengthCodec, &config, [&wire[..]]);
        prop_assert_eq!(feed(LengthCodec, &config, pieces(&wire, &cuts)), whole);
    }

    /// What the fuzz target `tcp_line` asks.
    #[test]
    fn line_noise(
        line_bytes_max in 1..20_u32,
        wire in vec(prop::sample::select(b"\n\r\t x{}\xff".to_vec()), 0..64),
        cuts in vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let config = line(line_bytes_max);
        let whole = feed(LineCodec::default(), &config, [&wire[..]]);
        for payload in &whole.payloads {
            prop_assert!(payload.len() <= line_bytes_max as usize && !payload.contains(&b'\n'));
        }
        prop_assert_eq!(feed(LineCodec::default(), &config, pieces(&wire, &cuts)), whole);
    }
}
