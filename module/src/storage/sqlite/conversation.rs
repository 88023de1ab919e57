//! Conversations, and what each user has of them.

use common::{GroupId, UserId};
use rusqlite::{Connection, Row};

use super::message::{find_message, last_kept};
use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::tx::{Execute, Tx};
use crate::inbox::Notice;
use crate::message::{
    Conversation, ConversationPage, ConversationView, Conversations, FindMuted, PAGE_BYTES,
    SetConversation,
};
use crate::storage::refusal::Refusal;

/// A conversation's row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) id: u64,
    pub(super) last_seq: u64,
}

/// The part of a conversation that a user may see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) id: u64,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) read_seq: u64,
}

/// How the conversation is kept: kind, a, b.
pub(super) const fn key(conversation: Conversation) -> (u8, u64, u64) {
    match conversation {
        Conversation::All => (0, 0, 0),
        Conversation::Direct(a, b) => (1, a.0, b.0),
        Conversation::Group(group) => (2, group.0, 0),
        Conversation::System(user) => (3, user.0, 0),
    }
}

/// The conversation in three columns from `at` on.
pub(super) fn from_row(row: &Row<'_>, at: usize) -> rusqlite::Result<Conversation> {
    let (a, b): (u64, u64) = (row.get(at + 1)?, row.get(at + 2)?);
    Ok(match row.get(at)? {
        0u8 => Conversation::All,
        1 => Conversation::Direct(UserId(a), UserId(b)),
        2 => Conversation::Group(GroupId(a)),
        _ => Conversation::System(UserId(a)),
    })
}

pub(super) fn find(db: &Connection, conversation: Conversation) -> Outcome<Option<Log>> {
    let found = db.first(
        "SELECT id, last_seq FROM conversations WHERE kind = ? AND a = ? AND b = ?",
        key(conversation),
        |row| {
            Ok(Log {
                id: row.get(0)?,
                last_seq: row.get(1)?,
            })
        },
    )?;
    Ok(found)
}

/// The part of a conversation that the user may see; none if there is no message in it yet.
///
/// Refused: `ConversationUnknown` if it is none of theirs.
pub(super) fn seen(
    db: &Connection,
    user: UserId,
    conversation: Conversation,
) -> Outcome<Option<Seen>> {
    let open = match conversation {
        Conversation::All => true,
        Conversation::Direct(a, b) => a == user || b == user,
        Conversation::System(of) => of == user,
        Conversation::Group(_) => false,
    };
    let (kind, a, b) = key(conversation);
    let found = db.first(
        "SELECT c.id, c.last_seq, p.first_seq, p.left_seq, p.read_seq, p.user
         FROM conversations c LEFT JOIN participants p ON p.user = ?1 AND p.conversation = c.id
         WHERE c.kind = ?2 AND c.a = ?3 AND c.b = ?4",
        (user.0, kind, a, b),
        |row| {
            let last_seq: u64 = row.get(1)?;
            let left_seq: Option<u64> = row.get(3)?;
            let seen = Seen {
                id: row.get(0)?,
                first_seq: row.get::<_, Option<u64>>(2)?.unwrap_or(1),
                last_seq: left_seq.unwrap_or(last_seq),
                read_seq: row.get::<_, Option<u64>>(4)?.unwrap_or(0),
            };
            Ok((seen, row.get::<_, Option<u64>>(5)?.is_some()))
        },
    )?;
    match found {
        Some((seen, takes_part)) if open || takes_part => Ok(Some(seen)),
        None if open => Ok(None),
        _ => Err(Refusal::ConversationUnknown.into()),
    }
}

impl Tx<'_> {
    /// The conversation, made if there is none; the users of a direct one take part in it.
    pub(super) fn open_conversation(&self, conversation: Conversation) -> Outcome<Log> {
        if let Some(log) = find(self.db, conversation)? {
            return Ok(log);
        }
        self.db.run(
            "INSERT INTO conversations (kind, a, b) VALUES (?, ?, ?)",
            key(conversation),
        )?;
        let id = self.db.last_insert_rowid() as u64;
        let mut users = Vec::new();
        match conversation {
            Conversation::Direct(a, b) if a == b => users.push(a),
            Conversation::Direct(a, b) => users.extend([a, b]),
            Conversation::System(user) => users.push(user),
            Conversation::All | Conversation::Group(_) => {}
        }
        for user in users {
            // Listed when there is a message in it.
            self.db.run(
                "INSERT INTO participants (user, conversation, first_seq, read_seq, unlisted_seq)
                 VALUES (?, ?, 1, 0, 0)",
                (user.0, id),
            )?;
        }
        Ok(Log { id, last_seq: 0 })
    }

    /// Notes that a user has read a conversation so far. In the conversation of all, where nobody
    /// takes part by themselves, they do from now on.
    pub(super) fn set_read(&self, user: UserId, conversation: u64, seq: u64) -> Outcome<()> {
        self.db.run(
            "INSERT INTO participants (user, conversation, first_seq, read_seq)
             VALUES (?1, ?2, 1, ?3)
             ON CONFLICT DO UPDATE SET read_seq = max(read_seq, ?3)",
            (user.0, conversation, seq),
        )?;
        Ok(())
    }

    /// The conversation of a user who wants to note something on it.
    pub(super) fn own_conversation(
        &self,
        user: UserId,
        conversation: Conversation,
    ) -> Outcome<Seen> {
        if let Some(seen) = seen(self.db, user, conversation)? {
            return Ok(seen);
        }
        if let Conversation::Direct(a, b) = conversation {
            self.user(a)?;
            self.user(b)?;
        }
        let log = self.open_conversation(conversation)?;
        Ok(Seen {
            id: log.id,
            first_seq: 1,
            last_seq: 0,
            read_seq: 0,
        })
    }
}

