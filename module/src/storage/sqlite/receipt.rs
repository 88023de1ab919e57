//! Who has read what.

use common::UserId;
use rusqlite::Connection;

use super::conversation;
use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::tx::{Execute, Tx};
use crate::inbox::Notice;
use crate::message::{Conversation, MarkRead, Readers, ReadersPage};
use crate::storage::refusal::Refusal;

impl Execute for MarkRead {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<u64> {
        let seen = conversation::seen(tx.db, self.user, self.conversation)?;
        let Some(seen) = seen else { return Ok(0) };
        let seq = self.seq.min(seen.last_seq);
        if seq <= seen.read_seq {
            return Ok(seen.read_seq);
        }
        tx.set_read(self.user, seen.id, seq)?;
        let mut told = vec![self.user];
        if let Conversation::Direct(a, b) = self.conversation
            && a != b
        {
            told.push(if a == self.user { b } else { a });
        }
        let notice = Notice::Read {
            conversation: self.conversation,
            seq,
            user: self.user,
        };
        tx.notify(&told, notice, self.origin)?;
        Ok(seq)
    }
}

impl Query for Readers {
    fn query(self, db: &Connection) -> Outcome<ReadersPage> {
        let conversation = Conversation::Group(self.group);
        let seen =
            conversation::seen(db, self.user, conversation)?.ok_or(Refusal::ConversationUnknown)?;
        // Who has left sees what was said before, and no longer who the members are.
        let is_member = db.has(
            "SELECT 1 FROM members WHERE grp = ? AND user = ?",
            (self.group.0, self.user.0),
        )?;
        if !is_member {
            return Err(Refusal::NotMember.into());
        }
        if !(seen.first_seq..=seen.last_seq).contains(&self.seq) {
            return Err(Refusal::MessageUnknown.into());
        }
        let channel: Option<bool> = db.first(
            "SELECT channel FROM groups WHERE id = ?",
            [self.group.0],
            |row| row.get(0),
        )?;
        if channel == Some(true) {
            return Err(Refusal::LimitReached("nobody keeps count in a group of this size").into());
        }
        let said: Option<(u64, u64)> = db.first(
            "SELECT sender, time_ms FROM messages WHERE conversation = ? AND seq = ?",
            (seen.id, self.seq),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (sender, time_ms) = said.ok_or(Refusal::MessageUnknown)?;
        // At most as many members as a message fans out to. Who has joined later has nothing
        // unread, and cannot see it.
        let mut read = db.rows(
            "SELECT p.user FROM members g JOIN participants p
                ON p.user = g.user AND p.conversation = ?2
             WHERE g.grp = ?1 AND g.user <> ?3 AND g.joined_ms <= ?4 AND p.read_seq >= ?5
             ORDER BY p.user",
            (self.group.0, seen.id, sender, time_ms, self.seq),
            |row| Ok(UserId(row.get(0)?)),
        )?;
        let members: u64 = db
            .first(
                "SELECT count(*) FROM members WHERE grp = ? AND user <> ? AND joined_ms <= ?",
                (self.group.0, sender, time_ms),
                |row| row.get(0),
            )?
            .unwrap_or(0);
        let count = read.len() as u64;
        read.truncate(self.limit);
        Ok(ReadersPage {
            read: count,
            members,
            readers: read,
        })
    }
}
