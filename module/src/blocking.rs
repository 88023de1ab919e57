//! Threads for what takes long: hashing passwords, and whatever else must not keep a worker.

use std::io;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded};

/// Work for a thread of the pool.
type Job = Box<dyn FnOnce() + Send>;

/// A few threads behind a bounded queue. Dropping it does what is waiting, and ends them.
#[derive(Debug)]
pub struct BlockingPool {
    queue: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl BlockingPool {
    /// Starts `threads` threads; `waiting_max` jobs may wait for one of them.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn new(threads: usize, waiting_max: usize) -> io::Result<Self> {
        let (queue, jobs) = bounded::<Job>(waiting_max);
        let start = |at: usize| {
            let jobs = jobs.clone();
            let name = format!("blocking-{at}");
            thread::Builder::new()
                .name(name)
                .spawn(move || jobs.iter().for_each(|job| job()))
        };
        Ok(Self {
            queue: Some(queue),
            threads: (0..threads.max(1)).map(start).collect::<io::Result<_>>()?,
        })
    }

    /// Has a thread do `job`; false, and nothing is done, if too much is waiting.
    #[must_use]
    pub fn submit(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let job: Job = Box::new(job);
        self.queue
            .as_ref()
            .is_some_and(|queue| queue.try_send(job).is_ok())
    }
}

impl Drop for BlockingPool {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // The last owner may be a job, that is, one of these threads.
            if thread.thread().id() == thread::current().id() {
                continue;
            }
            if thread.join().is_err() {
                tracing::error!("a job has panicked");
            }
        }
    }
}
