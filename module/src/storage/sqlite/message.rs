//! Messages that were sent: history, search, recall, deletion.

use std::ops::RangeInclusive;

use common::UserId;
use rusqlite::{Connection, Row};

use super::attachment;
use super::conversation::{self, Seen};
use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::text;
use super::tx::{Execute, Tx};
use crate::account::User;
use crate::group::Role;
use crate::inbox::Notice;
use crate::message::{
    Clear, Conversation, Delete, Direction, History, HistoryPage, Kind, Message, Recall,
    SearchMessages,
};
use crate::storage::refusal::Refusal;

/// The columns that `message` reads; `m` is the message, `u` its sender.
pub(super) const COLUMNS: &str = "m.id, m.seq, m.sender, coalesce(u.nickname, ''), m.kind, \
     m.recalled, m.time_ms, m.client_id, m.body, m.extra";
/// Most conversations that one search goes through; the latest ones.
const SEARCHED_MAX: usize = 1_000;

/// A message of a conversation that is known.
pub(super) fn message(row: &Row<'_>, conversation: Conversation) -> rusqlite::Result<Message> {
    let sender: u64 = row.get(2)?;
    Ok(Message {
        id: row.get(0)?,
        conversation,
        seq: row.get(1)?,
        from: if sender == 0 {
            None
        } else {
            Some(User {
                id: UserId(sender),
                name: row.get(3)?,
            })
        },
        kind: Kind::numbered(row.get(4)?).unwrap_or(Kind::Custom),
        recalled: row.get(5)?,
        time_ms: row.get(6)?,
        client_id: row.get(7)?,
        body: row.get(8)?,
        extra: row.get(9)?,
    })
}

/// The message at a place.
pub(super) fn find_message(
    db: &Connection,
    conversation: Conversation,
    id: u64,
    seq: u64,
) -> Outcome<Option<Message>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM messages m LEFT JOIN users u ON u.id = m.sender
         WHERE m.conversation = ? AND m.seq = ?"
    );
    Ok(db.first(&sql, (id, seq), |row| message(row, conversation))?)
}

/// The last message with one of these seqs that the user has not deleted. Each that they have
/// deleted behind it is looked at, too.
pub(super) fn last_kept(
    db: &Connection,
    user: UserId,
    conversation: Conversation,
    id: u64,
    seqs: RangeInclusive<u64>,
) -> Outcome<Option<Message>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM messages m LEFT JOIN users u ON u.id = m.sender
         WHERE m.conversation = ?1 AND m.seq BETWEEN ?2 AND ?3
            AND NOT EXISTS (SELECT 1 FROM deleted d
                WHERE d.user = ?4 AND d.conversation = ?1 AND d.seq = m.seq)
         ORDER BY m.seq DESC LIMIT 1"
    );
    let params = (id, *seqs.start(), *seqs.end(), user.0);
    Ok(db.first(&sql, params, |row| message(row, conversation))?)
}

impl Query for History {
    fn query(self, db: &Connection) -> Outcome<HistoryPage> {
        let Some(seen) = conversation::seen(db, self.user, self.conversation)? else {
            return Ok(HistoryPage {
                messages: Vec::new(),
                more: false,
                last_seq: 0,
                read_seq: 0,
                peer_read_seq: None,
            });
        };
        let (from, to, order) = match self.direction {
            Direction::Before(before) => {
                let last = before.map_or(seen.last_seq, |before| before.saturating_sub(1));
                (seen.first_seq, last.min(seen.last_seq), "DESC")
            }
            Direction::After(after) => {
                let first = seen.first_seq.max(after.saturating_add(1));
                (first, seen.last_seq, "ASC")
            }
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM messages m LEFT JOIN users u ON u.id = m.sender
             WHERE m.conversation = ?1 AND m.seq BETWEEN ?2 AND ?3
                AND NOT EXISTS (SELECT 1 FROM deleted d
                    WHERE d.user = ?4 AND d.conversation = ?1 AND d.seq = m.seq)
             ORDER BY m.seq {order} LIMIT ?5"
        );
        let params = (seen.id, from, to, self.user.0, self.limit + 1);
        let read = |row: &Row<'_>| message(row, self.conversation);
        let (mut messages, more) = db.page(&sql, params, self.limit, read, Message::page_bytes)?;
        if matches!(self.direction, Direction::Before(_)) {
            messages.reverse();
        }
        Ok(HistoryPage {
            messages,
            more,
            last_seq: seen.last_seq,
            read_seq: seen.read_seq,
            peer_read_seq: self.peer_read_seq(db, &seen)?,
        })
    }
}

