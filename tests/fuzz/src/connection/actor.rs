//! A handler of changing moods, which writes down what it was told and what it has asked for.

use std::collections::HashMap;

use common::{CloseReason, ConnId};
use network::codec::ws::handshake;
use network::codec::{Frame, MessageKind, http};
use network::{
    Ctx, Deadline, Delivery, Drops, Ending, Handler, LastInput, Offer, Overflow, SendError,
};

use super::{Later, kind, payload};

/// How a message is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    kind: MessageKind,
    delivery: Delivery,
}

impl Policy {
    pub(super) fn of(byte: usize) -> Self {
        Self {
            kind: kind(byte),
            delivery: Delivery {
                overflow: [
                    None,
                    None,
                    None,
                    None,
                    Some(Overflow::Close),
                    Some(Overflow::DropNewest),
                    Some(Overflow::DropOldest),
                    Some(Overflow::Latest),
                ][byte & 7],
                key: (byte >> 4 & 3) as u64,
            },
        }
    }
}

/// A message that was queued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) number: u32,
    pub(super) may_be_dropped: bool,
}

/// What is known of a connection.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) sent: Vec<Sent>,
    /// Keys of messages under `Latest`, also of those that were refused.
    pub(super) keys: Vec<u64>,
    /// Messages that were refused because the outbox was full.
    pub(super) refused: u32,
    pub(super) told: Drops,
    pub(super) heard: Vec<Vec<u8>>,
    pub(super) closed: Option<CloseReason>,
    /// Ended by us without waiting for what is queued.
    pub(super) aborted: bool,
    pub(super) upgraded: bool,
    /// Ended by us in whatever way.
    ended: bool,
    paused: bool,
    asked: bool,
    watched: bool,
    later: Later,
    mood: u8,
}

#[derive(Debug)]
pub(super) struct Actor {
    logs: HashMap<ConnId, Log>,
    overflow: Overflow,
    next: u32,
    opened: usize,
    closed: usize,
    closes_idle: bool,
}

impl Actor {
    pub(super) fn new(overflow: Overflow) -> Self {
        Self {
            logs: HashMap::new(),
            overflow,
            next: 0,
            opened: 0,
            closed: 0,
            closes_idle: false,
        }
    }

    pub(super) fn log(&self, id: ConnId) -> Option<&Log> {
        self.logs.get(&id)
    }

    pub(super) fn take_logs(&mut self) -> HashMap<ConnId, Log> {
        std::mem::take(&mut self.logs)
    }

    pub(super) const fn opened(&self) -> usize {
        self.opened
    }

    pub(super) const fn closed(&self) -> usize {
        self.closed
    }

    /// From here on who says nothing is closed for it.
    pub(super) const fn close_idle(&mut self) {
        self.closes_idle = true;
    }

    pub(super) fn set_mood(&mut self, id: ConnId, mood: u8) {
        if let Some(log) = self.logs.get_mut(&id) {
            log.mood = mood;
        }
    }

    /// The log of a connection that has not ended.
    fn open_log(&mut self, id: ConnId) -> &mut Log {
        let log = self.logs.get_mut(&id).expect("told before it was opened");
        assert_eq!(log.closed, None, "told after it was closed");
        log
    }

    fn open_ids(&self) -> Vec<ConnId> {
        let open = self.logs.iter().filter(|(_, log)| log.closed.is_none());
        let mut ids: Vec<_> = open.map(|(&id, _)| id).collect();
        ids.sort();
        ids
    }

    fn note(&mut self, id: ConnId, number: u32, policy: Policy, outcome: Result<(), SendError>) {
        let Some(log) = self.logs.get_mut(&id) else {
            assert_eq!(outcome, Err(SendError::Gone));
            return;
        };
        let overflow = policy.delivery.overflow.unwrap_or(self.overflow);
        if overflow == Overflow::Latest {
            log.keys.push(policy.delivery.key);
        }
        match outcome {
            Ok(()) => {
                assert_eq!(log.closed, None);
                log.sent.push(Sent {
                    number,
                    may_be_dropped: matches!(overflow, Overflow::DropOldest | Overflow::Latest),
                });
            }
            Err(SendError::Dropped) => log.refused += 1,
            Err(SendError::SlowConsumer) => {
                log.aborted = true;
                log.ended = true;
            }
            Err(SendError::Gone | SendError::Unfit) => {}
        }
    }

