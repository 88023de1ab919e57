//! Copies of a store, made while it serves: taken, checked, and put back.
//!
//! ```text
//!   backup/gatehouse.db     one state of the database, in one file
//!   backup/attachments/     what users have uploaded, by content
//!   backup/token-secret     what our own tokens are signed with
//!   backup/manifest.json    written last: a backup that has it is whole
//! ```

mod files;
mod manifest;
mod restore;
mod take;
mod verify;

use std::io;
use std::path::{Path, PathBuf};

use super::open::OpenError;

pub use manifest::{Attachments, Counts, Database, Manifest};
pub use restore::restore;
pub use take::back_up;
pub use verify::{Report, verify};

/// The folder of what users have uploaded.
const ATTACHMENTS: &str = "attachments";
/// What our own tokens are signed with.
const TOKEN_SECRET: &str = "token-secret";

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// With what.
    pub stage: Stage,
    /// How much is done: bytes, or steps of a check.
    pub done: u64,
    /// Of how much.
    pub total: u64,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The database is being copied.
    Database,
    /// Attachments are being copied or read.
    Attachments,
    /// What is there is being checked.
    Check,
}

/// Is told how far it has come.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress);

/// Why a copy was not made or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing is there.
    #[error("there is no store in {}", .0.display())]
    NoStore(PathBuf),
    /// Something is there already.
    #[error("{} is not empty; nothing is written over", .0.display())]
    NotEmpty(PathBuf),
    /// It is none, or was not finished.
    #[error("{} is no finished backup: it has no manifest.json", .0.display())]
    NoBackup(PathBuf),
    /// The manifest cannot be read.
    #[error("the manifest of the backup cannot be read: {0}")]
    Manifest(serde_json::Error),
    /// What is there is not what was written.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Whatever keeps a store from being opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What SQLite says.
    #[error("the database: {0}")]
    Database(#[from] rusqlite::Error),
}

/// What goes wrong with a file, with its name.
fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::File { path, error }
}
