//! Inboxes, and catching up with them.

use rusqlite::{Connection, Row};

use super::change;
use super::conversation;
use super::message::{COLUMNS, message};
use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::tx::NOTICE;
use crate::inbox::{ChannelState, Content, Entry, Sync, SyncPage};
use crate::message::Conversation;
use crate::storage::refusal::Refusal;

impl Query for Sync {
    fn query(self, db: &Connection) -> Outcome<SyncPage> {
        let (last, floor): (u64, u64) = db
            .first(
                "SELECT last_seq, floor_seq FROM inboxes WHERE user = ?",
                [self.user.0],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .ok_or(Refusal::UserUnknown)?;
        // With a part of what is gone missing, the client would have a hole. That is so from 0 on,
        // too: it may have been complete with nothing, before anything had come.
        let reset = self.after > last || self.after < floor;
        if reset {
            return Ok(SyncPage {
                entries: Vec::new(),
                last,
                reset,
                channels: self.channels(db)?,
            });
        }
        let sql = format!(
            "SELECT {COLUMNS}, c.kind, c.a, c.b, i.seq
             FROM inbox i JOIN messages m ON m.id = i.message
             LEFT JOIN conversations c ON c.id = m.conversation
             LEFT JOIN users u ON u.id = m.sender
             WHERE i.user = ? AND i.seq > ? ORDER BY i.seq LIMIT ?"
        );
        let params = (self.user.0, self.after, self.limit);
        let (entries, _) = db.page(&sql, params, self.limit, entry, page_bytes)?;
        let complete = entries.last().map_or(last, |entry| entry.seq) >= last;
        let channels = if complete {
            self.channels(db)?
        } else {
            Vec::new()
        };
        Ok(SyncPage {
            entries,
            last,
            reset,
            channels,
        })
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let content = if row.get::<_, u8>(4)? == NOTICE {
        Content::Notice(change::notice(row, 8)?)
    } else {
        Content::Message(message(row, conversation::from_row(row, 10)?)?)
    };
    Ok(Entry {
        seq: row.get(13)?,
        time_ms: row.get(6)?,
        content,
    })
}

/// What an entry takes of a page: notices are short.
fn page_bytes(entry: &Entry) -> usize {
    match &entry.content {
        Content::Message(message) => message.page_bytes(),
        Content::Notice(_) => 0,
    }
}

impl Sync {
    /// How far the channels of the user have come.
    fn channels(&self, db: &Connection) -> Outcome<Vec<ChannelState>> {
        let mut channels = db.rows(
            "SELECT c.kind, c.a, c.b, c.last_seq, p.read_seq, c.last_change FROM participants p
             JOIN groups g ON g.conversation = p.conversation AND g.channel = 1
             JOIN conversations c ON c.id = p.conversation
             WHERE p.user = ? AND p.left_seq IS NULL",
            [self.user.0],
            |row| {
                Ok(ChannelState {
                    conversation: conversation::from_row(row, 0)?,
                    last_seq: row.get(3)?,
                    read_seq: row.get(4)?,
                    last_change: row.get(5)?,
                })
            },
        )?;
        if let Some(all) = conversation::seen(db, self.user, Conversation::All)? {
            channels.push(ChannelState {
                conversation: Conversation::All,
                last_seq: all.last_seq,
                read_seq: all.read_seq,
                last_change: change::last_to_all(db)?,
            });
        }
        Ok(channels)
    }
}