    pub(super) fn send(&mut self, ctx: &mut Ctx<'_>, id: ConnId, policy: Policy, bytes: usize) {
        let number = self.next;
        self.next += 1;
        let message = payload(number, bytes);
        let outcome = ctx.send_as(id, policy.kind, &message, policy.delivery);
        self.note(id, number, policy, outcome);
    }

    /// One message to all, encoded once a form.
    pub(super) fn publish(&mut self, ctx: &mut Ctx<'_>, policy: Policy, bytes: usize) {
        let number = self.next;
        self.next += 1;
        let message = payload(number, bytes);
        let mut encoded = Vec::new();
        for id in self.open_ids() {
            let Some(form) = ctx.wire_form(id) else {
                continue;
            };
            let known = encoded.iter().find(|(known, _)| *known == form);
            let bytes = match known {
                Some((_, bytes)) => bytes,
                None => {
                    let bytes = ctx.encode(form, policy.kind, &message).expect("it fits");
                    encoded.push((form, bytes));
                    &encoded[encoded.len() - 1].1
                }
            };
            let outcome = ctx.send_encoded(id, bytes.clone(), policy.delivery);
            self.note(id, number, policy, outcome);
        }
    }

    pub(super) fn pause(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {
        if let Some(log) = self.logs.get_mut(&id) {
            ctx.pause(id);
            log.paused = true;
        }
    }

    pub(super) fn resume(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {
        if let Some(log) = self.logs.get_mut(&id) {
            log.paused = false;
            ctx.resume(id);
        }
    }

    pub(super) fn watch(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {
        if let Some(log) = self.logs.get_mut(&id) {
            log.watched = true;
            ctx.watch(id);
        }
    }

    pub(super) fn close(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {
        if let Some(log) = self.logs.get_mut(&id) {
            log.ended = true;
            ctx.close(id, CloseReason::Module(3001), "enough");
            assert_eq!(
                ctx.send(id, MessageKind::Text, b"late"),
                Err(SendError::Gone)
            );
        }
    }

    pub(super) fn abort(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {
        if let Some(log) = self.logs.get_mut(&id) {
            log.ended = true;
            log.aborted = true;
            ctx.abort(id, CloseReason::Kicked);
        }
    }

    /// Answers a request that was left waiting.
    pub(super) fn answer(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {
        if let Some(log) = self.logs.get_mut(&id)
            && std::mem::take(&mut log.asked)
        {
            // It may be gone, or have been answered.
            let _ = ctx.respond(id, &http::Response::text(200, "late"));
        }
    }

    pub(super) fn end_last(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {
        if let Some(log) = self.logs.get_mut(&id)
            && let Some(last) = log.later.take()
        {
            log.ended = true;
            ctx.end(id, last);
        }
    }

    pub(super) fn close_all(&mut self, ctx: &mut Ctx<'_>) {
        for id in self.open_ids() {
            self.close(ctx, id);
        }
    }

    /// Holds nothing back any more.
    pub(super) fn release_all(&mut self, ctx: &mut Ctx<'_>) {
        for id in self.open_ids() {
            self.set_mood(id, 1);
            self.resume(ctx, id);
            self.answer(ctx, id);
            // What comes from here on is not left waiting.
            self.set_mood(id, 0);
        }
    }

    /// What must be true when the reactor rests.
    pub(super) fn check_rest(&self, ctx: &Ctx<'_>) {
        for (&id, log) in &self.logs {
            if log.closed.is_none() && log.watched && !log.ended {
                assert!(
                    ctx.outbox_bytes(id) > 0,
                    "{id} has drained in silence: {log:?}"
                );
            }
        }
    }

    fn on_message(&mut self, ctx: &mut Ctx<'_>, id: ConnId, message: &[u8]) {
        let log = self.open_log(id);
        log.heard.push(message.to_vec());
        let mood = log.mood;
        let policy = Policy::of(usize::from(mood >> 3));
        match mood & 7 {
            0 => self.send(ctx, id, policy, message.len()),
            2 => self.pause(ctx, id),
            3 => self.close(ctx, id),
            4 => self.abort(ctx, id),
            5 => {
                for bytes in [8, 5000, 100] {
                    self.send(ctx, id, policy, bytes);
                }
            }
            6 => {
                self.send(ctx, id, policy, 9000);
                self.pause(ctx, id);
            }
            7 => {
                self.publish(ctx, policy, 300);
                self.close(ctx, id);
            }
            _ => {}
        }
    }

    fn on_request(&mut self, ctx: &mut Ctx<'_>, id: ConnId, request: &http::Request<'_>) {
        let mood = self.open_log(id).mood;
        match mood & 7 {
            1 => self.open_log(id).asked = true,
            2 => {
                self.open_log(id).asked = true;
                self.pause(ctx, id);
            }
            3 => self.close(ctx, id),
            4 => self.abort(ctx, id),
            _ => match handshake::accept(request) {
                Ok(accept) => {
                    let upgraded = ctx.upgrade(id, &accept, None).is_ok();
                    self.open_log(id).upgraded = upgraded;
                }
                Err(_) => {
                    let response = http::Response::text(200, vec![b'.'; usize::from(mood) * 40]);
                    // Too large for some outboxes, which closes.
                    let _ = ctx.respond(id, &response);
                }
            },
        }
    }
}

impl Handler for Actor {
    type Command = ();

    fn on_open(&mut self, _: &mut Ctx<'_>, conn: ConnId, _: Offer) {
        self.opened += 1;
        let known = self.logs.insert(conn, Log::default());
        assert!(known.is_none(), "opened twice");
    }

    fn on_frame(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, frame: Frame<'_>) {
        let log = self.open_log(conn);
        assert!(!log.paused, "a frame of a paused connection");
        assert!(!log.ended, "a frame of an ended connection");
        assert!(log.later.is_none(), "a frame behind the last");
        match frame {
            Frame::Text(payload) => {
                self.on_message(ctx, conn, &payload);
            }
            Frame::Binary(payload) => self.on_message(ctx, conn, &payload),
            Frame::Request(request) => self.on_request(ctx, conn, &request),
            Frame::Upgraded => log.upgraded = true,
            Frame::Pong(_) => {}
            Frame::RequestHead(_) | Frame::RequestBody(_) => panic!("nothing is streamed"),
            Frame::Ping(_) | Frame::Close(_) => panic!("answered below"),
        }
    }

    fn on_last(&mut self, _: &mut Ctx<'_>, conn: ConnId, last: LastInput) -> Ending {
        let log = self.open_log(conn);
        assert!(log.later.is_none() && !log.ended, "two ends");
        if log.mood & 0x80 != 0 {
            log.later = Some(last);
            return Ending::Later;
        }
        Ending::Now
    }

    fn on_command(&mut self, _: &mut Ctx<'_>, (): ()) {}

    fn on_drops(&mut self, _: &mut Ctx<'_>, conn: ConnId, drops: Drops) {
        let log = self.open_log(conn);
        assert_ne!(drops, Drops::default());
        log.told.newest += drops.newest;
        log.told.oldest += drops.oldest;
        log.told.superseded += drops.superseded;
        log.watched = true;
    }

    fn on_drained(&mut self, _: &mut Ctx<'_>, conn: ConnId) {
        self.open_log(conn).watched = false;
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, deadline: Deadline) {
        let closes_idle = self.closes_idle;
        let log = self.open_log(conn);
        if deadline == Deadline::Idle && closes_idle {
            log.ended = true;
            ctx.close(conn, CloseReason::Idle, "");
        } else if deadline == Deadline::Idle {
            // Refused where the framing has none.
            let _ = ctx.ping(conn);
        }
    }

    fn on_close(&mut self, _: &mut Ctx<'_>, conn: ConnId, reason: CloseReason) {
        self.open_log(conn).closed = Some(reason);
        self.closed += 1;
    }
}
