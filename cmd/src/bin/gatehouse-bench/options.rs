//! What was typed.

mod fill;
mod im;
mod million;

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};
use gatehouse::compression::Deflate;

pub(crate) use fill::Fill;
pub(crate) use im::{Accounts, ImLoad};
pub(crate) use million::Million;

const EXAMPLES: &str = "\
Examples:
  gatehouse-bench echo --target ws://127.0.0.1:9001/ --connections 10000
  gatehouse-bench echo --target tcp://127.0.0.1:9002 --in-flight 16 --size 20
  gatehouse-bench echo --target wss://127.0.0.1:9001/ --ca authority.pem
  gatehouse-bench connect --target ws://127.0.0.1:9001/ --hold 30s --pid $(pidof gatehouse)
  gatehouse-bench churn --target ws://127.0.0.1:9001/ --concurrency 200
  gatehouse-bench chat --users 5000 --rate 2000 --groups 50
  gatehouse-bench im --users 2000 --group-size 20 --rate 5000
  gatehouse-bench fill --store data --users 50000 --messages 10000000
  gatehouse-bench broadcast --receivers 10000 --rounds 20
  gatehouse-bench drain --connections 50000 --rate 5000 --stop --pid $(pidof gatehouse)
  gatehouse-bench attack --pid $(pidof gatehouse) --budget 128MiB
  gatehouse-bench million --connections 100000 --heartbeat 10 --html million.html

`gatehouse echo --listen 127.0.0.1:9001` is a server for echo and churn, `gatehouse serve` for chat,
im, broadcast, drain and attack. million starts its own; fill needs none.

Exit code: 0 all well; 1 losses, corruptions or failures; 2 the run could not begin.";

