//! Frames of RFC 6455, right and wrong, whole and at every cut.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use ProtocolError as E;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame that outlives its buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Got {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl Got {
    fn new(frame: &Frame<'_>) -> Self {
        match frame {
            Frame::Text(text) => {
                Self::Text(String::from_utf8(text.to_vec()).expect("text handed up is UTF-8"))
            }
            Frame::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Frame::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Frame::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Frame::Close(close) => {
                Self::Close(close.map(|close| (close.code, close.reason.to_owned())))
            }
            frame => panic!("not a WebSocket frame: {frame:?}"),
        }
    }

    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn close(code: u16, reason: &str) -> Self {
        Self::Close(Some((code, reason.to_owned())))
    }
}

/// Everything that a connection learns from its stream, and how it is left.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    frames: Vec<Got>,
    error: Option<ProtocolError>,
    mid_frame: bool,
}

/// Feeds `pieces` as a connection does: decode until `Partial`, keep what is left, go on behind it;
/// no further after a close or an error.
fn feed<'a>(role: Role, config: &WsConfig, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut codec = WsCodec::new(role);
    let mut frames = Vec::new();
    let mut spill = Vec::new();
    for piece in pieces {
        let mut input = std::mem::take(&mut spill);
        input.extend_from_slice(piece);
        let mut rest = &mut input[..];
        loop {
            let len = rest.len();
            let consumed = match codec.decode(config, rest) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Skip(consumed)) => consumed,
                Ok(Decoded::Frame { consumed, frame }) => {
                    if let Frame::Text(payload) | Frame::Binary(payload) = &frame {
                        assert!(payload.len() <= config.message_bytes_max);
                    }
                    frames.push(Got::new(&frame));
                    consumed
                }
                Err(error) => {
                    return Outcome {
                        frames,
                        error: Some(error),
                        mid_frame: false,
                    };
                }
            };
            assert!(0 < consumed && consumed <= len);
            rest = &mut rest[consumed..];
            if matches!(frames.last(), Some(Got::Close(_))) {
                return Outcome {
                    frames,
                    error: None,
                    mid_frame: false,
                };
            }
        }
        // A header, or a control frame: what a connection may have to keep is small.
        assert!(
            rest.len() < 14 + 125,
            "{} bytes left to the caller",
            rest.len()
        );
        spill = rest.to_vec();
        if let Some(assembly) = &codec.assembly {
            assert!(assembly.buffer.len() <= config.message_bytes_max);
            assert!(assembly.fragments <= config.fragments_max.max(1));
            assert!(assembly.outstanding > 0 || !assembly.fin);
        }
    }
    Outcome {
        frames,
        error: None,
        mid_frame: codec.mid_frame() || !spill.is_empty(),
    }
}

/// Feeds `bytes` whole, cut in two at every place, and byte by byte, and returns what all of these
/// have in common.
fn feed_every_split(role: Role, config: &WsConfig, bytes: &[u8]) -> Outcome {
    let whole = feed(role, config, [bytes]);
    for cut in 0..=bytes.len() {
        let (front, back) = bytes.split_at(cut);
        assert_eq!(
            feed(role, config, [front, back]),
            whole,
            "{bytes:02x?} cut at {cut}"
        );
    }
    assert_eq!(
        feed(role, config, bytes.chunks(1)),
        whole,
        "{bytes:02x?} byte by byte"
    );
    whole
}

fn frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_fragment(opcode, fin, payload, Some(KEY), &mut out);
    out
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(Opcode::Text, true, payload)
}

fn close(payload: &[u8]) -> Vec<u8> {
    frame(Opcode::Close, true, payload)
}

fn concat(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}

