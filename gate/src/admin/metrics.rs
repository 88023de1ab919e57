//! The counters in the text format of Prometheus.
//!
//! The counters stay where they are counted, and families are made of them when someone asks:
//! nothing is registered, and nothing is counted twice. docs/metrics.md explains each of them.

use common::{CloseReason, Counter, Histogram};
use network::ReactorStats;
use prometheus::proto::{
    Bucket, Counter as CounterValue, Gauge, Histogram as HistogramValue, LabelPair, Metric,
    MetricFamily, MetricType,
};
use prometheus::{TEXT_FORMAT, TextEncoder};

use super::process::Process;
use super::sample::Sample;
use super::{Shared, Shown};
use crate::stats::{GateStats, WorkerStats};
use crate::telemetry::Telemetry;

/// What the answer is written in.
pub(super) const CONTENT_TYPE: &str = TEXT_FORMAT;

/// Nanoseconds of a second, in which durations are counted.
const NANOS: f64 = 1e9;

/// Name, help, and where the count is.
type Row<S> = (&'static str, &'static str, fn(&S) -> &Counter);

const REACTOR_COUNTERS: [Row<ReactorStats>; 17] = [
    ("turns_total", "Passes of a reactor's loop", |s| &s.turns),
    ("events_total", "Events that waits returned", |s| &s.events),
    ("wakeups_total", "Wake-ups by other threads", |s| &s.woken),
    (
        "carried_total",
        "Connections left for the next turn because their budget was used up",
        |s| &s.carried,
    ),
    ("socket_reads_total", "Read calls", |s| &s.reads),
    ("socket_writes_total", "Write calls", |s| &s.writes),
    ("received_bytes_total", "Bytes read from connections", |s| {
        &s.bytes_in
    }),
    ("sent_bytes_total", "Bytes written to connections", |s| {
        &s.bytes_out
    }),
    (
        "received_frames_total",
        "Messages and requests decoded",
        |s| &s.frames_in,
    ),
    ("sent_frames_total", "Messages and answers queued", |s| {
        &s.frames_out
    }),
    ("pings_answered_total", "Pings answered", |s| &s.pongs),
    (
        "websocket_upgrades_total",
        "WebSocket upgrades accepted",
        |s| &s.upgrades,
    ),
    ("tls_handshakes_total", "TLS handshakes completed", |s| {
        &s.tls_handshakes
    }),
    (
        "outgoing_connections_total",
        "Outgoing connections made",
        |s| &s.connected,
    ),
    (
        "unfit_messages_total",
        "Messages that a framing could not carry",
        |s| &s.unfit,
    ),
    (
        "unanswered_closes_total",
        "Closes that the peer did not answer in time",
        |s| &s.unanswered_closes,
    ),
    (
        "memory_stalls_total",
        "Turns in which nothing was read for want of memory",
        |s| &s.memory_stalls,
    ),
];

const REACTOR_GAUGES: [Row<ReactorStats>; 4] = [
    (
        "outbox_bytes",
        "Heap behind what waits to be written, without what waits by reference",
        |s| &s.outbox_bytes,
    ),
    (
        "outbox_shared_bytes",
        "Bytes that wait to be written by reference, once for each receiver",
        |s| &s.outbox_shared_bytes,
    ),
    (
        "input_bytes",
        "Heap behind input that is not complete",
        |s| &s.input_bytes,
    ),
    ("tls_session_bytes", "Memory of TLS sessions", |s| {
        &s.tls_bytes
    }),
];

const GATE_COUNTERS: [Row<GateStats>; 2] = [
    (
        "rate_limited_messages_total",
        "Messages dropped because their session was over its rate",
        |s| &s.limited,
    ),
    (
        "held_back_total",
        "Times that a session was not read on because a mailbox was full",
        |s| &s.held_back,
    ),
];

const WORKER_COUNTERS: [Row<WorkerStats>; 3] = [
    (
        "worker_batches_total",
        "Batches that workers dealt with",
        |s| &s.batches,
    ),
    ("worker_events_total", "Events in those batches", |s| {
        &s.events
    }),
    (
        "worker_panics_total",
        "Calls of modules that panicked",
        |s| &s.panics,
    ),
];

