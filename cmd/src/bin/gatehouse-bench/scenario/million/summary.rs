//! The findings as a table for people and as JSON for machines.

use std::time::Duration;

use serde_json::{Value, json};

use super::findings::{Burst, Echoes, Findings, Held};
use super::monitor::Sample;
use crate::latency::QUANTILES;
use crate::report::Report;
use crate::scenario::headline;
use crate::tally::Reasons;
use crate::units;

/// Reasons shown; the rest is in the JSON.
const REASONS_SHOWN: usize = 8;

pub(super) fn report(findings: &Findings, lasted: Duration) -> Report {
    let shape = &findings.shape;
    let what = headline(&[
        units::plural(shape.connections.into(), "connection"),
        format!("over {}", shape.framing),
        format!(
            "{} and {}",
            units::plural(shape.reactors.into(), "reactor"),
            units::plural(shape.threads.into(), "load thread")
        ),
    ]);
    let mut report = Report::new("million", format!("million  {what}"));
    report.fact("seconds", lasted.as_secs_f64());
    report.fact(
        "host",
        json!({
            "cores": shape.cores, "memory_bytes": shape.memory, "descriptors": shape.descriptors,
            "available_bytes": shape.available, "floor_bytes": shape.floor,
            "lowest_available_bytes": findings.lowest_available(),
        }),
    );
    report.fact(
        "shape",
        json!({
            "connections": shape.connections, "framing": shape.framing,
            "reactors": shape.reactors, "threads": shape.threads, "sources": shape.sources,
            "heartbeat_seconds": shape.heartbeat, "message_bytes": shape.size,
        }),
    );
    connecting(&mut report, findings);
    memory(&mut report, findings);
    idle(&mut report, findings);
    echoes(&mut report, &findings.echoes);
    broadcasts(&mut report, findings);
    comings_and_goings(&mut report, findings);
    bursts(&mut report, &findings.bursts);
    plots(&mut report, findings);
    if let Some(scaled) = &shape.scaled {
        report.note(&format!("Scaled down: {scaled}."));
    }
    if let Some(why) = &findings.cut_short {
        report.fault(&format!("given up: {why}"));
    }
    report
}

/// What went wrong, by reason.
pub(super) fn troubles(report: &mut Report, reasons: &Reasons) {
    let mut all: Vec<_> = reasons.iter().collect();
    all.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
    if !all.is_empty() {
        report.table("What went wrong", vec![]);
    }
    for ((_, why), count) in all.iter().take(REASONS_SHOWN) {
        report.row(why, vec![units::count(**count)]);
    }
    let object: serde_json::Map<_, _> = all
        .iter()
        .map(|((stage, why), count)| (format!("{stage:?}: {why}"), (**count).into()))
        .collect();
    report.fact("reasons", object);
}

fn connecting(report: &mut Report, findings: &Findings) {
    let Some(opened) = &findings.opened else {
        return;
    };
    let mut section = report.section("connections", "Connections");
    section.count("opened", "opened", opened.connections);
    section.note(&format!(
        "of {}",
        units::count(findings.shape.connections.into())
    ));
    section.seconds("connecting_seconds", "time", opened.took.as_secs_f64());
    let rate = units::per_second(opened.connections, opened.took);
    section.rate("per_second", "rate", rate, "conn");
    section.count_if_any("failed", "failed", findings.failed);
    section.count_if_any("ended_early", "ended early", findings.ended);
    let p99 = findings.connect.quantile(0.99);
    section.show(
        "connect_p99_us",
        "p99 of a connect",
        units::nanos(p99),
        p99 as f64 / 1e3,
    );
}

