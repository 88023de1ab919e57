//! Both ends of a connection, from the upgrade on: what one sends is what the other gets, however
//! it is cut and whatever they have agreed on. And what an attacker sends instead.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::MemoryBudget;
use crate::codec::http::{HttpCodec, HttpConfig};
use crate::codec::ws::handshake::accept;
use crate::codec::ws::{
    INFLATE_CONTEXT_BYTES, Inflater, Opcode, Role, WsCodec, WsConfig, deflate_context_bytes,
};
use crate::codec::{
    Codec, Decoded, Frame, Framing, MessageKind, ProtocolError as E, Stack, StackConfig, WireForm,
};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// "Hello" compressed (RFC 7692 section 7.2.3.1).
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

fn stack_config(framing: &Framing, deflate: Option<DeflateConfig>) -> StackConfig {
    let mut config = StackConfig::for_framing(framing);
    config.ws.deflate = deflate;
    config
}

/// One end of a connection.
struct End {
    config: StackConfig,
    stack: Stack,
    inflater: Inflater,
    deflaters: Deflaters,
}

/// A message, or what stands for a control frame.
type Message = (Option<MessageKind>, Vec<u8>);

impl End {
    fn new(config: StackConfig, stack: Stack) -> Self {
        Self {
            config,
            stack,
            inflater: Inflater::default(),
            deflaters: Deflaters::default(),
        }
    }

    fn send(&mut self, kind: MessageKind, payload: &[u8], sure: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let message = (kind, payload);
        let (stack, deflaters) = (&mut self.stack, &mut self.deflaters);
        stack
            .encode(&self.config, deflaters, message, sure, || KEY, &mut out)
            .expect("WebSocket carries everything");
        out
    }

    /// Sends the bytes that others get too.
    fn send_shared(&mut self, kind: MessageKind, payload: &[u8]) -> Vec<u8> {
        let form = self.stack.wire_form(&self.config).expect("takes messages");
        let bytes = form
            .encode(kind, payload, &mut Deflaters::default())
            .expect("WebSocket carries everything");
        self.stack.note_shared(&bytes);
        bytes.to_vec()
    }

    fn receive<'a>(
        &mut self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Message>, E> {
        let mut got = Vec::new();
        let mut spill = Vec::new();
        for piece in pieces {
            let mut input = std::mem::take(&mut spill);
            input.extend_from_slice(piece);
            let mut at = 0;
            loop {
                let decoded =
                    self.stack
                        .decode(&self.config, &mut self.inflater, &mut input[at..])?;
                match decoded {
                    Decoded::Partial => break,
                    Decoded::Skip(consumed) => at += consumed,
                    Decoded::Frame { consumed, frame } => {
                        at += consumed;
                        match frame {
                            Frame::Ping(payload) => got.push((None, payload.to_vec())),
                            Frame::Upgraded => {}
                            frame => {
                                let (kind, payload) = frame.into_message().expect("a message");
                                got.push((Some(kind), payload.to_vec()));
                            }
                        }
                    }
                }
            }
            spill = input[at..].to_vec();
        }
        assert!(spill.is_empty() && !self.stack.mid_frame());
        Ok(got)
    }

    fn takes_over(&self) -> bool {
        matches!(self.stack, Stack::WsInContext(_))
    }
}

/// A client and a server after the handshake that they make of these configurations.
fn ends(client: Option<DeflateConfig>, server: Option<DeflateConfig>) -> (End, End) {
    let framing = Framing::WebSocketClient {
        host: "test".to_owned(),
        target: "/".to_owned(),
    };
    let config = stack_config(&framing, client);
    let stack = Stack::new(&framing, &config, || [7; 16]);
    let mut request = Vec::new();
    let Stack::Upgrading(upgrading) = &stack else {
        panic!("a client begins with the upgrade");
    };
    upgrading.write_request("test", "/", &mut request);
    let mut client = End::new(config, stack);

    let config = stack_config(&Framing::Http, server);
    let decoded = HttpCodec::new().decode(&HttpConfig::default(), &mut request);
    let Ok(Decoded::Frame {
        frame: Frame::Request(request),
        ..
    }) = decoded
    else {
        panic!("not a request: {decoded:?}");
    };
    let accept = accept(&request).expect("our own request");
    let (stack, deflate) = Stack::accepted(&config.ws, accept.deflate());
    let mut answer = Vec::new();
    accept.write_response(None, deflate, &mut answer);
    let server = End::new(config, stack);
    client.receive([&answer[..]]).expect("our own answer");
    (client, server)
}

