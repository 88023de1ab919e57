//! What a transaction adds to the counts of its day: one row, however many writes share it.

use common::UserId;
use rusqlite::Connection;

use super::sql::{Outcome, Sql};
use super::tx::Tx;
use crate::account::User;
use crate::inbox::{Event, Happening};
use crate::statistics::day_of;
use crate::storage::refusal::Refusal;

/// What is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) users: u64,
    pub(super) guests: u64,
    pub(super) active: u64,
    messages: u64,
}

impl Tally {
    /// Takes over what one write has brought.
    pub(super) fn add(&mut self, other: Self, events: &[Event]) {
        let is_message = |event: &&Event| matches!(event.happening, Happening::Message(_));
        self.users += other.users;
        self.guests += other.guests;
        self.active += other.active;
        self.messages += events.iter().filter(is_message).count() as u64;
    }

    /// Adds it to the day's row.
    pub(super) fn keep(self, db: &Connection, now_ms: u64) -> rusqlite::Result<()> {
        if self == Self::default() {
            return Ok(());
        }
        db.run(
            "INSERT INTO days (day, users, guests, messages, active) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET users = users + ?2, guests = guests + ?3,
                messages = messages + ?4, active = active + ?5",
            (
                day_of(now_ms),
                self.users,
                self.guests,
                self.messages,
                self.active,
            ),
        )?;
        Ok(())
    }
}

impl Tx<'_> {
    /// The user as others see them, who is active today.
    pub(super) fn sender(&mut self, id: UserId) -> Outcome<User> {
        let today = day_of(self.now_ms);
        let found: Option<(String, u64)> = self.db.first(
            "SELECT nickname, active_day FROM users WHERE id = ?",
            [id.0],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (name, active_day) = found.ok_or(Refusal::UserUnknown)?;
        if active_day < today {
            self.active(id)?;
        }
        Ok(User { id, name })
    }

    /// Counts a user among those who were active today.
    pub(super) fn active(&mut self, user: UserId) -> Outcome<()> {
        let first_today = self.db.run(
            "UPDATE users SET active_day = ?2 WHERE id = ?1 AND active_day < ?2",
            (user.0, day_of(self.now_ms)),
        )?;
        self.tally.active += first_today as u64;
        Ok(())
    }
}
