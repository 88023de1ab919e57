//! A worker's bounded queue, seen by the reactors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::envelope::Parcel;

/// Batches that may wait beside the bound on events; a batch has at least one event.
const BATCHES_MAX: usize = 4096;

/// A batch of events for one worker.
#[derive(Debug, Default)]
pub(crate) struct Letter {
    pub(crate) parcels: Vec<Parcel>,
    /// Bytes of memory that the parcels take.
    pub(crate) bytes: usize,
    /// When it was first tried to be sent, if it is one of those that are measured.
    pub(crate) sent_at: Option<Instant>,
}

/// Sender's side.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    sender: Sender<Letter>,
    shared: Arc<Shared>,
}

/// Worker's side.
#[derive(Debug)]
pub(crate) struct Letters {
    receiver: Receiver<Letter>,
    shared: Arc<Shared>,
}

/// How full a mailbox is, seen by anyone; does not keep it open.
#[derive(Clone, Debug)]
pub(crate) struct MailboxDepth(Arc<Shared>);

impl MailboxDepth {
    /// Events that were sent and are not dealt with.
    pub(crate) fn events(&self) -> usize {
        self.0.depth.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Shared {
    /// Events that were sent and not yet dealt with.
    depth: AtomicUsize,
    depth_max: usize,
    /// A reactor, by index, that holds a batch back until there is room.
    stalled: Box<[AtomicBool]>,
}

impl Mailbox {
    pub(crate) fn new(depth_max: usize, reactors: usize) -> (Self, Letters) {
        let (sender, receiver) = bounded(BATCHES_MAX);
        let shared = Arc::new(Shared {
            depth: AtomicUsize::new(0),
            depth_max,
            stalled: (0..reactors).map(|_| AtomicBool::new(false)).collect(),
        });
        (
            Self {
                sender,
                shared: Arc::clone(&shared),
            },
            Letters { receiver, shared },
        )
    }

    pub(crate) fn depth(&self) -> MailboxDepth {
        MailboxDepth(Arc::clone(&self.shared))
    }

    /// Sends a batch; gives it back if there is no room. A batch larger than the whole bound is
    /// taken by an empty mailbox.
    pub(crate) fn try_send(&self, letter: Letter) -> Result<(), Letter> {
        let events = letter.parcels.len();
        // Counted in one step: events that are added and taken off again would make the worker
        // believe, if only for a moment, that it has more to do, and wake nobody.
        let entered = self
            .shared
            .depth
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |depth| {
                let fits = depth == 0 || depth + events <= self.shared.depth_max;
                fits.then_some(depth + events)
            });
        if entered.is_err() {
            return Err(letter);
        }
        self.sender.try_send(letter).map_err(|error| {
            self.shared.depth.fetch_sub(events, Ordering::SeqCst);
            error.into_inner()
        })
    }

    /// Notes that `reactor` holds a batch back: the worker wakes it when there is room. The sender
    /// tries once more after this, so that room made in between is not missed.
    pub(crate) fn stall(&self, reactor: u16) {
        self.shared.stalled[usize::from(reactor)].store(true, Ordering::SeqCst);
    }
}

impl Letters {
    /// The next batch; `None` when all senders are gone and everything is read.
    pub(crate) fn recv(&self) -> Option<Letter> {
        self.receiver.recv().ok()
    }

    /// A batch of so many events is dealt with. Calls `wake` for each reactor that holds one back,
    /// once half of the mailbox is free.
    pub(crate) fn done(&self, events: usize, mut wake: impl FnMut(usize)) {
        let depth = self.shared.depth.fetch_sub(events, Ordering::SeqCst) - events;
        if depth <= self.shared.depth_max / 2 {
            for (reactor, stalled) in self.shared.stalled.iter().enumerate() {
                if stalled.load(Ordering::SeqCst) && stalled.swap(false, Ordering::SeqCst) {
                    wake(reactor);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Event, ModuleId};
    use common::SessionId;

    fn batch(events: usize) -> Letter {
        let parcels = (0..events)
            .map(|_| Parcel {
                session: SessionId::new(0, 0, 1),
                module: ModuleId(0),
                event: Event::Limited,
            })
            .collect();
        Letter {
            parcels,
            ..Letter::default()
        }
    }

    #[test]
    fn the_bound_counts_events_and_not_batches() {
        let (mailbox, letters) = Mailbox::new(10, 1);
        mailbox.try_send(batch(6)).unwrap();
        assert_eq!(mailbox.try_send(batch(5)).unwrap_err().parcels.len(), 5);
        mailbox.try_send(batch(4)).unwrap();
        mailbox.stall(0);
        let mut woken = Vec::new();
        letters.recv().unwrap();
        letters.done(6, |reactor| woken.push(reactor));
        assert_eq!(woken, [0], "half is free");
        letters.recv().unwrap();
        letters.done(4, |reactor| woken.push(reactor));
        assert_eq!(woken, [0], "nobody is stalled any more");
    }

    #[test]
    fn a_batch_over_the_bound_passes_an_empty_mailbox() {
        let (mailbox, _letters) = Mailbox::new(10, 1);
        mailbox.try_send(batch(11)).unwrap();
        assert!(mailbox.try_send(batch(1)).is_err());
    }
}