#[test]
fn examples_of_section_5_7() {
    let long = vec![0xa5; 256];
    let longer = vec![0x5a; 65_536];
    let cases: &[(Role, Vec<u8>, Vec<Got>)] = &[
        (
            Role::Client,
            b"\x81\x05Hello".to_vec(),
            vec![Got::text("Hello")],
        ),
        (
            Role::Server,
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(),
            vec![Got::text("Hello")],
        ),
        (
            Role::Client,
            b"\x01\x03Hel\x80\x02lo".to_vec(),
            vec![Got::text("Hello")],
        ),
        (
            Role::Client,
            b"\x89\x05Hello".to_vec(),
            vec![Got::Ping(b"Hello".to_vec())],
        ),
        (
            Role::Server,
            b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(),
            vec![Got::Pong(b"Hello".to_vec())],
        ),
        (
            Role::Client,
            [b"\x82\x7e\x01\x00", &long[..]].concat(),
            vec![Got::Binary(long.clone())],
        ),
    ];
    for (role, bytes, frames) in cases {
        let outcome = feed_every_split(*role, &WsConfig::default(), bytes);
        assert_eq!(outcome.frames, *frames, "{bytes:02x?}");
        assert_eq!((outcome.error, outcome.mid_frame), (None, false));
    }

    // The last example, 64 KiB, at the cuts that matter.
    let bytes = [b"\x82\x7f\0\0\0\0\0\x01\0\0", &longer[..]].concat();
    for cut in [
        0,
        1,
        2,
        5,
        9,
        10,
        11,
        18,
        40_000,
        bytes.len() - 1,
        bytes.len(),
    ] {
        let (front, back) = bytes.split_at(cut);
        let outcome = feed(Role::Client, &WsConfig::default(), [front, back]);
        assert_eq!(
            outcome.frames,
            [Got::Binary(longer.clone())],
            "cut at {cut}"
        );
    }
}

#[test]
fn messages_that_are_right() {
    let crab = "🦀".as_bytes();
    let cases: &[(&str, Vec<u8>, Vec<Got>)] = &[
        ("empty text", text(b""), vec![Got::text("")]),
        (
            "empty binary",
            frame(Opcode::Binary, true, b""),
            vec![Got::Binary(vec![])],
        ),
        (
            "125 bytes",
            text(&[b'a'; 125]),
            vec![Got::Text("a".repeat(125))],
        ),
        (
            "126 bytes",
            text(&[b'a'; 126]),
            vec![Got::Text("a".repeat(126))],
        ),
        (
            "empty ping",
            frame(Opcode::Ping, true, b""),
            vec![Got::Ping(vec![])],
        ),
        (
            "full ping",
            frame(Opcode::Ping, true, &[7; 125]),
            vec![Got::Ping(vec![7; 125])],
        ),
        (
            "frames behind each other",
            concat(&[
                text(b"a"),
                frame(Opcode::Pong, true, b"p"),
                text("é".as_bytes()),
            ]),
            vec![Got::text("a"), Got::Pong(b"p".to_vec()), Got::text("é")],
        ),
        (
            "a character over four fragments, control frames between",
            concat(&[
                frame(Opcode::Text, false, &crab[..1]),
                frame(Opcode::Ping, true, b"1"),
                frame(Opcode::Continuation, false, &crab[1..2]),
                frame(Opcode::Continuation, false, b""),
                frame(Opcode::Pong, true, b"2"),
                frame(Opcode::Continuation, false, &crab[2..3]),
                frame(Opcode::Continuation, true, &crab[3..]),
                text(b"next"),
            ]),
            vec![
                Got::Ping(b"1".to_vec()),
                Got::Pong(b"2".to_vec()),
                Got::text("🦀"),
                Got::text("next"),
            ],
        ),
        (
            "empty fragments only",
            concat(&[
                frame(Opcode::Text, false, b""),
                frame(Opcode::Continuation, false, b""),
                frame(Opcode::Continuation, true, b""),
            ]),
            vec![Got::text("")],
        ),
        (
            "binary fragments that are no text",
            concat(&[
                frame(Opcode::Binary, false, b"\xff"),
                frame(Opcode::Continuation, true, b"\xc0"),
            ]),
            vec![Got::Binary(vec![0xff, 0xc0])],
        ),
        ("close without code", close(b""), vec![Got::Close(None)]),
        ("close", close(b"\x03\xe8"), vec![Got::close(1000, "")]),
        (
            "close with reason",
            close(b"\x03\xe9bye"),
            vec![Got::close(1001, "bye")],
        ),
        (
            "close between fragments, and bytes behind it that are not looked at",
            concat(&[
                frame(Opcode::Text, false, b"a"),
                close(&[b"\x0f\xa0", "é".as_bytes()].concat()),
                vec![0xff; 9],
            ]),
            vec![Got::close(4000, "é")],
        ),
    ];
    for (name, bytes, frames) in cases {
        let outcome = feed_every_split(Role::Server, &WsConfig::default(), bytes);
        assert_eq!(outcome.frames, *frames, "{name}");
        assert_eq!((outcome.error, outcome.mid_frame), (None, false), "{name}");
    }
}

