//! Threads for what takes long: hashing passwords, and whatever else must not keep a worker.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded};
use parking_lot::Mutex;

/// Work for a thread of the pool.
type Job = Box<dyn FnOnce() + Send>;

/// Does a job. One that panics must not take its thread away from those that wait; whoever waits
/// for its outcome hears of the end from what the job held.
fn run(job: Job) {
    if catch_unwind(AssertUnwindSafe(job)).is_err() {
        tracing::error!("a job has panicked");
    }
}

/// A few threads behind a bounded queue. Dropping it does what is waiting, and ends them.
#[derive(Debug)]
pub struct BlockingPool {
    queue: Queue,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
enum Queue {
    /// Jobs wait for a thread.
    Of(Sender<Job>),
    /// There is no thread: whoever brings a job does it.
    Inline,
    /// The end.
    Closed,
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
                .spawn(move || jobs.iter().for_each(run))
        };
        Ok(Self {
            queue: Queue::Of(queue),
            threads: (0..threads.max(1)).map(start).collect::<io::Result<_>>()?,
        })
    }

    /// A pool without threads, whose jobs are done by those who bring them.
    #[must_use]
    pub const fn inline() -> Self {
        Self {
            queue: Queue::Inline,
            threads: Vec::new(),
        }
    }

    /// Has a thread do `job` with something; or does `full` with it at once, if too much waits.
    pub fn submit_or<T: Send + 'static>(
        &self,
        with: T,
        job: impl FnOnce(T) + Send + 'static,
        full: impl FnOnce(T),
    ) {
        // Whether a thread takes it is only known when `with` is part of the job.
        let shared = Arc::new(Mutex::new(Some(with)));
        let taken = Arc::clone(&shared);
        let submitted = self.submit(move || {
            let with = taken.lock().take();
            if let Some(with) = with {
                job(with);
            }
        });
        if !submitted {
            let with = shared.lock().take();
            if let Some(with) = with {
                full(with);
            }
        }
    }

    /// Has a thread do `job`; false, and nothing is done, if too much is waiting.
    #[must_use]
    pub fn submit(&self, job: impl FnOnce() + Send + 'static) -> bool {
        match &self.queue {
            Queue::Of(queue) => queue.try_send(Box::new(job)).is_ok(),
            Queue::Inline => {
                job();
                true
            }
            Queue::Closed => false,
        }
    }
}

impl Drop for BlockingPool {
    fn drop(&mut self) {
        self.queue = Queue::Closed;
        for thread in self.threads.drain(..) {
            // The last owner may be a job, that is, one of these threads.
            if thread.thread().id() == thread::current().id() {
                continue;
            }
            if thread.join().is_err() {
                tracing::error!("a thread that may block has panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_job_that_panics_ends_alone_and_what_it_held_hears_of_it() {
        let pool = BlockingPool::new(1, 8).unwrap();
        let (done, outcomes) = channel::<&str>();
        let held = done.clone();
        assert!(pool.submit(move || {
            let _held = held;
            panic!("on purpose");
        }));
        assert!(pool.submit(move || done.send("the next one").unwrap()));
        assert_eq!(outcomes.recv(), Ok("the next one"));
        // All senders are gone, that of the first job as well.
        assert!(outcomes.recv().is_err());
    }
}
