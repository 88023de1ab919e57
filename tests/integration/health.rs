//! A reactor that fails while the others go on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::channel;

use gate::{Builder, Context, Envelope, Listener, Module, Placement};
use harness::{PATIENCE, WsClient};

/// Panics at whatever it is told.
struct Fragile;

impl Module for Fragile {
    fn on_message(&mut self, _: &mut Context<'_>, _: Envelope<'_>) {
        panic!("as it was told to");
    }
}

fn check(addr: SocketAddr) -> String {
    let mut stream = TcpStream::connect(addr).expect("a listener");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a valid time");
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        .expect("room for a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_reactor_that_fails_is_told_by_the_others() {
    let mut builder = Builder::new().reactors(2).workers(1);
    let module = builder.module(Placement::Reactor, |_| Fragile);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    builder.listen(
        Listener::http(any)
            .websocket("/", module)
            .health("/healthz"),
    );
    let running = builder.start().expect("a node");
    let addr = running.addrs()[0];
    let healthy = check(addr);
    assert!(healthy.starts_with("HTTP/1.1 200") && healthy.ends_with("\r\n\r\nok\n"));
    let (told, failures) = channel();
    running.handle().health().on_failure(move |failure| {
        told.send(failure.clone()).expect("the test waits");
    });
    WsClient::open(addr, "/").send("panic");
    let failure = failures.recv_timeout(PATIENCE).expect("a failure");
    let answer = check(addr);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.ends_with(&format!("\r\n\r\n{failure}\n")),
        "{answer}"
    );
    // The others can still be stopped in order.
    running.stop(5);
}
