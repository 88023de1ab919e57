//! What goes out, where several calls and pushes say the same.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use super::word::Word;
use crate::account;
use crate::group::{GroupView, Joining, Role};
use crate::inbox::{Content, Entry, Notice, SyncPage};
use crate::message::{self, Receipt};

/// A user.
#[derive(Debug, Serialize)]
pub(crate) struct UserOut<'a> {
    id: u64,
    /// What others call them.
    name: Cow<'a, str>,
}

/// One type for clients, which hear of users in notices, too.
impl JsonSchema for UserOut<'_> {
    fn schema_name() -> Cow<'static, str> {
        account::User::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        account::User::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        account::User::json_schema(generator)
    }
}

impl<'a> UserOut<'a> {
    pub(crate) fn of(user: &'a account::User) -> Self {
        Self {
            id: user.id.0,
            name: Cow::Borrowed(&user.name),
        }
    }
}

impl From<account::User> for UserOut<'static> {
    fn from(user: account::User) -> Self {
        Self {
            id: user.id.0,
            name: Cow::Owned(user.name),
        }
    }
}

/// Nothing but that it is done.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Done")]
pub(crate) struct Done {}

impl From<()> for Done {
    fn from((): ()) -> Self {
        Self {}
    }
}

/// How many it concerned.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Count")]
pub(crate) struct CountOut {
    pub(crate) count: usize,
}

/// Some users.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Users")]
pub(crate) struct UsersOut {
    pub(crate) users: Vec<UserOut<'static>>,
    /// What to pass as `after` for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<u64>,
}

impl UsersOut {
    /// A page of `limit` users at most: a full one may not be the last.
    pub(crate) fn page(users: Vec<account::User>, limit: usize) -> Self {
        let full = users.len() >= limit;
        let next = users.last().filter(|_| full).map(|user| user.id.0);
        let users = users.into_iter().map(UserOut::from).collect();
        Self { users, next }
    }
}

/// Where a message found its place.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Receipt")]
pub(crate) struct ReceiptOut {
    /// The conversation.
    conversation: String,
    /// The number of the message there, from 1 without gaps.
    seq: u64,
    /// Its number among all messages.
    message: u64,
    /// When, in milliseconds since 1970.
    time: u64,
    /// Its number in the user's inbox, if it is entered there.
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox: Option<u64>,
}

impl From<Receipt> for ReceiptOut {
    fn from(receipt: Receipt) -> Self {
        Self {
            conversation: receipt.conversation.to_string(),
            seq: receipt.seq,
            message: receipt.message,
            time: receipt.time_ms,
            inbox: receipt.inbox,
        }
    }
}

/// A message.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Message")]
pub(crate) struct MessageOut<'a> {
    #[serde(flatten)]
    receipt: ReceiptOut,
    /// Who said it; nobody, if the operator did.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<UserOut<'a>>,
    /// What the body is.
    kind: &'static str,
    /// What was said; empty if it was recalled.
    body: Cow<'a, str>,
    /// What an application keeps beside the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<Cow<'a, str>>,
    /// The sender's own name for the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Cow<'a, str>>,
    /// It was recalled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    recalled: bool,
}

/// The place of a message that stands in a log.
fn place(message: &message::Message) -> ReceiptOut {
    ReceiptOut {
        conversation: message.conversation.to_string(),
        seq: message.seq,
        message: message.id,
        time: message.time_ms,
        inbox: None,
    }
}

impl<'a> MessageOut<'a> {
    pub(crate) fn of(message: &'a message::Message) -> Self {
        Self {
            receipt: place(message),
            from: message.from.as_ref().map(UserOut::of),
            kind: message.kind.as_str(),
            body: Cow::Borrowed(&message.body),
            extra: message.extra.as_deref().map(Cow::Borrowed),
            client_id: message.client_id.as_deref().map(Cow::Borrowed),
            recalled: message.recalled,
        }
    }
}

impl From<message::Message> for MessageOut<'static> {
    fn from(message: message::Message) -> Self {
        Self {
            receipt: place(&message),
            from: message.from.map(UserOut::from),
            kind: message.kind.as_str(),
            body: Cow::Owned(message.body),
            extra: message.extra.map(Cow::Owned),
            client_id: message.client_id.map(Cow::Owned),
            recalled: message.recalled,
        }
    }
}

/// A group, as one user sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Group")]
pub(crate) struct GroupOut {
    id: u64,
    name: String,
    /// How many members it has.
    members: usize,
    /// Whether the user is one of them.
    joined: bool,
    /// Their role, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Word<Role>>,
    /// The id of the owner.
    owner: u64,
    /// How one becomes a member.
    joining: Word<Joining>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    picture: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    introduction: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    announcement: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    extra: String,
    /// Nobody but the owner and the administrators may speak.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    muted: bool,
    /// It is no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    dismissed: bool,
    /// It stands in no inbox, and is synced by its own seq.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    channel: bool,
    /// When it was made, in milliseconds since 1970.
    created: u64,
}

impl From<GroupView> for GroupOut {
    fn from(group: GroupView) -> Self {
        Self {
            id: group.id.0,
            name: group.name,
            members: group.members,
            joined: group.role.is_some(),
            role: group.role.map(Word::from),
            owner: group.owner.0,
            joining: group.joining.into(),
            picture: group.picture,
            introduction: group.introduction,
            announcement: group.announcement,
            extra: group.extra,
            muted: group.muted,
            dismissed: group.dismissed,
            channel: group.channel,
            created: group.created_ms,
        }
    }
}

/// An entry of the inbox: a message or a notice.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "InboxEntry")]
pub(crate) struct EntryOut {
    /// Its number there, from 1 without gaps.
    inbox: u64,
    /// When, in milliseconds since 1970.
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageOut<'static>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<Notice>,
}

impl From<Entry> for EntryOut {
    fn from(entry: Entry) -> Self {
        let (message, notice) = match entry.content {
            Content::Message(message) => (Some(message.into()), None),
            Content::Notice(notice) => (None, Some(notice)),
        };
        Self {
            inbox: entry.seq,
            time: entry.time_ms,
            message,
            notice,
        }
    }
}

/// How far a conversation has come that stands in no inbox.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Channel")]
pub(crate) struct ChannelOut {
    conversation: String,
    last_seq: u64,
    read_seq: u64,
    /// The number of its last change, for `conversation.changes`.
    last_change: u64,
}

/// Part of the inbox.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "InboxPage")]
pub(crate) struct SyncOut {
    /// What comes after the number that was asked for.
    entries: Vec<EntryOut>,
    /// The last number that there is; a client that has it is complete.
    last: u64,
    /// The client drops what it has, loads its lists anew, and goes on from `last`.
    reset: bool,
    /// On the last page: the conversations that stand in no inbox.
    channels: Vec<ChannelOut>,
}

impl From<SyncPage> for SyncOut {
    fn from(page: SyncPage) -> Self {
        let channels = page.channels.into_iter().map(|channel| ChannelOut {
            conversation: channel.conversation.to_string(),
            last_seq: channel.last_seq,
            read_seq: channel.read_seq,
            last_change: channel.last_change,
        });
        Self {
            entries: page.entries.into_iter().map(EntryOut::from).collect(),
            last: page.last,
            reset: page.reset,
            channels: channels.collect(),
        }
    }
}
