//! One sends to all, round by round: how long until the first, the median, the last has it?

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use common::ConnId;
use network::Ctx;
use network::codec::MessageKind;

use super::{Needs, Setup, connections, goes_on, headline, log_in, outcome, posted};
use crate::latency::Latency;
use crate::load::{Dialer, End, Load, Opened, Place, Script, Wait};
use crate::native::{self, Incoming, Login, Names, Request, Writer};
use crate::options::{Broadcast, Common, Protocol};
use crate::report::Report;
use crate::units;

/// The connection that sends; all others receive.
const SENDER: u32 = 0;
/// What stands around the numbers in a body, so that they are found whatever a server puts in
/// front.
const OPEN: &[u8] = b"[gb ";
/// Time for the threads to take an order.
const ORDER_TIME: Duration = Duration::from_millis(20);
/// Rounds shown one by one; the JSON has all.
const ROUNDS_SHOWN: usize = 10;

/// Listens, and in one thread sends.
#[derive(Debug)]
struct Listen {
    place: Place,
    names: Names,
    /// Logs in; `None` if the server passes on whatever it is told.
    login: Option<Login>,
    /// In JSON, whom the sender writes to.
    to: String,
    /// One of the connections sends.
    sends: bool,
    writer: Writer,
    kind: MessageKind,
    size: usize,
    sender: Option<ConnId>,
    round: u32,
    /// By slot: the round that each receiver has heard last.
    heard: Vec<u32>,
    /// Nanoseconds from the send to each arrival of this round.
    arrivals: Vec<u64>,
    results: Sender<Vec<u64>>,
    oddities: Oddities,
}

/// What should not happen.
#[derive(Clone, Copy, Debug, Default)]
struct Oddities {
    /// Received twice.
    repeated: u64,
    /// Received after its round had ended.
    late: u64,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    /// A round begins; the thread that has the sender sends.
    Round(u32),
    /// A round is over: hand over the arrivals.
    Collect,
}

