//! Connections over TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use common::CloseReason;
use gate::{
    ALPN_HTTP, ClientAuth, Context, Handshake, Limits, Message, MessageKind, Module, SessionId,
    TlsServer, TlsSettings,
};
use harness::script::{is_reset, len4be};
use harness::tls::{SERVER, certificate};
use harness::{Authority, Echo, Hall, Options, Script, TestNode, WsClient};
use network::codec::ws::Opcode;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion};

/// Sends the certificate of each session's peer, or `none`, when the session begins.
struct Teller;

impl Module for Teller {
    fn on_open(&mut self, context: &mut Context<'_>, session: SessionId, handshake: &Handshake) {
        let shown = handshake.certificate.as_deref().unwrap_or(b"none");
        context.send(session, MessageKind::Binary, shown);
    }

    fn on_message(&mut self, _: &mut Context<'_>, _: gate::Envelope<'_>) {}
}

fn closed(node: &TestNode, reason: CloseReason) -> u64 {
    node.count(|stats| stats.closes[reason.index()].get())
}

fn load(settings: &TlsSettings) -> TlsServer {
    TlsServer::load(settings).expect("files that were just written")
}

/// The first flight of a client.
fn client_hello(config: &ClientConfig) -> Vec<u8> {
    let mut bytes = Vec::new();
    conn(config)
        .write_tls(&mut bytes)
        .expect("a vector takes it");
    bytes
}

fn conn(config: &ClientConfig) -> ClientConnection {
    let name = ServerName::try_from(SERVER).expect("a name");
    ClientConnection::new(Arc::new(config.clone()), name).expect("settings that go together")
}

#[test]
fn messages_come_back_in_every_arrangement_and_version() {
    let authority = Authority::new();
    for options in Options::everywhere() {
        let node = TestNode::start(&options.tls(&authority.server()), |_| Echo);
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let config = authority.client_with(&[version], None);
            let script = Script::connect_tls(node.web(), &config, SERVER);
            assert_eq!(script.tls().protocol_version(), Some(version.version));
            let mut client = WsClient::upgrade(script, "/");
            client.ask("hello", "hello");
            let long = "long ".repeat(50_000);
            client.ask(&long, &long);
            client.close();
            let mut client = Script::connect_tls(node.len4be(), &config, SERVER);
            client.send_len4be("hello");
            assert_eq!(client.take_len4be(), b"hello");
            let mut client = Script::connect_tls(node.ndjson(), &config, SERVER);
            client.send("hello\nagain\n");
            assert_eq!(client.take_line(), "hello");
            assert_eq!(client.take_line(), "again");
        }
    }
}

