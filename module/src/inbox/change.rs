//! What changes in conversations that stand in no inbox.

use common::UserId;

use super::Notice;
use crate::message::Conversation;

/// The changes of a channel, or of what is said to all, after one that the client has, oldest
/// first; there are none elsewhere, where they are entries of inboxes. Refused:
/// `ConversationUnknown`, also to who has left.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Who asks.
    pub user: UserId,
    /// Where.
    pub conversation: Conversation,
    /// The last number that the client has; 0 before anything has come.
    pub after: u64,
    /// Most changes to give.
    pub limit: usize,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number in the conversation, from 1 without gaps.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// What has happened.
    pub notice: Notice,
}

/// Part of the changes of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePage {
    /// What comes after the number asked for; of a group, since the user has joined it.
    pub changes: Vec<Change>,
    /// The last number that there is; the client is complete when it has it.
    pub last: u64,
    /// The number asked for is beyond what is kept, or was never given: the client drops what it
    /// has of the conversation, loads it anew, and goes on from `last`.
    pub reset: bool,
}
