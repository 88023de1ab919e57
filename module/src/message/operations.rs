//! What the store can be asked about messages and conversations.

use common::{GroupId, SessionId, UserId};

use super::{Conversation, Kind, Message};

/// To whom a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// One user.
    User(UserId),
    /// The members of a group.
    Group(GroupId),
    /// Everyone.
    All,
}

impl To {
    /// The conversation in which this user writes so.
    #[must_use]
    pub fn conversation(self, sender: UserId) -> Conversation {
        match self {
            Self::User(user) => Conversation::between(sender, user),
            Self::Group(group) => Conversation::Group(group),
            Self::All => Conversation::All,
        }
    }
}

/// Sends a message; one whose client id was used for the same conversation gets the receipt of the
/// first, and nobody is told again. Refused: `UserUnknown`, `Blocked`, `NotFriends`,
/// `GroupUnknown`, `NotMember`, `Muted`, `GroupMuted`, `ClientIdTaken`.
#[derive(Clone, Debug)]
pub struct Send {
    /// Who.
    pub sender: UserId,
    /// To whom.
    pub to: To,
    /// What the body is.
    pub kind: Kind,
    /// What is said, checked.
    pub body: String,
    /// What an adapter or application keeps beside it.
    pub extra: Option<String>,
    /// The sender's own name for the message.
    pub client_id: Option<String>,
    /// Members of the group whom it calls.
    pub mentions: Vec<UserId>,
    /// The session that sends.
    pub origin: Option<SessionId>,
}

/// Tells those in a conversation who are online something that is true for a moment: that the user
/// is typing. Nothing is kept. Refused as [`Send`] is.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Who.
    pub sender: UserId,
    /// To whom; not to everyone.
    pub to: To,
    /// What, checked.
    pub body: String,
    /// The session that sends.
    pub origin: Option<SessionId>,
}

/// To whom the operator speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemRecipients {
    /// To some users, each in a conversation of their own.
    Users(Vec<UserId>),
    /// To everyone, in the conversation of all.
    All,
}

/// The operator says something; gives the number of those who are told, users that are unknown left
/// out. Idempotent as [`Send`] is, by the client id and the user.
#[derive(Clone, Debug)]
pub struct SendSystem {
    /// To whom.
    pub to: SystemRecipients,
    /// What the body is.
    pub kind: Kind,
    /// What is said, checked.
    pub body: String,
    /// What an application keeps beside it.
    pub extra: Option<String>,
}