/// Everything there is to say now.
pub(super) fn render(shared: &Shared, shown: &Shown) -> Result<String, prometheus::Error> {
    let mut families = Families::default();
    about(&mut families, shared, shown.readiness().is_ok());
    if let Some(telemetry) = &shown.telemetry {
        connections(&mut families, telemetry);
        reactors(&mut families, telemetry);
        workers(&mut families, telemetry);
        memory(&mut families, telemetry);
    }
    others(&mut families, &shared.sources.read());
    process(&mut families, shared.process.lock().get());
    TextEncoder::new().encode_to_string(&families.0)
}

fn about(families: &mut Families, shared: &Shared, ready: bool) {
    let mut info = Series::default();
    let config = &shared.config;
    info.push(
        &[("product", config.product), ("version", config.version)],
        1.0,
    );
    families.gauges("info", "What runs here; always 1", info);
    let ready = f64::from(u8::from(ready));
    families.gauge("ready", "1 while clients may be sent here", ready);
    let uptime = shared.uptime().as_secs_f64();
    families.gauge("uptime_seconds", "Time since the start", uptime);
}

fn connections(families: &mut Families, telemetry: &Telemetry) {
    let mut counts = Series::default();
    let mut accepted = Series::default();
    let mut refused = Series::default();
    let mut closes = Series::default();
    for (reactor, stats) in indexed(telemetry.reactors()) {
        for (listener, profile) in telemetry.listeners().zip(&stats.profiles) {
            let states = [
                ("opening", &profile.opening),
                ("open", &profile.open),
                ("closing", &profile.closing),
            ];
            for (state, count) in states {
                let labels = [
                    ("listener", listener),
                    ("state", state),
                    ("reactor", &reactor),
                ];
                counts.push(&labels, count.get() as f64);
            }
            let labels = [("listener", listener), ("reactor", reactor.as_str())];
            accepted.push(&labels, profile.accepted.get() as f64);
            refused.push(&labels, profile.refused.get() as f64);
        }
        for (reason, count) in CloseReason::ALL.into_iter().zip(&stats.closes) {
            let labels = [("reason", reason.label()), ("reactor", &reactor)];
            closes.push(&labels, count.get() as f64);
        }
    }
    families.gauges("connections", "Connections there are now", counts);
    families.counters("accepted_total", "Connections accepted", accepted);
    families.counters("refused_total", "Connections refused", refused);
    families.counters(
        "closes_total",
        "Ends of connections, those refused included",
        closes,
    );
}

fn reactors(families: &mut Families, telemetry: &Telemetry) {
    let reactors = || indexed(telemetry.reactors());
    for row in REACTOR_COUNTERS {
        families.rows(row, MetricType::COUNTER, "reactor", reactors());
    }
    let mut dropped = Series::default();
    for (reactor, stats) in reactors() {
        for (policy, count) in [
            ("newest", &stats.dropped_newest),
            ("oldest", &stats.dropped_oldest),
            ("superseded", &stats.superseded),
        ] {
            let labels = [("policy", policy), ("reactor", reactor.as_str())];
            dropped.push(&labels, count.get() as f64);
        }
    }
    families.counters(
        "dropped_messages_total",
        "Messages dropped for slow readers",
        dropped,
    );
    for row in REACTOR_GAUGES {
        families.rows(row, MetricType::GAUGE, "reactor", reactors());
    }
    for row in GATE_COUNTERS {
        families.rows(
            row,
            MetricType::COUNTER,
            "reactor",
            indexed(telemetry.gates()),
        );
    }
    let mut waiting = Series::default();
    for (reactor, batches) in indexed(telemetry.command_batches()) {
        waiting.push(&[("reactor", &reactor)], batches as f64);
    }
    families.gauges(
        "command_batches",
        "Batches of commands that wait for a reactor",
        waiting,
    );

    let mut turns = Series::default();
    let mut events = Series::default();
    let mut handshakes = Series::default();
    for (reactor, stats) in reactors() {
        let labels = [("reactor", reactor.as_str())];
        turns.push_histogram(&labels, &stats.turn_time, NANOS);
        events.push_histogram(&labels, &stats.turn_events, 1.0);
        handshakes.push_histogram(&labels, &stats.tls_handshake_time, NANOS);
    }
    families.histograms(
        "turn_seconds",
        "How long turns took, a sample of them",
        turns,
    );
    families.histograms("turn_events", "Events with which those turns began", events);
    families.histograms(
        "tls_handshake_seconds",
        "How long TLS handshakes took",
        handshakes,
    );
}