#[test]
fn every_error_at_its_byte() {
    // A server's case; its last byte is the one that shows the error.
    let begun = frame(Opcode::Text, false, b"a");
    let text_up_to = |payload: &[u8]| {
        let mut bytes = text(&[payload, &[b'a'; 50]].concat());
        bytes.truncate(6 + payload.len());
        bytes
    };
    let mut cases: Vec<(Vec<u8>, ProtocolError)> = vec![
        (vec![0xc1], E::ReservedBits(0b100)),
        (vec![0xa1], E::ReservedBits(0b010)),
        (vec![0x91], E::ReservedBits(0b001)),
        (vec![0xf9], E::ReservedBits(0b111)),
        (vec![0x08], E::FragmentedControl),
        (vec![0x09], E::FragmentedControl),
        (vec![0x0a], E::FragmentedControl),
        (vec![0x80], E::UnexpectedContinuation),
        (vec![0x00], E::UnexpectedContinuation),
        (
            concat(&[begun.clone(), vec![0x81]]),
            E::ExpectedContinuation,
        ),
        (
            concat(&[begun.clone(), vec![0x02]]),
            E::ExpectedContinuation,
        ),
        (
            concat(&[begun, frame(Opcode::Continuation, true, b""), vec![0x80]]),
            E::UnexpectedContinuation,
        ),
        (vec![0x81, 0x00], E::Unmasked),
        (vec![0x89, 0x7e], E::Unmasked),
        (vec![0x89, 0x80 | 126], E::ControlTooLong),
        (vec![0x88, 0x80 | 127], E::ControlTooLong),
        (vec![0x81, 0xfe, 0, 125], E::BadLength),
        (vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], E::BadLength),
        (vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], E::BadLength),
        (
            vec![
                0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4,
            ],
            E::FrameTooLarge(i64::MAX as u64),
        ),
        (close(b"\x03"), E::BadClosePayload),
        (close(b"\x03\xed"), E::BadCloseCode(1005)),
        (close(b"\x03\xe7why"), E::BadCloseCode(999)),
        (close(b"\x03\xe8\xff"), E::InvalidUtf8),
        (close(b"\x03\xe8\xf0\x9f\xa6"), E::InvalidUtf8),
        // Autobahn 6.4: at once, within a frame and over fragments.
        (
            text_up_to(b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90"),
            E::InvalidUtf8,
        ),
        (text_up_to(b"ok\xc0"), E::InvalidUtf8),
        (
            concat(&[
                frame(Opcode::Text, false, b"\xce\xba\xf4"),
                frame(Opcode::Continuation, false, b"\x90"),
            ]),
            E::InvalidUtf8,
        ),
        // What is missing at the end of a message.
        (text(b"\xe2\x82"), E::InvalidUtf8),
        (
            concat(&[
                frame(Opcode::Text, false, b"\xe2\x82"),
                frame(Opcode::Continuation, true, b""),
            ]),
            E::InvalidUtf8,
        ),
    ];
    for opcode in (0x3..=0x7).chain(0xb..=0xf) {
        cases.push((vec![0x80 | opcode], E::ReservedOpcode(opcode)));
    }
    for (bytes, error) in cases {
        let outcome = feed_every_split(Role::Server, &WsConfig::default(), &bytes);
        assert_eq!(outcome.error, Some(error), "{bytes:02x?}");
        let early = feed(
            Role::Server,
            &WsConfig::default(),
            [&bytes[..bytes.len() - 1]],
        );
        assert_eq!(early.error, None, "{bytes:02x?} without its last byte");

        // What follows does not change the verdict.
        let more = [&bytes[..], &[b'a'; 60]].concat();
        assert_eq!(
            feed(Role::Server, &WsConfig::default(), [&more[..]]).error,
            Some(error)
        );
    }
    let outcome = feed_every_split(Role::Client, &WsConfig::default(), b"\x81\x80");
    assert_eq!(outcome.error, Some(E::Masked));
}

