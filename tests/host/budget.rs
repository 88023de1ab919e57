//! The node's memory under those who try to fill it: what is held stays below the budget, whoever
//! holds the most goes, and those who behave notice nothing.

use std::sync::{Arc, Mutex};
use std::thread;

use common::CloseReason;
use gate::{
    BodySource, Context, Envelope, GateHandle, HttpRequest, Limits, ListenOptions, Message, Module,
    Placement, Response, SessionId, TopicId,
};
use harness::process::private_bytes;
use harness::ws::{frame, header};
use harness::{Echo, Hall, Options, Script, TestNode, WsClient};
use network::codec::ws::Opcode;

use super::alone;

const MIB: usize = 1024 * 1024;
const BUDGET: usize = 16 * MIB;

fn options() -> Options {
    Options {
        memory_bytes_max: BUDGET,
        limits: Limits {
            message_bytes_max: 2 * MIB,
            ..Limits::default()
        },
        ..Options::default()
    }
}

/// Answers with the length of a message, as long as the test does not hold the lock.
#[derive(Clone)]
struct Scales(Arc<Mutex<()>>);

impl Module for Scales {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        let waited = self.0.lock();
        let length = envelope.payload().len().to_string();
        context.send_message(envelope.session, Message::text(length));
        drop(waited);
    }
}

/// Echoes, and answers requests with a body of its own, whole or in pieces without end.
#[derive(Clone, Copy)]
struct Talker;

impl Module for Talker {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        context.send(envelope.session, envelope.kind, envelope.payload());
    }

    fn on_request(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        let session = request.session;
        match request.path.as_str() {
            "/api/pieces" => {
                let source = Box::new(Pieces);
                context.respond_in_pieces(session, Response::new(200), 1 << 40, source);
            }
            _ => context.respond(session, Response::text(200, vec![b'x'; MIB / 2])),
        }
    }
}

#[derive(Debug)]
struct Pieces;

impl BodySource for Pieces {
    fn next(&mut self, session: SessionId, handle: &GateHandle) -> bool {
        let handle = handle.clone();
        thread::spawn(move || handle.send_body(session, vec![b'x'; 128 * 1024].into()));
        true
    }
}

fn shed(node: &TestNode) -> u64 {
    node.count(|stats| stats.closes[CloseReason::MemoryShort.index()].get())
}

#[test]
fn unfinished_messages_stay_within_the_budget() {
    let _alone = alone();
    let node = TestNode::start(&options(), |_| Echo);
    let mut witness = WsClient::open(node.web(), "/");
    witness.ask("warm", "warm");
    let before = private_bytes();
    let almost = vec![0; MIB - 100];
    let mut held = Vec::new();
    let mut most = 0;
    for number in 0..100 {
        // Who is refused because memory is short comes back, as a client would.
        let mut attacker = Script::connect(node.web());
        attacker.send(harness::ws::upgrade_request("/"));
        if attacker.reply().status != 101 {
            continue;
        }
        // The node may cut it off in the middle: that is the point.
        let _ = attacker.try_send(header(Opcode::Binary, MIB));
        let _ = attacker.try_send(&almost);
        held.push(attacker);
        let text = format!("still there {number}");
        witness.ask(&text, &text);
        assert!(node.held_bytes() <= BUDGET, "{} held", node.held_bytes());
        most = most.max(private_bytes());
    }
    node.until("the largest were closed", |node| shed(node) > 0);
    // What the account cannot see: the allocator's rounding and what it keeps for the next time.
    let grown = most.saturating_sub(before) as usize;
    assert!(
        grown < BUDGET + 8 * MIB,
        "{grown} bytes for 100 MiB of input"
    );
}

#[test]
fn subscribers_that_do_not_read_stay_within_the_budget() {
    let _alone = alone();
    let node = TestNode::start(&options(), |_| Hall);
    let mut witness = WsClient::open(node.web(), "/");
    witness.ask("join 1", "ok");
    let before = private_bytes();
    let lazy: Vec<_> = (0..60)
        .map(|_| {
            let mut client = WsClient::open(node.web(), "/");
            client.ask("join 1", "ok");
            client
        })
        .collect();
    let text = "x".repeat(2000);
    let mut most = 0;
    for _ in 0..4000 {
        node.handle()
            .publish(TopicId(1), Message::text(text.clone()), None);
        witness.expect(&text);
        most = most.max(node.held_bytes());
    }
    assert!(shed(&node) > 0, "60 outboxes of 4 MiB do not fit");
    assert!(most <= BUDGET, "{most} held");
    let grown = private_bytes().saturating_sub(before) as usize;
    assert!(grown < BUDGET + 8 * MIB, "{grown} bytes");
    drop(lazy);
}

