//! What one process of a server is put through, and the figures that come of it.

use std::time::Duration;

use anyhow::ensure;
use gatehouse_peers::serve::Mode;

use crate::crowd::{Crowd, Exchange};
use crate::process::{self, Process};
use crate::servers::{FLOOR, GATEHOUSE, GATEHOUSE_WORKER, PEERS, SHUFFLED, Server, UNMASKING};
use crate::throng::{self, Throng};

/// Connections of a burst of upgrades.
const BURST: usize = 400;
/// Bytes that a broadcast sends to each.
const BROADCAST_BYTES: usize = 100;
/// Memory of the host that both ends of a connection take, with room to spare, in bytes.
const PAIR_BYTES: u64 = 10 * 1024;
/// Connections of the sensitive comparisons.
const FEW: usize = 200;
/// Messages in flight of each connection, where it is not one.
const PIPELINED: usize = 16;

/// One figure: of which measure, and how much.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// Which measure; also its key in the JSON file.
    pub(crate) measure: String,
    pub(crate) value: f64,
    /// Busy shares of the server and of the client, where they matter.
    pub(crate) busy: Option<(f64, f64)>,
}

/// How long to measure, and on what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) warm_up: Duration,
    pub(crate) span: Duration,
    pub(crate) bursts: usize,
    pub(crate) broadcasts: usize,
    pub(crate) receivers: usize,
    pub(crate) wide: usize,
    pub(crate) million: usize,
    pub(crate) many: usize,
    pub(crate) server_core: usize,
    pub(crate) client_core: usize,
}

/// What a process is put through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    /// Echoes, one in flight and then many. The memory of idle connections is looked at before, if
    /// these are many connections.
    Echo {
        many: bool,
        payload_bytes: usize,
    },
    /// An echo with server and client on one core.
    OneCore,
    /// An echo with server and client on both cores.
    Placement,
    Upgrades,
    Broadcast,
    /// A broadcast to more than one table of descriptors holds.
    Wide,
    /// The same to a million.
    Million,
}

impl Session {
    /// All of them, in the order of the report. The last one is for a host with 10 GiB to spare,
    /// and only if it is asked for.
    pub(crate) const ALL: [Self; 10] = [
        Self::Echo {
            many: false,
            payload_bytes: 20,
        },
        Self::Echo {
            many: false,
            payload_bytes: 1024,
        },
        Self::Echo {
            many: true,
            payload_bytes: 20,
        },
        Self::Echo {
            many: true,
            payload_bytes: 1024,
        },
        Self::OneCore,
        Self::Placement,
        Self::Upgrades,
        Self::Broadcast,
        Self::Wide,
        Self::Million,
    ];

    /// What `--only` calls it.
    pub(crate) const fn subject(self) -> &'static str {
        match self {
            Self::Echo { .. } => "echo",
            Self::OneCore => "cpu",
            Self::Placement => "placement",
            Self::Upgrades => "upgrades",
            Self::Broadcast => "broadcast",
            Self::Wide => "wide",
            Self::Million => "million",
        }
    }

    /// Who takes part.
    pub(crate) fn servers(self) -> Vec<&'static Server> {
        let mut all = vec![&FLOOR, &GATEHOUSE];
        match self {
            Self::Placement => return vec![&GATEHOUSE, &GATEHOUSE_WORKER],
            Self::Broadcast => all.push(&SHUFFLED),
            Self::Echo { .. } | Self::OneCore => all.push(&UNMASKING),
            // The others have one loop each, and so one table.
            Self::Wide | Self::Million => return all,
            _ => {}
        }
        all.extend(&PEERS);
        all
    }

    /// Starts `server` and puts it through this.
    pub(crate) fn run(self, server: &Server, effort: &Effort) -> anyhow::Result<Vec<Figure>> {
        let figures = match self {
            Self::Echo {
                many,
                payload_bytes,
            } => echo(server, effort, many, payload_bytes),
            Self::OneCore => one_core(server, effort),
            Self::Placement => placement(server, effort),
            Self::Upgrades => upgrades(server, effort),
            Self::Broadcast => broadcast(server, effort),
            Self::Wide => wide(server, effort, self.subject(), effort.wide),
            Self::Million => wide(server, effort, self.subject(), effort.million),
        };
        // Whatever a session did to it, the next one begins where all do.
        process::pin(&[effort.client_core])?;
        figures
    }
}

fn figure(measure: impl Into<String>, value: f64) -> Figure {
    Figure {
        measure: measure.into(),
        value,
        busy: None,
    }
}

fn echo(
    server: &Server,
    effort: &Effort,
    many: bool,
    payload_bytes: usize,
) -> anyhow::Result<Vec<Figure>> {
    let process = Process::start(server, Mode::Echo, payload_bytes, 1, &[effort.server_core])?;
    let mut figures = Vec::new();
    let mut crowd = Crowd::new()?;
    let connections = if many { effort.many } else { FEW };
    // What a process allocates once is none of a connection's memory.
    crowd.connect(process.addr, FEW)?;
    process.settle()?;
    let before = process.anonymous_bytes()?;
    crowd.connect(process.addr, connections - FEW)?;
    process.settle()?;
    if many && payload_bytes == 20 {
        let grown = process.anonymous_bytes()?.saturating_sub(before);
        let each = grown as f64 / (connections - FEW) as f64;
        figures.push(figure("memory", each));
    }
    crowd.check(payload_bytes, server.is_blind())?;
    for in_flight in [1, PIPELINED] {
        let exchange = Exchange::new(payload_bytes, in_flight);
        let echoed = crowd.echo(&exchange, effort.warm_up, effort.span, || process.cpu_ns())?;
        let name = format!(
            "{payload_bytes}-{in_flight}-{}",
            if many { "many" } else { "few" }
        );
        let wall_ns = echoed.seconds * 1e9;
        figures.push(Figure {
            measure: format!("echo-{name}"),
            value: echoed.messages as f64 / echoed.seconds,
            busy: Some((
                echoed.server_ns as f64 / wall_ns,
                echoed.client_ns as f64 / wall_ns,
            )),
        });
        let each_us = echoed.server_ns as f64 / echoed.messages as f64 / 1e3;
        figures.push(figure(format!("echo-cpu-{name}"), each_us));
    }
    drop(crowd);
    process.stop()?;
    Ok(figures)
}

