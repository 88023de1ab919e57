//! The files behind attachments, in a directory of their own.
//!
//! ```text
//!   DIR/.incoming/<number>    what is being uploaded; what is left there at start is removed
//!   DIR/ab/cd/<hash>          whole files, which never change
//!   DIR/ab/cd/<hash>.small    thumbnails
//! ```

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::{Hash, Variant};

/// Folder of what is being uploaded. A backup leaves out what begins with a dot.
const INCOMING: &str = ".incoming";
/// Locks of files, each for a part of the hashes.
const LOCKS: usize = 64;

/// The directory.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    /// Names what is being uploaded.
    next: AtomicU64,
    /// Held while a file is put in its place and entered in the store, or found to be loose and
    /// removed: of these, one happens and then the other.
    locks: Box<[Mutex<()>]>,
    /// Removes the directory when the process is done with it.
    temporary: bool,
}

impl Files {
    /// Takes the directory, which is made if there is none; one that is temporary is removed at the
    /// end.
    pub(super) fn open(directory: PathBuf, temporary: bool) -> io::Result<Self> {
        let incoming = directory.join(INCOMING);
        make(&incoming)?;
        for left in fs::read_dir(&incoming)? {
            fs::remove_file(left?.path())?;
        }
        Ok(Self {
            directory,
            next: AtomicU64::new(0),
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            temporary,
        })
    }

    /// A new file for what is being uploaded.
    pub(super) fn begin(&self) -> io::Result<Incoming> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(INCOMING).join(number.to_string());
        let file = File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Incoming {
            file,
            path,
            kept: false,
        })
    }

    /// Where a file has its place.
    pub(super) fn path(&self, hash: Hash, variant: Variant) -> PathBuf {
        let name = hash.to_string();
        let folder = self.directory.join(&name[..2]).join(&name[2..4]);
        match variant {
            Variant::Whole => folder.join(name),
            Variant::Thumbnail => folder.join(format!("{name}.small")),
        }
    }

    /// Keeps everybody else from putting this file in its place or removing it.
    pub(super) fn lock(&self, hash: Hash) -> MutexGuard<'_, ()> {
        self.locks[usize::from(hash.0[0]) % self.locks.len()].lock()
    }

    /// Puts a file that was synced in its place, for good: afterwards it would survive the loss of
    /// power. One that is there already stays, for it has the same bytes.
    pub(super) fn place(&self, file: Incoming, hash: Hash, variant: Variant) -> io::Result<()> {
        let path = self.path(hash, variant);
        if path.try_exists()? {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.directory);
        let is_new = !folder.try_exists()?;
        make(folder)?;
        file.rename(&path)?;
        File::open(folder)?.sync_all()?;
        if is_new {
            for above in folder.ancestors().skip(1).take(2) {
                File::open(above)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// Removes a file and its thumbnail; it is no error if they are gone.
    pub(super) fn remove(&self, hash: Hash) -> io::Result<()> {
        for variant in [Variant::Thumbnail, Variant::Whole] {
            match fs::remove_file(self.path(hash, variant)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Bytes of a file.
    pub(super) fn length(&self, hash: Hash, variant: Variant) -> io::Result<u64> {
        Ok(fs::metadata(self.path(hash, variant))?.len())
    }

    /// Reads `bytes` of a file from `at` on. It is opened for each piece: a thousand slow readers
    /// then hold no descriptors, and what is in the place of a hash never changes.
    pub(super) fn read(
        &self,
        hash: Hash,
        variant: Variant,
        at: u64,
        bytes: usize,
    ) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path(hash, variant))?;
        file.seek(SeekFrom::Start(at))?;
        let mut piece = vec![0; bytes];
        file.read_exact(&mut piece)?;
        Ok(piece)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = fs::remove_dir_all(&self.directory)
        {
            tracing::warn!(%error, path = %self.directory.display(), "cannot remove attachments");
        }
    }
}

/// A directory that nobody but us may look into, with those above it.
fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

/// A file that is being uploaded; removed when it is dropped.
#[derive(Debug)]
pub(super) struct Incoming {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl Incoming {
    fn rename(mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.kept = true;
        Ok(())
    }

    /// Sees to it that what was written would survive the loss of power.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// The file, to be read from its beginning.
    pub(super) fn rewound(&mut self) -> io::Result<&mut File> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(&mut self.file)
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove an upload");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn what_is_given_up_leaves_nothing_and_what_is_placed_stays() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path().to_owned(), false).unwrap();
        let incoming = directory.path().join(INCOMING);
        let given_up = files.begin().unwrap();
        let mut kept = files.begin().unwrap();
        kept.write_all(b"0123456789").unwrap();
        assert_eq!(entries(&incoming), 2);
        drop(given_up);
        let hash = Hash([0xab; 32]);
        files.place(kept, hash, Variant::Whole).unwrap();
        assert_eq!(entries(&incoming), 0);
        assert_eq!(files.read(hash, Variant::Whole, 3, 4).unwrap(), b"3456");
        // The same bytes once more.
        files
            .place(files.begin().unwrap(), hash, Variant::Whole)
            .unwrap();
        assert_eq!(
            (
                entries(&incoming),
                files.length(hash, Variant::Whole).unwrap()
            ),
            (0, 10)
        );
        files.remove(hash).unwrap();
        files.remove(hash).unwrap();
        assert!(files.read(hash, Variant::Whole, 0, 1).is_err());
    }

    #[test]
    fn what_a_process_has_left_behind_is_removed_at_start() {
        let directory = tempfile::tempdir().unwrap();
        let incoming = directory.path().join(INCOMING);
        make(&incoming).unwrap();
        fs::write(incoming.join("7"), "half").unwrap();
        let files = Files::open(directory.path().to_owned(), true).unwrap();
        assert_eq!(entries(&incoming), 0);
        drop(files);
        assert!(!directory.path().exists());
        fs::create_dir(directory.path()).unwrap();
    }
}