fn memory(report: &mut Report, findings: &Findings) {
    let columns = ["all", "each", "after"];
    let moments = [&findings.full, &findings.after];
    if findings.full.is_none() {
        return;
    }
    report.table(
        "Memory, net of the start",
        columns.map(str::to_owned).to_vec(),
    );
    let start = &findings.start;
    type Growth = fn(&Held, &Held) -> u64;
    let rows: [(&str, &str, Growth); 5] = [
        ("server_bytes", "server", Held::server_growth),
        ("client_bytes", "client", Held::client_growth),
        ("kernel_bytes", "kernel, both ends", Held::kernel_growth),
        ("slab_bytes", "of it slab", |held, start| {
            held.kernel.slab.saturating_sub(start.kernel.slab)
        }),
        ("tcp_bytes", "of it TCP buffers", |held, start| {
            held.kernel.tcp.saturating_sub(start.kernel.tcp)
        }),
    ];
    let mut json = json!({ "server_start_bytes": start.server.pss_anon });
    for (key, label, growth) in rows {
        let [full, after] = moments.map(|moment| moment.as_ref().map(|held| growth(held, start)));
        let shown = |bytes: Option<u64>| {
            bytes.map_or_else(|| "–".to_owned(), |bytes| units::bytes(bytes as i64))
        };
        let each = full.map_or_else(
            || "–".to_owned(),
            |bytes| format!("{:.0} B", findings.each(bytes)),
        );
        report.row(label, vec![shown(full), each, shown(after)]);
        json[key] = full.into();
        json[format!("{key}_after")] = after.into();
    }
    if let Some(full) = &findings.full {
        json["server_bytes_each"] = findings.each(full.server_growth(start)).into();
        json["kernel_bytes_each"] = findings.each(full.kernel_growth(start)).into();
        let caches: serde_json::Map<_, _> = full
            .kernel
            .growth(&start.kernel)
            .into_iter()
            .map(|(name, bytes)| (name.to_owned(), bytes.into()))
            .collect();
        json["kernel_caches"] = caches.into();
    }
    report.fact("memory", json);
}

fn idle(report: &mut Report, findings: &Findings) {
    let Some(idle) = &findings.idle else {
        return;
    };
    let mut section = report.section("idle", "Idle");
    section.seconds("seconds", "held", idle.took.as_secs_f64());
    section.count("heartbeats", "heartbeats", idle.heartbeats);
    section.note(&format!("one each {} s", findings.shape.heartbeat));
    let server = idle.cores.server.unwrap_or_default();
    section
        .show("server_cores", "server", format!("{server:.2}"), server)
        .note("cores");
    let client = idle.cores.client;
    section
        .show("client_cores", "client", format!("{client:.2}"), client)
        .note("cores");
}

fn echoes(report: &mut Report, all: &[Echoes]) {
    if all.is_empty() {
        return;
    }
    let columns = ["per second"]
        .into_iter()
        .chain(QUANTILES.iter().map(|&(name, _)| name));
    let columns = columns.chain(["max"]).map(str::to_owned).collect();
    report.table("Echoes of a random subset", columns);
    for echoes in all {
        let cells = [units::count(echoes.per_second as u64)];
        let cells = cells.into_iter().chain(echoes.latency.cells()).collect();
        report.row(echoes.label, cells);
    }
    let json: serde_json::Map<_, _> = all
        .iter()
        .map(|one| (one.key.to_owned(), echo(one)))
        .collect();
    report.fact("echoes", json);
}

fn echo(echoes: &Echoes) -> Value {
    json!({
        "asked_per_second": echoes.rate, "per_second": echoes.per_second,
        "seconds": echoes.took.as_secs_f64(), "sent": echoes.sent, "answered": echoes.answered,
        "corrupted": echoes.corrupted, "latency": echoes.latency.json(),
        "server_cores": echoes.cores.server, "client_cores": echoes.cores.client,
    })
}

