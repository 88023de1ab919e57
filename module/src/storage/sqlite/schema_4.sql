-- Version 4: attachments. Their bytes are in files, named by their hash.

-- unlinked_ms is when the last message that names it has gone, or, before the first, when it was
-- uploaded.
CREATE TABLE attachments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL,
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    width INTEGER,
    height INTEGER,
    thumbnail INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    unlinked_ms INTEGER
);
CREATE INDEX attachments_by_hash ON attachments (hash);
CREATE INDEX attachments_unlinked ON attachments (unlinked_ms) WHERE unlinked_ms IS NOT NULL;

-- Which messages name which attachments, and where these messages stand.
CREATE TABLE attachment_links (
    attachment INTEGER NOT NULL,
    message INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (attachment, message)
) WITHOUT ROWID;
CREATE INDEX attachment_links_by_message ON attachment_links (message);

-- Bytes of the attachments of each user.
CREATE TABLE attachment_use (
    user INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL
);

-- Hashes of files that may have no attachment.
CREATE TABLE loose_files (
    hash BLOB PRIMARY KEY
) WITHOUT ROWID;