#[test]
fn requests_are_answered_and_the_connection_is_kept() {
    let authority = Authority::new();
    let node = TestNode::start(&Options::default().tls(&authority.server()), |_| Echo);
    let mut client = Script::connect_tls(node.web(), &authority.client(), SERVER);
    assert_eq!(client.get("/page").body, b"a page");
    assert_eq!(client.get("/page").status, 200);
    client.send("GET /page HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    assert_eq!(client.reply().status, 200);
    // An end without close_notify would be an error of the client's TLS.
    client.expect_end();
}

#[test]
fn the_certificate_is_the_one_for_the_name_that_is_asked_for() {
    let authority = Authority::new();
    let first = authority.issue("first", &[SERVER, "127.0.0.1"]);
    let second = authority.issue("second", &["other.test", "*.wild.test"]);
    let settings = TlsSettings {
        certificates: vec![first.clone(), second.clone()],
        ..TlsSettings::default()
    };
    let node = TestNode::start(&Options::default().tls(&load(&settings)), |_| Echo);
    for (name, files) in [
        (SERVER, &first),
        ("other.test", &second),
        ("OTHER.test", &second),
        ("a.wild.test", &second),
        // An address is no name that a client may ask for (RFC 6066 section 3).
        ("127.0.0.1", &first),
    ] {
        let client = Script::connect_tls(node.web(), &authority.client(), name);
        let shown = client
            .tls()
            .peer_certificates()
            .expect("a server shows one");
        assert_eq!(shown[0], certificate(files), "{name}");
    }
    let unknown = Script::connect(node.web()).secure(&authority.client(), "unknown.test");
    let error = unknown
        .expect_err("the first one is not good for it")
        .to_string();
    assert!(error.contains("certificate not valid for name"), "{error}");
}

#[test]
fn who_offers_other_protocols_only_is_refused() {
    let authority = Authority::new();
    let settings = TlsSettings {
        alpn: vec![ALPN_HTTP.to_vec()],
        ..authority.settings()
    };
    let node = TestNode::start(&Options::default().tls(&load(&settings)), |_| Echo);
    let offering = |protocols: &[&[u8]]| {
        let mut config = authority.client();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Script::connect(node.web()).secure(&config, SERVER)
    };
    let agreed = offering(&[b"h2", b"http/1.1"]).expect("one of them is ours");
    assert_eq!(agreed.tls().alpn_protocol(), Some(ALPN_HTTP));
    let silent = offering(&[]).expect("nothing has to be offered");
    assert_eq!(silent.tls().alpn_protocol(), None);
    let error = offering(&[b"h2"])
        .expect_err("none of them is ours")
        .to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
    node.until("the refusal is counted", |node| {
        closed(node, CloseReason::TlsFailed) == 1
    });
}

#[test]
fn sessions_are_resumed_by_any_reactor_and_over_a_reload() {
    let authority = Authority::new();
    let settings = authority.settings();
    let tls = load(&settings);
    let node = TestNode::start(&Options::default().tls(&tls), |_| Echo);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = authority.client_with(&[version], None);
        let kind = || {
            let mut client = Script::connect_tls(node.len4be(), &config, SERVER);
            client.send_len4be("hello");
            // A ticket of TLS 1.3 has come when this has.
            assert_eq!(client.take_len4be(), b"hello");
            client.tls().handshake_kind()
        };
        assert_eq!(kind(), Some(HandshakeKind::Full));
        for _ in 0..8 {
            assert_eq!(kind(), Some(HandshakeKind::Resumed));
        }
        tls.reload(&settings).expect("the same files");
        assert_eq!(kind(), Some(HandshakeKind::Resumed));
        // Who showed no certificate must not come in with a ticket where one is asked for.
        let asking = authority.settings_asking(ClientAuth::Optional);
        tls.reload(&asking).expect("an authority of clients");
        assert_eq!(kind(), Some(HandshakeKind::Full));
        let without = TlsSettings {
            session_tickets: false,
            ..settings.clone()
        };
        tls.reload(&without).expect("the same files");
        assert_eq!(kind(), Some(HandshakeKind::Full));
        assert_eq!(kind(), Some(HandshakeKind::Full));
        tls.reload(&settings).expect("the same files");
    }
}

#[test]
fn old_versions_are_refused_where_the_listener_says_so() {
    let authority = Authority::new();
    let settings = TlsSettings {
        min_version: gate::TlsVersion::V1_3,
        ..authority.settings()
    };
    let node = TestNode::start(&Options::default().tls(&load(&settings)), |_| Echo);
    let old = authority.client_with(&[&rustls::version::TLS12], None);
    let error = Script::connect(node.web()).secure(&old, SERVER);
    assert!(
        error
            .expect_err("too old")
            .to_string()
            .contains("ProtocolVersion")
    );
    let client = Script::connect_tls(node.web(), &authority.client(), SERVER);
    assert_eq!(
        client.tls().protocol_version(),
        Some(ProtocolVersion::TLSv1_3)
    );
}

#[test]
fn bytes_may_come_one_by_one() {
    /// Writes one byte a call, so that each has a segment of its own as far as the kernel allows.
    struct Dripping(TcpStream);
    impl Read for Dripping {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(into)
        }
    }
    impl Write for Dripping {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(&bytes[..bytes.len().min(1)])
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let authority = Authority::new();
    let node = TestNode::start(&Options::default().tls(&authority.server()), |_| Echo);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = authority.client_with(&[version], None);
        let socket = TcpStream::connect(node.len4be()).expect("somebody listens");
        socket.set_nodelay(true).expect("an option that it takes");
        let mut stream = rustls::StreamOwned::new(conn(&config), Dripping(socket));
        stream
            .write_all(&len4be("drop by drop"))
            .expect("the server takes it");
        let mut echoed = [0; 16];
        stream.read_exact(&mut echoed).expect("the server answers");
        assert_eq!(&echoed[4..], b"drop by drop");
    }
}

