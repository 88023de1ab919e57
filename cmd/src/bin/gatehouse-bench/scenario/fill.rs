//! Making a store without a server.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use module::im::now_ms;
use module::storage::sqlite::Rules;
use module::storage::sqlite::fill::{self, Filling};

use super::headline;
use crate::options::{Common, Fill};
use crate::progress::Progress;
use crate::report::Report;
use crate::units;

pub(super) fn run(options: &Fill, common: &Common) -> anyhow::Result<Report> {
    let in_groups = match options.group_messages {
        None if options.groups > 0 => options.messages / 10,
        given => given.unwrap_or(0),
    };
    let filling = Filling {
        users: options.users,
        peers: options.peers,
        groups: options.groups,
        members: options.members,
        messages: options.messages,
        group_messages: in_groups,
        body_bytes: options.size as usize,
        search: !options.no_search,
        rules: Rules::default(),
        now_ms: now_ms(),
    };
    let mut shown = Progress::new(common.quiet);
    let begun = Instant::now();
    let mut steps: Vec<(&'static str, Instant)> = Vec::new();
    fill::fill(&options.store, &filling, &mut |progress| {
        if steps.last().is_none_or(|(step, _)| *step != progress.step) {
            steps.push((progress.step, Instant::now()));
        }
        shown.update(progress.step, progress.done, progress.all, || {
            let (done, all) = (units::count(progress.done), units::count(progress.all));
            format!("{done} of {all}")
        });
    })?;
    let took = begun.elapsed();
    shown.end();

    let file = options.store.join("gatehouse.db");
    let bytes = file.metadata().context("the store that was made")?.len();
    let what = headline(&[
        units::plural(options.users.into(), "user"),
        units::plural(options.groups.into(), "group"),
        units::plural(options.messages.into(), "message"),
    ]);
    let mut report = Report::new("fill", format!("fill {}  {what}", options.store.display()));
    let mut section = report.section("store", "Store");
    let size = units::bytes(bytes.try_into().unwrap_or(i64::MAX));
    section.show("bytes", "size", size, bytes);
    let each = bytes as f64 / f64::from(options.messages.max(1));
    section.show("bytes_each", "of a message", format!("{each:.0}"), each);
    section.note("B, everything included");
    section.seconds("seconds", "time", took.as_secs_f64());
    let rate = units::per_second(options.messages.into(), took);
    section.rate("per_second", "rate", rate, "msg");
    let ends = steps.iter().skip(1).map(|&(_, at)| at);
    let spans = steps.iter().zip(ends.chain([begun + took]));
    let mut times = report.section("steps", "Steps");
    for (&(step, from), to) in spans {
        let span: Duration = to.duration_since(from);
        times.seconds(step, step, span.as_secs_f64());
    }
    Ok(report)
}