fn workers(families: &mut Families, telemetry: &Telemetry) {
    for row in WORKER_COUNTERS {
        families.rows(
            row,
            MetricType::COUNTER,
            "worker",
            indexed(telemetry.workers()),
        );
    }
    let mut depth = Series::default();
    for (worker, events) in indexed(telemetry.mailbox_events()) {
        depth.push(&[("worker", &worker)], events as f64);
    }
    families.gauges(
        "mailbox_events",
        "Events that wait for a worker, or that it works on",
        depth,
    );
    families.gauge(
        "mailbox_events_max",
        "Events at which a mailbox is full",
        telemetry.mailbox_events_max() as f64,
    );
    let mut waits = Series::default();
    let mut batches = Series::default();
    for (worker, stats) in indexed(telemetry.workers()) {
        let labels = [("worker", worker.as_str())];
        waits.push_histogram(&labels, &stats.wait_time, NANOS);
        batches.push_histogram(&labels, &stats.batch_time, NANOS);
    }
    families.histograms(
        "worker_wait_seconds",
        "How long batches waited, a sample of them",
        waits,
    );
    families.histograms(
        "worker_batch_seconds",
        "How long those batches then took",
        batches,
    );
}

fn memory(families: &mut Families, telemetry: &Telemetry) {
    let memory = telemetry.memory();
    let held = memory.used() as f64;
    families.gauge("memory_held_bytes", "Memory held for clients", held);
    if memory.limit() < usize::MAX {
        let limit = memory.limit() as f64;
        families.gauge("memory_limit_bytes", "The most that may be held", limit);
    }
}

fn others(families: &mut Families, samples: &[Sample]) {
    for family in samples.chunk_by(|a, b| a.name == b.name) {
        let mut series = Series::default();
        for sample in family {
            series.push(sample.labels, sample.value);
        }
        let Sample { name, help, .. } = family[0];
        if family[0].is_counter {
            families.counters(name, help, series);
        } else {
            families.gauges(name, help, series);
        }
    }
}

fn process(families: &mut Families, process: &Process) {
    let sizes = [
        (
            "process_resident_bytes",
            "Memory in RAM, files included",
            process.resident_bytes,
        ),
        (
            "process_private_bytes",
            "Memory of the process's own in RAM",
            process.private_bytes,
        ),
        (
            "process_resident_peak_bytes",
            "The most there ever was in RAM",
            process.resident_peak_bytes,
        ),
        (
            "host_tcp_sockets",
            "TCP sockets of this host",
            process.tcp.map(|tcp| tcp.sockets),
        ),
        (
            "host_tcp_buffer_bytes",
            "The kernel's buffers of TCP",
            process.tcp.map(|tcp| tcp.buffer_bytes),
        ),
    ];
    for (name, help, size) in sizes {
        if let Some(size) = size {
            families.gauge(name, help, size as f64);
        }
    }
    let mut slabs = Series::default();
    for (cache, bytes) in &process.slabs {
        slabs.push(&[("cache", cache)], *bytes as f64);
    }
    families.gauges(
        "host_slab_bytes",
        "The kernel's objects that connections are made of",
        slabs,
    );
    let mut running = Series::default();
    let mut waiting = Series::default();
    for (name, thread) in &process.threads {
        running.push(&[("thread", name)], thread.running_seconds);
        waiting.push(&[("thread", name)], thread.waiting_seconds);
    }
    families.counters(
        "thread_cpu_seconds_total",
        "Processor time of threads, by name",
        running,
    );
    families.counters(
        "thread_runnable_seconds_total",
        "Time in which threads could run and had no processor",
        waiting,
    );
}

