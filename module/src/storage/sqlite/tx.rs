//! What an operation works with while its transaction is open.

use common::{GroupId, SessionId, UserId};
use rusqlite::Connection;

use super::config::Rules;
use super::sql::{Outcome, Sql};
use super::tally::Tally;
use crate::account::User;
use crate::inbox::{Audience, Event, Happening, Notice};
use crate::message::Conversation;
use crate::storage::operation::Operation;
use crate::storage::refusal::Refusal;

/// The kind of a row of `messages` that holds a notice.
pub(super) const NOTICE: u8 = 255;

/// An operation that changes the database. Rules are checked here, in the one thread that writes:
/// what was true when it was checked is true when it is committed.
pub(super) trait Execute: Operation {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Self::Output>;
}

/// The open transaction, and the events that are to leave when it is committed.
#[derive(Debug)]
pub(super) struct Tx<'c> {
    pub(super) db: &'c Connection,
    pub(super) rules: &'c Rules,
    pub(super) now_ms: u64,
    pub(super) events: Vec<Event>,
    pub(super) tally: Tally,
    /// When a channel is to be told who has come and gone, in milliseconds since 1970.
    pub(super) turnover_ms: Option<u64>,
}

impl<'c> Tx<'c> {
    pub(super) fn new(db: &'c Connection, rules: &'c Rules, now_ms: u64) -> Self {
        Self {
            db,
            rules,
            now_ms,
            events: Vec::new(),
            tally: Tally::default(),
            turnover_ms: None,
        }
    }
}

impl Tx<'_> {
    /// The user as others see them.
    pub(super) fn user(&self, id: UserId) -> Outcome<User> {
        Ok(find_user(self.db, id)?.ok_or(Refusal::UserUnknown)?)
    }

    /// Tells of something when this is committed.
    pub(super) fn emit(
        &mut self,
        happening: Happening,
        audience: Audience,
        origin: Option<SessionId>,
    ) {
        self.events.push(Event {
            happening,
            audience,
            change: None,
            origin,
            time_ms: self.now_ms,
        });
    }

    /// Enters a message or notice in the inboxes of these users; the numbers it has there.
    pub(super) fn enter(&self, users: &[UserId], message: u64) -> Outcome<Vec<(UserId, u64)>> {
        let mut next = self.db.prepare_cached(
            "UPDATE inboxes SET last_seq = last_seq + 1 WHERE user = ? RETURNING last_seq",
        )?;
        let mut insert = self
            .db
            .prepare_cached("INSERT INTO inbox VALUES (?, ?, ?)")?;
        let mut numbers = Vec::with_capacity(users.len());
        for user in users {
            let seq: u64 = next.query_row([user.0], |row| row.get(0))?;
            insert.execute((user.0, seq, message))?;
            numbers.push((*user, seq));
        }
        Ok(numbers)
    }

    /// Keeps a notice; its number among all messages.
    pub(super) fn keep(&self, notice: &Notice) -> Outcome<u64> {
        let body = serde_json::to_string(notice).expect("a notice has string keys");
        self.db.run(
            "INSERT INTO messages (sender, kind, time_ms, body) VALUES (0, ?, ?, ?)",
            (NOTICE, self.now_ms, body),
        )?;
        Ok(self.db.last_insert_rowid() as u64)
    }

    /// Keeps a notice, enters it in the inboxes of these users, and tells them.
    pub(super) fn notify(
        &mut self,
        users: &[UserId],
        notice: Notice,
        origin: Option<SessionId>,
    ) -> Outcome<()> {
        if users.is_empty() {
            return Ok(());
        }
        let message = self.keep(&notice)?;
        let numbers = self.enter(users, message)?;
        self.emit(
            Happening::Notice(notice),
            Audience::Inboxes(numbers),
            origin,
        );
        Ok(())
    }

    /// Tells the members of a group of a notice: through their inboxes, or, in a channel, by its
    /// changes.
    pub(super) fn notify_group(
        &mut self,
        group: GroupId,
        channel: bool,
        notice: Notice,
        origin: Option<SessionId>,
    ) -> Outcome<()> {
        if channel {
            return self.note_change(Conversation::Group(group), notice, origin);
        }
        let members = self.members(group)?;
        self.notify(&members, notice, origin)
    }

    /// The members of a group that is no channel.
    pub(super) fn members(&self, group: GroupId) -> Outcome<Vec<UserId>> {
        let members = self
            .db
            .rows("SELECT user FROM members WHERE grp = ?", [group.0], |row| {
                Ok(UserId(row.get(0)?))
            })?;
        Ok(members)
    }

    /// Changes a count that is kept by name, within its limit.
    pub(super) fn count_up(&self, name: &str, limit: u64, what: &'static str) -> Outcome<()> {
        let count = self.db.meta(name)?;
        if count >= limit {
            return Err(Refusal::LimitReached(what).into());
        }
        self.db.set_meta(name, count + 1)?;
        Ok(())
    }
}

/// The user as others see them.
pub(super) fn find_user(db: &Connection, id: UserId) -> rusqlite::Result<Option<User>> {
    db.first("SELECT nickname FROM users WHERE id = ?", [id.0], |row| {
        Ok(User {
            id,
            name: row.get(0)?,
        })
    })
}
