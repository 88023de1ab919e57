//! Sessions that tokens stand for.

use common::UserId;
use rusqlite::Connection;

use super::account::find_account;
use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::tx::{Execute, Tx};
use crate::account::{
    Account, ChangePassword, CloseSessions, Credential, FindSession, ListSessions, LoginPolicy,
    OpenSession, Session, TokenId, User, Whose,
};
use crate::im::now_ms;
use crate::inbox::{Audience, Happening, SessionEnd};
use crate::presence::Platform;
use crate::storage::refusal::Refusal;

impl Tx<'_> {
    /// Ends sessions and tells of it; gives their number.
    pub(super) fn end_sessions(
        &mut self,
        user: UserId,
        which: Whose,
        why: SessionEnd,
    ) -> Outcome<usize> {
        let ids = "SELECT id FROM sessions WHERE user = ?";
        let mut tokens: Vec<TokenId> = self.db.rows(ids, [user.0], |row| row.get(0))?;
        tokens.retain(|token| match which {
            Whose::One(one) => *token == one,
            Whose::AllBut(kept) => *token != kept,
            Whose::All => true,
        });
        self.end_tokens(user, tokens, why)
    }

    /// The hash of a user's password, if they have one.
    fn password(&self, user: UserId) -> Outcome<Option<String>> {
        let found = self
            .db
            .first("SELECT password FROM users WHERE id = ?", [user.0], |row| {
                row.get(0)
            })?;
        Ok(found.ok_or(Refusal::UserUnknown)?)
    }

    fn end_tokens(
        &mut self,
        user: UserId,
        tokens: Vec<TokenId>,
        why: SessionEnd,
    ) -> Outcome<usize> {
        for token in &tokens {
            self.db.run("DELETE FROM sessions WHERE id = ?", [token])?;
        }
        let ended = tokens.len();
        // A disabled guest has no token, and their connections end all the same.
        if ended > 0 || why == SessionEnd::Disabled {
            let happening = Happening::SessionsEnded { user, tokens, why };
            self.emit(happening, Audience::Nobody, None);
        }
        Ok(ended)
    }
}

impl Execute for OpenSession {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<User> {
        let account = find_account(tx.db, self.user)?;
        if account.disabled {
            return Err(Refusal::AccountDisabled.into());
        }
        // Checking a password takes a while, in which a new one may have ended all sessions.
        if self.password.is_some() && self.password != tx.password(self.user)? {
            return Err(Refusal::WrongPassword.into());
        }
        if let Some(replaced) = self.replaces {
            // The same login goes on under a new token, and nobody is thrown out.
            let had = tx.db.run(
                "DELETE FROM sessions WHERE id = ? AND user = ?",
                (replaced, self.user.0),
            )?;
            if had == 0 {
                return Err(Refusal::TokenInvalid.into());
            }
            let happening = Happening::SessionRenewed {
                user: self.user,
                old: replaced,
                new: Credential {
                    token: self.token,
                    expires_ms: Some(self.expires_ms),
                },
            };
            tx.emit(happening, Audience::Nobody, None);
        }
        let beside = "SELECT id, platform FROM sessions WHERE user = ? ORDER BY created_ms";
        let mut beside: Vec<(TokenId, u8)> = tx
            .db
            .rows(beside, [self.user.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        match self.policy {
            LoginPolicy::Single => {}
            LoginPolicy::PerPlatform => {
                beside.retain(|(_, platform)| *platform == self.platform.number());
            }
            LoginPolicy::Unlimited => {
                let excess = (beside.len() + 1).saturating_sub(tx.rules.sessions_per_user_max);
                beside.truncate(excess);
            }
        }
        let displaced = beside.into_iter().map(|(token, _)| token).collect();
        tx.end_tokens(self.user, displaced, SessionEnd::LoggedInElsewhere)?;
        tx.db.run(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)",
            (
                self.token,
                self.user.0,
                self.platform.number(),
                tx.now_ms,
                self.expires_ms,
            ),
        )?;
        Ok(User {
            id: account.id,
            name: account.nickname,
        })
    }
}

impl Execute for CloseSessions {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<usize> {
        tx.end_sessions(self.user, self.which, SessionEnd::Revoked)
    }
}

impl Execute for ChangePassword {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let known = tx.password(self.user)?;
        if known.is_none() || (self.old.is_some() && self.old != known) {
            return Err(Refusal::WrongPassword.into());
        }
        tx.db.run(
            "UPDATE users SET password = ? WHERE id = ?",
            (self.new, self.user.0),
        )?;
        let ended = self.keep.map_or(Whose::All, Whose::AllBut);
        tx.end_sessions(self.user, ended, SessionEnd::PasswordChanged)?;
        Ok(())
    }
}

impl Query for FindSession {
    fn query(self, db: &Connection) -> Outcome<Account> {
        let live = db.has(
            "SELECT 1 FROM sessions WHERE id = ? AND user = ?",
            (self.token, self.user.0),
        )?;
        if !live {
            return Err(Refusal::TokenInvalid.into());
        }
        let account = find_account(db, self.user)?;
        if account.disabled {
            return Err(Refusal::AccountDisabled.into());
        }
        Ok(account)
    }
}

impl Query for ListSessions {
    fn query(self, db: &Connection) -> Outcome<Vec<Session>> {
        let sessions = db.rows(
            "SELECT id, platform, created_ms, expires_ms FROM sessions
             WHERE user = ? AND expires_ms > ? ORDER BY created_ms",
            (self.user.0, now_ms()),
            |row| {
                Ok(Session {
                    token: row.get(0)?,
                    platform: Platform::numbered(row.get(1)?).unwrap_or(Platform::Other),
                    created_ms: row.get(2)?,
                    expires_ms: row.get(3)?,
                })
            },
        )?;
        Ok(sessions)
    }
}
