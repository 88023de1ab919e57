//! Whole connections: a reactor stepped by hand over socket pairs, with a handler and peers that do
//! what the input says.
//!
//! The first four bytes are the setting: framing, limits, memory, and how it ends. Each further
//! byte is something that happens, to one of the connections: see [`Scene::play`].
//!
//! What must be true: the reactor's accounts and lists are in order after every step
//! (`network::Reactor::audit`); frames come up whole and in order, and none while the connection is
//! paused or has been ended; `on_open` and `on_close` come in pairs; what was sent and not reported
//! as dropped comes out whole and in order at a peer that reads; behind a close frame nothing
//! comes; and every connection ends.

mod actor;
mod peer;
mod setting;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use common::{CloseReason, ConnId, ManualClock};
use network::codec::MessageKind;
use network::{LastInput, MemoryBudget, Reactor, ReactorSeed};
use nix::sys::signal::{SigSet, Signal};

use actor::{Actor, Policy};
use peer::Peer;
use setting::{Finale, Setting};

/// Connections at a time.
const CONNECTIONS_MAX: usize = 4;
/// Connections of one run.
const OPENED_MAX: usize = 12;
/// Steps that a run may take; what libFuzzer makes up is mostly noise behind that.
const STEPS_MAX: usize = 400;
/// Turns after which a reactor with nothing to do must have come to rest.
const TURNS_MAX: usize = 2000;
/// Seconds after which every connection must have ended, whatever its peer does.
const END_SECONDS: u32 = 40;
/// Bytes by which the account of a reactor may differ from what it has told.
const SLACK_BYTES: usize = 16 * 1024;
/// Bytes of the messages that are sent, both ways.
const SIZES: [usize; 8] = [8, 20, 126, 600, 1500, 4200, 9000, 20_000];

/// See above.
pub fn check(input: &[u8]) {
    let Some((setting, events)) = input.split_first_chunk::<4>() else {
        return;
    };
    block_broken_pipes();
    let mut scene = Scene::new(Setting::of(*setting));
    let mut events = Events(events);
    scene.open();
    for _ in 0..STEPS_MAX {
        let Some(event) = events.next() else {
            break;
        };
        scene.play(event, &mut events);
        scene.reactor.audit(false);
    }
    scene.end();
}

/// A write to a peer that has gone is an error and no signal. Programs of Rust ignore the signal
/// from the start; those that libFuzzer begins do not.
fn block_broken_pipes() {
    thread_local! {
        static BLOCKED: () = SigSet::from(Signal::SIGPIPE)
            .thread_block()
            .expect("a mask of signals");
    }
    BLOCKED.with(|()| ());
}

/// The rest of the input.
struct Events<'a>(&'a [u8]);

impl<'a> Events<'a> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// The next byte, as a choice.
    fn pick(&mut self) -> usize {
        usize::from(self.next().unwrap_or(0))
    }

    /// Bytes behind their number.
    fn bytes(&mut self) -> &'a [u8] {
        let length = self.pick().min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }
}

struct Scene {
    setting: Setting,
    reactor: Reactor<Actor, ManualClock>,
    clock: ManualClock,
    memory: std::sync::Arc<MemoryBudget>,
    peers: Vec<Peer>,
    opened: usize,
}

impl Scene {
    fn new(setting: Setting) -> Self {
        let clock = ManualClock::default();
        let config = setting.reactor_config();
        let memory = config.memory.clone();
        let (seed, _) = ReactorSeed::new(0, config, vec![setting.profile()]).expect("descriptors");
        let actor = Actor::new(setting.overflow);
        let reactor = seed
            .start_with_clock(actor, &[], clock.clone())
            .expect("nothing to listen on");
        Self {
            setting,
            reactor,
            clock,
            memory,
            peers: Vec::new(),
            opened: 0,
        }
    }

