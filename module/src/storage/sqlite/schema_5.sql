-- Version 5: what changes in channels is kept for those who are away; groups that were dismissed are
-- none of those that a user is in, of which there is a most.

UPDATE users SET groups = groups - gone.n
    FROM (SELECT m.user, count(*) AS n FROM groups g JOIN members m ON m.grp = g.id
        WHERE g.dismissed = 1 GROUP BY m.user) AS gone
    WHERE users.id = gone.user;

-- What called a user after they had left is not for them to read.
UPDATE participants SET mention_seq = 0 WHERE mention_seq > left_seq;

-- What has changed in conversations that stand in no inbox, the notices of it, numbered in each
-- conversation from 1 without gaps: the last number, and the last one that retention has taken away.
ALTER TABLE conversations ADD COLUMN last_change INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN change_floor INTEGER NOT NULL DEFAULT 0;
CREATE TABLE changes (
    message INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    number INTEGER NOT NULL
);
CREATE UNIQUE INDEX changes_by_number ON changes (conversation, number);
