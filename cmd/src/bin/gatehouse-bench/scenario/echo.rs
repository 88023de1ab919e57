//! Send, and expect the same bytes back, in order. Each answer is followed by the next message, so
//! that the same number is always under way.

use std::time::{Duration, Instant};

use common::ConnId;
use network::Ctx;
use network::codec::MessageKind;

use super::{Needs, Setup, connections, headline, outcome};
use crate::latency::Latency;
use crate::load::{Dialer, End, Opened, Place, Script, Wait};
use crate::options::{Common, Echo};
use crate::payload::{Stamp, Verdict};
use crate::report::Report;
use crate::target;
use crate::units;

/// Connections that begin to send in one turn: the answers of the first are read in between.
const BEGINS_PER_TURN: usize = 256;

/// Bounces messages on the connections of one thread.
#[derive(Debug)]
struct Bounce {
    place: Place,
    stamp: Stamp,
    kind: MessageKind,
    in_flight: u64,
    /// By slot.
    lanes: Vec<Lane>,
    /// When each message under way was sent, in nanoseconds: `in_flight` of them for each slot, a
    /// message's place being its sequence modulo that.
    sent_at: Vec<u64>,
    /// The slot to go on from, while the connections begin to send.
    beginning: Option<usize>,
    sending: bool,
    measured_since: Option<Instant>,
    result: Bounced,
}

/// One connection. `due <= sent <= due + in_flight`
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// `None` once it has ended.
    conn: Option<ConnId>,
    number: u32,
    /// Sequence of the next answer.
    due: u64,
    /// Sequence of the next message.
    sent: u64,
}

/// What a thread has found.
#[derive(Debug, Default)]
struct Bounced {
    latency: Latency,
    /// Time measured.
    span: Duration,
    sent: u64,
    lost: u64,
    corrupted: u64,
    overtaken: u64,
    stale: u64,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Send,
    Measure,
    StopMeasuring,
    StopSending,
}

impl Bounce {
    /// Sends the next message of `slot`, which is the present one's answer.
    #[inline]
    fn send(&mut self, ctx: &mut Ctx<'_>, slot: usize, now: u64) {
        let lane = &mut self.lanes[slot];
        let Some(conn) = lane.conn else { return };
        let payload = self.stamp.make(lane.number, lane.sent);
        // What is not sent because the connection is ending is no message; its end is counted.
        if ctx.send(conn, self.kind, payload).is_ok() {
            let place = slot * self.in_flight as usize + (lane.sent % self.in_flight) as usize;
            self.sent_at[place] = now;
            lane.sent += 1;
            self.place.tally.sent.add(1);
        }
    }

    fn stop_measuring(&mut self) {
        if let Some(since) = self.measured_since.take() {
            self.result.span = since.elapsed();
        }
    }
}

impl Script for Bounce {
    type Order = Order;
    type Outcome = Bounced;

    fn on_ready(&mut self, _: &mut Ctx<'_>, opened: Opened) {
        let slot = opened.conn.slot() as usize;
        if slot >= self.lanes.len() {
            self.lanes.resize(slot + 1, Lane::default());
            self.sent_at.resize((slot + 1) * self.in_flight as usize, 0);
        }
        self.lanes[slot] = Lane {
            conn: Some(opened.conn),
            number: opened.number,
            ..Lane::default()
        };
    }

    #[inline]
    fn on_message(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, payload: &[u8]) {
        let now = self.place.nanos();
        let slot = conn.slot() as usize;
        let lane = &mut self.lanes[slot];
        if lane.due == lane.sent {
            // Nothing is under way: a greeting, or an answer too many.
            self.result.stale += 1;
            return;
        }
        let settled = match self.stamp.judge(payload, lane.number, lane.due, lane.sent) {
            Verdict::Due => 1,
            Verdict::Early(ahead) => {
                self.result.overtaken += ahead;
                ahead + 1
            }
            Verdict::Stale => {
                self.result.stale += 1;
                return;
            }
            Verdict::Corrupted => {
                self.result.corrupted += 1;
                1
            }
        };
        lane.due += settled;
        let place = slot * self.in_flight as usize + ((lane.due - 1) % self.in_flight) as usize;
        self.place.tally.answered.add(settled);
        if self.measured_since.is_some() {
            self.result.latency.record(now - self.sent_at[place]);
        }
        if self.sending {
            for _ in 0..settled {
                self.send(ctx, slot, now);
            }
        }
    }

    fn on_end(&mut self, _: &mut Dialer, conn: ConnId, _: End) {
        let lane = std::mem::take(&mut self.lanes[conn.slot() as usize]);
        // What was under way will not come any more.
        self.result.lost += lane.sent - lane.due;
        self.place.tally.answered.add(lane.sent - lane.due);
    }

    fn on_order(&mut self, _: &mut Ctx<'_>, _: &mut Dialer, order: Order) {
        match order {
            Order::Send => {
                self.sending = true;
                self.beginning = Some(0);
            }
            Order::Measure => self.measured_since = Some(Instant::now()),
            Order::StopMeasuring => self.stop_measuring(),
            Order::StopSending => {
                self.sending = false;
                self.beginning = None;
            }
        }
    }

