//! Connections that a proxy makes for its clients (PROXY protocol).

use common::CloseReason;
use gate::{Context, Handshake, Limits, Message, Module, SessionId};
use harness::script::len4be;
use harness::tls::SERVER;
use harness::{Authority, Options, Script, TestNode, WsClient};

/// Sends the address of each session's peer when the session begins, and echoes.
struct Teller;

impl Module for Teller {
    fn on_open(&mut self, context: &mut Context<'_>, session: SessionId, handshake: &Handshake) {
        context.send_message(session, Message::text(handshake.peer.to_string()));
    }

    fn on_message(&mut self, context: &mut Context<'_>, envelope: gate::Envelope<'_>) {
        context.send(envelope.session, envelope.kind, envelope.payload());
    }
}

/// Headers of the same client in both versions, `192.0.2.1:56324`.
fn headers() -> [Vec<u8>; 2] {
    let v1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec();
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    v2.extend_from_slice(&[192, 0, 2, 1, 198, 51, 100, 1]);
    v2.extend_from_slice(&56324u16.to_be_bytes());
    v2.extend_from_slice(&443u16.to_be_bytes());
    [v1, v2]
}

fn header_of(client: &str) -> String {
    format!("PROXY TCP4 {client} 198.51.100.1 1000 443\r\n")
}

const CLIENT: &str = "192.0.2.1:56324";

fn closed(node: &TestNode, reason: CloseReason) -> u64 {
    node.count(|stats| stats.closes[reason.index()].get())
}

#[test]
fn the_peer_is_whom_the_proxy_speaks_for() {
    let node = TestNode::start(&Options::default().behind("127.0.0.0/8"), |_| Teller);
    for header in headers() {
        let mut client = Script::connect(node.len4be());
        client.send([header.as_slice(), &len4be("hello")].concat());
        assert_eq!(client.take_len4be(), CLIENT.as_bytes());
        assert_eq!(client.take_len4be(), b"hello");

        let mut client = Script::connect(node.web());
        client.send(&header);
        let mut client = WsClient::upgrade(client, "/");
        client.expect(CLIENT);
        client.ask("hello", "hello");
        client.close();
    }
}

#[test]
fn the_header_comes_before_tls() {
    let authority = Authority::new();
    let options = Options::default()
        .behind("127.0.0.1")
        .tls(&authority.server());
    let node = TestNode::start(&options, |_| Teller);
    for header in headers() {
        let mut client = Script::connect(node.web());
        client.send(&header);
        let client = client.secure(&authority.client(), SERVER);
        let mut client = WsClient::upgrade(client.expect("a handshake"), "/");
        client.expect(CLIENT);
        client.ask("hello", "hello");
        client.close();
    }
}

#[test]
fn headers_may_come_in_any_pieces() {
    let node = TestNode::start(&Options::default().behind("127.0.0.1"), |_| Teller);
    for header in headers() {
        let mut client = Script::connect(node.len4be());
        client.drip(&header);
        client.drip(len4be("hello"));
        assert_eq!(client.take_len4be(), CLIENT.as_bytes());
        assert_eq!(client.take_len4be(), b"hello");
    }
}

#[test]
fn a_proxy_may_speak_for_itself() {
    let node = TestNode::start(&Options::default().behind("127.0.0.1"), |_| Teller);
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut client = Script::connect(node.len4be());
        let own = client.stream().local_addr().expect("an address");
        client.send(header);
        assert_eq!(client.take_len4be(), own.to_string().as_bytes());
    }
}

#[test]
fn who_is_not_trusted_is_refused() {
    let node = TestNode::start(&Options::default().behind("127.0.0.2"), |_| Teller);
    Script::refused_with_a_reset(node.len4be());
    let mut stranger = Script::connect(node.web());
    let (bytes, _) = stranger.take_to_end();
    assert!(bytes.starts_with(b"HTTP/1.1 503 "));
    let mut proxy = Script::connect_from([127, 0, 0, 2], node.len4be());
    proxy.send(&headers()[0]);
    assert_eq!(proxy.take_len4be(), CLIENT.as_bytes());
    assert_eq!(node.count(|stats| stats.refused.get()), 2);
}

#[test]
fn without_a_header_nobody_gets_in() {
    let authority = Authority::new();
    let node = TestNode::start(&Options::default().behind("127.0.0.1"), |_| Teller);
    let mut oversized = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".to_vec();
    oversized.extend_from_slice(&[0; 100]);
    let bad = [
        b"GET / HTTP/1.1\r\nhost: test\r\n\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4\r\n".to_vec(),
        [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat(),
        oversized,
    ];
    for bytes in &bad {
        let mut client = Script::connect(node.web());
        client.send(bytes);
        client.expect_reset();
    }
    node.until("all are gone", |node| node.connections() == 0);
    assert_eq!(closed(&node, CloseReason::BadProtocol), bad.len() as u64);
    let tls = Script::connect(node.web()).secure(&authority.client(), SERVER);
    assert!(tls.is_err());
    // One that ends in the middle of its header.
    let mut client = Script::connect(node.web());
    client.send("PROXY TCP4 192.0");
    client.cut();
    let (bytes, _) = client.take_to_end();
    assert_eq!(bytes, b"");
    node.until("it is truncated", |node| {
        closed(node, CloseReason::Truncated) == 1
    });
}

#[test]
fn a_header_that_does_not_come_in_time_is_not_waited_for() {
    let limits = Limits {
        handshake_seconds: 1,
        ..Limits::default()
    };
    let options = Options::default().limits(limits).behind("127.0.0.1");
    let node = TestNode::start(&options, |_| Teller);
    let mut silent = Script::connect(node.web());
    let mut begun = Script::connect(node.len4be());
    begun.send("PROXY TCP4 192.0");
    for client in [&mut silent, &mut begun] {
        let (bytes, _) = client.take_to_end();
        assert_eq!(bytes, b"");
    }
    drop((silent, begun));
    node.until("all are gone", |node| node.connections() == 0);
    assert_eq!(closed(&node, CloseReason::HandshakeTimeout), 2);
}

#[test]
fn the_cap_per_address_counts_clients_and_not_the_proxy() {
    let limits = Limits {
        connections_per_address_max: 2,
        connections_max: 5,
        ..Limits::default()
    };
    let options = Options::default().limits(limits).behind("127.0.0.1");
    let node = TestNode::start(&options, |_| Teller);
    let enter = |client: &str| {
        let mut script = Script::connect(node.web());
        // In one piece: who is refused for the header may be gone before a second one is sent.
        script.send(header_of(client) + &harness::ws::upgrade_request("/"));
        script
    };
    let mut inside = Vec::new();
    for client in ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"] {
        let mut client = WsClient::accepted(enter(client));
        // The address, which another test looks at.
        let _ = client.text();
        inside.push(client);
    }
    for client in ["192.0.2.1", "192.0.2.2"] {
        let mut third = enter(client);
        assert_eq!(third.reply().status, 503);
        third.cut();
    }
    // Those that were refused count for nobody, nor do proxies that say nothing.
    node.until("they are gone", |node| node.connections() == 4);
    let silent = Script::connect(node.web());
    node.until("it is there", |node| node.connections() == 5);
    drop(silent);
    node.until("it is gone", |node| node.connections() == 4);
    drop(inside.remove(0));
    node.until("there is room", |node| node.connections() == 3);
    let mut again = WsClient::accepted(enter("192.0.2.1"));
    assert!(again.text().starts_with("192.0.2.1:"));
}
