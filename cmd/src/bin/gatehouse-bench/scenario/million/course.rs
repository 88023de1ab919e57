//! The course of a run: one method a phase, each of which ends by itself.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::crowd::{BROADCAST, Crowd, Heard, Leaving, Order, Speech};
use super::findings::{Churned, Closed, Echoes, Idle, Opened, Phase, Round};
use super::monitor::Monitor;
use super::pace::Pace;
use super::server::Server;
use crate::host::{Cores, Processor};
use crate::load::{Load, Wait};
use crate::options::Million;
use crate::scenario::Pacer;
use crate::tally::Totals;
use crate::units;

/// How often a phase looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Time without progress after which a phase is given up.
const STALL: Duration = Duration::from_secs(20);
/// Time for answers that are still under way when a phase of echoes ends.
const ANSWERS: Duration = Duration::from_secs(30);
/// Time before which a rate says nothing.
const SOON: Duration = Duration::from_millis(500);
/// One in so many connections that fail ends the phase in which all are opened.
const FAILED_PART: u64 = 100;
/// Connects under way at once, of all threads together: more would only wait in the kernel.
const DIALING: u32 = 8000;

/// A run under way.
#[derive(Debug)]
pub(super) struct Course<'a> {
    pub(super) options: &'a Million,
    pub(super) connections: u32,
    pub(super) load: Load<Crowd>,
    pub(super) server: &'a Server,
    pub(super) monitor: &'a Monitor,
    pub(super) phases: Vec<Phase>,
    rounds: u32,
}

/// Connects that each of `threads` may have under way.
pub(super) fn dialing(threads: u16) -> u32 {
    (DIALING / u32::from(threads.max(1))).max(16)
}

impl<'a> Course<'a> {
    pub(super) fn new(
        options: &'a Million,
        connections: u32,
        load: Load<Crowd>,
        server: &'a Server,
        monitor: &'a Monitor,
    ) -> Self {
        Self {
            options,
            connections,
            load,
            server,
            monitor,
            phases: Vec::new(),
            rounds: 0,
        }
    }

    fn all(&self) -> u64 {
        self.connections.into()
    }

