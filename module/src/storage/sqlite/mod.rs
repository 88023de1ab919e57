//! The store on SQLite: one file set in a directory, or memory.
//!
//! ```text
//!   Write ─▶ queue ─▶ writer: one transaction of all that waits ─▶ courier: replies, events
//!   Read  ─▶ queue ─▶ readers, each with a connection of its own
//! ```

mod account;
mod account_list;
mod attachment;
pub mod backup;
mod change;
mod config;
mod conversation;
mod courier;
mod ending;
#[cfg(feature = "fill")]
pub mod fill;
mod friend;
mod group;
mod group_list;
mod inbox;
mod indexing;
mod inline;
mod letter;
mod member;
mod message;
mod open;
mod position;
mod presence;
#[cfg(feature = "probe")]
pub mod probe;
mod readers;
mod receipt;
mod retention;
mod send;
mod session;
mod sql;
mod statistics;
mod tally;
mod text;
mod turnover;
mod tx;
mod verification;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, TrySendError, bounded};
use parking_lot::Mutex;
use rusqlite::Connection;

use super::operation::{Read, Write};
use super::refusal::Refusal;
use super::store::{Sink, Store};
use ending::Endings;
use indexing::Indexing;
use open::DirectoryLock;
use sql::Sql;
use writer::{Counters, Writer};

pub use config::{Location, Retention, Rules, StoreConfig, TimeOfDay};
pub use inline::InlineStore;
pub use open::OpenError;

/// The writer and the courier, which are started after the readers.
const WRITE_THREADS: usize = 2;
/// Batches of outcomes that may wait for the courier; the writer waits for it beyond.
const RELEASES_MAX: usize = 16;

/// What a store has done since it was opened, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Transactions that were committed.
    pub commits: u64,
    /// Writes in them, those that were refused by a rule included.
    pub writes: u64,
    /// Transactions that failed; none of their writes has changed anything.
    pub failed_commits: u64,
    /// Writes that wait.
    pub writes_waiting: usize,
    /// Reads that wait.
    pub reads_waiting: usize,
}

/// The store on SQLite. Dropping it does what is waiting, and ends its threads.
#[derive(Debug)]
pub struct SqliteStore {
    writes: Option<Sender<Write>>,
    reads: Option<Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
    counters: Arc<Counters>,
    instance: String,
    /// Let go last.
    _lock: Option<DirectoryLock>,
}

impl SqliteStore {
    /// Opens a store, or makes it; `sink` is told what commits have brought about.
    ///
    /// # Errors
    /// Whatever keeps it from being served: see [`OpenError`].
    pub fn open(config: StoreConfig, sink: impl Sink + 'static) -> Result<Self, OpenError> {
        let lock = match &config.location {
            Location::Memory => None,
            Location::Directory(directory) => Some(open::lock(directory)?),
        };
        let connection = open::writer(&config)?;
        let last_ms = last_ms(&connection)?;
        let indexing = Indexing::new(&connection)?;
        let endings = Endings::new(&connection)?;
        let turnover_ms = turnover::next_ms(&connection)?;
        let (writes, queue) = bounded(config.writes_waiting_max);
        let (releases, released) = bounded(RELEASES_MAX);
        let (reads, read_queue) = bounded(config.reads_waiting_max);
        let mut store = Self {
            writes: Some(writes),
            reads: Some(reads),
            threads: Vec::new(),
            counters: Arc::default(),
            instance: instance(&connection)?,
            _lock: lock,
        };
        let connection = Arc::new(Mutex::new(connection));
        for reader in 0..config.readers.max(1) {
            // What is in memory has one connection; there the readers take turns with the writer.
            let connection = match &config.location {
                Location::Memory => Arc::clone(&connection),
                Location::Directory(directory) => Arc::new(Mutex::new(open::reader(directory)?)),
            };
            let queue = read_queue.clone();
            store.start(format!("store-read-{reader}"), move || {
                readers::run(&queue, &connection);
            })?;
        }
        let writer = Writer {
            queue,
            connection,
            releases,
            rules: config.rules,
            retention: config.retention,
            time: config.time,
            last_ms,
            indexing,
            endings,
            turnover_ms,
            counters: Arc::clone(&store.counters),
            sweep: None,
            indexed_last: false,
            failed: false,
        };
        store.start("store-write".to_owned(), move || writer.run())?;
        let mut sink = sink;
        store.start("store-release".to_owned(), move || {
            courier::run(&released, &mut sink);
        })?;
        Ok(store)
    }

    /// What it has done, and what waits.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStats {
            commits: count(&self.counters.commits),
            writes: count(&self.counters.writes),
            failed_commits: count(&self.counters.failed_commits),
            writes_waiting: self.writes.as_ref().map_or(0, Sender::len),
            reads_waiting: self.reads.as_ref().map_or(0, Sender::len),
        }
    }

    fn start(
        &mut self,
        name: String,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(name).spawn(run);
        self.threads.push(thread.map_err(OpenError::Thread)?);
        Ok(())
    }
}

/// The time of the last message.
fn last_ms(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT time_ms FROM messages ORDER BY id DESC LIMIT 1";
    let last = connection.first(sql, [], |row| row.get(0))?;
    Ok(last.unwrap_or(0))
}

/// What names the store: a number that was drawn when it was made.
fn instance(connection: &Connection) -> rusqlite::Result<String> {
    let mut instance = connection.meta("instance")?;
    if instance == 0 {
        instance = rand::random_range(1..=i64::MAX as u64);
        connection.set_meta("instance", instance)?;
    }
    Ok(format!("{instance:x}"))
}

impl Store for SqliteStore {
    fn instance(&self) -> &str {
        &self.instance
    }

    fn write(&self, write: Write) {
        let Some(queue) = &self.writes else { return };
        match queue.try_send(write) {
            Ok(()) => {}
            Err(TrySendError::Full(write)) => write.refuse(Refusal::Busy),
            Err(TrySendError::Disconnected(write)) => write.refuse(Refusal::Unavailable),
        }
    }

    fn read(&self, read: Read) {
        let Some(queue) = &self.reads else { return };
        match queue.try_send(read) {
            Ok(()) => {}
            Err(TrySendError::Full(read)) => read.refuse(Refusal::Busy),
            Err(TrySendError::Disconnected(read)) => read.refuse(Refusal::Unavailable),
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // Readers first: the last connection to be closed can then put the log away.
        self.reads = None;
        let readers = self.threads.len().saturating_sub(WRITE_THREADS);
        let mut threads: Vec<_> = self.threads.drain(..readers).collect();
        join(&mut threads);
        self.writes = None;
        join(&mut self.threads);
    }
}

/// Waits for threads to end.
fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        // The last owner may be a reply or the sink, that is, one of these threads.
        if thread.thread().id() == thread::current().id() {
            continue;
        }
        if thread.join().is_err() {
            tracing::error!("a thread of the store has panicked");
        }
    }
}
