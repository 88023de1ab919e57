//! The store on SQLite: one file set in a directory, or memory.
//!
//! ```text
//!   Write ─▶ queue ─▶ writer: one transaction of all that waits ─▶ courier: replies, events
//!   Read  ─▶ queue ─▶ readers, each with a connection of its own
//! ```

mod account;
mod config;
mod conversation;
mod courier;
mod friend;
mod group;
mod group_list;
mod inbox;
mod indexing;
mod member;
mod message;
mod open;
mod readers;
mod receipt;
mod retention;
mod send;
mod session;
mod sql;
mod text;
mod tx;
mod writer;

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, TrySendError, bounded};
use parking_lot::Mutex;

use super::operation::{Read, Write};
use super::refusal::Refusal;
use super::store::{Sink, Store};
use indexing::Indexing;
use open::DirectoryLock;
use sql::Sql;
use writer::Writer;

pub use config::{Location, Retention, Rules, StoreConfig, TimeOfDay};
pub use open::OpenError;

/// Batches of outcomes that may wait for the courier; the writer waits for it beyond.
const RELEASES_MAX: usize = 16;

/// The store on SQLite. Dropping it does what is waiting, and ends its threads.
#[derive(Debug)]
pub struct SqliteStore {
    writes: Option<Sender<Write>>,
    reads: Option<Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
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
        let last_ms = connection
            .first(
                "SELECT time_ms FROM messages ORDER BY id DESC LIMIT 1",
                [],
                |row| row.get(0),
            )?
            .unwrap_or(0);
        let indexing = Indexing::new(&connection)?;
        let connection = Arc::new(Mutex::new(connection));

        let (writes, queue) = bounded(config.writes_waiting_max);
        let (releases, released) = bounded(RELEASES_MAX);
        let (reads, read_queue) = bounded(config.reads_waiting_max);
        let mut store = Self {
            writes: Some(writes),
            reads: Some(reads),
            threads: Vec::new(),
            _lock: lock,
        };
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
            sweep: None,
        };
        store.start("store-write".to_owned(), move || writer.run())?;
        let mut sink = sink;
        store.start("store-release".to_owned(), move || {
            courier::run(&released, &mut sink);
        })?;
        Ok(store)
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

impl Store for SqliteStore {
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
        self.writes = None;
        self.reads = None;
        for thread in self.threads.drain(..) {
            // The last owner may be a reply or the sink, that is, one of these threads.
            if thread.thread().id() == thread::current().id() {
                continue;
            }
            if thread.join().is_err() {
                tracing::error!("a thread of the store has panicked");
            }
        }
    }
}
