//! What an administrator is told of the whole.

use rusqlite::Connection;

use super::readers::Query;
use super::sql::{Outcome, Sql};
use crate::statistics::{DAYS_MAX, Day, FindStatistics, Statistics};

impl Query for FindStatistics {
    fn query(self, db: &Connection) -> Outcome<Statistics> {
        let mut days = db.rows(
            "SELECT day, users, guests, messages, active FROM days
             WHERE day BETWEEN ? AND ? ORDER BY day DESC LIMIT ?",
            (self.days.start(), self.days.end(), DAYS_MAX),
            |row| {
                Ok(Day {
                    day: row.get(0)?,
                    users: row.get(1)?,
                    guests: row.get(2)?,
                    messages: row.get(3)?,
                    active: row.get(4)?,
                })
            },
        )?;
        days.reverse();
        let open = db.first(
            "SELECT count(*) FROM verifications WHERE state = 0",
            [],
            |row| row.get(0),
        )?;
        Ok(Statistics {
            users: db.meta("users")?,
            guests: db.meta("guests")?,
            groups: db.meta("groups")?,
            verifications_open: open.unwrap_or(0),
            days,
        })
    }
}
