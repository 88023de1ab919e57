//! Statements, prepared once per connection, and what can go wrong with them.

use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, Row};

use crate::message::PAGE_BYTES;
use crate::storage::refusal::Refusal;

/// Why an operation ended without success.
#[derive(Debug)]
pub(super) enum Fault {
    /// By a rule.
    Refused(Refusal),
    /// By the database.
    Failed(rusqlite::Error),
}

pub(super) type Outcome<T> = Result<T, Fault>;

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            // Numbers above 2^63 name nothing that we ever numbered.
            rusqlite::Error::ToSqlConversionFailure(_) => {
                Self::Refused(Refusal::Invalid("a number is out of range"))
            }
            error => Self::Failed(error),
        }
    }
}

/// Whether an error is the medium's doing and not ours: what is asked may well succeed later.
pub(super) fn is_environment(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
        )
    )
}

/// What a client is told of an error of the database.
pub(super) fn refusal_of(error: &rusqlite::Error) -> Refusal {
    if is_environment(error) {
        tracing::warn!(%error, "the store cannot be used");
        Refusal::Unavailable
    } else {
        tracing::error!(%error, "the store failed");
        Refusal::Internal
    }
}

/// Shorthands for statements that the connection keeps prepared.
pub(super) trait Sql {
    /// Runs a statement without a result; the number of rows it has changed.
    fn run(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize>;

    /// The first row, if there is one.
    fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>>;

    /// All rows; the statement bounds their number.
    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>>;

    /// Rows up to the one with which they come to [`PAGE_BYTES`], and `limit` of them at most; and
    /// whether the statement has more.
    fn page<T>(
        &self,
        sql: &str,
        params: impl Params,
        limit: usize,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
        bytes: impl Fn(&T) -> usize,
    ) -> rusqlite::Result<(Vec<T>, bool)>;

    /// Whether there is a row.
    fn has(&self, sql: &str, params: impl Params) -> rusqlite::Result<bool> {
        Ok(self.first(sql, params, |_| Ok(()))?.is_some())
    }

    /// A number that is kept by name.
    fn meta(&self, name: &str) -> rusqlite::Result<u64> {
        let value = self.first("SELECT value FROM meta WHERE name = ?", [name], |row| {
            row.get(0)
        })?;
        Ok(value.unwrap_or(0))
    }

    /// Keeps a number by name.
    fn set_meta(&self, name: &str, value: u64) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
            (name, value),
        )?;
        Ok(())
    }
}

impl Sql for Connection {
    fn run(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.prepare_cached(sql)?.execute(params)
    }

    fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.prepare_cached(sql)?.query_row(params, read).optional()
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.prepare_cached(sql)?.query_map(params, read)?.collect()
    }

    fn page<T>(
        &self,
        sql: &str,
        params: impl Params,
        limit: usize,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
        bytes: impl Fn(&T) -> usize,
    ) -> rusqlite::Result<(Vec<T>, bool)> {
        let mut statement = self.prepare_cached(sql)?;
        let (mut page, mut held) = (Vec::new(), 0);
        for row in statement.query_map(params, read)? {
            let row = row?;
            if page.len() == limit || held >= PAGE_BYTES {
                return Ok((page, true));
            }
            held += bytes(&row);
            page.push(row);
        }
        Ok((page, false))
    }
}
