//! Attachments: who has them, which messages name them, which files nobody needs.

use common::UserId;
use rusqlite::{Connection, Row};

use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::tx::{Execute, Tx};
use crate::attachment::{
    AddAttachment, Attachment, AttachmentId, BLOCK_BYTES, FindAttachment, ForgetFiles, Hash,
    IsLoose, ListLooseFiles, NAMED_MAX, NoteFile, RemoveAttachment, UsedBytes, charge, named_in,
};
use crate::message::Kind;
use crate::storage::refusal::Refusal;

/// The columns that `attachment` reads.
const COLUMNS: &str =
    "id, owner, hash, name, media_type, bytes, width, height, thumbnail, created_ms";
/// Attachments that one step of a sweep takes away.
const SWEPT: u64 = 256;
/// Says by which rule what users have used was added up.
const CHARGED: &str = "attachments_charged";

fn attachment(row: &Row<'_>) -> rusqlite::Result<Attachment> {
    let pixels: (Option<u32>, Option<u32>) = (row.get(6)?, row.get(7)?);
    Ok(Attachment {
        id: AttachmentId(row.get(0)?),
        owner: UserId(row.get(1)?),
        hash: Hash(row.get(2)?),
        name: row.get(3)?,
        media_type: row.get(4)?,
        bytes: row.get(5)?,
        pixels: pixels.0.zip(pixels.1),
        thumbnail: row.get(8)?,
        created_ms: row.get(9)?,
    })
}

fn find(db: &Connection, id: AttachmentId) -> Outcome<Attachment> {
    let sql = format!("SELECT {COLUMNS} FROM attachments WHERE id = ?");
    let found = db.first(&sql, [id.0], attachment)?;
    Ok(found.ok_or(Refusal::AttachmentUnknown)?)
}

/// The attachment, if the user has uploaded it or may see a message that names it.
fn find_for(db: &Connection, user: UserId, id: AttachmentId) -> Outcome<Attachment> {
    let found = find(db, id)?;
    let seen = || {
        db.has(
            "SELECT 1 FROM attachment_links l JOIN conversations c ON c.id = l.conversation
             LEFT JOIN participants p ON p.user = ?2 AND p.conversation = l.conversation
             WHERE l.attachment = ?1 AND (c.kind = 0 OR p.user IS NOT NULL)
                AND l.seq BETWEEN coalesce(p.first_seq, 1) AND coalesce(p.left_seq, l.seq)
             LIMIT 1",
            (id.0, user.0),
        )
    };
    if found.owner == user || seen()? {
        Ok(found)
    } else {
        Err(Refusal::AttachmentUnknown.into())
    }
}

fn used(db: &Connection, user: UserId) -> rusqlite::Result<u64> {
    let used = db.first(
        "SELECT bytes FROM attachment_use WHERE user = ?",
        [user.0],
        |row| row.get(0),
    )?;
    Ok(used.unwrap_or(0))
}

fn set_used(db: &Connection, user: UserId, bytes: u64) -> rusqlite::Result<()> {
    db.run(
        "INSERT INTO attachment_use VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = ?2",
        (user.0, bytes),
    )?;
    Ok(())
}

/// Adds up anew what users have used, in a store that has counted bytes and not blocks.
pub(super) fn recount(db: &Connection) -> rusqlite::Result<()> {
    if db.meta(CHARGED)? == BLOCK_BYTES {
        return Ok(());
    }
    let tx = db.unchecked_transaction()?;
    tx.execute("DELETE FROM attachment_use", [])?;
    tx.execute(
        "INSERT INTO attachment_use
         SELECT owner, sum((bytes + ?1 - 1) / ?1 * ?1) FROM attachments GROUP BY owner",
        [BLOCK_BYTES],
    )?;
    tx.set_meta(CHARGED, BLOCK_BYTES)?;
    tx.commit()
}

/// Takes an attachment away; if its file is nobody else's, it is loose from now on.
fn remove(db: &Connection, found: &Attachment) -> rusqlite::Result<()> {
    db.run("DELETE FROM attachments WHERE id = ?", [found.id.0])?;
    db.run(
        "DELETE FROM attachment_links WHERE attachment = ?",
        [found.id.0],
    )?;
    let used = used(db, found.owner)?.saturating_sub(charge(found.bytes));
    set_used(db, found.owner, used)?;
    db.run(
        "INSERT OR IGNORE INTO loose_files SELECT ?1
         WHERE NOT EXISTS (SELECT 1 FROM attachments WHERE hash = ?1)",
        [found.hash.0],
    )?;
    Ok(())
}

/// Forgets which attachments the messages from `from` up to `to`, that one left out, have named.
pub(super) fn unlink(db: &Connection, from: u64, to: u64, now_ms: u64) -> rusqlite::Result<()> {
    let mut named: Vec<u64> = db.rows(
        "DELETE FROM attachment_links WHERE message >= ? AND message < ? RETURNING attachment",
        (from, to),
        |row| row.get(0),
    )?;
    named.sort_unstable();
    named.dedup();
    for id in named {
        db.run(
            "UPDATE attachments SET unlinked_ms = ?2 WHERE id = ?1
             AND NOT EXISTS (SELECT 1 FROM attachment_links WHERE attachment = ?1)",
            (id, now_ms),
        )?;
    }
    Ok(())
}