fn takeover(bits: u8, server: bool, client: bool) -> DeflateConfig {
    DeflateConfig {
        threshold_bytes: 0,
        server_max_window_bits: bits,
        server_context_takeover: server,
        client_context_takeover: client,
        ..DeflateConfig::default()
    }
}

fn is_compressed(frame: &[u8]) -> bool {
    frame[0] & 0x40 != 0
}

#[test]
fn compression_needs_both_ends() {
    let on = || Some(DeflateConfig::default());
    let text = "compressible ".repeat(100);
    for (client, server, compressed) in [
        (on(), on(), true),
        (on(), None, false),
        (None, on(), false),
        (None, None, false),
    ] {
        let (mut client, mut server) = ends(client, server);
        assert!(!client.takes_over() && !server.takes_over());
        for (from, to) in [(0, 1), (1, 0)] {
            let pair = [&mut client, &mut server];
            let bytes = pair[from].send(MessageKind::Text, text.as_bytes(), true);
            assert_eq!(is_compressed(&bytes), compressed);
            let got = pair[to].receive([&bytes[..]]).expect("a good message");
            assert_eq!(got, [(Some(MessageKind::Text), text.clone().into_bytes())]);
        }
    }
}

#[test]
fn what_does_not_gain_is_sent_as_it_is() {
    let (mut client, mut server) = ends(
        Some(DeflateConfig::default()),
        Some(DeflateConfig::default()),
    );
    let noise = noise(4000, 1);
    let long = vec![b'a'; 512];
    for (payload, compressed) in [
        (&long[..511], false),
        (&long[..], true),
        (&noise[..], false),
        (&[][..], false),
    ] {
        let bytes = server.send(MessageKind::Binary, payload, true);
        assert_eq!(is_compressed(&bytes), compressed, "{} bytes", payload.len());
        let shared = server.send_shared(MessageKind::Binary, payload);
        assert_eq!(bytes, shared, "the same bytes for one and for many");
        let got = client.receive([&bytes[..]]).expect("a good message");
        assert_eq!(got, [(Some(MessageKind::Binary), payload.to_vec())]);
    }
}

/// Bytes in which nothing repeats.
fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    let next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// A compressor that is abandoned when its output has become too long must not be used again
/// without care: several messages in a row, longer than what it holds back itself.
#[test]
fn a_compressor_survives_what_does_not_compress() {
    for (level, keeps) in [(1, false), (1, true), (6, true)] {
        let config = || {
            Some(DeflateConfig {
                level,
                ..takeover(15, keeps, keeps)
            })
        };
        let (mut client, mut server) = ends(config(), config());
        for n in 0..4 {
            let payload = noise(100_000, n);
            let bytes = server.send(MessageKind::Binary, &payload, true);
            assert!(bytes.len() <= payload.len() + payload.len() / 32 + 22);
            let got = client.receive([&bytes[..]]).expect("a good message");
            assert!(got == [(Some(MessageKind::Binary), payload)], "message {n}");
        }
        let text = "compressible ".repeat(1000);
        let bytes = server.send(MessageKind::Text, text.as_bytes(), true);
        assert!(bytes.len() < text.len() / 10);
        let got = client.receive([&bytes[..]]).expect("a good message");
        assert_eq!(got, [(Some(MessageKind::Text), text.into_bytes())]);
    }
}

#[test]
fn a_context_makes_the_second_message_shorter() {
    let text = b"{\"type\":\"message\",\"from\":\"alice\",\"text\":\"the quick brown fox\"}";
    for (server_keeps, client_keeps) in [(true, true), (true, false), (false, true)] {
        let config = || Some(takeover(15, server_keeps, client_keeps));
        let (mut client, mut server) = ends(config(), config());
        assert!(client.takes_over() && server.takes_over());
        for (from_server, keeps) in [(true, server_keeps), (false, client_keeps)] {
            let (sender, receiver) = if from_server {
                (&mut server, &mut client)
            } else {
                (&mut client, &mut server)
            };
            let first = sender.send(MessageKind::Text, text, true);
            let second = sender.send(MessageKind::Text, text, true);
            assert_eq!(second.len() < first.len(), keeps);
            let got = receiver.receive([&first[..], &second[..]]);
            assert_eq!(got.expect("good messages").len(), 2);
        }
    }
}

