//! The IM as its users have it: they write to each other, and prove that nothing was lost.

mod accounts;
mod books;
mod crowd;
mod verdict;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::town::Town;
use super::{Needs, Pacer, SETUP_TIME, Setup, goes_on, log_in};
use crate::load::{Load, Wait};
use crate::native::Names;
use crate::options::{Accounts, Common, ImLoad};
use crate::progress::Progress;
use crate::report::Report;
use crate::target::Target;
use crate::units;
use crowd::{Crowd, Found, Order};
use verdict::Run;

/// Bytes of a page when catching up, at most; any framing carries it but the shortest.
const PAGE_BYTES: usize = 48 * 1024;
/// Bytes of a message on a page besides its body.
const ENTRY_BYTES: usize = 400;
/// Most entries of a page.
const PAGE_MAX: usize = 100;

pub(super) fn run(options: &ImLoad, common: &Common) -> anyhow::Result<Report> {
    let users = options.users.saturating_add(options.users % 2);
    let groups = match options.group_size {
        0 => 0,
        size => users.div_ceil(size),
    };
    let entry = options.size as usize + ENTRY_BYTES;
    let page = (PAGE_BYTES / entry).clamp(1, PAGE_MAX);
    let needs = Needs {
        connections: users,
        native: true,
        tcp: true,
        message_bytes: (page * entry) as u32,
        in_flight: 4,
        ..Needs::default()
    };
    let setup = Setup::new(common, needs)?;
    let names = Names::draw();
    let tokens = match options.accounts {
        Accounts::Guests => Vec::new(),
        Accounts::Registered => {
            let plain = |target: &&Target| target.upgrades() && target.tls.is_none();
            let server = setup.targets.iter().find(plain);
            let server = server.context("accounts are made at a ws:// target; there is none")?;
            let (interrupt, mut progress) = (&setup.interrupt, Progress::new(common.quiet));
            accounts::register(server.addr, users, names.mark(), interrupt, &mut progress)?
        }
    };
    let (results, found) = mpsc::channel();
    let shared = crowd::Common {
        town: Town::new(users, groups),
        ready: Arc::default(),
        begun: Arc::default(),
        names,
        tokens: Arc::new(tokens),
        size: options.size as usize,
        group_share: options.group_share,
        reconnect: options.reconnect,
        page,
        results,
    };
    let mut load = setup.start(|place| Crowd::new(shared.clone(), place))?;
    if options.reconnect {
        load.expect_returns();
    }
    let mut course = Course {
        options,
        users: users.into(),
        grace: common.grace,
        shared,
        load,
        found,
        told: 0,
    };
    let begun = Instant::now();
    let mut waits = course.prepare()?;
    let logged_in = course.load.totals().logged_in;
    let processor = setup.watch();
    let mut span = Duration::ZERO;
    if goes_on(&waits) {
        let talking = Instant::now();
        waits.push(course.speak()?);
        span = talking.elapsed();
    }
    let cores = processor.cores();
    course.settle()?;
    let found = course.collect()?;
    let ready = course.shared.ready.load(Ordering::Relaxed);
    let lasted = begun.elapsed();
    let ended = course.load.finish()?;
    let run = Run {
        options,
        users: users.into(),
        groups,
        logged_in,
        ready,
        found,
        ended,
        waits,
        span,
        lasted,
    };
    Ok(run.report(&setup, cores))
}

/// What the main thread follows.
struct Course<'a> {
    options: &'a ImLoad,
    users: u64,
    grace: Duration,
    shared: crowd::Common,
    load: Load<Crowd>,
    found: Receiver<Found>,
    /// How often threads were told to catch up.
    told: u64,
}

