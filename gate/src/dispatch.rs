//! From a reactor to the workers: one batch for each worker concerned, at the end of the turn.

use std::sync::Arc;
use std::time::Instant;

use common::{SessionId, Tick};
use network::Ctx;

use crate::envelope::Parcel;
use crate::mailbox::{Letter, Mailbox};
use crate::stats::{GateStats, WorkerStats};

/// Events after which a batch leaves before the end of the turn, so that a flood of tiny frames
/// meets the bound of the mailbox and not the memory of the host.
const BATCH_EVENTS_MAX: usize = 1024;

/// Bytes after which it does.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Batches of one reactor on their way to the workers. One session always goes to the same one.
///
/// A worker whose mailbox is full is *stalled*: its batch stays here, and each session that still
/// sends for it is paused after that message. So at most one message per session waits, and the
/// clients are slowed down by the kernel's receive window.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    reactor: u16,
    reactors: usize,
    lanes: Vec<Lane>,
    stats: Arc<GateStats>,
}

#[derive(Debug)]
struct Lane {
    mailbox: Mailbox,
    letter: Letter,
    /// Bytes of the letter that the node's memory has accounted for.
    accounted: usize,
    stalled: bool,
    paused: Vec<SessionId>,
    /// Batches that were sent.
    sent: u64,
    /// When one was last measured.
    measured: Tick,
}

impl Dispatcher {
    pub(crate) fn new(
        reactor: u16,
        reactors: usize,
        mailboxes: Vec<Mailbox>,
        stats: Arc<GateStats>,
    ) -> Self {
        let lanes = mailboxes
            .into_iter()
            .map(|mailbox| Lane {
                mailbox,
                letter: Letter::default(),
                accounted: 0,
                stalled: false,
                paused: Vec::new(),
                sent: 0,
                measured: Tick::default(),
            })
            .collect();
        Self {
            reactor,
            reactors,
            lanes,
            stats,
        }
    }

    /// The worker of a session. Where there are fewer workers than reactors, all sessions of a
    /// reactor share one, which makes for the fewest and longest batches.
    fn lane(&self, session: SessionId) -> usize {
        let workers = self.lanes.len();
        let spread = workers.div_ceil(self.reactors);
        (usize::from(self.reactor) * spread + session.slot() as usize % spread) % workers
    }

    /// Adds an event to its worker's batch.
    #[inline]
    pub(crate) fn dispatch(&mut self, ctx: &mut Ctx<'_>, parcel: Parcel) {
        let lane = self.lane(parcel.session);
        let lane = &mut self.lanes[lane];
        if lane.stalled {
            self.stats.held_back.add(1);
            ctx.pause(parcel.session);
            lane.paused.push(parcel.session);
        }
        lane.letter.bytes += parcel.bytes();
        lane.letter.parcels.push(parcel);
        let full =
            lane.letter.parcels.len() >= BATCH_EVENTS_MAX || lane.letter.bytes >= BATCH_BYTES_MAX;
        if full && !lane.stalled {
            lane.send(self.reactor, ctx);
        }
    }

    /// Sends the batches of this turn. What does not fit stays, and the worker will wake us.
    pub(crate) fn send(&mut self, ctx: &mut Ctx<'_>) {
        for lane in &mut self.lanes {
            if !lane.letter.parcels.is_empty() {
                lane.send(self.reactor, ctx);
            }
        }
    }

    /// Whether everything was handed over.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.letter.parcels.is_empty())
    }
}

impl Lane {
    /// Says when the batch began to wait, if it is one of those that are measured: reading the
    /// clock for each would cost the most where batches are shortest.
    fn stamp(&mut self, now: Tick) {
        let sampled = self.sent.is_multiple_of(WorkerStats::SAMPLED_BATCHES);
        if (sampled || self.measured != now) && self.letter.sent_at.is_none() {
            self.measured = now;
            self.letter.sent_at = Some(Instant::now());
        }
    }

    fn send(&mut self, reactor: u16, ctx: &mut Ctx<'_>) {
        ctx.memory().take(self.letter.bytes - self.accounted);
        ctx.settle_memory();
        self.accounted = self.letter.bytes;
        let events = self.letter.parcels.len();
        self.stamp(ctx.now());
        let letter = std::mem::take(&mut self.letter);
        let sent = self.mailbox.try_send(letter).or_else(|letter| {
            self.mailbox.stall(reactor);
            self.mailbox.try_send(letter)
        });
        match sent {
            Ok(()) => {
                self.sent += 1;
                self.stalled = false;
                self.accounted = 0;
                self.letter.parcels.reserve(events.min(256));
                for session in self.paused.drain(..) {
                    ctx.resume(session);
                }
            }
            Err(letter) => {
                self.stalled = true;
                self.letter = letter;
            }
        }
    }
}
