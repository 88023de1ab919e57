//! One test for each bug that was found, named for what went wrong.

use std::thread;
use std::time::{Duration, Instant};

use common::CloseReason;
use gate::Limits;
use harness::ws::{WsFrame, frame};
use harness::{Echo, Options, Probe, Script, TestNode, WsClient};
use network::codec::ws::Opcode;

/// The end of a connection was told to workers in the turn after the one that freed it, and with
/// no connection left there was no such turn: a drain never ended.
#[test]
fn the_end_of_the_last_connection_is_told_at_once() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::single(), move |_| probe.clone());
    let client = WsClient::open(node.web(), "/");
    let session = sightings.opened();
    client.close();
    assert_eq!(sightings.closed(), (session, CloseReason::Peer(1000)));
}

/// The timer wheel looked at a new connection when its handshake would have been over, and so at an
/// idle time shorter than that much too late.
#[test]
fn an_idle_time_may_be_shorter_than_the_handshake() {
    let options = Options::default().limits(Limits {
        idle_seconds: 1,
        handshake_seconds: 60,
        ..Limits::default()
    });
    let node = TestNode::start(&options, |_| Echo);
    let mut client = WsClient::open(node.web(), "/");
    let mut http = Script::connect(node.web());
    assert_eq!(http.get("/page").status, 200);
    assert_eq!(client.take_frame(), WsFrame::Ping(Vec::new()));
    http.expect_end();
}

/// Deadlines counted whole seconds of the clock: what began late in a second had less time.
#[test]
fn no_deadline_passes_early() {
    let options = Options::default().limits(Limits {
        handshake_seconds: 1,
        ..Limits::default()
    });
    let node = TestNode::start(&options, |_| Echo);
    let clients: Vec<_> = (0..10)
        .map(|_| {
            // Spread over the second.
            thread::sleep(Duration::from_millis(100));
            let begun = Instant::now();
            let mut client = Script::connect(node.ndjson());
            thread::spawn(move || {
                client.expect_end();
                begun.elapsed()
            })
        })
        .collect();
    for client in clients {
        let lived = client.join().expect("the end comes in order");
        assert!(lived >= Duration::from_secs(1), "{lived:?}");
    }
}

/// A peer that broke the framing after our close was on its way was counted as closed for that.
#[test]
fn the_first_reason_of_an_end_stays() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    let mut client = WsClient::open(node.web(), "/");
    let session = sightings.opened();
    node.handle().close(session, CloseReason::Kicked, "");
    assert_eq!(client.take_frame(), WsFrame::Close(4001, String::new()));
    client.script.send(frame(Opcode::Text, b"\xff"));
    client.script.finish();
    client.expect_gone();
    assert_eq!(sightings.closed(), (session, CloseReason::Kicked));
}
