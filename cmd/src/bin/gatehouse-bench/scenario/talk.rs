//! The script of users who write to each other, and what becomes of every message.
//!
//! ```text
//!   user 2n ⇄ user 2n + 1        direct messages, numbered by their sender
//!   user u  ─▶ group u mod G      every other message, if there are groups
//! ```
//!
//! A body is `direct sequence time` or `group sender-and-sequence time`, so that a receiver knows
//! what it has missed and how long it took.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use common::ConnId;
use network::Ctx;
use network::codec::MessageKind;

use super::town::Town;
use super::{Pacer, Setup};
use crate::latency::Latency;
use crate::load::{Dialer, End, Load, Opened, Place, Script, Wait};
use crate::native::{self, Incoming, Login, Names, Reply, Request, Writer};
use crate::units;

/// Users who begin something in one turn.
const USERS_PER_TURN: usize = 256;
/// When nothing has come for so long, and nothing is known to be owed, no more will come.
const QUIET: Duration = Duration::from_millis(300);
/// The same where fewer were received than were taken: some may have been refused, or the server
/// is slow.
const SLOW: Duration = Duration::from_secs(2);

/// Lets the users of one thread talk.
#[derive(Debug)]
pub(super) struct Talk {
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
    results: Sender<Talked>,
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

/// What was said and heard since the last time it was asked for.
#[derive(Debug, Default)]
pub(super) struct Talked {
    pub(super) reply: Latency,
    pub(super) direct: Latency,
    pub(super) group: Latency,
    pub(super) requests: u64,
    pub(super) replies: u64,
    /// Messages that the server did not take.
    pub(super) refused: u64,
    pub(super) direct_accepted: u64,
    pub(super) direct_heard: u64,
    pub(super) group_heard: u64,
    pub(super) repeated: u64,
    pub(super) overtaken: u64,
    pub(super) unreadable: u64,
    /// Sends that found nobody to speak.
    pub(super) idle: u64,
}

impl Talked {
    fn add(&mut self, other: &Self) {
        self.reply.merge(&other.reply);
        self.direct.merge(&other.direct);
        self.group.merge(&other.group);
        self.requests += other.requests;
        self.replies += other.replies;
        self.refused += other.refused;
        self.direct_accepted += other.direct_accepted;
        self.direct_heard += other.direct_heard;
        self.group_heard += other.group_heard;
        self.repeated += other.repeated;
        self.overtaken += other.overtaken;
        self.unreadable += other.unreadable;
        self.idle += other.idle;
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    CreateGroups,
    JoinGroups,
    Speak(u32),
    /// Hand over what was found, and begin anew.
    Collect,
}

impl Talk {
    /// The next user who can speaks.
    fn speak(&mut self, ctx: &mut Ctx<'_>) {
        let to_group = self.next_is_group && self.town.has_groups();
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
                let id = group.id();
                let head = format!("group {} {now} ", user.number);
                let data = format_args!(r#"{{"to":{{"group":{id}}},"body":"{head:.<size$}"}}"#);
                self.writer.request(Request::Group, now, data)
            } else {
                let id = self.town.user(Town::partner(user.number));
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
            self.town.set_user(number, id);
            self.users[slot].conn = Some(conn);
        }
        let group = self.town.group(number);
        match (&reply.outcome, reply.request, group) {
            (Ok(outcome), Request::Create, Some(group)) => {
                group.set_id(outcome.group);
                group.add_member();
                self.users[slot].member = true;
            }
            (Ok(_), Request::Join, Some(group)) => {
                group.add_member();
                self.users[slot].member = true;
            }
            (Ok(_), Request::Group, Some(group)) => {
                group.add_accepted();
            }
            (Ok(_), Request::Direct, _) => self.result.direct_accepted += 1,
            (Err(_), Request::Direct | Request::Group, _) => self.result.refused += 1,
            _ => {}
        }
        if matches!(reply.request, Request::Direct | Request::Group) {
            self.result.replies += 1;
            self.result.reply.record(now - reply.number);
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
    type Outcome = ();

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
            | Incoming::Other { .. } => {}
            Incoming::Message { body, .. } => self.on_push(conn, body, now),
            Incoming::Refused { code } => self.place.tally.note_refused(code),
            Incoming::Unreadable => self.result.unreadable += 1,
        }
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        self.login.heartbeat(ctx, conn);
    }