fn broadcasts(report: &mut Report, findings: &Findings) {
    if findings.rounds.is_empty() {
        return;
    }
    let columns = ["receivers", "first", "median", "p99", "last"];
    report.table("Broadcasts", columns.map(str::to_owned).to_vec());
    for (index, round) in findings.rounds.iter().enumerate() {
        let at = |quantile| units::nanos(round.arrivals.quantile(quantile));
        let times = [at(0.0), at(0.5), at(0.99), at(1.0)];
        let cells = [units::count(round.received)]
            .into_iter()
            .chain(times)
            .collect();
        report.row(&(index + 1).to_string(), cells);
    }
    let json: Vec<_> = findings
        .rounds
        .iter()
        .map(|round| {
            json!({
                "receivers": round.receivers, "received": round.received, "odd": round.odd,
                "last_us": round.last() as f64 / 1e3, "arrivals": round.arrivals.json(),
            })
        })
        .collect();
    report.fact("broadcasts", json);
}

fn comings_and_goings(report: &mut Report, findings: &Findings) {
    if let Some(churned) = &findings.churned {
        let mut section = report.section("churn", "Coming and going");
        section.count("left", "have left", churned.left);
        section.count("came", "have come", churned.came);
        let rate = units::per_second(churned.left, churned.took);
        section.rate("per_second", "rate", rate, "conn");
        section.fact("asked_per_second", churned.asked_per_second);
        let server = churned.cores.server.unwrap_or_default();
        section
            .show("server_cores", "server", format!("{server:.2}"), server)
            .note("cores");
    }
    if let Some(closed) = &findings.closed {
        let mut section = report.section("close", "Orderly close");
        section.count("closed", "closed", closed.connections);
        section.count("unanswered", "without an answer", closed.unanswered);
        section.seconds("seconds", "time", closed.took.as_secs_f64());
        let rate = units::per_second(closed.connections, closed.took);
        section.rate("per_second", "rate", rate, "conn");
    }
}

fn bursts(report: &mut Report, all: &[Burst]) {
    if all.is_empty() {
        return;
    }
    let columns = [
        "connects/s",
        "echoes/s",
        "closes/s",
        "server peak",
        "after",
        "kernel after",
    ];
    report.table("Bursts", columns.map(str::to_owned).to_vec());
    let mut json = Vec::new();
    for (index, burst) in all.iter().enumerate() {
        let rates = [
            units::per_second(burst.opened.connections, burst.opened.took),
            burst.echoes.per_second,
            units::per_second(burst.closed.connections, burst.closed.took),
        ];
        let bytes = [burst.peak, burst.after, burst.kernel_after];
        let cells = rates.iter().map(|&rate| units::count(rate as u64));
        let cells = cells.chain(bytes.iter().map(|&bytes| units::bytes(bytes as i64)));
        report.row(&(index + 1).to_string(), cells.collect());
        json.push(json!({
            "connects_per_second": rates[0], "echoes_per_second": rates[1],
            "closes_per_second": rates[2], "server_peak_bytes": burst.peak,
            "server_after_bytes": burst.after, "kernel_after_bytes": burst.kernel_after,
            "unanswered_closes": burst.closed.unanswered, "exchange": echo(&burst.echoes),
        }));
    }
    report.fact("bursts", json);
}

/// What the plots of the page are drawn from.
fn plots(report: &mut Report, findings: &Findings) {
    let column = |of: fn(&Sample) -> Value| -> Value {
        findings.samples.iter().map(of).collect::<Vec<_>>().into()
    };
    report.fact(
        "samples",
        json!({
            "seconds": column(|one| one.at.into()),
            "open": column(|one| one.open.into()),
            "server_bytes": column(|one| one.server_bytes.into()),
            "client_bytes": column(|one| one.client_bytes.into()),
            "kernel_bytes": column(|one| one.kernel_bytes.into()),
            "available_bytes": column(|one| one.available_bytes.into()),
            "server_cores": column(|one| one.server_cores.into()),
            "client_cores": column(|one| one.client_cores.into()),
        }),
    );
    let phases: Vec<_> = findings
        .phases
        .iter()
        .map(|phase| {
            json!({
                "name": phase.name, "from": phase.from, "to": phase.to,
                "server_cores": phase.cores.server, "client_cores": phase.cores.client,
            })
        })
        .collect();
    report.fact("phases", phases);
}
