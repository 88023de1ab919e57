//! What changes in conversations that stand in no inbox: kept once, and asked for by those who
//! were away.

use common::{SessionId, UserId};
use rusqlite::types::Type;
use rusqlite::{Connection, Row};

use super::conversation;
use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::tx::Tx;
use crate::inbox::{Audience, Change, ChangePage, Changes, Event, Happening, Notice};
use crate::message::Conversation;
use crate::storage::refusal::Refusal;

impl Tx<'_> {
    /// Keeps a notice among the changes of a channel, or of what is said to all, and tells those
    /// who are online.
    pub(super) fn note_change(
        &mut self,
        conversation: Conversation,
        notice: Notice,
        origin: Option<SessionId>,
    ) -> Outcome<()> {
        let message = self.keep(&notice)?;
        let next: Option<(u64, u64)> = self.db.first(
            "UPDATE conversations SET last_change = last_change + 1
             WHERE kind = ? AND a = ? AND b = ? RETURNING id, last_change",
            conversation::key(conversation),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (id, number) = next.ok_or(Refusal::ConversationUnknown)?;
        self.db.run(
            "INSERT INTO changes (message, conversation, number) VALUES (?, ?, ?)",
            (message, id, number),
        )?;
        let audience = match conversation {
            Conversation::Group(group) => Audience::Channel(group),
            _ => Audience::Everyone,
        };
        self.events.push(Event {
            happening: Happening::Notice(notice),
            audience,
            change: Some(number),
            origin,
            time_ms: self.now_ms,
        });
        Ok(())
    }
}

impl Query for Changes {
    fn query(self, db: &Connection) -> Outcome<ChangePage> {
        let Some(seen) = conversation::seen(db, self.user, self.conversation)? else {
            return Ok(ChangePage {
                changes: Vec::new(),
                last: 0,
                reset: self.after > 0,
            });
        };
        let since_ms = since(db, self.user, self.conversation)?;
        let ends: Option<(u64, u64)> = db.first(
            "SELECT last_change, change_floor FROM conversations WHERE id = ?",
            [seen.id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (last, floor) = ends.unwrap_or_default();
        let reset = self.after > last || self.after < floor;
        let changes = if reset {
            Vec::new()
        } else {
            db.rows(
                "SELECT c.number, m.time_ms, m.body
                 FROM changes c JOIN messages m ON m.id = c.message
                 WHERE c.conversation = ? AND c.number > ? AND m.time_ms >= ?
                 ORDER BY c.number LIMIT ?",
                (seen.id, self.after, since_ms, self.limit),
                change,
            )?
        };
        Ok(ChangePage {
            changes,
            last,
            reset,
        })
    }
}

/// From when on the changes of a conversation are for a user to see.
fn since(db: &Connection, user: UserId, conversation: Conversation) -> Outcome<u64> {
    let Conversation::Group(group) = conversation else {
        return Ok(0);
    };
    let joined_ms = db.first(
        "SELECT joined_ms FROM members WHERE grp = ? AND user = ?",
        (group.0, user.0),
        |row| row.get(0),
    )?;
    Ok(joined_ms.ok_or(Refusal::ConversationUnknown)?)
}

fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    Ok(Change {
        number: row.get(0)?,
        time_ms: row.get(1)?,
        notice: notice(row, 2)?,
    })
}

/// The notice in a column.
pub(super) fn notice(row: &Row<'_>, at: usize) -> rusqlite::Result<Notice> {
    let body: String = row.get(at)?;
    serde_json::from_str(&body)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, error.into()))
}

/// The last number of the changes of what is said to all.
pub(super) fn last_to_all(db: &Connection) -> rusqlite::Result<u64> {
    let last = db.first(
        "SELECT last_change FROM conversations WHERE kind = ? AND a = ? AND b = ?",
        conversation::key(Conversation::All),
        |row| row.get(0),
    )?;
    Ok(last.unwrap_or(0))
}

/// Takes away changes whose notices are before this message, the first so many; whether there may
/// be more.
pub(super) fn sweep(db: &Connection, before_id: u64, rows: u64) -> rusqlite::Result<bool> {
    let old: Vec<(u64, u64, u64)> = db.rows(
        "SELECT message, conversation, number FROM changes WHERE message < ?
         ORDER BY message LIMIT ?",
        (before_id, rows),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let Some(&(to, ..)) = old.last() else {
        return Ok(false);
    };
    // Those of one conversation ascend in both numbers.
    for (_, conversation, number) in &old {
        db.run(
            "UPDATE conversations SET change_floor = ? WHERE id = ?",
            (number, conversation),
        )?;
    }
    db.run("DELETE FROM changes WHERE message <= ?", [to])?;
    Ok(old.len() as u64 == rows)
}