/// Things with their numbers as labels.
fn indexed<T>(things: impl Iterator<Item = T>) -> impl Iterator<Item = (String, T)> {
    things
        .enumerate()
        .map(|(index, thing)| (index.to_string(), thing))
}

/// The values of one family.
#[derive(Default)]
struct Series(Vec<(Vec<LabelPair>, Value)>);

enum Value {
    Number(f64),
    Histogram(HistogramValue),
}

impl Series {
    fn push(&mut self, labels: &[(&str, &str)], value: f64) {
        self.0.push((pairs(labels), Value::Number(value)));
    }

    /// `unit` is how many of what was recorded make one of what is shown.
    fn push_histogram<const FIRST: u32, const BUCKETS: usize>(
        &mut self,
        labels: &[(&str, &str)],
        histogram: &Histogram<FIRST, BUCKETS>,
        unit: f64,
    ) {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(BUCKETS);
        for (here, bound) in histogram
            .counts()
            .into_iter()
            .zip(Histogram::<FIRST, BUCKETS>::bounds())
        {
            count += here;
            // The encoder adds the last bucket, which has no bound.
            if let Some(bound) = bound {
                let mut bucket = Bucket::default();
                bucket.set_cumulative_count(count);
                bucket.set_upper_bound(bound as f64 / unit);
                buckets.push(bucket);
            }
        }
        let mut value = HistogramValue::default();
        value.set_bucket(buckets);
        value.set_sample_count(count);
        value.set_sample_sum(histogram.sum() as f64 / unit);
        self.0.push((pairs(labels), Value::Histogram(value)));
    }
}

fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let pair = |&(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}

/// The families, in the order in which they are shown.
#[derive(Default)]
struct Families(Vec<MetricFamily>);

impl Families {
    /// Adds a family; one without values has nothing to say.
    fn add(&mut self, name: &str, help: &str, kind: MetricType, series: Series) {
        if series.0.is_empty() {
            return;
        }
        let metric = |(labels, value)| {
            let mut metric = Metric::from_label(labels);
            match value {
                Value::Number(number) if kind == MetricType::COUNTER => {
                    let mut counter = CounterValue::default();
                    counter.set_value(number);
                    metric.set_counter(counter);
                }
                Value::Number(number) => {
                    let mut gauge = Gauge::default();
                    gauge.set_value(number);
                    metric.set_gauge(gauge);
                }
                Value::Histogram(histogram) => metric.set_histogram(histogram),
            }
            metric
        };
        let mut family = MetricFamily::default();
        family.set_name(format!("gatehouse_{name}"));
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(series.0.into_iter().map(metric).collect());
        self.0.push(family);
    }

    fn counters(&mut self, name: &str, help: &str, series: Series) {
        self.add(name, help, MetricType::COUNTER, series);
    }

    fn gauges(&mut self, name: &str, help: &str, series: Series) {
        self.add(name, help, MetricType::GAUGE, series);
    }

    fn histograms(&mut self, name: &str, help: &str, series: Series) {
        self.add(name, help, MetricType::HISTOGRAM, series);
    }

    /// A gauge of which there is one.
    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let mut series = Series::default();
        series.push(&[], value);
        self.gauges(name, help, series);
    }

    /// One value for each of `owners`, labelled with its number.
    fn rows<'a, S: 'a>(
        &mut self,
        (name, help, count): Row<S>,
        kind: MetricType,
        label: &str,
        owners: impl Iterator<Item = (String, &'a S)>,
    ) {
        let mut series = Series::default();
        for (index, owner) in owners {
            series.push(&[(label, &index)], count(owner).get() as f64);
        }
        self.add(name, help, kind, series);
    }
}
