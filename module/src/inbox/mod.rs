//! What each user is told, numbered: messages, and notices of what else has happened.

mod change;
mod event;
mod notice;

use common::UserId;

use crate::message::{Conversation, Message};

pub use change::{Change, ChangePage, Changes};
pub use event::{Audience, Event, Happening, SessionEnd};
pub use notice::Notice;

/// The entries of an inbox after one that the client has, oldest first; fewer than `limit` where
/// their messages come to [`PAGE_BYTES`](crate::message::PAGE_BYTES). Refused: `UserUnknown`.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Whose.
    pub user: UserId,
    /// The last number that the client has; 0 before anything has come.
    pub after: u64,
    /// Most entries to give.
    pub limit: usize,
}

/// An entry of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number there, from 1 without gaps.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// What it tells.
    pub content: Content,
}

/// What an entry tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A message was sent. If it has been recalled since, it is told as recalled.
    Message(Message),
    /// Something else has happened.
    Notice(Notice),
}

/// Part of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPage {
    /// What comes after the number asked for.
    pub entries: Vec<Entry>,
    /// The last number that there is; the client is complete when it has it.
    pub last: u64,
    /// The number asked for is beyond what is kept, or was never given: the client drops what it
    /// has, loads its lists anew, and goes on from `last`.
    pub reset: bool,
    /// Conversations that are not entered in inboxes, and their last seqs. On the last page only.
    pub channels: Vec<ChannelState>,
}

/// How far a channel has come; what of it a client has missed, it asks for as history and as
/// [`Changes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelState {
    /// Which.
    pub conversation: Conversation,
    /// The seq of its last message.
    pub last_seq: u64,
    /// What the user has read of it.
    pub read_seq: u64,
    /// The number of its last change.
    pub last_change: u64,
}
