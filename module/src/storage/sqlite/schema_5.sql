-- Version 5: groups that were dismissed are none of those that a user is in, of which there is a
-- most.

UPDATE users SET groups = groups - gone.n
    FROM (SELECT m.user, count(*) AS n FROM groups g JOIN members m ON m.grp = g.id
        WHERE g.dismissed = 1 GROUP BY m.user) AS gone
    WHERE users.id = gone.user;

-- What called a user after they had left is not for them to read.
UPDATE participants SET mention_seq = 0 WHERE mention_seq > left_seq;