impl History {
    fn peer_read_seq(&self, db: &Connection, seen: &Seen) -> Outcome<Option<u64>> {
        let Conversation::Direct(a, b) = self.conversation else {
            return Ok(None);
        };
        let peer = if a == self.user { b } else { a };
        Ok(db.first(
            "SELECT read_seq FROM participants WHERE user = ? AND conversation = ?",
            (peer.0, seen.id),
            |row| row.get(0),
        )?)
    }
}

impl Query for SearchMessages {
    fn query(self, db: &Connection) -> Outcome<Vec<Message>> {
        let mut only = None;
        let places: Vec<u64> = match self.conversation {
            Some(conversation) => {
                only = conversation::seen(db, self.user, conversation)?.map(|seen| seen.id);
                only.into_iter().collect()
            }
            None => db.rows(
                "SELECT conversation FROM participants WHERE user = ?
                 ORDER BY conversation DESC LIMIT ?",
                (self.user.0, SEARCHED_MAX),
                |row| row.get(0),
            )?,
        };
        let Some(query) = text::query_in(&places, &self.query) else {
            return Ok(Vec::new());
        };
        // The marks in the index say where to look. Whose a message is, its own row says.
        let sql = format!(
            "SELECT {COLUMNS}, c.kind, c.a, c.b FROM message_index i
             JOIN messages m ON m.id = i.rowid JOIN conversations c ON c.id = m.conversation
             LEFT JOIN participants p ON p.user = ?2 AND p.conversation = m.conversation
             LEFT JOIN users u ON u.id = m.sender
             WHERE message_index MATCH ?1 AND i.rowid < ?3 AND m.recalled = 0
                AND (p.user IS NOT NULL OR c.kind = 0) AND (?5 IS NULL OR m.conversation = ?5)
                AND m.seq BETWEEN coalesce(p.first_seq, 1) AND coalesce(p.left_seq, m.seq)
                AND NOT EXISTS (SELECT 1 FROM deleted d WHERE d.user = ?2
                    AND d.conversation = m.conversation AND d.seq = m.seq)
             ORDER BY i.rowid DESC LIMIT ?4"
        );
        let before = self.before.unwrap_or(i64::MAX as u64);
        let params = (query, self.user.0, before, self.limit, only);
        let read = |row: &Row<'_>| message(row, conversation::from_row(row, 10)?);
        let (found, _) = db.page(&sql, params, self.limit, read, Message::page_bytes)?;
        Ok(found)
    }
}

