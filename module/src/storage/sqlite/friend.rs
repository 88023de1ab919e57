//! Friends, requests, blocks.

use common::UserId;
use rusqlite::{Connection, Row};

use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::tx::{Execute, Tx};
use crate::account::User;
use crate::friend::{
    AnswerFriend, FindBlockers, Friend, FriendPage, FriendRequest, ListBlocks, ListFriends,
    ListRequests, RemoveFriend, RequestFriend, RequestState, Requested, SetBlock, SetFriend,
};
use crate::inbox::{Audience, Happening, Notice};
use crate::storage::refusal::Refusal;

pub(super) fn state(number: u8) -> RequestState {
    match number {
        0 => RequestState::Open,
        1 => RequestState::Accepted,
        _ => RequestState::Refused,
    }
}

/// Whether `user` has blocked `other`.
pub(super) fn blocks(db: &Connection, user: UserId, other: UserId) -> rusqlite::Result<bool> {
    db.has(
        "SELECT 1 FROM blocks WHERE user = ? AND blocked = ?",
        (user.0, other.0),
    )
}

impl Tx<'_> {
    /// Whether `user` has blocked `other`.
    pub(super) fn blocks(&self, user: UserId, other: UserId) -> Outcome<bool> {
        Ok(blocks(self.db, user, other)?)
    }

    /// Refuses what needs that `user` and `other` are both willing.
    fn check_blocks(&self, user: UserId, other: UserId) -> Outcome<()> {
        if self.blocks(other, user)? {
            return Err(Refusal::Blocked.into());
        }
        if self.blocks(user, other)? {
            return Err(Refusal::Blocking.into());
        }
        Ok(())
    }

    /// Whether `user` has `other` for a friend.
    pub(super) fn are_friends(&self, user: UserId, other: UserId) -> Outcome<bool> {
        Ok(self.db.has(
            "SELECT 1 FROM friends WHERE user = ? AND friend = ?",
            (user.0, other.0),
        )?)
    }

    /// Whether each of the two has the other for a friend.
    fn are_both_friends(&self, one: UserId, other: UserId) -> Outcome<bool> {
        Ok(self.are_friends(one, other)? && self.are_friends(other, one)?)
    }

    /// Makes one the other's friend, in this direction.
    fn befriend(&self, user: UserId, friend: UserId) -> Outcome<()> {
        let new = self.db.run(
            "INSERT OR IGNORE INTO friends (user, friend, since_ms) VALUES (?, ?, ?)",
            (user.0, friend.0, self.now_ms),
        )?;
        if new == 0 {
            return Ok(());
        }
        let counted = self.db.run(
            "UPDATE users SET friends = friends + 1 WHERE id = ? AND friends < ?",
            (user.0, self.rules.friends_max),
        )?;
        if counted == 0 {
            return Err(Refusal::LimitReached("there are too many friends").into());
        }
        Ok(())
    }

    fn unfriend(&self, user: UserId, friend: UserId) -> Outcome<bool> {
        let gone = self.db.run(
            "DELETE FROM friends WHERE user = ? AND friend = ?",
            (user.0, friend.0),
        )?;
        if gone > 0 {
            self.db.run(
                "UPDATE users SET friends = friends - 1 WHERE id = ?",
                [user.0],
            )?;
        }
        Ok(gone > 0)
    }

    /// Closes the open request of `from` to `to`; false if there is none.
    fn close_request(&self, from: UserId, to: UserId, accept: bool, answer: &str) -> Outcome<bool> {
        let closed = self.db.run(
            "UPDATE friend_requests SET state = ?, answer = ?, handled_ms = ?
             WHERE recipient = ? AND sender = ? AND state = 0",
            (
                if accept { 1 } else { 2 },
                answer,
                self.now_ms,
                to.0,
                from.0,
            ),
        )?;
        Ok(closed > 0)
    }

    fn answer(&mut self, answer: AnswerFriend) -> Outcome<()> {
        let AnswerFriend {
            from,
            to,
            accept,
            text,
            origin,
        } = answer;
        if !self.close_request(from, to, accept, &text)? {
            return Err(Refusal::RequestUnknown.into());
        }
        if accept {
            // A request may be older than a block.
            self.check_blocks(to, from)?;
            self.befriend(from, to)?;
            self.befriend(to, from)?;
        }
        let notice = Notice::FriendAnswered {
            from: self.user(from)?,
            to: self.user(to)?,
            accepted: accept,
            text,
        };
        self.notify(&[from, to], notice, origin)
    }
}

