//! A full table of descriptors, private to the reactor or shared.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use common::CloseReason;
use harness::ws::upgrade_request;
use harness::{Echo, Options, PATIENCE, Script, TestNode, WsClient};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::alone;

/// Few, so that they are soon used up; more than the process needs for itself.
const DESCRIPTORS_MAX: u64 = 150;
/// Clients of each thread: two threads' worth is a little too much for one table. While it is full,
/// each waits up to a second for its refusal, so not many more.
const CLIENTS: usize = 72;

/// What became of a client.
enum Outcome {
    /// It has a session, held open for as long as this lives.
    Served {
        _client: WsClient,
    },
    Refused,
}

fn visit(node_web: std::net::SocketAddr) -> Outcome {
    let mut script = Script::connect(node_web);
    // Who is refused may be gone before this is sent.
    let _ = script.try_send(upgrade_request("/"));
    match script.fill() {
        Ok(true) if script.has_come(b"HTTP/1.1 101") => {
            let mut client = WsClient::accepted(script);
            client.ask("hello", "hello");
            Outcome::Served { _client: client }
        }
        Ok(true) => {
            assert_eq!(script.reply().status, 503);
            Outcome::Refused
        }
        Ok(false) => panic!("an end without an answer"),
        Err(error) => {
            assert!(harness::script::is_reset(&error), "{error}");
            Outcome::Refused
        }
    }
}

#[test]
fn a_full_table_refuses_and_recovers() {
    let _alone = alone();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is such a limit");
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS_MAX, hard).expect("a lower limit");
    for private_fd_tables in [true, false] {
        let options = Options {
            private_fd_tables,
            ..Options::single()
        };
        let node = TestNode::start(&options, |_| Echo);
        let mut witness = WsClient::open(node.web(), "/");
        let barrier = Arc::new(Barrier::new(3));
        let crowds = [0, 1].map(|_| {
            let (web, barrier) = (node.web(), Arc::clone(&barrier));
            thread::spawn(move || {
                // A table of its own, so that the clients do not use up the node's.
                network::sys::unshare_descriptors().expect("Linux lets us");
                let outcomes: Vec<_> = (0..CLIENTS).map(|_| visit(web)).collect();
                barrier.wait();
                barrier.wait();
                outcomes
                    .iter()
                    .filter(|outcome| matches!(outcome, Outcome::Served { .. }))
                    .count()
            })
        });
        barrier.wait();
        // Full, and those inside are served.
        for number in 0..100 {
            let text = number.to_string();
            witness.ask(&text, &text);
        }
        let inside = node.connections();
        let refused = node.count(|stats| stats.refused.get());
        assert!(refused > 0, "the table was never full");
        let counted = node.count(|stats| stats.closes[CloseReason::NoDescriptors.index()].get());
        assert_eq!(counted, refused);
        barrier.wait();
        let served: usize = crowds
            .into_iter()
            .map(|crowd| crowd.join().expect("nobody hangs"))
            .sum();
        assert_eq!(served as u64 + 1, inside, "who is not refused is served");
        assert!(served > 50, "and that is most of the table");
        node.until("only the witness is left", |node| node.connections() == 1);
        let begun = Instant::now();
        while !matches!(visit(node.web()), Outcome::Served { .. }) {
            assert!(begun.elapsed() < PATIENCE, "nobody is accepted any more");
        }
        witness.ask("and on", "and on");
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("the old limit");
}
