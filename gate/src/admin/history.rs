//! The last ten minutes, for the dashboard: rates and quantiles, a point every two seconds.
//!
//! Kept here and not in the page, so that who opens it because something is wrong sees how it came
//! to that.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use common::{CloseReason, Counter, DurationHistogram};
use network::ReactorStats;
use serde::Serialize;

use super::process::{Process, Thread};
use crate::telemetry::Telemetry;

/// Points that are kept.
const POINTS_MAX: usize = 300;
/// Buckets of a [`DurationHistogram`].
const BUCKETS: usize = DurationHistogram::BUCKETS;

/// The points, oldest first, and what the next one is compared with.
#[derive(Debug, Default)]
pub(super) struct History {
    points: VecDeque<Point>,
    /// Number of the next point.
    next: u64,
    last: Option<(Instant, Totals)>,
    present: Present,
}

/// One moment, and what happened since the one before. Rates are per second, times in microseconds.
#[derive(Clone, Debug, Default, Serialize)]
struct Point {
    /// Unix time in milliseconds.
    at: u64,
    connections: u64,
    accepted: f64,
    closed: f64,
    refused: f64,
    frames_in: f64,
    frames_out: f64,
    bytes_in: f64,
    bytes_out: f64,
    dropped: f64,
    turn_p50: Option<f64>,
    turn_p99: Option<f64>,
    wait_p50: Option<f64>,
    wait_p99: Option<f64>,
    mailbox: u64,
    outbox: u64,
    outbox_shared: u64,
    held: u64,
    private: Option<u64>,
    kernel_per_socket: Option<f64>,
}

/// What only the present is shown of.
#[derive(Clone, Debug, Default, Serialize)]
struct Present {
    listeners: Vec<ListenerNow>,
    threads: BTreeMap<String, Load>,
    /// Ends by reason, and what was dropped or held up: since the start, and per second now.
    closes: BTreeMap<&'static str, Flow>,
    pressure: BTreeMap<&'static str, Flow>,
    memory_limit: Option<u64>,
    /// Memory of the process before anybody was connected.
    private_empty: Option<u64>,
    mailbox_max: u64,
    tcp_buffers: Option<u64>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct ListenerNow {
    name: String,
    opening: u64,
    open: u64,
    closing: u64,
    accepted: u64,
    refused: u64,
}

/// Shares of a processor, 0 to 1: in use, and wanted but not had.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Load {
    running: f64,
    waiting: f64,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Flow {
    total: u64,
    per_second: f64,
}

/// Everything that only grows.
#[derive(Clone, Debug, Default)]
struct Totals {
    accepted: u64,
    refused: u64,
    frames_in: u64,
    frames_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    closes: [u64; CloseReason::KINDS],
    pressure: BTreeMap<&'static str, u64>,
    turns: [u64; BUCKETS],
    waits: [u64; BUCKETS],
    threads: BTreeMap<String, Thread>,
}

/// What the page is sent.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    state: &'static str,
    product: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    /// What to ask for next time, to get what comes after this.
    next: u64,
    points: Vec<&'a Point>,
    present: &'a Present,
}

impl History {
    /// Time between two points.
    pub(super) const INTERVAL: Duration = Duration::from_secs(2);

    /// Adds a point.
    pub(super) fn sample(&mut self, telemetry: &Telemetry, process: &Process) {
        let now = Instant::now();
        let totals = Totals::read(telemetry, process);
        let (seconds, before) = match &self.last {
            Some((at, before)) => (now.duration_since(*at).as_secs_f64(), before),
            None => (0.0, &totals),
        };
        let rate = |now: u64, before: u64| match seconds {
            0.0 => 0.0,
            seconds => rounded(now.saturating_sub(before) as f64 / seconds),
        };
        let sum = |counter: fn(&ReactorStats) -> &Counter| {
            telemetry.reactors().map(|s| counter(s).get()).sum::<u64>()
        };
        let turns = difference(&totals.turns, &before.turns);
        let waits = difference(&totals.waits, &before.waits);
        let micros = |counts: &[u64; BUCKETS], quantile| {
            let nanos = DurationHistogram::quantile(counts, quantile)?;
            Some(rounded(nanos / 1e3))
        };
        let dropped = |totals: &Totals| {
            let policies = ["dropped_newest", "dropped_oldest", "superseded"];
            policies.iter().map(|policy| totals.pressure[policy]).sum()
        };
        let refused_kinds = |totals: &Totals| totals.closes.iter().sum::<u64>();
        let connections = sum(|s| &s.connections);
        let point = Point {
            at: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as u64),
            connections,
            accepted: rate(totals.accepted, before.accepted),
            // Those refused are ends too, and never were connections.
            closed: rate(
                refused_kinds(&totals).saturating_sub(totals.refused),
                refused_kinds(before).saturating_sub(before.refused),
            ),
            refused: rate(totals.refused, before.refused),
            frames_in: rate(totals.frames_in, before.frames_in),
            frames_out: rate(totals.frames_out, before.frames_out),
            bytes_in: rate(totals.bytes_in, before.bytes_in),
            bytes_out: rate(totals.bytes_out, before.bytes_out),
            dropped: rate(dropped(&totals), dropped(before)),
            turn_p50: micros(&turns, 0.5),
            turn_p99: micros(&turns, 0.99),
            wait_p50: micros(&waits, 0.5),
            wait_p99: micros(&waits, 0.99),
            mailbox: telemetry.mailbox_events().sum::<usize>() as u64,
            outbox: sum(|s| &s.outbox_bytes),
            outbox_shared: sum(|s| &s.outbox_shared_bytes),
            held: telemetry.memory().used() as u64,
            private: process.private_bytes,
            kernel_per_socket: process.kernel_bytes_per_socket().map(rounded),
        };
        let flow = |total, before| Flow {
            total,
            per_second: rate(total, before),
        };
        let limit = telemetry.memory().limit();
        let present = Present {
            listeners: listeners(telemetry),
            threads: loads(&totals.threads, &before.threads, seconds),
            closes: CloseReason::ALL
                .iter()
                .map(|reason| (reason.label(), reason.index()))
                .map(|(label, at)| (label, flow(totals.closes[at], before.closes[at])))
                .filter(|(_, flow)| flow.total > 0)
                .collect(),
            pressure: totals
                .pressure
                .iter()
                .map(|(&what, &total)| (what, flow(total, before.pressure[what])))
                .collect(),
            memory_limit: (limit < usize::MAX).then_some(limit as u64),
            private_empty: if connections == 0 && totals.accepted == 0 {
                process.private_bytes
            } else {
                self.present.private_empty
            },
            mailbox_max: (telemetry.mailbox_events_max() * telemetry.workers().count()) as u64,
            tcp_buffers: process.tcp.map(|tcp| tcp.buffer_bytes),
        };
        if self.points.len() == POINTS_MAX {
            self.points.pop_front();
        }
        self.points.push_back(point);
        self.next += 1;
        self.present = present;
        self.last = Some((now, totals));
    }

    /// The points from number `from` on, and the present.
    pub(super) fn answer(
        &self,
        from: u64,
        (state, uptime): (&'static str, Duration),
        (product, version): (&'static str, &'static str),
    ) -> Answer<'_> {
        let first = self.next - self.points.len() as u64;
        // Whoever asks for what is still to come has seen another process, and gets everything.
        let skip = if from > self.next {
            0
        } else {
            from.saturating_sub(first)
        };
        Answer {
            state,
            product,
            version,
            uptime_seconds: uptime.as_secs(),
            next: self.next,
            points: self.points.iter().skip(skip as usize).collect(),
            present: &self.present,
        }
    }
}

