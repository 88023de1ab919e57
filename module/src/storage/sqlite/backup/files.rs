//! Files that are copied so that they are on the disk when it is said that they are.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::Attachments;
use super::{ATTACHMENTS, BackupError, OnProgress, Progress, Stage, TOKEN_SECRET, at};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// A file below a folder.
#[derive(Debug)]
pub(super) struct Below {
    /// Its path from the folder on.
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// Makes the folder if there is none, for its owner alone: passwords' hashes and the secret of
/// tokens are in it. One that is there is made so.
pub(super) fn make_private(folder: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o700)))
        .map_err(at(folder))
}

/// Whether nothing but `allowed` is in the folder.
pub(super) fn is_empty(folder: &Path, allowed: &str) -> Result<bool, BackupError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        if entry.map_err(at(folder))?.file_name() != allowed {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The attachments of a store or backup: those that are whole, whose names begin with no dot.
pub(super) fn attachments(directory: &Path) -> Result<Vec<Below>, BackupError> {
    let mut found = Vec::new();
    let root = directory.join(ATTACHMENTS);
    if root.exists() {
        list(&root, Path::new(ATTACHMENTS), &mut found)?;
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn list(folder: &Path, below: &Path, found: &mut Vec<Below>) -> Result<(), BackupError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let path = below.join(entry.file_name());
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Retention has been quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(at(&entry.path())(error)),
        };
        if metadata.is_dir() {
            list(&entry.path(), &path, found)?;
        } else if metadata.is_file() {
            let bytes = metadata.len();
            found.push(Below { path, bytes });
        }
    }
    Ok(())
}

/// What a walk over attachments has come across.
#[derive(Debug, Default)]
pub(super) struct Walk {
    files: u64,
    bytes: u64,
    lines: Sha256,
}

impl Walk {
    pub(super) fn pass(&mut self, file: &Below, digest: &str) {
        self.files += 1;
        self.bytes += file.bytes;
        self.lines.update(digest);
        self.lines.update(b" ");
        self.lines.update(file.path.as_os_str().as_encoded_bytes());
        self.lines.update(b"\n");
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn end(self) -> Attachments {
        Attachments {
            files: self.files,
            bytes: self.bytes,
            sha256: digits(self.lines),
        }
    }
}

/// Copies the attachments; what was copied.
pub(super) fn copy_attachments(
    from: &Path,
    to: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Attachments, BackupError> {
    let files = attachments(from)?;
    let total = files.iter().map(|file| file.bytes).sum();
    let mut walk = Walk::default();
    let mut folder = PathBuf::new();
    for file in &files {
        let target = to.join(&file.path);
        if let Some(parent) = target.parent()
            && parent != folder
        {
            sync_if_made(&folder)?;
            make_private(parent)?;
            parent.clone_into(&mut folder);
        }
        match copy(&from.join(&file.path), &target, &mut |_| {}) {
            Ok(digest) => walk.pass(file, &digest),
            // Retention has been quicker.
            Err(BackupError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        on_progress(Progress {
            stage: Stage::Attachments,
            done: walk.bytes(),
            total,
        });
    }
    sync_if_made(&folder)?;
    if !files.is_empty() {
        sync_folder(&to.join(ATTACHMENTS))?;
    }
    Ok(walk.end())
}

fn sync_if_made(folder: &Path) -> Result<(), BackupError> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    sync_folder(folder)
}

/// Copies the secret of the tokens, if there is one; its SHA-256.
pub(super) fn copy_token_secret(from: &Path, to: &Path) -> Result<Option<String>, BackupError> {
    let secret = from.join(TOKEN_SECRET);
    if !secret.is_file() {
        return Ok(None);
    }
    copy(&secret, &to.join(TOKEN_SECRET), &mut |_| {}).map(Some)
}

/// Copies a file to where none is, with its permissions, and has the disk take it; its SHA-256.
pub(super) fn copy(
    from: &Path,
    to: &Path,
    on_bytes: &mut dyn FnMut(u64),
) -> Result<String, BackupError> {
    let mut source = File::open(from).map_err(at(from))?;
    let metadata = source.metadata().map_err(at(from))?;
    let create = File::options().write(true).create_new(true).open(to);
    let mut target = create.map_err(at(to))?;
    target
        .set_permissions(metadata.permissions())
        .map_err(at(to))?;
    let digest = digest(&mut source, from, &mut |chunk| {
        target.write_all(chunk).map_err(at(to))?;
        on_bytes(chunk.len() as u64);
        Ok(())
    })?;
    target.sync_all().map_err(at(to))?;
    Ok(digest)
}

/// The SHA-256 of a file, in hexadecimal digits.
pub(super) fn digest_of(path: &Path, on_bytes: &mut dyn FnMut(u64)) -> Result<String, BackupError> {
    let mut file = File::open(path).map_err(at(path))?;
    digest(&mut file, path, &mut |chunk| {
        on_bytes(chunk.len() as u64);
        Ok(())
    })
}

fn digest(
    file: &mut File,
    path: &Path,
    each: &mut dyn FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<String, BackupError> {
    let mut sha = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = file.read(&mut buffer).map_err(at(path))?;
        if read == 0 {
            break;
        }
        sha.update(&buffer[..read]);
        each(&buffer[..read])?;
    }
    Ok(digits(sha))
}

fn digits(sha: Sha256) -> String {
    let digest = sha.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Has the disk take a file.
pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    let file = File::open(path).map_err(at(path))?;
    file.sync_all().map_err(at(path))
}

/// Has the disk take the names in a folder.
pub(super) fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    sync(folder)
}
