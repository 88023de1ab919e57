//! What the scenario of a million connections is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::time;

/// What `--help` says of the course and the thresholds.
pub(super) const ABOUT: &str = "\
Starts `gatehouse echo`, the program beside this one, opens very many connections to it, and with \
all of them online measures: memory of the process and of the kernel per connection, processor \
time while they sit idle through a heartbeat, echoes of a random subset at a rate and at half of \
what saturates, broadcasts to all, connections that come and go, the orderly close, and the \
memory after all have left.

Everything is on this host, server and client beside each other. How many reactors and load \
threads that takes follows from the limit of open files, which counts for each of their tables. \
Memory is looked at before and all along: what does not fit is refused, and a run that comes near \
the end of memory is given up in order.

The verdict, exit code 1 if one is missed (with --busy-host, those marked * are not judged):
  losses                 0: every connection made and kept, every echo right, every broadcast heard
* connections            5,000 a second or more
  server, per connection 128 B or less of user-space memory, net of the start (from 500,000 on)
  kernel, per connection 10,240 B or less, both ends of it (from 500,000 on)
* idle                   half a core or less at 17,000 heartbeats a second, or a tenth
  echoes                 every one right; latencies are told and not judged
* broadcast              20 µs a receiver or less, until the last has it; 250 ms if there are few
  heartbeats             every connection is asked for one while it is held
  close                  every one answered
  memory afterwards      a tenth or less of what the connections took is still held, or 24 MiB
  bursts                 no burst needs more memory than the first, within 3 % or 24 MiB";

#[derive(Args, Debug)]
pub(crate) struct Million {
    /// Connections [default: 1,000,000, or as many as this host can hold].
    #[arg(short, long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(10..=4_000_000))]
    pub(crate) connections: Option<u32>,
    /// Over raw TCP (len4be) and not WebSocket; clients then send the heartbeats.
    #[arg(long, conflicts_with = "mix")]
    pub(crate) tcp: bool,
    /// Half of them over WebSocket, half over TCP.
    #[arg(long)]
    pub(crate) mix: bool,
    /// In place of the course: connect all, exchange one message each, leave; so many times.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) bursts: Option<u32>,
    /// New connections per second [default: as fast as they complete].
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connect_rate: Option<u32>,
    /// Seconds between the heartbeats of a silent connection.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(5..=3600))]
    pub(crate) heartbeat: u32,
    /// How long to hold them idle [default: one heartbeat, and 5s for those that are asked last].
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) hold: Option<Duration>,
    /// Bytes of a message that is echoed.
    #[arg(short, long, default_value_t = 1024, value_name = "BYTES")]
    #[arg(value_parser = clap::value_parser!(u32).range(16..=65_536))]
    pub(crate) size: u32,
    /// Echoes per second, each on a connection chosen at random.
    #[arg(long, default_value_t = 10_000, value_name = "PER_SECOND")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) echo_rate: u32,
    /// Echoes under way at once where they saturate, of all connections together.
    #[arg(long, default_value_t = 2000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) in_flight: u32,
    /// How long to echo at the rate, as fast as can be, and at half of that: each.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = time)]
    pub(crate) echo_time: Duration,
    /// Broadcasts.
    #[arg(long, default_value_t = 3, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(..=100))]
    pub(crate) broadcasts: u32,
    /// Bytes of a broadcast.
    #[arg(long, default_value_t = 100, value_name = "BYTES")]
    #[arg(value_parser = clap::value_parser!(u32).range(32..=16_384))]
    pub(crate) broadcast_size: u32,
    /// Connections that leave, and come anew, in percent per second.
    #[arg(long, default_value_t = 1.0, value_name = "PERCENT", value_parser = percent)]
    pub(crate) churn: f64,
    /// How long they come and go.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = time)]
    pub(crate) churn_time: Duration,
    /// Judge no times and rates, since this host does other work meanwhile.
    #[arg(long)]
    pub(crate) busy_host: bool,
    /// Write the report as one HTML page, with plots, to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.01..=10.0).contains(&percent) => Ok(percent),
        _ => Err("a number from 0.01 to 10 is wanted".to_owned()),
    }
}
