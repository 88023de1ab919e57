//! The thread that lets outcomes go: replies to those who asked, events to the sink, in the order
//! of the commits, while the writer is busy with the next transaction.

use crossbeam_channel::Receiver;

use crate::inbox::Event;
use crate::storage::operation::Reply;
use crate::storage::refusal::Refusal;
use crate::storage::store::Sink;

/// What one write has come to.
pub(super) struct Release {
    reply: Box<dyn FnOnce(Option<Refusal>) + Send>,
    revoked: Option<Refusal>,
    pub(super) events: Vec<Event>,
}

impl Release {
    pub(super) fn new<T: Send + 'static>(
        reply: Reply<T>,
        outcome: Result<T, Refusal>,
        events: Vec<Event>,
    ) -> Self {
        Self {
            reply: Box::new(move |revoked| reply.send(revoked.map_or(outcome, Err))),
            revoked: None,
            events,
        }
    }

    /// What nobody has asked for, and is told all the same.
    pub(super) fn unasked(events: Vec<Event>) -> Self {
        Self {
            reply: Box::new(drop),
            revoked: None,
            events,
        }
    }

    /// It was done, but the transaction that it was part of has failed.
    pub(super) fn revoke(&mut self, refusal: Refusal) {
        self.revoked = Some(refusal);
        self.events.clear();
    }
}

/// Works until the writer has ended.
pub(super) fn run(releases: &Receiver<Vec<Release>>, sink: &mut dyn Sink) {
    for batch in releases {
        deliver(batch, sink);
    }
}

/// Lets the outcomes of one transaction go.
pub(super) fn deliver(batch: Vec<Release>, sink: &mut dyn Sink) {
    for release in batch {
        (release.reply)(release.revoked);
        for event in release.events {
            sink.on_event(event);
        }
    }
}
