//! Taking a copy of a store, beside the process that serves it.

use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::files::{
    copy_attachments, copy_token_secret, digest_of, is_empty, make_private, sync, sync_folder,
};
use super::manifest::{Counts, Database, Manifest};
use super::{BackupError, OnProgress, Progress, Stage, at};
use crate::im::now_ms;
use crate::storage::sqlite::open::{self, FILE};
use crate::storage::sqlite::sql::Sql;

/// Pages that are copied at once.
const PAGES: i32 = 2_048;
/// How long to wait where the database is locked, which a store that serves never does for long.
const PAUSE: Duration = Duration::from_millis(50);

/// Copies the store in `from` to `to`, which must be empty or not there. Who serves the store goes
/// on; the copy is one state of it, that of the moment at which the copying began.
///
/// # Errors
/// [`BackupError`]; then `to` has no manifest, and is no backup.
pub fn back_up(
    from: &Path,
    to: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Manifest, BackupError> {
    if !from.join(FILE).is_file() {
        return Err(BackupError::NoStore(from.to_owned()));
    }
    if to.exists() && !is_empty(to, "")? {
        return Err(BackupError::NotEmpty(to.to_owned()));
    }
    make_private(to)?;
    let source = open::reader(from)?;
    let schema = open::version(&source)?;
    // One transaction around all: what others write meanwhile is not seen, and never makes the
    // copying begin anew.
    let snapshot = source.unchecked_transaction()?;
    let instance = snapshot.meta("instance")?;
    let path = to.join(FILE);
    let counts = copy_database(&snapshot, &path, on_progress)?;
    snapshot.finish()?;
    drop(source);
    sync(&path)?;
    let database = Database {
        bytes: path.metadata().map_err(at(&path))?.len(),
        sha256: digest_of(&path, &mut |_| {})?,
    };
    // After the database: an attachment is there before a message speaks of it.
    let attachments = copy_attachments(from, to, on_progress)?;
    let token_secret = copy_token_secret(from, to)?;
    sync_folder(to)?;
    let manifest = Manifest {
        format: Manifest::FORMAT,
        made_by: concat!("gatehouse/", env!("CARGO_PKG_VERSION")).to_owned(),
        made_ms: now_ms(),
        schema,
        instance: format!("{instance:x}"),
        counts,
        database,
        attachments,
        token_secret,
    };
    manifest.write(to)?;
    Ok(manifest)
}

fn copy_database(
    source: &Connection,
    path: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Counts, BackupError> {
    open::make_private(path).map_err(at(path))?;
    let mut target = Connection::open(path)?;
    // It is brought to the disk once, when it is whole.
    target.pragma_update(None, "synchronous", "OFF")?;
    let page_bytes: u64 = source.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let backup = Backup::new(source, &mut target)?;
    loop {
        let step = backup.step(PAGES)?;
        let progress = backup.progress();
        let [done, total] = [progress.pagecount - progress.remaining, progress.pagecount]
            .map(|pages| u64::try_from(pages).unwrap_or(0) * page_bytes);
        on_progress(Progress {
            stage: Stage::Database,
            done,
            total,
        });
        match step {
            StepResult::Done => break,
            StepResult::Busy | StepResult::Locked => thread::sleep(PAUSE),
            _ => {}
        }
    }
    drop(backup);
    // One file, without a log beside it, that can be read where nothing can be written.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    let counts = Counts::of(&target)?;
    target.close().map_err(|(_, error)| error)?;
    Ok(counts)
}
