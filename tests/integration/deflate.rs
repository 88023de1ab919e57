//! permessage-deflate (RFC 7692) over sockets: who compresses for whom, and what hostile clients
//! get for it.

use common::CloseReason;
use gate::{DeflateConfig, Limits, Message, TopicId};
use harness::ws::{WsFrame, compressed_frame, fragment, frame};
use harness::{Echo, Hall, Options, Probe, TestNode, WsClient};
use network::codec::ws::{INFLATE_CONTEXT_BYTES, Opcode, deflate_context_bytes};

/// "Hello" compressed (RFC 7692 section 7.2.3.1).
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
/// "Hello" again, by a compressor that remembers the first one (section 7.2.3.2).
const HELLO_AGAIN: [u8; 5] = [0xf2, 0x00, 0x11, 0x00, 0x00];
/// What browsers offer.
const BROWSER: &str = "permessage-deflate; client_max_window_bits";

fn compressing(options: Options) -> Options {
    Options {
        compression: Some(DeflateConfig::default()),
        ..options
    }
}

/// A text that shrinks, of more bytes than the threshold.
fn long(word: &str) -> String {
    format!("{word}, ").repeat(600 / word.len())
}

#[test]
fn compressed_messages_are_heard_and_long_ones_answered_compressed() {
    for options in Options::everywhere() {
        let node = TestNode::start(&compressing(options), |_| Echo);
        let mut client = WsClient::offering(node.web(), "/", BROWSER);
        client.script.send(compressed_frame(Opcode::Text, HELLO));
        client.expect("Hello");
        assert_eq!(client.compressed, 0, "short messages are sent as they are");

        let text = long("compressible");
        client.ask(&text, &text);
        assert_eq!(client.compressed, 1);

        // In fragments and byte by byte, with something else between them.
        let mut first = fragment(Opcode::Binary, &HELLO[..3], false);
        first[0] |= 0x40;
        let bytes = [
            first,
            frame(Opcode::Ping, "alive?"),
            fragment(Opcode::Continuation, &HELLO[3..], true),
        ];
        client.script.drip(bytes.concat());
        assert_eq!(client.take_frame(), WsFrame::Pong(b"alive?".to_vec()));
        assert_eq!(client.take_frame(), WsFrame::Binary(b"Hello".to_vec()));
        client.close();
    }
}

#[test]
fn the_answer_says_what_was_agreed_on() {
    let answer = |node: &TestNode, offer: &str| {
        let client = WsClient::offering(node.web(), "/", offer);
        let extensions = client.extensions.clone();
        client.close();
        extensions
    };
    let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let node = TestNode::start(&compressing(Options::single()), |_| Echo);
    for (offer, expected) in [
        (BROWSER, Some(both.to_owned())),
        (
            "permessage-deflate; server_max_window_bits=10",
            Some(format!("{both}; server_max_window_bits=10")),
        ),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate",
            Some(both.to_owned()),
        ),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; unknown", None),
        ("x-webkit-deflate-frame", None),
    ] {
        assert_eq!(answer(&node, offer), expected, "{offer}");
    }
    // Offers may stand in fields of their own.
    let two = format!("foo\r\nsec-websocket-extensions: {BROWSER}");
    assert_eq!(answer(&node, &two), Some(both.to_owned()));

    let plain = WsClient::open(node.web(), "/");
    assert_eq!(plain.extensions, None);
    let node = TestNode::start(&Options::single(), |_| Echo);
    assert_eq!(answer(&node, BROWSER), None);

    let takeover = DeflateConfig {
        server_max_window_bits: 11,
        server_context_takeover: true,
        client_context_takeover: true,
        ..DeflateConfig::default()
    };
    let options = Options {
        compression: Some(takeover),
        ..Options::single()
    };
    let node = TestNode::start(&options, |_| Echo);
    for (offer, expected) in [
        (BROWSER, "permessage-deflate; server_max_window_bits=11"),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=11",
        ),
    ] {
        assert_eq!(answer(&node, offer).as_deref(), Some(expected), "{offer}");
    }
}

