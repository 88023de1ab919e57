//! Which plots there are, and what is drawn in them.

use super::plot::{Axis, Band, Plot};
use crate::latency::Latency;
use crate::scenario::million::findings::{Findings, Phase};
use crate::scenario::million::monitor::Sample;
use crate::units;

/// Points of a curve of quantiles.
const CURVE: u32 = 240;

fn section(title: &str, about: &str, drawing: &str) -> String {
    format!("<section><h2>{title}</h2><p>{about}</p>{drawing}</section>")
}

fn bytes(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        _ if value >= 1e9 => format!("{} GB", trimmed(value / 1e9)),
        _ if value >= 1e6 => format!("{} MB", trimmed(value / 1e6)),
        _ => format!("{} kB", trimmed(value / 1e3)),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn seconds(value: f64) -> String {
    format!("{} s", trimmed(value))
}

/// Seconds, in the unit that fits.
fn time(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        _ if seconds >= 1.0 => format!("{} s", trimmed(seconds)),
        _ if seconds >= 1e-3 => format!("{} ms", trimmed(seconds * 1e3)),
        _ => format!("{} µs", trimmed(seconds * 1e6)),
    }
}

fn short(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{} M", trimmed(value / 1e6)),
        _ if value >= 1e3 => format!("{} k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

/// The phases as bands; those of one name in a row are one.
fn bands(phases: &[Phase]) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    for phase in phases {
        match bands.last_mut() {
            Some(last) if last.name == phase.name => last.to = phase.to,
            _ => bands.push(Band {
                name: phase.name.to_owned(),
                from: phase.from,
                to: phase.to,
            }),
        }
    }
    bands
}

/// Connections, memory and processors.
pub(super) fn over_time(findings: &Findings) -> String {
    let samples = &findings.samples[..];
    let Some(last) = samples.last() else {
        return String::new();
    };
    let bands = bands(&findings.phases);
    let most = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).fold(0.0, f64::max);
    let of =
        |of: &dyn Fn(&Sample) -> f64| samples.iter().map(|s| (s.at, of(s))).collect::<Vec<_>>();
    let axis = || Axis::exactly(last.at, seconds);
    let floor = vec![0.0; samples.len()];

    let open = |s: &Sample| s.open as f64;
    let plot = Plot::new(axis(), Axis::linear(most(&open).max(1.0), short));
    let plot = plot
        .bands(&bands)
        .height(260.0)
        .area("open", 0, of(&open), floor.clone());
    let mut out = section(
        "Connections over time",
        "Open at each moment, and what was done with them.",
        &plot.draw("connections over time"),
    );

    let kernel = |s: &Sample| s.kernel_bytes as f64;
    let plot = Plot::new(axis(), Axis::linear(most(&kernel).max(1e6), bytes))
        .half()
        .bands(&bands)
        .area("kernel, both ends", 3, of(&kernel), floor.clone());
    out += "<div class=\"pair\">";
    out += &section(
        "Memory of the kernel",
        "Objects and buffers of both ends, beyond those before the first connection.",
        &plot.draw("memory of the kernel over time"),
    );
    let server = |s: &Sample| s.server_bytes as f64;
    let client = |s: &Sample| s.client_bytes as f64;
    let top = most(&server).max(most(&client)).max(1e6);
    let plot = Plot::new(axis(), Axis::linear(top, bytes))
        .half()
        .bands(&bands)
        .area("server", 0, of(&server), floor)
        .line("load client", 1, of(&client));
    out += &section(
        "Memory of the processes",
        "Anonymous memory, what they start with included.",
        &plot.draw("memory of the processes over time"),
    );
    out += "</div>";

    let server = |s: &Sample| s.server_cores;
    let client = |s: &Sample| s.client_cores;
    let top = most(&server).max(most(&client)).max(0.5);
    let plot = Plot::new(axis(), Axis::linear(top, trimmed))
        .bands(&bands)
        .height(240.0)
        .line("server", 0, smoothed(of(&server)))
        .line("load client", 1, smoothed(of(&client)));
    out += &section(
        "Processor over time",
        "Cores kept busy, user and system time, over one second.",
        &plot.draw("cores over time"),
    );
    out
}

/// The mean with what lies up to half a second on either side.
fn smoothed(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let around = |at: usize| &points[at.saturating_sub(2)..(at + 3).min(points.len())];
    let mean = |part: &[(f64, f64)]| part.iter().map(|p| p.1).sum::<f64>() / part.len() as f64;
    (0..points.len())
        .map(|at| (points[at].0, mean(around(at))))
        .collect()
}