#[test]
fn what_is_no_tls_is_told_so_and_ended() {
    let authority = Authority::new();
    let node = TestNode::start(&Options::default().tls(&authority.server()), |_| Echo);
    let garbage: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nhost: test\r\n\r\n",
        &[0x16; 8192],
        &[0xff; 64],
        // A hello of a client, without anything in it.
        &[0x16, 3, 1, 0, 4, 1, 0, 0, 0],
    ];
    for bytes in garbage {
        let mut client = Script::connect(node.web());
        client.send(bytes);
        client.cut();
        let (alert, reset) = client.take_to_end();
        // A fatal alert (RFC 8446 section 6): type 21, two bytes, of which the first is 2.
        let sent = bytes[..bytes.len().min(16)].escape_ascii();
        assert_eq!(alert.first(), Some(&21), "after {sent}");
        assert_eq!((alert.len(), alert[5]), (7, 2));
        assert!(!reset, "the alert must not be overtaken");
    }
    node.until("all of them are gone", |node| node.connections() == 0);
    assert_eq!(closed(&node, CloseReason::TlsFailed), garbage.len() as u64);
    assert_eq!(node.count(|stats| stats.frames_in.get()), 0);
}

#[test]
fn who_leaves_in_the_middle_of_a_handshake_is_forgotten() {
    let authority = Authority::new();
    let limits = Limits {
        connections_per_address_max: 1,
        ..Limits::default()
    };
    let options = Options::default().limits(limits).tls(&authority.server());
    let node = TestNode::start(&options, |_| Echo);
    let hello = client_hello(&authority.client());
    let gone = |count: u64| {
        node.until("it is gone", |node| {
            node.connections() == 0 && closed(node, CloseReason::Truncated) == count
        });
    };
    let mut client = Script::connect(node.web());
    client.send(&hello[..hello.len() / 2]);
    client.cut();
    client.expect_end();
    gone(1);
    let mut client = Script::connect(node.web());
    client.send(&hello);
    // The server's answer has begun.
    let _ = client.take(5);
    client.cut();
    gone(2);
    let client = Script::connect(node.web());
    client.cut();
    node.until("it is gone", |node| closed(node, CloseReason::PeerEof) == 1);
    let mut client = Script::connect(node.web());
    client.send(&hello);
    // The server's answer has begun.
    let _ = client.take(5);
    client.reset();
    node.until("it is gone", |node| node.connections() == 0);
    // None of them counts for the address any more.
    drop(Script::connect_tls(node.web(), &authority.client(), SERVER));
}

#[test]
fn who_is_silent_is_closed_when_the_handshake_was_due() {
    let authority = Authority::new();
    let limits = Limits {
        handshake_seconds: 1,
        ..Limits::default()
    };
    let options = Options::default().limits(limits).tls(&authority.server());
    let node = TestNode::start(&options, |_| Echo);
    let mut silent = Script::connect(node.web());
    let mut begun = Script::connect(node.web());
    begun.send(&client_hello(&authority.client())[..100]);
    let mut secured = Script::connect_tls(node.web(), &authority.client(), SERVER);
    silent.expect_end();
    begun.expect_end();
    // With a session there is somebody to say goodbye to.
    secured.expect_end();
    drop((silent, begun, secured));
    node.until("all of them are gone", |node| node.connections() == 0);
    assert_eq!(closed(&node, CloseReason::HandshakeTimeout), 3);
}

#[test]
fn a_client_that_reads_slowly_gets_everything_in_order() {
    let authority = Authority::new();
    let mut options = Options::single().tls(&authority.server());
    // Kernel buffers that hold next to nothing: most of it has to wait.
    options.listen.send_buffer_bytes = Some(16 * 1024);
    let node = TestNode::start(&options, |_| Echo);
    let mut client = Script::connect_tls(node.len4be(), &authority.client(), SERVER);
    let sizes: Vec<_> = (0..40).map(|number| 1 + number * 977).collect();
    for &size in &sizes {
        client.send_len4be(vec![size as u8; size]);
    }
    node.until("all of it is echoed", |node| {
        node.count(|stats| stats.frames_out.get()) >= sizes.len() as u64
    });
    for &size in &sizes {
        assert_eq!(client.take_len4be(), vec![size as u8; size]);
    }
    client.send_len4be("and after that");
    assert_eq!(client.take_len4be(), b"and after that");
    client.finish();
    client.expect_end();
}

#[test]
fn the_end_waits_for_what_a_slow_client_has_not_taken() {
    let authority = Authority::new();
    let mut options = Options::single().tls(&authority.server());
    options.listen.send_buffer_bytes = Some(16 * 1024);
    let node = TestNode::start(&options, |_| Echo);
    let mut client = Script::connect_tls(node.len4be(), &authority.client(), SERVER);
    for number in 0..40 {
        client.send_len4be(vec![number; 60_000]);
    }
    client.finish();
    for number in 0..40 {
        assert_eq!(client.take_len4be(), vec![number; 60_000]);
    }
    client.expect_end();
}