impl Course<'_> {
    /// Everyone is connected, logged in, a member, and up to date.
    fn prepare(&mut self) -> anyhow::Result<Vec<Wait>> {
        let mut waits = vec![self.load.connect()?];
        if goes_on(&waits) {
            waits.push(log_in(&mut self.load)?);
        }
        let logged_in = self.load.totals().logged_in;
        for (order, count) in [
            (Order::CreateGroups, u64::from(self.shared.town.groups())),
            (Order::JoinGroups, logged_in),
        ] {
            let town = &self.shared.town;
            if town.has_groups() && goes_on(&waits) {
                self.load.order_all(|| order);
                waits.push(self.load.wait(
                    "joining groups",
                    SETUP_TIME,
                    |_| town.members() >= count,
                    |_| of(town.members(), count),
                )?);
            }
        }
        if goes_on(&waits) {
            // Those who were there first have notices of the others.
            waits.push(self.catch_up()?);
        }
        Ok(waits)
    }

    /// How long to wait for everyone: what was refused without a reply is not worth the whole time.
    fn patience(&self) -> Duration {
        match self.load.totals().refused {
            0 => SETUP_TIME,
            _ => self.grace,
        }
    }

    /// Everyone asks for what they may have missed.
    fn catch_up(&mut self) -> anyhow::Result<Wait> {
        self.told += u64::from(self.load.plan().threads);
        self.load.order_all(|| Order::CatchUp);
        let (shared, told) = (&self.shared, self.told);
        let (users, ready) = (self.users, || shared.ready.load(Ordering::Relaxed));
        // Users are ready until their thread has taken the order.
        let begun = || shared.begun.load(Ordering::Relaxed) >= told;
        let time = self.patience();
        self.load.insist(
            "catching up",
            time,
            |totals| begun() && ready() >= users.min(totals.logged_in),
            |_| of(ready(), users),
        )
    }

    fn speak(&mut self) -> anyhow::Result<Wait> {
        let threads = self.load.plan().threads;
        let mut pacer = self.options.rate.map(|rate| Pacer::new(rate, threads));
        let begun = self.load.totals().answered;
        if pacer.is_none() {
            for thread in 0..threads {
                let share = self.options.in_flight / u32::from(threads);
                let more = u32::from(thread) < self.options.in_flight % u32::from(threads);
                let window = share + u32::from(more);
                self.load.order(thread.into(), Order::Flow(window));
            }
        }
        let wait = self.load.pace(
            "writing",
            self.options.duration,
            Duration::from_millis(1),
            |load, _, elapsed| {
                if let Some(pacer) = &mut pacer {
                    for (thread, n) in pacer.due(elapsed) {
                        load.order(thread, Order::Speak(n));
                    }
                }
                false
            },
            |totals, elapsed| {
                let rate = units::per_second(totals.answered - begun, elapsed);
                format!(
                    "{} msg/s acknowledged, {} on their way",
                    units::count(rate as u64),
                    units::count(totals.outstanding())
                )
            },
        )?;
        self.load.order_all(|| Order::Flow(0));
        Ok(wait)
    }

    /// What is on its way arrives; then everyone makes sure that nothing is missing.
    fn settle(&mut self) -> anyhow::Result<()> {
        let (shared, users) = (&self.shared, self.users);
        if self.options.reconnect {
            let time = self.patience();
            self.load.wait(
                "coming back",
                time,
                |totals| {
                    let ready = shared.ready.load(Ordering::Relaxed);
                    ready >= users && totals.answered >= totals.sent
                },
                |totals| format!("{} replies to come", units::count(totals.outstanding())),
            )?;
        } else {
            self.load.drain(
                |totals| {
                    let direct = totals.answered.saturating_sub(shared.town.group_accepted());
                    let pushes = direct + shared.town.group_pushes();
                    totals.answered >= totals.sent && totals.delivered >= pushes
                },
                |totals| format!("{} replies to come", units::count(totals.outstanding())),
            )?;
        }
        self.catch_up()?;
        Ok(())
    }

    /// The books of all threads.
    fn collect(&self) -> anyhow::Result<Found> {
        self.load.order_all(|| Order::Collect);
        let mut all = Found::default();
        for _ in 0..self.load.plan().threads {
            all.add(self.found.recv_timeout(Duration::from_secs(10))?);
        }
        Ok(all)
    }
}

fn of(done: u64, all: u64) -> String {
    format!("{} of {}", units::count(done), units::count(all))
}
