//! The users of one load thread: they write, keep books, and come back when they have lost their
//! connection.
//!
//! ```text
//!   Absent ─ login ─▶ Behind ─ inbox.sync, pages of channels ─▶ Ready ─ writes
//!      ▲                 ▲                                         │
//!      └── lost ─────────┴──────────────────── told to catch up ───┘
//! ```
//!
//! A body is `im sender count time`: by the sender's own count of its messages the books tell them
//! apart.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use common::ConnId;
use network::Ctx;
use network::codec::MessageKind;

use super::books::{Log, Numbers, Standing};
use crate::latency::Latency;
use crate::load::{Dialer, End, Opened, Place, Script};
use crate::native::{
    self, HistoryPage, Incoming, Login, Message, Names, Reply, Request, SyncPage, Writer,
};
use crate::scenario::town::Town;

/// Users who begin something in one turn.
const USERS_PER_TURN: usize = 256;
/// Messages of one user that may wait for their acknowledgements: fewer than the server lets wait.
const UNANSWERED_MAX: usize = 256;

/// What all threads share.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) town: Arc<Town>,
    /// Users who have caught up.
    pub(super) ready: Arc<AtomicU64>,
    /// Threads that have begun to catch up when they were told to, over the run.
    pub(super) begun: Arc<AtomicU64>,
    pub(super) names: Names,
    /// By number of the user; empty for guests.
    pub(super) tokens: Arc<Vec<String>>,
    pub(super) size: usize,
    /// Of a hundred messages, those to groups.
    pub(super) group_share: u32,
    pub(super) reconnect: bool,
    /// Entries of a page when catching up.
    pub(super) page: usize,
    pub(super) results: Sender<Found>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    CreateGroups,
    JoinGroups,
    /// Ask for what may have been missed.
    CatchUp,
    /// Write so many messages.
    Speak(u32),
    /// Keep so many messages on their way.
    Flow(u32),
    /// Hand over the books.
    Collect,
}

/// What one thread, or all of them, have found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) reply: Latency,
    pub(super) direct: Latency,
    pub(super) group: Latency,
    pub(super) sent: u64,
    /// Messages that were sent again since their acknowledgement had not come.
    pub(super) resent: u64,
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    pub(super) pushed: u64,
    /// Messages that were found by asking for what was missed, and were not pushed as well.
    pub(super) found: u64,
    /// Pushes behind a later one of the same conversation, or twice.
    pub(super) disordered: u64,
    pub(super) unreadable: u64,
    /// Inboxes that were not complete after asking.
    pub(super) incomplete: u64,
    /// Inboxes of which the server did not have all any more.
    pub(super) resets: u64,
    pub(super) reconnects: u64,
    /// Messages that nobody could write.
    pub(super) idle: u64,
    /// Messages without an acknowledgement in the end.
    pub(super) unanswered: u64,
    pub(super) inbox_entries: u64,
    /// The books, by conversation.
    pub(super) standings: Vec<(Talk, Standing)>,
}

impl Found {
    pub(super) fn add(&mut self, other: Self) {
        self.reply.merge(&other.reply);
        self.direct.merge(&other.direct);
        self.group.merge(&other.group);
        self.sent += other.sent;
        self.resent += other.resent;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.pushed += other.pushed;
        self.found += other.found;
        self.disordered += other.disordered;
        self.unreadable += other.unreadable;
        self.incomplete += other.incomplete;
        self.resets += other.resets;
        self.reconnects += other.reconnects;
        self.idle += other.idle;
        self.unanswered += other.unanswered;
        self.inbox_entries += other.inbox_entries;
        self.standings.extend(other.standings);
    }
}

/// Which conversation, by the lower number of the pair or the number of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Talk {
    Pair(u32),
    Group(u32),
}

/// The script of one thread.
#[derive(Debug)]
pub(super) struct Crowd {
    common: Common,
    place: Place,
    login: Login,
    writer: Writer,
    users: Vec<User>,
    /// By slot: whose connection it is.
    of_slot: Vec<Option<usize>>,
    /// Users who wait for a connection.
    waiting: VecDeque<usize>,
    /// Who spoke last.
    speaker: usize,
    /// The user to go on joining groups from.
    joining: Option<usize>,
    window: u32,
    outstanding: u32,
    /// Adds up to a hundred for each message to a group.
    share: u32,
    found: Found,
}

