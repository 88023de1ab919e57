//! How other threads reach a reactor: bounded batches of commands, with wake-ups coalesced.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use mio::Waker;

/// Sends batches of commands to one reactor, from any thread.
pub struct ReactorHandle<C> {
    sender: Sender<Vec<C>>,
    bell: Arc<Bell>,
}

impl<C> Clone for ReactorHandle<C> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            bell: Arc::clone(&self.bell),
        }
    }
}

impl<C> fmt::Debug for ReactorHandle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReactorHandle")
            .field("waiting", &self.sender.len())
            .finish()
    }
}

/// The reactor is gone; here are the commands back.
#[derive(Debug)]
pub struct Stopped<C>(pub Vec<C>);

impl<C> ReactorHandle<C> {
    /// Hands over a batch and wakes the reactor if it sleeps. Waits while the queue is full, so a
    /// reactor thread must not call this for a reactor (see [`ReactorHandle::try_submit`]).
    ///
    /// # Errors
    /// [`Stopped`] if the reactor has ended.
    pub fn submit(&self, batch: Vec<C>) -> Result<(), Stopped<C>> {
        if batch.is_empty() {
            return Ok(());
        }
        self.sender.send(batch).map_err(|error| Stopped(error.0))?;
        self.bell.ring();
        Ok(())
    }

    /// Hands over a batch without waiting.
    ///
    /// # Errors
    /// The batch, if the queue is full or the reactor has ended.
    pub fn try_submit(&self, batch: Vec<C>) -> Result<(), TrySendError<Vec<C>>> {
        self.sender.try_send(batch)?;
        self.bell.ring();
        Ok(())
    }

    /// Batches that wait for the reactor.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.sender.len()
    }

    /// Wakes the reactor without a command.
    pub fn wake(&self) {
        self.bell.ring();
    }
}

/// The waker of a reactor, with the knowledge whether it needs to be rung.
#[derive(Debug)]
pub(crate) struct Bell {
    waker: Waker,
    /// The reactor is awake and will look at its queue before it sleeps.
    awake: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        // The swap orders this after the send and against `sleep`: either the reactor sees the
        // batch before it sleeps, or this sees that it sleeps.
        if !self.awake.swap(true, Ordering::SeqCst) {
            // An eventfd can only fail to be written if it is closed, and we hold it.
            let _ = self.waker.wake();
        }
    }
}

/// The reactor's end of the queue.
#[derive(Debug)]
pub(crate) struct CommandQueue<C> {
    receiver: Receiver<Vec<C>>,
    bell: Arc<Bell>,
}

impl<C> CommandQueue<C> {
    pub(crate) fn new(waker: Waker, batches_max: usize) -> (Self, ReactorHandle<C>) {
        let (sender, receiver) = bounded(batches_max);
        let bell = Arc::new(Bell {
            waker,
            awake: AtomicBool::new(true),
        });
        (
            Self {
                receiver,
                bell: Arc::clone(&bell),
            },
            ReactorHandle { sender, bell },
        )
    }

    /// To be called before a wait that may sleep; false if there are commands, so that the wait
    /// must not sleep.
    pub(crate) fn may_sleep(&self) -> bool {
        self.bell.awake.store(false, Ordering::SeqCst);
        if self.receiver.is_empty() {
            return true;
        }
        self.bell.awake.store(true, Ordering::SeqCst);
        false
    }

    /// To be called after the wait: senders need not ring from here on.
    pub(crate) fn awake(&self) {
        self.bell.awake.store(true, Ordering::SeqCst);
    }

    pub(crate) fn next(&self) -> Option<Vec<C>> {
        self.receiver.try_recv().ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll, Token};
    use std::time::Duration;

    #[test]
    fn a_sleeping_reactor_is_woken_once_and_an_awake_one_never() {
        let mut poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        let (queue, handle) = CommandQueue::new(waker, 8);
        let mut events = Events::with_capacity(8);
        let mut woken = |poll: &mut Poll| {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            events.iter().count()
        };

        handle.submit(vec![1]).unwrap();
        assert_eq!(woken(&mut poll), 0, "awake: no system call");
        assert!(!queue.may_sleep(), "there is a command");
        assert_eq!(queue.next(), Some(vec![1]));

        assert!(queue.may_sleep());
        handle.submit(vec![2]).unwrap();
        handle.submit(vec![3]).unwrap();
        assert_eq!(woken(&mut poll), 1);
        queue.awake();
        assert_eq!(queue.next(), Some(vec![2]));
        assert_eq!(queue.next(), Some(vec![3]));
    }

    #[test]
    fn a_full_queue_gives_the_batch_back() {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        let (_queue, handle) = CommandQueue::new(waker, 1);
        handle.try_submit(vec![1]).unwrap();
        assert_eq!(handle.try_submit(vec![2]).unwrap_err().into_inner(), [2]);
    }
}
