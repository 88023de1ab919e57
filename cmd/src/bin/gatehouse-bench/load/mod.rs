//! The load threads, seen from the main thread: started, given orders, watched, ended.

mod dialer;
mod handler;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use network::{Profile, ReactorConfig, ReactorHandle, ReactorSeed, ReactorStats};

pub(crate) use dialer::Dialer;
use dialer::{Endpoint, Routes};
use handler::{Command, Finished, LoadHandler};
pub(crate) use handler::{End, GOODBYE, Opened, Script};

use crate::latency::Latency;
use crate::options::Common;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::tally::{Reasons, Tally, Totals};
use crate::target::Target;
use crate::units;

/// How often the main thread looks at the counters.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Time without one new connection after which connecting is given up, beyond the time that a
/// single attempt may take.
const STALL: Duration = Duration::from_secs(5);

/// Ends a run early: set by SIGINT and SIGTERM, or by who watches over the host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes the two signals over; the second of them ends the process at once, as it always did.
    pub(crate) fn install() -> io::Result<Self> {
        let interrupt = Self::default();
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            let flag = || Arc::clone(&interrupt.0);
            signal_hook::flag::register_conditional_shutdown(signal, 130, flag())?;
            signal_hook::flag::register(signal, flag())?;
        }
        Ok(interrupt)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Ends the run as a signal would.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// What was waited for has come.
    Done,
    /// The time was up.
    Timeout,
    /// A signal asks to end.
    Interrupted,
    /// No connection is left.
    Gone,
}

/// The load threads of one run.
#[derive(Debug)]
pub(crate) struct Load<S: Script> {
    plan: Plan,
    reactors: Vec<ReactorHandle<Command<S::Order>>>,
    threads: Vec<JoinHandle<()>>,
    tallies: Vec<Arc<Tally>>,
    stats: Vec<Arc<ReactorStats>>,
    epoch: Instant,
    finished: Receiver<Finished<S::Outcome>>,
    trouble: Arc<OnceLock<io::Error>>,
    progress: Progress,
    interrupt: Interrupt,
    grace: Duration,
    handshake: Duration,
    /// Connections that end come back.
    returns: bool,
    /// How long connecting took.
    connecting: Duration,
}

/// What is needed to start a load.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) common: &'a Common,
    pub(crate) targets: &'a [Target],
    pub(crate) plan: Plan,
    /// Bytes of the largest message.
    pub(crate) message_bytes: usize,
    /// Bytes that may wait to be written to one connection.
    pub(crate) outbox_bytes: usize,
    pub(crate) interrupt: Interrupt,
}

/// What all load threads left.
#[derive(Debug)]
pub(crate) struct Ended<T> {
    pub(crate) outcomes: Vec<T>,
    pub(crate) connect: Latency,
    pub(crate) totals: Totals,
    pub(crate) reasons: Reasons,
    pub(crate) connecting: Duration,
    pub(crate) plan: Plan,
    pub(crate) interrupted: bool,
}

/// What a script is given: which thread it is in, where it counts, and when the run began.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) thread: u16,
    pub(crate) tally: Arc<Tally>,
    epoch: Instant,
}

impl Place {
    /// Nanoseconds since the run began.
    #[inline]
    pub(crate) fn nanos(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }
}

