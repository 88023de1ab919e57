//! Users who are logged in write to each other, in pairs and in groups, at a given rate.

use std::time::{Duration, Instant};

use super::talk::{Conversation, Order, Talked};
use super::town::Town;
use super::{Needs, SETUP_TIME, Setup, connections, goes_on, headline, log_in, outcome};
use crate::options::{Chat, Common};
use crate::report::Report;
use crate::units;

pub(super) fn run(options: &Chat, common: &Common) -> anyhow::Result<Report> {
    let users = options.users.saturating_add(options.users % 2);
    if options.groups > users {
        anyhow::bail!(
            "--groups {} is more than there are users: {users}",
            options.groups
        );
    }
    let needs = Needs {
        connections: users,
        native: true,
        message_bytes: options.size + 512,
        in_flight: 64,
        ..Needs::default()
    };
    let setup = Setup::new(common, needs)?;
    let town = Town::new(users, options.groups);
    let mut chat = Conversation::start(&setup, &town, options.size)?;

    let begin = Instant::now();
    let mut waits = vec![chat.load.connect()?];
    let open = chat.load.totals().open();
    if goes_on(&waits) {
        waits.push(log_in(&mut chat.load)?);
    }
    let logged_in = chat.load.totals().logged_in;
    for (order, count) in [
        (Order::CreateGroups, u64::from(options.groups)),
        (Order::JoinGroups, logged_in),
    ] {
        if town.has_groups() && goes_on(&waits) {
            chat.load.order_all(|| order);
            waits.push(chat.load.wait(
                "joining groups",
                SETUP_TIME,
                |_| town.members() >= count,
                |_| {
                    let (members, count) = (units::count(town.members()), units::count(count));
                    format!("{members} of {count}")
                },
            )?);
        }
    }

    let processor = setup.watch();
    let talking = Instant::now();
    if goes_on(&waits) {
        waits.push(chat.speak("chatting", options.rate, options.duration, |_| {})?);
    }
    let span = talking.elapsed();
    let cores = processor.cores();
    let talked = chat.collect()?;
    let lasted = begin.elapsed();
    let ended = chat.load.finish()?;

    let groups = if options.groups > 0 {
        format!(
            "pairs and {}",
            units::plural(options.groups.into(), "group")
        )
    } else {
        "pairs".to_owned()
    };
    let what = headline(&[
        units::plural(users.into(), "user"),
        groups,
        format!("{} msg/s asked for", units::count(options.rate.into())),
        units::bytes(options.size.into()),
        units::duration(options.duration),
    ]);
    let mut report = setup.report("chat", &what);
    connections(
        &mut report,
        &ended,
        &[("logged_in", "logged in", logged_in)],
    );
    if !ended.interrupted {
        report.problem(open.saturating_sub(logged_in), "user", "not logged in");
    }
    summarize(&mut report, &talked, &town, span);
    setup.processor(&mut report, cores);
    outcome(&mut report, &waits, lasted);
    Ok(report)
}

fn summarize(report: &mut Report, talked: &Talked, town: &Town, span: Duration) {
    let (requests, replies) = (talked.requests, talked.replies);
    let pushes = talked.direct_accepted + town.group_pushes();
    let heard = talked.direct_heard + talked.group_heard;
    let mut section = report.section("messages", "Messages");
    section.count("sent", "sent", requests);
    section.rate(
        "per_second",
        "rate",
        units::per_second(requests, span),
        "msg",
    );
    section.count("replies", "replies", replies);
    section.count(
        "replies_lost",
        "replies lost",
        requests.saturating_sub(replies),
    );
    section
        .count("pushed", "pushed", heard)
        .note(&format!("of {}", units::count(pushes)));
    let rate = units::per_second(heard, span);
    section.rate("pushed_per_second", "rate of pushes", rate, "msg");
    section.count("pushes_lost", "pushes lost", pushes.saturating_sub(heard));
    section.count_if_any("repeated", "repeated", talked.repeated);
    section.count_if_any("out_of_order", "out of order", talked.overtaken);
    section.count_if_any("unreadable", "unreadable", talked.unreadable);
    section.count_if_any(
        "unexpected",
        "pushed too often",
        heard.saturating_sub(pushes),
    );
    section.count_if_any("idle", "nobody to send", talked.idle);
    let rows = [
        ("reply", "send to reply", &talked.reply),
        ("direct", "send to receiver", &talked.direct),
        ("group", "send to member", &talked.group),
    ];
    report.latencies(&rows[..if town.has_groups() { 3 } else { 2 }]);
    faults(report, talked, pushes);
}

/// What must not happen to the messages of a chat that leads to so many pushes.
pub(super) fn faults(report: &mut Report, talked: &Talked, pushes: u64) {
    let heard = talked.direct_heard + talked.group_heard;
    let unanswered = talked.requests.saturating_sub(talked.replies);
    report.problem(unanswered, "reply", "lost");
    report.problem(pushes.saturating_sub(heard), "push", "lost");
    report.problem(heard.saturating_sub(pushes), "push", "too many");
    report.problem(talked.repeated, "push", "repeated");
    report.problem(talked.overtaken, "push", "out of order or lost");
    report.problem(talked.unreadable, "message", "unreadable");
    report.problem(talked.idle, "message", "that nobody could send");
    if talked.requests == 0 {
        report.fault("no message was sent");
    }
}
