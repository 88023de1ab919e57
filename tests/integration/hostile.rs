//! Clients that mean harm. The node stays up, a well-behaved client meanwhile notices nothing, and
//! afterwards there is room again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gate::{Limits, ListenOptions};
use harness::ws::{frame, header, upgrade_request};
use harness::{Echo, Options, Script, TestNode, WsClient};
use network::codec::ws::Opcode;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Printed by no failure, but fixed: the same bytes each time.
const SEED: u64 = 6455;

/// A client that behaves, all the time.
struct Witness {
    done: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Witness {
    fn of(node: &TestNode) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let mut client = WsClient::open(node.web(), "/");
        let thread = thread::spawn({
            let done = Arc::clone(&done);
            move || {
                let mut asked = 0;
                while !done.load(Ordering::Relaxed) {
                    let text = format!("number {asked}");
                    client.ask(&text, &text);
                    asked += 1;
                    thread::sleep(Duration::from_millis(1));
                }
                client.close();
                asked
            }
        });
        Self { done, thread }
    }

    /// Ends the client, which was served all along.
    fn content(self) {
        self.done.store(true, Ordering::Relaxed);
        let asked = self.thread.join().expect("the witness noticed nothing");
        assert!(asked > 0);
    }
}

/// What must be true after every attack.
fn aftermath(node: TestNode, witness: Witness) {
    node.until("only the witness is left", |node| node.connections() == 1);
    witness.content();
    WsClient::open(node.web(), "/").ask("new", "new");
    let mut client = Script::connect(node.len4be());
    client.send_len4be("new");
    assert_eq!(client.take_len4be(), b"new");
}

fn impatient() -> Limits {
    Limits {
        handshake_seconds: 1,
        frame_seconds: 1,
        // Longer than a loaded machine may leave the witness without its turn.
        idle_seconds: 4,
        close_seconds: 1,
        ..Limits::default()
    }
}

fn addrs(node: &TestNode) -> [SocketAddr; 3] {
    [node.web(), node.len4be(), node.ndjson()]
}

#[test]
fn random_bytes() {
    for options in Options::crosswise() {
        let node = TestNode::start(&options.limits(impatient()), |_| Echo);
        let witness = Witness::of(&node);
        let mut rng = SmallRng::seed_from_u64(SEED);
        for round in 0..100 {
            for addr in addrs(&node) {
                let mut client = Script::connect(addr);
                if round % 2 == 1 && addr == node.web() {
                    client = WsClient::upgrade(client, "/").script;
                }
                let mut bytes = vec![0; rng.random_range(1..3000)];
                rng.fill(&mut bytes[..]);
                // The node may have seen enough before it has seen all.
                let _ = client.try_send(&bytes);
                if round % 3 == 0 {
                    client.reset();
                }
            }
        }
        aftermath(node, witness);
    }
}

#[test]
fn frames_with_random_flaws() {
    let node = TestNode::start(&Options::default().limits(impatient()), |_| Echo);
    let witness = Witness::of(&node);
    let mut rng = SmallRng::seed_from_u64(SEED);
    for _ in 0..300 {
        let mut client = WsClient::open(node.web(), "/");
        let mut bytes = Vec::new();
        for _ in 0..10 {
            let length = rng.random_range(0..300);
            bytes.extend(frame(Opcode::Text, "y".repeat(length)));
        }
        let at = rng.random_range(0..bytes.len());
        bytes[at] ^= 1 << rng.random_range(0..8);
        bytes.truncate(rng.random_range(at..=bytes.len()));
        // The node may have seen the flaw before it has seen all.
        let _ = client.script.try_send(&bytes);
        client.script.finish();
        while client.poll().is_some() {}
    }
    aftermath(node, witness);
}

#[test]
fn handshakes_that_are_never_finished() {
    for options in Options::crosswise() {
        let node = TestNode::start(&options.limits(impatient()), |_| Echo);
        let witness = Witness::of(&node);
        let request = upgrade_request("/");
        let held: Vec<_> = (0..400)
            .map(|n| {
                let mut client = Script::connect(addrs(&node)[n % 3]);
                client.send(&request.as_bytes()[..n % request.len()]);
                client
            })
            .collect();
        node.until("they are all there", |node| {
            node.count(|stats| stats.accepted.get()) == 401
        });
        // Time runs out for all of them though none lets go.
        aftermath(node, witness);
        drop(held);
    }
}

