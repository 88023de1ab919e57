//! Threads and descriptors of a node, while it runs and after.

use std::time::Instant;

use harness::process::{descriptors_of, threads_named};
use harness::{Echo, Options, PATIENCE, TestNode, WsClient};

use super::alone;

/// Waits until there are so many threads of each kind.
fn until_threads(count: usize) {
    let begun = Instant::now();
    while [threads_named("reactor-"), threads_named("worker-")] != [count; 2] {
        assert!(begun.elapsed() < PATIENCE, "never {count} of each kind");
    }
}

#[test]
fn a_node_that_has_stopped_leaves_no_thread_behind() {
    let _alone = alone();
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = WsClient::open(node.web(), "/");
        client.ask("in", "in");
        // A thread takes its name a moment after it has begun, and the kernel may list it a moment
        // longer than a join takes.
        until_threads(2);
        drop(client);
        let _ = node.stop(5);
        until_threads(0);
    }
}

#[test]
fn private_tables_are_private_and_shared_ones_are_not() {
    let _alone = alone();
    for private_fd_tables in [true, false] {
        let options = Options {
            private_fd_tables,
            ..Options::default()
        };
        let node = TestNode::start(&options, |_| Echo);
        let empty: usize = descriptors_of("reactor-").iter().sum();
        let mut clients: Vec<_> = (0..40).map(|_| WsClient::open(node.web(), "/")).collect();
        for client in &mut clients {
            client.ask("in", "in");
        }
        let full: usize = descriptors_of("reactor-").iter().sum();
        // A private table holds its reactor's sockets; the shared one holds everybody's, ours too,
        // and is counted once for each reactor.
        let sockets = if private_fd_tables { 40 } else { 2 * 80 };
        assert_eq!(full - empty, sockets);
    }
}
