//! What does the server spend on one echoed message: allocations, system calls, instructions?
//!
//! Allocations are those of the server's threads, the gate being in this process. System calls are
//! what the reactors count themselves, and what strace sees of a process of the server's own.
//! Instructions are what callgrind counts there in user space. Both watchers run the server twice,
//! the second time with twice the messages: the difference is the messages' and holds nothing of
//! start, handshakes and end. Hosts without these programs print less.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use gate::Placement;
use gatehouse_benches::alloc;
use gatehouse_benches::child::{ServerProcess, is_installed};
use gatehouse_benches::client::{self, Wire};
use gatehouse_benches::server::{EchoServer, placement_name};
use gatehouse_benches::serving::Serving;
use gatehouse_benches::table::{Table, per};
use gatehouse_benches::timing::Effort;

const SERVER: &str = env!("CARGO_BIN_EXE_bench-server");

/// One kind of traffic.
#[derive(Clone, Copy)]
struct Load {
    placement: Placement,
    wire: Wire,
    payload_bytes: usize,
    in_flight: usize,
    connections: usize,
}

impl Load {
    fn name(&self) -> String {
        format!(
            "{} {} {} B, {} in flight",
            placement_name(self.placement),
            self.wire.name(),
            self.payload_bytes,
            self.in_flight
        )
    }

    fn messages(&self, rounds: usize) -> u64 {
        (rounds * self.connections * self.in_flight) as u64
    }

    fn request(&self) -> Vec<u8> {
        let payload = vec![b'x'; self.payload_bytes];
        self.wire.messages(&payload, self.in_flight)
    }

    fn reply_bytes(&self) -> usize {
        self.wire.reply_bytes(self.payload_bytes) * self.in_flight
    }
}

fn loads(connections: usize) -> impl Iterator<Item = Load> {
    [Placement::Reactor, Placement::Worker]
        .into_iter()
        .flat_map(move |placement| {
            Wire::ALL.into_iter().flat_map(move |wire| {
                [(20, 1), (1024, 1), (20, 16), (1024, 16)].map(|(payload_bytes, in_flight)| Load {
                    placement,
                    wire,
                    payload_bytes,
                    in_flight,
                    connections,
                })
            })
        })
}

/// Instructions of a message in reactor placement that are known: wire, bytes, messages in flight.
/// A change that makes more of them says so here, and why in its commit.
const KNOWN: [(Wire, usize, usize, u64); 5] = [
    (Wire::Ws, 20, 1, 560),
    (Wire::Ws, 20, 16, 154),
    (Wire::Ws, 1024, 1, 1018),
    (Wire::Len4be, 20, 1, 556),
    (Wire::Len4be, 20, 16, 142),
];
/// How many more there may be, in percent: another compiler or C library moves them a little.
const MARGIN_PERCENT: u64 = 10;

fn main() -> anyhow::Result<()> {
    if std::env::args().any(|argument| argument == "--check") {
        return check();
    }
    let effort = Effort::from_args();
    in_process(effort)?;
    if is_installed("strace") {
        system_calls(effort)?;
    } else {
        println!("\nno strace: system calls are not verified");
    }
    if is_installed("valgrind") {
        instructions(effort)?;
    } else {
        println!("\nno valgrind: instructions are not counted");
    }
    Ok(())
}

fn in_process(effort: Effort) -> anyhow::Result<()> {
    let columns = [
        "per message",
        "allocations: reactor",
        "worker",
        "bytes",
        "reads",
        "writes",
        "turns",
        "wake-ups",
    ];
    let mut table = Table::new(
        "one message, as the server counts: 200 connections, one reactor, one worker",
        columns,
    );
    for load in loads(200) {
        let server = EchoServer::start(load.placement, 1, 1)?;
        let mut clients = client::connect_all(server.addr(load.wire), load.wire, load.connections)?;
        let (request, reply_bytes) = (load.request(), load.reply_bytes());
        let rounds = effort.pick(200, 40);
        client::ping_pong(&mut clients, &request, reply_bytes, rounds / 4)?;

        let before = server.settled_counts();
        let allocated = || ["reactor-", "worker-"].map(alloc::of_threads);
        let [reactor_before, worker_before] = allocated();
        client::ping_pong(&mut clients, &request, reply_bytes, rounds)?;
        let counts = server.settled_counts() - before;
        let [reactor, worker] = allocated();
        let (reactor, worker) = (reactor - reactor_before, worker - worker_before);
        let messages = load.messages(rounds);
        table.row([
            &load.name(),
            &per(reactor.allocations, messages),
            &per(worker.allocations, messages),
            &per(reactor.bytes + worker.bytes, messages),
            &per(counts.reads, messages),
            &per(counts.writes, messages),
            // One turn was asked for to read the counters in peace.
            &per(counts.turns - 1, messages),
            &per(counts.woken.saturating_sub(1), messages),
        ]);
        drop(clients);
        server.stop();
    }
    table.print();
    Ok(())
}

/// Runs the server under `watcher` and lets clients echo so many rounds.
fn watched(load: Load, watcher: &[&str], rounds: usize) -> anyhow::Result<()> {
    let server = ServerProcess::start(SERVER, watcher, &Serving::Echo(load.placement), 1, 1)?;
    let mut clients = client::connect_all(server.addr(load.wire), load.wire, load.connections)?;
    client::ping_pong(&mut clients, &load.request(), load.reply_bytes(), rounds)?;
    drop(clients);
    server.stop()
}

