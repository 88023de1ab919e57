//! The index of messages, which follows them when there is time: no acknowledgement waits for it.

use rusqlite::Connection;

use super::sql::Sql;
use super::text;
use crate::inbox::{Event, Happening};
use crate::message::Kind;

/// Most messages that are indexed in one step, which takes a few milliseconds.
const STEP: usize = 128;
/// Most messages that are looked at in one step.
const LOOK: u64 = 8_192;

/// By which rules texts are divided into words; an index that was made by others is made anew.
pub(super) const RULES: u64 = 1;

/// The statement that takes a message up, with its number and its text as it is indexed.
pub(super) const INSERT: &str = "INSERT INTO message_index (rowid, text) VALUES (?, ?)";

/// How far the index has come. The number is kept with the index, in the same transactions.
#[derive(Debug)]
pub(super) struct Indexing {
    indexed: u64,
    last: u64,
    /// What is indexed was so by the rules of this release.
    by_rules: bool,
    /// The statement that finds the next texts.
    texts: String,
}

impl Indexing {
    pub(super) fn new(db: &Connection) -> rusqlite::Result<Self> {
        let last = db.first("SELECT max(id) FROM messages", [], |row| row.get(0))?;
        let kinds: Vec<String> = Kind::ALL
            .into_iter()
            .filter(|kind| kind.is_text())
            .map(|kind| kind.number().to_string())
            .collect();
        let by_rules = db.meta("index_rules")? == RULES;
        Ok(Self {
            texts: format!(
                "SELECT id, conversation, body FROM messages
                 WHERE id > ? AND id <= ? AND recalled = 0 AND conversation IS NOT NULL
                    AND kind IN ({}) ORDER BY id LIMIT ?",
                kinds.join(", ")
            ),
            indexed: if by_rules { db.meta("indexed")? } else { 0 },
            by_rules,
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
        if !self.by_rules {
            let forget = "INSERT INTO message_index (message_index) VALUES ('delete-all')";
            db.run(forget, [])?;
            db.set_meta("index_rules", RULES)?;
        }
        let mut to = self.last.min(self.indexed + LOOK);
        let texts: Vec<(u64, u64, String)> =
            db.rows(&self.texts, (self.indexed, to, STEP), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if texts.len() == STEP
            && let Some((last, ..)) = texts.last()
        {
            to = *last;
        }
        for (id, conversation, body) in texts {
            db.run(INSERT, (id, text::indexed_in(conversation, &body)))?;
        }
        db.set_meta("indexed", to)?;
        db.run("COMMIT", [])?;
        self.indexed = to;
        self.by_rules = true;
        Ok(())
    }
}
