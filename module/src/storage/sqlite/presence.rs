//! When users were last seen, and who may hear of whom.

use common::UserId;
use rusqlite::Connection;

use super::friend::blocks;
use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::tx::{Execute, Tx, find_user};
use crate::presence::{
    FindLastSeen, FindWatched, LastSeen, NoteSeen, Platform, WATCHED_MAX, Watched,
};

impl Execute for NoteSeen {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        for (user, platform, time_ms) in self.seen {
            tx.db.run(
                "INSERT INTO last_seen VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET time_ms = max(time_ms, ?3)",
                (user.0, platform.number(), time_ms),
            )?;
        }
        Ok(())
    }
}

impl Execute for FindWatched {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Watched> {
        let friends = if self.friends {
            tx.db.rows(
                "SELECT f.friend FROM friends f
                 JOIN friends g ON g.user = f.friend AND g.friend = f.user
                 WHERE f.user = ?1 AND NOT EXISTS
                    (SELECT 1 FROM blocks WHERE user = f.friend AND blocked = ?1)",
                [self.user.0],
                |row| Ok(UserId(row.get(0)?)),
            )?
        } else {
            Vec::new()
        };
        let mut users = Vec::with_capacity(self.users.len());
        for other in self.users {
            if find_user(tx.db, other)?.is_some() && !tx.blocks(other, self.user)? {
                users.push(other);
            }
        }
        let blockers = if self.everyone {
            tx.db.rows(
                "SELECT user FROM blocks WHERE blocked = ? LIMIT ?",
                (self.user.0, WATCHED_MAX + 1),
                |row| Ok(UserId(row.get(0)?)),
            )?
        } else {
            Vec::new()
        };
        Ok(Watched {
            friends,
            users,
            blockers,
        })
    }
}

impl Query for FindLastSeen {
    fn query(self, db: &Connection) -> Outcome<Vec<LastSeen>> {
        let mut found = Vec::with_capacity(self.users.len());
        for id in self.users {
            let Some(user) = find_user(db, id)? else {
                continue;
            };
            let hidden = match self.viewer {
                Some(viewer) => blocks(db, id, viewer)?,
                None => false,
            };
            let seen = if hidden {
                Vec::new()
            } else {
                db.rows(
                    "SELECT platform, time_ms FROM last_seen WHERE user = ?",
                    [id.0],
                    |row| {
                        let platform = Platform::numbered(row.get(0)?);
                        Ok((platform.unwrap_or(Platform::Other), row.get(1)?))
                    },
                )?
            };
            found.push(LastSeen { user, hidden, seen });
        }
        Ok(found)
    }
}