/// What `read` finds in the watcher's report for `2 * rounds`, less what it finds for `rounds`.
fn difference<T>(
    load: Load,
    rounds: usize,
    report: &Path,
    watcher: &[&str],
    read: impl Fn(&str) -> anyhow::Result<T>,
) -> anyhow::Result<[T; 2]> {
    let run = |rounds| {
        watched(load, watcher, rounds)?;
        read(&std::fs::read_to_string(report)?)
    };
    Ok([run(rounds)?, run(2 * rounds)?])
}

fn system_calls(effort: Effort) -> anyhow::Result<()> {
    let columns = [
        "per message",
        "recvfrom",
        "sendto",
        "epoll_wait",
        "futex",
        "eventfd write",
        "others",
    ];
    let mut table = Table::new(
        "system calls of one message, as strace sees them: 50 connections, one reactor, one worker",
        columns,
    );
    let report = report_path("strace");
    let path = report.to_string_lossy();
    let watcher = ["strace", "-f", "-c", "-U", "calls,name", "-o", &path];
    for load in loads(50).filter(|load| load.payload_bytes == 20) {
        let rounds = effort.pick(60, 20);
        let [once, twice] = difference(load, rounds, &report, &watcher, parse_strace)?;
        let messages = load.messages(rounds);
        let calls = |name: &str| -> u64 {
            let count = |calls: &BTreeMap<String, u64>| calls.get(name).copied().unwrap_or(0);
            count(&twice).saturating_sub(count(&once))
        };
        let shown = ["recvfrom", "sendto", "epoll_wait", "futex", "write"];
        let others: u64 = twice
            .keys()
            .filter(|name| !shown.contains(&name.as_str()))
            .map(|name| calls(name))
            .sum();
        let [recvfrom, sendto, epoll_wait, futex, write] =
            shown.map(|name| per(calls(name), messages));
        table.row([
            &load.name(),
            &recvfrom,
            &sendto,
            &epoll_wait,
            &futex,
            &write,
            &per(others, messages),
        ]);
    }
    std::fs::remove_file(&report)?;
    table.print();
    Ok(())
}

/// Calls by name, from the table that `strace -c` writes.
fn parse_strace(report: &str) -> anyhow::Result<BTreeMap<String, u64>> {
    let calls: BTreeMap<_, _> = report
        .lines()
        .filter_map(|line| {
            let (calls, name) = line.trim().split_once(char::is_whitespace)?;
            Some((name.trim().to_owned(), calls.parse().ok()?))
        })
        .filter(|(name, _)| name != "total")
        .collect();
    anyhow::ensure!(!calls.is_empty(), "strace counted nothing");
    Ok(calls)
}

fn instructions(effort: Effort) -> anyhow::Result<()> {
    let columns = ["per message", "instructions"];
    let mut table = Table::new(
        "user-space instructions of one message, as callgrind counts: 200 connections, one reactor",
        columns,
    );
    for load in loads(200).filter(|load| load.placement == Placement::Reactor) {
        let counted = instructions_of(load, effort.pick(40, 10))?;
        table.row([&load.name(), &counted.to_string()]);
    }
    table.print();
    Ok(())
}

/// Fails if a message takes more instructions than are known.
fn check() -> anyhow::Result<()> {
    anyhow::ensure!(is_installed("valgrind"), "valgrind is needed to count");
    let columns = ["instructions of a message", "counted", "known"];
    let mut table = Table::new(
        format!("at most {MARGIN_PERCENT} % more than known; callgrind, 200 connections"),
        columns,
    );
    let mut worse = Vec::new();
    for (wire, payload_bytes, in_flight, known) in KNOWN {
        let load = Load {
            placement: Placement::Reactor,
            wire,
            payload_bytes,
            in_flight,
            connections: 200,
        };
        let counted = instructions_of(load, 20)?;
        table.row([&load.name(), &counted.to_string(), &known.to_string()]);
        if counted * 100 > known * (100 + MARGIN_PERCENT) {
            worse.push(load.name());
        }
    }
    table.print();
    anyhow::ensure!(
        worse.is_empty(),
        "more instructions than known: {}",
        worse.join("; ")
    );
    Ok(())
}

fn instructions_of(load: Load, rounds: usize) -> anyhow::Result<u64> {
    let report = report_path("callgrind");
    let out = format!("--callgrind-out-file={}", report.display());
    let watcher = ["valgrind", "--quiet", "--tool=callgrind", &out];
    let [once, twice] = difference(load, rounds, &report, &watcher, parse_callgrind)?;
    std::fs::remove_file(&report)?;
    Ok((twice - once) / load.messages(rounds))
}

/// Instructions of the whole run.
fn parse_callgrind(report: &str) -> anyhow::Result<u64> {
    let total = report
        .lines()
        .find_map(|line| line.strip_prefix("totals: "));
    Ok(total.context("no totals")?.trim().parse()?)
}

fn report_path(watcher: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("echo-cost-{}.{watcher}", std::process::id()))
}