/// Takes away some of the attachments that no message has named since a time; false if there are
/// no more.
pub(super) fn sweep(db: &Connection, before_ms: u64) -> rusqlite::Result<bool> {
    let sql = format!(
        "SELECT {COLUMNS} FROM attachments WHERE unlinked_ms < ? ORDER BY unlinked_ms LIMIT ?"
    );
    let old = db.rows(&sql, (before_ms, SWEPT), attachment)?;
    for found in &old {
        remove(db, found)?;
    }
    Ok(old.len() as u64 == SWEPT)
}

impl Tx<'_> {
    /// Notes which attachments a message names. Who sends it must be one who may see them; the
    /// operator may name any.
    pub(super) fn link(
        &self,
        sender: Option<UserId>,
        (kind, body): (Kind, &str),
        (conversation, seq): (u64, u64),
        message: u64,
    ) -> Outcome<()> {
        let named = named_in(kind, body);
        if named.len() > NAMED_MAX {
            return Err(Refusal::Invalid("a message names at most 100 attachments").into());
        }
        for id in named {
            match sender {
                Some(sender) => find_for(self.db, sender, id)?,
                None => find(self.db, id)?,
            };
            self.db.run(
                "INSERT INTO attachment_links VALUES (?, ?, ?, ?)",
                (id.0, message, conversation, seq),
            )?;
            self.db.run(
                "UPDATE attachments SET unlinked_ms = NULL WHERE id = ?",
                [id.0],
            )?;
        }
        Ok(())
    }
}

impl Execute for NoteFile {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        tx.db.run(
            "INSERT OR IGNORE INTO loose_files VALUES (?)",
            [self.hash.0],
        )?;
        Ok(())
    }
}

impl Execute for AddAttachment {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Attachment> {
        tx.user(self.owner)?;
        let used = used(tx.db, self.owner)?.saturating_add(charge(self.bytes));
        if used > self.quota {
            return Err(Refusal::LimitReached("your attachments have reached their quota").into());
        }
        set_used(tx.db, self.owner, used)?;
        tx.db.run(
            "INSERT INTO attachments (owner, hash, name, media_type, bytes, width, height,
                thumbnail, created_ms, unlinked_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
            (
                self.owner.0,
                self.hash.0,
                &self.name,
                &self.media_type,
                self.bytes,
                self.pixels.map(|(width, _)| width),
                self.pixels.map(|(_, height)| height),
                self.thumbnail,
                tx.now_ms,
            ),
        )?;
        let id = AttachmentId(tx.db.last_insert_rowid() as u64);
        tx.db
            .run("DELETE FROM loose_files WHERE hash = ?", [self.hash.0])?;
        Ok(Attachment {
            id,
            owner: self.owner,
            hash: self.hash,
            name: self.name,
            media_type: self.media_type,
            bytes: self.bytes,
            pixels: self.pixels,
            thumbnail: self.thumbnail,
            created_ms: tx.now_ms,
        })
    }
}

impl Execute for RemoveAttachment {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let found = match self.user {
            Some(user) => find_for(tx.db, user, self.id)?,
            None => find(tx.db, self.id)?,
        };
        if self.user.is_some_and(|user| user != found.owner) {
            return Err(Refusal::NotOwner.into());
        }
        Ok(remove(tx.db, &found)?)
    }
}

impl Execute for ForgetFiles {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        for hash in self.hashes {
            tx.db
                .run("DELETE FROM loose_files WHERE hash = ?", [hash.0])?;
        }
        Ok(())
    }
}

impl Query for FindAttachment {
    fn query(self, db: &Connection) -> Outcome<Attachment> {
        match self.user {
            Some(user) => find_for(db, user, self.id),
            None => find(db, self.id),
        }
    }
}

impl Query for UsedBytes {
    fn query(self, db: &Connection) -> Outcome<u64> {
        Ok(used(db, self.user)?)
    }
}

impl Query for IsLoose {
    fn query(self, db: &Connection) -> Outcome<bool> {
        let loose = db.has(
            "SELECT 1 FROM loose_files
             WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM attachments WHERE hash = ?1)",
            [self.hash.0],
        )?;
        Ok(loose)
    }
}

impl Query for ListLooseFiles {
    fn query(self, db: &Connection) -> Outcome<Vec<Hash>> {
        let loose = db.rows(
            "SELECT hash FROM loose_files l
             WHERE NOT EXISTS (SELECT 1 FROM attachments a WHERE a.hash = l.hash) LIMIT ?",
            [self.limit],
            |row| Ok(Hash(row.get(0)?)),
        )?;
        Ok(loose)
    }
}
