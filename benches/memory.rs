//! How many bytes of user-space memory does an idle connection cost, everything included; one with
//! a user and a topic; and one whose user is logged in to the IM?
//!
//! The server is a process of its own, and its memory is what the kernel says it is. The first
//! connections also pay for what is touched once for all, such as the read buffers; what one more
//! costs is the difference to the crowd before.

use gate::Placement;
use gatehouse_benches::child::ServerProcess;
use gatehouse_benches::client::{IdleCrowd, Wire};
use gatehouse_benches::memory::Footprint;
use gatehouse_benches::server::placement_name;
use gatehouse_benches::serving::Serving;
use gatehouse_benches::table::{Table, figure};
use gatehouse_benches::timing::Effort;
use module::im::now_ms;
use module::storage::sqlite::Rules;
use module::storage::sqlite::fill::{Filling, fill};
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
    let store = tempfile::tempdir()?;
    // Who logs in is known already: what is measured is who is there, not who was ever there.
    fill(store.path(), &users(crowds[1]), &mut |_| {})?;
    let im = Serving::Im(store.path().to_owned());
    let echo = Serving::Echo(Placement::Reactor);
    for (serving, wire) in [
        (&echo, Wire::Ws),
        (&Serving::Echo(Placement::Worker), Wire::Ws),
        (&echo, Wire::Len4be),
        (&Serving::Topic, Wire::Ws),
        (&im, Wire::Ws),
        (&im, Wire::Len4be),
    ] {
        let path = env!("CARGO_BIN_EXE_bench-server");
        let server = ServerProcess::start(path, &[], serving, REACTORS, 2)?;
        let empty = Footprint::of(server.id())?;
        let (mut crowd, what) = match serving {
            Serving::Echo(placement) => {
                let name = format!("{} placement", placement_name(*placement));
                (IdleCrowd::default(), name)
            }
            Serving::Topic => (IdleCrowd::default(), "in a topic".to_owned()),
            Serving::Im(_) => (IdleCrowd::saying(login), "logged in to the IM".to_owned()),
        };
        let (mut connections, mut last) = (0, empty);
        for wanted in crowds {
            let more = wanted - connections;
            crowd.grow(server.addr(wire), wire, more)?;
            connections = wanted;
            let now = Footprint::of(server.id())?;
            table.row([
                &format!("{connections} {}, {what}", wire.name()),
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

/// A store that knows so many users, and nothing else.
fn users(users: usize) -> Filling {
    Filling {
        users: users as u32,
        peers: 0,
        groups: 0,
        members: 0,
        messages: 0,
        group_messages: 0,
        body_bytes: 1,
        search: true,
        rules: Rules::default(),
        now_ms: now_ms(),
    }
}

fn login(number: usize) -> String {
    format!(r#"{{"id":1,"op":"login","data":{{"name":"user-{number}"}}}}"#)
}
