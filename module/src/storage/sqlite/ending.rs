//! The end of groups: their members are in one group less, a thousand of them at a time.
//!
//! How many groups a user is in is kept with the user. One that is dismissed is none of them from
//! then on; if it is large, the number follows in steps, each of them a transaction of its own, so
//! that nobody waits for two hundred thousand. Until it has, [`groups_of`] takes the rest off.

use common::UserId;
use rusqlite::Connection;

use super::sql::Sql;
use crate::inbox::{Event, Happening, Notice};

/// Most members that are counted out in one transaction.
const STEP: usize = 1_024;

/// Whether there are groups whose members are to be counted out. How far that has come is kept with
/// the groups.
#[derive(Debug)]
pub(super) struct Endings {
    waits: bool,
}

impl Endings {
    pub(super) fn new(db: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            waits: db.has("SELECT 1 FROM endings", [])?,
        })
    }

    /// Takes note of what was committed.
    pub(super) fn count(&mut self, events: &[Event]) {
        let is_end = |event: &Event| {
            let happening = &event.happening;
            matches!(happening, Happening::Notice(Notice::GroupDismissed { .. }))
        };
        self.waits |= events.iter().any(is_end);
    }

    pub(super) const fn waits(&self) -> bool {
        self.waits
    }

    /// Counts out the next members.
    pub(super) fn step(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let next: Option<(u64, u64)> = db.first(
            "SELECT grp, counted_to FROM endings ORDER BY grp LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let Some((group, counted_to)) = next else {
            self.waits = false;
            return Ok(());
        };
        db.run("BEGIN IMMEDIATE", [])?;
        count_out(db, group, counted_to)?;
        db.run("COMMIT", [])?;
        Ok(())
    }
}

/// Counts out the members of a group that has ended, those after this user; whoever is left is for
/// the steps that follow.
pub(super) fn count_out(db: &Connection, group: u64, counted_to: u64) -> rusqlite::Result<()> {
    let members: Vec<u64> = db.rows(
        "SELECT user FROM members WHERE grp = ? AND user > ? ORDER BY user LIMIT ?",
        (group, counted_to, STEP),
        |row| row.get(0),
    )?;
    for user in &members {
        db.run("UPDATE users SET groups = groups - 1 WHERE id = ?", [user])?;
    }
    match members.last() {
        Some(last) if members.len() == STEP => db.run(
            "INSERT INTO endings VALUES (?1, ?2) ON CONFLICT DO UPDATE SET counted_to = ?2",
            (group, *last),
        )?,
        _ => db.run("DELETE FROM endings WHERE grp = ?", [group])?,
    };
    Ok(())
}

/// How many groups a user is in, those left out that have ended.
pub(super) fn groups_of(db: &Connection, user: UserId) -> rusqlite::Result<u64> {
    let groups = db.first(
        "SELECT u.groups - (SELECT count(*) FROM endings e
            JOIN members m ON m.grp = e.grp AND m.user = u.id WHERE e.counted_to < u.id)
         FROM users u WHERE u.id = ?",
        [user.0],
        |row| row.get(0),
    )?;
    Ok(groups.unwrap_or(0))
}

/// Whether a member of a group that has ended is still counted in it.
pub(super) fn is_counted(db: &Connection, group: u64, user: UserId) -> rusqlite::Result<bool> {
    db.has(
        "SELECT 1 FROM endings WHERE grp = ? AND counted_to < ?",
        (group, user.0),
    )
}

#[cfg(test)]
mod tests {
    use common::GroupId;

    use super::*;
    use crate::storage::sqlite::config::{Rules, StoreConfig};
    use crate::storage::sqlite::open;
    use crate::storage::sqlite::tx::Tx;

    const MEMBERS: u64 = 20_000;

    /// Rows that `act` has changed.
    fn changed(db: &Connection, act: impl FnOnce()) -> u64 {
        let total = || {
            let total = db.first("SELECT total_changes()", [], |row| row.get::<_, u64>(0));
            total.unwrap().unwrap()
        };
        let before = total();
        act();
        total() - before
    }

    #[test]
    fn no_transaction_changes_more_than_a_thousand_rows_however_large_the_group() {
        let db = open::writer(&StoreConfig::default()).unwrap();
        db.execute_batch(&format!(
            "WITH RECURSIVE numbers (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MEMBERS})
             INSERT INTO users (id, name, name_key, origin, nickname, groups, created_ms)
                SELECT n, n, n, 1, n, 1, 0 FROM numbers;
             INSERT INTO groups (id, name, owner, creator, members, conversation, channel, joining,
                created_ms) VALUES (1, 'all', 1, 1, {MEMBERS}, 1, 1, 0, 0);
             INSERT INTO members (grp, user, role, joined_ms) SELECT 1, id, 0, 0 FROM users;
             UPDATE meta SET value = 1 WHERE name = 'groups'"
        ))
        .unwrap();
        let rules = Rules::default();
        let end = || Tx::new(&db, &rules, 0).end_group(GroupId(1)).unwrap();
        let few = STEP as u64 + 16;
        assert!(changed(&db, end) <= few);
        let mut steps = 0;
        loop {
            // All that a kill leaves is what is in the database.
            let mut endings = Endings::new(&db).unwrap();
            if !endings.waits() {
                break;
            }
            assert!(changed(&db, || endings.step(&db).unwrap()) <= few);
            steps += 1;
            for user in [1, MEMBERS / 2, MEMBERS].map(UserId) {
                assert_eq!(groups_of(&db, user).unwrap(), 0, "{user:?}, step {steps}");
            }
        }
        assert!(steps >= MEMBERS / few);
        assert!(!db.has("SELECT 1 FROM users WHERE groups <> 0", []).unwrap());
    }
}