#[test]
fn shared_and_droppable_messages_do_not_disturb_a_context() {
    let config = || Some(takeover(15, true, true));
    let (mut client, mut server) = ends(config(), config());
    let text = |n: usize| format!("message {n}: the quick brown fox jumps over the lazy dog");
    let mut expected = Vec::new();
    for n in 0..40 {
        let payload = text(n % 7);
        let bytes = match n % 4 {
            0 | 1 => server.send(MessageKind::Text, payload.as_bytes(), true),
            2 => server.send_shared(MessageKind::Text, payload.as_bytes()),
            _ => {
                let bytes = server.send(MessageKind::Text, payload.as_bytes(), false);
                // Every second of those that may be dropped while they wait is.
                if n % 8 == 3 {
                    continue;
                }
                bytes
            }
        };
        expected.push((Some(MessageKind::Text), payload.into_bytes()));
        let at = expected.len() - 1;
        let got = client.receive([&bytes[..]]).expect("a good message");
        assert_eq!(got, expected[at..], "message {n}");
    }
}

#[test]
fn the_budget_is_kept_and_given_back() {
    let one = deflate_context_bytes(15) + INFLATE_CONTEXT_BYTES;
    let memory = Arc::new(MemoryBudget::new(100 * one));
    let contexts = ContextBudget::within(Arc::clone(&memory), one + INFLATE_CONTEXT_BYTES);
    let server = DeflateConfig {
        contexts: contexts.clone(),
        ..takeover(15, true, true)
    };
    let client = || Some(takeover(15, true, true));
    let first = ends(client(), Some(server.clone()));
    assert!(first.0.takes_over() && first.1.takes_over());
    assert_eq!(contexts.left(), INFLATE_CONTEXT_BYTES);

    // For the second there is room in one direction, for the third in none; both go on without.
    let (mut second, mut peer) = ends(client(), Some(server.clone()));
    assert_eq!(contexts.left(), 0);
    assert_eq!(memory.used(), one + INFLATE_CONTEXT_BYTES);
    let (third, _) = ends(client(), Some(server.clone()));
    assert!(!third.takes_over());
    let text = [b'a'; 60];
    for _ in 0..2 {
        let bytes = peer.send(MessageKind::Binary, &text, true);
        assert!(is_compressed(&bytes));
        assert!(second.receive([&bytes[..]]).is_ok());
    }

    drop((first, peer));
    assert_eq!(contexts.left(), one + INFLATE_CONTEXT_BYTES);
    assert_eq!(memory.used(), 0);
    let fourth = ends(client(), Some(server.clone()));
    assert!(fourth.1.takes_over());

    // Nothing is set aside while the node is short of memory altogether.
    memory.take(80 * one);
    let fifth = ends(client(), Some(server));
    assert!(!fifth.1.takes_over());
}

#[test]
fn a_client_told_to_use_a_window_of_256_bytes_sends_plain() {
    let mut codec = End::new(
        stack_config(&Framing::Http, Some(takeover(15, false, false))),
        Stack::Ws(WsCodec::with_deflate(Role::Client, 8)),
    );
    let bytes = codec.send(MessageKind::Text, &[b'a'; 1000], true);
    assert!(!is_compressed(&bytes));
}

/// A server's codec that has agreed on compression, fed with frames as they stand on the wire.
fn decode(bytes: &[u8], bytes_max: usize) -> Result<Vec<Vec<u8>>, E> {
    let config = WsConfig {
        message_bytes_max: bytes_max,
        ..WsConfig::default()
    };
    let mut codec = WsCodec::with_deflate(Role::Client, 15);
    let mut inflater = Inflater::default();
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    let mut messages = Vec::new();
    loop {
        match codec.decode_with(&config, &mut inflater, &mut bytes[at..])? {
            Decoded::Partial => return Ok(messages),
            Decoded::Skip(consumed) => at += consumed,
            Decoded::Frame { consumed, frame } => {
                at += consumed;
                let (_, payload) = frame.into_message().expect("a message");
                messages.push(payload.to_vec());
            }
        }
    }
}

/// A frame that a server sends: its first byte, and a payload of at most 125 bytes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, payload.len() as u8], payload].concat()
}

