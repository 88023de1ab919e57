//! A million connections on one host, or as many as it can hold: what they cost while they are
//! idle, what can be done with all of them online, and whether everything is given back when they
//! have left. Server and client are beside each other, so that both ends are paid for here.
//!
//! ```text
//!   this program                                    gatehouse echo --broadcast
//!     main       starts it, gives orders, counts
//!     monitor    memory and processor, four times a second; gives up before the host is in want
//!     load-0..n  a table of descriptors each  ────▶  reactor-0..m, a table of descriptors each
//! ```

mod bits;
mod bursts;
mod capacity;
mod course;
mod crowd;
mod findings;
mod kernel;
mod monitor;
mod pace;
mod page;
mod server;
mod summary;
mod verdict;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use self::capacity::Capacity;
use self::course::Course;
use self::crowd::Crowd;
use self::findings::{Findings, Held, Shape};
use self::monitor::{Monitor, Watched};
use self::server::{Server, Settings};
use crate::load::{Interrupt, Load, Start, Wait};
use crate::options::{Common, Million};
use crate::plan::{self, Plan};
use crate::report::Report;
use crate::target::{self, Target};
use crate::units;

const CONNECTIONS: u32 = 1_000_000;
/// Most connections from one source address. Addresses cost nothing on the loopback network, and
/// ports that are mostly free are found at once, also where closed connections still hold some.
const PER_SOURCE: u32 = 6000;
/// Time in which the server may give memory back after all have left, and the kernel its own.
const GIVING_BACK: Duration = Duration::from_secs(10);

