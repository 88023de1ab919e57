//! Papers of users, and what an administrator says to them.

use common::UserId;
use rusqlite::{Connection, Row};

use super::friend::{state, user};
use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::tx::{Execute, Tx};
use crate::account::User;
use crate::account::verification::{
    AnswerVerification, FindVerification, ListVerifications, Papers, SubmitVerification,
    Verification, VerificationPage,
};
use crate::inbox::Notice;
use crate::storage::refusal::Refusal;

impl Execute for SubmitVerification {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<u64> {
        self.papers.check()?;
        let verified: Option<bool> = tx.db.first(
            "SELECT verified FROM users WHERE id = ?",
            [self.user.0],
            |row| row.get(0),
        )?;
        if verified.ok_or(Refusal::UserUnknown)? {
            return Err(Refusal::AlreadyVerified.into());
        }
        let pictures = serde_json::to_string(&self.papers.pictures).expect("they are strings");
        tx.db.run(
            "INSERT OR REPLACE INTO verifications (user, name, document, note, pictures, created_ms)
             VALUES (?, ?, ?, ?, ?, ?)",
            (
                self.user.0,
                self.papers.name.trim(),
                self.papers.document.trim(),
                &self.papers.note,
                pictures,
                tx.now_ms,
            ),
        )?;
        Ok(tx.db.last_insert_rowid() as u64)
    }
}

impl Execute for AnswerVerification {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<User> {
        let user: Option<u64> = tx.db.first(
            "UPDATE verifications SET state = ?, reason = ?, handled_ms = ? WHERE id = ?
             RETURNING user",
            (
                if self.accept { 1 } else { 2 },
                &self.reason,
                tx.now_ms,
                self.id,
            ),
            |row| row.get(0),
        )?;
        let user = UserId(user.ok_or(Refusal::VerificationUnknown)?);
        tx.db.run(
            "UPDATE users SET verified = ? WHERE id = ?",
            (self.accept, user.0),
        )?;
        let notice = Notice::VerificationAnswered {
            accepted: self.accept,
            reason: self.reason,
        };
        tx.notify(&[user], notice, self.origin)?;
        tx.user(user)
    }
}

/// The columns that `verification` reads.
const COLUMNS: &str = "v.id, u.id, u.nickname, v.name, v.document, v.note, v.pictures, v.state, \
     v.reason, v.created_ms, v.handled_ms";

fn verification(row: &Row<'_>) -> rusqlite::Result<Verification> {
    let pictures: String = row.get(6)?;
    Ok(Verification {
        id: row.get(0)?,
        user: user(row, 1)?,
        papers: Papers {
            name: row.get(3)?,
            document: row.get(4)?,
            note: row.get(5)?,
            pictures: serde_json::from_str(&pictures).map_err(|error| {
                let text = rusqlite::types::Type::Text;
                rusqlite::Error::FromSqlConversionFailure(6, text, error.into())
            })?,
        },
        state: state(row.get(7)?),
        reason: row.get(8)?,
        created_ms: row.get(9)?,
        handled_ms: row.get(10)?,
    })
}

impl Query for FindVerification {
    fn query(self, db: &Connection) -> Outcome<Verification> {
        let sql = format!(
            "SELECT {COLUMNS} FROM verifications v JOIN users u ON u.id = v.user WHERE v.user = ?"
        );
        let found = db.first(&sql, [self.user.0], verification)?;
        Ok(found.ok_or(Refusal::VerificationUnknown)?)
    }
}

impl Query for ListVerifications {
    fn query(self, db: &Connection) -> Outcome<VerificationPage> {
        let of = |condition: &str| {
            format!(
                "SELECT {COLUMNS} FROM verifications v JOIN users u ON u.id = v.user
                 WHERE {condition} v.id > ? ORDER BY v.id LIMIT ?"
            )
        };
        let limit = self.limit + 1;
        let mut verifications = match self.state {
            None => db.rows(&of(""), (self.after, limit), verification)?,
            Some(state) => db.rows(
                &of("v.state = ? AND"),
                (state as u8, self.after, limit),
                verification,
            )?,
        };
        let more = verifications.len() > self.limit;
        verifications.truncate(self.limit);
        Ok(VerificationPage {
            verifications,
            more,
        })
    }
}
