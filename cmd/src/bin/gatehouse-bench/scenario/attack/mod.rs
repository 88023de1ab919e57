//! Users chat, first in peace and then under attack. They are to notice as little as can be: every
//! message that the server took arrives, nobody is thrown out, and latencies stay what they are.
//!
//! ```text
//!   users     ─ chat in pairs ────────────┬─ chat in pairs, counted anew ─┐
//!   attackers   their threads wait        └─ all parts at once ───────────┘
//! ```

mod bomb;
mod deaf;
mod drip;
mod siege;
mod storm;

use std::time::{Duration, Instant};

use network::codec::Framing;
use serde_json::json;

use self::siege::{Finding, Siege};
use super::chat::faults;
use super::talk::{Conversation, Talked};
use super::town::Town;
use super::{Needs, Setup, connections, goes_on, headline, log_in, outcome};
use crate::host::{Cores, kernel_tcp_bytes, resident_bytes};
use crate::latency::{Latency, QUANTILES};
use crate::load::Wait;
use crate::options::{Attack, Common};
use crate::report::Report;
use crate::tally::{Stage, Tally};
use crate::units;

/// How often the server's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Reasons shown per part of the attack; the rest is in the JSON.
const REASONS_SHOWN: usize = 6;

/// What the users saw in one phase, and what it took.
#[derive(Debug)]
struct Phase {
    talked: Talked,
    /// Users whose connection ended.
    ended: u64,
    cores: Cores,
    /// The most that the server had resident, and the kernel for the sockets of both sides.
    resident: Option<u64>,
    kernel: Option<u64>,
}

/// Counts the answer of an HTTP server that is no upgrade.
fn note_status(tally: &Tally, line: &[u8]) {
    let status = line
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| str::from_utf8(rest.get(..3)?).ok());
    if let Some(status) = status.filter(|&status| status != "101") {
        tally.note(Stage::Request, format!("HTTP status {status}"));
    }
}

pub(super) fn run(options: &Attack, common: &Common) -> anyhow::Result<Report> {
    if options.budget.is_some() && common.pid.is_none() {
        anyhow::bail!("--budget needs --pid, the process whose memory it is");
    }
    let users = options.users.saturating_add(options.users % 2);
    let needs = Needs {
        connections: users,
        native: true,
        message_bytes: options.size + 512,
        in_flight: 64,
        ..Needs::default()
    };
    let setup = Setup::new(common, needs)?;
    let [target] = &setup.targets[..] else {
        anyhow::bail!("an attack has one --target");
    };
    if !target.addr.is_ipv4() || !target.addr.ip().is_loopback() {
        anyhow::bail!("{} is not on this host: an attack stays here", target.url);
    }
    if !matches!(target.framing, Framing::WebSocketClient { .. }) {
        anyhow::bail!("an attack speaks WebSocket: give it a ws:// target");
    }
    let mut siege = Siege::prepare(&setup, options.forces)?;
    let town = Town::new(users, 0);
    let mut chat = Conversation::start(&setup, &town, options.size)?;

    let begin = Instant::now();
    let mut waits = vec![chat.load.connect()?];
    let open = chat.load.totals().open();
    if goes_on(&waits) {
        waits.push(log_in(&mut chat.load)?);
    }
    let logged_in = chat.load.totals().logged_in;
    let mut phases = Vec::new();
    for under_attack in [false, true] {
        if !goes_on(&waits) {
            break;
        }
        let siege = under_attack.then_some(&mut siege);
        let (wait, phase) = phase(&setup, options, &mut chat, siege)?;
        waits.push(wait);
        phases.push(phase);
    }
    let lasted = begin.elapsed();
    let notes = std::mem::take(&mut siege.notes);
    let findings = siege.end()?;
    let ended = chat.load.finish()?;

    let what = headline(&[
        units::plural(users.into(), "user"),
        format!("{} msg/s asked for", units::count(options.rate.into())),
        format!("twice {}", units::duration(options.duration)),
    ]);
    let mut report = setup.report("attack", &what);
    connections(
        &mut report,
        &ended,
        &[("logged_in", "logged in", logged_in)],
    );
    if !ended.interrupted {
        report.problem(open.saturating_sub(logged_in), "user", "not logged in");
    }
    compare(&mut report, &phases);
    attackers(&mut report, &findings);
    memory(&mut report, options, &phases);
    for note in notes {
        report.note(note);
    }
    if phases.len() < 2 && !ended.interrupted {
        report.fault("there was no attack");
    }
    outcome(&mut report, &waits, lasted);
    Ok(report)
}

/// Lets the users chat for the time asked for, under attack if there is a `siege`.
fn phase(
    setup: &Setup<'_>,
    options: &Attack,
    chat: &mut Conversation,
    mut siege: Option<&mut Siege>,
) -> anyhow::Result<(Wait, Phase)> {
    let before = chat.load.totals().ended;
    let processor = setup.watch();
    let (mut resident, mut kernel, mut looked) = (None, None, None);
    let name = match &siege {
        Some(siege) => {
            siege.begin();
            "under attack"
        }
        None => "in peace",
    };
    let wait = chat.speak(name, options.rate, options.duration, |elapsed| {
        if let Some(siege) = &mut siege {
            siege.go_on(elapsed);
        }
        if looked.is_none_or(|at| elapsed >= at + LOOK_EVERY) {
            looked = Some(elapsed);
            resident = resident.max(setup.common.pid.and_then(resident_bytes));
            kernel = kernel.max(kernel_tcp_bytes());
        }
    })?;
    let cores = processor.cores();
    let talked = chat.collect()?;
    let phase = Phase {
        talked,
        ended: chat.load.totals().ended - before,
        cores,
        resident,
        kernel,
    };
    Ok((wait, phase))
}

