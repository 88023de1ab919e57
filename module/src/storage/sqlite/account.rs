//! Users.

use common::{GroupId, UserId};
use rusqlite::{Connection, Row};

use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::text;
use super::tx::{Execute, Tx};
use crate::account::{
    Account, Credentials, Enter, EnterExternal, EnterGuest, Entered, FindAccount, FindCredentials,
    FindUsers, Origin, Register, SearchUsers, SetDisabled, SetProfile, User, Whose,
};
use crate::inbox::{Notice, SessionEnd};
use crate::storage::refusal::Refusal;

/// The columns that `account` reads.
pub(super) const COLUMNS: &str =
    "id, name, nickname, picture, signature, extra, origin, disabled, created_ms, verified";

pub(super) fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: UserId(row.get(0)?),
        name: row.get(1)?,
        nickname: row.get(2)?,
        picture: row.get(3)?,
        signature: row.get(4)?,
        extra: row.get(5)?,
        origin: match row.get(6)? {
            0u8 => Origin::Guest,
            1 => Origin::Registered,
            _ => Origin::External,
        },
        disabled: row.get(7)?,
        created_ms: row.get(8)?,
        verified: row.get(9)?,
    })
}

pub(super) fn find_account(db: &Connection, user: UserId) -> Outcome<Account> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?");
    Ok(db
        .first(&sql, [user.0], account)?
        .ok_or(Refusal::UserUnknown)?)
}

/// What makes two names the same.
fn key(name: &str) -> String {
    name.to_lowercase()
}

fn named(db: &Connection, name: &str) -> Outcome<Option<Account>> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE name_key = ?");
    Ok(db.first(&sql, [key(name)], account)?)
}

impl Tx<'_> {
    fn make_user(
        &mut self,
        name: &str,
        nickname: &str,
        origin: Origin,
        password: Option<&str>,
    ) -> Outcome<User> {
        self.count_up("users", self.rules.users_max, "there are too many users")?;
        self.db.run(
            "INSERT INTO users (name, name_key, origin, password, nickname, created_ms)
             VALUES (?, ?, ?, ?, ?, ?)",
            (
                name,
                key(name),
                origin as u8,
                password,
                nickname,
                self.now_ms,
            ),
        )?;
        let id = self.db.last_insert_rowid();
        self.db.run("INSERT INTO inboxes (user) VALUES (?)", [id])?;
        self.index_user(id, name, nickname)?;
        if origin == Origin::Guest {
            self.db.set_meta("guests", self.db.meta("guests")? + 1)?;
            self.tally.guests += 1;
        } else {
            self.tally.users += 1;
        }
        Ok(User {
            id: UserId(id as u64),
            name: nickname.to_owned(),
        })
    }

    fn index_user(&self, id: i64, name: &str, nickname: &str) -> Outcome<()> {
        let text = text::indexed(&format!("{name} {nickname}"));
        self.db.run(
            "INSERT OR REPLACE INTO user_index (rowid, text) VALUES (?, ?)",
            (id, text),
        )?;
        Ok(())
    }

    /// What a user who comes online is to hear.
    fn entered(&mut self, user: User) -> Outcome<Entered> {
        self.active(user.id)?;
        let channels = self.db.rows(
            "SELECT g.id FROM participants p
             JOIN groups g ON g.conversation = p.conversation AND g.channel = 1
             WHERE p.user = ? AND p.left_seq IS NULL AND g.dismissed = 0",
            [user.id.0],
            |row| Ok(GroupId(row.get(0)?)),
        )?;
        let inbox = self.db.first(
            "SELECT last_seq FROM inboxes WHERE user = ?",
            [user.id.0],
            |row| row.get(0),
        )?;
        Ok(Entered {
            user,
            channels,
            inbox: inbox.unwrap_or(0),
        })
    }

    /// The user of this name if they came to be this way; made if there is none.
    fn enter_as(&mut self, name: &str, nickname: Option<&str>, origin: Origin) -> Outcome<User> {
        match named(self.db, name)? {
            None => self.make_user(name, nickname.unwrap_or(name), origin, None),
            Some(account) if account.origin != origin => Err(Refusal::NameTaken.into()),
            // Who vouches for both may tell them apart by case alone.
            Some(account) if origin == Origin::External && account.name != name => {
                Err(Refusal::NameTaken.into())
            }
            Some(account) if account.disabled => Err(Refusal::AccountDisabled.into()),
            Some(account) => Ok(User {
                id: account.id,
                name: account.nickname,
            }),
        }
    }
}

