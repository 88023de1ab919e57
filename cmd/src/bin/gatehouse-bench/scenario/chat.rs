//! Users who are logged in write to each other, in pairs and in groups, at a given rate.
//!
//! ```text
//!   user 2n ⇄ user 2n + 1        direct messages, numbered by their sender
//!   user u  ─▶ group u mod G      every other message, if there are groups
//! ```
//!
//! A body is `direct sequence time` or `group sender-and-sequence time`, so that a receiver knows
//! what it has missed and how long it took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::ConnId;
use network::Ctx;
use network::codec::MessageKind;

use super::{Needs, Pacer, Setup, connections, headline, outcome};
use crate::latency::Latency;
use crate::load::{Dialer, End, Opened, Place, Script, Wait};
use crate::native::{self, Incoming, Login, Names, Reply, Request, Writer};
use crate::options::{Chat, Common};
use crate::report::Report;
use crate::units;

/// Users who begin something in one turn.
const USERS_PER_TURN: usize = 256;
/// Time for logins, and for groups to be made and joined.
const SETUP_TIME: Duration = Duration::from_secs(60);

/// What the threads must know of each other: ids that the server gave, and how many messages it
/// took for which group.
#[derive(Debug)]
struct Town {
    /// By number of the user; zero while not logged in.
    users: Vec<AtomicU64>,
    groups: Vec<Group>,
}

#[derive(Debug, Default)]
struct Group {
    id: AtomicU64,
    members: AtomicU64,
    accepted: AtomicU64,
}

impl Town {
    fn group(&self, number: u32) -> Option<&Group> {
        let groups = self.groups.len();
        (groups > 0).then(|| &self.groups[number as usize % groups])
    }

    /// Pushes that the group messages taken so far lead to: one for each other member.
    fn group_pushes(&self) -> u64 {
        let pushes = |group: &Group| {
            let members = group.members.load(Ordering::Relaxed);
            group.accepted.load(Ordering::Relaxed) * members.saturating_sub(1)
        };
        self.groups.iter().map(pushes).sum()
    }
}

/// Lets the users of one thread talk.
#[derive(Debug)]
struct Talk {
    place: Place,
    town: Arc<Town>,
    login: Login,
    writer: Writer,
    size: usize,
    /// By slot.
    users: Vec<User>,
    /// Slot of the next to speak.
    speaker: usize,
    /// The slot to go on joining groups from.
    joining: Option<usize>,
    next_is_group: bool,
    result: Talked,
}

#[derive(Clone, Copy, Debug, Default)]
struct User {
    /// `None` before the login, and after the end.
    conn: Option<ConnId>,
    number: u32,
    member: bool,
    /// Direct messages sent, and the last that was heard.
    sent: u64,
    heard: u64,
}

/// What a thread has found.
#[derive(Debug, Default)]
struct Talked {
    reply: Latency,
    direct: Latency,
    group: Latency,
    requests: u64,
    replies: u64,
    direct_accepted: u64,
    direct_heard: u64,
    group_heard: u64,
    repeated: u64,
    overtaken: u64,
    unreadable: u64,
    /// Sends that found nobody to speak.
    idle: u64,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    CreateGroups,
    JoinGroups,
    Speak(u32),
}

