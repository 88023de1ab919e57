//! Open connections and hold them: what does one cost?

use super::hold::Hold;
use super::{Needs, Setup, connections, goes_on, headline, log_in, outcome};
use crate::host::{Memory, kernel_tcp_bytes};
use crate::native::Names;
use crate::options::{Common, Connect};
use crate::report::Report;
use crate::units;

/// What the server's memory was.
#[derive(Clone, Copy, Debug)]
struct Sample {
    memory: Option<Memory>,
    kernel: Option<u64>,
}

impl Sample {
    fn take(pid: Option<u32>) -> anyhow::Result<Self> {
        let memory = pid.map(Memory::of).transpose()?;
        Ok(Self {
            memory,
            kernel: kernel_tcp_bytes(),
        })
    }
}

pub(super) fn run(options: &Connect, common: &Common) -> anyhow::Result<Report> {
    let needs = Needs {
        connections: options.connections,
        native: options.login,
        message_bytes: 256,
        in_flight: 1,
        ..Needs::default()
    };
    let setup = Setup::new(common, needs)?;
    let names = options.login.then(Names::draw);
    let mut load = setup.start(|place| Hold::new(place, names))?;

    let before = Sample::take(common.pid)?;
    let mut waits = vec![load.connect()?];
    let open = load.totals().open();
    if options.login && goes_on(&waits) {
        waits.push(log_in(&mut load)?);
    }
    let processor = setup.watch();
    if goes_on(&waits) {
        waits.push(load.wait(
            "holding",
            options.hold,
            |_| false,
            |totals| format!("{} open", units::count(totals.open())),
        )?);
    }
    let held = load.totals().open();
    // If the server has gone by now, there is no memory to speak of.
    let after = Sample::take(common.pid).unwrap_or_else(|_| Sample {
        memory: None,
        kernel: kernel_tcp_bytes(),
    });
    let cores = processor.cores();
    let ended = load.finish()?;

    let noun = if options.login {
        "logged-in user"
    } else {
        "connection"
    };
    let what = headline(&[
        units::plural(options.connections.into(), noun),
        format!("held for {}", units::duration(options.hold)),
    ]);
    let mut report = setup.report("connect", &what);
    let users = ended.totals.logged_in;
    let extra = [
        ("held", "held to the end", held),
        ("logged_in", "logged in", users),
    ];
    connections(
        &mut report,
        &ended,
        &extra[..if options.login { 2 } else { 1 }],
    );
    if options.login && !ended.interrupted {
        report.problem(open.saturating_sub(users), "user", "not logged in");
    }
    report.latencies(&[("connect", "until ready", &ended.connect)]);
    memory(&mut report, before, after, held);
    setup.processor(&mut report, cores);
    outcome(&mut report, &waits, options.hold);
    Ok(report)
}

/// One table: what the server holds, and what the kernel holds for both ends.
fn memory(report: &mut Report, before: Sample, after: Sample, held: u64) {
    let columns = ["before", "at full hold", "growth", "per connection"];
    report.table("Memory", columns.map(str::to_owned).to_vec());
    let mut json = serde_json::json!({});
    let mut row = |key: &str, label: &str, before: u64, after: u64| {
        let growth = after as i64 - before as i64;
        let each = if held == 0 {
            0.0
        } else {
            growth as f64 / held as f64
        };
        let cells = [before as i64, after as i64, growth].map(units::bytes);
        report.row(
            label,
            cells.into_iter().chain([format!("{each:.0} B")]).collect(),
        );
        json[key] = serde_json::json!({
            "before_bytes": before, "held_bytes": after, "bytes_per_connection": each,
        });
    };
    if let (Some(before), Some(after)) = (before.memory, after.memory) {
        row(
            "pss_anon",
            "server Pss_Anon",
            before.pss_anon,
            after.pss_anon,
        );
        row(
            "private_dirty",
            "server Private_Dirty",
            before.private_dirty,
            after.private_dirty,
        );
        row("rss", "server RSS", before.rss, after.rss);
    }
    if let (Some(before), Some(after)) = (before.kernel, after.kernel) {
        row("kernel_tcp", "kernel TCP buffers", before, after);
    }
    report.fact("memory", json);
}
