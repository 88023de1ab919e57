//! Connections are held while the server is stopped: is each of them told, and are they told so
//! slowly that they do not all come back at once?

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use common::CloseReason;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::hold::Hold;
use super::{Needs, Setup, goes_on, headline, log_in, outcome};
use crate::load::{End, Wait};
use crate::native::Names;
use crate::options::{Common, Drain};
use crate::report::Report;
use crate::target::Target;
use crate::units;

/// Seconds shown one by one; the JSON has all.
const SECONDS_SHOWN: usize = 60;
/// Columns of the longest bar.
const BAR: u64 = 40;

/// How a stop ended the connections.
#[derive(Debug, Default)]
struct Ends {
    /// With a close frame, by its code.
    told: BTreeMap<u16, u64>,
    /// The end of the stream and no close frame. A TCP framing has no better way to say it.
    untold: u64,
    reset: u64,
    /// By what they were.
    other: BTreeMap<String, u64>,
    /// By the second since the first.
    per_second: Vec<u64>,
    /// Since the stop, or where that is not known since the first.
    first: Duration,
    last: Duration,
}

impl Ends {
    fn new(mut ends: Vec<(Instant, End)>, stopped: Option<Instant>) -> Self {
        ends.sort_by_key(|&(at, _)| at);
        let mut sum = Self::default();
        let (Some(&(first, _)), Some(&(last, _))) = (ends.first(), ends.last()) else {
            return sum;
        };
        let since = stopped.unwrap_or(first);
        sum.first = first.saturating_duration_since(since);
        sum.last = last.saturating_duration_since(since);
        for (at, end) in ends {
            match end {
                End::Unasked(CloseReason::Peer(code)) => *sum.told.entry(code).or_default() += 1,
                End::Unasked(CloseReason::PeerEof) => sum.untold += 1,
                End::Unasked(CloseReason::Io) => sum.reset += 1,
                other => *sum.other.entry(other.to_string()).or_default() += 1,
            }
            let second = at.duration_since(first).as_secs() as usize;
            if second >= sum.per_second.len() {
                sum.per_second.resize(second + 1, 0);
            }
            sum.per_second[second] += 1;
        }
        sum
    }

    /// With a close frame that says that the server stops.
    fn in_order(&self) -> u64 {
        let code = |code| self.told.get(&code).copied().unwrap_or(0);
        code(1012) + code(1001)
    }

    fn all(&self) -> u64 {
        self.per_second.iter().sum()
    }

    fn fullest(&self) -> u64 {
        self.per_second.iter().copied().max().unwrap_or(0)
    }
}

pub(super) fn run(options: &Drain, common: &Common) -> anyhow::Result<Report> {
    let pid = match (options.stop, common.pid) {
        (true, None) => anyhow::bail!("--stop needs --pid, the process to stop"),
        (stop, pid) => pid.filter(|_| stop),
    };
    let needs = Needs {
        connections: options.connections,
        native: options.login,
        message_bytes: 256,
        in_flight: 1,
        ..Needs::default()
    };
    let setup = Setup::new(common, needs)?;
    let names = options.login.then(Names::draw);
    let mut load = setup.start(|place| Hold::new(place, names))?;

    let mut waits = vec![load.connect()?];
    if options.login && goes_on(&waits) {
        waits.push(log_in(&mut load)?);
    }
    let before = load.totals();
    let mut stopped = None;
    if goes_on(&waits) {
        if let Some(pid) = pid {
            stopped = Some(Instant::now());
            kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)
                .with_context(|| format!("sending SIGTERM to {pid}"))?;
        } else {
            eprintln!(
                "{} open. Stop the server now, within {}.",
                units::plural(before.open(), "connection"),
                units::duration(options.wait)
            );
        }
        let text = |open| format!("{} open", units::count(open));
        waits.push(load.wait(
            "waiting for the stop",
            options.wait,
            |totals| totals.ended > before.ended,
            |totals| text(totals.open()),
        )?);
        if waits.last() == Some(&Wait::Done) {
            waits.push(load.wait(
                "draining",
                options.within,
                |totals| totals.open() == 0,
                |totals| text(totals.open()),
            )?);
        }
    }
    let after = load.totals();
    let ended = load.finish()?;

    let rate = options.rate.map_or_else(
        || "at any rate".to_owned(),
        |rate| format!("{}/s asked for", units::count(rate.into())),
    );
    let what = headline(&[
        units::plural(options.connections.into(), "connection"),
        rate,
    ]);
    let mut report = setup.report("drain", &what);
    let mut section = report.section("connections", "Connections");
    section.count("opened", "opened", ended.totals.ready);
    section.note(&format!("of {}", units::count(options.connections.into())));
    section.count("failed", "failed", ended.totals.failed);
    section.count("ended_before", "ended before the stop", before.ended);
    section.count("held", "held until the stop", before.open());
    section.count("left", "never ended", after.open());
    // A connection that ends before the stop is the first in its thread's list; what the stop did
    // is all behind it.
    let mut ends: Vec<_> = ended.outcomes.iter().flatten().copied().collect();
    ends.sort_by_key(|&(at, _)| at);
    ends.drain(..ends.len().min(before.ended as usize));
    let framed = setup.targets.iter().any(Target::upgrades);
    summarize(&mut report, &Ends::new(ends, stopped), options.rate, framed);
    report.problem(ended.totals.failed, "connection", "failed");
    report.problem(before.ended, "connection", "ended before the stop");
    report.problem(after.open(), "connection", "not ended by the stop");
    if before.open() == 0 {
        report.fault("nothing was held to be drained");
    }
    outcome(&mut report, &waits[..1], ended.connecting);
    if waits.contains(&Wait::Interrupted) {
        report.interrupted();
    }
    Ok(report)
}

fn summarize(report: &mut Report, ends: &Ends, rate: Option<u32>, framed: bool) {
    let mut section = report.section("ends", "How they ended");
    for (code, count) in &ends.told {
        section.count(
            &format!("code_{code}"),
            &format!("close code {code}"),
            *count,
        );
    }
    section.count("untold", "end of stream only", ends.untold);
    section.count("reset", "reset", ends.reset);
    for (end, count) in &ends.other {
        section.count(end, end, *count);
    }
    let mut section = report.section("times", "Times");
    section.seconds("first_seconds", "first end", ends.first.as_secs_f64());
    section.note("s after the stop");
    section.seconds("last_seconds", "last end", ends.last.as_secs_f64());
    section.note("s");
    let fullest = ends.fullest();
    section.count("most_per_second", "most in a second", fullest);
    if let Some(rate) = rate {
        section.note(&format!("of {} asked for", units::count(rate.into())));
    }
    let mut section = report.section("seconds", "Ends by second");
    for (second, &count) in ends.per_second.iter().enumerate().take(SECONDS_SHOWN) {
        let bar = "▇".repeat((count * BAR).div_ceil(fullest.max(1)) as usize);
        section.line(&(second + 1).to_string(), vec![units::count(count)]);
        section.note(&bar);
    }
    section.fact("ends", ends.per_second.clone());

    if framed {
        let untold = ends.all() - ends.in_order();
        report.problem(untold, "connection", "not told that the server stops");
    } else {
        report.problem(ends.all() - ends.untold, "connection", "not ended in order");
    }
    // A second of the client's is not one of the server's, so a little more may fall into it.
    if let Some(rate) = rate
        && fullest > u64::from(rate) + u64::from(rate) / 10
    {
        report.fault(&format!(
            "{} ends in one second, of {} asked for",
            units::count(fullest),
            units::count(rate.into())
        ));
    }
}
