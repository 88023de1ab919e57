//! Limits of sessions: each row of the overload table, with the outcome that it documents.

use std::thread;
use std::time::{Duration, Instant};

use common::CloseReason;
use gate::{Limits, Placement, Rate};
use harness::ws::{WsFrame, fragment, frame, header, upgrade_request};
use harness::{Echo, Gated, Hall, Options, Probe, Script, Seen, TestNode, WsClient};
use network::codec::ws::Opcode;

/// A pace at which no single pause looks idle.
const DRIP: Duration = Duration::from_millis(50);

fn closes(node: &TestNode, reason: CloseReason) -> u64 {
    node.count(|stats| stats.closes[reason.index()].get())
}

fn refused_with_503(node: &TestNode) {
    let mut refused = Script::connect(node.web());
    assert_eq!(refused.reply().status, 503);
    refused.expect_end();
}

/// Opens a WebSocket as soon as there is room for it again.
fn open_when_there_is_room(node: &TestNode) -> WsClient {
    let begun = Instant::now();
    loop {
        let mut script = Script::connect(node.web());
        // Whoever is refused may be gone before this is sent.
        let _ = script.try_send(upgrade_request("/"));
        if script.fill().is_ok_and(|more| more) && script.has_come(b"HTTP/1.1 101") {
            return WsClient::accepted(script);
        }
        assert!(begun.elapsed() < harness::PATIENCE, "no room is made");
    }
}

#[test]
fn a_listener_holds_no_more_connections_than_it_may() {
    for options in Options::everywhere() {
        let node = TestNode::start(
            &options.limits(Limits {
                connections_max: 2,
                ..Limits::default()
            }),
            |_| Echo,
        );
        let mut first = WsClient::open(node.web(), "/");
        let second = WsClient::open(node.web(), "/");
        refused_with_503(&node);
        let mut lines = [0, 1].map(|_| Script::connect(node.ndjson()));
        for client in &mut lines {
            client.send("in\n");
            client.expect("in\n");
        }
        Script::refused_with_a_reset(node.ndjson());
        assert_eq!(node.count(|stats| stats.refused.get()), 2);
        assert_eq!(closes(&node, CloseReason::TooManyConnections), 2);
        first.ask("still here", "still here");
        second.close();
        open_when_there_is_room(&node).ask("in", "in");
    }
}

#[test]
fn an_address_holds_no_more_connections_than_it_may() {
    let options = Options::default().limits(Limits {
        connections_per_address_max: 1,
        ..Limits::default()
    });
    let node = TestNode::start(&options, |_| Echo);
    let first = WsClient::open(node.web(), "/");
    refused_with_503(&node);
    assert_eq!(closes(&node, CloseReason::TooManyConnections), 1);
    let other = Script::connect_from([127, 0, 0, 2], node.web());
    WsClient::upgrade(other, "/").ask("in", "in");
    first.close();
    open_when_there_is_room(&node).ask("in", "in");
}

#[test]
fn a_node_holds_no_more_connections_than_it_may() {
    let options = Options {
        connections_max: 2,
        ..Options::default()
    };
    let node = TestNode::start(&options, |_| Echo);
    let first = WsClient::open(node.web(), "/");
    let mut second = Script::connect(node.ndjson());
    second.send("in\n");
    second.expect("in\n");
    refused_with_503(&node);
    Script::refused_with_a_reset(node.len4be());
    assert_eq!(closes(&node, CloseReason::TooManyConnections), 2);
    first.close();
    open_when_there_is_room(&node).ask("in", "in");
}

#[test]
fn who_says_nothing_is_closed_after_the_handshake_time() {
    let options = Options::default().limits(Limits {
        handshake_seconds: 1,
        ..Limits::default()
    });
    let node = TestNode::start(&options, |_| Echo);
    let mut silent = [node.web(), node.len4be(), node.ndjson()].map(Script::connect);
    let mut half = Script::connect(node.web());
    half.send("GET /page HTTP/1.1\r\nhost: te");
    for client in &mut silent {
        client.expect_end();
        client.finish();
    }
    assert_eq!(half.reply().status, 408);
    half.expect_end();
    half.finish();
    node.until("all four are counted", |node| {
        closes(node, CloseReason::HandshakeTimeout) == 4
    });
}

