//! WebSocket sessions (RFC 6455), in both placements and with both kinds of descriptor tables.

use common::CloseReason;
use harness::ws::{self, WsFrame, fragment, frame, upgrade_request};
use harness::{Echo, Options, Probe, Script, Seen, TestNode, WsClient};
use network::codec::ws::Opcode;

#[test]
fn messages_come_back_in_every_arrangement() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = WsClient::open(node.web(), "/");
        client.ask("hello", "hello");
        client.send_binary([0, 159, 255]);
        assert_eq!(client.take_frame(), WsFrame::Binary(vec![0, 159, 255]));
        client.ask("", "");
        client.close();
    }
}

#[test]
fn lengths_on_both_sides_of_each_form_of_the_header() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut client = WsClient::open(node.web(), "/");
    for length in [1, 125, 126, 127, 65_535, 65_536, 300_000, 1024 * 1024] {
        let text: String = ('a'..='z').cycle().take(length).collect();
        client.ask(&text, &text);
    }
}

#[test]
fn pipelined_messages_come_back_in_order() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = WsClient::open(node.web(), "/");
        let mut bytes = Vec::new();
        for number in 0..2000 {
            bytes.extend(frame(Opcode::Text, number.to_string()));
        }
        client.script.send(&bytes);
        for number in 0..2000 {
            client.expect(&number.to_string());
        }
    }
}

#[test]
fn frames_may_follow_the_upgrade_in_the_same_segment() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut script = Script::connect(node.web());
        let mut bytes = upgrade_request("/").into_bytes();
        bytes.extend(frame(Opcode::Text, "early"));
        script.send(&bytes);
        WsClient::accepted(script).expect("early");
    }
}

#[test]
fn bytes_may_come_one_by_one() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut script = Script::connect(node.web());
    script.drip(upgrade_request("/"));
    let mut client = WsClient::accepted(script);
    client.script.drip(frame(Opcode::Text, "drop by drop"));
    client.expect("drop by drop");
}

#[test]
fn a_ping_between_fragments_is_answered_before_the_message() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut client = WsClient::open(node.web(), "/");
    client.script.send(fragment(Opcode::Text, "one, ", false));
    client.script.send(frame(Opcode::Ping, "alive?"));
    assert_eq!(client.take_frame(), WsFrame::Pong(b"alive?".to_vec()));
    client
        .script
        .send(fragment(Opcode::Continuation, "two, ", false));
    client
        .script
        .send(fragment(Opcode::Continuation, "three", true));
    client.expect("one, two, three");
}

#[test]
fn a_close_is_echoed_and_then_the_server_ends_the_connection() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    for (code, answered) in [(1000, 1000), (1001, 1001), (3000, 3000), (4999, 4999)] {
        let mut client = WsClient::open(node.web(), "/");
        client.send_close(code);
        assert_eq!(client.take_frame(), WsFrame::Close(answered, String::new()));
        client.script.expect_end();
        assert_eq!(sightings.closed().1, CloseReason::Peer(code));
    }
    let mut client = WsClient::open(node.web(), "/");
    client.script.send(frame(Opcode::Close, ""));
    assert_eq!(client.take_frame(), WsFrame::Close(1005, String::new()));
    client.script.expect_end();
    assert_eq!(sightings.closed().1, CloseReason::Peer(1005));
}

#[test]
fn nothing_is_heard_after_a_close() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::single(), move |_| probe.clone());
    let mut client = WsClient::open(node.web(), "/");
    let session = sightings.opened();
    let mut bytes = frame(Opcode::Text, "before");
    bytes.extend(frame(Opcode::Close, 1000_u16.to_be_bytes()));
    bytes.extend(frame(Opcode::Text, "after"));
    client.script.send(&bytes);
    assert_eq!(client.take_frame(), WsFrame::Close(1000, String::new()));
    assert_eq!(sightings.take(), Seen::Message(session, b"before".to_vec()));
    assert_eq!(
        sightings.take(),
        Seen::Close(session, CloseReason::Peer(1000))
    );
}

