//! The thread that runs modules.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::CloseReason;

use crate::context::Context;
use crate::envelope::{Envelope, EnvelopePayload, Event, Parcel};
use crate::handle::{GateHandle, Outgoing};
use crate::mailbox::{Letter, Letters};
use crate::module::Module;
use crate::stats::WorkerStats;

/// Owns an instance of every module that is placed on workers, and the mailbox of its sessions.
pub(crate) struct Worker {
    letters: Letters,
    modules: Vec<Option<Box<dyn Module>>>,
    handle: GateHandle,
    outgoing: Outgoing,
    started: Instant,
    stats: Arc<WorkerStats>,
}

impl Worker {
    pub(crate) fn new(
        letters: Letters,
        modules: Vec<Option<Box<dyn Module>>>,
        handle: GateHandle,
        started: Instant,
        stats: Arc<WorkerStats>,
    ) -> Self {
        let outgoing = Outgoing::new(handle.reactors.len());
        Self {
            letters,
            modules,
            handle,
            outgoing,
            started,
            stats,
        }
    }

    /// Works until all reactors have ended and everything that they sent is dealt with.
    pub(crate) fn run(&mut self) {
        while let Some(letter) = self.letters.recv() {
            self.step(letter);
        }
    }

    /// Deals with one batch; the replies leave together.
    fn step(&mut self, letter: Letter) {
        let events = letter.parcels.len();
        let now = Instant::now();
        let now_ms = now.duration_since(self.started).as_millis() as u64;
        for parcel in letter.parcels {
            self.deliver(parcel, now_ms);
        }
        self.handle.memory.give_back(letter.bytes);
        self.outgoing.submit(&self.handle);
        let reactors = &self.handle.reactors;
        self.letters
            .done(events, |reactor| reactors[reactor].wake());
        self.stats.batches.add(1);
        self.stats.events.add(events as u64);
        if let Some(sent_at) = letter.sent_at {
            let nanos = |time: Duration| time.as_nanos() as u64;
            let waited = now.saturating_duration_since(sent_at);
            self.stats.wait_time.record(nanos(waited));
            self.stats.batch_time.record(nanos(now.elapsed()));
        }
    }

    fn deliver(&mut self, parcel: Parcel, now_ms: u64) {
        let Some(Some(module)) = self.modules.get_mut(usize::from(parcel.module.0)) else {
            return;
        };
        let mut context = Context {
            handle: &self.handle,
            outgoing: &mut self.outgoing,
            near: None,
            now_ms,
        };
        let session = parcel.session;
        // A module that panics loses the session whose event it was, and no other.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            deliver(module.as_mut(), &mut context, parcel)
        }));
        if outcome.is_err() {
            self.stats.panics.add(1);
            tracing::error!(%session, "a module panicked; its session is closed");
            context.close(session, CloseReason::Module(1011), "internal error");
        }
    }
}

/// Calls the method of the module that the event is for.
pub(crate) fn deliver(module: &mut dyn Module, context: &mut Context<'_>, parcel: Parcel) {
    let session = parcel.session;
    match parcel.event {
        Event::Message(kind, payload) => {
            let payload = EnvelopePayload::Owned(payload);
            module.on_message(
                context,
                Envelope {
                    session,
                    kind,
                    payload,
                },
            );
        }
        Event::Open(handshake) => module.on_open(context, session, &handshake),
        Event::Request(request) => module.on_request(context, *request),
        Event::Upload(request) => module.on_upload(context, *request),
        Event::Body(piece) => module.on_body(context, session, piece),
        Event::UploadLost(reason) => module.on_upload_lost(context, session, reason),
        Event::Fence(fence) => context.pass_fence(session, fence),
        Event::Limited => module.on_limited(context, session),
        Event::Drops(drops) => module.on_drops(context, session, drops),
        Event::Drained => module.on_drained(context, session),
        Event::Close(reason) => module.on_close(context, session, reason),
    }
}
