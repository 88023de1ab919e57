//! Each figure beside what it is to be. The thresholds are stated in the scenario's help.

use serde_json::{Value, json};

use super::findings::{Echoes, Findings};
use crate::report::Report;
use crate::units;

const CONNECTS_PER_SECOND: f64 = 5000.0;
const SERVER_BYTES: f64 = 128.0;
const KERNEL_BYTES: f64 = 10_240.0;
/// Connections from which on the cost of each is judged: with fewer, what the process takes by
/// itself weighs more than they do.
const JUDGED_FROM: u32 = 50_000;
/// Cores at so many heartbeats a second, and at few.
const IDLE_CORES: (f64, f64) = (0.5, 1_000_000.0 / 60.0);
const IDLE_CORES_MIN: f64 = 0.1;
const RATE_P99: u64 = 100_000_000;
const HALF_P99: u64 = 250_000_000;
const BROADCAST_EACH: u64 = 20_000;
const BROADCAST_MIN: u64 = 250_000_000;
/// What may still be held after all have left, as a part of what they took, and at least.
const LEFT_PART: u64 = 10;
const LEFT_BYTES: u64 = 4 << 20;
/// How much more than the first a burst may need, in percent, and in bytes.
const CLIMB_PERCENT: u64 = 3;

/// One figure.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) figure: &'static str,
    pub(super) value: String,
    pub(super) threshold: String,
    pub(super) kept: bool,
}

/// What becomes of each threshold that the run came to.
pub(super) fn lines(findings: &Findings) -> Vec<Line> {
    let mut lines = Lines(Vec::new());
    lines.connections(findings);
    lines.memory(findings);
    lines.idle(findings);
    for echoes in &findings.echoes {
        match echoes.key {
            "rate" => lines.latency("echo at the rate, p99", echoes, RATE_P99),
            "half" => lines.latency("echo at half of saturation, p99", echoes, HALF_P99),
            _ => {}
        }
    }
    lines.broadcast(findings);
    lines.end(findings);
    lines.bursts(findings);
    lines.0
}

/// Adds the verdict to the report; what is missed makes it a failure.
pub(super) fn judge(report: &mut Report, lines: &[Line]) {
    report.table(
        "Verdict",
        ["figure", "threshold", ""].map(str::to_owned).to_vec(),
    );
    for line in lines {
        let word = if line.kept { "ok" } else { "MISSED" };
        let cells = [line.value.clone(), line.threshold.clone(), word.to_owned()];
        report.row(line.figure, cells.to_vec());
        if !line.kept {
            report.fault(&format!(
                "{}: {}, not {}",
                line.figure, line.value, line.threshold
            ));
        }
    }
    let json: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "figure": line.figure, "value": line.value,
                "threshold": line.threshold, "ok": line.kept,
            })
        })
        .collect();
    report.fact("verdict", json);
}

struct Lines(Vec<Line>);

impl Lines {
    fn add(&mut self, figure: &'static str, value: String, threshold: String, kept: bool) {
        self.0.push(Line {
            figure,
            value,
            threshold,
            kept,
        });
    }

    fn connections(&mut self, findings: &Findings) {
        let all = u64::from(findings.shape.connections);
        let Some(opened) = &findings.opened else {
            return;
        };
        let threshold = units::count(all);
        let made = opened.connections;
        self.add(
            "connections open",
            units::count(made),
            threshold,
            made == all,
        );
        let rate = units::per_second(made, opened.took);
        self.add(
            "connections per second",
            units::count(rate as u64),
            format!("≥ {}", units::count(CONNECTS_PER_SECOND as u64)),
            rate >= CONNECTS_PER_SECOND || opened.took.as_secs() < 2,
        );
        let lost = losses(findings);
        self.add("losses", units::count(lost), "0".to_owned(), lost == 0);
    }

    fn memory(&mut self, findings: &Findings) {
        let Some(full) = &findings.full else {
            return;
        };
        if findings.shape.connections < JUDGED_FROM {
            return;
        }
        let server = findings.each(full.server_growth(&findings.start));
        let kernel = findings.each(full.kernel_growth(&findings.start));
        for (figure, value, most) in [
            ("server memory per connection", server, SERVER_BYTES),
            (
                "kernel memory per connection, both ends",
                kernel,
                KERNEL_BYTES,
            ),
        ] {
            let shown = |bytes: f64| format!("{} B", units::count(bytes.round() as u64));
            self.add(
                figure,
                shown(value),
                format!("≤ {}", shown(most)),
                value.round() <= most,
            );
        }
    }