#[derive(Debug)]
struct User {
    number: u32,
    conn: Option<ConnId>,
    stage: Stage,
    /// When the connection was made, in nanoseconds of the run.
    since: u64,
    member: bool,
    /// Messages written so far.
    count: u64,
    unanswered: VecDeque<Sent>,
    inbox: Numbers,
    direct: Log,
    group: Log,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Absent,
    Behind,
    Ready,
}

/// A message whose acknowledgement has not come.
#[derive(Clone, Copy, Debug)]
struct Sent {
    count: u64,
    to_group: bool,
    nanos: u64,
    /// The connection it went over is gone.
    lost: bool,
    again: bool,
}

/// What our bodies say.
#[derive(Clone, Copy, Debug)]
struct Stamp {
    sender: u32,
    count: u64,
    nanos: u64,
}

impl Stamp {
    fn read(body: &str) -> Option<Self> {
        let mut words = body.split(' ');
        (words.next()? == "im").then_some(())?;
        Some(Self {
            sender: words.next()?.parse().ok()?,
            count: words.next()?.parse().ok()?,
            nanos: words.next()?.parse().ok()?,
        })
    }
}

impl User {
    fn new(number: u32) -> Self {
        Self {
            number,
            conn: None,
            stage: Stage::Absent,
            since: 0,
            member: false,
            count: 0,
            unanswered: VecDeque::new(),
            inbox: Numbers::default(),
            direct: Log::default(),
            group: Log::default(),
        }
    }

    /// The log of a conversation that this load has made.
    fn log(&mut self, conversation: &str) -> Option<&mut Log> {
        match conversation.as_bytes().first() {
            Some(b'd') => Some(&mut self.direct),
            Some(b'g') if self.member => Some(&mut self.group),
            _ => None,
        }
    }

    /// Takes note of a message on a page; true if it was not known.
    fn note(&mut self, message: &Message<'_>) -> bool {
        match (Stamp::read(&message.body), self.log(message.conversation)) {
            (Some(stamp), Some(log)) => log.note(message.seq, stamp.sender, stamp.count),
            _ => false,
        }
    }

    fn talks(&self, groups: u32) -> impl Iterator<Item = (Talk, Standing)> + use<> {
        let pair = Talk::Pair(self.number.min(Town::partner(self.number)));
        let group = self
            .member
            .then(|| (Talk::Group(self.number % groups), self.group.standing()));
        std::iter::once((pair, self.direct.standing())).chain(group)
    }
}

impl Crowd {
    pub(super) fn new(common: Common, place: Place) -> Self {
        Self {
            place,
            login: Login::new(common.names),
            writer: Writer::default(),
            users: Vec::new(),
            of_slot: Vec::new(),
            waiting: VecDeque::new(),
            speaker: 0,
            joining: None,
            window: 0,
            outstanding: 0,
            share: 0,
            found: Found::default(),
            common,
        }
    }

    fn user_of(&self, conn: ConnId) -> Option<usize> {
        self.of_slot.get(conn.slot() as usize).copied().flatten()
    }

