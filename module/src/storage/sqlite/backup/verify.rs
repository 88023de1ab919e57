//! Looking whether a store or a backup is whole: not only that it can be read, but that what was
//! promised to clients holds in it.

use std::path::Path;

use rusqlite::Connection;

use super::files::{Walk, attachments, digest_of};
use super::manifest::{Counts, Manifest};
use super::{BackupError, OnProgress, Progress, Stage, TOKEN_SECRET};
use crate::storage::sqlite::open::{self, FILE, OpenError};
use crate::storage::sqlite::sql::Sql;

/// Most findings of one kind that are listed.
const LISTED_MAX: usize = 20;

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the backup says of itself; none for a store.
    pub manifest: Option<Manifest>,
    /// The version of the database's schema.
    pub schema: usize,
    /// How much is in it.
    pub counts: Counts,
    /// What is wrong, one sentence each.
    pub findings: Vec<String>,
}

impl Report {
    fn of_damage(manifest: Option<Manifest>, findings: Vec<String>) -> Self {
        Self {
            schema: manifest.as_ref().map_or(0, |manifest| manifest.schema),
            counts: manifest
                .as_ref()
                .map_or_else(Counts::default, |manifest| manifest.counts),
            manifest,
            findings,
        }
    }
}

/// Each finds rows that must not be there: what they are called, and how they are found.
const RULES: [(&str, &str); 6] = [
    (
        "the messages of a conversation are numbered without gaps, up to its last",
        "SELECT 'conversation ' || c.id FROM conversations c JOIN
            (SELECT conversation, count(*) AS n, min(seq) AS low, max(seq) AS high FROM messages
             WHERE conversation IS NOT NULL GROUP BY conversation) m ON m.conversation = c.id
         WHERE m.high <> c.last_seq OR m.n <> m.high - m.low + 1 LIMIT 20",
    ),
    (
        "a message stands in a conversation",
        "SELECT 'message ' || m.id FROM messages m WHERE m.conversation IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM conversations WHERE id = m.conversation) LIMIT 20",
    ),
    (
        "an inbox is numbered without gaps, up to its last",
        "SELECT 'inbox of user ' || b.user FROM inboxes b LEFT JOIN
            (SELECT user, count(*) AS n, min(seq) AS low, max(seq) AS high FROM inbox
             GROUP BY user) i ON i.user = b.user
         WHERE coalesce(i.n, 0) <> b.last_seq - b.floor_seq
            OR (i.n > 0 AND (i.low <> b.floor_seq + 1 OR i.high <> b.last_seq)) LIMIT 20",
    ),
    (
        "an entry of an inbox has its message",
        "SELECT 'entry ' || i.seq || ' of user ' || i.user FROM inbox i
         WHERE NOT EXISTS (SELECT 1 FROM messages WHERE id = i.message) LIMIT 20",
    ),
    (
        "every user has an inbox",
        "SELECT 'user ' || u.id FROM users u
         WHERE NOT EXISTS (SELECT 1 FROM inboxes WHERE user = u.id) LIMIT 20",
    ),
    (
        "a group has as many members as it says",
        "SELECT 'group ' || g.id FROM groups g
         WHERE g.members <> (SELECT count(*) FROM members WHERE grp = g.id) LIMIT 20",
    ),
];
/// A rule for stores from version 5 on; a backup may be older.
const CHANGES: (&str, &str) = (
    "the changes of a channel are numbered without gaps, up to its last",
    "SELECT 'conversation ' || c.id FROM conversations c LEFT JOIN
        (SELECT conversation, count(*) AS n, min(number) AS low, max(number) AS high FROM changes
         GROUP BY conversation) g ON g.conversation = c.id
     WHERE coalesce(g.n, 0) <> c.last_change - c.change_floor
        OR (g.n > 0 AND (g.low <> c.change_floor + 1 OR g.high <> c.last_change)) LIMIT 20",
);
const CHANGES_SINCE: usize = 5;

