-- Version 6: who comes and goes in a channel is told together, at most once a second.

-- When members of a channel were last told who comes and goes, and how many have since.
CREATE TABLE turnover (
    grp INTEGER PRIMARY KEY,
    told_ms INTEGER NOT NULL,
    joined INTEGER NOT NULL DEFAULT 0,
    parted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX turnover_waiting ON turnover (told_ms) WHERE joined + parted > 0;

-- The first of these on each side.
CREATE TABLE turnover_names (
    grp INTEGER NOT NULL,
    joined INTEGER NOT NULL,
    user INTEGER NOT NULL,
    PRIMARY KEY (grp, joined, user)
) WITHOUT ROWID;

-- Groups that were dismissed and still count for those of their members who are above this user.
CREATE TABLE endings (
    grp INTEGER PRIMARY KEY,
    counted_to INTEGER NOT NULL
);

-- Who has blocked a user is asked for whoever hears of everyone.
CREATE INDEX blocks_by_blocked ON blocks (blocked, user);