pub(super) fn run(options: &Million, common: &Common) -> anyhow::Result<Report> {
    if !common.targets.is_empty() || common.pid.is_some() {
        bail!("this scenario starts its own server: without --target and --pid");
    }
    let descriptors = network::sys::raise_descriptor_limit()?;
    let capacity = Capacity::of_host(descriptors);
    let mut shape = shape(options, &capacity, descriptors)?;
    let interrupt = Interrupt::install()?;
    let server = Server::start(Settings {
        reactors: shape.reactors,
        heartbeat_seconds: options.heartbeat,
        tcp: options.tcp || options.mix,
    })?;
    let (targets, common) = targets(options, common, &server)?;
    for target in &targets {
        target.probe(common.handshake_timeout)?;
    }
    let plan = Plan::new(&common, &targets, shape.connections, false, descriptors)?;
    (shape.threads, shape.sources) = (plan.threads, plan.sources.len().max(1));
    let mut common = common;
    common.dialing = course::dialing(plan.threads);

    let size = options.size as usize;
    let speaks_first: Arc<[bool]> = targets.iter().map(|t| !t.upgrades()).collect();
    let start = Start {
        common: &common,
        targets: &targets,
        plan,
        message_bytes: size.max(options.broadcast_size as usize),
        outbox_bytes: 4 * (size + 14),
        interrupt: interrupt.clone(),
    };
    let load = Load::start(start, |place| {
        Crowd::new(place, size, Arc::clone(&speaks_first), options.heartbeat)
    })?;
    // What threads and buffers take is no connection's.
    let mut findings = Findings {
        start: Held::now(server.pid())?,
        shape,
        ..Findings::default()
    };
    let monitor = Monitor::start(Watched {
        server: server.pid(),
        tallies: load.tallies(),
        kernel: findings.start.kernel.clone(),
        floor_bytes: capacity.floor_bytes,
        interrupt,
    })?;
    let mut course = Course::new(options, findings.shape.connections, load, &server, &monitor);
    let begin = Instant::now();
    let outcome = if options.bursts.is_some() {
        bursts::run(&mut course, &mut findings)
    } else {
        go_through(&mut course, &mut findings)
    };
    let Course { load, phases, .. } = course;
    findings.phases = phases;
    if monitor.is_exhausted() {
        let floor = units::bytes(capacity.floor_bytes as i64);
        findings.cut_short = Some(format!(
            "less than {floor} of memory was available, or swapping"
        ));
    }
    let totals = load.totals();
    (findings.failed, findings.ended) = (totals.failed, totals.ended);
    let ended = load.finish();
    findings.samples = monitor.end();
    let last = outcome?;
    let ended = ended?;
    findings.connect = ended.connect;
    let stopped = server.stop();

    let mut report = summary::report(&findings, begin.elapsed());
    summary::troubles(&mut report, &ended.reasons);
    let lines = verdict::lines(&findings, options.busy_host);
    verdict::judge(&mut report, &lines);
    if let Err(error) = stopped {
        report.fault(&format!("{error:#}"));
    }
    if last == Wait::Interrupted && findings.cut_short.is_none() {
        report.interrupted();
    }
    if let Some(file) = &options.html {
        let page = page::render(&findings, &lines, &report);
        std::fs::write(file, page).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(report)
}

/// How many connections, and on how many reactors.
fn shape(options: &Million, capacity: &Capacity, descriptors: u64) -> anyhow::Result<Shape> {
    let bound = capacity.tightest();
    let (wanted, holds) = (
        options.connections.unwrap_or(CONNECTIONS),
        u32::try_from(bound.connections).unwrap_or(u32::MAX),
    );
    let limits = format!(
        "this host can hold {} of both ends now; what binds is {}",
        units::plural(holds.into(), "connection"),
        bound.what
    );
    let scaled = match options.connections {
        _ if wanted <= holds => None,
        Some(_) => bail!(
            "{} are asked for, and {limits}.\nAsk for fewer, or leave --connections away.",
            units::plural(wanted.into(), "connection")
        ),
        None if holds < 10 => bail!("{limits}"),
        None => Some(limits),
    };
    let connections = wanted.min(holds);
    // The kernel deals connections out to the reactors by a hash, so that some get more.
    let reactors = plan::threads_for(descriptors, connections.saturating_add(connections / 20))
        .context("so many descriptors are not to be had in any number of reactors")?;
    Ok(Shape {
        connections,
        scaled,
        framing: match (options.tcp, options.mix) {
            (true, _) => "raw TCP",
            (_, true) => "WebSocket and raw TCP",
            _ => "WebSocket",
        },
        size: options.size,
        heartbeat: options.heartbeat,
        reactors,
        descriptors,
        memory: capacity.total_bytes,
        available: capacity.available_bytes,
        floor: capacity.floor_bytes,
        cores: thread::available_parallelism().map_or(1, usize::from),
        ..Shape::default()
    })
}

/// Where to connect to.
fn targets(
    options: &Million,
    common: &Common,
    server: &Server,
) -> anyhow::Result<(Vec<Target>, Common)> {
    let websocket = (!options.tcp).then(|| server.websocket_url());
    let tcp = server.tcp_url();
    let common = Common {
        targets: websocket.into_iter().chain(tcp).collect(),
        per_source: common.per_source.min(PER_SOURCE),
        ..common.clone()
    };
    let mut targets = target::resolve(&common, &[])?;
    for target in &mut targets {
        target.fit(options.size.max(options.broadcast_size) as usize)?;
    }
    Ok((targets, common))
}

/// The phases, one after another, as long as there is a reason to go on.
fn go_through(course: &mut Course<'_>, findings: &mut Findings) -> anyhow::Result<Wait> {
    let server = course.server.pid();
    let (wait, opened) = course.open()?;
    let complete = opened.connections == u64::from(course.connections);
    findings.opened = Some(opened);
    if wait != Wait::Done || !complete {
        return Ok(wait);
    }
    let (wait, idle) = course.hold()?;
    findings.idle = Some(idle);
    findings.full = Some(Held::now(server)?);
    if wait == Wait::Interrupted {
        return Ok(wait);
    }
    let (wait, echoes) =
        course.echo_at(("rate", "echo at a rate"), course.options.echo_rate.into())?;
    findings.echoes.push(echoes);
    if wait == Wait::Interrupted {
        return Ok(wait);
    }
    let (wait, most) = course.echo_at_most()?;
    let half = most.per_second / 2.0;
    findings.echoes.push(most);
    if wait == Wait::Interrupted {
        return Ok(wait);
    }
    let (wait, echoes) = course.echo_at(("half", "half of saturation"), half)?;
    findings.echoes.push(echoes);
    if wait == Wait::Interrupted {
        return Ok(wait);
    }
    for _ in 0..course.options.broadcasts {
        let (wait, round) = course.broadcast()?;
        findings.rounds.push(round);
        if wait == Wait::Interrupted {
            return Ok(wait);
        }
    }
    let (wait, churned) = course.churn()?;
    findings.churned = Some(churned);
    if wait == Wait::Interrupted {
        return Ok(wait);
    }
    let (wait, closed) = course.close()?;
    findings.closed = Some(closed);
    findings.after = Some(given_back(server, &findings.start)?);
    Ok(wait)
}

/// What is held after all have left: waits until it is as little as at the start, or does not
/// become less.
fn given_back(server: u32, start: &Held) -> anyhow::Result<Held> {
    let begin = Instant::now();
    let mut held = Held::now(server)?;
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = Held::now(server)?;
        let still = now.kernel.bytes() + (1 << 20) >= held.kernel.bytes()
            && now.server.pss_anon + (1 << 20) >= held.server.pss_anon;
        held = now;
        if held.server_growth(start) == 0 && held.kernel_growth(start) == 0
            || still && begin.elapsed() > GIVING_BACK / 4
            || begin.elapsed() > GIVING_BACK
        {
            return Ok(held);
        }
    }
}
