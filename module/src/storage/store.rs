//! The store as the IM knows it.

use std::fmt;

use super::operation::{Read, ReadOperation, Reply, Write, WriteOperation};
use super::refusal::Refusal;
use crate::inbox::Event;

/// Accounts, friends, groups, conversations and inboxes, kept for good.
///
/// A write is acknowledged when it would survive the loss of power; what it has brought about is
/// told to the [`Sink`] then and not before, in the order in which the store took it on. A write
/// whose queue is full is refused at once ([`Refusal::Busy`]); while the medium fails, all are
/// ([`Refusal::Unavailable`]), and none of them has changed anything.
pub trait Store: fmt::Debug + Send + Sync {
    /// Does a change; the reply says how it went.
    fn write(&self, write: Write);

    /// Names what is kept: as long as it stays the same, ids keep their meaning.
    fn instance(&self) -> &str;

    /// Looks something up; what was acknowledged before is seen.
    fn read(&self, read: Read);
}

impl dyn Store + '_ {
    /// Does a change, and calls `then` with its outcome from a thread of the store.
    pub fn change<O: WriteOperation>(
        &self,
        operation: O,
        then: impl FnOnce(Result<O::Output, Refusal>) + Send + 'static,
    ) {
        self.write(operation.with_reply(Reply::new(then)));
    }

    /// Looks something up, and calls `then` with what was found from a thread of the store.
    pub fn look_up<O: ReadOperation>(
        &self,
        operation: O,
        then: impl FnOnce(Result<O::Output, Refusal>) + Send + 'static,
    ) {
        self.read(operation.with_reply(Reply::new(then)));
    }

    /// Does a change and waits for its outcome: for threads that may block.
    ///
    /// # Errors
    /// Whatever the operation is refused for.
    pub fn change_now<O: WriteOperation>(&self, operation: O) -> Result<O::Output, Refusal> {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        // The receiver is below, and waits.
        self.change(operation, move |outcome| drop(sender.send(outcome)));
        receiver.recv().unwrap_or(Err(Refusal::Unavailable))
    }

    /// Looks something up and waits for it: for threads that may block.
    ///
    /// # Errors
    /// Whatever the operation is refused for.
    pub fn look_up_now<O: ReadOperation>(&self, operation: O) -> Result<O::Output, Refusal> {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        // The receiver is below, and waits.
        self.look_up(operation, move |outcome| drop(sender.send(outcome)));
        receiver.recv().unwrap_or(Err(Refusal::Unavailable))
    }
}

/// Who is told what committed writes have brought about, in the order of the commits.
pub trait Sink: Send {
    /// Something happened. Called from one thread of the store, which goes on with the next event
    /// when this returns.
    fn on_event(&mut self, event: Event);
}

impl<F: FnMut(Event) + Send> Sink for F {
    fn on_event(&mut self, event: Event) {
        self(event);
    }
}
