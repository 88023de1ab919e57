//! Reading a folder.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Files, Source, content_type};

/// Files of one folder, those below included.
const FILES_MAX: usize = 10_000;
/// Folders inside one another. Real sites have a handful; a symbolic link to a folder above itself
/// has no end.
const DEPTH_MAX: usize = 32;

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// A folder or file could not be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the host answered.
        #[source]
        error: io::Error,
    },
    /// The files are too large for memory.
    #[error("{} holds more than {bytes_max} bytes, which would all be in memory", path.display())]
    TooLarge {
        /// The folder.
        path: PathBuf,
        /// The most that it may hold.
        bytes_max: usize,
    },
    /// There are too many files.
    #[error("{} holds more than {FILES_MAX} files", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
    /// Folders are in one another too deep.
    #[error("{}: more than {DEPTH_MAX} folders inside one another; does a link lead back?",
        path.display())]
    TooDeep {
        /// The folder inside.
        path: PathBuf,
    },
    /// A name that no URL can have, for it is not UTF-8.
    #[error("{}: the name is not UTF-8", path.display())]
    BadName {
        /// The file or folder.
        path: PathBuf,
    },
}

impl Files {
    /// Bytes that [`Files::load`] should be allowed where nobody says otherwise: 64 MiB.
    pub const BYTES_MAX: usize = 64 * 1024 * 1024;

    /// Reads all files in `folder` and below into memory, `bytes_max` of them at most. Names that
    /// begin with a dot are left out, as files with such names are not meant to be seen; symbolic
    /// links are followed.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn load(folder: &Path, bytes_max: usize) -> Result<Self, FilesError> {
        let mut files = Self::new();
        let mut bytes_left = bytes_max;
        let mut folders = vec![(folder.to_owned(), String::new(), 1)];
        while let Some((path, prefix, depth)) = folders.pop() {
            if depth > DEPTH_MAX {
                return Err(FilesError::TooDeep { path });
            }
            for entry in fs::read_dir(&path).map_err(unreadable(&path))? {
                let inner = entry.map_err(unreadable(&path))?.path();
                let Some(name) = inner.file_name().and_then(|name| name.to_str()) else {
                    return Err(FilesError::BadName { path: inner });
                };
                if name.starts_with('.') {
                    continue;
                }
                let name = format!("{prefix}{name}");
                let metadata = fs::metadata(&inner).map_err(unreadable(&inner))?;
                if metadata.is_dir() {
                    folders.push((inner, name + "/", depth + 1));
                } else if metadata.is_file() {
                    if files.len() == FILES_MAX {
                        let path = folder.to_owned();
                        return Err(FilesError::TooMany { path });
                    }
                    let body = read(&inner, bytes_left).map_err(unreadable(&inner))?;
                    bytes_left = bytes_left.checked_sub(body.len()).ok_or_else(|| {
                        let path = folder.to_owned();
                        FilesError::TooLarge { path, bytes_max }
                    })?;
                    files.sources.push(Source {
                        content_type: content_type(&name),
                        path: name,
                        body: body.into(),
                        modified: metadata.modified().ok().map(in_whole_seconds),
                    });
                }
            }
        }
        Ok(files)
    }
}

/// Reads a file as far as one byte beyond what may be kept of it, however long it is said to be.
fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    fs::File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut body)?;
    Ok(body)
}

/// The dates of HTTP have no fractions, with which a file would always seem newer than what the
/// client was told.
fn in_whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.unwrap_or_default().as_secs())
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> FilesError + use<> {
    let path = path.to_owned();
    move |error| FilesError::Unreadable { path, error }
}