    fn open(&mut self) {
        let live = self.peers.iter().filter(|peer| peer.is_there()).count();
        if live >= CONNECTIONS_MAX || self.opened >= OPENED_MAX {
            return;
        }
        self.opened += 1;
        let (ours, peer) = Peer::pair(&self.setting);
        let address: SocketAddr = ([192, 0, 2, 1], 4000).into();
        let id = self.reactor.adopt(ours, 0, address).expect("watched");
        self.peers.push(peer.named(id));
        self.step();
    }

    /// Lets one thing happen.
    fn play(&mut self, event: u8, events: &mut Events<'_>) {
        let live: Vec<_> = (0..self.peers.len())
            .filter(|&at| self.peers[at].is_there())
            .collect();
        let Some(&at) = live.get(usize::from(event >> 5) % live.len().max(1)) else {
            self.open();
            return;
        };
        let peer = &mut self.peers[at];
        let id = peer.id();
        match event & 31 {
            0 | 1 => {
                self.step();
            }
            // What the peer does.
            2 => peer.say_raw(events.bytes()),
            3 => {
                let kind = events.pick();
                peer.say_message(kind, SIZES[kind & 7]);
            }
            4 => peer.say_fragments(events.pick(), events.pick()),
            5 => peer.say_control(events.pick()),
            6 => peer.upgrade(events.pick()),
            7 => peer.request(events.pick()),
            8 => peer.read(1 + events.pick() * 64),
            9 => peer.read(usize::MAX),
            10 => peer.end_output(),
            11 => peer.hang_up(),
            12 => peer.say_close(events.pick()),
            // What the handler does.
            13 | 14 => {
                let (policy, size) = (Policy::of(events.pick()), events.pick());
                self.act(|actor, ctx| actor.send(ctx, id, policy, SIZES[size & 7]));
            }
            15 | 16 => {
                let (policy, size) = (Policy::of(events.pick()), events.pick());
                self.act(|actor, ctx| actor.publish(ctx, policy, SIZES[size & 7]));
            }
            17 => {
                let (policy, size) = (Policy::of(events.pick()), events.pick());
                let times = events.pick() & 63;
                self.act(|actor, ctx| {
                    for _ in 0..times {
                        actor.send(ctx, id, policy, SIZES[size & 7]);
                    }
                });
            }
            18 => {
                let mood = events.pick();
                self.reactor.handler().set_mood(id, mood as u8);
            }
            19 => self.act(|actor, ctx| actor.pause(ctx, id)),
            20 => self.act(|actor, ctx| actor.resume(ctx, id)),
            21 => self.act(|actor, ctx| actor.watch(ctx, id)),
            22 => self.act(|actor, ctx| actor.close(ctx, id)),
            23 => self.act(|actor, ctx| actor.abort(ctx, id)),
            24 => self.act(|actor, ctx| actor.answer(ctx, id)),
            25 => self.act(|actor, ctx| actor.end_last(ctx, id)),
            26 => self.act(|_, ctx| {
                // To any id, at any time.
                let _ = ctx.ping(id);
            }),
            27 => {
                let seconds = events.pick() as u32 & 7;
                self.act(|_, ctx| ctx.set_deadline(id, ctx.now().after(seconds)));
            }
            28 => self.act(|_, ctx| {
                ctx.end_after_answer(id);
                ctx.wake_in(5);
            }),
            29 => self.open(),
            30 => self.pass(Duration::from_millis(250 * events.pick() as u64)),
            _ => {
                self.settle();
            }
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Actor, &mut network::Ctx<'_>)) {
        self.reactor.act(act);
        self.step();
    }

    fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        self.step();
    }

    fn step(&mut self) -> bool {
        for peer in &mut self.peers {
            peer.push();
        }
        let slept = self.reactor.step().expect("epoll waits");
        self.reactor.audit(false);
        for peer in &mut self.peers {
            if let Some(log) = self.reactor.handler().log(peer.id()) {
                peer.compare(&log.heard);
            }
        }
        slept
    }

    /// Turns until nothing is left to do.
    fn settle(&mut self) {
        let mut idle = 0;
        for _ in 0..TURNS_MAX {
            idle = if self.step() { idle + 1 } else { 0 };
            // In the first of them deadlines may have passed; the second had nothing at all.
            if idle == 2 {
                self.reactor.audit(true);
                self.reactor.act(|actor, ctx| actor.check_rest(ctx));
                return;
            }
        }
        panic!("no rest: {}", self.reactor.describe());
    }