/// Load client for WebSocket and TCP servers: opens many connections, checks every reply, reports.
#[derive(Debug, Parser)]
#[command(name = "gatehouse-bench", version, after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Open connections and hold them: rate, failures, and the server's memory per connection.
    Connect(Connect),
    /// Send and expect the same bytes back: throughput, latency, losses, corruptions.
    Echo(Echo),
    /// Connect, exchange one message, disconnect, over and over.
    Churn(Churn),
    /// One sends to all: time until the first, the median and the last receiver has it.
    Broadcast(Broadcast),
    /// Users who are logged in send each other messages (native protocol).
    Chat(Chat),
    /// Users of the IM write to each other, at a rate or flat out: latencies, and proof that every
    /// acknowledged message arrives exactly once and in order (native protocol)
    #[command(long_about = im::ABOUT)]
    Im(ImLoad),
    /// Make a store as if many people had used it for a day: up to hundreds of millions of
    /// messages, in minutes, for trials and measurements of the server
    Fill(Fill),
    /// Hold connections while the server is stopped: who is told, how, and how many a second.
    Drain(Drain),
    /// Users chat, first in peace and then beside slow consumers, slow senders, bombs and a connect
    /// storm: what do they notice of it? (native protocol, loopback only)
    Attack(Attack),
    /// A million connections, or as many as this host can hold: what they cost, and what is done
    /// with all of them online. Starts the server itself.
    #[command(long_about = million::ABOUT)]
    Million(Million),
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Server: ws://host:port/path or tcp://host:port, with TLS wss:// or tls+tcp://; may be given
    /// several times, connections are spread [default: ws://127.0.0.1:8080/im where the native
    /// protocol is spoken].
    #[arg(short, long = "target", global = true, value_name = "URL")]
    pub(crate) targets: Vec<String>,
    /// Trust servers with a certificate of these authorities (PEM). Every connection makes a full
    /// TLS handshake; sessions are not resumed.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Trust any certificate: for load tests of servers that are known otherwise.
    #[arg(long, global = true, conflicts_with = "ca")]
    pub(crate) insecure: bool,
    /// Framing of tcp:// and tls+tcp:// targets: len1, len2be, len2le, len4be, len4le or ndjson.
    #[arg(long, global = true, default_value = "len4be", value_name = "NAME")]
    pub(crate) framing: String,
    /// Offer permessage-deflate to ws:// targets, and compress what is sent.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "off",
        value_name = "HOW",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "shared"
    )]
    pub(crate) deflate: Deflate,
    /// Load threads [default: one per core, more if the descriptor limit asks for it].
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    pub(crate) threads: Option<u16>,
    /// Connects under way at once, per thread.
    #[arg(
        long,
        global = true,
        default_value_t = 200,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) dialing: u32,
    /// Most connections from one source address; loopback targets get as many 127.x.y.z as needed.
    /// Linux looks for a free port among every other one first: with the usual range, each connect
    /// beyond some 14,000 walks over all of those in vain, which takes milliseconds.
    #[arg(
        long,
        global = true,
        default_value_t = 12_000,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) per_source: u32,
    /// Time a connect with its upgrade may take.
    #[arg(long, global = true, default_value = "15s", value_name = "TIME", value_parser = time)]
    pub(crate) handshake_timeout: Duration,
    /// Time to wait for outstanding replies at the end, and for connections to close.
    #[arg(long, global = true, default_value = "5s", value_name = "TIME", value_parser = time)]
    pub(crate) grace: Duration,
    /// Process id of the server: its memory and processor use are reported (same host only).
    #[arg(long, global = true, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Write the report as JSON to this file, `-` for standard output.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Show no progress.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Allow targets that are not loopback addresses. Load is indistinguishable from an attack:
    /// only against hosts that are yours.
    #[arg(long, global = true)]
    pub(crate) allow_remote: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Connect {
    /// Connections.
    #[arg(
        short,
        long,
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) connections: u32,
    /// How long to hold them once they are all open.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = time)]
    pub(crate) hold: Duration,
    /// Log each of them in as a user of its own (native protocol).
    #[arg(long)]
    pub(crate) login: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Echo {
    /// Connections.
    #[arg(
        short,
        long,
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) connections: u32,
    /// Messages under way at once, per connection.
    #[arg(
        short,
        long,
        default_value_t = 1,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=4096)
    )]
    pub(crate) in_flight: u32,
    /// Payload bytes. From 12 on (text: 17) each message is unique.
    #[arg(
        short,
        long,
        default_value_t = 20,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1..=64 << 20)
    )]
    pub(crate) size: u32,
    /// How long to measure.
    #[arg(short, long, default_value = "10s", value_name = "TIME", value_parser = time)]
    pub(crate) duration: Duration,
    /// How long to send before measuring.
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = time)]
    pub(crate) warm_up: Duration,
    /// Send text, for servers that take no binary; line framings always do.
    #[arg(long)]
    pub(crate) text: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Churn {
    /// Connections in the making, in use or in the closing at once.
    #[arg(
        short,
        long,
        default_value_t = 100,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) concurrency: u32,
    /// New connections per second [default: as fast as they complete].
    #[arg(
        short,
        long,
        value_name = "PER_SECOND",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) rate: Option<u32>,
    /// Payload bytes of the one message.
    #[arg(
        short,
        long,
        default_value_t = 20,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1..=64 << 20)
    )]
    pub(crate) size: u32,
    /// How long.
    #[arg(short, long, default_value = "10s", value_name = "TIME", value_parser = time)]
    pub(crate) duration: Duration,
    /// Send text, for servers that take no binary.
    #[arg(long)]
    pub(crate) text: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Broadcast {
    /// Receivers; the sender is one connection more.
    #[arg(
        short,
        long,
        default_value_t = 10_000,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) receivers: u32,
    /// Bytes of the message's body.
    #[arg(
        short,
        long,
        default_value_t = 64,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1..=16_384)
    )]
    pub(crate) size: u32,
    /// Broadcasts, one after another.
    #[arg(
        long,
        default_value_t = 10,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) rounds: u32,
    /// Time between the end of a round and the next.
    #[arg(long, default_value = "100ms", value_name = "TIME", value_parser = time)]
    pub(crate) pause: Duration,
    /// Time after which a round ends although some have not received it.
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = time)]
    pub(crate) round_timeout: Duration,
    /// What the server does: `native` speaks Gatehouse's protocol; `raw` is any server that passes
    /// whatever one connection says on to all of them; `posted` sends the body of a POST to
    /// /broadcast to all, as `gatehouse echo --broadcast` does.
    #[arg(long, value_enum, default_value = "native")]
    pub(crate) protocol: Protocol,
    /// Send to this group instead of to all; its members are those of --names.
    #[arg(short, long, value_name = "ID", requires = "names")]
    pub(crate) group: Option<u64>,
    /// Log in as users whose names begin like this and end in a number from 0 on, such as `user-`
    /// for those of a store that was filled.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) names: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    Native,
    Raw,
    Posted,
}

