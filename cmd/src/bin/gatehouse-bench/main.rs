//! `gatehouse-bench`: the load client. It opens many connections to a WebSocket or TCP server, puts
//! one kind of load on them, checks every byte that comes back, and reports what it measured.
//!
//! Exit code 0: nothing lost, nothing corrupted, no failure that was not asked for. 1: something of
//! that happened. 2: the run could not begin (usage, target not reachable, limits of this host).

#![forbid(unsafe_code)]

mod host;
mod latency;
mod load;
mod native;
mod options;
mod payload;
mod plan;
mod progress;
mod report;
mod scenario;
mod tally;
mod target;
mod units;

use std::process::ExitCode;

use clap::Parser;

use options::Options;

fn main() -> ExitCode {
    network::sys::return_large_blocks();
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("gatehouse-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// True if the run found nothing wrong.
fn run(options: &Options) -> anyhow::Result<bool> {
    let report = scenario::run(options)?;
    report.publish(options.common.json.as_deref())?;
    Ok(report.is_ok())
}
