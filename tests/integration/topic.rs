//! Publishing: who gets what, and in which order.

use gate::{Message, TopicId};
use harness::{Hall, Options, Probe, Script, TestNode, WsClient};

fn members(node: &TestNode, count: usize, topic: u64) -> Vec<WsClient> {
    (0..count)
        .map(|_| {
            let mut client = WsClient::open(node.web(), "/");
            client.ask(&format!("join {topic}"), "ok");
            client
        })
        .collect()
}

#[test]
fn subscribers_get_what_is_published_and_others_do_not() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Hall);
        // Enough of them that both reactors have some.
        let mut inside = members(&node, 16, 1);
        let mut outside = members(&node, 4, 2);
        let mut publisher = WsClient::open(node.web(), "/");
        publisher.ask("say 1 hello", "ok");
        for client in &mut inside {
            client.expect("hello");
        }
        publisher.ask("say 2 for the others", "ok");
        for client in &mut outside {
            client.expect("for the others");
        }
        for client in inside.iter_mut().chain(&mut outside) {
            client.ask("echo nothing else", "nothing else");
        }
    }
}

#[test]
fn one_session_can_be_left_out() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Hall);
        let mut clients = members(&node, 8, 1);
        clients[0].ask("others 1 not for me", "ok");
        clients[0].ask("echo nothing before", "nothing before");
        for client in &mut clients[1..] {
            client.expect("not for me");
        }
    }
}

#[test]
fn who_leaves_gets_nothing_more_and_may_come_back() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Hall);
        let mut clients = members(&node, 8, 1);
        let mut publisher = WsClient::open(node.web(), "/");
        clients[3].ask("leave 1", "ok");
        clients[3].ask("leave 1", "ok");
        publisher.ask("say 1 first", "ok");
        // Between reactors there is no order but that of cause and effect: only when the others
        // have it, a subscription is sure to come behind it.
        for (at, client) in clients.iter_mut().enumerate() {
            if at != 3 {
                client.expect("first");
            }
        }
        clients[3].ask("join 1", "ok");
        clients[3].ask("join 1", "ok");
        publisher.ask("say 1 second", "ok");
        for client in &mut clients {
            client.expect("second");
            client.ask("echo and only once", "and only once");
        }
    }
}

#[test]
fn a_session_can_be_in_many_topics() {
    let node = TestNode::start(&Options::default(), |_| Hall);
    let mut client = WsClient::open(node.web(), "/");
    let mut publisher = WsClient::open(node.web(), "/");
    for topic in 0..500 {
        client.ask(&format!("join {topic}"), "ok");
    }
    for topic in (0..500).step_by(7) {
        client.ask(&format!("leave {topic}"), "ok");
    }
    for topic in 0..500 {
        publisher.ask(&format!("say {topic} topic {topic}"), "ok");
    }
    for topic in (0..500).filter(|topic| topic % 7 != 0) {
        client.expect(&format!("topic {topic}"));
    }
    client.ask("echo and that is all", "and that is all");
}

#[test]
fn the_publishes_of_one_session_arrive_in_order() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Hall);
        let mut clients = members(&node, 6, 1);
        let mut publishers: Vec<_> = (0..2).map(|_| WsClient::open(node.web(), "/")).collect();
        for (name, publisher) in publishers.iter_mut().enumerate() {
            for number in 0..300 {
                publisher.send(format!("say 1 {name} {number}"));
            }
        }
        for client in &mut clients {
            let mut next = [0, 0];
            while next != [300, 300] {
                let text = client.text();
                let (name, number) = text.split_once(' ').expect("a name and a number");
                let name: usize = name.parse().expect("the name is a number");
                assert_eq!(number, next[name].to_string(), "of publisher {name}");
                next[name] += 1;
            }
        }
    }
}

#[test]
fn a_message_to_all_reaches_everyone_on_every_wire_form() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Hall);
        let mut web: Vec<_> = (0..8).map(|_| WsClient::open(node.web(), "/")).collect();
        let mut framed: Vec<_> = (0..8).map(|_| Script::connect(node.len4be())).collect();
        let mut lines: Vec<_> = (0..8).map(|_| Script::connect(node.ndjson())).collect();
        for client in &mut framed {
            client.send_len4be("echo in");
            assert_eq!(client.take_len4be(), b"in");
        }
        for client in &mut lines {
            client.send("echo in\n");
            client.expect("in\n");
        }
        // One that speaks HTTP only, and is nobody's session.
        let mut http = Script::connect(node.web());
        assert_eq!(http.get("/page").status, 200);
        let mut publisher = WsClient::open(node.web(), "/");
        publisher.send("all to everyone");
        let mut own = [publisher.text(), publisher.text()];
        own.sort();
        assert_eq!(own, ["ok", "to everyone"]);
        for client in &mut web {
            client.expect("to everyone");
        }
        for client in &mut framed {
            assert_eq!(client.take_len4be(), b"to everyone");
        }
        for client in &mut lines {
            client.expect("to everyone\n");
        }
        assert_eq!(http.get("/page").status, 200, "nothing was put in between");
    }
}

#[test]
fn a_topic_spans_the_wire_forms() {
    let node = TestNode::start(&Options::default(), |_| Hall);
    let mut web = members(&node, 1, 9);
    let mut framed = Script::connect(node.len4be());
    framed.send_len4be("join 9");
    assert_eq!(framed.take_len4be(), b"ok");
    let mut lines = Script::connect(node.ndjson());
    lines.send("join 9\n");
    lines.expect("ok\n");
    let long = "long enough to be shared and not copied ".repeat(200);
    lines.send(format!("others 9 {long}\n"));
    lines.expect("ok\n");
    web[0].expect(&long);
    assert_eq!(framed.take_len4be(), long.as_bytes());
}

#[test]
fn a_publish_to_more_than_one_turn_serves_reaches_all() {
    // The walk is cut into turns by receivers and not by messages, so a queue of publishes to some
    // is as long a walk as one publish to many.
    const MEMBERS: usize = 100;
    const PUBLISHES: usize = 400;
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::single(), move |_| probe.clone());
    let mut clients: Vec<_> = (0..MEMBERS)
        .map(|_| {
            let client = WsClient::open(node.web(), "/");
            let session = sightings.opened();
            node.handle().subscribe(session, TopicId(1));
            client
        })
        .collect();
    let handle = node.handle();
    let mut batch = handle.batch();
    for number in 0..PUBLISHES {
        batch.publish(TopicId(1), Message::text(number.to_string()), None);
    }
    drop(batch);
    for client in &mut clients {
        for number in 0..PUBLISHES {
            client.expect(&number.to_string());
        }
    }
}