    fn on_end(&mut self, _: &mut Dialer, conn: ConnId, _: End) {
        let user = std::mem::take(&mut self.users[conn.slot() as usize]);
        self.town.set_user(user.number, 0);
    }

    fn on_order(&mut self, ctx: &mut Ctx<'_>, _: &mut Dialer, order: Order) {
        match order {
            Order::CreateGroups => {
                for user in &self.users {
                    if let Some(conn) = user.conn
                        && user.number < self.town.groups()
                    {
                        self.login.create_group(ctx, conn, user.number);
                    }
                }
            }
            Order::JoinGroups => self.joining = Some(0),
            Order::Speak(n) => {
                for _ in 0..n {
                    self.speak(ctx);
                }
            }
            Order::Collect => {
                // The main thread waits for it.
                let _ = self.results.send(std::mem::take(&mut self.result));
            }
        }
    }

    fn on_turn(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let Some(from) = self.joining else {
            return false;
        };
        let to = (from + USERS_PER_TURN).min(self.users.len());
        for slot in from..to {
            let user = &self.users[slot];
            let group = self.town.group(user.number);
            if let (Some(conn), Some(group), false) = (user.conn, group, user.member) {
                self.login.join_group(ctx, conn, group.id());
            }
        }
        self.joining = (to < self.users.len()).then_some(to);
        self.joining.is_some()
    }

    fn finish(&mut self) {}
}

/// The users of a run, and what they are to be told.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) load: Load<Talk>,
    results: Receiver<Talked>,
}

impl Conversation {
    /// Starts the threads of users who write `size` bytes at a time.
    pub(super) fn start(setup: &Setup<'_>, town: &Arc<Town>, size: u32) -> anyhow::Result<Self> {
        let names = Names::draw();
        let (sender, results) = mpsc::channel();
        let load = setup.start(|place| Talk {
            place,
            town: Arc::clone(town),
            login: Login::new(names),
            writer: Writer::default(),
            size: size as usize,
            users: Vec::new(),
            speaker: 0,
            joining: None,
            next_is_group: false,
            result: Talked::default(),
            results: sender.clone(),
        })?;
        Ok(Self { load, results })
    }

    /// Lets them write at `rate` for `time`; `beside` is called every millisecond, with the time
    /// since the begin.
    pub(super) fn speak(
        &mut self,
        name: &'static str,
        rate: u32,
        time: Duration,
        mut beside: impl FnMut(Duration),
    ) -> anyhow::Result<Wait> {
        let mut pacer = Pacer::new(rate, self.load.plan().threads);
        let before = self.load.totals().sent;
        self.load.pace(
            name,
            time,
            Duration::from_millis(1),
            |load, _, elapsed| {
                for (thread, n) in pacer.due(elapsed) {
                    load.order(thread, Order::Speak(n));
                }
                beside(elapsed);
                false
            },
            |totals, elapsed| {
                let rate = units::per_second(totals.sent - before, elapsed);
                format!(
                    "{} msg/s, {} unanswered",
                    units::count(rate as u64),
                    units::count(totals.outstanding())
                )
            },
        )
    }

    /// Waits for what is still to come, then says what was found since the last time.
    pub(super) fn collect(&mut self) -> anyhow::Result<Talked> {
        if self.load.totals().sent > 0 {
            // Direct messages lead to one push each, those to groups to many; and pushes to a
            // group may be on their way when its sender has the reply.
            let mut quiet = (0, Instant::now());
            self.load.drain(
                |totals| {
                    let seen = totals.answered + totals.delivered;
                    if seen != quiet.0 {
                        quiet = (seen, Instant::now());
                    }
                    let owed = totals.delivered < totals.answered;
                    let patience = if owed { SLOW } else { QUIET };
                    totals.answered >= totals.sent && quiet.1.elapsed() > patience
                },
                |totals| format!("{} replies to come", units::count(totals.outstanding())),
            )?;
        }
        self.load.order_all(|| Order::Collect);
        let mut all = Talked::default();
        for _ in 0..self.load.plan().threads {
            all.add(&self.results.recv_timeout(Duration::from_secs(10))?);
        }
        Ok(all)
    }
}
