//! The budgets of the message path and of idle connections, as counts that no load of the machine
//! can change.

use std::sync::{Mutex, PoisonError};

use gate::Placement;
use gatehouse_benches::alloc;
use gatehouse_benches::child::ServerProcess;
use gatehouse_benches::client::{self, IdleCrowd, Wire};
use gatehouse_benches::memory::Footprint;
use gatehouse_benches::server::EchoServer;
use gatehouse_benches::serving::Serving;
use network::codec::ws::{
    self, DeflateConfig, Deflaters, INFLATE_CONTEXT_BYTES, Inflater, Role, WsCodec, WsConfig,
};
use network::codec::{MessageKind, WireForm};

const CONNECTIONS: usize = 20;
const ROUNDS: usize = 50;

/// Threads are told apart by name, so only one server may run at a time. And the private tables of
/// a server's reactors hold copies of the pipe that ends a child: it would wait for them.
static ONE_SERVER: Mutex<()> = Mutex::new(());

/// What `ROUNDS` echoes on each of `CONNECTIONS` cost a server in reactor placement: allocations of
/// its reactor, reads, writes, messages.
///
/// The worker has no part in these messages and is not counted: its first wait allocates what a
/// wait needs, and on a busy machine that can be as late as in the middle of them.
fn echo(payload_bytes: usize) -> (u64, u64, u64, u64) {
    let _one = ONE_SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let server = EchoServer::start(Placement::Reactor, 1, 1).unwrap();
    let mut clients = client::connect_all(server.addr(Wire::Ws), Wire::Ws, CONNECTIONS).unwrap();
    let request = Wire::Ws.messages(&vec![b'x'; payload_bytes], 1);
    let reply_bytes = Wire::Ws.reply_bytes(payload_bytes);
    let mut ping_pong = |rounds| {
        client::ping_pong(&mut clients, &request, reply_bytes, rounds).unwrap();
    };
    // The pools fill with the first messages.
    ping_pong(5);

    let allocated = || alloc::of_threads("reactor-");
    let (before, allocated_before) = (server.settled_counts(), allocated());
    assert_ne!(allocated_before.allocations, 0, "found by their names");
    ping_pong(ROUNDS);
    let counts = server.settled_counts() - before;
    let allocations = (allocated() - allocated_before).allocations;
    drop(clients);
    server.stop();
    (allocations, counts.reads, counts.writes, counts.frames_in)
}

#[test]
fn an_echo_in_the_reactor_allocates_nothing() {
    for payload_bytes in [20, 1024] {
        let (allocations, _, _, messages) = echo(payload_bytes);
        assert_eq!(messages, (CONNECTIONS * ROUNDS) as u64);
        assert_eq!(allocations, 0, "{payload_bytes} bytes");
    }
}

#[test]
fn an_echo_with_one_in_flight_is_one_read_and_one_write() {
    for payload_bytes in [20, 1024] {
        let (_, reads, writes, messages) = echo(payload_bytes);
        assert_eq!(reads, messages, "{payload_bytes} bytes");
        assert_eq!(writes, messages, "{payload_bytes} bytes");
    }
}

/// What debug builds of mio carry in every socket, as a check.
const DEBUG_BYTES: u64 = if cfg!(debug_assertions) { 16 } else { 0 };

/// What one more idle WebSocket client costs the server, everything included.
fn one_more_costs(serving: &Serving, mut crowd: IdleCrowd) -> u64 {
    // What is touched once for all is touched by the first.
    const FIRST: usize = 2_000;
    const MORE: usize = 12_000;
    let _one = ONE_SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let path = env!("CARGO_BIN_EXE_bench-server");
    let server = ServerProcess::start(path, &[], serving, 1, 1).unwrap();
    crowd.grow(server.addr(Wire::Ws), Wire::Ws, FIRST).unwrap();
    let before = Footprint::of(server.id()).unwrap();
    crowd.grow(server.addr(Wire::Ws), Wire::Ws, MORE).unwrap();
    let after = Footprint::of(server.id()).unwrap();
    drop(crowd);
    server.stop().unwrap();
    (after.anonymous - before.anonymous) / MORE as u64 - DEBUG_BYTES
}

#[test]
fn one_more_idle_websocket_connection_stays_within_its_budget() {
    let serving = Serving::Echo(Placement::Reactor);
    let each = one_more_costs(&serving, IdleCrowd::default());
    assert!(each <= 128, "{each} bytes");
}

#[test]
fn one_more_session_with_a_user_and_a_topic_stays_within_its_budget() {
    let each = one_more_costs(&Serving::Topic, IdleCrowd::default());
    assert!(each <= 256, "{each} bytes");
}

#[test]
fn contexts_of_compression_take_what_is_set_aside_for_them() {
    /// What else is asked for: small buffers for a small message.
    const SLACK: u64 = 8 * 1024;
    let bytes_of = |work: &mut dyn FnMut()| {
        let before = alloc::of_this_thread();
        work();
        (alloc::of_this_thread() - before).bytes
    };
    let config = DeflateConfig {
        threshold_bytes: 0,
        ..DeflateConfig::default()
    };
    for window_bits in 9..=15 {
        let form = WireForm::WebSocketDeflated(config.form(window_bits));
        let mut frame = Vec::new();
        let deflate = bytes_of(&mut || {
            let payload = [b'a'; 100];
            let encoded = form.encode(MessageKind::Text, &payload, &mut Deflaters::default());
            frame = encoded.unwrap().to_vec();
        });
        let said = ws::deflate_context_bytes(window_bits) as u64;
        assert!(
            (said..said + SLACK).contains(&deflate),
            "{deflate} bytes, {said} said"
        );

        let inflate = bytes_of(&mut || {
            let mut codec = WsCodec::with_deflate(Role::Client, 15);
            let mut inflater = Inflater::default();
            let decoded = codec.decode_with(&WsConfig::default(), &mut inflater, &mut frame);
            assert!(decoded.is_ok());
        });
        let said = INFLATE_CONTEXT_BYTES as u64;
        assert!(
            (said..said + SLACK).contains(&inflate),
            "{inflate} bytes, {said} said"
        );
    }
}