#[test]
fn a_broadcast_reaches_sealed_and_plain_connections() {
    let authority = Authority::new();
    let sealed = TestNode::start(&Options::default().tls(&authority.server()), |_| Hall);
    let config = authority.client();
    let mut clients: Vec<_> = (0..10)
        .map(|_| {
            let script = Script::connect_tls(sealed.web(), &config, SERVER);
            let mut client = WsClient::upgrade(script, "/");
            client.ask("join 7", "ok");
            client
        })
        .collect();
    // One that has not finished its handshake is no receiver of what goes to all.
    let mut begun = Script::connect(sealed.len4be());
    begun.send(&client_hello(&config)[..50]);
    for length in [10, 5_000, 60_000] {
        let text = "x".repeat(length);
        clients[0].send(format!("say 7 {text}"));
        clients[0].send(format!("all {text}"));
        let told: Vec<_> = (0..4).map(|_| clients[0].text()).collect();
        assert_eq!(told.iter().filter(|said| **said == text).count(), 2);
        for client in &mut clients[1..] {
            client.expect(&text);
            client.expect(&text);
        }
    }
    sealed
        .handle()
        .publish(gate::TopicId::ALL, Message::text("bye"), None);
    for client in &mut clients {
        client.expect("bye");
    }
    begun.cut();
    begun.expect_end();
}

#[test]
fn certificates_are_exchanged_while_messages_flow() {
    let authority = Authority::new();
    let mut settings = authority.settings();
    let tls = load(&settings);
    let node = TestNode::start(&Options::default().tls(&tls), |_| Echo);
    let config = authority.client();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let stopped = Arc::new(std::sync::Mutex::new(stopped));
    let talkers: Vec<_> = (0..4)
        .map(|_| {
            let script = Script::connect_tls(node.web(), &config, SERVER);
            let mut client = WsClient::upgrade(script, "/");
            let stopped = Arc::clone(&stopped);
            thread::spawn(move || {
                let mut number = 0u64;
                let goes_on = || {
                    let stopped = stopped.lock().expect("nobody panics with it");
                    stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty)
                };
                while goes_on() {
                    number += 1;
                    client.ask(&number.to_string(), &number.to_string());
                }
                client.close();
            })
        })
        .collect();
    for round in 0..5 {
        settings.certificates = vec![authority.issue(&format!("round{round}"), &[SERVER])];
        tls.reload(&settings).expect("files that were just written");
        let client = Script::connect_tls(node.web(), &authority.client(), SERVER);
        let shown = client
            .tls()
            .peer_certificates()
            .expect("a server shows one");
        assert_eq!(shown[0], certificate(&settings.certificates[0]));
    }
    let missing = TlsSettings {
        certificates: vec![authority.files("never issued")],
        ..settings
    };
    let error = tls.reload(&missing).expect_err("there is no such file");
    assert!(error.to_string().starts_with("cannot read "), "{error}");
    drop(Script::connect_tls(node.web(), &authority.client(), SERVER));
    drop(stop);
    for talker in talkers {
        talker.join().expect("no message was lost");
    }
}

#[test]
fn modules_see_the_certificates_of_clients() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let known = authority.issue("client", &["client.test"]);
    let unknown = stranger.issue("client", &["client.test"]);
    for (auth, without) in [(ClientAuth::Optional, true), (ClientAuth::Required, false)] {
        let tls = load(&authority.settings_asking(auth));
        let node = TestNode::start(&Options::default().tls(&tls), |_| Teller);
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let config = authority.client_with(&[version], Some(&known));
            // The second time it is a ticket that knows the certificate.
            for _ in 0..2 {
                let mut client = Script::connect_tls(node.len4be(), &config, SERVER);
                assert_eq!(client.take_len4be(), certificate(&known).as_ref());
            }
            let script = Script::connect_tls(node.web(), &config, SERVER);
            let mut client = WsClient::upgrade(script, "/");
            let shown = harness::WsFrame::Binary(certificate(&known).to_vec());
            assert_eq!(client.take_frame(), shown);

            let config = authority.client_with(&[version], None);
            assert_eq!(is_let_in(&node, &config), without, "{auth:?}");
            let config = authority.client_with(&[version], Some(&unknown));
            assert!(!is_let_in(&node, &config), "{auth:?}");
        }
    }
}

/// Whether a client without a certificate that counts hears from the [`Teller`].
fn is_let_in(node: &TestNode, config: &ClientConfig) -> bool {
    // In TLS 1.3 a client is through with its handshake before the server has seen its certificate.
    let Ok(mut client) = Script::connect(node.len4be()).secure(config, SERVER) else {
        return false;
    };
    match client.fill() {
        Ok(true) => {
            assert_eq!(client.take_len4be(), b"none");
            true
        }
        Ok(false) => panic!("an alert says why"),
        Err(error) => {
            assert!(error.to_string().contains("received fatal alert") || is_reset(&error));
            false
        }
    }
}

