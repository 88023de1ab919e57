-- Version 2: positions, verification, when users were last seen, counts by day. Days have 24 hours
-- and are counted since 1970, UTC.

ALTER TABLE users ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;
-- The last day on which the user came online or sent something.
ALTER TABLE users ADD COLUMN active_day INTEGER NOT NULL DEFAULT 0;

-- The exact positions, and their index, which rounds to 32 bits, outwards.
CREATE TABLE positions (
    user INTEGER PRIMARY KEY,
    latitude REAL NOT NULL,
    longitude REAL NOT NULL,
    time_ms INTEGER NOT NULL
);
CREATE INDEX positions_by_time ON positions (time_ms);
CREATE VIRTUAL TABLE position_index USING rtree(user, south, north, west, east);

-- state as in friend_requests. One for each user: what is submitted anew has a new id, so that an
-- answer is to what was looked at.
CREATE TABLE verifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user INTEGER NOT NULL UNIQUE,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    note TEXT NOT NULL,
    pictures TEXT NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    created_ms INTEGER NOT NULL,
    handled_ms INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX verifications_by_state ON verifications (state, id);

CREATE TABLE last_seen (
    user INTEGER NOT NULL,
    platform INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    PRIMARY KEY (user, platform)
) WITHOUT ROWID;

-- What was new on a day, and how many users were active.
CREATE TABLE days (
    day INTEGER PRIMARY KEY,
    users INTEGER NOT NULL DEFAULT 0,
    guests INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    active INTEGER NOT NULL DEFAULT 0
);
-- Users are few enough to be counted once. What was said before this version is in no day.
INSERT INTO days (day, users, guests)
    SELECT created_ms / 86400000, sum(origin <> 0), sum(origin = 0) FROM users GROUP BY 1;
INSERT INTO meta SELECT 'guests', count(*) FROM users WHERE origin = 0;
