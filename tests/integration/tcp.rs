//! Sessions on the TCP framings.

use common::CloseReason;
use gate::Message;
use harness::script::len4be;
use harness::{Echo, Options, Probe, Script, Seen, TestNode};

#[test]
fn messages_come_back_in_every_arrangement() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = Script::connect(node.len4be());
        client.send_len4be("hello");
        assert_eq!(client.take_len4be(), b"hello");
        let mut client = Script::connect(node.ndjson());
        client.send("hello\r\n\r\n\nagain\n");
        assert_eq!(client.take_line(), "hello", "blank lines are passed over");
        assert_eq!(client.take_line(), "again");
    }
}

#[test]
fn bytes_may_come_one_by_one_and_many_frames_at_once() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut client = Script::connect(node.len4be());
    client.drip(len4be("drop by drop"));
    assert_eq!(client.take_len4be(), b"drop by drop");
    let mut bytes = Vec::new();
    for number in 0..3000 {
        bytes.extend(len4be(number.to_string()));
    }
    client.send(&bytes);
    for number in 0..3000 {
        assert_eq!(client.take_len4be(), number.to_string().as_bytes());
    }
    let mut client = Script::connect(node.ndjson());
    client.drip("drop by drop\n");
    assert_eq!(client.take_line(), "drop by drop");
    client.send((0..3000).map(|n| format!("{n}\n")).collect::<String>());
    for number in 0..3000 {
        assert_eq!(client.take_line(), number.to_string());
    }
}

#[test]
fn payloads_as_long_as_they_may_be() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let payload = vec![b'x'; 65_536];
    let mut client = Script::connect(node.len4be());
    client.send_len4be(&payload);
    assert_eq!(client.take_len4be(), payload);
    let mut client = Script::connect(node.ndjson());
    client.send(&payload);
    client.send("\n");
    assert_eq!(client.take_line().as_bytes(), payload);
}

#[test]
fn what_breaks_the_framing_is_told_and_ended() {
    let (probe, sightings) = Probe::new();
    let options = Options {
        tcp_bytes_max: 100,
        farewell: Some("bad frame\n"),
        ..Options::default()
    };
    let node = TestNode::start(&options, move |_| probe.clone());
    for (addr, bytes, reason) in [
        (node.len4be(), vec![0, 0, 0, 101], CloseReason::TooLarge),
        (node.len4be(), vec![0xff; 4], CloseReason::TooLarge),
        (node.len4be(), vec![0; 4], CloseReason::BadProtocol),
        (node.ndjson(), vec![b'x'; 103], CloseReason::TooLarge),
    ] {
        let mut client = Script::connect(addr);
        client.send(&bytes);
        client.expect("bad frame\n");
        client.expect_end();
        client.finish();
        assert_eq!(sightings.closed().1, reason, "{bytes:?}");
    }
}

#[test]
fn every_end_has_its_reason() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    for addr in [node.len4be(), node.ndjson()] {
        drop(Script::connect(addr));
        assert_eq!(sightings.closed().1, CloseReason::PeerEof);
        let mut client = Script::connect(addr);
        client.send([0]);
        drop(client);
        assert_eq!(sightings.closed().1, CloseReason::Truncated);
        let client = Script::connect(addr);
        let session = sightings.opened();
        client.reset();
        assert_eq!(sightings.take(), Seen::Close(session, CloseReason::Io));
    }
}

#[test]
fn a_module_closes_after_what_it_has_sent() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    let mut client = Script::connect(node.ndjson());
    let session = sightings.opened();
    node.handle().send(session, Message::text("last words"));
    node.handle().close(session, CloseReason::Module(1000), "");
    client.expect("last words\n");
    client.expect_end();
    client.finish();
    assert_eq!(sightings.closed(), (session, CloseReason::Module(1000)));
}

#[test]
fn a_payload_that_a_framing_cannot_carry_is_counted_and_left_out() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    let mut client = Script::connect(node.ndjson());
    let session = sightings.opened();
    node.handle().send(session, Message::text("two\nlines"));
    node.handle().send(session, Message::text("one line"));
    client.expect("one line\n");
    assert_eq!(node.count(|stats| stats.unfit.get()), 1);
}

#[test]
fn a_client_that_has_ended_its_side_gets_its_replies() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = Script::connect(node.ndjson());
        let lines: String = (0..1000).map(|n| format!("{n}\n")).collect();
        client.send(&lines);
        client.finish();
        client.expect(&lines);
        client.expect_end();
        let mut client = Script::connect(node.len4be());
        client.send_len4be("and goodbye");
        client.finish();
        assert_eq!(client.take_len4be(), b"and goodbye");
        client.expect_end();
    }
}

#[test]
fn what_came_before_a_violation_is_answered_before_the_end() {
    for options in Options::everywhere() {
        let options = Options {
            farewell: Some("bad frame"),
            ..options
        };
        let node = TestNode::start(&options, |_| Echo);
        let mut client = Script::connect(node.len4be());
        client.send([len4be("good"), len4be("also good"), vec![0; 4]].concat());
        assert_eq!(client.take_len4be(), b"good");
        assert_eq!(client.take_len4be(), b"also good");
        client.expect("bad frame");
        client.expect_end();
    }
}