#[test]
fn a_storm_of_handshakes_is_worked_off() {
    let authority = Authority::new();
    let mut options = Options::single().tls(&authority.server());
    options.tls_handshakes_per_turn = 1;
    let node = TestNode::start(&options, |_| Echo);
    let config = authority.client();
    let hello = client_hello(&config);
    // Those who only begin wait their turn like the others.
    let begun: Vec<_> = (0..30)
        .map(|_| {
            let mut client = Script::connect(node.len4be());
            client.send(&hello);
            client
        })
        .collect();
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let (addr, config) = (node.len4be(), config.clone());
            thread::spawn(move || {
                let mut client = Script::connect_tls(addr, &config, SERVER);
                client.send_len4be("hello");
                assert_eq!(client.take_len4be(), b"hello");
            })
        })
        .collect();
    for client in clients {
        client.join().expect("everybody is served");
    }
    for mut client in begun {
        // A record of the handshake (RFC 8446 section 5.1).
        assert_eq!(client.take(1), [22]);
    }
}

#[test]
fn what_ends_inside_a_message_is_truncated_and_behind_one_is_not() {
    let authority = Authority::new();
    let node = TestNode::start(&Options::default().tls(&authority.server()), |_| Echo);
    let config = authority.client();
    let mut client = Script::connect_tls(node.len4be(), &config, SERVER);
    client.send(&len4be("hello")[..6]);
    client.cut();
    node.until("it is truncated", |node| {
        closed(node, CloseReason::Truncated) == 1
    });
    let mut client = Script::connect_tls(node.len4be(), &config, SERVER);
    client.send(&len4be("hello")[..6]);
    client.finish();
    node.until("it is truncated", |node| {
        closed(node, CloseReason::Truncated) == 2
    });
    let mut client = Script::connect_tls(node.len4be(), &config, SERVER);
    client.send_len4be("hello");
    client.finish();
    assert_eq!(client.take_len4be(), b"hello");
    client.expect_end();
    node.until("it is over", |node| closed(node, CloseReason::PeerEof) == 1);
}

#[test]
fn a_close_is_said_on_every_layer() {
    let authority = Authority::new();
    let node = TestNode::start(&Options::default().tls(&authority.server()), |_| Hall);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = authority.client_with(&[version], None);
        let script = Script::connect_tls(node.web(), &config, SERVER);
        let mut client = WsClient::upgrade(script, "/");
        client.send("quit 4000");
        client.expect_close(4000);
        // What breaks the framing is told inside, and the end of TLS comes behind it.
        let script = Script::connect_tls(node.web(), &config, SERVER);
        let mut client = WsClient::upgrade(script, "/");
        client.script.send([0xff; 20]);
        client.expect_close(1002);
    }
}

#[test]
fn records_that_were_changed_on_the_way_end_the_connection() {
    let authority = Authority::new();
    let node = TestNode::start(&Options::default().tls(&authority.server()), |_| Echo);
    let mut client = Script::connect_tls(node.len4be(), &authority.client(), SERVER);
    client.send_len4be("hello");
    assert_eq!(client.take_len4be(), b"hello");
    let mut raw = Script::of(client.stream());
    raw.send([23, 3, 3, 0, 20]);
    raw.send([0; 20]);
    let error = client.fill().expect_err("an alert").to_string();
    assert!(error.contains("BadRecordMac"), "{error}");
    drop((client, raw));
    node.until("it is counted", |node| {
        closed(node, CloseReason::TlsFailed) == 1
    });
}

#[test]
fn keys_may_be_changed_at_any_time() {
    let authority = Authority::new();
    let node = TestNode::start(&Options::default().tls(&authority.server()), |_| Echo);
    let config = authority.client_with(&[&rustls::version::TLS13], None);
    let script = Script::connect_tls(node.web(), &config, SERVER);
    let mut client = WsClient::upgrade(script, "/");
    for round in 0..10 {
        client
            .script
            .tls_mut()
            .refresh_traffic_keys()
            .expect("a session of TLS 1.3");
        let text = format!("round {round}");
        client.ask(&text, &text);
        client.script.send(harness::ws::frame(Opcode::Ping, "?"));
        assert_eq!(client.take_frame(), harness::WsFrame::Pong(b"?".to_vec()));
    }
    client.close();
}