    fn set_stage(&mut self, at: usize, stage: Stage) {
        let before = std::mem::replace(&mut self.users[at].stage, stage);
        match (before == Stage::Ready, stage == Stage::Ready) {
            (false, true) => self.common.ready.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.common.ready.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
    }

    /// The next user who can writes a message; false if nobody can.
    fn speak(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let mut to_group = false;
        if self.common.town.has_groups() {
            self.share += self.common.group_share;
            to_group = self.share >= 100;
            self.share %= 100;
        }
        for _ in 0..self.users.len() {
            self.speaker = (self.speaker + 1) % self.users.len();
            let user = &self.users[self.speaker];
            let able = user.stage == Stage::Ready && (user.member || !to_group);
            if !able || user.unanswered.len() >= UNANSWERED_MAX {
                continue;
            }
            let sent = Sent {
                count: user.count + 1,
                to_group,
                nanos: self.place.nanos(),
                lost: false,
                again: false,
            };
            if self.send(ctx, self.speaker, sent) {
                let user = &mut self.users[self.speaker];
                user.count += 1;
                user.unanswered.push_back(sent);
                self.found.sent += 1;
                self.outstanding += 1;
                self.place.tally.sent.add(1);
                return true;
            }
        }
        false
    }

    fn send(&mut self, ctx: &mut Ctx<'_>, at: usize, sent: Sent) -> bool {
        let Self { common, users, .. } = self;
        let User { number, conn, .. } = users[at];
        let (town, size, mark) = (&common.town, common.size, common.names.mark());
        let (request, to, id) = if sent.to_group {
            let id = town.group(number).map_or(0, |group| group.id());
            (Request::Group, "group", id)
        } else {
            (Request::Direct, "user", town.user(Town::partner(number)))
        };
        let Some(conn) = conn.filter(|_| id != 0) else {
            return false;
        };
        let Sent { count, nanos, .. } = sent;
        let (name, head) = (
            format_args!("{mark:08x}-{number}-{count}"),
            format!("im {number} {count} {nanos} "),
        );
        let data = format_args!(
            r#"{{"to":{{"{to}":{id}}},"client_id":"{name}","body":"{head:.<size$}"}}"#
        );
        let message = self.writer.request(request, count, data);
        ctx.send(conn, MessageKind::Text, message).is_ok()
    }

    fn ask_what_was_missed(&mut self, ctx: &mut Ctx<'_>, at: usize, after: u64) {
        let limit = self.common.page;
        if let Some(conn) = self.users[at].conn {
            let data = format_args!(r#"{{"after":{after},"limit":{limit}}}"#);
            self.login.ask(ctx, conn, Request::Sync, data);
        }
    }

    fn catch_up(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        self.set_stage(at, Stage::Behind);
        let after = self.users[at].inbox.complete();
        self.ask_what_was_missed(ctx, at, after);
    }

    fn on_sync(&mut self, ctx: &mut Ctx<'_>, at: usize, payload: &[u8]) {
        let Some(page) = native::read_page::<SyncPage<'_>>(payload) else {
            self.found.unreadable += 1;
            return;
        };
        self.found.resets += u64::from(page.reset);
        let user = &mut self.users[at];
        for entry in &page.entries {
            user.inbox.insert(entry.inbox);
            if let Some(message) = &entry.message {
                self.found.found += u64::from(user.note(message));
            }
        }
        if let Some(last) = page.entries.last()
            && last.inbox < page.last
        {
            return self.ask_what_was_missed(ctx, at, last.inbox);
        }
        self.found.incomplete += u64::from(user.inbox.complete() < page.last);
        let own = self.common.town.group(user.number);
        let own = own.map(|group| format!("g:{}", group.id()));
        let behind = page.channels.iter().any(|channel| {
            Some(channel.conversation) == own.as_deref()
                && user.member
                && channel.last_seq > user.group.complete()
        });
        if behind {
            self.ask_for_history(ctx, at);
        } else {
            self.become_ready(ctx, at);
        }
    }

    /// A group that is a channel stands in no inbox.
    fn ask_for_history(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let user = &self.users[at];
        let (after, limit) = (user.group.complete(), self.common.page);
        let group = self.common.town.group(user.number);
        if let (Some(conn), Some(group)) = (user.conn, group) {
            let id = group.id();
            let data =
                format_args!(r#"{{"conversation":"g:{id}","after":{after},"limit":{limit}}}"#);
            self.login.ask(ctx, conn, Request::History, data);
        }
    }

    fn on_history(&mut self, ctx: &mut Ctx<'_>, at: usize, payload: &[u8]) {
        let Some(page) = native::read_page::<HistoryPage<'_>>(payload) else {
            self.found.unreadable += 1;
            return;
        };
        let user = &mut self.users[at];
        for message in &page.messages {
            self.found.found += u64::from(user.note(message));
        }
        if page.more {
            self.ask_for_history(ctx, at);
        } else {
            self.become_ready(ctx, at);
        }
    }

    /// Sends what was lost with a connection again before anything else.
    fn become_ready(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        self.set_stage(at, Stage::Ready);
        for index in 0..self.users[at].unanswered.len() {
            let sent = self.users[at].unanswered[index];
            if sent.lost && self.send(ctx, at, sent) {
                self.found.resent += 1;
                self.users[at].unanswered[index] = Sent {
                    lost: false,
                    again: true,
                    ..sent
                };
            }
        }
    }

    fn on_reply(
        &mut self,
        ctx: &mut Ctx<'_>,
        conn: ConnId,
        at: usize,
        reply: &Reply,
        payload: &[u8],
    ) {
        if let Some(id) = self.login.on_reply(ctx, conn, reply, &self.place.tally) {
            let user = &mut self.users[at];
            self.common.town.set_user(user.number, id);
            user.since = self.place.nanos();
            return self.catch_up(ctx, at);
        }
        let user = &mut self.users[at];
        let group = self.common.town.group(user.number);
        match (&reply.outcome, reply.request) {
            (Ok(outcome), request @ (Request::Create | Request::Join)) => {
                if let Some(group) = group {
                    if request == Request::Create {
                        group.set_id(outcome.group);
                    }
                    group.add_member();
                    user.member = true;
                }
            }
            (_, Request::Direct | Request::Group) => self.on_answer(at, reply),
            (Ok(_), Request::Sync) => self.on_sync(ctx, at, payload),
            (Ok(_), Request::History) => self.on_history(ctx, at, payload),
            _ => {}
        }
    }

    /// A message was acknowledged or refused.
    fn on_answer(&mut self, at: usize, reply: &Reply) {
        let user = &mut self.users[at];
        // The replies of a connection come in the order of its requests.
        let index = user
            .unanswered
            .iter()
            .position(|sent| sent.count == reply.number);
        let Some(sent) = index.and_then(|index| user.unanswered.remove(index)) else {
            self.found.unreadable += 1;
            return;
        };
        self.outstanding -= 1;
        self.place.tally.answered.add(1);
        let Ok(outcome) = &reply.outcome else {
            self.found.refused += 1;
            return;
        };
        self.found.acknowledged += 1;
        if !sent.again {
            let now = self.place.nanos();
            self.found.reply.record(now - sent.nanos);
        }
        let log = if sent.to_group {
            if let Some(group) = self.common.town.group(user.number) {
                group.add_accepted();
            }
            &mut user.group
        } else {
            &mut user.direct
        };
        log.note(outcome.seq, user.number, sent.count);
        if let Some(inbox) = outcome.inbox {
            user.inbox.insert(inbox);
        }
    }

    fn on_push(&mut self, at: usize, conversation: &str, seq: u64, body: &str, inbox: Option<u64>) {
        let user = &mut self.users[at];
        if let Some(inbox) = inbox {
            user.inbox.insert(inbox);
        }
        let since = user.since;
        let (Some(stamp), Some(log)) = (Stamp::read(body), user.log(conversation)) else {
            // What others say to all is not ours.
            return;
        };
        self.found.disordered += u64::from(!log.is_next_push(seq));
        let new = log.note(seq, stamp.sender, stamp.count);
        self.found.pushed += 1;
        if !new {
            // A page that was read in the meantime had it first; it was not missed.
            self.found.found = self.found.found.saturating_sub(1);
        }
        self.place.tally.delivered.add(1);
        // What was written before this connection was made has waited for it.
        if new && stamp.nanos > since {
            let latency = self.place.nanos().saturating_sub(stamp.nanos);
            if conversation.starts_with('d') {
                self.found.direct.record(latency);
            } else {
                self.found.group.record(latency);
            }
        }
    }

    fn collect(&mut self) -> Found {
        let mut found = std::mem::take(&mut self.found);
        let groups = self.common.town.groups();
        for user in &self.users {
            found.unanswered += user.unanswered.len() as u64;
            found.inbox_entries += user.inbox.complete();
            found.incomplete += u64::from(!user.inbox.is_dense());
            found.standings.extend(user.talks(groups));
        }
        found
    }
}

impl Script for Crowd {
    type Order = Order;
    type Outcome = ();

    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened) {
        let at = self.waiting.pop_front().unwrap_or_else(|| {
            self.users.push(User::new(opened.number));
            self.users.len() - 1
        });
        let slot = opened.conn.slot() as usize;
        if slot >= self.of_slot.len() {
            self.of_slot.resize(slot + 1, None);
        }
        self.of_slot[slot] = Some(at);
        let user = &mut self.users[at];
        user.conn = Some(opened.conn);
        user.direct.begin_connection();
        user.group.begin_connection();
        match self.common.tokens.get(user.number as usize) {
            Some(token) => self.login.begin_with(ctx, opened.conn, token),
            None => self.login.begin(ctx, opened.conn, user.number),
        }
    }

