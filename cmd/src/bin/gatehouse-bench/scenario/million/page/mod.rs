//! The report as one HTML page that needs nothing beside itself: what was found at a glance, what
//! went on over time, and the verdict.

mod charts;
mod plot;

// For strings, to which writing does not fail: what `write!` answers is left.
use std::fmt::Write as _;

use super::findings::Findings;
use super::verdict::{Line, Mark};
use crate::report::Report;
use crate::units;

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(super) fn render(findings: &Findings, lines: &[Line], report: &Report) -> String {
    let shape = &findings.shape;
    let all_judged = lines.iter().all(|line| line.mark != Mark::Unjudged);
    let (class, verdict) = match report.is_ok() {
        true if all_judged => ("good", "Every threshold kept"),
        true => ("good", "Passed, as far as judged"),
        false => ("bad", "Not passed"),
    };
    let count = units::count(shape.connections.into());
    let style = STYLE;
    let lede = format!(
        "{} on one process of {}, and as many ends of the load client beside it on the same host: \
         {}, {} of memory, {} open files a table. Heartbeats every {} s.",
        shape.framing,
        units::plural(shape.reactors.into(), "reactor"),
        units::plural(shape.cores as u64, "core"),
        units::bytes(shape.memory as i64),
        units::count(shape.descriptors),
        shape.heartbeat,
    );
    let mut body = format!(
        "<header><div><p class=\"name\">Gatehouse · gatehouse-bench million</p>\
         <h1>{count} connections</h1><p>{lede}</p></div>\
         <span class=\"badge {class}\">{verdict}</span></header>"
    );
    body += &tiles(findings);
    body += &charts::over_time(findings);
    body += &charts::distributions(findings);
    body += &charts::bursts(findings);
    body += &kernel(findings);
    body += &verdicts(lines, report);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Gatehouse: {count} connections</title><style>{style}</style></head>\
         <body><main>{body}{}</main></body></html>\n",
        footer(findings)
    )
}

/// What one wants to know first.
fn tiles(findings: &Findings) -> String {
    let mut tiles = String::from("<div class=\"tiles\">");
    let mut tile = |value: &str, unit: &str, what: &str, more: &str| {
        // A string never refuses.
        let _ = write!(
            tiles,
            "<div class=\"tile\"><b>{value} <small>{unit}</small></b><span>{what}</span>\
             <em>{more}</em></div>"
        );
    };
    if let Some(full) = &findings.full {
        let server = findings.each(full.server_growth(&findings.start));
        let whole = units::bytes(full.server_growth(&findings.start) as i64);
        tile(
            &format!("{server:.0}"),
            "bytes",
            "of the server per connection",
            &format!("{whole} in all, net of the start"),
        );
        let kernel = findings.each(full.kernel_growth(&findings.start));
        let whole = units::bytes(full.kernel_growth(&findings.start) as i64);
        tile(
            &units::count(kernel.round() as u64),
            "bytes",
            "of the kernel per connection",
            &format!("{whole} in all, for both ends"),
        );
    }
    if let Some(opened) = &findings.opened {
        let rate = units::per_second(opened.connections, opened.took);
        tile(
            &units::count(rate as u64),
            "/s",
            "connections opened",
            &format!("all within {}", units::duration(opened.took)),
        );
    }
    if let Some(idle) = &findings.idle {
        let cores = idle.cores.server.unwrap_or_default();
        let rate = units::per_second(idle.heartbeats, idle.took) as u64;
        tile(
            &format!("{cores:.2}"),
            "cores",
            "of the server while all are idle",
            &format!("{} heartbeats a second", units::count(rate)),
        );
    }
    if let Some(half) = findings.echoes.iter().find(|echoes| echoes.key == "half") {
        let at = |quantile| units::nanos(half.latency.quantile(quantile));
        let p99 = at(0.99);
        let (value, unit) = p99.split_once(' ').unwrap_or((&p99, ""));
        tile(
            value,
            unit,
            "p99 of an echo at half of saturation",
            &format!(
                "{}/s of {} B; p50 {}, p99.9 {}",
                units::count(half.per_second as u64),
                units::count(findings.shape.size.into()),
                at(0.5),
                at(0.999)
            ),
        );
    }
    if let Some(round) = findings.rounds.iter().min_by_key(|round| round.last()) {
        let last = units::nanos(round.last());
        let (value, unit) = last.split_once(' ').unwrap_or((&last, ""));
        tile(
            value,
            unit,
            "until the last has a broadcast",
            &format!(
                "{} receivers, the best of {}",
                units::count(round.received),
                units::plural(findings.rounds.len() as u64, "round")
            ),
        );
    }
    tiles + "</div>"
}

/// What the kernel's part is made of.
fn kernel(findings: &Findings) -> String {
    let Some(full) = &findings.full else {
        return String::new();
    };
    let growth = full.kernel.growth(&findings.start.kernel);
    let most = growth.first().map_or(1, |&(_, bytes)| bytes.max(1));
    let mut rows = String::new();
    for (name, bytes) in &growth {
        let each = findings.each(*bytes);
        if each >= 1.0 {
            let width = 100.0 * *bytes as f64 / most as f64;
            let _ = write!(
                rows,
                "<tr><td><code>{name}</code></td><td class=\"n\">{}</td>\
                 <td class=\"n\">{each:.0} B</td>\
                 <td style=\"width:50%\"><span class=\"bar\" style=\"width:{width:.1}%\"></span>\
                 </td></tr>",
                units::bytes(*bytes as i64)
            );
        }
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<section><h2>Where the kernel's memory goes</h2><p>Caches of objects, with all \
         connections open, net of the start. A connection has two ends here.</p>\
         <div class=\"wide\"><table><tr><th>cache</th><th class=\"n\">all</th>\
         <th class=\"n\">per connection</th><th></th></tr>\
         {rows}</table></div></section>"
    )
}

fn verdicts(lines: &[Line], report: &Report) -> String {
    let mut rows = String::new();
    for line in lines {
        let class = match line.mark {
            Mark::Kept => "good",
            Mark::Missed => "bad",
            Mark::Unjudged => "none",
        };
        let word = line.mark.word();
        let _ = write!(
            rows,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\"><span class=\"mark {class}\">{word}</span></td></tr>",
            line.figure, line.value, line.threshold
        );
    }
    let problems: String = report
        .problems()
        .iter()
        .filter(|problem| !lines.iter().any(|line| problem.starts_with(line.figure)))
        .map(|problem| {
            format!(
                "<p><span class=\"mark bad\">problem</span> {}</p>",
                escape(problem)
            )
        })
        .collect();
    format!(
        "<section><h2>Verdict</h2>{problems}<div class=\"wide\"><table><tr><th>figure</th>\
         <th class=\"n\">measured</th><th class=\"n\">threshold</th><th></th></tr>{rows}\
         </table></div>\
         </section>"
    )
}

fn footer(findings: &Findings) -> String {
    let shape = &findings.shape;
    let lowest = findings
        .lowest_available()
        .map_or_else(String::new, |bytes| {
            format!(
                " The host never had less than {} available.",
                units::bytes(bytes as i64)
            )
        });
    format!(
        "<footer>Version {}. Server memory is anonymous memory in <code>smaps_rollup</code>; the \
         kernel's is slab and TCP buffers of the whole host; both net of what they were before the \
         first connection. Latencies count from when a message was due, not from when it was sent. \
         Load from {} at {} source addresses.{lowest}</footer>",
        env!("CARGO_PKG_VERSION"),
        units::plural(shape.threads.into(), "thread"),
        shape.sources,
    )
}

/// Text as HTML shows it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