impl Talk {
    fn request(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, request: Request, group: u64) {
        let data = format_args!(r#"{{"group":{group}}}"#);
        // A connection that is gone is counted when its end is reported.
        let _ = ctx.send(
            conn,
            MessageKind::Text,
            self.writer.request(request, 0, data),
        );
    }

    /// The next user who can speaks.
    fn speak(&mut self, ctx: &mut Ctx<'_>) {
        let to_group = self.next_is_group && !self.town.groups.is_empty();
        self.next_is_group = !self.next_is_group;
        for _ in 0..self.users.len() {
            self.speaker = (self.speaker + 1) % self.users.len();
            let user = &mut self.users[self.speaker];
            let Some(conn) = user.conn else { continue };
            let now = self.place.nanos();
            let size = self.size;
            let message = if to_group {
                let Some(group) = self.town.group(user.number).filter(|_| user.member) else {
                    continue;
                };
                let id = group.id.load(Ordering::Relaxed);
                let head = format!("group {} {now} ", user.number);
                let data = format_args!(r#"{{"to":{{"group":{id}}},"body":"{head:.<size$}"}}"#);
                self.writer.request(Request::Group, now, data)
            } else {
                let partner = self.town.users.get(user.number as usize ^ 1);
                let id = partner.map_or(0, |id| id.load(Ordering::Relaxed));
                if id == 0 {
                    continue;
                }
                let head = format!("direct {} {now} ", user.sent + 1);
                let data = format_args!(r#"{{"to":{{"user":{id}}},"body":"{head:.<size$}"}}"#);
                self.writer.request(Request::Direct, now, data)
            };
            if ctx.send(conn, MessageKind::Text, message).is_ok() {
                user.sent += u64::from(!to_group);
                self.result.requests += 1;
                self.place.tally.sent.add(1);
                return;
            }
        }
        self.result.idle += 1;
    }

    fn on_reply(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, reply: &Reply, now: u64) {
        let user = self.login.on_reply(ctx, conn, reply, &self.place.tally);
        let slot = conn.slot() as usize;
        let number = self.users[slot].number;
        if let Some(id) = user {
            self.town.users[number as usize].store(id, Ordering::Relaxed);
            self.users[slot].conn = Some(conn);
        }
        let group = self.town.group(number);
        match (&reply.outcome, reply.request, group) {
            (Ok(outcome), Request::Create, Some(group)) => {
                group.id.store(outcome.group, Ordering::Relaxed);
                group.members.fetch_add(1, Ordering::Relaxed);
                self.users[slot].member = true;
            }
            (Ok(_), Request::Join, Some(group)) => {
                group.members.fetch_add(1, Ordering::Relaxed);
                self.users[slot].member = true;
            }
            (Ok(_), Request::Group, Some(group)) => {
                group.accepted.fetch_add(1, Ordering::Relaxed);
            }
            (Ok(_), Request::Direct, _) => self.result.direct_accepted += 1,
            _ => {}
        }
        if matches!(reply.request, Request::Direct | Request::Group) {
            self.result.replies += 1;
            self.result.reply.record(now - reply.nanos);
            self.place.tally.answered.add(1);
        }
    }

    fn on_push(&mut self, conn: ConnId, body: &str, now: u64) {
        let mut words = body.split(' ');
        let (Some(kind), Some(Ok(sequence)), Some(Ok(sent))) = (
            words.next(),
            words.next().map(str::parse::<u64>),
            words.next().map(str::parse::<u64>),
        ) else {
            return;
        };
        let user = &mut self.users[conn.slot() as usize];
        let latency = now.saturating_sub(sent);
        if kind == "direct" {
            if sequence <= user.heard {
                self.result.repeated += 1;
                return;
            }
            self.result.overtaken += sequence - user.heard - 1;
            user.heard = sequence;
            self.result.direct_heard += 1;
            self.result.direct.record(latency);
        } else {
            self.result.group_heard += 1;
            self.result.group.record(latency);
        }
        self.place.tally.delivered.add(1);
    }
}

impl Script for Talk {
    type Order = Order;
    type Outcome = Talked;

    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened) {
        let slot = opened.conn.slot() as usize;
        if slot >= self.users.len() {
            self.users.resize(slot + 1, User::default());
        }
        self.users[slot] = User {
            number: opened.number,
            ..User::default()
        };
        self.login.begin(ctx, opened.conn, opened.number);
    }

    fn on_message(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, payload: &[u8]) {
        let now = self.place.nanos();
        match native::read(payload) {
            Incoming::Reply(reply) => self.on_reply(ctx, conn, &reply, now),
            // What others say to all is not ours.
            Incoming::Message {
                conversation: "all",
                ..
            }
            | Incoming::Other => {}
            Incoming::Message { body, .. } => self.on_push(conn, body, now),
            Incoming::Unreadable => self.result.unreadable += 1,
        }
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        self.login.heartbeat(ctx, conn);
    }

    fn on_end(&mut self, _: &mut Dialer, conn: ConnId, _: End) {
        let user = std::mem::take(&mut self.users[conn.slot() as usize]);
        self.town.users[user.number as usize].store(0, Ordering::Relaxed);
    }

    fn on_order(&mut self, ctx: &mut Ctx<'_>, _: &mut Dialer, order: Order) {
        match order {
            Order::CreateGroups => {
                for slot in 0..self.users.len() {
                    let User { conn, number, .. } = self.users[slot];
                    let Some(conn) = conn.filter(|_| (number as usize) < self.town.groups.len())
                    else {
                        continue;
                    };
                    let data = format_args!(r#"{{"name":"bench {number}"}}"#);
                    // As above.
                    let request = self.writer.request(Request::Create, 0, data);
                    let _ = ctx.send(conn, MessageKind::Text, request);
                }
            }
            Order::JoinGroups => self.joining = Some(0),
            Order::Speak(n) => {
                for _ in 0..n {
                    self.speak(ctx);
                }
            }
        }
    }

    fn on_turn(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let Some(from) = self.joining else {
            return false;
        };
        let to = (from + USERS_PER_TURN).min(self.users.len());
        for slot in from..to {
            let User {
                conn,
                number,
                member,
                ..
            } = self.users[slot];
            let id = self
                .town
                .group(number)
                .map_or(0, |group| group.id.load(Ordering::Relaxed));
            if let Some(conn) = conn
                && !member
                && id != 0
            {
                self.request(ctx, conn, Request::Join, id);
            }
        }
        self.joining = (to < self.users.len()).then_some(to);
        self.joining.is_some()
    }

    fn finish(&mut self) -> Talked {
        std::mem::take(&mut self.result)
    }
}

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
    let town = Arc::new(Town {
        users: (0..users).map(|_| AtomicU64::new(0)).collect(),
        groups: (0..options.groups).map(|_| Group::default()).collect(),
    });
    let names = Names::draw();
    let mut load = setup.start(|place| Talk {
        place,
        town: Arc::clone(&town),
        login: Login::new(names),
        writer: Writer::default(),
        size: options.size as usize,
        users: Vec::new(),
        speaker: 0,
        joining: None,
        next_is_group: false,
        result: Talked::default(),
    })?;

    let begin = Instant::now();
    let mut waits = vec![load.connect()?];
    let open = load.totals().open();
    let go_on = |waits: &[Wait]| {
        !waits
            .iter()
            .any(|wait| matches!(wait, Wait::Gone | Wait::Interrupted))
    };
    if go_on(&waits) {
        waits.push(load.wait(
            "logging in",
            SETUP_TIME,
            |totals| totals.logged_in >= open,
            |totals| {
                format!(
                    "{} of {}",
                    units::count(totals.logged_in),
                    units::count(open)
                )
            },
        )?);
    }
    let logged_in = load.totals().logged_in;
    let members = || {
        town.groups
            .iter()
            .map(|group| group.members.load(Ordering::Relaxed))
            .sum::<u64>()
    };
    for (order, count) in [
        (Order::CreateGroups, u64::from(options.groups)),
        (Order::JoinGroups, logged_in),
    ] {
        if options.groups > 0 && go_on(&waits) {
            load.order_all(|| order);
            waits.push(load.wait(
                "joining groups",
                SETUP_TIME,
                |_| members() >= count,
                |_| format!("{} of {}", units::count(members()), units::count(count)),
            )?);
        }
    }

    let processor = setup.watch();
    let talking = Instant::now();
    if go_on(&waits) {
        let mut pacer = Pacer::new(options.rate, setup.plan.threads);
        waits.push(load.pace(
            "chatting",
            options.duration,
            Duration::from_millis(1),
            |load, _, elapsed| {
                for (thread, n) in pacer.due(elapsed) {
                    load.order(thread, Order::Speak(n));
                }
                false
            },
            |totals, elapsed| {
                let rate = units::per_second(totals.sent, elapsed);
                format!(
                    "{} msg/s, {} unanswered",
                    units::count(rate as u64),
                    units::count(totals.outstanding())
                )
            },
        )?);
    }
    let span = talking.elapsed();
    let cores = processor.cores();
    if load.totals().sent > 0 {
        // Direct messages lead to one push each, those to groups to many.
        let mut quiet = (0, Instant::now());
        load.drain(
            |totals| {
                let seen = totals.answered + totals.delivered;
                if seen != quiet.0 {
                    quiet = (seen, Instant::now());
                }
                // Nothing has come for a while, and nothing is owed: pushes to a group may be on
                // their way when its sender has the reply.
                totals.answered >= totals.sent && quiet.1.elapsed() > Duration::from_millis(300)
            },
            |totals| format!("{} replies to come", units::count(totals.outstanding())),
        )?;
    }
    let lasted = begin.elapsed();
    let ended = load.finish()?;

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
    summarize(&mut report, &ended.outcomes, &town, span);
    setup.processor(&mut report, cores);
    outcome(&mut report, &waits, lasted);
    Ok(report)
}

fn summarize(report: &mut Report, outcomes: &[Talked], town: &Town, span: Duration) {
    let sum = |field: fn(&Talked) -> u64| outcomes.iter().map(field).sum::<u64>();
    let (requests, replies) = (sum(|one| one.requests), sum(|one| one.replies));
    let pushes = sum(|one| one.direct_accepted) + town.group_pushes();
    let heard = sum(|one| one.direct_heard) + sum(|one| one.group_heard);
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
    section.count_if_any("repeated", "repeated", sum(|one| one.repeated));
    section.count_if_any("out_of_order", "out of order", sum(|one| one.overtaken));
    section.count_if_any("unreadable", "unreadable", sum(|one| one.unreadable));
    section.count_if_any(
        "unexpected",
        "pushed too often",
        heard.saturating_sub(pushes),
    );
    section.count_if_any("idle", "nobody to send", sum(|one| one.idle));
    let (mut reply, mut direct, mut group) =
        (Latency::default(), Latency::default(), Latency::default());
    for one in outcomes {
        reply.merge(&one.reply);
        direct.merge(&one.direct);
        group.merge(&one.group);
    }
    let rows = [
        ("reply", "send to reply", &reply),
        ("direct", "send to receiver", &direct),
        ("group", "send to member", &group),
    ];
    report.latencies(&rows[..if town.groups.is_empty() { 2 } else { 3 }]);
    report.problem(requests.saturating_sub(replies), "reply", "lost");
    report.problem(pushes.saturating_sub(heard), "push", "lost");
    report.problem(heard.saturating_sub(pushes), "push", "too many");
    report.problem(sum(|one| one.repeated), "push", "repeated");
    report.problem(sum(|one| one.overtaken), "push", "out of order or lost");
    report.problem(sum(|one| one.unreadable), "message", "unreadable");
    report.problem(sum(|one| one.idle), "message", "that nobody could send");
    if requests == 0 {
        report.fault("no message was sent");
    }
}