/// Takes a message back. Refused: `MessageUnknown`, `NotSender`, `AlreadyRecalled`,
/// `RecallTooLate`. In groups the owner may recall any, and an administrator those of members.
#[derive(Clone, Debug)]
pub struct Recall {
    /// Who; the operator's own staff may recall any at any time, and is nobody.
    pub user: Option<UserId>,
    /// Where it stands.
    pub conversation: Conversation,
    /// Its number there.
    pub seq: u64,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Deletes messages for one user, on all devices. Refused: `ConversationUnknown`.
#[derive(Clone, Debug)]
pub struct Delete {
    /// For whom.
    pub user: UserId,
    /// Where they stand.
    pub conversation: Conversation,
    /// Their numbers there; those that are not visible are left out.
    pub seqs: Vec<u64>,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Deletes all messages of a conversation for one user. Refused: `ConversationUnknown`.
#[derive(Clone, Debug)]
pub struct Clear {
    /// For whom.
    pub user: UserId,
    /// Which.
    pub conversation: Conversation,
    /// Whether it leaves the user's list too, until there is a new message.
    pub unlist: bool,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Says that a user has read a conversation up to a message; gives up to where they have read now.
/// Refused: `ConversationUnknown`.
#[derive(Clone, Debug)]
pub struct MarkRead {
    /// Who.
    pub user: UserId,
    /// Which.
    pub conversation: Conversation,
    /// Up to here; beyond the last message is the last message.
    pub seq: u64,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Changes how a conversation is listed; what is not given stays. Refused: `ConversationUnknown`.
#[derive(Clone, Debug)]
pub struct SetConversation {
    /// For whom.
    pub user: UserId,
    /// Which.
    pub conversation: Conversation,
    /// Stands before all others.
    pub pinned: Option<bool>,
    /// 0: told as usual; other values are the client's way of not disturbing.
    pub muted: Option<u8>,
    /// What the user has begun to write.
    pub draft: Option<String>,
    /// Whatever the application makes of it.
    pub extra: Option<String>,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Which of these users have muted the conversation. Never refused.
#[derive(Clone, Debug)]
pub struct FindMuted {
    /// Which.
    pub conversation: Conversation,
    /// Who is asked about.
    pub users: Vec<UserId>,
}

/// Which way a page of history goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The messages before this seq, or the last ones.
    Before(Option<u64>),
    /// The messages after this seq.
    After(u64),
}

/// Messages of a conversation that the user may see, by ascending seq; fewer than `limit` where
/// they come to [`PAGE_BYTES`](super::PAGE_BYTES). Refused: `ConversationUnknown`.
#[derive(Clone, Debug)]
pub struct History {
    /// Who asks.
    pub user: UserId,
    /// Which.
    pub conversation: Conversation,
    /// From where.
    pub direction: Direction,
    /// Most to give.
    pub limit: usize,
}

/// Part of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// The messages, by ascending seq.
    pub messages: Vec<Message>,
    /// Whether there are more in the direction asked for.
    pub more: bool,
    /// The last seq of the conversation that the user may see.
    pub last_seq: u64,
    /// Up to where the user has read.
    pub read_seq: u64,
    /// In a direct conversation: up to where the other one has read.
    pub peer_read_seq: Option<u64>,
}

/// The conversations of a user: pinned ones first, then those with the latest message or draft;
/// fewer than `limit` where they come to [`PAGE_BYTES`](super::PAGE_BYTES).
#[derive(Clone, Debug)]
pub struct Conversations {
    /// Whose.
    pub user: UserId,
    /// How many to leave out, counted from the first.
    pub offset: usize,
    /// Most to give.
    pub limit: usize,
}

/// A conversation as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationView {
    /// Which.
    pub conversation: Conversation,
    /// What it is called: the friend's remark or the other's name, the group's name; empty where
    /// it has none.
    pub title: String,
    /// The address of its picture, or empty.
    pub picture: String,
    /// The last message that the user may see and has not deleted.
    pub last: Option<Message>,
    /// The seq of the last message.
    pub last_seq: u64,
    /// Up to where the user has read.
    pub read_seq: u64,
    /// How many messages are above that.
    pub unread: u64,
    /// The last message that calls the user, if it is unread.
    pub mention_seq: Option<u64>,
    /// Stands before all others.
    pub pinned: bool,
    /// 0: told as usual.
    pub muted: u8,
    /// What the user has begun to write.
    pub draft: String,
    /// When, in milliseconds since 1970.
    pub draft_ms: u64,
    /// Whatever the application makes of it.
    pub extra: String,
    /// The user has left the group.
    pub left: bool,
}

impl ConversationView {
    /// What it takes of the [`PAGE_BYTES`](super::PAGE_BYTES) of a page.
    #[must_use]
    pub fn page_bytes(&self) -> usize {
        let own = [&self.title, &self.picture, &self.draft, &self.extra].map(String::len);
        let last = self.last.as_ref().map_or(0, Message::page_bytes);
        own.iter().sum::<usize>() + last
    }
}

/// Part of a list of conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationPage {
    /// The conversations.
    pub conversations: Vec<ConversationView>,
    /// How many there are in all.
    pub total: u64,
    /// Unread messages in all that are not muted.
    pub unread: u64,
}

/// Messages in the user's conversations that have words which begin like those of the query, latest
/// first; fewer than `limit` where they come to [`PAGE_BYTES`](super::PAGE_BYTES).
#[derive(Clone, Debug)]
pub struct SearchMessages {
    /// Who asks.
    pub user: UserId,
    /// What to look for.
    pub query: String,
    /// Where, if not in all.
    pub conversation: Option<Conversation>,
    /// Only messages with a number below this, to go on from an earlier page.
    pub before: Option<u64>,
    /// Most to give.
    pub limit: usize,
}

/// Who has read a message of a group, by ascending id. Refused: `ConversationUnknown`, `NotMember`,
/// `MessageUnknown`; `LimitReached` in a channel, where nobody keeps count.
#[derive(Clone, Debug)]
pub struct Readers {
    /// Who asks.
    pub user: UserId,
    /// The group.
    pub group: GroupId,
    /// The message.
    pub seq: u64,
    /// Most readers to give.
    pub limit: usize,
}

/// Who has read a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadersPage {
    /// How many of the members have.
    pub read: u64,
    /// How many members could have: those who were it when it was said, the sender left out.
    pub members: u64,
    /// The first of those who have.
    pub readers: Vec<UserId>,
}