    fn idle(&mut self, findings: &Findings) {
        let Some(idle) = &findings.idle else {
            return;
        };
        let (all, heartbeat) = (findings.shape.connections, findings.shape.heartbeat);
        if let Some(cores) = idle.cores.server {
            let (most, rate) = IDLE_CORES;
            let expected = f64::from(all) / f64::from(heartbeat);
            let most = (most * expected / rate).max(IDLE_CORES_MIN);
            self.add(
                "server cores while all are idle",
                format!("{cores:.2}"),
                format!("≤ {most:.2}"),
                cores <= most,
            );
        }
        // Every one is due once in each interval, and the clock that counts them ticks in seconds.
        if idle.took.as_secs() >= u64::from(heartbeat) + 3 {
            self.add(
                "heartbeats while held",
                units::count(idle.heartbeats),
                format!("≥ {}", units::count(all.into())),
                idle.heartbeats >= all.into(),
            );
        }
    }

    fn latency(&mut self, figure: &'static str, echoes: &Echoes, most: u64) {
        let value = echoes.latency.quantile(0.99);
        let threshold = format!("≤ {}", units::nanos(most));
        self.add(figure, units::nanos(value), threshold, value <= most);
    }

    fn broadcast(&mut self, findings: &Findings) {
        let Some(worst) = findings.rounds.iter().map(|round| round.last()).max() else {
            return;
        };
        let most = (BROADCAST_EACH * u64::from(findings.shape.connections)).max(BROADCAST_MIN);
        self.add(
            "broadcast, last receiver, worst round",
            units::nanos(worst),
            format!("≤ {}", units::nanos(most)),
            worst <= most,
        );
    }

    fn end(&mut self, findings: &Findings) {
        if let Some(closed) = &findings.closed {
            let unanswered = closed.unanswered;
            let value = units::count(unanswered);
            self.add(
                "closes without an answer",
                value,
                "0".to_owned(),
                unanswered == 0,
            );
        }
        let (Some(full), Some(after)) = (&findings.full, &findings.after) else {
            return;
        };
        let taken = full.server_growth(&findings.start);
        let (left, most) = (
            after.server_growth(&findings.start),
            (taken / LEFT_PART).max(LEFT_BYTES),
        );
        self.add(
            "server memory after all have left",
            format!("{} of {}", bytes(left), bytes(taken)),
            format!("≤ {}", bytes(most)),
            left <= most,
        );
    }

    fn bursts(&mut self, findings: &Findings) {
        let [first, others @ ..] = &findings.bursts[..] else {
            return;
        };
        let Some(worst) = others.iter().map(|burst| burst.peak).max() else {
            return;
        };
        let most = first.peak + (first.peak * CLIMB_PERCENT / 100).max(LEFT_BYTES);
        self.add(
            "highest peak of a later burst",
            bytes(worst),
            format!("≤ {}", bytes(most)),
            worst <= most,
        );
    }
}

/// Whatever did not arrive, did not stay, or was not what it should have been.
pub(super) fn losses(findings: &Findings) -> u64 {
    let bursts = findings.bursts.iter().map(|burst| &burst.echoes);
    let echoes = findings.echoes.iter().chain(bursts);
    let echoes: u64 = echoes
        .map(|one| one.sent.saturating_sub(one.answered) + one.corrupted)
        .sum();
    let rounds = findings.rounds.iter();
    let rounds: u64 = rounds
        .map(|round| round.receivers.saturating_sub(round.received) + round.odd)
        .sum();
    let churned = findings.churned.as_ref();
    let churned = churned.map_or(0, |churned| churned.left.abs_diff(churned.came));
    echoes + rounds + churned + findings.failed + findings.ended
}

fn bytes(bytes: u64) -> String {
    units::bytes(bytes as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::million::findings::{Opened, Round};
    use std::time::Duration;

    #[test]
    fn what_is_lost_is_missed() {
        let mut findings = Findings::default();
        findings.shape.connections = 1000;
        findings.opened = Some(Opened {
            connections: 1000,
            took: Duration::from_millis(100),
        });
        assert!(lines(&findings).iter().all(|line| line.kept));
        findings.rounds.push(Round {
            receivers: 1000,
            received: 999,
            odd: 0,
            arrivals: crate::latency::Latency::default(),
        });
        assert_eq!(losses(&findings), 1);
        let missed: Vec<_> = lines(&findings)
            .into_iter()
            .filter(|line| !line.kept)
            .collect();
        assert_eq!((missed.len(), missed[0].figure), (1, "losses"));

        let mut report = Report::new("million", String::new());
        judge(&mut report, &lines(&findings));
        assert!(!report.is_ok());
    }
}
