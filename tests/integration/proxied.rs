//! Clients that come by a proxy: whose word is taken, and who is counted.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use common::CloseReason;
use gate::TrustedProxies;
use gate::{Context, Envelope, Handshake, HttpRequest, Limits, Module, Response, SessionId};
use harness::ws::upgrade_request_with;
use harness::{HttpReply, Options, PATIENCE, Script, TestNode, WsClient};

/// Tells the test where sessions and requests come from.
#[derive(Clone, Debug)]
struct Porter(Sender<SocketAddr>);

impl Module for Porter {
    fn on_open(&mut self, _: &mut Context<'_>, _: SessionId, handshake: &Handshake) {
        // A test that has ended does not look any more.
        let _ = self.0.send(handshake.peer);
    }

    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        context.send(envelope.session, envelope.kind, envelope.payload());
    }

    fn on_request(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        let peer = request.peer.to_string();
        context.respond(request.session, Response::text(200, peer));
    }
}

struct Lobby {
    node: TestNode,
    comers: Receiver<SocketAddr>,
}

impl Lobby {
    /// A node that trusts a proxy at 127.0.0.2, and one before it at 10.0.0.7.
    fn open(limits: Limits) -> Self {
        let trusted_proxies = TrustedProxies::parse(["127.0.0.2", "10.0.0.7"]).unwrap();
        let options = Options {
            trusted_proxies,
            ..Options::default().limits(limits)
        };
        let (sender, comers) = channel();
        let porter = Porter(sender);
        let node = TestNode::start(&options, move |_| porter.clone());
        Self { node, comers }
    }

    /// A connection of the proxy.
    fn proxy(&self) -> Script {
        Script::connect_from([127, 0, 0, 2], self.node.web())
    }

    /// Asks from `script` for an upgrade with these lines.
    fn ask(&self, mut script: Script, lines: &str) -> (Script, HttpReply) {
        let lines = format!("host: inner\r\n{lines}");
        script.send(upgrade_request_with("/", &lines));
        let reply = script.reply();
        (script, reply)
    }

    fn comer(&self) -> SocketAddr {
        self.comers.recv_timeout(PATIENCE).expect("a session")
    }

    /// Whom the node sees behind a proxy that sends these lines.
    fn seen(&self, lines: &str) -> String {
        let (_open, reply) = self.ask(self.proxy(), lines);
        assert_eq!(reply.status, 101, "{lines}");
        self.comer().to_string()
    }
}

#[test]
fn a_trusted_proxy_is_believed() {
    let lobby = Lobby::open(Limits::default());
    for (lines, client) in [
        ("x-forwarded-for: 192.0.2.1\r\n", "192.0.2.1:0"),
        (
            "x-forwarded-for: 6.6.6.6, 192.0.2.1:99, 10.0.0.7\r\n",
            "192.0.2.1:99",
        ),
        (
            "forwarded: for=\"[2001:db8::1]:99\";proto=https\r\n",
            "[2001:db8::1]:99",
        ),
        ("forwarded: for=192.0.2.1, for=10.0.0.7\r\n", "192.0.2.1:0"),
        (
            "x-forwarded-for: 192.0.2.1, nonsense, 10.0.0.7\r\n",
            "10.0.0.7:0",
        ),
    ] {
        assert_eq!(lobby.seen(lines), client, "{lines}");
    }
    // The proxy itself, with the port that it has.
    for lines in [
        "",
        "x-forwarded-for: nonsense\r\n",
        "x-forwarded-for: 192.0.2.1\r\nforwarded: for=192.0.2.2\r\n",
    ] {
        assert!(lobby.seen(lines).starts_with("127.0.0.2:"), "{lines}");
    }
    let mut script = lobby.proxy();
    for client in ["192.0.2.1", "192.0.2.2"] {
        script.send(format!(
            "GET /api/ HTTP/1.1\r\nhost: inner\r\nx-forwarded-for: {client}\r\n\r\n"
        ));
        assert_eq!(script.reply().body, format!("{client}:0").into_bytes());
    }
}

#[test]
fn nobody_else_is_believed() {
    let lobby = Lobby::open(Limits::default());
    let lines = "x-forwarded-for: 192.0.2.1\r\nforwarded: for=192.0.2.1\r\n";
    let liar = Script::connect_from([127, 0, 0, 3], lobby.node.web());
    let (mut liar, reply) = lobby.ask(liar, lines);
    assert_eq!(reply.status, 101);
    let local = liar.stream().local_addr().unwrap();
    assert_eq!(lobby.comer(), local, "with its port");
    liar.finish();
    liar.expect_end();
    let mut script = Script::connect(lobby.node.web());
    script.send(format!("GET /api/ HTTP/1.1\r\nhost: inner\r\n{lines}\r\n"));
    let local = script.stream().local_addr().unwrap();
    assert_eq!(script.reply().body, local.to_string().into_bytes());
}

#[test]
fn the_clients_of_a_proxy_are_counted_and_not_the_proxy() {
    let limits = Limits {
        connections_per_address_max: 2,
        ..Limits::default()
    };
    let lobby = Lobby::open(limits);
    let line = |client: &str| format!("x-forwarded-for: {client}\r\n");
    // More connections than one address may have, since nobody has said yet whose they are.
    let idle: Vec<_> = (0..5).map(|_| lobby.proxy()).collect();
    let (first, reply) = lobby.ask(lobby.proxy(), &line("192.0.2.1"));
    assert_eq!(reply.status, 101);
    let (_second, reply) = lobby.ask(lobby.proxy(), &line("192.0.2.1"));
    assert_eq!(reply.status, 101);
    let (mut third, reply) = lobby.ask(lobby.proxy(), &line("192.0.2.1"));
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("retry-after"), Some("5"));
    third.expect_end();
    let (_other, reply) = lobby.ask(lobby.proxy(), &line("192.0.2.2"));
    assert_eq!(reply.status, 101, "another client is another address");
    let full = CloseReason::TooManyConnections.index();
    lobby.node.until("it is counted", |node| {
        node.count(|stats| stats.closes[full].get()) == 1
    });
    // Whoever leaves makes room.
    let left = lobby.node.connections();
    drop(first);
    lobby
        .node
        .until("one has gone", |node| node.connections() < left);
    let (script, reply) = lobby.ask(lobby.proxy(), &line("192.0.2.1"));
    assert_eq!(reply.status, 101);
    drop((script, idle));
    // Those who come without the proxy have a count of their own.
    let mut direct = WsClient::open(lobby.node.web(), "/");
    direct.ask("here", "here");
}

#[test]
fn the_host_is_told_by_trusted_proxies_alone() {
    let lobby = Lobby::open(Limits::default());
    let lines = "origin: https://chat.example\r\nx-forwarded-host: chat.example\r\n";
    assert_eq!(lobby.ask(lobby.proxy(), lines).1.status, 101);
    let untrusted = Script::connect(lobby.node.web());
    assert_eq!(lobby.ask(untrusted, lines).1.status, 403);
    let lines = "origin: https://evil.example\r\nx-forwarded-host: chat.example\r\n";
    assert_eq!(lobby.ask(lobby.proxy(), lines).1.status, 403);
}
