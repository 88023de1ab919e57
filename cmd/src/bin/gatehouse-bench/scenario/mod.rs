//! One file a scenario: its script, which runs in the load threads, and its course, which the main
//! thread follows. What they share is here.

mod attack;
mod broadcast;
mod chat;
mod churn;
mod connect;
mod drain;
mod echo;
mod fill;
mod hold;
mod im;
mod million;
mod posted;
mod talk;
mod town;

use std::time::Duration;

use crate::host::{self, Cores, Processor};
use crate::load::{Ended, Interrupt, Load, Script, Start, Wait};
use crate::options::{Common, Options, Scenario};
use crate::plan::Plan;
use crate::report::Report;
use crate::tally::Stage;
use crate::target::{self, Target};
use crate::units;

/// Where `gatehouse serve` speaks the native protocol unless it is told otherwise.
const NATIVE: &str = "ws://127.0.0.1:8080/im";
/// The same over TCP.
const NATIVE_TCP: &str = "tcp://127.0.0.1:8081";
/// Reasons shown per stage; the rest is in the JSON.
const REASONS_SHOWN: usize = 8;
/// Time for all logins, and for other preparations that each user takes part in.
const SETUP_TIME: Duration = Duration::from_secs(60);
/// What the server says to who sends too fast.
const TOO_FAST: &str = "rate_limited";

/// Runs the scenario that was asked for.
pub(crate) fn run(options: &Options) -> anyhow::Result<Report> {
    let common = &options.common;
    match &options.scenario {
        Scenario::Connect(options) => connect::run(options, common),
        Scenario::Echo(options) => echo::run(options, common),
        Scenario::Churn(options) => churn::run(options, common),
        Scenario::Broadcast(options) => broadcast::run(options, common),
        Scenario::Chat(options) => chat::run(options, common),
        Scenario::Im(options) => im::run(options, common),
        Scenario::Fill(options) => fill::run(options, common),
        Scenario::Drain(options) => drain::run(options, common),
        Scenario::Attack(options) => attack::run(options, common),
        Scenario::Million(options) => million::run(options, common),
    }
}

/// What every scenario prepares.
#[derive(Debug)]
struct Setup<'a> {
    common: &'a Common,
    targets: Vec<Target>,
    plan: Plan,
    interrupt: Interrupt,
    /// Payloads are text: asked for, or the framing takes nothing else.
    text: bool,
    message_bytes: usize,
    outbox_bytes: usize,
}

/// What distinguishes the preparations.
#[derive(Clone, Copy, Debug, Default)]
struct Needs {
    connections: u32,
    /// Connections come and go, so that source ports wear out.
    churn: bool,
    native: bool,
    /// Over TCP as well, unless targets are given.
    tcp: bool,
    text: bool,
    message_bytes: u32,
    /// Messages that may be under way on one connection.
    in_flight: u32,
}

impl<'a> Setup<'a> {
    fn new(common: &'a Common, needs: Needs) -> anyhow::Result<Self> {
        let message_bytes = needs.message_bytes as usize;
        let default: &[&str] = match (needs.native, needs.tcp) {
            (false, _) => &[],
            (true, false) => &[NATIVE],
            (true, true) => &[NATIVE, NATIVE_TCP],
        };
        let mut targets = target::resolve(common, default)?;
        for target in &mut targets {
            target.fit(message_bytes)?;
        }
        if let Some(pid) = common.pid {
            host::process_name(pid)?;
        }
        let limit = network::sys::raise_descriptor_limit()?;
        let plan = Plan::new(common, &targets, needs.connections, needs.churn, limit)?;
        for target in &targets {
            target.probe(common.handshake_timeout)?;
        }
        Ok(Self {
            common,
            text: needs.native || needs.text || targets.iter().any(Target::is_lines),
            targets,
            plan,
            interrupt: Interrupt::install()?,
            message_bytes,
            // Header and mask add up to 14 bytes to a payload.
            outbox_bytes: (message_bytes + 14) * needs.in_flight as usize,
        })
    }

    fn start<S: Script>(
        &self,
        script: impl Fn(crate::load::Place) -> S,
    ) -> anyhow::Result<Load<S>> {
        let start = Start {
            common: self.common,
            targets: &self.targets,
            plan: self.plan.clone(),
            message_bytes: self.message_bytes,
            outbox_bytes: self.outbox_bytes,
            interrupt: self.interrupt.clone(),
        };
        Load::start(start, script)
    }

    /// A report with its headline and the facts about the run.
    fn report(&self, scenario: &str, what: &str) -> Report {
        let urls: Vec<_> = self
            .targets
            .iter()
            .map(|target| target.url.as_str())
            .collect();
        let mut report = Report::new(scenario, format!("{scenario} {}  {what}", urls.join(" ")));
        report.fact("targets", urls);
        report.fact("threads", self.plan.threads);
        report.fact("sources", self.plan.sources.len().max(1));
        report
    }

    /// Begins to watch who uses the processors.
    fn watch(&self) -> Processor {
        Processor::watch(self.common.pid)
    }

    /// Says who used the processors, so that one can tell which side was the busy one.
    fn processor(&self, report: &mut Report, cores: Cores) {
        let mut section = report.section("processor", "Processor");
        section.show(
            "client_cores",
            "client",
            format!("{:.2}", cores.client),
            cores.client,
        );
        section.note("cores");
        if let (Some(server), Some(pid)) = (cores.server, self.common.pid) {
            section.show("server_cores", "server", format!("{server:.2}"), server);
            let name = host::process_name(pid).unwrap_or_else(|_| "gone".to_owned());
            section.note(&format!("cores  (pid {pid}, {name})"));
        }
    }
}