impl Execute for RequestFriend {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Requested> {
        if self.from == self.to {
            return Err(Refusal::Oneself.into());
        }
        let (from, to) = (tx.user(self.from)?, tx.user(self.to)?);
        tx.check_blocks(self.from, self.to)?;
        if tx.are_both_friends(self.from, self.to)? {
            return Err(Refusal::AlreadyFriends.into());
        }
        let asked_back = tx.db.has(
            "SELECT 1 FROM friend_requests WHERE recipient = ? AND sender = ? AND state = 0",
            (self.from.0, self.to.0),
        )?;
        if asked_back {
            tx.answer(AnswerFriend {
                from: self.to,
                to: self.from,
                accept: true,
                text: self.text,
                origin: self.origin,
            })?;
            return Ok(Requested::Friends);
        }
        let waiting: Option<u64> = tx.db.first(
            "SELECT count(*) FROM (SELECT 1 FROM friend_requests WHERE recipient = ?1
                AND state = 0 AND sender <> ?2 LIMIT ?3)",
            (self.to.0, self.from.0, tx.rules.friends_max),
            |row| row.get(0),
        )?;
        if waiting >= Some(tx.rules.friends_max) {
            return Err(Refusal::LimitReached("too many requests wait for this user").into());
        }
        tx.db.run(
            "INSERT INTO friend_requests (recipient, sender, text, created_ms)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET text = ?3, created_ms = ?4, state = 0, answer = '',
                handled_ms = 0",
            (self.to.0, self.from.0, &self.text, tx.now_ms),
        )?;
        let notice = Notice::FriendRequested {
            from,
            to,
            text: self.text,
        };
        tx.notify(&[self.to, self.from], notice, self.origin)?;
        Ok(Requested::Waiting)
    }
}

impl Execute for AnswerFriend {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        tx.answer(self)
    }
}

impl Execute for SetFriend {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let changed = tx.db.run(
            "UPDATE friends SET remark = coalesce(?3, remark), extra = coalesce(?4, extra)
             WHERE user = ?1 AND friend = ?2",
            (self.user.0, self.friend.0, &self.remark, &self.extra),
        )?;
        if changed == 0 {
            return Err(Refusal::NotFriends.into());
        }
        let notice = Notice::FriendChanged { user: self.friend };
        tx.notify(&[self.user], notice, self.origin)
    }
}

impl Execute for RemoveFriend {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        if !tx.unfriend(self.user, self.friend)? {
            return Err(Refusal::NotFriends.into());
        }
        let notice = Notice::FriendRemoved { user: self.friend };
        tx.notify(&[self.user], notice, self.origin)?;
        if self.both && tx.unfriend(self.friend, self.user)? {
            tx.notify(
                &[self.friend],
                Notice::FriendRemoved { user: self.user },
                None,
            )?;
        }
        Ok(())
    }
}

