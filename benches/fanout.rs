//! How much longer does a publish to everybody take than the bare loop of `send(2)` that it cannot
//! do without?
//!
//! On the loopback network a send is over when the bytes lie in the receiver's queue, so the last
//! byte written is the last byte received; afterwards every receiver is read to see that it has
//! got everything. One reactor serves them all. Its sockets are in its private descriptor table,
//! those of the clients in the main thread's.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use gate::{Message, Placement, TopicId};
use gatehouse_benches::client::{self, Client, Wire};
use gatehouse_benches::server::EchoServer;
use gatehouse_benches::table::{Table, figure};
use gatehouse_benches::timing::{Effort, median, time};
use network::codec::http::{HttpCodec, HttpConfig};
use network::codec::ws::handshake;
use network::codec::{Codec, Decoded, Frame};
use network::sys;

const PAYLOAD_BYTES: usize = 100;

fn main() -> anyhow::Result<()> {
    let effort = Effort::from_args();
    sys::raise_descriptor_limit()?;
    let columns = [
        "receivers",
        "publish ms",
        "bare loop ms",
        "ratio",
        "ratio of the best",
        "ns/receiver",
        "writes/receiver",
        "turns/publish",
    ];
    let mut table = Table::new(
        "publish of 100 B over ws to everybody, medians of the rounds",
        columns,
    );
    for receivers in [1_000, effort.pick(15_000, 5_000)] {
        let bare = bare_loop(receivers, effort.rounds)?;
        let gate = publish(receivers, effort.rounds)?;
        table.row([
            &receivers,
            &millis(gate.took.median),
            &millis(bare.median),
            &ratio(gate.took.median, bare.median),
            &ratio(gate.took.best, bare.best),
            &figure(gate.took.median.as_nanos() as f64 / receivers as f64),
            &figure(gate.writes / receivers as f64),
            &figure(gate.turns),
        ]);
    }
    table.print();
    Ok(())
}

#[derive(Clone, Copy)]
struct Took {
    median: Duration,
    best: Duration,
}

impl Took {
    /// The first round finds cold caches and empty pools and does not count.
    fn of(rounds: &mut [Duration]) -> Self {
        let rounds = &mut rounds[1..];
        Self {
            median: median(rounds),
            best: rounds[0],
        }
    }
}

fn ratio(part: Duration, whole: Duration) -> String {
    figure(part.as_secs_f64() / whole.as_secs_f64())
}

fn millis(time: Duration) -> String {
    figure(time.as_secs_f64() * 1000.0)
}

/// The same bytes, written to accepted sockets one after the other in the order of acceptance.
fn bare_loop(receivers: usize, rounds: usize) -> anyhow::Result<Took> {
    let bytes = vec![b'x'; Wire::Ws.reply_bytes(PAYLOAD_BYTES)];
    let wire = bytes.clone();
    let (say_addr, addr) = mpsc::channel::<SocketAddr>();
    let (go, started) = mpsc::channel::<()>();
    let (say_took, took) = mpsc::channel::<Duration>();
    let sender = thread::spawn(move || -> io::Result<()> {
        sys::unshare_descriptors()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        say_addr
            .send(listener.local_addr()?)
            .map_err(io::Error::other)?;
        let mut sockets = (0..receivers)
            .map(|_| {
                let mut socket = listener.accept()?.0;
                socket.set_nodelay(true)?;
                answer_upgrade(&mut socket)?;
                Ok(socket)
            })
            .collect::<io::Result<Vec<TcpStream>>>()?;
        while started.recv().is_ok() {
            let mut outcome = Ok(());
            let took = time(|| {
                outcome = sockets
                    .iter_mut()
                    .try_for_each(|socket| socket.write_all(&wire));
            });
            outcome?;
            say_took.send(took).map_err(io::Error::other)?;
        }
        Ok(())
    });
    let addr = addr.recv().context("the sender did not start")?;
    let mut clients = client::connect_all(addr, Wire::Ws, receivers)?;
    let mut samples = Vec::new();
    for _ in 0..=rounds {
        go.send(())?;
        samples.push(took.recv().context("the sender failed")?);
        receive_all(&mut clients, &bytes)?;
    }
    drop(go);
    sender
        .join()
        .map_err(|_| anyhow::anyhow!("the sender panicked"))??;
    Ok(Took::of(&mut samples))
}

/// Gives the sockets of the bare loop the same past as those of the gate: between ones that have
/// never carried anything the same sends took longer, and the yardstick was wrong.
fn answer_upgrade(socket: &mut TcpStream) -> io::Result<()> {
    let mut request = [0; 1024];
    let mut read = 0;
    loop {
        match socket.read(&mut request[read..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => read += n,
        }
        let decoded = HttpCodec::new().decode(&HttpConfig::default(), &mut request[..read]);
        if let Ok(Decoded::Frame {
            frame: Frame::Request(request),
            ..
        }) = decoded
        {
            let accept = handshake::accept(&request).map_err(io::Error::other)?;
            let mut answer = Vec::new();
            accept.write_response(None, None, &mut answer);
            return socket.write_all(&answer);
        }
    }
}

struct Published {
    took: Took,
    /// Of one publish.
    writes: f64,
    turns: f64,
}

fn publish(receivers: usize, rounds: usize) -> anyhow::Result<Published> {
    let server = EchoServer::start(Placement::Reactor, 1, 1)?;
    let mut clients = client::connect_all(server.addr(Wire::Ws), Wire::Ws, receivers)?;
    let payload = vec![b'x'; PAYLOAD_BYTES];
    let mut bytes =
        network::codec::ws::encode_header(network::codec::ws::Opcode::Binary, PAYLOAD_BYTES, None)
            .to_vec();
    bytes.extend_from_slice(&payload);
    let message = Message::binary(payload);

    let mut samples = Vec::new();
    let mut before = server.settled_counts();
    for round in 0..=rounds {
        if round == 1 {
            before = server.settled_counts();
        }
        let all = server.settled_counts().bytes_out + (receivers * bytes.len()) as u64;
        samples.push(time(|| {
            server.handle().publish(TopicId::ALL, message.clone(), None);
            while server.counts().bytes_out < all {
                thread::yield_now();
            }
        }));
        receive_all(&mut clients, &bytes)?;
    }
    let counts = server.settled_counts() - before;
    drop(clients);
    server.stop();
    Ok(Published {
        took: Took::of(&mut samples),
        writes: counts.writes as f64 / rounds as f64,
        // Each round reads the counters once in peace, which takes a turn of its own.
        turns: counts.turns as f64 / rounds as f64 - 1.0,
    })
}

fn receive_all(clients: &mut [Client], expected: &[u8]) -> anyhow::Result<()> {
    let mut bytes = vec![0; expected.len()];
    for client in clients {
        client.receive(&mut bytes)?;
        anyhow::ensure!(bytes == expected, "a receiver got something else");
    }
    Ok(())
}