impl Execute for Recall {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let id = match self.user {
            Some(user) => {
                let seen = conversation::seen(tx.db, user, self.conversation)?;
                let seen = seen.ok_or(Refusal::MessageUnknown)?;
                if !(seen.first_seq..=seen.last_seq).contains(&self.seq) {
                    return Err(Refusal::MessageUnknown.into());
                }
                seen.id
            }
            None => {
                conversation::find(tx.db, self.conversation)?
                    .ok_or(Refusal::ConversationUnknown)?
                    .id
            }
        };
        let message =
            find_message(tx.db, self.conversation, id, self.seq)?.ok_or(Refusal::MessageUnknown)?;
        let by = match self.user {
            Some(user) => {
                tx.may_recall(user, &message)?;
                tx.user(user)?
            }
            None => User {
                id: UserId(0),
                name: String::new(),
            },
        };
        if message.recalled {
            return Err(Refusal::AlreadyRecalled.into());
        }
        tx.db.run(
            "UPDATE messages SET recalled = 1, body = '', extra = NULL WHERE id = ?",
            [message.id],
        )?;
        tx.db
            .run("DELETE FROM message_index WHERE rowid = ?", [message.id])?;
        attachment::unlink(tx.db, message.id, message.id + 1, tx.now_ms)?;
        let notice = Notice::Recalled {
            conversation: self.conversation,
            seq: self.seq,
            message: message.id,
            by,
        };
        match self.conversation {
            Conversation::Direct(a, b) if a == b => tx.notify(&[a], notice, self.origin),
            Conversation::Direct(a, b) => tx.notify(&[a, b], notice, self.origin),
            Conversation::System(user) => tx.notify(&[user], notice, self.origin),
            Conversation::Group(group) => {
                let channel = tx.any_group(group)?.channel;
                tx.notify_group(group, channel, notice, self.origin)
            }
            Conversation::All => tx.note_change(Conversation::All, notice, self.origin),
        }
    }
}

impl Tx<'_> {
    /// The sender may for a while; in a group whoever stands above the sender at any time.
    fn may_recall(&self, user: UserId, message: &Message) -> Outcome<()> {
        let sender = message.from.as_ref().map(|from| from.id);
        if let Conversation::Group(group) = message.conversation {
            let own = self.membership(group, user)?.role;
            // Who has left stands below everyone.
            let theirs = match sender {
                Some(sender) => self.find_membership(group, sender)?,
                None => None,
            };
            let above = theirs.is_none_or(|theirs| theirs.role < own);
            if own >= Role::Administrator && (above || own == Role::Owner) {
                return Ok(());
            }
        }
        if sender != Some(user) {
            return Err(Refusal::NotSender.into());
        }
        let window_ms = self.rules.recall_window.as_millis() as u64;
        if self.now_ms > message.time_ms.saturating_add(window_ms) {
            return Err(Refusal::RecallTooLate.into());
        }
        Ok(())
    }
}

impl Execute for Delete {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let seen = conversation::seen(tx.db, self.user, self.conversation)?;
        let Some(seen) = seen else { return Ok(()) };
        let mut seqs = self.seqs;
        seqs.retain(|seq| (seen.first_seq..=seen.last_seq).contains(seq));
        for seq in &seqs {
            tx.db.run(
                "INSERT OR IGNORE INTO deleted VALUES (?, ?, ?)",
                (self.user.0, seen.id, seq),
            )?;
        }
        if seqs.is_empty() {
            return Ok(());
        }
        let notice = Notice::Deleted {
            conversation: self.conversation,
            seqs,
        };
        tx.notify(&[self.user], notice, self.origin)
    }
}

impl Execute for Clear {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let seen = conversation::seen(tx.db, self.user, self.conversation)?;
        let Some(seen) = seen else { return Ok(()) };
        tx.set_read(self.user, seen.id, seen.last_seq)?;
        tx.db.run(
            "UPDATE participants SET first_seq = ?3 + 1, draft = '', draft_ms = 0,
                unlisted_seq = CASE WHEN ?4 THEN ?3 ELSE unlisted_seq END
             WHERE user = ?1 AND conversation = ?2",
            (self.user.0, seen.id, seen.last_seq, self.unlist),
        )?;
        tx.db.run(
            "DELETE FROM deleted WHERE user = ? AND conversation = ?",
            (self.user.0, seen.id),
        )?;
        let notice = Notice::Cleared {
            conversation: self.conversation,
            seq: seen.last_seq,
        };
        tx.notify(&[self.user], notice, self.origin)
    }
}