#[test]
fn messages_at_the_limit_and_over_it() {
    let config = WsConfig {
        message_bytes_max: 300,
        ..WsConfig::default()
    };
    let halves = |second: usize| {
        concat(&[
            frame(Opcode::Binary, false, &[1; 200]),
            frame(Opcode::Continuation, false, b""),
            frame(Opcode::Continuation, true, &vec![2; second]),
        ])
    };
    let at = feed_every_split(
        Role::Server,
        &config,
        &frame(Opcode::Binary, true, &[1; 300]),
    );
    assert_eq!(at.frames, [Got::Binary(vec![1; 300])]);
    let over = feed_every_split(
        Role::Server,
        &config,
        &frame(Opcode::Binary, true, &[1; 301]),
    );
    assert_eq!(over.error, Some(E::FrameTooLarge(301)));

    let at = feed_every_split(Role::Server, &config, &halves(100));
    assert_eq!(
        at.frames,
        [Got::Binary([vec![1; 200], vec![2; 100]].concat())]
    );
    let over = feed_every_split(Role::Server, &config, &halves(101));
    assert_eq!(over.error, Some(E::FrameTooLarge(301)));

    // The header alone is enough to refuse.
    let mut header = frame(Opcode::Binary, true, &[1; 301]);
    header.truncate(8);
    let over = feed_every_split(Role::Server, &config, &header);
    assert_eq!(over.error, Some(E::FrameTooLarge(301)));

    let none = WsConfig {
        message_bytes_max: 0,
        ..config
    };
    assert_eq!(
        feed_every_split(Role::Server, &none, &text(b"")).frames,
        [Got::text("")]
    );
    assert_eq!(
        feed_every_split(Role::Server, &none, &text(b"a")).error,
        Some(E::FrameTooLarge(1))
    );
    let ping = frame(Opcode::Ping, true, b"not a message");
    assert_eq!(feed_every_split(Role::Server, &none, &ping).error, None);
}

#[test]
fn fragments_at_the_limit_and_over_it() {
    let fragments = |count: usize| {
        let mut frames = vec![frame(Opcode::Continuation, false, b"a"); count];
        frames[0] = frame(Opcode::Text, false, b"a");
        frames[count - 1] = frame(Opcode::Continuation, true, b"");
        frames.concat()
    };
    let config = WsConfig {
        fragments_max: 3,
        ..WsConfig::default()
    };
    let at = feed_every_split(Role::Server, &config, &fragments(3));
    assert_eq!(at.frames, [Got::text("aa")]);
    let over = feed_every_split(Role::Server, &config, &fragments(4));
    assert_eq!(
        (over.frames, over.error),
        (vec![], Some(E::TooManyFragments))
    );

    // Each message has its own count, and an unfragmented one has none.
    let twice = concat(&[fragments(3), text(b"b"), fragments(3)]);
    assert_eq!(feed_every_split(Role::Server, &config, &twice).error, None);
    let none = WsConfig {
        fragments_max: 0,
        ..config
    };
    assert_eq!(
        feed_every_split(Role::Server, &none, &text(b"b")).frames,
        [Got::text("b")]
    );
    let over = feed_every_split(Role::Server, &none, &fragments(2));
    assert_eq!(over.error, Some(E::TooManyFragments));
}