#[test]
fn a_context_is_paid_for_while_its_connection_lives() {
    let options = Options {
        compression: Some(DeflateConfig {
            server_context_takeover: true,
            client_context_takeover: true,
            ..DeflateConfig::default()
        }),
        ..Options::single()
    };
    let node = TestNode::start(&options, |_| Echo);
    let cost = deflate_context_bytes(15) + INFLATE_CONTEXT_BYTES;
    let mut client = WsClient::offering(node.web(), "/", BROWSER);
    client.script.send(compressed_frame(Opcode::Text, HELLO));
    client.expect("Hello");
    client
        .script
        .send(compressed_frame(Opcode::Text, HELLO_AGAIN));
    client.expect("Hello");
    assert!(node.held_bytes() >= cost);
    client.close();
    node.until("the context is given back", |node| node.held_bytes() < cost);
}

#[test]
fn a_broadcast_reaches_everyone_in_their_own_form() {
    for options in Options::everywhere() {
        let node = TestNode::start(&compressing(options), |_| Hall);
        let offers = [
            None,
            Some(BROWSER),
            Some("permessage-deflate; server_max_window_bits=9"),
        ];
        // Enough of each that both reactors have some.
        let mut clients: Vec<_> = (0..24)
            .map(|n| {
                let mut client = match offers[n % offers.len()] {
                    Some(offer) => WsClient::offering(node.web(), "/", offer),
                    None => WsClient::open(node.web(), "/"),
                };
                client.ask("join 1", "ok");
                client
            })
            .collect();
        let text = long("to all of you");
        let handle = node.handle();
        handle.publish(TopicId(1), Message::text(text.clone()), None);
        handle.publish(TopicId(1), Message::text("short"), None);
        for (n, client) in clients.iter_mut().enumerate() {
            client.expect(&text);
            client.expect("short");
            let expected = usize::from(offers[n % offers.len()].is_some());
            assert_eq!(client.compressed, expected, "client {n}");
        }
    }
}

#[test]
fn bombs_and_garbage_end_their_own_connection_only() {
    let limits = Limits {
        message_bytes_max: 64 * 1024,
        ..Limits::default()
    };
    let (probe, sightings) = Probe::new();
    let options = compressing(Options::single()).limits(limits);
    let node = TestNode::start(&options, move |_| probe.clone());
    let witness = WsClient::offering(node.web(), "/", BROWSER);
    let session = sightings.opened();

    // A block of zeros (RFC 1951): one literal, then matches of 258 bytes at distance 1, each of
    // which takes 13 bits.
    let mut bits = Bits::default();
    bits.push(0b10, 3);
    bits.push_code(0x30, 8);
    for _ in 0..2000 {
        bits.push_code(0b1100_0101, 8);
        bits.push_code(0, 5);
    }
    bits.push_code(0, 7);
    bits.push(0, 3);
    let bomb = compressed_frame(Opcode::Binary, bits.bytes);

    for (what, bytes, code, reason) in [
        ("bomb", bomb, 1009, CloseReason::TooLarge),
        (
            "no deflate",
            compressed_frame(Opcode::Text, b"\xff\xff\xff"),
            1002,
            CloseReason::BadProtocol,
        ),
        (
            "reference to what is not there",
            compressed_frame(Opcode::Text, HELLO_AGAIN),
            1002,
            CloseReason::BadProtocol,
        ),
        (
            "text that is none",
            compressed_frame(Opcode::Text, b"\x00\x01\x00\xfe\xff\xff\x00"),
            1007,
            CloseReason::BadText,
        ),
        (
            "compressed ping",
            compressed_frame(Opcode::Ping, b""),
            1002,
            CloseReason::BadProtocol,
        ),
    ] {
        let mut client = WsClient::offering(node.web(), "/", BROWSER);
        client.script.send(&bytes);
        match client.take_frame() {
            WsFrame::Close(sent, _) => assert_eq!(sent, code, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        client.script.finish();
        client.expect_gone();
        assert_eq!(sightings.closed().1, reason, "{what}");
    }

    let mut witness = witness;
    witness.script.send(compressed_frame(Opcode::Text, HELLO));
    assert_eq!(
        sightings.take(),
        harness::Seen::Message(session, b"Hello".to_vec())
    );
}

/// Writes bits as DEFLATE packs them, from the lowest of each byte on.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn push(&mut self, bits: u32, count: usize) {
        for n in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (bits >> n & 1) as u8;
            self.bytes[self.count / 8] |= bit << (self.count % 8);
            self.count += 1;
        }
    }

    /// Huffman codes stand with their highest bit first.
    fn push_code(&mut self, code: u32, count: usize) {
        for n in (0..count).rev() {
            self.push(code >> n, 1);
        }
    }
}