/// Whether a run has a reason to go on.
fn goes_on(waits: &[Wait]) -> bool {
    !waits
        .iter()
        .any(|wait| matches!(wait, Wait::Gone | Wait::Interrupted))
}

/// Waits until all who are connected are logged in.
fn log_in<S: Script>(load: &mut Load<S>) -> anyhow::Result<Wait> {
    let open = load.totals().open();
    load.wait(
        "logging in",
        SETUP_TIME,
        |totals| totals.logged_in >= open,
        |totals| {
            let (users, open) = (units::count(totals.logged_in), units::count(open));
            format!("{users} of {open}")
        },
    )
}

/// Deals so many things per second out to the threads, in turn.
#[derive(Debug)]
struct Pacer {
    rate: u32,
    threads: usize,
    dealt: u64,
}

impl Pacer {
    fn new(rate: u32, threads: u16) -> Self {
        Self {
            rate,
            threads: threads.into(),
            dealt: 0,
        }
    }

    /// What has become due `elapsed` after the begin: how many for which thread.
    fn due(&mut self, elapsed: Duration) -> impl Iterator<Item = (usize, u32)> + use<> {
        self.due_up_to(elapsed, u64::MAX)
    }

    /// The same, with no more than `all` in the whole.
    fn due_up_to(
        &mut self,
        elapsed: Duration,
        all: u64,
    ) -> impl Iterator<Item = (usize, u32)> + use<> {
        let due = ((elapsed.as_secs_f64() * f64::from(self.rate)) as u64).min(all);
        let mut shares = vec![0; self.threads];
        for one in self.dealt..due {
            shares[one as usize % self.threads] += 1;
        }
        self.dealt = due;
        shares.into_iter().enumerate().filter(|&(_, n)| n > 0)
    }
}

/// Says how connecting went and what became of the connections; `extra` are counts to add.
fn connections<T>(report: &mut Report, ended: &Ended<T>, extra: &[(&str, &str, u64)]) {
    let all = u64::from(ended.plan.connections);
    let totals = &ended.totals;
    let mut section = report.section("connections", "Connections");
    section.fact("asked", all);
    section
        .count("opened", "opened", totals.ready)
        .note(&format!("of {}", units::count(all)));
    let rate = units::per_second(totals.ready, ended.connecting);
    section.seconds("connecting_seconds", "time", ended.connecting.as_secs_f64());
    section.rate("per_second", "rate", rate, "conn");
    section.count("failed", "failed", totals.failed);
    section.count("ended_early", "ended early", totals.ended);
    for (key, label, count) in extra {
        section.count(key, label, *count);
    }
    let unfinished = all.saturating_sub(totals.ready + totals.failed);
    if !ended.interrupted {
        report.problem(unfinished, "connection", "never made");
    }
    troubles(report, ended);
}

/// Says what went wrong, by reason, and makes it a problem.
fn troubles<T>(report: &mut Report, ended: &Ended<T>) {
    reasons(report, ended);
    report.problem(ended.totals.failed, "connection", "failed");
    report.problem(ended.totals.ended, "connection", "ended early");
    refusals(report, ended);
}

/// Makes it a problem what the server has refused.
fn refusals<T>(report: &mut Report, ended: &Ended<T>) {
    let refused: u64 = ended
        .reasons
        .iter()
        .filter(|((at, _), _)| *at == Stage::Request)
        .map(|(_, n)| n)
        .sum();
    report.problem(refused, "request", "refused");
    let too_fast = |(at, why): &(Stage, String)| *at == Stage::Request && why.contains(TOO_FAST);
    if ended.reasons.keys().any(too_fast) {
        report.note(
            "rate_limited: users wrote faster than the server lets them. Write with more users or \
             less, or raise limits.message_rate of the server.",
        );
    }
}

/// Says what went wrong, by reason.
fn reasons<T>(report: &mut Report, ended: &Ended<T>) {
    let mut machine = serde_json::Map::new();
    for (stage, title, key) in [
        (Stage::Dialing, "Why connections failed", "failed"),
        (Stage::Open, "Why connections ended early", "ended_early"),
        (Stage::Request, "What the server refused", "requests"),
    ] {
        let mut reasons: Vec<_> = ended
            .reasons
            .iter()
            .filter(|((at, _), _)| *at == stage)
            .collect();
        if reasons.is_empty() {
            continue;
        }
        reasons.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
        report.table(title, vec![]);
        for ((_, reason), count) in reasons.iter().take(REASONS_SHOWN) {
            report.row(reason, vec![units::count(**count)]);
        }
        let object: serde_json::Map<_, _> = reasons
            .iter()
            .map(|((_, why), count)| (why.clone(), (**count).into()))
            .collect();
        machine.insert(key.to_owned(), object.into());
    }
    report.fact("reasons", machine);
}

/// Makes it known that a run did not take its full time.
fn outcome(report: &mut Report, waits: &[Wait], after: Duration) {
    if waits.contains(&Wait::Gone) {
        report.note(&format!(
            "No connection was left after {}: the server has gone, or closes what it accepts.",
            units::duration(after)
        ));
    }
    if waits.contains(&Wait::Interrupted) {
        report.interrupted();
    }
}

/// `20 B`, `1 message in flight`: what a headline lists.
fn headline(parts: &[String]) -> String {
    parts.join(", ")
}
