//! A busy group whose members do not read: each logs in, joins and stops, while a few publishers
//! go on.

use common::ConnId;
use network::Ctx;
use network::codec::MessageKind;

use crate::load::{Dialer, End, Opened, Place, Script};
use crate::native::{self, Incoming, Login, Names, Reply, Request, Writer};

/// Bytes of a message's body: as many as are queued for all members by reference.
pub(super) const BODY_BYTES: usize = 4096;
/// Messages per second of one publisher, below the rate that a session has by default (50).
const RATE_EACH: u32 = 40;

/// How many publishers it takes for `rate` messages per second.
pub(super) const fn publishers(rate: u32) -> u32 {
    rate.div_ceil(RATE_EACH)
}

/// Fills and feeds the group, on one thread.
#[derive(Debug)]
pub(super) struct Deaf {
    place: Place,
    login: Login,
    writer: Writer,
    /// The connections with the lowest numbers publish.
    publishers: u32,
    /// Zero until the first of them has made it.
    group: u64,
    /// By slot.
    clients: Vec<Client>,
    /// Publishers that are members.
    speakers: Vec<ConnId>,
    /// Whose turn it is among them.
    speaker: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Client {
    /// Once it is logged in.
    conn: Option<ConnId>,
    number: u32,
    /// It reads no more, except to find its end.
    deaf: bool,
}

impl Deaf {
    pub(super) fn new(place: Place, names: Names, publishers: u32) -> Self {
        Self {
            place,
            login: Login::new(names),
            writer: Writer::default(),
            publishers,
            group: 0,
            clients: Vec::new(),
            speakers: Vec::new(),
            speaker: 0,
        }
    }

    fn join(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        let data = format_args!(r#"{{"group":{}}}"#, self.group);
        let request = self.writer.request(Request::Join, 0, data);
        // A connection that is gone is counted when its end is reported.
        let _ = ctx.send(conn, MessageKind::Text, request);
    }

    fn on_reply(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, reply: &Reply) {
        let logged_in = self.login.on_reply(ctx, conn, reply, &self.place.tally);
        let client = &mut self.clients[conn.slot() as usize];
        if logged_in.is_some() {
            client.conn = Some(conn);
            if client.number == 0 {
                let data = format_args!(r#"{{"name":"bench, busy"}}"#);
                let request = self.writer.request(Request::Create, 0, data);
                // As above.
                let _ = ctx.send(conn, MessageKind::Text, request);
            } else if self.group != 0 {
                self.join(ctx, conn);
            }
            return;
        }
        match (&reply.outcome, reply.request) {
            (Ok(outcome), Request::Create) => {
                self.group = outcome.group;
                self.speakers.push(conn);
                // Those who were quicker.
                for slot in 0..self.clients.len() {
                    if let Client {
                        conn: Some(other), ..
                    } = self.clients[slot]
                        && other != conn
                    {
                        self.join(ctx, other);
                    }
                }
            }
            (Ok(_), Request::Join) if client.number < self.publishers => self.speakers.push(conn),
            (Ok(_), Request::Join) => {
                client.deaf = true;
                ctx.pause(conn);
                ctx.set_deadline(conn, ctx.now().after(1));
            }
            (Ok(_), Request::Group) => self.place.tally.answered.add(1),
            _ => {}
        }
    }

    /// The next publisher says something.
    fn publish(&mut self, ctx: &mut Ctx<'_>) {
        if self.speakers.is_empty() {
            return;
        }
        self.speaker = (self.speaker + 1) % self.speakers.len();
        let data = format_args!(
            r#"{{"to":{{"group":{}}},"body":"{:.<BODY_BYTES$}"}}"#,
            self.group, ""
        );
        let request = self.writer.request(Request::Group, 0, data);
        let sent = ctx.send(self.speakers[self.speaker], MessageKind::Text, request);
        self.place.tally.sent.add(u64::from(sent.is_ok()));
    }
}

impl Script for Deaf {
    /// So many messages to the group.
    type Order = u32;
    type Outcome = ();

    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened) {
        let slot = opened.conn.slot() as usize;
        if slot >= self.clients.len() {
            self.clients.resize(slot + 1, Client::default());
        }
        self.clients[slot] = Client {
            number: opened.number,
            ..Client::default()
        };
        self.login.begin(ctx, opened.conn, opened.number);
    }

    fn on_message(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, payload: &[u8]) {
        if !self.clients[conn.slot() as usize].deaf
            && let Incoming::Reply(reply) = native::read(payload)
        {
            self.on_reply(ctx, conn, &reply);
        }
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        if !self.clients[conn.slot() as usize].deaf {
            self.login.heartbeat(ctx, conn);
        } else if ctx.peer_addr(conn).is_some() {
            ctx.set_deadline(conn, ctx.now().after(1));
        } else {
            // It was reset, which shows only to those who read.
            ctx.resume(conn);
        }
    }

    fn on_end(&mut self, dialer: &mut Dialer, conn: ConnId, _: End) {
        let client = std::mem::take(&mut self.clients[conn.slot() as usize]);
        self.speakers.retain(|&speaker| speaker != conn);
        if client.number >= self.publishers {
            dialer.request(1);
        }
    }

    fn on_failure(&mut self, dialer: &mut Dialer) {
        dialer.request(1);
    }

    fn on_order(&mut self, ctx: &mut Ctx<'_>, _: &mut Dialer, messages: u32) {
        for _ in 0..messages {
            self.publish(ctx);
        }
    }

    fn finish(&mut self) {}
}
