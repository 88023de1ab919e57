-- Version 3: each word of a message is indexed behind the mark of its conversation, so that a search looks at
-- what the user's own conversations say and not at what all others do. The index is made anew.

DROP TABLE message_index;
CREATE VIRTUAL TABLE message_index USING fts5(
    text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2'
);
UPDATE meta SET value = 0 WHERE name = 'indexed';
