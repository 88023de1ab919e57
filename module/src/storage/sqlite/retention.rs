//! Taking away what is too old, a little at a time.

use std::mem;
use std::ops::Range;
use std::time::Duration;

use common::UserId;
use rusqlite::Connection;

use super::attachment;
use super::change;
use super::config::Retention;
use super::position;
use super::sql::Sql;
use crate::account::position::POSITION_LIFETIME;

/// Users whose inboxes are looked at in one step.
const USERS: usize = 64;
/// Most rows that one step takes away.
const ROWS: u64 = 1_024;

/// One pass over the store. Each step is a transaction of its own.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    /// Nothing is done yet.
    #[default]
    Begin,
    /// Inboxes of users above this one.
    Inboxes { after: u64, before_id: u64 },
    /// Changes of conversations that stand in no inbox.
    Changes { before_id: u64 },
    /// Rows of messages.
    Messages(Old),
    /// Attachments that no message names.
    Attachments,
}

/// What is left to be taken out of the messages, by their numbers.
#[derive(Debug)]
struct Old {
    /// Of these the notices, which are found from inboxes and changes only: without these they are
    /// of no use.
    notices: Range<u64>,
    /// Of these all.
    messages: Range<u64>,
}

impl Sweep {
    /// Goes on; false when the pass is over.
    pub(super) fn step(
        &mut self,
        db: &Connection,
        retention: &Retention,
        now_ms: u64,
    ) -> rusqlite::Result<bool> {
        db.run("BEGIN IMMEDIATE", [])?;
        let next = match mem::take(&mut self.stage) {
            Stage::Begin => {
                db.run("DELETE FROM sessions WHERE expires_ms < ?", [now_ms])?;
                positions(db, now_ms)?;
                Some(Stage::Inboxes {
                    after: 0,
                    before_id: first_since(db, now_ms, retention.inbox)?,
                })
            }
            Stage::Inboxes { after, before_id } => match inboxes(db, after, before_id)? {
                Some(after) => Some(Stage::Inboxes { after, before_id }),
                None => Some(Stage::Changes { before_id }),
            },
            Stage::Changes { before_id } => match change::sweep(db, before_id, ROWS)? {
                true => Some(Stage::Changes { before_id }),
                false => Some(Old::find(db, retention, now_ms, before_id)?.stage()),
            },
            Stage::Messages(old) => Some(old.step(db, now_ms)?.stage()),
            Stage::Attachments => {
                let before_ms = now_ms.saturating_sub(retention.attachments.as_millis() as u64);
                attachment::sweep(db, before_ms)?.then_some(Stage::Attachments)
            }
        };
        db.run("COMMIT", [])?;
        let more = next.is_some();
        self.stage = next.unwrap_or_default();
        Ok(more)
    }
}

/// Takes away positions that are of no use any more, a share of them in each pass.
fn positions(db: &Connection, now_ms: u64) -> rusqlite::Result<()> {
    let before_ms = now_ms.saturating_sub(POSITION_LIFETIME.as_millis() as u64);
    let users = db.rows(
        "SELECT user FROM positions WHERE time_ms < ? ORDER BY time_ms LIMIT ?",
        (before_ms, ROWS),
        |row| Ok(UserId(row.get(0)?)),
    )?;
    for user in users {
        position::forget(db, user)?;
    }
    Ok(())
}

/// The first message that is not older than `age`: numbers ascend with time, so it is searched by
/// halves. The last of all is never too old, so that no number is ever given twice.
fn first_since(db: &Connection, now_ms: u64, age: Duration) -> rusqlite::Result<u64> {
    let since_ms = now_ms.saturating_sub(age.as_millis() as u64);
    let ends = db.first(
        "SELECT (SELECT min(id) FROM messages), (SELECT max(id) FROM messages)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some((Some(mut low), Some(mut high))): Option<(Option<u64>, Option<u64>)> = ends else {
        return Ok(0);
    };
    while low < high {
        let middle = low + (high - low) / 2;
        let time_ms: Option<u64> = db.first(
            "SELECT time_ms FROM messages WHERE id >= ? ORDER BY id LIMIT 1",
            [middle],
            |row| row.get(0),
        )?;
        if time_ms.is_some_and(|time_ms| time_ms < since_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Takes old entries out of the inboxes of the next users; the last of them, if there are more.
fn inboxes(db: &Connection, after: u64, before_id: u64) -> rusqlite::Result<Option<u64>> {
    let users: Vec<(u64, u64, u64)> = db.rows(
        "SELECT user, floor_seq, last_seq FROM inboxes WHERE user > ? ORDER BY user LIMIT ?",
        (after, USERS),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    for &(user, floor, last) in &users {
        // Entries of one inbox ascend in both numbers: the first that stays is searched by halves.
        let (mut low, mut high) = (floor + 1, last + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let message: Option<u64> = db.first(
                "SELECT message FROM inbox WHERE user = ? AND seq = ?",
                (user, middle),
                |row| row.get(0),
            )?;
            if message.is_none_or(|message| message < before_id) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low > floor + 1 {
            db.run("DELETE FROM inbox WHERE user = ? AND seq < ?", (user, low))?;
            db.run(
                "UPDATE inboxes SET floor_seq = ? WHERE user = ?",
                (low - 1, user),
            )?;
        }
    }
    Ok(users.last().map(|(user, ..)| *user))
}

impl Old {
    fn find(
        db: &Connection,
        retention: &Retention,
        now_ms: u64,
        inbox_before: u64,
    ) -> rusqlite::Result<Self> {
        let old = match retention.messages {
            Some(age) => first_since(db, now_ms, age.max(retention.inbox))?,
            None => 0,
        };
        // Each has come as far as earlier passes have got, whatever was kept for how long then.
        Ok(Self {
            notices: db.meta("swept")?..inbox_before,
            // None goes before its entry in an inbox, however close the two ages are.
            messages: db.meta("gone")?..old.min(inbox_before),
        })
    }

    fn stage(self) -> Stage {
        match self.notices.is_empty() && self.messages.is_empty() {
            true => Stage::Attachments,
            false => Stage::Messages(self),
        }
    }

    /// Takes the next of them away.
    fn step(mut self, db: &Connection, now_ms: u64) -> rusqlite::Result<Self> {
        if let Some((from, to)) = next_rows(&mut self.notices) {
            db.run(
                "DELETE FROM messages WHERE id >= ? AND id < ? AND conversation IS NULL",
                (from, to),
            )?;
            db.set_meta("swept", to)?;
        }
        if let Some((from, to)) = next_rows(&mut self.messages) {
            db.run(
                "DELETE FROM message_index WHERE rowid >= ? AND rowid < ?",
                (from, to),
            )?;
            db.run("DELETE FROM messages WHERE id >= ? AND id < ?", (from, to))?;
            attachment::unlink(db, from, to, now_ms)?;
            db.set_meta("gone", to)?;
        }
        Ok(self)
    }
}

/// Takes as many as one step may have off the front of a range.
fn next_rows(range: &mut Range<u64>) -> Option<(u64, u64)> {
    let from = range.start;
    range.start = range.end.min(from + ROWS).max(from);
    (from < range.start).then_some((from, range.start))
}
