//! Connect, exchange one message, disconnect in order, over and over.

use std::time::{Duration, Instant};

use common::ConnId;
use network::Ctx;
use network::codec::MessageKind;

use super::{Needs, Pacer, Setup, headline, outcome, troubles};
use crate::latency::Latency;
use crate::load::{Dialer, End, GOODBYE, Opened, Place, Script};
use crate::options::{Churn, Common};
use crate::payload::{Stamp, Verdict};
use crate::report::Report;
use crate::target;
use crate::units;

/// A close that took so long was not answered: the reactor has reset the connection
/// ([`target::CLOSE_SECONDS`], less what its clock of one-second ticks may be early).
const CLOSE_UNANSWERED: u64 = (target::CLOSE_SECONDS as u64 - 1) * 1_000_000_000;

/// Lives short lives on one thread.
#[derive(Debug)]
struct Visit {
    place: Place,
    stamp: Stamp,
    kind: MessageKind,
    /// Connections at once.
    concurrency: u32,
    /// A new connection for each that ends; otherwise they come by order.
    renew: bool,
    running: bool,
    /// Connections that are ready and have not ended.
    active: u32,
    /// By slot.
    lives: Vec<Life>,
    result: Visits,
}

#[derive(Clone, Copy, Debug, Default)]
struct Life {
    number: u32,
    dialed: u64,
    /// When the answer had come and the close began; zero before.
    closing: u64,
}

/// What a thread has found.
#[derive(Debug, Default)]
struct Visits {
    /// From the begin of the connect to the end.
    whole: Latency,
    /// From the begin of the connect to the answer.
    answered: Latency,
    complete: u64,
    corrupted: u64,
    unanswered: u64,
    close_unanswered: u64,
    /// Connections that were due while `concurrency` of them were under way.
    late: u64,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    /// Fill up to the concurrency.
    Begin,
    /// So many more.
    Open(u32),
    Stop,
}

impl Visit {
    fn renew(&self, dialer: &mut Dialer) {
        if self.running && self.renew {
            dialer.request(1);
        }
    }
}

impl Script for Visit {
    type Order = Order;
    type Outcome = Visits;

    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened) {
        let slot = opened.conn.slot() as usize;
        if slot >= self.lives.len() {
            self.lives.resize(slot + 1, Life::default());
        }
        self.active += 1;
        self.lives[slot] = Life {
            number: opened.number,
            dialed: opened.dialed,
            closing: 0,
        };
        self.place.tally.sent.add(1);
        // A connection that is gone is counted when its end is reported.
        let _ = ctx.send(opened.conn, self.kind, self.stamp.make(opened.number, 0));
    }

    fn on_message(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, payload: &[u8]) {
        let now = self.place.nanos();
        let life = &mut self.lives[conn.slot() as usize];
        if self.stamp.judge(payload, life.number, 0, 1) != Verdict::Due {
            self.result.corrupted += 1;
        }
        self.place.tally.answered.add(1);
        self.result.answered.record(now - life.dialed);
        life.closing = now;
        ctx.close(conn, GOODBYE, "");
    }

    fn on_end(&mut self, dialer: &mut Dialer, conn: ConnId, end: End) {
        let now = self.place.nanos();
        let life = self.lives[conn.slot() as usize];
        self.active -= 1;
        if life.closing == 0 {
            self.result.unanswered += 1;
        } else if now - life.closing > CLOSE_UNANSWERED {
            self.result.close_unanswered += 1;
        } else if end == End::Asked {
            self.result.complete += 1;
            self.result.whole.record(now - life.dialed);
            self.place.tally.delivered.add(1);
        }
        self.renew(dialer);
    }

    fn on_failure(&mut self, dialer: &mut Dialer) {
        self.renew(dialer);
    }

    fn on_order(&mut self, _: &mut Ctx<'_>, dialer: &mut Dialer, order: Order) {
        match order {
            Order::Begin => {
                self.running = true;
                dialer.request(self.concurrency);
            }
            Order::Open(n) => {
                let room = self
                    .concurrency
                    .saturating_sub(self.active + dialer.pending());
                dialer.request(n.min(room));
                self.result.late += u64::from(n.saturating_sub(room));
            }
            Order::Stop => {
                self.running = false;
                dialer.cancel();
            }
        }
    }

    fn finish(&mut self) -> Visits {
        self.result.unanswered += u64::from(self.active);
        std::mem::take(&mut self.result)
    }
}

