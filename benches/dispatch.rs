//! How many events go from the reactors through the mailboxes to the workers and back in a second,
//! and how large are the batches in which they go?
//!
//! Client and server share the processors: the rates are not the server's alone, the batches are.

use std::thread;
use std::time::Duration;

use gate::{Message, Placement, SessionId};
use gatehouse_benches::alloc;
use gatehouse_benches::client::{self, Client, Wire};
use gatehouse_benches::server::{EchoServer, placement_name};
use gatehouse_benches::table::{Table, figure, per};
use gatehouse_benches::timing::{Effort, median, time};

const PAYLOAD_BYTES: usize = 20;

fn main() -> anyhow::Result<()> {
    let effort = Effort::from_args();
    echoes(effort)?;
    commands(effort)
}

fn echoes(effort: Effort) -> anyhow::Result<()> {
    let columns = [
        "placement, sessions x in flight",
        "events/s",
        "events/turn",
        "events/read",
        "events/write",
        "wake-ups/1000 events",
    ];
    let mut table = Table::new("echo of 20 B over ws, one reactor, one worker", columns);
    for placement in [Placement::Worker, Placement::Reactor] {
        for (sessions, in_flight) in [(1, 1), (64, 1), (64, 16), (512, 1), (512, 16)] {
            let server = EchoServer::start(placement, 1, 1)?;
            let mut clients = client::connect_all(server.addr(Wire::Ws), Wire::Ws, sessions)?;
            let request = Wire::Ws.messages(&[b'x'; PAYLOAD_BYTES], in_flight);
            let reply = Wire::Ws.reply_bytes(PAYLOAD_BYTES) * in_flight;
            let rounds = effort.pick(400_000, 40_000) / (sessions * in_flight).max(20);
            client::ping_pong(&mut clients, &request, reply, rounds / 10 + 1)?;

            let before = server.settled_counts();
            let mut outcome = Ok(());
            let took = time(|| {
                outcome = client::ping_pong(&mut clients, &request, reply, rounds);
            });
            outcome?;
            let counts = server.settled_counts() - before;
            let events = (rounds * sessions * in_flight) as u64;
            table.row([
                &format!("{}, {sessions} x {in_flight}", placement_name(placement)),
                &format!("{:.0}", events as f64 / took.as_secs_f64()),
                &per(events, counts.turns),
                &per(events, counts.reads),
                &per(events, counts.writes),
                &per(1000 * counts.woken, events),
            ]);
            drop(clients);
            server.stop();
        }
    }
    table.print();
    Ok(())
}

/// Commands alone: messages to a session that is gone, the last of each round to one that is there.
fn commands(effort: Effort) -> anyhow::Result<()> {
    let columns = [
        "commands in a batch",
        "ns/command",
        "wake-ups/1000 commands",
        "allocations/command",
    ];
    let mut table = Table::new("commands of one thread to one reactor", columns);
    let server = EchoServer::start(Placement::Reactor, 1, 1)?;
    let mut client = Client::connect(server.addr(Wire::Len4be), None, Wire::Len4be)?;
    // The echo shows that the session is there, and as the first it has the first id.
    client::ping_pong(
        std::slice::from_mut(&mut client),
        &Wire::Len4be.messages(b"x", 1),
        Wire::Len4be.reply_bytes(1),
        1,
    )?;
    let (here, gone) = (SessionId::new(0, 0, 1), SessionId::new(0, 1, 1));
    let message = Message::binary(&b"x"[..]);
    let commands = effort.pick(400_000, 40_000);
    for batch in [1, 16, 256] {
        let (before, allocated) = (server.settled_counts(), alloc::of_this_thread());
        let mut samples = Vec::new();
        for _ in 0..effort.rounds {
            let mut reply = vec![0; Wire::Len4be.reply_bytes(1)];
            let mut outcome = Ok(());
            samples.push(time(|| {
                for _ in 0..commands / batch {
                    let mut batched = server.handle().batch();
                    for _ in 0..batch {
                        batched.send(gone, message.clone());
                    }
                }
                server.handle().send(here, message.clone());
                outcome = client.receive(&mut reply);
            }));
            outcome?;
            // Let the reactor fall asleep, so that every round begins alike.
            thread::sleep(Duration::from_millis(1));
        }
        let allocations = (alloc::of_this_thread() - allocated).allocations;
        let counts = server.settled_counts() - before;
        let all = (commands * effort.rounds) as u64;
        let ns = median(&mut samples).as_nanos() as f64 / commands as f64;
        table.row([
            &batch,
            &figure(ns),
            &per(1000 * counts.woken, all),
            &per(allocations, all),
        ]);
    }
    table.print();
    drop(client);
    server.stop();
    Ok(())
}
