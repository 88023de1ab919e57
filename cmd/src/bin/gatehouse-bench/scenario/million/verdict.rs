//! Each figure beside what it is to be. The thresholds are stated in the scenario's help.

use std::time::Duration;

use serde_json::{Value, json};

use super::findings::{Echoes, Findings};
use crate::report::Report;
use crate::target;
use crate::units;

const CONNECTS_PER_SECOND: f64 = 5000.0;
const SERVER_BYTES: f64 = 128.0;
const KERNEL_BYTES: f64 = 10_240.0;
/// Time from which on connecting has a rate.
const CONNECTING_MIN: Duration = Duration::from_secs(2);
/// Connections from which on the cost of each is judged: with fewer, what the process takes by
/// itself weighs more than they do.
const JUDGED_FROM: u32 = 500_000;
/// Cores at so many heartbeats a second, and at few.
const IDLE_CORES: (f64, f64) = (0.5, 1_000_000.0 / 60.0);
const IDLE_CORES_MIN: f64 = 0.1;
const BROADCAST_EACH: u64 = 20_000;
const BROADCAST_MIN: u64 = 250_000_000;
/// What may still be held after all have left, as a part of what they took, and at least.
const LEFT_PART: u64 = 10;
const LEFT_BYTES: u64 = 24 << 20;
/// How much more than the first a burst may need, in percent, and in bytes.
const CLIMB_PERCENT: u64 = 3;

/// One figure.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) figure: &'static str,
    pub(super) value: String,
    pub(super) threshold: String,
    pub(super) mark: Mark,
}

/// What becomes of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Kept,
    Missed,
    /// The figure says nothing here: too few connections, or a host that does other work.
    Unjudged,
}

impl Mark {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Kept => "ok",
            Self::Missed => "missed",
            Self::Unjudged => "not judged",
        }
    }
}

/// What becomes of each threshold that the run came to; with `busy_host`, those of times are not
/// judged.
pub(super) fn lines(findings: &Findings, busy_host: bool) -> Vec<Line> {
    let mut lines = Lines {
        lines: Vec::new(),
        busy_host,
    };
    lines.connections(findings);
    lines.memory(findings);
    lines.idle(findings);
    for echoes in &findings.echoes {
        match echoes.key {
            "rate" => lines.latency("echo at the rate, p99", echoes),
            "half" => lines.latency("echo at half of saturation, p99", echoes),
            _ => {}
        }
    }
    lines.broadcast(findings);
    lines.end(findings);
    lines.bursts(findings);
    lines.lines
}

/// Adds the verdict to the report; what is missed makes it a failure.
pub(super) fn judge(report: &mut Report, lines: &[Line]) {
    report.table(
        "Verdict",
        ["figure", "threshold", ""].map(str::to_owned).to_vec(),
    );
    for line in lines {
        let word = line.mark.word().to_owned();
        let cells = [line.value.clone(), line.threshold.clone(), word];
        report.row(line.figure, cells.to_vec());
        if line.mark == Mark::Missed {
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
                "threshold": line.threshold, "mark": line.mark.word(),
            })
        })
        .collect();
    report.fact("verdict", json);
}

struct Lines {
    lines: Vec<Line>,
    busy_host: bool,
}

impl Lines {
    fn add(&mut self, figure: &'static str, value: String, threshold: String, kept: bool) {
        self.lines.push(Line {
            figure,
            value,
            threshold,
            mark: if kept { Mark::Kept } else { Mark::Missed },
        });
    }

    /// Adds a figure that the other work of a host spoils.
    fn add_time(&mut self, figure: &'static str, value: String, threshold: String, kept: bool) {
        self.add(figure, value, threshold, kept);
        self.unjudge_last(self.busy_host);
    }

    fn unjudge_last(&mut self, unjudged: bool) {
        if let Some(line) = self.lines.last_mut().filter(|_| unjudged) {
            line.mark = Mark::Unjudged;
        }
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
        self.add_time(
            "connections per second",
            units::count(rate as u64),
            format!("≥ {}", units::count(CONNECTS_PER_SECOND as u64)),
            rate >= CONNECTS_PER_SECOND,
        );
        self.unjudge_last(opened.took < CONNECTING_MIN);
        let lost = losses(findings);
        self.add("losses", units::count(lost), "0".to_owned(), lost == 0);
    }

    fn memory(&mut self, findings: &Findings) {
        let Some(full) = &findings.full else {
            return;
        };
        let few = findings.shape.connections < JUDGED_FROM;
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
            self.unjudge_last(few);
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
            self.add_time(
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

    /// Client and server share the cores, and so do their hundred threads: a latency says as much
    /// of the host's scheduler as of the server. It is told and not judged.
    fn latency(&mut self, figure: &'static str, echoes: &Echoes) {
        let value = units::nanos(echoes.latency.quantile(0.99));
        self.add(figure, value, "told".to_owned(), true);
        self.unjudge_last(true);
    }

    fn broadcast(&mut self, findings: &Findings) {
        let Some(worst) = findings.rounds.iter().map(|round| round.last()).max() else {
            return;
        };
        let most = (BROADCAST_EACH * u64::from(findings.shape.connections)).max(BROADCAST_MIN);
        self.add_time(
            "broadcast, last receiver, worst round",
            units::nanos(worst),
            format!("≤ {}", units::nanos(most)),
            worst <= most,
        );
    }

    fn end(&mut self, findings: &Findings) {
        if let Some(closed) = &findings.closed {
            self.answers(closed.unanswered);
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

    fn answers(&mut self, missing: u64) {
        let value = units::count(missing);
        let none = format!("0 within {} s", target::CLOSE_SECONDS);
        self.add("closes without an answer", value, none, missing == 0);
    }

    fn bursts(&mut self, findings: &Findings) {
        let [first, others @ ..] = &findings.bursts[..] else {
            return;
        };
        let bursts = findings.bursts.iter();
        self.answers(bursts.map(|burst| burst.closed.unanswered).sum());
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
    use crate::latency::Latency;
    use crate::scenario::million::findings::{Opened, Round};

    fn missed(findings: &Findings, busy_host: bool) -> Vec<&'static str> {
        let lines = lines(findings, busy_host).into_iter();
        let missed = lines.filter(|line| line.mark == Mark::Missed);
        missed.map(|line| line.figure).collect()
    }

    #[test]
    fn what_is_lost_or_late_is_missed() {
        let mut findings = Findings::default();
        findings.shape.connections = 1000;
        findings.opened = Some(Opened {
            connections: 1000,
            took: Duration::from_millis(100),
        });
        assert!(missed(&findings, false).is_empty());
        let mut arrivals = Latency::default();
        arrivals.record(BROADCAST_MIN * 2);
        findings.rounds.push(Round {
            receivers: 1000,
            received: 999,
            odd: 0,
            arrivals,
        });
        assert_eq!(losses(&findings), 1);
        let late = "broadcast, last receiver, worst round";
        assert_eq!(missed(&findings, false), ["losses", late]);
        assert_eq!(missed(&findings, true), ["losses"]);

        let mut report = Report::new("million", String::new());
        judge(&mut report, &lines(&findings, true));
        assert!(!report.is_ok());
    }
}
