//! Putting a backup in the place of a store.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::files::{copy, copy_attachments, copy_token_secret, is_empty, sync, sync_folder};
use super::manifest::Manifest;
use super::{ATTACHMENTS, BackupError, OnProgress, Progress, Stage, TOKEN_SECRET, at};
use crate::storage::sqlite::open::{self, FILE, LOCK, OpenError};
use crate::storage::sqlite::sql::Sql;

/// The database until it is whole.
const DRAFT: &str = "gatehouse.db.draft";

/// Makes a store in `to`, which nobody uses and which is empty or not there, of the backup in
/// `from`.
///
/// The store gets a new name (`instance`): numbers that were given after the backup was taken will
/// be given again, to other messages, and clients that know them have to load everything anew. All
/// sessions are ended, since one that was ended after the backup would be open again.
///
/// # Errors
/// [`BackupError`]; then there is no store in `to`.
pub fn restore(
    from: &Path,
    to: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Manifest, BackupError> {
    let manifest = Manifest::read(from)?.ok_or_else(|| BackupError::NoBackup(from.to_owned()))?;
    let known = open::known_version();
    if manifest.schema > known {
        let found = manifest.schema;
        return Err(OpenError::TooNew { found, known }.into());
    }
    let _lock = open::lock(to)?;
    if !is_empty(to, LOCK)? {
        return Err(BackupError::NotEmpty(to.to_owned()));
    }
    let outcome = fill(from, to, &manifest, on_progress);
    if outcome.is_err() {
        // What is half there would be in the way of the next attempt. The folder was empty.
        for made in [DRAFT, TOKEN_SECRET] {
            // It may not have come so far.
            let _ = fs::remove_file(to.join(made));
        }
        let _ = fs::remove_dir_all(to.join(ATTACHMENTS));
    }
    outcome.map(|()| manifest)
}

fn fill(
    from: &Path,
    to: &Path,
    manifest: &Manifest,
    on_progress: OnProgress<'_>,
) -> Result<(), BackupError> {
    let draft = to.join(DRAFT);
    let mut done = 0;
    let digest = copy(&from.join(FILE), &draft, &mut |bytes| {
        done += bytes;
        on_progress(Progress {
            stage: Stage::Database,
            done,
            total: manifest.database.bytes,
        });
    })?;
    if digest != manifest.database.sha256 {
        let what = format!("{FILE} is not the file that was written");
        return Err(BackupError::Damaged(what));
    }
    let attachments = copy_attachments(from, to, on_progress)?;
    if attachments != manifest.attachments {
        return Err(BackupError::Damaged(format!(
            "{ATTACHMENTS} is not what was written: {} files of {} bytes, and there should be {} \
             of {}",
            attachments.files,
            attachments.bytes,
            manifest.attachments.files,
            manifest.attachments.bytes
        )));
    }
    if copy_token_secret(from, to)? != manifest.token_secret {
        let what = format!("{TOKEN_SECRET} is not the file that was written");
        return Err(BackupError::Damaged(what));
    }
    rename_store(&draft)?;
    sync(&draft)?;
    // From here on it is a store.
    let path = to.join(FILE);
    fs::rename(&draft, &path).map_err(at(&path))?;
    sync_folder(to)
}

/// Gives the store another name, and ends its sessions.
fn rename_store(path: &Path) -> Result<(), BackupError> {
    let db = Connection::open(path)?;
    let transaction = db.unchecked_transaction()?;
    // Drawn when the store is opened.
    db.set_meta("instance", 0)?;
    db.run("DELETE FROM sessions", [])?;
    transaction.commit()?;
    db.close().map_err(|(_, error)| error)?;
    Ok(())
}