#[test]
fn answers_that_nobody_reads_stay_within_the_budget() {
    let _alone = alone();
    for (path, placement) in [
        ("/api/whole", Placement::Worker),
        ("/api/whole", Placement::Reactor),
        ("/api/pieces", Placement::Worker),
    ] {
        let options = Options {
            placement,
            listen: ListenOptions {
                send_buffer_bytes: Some(16 * 1024),
                ..ListenOptions::default()
            },
            ..options()
        };
        let node = TestNode::start(&options, |_| Talker);
        let mut witness = WsClient::open(node.web(), "/");
        witness.ask("warm", "warm");
        let before = private_bytes();
        let mut most = 0;
        let mut held = Vec::new();
        for number in 0..300 {
            let mut lazy = Script::connect(node.web());
            // Who is refused because memory is short may be gone by now.
            let _ = lazy.try_send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
            held.push(lazy);
            let text = format!("still there {number}");
            witness.ask(&text, &text);
            let bytes = node.held_bytes();
            assert!(bytes <= BUDGET + MIB, "{path}, {placement:?}: {bytes} held");
            most = most.max(private_bytes());
        }
        node.until("those who do not read were closed", |node| {
            shed(node) > node.count(|stats| stats.refused.get())
        });
        node.until("it lets in again", |node| {
            Script::connect(node.web()).get("/page").status == 200
        });
        // Of the 150 MiB that were asked for. Each thread's allocator keeps some of what it had.
        let grown = most.saturating_sub(before) as usize;
        assert!(grown < 5 * BUDGET, "{path}: {grown} bytes");
    }
}

#[test]
fn those_who_read_are_not_taken_for_those_who_do_not() {
    let _alone = alone();
    let options = Options {
        listen: ListenOptions {
            send_buffer_bytes: Some(16 * 1024),
            ..ListenOptions::default()
        },
        ..options()
    };
    let node = TestNode::start(&options, |_| Hall);
    let join = || {
        let mut client = WsClient::open(node.web(), "/");
        client.ask("join 1", "ok");
        client
    };
    // They came first, so they would be found first when somebody has to go; and until the end of
    // the turn what they are sent lies in buffers as large as what the others do not read, since
    // it was those that gave them back.
    let mut readers: Vec<_> = (0..20).map(|_| join()).collect();
    let lazy: Vec<_> = (0..400).map(|_| join()).collect();
    let text = "x".repeat(3500);
    while shed(&node) < 200 {
        node.handle()
            .publish(TopicId(1), Message::text(text.clone()), None);
        for reader in &mut readers {
            reader.expect(&text);
        }
    }
    drop(lazy);
}

#[test]
fn while_events_fill_the_memory_nobody_is_let_in_and_nothing_is_lost() {
    let _alone = alone();
    let gate = Arc::new(Mutex::new(()));
    let scales = Scales(Arc::clone(&gate));
    let node = TestNode::start(&options(), move |_| scales.clone());
    let held = gate.lock().expect("nobody has panicked");
    let payload = vec![7; 60_000];
    let clients: Vec<_> = (0..8).map(|_| WsClient::open(node.web(), "/")).collect();
    let senders: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let mut script = Script::of(client.script.stream());
            let bytes = frame(Opcode::Binary, &payload);
            let sender = thread::spawn(move || {
                for _ in 0..100 {
                    script.send(&bytes);
                }
            });
            (client, sender)
        })
        .collect();
    node.until("nothing is read any more", |node| {
        node.count(|stats| stats.memory_stalls.get()) > 0
    });
    let mut refused = Script::connect(node.web());
    assert_eq!(refused.get("/page").status, 503);
    assert_eq!(shed(&node), 1, "the one that was refused");
    assert!(node.held_bytes() <= BUDGET + MIB, "{}", node.held_bytes());
    // Those who wait because we do not read them have done nothing wrong.
    let mut readers = Vec::new();
    for (mut client, sender) in senders {
        readers.push(thread::spawn(move || {
            for _ in 0..100 {
                client.expect("60000");
            }
            sender.join()
        }));
    }
    drop(held);
    for reader in readers {
        let sent = reader.join().expect("everything comes back");
        sent.expect("everything is taken");
    }
    node.until("it lets in again", |node| {
        Script::connect(node.web()).get("/page").status == 200
    });
    let refused = node.count(|stats| stats.refused.get());
    assert_eq!(shed(&node), refused, "nobody was closed");
}
