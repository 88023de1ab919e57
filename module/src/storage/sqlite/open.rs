//! Opening the database: its files, their version, and whether they are whole.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};
use rusqlite::{Connection, OpenFlags};

use super::attachment;
use super::config::{Location, StoreConfig};

/// Name of the database in its directory; SQLite puts its log beside it.
pub(super) const FILE: &str = "gatehouse.db";
/// Held locked while a process uses the directory.
pub(super) const LOCK: &str = "lock";
/// Each entry leads from the version that is its index to the next.
const MIGRATIONS: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
];
/// Statements that a connection keeps prepared: more than there are in the source.
const STATEMENTS: usize = 256;
/// Pages of the write-ahead log after which it is carried over to the database.
const CHECKPOINT_PAGES: u32 = 4_000;

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or written to.
    #[error("cannot write to the data directory {0}: {1}")]
    Directory(String, io::Error),
    /// Another process has it.
    #[error("the data directory {0} is in use by another process")]
    InUse(String),
    /// Made by a newer release.
    #[error("the store has version {found}, and this release knows up to {known}")]
    TooNew {
        /// The version of the files.
        found: usize,
        /// The last one that this release knows.
        known: usize,
    },
    /// The check has found damage.
    #[error("the store is damaged: {0}; restore it from a backup")]
    Damaged(String),
    /// What SQLite says.
    #[error("cannot open the store: {0}")]
    Database(#[from] rusqlite::Error),
    /// A thread could not be started.
    #[error("cannot start a thread of the store: {0}")]
    Thread(io::Error),
}

/// The lock of the directory; let go when it is dropped.
pub(super) type DirectoryLock = Flock<File>;

/// Makes the directory if there is none, for its owner alone, and takes it for this process.
pub(super) fn lock(directory: &Path) -> Result<DirectoryLock, OpenError> {
    let name = directory.display().to_string();
    let open = || {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join(LOCK))
    };
    let file = open().map_err(|error| OpenError::Directory(name.clone(), error))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        nix::errno::Errno::EWOULDBLOCK => OpenError::InUse(name),
        error => OpenError::Directory(name, error.into()),
    })
}

/// Makes an empty database, if there is none, that its owner alone can read: SQLite gives its
/// other files the same permissions.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.create(true).append(true).mode(0o600);
    options.open(path).map(drop)
}

/// The connection that writes; afterwards the database has the current version.
pub(super) fn writer(config: &StoreConfig) -> Result<Connection, OpenError> {
    let mut connection = match &config.location {
        Location::Memory => Connection::open_in_memory()?,
        Location::Directory(directory) => {
            let path = directory.join(FILE);
            make_private(&path)
                .map_err(|error| OpenError::Directory(directory.display().to_string(), error))?;
            Connection::open(path)?
        }
    };
    prepare(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is on the disk when it returns; an acknowledgement means that.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    if config.check {
        check(&connection)?;
    }
    migrate(&mut connection)?;
    attachment::recount(&connection)?;
    if let Some(pages) = config.pages_max {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(connection)
}

/// A new database at `path`, which need not be where a store is looked for.
#[cfg(feature = "fill")]
pub(super) fn fresh(path: &Path) -> Result<Connection, OpenError> {
    make_private(path).map_err(|error| OpenError::Directory(path.display().to_string(), error))?;
    let mut connection = Connection::open(path)?;
    prepare(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// A connection that reads what has been committed.
pub(super) fn reader(directory: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(directory.join(FILE), flags)?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), OpenError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // In KiB, hence negative.
    connection.pragma_update(None, "cache_size", -32_768)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

fn check(connection: &Connection) -> Result<(), OpenError> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(OpenError::Damaged(found)),
        Err(error) => Err(OpenError::Damaged(error.to_string())),
    }
}

/// The last version that this release knows.
pub(super) const fn known_version() -> usize {
    MIGRATIONS.len()
}

/// The version of a database: one that this release knows.
pub(super) fn version(connection: &Connection) -> Result<usize, OpenError> {
    let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = known_version();
    if found > known {
        return Err(OpenError::TooNew { found, known });
    }
    Ok(found)
}

/// Brings the database to the last version, from whatever it has, in one transaction.
fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let (found, known) = (version(connection)?, known_version());
    if found == known {
        return Ok(());
    }
    if found > 0 {
        tracing::info!(from = found, to = known, "the store is being upgraded");
    }
    let transaction = connection.transaction()?;
    for migration in &MIGRATIONS[found..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    if found > 0 {
        tracing::info!(from = found, to = known, "the store was upgraded");
    }
    Ok(())
}
