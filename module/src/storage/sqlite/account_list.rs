//! Accounts as an administrator goes through them.

use rusqlite::Connection;

use super::account::{COLUMNS, account};
use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::text;
use crate::account::{AccountPage, ListAccounts};

impl Query for ListAccounts {
    fn query(self, db: &Connection) -> Outcome<AccountPage> {
        let (after, limit) = (self.after.0, self.limit + 1);
        let mut accounts = match self.query.as_deref().map(text::query) {
            None => {
                let sql = format!("SELECT {COLUMNS} FROM users WHERE id > ? ORDER BY id LIMIT ?");
                db.rows(&sql, (after, limit), account)?
            }
            // Nothing in it that could be looked for.
            Some(None) => Vec::new(),
            Some(Some(query)) => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM users WHERE id IN
                        (SELECT rowid FROM user_index WHERE user_index MATCH ? AND rowid > ?
                         ORDER BY rowid LIMIT ?) ORDER BY id"
                );
                db.rows(&sql, (query, after, limit), account)?
            }
        };
        let more = accounts.len() > self.limit;
        accounts.truncate(self.limit);
        Ok(AccountPage {
            accounts,
            total: db.meta("users")?,
            more,
        })
    }
}