#[test]
fn violations_are_answered_with_their_close_code() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    let text = |payload: &[u8]| frame(Opcode::Text, payload);
    let first_byte = |byte| {
        let mut bytes = text(b"x");
        bytes[0] = byte;
        bytes
    };
    let bad_protocol = CloseReason::BadProtocol;
    for (what, bytes, code, reason) in [
        ("unmasked", b"\x81\x01x".to_vec(), 1002, bad_protocol),
        ("reserved bit", first_byte(0xc1), 1002, bad_protocol),
        ("reserved opcode", first_byte(0x83), 1002, bad_protocol),
        ("reserved control", first_byte(0x8b), 1002, bad_protocol),
        (
            "continuation of nothing",
            first_byte(0x80),
            1002,
            bad_protocol,
        ),
        ("fragmented ping", first_byte(0x09), 1002, bad_protocol),
        ("not UTF-8", text(b"\xc3\x28"), 1007, CloseReason::BadText),
        (
            "close code that may not be sent",
            frame(Opcode::Close, 1006_u16.to_be_bytes()),
            1002,
            bad_protocol,
        ),
        (
            "close payload of one byte",
            frame(Opcode::Close, "x"),
            1002,
            bad_protocol,
        ),
        (
            "over the limit",
            ws::header(Opcode::Binary, 1024 * 1024 + 1),
            1009,
            CloseReason::TooLarge,
        ),
    ] {
        let mut client = WsClient::open(node.web(), "/");
        client.script.send(&bytes);
        match client.take_frame() {
            WsFrame::Close(sent, _) => assert_eq!(sent, code, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        client.script.finish();
        client.expect_gone();
        assert_eq!(sightings.closed().1, reason, "{what}");
    }
}

#[test]
fn what_came_before_a_violation_is_answered_before_the_close() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = WsClient::open(node.web(), "/");
        let mut bytes: Vec<u8> = (0..100)
            .flat_map(|n| frame(Opcode::Text, n.to_string()))
            .collect();
        bytes.extend(frame(Opcode::Text, b"\xff"));
        bytes.extend(frame(Opcode::Text, "not heard"));
        client.script.send(&bytes);
        for number in 0..100 {
            client.expect(&number.to_string());
        }
        client.expect_close(1007);
    }
}

#[test]
fn text_is_refused_at_the_first_byte_that_cannot_be_utf8() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut client = WsClient::open(node.web(), "/");
    client
        .script
        .send(fragment(Opcode::Text, b"ok \xf4\x90", false));
    client.expect_close(1007);
}

#[test]
fn every_end_has_its_reason() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    let open = || {
        let client = WsClient::open(node.web(), "/some/path");
        assert!(matches!(sightings.take(), Seen::Open(_, path) if path == "/some/path"));
        client
    };
    drop(open());
    assert_eq!(sightings.closed().1, CloseReason::PeerEof);
    open().script.reset();
    assert_eq!(sightings.closed().1, CloseReason::Io);
    let mut client = open();
    client.script.send(&frame(Opcode::Text, "cut off")[..5]);
    drop(client);
    assert_eq!(sightings.closed().1, CloseReason::Truncated);
}

#[test]
fn what_is_no_upgrade_is_refused() {
    let node = TestNode::im(&Options::default());
    let good = upgrade_request("/im");
    for (request, status) in [
        (good.replace("/im", "/elsewhere"), 404),
        (good.replace("version: 13", "version: 8"), 426),
        (good.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400),
        (
            good.replace("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
            400,
        ),
        (good.replace("upgrade: websocket\r\n", ""), 426),
        (good.replace("host: test\r\n", ""), 400),
        (good.replace("HTTP/1.1", "HTTP/1.0"), 400),
    ] {
        let mut script = Script::connect(node.web());
        script.send(&request);
        assert_eq!(script.reply().status, status, "{request}");
    }
}
