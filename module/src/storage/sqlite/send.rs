//! Sending.

use common::{GroupId, SessionId, UserId};

use super::sql::{Outcome, Sql};
use super::tx::{Execute, Tx};
use crate::account::User;
use crate::group::Role;
use crate::inbox::{Audience, Happening};
use crate::message::{
    Conversation, Kind, Message, Receipt, Send, SendSystem, Signal, SystemRecipients, To,
};
use crate::storage::refusal::Refusal;

/// A message that may be sent, and to whom.
struct Passed {
    conversation: Conversation,
    recipients: Recipients,
}

enum Recipients {
    Users(Vec<UserId>),
    Channel(GroupId),
    Everyone,
}

/// What is said, by whom.
struct Words {
    from: Option<User>,
    kind: Kind,
    body: String,
    extra: Option<String>,
    client_id: Option<String>,
    origin: Option<SessionId>,
}

impl Execute for Send {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Receipt> {
        let conversation = self.to.conversation(self.sender);
        if let Some(client_id) = &self.client_id
            && let Some(first) = tx.sent_before(self.sender, client_id)?
        {
            if first.conversation != conversation {
                return Err(Refusal::ClientIdTaken.into());
            }
            return Ok(first);
        }
        let from = tx.sender(self.sender)?;
        let passed = tx.pass(self.sender, self.to)?;
        let words = Words {
            from: Some(from),
            kind: self.kind,
            body: self.body,
            extra: self.extra,
            client_id: self.client_id,
            origin: self.origin,
        };
        tx.append(passed, words, &self.mentions)
    }
}

impl Execute for Signal {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let from = tx.user(self.sender)?;
        let Passed {
            conversation,
            recipients,
        } = tx.pass(self.sender, self.to)?;
        let audience = match recipients {
            Recipients::Users(users) => Audience::Users(users),
            Recipients::Channel(group) => Audience::Channel(group),
            Recipients::Everyone => Audience::Everyone,
        };
        let happening = Happening::Signal {
            conversation,
            from,
            body: self.body,
        };
        tx.emit(happening, audience, self.origin);
        Ok(())
    }
}

impl Execute for SendSystem {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<usize> {
        let words = || Words {
            from: None,
            kind: self.kind,
            body: self.body.clone(),
            extra: self.extra.clone(),
            client_id: None,
            origin: None,
        };
        match &self.to {
            SystemRecipients::All => {
                let passed = Passed {
                    conversation: Conversation::All,
                    recipients: Recipients::Everyone,
                };
                tx.append(passed, words(), &[])?;
                Ok(tx.db.meta("users")? as usize)
            }
            SystemRecipients::Users(users) => {
                let mut told = 0;
                for &user in users {
                    if super::tx::find_user(tx.db, user)?.is_none() {
                        continue;
                    }
                    let passed = Passed {
                        conversation: Conversation::System(user),
                        recipients: Recipients::Users(vec![user]),
                    };
                    tx.append(passed, words(), &[])?;
                    told += 1;
                }
                Ok(told)
            }
        }
    }
}