/// Checks the store or backup in a directory. It is only read; a store may be in use.
///
/// # Errors
/// [`BackupError`] if it cannot be looked at; what is wrong with it is in the report.
pub fn verify(directory: &Path, on_progress: OnProgress<'_>) -> Result<Report, BackupError> {
    if !directory.join(FILE).is_file() {
        return Err(BackupError::NoStore(directory.to_owned()));
    }
    let manifest = Manifest::read(directory)?;
    let mut findings = Vec::new();
    let total = RULES.len() as u64 + 3;
    let mut step = |done| {
        on_progress(Progress {
            stage: Stage::Check,
            done,
            total,
        });
    };
    step(0);
    if let Some(manifest) = &manifest {
        let digest = digest_of(&directory.join(FILE), &mut |_| {})?;
        if digest != manifest.database.sha256 {
            findings.push(format!("{FILE} is not the file that was written"));
        }
    }
    step(1);
    let opened = open::reader(directory).and_then(|db| Ok((open::version(&db)?, db)));
    let (schema, db) = match opened {
        Ok(opened) => opened,
        Err(OpenError::Database(error)) => {
            findings.push(error.to_string());
            return Ok(Report::of_damage(manifest, findings));
        }
        Err(error) => return Err(error.into()),
    };
    // All looks are at one state.
    let snapshot = db.unchecked_transaction()?;
    findings.extend(integrity(&snapshot)?);
    if !findings.is_empty() {
        // In what cannot be read the rules would find what is not there.
        return Ok(Report::of_damage(manifest, findings));
    }
    step(2);
    let changes = (schema >= CHANGES_SINCE).then_some(CHANGES);
    for (at, (rule, broken_by)) in RULES.into_iter().chain(changes).enumerate() {
        let broken: Vec<String> = snapshot.rows(broken_by, [], |row| row.get(0))?;
        findings.extend(broken.iter().map(|what| format!("{what}: {rule}")));
        step(at as u64 + 3);
    }
    let counts = Counts::of(&snapshot)?;
    snapshot.finish()?;
    if let Some(manifest) = &manifest {
        if manifest.counts != counts {
            findings.push(format!(
                "it has {counts:?}, and should have {:?}",
                manifest.counts
            ));
        }
        check_attachments(directory, manifest, &mut findings, on_progress)?;
    }
    Ok(Report {
        manifest,
        schema,
        counts,
        findings,
    })
}

fn integrity(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = format!("PRAGMA integrity_check({LISTED_MAX})");
    let found: rusqlite::Result<Vec<String>> = db.rows(&sql, [], |row| row.get(0));
    match found {
        Ok(found) => Ok(found.into_iter().filter(|line| line != "ok").collect()),
        // Damage that keeps the check from going on.
        Err(error) => Ok(vec![error.to_string()]),
    }
}

/// Attachments are named by their content: one that is not what its name says is damaged. What is
/// not named so is told by the digest of all.
fn check_attachments(
    directory: &Path,
    manifest: &Manifest,
    findings: &mut Vec<String>,
    on_progress: OnProgress<'_>,
) -> Result<(), BackupError> {
    let files = attachments(directory)?;
    let total = files.iter().map(|file| file.bytes).sum();
    let mut walk = Walk::default();
    let named = findings.len();
    for file in &files {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let is_digest = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let digest = digest_of(&directory.join(&file.path), &mut |_| {})?;
        if is_digest && digest != *name {
            findings.push(format!("{} is damaged", file.path.display()));
        }
        walk.pass(file, &digest);
        on_progress(Progress {
            stage: Stage::Attachments,
            done: walk.bytes(),
            total,
        });
    }
    let (found, told) = (walk.end(), &manifest.attachments);
    if (found.files, found.bytes) != (told.files, told.bytes) {
        findings.push(format!(
            "it has {} attachments of {} bytes, and should have {} of {}",
            found.files, found.bytes, told.files, told.bytes
        ));
    } else if found.sha256 != told.sha256 && findings.len() == named {
        findings.push("a thumbnail or secret of the attachments is damaged".to_owned());
    }
    let secret = directory.join(TOKEN_SECRET);
    let secret = secret.is_file().then(|| digest_of(&secret, &mut |_| {}));
    if secret.transpose()? != manifest.token_secret {
        findings.push(format!("{TOKEN_SECRET} is not the file that was written"));
    }
    findings.truncate(LISTED_MAX * (RULES.len() + 1));
    Ok(())
}