/// Both phases side by side.
fn compare(report: &mut Report, phases: &[Phase]) {
    let columns = ["in peace", "under attack"];
    let names = ["peace", "attack"];
    let table = |report: &mut Report, title: &str| {
        report.table(title, columns.map(str::to_owned).to_vec());
    };
    table(report, "Users");
    let mut json = json!({});
    let mut row = |report: &mut Report, key: &str, label: &str, of: fn(&Phase) -> u64| {
        report.row(
            label,
            phases.iter().map(|one| units::count(of(one))).collect(),
        );
        for (name, phase) in names.iter().zip(phases) {
            json[*name][key] = of(phase).into();
        }
    };
    row(report, "sent", "sent", |one| one.talked.requests);
    row(report, "refused", "refused", |one| one.talked.refused);
    row(report, "replies_lost", "replies lost", |one| {
        one.talked.requests.saturating_sub(one.talked.replies)
    });
    row(report, "received", "received", |one| {
        one.talked.direct_heard
    });
    row(report, "lost", "lost", |one| {
        one.talked
            .direct_accepted
            .saturating_sub(one.talked.direct_heard)
    });
    row(report, "repeated", "repeated", |one| one.talked.repeated);
    row(report, "out_of_order", "out of order", |one| {
        one.talked.overtaken
    });
    row(report, "ended_early", "ended early", |one| one.ended);
    for (key, title, of) in [
        (
            "reply",
            "Send to reply",
            (|one| &one.talked.reply) as fn(&Phase) -> &Latency,
        ),
        ("delivery", "Send to receiver", |one| &one.talked.direct),
    ] {
        table(report, title);
        let cells: Vec<_> = phases.iter().map(|one| of(one).cells()).collect();
        let labels = QUANTILES.iter().map(|&(name, _)| name).chain(["max"]);
        for (at, label) in labels.enumerate() {
            report.row(label, cells.iter().map(|cells| cells[at].clone()).collect());
        }
        for (name, phase) in names.iter().zip(phases) {
            json[*name][key] = of(phase).json();
        }
    }
    table(report, "Processor");
    let mut cores = |label: &str, of: fn(&Phase) -> Option<f64>| {
        let cells = phases.iter().filter_map(of);
        report.row(label, cells.map(|cores| format!("{cores:.2}")).collect());
    };
    cores("client cores", |one| Some(one.cores.client));
    cores("server cores", |one| one.cores.server);
    report.fact("phases", json);
    for phase in phases {
        faults(report, &phase.talked, phase.talked.direct_accepted);
    }
}

/// What the attackers did, and how the server ended it. Whatever that was, it is no problem.
fn attackers(report: &mut Report, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    let columns = ["made", "failed", "ended", "open"];
    report.table("Attackers", columns.map(str::to_owned).to_vec());
    let mut json = json!({});
    for Finding { key, totals, .. } in findings {
        // Those who go by themselves are counted as delivered.
        let open = totals.open().saturating_sub(totals.delivered);
        let counts = [totals.ready, totals.failed, totals.ended, open];
        report.row(key, counts.map(units::count).to_vec());
        json[key] = json!({
            "made": totals.ready, "failed": totals.failed, "ended": totals.ended, "open": open,
            "sent": totals.sent,
        });
    }
    for Finding { key, reasons, .. } in findings {
        let mut reasons: Vec<_> = reasons.iter().collect();
        reasons.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
        if !reasons.is_empty() {
            report.table(&format!("What the server did to {key}"), vec![]);
        }
        let label = |stage: Stage, reason: &str| match stage {
            Stage::Dialing => format!("not made: {reason}"),
            Stage::Open => reason.to_owned(),
            Stage::Request => format!("answered: {reason}"),
        };
        for ((stage, reason), count) in reasons.iter().take(REASONS_SHOWN) {
            report.row(&label(*stage, reason), vec![units::count(**count)]);
        }
        for ((stage, reason), count) in reasons {
            json[key]["reasons"][label(*stage, reason)] = (*count).into();
        }
    }
    report.fact("attackers", json);
}

/// The most memory in both phases, and whether the server kept to its budget.
fn memory(report: &mut Report, options: &Attack, phases: &[Phase]) {
    let columns = ["in peace", "under attack"];
    report.table("Most memory", columns.map(str::to_owned).to_vec());
    let mut json = json!({});
    let shown = |bytes: u64| units::bytes(bytes as i64);
    let mut row = |key: &str, label: &str, of: fn(&Phase) -> Option<u64>| {
        let most: Vec<_> = phases.iter().filter_map(of).collect();
        if !most.is_empty() {
            report.row(label, most.iter().map(|&bytes| shown(bytes)).collect());
        }
        json[key] = most.into();
    };
    row("rss_bytes", "server RSS", |one| one.resident);
    row("kernel_tcp_bytes", "kernel TCP buffers", |one| one.kernel);
    report.fact("memory", json);
    let all = phases.iter().filter_map(|one| one.resident).max();
    if let Some(budget) = options.budget.map(|budget| budget.as_u64())
        && let Some(all) = all.filter(|&all| all > budget)
    {
        report.fault(&format!(
            "the server took {} of memory, of {} that it may",
            shown(all),
            shown(budget)
        ));
    }
}
