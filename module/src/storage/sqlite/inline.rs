//! The store without threads: what is asked is done, and its outcome told, before the call returns.

use std::fmt;
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use parking_lot::Mutex;
use rusqlite::Connection;

use super::config::{Location, StoreConfig};
use super::courier::{self, Release};
use super::ending::Endings;
use super::indexing::Indexing;
use super::open::{self, OpenError};
use super::writer::Writer;
use super::{instance, last_ms, readers, turnover};
use crate::storage::operation::{Read, Write};
use crate::storage::store::{Sink, Store};

/// The store in memory, done by whoever asks: for simulation and fuzzing, where the same input
/// brings the same output. A call from inside of a reply or the sink is done after it. What becomes
/// due by the clock alone is done with the next write.
pub struct InlineStore {
    writer: Mutex<Writer>,
    connection: Arc<Mutex<Connection>>,
    released: Receiver<Vec<Release>>,
    sink: Mutex<Box<dyn Sink>>,
    instance: String,
}

impl fmt::Debug for InlineStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlineStore").finish_non_exhaustive()
    }
}

impl InlineStore {
    /// Opens a store in memory, wherever `config` says that it is.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(config: StoreConfig, sink: impl Sink + 'static) -> Result<Self, OpenError> {
        let config = StoreConfig {
            location: Location::Memory,
            ..config
        };
        let connection = open::writer(&config)?;
        let instance = instance(&connection)?;
        let last_ms = last_ms(&connection)?;
        let indexing = Indexing::new(&connection)?;
        let endings = Endings::new(&connection)?;
        let turnover_ms = turnover::next_ms(&connection)?;
        let connection = Arc::new(Mutex::new(connection));
        // Nothing ever waits in it: each write is its own transaction.
        let (_, queue) = bounded(1);
        let (releases, released) = bounded(1);
        let writer = Writer {
            queue,
            connection: Arc::clone(&connection),
            releases,
            rules: config.rules,
            retention: config.retention,
            time: config.time,
            last_ms,
            indexing,
            endings,
            turnover_ms,
            counters: Arc::default(),
            sweep: None,
            indexed_last: false,
            failed: false,
        };
        Ok(Self {
            writer: Mutex::new(writer),
            connection,
            released,
            sink: Mutex::new(Box::new(sink)),
            instance,
        })
    }
}

impl Store for InlineStore {
    fn instance(&self) -> &str {
        &self.instance
    }

    fn write(&self, write: Write) {
        let mut writer = self.writer.lock();
        writer.commit(Some(write));
        let batch = self.released.try_recv();
        drop(writer);
        if let Ok(batch) = batch {
            // Locked for each event and not longer: a reply may ask for more.
            courier::deliver(batch, &mut |event| self.sink.lock().on_event(event));
        }
    }

    fn read(&self, read: Read) {
        readers::perform(&self.connection, read);
    }
}