    /// All peers read until nothing more comes.
    fn read_all(&mut self) {
        for _ in 0..TURNS_MAX {
            self.settle();
            let before: usize = self.peers.iter().map(Peer::received).sum();
            for peer in &mut self.peers {
                peer.read(usize::MAX);
            }
            let after: usize = self.peers.iter().map(Peer::received).sum();
            if after == before {
                return;
            }
        }
        panic!("no end of what is written");
    }

    fn end(&mut self) {
        self.settle();
        if self.setting.finale != Finale::HangUp {
            self.read_all();
            for peer in &self.peers {
                if let Some(log) = self.reactor.handler().log(peer.id()) {
                    peer.has_all(log, Rest::Open);
                }
            }
        }
        self.reactor.handler().close_idle();
        match self.setting.finale {
            Finale::Close => self.act(|actor, ctx| actor.close_all(ctx)),
            Finale::CloseAnswered => {
                self.act(|actor, ctx| actor.close_all(ctx));
                self.read_all();
                for peer in &mut self.peers {
                    peer.say_close(0);
                    peer.end_output();
                }
            }
            Finale::Silence => self.act(|actor, ctx| actor.release_all(ctx)),
            Finale::HangUp => {
                for peer in &mut self.peers {
                    peer.hang_up();
                }
                self.act(|actor, ctx| actor.release_all(ctx));
            }
        }
        for _ in 0..END_SECONDS {
            if self.setting.finale != Finale::HangUp {
                self.read_all();
            }
            self.settle();
            self.pass(Duration::from_secs(1));
        }
        self.settle();
        if self.setting.finale != Finale::HangUp {
            self.read_all();
        }
        assert_eq!(self.reactor.held_bytes(), 0, "{:?}", self.reactor);
        assert!(self.memory.used() < SLACK_BYTES, "{}", self.memory.used());
        // An end that takes too long or too much memory is cut short, and keeps its reason.
        let cut_short = self.setting.is_short_of_memory()
            || self
                .reactor
                .act(|_, ctx| ctx.stats().unanswered_closes.get() > 0);
        let opened = self.opened;
        let actor = self.reactor.handler();
        assert_eq!(actor.opened(), actor.closed());
        assert!(actor.opened() <= opened);
        let logs: HashMap<ConnId, actor::Log> = actor.take_logs();
        for peer in &self.peers {
            if let Some(log) = logs.get(&peer.id()) {
                peer.has_all(log, Rest::Ended { cut_short });
            }
        }
    }
}

/// A message that a handler or a peer makes up: its number, and as many bytes as it is to have.
fn payload(number: u32, bytes: usize) -> Vec<u8> {
    let mut payload = format!("{number:07} ").into_bytes();
    payload.resize(bytes.max(8), b'a' + (number % 26) as u8);
    payload
}

/// The number of such a message, if it is whole.
fn number(payload: &[u8]) -> Option<u32> {
    let number: u32 = std::str::from_utf8(payload.get(..7)?).ok()?.parse().ok()?;
    (payload == self::payload(number, payload.len())).then_some(number)
}

fn kind(bits: usize) -> MessageKind {
    if bits & 8 == 0 {
        MessageKind::Text
    } else {
        MessageKind::Binary
    }
}

/// When what a peer has read is looked at: all of it has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing is left to be written.
    Open,
    /// Every connection has ended.
    Ended { cut_short: bool },
}

/// Whether a connection that ended so has written all that was queued.
fn is_orderly(reason: CloseReason) -> bool {
    !matches!(
        reason,
        CloseReason::Io
            | CloseReason::Truncated
            | CloseReason::CloseTimeout
            | CloseReason::MemoryShort
            | CloseReason::SlowConsumer
            | CloseReason::ConnectFailed(_)
    )
}

/// What is kept of an end that the handler has put off.
type Later = Option<LastInput>;