fn one_core(server: &Server, effort: &Effort) -> anyhow::Result<Vec<Figure>> {
    process::pin(&[effort.server_core])?;
    let process = Process::start(server, Mode::Echo, 20, 1, &[effort.server_core])?;
    let mut crowd = Crowd::new()?;
    crowd.connect(process.addr, FEW)?;
    crowd.check(20, server.is_blind())?;
    let mut figures = Vec::new();
    for in_flight in [1, PIPELINED] {
        let exchange = Exchange::new(20, in_flight);
        let echoed = crowd.echo(&exchange, effort.warm_up, effort.span, || process.cpu_ns())?;
        let each_us = echoed.server_ns as f64 / echoed.messages as f64 / 1e3;
        figures.push(figure(format!("cpu-{in_flight}"), each_us));
    }
    drop(crowd);
    process.stop()?;
    Ok(figures)
}

fn placement(server: &Server, effort: &Effort) -> anyhow::Result<Vec<Figure>> {
    let both = [effort.server_core, effort.client_core];
    process::pin(&both)?;
    let process = Process::start(server, Mode::Echo, 20, 1, &both)?;
    let mut crowd = Crowd::new()?;
    crowd.connect(process.addr, FEW)?;
    crowd.check(20, server.is_blind())?;
    let exchange = Exchange::new(20, 1);
    let echoed = crowd.echo(&exchange, effort.warm_up, effort.span, || process.cpu_ns())?;
    let latency = |quantile| echoed.latency.value_at_quantile(quantile) as f64 / 1e3;
    let figures = vec![
        figure(
            "placement",
            echoed.messages as f64 / (echoed.server_ns as f64 / 1e9),
        ),
        figure("placement-rate", echoed.messages as f64 / echoed.seconds),
        figure("placement-p50", latency(0.5)),
        figure("placement-p99", latency(0.99)),
    ];
    drop(crowd);
    process.stop()?;
    Ok(figures)
}

fn upgrades(server: &Server, effort: &Effort) -> anyhow::Result<Vec<Figure>> {
    let process = Process::start(server, Mode::Echo, 20, 1, &[effort.server_core])?;
    // The first ones pay for pages and tables that the process then has.
    for _ in 0..2 {
        Crowd::new()?.connect(process.addr, BURST)?;
        process.settle()?;
    }
    let mut seconds = Vec::new();
    let begun_ns = process.cpu_ns()?;
    for _ in 0..effort.bursts {
        process.freeze()?;
        let took = Crowd::burst(process.addr, BURST, || process.thaw())?;
        process.settle()?;
        seconds.push(took.as_secs_f64());
    }
    let server_ns = (process.cpu_ns()? - begun_ns) as f64;
    process.stop()?;
    seconds.sort_by(f64::total_cmp);
    let connections = (effort.bursts * BURST) as f64;
    Ok(vec![
        figure("upgrades", BURST as f64 / seconds[seconds.len() / 2]),
        figure("upgrades-cpu", server_ns / connections / 1e3),
    ])
}

fn broadcast(server: &Server, effort: &Effort) -> anyhow::Result<Vec<Figure>> {
    let cores = [effort.server_core];
    let process = Process::start(server, Mode::Broadcast, BROADCAST_BYTES, 1, &cores)?;
    let mut crowd = Crowd::new()?;
    crowd.connect(process.addr, effort.receivers)?;
    process.settle()?;
    crowd.broadcast(BROADCAST_BYTES)?;
    let mut took = Vec::new();
    for _ in 0..effort.broadcasts {
        process.settle()?;
        took.push(crowd.broadcast(BROADCAST_BYTES)?.as_secs_f64() * 1e3);
    }
    drop(crowd);
    process.stop()?;
    Ok(vec![figure("broadcast", middle(took))])
}

fn wide(
    server: &Server,
    effort: &Effort,
    name: &str,
    receivers: usize,
) -> anyhow::Result<Vec<Figure>> {
    let (needed, free) = (receivers as u64 * PAIR_BYTES, process::available_bytes()?);
    ensure!(
        needed <= free,
        "{receivers} connections take {} MiB of memory; {} MiB are available",
        needed >> 20,
        free >> 20
    );
    let (cores, loops) = ([effort.server_core], throng::loops(receivers));
    let process = Process::start(server, Mode::Broadcast, BROADCAST_BYTES, loops, &cores)?;
    let throng = Throng::connect(process.addr, receivers)?;
    process.settle()?;
    throng.broadcast(BROADCAST_BYTES)?;
    process.settle()?;
    let begun_ns = process.cpu_ns()?;
    let mut took = Vec::new();
    for _ in 0..effort.broadcasts {
        process.settle()?;
        took.push(throng.broadcast(BROADCAST_BYTES)?.as_secs_f64() * 1e3);
    }
    process.settle()?;
    let server_ns = (process.cpu_ns()? - begun_ns) as f64;
    let each_us = server_ns / (effort.broadcasts * receivers) as f64 / 1e3;
    throng.leave()?;
    process.stop()?;
    Ok(vec![
        figure(format!("broadcast-{name}"), middle(took)),
        figure(format!("broadcast-cpu-{name}"), each_us),
    ])
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