    fn on_turn(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let Some(from) = self.beginning else {
            return false;
        };
        let to = (from + BEGINS_PER_TURN).min(self.lanes.len());
        for slot in from..to {
            let now = self.place.nanos();
            for _ in 0..self.in_flight {
                self.send(ctx, slot, now);
            }
        }
        self.beginning = (to < self.lanes.len()).then_some(to);
        self.beginning.is_some()
    }

    fn finish(&mut self) -> Bounced {
        self.stop_measuring();
        let outstanding = self
            .lanes
            .iter()
            .map(|lane| lane.sent - lane.due)
            .sum::<u64>();
        self.result.lost += outstanding;
        self.result.sent = self.place.tally.sent.get();
        std::mem::take(&mut self.result)
    }
}

pub(super) fn run(options: &Echo, common: &Common) -> anyhow::Result<Report> {
    let needs = Needs {
        connections: options.connections,
        text: options.text,
        message_bytes: options.size,
        in_flight: options.in_flight,
        ..Needs::default()
    };
    let setup = Setup::new(common, needs)?;
    let mut load = setup.start(|place| Bounce {
        place,
        stamp: Stamp::new(options.size as usize, setup.text),
        kind: target::kind(setup.text),
        in_flight: options.in_flight.into(),
        lanes: Vec::new(),
        sent_at: Vec::new(),
        beginning: None,
        sending: false,
        measured_since: None,
        result: Bounced::default(),
    })?;

    let begin = Instant::now();
    let mut waits = vec![load.connect()?];
    let mut cores = setup.watch().cores();
    if waits[0] != Wait::Gone && waits[0] != Wait::Interrupted {
        load.order_all(|| Order::Send);
        waits.push(load.wait(
            "warming up",
            options.warm_up,
            |_| false,
            |totals| format!("{} messages", units::count(totals.answered)),
        )?);
        if waits[1] == Wait::Timeout {
            let processor = setup.watch();
            load.order_all(|| Order::Measure);
            let before = load.totals().answered;
            waits.push(load.pace(
                "measuring",
                options.duration,
                Duration::from_millis(20),
                |_, _, _| false,
                |totals, elapsed| {
                    let rate = units::per_second(totals.answered - before, elapsed);
                    format!("{} msg/s", units::count(rate as u64))
                },
            )?);
            load.order_all(|| Order::StopMeasuring);
            cores = processor.cores();
        }
        load.order_all(|| Order::StopSending);
        // A thread that has yet to see the order goes on sending for a moment, so only two looks
        // that agree are believed.
        let mut sent = u64::MAX;
        load.drain(
            |totals| {
                let before = std::mem::replace(&mut sent, totals.sent);
                before == totals.sent && totals.answered == totals.sent
            },
            |totals| format!("{} replies to come", units::count(totals.outstanding())),
        )?;
    }
    let lasted = begin.elapsed();
    let ended = load.finish()?;

    let what = headline(&[
        units::plural(options.connections.into(), "connection"),
        format!(
            "{} in flight on each",
            units::count(options.in_flight.into())
        ),
        units::bytes(options.size.into()),
        units::duration(options.duration),
    ]);
    let mut report = setup.report("echo", &what);
    report.fact("in_flight", options.in_flight);
    report.fact("size", options.size);
    connections(&mut report, &ended, &[]);
    summarize(&mut report, &ended.outcomes, options.size);
    setup.processor(&mut report, cores);
    outcome(&mut report, &waits, lasted);
    Ok(report)
}

fn summarize(report: &mut Report, outcomes: &[Bounced], size: u32) {
    let sum = |field: fn(&Bounced) -> u64| outcomes.iter().map(field).sum::<u64>();
    let (sent, lost) = (sum(|one| one.sent), sum(|one| one.lost));
    let (corrupted, overtaken) = (sum(|one| one.corrupted), sum(|one| one.overtaken));
    let stale = sum(|one| one.stale);
    let rate: f64 = outcomes
        .iter()
        .map(|one| units::per_second(one.latency.count(), one.span))
        .sum();
    let mut latency = Latency::default();
    for one in outcomes {
        latency.merge(&one.latency);
    }

    let mut section = report.section("messages", "Messages");
    section.rate("per_second", "throughput", rate, "msg");
    let payload = units::bytes((rate * f64::from(size)) as i64);
    section.note(&format!("msg/s  ({payload}/s of payload each way)"));
    section.count("measured", "measured", latency.count());
    section.count("sent", "sent", sent).note("warm-up included");
    section.count("lost", "lost", lost);
    section.count("corrupted", "corrupted", corrupted);
    section.count_if_any("out_of_order", "out of order", overtaken);
    section.count_if_any("unexpected", "unexpected", stale);
    report.latencies(&[("round_trip", "round trip", &latency)]);
    report.problem(lost, "message", "lost");
    report.problem(corrupted, "message", "corrupted");
    report.problem(overtaken, "message", "overtaken or lost by others");
    report.problem(stale, "message", "received that nobody had asked for");
    if sent == 0 {
        report.fault("no message was sent");
    }
}
