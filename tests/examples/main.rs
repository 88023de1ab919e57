//! The examples of the layers, run as they stand.

#[path = "../../gate/examples/chat_room.rs"]
mod chat_room;
#[path = "../../gate/examples/echo.rs"]
mod gate_echo;
#[path = "../../network/examples/echo.rs"]
mod network_echo;

use std::error::Error;
use std::sync::mpsc::channel;
use std::thread;

use harness::ws::WsFrame;
use harness::{Script, WsClient};
use network::sys::Reservation;

const ANY_PORT: &str = "127.0.0.1:0";

/// The `main` of an example is part of it, and runs only as a program.
type Main = fn() -> Result<(), Box<dyn Error>>;
const _: [Main; 3] = [chat_room::main, gate_echo::main, network_echo::main];

#[test]
fn the_bare_reactor_echoes_lines() {
    let (started, listening) = channel();
    let reactor = thread::spawn(move || {
        let addr = Reservation::new(ANY_PORT.parse().unwrap()).unwrap();
        let (mut reactor, handle) = network_echo::start(&addr).unwrap();
        started.send((handle, addr.addr())).unwrap();
        reactor.run()
    });
    let (handle, addr) = listening.recv().unwrap();
    let mut client = Script::connect(addr);
    client.send("one\ntwo\n");
    client.expect("one\ntwo\n");
    handle.submit(vec![()]).unwrap();
    reactor.join().unwrap().unwrap();
}

#[test]
fn the_echo_server_echoes_on_both_its_ports() {
    let running = gate_echo::start(ANY_PORT, ANY_PORT).unwrap();
    let mut web = WsClient::open(running.addrs()[0], "/any/path");
    web.ask("hello", "hello");
    web.send_binary("bytes");
    assert_eq!(web.take_frame(), WsFrame::Binary(b"bytes".to_vec()));
    let mut tcp = Script::connect(running.addrs()[1]);
    tcp.send_len4be("hello");
    assert_eq!(tcp.take_len4be(), b"hello");
    drop((web, tcp));
    running.stop(5);
}

#[test]
fn in_the_chat_room_everyone_hears_everyone() {
    let running = chat_room::start(ANY_PORT, ANY_PORT).unwrap();
    let mut ada = WsClient::open(running.addrs()[0], "/room");
    assert!(ada.text().ends_with(" comes in"), "she hears herself");
    let mut bob = Script::connect(running.addrs()[1]);
    assert!(ada.text().ends_with(" comes in"));
    assert!(bob.take_line().ends_with(" comes in"));
    ada.send("hello, all");
    assert!(ada.text().ends_with(": hello, all"));
    assert!(bob.take_line().ends_with(": hello, all"));
    bob.send("hello, Ada\n");
    assert!(ada.text().ends_with(": hello, Ada"));
    drop(bob);
    assert!(ada.text().ends_with(" has left"));
    drop(ada);
    running.stop(5);
}
