//! The script of the crowd: each connection is held, and beside that echoes, hears broadcasts,
//! leaves, or leaves and comes again, as the main thread orders.
//!
//! A connection costs the client two bits here. What is under way is kept apart, since that is
//! little at any time.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use common::ConnId;
use network::Ctx;
use network::codec::MessageKind;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::bits::Bits;
use super::pace::Pace;
use crate::latency::Latency;
use crate::load::{Dialer, End, GOODBYE, Opened, Place, Script};
use crate::payload::{Stamp, Verdict};

/// Front of what is broadcast; the number of the round follows.
pub(super) const BROADCAST: &[u8] = b"broadcast ";
/// What is said on framings without a ping, so that the server knows of the client.
const HEARTBEAT: &[u8] = b"alive";
/// Messages begun, or connections closed, in one turn: what comes in is read in between.
const STEPS_PER_TURN: u32 = 256;
/// Closes of one thread that may be under way. The server is to answer each within seconds, and
/// with all of them at once the last would wait longer.
const CLOSING_MAX: u32 = 128;
/// Connections looked at to find one that has nothing under way.
const PICKS: u32 = 16;

/// What the crowd of one thread is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Speak in this way, from now on.
    Speak(Speech),
    /// From this time on, in nanoseconds of the run, a broadcast of this number is awaited.
    Listen { round: u32, since: u64 },
    /// Leave in this way, from now on.
    Leave(Leaving),
    /// Hand over what was measured, and begin anew.
    Report(Sender<Heard>),
}

/// Who sends what is to come back.
#[derive(Debug)]
pub(super) enum Speech {
    Nobody,
    /// Anybody, at a rate, whether or not the answers keep up with it.
    Paced(Pace),
    /// Anybody, so many at once.
    Busy(u32),
    /// Everybody once, in order from this slot on, so many at once.
    Each {
        next: u32,
        in_flight: u32,
    },
}

/// Who closes.
#[derive(Debug)]
pub(super) enum Leaving {
    Nobody,
    /// Anybody, at a rate; somebody new comes for each.
    Churn(Pace),
    /// Everybody.
    All,
}

/// What one thread has measured since it last reported.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// From when a message was due to its whole answer.
    pub(super) echo: Latency,
    pub(super) corrupted: u64,
    /// From the broadcast's begin to its arrival.
    pub(super) arrivals: Latency,
    /// Broadcasts heard more than once, or not of the round awaited.
    pub(super) odd: u64,
}

impl Heard {
    pub(super) fn merge(&mut self, other: &Self) {
        self.echo.merge(&other.echo);
        self.arrivals.merge(&other.arrivals);
        self.corrupted += other.corrupted;
        self.odd += other.odd;
    }
}

/// The connections of one thread.
#[derive(Debug)]
pub(super) struct Crowd {
    place: Place,
    stamp: Stamp,
    rng: StdRng,
    /// By target: whether its clients have to give signs of life.
    speaks_first: Arc<[bool]>,
    heartbeat_seconds: u32,
    /// Slots of those who are ready and not about to leave.
    present: Bits,
    /// Messages under way: since when, by slot.
    flights: HashMap<u32, u64>,
    speech: Speech,
    leaving: Leaving,
    /// Closes under way.
    closing: u32,
    awaited: (u32, u64),
    /// Slots that have heard the broadcast.
    reached: Bits,
    heard: Heard,
}

impl Crowd {
    pub(super) fn new(
        place: Place,
        size: usize,
        speaks_first: Arc<[bool]>,
        heartbeat_seconds: u32,
    ) -> Self {
        Self {
            place,
            stamp: Stamp::new(size, false),
            rng: StdRng::from_os_rng(),
            speaks_first,
            heartbeat_seconds,
            present: Bits::default(),
            flights: HashMap::new(),
            speech: Speech::Nobody,
            leaving: Leaving::Nobody,
            closing: 0,
            awaited: (0, 0),
            reached: Bits::default(),
            heard: Heard::default(),
        }
    }

    fn say_alive(&self, ctx: &mut Ctx<'_>, conn: ConnId) {
        // Without success its end is on the way, and counted when it comes.
        let _ = ctx.send(conn, MessageKind::Binary, HEARTBEAT);
        ctx.set_deadline(conn, ctx.now().past(self.heartbeat_seconds));
    }

    /// Somebody at random who has nothing under way.
    fn pick(&mut self) -> Option<u32> {
        for _ in 0..PICKS {
            let extent = self.present.extent();
            if extent == 0 {
                return None;
            }
            let from = self.rng.random_range(0..extent);
            let found = self.present.next_from(from);
            if let Some(slot) = found.filter(|slot| !self.flights.contains_key(slot)) {
                return Some(slot);
            }
        }
        None
    }

    /// Sends a message that was due at `due`.
    fn say(&mut self, ctx: &mut Ctx<'_>, slot: u32, due: u64) {
        let Some(conn) = at(ctx, slot) else {
            return;
        };
        let payload = self.stamp.make(slot, due);
        // Without success its end is on the way, and counted when it comes.
        if ctx.send(conn, MessageKind::Binary, payload).is_ok() {
            self.flights.insert(slot, due);
            self.place.tally.sent.add(1);
        }
    }