#[test]
fn examples_of_the_rfc() {
    let hello = |bytes: &[u8]| {
        assert_eq!(
            decode(bytes, 100),
            Ok(vec![b"Hello".to_vec()]),
            "{bytes:02x?}"
        );
    };
    // Section 7.2.3.1: whole, and in two fragments.
    hello(&frame(0xc1, &HELLO));
    hello(&[frame(0x41, &HELLO[..3]), frame(0x80, &HELLO[3..])].concat());
    // Section 7.2.3.3: a block without compression.
    hello(b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00");
    // Section 7.2.3.4: a block that says it is the last.
    hello(b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00");
    // Section 7.2.3.5: two blocks.
    hello(b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00");
    // Section 7.2.3.6: the empty message.
    assert_eq!(decode(b"\xc1\x01\x00", 5), Ok(vec![vec![]]));
    // A sender that forgets the byte behind its last block is understood too.
    hello(b"\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00");

    // Section 7.2.3.2: the second message refers to the first.
    let config = || Some(takeover(15, true, true));
    let (mut client, _) = ends(config(), config());
    let shared: &[u8] = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    let hello = (Some(MessageKind::Text), b"Hello".to_vec());
    assert_eq!(client.receive([shared]), Ok(vec![hello.clone(), hello]));
    assert_eq!(decode(shared, 100), Err(E::BadDeflate));
}

#[test]
fn what_does_not_inflate_is_refused() {
    for payload in [
        &b""[..],
        b"\xff",
        b"\x07",
        b"Hello",
        // A length of a stored block that is not its complement; a block that is cut off.
        b"\x00\x05\x00\x00\x00",
        b"\x00\x06\x00\xf9\xff\x48",
        // A match before the beginning.
        b"\x02\x02\x00",
        &HELLO[..4],
    ] {
        assert_eq!(
            decode(&frame(0xc2, payload), 100),
            Err(E::BadDeflate),
            "{payload:02x?}"
        );
    }
    // Text is looked at when it is inflated.
    assert_eq!(
        decode(b"\xc1\x07\x00\x01\x00\xfe\xff\xff\x00", 100),
        Err(E::InvalidUtf8)
    );
    assert_eq!(
        decode(b"\xc2\x07\x00\x01\x00\xfe\xff\xff\x00", 100),
        Ok(vec![vec![0xff]])
    );
}

#[test]
fn the_bit_stands_on_the_first_frame_of_a_message_only() {
    let fragments = |second: u8| [frame(0x41, &HELLO[..3]), frame(second, &HELLO[3..])].concat();
    for (bytes, bits) in [
        (fragments(0xc0), 0b100),
        (frame(0xc9, b""), 0b100),
        (frame(0xc8, b""), 0b100),
        (frame(0xe1, &HELLO), 0b110),
        (frame(0xa1, &HELLO), 0b010),
    ] {
        assert_eq!(
            decode(&bytes, 100),
            Err(E::ReservedBits(bits)),
            "{bytes:02x?}"
        );
    }
    // Not agreed on, it stands nowhere; and neither where nothing can inflate.
    let config = WsConfig::default();
    let decoded = |mut codec: WsCodec| codec.decode(&config, &mut frame(0xc1, &HELLO)).is_err();
    assert!(decoded(WsCodec::new(Role::Client)));
    assert!(decoded(WsCodec::with_deflate(Role::Client, 15)));
    let mut plain = WsCodec::new(Role::Client);
    let mut bytes = frame(0xc1, &HELLO);
    assert!(matches!(
        plain.decode_with(&config, &mut Inflater::default(), &mut bytes),
        Err(E::ReservedBits(0b100))
    ));
    // A message that is not compressed may come on any connection.
    assert_eq!(
        decode(&frame(0x81, b"plain"), 5),
        Ok(vec![b"plain".to_vec()])
    );
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let zeros = vec![0; 2 << 20];
    let form = DeflateConfig::default().form(15);
    let bytes = WireForm::WebSocketDeflated(form)
        .encode(MessageKind::Binary, &zeros, &mut Deflaters::default())
        .expect("WebSocket carries everything");
    assert!(bytes.len() < zeros.len() / 100);

    let config = WsConfig {
        message_bytes_max: 1 << 18,
        ..WsConfig::default()
    };
    let mut inflater = Inflater::default();
    for pieces in [1, 7] {
        let mut codec = WsCodec::with_deflate(Role::Client, 15);
        let mut error = None;
        for piece in bytes.to_vec().chunks_mut(bytes.len().div_ceil(pieces)) {
            let mut at = 0;
            while at < piece.len() && error.is_none() {
                match codec.decode_with(&config, &mut inflater, &mut piece[at..]) {
                    Ok(Decoded::Skip(consumed)) => at += consumed,
                    Ok(decoded) => panic!("{decoded:?} of a bomb"),
                    Err(found) => error = Some(found),
                }
            }
        }
        assert_eq!(error, Some(E::FrameTooLarge((1 << 18) + 1)));
        assert!(inflater.scratch.capacity() <= (1 << 18) + STEP_BYTES_MIN);
    }
    inflater.trim();
    assert_eq!(inflater.scratch.capacity(), 0);

    // Exactly at the limit is within it.
    let exact = WireForm::WebSocketDeflated(form)
        .encode(
            MessageKind::Binary,
            &zeros[..5000],
            &mut Deflaters::default(),
        )
        .expect("WebSocket carries everything");
    assert_eq!(decode(&exact, 5000), Ok(vec![vec![0; 5000]]));
    assert_eq!(decode(&exact, 4999), Err(E::FrameTooLarge(5000)));
}

#[test]
fn many_streams_in_one_message_are_one_message() {
    let ended = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
    let payload = [&ended.repeat(10)[..], &[0]].concat();
    assert_eq!(
        decode(&frame(0xc1, &payload), 100),
        Ok(vec![b"Hello".repeat(10)])
    );
}

#[derive(Clone, Debug)]
struct Sent {
    text: bool,
    from_client: bool,
    way: u8,
    payload: Vec<u8>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let payload = prop_oneof![
        "\\PC{0,40}".prop_map(String::into_bytes),
        ("[a-e ]{0,20}", 0..60_usize).prop_map(|(text, n)| text.repeat(n).into_bytes()),
        vec(any::<u8>(), 0..400),
    ];
    (any::<bool>(), 0..3_u8, payload).prop_map(|(from_client, way, payload)| Sent {
        text: std::str::from_utf8(&payload).is_ok(),
        from_client,
        way,
        payload,
    })
}

fn config() -> impl Strategy<Value = DeflateConfig> {
    (1..=9_u8, 0..300_usize, 9..=15_u8, any::<[bool; 2]>()).prop_map(
        |(level, threshold_bytes, bits, [server, client])| DeflateConfig {
            level,
            threshold_bytes,
            ..takeover(bits, server, client)
        },
    )
}

proptest! {
    #[test]
    fn what_is_sent_is_received(
        client in config(),
        server in config(),
        sent in vec(sent(), 1..12),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
        control in any::<bool>(),
    ) {
        let (mut client, mut server) = ends(Some(client), Some(server));
        for Sent { text, from_client, way, payload } in sent {
            let (from, to) = if from_client {
                (&mut client, &mut server)
            } else {
                (&mut server, &mut client)
            };
            let kind = if text { MessageKind::Text } else { MessageKind::Binary };
            let mut bytes = match way {
                0 => from.send(kind, &payload, true),
                1 => from.send(kind, &payload, false),
                _ if from_client => continue,
                _ => from.send_shared(kind, &payload),
            };
            let mut expected = vec![(Some(kind), payload)];
            if control {
                let mask = from_client.then_some(KEY);
                crate::codec::ws::encode(Opcode::Ping, b"alive?", mask, &mut bytes);
                expected.push((None, b"alive?".to_vec()));
            }
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
            prop_assert_eq!(to.receive(pieces), Ok(expected));
        }
    }

    #[test]
    fn every_split_is_the_same(text in "[a-f]{1,60}", fragments in 1..4_usize) {
        let form = DeflateConfig { threshold_bytes: 0, ..DeflateConfig::default() }.form(15);
        let mut deflaters = Deflaters::default();
        let text = text.repeat(3);
        let Some(payload) = deflaters.compress(form, text.as_bytes()) else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        let pieces = payload.len().div_ceil(fragments);
        for (n, piece) in payload.chunks(pieces).enumerate() {
            let opcode = if n == 0 { 0x41 } else { 0 };
            let fin = if (n + 1) * pieces >= payload.len() { 0x80 } else { 0 };
            bytes.extend(frame(opcode | fin, piece));
        }
        let framing = Framing::Http;
        let expected = vec![(Some(MessageKind::Text), text.clone().into_bytes())];
        for cut in 0..=bytes.len() {
            let stack = Stack::Ws(WsCodec::with_deflate(Role::Client, 15));
            let mut end = End::new(stack_config(&framing, None), stack);
            let (front, back) = bytes.split_at(cut);
            prop_assert_eq!(end.receive([front, back]), Ok(expected.clone()), "cut at {}", cut);
        }
        let stack = Stack::Ws(WsCodec::with_deflate(Role::Client, 15));
        let mut end = End::new(stack_config(&framing, None), stack);
        prop_assert_eq!(end.receive(bytes.chunks(1)), Ok(expected));
    }

    #[test]
    fn noise_is_refused_or_inflated_within_the_limit(
        noise in vec(any::<u8>(), 0..125),
        bytes_max in 0..2000_usize,
    ) {
        let most = bytes_max.max(noise.len());
        if let Ok(messages) = decode(&frame(0xc2, &noise), most) {
            prop_assert!(messages.iter().all(|message| message.len() <= most));
        }
    }
}
