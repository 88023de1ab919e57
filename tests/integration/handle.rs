//! Reaching sessions from threads that are not the gate's.

use std::thread;

use common::{CloseReason, SessionId};
use gate::{Message, Placement, Response, TopicId};
use harness::{Options, Probe, Script, Seen, TestNode, WsClient};

#[test]
fn what_each_thread_sends_to_a_session_arrives_in_its_order() {
    const THREADS: usize = 4;
    const MESSAGES: usize = 500;
    for options in Options::everywhere() {
        let (probe, sightings) = Probe::new();
        let node = TestNode::start(&options, move |_| probe.clone());
        let mut clients: Vec<_> = (0..6)
            .map(|_| {
                let client = WsClient::open(node.web(), "/");
                (client, sightings.opened())
            })
            .collect();
        let sessions: Vec<_> = clients.iter().map(|(_, session)| *session).collect();
        let senders: Vec<_> = (0..THREADS)
            .map(|name| {
                let (handle, sessions) = (node.handle(), sessions.clone());
                thread::spawn(move || {
                    for number in 0..MESSAGES {
                        let message = Message::text(format!("{name} {number}"));
                        // Each way to send keeps the order with the others.
                        match number % 3 {
                            0 => handle.send_many(&sessions, message),
                            _ => sessions
                                .iter()
                                .for_each(|session| handle.send(*session, message.clone())),
                        }
                    }
                })
            })
            .collect();
        for (client, _) in &mut clients {
            let mut next = [0; THREADS];
            while next != [MESSAGES; THREADS] {
                let text = client.text();
                let (name, number) = text.split_once(' ').expect("a name and a number");
                let name: usize = name.parse().expect("the name is a number");
                assert_eq!(number, next[name].to_string(), "of thread {name}");
                next[name] += 1;
            }
        }
        for sender in senders {
            sender.join().expect("sending does not fail");
        }
    }
}

#[test]
fn a_stale_id_reaches_nobody() {
    for placement in [Placement::Worker, Placement::Reactor] {
        let (probe, sightings) = Probe::new();
        let options = Options::single().placement(placement);
        let node = TestNode::start(&options, move |_| probe.clone());
        let client = WsClient::open(node.web(), "/");
        let stale = sightings.opened();
        client.close();
        assert_eq!(sightings.closed().0, stale);
        let mut heir = WsClient::open(node.web(), "/");
        let session = sightings.opened();
        assert_eq!(stale.slot(), session.slot(), "the slot is used again");
        assert_ne!(stale, session);
        let handle = node.handle();
        handle.send(stale, Message::text("for one who has gone"));
        handle.send_many(&[stale, session], Message::text("for both"));
        handle.subscribe(stale, TopicId(1));
        handle.publish(TopicId(1), Message::text("nobody subscribed"), None);
        handle.unsubscribe(stale, TopicId(1));
        handle.bind(stale);
        handle.respond(stale, Response::new(200));
        handle.close(stale, CloseReason::Module(1000), "");
        // Ids that no reactor here has ever made.
        for nobody in [SessionId::new(900, 0, 1), SessionId::new(0, 5000, 1)] {
            handle.send(nobody, Message::text("for nobody"));
            handle.send_many(&[nobody], Message::text("for nobody"));
            handle.subscribe(nobody, TopicId(1));
            handle.close(nobody, CloseReason::Module(1000), "");
        }
        handle.send(session, Message::text("for the heir"));
        heir.expect("for both");
        heir.expect("for the heir");
    }
}

#[test]
fn topics_are_joined_and_left_from_outside() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    let mut clients: Vec<_> = (0..6)
        .map(|_| {
            let client = WsClient::open(node.web(), "/");
            (client, sightings.opened())
        })
        .collect();
    let handle = node.handle();
    let topic = TopicId(77);
    for (_, session) in &clients {
        handle.subscribe(*session, topic);
    }
    handle.publish(topic, Message::text("to all of them"), None);
    let first = clients[0].1;
    handle.publish(topic, Message::text("to the others"), Some(first));
    for (_, session) in &clients {
        handle.unsubscribe(*session, topic);
    }
    handle.publish(topic, Message::text("to nobody"), None);
    handle.publish(TopicId::ALL, Message::text("to everyone"), None);
    for (client, session) in &mut clients {
        client.expect("to all of them");
        if *session != first {
            client.expect("to the others");
        }
        client.expect("to everyone");
    }
}

#[test]
fn a_batch_keeps_the_order_of_its_requests() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    let mut client = WsClient::open(node.web(), "/");
    let session = sightings.opened();
    let handle = node.handle();
    let mut batch = handle.batch();
    batch.send(session, Message::text("one"));
    batch.subscribe(session, TopicId(1));
    batch.publish(TopicId(1), Message::text("two"), None);
    batch.unsubscribe(session, TopicId(1));
    batch.publish(TopicId(1), Message::text("not this"), None);
    batch.send_many(&[session, session], Message::text("three"));
    batch.close(session, CloseReason::Kicked, "enough");
    batch.send(session, Message::text("too late"));
    drop(batch);
    for text in ["one", "two", "three", "three"] {
        client.expect(text);
    }
    client.expect_close(4001);
    assert_eq!(sightings.closed(), (session, CloseReason::Kicked));
}

#[test]
fn a_handle_outlives_its_gate() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::default(), move |_| probe.clone());
    let mut client = Script::connect(node.ndjson());
    client.send("x\n");
    let session = sightings.opened();
    assert_eq!(sightings.take(), Seen::Message(session, b"x".to_vec()));
    let handle = node.handle();
    drop(client);
    assert_eq!(sightings.closed().0, session);
    // Only that it ends is of interest.
    let _ = node.stop(5);
    handle.send(session, Message::text("nobody is there"));
    handle.publish(TopicId::ALL, Message::text("nobody is there"), None);
    handle.close(session, CloseReason::Shutdown, "");
}