    /// Goes on with what is to be said; true if there is more than one turn may do.
    fn speak(&mut self, ctx: &mut Ctx<'_>) -> bool {
        for _ in 0..STEPS_PER_TURN {
            let now = self.place.nanos();
            let under_way = self.flights.len() as u32;
            let (slot, due) = match &mut self.speech {
                Speech::Nobody => return false,
                Speech::Paced(pace) => {
                    let Some(due) = pace.due(now) else {
                        ctx.wake_in(pace.next_in_ms(now));
                        return false;
                    };
                    let Some(slot) = self.pick() else {
                        // Nearly all wait for an answer: whoever gets one goes on.
                        return false;
                    };
                    if let Speech::Paced(pace) = &mut self.speech {
                        pace.step();
                    }
                    (slot, due)
                }
                Speech::Busy(in_flight) | Speech::Each { in_flight, .. }
                    if under_way >= *in_flight =>
                {
                    return false;
                }
                Speech::Busy(_) => match self.pick() {
                    Some(slot) => (slot, now),
                    None => return false,
                },
                Speech::Each { next, .. } => match self.present.next_from(*next) {
                    Some(slot) => {
                        *next = slot + 1;
                        (slot, now)
                    }
                    None => {
                        self.speech = Speech::Nobody;
                        return false;
                    }
                },
            };
            self.say(ctx, slot, due);
        }
        true
    }

    /// Goes on with what is to be closed; true if there is more than one turn may do.
    fn leave(&mut self, ctx: &mut Ctx<'_>) -> bool {
        for _ in 0..STEPS_PER_TURN {
            if self.closing >= CLOSING_MAX {
                return false;
            }
            let slot = match &mut self.leaving {
                Leaving::Nobody => return false,
                Leaving::Churn(pace) => {
                    let now = self.place.nanos();
                    if pace.due(now).is_none() {
                        ctx.wake_in(pace.next_in_ms(now));
                        return false;
                    }
                    pace.step();
                    self.pick()
                }
                Leaving::All => self.present.next_from(0),
            };
            let Some((slot, conn)) = slot.and_then(|slot| Some((slot, at(ctx, slot)?))) else {
                return false;
            };
            self.present.remove(slot);
            self.closing += 1;
            ctx.close(conn, GOODBYE, "");
        }
        true
    }

    fn on_broadcast(&mut self, slot: u32, round: &[u8]) {
        let (awaited, since) = self.awaited;
        let digits = round.split(|byte| !byte.is_ascii_digit()).next();
        let round = digits.and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        if round == Some(awaited) && self.reached.insert(slot) {
            self.heard.arrivals.record(self.place.nanos() - since);
            self.place.tally.delivered.add(1);
        } else {
            self.heard.odd += 1;
        }
    }
}

impl Script for Crowd {
    type Order = Order;
    type Outcome = Heard;

    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened) {
        self.present.insert(opened.conn.slot());
        let target = opened.number as usize % self.speaks_first.len();
        if self.speaks_first[target] {
            self.say_alive(ctx, opened.conn);
        }
    }

    fn on_message(&mut self, _: &mut Ctx<'_>, conn: ConnId, payload: &[u8]) {
        let slot = conn.slot();
        if payload == HEARTBEAT {
            self.place.tally.heartbeats.add(1);
        } else if let Some(round) = payload.strip_prefix(BROADCAST) {
            self.on_broadcast(slot, round);
        } else if let Some(due) = self.flights.remove(&slot) {
            self.place.tally.answered.add(1);
            self.heard.echo.record(self.place.nanos() - due);
            if self.stamp.judge(payload, slot, due, due + 1) != Verdict::Due {
                self.heard.corrupted += 1;
            }
        } else {
            self.heard.corrupted += 1;
        }
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        if self.present.contains(conn.slot()) {
            self.say_alive(ctx, conn);
        }
    }

    fn on_end(&mut self, dialer: &mut Dialer, conn: ConnId, end: End) {
        // Who was present is one that the server has ended, which is counted as such.
        let left = !self.present.remove(conn.slot());
        self.flights.remove(&conn.slot());
        self.closing = self.closing.saturating_sub(left.into());
        if end == End::Asked {
            self.place.tally.left.add(1);
            if matches!(self.leaving, Leaving::Churn(_)) {
                dialer.request(1);
            }
        }
    }

    fn on_order(&mut self, _: &mut Ctx<'_>, _: &mut Dialer, order: Order) {
        match order {
            Order::Speak(speech) => self.speech = speech,
            Order::Leave(leaving) => self.leaving = leaving,
            Order::Listen { round, since } => {
                self.awaited = (round, since);
                self.reached.clear();
            }
            // Who does not wait for it any more has given the run up.
            Order::Report(to) => drop(to.send(std::mem::take(&mut self.heard))),
        }
    }

    fn on_turn(&mut self, ctx: &mut Ctx<'_>) -> bool {
        self.speak(ctx) | self.leave(ctx)
    }

    fn finish(&mut self) -> Heard {
        std::mem::take(&mut self.heard)
    }
}

/// The connection in a slot.
fn at(ctx: &Ctx<'_>, slot: u32) -> Option<ConnId> {
    let mut found = None;
    ctx.walk(slot, 1, |conn| found = Some(conn));
    found.filter(|conn| conn.slot() == slot)
}
