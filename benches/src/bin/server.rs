//! `bench-server <reactor|worker|topic|im:DIRECTORY> <reactors> <workers>`: a server to be watched
//! from outside, which echoes, or is the IM on a store.
//!
//! Prints the addresses of its listeners, WebSocket first, and ends when its input does.

use std::io::Read;

use anyhow::{Context, bail};
use gatehouse_benches::client::Wire;
use gatehouse_benches::serving::{self, Serving};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [serving, reactors, workers] = &arguments[..] else {
        bail!("usage: bench-server <reactor|worker|topic|im:DIRECTORY> <reactors> <workers>");
    };
    let serving: Serving = serving.parse()?;
    network::sys::raise_descriptor_limit()?;
    let reactors = reactors.parse().context("number of reactors")?;
    let workers = workers.parse().context("number of workers")?;
    let gate = serving.start(reactors, workers)?;
    for wire in Wire::ALL {
        println!("{}", serving::addr(&gate, wire));
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    gate.stop(1);
    Ok(())
}