pub(super) fn run(options: &Churn, common: &Common) -> anyhow::Result<Report> {
    let needs = Needs {
        connections: options.concurrency,
        churn: true,
        text: options.text,
        message_bytes: options.size,
        in_flight: 1,
        ..Needs::default()
    };
    let setup = Setup::new(common, needs)?;
    let mut load = setup.start(|place| Visit {
        concurrency: setup.plan.share(place.thread),
        place,
        stamp: Stamp::new(options.size as usize, setup.text),
        kind: target::kind(setup.text),
        renew: options.rate.is_none(),
        running: false,
        active: 0,
        lives: Vec::new(),
        result: Visits::default(),
    })?;

    let processor = setup.watch();
    let begin = Instant::now();
    if options.rate.is_none() {
        load.order_all(|| Order::Begin);
    }
    let mut pacer = options
        .rate
        .map(|rate| Pacer::new(rate, setup.plan.threads));
    let wait = load.pace(
        "churning",
        options.duration,
        Duration::from_millis(if options.rate.is_some() { 1 } else { 20 }),
        |load, _, elapsed| {
            if let Some(pacer) = &mut pacer {
                for (thread, n) in pacer.due(elapsed) {
                    load.order(thread, Order::Open(n));
                }
            }
            false
        },
        |totals, elapsed| {
            let rate = units::per_second(totals.delivered, elapsed);
            let failed = totals.failed + totals.ended;
            format!(
                "{} conn/s, {} failed",
                units::count(rate as u64),
                units::count(failed)
            )
        },
    )?;
    let span = begin.elapsed();
    let whole = load.totals().delivered;
    let cores = processor.cores();
    load.order_all(|| Order::Stop);
    // As with an echo, only two looks that agree are believed.
    let mut ready = u64::MAX;
    load.drain(
        |totals| {
            let before = std::mem::replace(&mut ready, totals.ready);
            before == totals.ready && totals.delivered + totals.ended >= totals.ready
        },
        |totals| {
            let left = totals.open().saturating_sub(totals.delivered);
            format!("{} to end", units::plural(left, "connection"))
        },
    )?;
    let ended = load.finish()?;

    let pace = options.rate.map_or_else(
        || "as fast as they complete".to_owned(),
        |rate| format!("{}/s asked for", units::count(rate.into())),
    );
    let what = headline(&[
        format!(
            "{} at once",
            units::plural(options.concurrency.into(), "connection")
        ),
        pace,
        units::bytes(options.size.into()),
        units::duration(options.duration),
    ]);
    let mut report = setup.report("churn", &what);
    let sum = |field: fn(&Visits) -> u64| ended.outcomes.iter().map(field).sum::<u64>();
    let mut section = report.section("connections", "Connections");
    section.rate("per_second", "rate", units::per_second(whole, span), "conn");
    section.note("conn/s, connect to close");
    section.count("complete", "complete", sum(|one| one.complete));
    section.count("failed", "failed", ended.totals.failed);
    section.count("ended_early", "ended early", ended.totals.ended);
    section.count(
        "unanswered",
        "message unanswered",
        sum(|one| one.unanswered),
    );
    section.count("corrupted", "answer corrupted", sum(|one| one.corrupted));
    section.count(
        "close_unanswered",
        "close unanswered",
        sum(|one| one.close_unanswered),
    );
    section.count_if_any("late", "not begun in time", sum(|one| one.late));
    if sum(|one| one.late) > 0 {
        section.note("of the rate asked for: raise --concurrency, or the server is too slow");
    }
    troubles(&mut report, &ended);
    report.problem(sum(|one| one.unanswered), "message", "unanswered");
    report.problem(sum(|one| one.corrupted), "answer", "corrupted");
    report.problem(sum(|one| one.close_unanswered), "close", "unanswered");
    let (mut answered, mut complete) = (Latency::default(), Latency::default());
    for one in &ended.outcomes {
        answered.merge(&one.answered);
        complete.merge(&one.whole);
    }
    report.latencies(&[
        ("connect", "connect", &ended.connect),
        ("answered", "… and answer", &answered),
        ("complete", "… and close", &complete),
    ]);
    setup.processor(&mut report, cores);
    outcome(&mut report, &[wait], span);
    Ok(report)
}