    /// Runs a phase, and remembers when it was and who was busy.
    fn phase<T>(
        &mut self,
        name: &'static str,
        run: impl FnOnce(&mut Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Cores)> {
        let (from, processor) = (
            self.monitor.now(),
            Processor::watch(Some(self.server.pid())),
        );
        let outcome = run(self)?;
        let cores = processor.cores();
        self.phases.push(Phase {
            name,
            from,
            to: self.monitor.now(),
            cores,
        });
        Ok((outcome, cores))
    }

    /// Waits until as many as `all` are counted, as long as they become more.
    fn until(
        &mut self,
        (name, what): (&'static str, &str),
        all: u64,
        mut count: impl FnMut(&Load<Crowd>, &Totals, Duration) -> u64,
    ) -> anyhow::Result<Wait> {
        let begin = Instant::now();
        let (mut known, mut since) = (0, begin);
        loop {
            let (totals, elapsed) = (self.load.totals(), begin.elapsed());
            let counted = count(&self.load, &totals, elapsed);
            if counted >= all {
                return Ok(Wait::Done);
            }
            if self.load.is_interrupted() {
                return Ok(Wait::Interrupted);
            }
            if counted > known {
                (known, since) = (counted, Instant::now());
            }
            if since.elapsed() > STALL {
                return Ok(Wait::Timeout);
            }
            self.load.progress(name, counted, all, || {
                let rate = units::per_second(counted, elapsed) as u64;
                let (counted, all) = (units::count(counted), units::count(all));
                if elapsed < SOON {
                    return format!("{counted} of {all} {what}");
                }
                format!("{counted} of {all} {what}, {}/s", units::count(rate))
            });
            self.load.rest(LOOK_EVERY)?;
        }
    }

    /// Opens all connections.
    pub(super) fn open(&mut self) -> anyhow::Result<(Wait, Opened)> {
        let (all, before) = (self.all(), self.load.totals());
        let (rate, threads) = (self.options.connect_rate, self.load.plan().threads);
        if rate.is_none() {
            for thread in 0..threads {
                self.load.dial(thread, self.load.plan().share(thread));
            }
        }
        let mut pacer = rate.map(|rate| Pacer::new(rate, threads));
        let begin = Instant::now();
        let mut last = before;
        let (wait, _) = self.phase("connect", |course| {
            course.until(("connecting", "open"), all, |load, totals, elapsed| {
                if let Some(pacer) = &mut pacer {
                    for (thread, n) in pacer.due_up_to(elapsed, all) {
                        load.dial(thread as u16, n);
                    }
                }
                last = *totals;
                let failed = totals.failed - before.failed;
                if failed > all / FAILED_PART {
                    // The server has gone, or this host is not up to it: the rest would fail too.
                    return all;
                }
                totals.ready - before.ready + failed
            })
        })?;
        let took = begin.elapsed();
        let connections = last.ready - before.ready;
        Ok((wait, Opened { connections, took }))
    }

    /// Does nothing, for so long that each of them is asked for a sign of life.
    pub(super) fn hold(&mut self) -> anyhow::Result<(Wait, Idle)> {
        let heartbeat = Duration::from_secs(self.options.heartbeat.into());
        let time = self
            .options
            .hold
            .unwrap_or(heartbeat + Duration::from_secs(5));
        let begin = Instant::now();
        let before = self.heartbeats();
        let all = units::count(self.all());
        let (wait, cores) = self.phase("idle", |course| {
            let stats = course.load.stats().to_vec();
            course.load.pace(
                "holding",
                time,
                Duration::from_millis(500),
                |_, _, _| false,
                |totals, elapsed| {
                    let pongs: u64 = stats.iter().map(|stats| stats.pongs.get()).sum();
                    format!(
                        "{all} idle for {}, {} heartbeats",
                        units::duration(elapsed),
                        units::count(pongs + totals.heartbeats - before)
                    )
                },
            )
        })?;
        let idle = Idle {
            took: begin.elapsed(),
            heartbeats: self.heartbeats() - before,
            cores,
        };
        Ok((wait, idle))
    }

    /// Heartbeats so far, whoever begins them.
    fn heartbeats(&self) -> u64 {
        let pongs: u64 = self.load.stats().iter().map(|s| s.pongs.get()).sum();
        pongs + self.load.totals().heartbeats
    }

    /// Echoes at a rate.
    pub(super) fn echo_at(
        &mut self,
        (key, label): (&'static str, &'static str),
        rate: f64,
    ) -> anyhow::Result<(Wait, Echoes)> {
        self.echo(key, label, Some(rate), |course| {
            let (begin, threads) = (course.load.nanos(), course.load.plan().threads.into());
            for thread in 0..threads {
                let pace = Pace::share(rate, thread, threads, begin);
                let order = Order::Speak(Speech::Paced(pace));
                course.load.order(thread, order);
            }
        })
    }

    /// Echoes as fast as can be.
    pub(super) fn echo_at_most(&mut self) -> anyhow::Result<(Wait, Echoes)> {
        let threads = u32::from(self.load.plan().threads);
        let each = self.options.in_flight.div_ceil(threads);
        self.echo("saturated", "as fast as can be", None, |course| {
            course.load.order_all(|| Order::Speak(Speech::Busy(each)));
        })
    }

    fn echo(
        &mut self,
        key: &'static str,
        label: &'static str,
        rate: Option<f64>,
        order: impl FnOnce(&Self),
    ) -> anyhow::Result<(Wait, Echoes)> {
        let (begin, before) = (Instant::now(), self.load.totals());
        order(self);
        let time = self.options.echo_time;
        let text = move |totals: &Totals, elapsed: Duration| {
            let answered = totals.answered - before.answered;
            let rate = units::per_second(answered, elapsed) as u64;
            format!(
                "{} answered, {}/s",
                units::count(answered),
                units::count(rate)
            )
        };
        let ((wait, took), cores) = self.phase(key, |course| {
            let wait = course
                .load
                .pace(label, time, LOOK_EVERY, |_, _, _| false, text)?;
            course.load.order_all(|| Order::Speak(Speech::Nobody));
            Ok((wait, begin.elapsed()))
        })?;
        // What is answered within the time is what the rate is made of; what comes after must not
        // be lost either.
        let within = self.load.totals().answered - before.answered;
        self.settle()?;
        let heard = self.report()?;
        let totals = self.load.totals();
        let echoes = Echoes {
            key,
            label,
            rate,
            took,
            per_second: units::per_second(within, took),
            sent: totals.sent - before.sent,
            answered: totals.answered - before.answered,
            corrupted: heard.corrupted,
            latency: heard.echo,
            cores,
        };
        Ok((wait, echoes))
    }

    /// One message from each, all of them in turn.
    pub(super) fn exchange(&mut self) -> anyhow::Result<(Wait, Echoes)> {
        let (begin, before, all) = (Instant::now(), self.load.totals(), self.all());
        let threads = u32::from(self.load.plan().threads);
        let each = self.options.in_flight.div_ceil(threads);
        self.load.order_all(|| {
            Order::Speak(Speech::Each {
                next: 0,
                in_flight: each,
            })
        });
        let (wait, cores) = self.phase("exchange", |course| {
            course.until(("exchanging", "answered"), all, |_, totals, _| {
                totals.answered - before.answered
            })
        })?;
        let took = begin.elapsed();
        let heard = self.report()?;
        let totals = self.load.totals();
        let echoes = Echoes {
            key: "exchange",
            label: "one message each",
            rate: None,
            took,
            per_second: units::per_second(totals.answered - before.answered, took),
            sent: all,
            answered: totals.answered - before.answered,
            corrupted: heard.corrupted,
            latency: heard.echo,
            cores,
        };
        Ok((wait, echoes))
    }

    /// Sends one message to all.
    pub(super) fn broadcast(&mut self) -> anyhow::Result<(Wait, Round)> {
        self.rounds += 1;
        let (round, all, before) = (self.rounds, self.all(), self.load.totals());
        let mut body = BROADCAST.to_vec();
        body.extend_from_slice(format!("{round} ").as_bytes());
        body.resize(self.options.broadcast_size as usize, b'.');
        let (wait, _) = self.phase("broadcast", |course| {
            let since = course.load.nanos();
            course.load.order_all(|| Order::Listen { round, since });
            course.server.broadcast(&body)?;
            course.until(("broadcasting", "have it"), all, |_, totals, _| {
                totals.delivered - before.delivered
            })
        })?;
        let heard = self.report()?;
        let round = Round {
            receivers: all,
            received: self.load.totals().delivered - before.delivered,
            odd: heard.odd,
            arrivals: heard.arrivals,
        };
        Ok((wait, round))
    }

    /// Some leave and others come, all the time.
    pub(super) fn churn(&mut self) -> anyhow::Result<(Wait, Churned)> {
        let (begin, before) = (Instant::now(), self.load.totals());
        let per_second = self.all() as f64 * self.options.churn / 100.0;
        let threads = usize::from(self.load.plan().threads);
        for thread in 0..threads {
            let pace = Pace::share(per_second, thread, threads, self.load.nanos());
            self.load.order(thread, Order::Leave(Leaving::Churn(pace)));
        }
        let time = self.options.churn_time;
        let come = move |totals: &Totals| totals.ready - before.ready;
        let gone = move |totals: &Totals| totals.left - before.left;
        let mut took = Duration::ZERO;
        let (wait, cores) = self.phase("churn", |course| {
            let wait = course.load.pace(
                "churning",
                time,
                LOOK_EVERY,
                |_, _, _| false,
                |totals, elapsed| {
                    let rate = units::per_second(come(totals), elapsed) as u64;
                    let (left, came) = (units::count(gone(totals)), units::count(come(totals)));
                    format!("{left} have left, {came} come, {}/s", units::count(rate))
                },
            )?;
            took = begin.elapsed();
            // Nobody begins to leave any more, and for each who has there is to be somebody new.
            let idle = || Order::Leave(Leaving::Churn(Pace::never()));
            course.load.order_all(idle);
            let mut known = None;
            course.load.pace(
                "settling",
                ANSWERS,
                LOOK_EVERY,
                |_, totals, _| {
                    let now = (gone(totals), come(totals));
                    let settled = now.0 == now.1 && known == Some(now);
                    known = Some(now);
                    settled
                },
                |totals, _| format!("{} have come", units::count(come(totals))),
            )?;
            Ok(wait)
        })?;
        self.load.order_all(|| Order::Leave(Leaving::Nobody));
        let totals = self.load.totals();
        let churned = Churned {
            asked_per_second: per_second,
            took,
            left: gone(&totals),
            came: come(&totals),
            cores,
        };
        Ok((wait, churned))
    }

    /// All leave.
    pub(super) fn close(&mut self) -> anyhow::Result<(Wait, Closed)> {
        let (begin, before) = (Instant::now(), self.load.totals());
        let unanswered = self.unanswered();
        let open = before.open() - before.left;
        self.load.order_all(|| Order::Leave(Leaving::All));
        let (wait, _) = self.phase("close", |course| {
            course.until(("closing", "have left"), open, |_, totals, _| {
                totals.left - before.left
            })
        })?;
        let took = begin.elapsed();
        self.load.order_all(|| Order::Leave(Leaving::Nobody));
        let closed = Closed {
            connections: self.load.totals().left - before.left,
            took,
            unanswered: self.unanswered() - unanswered,
        };
        Ok((wait, closed))
    }

    fn unanswered(&self) -> u64 {
        let stats = self.load.stats().iter();
        stats.map(|stats| stats.unanswered_closes.get()).sum()
    }

    /// Waits for the answers that are still under way.
    fn settle(&mut self) -> anyhow::Result<()> {
        let answered = |totals: &Totals| totals.outstanding() == 0;
        let text = |totals: &Totals, _| units::plural(totals.outstanding(), "answer") + " awaited";
        let step = |_: &Load<Crowd>, totals: &Totals, _| answered(totals);
        self.load
            .pace("settling", ANSWERS, LOOK_EVERY, step, text)?;
        Ok(())
    }

    /// What all threads have measured since the last time.
    fn report(&self) -> anyhow::Result<Heard> {
        let (sender, parts) = channel();
        self.load.order_all(|| Order::Report(sender.clone()));
        drop(sender);
        let mut heard = Heard::default();
        for _ in 0..self.load.plan().threads {
            let part = parts
                .recv_timeout(ANSWERS)
                .context("a load thread does not say what it has measured")?;
            heard.merge(&part);
        }
        Ok(heard)
    }
}
