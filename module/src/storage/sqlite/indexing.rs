//! The index of messages, which follows them when there is time: no acknowledgement waits for it.

use rusqlite::Connection;

use super::sql::Sql;
use super::text;
use crate::inbox::{Event, Happening};
use crate::message::Kind;

/// Most messages that are looked at in one step.
const STEP: u64 = 128;

/// How far the index has come. The number is kept with the index, in the same transactions.
#[derive(Debug)]
pub(super) struct Indexing {
    indexed: u64,
    last: u64,
}

impl Indexing {
    pub(super) fn new(db: &Connection) -> rusqlite::Result<Self> {
        let last = db.first("SELECT max(id) FROM messages", [], |row| row.get(0))?;
        Ok(Self {
            indexed: db.meta("indexed")?,
            last: last.flatten().unwrap_or(0),
        })
    }

    /// Takes note of what was committed.
    pub(super) fn count(&mut self, events: &[Event]) {
        for event in events {
            if let Happening::Message(message) = &event.happening {
                self.last = self.last.max(message.id);
            }
        }
    }

    /// How many messages may be missing.
    pub(super) const fn behind(&self) -> u64 {
        self.last.saturating_sub(self.indexed)
    }

    /// Indexes the next messages.
    pub(super) fn step(&mut self, db: &Connection) -> rusqlite::Result<()> {
        db.run("BEGIN IMMEDIATE", [])?;
        let to = self.last.min(self.indexed + STEP);
        let messages: Vec<(u64, u64, u8, String)> = db.rows(
            "SELECT id, conversation, kind, body FROM messages
             WHERE id > ? AND id <= ? AND recalled = 0 AND conversation IS NOT NULL",
            (self.indexed, to),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
        for (id, conversation, kind, body) in messages {
            if !Kind::numbered(kind).is_some_and(Kind::is_text) {
                continue;
            }
            db.run(
                "INSERT INTO message_index (rowid, place, text) VALUES (?, ?, ?)",
                (id, format!("c{conversation}"), text::indexed(&body)),
            )?;
        }
        db.set_meta("indexed", to)?;
        db.run("COMMIT", [])?;
        self.indexed = to;
        Ok(())
    }
}