/// Latencies of echoes, and the arrival of broadcasts.
pub(super) fn distributions(findings: &Findings) -> String {
    let mut out = String::from("<div class=\"pair\">");
    let echoes = &findings.echoes[..];
    if !echoes.is_empty() {
        let ms = |nanos: u64| nanos as f64 / 1e6;
        let least = echoes.iter().map(|one| ms(one.latency.quantile(0.01)));
        let most = echoes.iter().map(|one| ms(one.latency.quantile(1.0)));
        let (least, most) = (least.fold(f64::MAX, f64::min), most.fold(0.0, f64::max));
        let ticks = ["0", "90 %", "99 %", "99.9 %", "99.99 %"];
        let ticks = ticks
            .iter()
            .enumerate()
            .map(|(at, text)| (at as f64, (*text).to_owned()));
        let mut plot = Plot::new(
            Axis::with_ticks(4.0, ticks.collect()),
            Axis::logarithmic(least.max(0.001), most.max(0.01), |ms| time(ms / 1e3)),
        )
        .half();
        for (color, one) in echoes.iter().enumerate() {
            let rate = units::count(one.per_second as u64);
            let name = format!("{}: {rate}/s", one.label);
            plot = plot.line(&name, color, percentiles(&one.latency));
        }
        out += &section(
            "Latency of echoes",
            &format!(
                "{} bytes there and back, each on a connection chosen at random: so many are \
                 answered within so long.",
                units::count(findings.shape.size.into())
            ),
            &plot.draw("latency by percentile"),
        );
    }
    let rounds = &findings.rounds[..];
    if !rounds.is_empty() {
        let last = rounds.iter().map(|round| round.last()).max().unwrap_or(1);
        let all = f64::from(findings.shape.connections);
        let axis = Axis::exactly(last as f64 / 1e9, time);
        let mut plot = Plot::new(axis, Axis::linear(all, short)).half();
        for (index, round) in rounds.iter().enumerate() {
            let name = format!("round {}", index + 1);
            plot = plot.line(&name, index % 5, arrivals(&round.arrivals));
        }
        out += &section(
            "Arrival of a broadcast",
            "One message to all: so many receivers have it after so long.",
            &plot.draw("receivers over time"),
        );
    }
    out + "</div>"
}

/// From the median's side to the tail: each step of the axis is a nine more.
fn percentiles(latency: &Latency) -> Vec<(f64, f64)> {
    (0..=CURVE)
        .map(|at| f64::from(at) * 4.0 / f64::from(CURVE))
        // Beyond what so many values can tell there is nothing to draw.
        .take_while(|nines| 10f64.powf(*nines) <= latency.count().max(1) as f64)
        .map(|nines| {
            let quantile = 1.0 - 10f64.powf(-nines);
            (nines, latency.quantile(quantile.max(0.001)) as f64 / 1e6)
        })
        .collect()
}

fn arrivals(latency: &Latency) -> Vec<(f64, f64)> {
    let count = latency.count() as f64;
    let points = (0..=CURVE).map(|at| f64::from(at) / f64::from(CURVE));
    let reached = points.map(|part| (latency.quantile(part) as f64 / 1e9, part * count));
    [(0.0, 0.0)].into_iter().chain(reached).collect()
}

/// The memory of each burst.
pub(super) fn bursts(findings: &Findings) -> String {
    let bursts = &findings.bursts[..];
    if bursts.is_empty() {
        return String::new();
    }
    let most = bursts
        .iter()
        .map(|burst| burst.peak)
        .max()
        .unwrap_or(1)
        .max(1);
    let mut rows = String::new();
    for (index, burst) in bursts.iter().enumerate() {
        let cells = [
            units::count(units::per_second(burst.opened.connections, burst.opened.took) as u64),
            units::count(burst.echoes.per_second as u64),
            units::count(units::per_second(burst.closed.connections, burst.closed.took) as u64),
            units::bytes(burst.peak as i64),
            units::bytes(burst.after as i64),
            units::bytes(burst.kernel_after as i64),
        ];
        let cells: String = cells
            .iter()
            .map(|cell| format!("<td class=\"n\">{cell}</td>"))
            .collect();
        let width = 100.0 * burst.peak as f64 / most as f64;
        rows += &format!(
            "<tr><td>{}</td>{cells}<td style=\"width:22%\"><span class=\"bar\" \
             style=\"width:{width:.1}%\"></span></td></tr>",
            index + 1
        );
    }
    format!(
        "<section><h2>Bursts</h2><p>All connect, each exchanges one message, all leave; then \
         again. The bars are the most that the server had resident in each.</p>\
         <div class=\"wide\"><table><tr><th>burst</th>\
         <th class=\"n\">connects/s</th><th class=\"n\">echoes/s</th>\
         <th class=\"n\">closes/s</th><th class=\"n\">server, peak</th>\
         <th class=\"n\">server, after</th><th class=\"n\">kernel, after</th><th></th></tr>\
         {rows}</table></div></section>"
    )
}
