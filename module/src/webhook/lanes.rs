//! Threads among which work is spread so that what belongs together keeps its order.

use std::hash::{BuildHasher, Hash};
use std::io;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendError, Sender, bounded, unbounded};
use rustc_hash::FxBuildHasher;

use super::poster::Patience;

/// A queue and a thread for each lane. Work for one key is done in the order in which it came.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    queues: Vec<(Sender<T>, Receiver<T>)>,
    threads: Vec<JoinHandle<()>>,
    /// Pieces that may wait in all lanes together.
    waiting_max: usize,
    /// Disconnected when the last thread has ended.
    ended: Receiver<()>,
}

impl<T: Send + 'static> Lanes<T> {
    /// Starts `lanes` threads that call `work`; `waiting_max` pieces may wait, in whichever lanes
    /// (a few more if they come from many threads at once).
    pub(super) fn start(
        name: &str,
        lanes: usize,
        waiting_max: usize,
        work: impl Fn(T) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let (alive, ended) = bounded(0);
        let mut started = Self {
            queues: Vec::with_capacity(lanes),
            threads: Vec::with_capacity(lanes),
            waiting_max,
            ended,
        };
        for _ in 0..lanes {
            let (sender, receiver) = unbounded();
            let (pieces, work, alive) = (receiver.clone(), work.clone(), alive.clone());
            // One name for all: what they take together is what is of interest.
            let thread = thread::Builder::new().name(name.to_owned());
            let thread = thread.spawn(move || {
                let _alive: Sender<()> = alive;
                pieces.iter().for_each(work);
            })?;
            started.queues.push((sender, receiver));
            started.threads.push(thread);
        }
        Ok(started)
    }

    fn lane(&self, key: &impl Hash) -> &(Sender<T>, Receiver<T>) {
        let hash = FxBuildHasher.hash_one(key) as usize;
        &self.queues[hash % self.queues.len()]
    }

    /// Hands a piece of work over, or gives it back if too much waits.
    pub(super) fn push(&self, key: &impl Hash, piece: T) -> Result<(), T> {
        if self.waiting() >= self.waiting_max {
            return Err(piece);
        }
        self.lane(key).0.send(piece).map_err(|SendError(back)| back)
    }

    /// Hands a piece of work over, in place of the oldest if too much waits; how many were dropped.
    pub(super) fn push_over(&self, key: &impl Hash, piece: T) -> u64 {
        let (sender, own) = self.lane(key);
        let mut dropped = 0;
        while self.waiting() >= self.waiting_max {
            // The oldest of its own lane, or else of the longest.
            let longest = self.queues.iter().map(|(_, queue)| queue);
            let longest = longest.max_by_key(|queue| queue.len());
            let queue = Some(own).filter(|own| !own.is_empty()).or(longest);
            // The thread of the lane may have been quicker.
            dropped += u64::from(queue.is_some_and(|queue| queue.try_recv().is_ok()));
        }
        // The receiver is here.
        let _ = sender.send(piece);
        dropped
    }

    /// How much waits.
    pub(super) fn waiting(&self) -> usize {
        self.queues.iter().map(|(sender, _)| sender.len()).sum()
    }

    /// Has what waits done, and ends the threads. One that takes longer than `patience` is left
    /// behind.
    pub(super) fn finish(self, patience: Patience) {
        drop(self.queues);
        // The last owner of everything may be a piece of work, on one of these threads.
        let current = thread::current().id();
        if self.threads.iter().any(|own| own.thread().id() == current) {
            return;
        }
        let wait = patience.left().unwrap_or_default();
        if self.ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("a webhook has not answered in time; its requests are left behind");
            return;
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the webhooks has panicked");
            }
        }
    }
}