impl Query for FindMuted {
    fn query(self, db: &Connection) -> Outcome<Vec<UserId>> {
        let Some(log) = find(db, self.conversation)? else {
            return Ok(Vec::new());
        };
        let mut muted = Vec::new();
        for user in self.users {
            let found = db.first(
                "SELECT 1 FROM participants WHERE user = ? AND conversation = ? AND muted <> 0",
                (user.0, log.id),
                |_| Ok(user),
            )?;
            muted.extend(found);
        }
        Ok(muted)
    }
}

impl Execute for SetConversation {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let seen = tx.own_conversation(self.user, self.conversation)?;
        tx.set_read(self.user, seen.id, 0)?;
        let draft_ms = self.draft.as_ref().map(|draft| {
            let empty = draft.is_empty();
            if empty { 0 } else { tx.now_ms }
        });
        tx.db.run(
            "UPDATE participants SET pinned = coalesce(?3, pinned), muted = coalesce(?4, muted),
                draft = coalesce(?5, draft), draft_ms = coalesce(?6, draft_ms),
                extra = coalesce(?7, extra),
                unlisted_seq = CASE WHEN ?6 > 0 THEN -1 ELSE unlisted_seq END
             WHERE user = ?1 AND conversation = ?2",
            (
                self.user.0,
                seen.id,
                self.pinned,
                self.muted,
                &self.draft,
                draft_ms,
                &self.extra,
            ),
        )?;
        let notice = Notice::ConversationChanged {
            conversation: self.conversation,
        };
        tx.notify(&[self.user], notice, self.origin)
    }
}

impl Query for Conversations {
    fn query(self, db: &Connection) -> Outcome<ConversationPage> {
        // All of a user's conversations are looked at, since any of them may have come first with
        // its last message: keeping them in that order would cost every message a write for each
        // of its receivers.
        let mut views = db.rows(
            "SELECT c.kind, c.a, c.b, c.last_seq, c.last_ms, p.first_seq, p.left_seq, p.read_seq,
                p.mention_seq, p.pinned, p.muted, p.draft, p.draft_ms, p.extra, c.id
             FROM participants p JOIN conversations c ON c.id = p.conversation
             WHERE p.user = ? AND coalesce(p.left_seq, c.last_seq) > p.unlisted_seq",
            [self.user.0],
            listed,
        )?;
        for listed in &mut views {
            if listed.view.left {
                let last = find_message(db, listed.view.conversation, listed.id, listed.last())?;
                listed.last_ms = last.map_or(0, |last| last.time_ms);
            }
        }
        views.sort_by_key(|listed| {
            let latest = listed.last_ms.max(listed.view.draft_ms);
            (std::cmp::Reverse((listed.view.pinned, latest)), listed.id)
        });
        let total = views.len() as u64;
        let unread = views
            .iter()
            .filter(|listed| listed.view.muted == 0)
            .map(|listed| listed.view.unread)
            .sum();
        let (mut conversations, mut held) = (Vec::new(), 0);
        for listed in views.into_iter().skip(self.offset).take(self.limit) {
            if held >= PAGE_BYTES {
                break;
            }
            let view = describe(db, self.user, listed)?;
            held += view.page_bytes();
            conversations.push(view);
        }
        Ok(ConversationPage {
            conversations,
            total,
            unread,
        })
    }
}

/// A conversation before its last message and its title are looked up.
struct Listed {
    id: u64,
    first_seq: u64,
    last_ms: u64,
    view: ConversationView,
}

impl Listed {
    fn last(&self) -> u64 {
        self.view.last_seq
    }
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    let (first_seq, read_seq, mention_seq): (u64, u64, u64) =
        (row.get(5)?, row.get(7)?, row.get(8)?);
    let left_seq: Option<u64> = row.get(6)?;
    let last_seq = left_seq.unwrap_or(row.get(3)?);
    let read_to = read_seq.max(first_seq - 1);
    Ok(Listed {
        id: row.get(14)?,
        first_seq,
        last_ms: row.get(4)?,
        view: ConversationView {
            conversation: from_row(row, 0)?,
            title: String::new(),
            picture: String::new(),
            last: None,
            last_seq,
            read_seq,
            unread: last_seq.saturating_sub(read_to),
            mention_seq: (mention_seq > read_to).then_some(mention_seq),
            pinned: row.get(9)?,
            muted: row.get(10)?,
            draft: row.get(11)?,
            draft_ms: row.get(12)?,
            extra: row.get(13)?,
            left: left_seq.is_some(),
        },
    })
}

/// Adds the last message that the user has kept, and what the conversation is called.
fn describe(db: &Connection, user: UserId, listed: Listed) -> Outcome<ConversationView> {
    let Listed {
        id,
        first_seq,
        mut view,
        ..
    } = listed;
    view.last = last_kept(db, user, view.conversation, id, first_seq..=view.last_seq)?;
    let title =
        |sql: &str, params: (u64, u64)| db.first(sql, params, |row| Ok((row.get(0)?, row.get(1)?)));
    let found = match view.conversation {
        Conversation::Direct(a, b) => {
            let peer = if a == user { b } else { a };
            title(
                "SELECT coalesce(nullif(f.remark, ''), u.nickname), u.picture FROM users u
                 LEFT JOIN friends f ON f.user = ?2 AND f.friend = u.id WHERE u.id = ?1",
                (peer.0, user.0),
            )?
        }
        Conversation::Group(group) => title(
            "SELECT name, picture FROM groups WHERE id = ?1 AND ?2 = ?2",
            (group.0, user.0),
        )?,
        Conversation::All | Conversation::System(_) => None,
    };
    if let Some((title, picture)) = found {
        view.title = title;
        view.picture = picture;
    }
    Ok(view)
}
