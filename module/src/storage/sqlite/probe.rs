//! What a read costs, in numbers that no load of the machine changes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, StatementStatus};

use super::open::{self, OpenError};
use super::readers;
use crate::storage::operation::{ReadOperation, Reply};
use crate::storage::refusal::Refusal;

/// Bytes of a page of the database.
const PAGE_BYTES: u64 = 4_096;

thread_local! {
    /// Steps of each statement that has ended in this thread, over all its runs.
    static STEPS: RefCell<HashMap<String, u64>> = RefCell::default();
}

/// What one read has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Pages that it looks at, each counted once: what is read from the disk with nothing cached.
    pub pages: u64,
    /// Instructions of SQLite's machine; the search index works without.
    pub steps: u64,
    /// Time with everything cached.
    pub time: Duration,
}

/// Asks a store that is in a directory, beside a server or without one.
#[derive(Debug)]
pub struct Probe {
    connection: Arc<Mutex<Connection>>,
}

impl Probe {
    /// Opens the store of a directory.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let connection = open::reader(directory)?;
        let profiled = TraceEventCodes::SQLITE_TRACE_PROFILE;
        connection.trace_v2(profiled, Some(count_steps));
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// Asks, and says what that has cost.
    ///
    /// # Errors
    /// Whatever the operation is refused for; `Internal` if the kernel does not say what was read.
    pub fn ask<O: ReadOperation + Clone>(
        &self,
        operation: O,
    ) -> Result<(O::Output, Cost), Refusal> {
        // The first time pays for what is the same for all questions, and prepares the statements:
        // what they count goes on from there.
        self.answer(operation.clone())?;
        let first = STEPS.with_borrow(HashMap::clone);
        let forgotten = self.connection.lock().release_memory();
        forgotten.map_err(|_| Refusal::Internal)?;
        let before = bytes_read().map_err(|_| Refusal::Internal)?;
        self.answer(operation.clone())?;
        let bytes = bytes_read().map_err(|_| Refusal::Internal)? - before;
        let steps = STEPS.with_borrow(|all| {
            let since = |(sql, steps): (&String, &u64)| {
                // Statements that the search index makes anew count anew.
                let before = first.get(sql).filter(|before| *before <= steps);
                steps - before.unwrap_or(&0)
            };
            all.iter().map(since).sum()
        });
        let begun = Instant::now();
        let output = self.answer(operation)?;
        let time = begun.elapsed();
        let cost = Cost {
            pages: bytes / PAGE_BYTES,
            steps,
            time,
        };
        Ok((output, cost))
    }

    fn answer<O: ReadOperation>(&self, operation: O) -> Result<O::Output, Refusal> {
        let (sender, receiver) = channel();
        // The receiver is below.
        let reply = Reply::new(move |outcome| drop(sender.send(outcome)));
        readers::perform(&self.connection, operation.with_reply(reply));
        receiver.recv().unwrap_or(Err(Refusal::Internal))
    }
}

/// What this thread has read so far, from the disk or from the kernel's cache.
fn bytes_read() -> io::Result<u64> {
    let counters = fs::read_to_string("/proc/thread-self/io")?;
    let read = counters
        .lines()
        .find_map(|line| line.strip_prefix("rchar: "));
    read.and_then(|bytes| bytes.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn count_steps(event: TraceEvent<'_>) {
    if let TraceEvent::Profile(statement, _) = event {
        let steps = statement.get_status(StatementStatus::VmStep);
        STEPS.with_borrow_mut(|all| {
            all.insert(statement.sql().into_owned(), steps.max(0) as u64);
        });
    }
}