impl<S: Script> Load<S> {
    /// Starts the threads; nothing is connected yet.
    pub(crate) fn start(start: Start<'_>, script: impl Fn(Place) -> S) -> anyhow::Result<Self> {
        let Start {
            common,
            targets,
            plan,
            message_bytes,
            outbox_bytes,
            interrupt,
        } = start;
        let profiles: Vec<Profile> = targets
            .iter()
            .map(|target| target.profile(common, message_bytes, outbox_bytes))
            .collect();
        let endpoints = targets
            .iter()
            .map(|target| Endpoint {
                remote: target.addr,
                upgrades: target.upgrades(),
            })
            .collect();
        let routes = Arc::new(Routes {
            endpoints,
            sources: plan.sources.clone(),
        });
        let epoch = Instant::now();
        let trouble = Arc::new(OnceLock::new());
        let (sender, finished) = mpsc::channel();

        // All seeds before any thread: see `ReactorSeed`.
        let mut seeds = Vec::with_capacity(plan.threads.into());
        let mut reactors = Vec::with_capacity(plan.threads.into());
        for index in 0..plan.threads {
            let (seed, handle) =
                ReactorSeed::new(index, ReactorConfig::default(), profiles.clone())
                    .context("making a reactor")?;
            seeds.push(seed);
            reactors.push(handle);
        }
        let mut load = Self {
            reactors,
            threads: Vec::with_capacity(plan.threads.into()),
            tallies: (0..plan.threads).map(|_| Arc::default()).collect(),
            stats: seeds.iter().map(ReactorSeed::stats).collect(),
            epoch,
            finished,
            trouble,
            progress: Progress::new(common.quiet),
            interrupt,
            grace: common.grace,
            handshake: common.handshake_timeout,
            returns: false,
            connecting: Duration::ZERO,
            plan,
        };
        for (index, seed) in seeds.into_iter().enumerate() {
            let tally = &load.tallies[index];
            let place = Place {
                thread: index as u16,
                tally: Arc::clone(tally),
                epoch,
            };
            let step = load.plan.threads.into();
            let dialer = Dialer::new(Arc::clone(&routes), index as u32, step, common.dialing);
            let handler = LoadHandler::new(
                script(place),
                dialer,
                Arc::clone(tally),
                epoch,
                sender.clone(),
            );
            let trouble = Arc::clone(&load.trouble);
            let thread = thread::Builder::new()
                .name(format!("load-{index}"))
                .spawn(move || {
                    let run = seed
                        .start(handler, &[])
                        .and_then(|mut reactor| reactor.run());
                    if let Err(error) = run {
                        // The first one is told; the others say the same.
                        let _ = trouble.set(error);
                    }
                })
                .context("starting a load thread")?;
            load.threads.push(thread);
        }
        Ok(load)
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn totals(&self) -> Totals {
        self.tallies.iter().map(|tally| &**tally).collect()
    }

    /// Whether a signal asks to end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    /// Connections that end are made again: a moment without any is not the end.
    pub(crate) fn expect_returns(&mut self) {
        self.returns = true;
    }

    /// What the threads count, for others to watch.
    pub(crate) fn tallies(&self) -> Vec<Arc<Tally>> {
        self.tallies.clone()
    }

    /// What their reactors count.
    pub(crate) fn stats(&self) -> &[Arc<ReactorStats>] {
        &self.stats
    }

    /// Nanoseconds since the run began, as [`Place::nanos`] counts them.
    pub(crate) fn nanos(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    pub(crate) fn progress(
        &mut self,
        name: &'static str,
        done: u64,
        all: u64,
        text: impl FnOnce() -> String,
    ) {
        self.progress.update(name, done, all, text);
    }

    /// Gives an order to one thread. One that has ended does not take it, which the next look at
    /// the threads finds out.
    pub(crate) fn order(&self, thread: usize, order: S::Order) {
        let _ = self.reactors[thread].submit(vec![Command::Order(order)]);
    }

    /// Gives an order to all threads.
    pub(crate) fn order_all(&self, order: impl Fn() -> S::Order) {
        for thread in 0..self.reactors.len() {
            self.order(thread, order());
        }
    }

    /// Asks one thread for so many connections more.
    pub(crate) fn dial(&self, thread: u16, n: u32) {
        let _ = self.reactors[usize::from(thread)].submit(vec![Command::Dial(n)]);
    }

    /// Opens all connections, and returns when each of them is ready or has failed.
    pub(crate) fn connect(&mut self) -> anyhow::Result<Wait> {
        let begin = Instant::now();
        let all = u64::from(self.plan.connections);
        for thread in 0..self.plan.threads {
            // A thread that could not start is found below.
            self.dial(thread, self.plan.share(thread));
        }
        let (mut ready, mut since) = (0, begin);
        loop {
            let totals = self.totals();
            self.connecting = begin.elapsed();
            if totals.ready > ready {
                (ready, since) = (totals.ready, Instant::now());
            }
            if totals.ready + totals.failed >= all {
                return Ok(if totals.open() == 0 {
                    Wait::Gone
                } else {
                    Wait::Done
                });
            }
            if self.interrupt.is_set() {
                return Ok(Wait::Interrupted);
            }
            if since.elapsed() > self.handshake + STALL {
                return Ok(Wait::Timeout);
            }
            let rate = units::per_second(totals.ready, self.connecting);
            self.progress("connecting", totals.ready, all, || {
                let failed = if totals.failed > 0 {
                    format!(", {} failed", units::count(totals.failed))
                } else {
                    String::new()
                };
                format!(
                    "{} of {} open, {}/s{failed}",
                    units::count(totals.ready),
                    units::count(all),
                    units::count(rate as u64)
                )
            });
            self.rest(LOOK_EVERY)?;
        }
    }

    /// Waits until `done`, for at most `time`, showing `text` under `name`. Without connections it
    /// does not wait.
    pub(crate) fn wait(
        &mut self,
        name: &'static str,
        time: Duration,
        mut done: impl FnMut(&Totals) -> bool,
        mut text: impl FnMut(&Totals) -> String,
    ) -> anyhow::Result<Wait> {
        let step = |_: &Self, totals: &Totals, _| done(totals);
        self.watch(name, time, LOOK_EVERY, true, step, |totals, _| text(totals))
    }

    /// Waits for what is outstanding, for the time of grace. A signal does not cut it short: what
    /// was not waited for would look lost.
    pub(crate) fn drain(
        &mut self,
        done: impl FnMut(&Totals) -> bool,
        text: impl FnMut(&Totals) -> String,
    ) -> anyhow::Result<Wait> {
        self.insist("draining", self.grace, done, text)
    }

    /// As [`Load::wait`], whatever signals say.
    pub(crate) fn insist(
        &mut self,
        name: &'static str,
        time: Duration,
        mut done: impl FnMut(&Totals) -> bool,
        mut text: impl FnMut(&Totals) -> String,
    ) -> anyhow::Result<Wait> {
        let step = |_: &Self, totals: &Totals, _| done(totals);
        let text = |totals: &Totals, _| text(totals);
        self.watch(name, time, LOOK_EVERY, false, step, text)
    }

    /// The same, with something to do `every` so often: `step` is given the time since the begin.
    pub(crate) fn pace(
        &mut self,
        name: &'static str,
        time: Duration,
        every: Duration,
        step: impl FnMut(&Self, &Totals, Duration) -> bool,
        text: impl FnMut(&Totals, Duration) -> String,
    ) -> anyhow::Result<Wait> {
        self.watch(name, time, every, true, step, text)
    }

    fn watch(
        &mut self,
        name: &'static str,
        time: Duration,
        every: Duration,
        heed_signals: bool,
        mut step: impl FnMut(&Self, &Totals, Duration) -> bool,
        mut text: impl FnMut(&Totals, Duration) -> String,
    ) -> anyhow::Result<Wait> {
        let begin = Instant::now();
        let mut pulsed = begin;
        loop {
            let (totals, elapsed) = (self.totals(), begin.elapsed());
            if step(self, &totals, elapsed) {
                return Ok(Wait::Done);
            }
            if heed_signals && self.interrupt.is_set() {
                return Ok(Wait::Interrupted);
            }
            if elapsed >= time {
                return Ok(Wait::Timeout);
            }
            if self.is_alone(&totals) {
                return Ok(Wait::Gone);
            }
            let (at, of) = (elapsed.as_millis() as u64, time.as_millis() as u64);
            self.progress(name, at, of, || text(&totals, elapsed));
            let nap = every.min(time.saturating_sub(elapsed));
            if pulsed.elapsed() >= LOOK_EVERY {
                pulsed = Instant::now();
                self.rest(nap)?;
            } else {
                thread::sleep(nap);
            }
        }
    }

    /// Whether every connection there was has ended, in a load whose connections are to last.
    fn is_alone(&self, totals: &Totals) -> bool {
        let all = u64::from(self.plan.connections);
        let made = totals.ready + totals.failed >= all && totals.ready > 0;
        made && totals.open() == 0 && !self.returns
    }

    /// Lets the threads go on for a while.
    pub(crate) fn rest(&self, nap: Duration) -> anyhow::Result<()> {
        if self.threads.iter().any(JoinHandle::is_finished) {
            return Err(self.trouble.get().map_or_else(
                || anyhow!("a load thread has ended, which is a bug in gatehouse-bench"),
                |error| anyhow!("a load thread has failed: {error}"),
            ));
        }
        self.pulse();
        thread::sleep(nap);
        Ok(())
    }

    /// Wakes the threads, in case they have something to take up.
    pub(crate) fn pulse(&self) {
        for reactor in &self.reactors {
            // A full queue wakes it as well.
            let _ = reactor.try_submit(vec![Command::Pulse]);
        }
    }

    /// Ends the run: takes the outcomes, then closes the connections in order, within the time of
    /// grace.
    pub(crate) fn finish(mut self) -> anyhow::Result<Ended<S::Outcome>> {
        // What happens to connections from here on is our own doing.
        for reactor in &self.reactors {
            let _ = reactor.submit(vec![Command::Finish]);
        }
        let mut outcomes = Vec::with_capacity(self.threads.len());
        let mut connect = Latency::default();
        let until = Instant::now() + Duration::from_secs(10);
        while outcomes.len() < self.threads.len() {
            let left = until.saturating_duration_since(Instant::now());
            let finished = self.finished.recv_timeout(left).map_err(|_| {
                self.trouble.get().map_or_else(
                    || anyhow!("a load thread does not answer"),
                    |error| anyhow!("a load thread has failed: {error}"),
                )
            })?;
            connect.merge(&finished.connect);
            outcomes.push(finished.outcome);
        }
        let (totals, mut reasons) = (self.totals(), Reasons::new());
        for tally in &self.tallies {
            tally.add_reasons(&mut reasons);
        }
        self.close();
        self.progress.end();
        Ok(Ended {
            outcomes,
            connect,
            totals,
            reasons,
            connecting: self.connecting,
            interrupted: self.interrupt.is_set(),
            plan: self.plan,
        })
    }

    fn close(&mut self) {
        let begin = Instant::now();
        let threads = self.threads.len() as u64;
        loop {
            let ended = self
                .threads
                .iter()
                .filter(|thread| thread.is_finished())
                .count() as u64;
            // A second signal ends the process, so one that came before does not shorten this.
            if ended == threads || begin.elapsed() > self.grace {
                break;
            }
            self.progress("closing", ended, threads, || {
                "connections are being closed".to_owned()
            });
            thread::sleep(LOOK_EVERY);
        }
        for reactor in &self.reactors {
            // A reactor that has stopped needs no telling.
            let _ = reactor.submit(vec![Command::Abort]);
        }
        for thread in self.threads.drain(..) {
            // A panic has been printed by then, and the outcome was taken before.
            let _ = thread.join();
        }
    }
}