impl Execute for Register {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<User> {
        if named(tx.db, &self.name)?.is_some() {
            return Err(Refusal::NameTaken.into());
        }
        tx.make_user(
            &self.name,
            &self.nickname,
            Origin::Registered,
            Some(&self.password),
        )
    }
}

impl Execute for EnterGuest {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Entered> {
        let user = tx.enter_as(&self.name, None, Origin::Guest)?;
        tx.entered(user)
    }
}

impl Execute for Enter {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Entered> {
        let account = find_account(tx.db, self.user)?;
        if account.disabled {
            return Err(Refusal::AccountDisabled.into());
        }
        if let Some(session) = self.session
            && !tx.db.has(
                "SELECT 1 FROM sessions WHERE id = ? AND user = ?",
                (session, self.user.0),
            )?
        {
            return Err(Refusal::TokenInvalid.into());
        }
        tx.entered(User {
            id: account.id,
            name: account.nickname,
        })
    }
}

impl Execute for EnterExternal {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<User> {
        tx.enter_as(&self.name, self.nickname.as_deref(), Origin::External)
    }
}

impl Execute for SetProfile {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let account = find_account(tx.db, self.user)?;
        tx.db.run(
            "UPDATE users SET nickname = coalesce(?2, nickname), picture = coalesce(?3, picture),
                signature = coalesce(?4, signature), extra = coalesce(?5, extra) WHERE id = ?1",
            (
                self.user.0,
                &self.nickname,
                &self.picture,
                &self.signature,
                &self.extra,
            ),
        )?;
        if let Some(nickname) = &self.nickname {
            tx.index_user(self.user.0 as i64, &account.name, nickname)?;
        }
        tx.notify(&[self.user], Notice::ProfileChanged {}, None)
    }
}

impl Execute for SetDisabled {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let changed = tx.db.run(
            "UPDATE users SET disabled = ? WHERE id = ?",
            (self.disabled, self.user.0),
        )?;
        if changed == 0 {
            return Err(Refusal::UserUnknown.into());
        }
        if self.disabled {
            tx.end_sessions(self.user, Whose::All, SessionEnd::Disabled)?;
        }
        Ok(())
    }
}

impl Query for FindCredentials {
    fn query(self, db: &Connection) -> Outcome<Credentials> {
        let found = db.first(
            "SELECT id, password, disabled FROM users
             WHERE name_key = ? AND password IS NOT NULL",
            [key(&self.name)],
            |row| {
                Ok(Credentials {
                    user: UserId(row.get(0)?),
                    password: row.get(1)?,
                    disabled: row.get(2)?,
                })
            },
        )?;
        Ok(found.ok_or(Refusal::WrongPassword)?)
    }
}

impl Query for FindAccount {
    fn query(self, db: &Connection) -> Outcome<Account> {
        find_account(db, self.user)
    }
}

impl Query for FindUsers {
    fn query(self, db: &Connection) -> Outcome<Vec<User>> {
        let mut users = Vec::with_capacity(self.users.len());
        for id in self.users {
            users.extend(super::tx::find_user(db, id)?);
        }
        Ok(users)
    }
}

impl Query for SearchUsers {
    fn query(self, db: &Connection) -> Outcome<Vec<Account>> {
        let Some(query) = text::query(&self.query) else {
            return Ok(Vec::new());
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM users WHERE disabled = 0 AND id IN
                (SELECT rowid FROM user_index WHERE user_index MATCH ? ORDER BY rowid LIMIT ?)"
        );
        Ok(db.rows(&sql, (query, self.limit), account)?)
    }
}
