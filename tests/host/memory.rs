//! What attacks may cost in memory, and that it is given back.

use gate::Limits;
use harness::process::private_bytes;
use harness::ws::{frame, header, upgrade_request};
use harness::{Echo, Options, Script, TestNode, WsClient};
use network::codec::ws::Opcode;

use super::alone;

const MIB: u64 = 1024 * 1024;

fn node() -> TestNode {
    let options = Options::default().limits(Limits {
        outbox_bytes_max: 64 * 1024,
        ..Limits::default()
    });
    TestNode::start(&options, |_| Echo)
}

/// What the process has, once pools and arenas have their usual size.
fn settled(node: &TestNode) -> u64 {
    let mut warm: Vec<_> = (0..50).map(|_| WsClient::open(node.web(), "/")).collect();
    for client in &mut warm {
        client.ask("warm", "warm");
    }
    drop(warm);
    node.until("the warm-up is over", |node| node.connections() == 0);
    private_bytes()
}

#[test]
fn announced_bytes_cost_nothing_before_they_come() {
    let _alone = alone();
    let node = node();
    let before = settled(&node);
    let bytes_in = |node: &TestNode| node.count(|stats| stats.bytes_in.get());
    let read_before = bytes_in(&node);
    let mut held = Vec::new();
    let mut sent = 0;
    for _ in 0..300 {
        let client = WsClient::open(node.web(), "/").script;
        sent += upgrade_request("/").len();
        let frame = [header(Opcode::Binary, 1024 * 1024), vec![0; 100]].concat();
        let post = b"POST /api/ HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nx".to_vec();
        for (mut client, bytes) in [
            (client, frame),
            (Script::connect(node.web()), post),
            (Script::connect(node.len4be()), vec![0, 0, 0xff, 0xff, 1]),
        ] {
            client.send(&bytes);
            sent += bytes.len();
            held.push(client);
        }
    }
    node.until("everything has been read", |node| {
        bytes_in(node) - read_before == sent as u64
    });
    let during = private_bytes().saturating_sub(before);
    assert!(during < 12 * MIB, "{during} bytes for 300 MiB of promises");
    drop(held);
    node.until("they are gone", |node| node.connections() == 0);
    let after = private_bytes().saturating_sub(before);
    assert!(after < 6 * MIB, "{after} bytes are kept");
}

#[test]
fn unfinished_messages_cost_what_has_come_and_give_it_back() {
    let _alone = alone();
    let node = node();
    let before = settled(&node);
    let kept = [0; 4].map(|_| {
        let half = vec![0; 256 * 1024];
        let held: Vec<_> = (0..100)
            .map(|_| {
                let mut client = WsClient::open(node.web(), "/");
                client.script.send(header(Opcode::Binary, 1024 * 1024));
                client.script.send(&half);
                client
            })
            .collect();
        // Buffers grow by doubling, so up to twice of what has come.
        let during = private_bytes().saturating_sub(before);
        assert!(during < 64 * MIB, "{during} bytes for 25 MiB of input");
        drop(held);
        node.until("they are gone", |node| node.connections() == 0);
        private_bytes().saturating_sub(before)
    });
    // The allocator keeps some of what it got for the next time, by its own lights; but nothing
    // near the 100 MiB that have come in all.
    assert!(kept[3] < 32 * MIB, "{kept:?} bytes are kept");
}

#[test]
fn clients_that_never_read_cost_no_more_than_their_outboxes() {
    let _alone = alone();
    let node = node();
    let before = settled(&node);
    let held: Vec<_> = (0..20)
        .map(|_| {
            let client = WsClient::open(node.web(), "/");
            client
                .script
                .stream()
                .set_write_timeout(Some(std::time::Duration::from_millis(200)))
                .expect("not a time of zero");
            client
        })
        .collect();
    let held: Vec<_> = held
        .into_iter()
        .map(|mut client| {
            std::thread::spawn(move || {
                let bytes = frame(Opcode::Binary, [0; 4096]);
                // Until the kernel's buffers are full because the node reads no more.
                while client.script.try_send(&bytes).is_ok() {}
                client
            })
        })
        .collect();
    let held: Vec<_> = held.into_iter().map(|thread| thread.join()).collect();
    let during = private_bytes().saturating_sub(before);
    // Each has an outbox, and what was read of it when that was full.
    assert!(during < 20 * MIB, "{during} bytes for 20 clients");
    assert!(held.iter().all(Result::is_ok));
}