    fn on_message(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, payload: &[u8]) {
        let Some(at) = self.user_of(conn) else { return };
        match native::read(payload) {
            Incoming::Reply(reply) => self.on_reply(ctx, conn, at, &reply, payload),
            Incoming::Message {
                conversation,
                seq,
                body,
                inbox,
            } => self.on_push(at, conversation, seq, body, inbox),
            Incoming::Other { inbox } => {
                if let Some(inbox) = inbox {
                    self.users[at].inbox.insert(inbox);
                }
            }
            Incoming::Refused { code } => self.place.tally.note_refused(code),
            Incoming::Unreadable => self.found.unreadable += 1,
        }
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        self.login.heartbeat(ctx, conn);
    }

    fn on_end(&mut self, dialer: &mut Dialer, conn: ConnId, end: End) {
        let Some(at) = self.of_slot[conn.slot() as usize].take() else {
            return;
        };
        self.set_stage(at, Stage::Absent);
        let user = &mut self.users[at];
        user.conn = None;
        for sent in &mut user.unanswered {
            sent.lost = true;
        }
        if self.common.reconnect {
            self.found.reconnects += 1;
            self.waiting.push_back(at);
            dialer.request(1);
            // A server that has just come back may refuse a login that it takes a moment later.
            if end == End::Asked {
                dialer.hesitate();
            }
        }
    }