#[test]
fn dripping_a_handshake_does_not_extend_its_time() {
    let options = Options::default().limits(Limits {
        handshake_seconds: 1,
        ..Limits::default()
    });
    let node = TestNode::start(&options, |_| Echo);
    let begun = Instant::now();
    let drips = [
        (node.web(), format!("GET /{} HTTP/1.1", "x".repeat(4096))),
        (node.len4be(), format!("\0\0\u{10}\0{}", "x".repeat(4096))),
        (node.ndjson(), "x".repeat(4096)),
    ]
    .map(|(addr, text)| {
        thread::spawn(move || {
            let mut client = Script::connect(addr);
            for byte in text.bytes() {
                if client.try_send([byte]).is_err() {
                    break;
                }
                thread::sleep(DRIP);
            }
        })
    });
    for drip in drips {
        drip.join()
            .expect("the drip ends with an error of its socket");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    node.until("nobody is left", |node| node.connections() == 0);
}

#[test]
fn a_frame_that_is_begun_must_be_finished() {
    let options = Options::default().limits(Limits {
        frame_seconds: 1,
        close_seconds: 1,
        ..Limits::default()
    });
    let node = TestNode::start(&options, |_| Echo);
    let mut client = WsClient::open(node.web(), "/");
    client.ask("a whole one", "a whole one");
    client.script.send(&frame(Opcode::Text, "half of one")[..7]);
    client.expect_close(1001);
    let mut client = WsClient::open(node.web(), "/");
    client
        .script
        .send(fragment(Opcode::Text, "a fragment", false));
    client.expect_close(1001);
    for (addr, whole, half) in [
        (node.len4be(), "\0\0\0\u{1}x", "\0\0"),
        (node.ndjson(), "x\n", "x"),
    ] {
        let mut client = Script::connect(addr);
        client.send(whole);
        client.expect(whole);
        client.send(half);
        client.expect_end();
        client.finish();
    }
    node.until("all four are counted", |node| {
        closes(node, CloseReason::FrameTimeout) == 4
    });
}

#[test]
fn who_does_not_log_in_is_closed_and_who_does_stays() {
    for options in Options::crosswise() {
        let options = options.limits(Limits {
            auth_seconds: 1,
            ..Limits::default()
        });
        let node = TestNode::start(&options, |_| Hall);
        let mut bound = WsClient::open(node.web(), "/");
        bound.ask("bind", "ok");
        // Talking is not logging in.
        let mut anonymous = WsClient::open(node.web(), "/");
        anonymous.ask("echo hello", "hello");
        let mut silent = Script::connect(node.ndjson());
        anonymous.expect_close(1008);
        silent.expect_end();
        bound.ask("echo still here", "still here");
        // After a logout the time runs again.
        bound.ask("unbind", "ok");
        bound.expect_close(1008);
        node.until("all three are counted", |node| {
            closes(node, CloseReason::AuthTimeout) == 3
        });
    }
}

#[test]
fn messages_over_the_rate_are_refused_and_then_the_session_is_closed() {
    for options in Options::everywhere() {
        let options = options.limits(Limits {
            message_rate: Some(Rate {
                per_second: 1,
                burst: 5,
            }),
            ..Limits::default()
        });
        let node = TestNode::start(&options, |_| Echo);
        let mut client = WsClient::open(node.web(), "/");
        let mut other = WsClient::open(node.web(), "/");
        let mut echoed = 0;
        loop {
            client.send("again");
            match client.text().as_str() {
                "again" => echoed += 1,
                answer => {
                    assert_eq!(answer, "limited");
                    break;
                }
            }
        }
        assert!(echoed >= 5, "the burst passes");
        // On and on: none of these is answered, and at the end the session is closed. A second may
        // pass on a slow host and let one through.
        for _ in 0..40 {
            if client
                .script
                .try_send(frame(Opcode::Text, "flood"))
                .is_err()
            {
                break;
            }
        }
        let code = loop {
            match client.take_frame() {
                WsFrame::Text(_) => {}
                WsFrame::Close(code, _) => break code,
                frame => panic!("{frame:?}"),
            }
        };
        assert_eq!(code, 1008);
        other.ask("unharmed", "unharmed");
        client.send_close(code);
        node.until("it is counted", |node| {
            closes(node, CloseReason::RateExceeded) == 1
        });
        // The one that was told, and twice the burst.
        assert!(node.gate_count(|stats| stats.limited.get()) > 10);
    }
}

#[test]
fn a_flood_in_one_piece_is_told_too_before_the_close() {
    for options in Options::everywhere() {
        let options = options.limits(Limits {
            message_rate: Some(Rate {
                per_second: 1,
                burst: 5,
            }),
            ..Limits::default()
        });
        let node = TestNode::start(&options, |_| Echo);
        let mut client = WsClient::open(node.web(), "/");
        client.script.send(frame(Opcode::Text, "x").repeat(100));
        for answer in ["x", "x", "x", "x", "x", "limited"] {
            client.expect(answer);
        }
        client.expect_close(1008);
    }
}

#[test]
fn a_silent_session_is_asked_and_then_closed() {
    for options in Options::crosswise() {
        let options = options.limits(Limits {
            idle_seconds: 1,
            ..Limits::default()
        });
        let node = TestNode::start(&options, |_| Echo);
        let mut client = WsClient::open(node.web(), "/");
        let mut silent = Script::connect(node.ndjson());
        silent.send("x\n");
        silent.expect("x\n");
        let mut kept = Script::connect(node.web());
        assert_eq!(kept.get("/page").status, 200);
        let WsFrame::Ping(payload) = client.take_frame() else {
            panic!("a ping")
        };
        client.script.send(frame(Opcode::Pong, payload));
        assert!(matches!(client.take_frame(), WsFrame::Ping(_)));
        client.expect_close(1001);
        silent.expect_end();
        silent.finish();
        kept.expect_end();
        kept.finish();
        node.until("both are counted", |node| {
            closes(node, CloseReason::Idle) == 2 && node.connections() == 0
        });
    }
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_reset() {
    let (probe, sightings) = Probe::new();
    let options = Options::default().limits(Limits {
        close_seconds: 1,
        ..Limits::default()
    });
    let node = TestNode::start(&options, move |_| probe.clone());
    let mut client = WsClient::open(node.web(), "/");
    let session = sightings.opened();
    node.handle()
        .close(session, CloseReason::Module(4000), "bye");
    assert_eq!(client.take_frame(), WsFrame::Close(4000, "bye".to_owned()));
    client.script.expect_reset();
    assert_eq!(sightings.closed(), (session, CloseReason::Module(4000)));
    assert_eq!(node.count(|stats| stats.unanswered_closes.get()), 1);
}

#[test]
fn messages_over_the_limit_end_the_session() {
    for options in Options::everywhere() {
        let options = Options {
            tcp_bytes_max: 1000,
            farewell: Some("too large"),
            ..options.limits(Limits {
                message_bytes_max: 1000,
                body_bytes_max: 1000,
                ..Limits::default()
            })
        };
        let node = TestNode::start(&options, |_| Echo);
        let fits = "x".repeat(1000);
        let mut client = WsClient::open(node.web(), "/");
        client.ask(&fits, &fits);
        client.script.send(header(Opcode::Text, 1001));
        client.expect_close(1009);
        let mut client = WsClient::open(node.web(), "/");
        client.script.send(fragment(Opcode::Text, &fits, false));
        client
            .script
            .send(fragment(Opcode::Continuation, "x", true));
        client.expect_close(1009);
        let mut client = Script::connect(node.len4be());
        client.send_len4be(&fits);
        assert_eq!(client.take_len4be(), fits.as_bytes());
        client.send([0, 0, 3, 0xe9]);
        client.expect("too large");
        client.expect_end();
        let mut client = Script::connect(node.web());
        client.send("POST /api/ HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n\r\n");
        assert_eq!(client.reply().status, 413);
        client.expect_end();
        client.finish();
        node.until("all four are counted", |node| {
            closes(node, CloseReason::TooLarge) == 4
        });
    }
}

#[test]
fn a_full_mailbox_slows_its_sessions_down_and_loses_nothing() {
    const MESSAGES: usize = 20_000;
    for private_fd_tables in [true, false] {
        let options = Options {
            mailbox_events_max: 16,
            reactors: 1,
            workers: 2,
            private_fd_tables,
            ..Options::default()
        };
        let gated = Gated::default();
        let node = TestNode::start(&options, gated.maker());
        // One reactor: the slots are taken in this order, and slots go to workers in turn.
        let mut held = WsClient::open(node.web(), "/");
        let mut other = WsClient::open(node.web(), "/");
        let guard = gated.hold();
        held.send("hold");
        let padding = "x".repeat(200);
        let mut writer = Script::of(held.script.stream());
        let line = padding.clone();
        let writing = thread::spawn(move || {
            for number in 0..MESSAGES {
                writer.send(frame(Opcode::Text, format!("{number} {line}")));
            }
        });
        for number in 0..300 {
            let text = number.to_string();
            other.ask(&text, &text);
        }
        let read = node.count(|stats| stats.bytes_in.get());
        assert!(
            read < (MESSAGES * padding.len() / 2) as u64,
            "{read} bytes were read although nobody takes the messages"
        );
        assert!(node.gate_count(|stats| stats.held_back.get()) > 0);
        drop(guard);
        held.expect("hold");
        for number in 0..MESSAGES {
            held.expect(&format!("{number} {padding}"));
        }
        writing.join().expect("everything is written in the end");
        other.ask("and on", "and on");
    }
}

#[test]
fn a_module_that_panics_loses_that_session_only() {
    let node = TestNode::start(&Options::single(), |_| Hall);
    let mut other = WsClient::open(node.web(), "/");
    let mut client = WsClient::open(node.web(), "/");
    client.send("nonsense that makes the hall panic");
    client.expect_close(1011);
    other.ask("echo unharmed", "unharmed");
}

#[test]
fn a_session_is_announced_before_its_first_message_and_ends_after_its_last() {
    for placement in [Placement::Worker, Placement::Reactor] {
        let (probe, sightings) = Probe::new();
        let options = Options::default().placement(placement);
        let node = TestNode::start(&options, move |_| probe.clone());
        for addr in [node.ndjson(), node.ndjson(), node.ndjson()] {
            let mut client = Script::connect(addr);
            client.send((0..100).map(|n| format!("{n}\n")).collect::<String>());
            drop(client);
            let session = sightings.opened();
            for number in 0..100 {
                let bytes = number.to_string().into_bytes();
                assert_eq!(sightings.take(), Seen::Message(session, bytes));
            }
            assert!(matches!(sightings.take(), Seen::Close(closed, _) if closed == session));
        }
    }
}
