//! Conversations and what is said in them.

mod kind;
mod operations;

use std::fmt;
use std::str::FromStr;

use common::{GroupId, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::account::User;
use crate::storage::refusal::Refusal;

pub use kind::Kind;
pub use operations::{
    Clear, ConversationPage, ConversationView, Conversations, Delete, Direction, FindMuted,
    History, HistoryPage, MarkRead, Readers, ReadersPage, Recall, SearchMessages, Send, SendSystem,
    SetConversation, Signal, SystemRecipients, To,
};

/// Longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// A page of messages, of whatever list, ends with the one with which it comes to so many bytes of
/// bodies and extras: what a client may ask for at once must not be what a node can hold.
pub const PAGE_BYTES: usize = 1024 * 1024;
/// Longest body of a signal, in bytes.
pub const SIGNAL_BYTES_MAX: usize = 1_024;
/// Longest client id, in bytes.
pub const CLIENT_ID_BYTES_MAX: usize = 64;

/// Where messages are numbered: between two users, in a group, or among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conversation {
    /// Everyone who is online.
    All,
    /// Two users, the lower id first; or one with themselves.
    Direct(UserId, UserId),
    /// The members of a group.
    Group(GroupId),
    /// What the operator says to one user.
    System(UserId),
}

impl Conversation {
    /// The conversation of two users, whichever of them asks.
    #[must_use]
    pub fn between(a: UserId, b: UserId) -> Self {
        Self::Direct(a.min(b), a.max(b))
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Direct(a, b) => write!(f, "d:{}:{}", a.0, b.0),
            Self::Group(group) => write!(f, "g:{}", group.0),
            Self::System(user) => write!(f, "s:{}", user.0),
        }
    }
}

/// Text that names no conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a conversation is all, d:<user>:<user>, g:<group> or s:<user>")]
pub struct NoConversation;

impl FromStr for Conversation {
    type Err = NoConversation;

    fn from_str(text: &str) -> Result<Self, NoConversation> {
        // Only the digits that `Display` writes, so that one conversation has one name.
        let number = |digits: &str| {
            let number = digits.parse::<u64>().map_err(|_| NoConversation)?;
            let same = digits.as_bytes().first() != Some(&b'+') && number <= i64::MAX as u64;
            if same && (digits == "0" || !digits.starts_with('0')) {
                Ok(number)
            } else {
                Err(NoConversation)
            }
        };
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("g", group)) => Ok(Self::Group(GroupId(number(group)?))),
            Some(("s", user)) => Ok(Self::System(UserId(number(user)?))),
            Some(("d", users)) => {
                let (a, b) = users.split_once(':').ok_or(NoConversation)?;
                let (a, b) = (number(a)?, number(b)?);
                if a > b {
                    return Err(NoConversation);
                }
                Ok(Self::Direct(UserId(a), UserId(b)))
            }
            _ => Err(NoConversation),
        }
    }
}

impl Serialize for Conversation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Conversation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A message that somebody wants to send.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the body is.
    pub kind: Kind,
    /// The body.
    pub body: String,
    /// What an adapter or application keeps beside the body.
    pub extra: Option<String>,
    /// The sender's own name for the message; sending it again gives the first result.
    pub client_id: Option<String>,
    /// Members of the group whom it calls.
    pub mentions: Vec<UserId>,
}

impl Draft {
    /// Whether it can be sent.
    ///
    /// # Errors
    /// [`Refusal::Invalid`].
    pub fn check(&self) -> Result<(), Refusal> {
        if !(1..=BODY_BYTES_MAX).contains(&self.body.len()) {
            return Err(Refusal::Invalid("a body has 1 to 16384 bytes"));
        }
        let client_id = self.client_id.as_ref();
        if client_id.is_some_and(|id| id.len() > CLIENT_ID_BYTES_MAX) {
            return Err(Refusal::Invalid("a client_id has at most 64 bytes"));
        }
        Ok(())
    }
}

/// Where a message found its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The conversation.
    pub conversation: Conversation,
    /// Its number there, from 1 without gaps.
    pub seq: u64,
    /// Its number among all messages of the server.
    pub message: u64,
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// Its number in the sender's inbox, if it is entered there and was not before.
    pub inbox: Option<u64>,
}

/// A message that has found its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number among all messages of the server.
    pub id: u64,
    /// The conversation.
    pub conversation: Conversation,
    /// Its number there, from 1 without gaps.
    pub seq: u64,
    /// Who said it; nobody, if the operator did.
    pub from: Option<User>,
    /// What the body is.
    pub kind: Kind,
    /// What was said; empty if it was recalled.
    pub body: String,
    /// What an adapter or application keeps beside the body.
    pub extra: Option<String>,
    /// The sender's own name for the message.
    pub client_id: Option<String>,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// It was recalled: its body is gone.
    pub recalled: bool,
}

impl Message {
    /// What it takes of the [`PAGE_BYTES`] of a page.
    #[must_use]
    pub fn page_bytes(&self) -> usize {
        self.body.len() + self.extra.as_ref().map_or(0, String::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_has_one_name() {
        for conversation in [
            Conversation::All,
            Conversation::between(UserId(7), UserId(3)),
            Conversation::Group(GroupId(5)),
            Conversation::System(UserId(9)),
        ] {
            assert_eq!(conversation.to_string().parse(), Ok(conversation));
        }
        for bad in [
            "", "al", "g", "g:", "g:05", "g:+5", "g:-1", "d:7:3", "d:3", "x:1", "g:1 ",
        ] {
            assert_eq!(bad.parse::<Conversation>(), Err(NoConversation), "{bad:?}");
        }
        assert!("g:18446744073709551615".parse::<Conversation>().is_err());
    }
}