#[test]
fn drips() {
    let node = TestNode::start(&Options::default().limits(impatient()), |_| Echo);
    let witness = Witness::of(&node);
    let mut held: Vec<_> = (0..60)
        .map(|n| {
            let mut client = Script::connect(addrs(&node)[n % 3]);
            if n % 2 == 0 && n % 3 == 0 {
                client = WsClient::upgrade(client, "/").script;
                client.send(header(Opcode::Binary, 100_000));
            } else if n % 3 == 1 {
                client.send(100_u32.to_be_bytes());
            }
            client
        })
        .collect();
    while !held.is_empty() {
        held.retain_mut(|client| client.try_send("x").is_ok());
        thread::sleep(Duration::from_millis(20));
    }
    aftermath(node, witness);
}

#[test]
fn frames_and_heads_without_measure() {
    for options in Options::crosswise() {
        let node = TestNode::start(&options.limits(impatient()), |_| Echo);
        let witness = Witness::of(&node);
        for length in [1024 * 1024 + 1, 1 << 40, i64::MAX as usize] {
            let mut client = WsClient::open(node.web(), "/");
            client.script.send(header(Opcode::Binary, length));
            client.expect_close(1009);
        }
        // The highest bit of a length must not be set (RFC 6455 section 5.2).
        let mut client = WsClient::open(node.web(), "/");
        client.script.send([0x82, 0xff]);
        client.script.send([0xff; 12]);
        client.expect_close(1002);
        let mut client = Script::connect(node.len4be());
        client.send(u32::MAX.to_be_bytes());
        client.expect_end();
        let mut client = Script::connect(node.ndjson());
        // The end comes in the middle of it.
        let _ = client.try_send(vec![b'x'; 4 * 1024 * 1024]);
        let (answer, _) = client.take_to_end();
        assert_eq!(answer, b"");
        for head in [
            format!(
                "GET / HTTP/1.1\r\nhost: a\r\nx: {}",
                "x".repeat(1024 * 1024)
            ),
            format!("GET /{}", "x".repeat(1024 * 1024)),
            format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(100_000)),
        ] {
            let mut client = Script::connect(node.web());
            // The end may come in the middle of it, and the answer be lost to a reset.
            let _ = client.try_send(head);
            let (answer, _) = client.take_to_end();
            let answer = String::from_utf8_lossy(&answer);
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
                "{answer}"
            );
        }
        aftermath(node, witness);
    }
}

#[test]
fn clients_that_never_read() {
    for options in Options::crosswise() {
        let options = Options {
            listen: ListenOptions {
                send_buffer_bytes: Some(16 * 1024),
                receive_buffer_bytes: Some(16 * 1024),
                ..ListenOptions::default()
            },
            limits: Limits {
                outbox_bytes_max: 256 * 1024,
                ..impatient()
            },
            ..options
        };
        let node = TestNode::start(&options, |_| Echo);
        let witness = Witness::of(&node);
        let held: Vec<_> = (0..8)
            .map(|_| {
                let mut client = WsClient::open(node.web(), "/");
                thread::spawn(move || {
                    let bytes = frame(Opcode::Binary, [0; 4096]);
                    // Until the node has had enough.
                    while client.script.try_send(&bytes).is_ok() {}
                    client
                })
            })
            .collect();
        let held: Vec<_> = held.into_iter().map(JoinHandle::join).collect();
        aftermath(node, witness);
        assert!(held.iter().all(Result::is_ok));
    }
}

#[test]
fn a_storm_of_connects_and_resets() {
    const CLIENTS: usize = 1500;
    for private_fd_tables in [true, false] {
        let options = Options {
            private_fd_tables,
            ..Options::default()
        };
        let node = TestNode::start(&options, |_| Echo);
        let witness = Witness::of(&node);
        let storms = [0, 1].map(|thread| {
            let addrs = addrs(&node);
            thread::spawn(move || {
                for n in 0..CLIENTS {
                    let mut client = Script::connect(addrs[n % 3]);
                    let request = upgrade_request("/");
                    // Nothing, a part, all, or all and a message; then gone.
                    let sent = match (n + thread) % 4 {
                        0 => Vec::new(),
                        1 => request.as_bytes()[..40].to_vec(),
                        2 => request.into_bytes(),
                        _ => [request.into_bytes(), frame(Opcode::Text, "x")].concat(),
                    };
                    // The node resets who breaks the framing of its port.
                    let _ = client.try_send(sent);
                    client.reset();
                }
            })
        });
        for storm in storms {
            storm.join().expect("every connect succeeds");
        }
        aftermath(node, witness);
    }
}