    fn on_failure(&mut self, dialer: &mut Dialer) {
        if self.common.reconnect {
            dialer.request(1);
        }
    }

    fn on_order(&mut self, ctx: &mut Ctx<'_>, _: &mut Dialer, order: Order) {
        match order {
            Order::CreateGroups => {
                for user in &self.users {
                    if let Some(conn) = user.conn
                        && user.number < self.common.town.groups()
                    {
                        self.login.create_group(ctx, conn, user.number);
                    }
                }
            }
            Order::JoinGroups => self.joining = Some(0),
            Order::CatchUp => {
                for at in 0..self.users.len() {
                    if self.users[at].stage == Stage::Ready {
                        self.catch_up(ctx, at);
                    }
                }
                self.common.begun.fetch_add(1, Ordering::Relaxed);
            }
            Order::Speak(n) => {
                for _ in 0..n {
                    let spoken = self.speak(ctx);
                    self.found.idle += u64::from(!spoken);
                }
            }
            Order::Flow(window) => self.window = window,
            Order::Collect => {
                let found = self.collect();
                // The main thread waits for it.
                let _ = self.common.results.send(found);
            }
        }
    }

    fn on_turn(&mut self, ctx: &mut Ctx<'_>) -> bool {
        while self.outstanding < self.window && self.speak(ctx) {}
        let Some(from) = self.joining else {
            return false;
        };
        let to = (from + USERS_PER_TURN).min(self.users.len());
        for user in &self.users[from..to] {
            let group = self.common.town.group(user.number);
            if let (Some(conn), Some(group), false) = (user.conn, group, user.member) {
                self.login.join_group(ctx, conn, group.id());
            }
        }
        self.joining = (to < self.users.len()).then_some(to);
        self.joining.is_some()
    }

    fn finish(&mut self) {}
}