#[test]
fn whole_frames_borrow_and_pieces_own() {
    let config = WsConfig::default();
    let mut codec = WsCodec::new(Role::Server);
    assert_eq!(codec.role(), Role::Server);
    assert!(matches!(
        codec.decode(&config, &mut []),
        Ok(Decoded::Partial)
    ));

    let mut whole = text(b"hello");
    let all = whole.len();
    assert!(matches!(
        codec.decode(&config, &mut whole),
        Ok(Decoded::Frame { consumed, frame: Frame::Text(Payload::Borrowed(payload)) })
            if consumed == all && payload == b"hello"
    ));
    assert!(!codec.mid_frame());

    let mut bytes = text(b"hello");
    let (front, back) = bytes.split_at_mut(8);
    assert!(matches!(codec.decode(&config, front), Ok(Decoded::Skip(8))));
    assert!(codec.mid_frame());
    assert!(matches!(
        codec.decode(&config, &mut []),
        Ok(Decoded::Partial)
    ));
    assert!(matches!(
        codec.decode(&config, back),
        Ok(Decoded::Frame { consumed: 3, frame: Frame::Text(Payload::Owned(payload)) })
            if payload == "hello"
    ));
    assert!(!codec.mid_frame());

    // A header alone begins a message and costs nothing for its length.
    let mut header = frame(Opcode::Binary, true, &[0; 100_000]);
    header.truncate(14);
    assert!(matches!(
        codec.decode(&config, &mut header),
        Ok(Decoded::Skip(14))
    ));
    assert!(
        codec
            .assembly
            .as_ref()
            .is_some_and(|assembly| assembly.buffer.capacity() == 0)
    );

    // A broken message leaves nothing behind.
    let mut codec = WsCodec::new(Role::Server);
    let mut broken = frame(Opcode::Text, false, b"\xff");
    assert!(matches!(
        codec.decode(&config, &mut broken),
        Err(E::InvalidUtf8)
    ));
    assert!(!codec.mid_frame());
}

#[test]
fn headers_alone_are_those_of_whole_frames() {
    for mask in [None, Some(KEY)] {
        for len in [0, 1, 125, 126, 127, 0xffff, 0x1_0000] {
            let mut whole = Vec::new();
            encode(Opcode::Binary, &vec![0; len], mask, &mut whole);
            let header = encode_header(Opcode::Binary, len, mask);
            assert_eq!(*header, whole[..header.len()]);
            assert_eq!(header.len() + len, whole.len());
        }
    }
    assert_eq!(*encode_header(Opcode::Text, 5, None), [0x81, 5]);
    assert_eq!(
        *encode_header(Opcode::Text, 0x1_0000, Some(KEY)),
        *b"\x81\xff\0\0\0\0\0\x01\0\0\x37\xfa\x21\x3d"
    );
}

#[test]
#[should_panic(expected = "at most 125 bytes")]
fn long_control_frames_are_not_encoded() {
    encode(Opcode::Ping, &[0; 126], None, &mut Vec::new());
}

/// One thing that a peer may send, with the cuts of a message into fragments.
#[derive(Clone, Debug)]
enum Sent {
    Text(String, Vec<prop::sample::Index>),
    Binary(Vec<u8>, Vec<prop::sample::Index>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    let cuts = || vec(any::<prop::sample::Index>(), 0..4);
    prop_oneof![
        ("\\PC{0,200}", cuts()).prop_map(|(text, cuts)| Sent::Text(text, cuts)),
        (vec(any::<u8>(), 0..400), cuts()).prop_map(|(bytes, cuts)| Sent::Binary(bytes, cuts)),
        vec(any::<u8>(), 0..=125).prop_map(Sent::Ping),
        vec(any::<u8>(), 0..=125).prop_map(Sent::Pong),
    ]
}

impl Sent {
    fn encode(&self, mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
        match self {
            Self::Text(text, cuts) => {
                encode_cut(Opcode::Text, text.as_bytes(), cuts, mask, out);
            }
            Self::Binary(bytes, cuts) => encode_cut(Opcode::Binary, bytes, cuts, mask, out),
            Self::Ping(bytes) => encode(Opcode::Ping, bytes, mask, out),
            Self::Pong(bytes) => encode(Opcode::Pong, bytes, mask, out),
        }
    }

