//! What a backup says of itself.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::files::sync_folder;
use super::{BackupError, at};
use crate::storage::sqlite::sql::Sql;

/// Name of the file.
const FILE: &str = "manifest.json";
/// How the manifest is written; another number means that it is to be read otherwise.
const FORMAT: u32 = 1;

/// What a backup says of itself. Written when all else is on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// How it is written: 1.
    pub format: u32,
    /// Name and version of the program that has made it.
    pub made_by: String,
    /// When, in milliseconds since 1970.
    pub made_ms: u64,
    /// The version of the database's schema.
    pub schema: usize,
    /// What named the store.
    pub instance: String,
    /// How much is in it.
    pub counts: Counts,
    /// The file of the database.
    pub database: Database,
    /// What users have uploaded.
    pub attachments: Attachments,
    /// The SHA-256 of the secret of the tokens, if there is one.
    pub token_secret: Option<String>,
}

/// How much is in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Users.
    pub users: u64,
    /// Groups, those that were dismissed included.
    pub groups: u64,
    /// Messages.
    pub messages: u64,
}

impl Counts {
    pub(super) fn of(db: &Connection) -> rusqlite::Result<Self> {
        let count = |sql: &str| {
            let found = db.first(sql, [], |row| row.get(0))?;
            Ok::<u64, rusqlite::Error>(found.unwrap_or(0))
        };
        Ok(Self {
            users: count("SELECT count(*) FROM users")?,
            groups: count("SELECT count(*) FROM groups")?,
            messages: count("SELECT count(*) FROM messages WHERE conversation IS NOT NULL")?,
        })
    }
}

/// The file of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// What users have uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachments {
    /// How many files.
    pub files: u64,
    /// Their length in all.
    pub bytes: u64,
    /// The SHA-256 of a line for each file, in the order of their paths: its SHA-256, a blank, and
    /// its path.
    pub sha256: String,
}

impl Manifest {
    /// A manifest of today's format.
    pub(super) const FORMAT: u32 = FORMAT;

    /// That of a backup; none if there is none.
    pub(super) fn read(directory: &Path) -> Result<Option<Self>, BackupError> {
        let path = directory.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(BackupError::Manifest)?;
        if manifest.format != FORMAT {
            return Err(BackupError::Damaged(format!(
                "its manifest has the format {}, and this release knows {FORMAT}",
                manifest.format
            )));
        }
        Ok(Some(manifest))
    }

    /// Writes it as a whole or not at all.
    pub(super) fn write(&self, directory: &Path) -> Result<(), BackupError> {
        let text = serde_json::to_vec_pretty(self).map_err(BackupError::Manifest)?;
        let (draft, path) = (directory.join(".manifest"), directory.join(FILE));
        let mut file = fs::File::create(&draft).map_err(at(&draft))?;
        file.write_all(&text).map_err(at(&draft))?;
        file.sync_all().map_err(at(&draft))?;
        fs::rename(&draft, &path).map_err(at(&path))?;
        sync_folder(directory)
    }
}