impl Tx<'_> {
    /// The receipt of the message for which the sender has used a client id.
    fn sent_before(&self, sender: UserId, client_id: &str) -> Outcome<Option<Receipt>> {
        let found: Option<Receipt> = self.db.first(
            "SELECT c.kind, c.a, c.b, m.seq, m.id, m.time_ms
             FROM messages m JOIN conversations c ON c.id = m.conversation
             WHERE m.sender = ? AND m.client_id = ?",
            (sender.0, client_id),
            |row| {
                Ok(Receipt {
                    conversation: super::conversation::from_row(row, 0)?,
                    seq: row.get(3)?,
                    message: row.get(4)?,
                    time_ms: row.get(5)?,
                    inbox: None,
                })
            },
        )?;
        let Some(mut receipt) = found else {
            return Ok(None);
        };
        receipt.inbox = self.number_of(sender, receipt.message)?;
        Ok(Some(receipt))
    }

    /// The number that a message has in an inbox: both ascend together, so it is searched by
    /// halves.
    fn number_of(&self, user: UserId, message: u64) -> Outcome<Option<u64>> {
        let ends: Option<(u64, u64)> = self.db.first(
            "SELECT floor_seq, last_seq FROM inboxes WHERE user = ?",
            [user.0],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (mut low, mut high) = ends.unwrap_or_default();
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let found: Option<u64> = self.db.first(
                "SELECT message FROM inbox WHERE user = ? AND seq = ?",
                (user.0, middle),
                |row| row.get(0),
            )?;
            match found {
                Some(found) if found == message => return Ok(Some(middle)),
                Some(found) if found > message => high = middle - 1,
                _ => low = middle,
            }
        }
        Ok(None)
    }

    /// Whether a user may write there, and who is told.
    fn pass(&self, sender: UserId, to: To) -> Outcome<Passed> {
        Ok(Passed {
            conversation: to.conversation(sender),
            recipients: match to {
                To::User(user) => self.pass_direct(sender, user)?,
                To::Group(group) => self.pass_group(sender, group)?,
                To::All => Recipients::Everyone,
            },
        })
    }

    /// Whether a user may write to another.
    fn pass_direct(&self, sender: UserId, to: UserId) -> Outcome<Recipients> {
        if sender == to {
            return Ok(Recipients::Users(vec![sender]));
        }
        self.user(to)?;
        if self.blocks(to, sender)? {
            return Err(Refusal::Blocked.into());
        }
        if self.rules.friends_only && !self.are_friends(to, sender)? {
            return Err(Refusal::NotFriends.into());
        }
        Ok(Recipients::Users(vec![to, sender]))
    }

    /// Whether a user may write to a group.
    fn pass_group(&self, sender: UserId, group: GroupId) -> Outcome<Recipients> {
        let found = self.group(group)?;
        let membership = self.membership(group, sender)?;
        if membership.role < Role::Administrator {
            if found.muted {
                return Err(Refusal::GroupMuted.into());
            }
            if membership.muted_until_ms > self.now_ms {
                return Err(Refusal::Muted.into());
            }
        }
        if found.channel {
            return Ok(Recipients::Channel(group));
        }
        Ok(Recipients::Users(self.members(group)?))
    }

    /// Gives a message its place, enters it where it belongs, and tells those whom it concerns.
    fn append(&mut self, to: Passed, words: Words, mentions: &[UserId]) -> Outcome<Receipt> {
        let log = self.open_conversation(to.conversation)?;
        let seq = log.last_seq + 1;
        let sender = words.from.as_ref().map(|user| user.id);
        self.db.run(
            "UPDATE conversations SET last_seq = ?, last_ms = ? WHERE id = ?",
            (seq, self.now_ms, log.id),
        )?;
        self.db.run(
            "INSERT INTO messages (conversation, seq, sender, kind, time_ms, client_id, body, extra)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                log.id,
                seq,
                sender.map_or(0, |sender| sender.0),
                words.kind.number(),
                self.now_ms,
                &words.client_id,
                &words.body,
                &words.extra,
            ),
        )?;
        let id = self.db.last_insert_rowid() as u64;
        self.link(sender, (words.kind, &words.body), (log.id, seq), id)?;
        if let Some(sender) = sender {
            // Who answers has read what was said before.
            self.set_read(sender, log.id, seq)?;
        }
        for user in mentions {
            self.db.run(
                "UPDATE participants SET mention_seq = ?
                 WHERE user = ? AND conversation = ? AND left_seq IS NULL",
                (seq, user.0, log.id),
            )?;
        }
        let mut inbox = None;
        let audience = match to.recipients {
            Recipients::Users(users) => {
                let numbers = self.enter(&users, id)?;
                inbox = numbers
                    .iter()
                    .find(|(user, _)| Some(*user) == sender)
                    .map(|(_, number)| *number);
                Audience::Inboxes(numbers)
            }
            Recipients::Channel(group) => Audience::Channel(group),
            Recipients::Everyone => Audience::Everyone,
        };
        let message = Message {
            id,
            conversation: to.conversation,
            seq,
            from: words.from,
            kind: words.kind,
            body: words.body,
            extra: words.extra,
            client_id: words.client_id,
            time_ms: self.now_ms,
            recalled: false,
        };
        self.emit(Happening::Message(message), audience, words.origin);
        Ok(Receipt {
            conversation: to.conversation,
            seq,
            message: id,
            time_ms: self.now_ms,
            inbox,
        })
    }
}