impl Execute for SetBlock {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        if self.user == self.other {
            return Err(Refusal::Oneself.into());
        }
        tx.user(self.other)?;
        let changed = if self.blocked {
            let count: Option<u64> = tx.db.first(
                "SELECT count(*) FROM (SELECT 1 FROM blocks WHERE user = ? LIMIT ?)",
                (self.user.0, tx.rules.friends_max),
                |row| row.get(0),
            )?;
            if count >= Some(tx.rules.friends_max) {
                return Err(Refusal::LimitReached("there are too many blocked users").into());
            }
            tx.db.run(
                "INSERT OR IGNORE INTO blocks VALUES (?, ?, ?)",
                (self.user.0, self.other.0, tx.now_ms),
            )?
        } else {
            tx.db.run(
                "DELETE FROM blocks WHERE user = ? AND blocked = ?",
                (self.user.0, self.other.0),
            )?
        };
        if changed == 0 {
            return Ok(());
        }
        let notice = Notice::BlockChanged {
            user: self.other,
            blocked: self.blocked,
        };
        tx.notify(&[self.user], notice, self.origin)?;
        if !self.blocked && tx.are_both_friends(self.user, self.other)? {
            let happening = Happening::FriendUnblocked {
                user: self.other,
                friend: self.user,
            };
            tx.emit(happening, Audience::Nobody, None);
        }
        Ok(())
    }
}

impl Query for ListFriends {
    fn query(self, db: &Connection) -> Outcome<FriendPage> {
        let mut friends = db.rows(
            "SELECT u.id, u.nickname, u.picture, f.remark, f.extra, f.since_ms
             FROM friends f JOIN users u ON u.id = f.friend
             WHERE f.user = ? AND f.friend > ? ORDER BY f.friend LIMIT ?",
            (self.user.0, self.after.0, self.limit + 1),
            |row| {
                Ok(Friend {
                    user: user(row, 0)?,
                    picture: row.get(2)?,
                    remark: row.get(3)?,
                    extra: row.get(4)?,
                    since_ms: row.get(5)?,
                })
            },
        )?;
        let total = db.first(
            "SELECT friends FROM users WHERE id = ?",
            [self.user.0],
            |row| row.get(0),
        )?;
        let more = friends.len() > self.limit;
        friends.truncate(self.limit);
        Ok(FriendPage {
            friends,
            total: total.unwrap_or(0),
            more,
        })
    }
}

/// A user in two columns.
pub(super) fn user(row: &Row<'_>, at: usize) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId(row.get(at)?),
        name: row.get(at + 1)?,
    })
}

impl Query for ListRequests {
    fn query(self, db: &Connection) -> Outcome<Vec<FriendRequest>> {
        let (own, other) = if self.made {
            ("r.sender", "r.recipient")
        } else {
            ("r.recipient", "r.sender")
        };
        let sql = format!(
            "SELECT s.id, s.nickname, t.id, t.nickname, r.text, r.answer, r.state, r.created_ms,
                r.handled_ms
             FROM friend_requests r JOIN users s ON s.id = r.sender
             JOIN users t ON t.id = r.recipient
             WHERE {own} = ? AND {other} > ? ORDER BY {other} LIMIT ?"
        );
        let params = (self.user.0, self.after.0, self.limit);
        let requests = db.rows(&sql, params, |row| {
            Ok(FriendRequest {
                from: user(row, 0)?,
                to: user(row, 2)?,
                text: row.get(4)?,
                answer: row.get(5)?,
                state: state(row.get(6)?),
                created_ms: row.get(7)?,
                handled_ms: row.get(8)?,
            })
        })?;
        Ok(requests)
    }
}

impl Query for ListBlocks {
    fn query(self, db: &Connection) -> Outcome<Vec<User>> {
        let blocked = db.rows(
            "SELECT u.id, u.nickname FROM blocks b JOIN users u ON u.id = b.blocked
             WHERE b.user = ? AND b.blocked > ? ORDER BY b.blocked LIMIT ?",
            (self.user.0, self.after.0, self.limit),
            |row| user(row, 0),
        )?;
        Ok(blocked)
    }
}

impl Query for FindBlockers {
    fn query(self, db: &Connection) -> Outcome<Vec<UserId>> {
        let mut blockers = Vec::new();
        for user in self.among {
            if blocks(db, user, self.blocked)? {
                blockers.push(user);
            }
        }
        Ok(blockers)
    }
}
