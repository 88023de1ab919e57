//! What becomes of those who do not read, and what their module hears of it.

use std::collections::BTreeMap;

use common::CloseReason;
use gate::{Drops, GateHandle, Limits, ListenOptions, Message, Overflow, SessionId, TopicId};
use harness::actors::Sightings;
use harness::{Options, Probe, Seen, TestNode, WsClient};

/// Bytes of every published message, so that an outbox holds some eight of them.
const MESSAGE_BYTES: usize = 8 * 1024;

/// A node whose outboxes and kernel buffers are small, a subscriber that does not read, others that
/// do, and a thread's worth of publishing.
struct Crowd {
    slow: WsClient,
    slow_session: SessionId,
    quick: Vec<WsClient>,
    sightings: Sightings,
    node: TestNode,
}

fn crowd(overflow: Overflow) -> Crowd {
    let (probe, sightings) = Probe::new();
    let options = Options {
        listen: ListenOptions {
            send_buffer_bytes: Some(16 * 1024),
            ..ListenOptions::default()
        },
        limits: Limits {
            outbox_bytes_max: 8 * MESSAGE_BYTES,
            overflow,
            ..Limits::default()
        },
        ..Options::default()
    };
    let node = TestNode::start(&options, move |_| probe.clone());
    let open = || {
        let client = WsClient::open(node.web(), "/");
        let session = sightings.opened();
        node.handle().subscribe(session, TopicId(1));
        (client, session)
    };
    let (slow, slow_session) = open();
    let quick = (0..5).map(|_| open().0).collect();
    Crowd {
        slow,
        slow_session,
        quick,
        sightings,
        node,
    }
}

/// A number, then something to fill the outbox.
fn text(number: usize) -> String {
    format!("{number:<MESSAGE_BYTES$}")
}

fn number(text: &str) -> usize {
    text.trim_end().parse().expect("a number")
}

impl Crowd {
    /// Publishes until `enough`, each message only when those who read have read the one before.
    fn publish_until(
        &mut self,
        enough: impl Fn(&TestNode) -> bool,
        publish: impl Fn(&GateHandle, usize),
    ) -> usize {
        let mut published = 0;
        while !enough(&self.node) {
            assert!(published < 10_000, "no outbox is ever full");
            publish(&self.node.handle(), published);
            for client in &mut self.quick {
                client.expect(&text(published));
            }
            published += 1;
        }
        published
    }

    /// Lets the slow one read until it has caught up, which its module hears of, and then one
    /// message more. Gives the numbers that it reads, and what the module has heard was dropped.
    fn catch_up(&mut self) -> (Vec<usize>, Drops) {
        let handle = self.node.handle();
        let slow = &mut self.slow;
        let session = self.slow_session;
        let mut dropped = Drops::default();
        // Its module has heard of everything so far when it hears this.
        slow.send("I am going to read");
        loop {
            match self.sightings.take() {
                Seen::Drops(of, drops) if of == session => add(&mut dropped, drops),
                Seen::Message(of, _) if of == session => break,
                // While it was published the outbox may have been empty for a moment.
                Seen::Drained(_) => {}
                other => panic!("neither dropped nor drained: {other:?}"),
            }
        }
        handle.watch(session);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut numbers = Vec::new();
                loop {
                    let text = slow.text();
                    if text == "caught up" {
                        return numbers;
                    }
                    numbers.push(number(&text));
                }
            });
            while self.sightings.take() != Seen::Drained(session) {}
            handle.send(session, Message::text("caught up"));
            (reader.join().expect("the slow one reads"), dropped)
        })
    }
}

fn add(sum: &mut Drops, drops: Drops) {
    sum.newest += drops.newest;
    sum.oldest += drops.oldest;
    sum.superseded += drops.superseded;
}

fn publish(handle: &GateHandle, number: usize) {
    handle.publish(TopicId(1), Message::text(text(number)), None);
}

#[test]
fn a_slow_consumer_is_closed_while_the_others_get_everything() {
    let mut crowd = crowd(Overflow::Close);
    let closed = |node: &TestNode| {
        node.count(|stats| stats.closes[CloseReason::SlowConsumer.index()].get()) == 1
    };
    crowd.publish_until(closed, publish);
    let handle = crowd.node.handle();
    for number in 0..100 {
        handle.publish(TopicId(1), Message::text(number.to_string()), None);
    }
    for client in &mut crowd.quick {
        for number in 0..100 {
            client.expect(&number.to_string());
        }
    }
    assert_eq!(crowd.node.connections(), 5);
    assert_eq!(
        crowd.sightings.closed(),
        (crowd.slow_session, CloseReason::SlowConsumer)
    );
    // What the kernel had taken may still be read, then comes the end.
    let (_, reset) = crowd.slow.script.take_to_end();
    assert!(reset);
}

