//! How many bytes of user-space memory does an idle connection cost, everything included?
//!
//! The server is a process of its own, and its memory is what the kernel says it is. The first
//! connections also pay for what is touched once for all, such as the read buffers; what one more
//! costs is the difference to the crowd before.

use gate::Placement;
use gatehouse_benches::child::ServerProcess;
use gatehouse_benches::client::{IdleCrowd, Wire};
use gatehouse_benches::memory::Footprint;
use gatehouse_benches::server::placement_name;
use gatehouse_benches::table::{Table, figure};
use gatehouse_benches::timing::Effort;
use network::bench_support::CONNECTION_BYTES;

/// Each has a descriptor table of its own, so four hold 30,000 where the limit is 20,000.
const REACTORS: usize = 4;

fn main() -> anyhow::Result<()> {
    let effort = Effort::from_args();
    let crowds = effort.pick([10_000, 30_000], [2_000, 6_000]);
    println!("\na connection in its slot: {CONNECTION_BYTES} B");
    let columns = [
        "idle connections",
        "private dirty B each",
        "anonymous B each",
        "one more, anonymous B",
    ];
    let mut table = Table::new(
        format!("user-space memory of the server, {REACTORS} reactors"),
        columns,
    );
    for (placement, wire) in [
        (Placement::Reactor, Wire::Ws),
        (Placement::Worker, Wire::Ws),
        (Placement::Reactor, Wire::Len4be),
    ] {
        let path = env!("CARGO_BIN_EXE_bench-server");
        let server = ServerProcess::start(path, &[], placement, REACTORS, 2)?;
        let empty = Footprint::of(server.id())?;
        let mut crowd = IdleCrowd::default();
        let (mut connections, mut last) = (0, empty);
        for wanted in crowds {
            let more = wanted - connections;
            crowd.grow(server.addr(wire), wire, more)?;
            connections = wanted;
            let now = Footprint::of(server.id())?;
            table.row([
                &format!(
                    "{connections} {}, {} placement",
                    wire.name(),
                    placement_name(placement)
                ),
                &each(now.private_dirty, empty.private_dirty, connections),
                &each(now.anonymous, empty.anonymous, connections),
                &each(now.anonymous, last.anonymous, more),
            ]);
            last = now;
        }
        drop(crowd);
        server.stop()?;
    }
    table.print();
    Ok(())
}

fn each(after: u64, before: u64, connections: usize) -> String {
    figure((after as f64 - before as f64) / connections as f64)
}
