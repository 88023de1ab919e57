//! `bench-server <reactor|worker> <reactors> <workers>`: an echo server to be watched from outside.
//!
//! Prints the addresses of its listeners, WebSocket first, and ends when its input does.

use std::io::Read;

use anyhow::{Context, bail};
use gate::Placement;
use gatehouse_benches::client::Wire;
use gatehouse_benches::server::EchoServer;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [placement, reactors, workers] = &arguments[..] else {
        bail!("usage: bench-server <reactor|worker> <reactors> <workers>");
    };
    let placement = match placement.as_str() {
        "reactor" => Placement::Reactor,
        "worker" => Placement::Worker,
        other => bail!("no placement is called {other}"),
    };
    network::sys::raise_descriptor_limit()?;
    let reactors = reactors.parse().context("number of reactors")?;
    let workers = workers.parse().context("number of workers")?;
    let server = EchoServer::start(placement, reactors, workers)?;
    for wire in Wire::ALL {
        println!("{}", server.addr(wire));
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.stop();
    Ok(())
}
