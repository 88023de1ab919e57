//! Stopping in order: nothing new, everything queued is delivered, everyone is told.

use std::thread;
use std::time::{Duration, Instant};

use common::CloseReason;
use gate::{Drain, Message, Response};
use harness::ws::{WsFrame, frame};
use harness::{Echo, Gated, Options, Probe, Script, Seen, TestNode, WsClient};
use network::codec::ws::Opcode;

/// Far more than a stop takes whose clients do what they should.
const PROMPT: Duration = Duration::from_secs(4);

#[test]
fn everyone_is_told_and_the_threads_end() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let web = node.web();
        let mut clients: Vec<_> = (0..20).map(|_| WsClient::open(web, "/")).collect();
        let mut lines = Script::connect(node.ndjson());
        lines.send("in\n");
        lines.expect("in\n");
        let mut http = Script::connect(web);
        assert_eq!(http.get("/page").status, 200);
        let stopping = thread::spawn(move || node.stop(10));
        for client in &mut clients {
            client.expect_close(1001);
        }
        lines.expect_end();
        lines.finish();
        http.expect_end();
        http.finish();
        let took = stopping.join().expect("stopping does not fail");
        assert!(took < PROMPT, "{took:?} although everyone has answered");
        assert!(Script::try_connect(web).is_err(), "nobody listens any more");
    }
}

#[test]
fn a_node_without_connections_stops_at_once() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        assert!(node.stop(30) < PROMPT);
    }
}

#[test]
fn what_is_queued_is_delivered_before_the_close() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    let mut client = WsClient::open(node.web(), "/");
    let session = sightings.opened();
    let long = "x".repeat(3_500_000);
    node.handle().send(session, Message::text(long.clone()));
    node.handle().send(session, Message::text("the last one"));
    let stopping = thread::spawn(move || node.stop(10));
    client.expect(&long);
    client.expect("the last one");
    client.expect_close(1001);
    assert!(stopping.join().expect("stopping does not fail") < PROMPT);
    assert_eq!(sightings.closed(), (session, CloseReason::Shutdown));
}

#[test]
fn a_request_in_flight_is_answered() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::single(), move |_| probe.clone());
    let handle = node.handle();
    let mut http = Script::connect(node.web());
    http.send("GET /api/slow HTTP/1.1\r\nhost: test\r\n\r\n");
    let Seen::Request(session, _) = sightings.take() else {
        panic!("a request")
    };
    let mut other = WsClient::open(node.web(), "/");
    let stopping = thread::spawn(move || node.stop(10));
    // Once somebody is told, the drain has begun.
    other.expect_close(1001);
    handle.respond(session, Response::text(200, "just in time"));
    let reply = http.reply();
    assert_eq!(reply.body, b"just in time");
    assert_eq!(reply.header("connection"), Some("close"));
    http.expect_end();
    http.finish();
    assert!(stopping.join().expect("stopping does not fail") < PROMPT);
}

#[test]
fn a_message_in_flight_is_answered() {
    let gated = Gated::default();
    let options = Options {
        reactors: 1,
        workers: 2,
        ..Options::default()
    };
    let node = TestNode::start(&options, gated.maker());
    // Slots go to workers in turn: these two have one each.
    let mut held = WsClient::open(node.web(), "/");
    let mut other = WsClient::open(node.web(), "/");
    let guard = gated.hold();
    held.send("hold");
    held.send("and this");
    node.until("both upgrades and both messages are read", |node| {
        node.count(|stats| stats.frames_in.get()) == 4
    });
    let stopping = thread::spawn(move || node.stop(10));
    // Once somebody is told, the drain has begun.
    other.expect_close(1001);
    drop(guard);
    held.expect("hold");
    held.expect("and this");
    held.expect_close(1001);
    assert!(stopping.join().expect("stopping does not fail") < PROMPT);
}

#[test]
fn replies_to_what_was_read_before_the_stop_are_not_cut_in_half() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = WsClient::open(node.web(), "/");
        let mut bytes = Vec::new();
        for number in 0..5000 {
            bytes.extend(frame(Opcode::Text, number.to_string()));
        }
        client.script.send(&bytes);
        client.expect("0");
        let stopping = thread::spawn(move || node.stop(10));
        let mut next = 1;
        loop {
            match client.take_frame() {
                WsFrame::Text(text) => assert_eq!(text, next.to_string()),
                WsFrame::Close(code, _) => {
                    assert_eq!(code, 1001);
                    break;
                }
                other => panic!("{other:?}"),
            }
            next += 1;
        }
        client.send_close(1001);
        client.expect_gone();
        assert!(stopping.join().expect("stopping does not fail") < PROMPT);
    }
}

#[test]
fn who_does_not_answer_does_not_hold_the_stop_up() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut deaf = WsClient::open(node.web(), "/");
    deaf.ask("in", "in");
    let half = Script::connect(node.web());
    let took = node.stop(1);
    assert!(took < PROMPT, "{took:?}");
    assert!(matches!(deaf.take_frame(), WsFrame::Close(1001, _)));
    drop(half);
}

#[test]
fn at_a_rate_those_who_are_not_told_yet_are_served() {
    const CLIENTS: usize = 60;
    const PER_SECOND: u32 = 30;
    for options in Options::crosswise() {
        let node = TestNode::start(&options, |_| Echo);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| WsClient::open(node.web(), "/"))
            .collect();
        let drain = Drain {
            seconds: 20,
            per_second: Some(PER_SECOND),
            reason: CloseReason::Restart,
        };
        let begun = Instant::now();
        let stopping = thread::spawn(move || node.drain(drain));
        let readers: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                thread::spawn(move || {
                    let mut echoes = 0;
                    loop {
                        // Once the server has gone this fails, and the frame below says so.
                        let _ = client.script.try_send(frame(Opcode::Text, "still there?"));
                        match client.take_frame() {
                            WsFrame::Text(_) => echoes += 1,
                            WsFrame::Close(code, _) => {
                                assert_eq!(code, 1012);
                                let told = begun.elapsed();
                                client.send_close(code);
                                return (told, echoes);
                            }
                            other => panic!("neither an echo nor a close: {other:?}"),
                        }
                    }
                })
            })
            .collect();
        let mut told: Vec<_> = readers
            .into_iter()
            .map(|reader| reader.join().expect("every client is told"))
            .collect();
        told.sort_unstable();
        // No faster than asked for; how much slower is the machine's affair.
        for (before, (at, _)) in told.iter().enumerate() {
            let least = Duration::from_millis(before as u64 * 1000 / u64::from(PER_SECOND));
            let slack = Duration::from_millis(200);
            assert!(*at + slack >= least, "number {before} was told at {at:?}");
        }
        assert!(
            told[CLIENTS - 1].1 > 0,
            "the last one was served until then"
        );
        stopping.join().expect("and then all is over");
    }
}