impl Listen {
    fn send(&mut self, ctx: &mut Ctx<'_>) {
        let Some(conn) = self.sender else { return };
        let nanos = self.place.nanos();
        let body = body(self.names.mark(), self.round, nanos, self.size);
        let sent = if self.login.is_some() {
            let to = &self.to;
            let data = format_args!(r#"{{"to":{to},"body":"{body}"}}"#);
            ctx.send(
                conn,
                self.kind,
                self.writer.request(Request::All, nanos, data),
            )
        } else {
            ctx.send(conn, self.kind, body.as_bytes())
        };
        if sent.is_ok() {
            self.place.tally.sent.add(1);
        }
    }
}

/// A body that says in which round it was sent, and when.
fn body(mark: u32, round: u32, nanos: u64, size: usize) -> String {
    let head = format!("[gb {mark:08x} {round} {nanos}]");
    format!("{head:.<size$}")
}

/// The round and the time of sending that a body of this run carries.
fn stamp(payload: &[u8], mark: u32) -> Option<(u32, u64)> {
    let at = payload
        .windows(OPEN.len())
        .position(|window| window == OPEN)?;
    let rest = &payload[at + OPEN.len()..];
    let end = rest.iter().position(|&byte| byte == b']')?;
    let mut words = std::str::from_utf8(&rest[..end]).ok()?.split(' ');
    (u32::from_str_radix(words.next()?, 16).ok()? == mark).then_some(())?;
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

impl Script for Listen {
    type Order = Order;
    type Outcome = Oddities;

    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened) {
        let slot = opened.conn.slot() as usize;
        if slot >= self.heard.len() {
            self.heard.resize(slot + 1, 0);
        }
        self.heard[slot] = 0;
        if opened.number == SENDER && self.sends {
            self.sender = Some(opened.conn);
        }
        match &mut self.login {
            Some(login) => login.begin(ctx, opened.conn, opened.number),
            None => self.place.tally.logged_in.add(1),
        }
    }

    fn on_message(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, payload: &[u8]) {
        let now = self.place.nanos();
        if let Some((round, sent)) = stamp(payload, self.names.mark()) {
            // A raw server tells the sender as well.
            if self.sender == Some(conn) {
                return;
            }
            let heard = &mut self.heard[conn.slot() as usize];
            if round == *heard {
                self.oddities.repeated += 1;
            } else if round != self.round {
                self.oddities.late += 1;
            } else {
                *heard = round;
                self.arrivals.push(now.saturating_sub(sent));
                self.place.tally.delivered.add(1);
            }
        } else if let Some(login) = &mut self.login
            && let Incoming::Reply(reply) = native::read(payload)
        {
            login.on_reply(ctx, conn, &reply, &self.place.tally);
            if reply.request == Request::All {
                self.place.tally.answered.add(1);
            }
        }
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        if let Some(login) = &mut self.login {
            login.heartbeat(ctx, conn);
        }
    }

    fn on_end(&mut self, _: &mut Dialer, conn: ConnId, _: End) {
        if self.sender == Some(conn) {
            self.sender = None;
        }
    }

    fn on_order(&mut self, ctx: &mut Ctx<'_>, _: &mut Dialer, order: Order) {
        match order {
            Order::Round(round) => {
                self.round = round;
                self.send(ctx);
            }
            Order::Collect => {
                let room = Vec::with_capacity(self.arrivals.len());
                // The main thread waits for it.
                let _ = self
                    .results
                    .send(std::mem::replace(&mut self.arrivals, room));
            }
        }
    }

    fn finish(&mut self) -> Oddities {
        self.oddities
    }
}

/// One round, over all threads.
#[derive(Clone, Copy, Debug)]
struct Round {
    expected: u64,
    received: u64,
    first: u64,
    median: u64,
    last: u64,
}

pub(super) fn run(options: &Broadcast, common: &Common) -> anyhow::Result<Report> {
    let native = options.protocol == Protocol::Native;
    if !native && options.names.is_some() {
        anyhow::bail!("--names and --group are for servers that speak the native protocol");
    }
    // What is posted comes from none of the connections.
    let sends = options.protocol != Protocol::Posted;
    let needs = Needs {
        connections: options.receivers.saturating_add(sends.into()),
        native,
        text: true,
        message_bytes: options.size + 512,
        in_flight: 1,
        ..Needs::default()
    };
    let setup = Setup::new(common, needs)?;
    let names = Names::draw();
    let (results, parts) = mpsc::channel();
    let mut load = setup.start(|place| Listen {
        place,
        names,
        login: native.then(|| match &options.names {
            Some(prefix) => Login::known(prefix.clone()),
            None => Login::new(names),
        }),
        to: match options.group {
            Some(group) => format!(r#"{{"group":{group}}}"#),
            None => r#"{"all":true}"#.to_owned(),
        },
        sends,
        writer: Writer::default(),
        kind: MessageKind::Text,
        size: options.size as usize,
        sender: None,
        round: 0,
        heard: Vec::new(),
        arrivals: Vec::new(),
        results: results.clone(),
        oddities: Oddities::default(),
    })?;

    let begin = Instant::now();
    let mut waits = vec![load.connect()?];
    if goes_on(&waits) {
        waits.push(log_in(&mut load)?);
    }
    let logged_in = load.totals().logged_in;
    let processor = setup.watch();
    let mut rounds = Vec::new();
    let mut latency = Latency::default();
    while goes_on(&waits) && rounds.len() < options.rounds as usize {
        // Joining messages of others settle, and the rounds do not run into each other.
        waits.push(load.wait("broadcasting", options.pause, |_| false, |_| String::new())?);
        let number = rounds.len() as u32 + 1;
        let post = |nanos| {
            let body = body(names.mark(), number, nanos, options.size as usize);
            posted::broadcast(setup.targets[0].addr, body.as_bytes())
        };
        let post: Option<&dyn Fn(u64) -> anyhow::Result<()>> =
            if sends { None } else { Some(&post) };
        let (wait, round) = round(&mut load, &parts, number, options, post, &mut latency)?;
        waits.push(wait);
        // Who had yet to receive a round that was cut short has not lost it.
        if wait != Wait::Interrupted {
            rounds.push(round);
        }
    }
    let cores = processor.cores();
    let ended = load.finish()?;

    let what = headline(&[
        units::plural(options.receivers.into(), "receiver"),
        units::plural(options.rounds.into(), "round"),
        units::bytes(options.size.into()),
    ]);
    let mut report = setup.report("broadcast", &what);
    connections(
        &mut report,
        &ended,
        &[("logged_in", "logged in", logged_in)],
    );
    let missing = ended.totals.open().saturating_sub(ended.totals.logged_in);
    if native && !ended.interrupted {
        report.problem(missing, "user", "not logged in");
    }
    summarize(&mut report, &rounds, &ended.outcomes);
    report.latencies(&[("delivery", "send to receiver", &latency)]);
    setup.processor(&mut report, cores);
    outcome(&mut report, &waits, begin.elapsed());
    Ok(report)
}

/// One broadcast, until everyone has it.
fn round(
    load: &mut Load<Listen>,
    parts: &Receiver<Vec<u64>>,
    number: u32,
    options: &Broadcast,
    post: Option<&dyn Fn(u64) -> anyhow::Result<()>>,
    latency: &mut Latency,
) -> anyhow::Result<(Wait, Round)> {
    let threads = usize::from(load.plan().threads);
    let before = load.totals();
    let senders = u64::from(post.is_none());
    let expected = before.open().min(before.logged_in).saturating_sub(senders);
    // The sender is in thread 0: the others know of the round before it can reach them.
    for thread in (0..threads).rev() {
        load.order(thread, Order::Round(number));
    }
    if let Some(post) = post {
        // All threads know of the round by then.
        load.rest(ORDER_TIME)?;
        post(load.nanos())?;
    }
    let wait = load.pace(
        "broadcasting",
        options.round_timeout,
        Duration::from_millis(2),
        |_, totals, _| totals.delivered - before.delivered >= expected,
        |totals, _| {
            let received = totals.delivered - before.delivered;
            format!(
                "round {number} of {}, {} of {} have it",
                options.rounds,
                units::count(received),
                units::count(expected)
            )
        },
    )?;
    load.order_all(|| Order::Collect);
    let mut arrivals = Vec::new();
    for _ in 0..threads {
        arrivals.append(&mut parts.recv_timeout(Duration::from_secs(10))?);
    }
    arrivals.sort_unstable();
    for &nanos in &arrivals {
        latency.record(nanos);
    }
    let at = |index: usize| arrivals.get(index).copied().unwrap_or(0);
    let round = Round {
        expected,
        received: arrivals.len() as u64,
        first: at(0),
        median: at(arrivals.len() / 2),
        last: at(arrivals.len().saturating_sub(1)),
    };
    Ok((wait, round))
}

fn summarize(report: &mut Report, rounds: &[Round], oddities: &[Oddities]) {
    let columns = ["receivers", "first", "median", "last"]
        .map(str::to_owned)
        .to_vec();
    let title = if rounds.len() > ROUNDS_SHOWN {
        "Last rounds"
    } else {
        "Rounds"
    };
    report.table(title, columns);
    for (index, round) in rounds
        .iter()
        .enumerate()
        .skip(rounds.len().saturating_sub(ROUNDS_SHOWN))
    {
        let times = [round.first, round.median, round.last].map(units::nanos);
        let received = [units::count(round.received)];
        report.row(
            &(index + 1).to_string(),
            received.into_iter().chain(times).collect(),
        );
    }
    let all: Vec<_> = rounds
        .iter()
        .map(|round| {
            serde_json::json!({
                "expected": round.expected,
                "received": round.received,
                "first_us": round.first as f64 / 1e3,
                "median_us": round.median as f64 / 1e3,
                "last_us": round.last as f64 / 1e3,
            })
        })
        .collect();
    report.fact("rounds", all);

    let received: u64 = rounds.iter().map(|round| round.received).sum();
    let expected: u64 = rounds.iter().map(|round| round.expected).sum();
    let lost = expected.saturating_sub(received);
    let repeated: u64 = oddities.iter().map(|one| one.repeated).sum();
    let late: u64 = oddities.iter().map(|one| one.late).sum();
    let time: u64 = rounds.iter().map(|round| round.last).sum();
    let mut section = report.section("messages", "Messages");
    section.count("received", "received", received);
    section.note(&format!("of {}", units::count(expected)));
    section.count("lost", "lost", lost);
    section.count_if_any("repeated", "received twice", repeated);
    section.count_if_any("late", "after their round", late);
    let rate = units::per_second(received, Duration::from_nanos(time));
    section.rate("per_second", "deliveries", rate, "msg");
    section.note("msg/s within the rounds");
    report.problem(lost, "message", "lost");
    report.problem(repeated, "message", "received twice");
    if rounds.is_empty() {
        report.fault("no round was completed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_wherever_it_stands() {
        let push = br#"{"push":"message","data":{"body":"[gb 0000beef 7 123456789]....."}}"#;
        assert_eq!(stamp(push, 0xbeef), Some((7, 123_456_789)));
        assert_eq!(stamp(push, 0xbeee), None, "another run's");
        assert_eq!(stamp(b"0.1.0: [gb 00000001 2 3]", 1), Some((2, 3)));
        for other in [&b"hello"[..], b"[gb ", b"[gb 1 2]", b"[gb x y z]"] {
            assert_eq!(stamp(other, 1), None);
        }
    }
}