    fn expected(self) -> Got {
        match self {
            Self::Text(text, _) => Got::Text(text),
            Self::Binary(bytes, _) => Got::Binary(bytes),
            Self::Ping(bytes) => Got::Ping(bytes),
            Self::Pong(bytes) => Got::Pong(bytes),
        }
    }
}

fn encode_cut(
    mut opcode: Opcode,
    payload: &[u8],
    cuts: &[prop::sample::Index],
    mask: Option<[u8; 4]>,
    out: &mut Vec<u8>,
) {
    let mut pieces = split(payload, cuts).peekable();
    while let Some(piece) = pieces.next() {
        encode_fragment(opcode, pieces.peek().is_none(), piece, mask, out);
        opcode = Opcode::Continuation;
    }
}

/// `bytes` cut at each of `cuts`, in one piece more than there are cuts; some may be empty.
fn split<'a>(
    bytes: &'a [u8],
    cuts: &[prop::sample::Index],
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    at.push(bytes.len());
    let mut start = 0;
    at.into_iter().map(move |end| {
        let piece = &bytes[start..end];
        start = end;
        piece
    })
}

/// Streams that get somewhere: frames that are nearly right, with bytes changed here and there.
fn stream(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let fragment = (
        prop::sample::select(vec![
            Opcode::Continuation,
            Opcode::Continuation,
            Opcode::Text,
            Opcode::Binary,
            Opcode::Close,
            Opcode::Ping,
            Opcode::Pong,
        ]),
        any::<bool>(),
        any::<[u8; 4]>(),
        prop_oneof![
            "\\PC{0,60}".prop_map(String::into_bytes),
            vec(any::<u8>(), 0..8),
            (any::<u8>(), 0..300_usize).prop_map(|(byte, len)| vec![byte; len]),
        ],
    );
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (vec(fragment, 1..12), damage).prop_map(move |(fragments, damage)| {
        let mut out = Vec::new();
        for (opcode, fin, key, mut payload) in fragments {
            if opcode.is_control() {
                payload.truncate(125);
            }
            let mask = (role == Role::Server).then_some(key);
            encode_fragment(opcode, fin || opcode.is_control(), &payload, mask, &mut out);
        }
        for (at, byte) in damage {
            let at = at.index(out.len());
            out[at] = byte;
        }
        out
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        sent in vec(sent(), 0..8),
        key in any::<Option<[u8; 4]>>(),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let role = if key.is_some() { Role::Server } else { Role::Client };
        let mut bytes = Vec::new();
        for sent in &sent {
            sent.encode(key, &mut bytes);
        }
        let outcome = feed(role, &WsConfig::default(), split(&bytes, &cuts));
        prop_assert_eq!(outcome.error, None);
        prop_assert!(!outcome.mid_frame);
        prop_assert_eq!(outcome.frames, sent.into_iter().map(Sent::expected).collect::<Vec<_>>());
    }

    #[test]
    fn splits_change_nothing(
        (role, bytes) in prop::sample::select(vec![Role::Server, Role::Client]).prop_flat_map(
            |role| {
                let noise = vec(any::<u8>(), 0..40);
                let bytes = prop_oneof![9 => stream(role).boxed(), 1 => noise.boxed()];
                (Just(role), bytes)
            },
        ),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let config = WsConfig { message_bytes_max: 500, fragments_max: 4, ..WsConfig::default() };
        let whole = feed(role, &config, [&bytes[..]]);
        prop_assert_eq!(feed(role, &config, split(&bytes, &cuts)), whole);
    }
}