#[test]
fn with_drop_newest_a_slow_consumer_misses_what_came_last() {
    let mut crowd = crowd(Overflow::DropNewest);
    let published =
        crowd.publish_until(|node| node.count(|s| s.dropped_newest.get()) >= 20, publish);
    let (numbers, dropped) = crowd.catch_up();
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert_eq!(numbers[..3], [0, 1, 2]);
    assert_eq!((dropped.oldest, dropped.superseded), (0, 0));
    assert_eq!(numbers.len() + dropped.newest as usize, published);
    assert_eq!(crowd.node.connections(), 6);
}

#[test]
fn with_drop_oldest_a_slow_consumer_misses_what_came_first() {
    let mut crowd = crowd(Overflow::DropOldest);
    let published =
        crowd.publish_until(|node| node.count(|s| s.dropped_oldest.get()) >= 20, publish);
    let (numbers, dropped) = crowd.catch_up();
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert_eq!(
        numbers[numbers.len() - 3..],
        [published - 3, published - 2, published - 1]
    );
    assert_eq!((dropped.newest, dropped.superseded), (0, 0));
    assert_eq!(numbers.len() + dropped.oldest as usize, published);
    assert_eq!(crowd.node.connections(), 6);
}

#[test]
fn with_latest_a_slow_consumer_has_the_latest_of_each_topic() {
    let mut crowd = crowd(Overflow::Latest);
    let handle = crowd.node.handle();
    for topic in 2..4 {
        handle.subscribe(crowd.slow_session, TopicId(topic));
    }
    // Two more topics, of which the quick ones hear nothing, each with a few messages that are
    // superseded long before the slow one reads.
    let published = crowd.publish_until(
        |node| node.count(|stats| stats.superseded.get()) >= 20,
        |handle, number| {
            publish(handle, number);
            for topic in 2..4 {
                let number = 100_000 * topic as usize + number;
                handle.publish(TopicId(topic), Message::text(text(number)), None);
            }
        },
    );
    let (numbers, dropped) = crowd.catch_up();
    let mut latest = BTreeMap::new();
    for number in &numbers {
        let (topic, number) = (number / 100_000, number % 100_000);
        let before = latest.insert(topic, number);
        assert!(before < Some(number), "{numbers:?}");
    }
    let last = published - 1;
    assert_eq!(latest, BTreeMap::from([(0, last), (2, last), (3, last)]));
    assert_eq!((dropped.newest, dropped.oldest), (0, 0));
    assert_eq!(numbers.len() + dropped.superseded as usize, 3 * published);
}

#[test]
fn what_may_be_dropped_makes_room_for_what_may_not() {
    // The listener closes; quotes say of themselves that they may be dropped.
    let mut crowd = crowd(Overflow::Close);
    let session = crowd.slow_session;
    let quotes = |handle: &GateHandle, number| {
        let message = Message::text(text(number)).overflow(Overflow::DropOldest);
        handle.publish(TopicId(1), message, None);
    };
    crowd.publish_until(|node| node.count(|s| s.dropped_oldest.get()) >= 10, quotes);
    // Less than half an outbox of them, so that the slow one is still heard.
    for number in 0..3 {
        let handle = crowd.node.handle();
        handle.send(session, Message::text(text(1_000_000 + number)));
    }
    let (numbers, _) = crowd.catch_up();
    let replies: Vec<_> = numbers.iter().filter(|&&n| n >= 1_000_000).collect();
    assert_eq!(replies, [&1_000_000, &1_000_001, &1_000_002]);
    assert_eq!(crowd.node.connections(), 6);
}

#[test]
fn what_waits_by_reference_is_counted_until_it_is_read() {
    let mut crowd = crowd(Overflow::DropNewest);
    let waiting = |node: &TestNode| node.count(|stats| stats.outbox_shared_bytes.get());
    crowd.publish_until(|node| waiting(node) > 2 * MESSAGE_BYTES as u64, publish);
    crowd.catch_up();
    let node = &crowd.node;
    node.until("nothing waits by reference", |node| waiting(node) == 0);
}

#[test]
fn a_module_that_waits_for_the_outbox_sends_any_number_of_messages() {
    const MESSAGES: usize = 500;
    let mut crowd = crowd(Overflow::Close);
    let (handle, session) = (crowd.node.handle(), crowd.slow_session);
    std::thread::scope(|scope| {
        let slow = &mut crowd.slow;
        let reader = scope.spawn(|| {
            for wanted in 0..MESSAGES {
                assert_eq!(number(&slow.text()), wanted);
            }
        });
        // Less than half of what an outbox holds at a time, and many times its size in all.
        for few in (0..MESSAGES).collect::<Vec<_>>().chunks(3) {
            for &number in few {
                handle.send(session, Message::text(text(number)));
            }
            handle.watch(session);
            assert_eq!(crowd.sightings.take(), Seen::Drained(session));
        }
        reader.join().expect("everything comes");
    });
    assert_eq!(crowd.node.count(gate::ReactorStats::dropped), 0);
}
