//! Who comes and goes in channels: told to everyone there at most once a second.
//!
//! So a crowd that joins at once does not cost everybody who is online as many pushes as it has
//! heads. The first is told at once; who follows within the second is counted, and told of together
//! when it is over. What waits is kept, so that a kill loses none of it.

use common::{GroupId, SessionId, UserId};
use rusqlite::Connection;

use super::sql::{Outcome, Sql};
use super::tx::Tx;
use crate::account::User;
use crate::inbox::Notice;
use crate::message::Conversation;

/// How long one channel is left alone after it was told something, in milliseconds.
const PAUSE_MS: u64 = 1_000;
/// Most users of each side who are named.
const NAMES_MAX: u64 = 10;
/// Most channels that are told in one transaction, for which other writes wait.
const CHANNELS: usize = 64;

impl Tx<'_> {
    /// Tells the members of a channel that one has joined, or has left: with this notice, or
    /// together with others when their time comes.
    pub(super) fn tell_turnover(
        &mut self,
        group: GroupId,
        user: UserId,
        joined: bool,
        notice: Notice,
        origin: Option<SessionId>,
    ) -> Outcome<()> {
        let known: Option<(u64, u64, u64)> = self.db.first(
            "SELECT told_ms, joined, parted FROM turnover WHERE grp = ?",
            [group.0],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        // What waits already goes first.
        let waits = known.filter(|&(told_ms, joined, parted)| {
            joined + parted > 0 || self.now_ms < told_ms + PAUSE_MS
        });
        let Some((told_ms, others_joined, others_parted)) = waits else {
            self.db.run(
                "INSERT INTO turnover (grp, told_ms) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET told_ms = ?2",
                (group.0, self.now_ms),
            )?;
            return self.note_change(Conversation::Group(group), notice, origin);
        };
        self.db.run(
            "UPDATE turnover SET joined = joined + ?2, parted = parted + ?3 WHERE grp = ?1",
            (group.0, joined, !joined),
        )?;
        if NAMES_MAX > if joined { others_joined } else { others_parted } {
            self.db.run(
                "INSERT OR IGNORE INTO turnover_names VALUES (?, ?, ?)",
                (group.0, joined, user.0),
            )?;
        }
        self.turnover_ms = earliest(self.turnover_ms, Some(told_ms + PAUSE_MS));
        Ok(())
    }

    /// Tells channels what has gathered, as far as their time has come; when the next one's does,
    /// in milliseconds since 1970.
    pub(super) fn tell_gathered(&mut self) -> Outcome<Option<u64>> {
        let due: Vec<(u64, usize, usize)> = self.db.rows(
            "SELECT grp, joined, parted FROM turnover WHERE joined + parted > 0 AND told_ms <= ?
             ORDER BY told_ms LIMIT ?",
            (self.now_ms.saturating_sub(PAUSE_MS), CHANNELS),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        for (group, joined, left) in due {
            let group = GroupId(group);
            let notice = Notice::GroupMembers {
                group,
                members: self.any_group(group)?.members,
                joined,
                left,
                who_joined: self.named(group, true)?,
                who_left: self.named(group, false)?,
            };
            self.db
                .run("DELETE FROM turnover_names WHERE grp = ?", [group.0])?;
            self.db.run(
                "UPDATE turnover SET told_ms = ?2, joined = 0, parted = 0 WHERE grp = ?1",
                (group.0, self.now_ms),
            )?;
            self.note_change(Conversation::Group(group), notice, None)?;
        }
        Ok(next_ms(self.db)?)
    }

    fn named(&self, group: GroupId, joined: bool) -> Outcome<Vec<User>> {
        Ok(self.db.rows(
            "SELECT u.id, u.nickname FROM turnover_names n JOIN users u ON u.id = n.user
             WHERE n.grp = ? AND n.joined = ? ORDER BY n.user",
            (group.0, joined),
            |row| {
                Ok(User {
                    id: UserId(row.get(0)?),
                    name: row.get(1)?,
                })
            },
        )?)
    }
}

/// When the next channel is to be told, in milliseconds since 1970, if anything waits.
pub(super) fn next_ms(db: &Connection) -> rusqlite::Result<Option<u64>> {
    let told_ms: Option<Option<u64>> = db.first(
        "SELECT min(told_ms) FROM turnover WHERE joined + parted > 0",
        [],
        |row| row.get(0),
    )?;
    Ok(told_ms.flatten().map(|told_ms| told_ms + PAUSE_MS))
}

/// The earlier of two times that may be none.
pub(super) fn earliest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}