#[derive(Args, Debug)]
pub(crate) struct Chat {
    /// Users, each with one connection; an odd number is rounded up, since they talk in pairs.
    #[arg(
        short,
        long,
        default_value_t = 10_000,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) users: u32,
    /// Messages per second, of all users together.
    #[arg(
        short,
        long,
        default_value_t = 1000,
        value_name = "PER_SECOND",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) rate: u32,
    /// How long to send.
    #[arg(short, long, default_value = "10s", value_name = "TIME", value_parser = time)]
    pub(crate) duration: Duration,
    /// Groups that the users are spread over; with any, every other message goes to the sender's.
    #[arg(short, long, default_value_t = 0, value_name = "N")]
    pub(crate) groups: u32,
    /// Bytes of a message's body, at least 32.
    #[arg(
        short,
        long,
        default_value_t = 64,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(32..=16_384)
    )]
    pub(crate) size: u32,
}

#[derive(Args, Debug)]
pub(crate) struct Drain {
    /// Connections.
    #[arg(
        short,
        long,
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) connections: u32,
    /// Log each of them in as a user of its own (native protocol).
    #[arg(long)]
    pub(crate) login: bool,
    /// Stop the server: SIGTERM to --pid, once all are connected.
    #[arg(long)]
    pub(crate) stop: bool,
    /// Clients that the server is to tell per second; more in any second, beyond a tenth, is a
    /// failure.
    #[arg(
        short,
        long,
        value_name = "PER_SECOND",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) rate: Option<u32>,
    /// How long to wait for the first connection to end.
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = time)]
    pub(crate) wait: Duration,
    /// How long the others may then take.
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = time)]
    pub(crate) within: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct Attack {
    /// Users who behave well, each with one connection; an odd number is rounded up, since they
    /// talk in pairs.
    #[arg(
        short,
        long,
        default_value_t = 5000,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) users: u32,
    /// Messages per second, of all users together.
    #[arg(
        short,
        long,
        default_value_t = 1000,
        value_name = "PER_SECOND",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) rate: u32,
    /// Bytes of a message's body, at least 32.
    #[arg(
        short,
        long,
        default_value_t = 64,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(32..=16_384)
    )]
    pub(crate) size: u32,
    /// How long to send without the attack, and again with it.
    #[arg(short, long, default_value = "10s", value_name = "TIME", value_parser = time)]
    pub(crate) duration: Duration,
    /// Resident memory of the server (--pid) that is not to be exceeded, such as 128MiB.
    #[arg(long, value_name = "SIZE")]
    pub(crate) budget: Option<ByteSize>,
    #[command(flatten)]
    pub(crate) forces: Forces,
}

/// The parts of an attack; 0 leaves one out.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "The attack (0 leaves a part out)")]
pub(crate) struct Forces {
    /// Clients that join a busy group and stop reading.
    #[arg(
        long,
        default_value_t = 500,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(..=10_000)
    )]
    pub(crate) deaf: u32,
    /// Messages of 4 KiB to that group.
    #[arg(
        long,
        default_value_t = 200,
        value_name = "PER_SECOND",
        value_parser = clap::value_parser!(u32).range(..=10_000)
    )]
    pub(crate) busy_rate: u32,
    /// Clients that send half of a request or message, then a byte a second.
    #[arg(
        long,
        default_value_t = 500,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(..=10_000)
    )]
    pub(crate) drips: u32,
    /// Connections that send a message over the limit, one of very many fragments, or most of a
    /// large one; and what inflates to very much, if the server negotiates permessage-deflate.
    #[arg(
        long,
        default_value_t = 100,
        value_name = "PER_SECOND",
        value_parser = clap::value_parser!(u32).range(..=400)
    )]
    pub(crate) bombs: u32,
    /// Connections that come, half of them with an upgrade, and go at once.
    #[arg(
        long,
        default_value_t = 1000,
        value_name = "PER_SECOND",
        value_parser = clap::value_parser!(u32).range(..=2500)
    )]
    pub(crate) storm: u32,
}

/// Reads a time: `500ms`, `10s`, `2m 30s`; a bare number is seconds. At most a day, so that every
/// run ends.
fn time(text: &str) -> Result<Duration, String> {
    let time = match text.parse() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string()),
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string()),
    }?;
    if time > Duration::from_secs(86_400) {
        return Err("more than 24h".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_well_formed() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("10"), Ok(Duration::from_secs(10)));
        assert_eq!(time("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "3x", "-1", "3days", "inf", "NaN", "25h"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
