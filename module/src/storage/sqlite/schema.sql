-- Version 1. Times are milliseconds since 1970. Keys of what is read in pages are clustered in the
-- order in which it is read; counts are kept and not counted.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    origin INTEGER NOT NULL,
    password TEXT,
    nickname TEXT NOT NULL,
    picture TEXT NOT NULL DEFAULT '',
    signature TEXT NOT NULL DEFAULT '',
    extra TEXT NOT NULL DEFAULT '',
    disabled INTEGER NOT NULL DEFAULT 0,
    groups INTEGER NOT NULL DEFAULT 0,
    friends INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL
);

CREATE VIRTUAL TABLE user_index USING fts5(
    text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2',
    prefix='1 2 3'
);

CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    user INTEGER NOT NULL,
    platform INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_of_user ON sessions (user, platform);
CREATE INDEX sessions_by_expiry ON sessions (expires_ms);

-- kind 0: all; 1: direct, a and b are the users, the lower first; 2: group a; 3: system to user a.
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    a INTEGER NOT NULL,
    b INTEGER NOT NULL,
    last_seq INTEGER NOT NULL DEFAULT 0,
    last_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, a, b)
);

-- Messages have a place (conversation, seq); notices have none, they are found from inboxes only.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    conversation INTEGER,
    seq INTEGER,
    sender INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    recalled INTEGER NOT NULL DEFAULT 0,
    time_ms INTEGER NOT NULL,
    client_id TEXT,
    body TEXT NOT NULL,
    extra TEXT
);
CREATE UNIQUE INDEX messages_by_place ON messages (conversation, seq)
    WHERE conversation IS NOT NULL;
CREATE UNIQUE INDEX messages_by_client_id ON messages (sender, client_id)
    WHERE client_id IS NOT NULL;

CREATE VIRTUAL TABLE message_index USING fts5(
    place, text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2'
);

-- What a user has of a conversation. Visible are the seqs from first_seq on, up to left_seq if the
-- user has left. Unread is what is above read_seq. Listed while last_seq is above unlisted_seq, so
-- that a new message lists it again by itself.
CREATE TABLE participants (
    user INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    left_seq INTEGER,
    read_seq INTEGER NOT NULL,
    mention_seq INTEGER NOT NULL DEFAULT 0,
    pinned INTEGER NOT NULL DEFAULT 0,
    muted INTEGER NOT NULL DEFAULT 0,
    unlisted_seq INTEGER NOT NULL DEFAULT -1,
    draft TEXT NOT NULL DEFAULT '',
    draft_ms INTEGER NOT NULL DEFAULT 0,
    extra TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (user, conversation)
) WITHOUT ROWID;

-- Messages that a user has deleted for themselves.
CREATE TABLE deleted (
    user INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (user, conversation, seq)
) WITHOUT ROWID;

-- The last number of each inbox, and the last one that retention has taken away.
CREATE TABLE inboxes (
    user INTEGER PRIMARY KEY,
    last_seq INTEGER NOT NULL DEFAULT 0,
    floor_seq INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE inbox (
    user INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (user, seq)
) WITHOUT ROWID;

CREATE TABLE friends (
    user INTEGER NOT NULL,
    friend INTEGER NOT NULL,
    remark TEXT NOT NULL DEFAULT '',
    extra TEXT NOT NULL DEFAULT '',
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (user, friend)
) WITHOUT ROWID;

-- state 0: open, 1: accepted, 2: refused. One for each pair; asking again opens it again.
CREATE TABLE friend_requests (
    recipient INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    text TEXT NOT NULL,
    answer TEXT NOT NULL DEFAULT '',
    state INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    handled_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (recipient, sender)
) WITHOUT ROWID;
CREATE INDEX friend_requests_by_sender ON friend_requests (sender, recipient);

CREATE TABLE blocks (
    user INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (user, blocked)
) WITHOUT ROWID;

CREATE TABLE groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    picture TEXT NOT NULL DEFAULT '',
    introduction TEXT NOT NULL DEFAULT '',
    announcement TEXT NOT NULL DEFAULT '',
    extra TEXT NOT NULL DEFAULT '',
    owner INTEGER NOT NULL,
    creator INTEGER NOT NULL,
    members INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    channel INTEGER NOT NULL DEFAULT 0,
    joining INTEGER NOT NULL,
    muted INTEGER NOT NULL DEFAULT 0,
    dismissed INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL
);
CREATE INDEX groups_by_conversation ON groups (conversation);
CREATE VIRTUAL TABLE group_index USING fts5(
    text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2'
);

-- role 0: member, 1: administrator, 2: owner.
CREATE TABLE members (
    grp INTEGER NOT NULL,
    user INTEGER NOT NULL,
    role INTEGER NOT NULL,
    nickname TEXT NOT NULL DEFAULT '',
    inviter INTEGER,
    muted_until_ms INTEGER NOT NULL DEFAULT 0,
    joined_ms INTEGER NOT NULL,
    PRIMARY KEY (grp, user)
) WITHOUT ROWID;
CREATE INDEX members_with_role ON members (grp, role, user) WHERE role > 0;

-- state as in friend_requests.
CREATE TABLE applications (
    grp INTEGER NOT NULL,
    user INTEGER NOT NULL,
    text TEXT NOT NULL,
    answer TEXT NOT NULL DEFAULT '',
    inviter INTEGER,
    state INTEGER NOT NULL DEFAULT 0,
    handler INTEGER,
    created_ms INTEGER NOT NULL,
    handled_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (grp, user)
) WITHOUT ROWID;
CREATE INDEX applications_by_user ON applications (user, grp);

INSERT INTO meta VALUES ('users', 0), ('groups', 0), ('indexed', 0);