impl Totals {
    fn read(telemetry: &Telemetry, process: &Process) -> Self {
        let mut totals = Self {
            threads: process.threads.clone(),
            ..Self::default()
        };
        let mut pressure = |what, counter: &Counter| {
            *totals.pressure.entry(what).or_default() += counter.get();
        };
        for stats in telemetry.reactors() {
            pressure("dropped_newest", &stats.dropped_newest);
            pressure("dropped_oldest", &stats.dropped_oldest);
            pressure("superseded", &stats.superseded);
            pressure("memory_stalls", &stats.memory_stalls);
            pressure("refused", &stats.refused);
        }
        for stats in telemetry.gates() {
            pressure("rate_limited", &stats.limited);
            pressure("held_back", &stats.held_back);
        }
        for stats in telemetry.reactors() {
            totals.accepted += stats.accepted.get();
            totals.refused += stats.refused.get();
            totals.frames_in += stats.frames_in.get();
            totals.frames_out += stats.frames_out.get();
            totals.bytes_in += stats.bytes_in.get();
            totals.bytes_out += stats.bytes_out.get();
            for (sum, count) in totals.closes.iter_mut().zip(&stats.closes) {
                *sum += count.get();
            }
            add(&mut totals.turns, &stats.turn_time);
        }
        for stats in telemetry.workers() {
            add(&mut totals.waits, &stats.wait_time);
        }
        totals
    }
}

fn add(sums: &mut [u64; BUCKETS], histogram: &DurationHistogram) {
    for (sum, count) in sums.iter_mut().zip(histogram.counts()) {
        *sum += count;
    }
}

fn difference(now: &[u64; BUCKETS], before: &[u64; BUCKETS]) -> [u64; BUCKETS] {
    std::array::from_fn(|bucket| now[bucket].saturating_sub(before[bucket]))
}

fn listeners(telemetry: &Telemetry) -> Vec<ListenerNow> {
    let mut listeners: Vec<_> = telemetry
        .listeners()
        .map(|name| ListenerNow {
            name: name.to_owned(),
            ..ListenerNow::default()
        })
        .collect();
    for stats in telemetry.reactors() {
        for (listener, counts) in listeners.iter_mut().zip(&stats.profiles) {
            listener.opening += counts.opening.get();
            listener.open += counts.open.get();
            listener.closing += counts.closing.get();
            listener.accepted += counts.accepted.get();
            listener.refused += counts.refused.get();
        }
    }
    listeners
}

/// The load of each thread that serves clients.
fn loads(
    now: &BTreeMap<String, Thread>,
    before: &BTreeMap<String, Thread>,
    seconds: f64,
) -> BTreeMap<String, Load> {
    let share = |now: f64, before: f64| match seconds {
        0.0 => 0.0,
        seconds => rounded(((now - before) / seconds).clamp(0.0, 1.0)),
    };
    now.iter()
        .filter(|(name, _)| name.starts_with("reactor-") || name.starts_with("worker-"))
        .map(|(name, thread)| {
            let before = before.get(name).copied().unwrap_or_default();
            let load = Load {
                running: share(thread.running_seconds, before.running_seconds),
                waiting: share(thread.waiting_seconds, before.waiting_seconds),
            };
            (name.clone(), load)
        })
        .collect()
}

/// Without the digits that nobody sees.
fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}
