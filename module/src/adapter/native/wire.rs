//! Requests, replies and pushes as they stand in JSON.

use std::borrow::Cow;

use common::{ErrorCode, GroupId, UserId};
use gate::{Message, Overflow};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::account::User;
use crate::event::Event;
use crate::group::{GroupPage, MemberPage};
use crate::im::{Im, ImError, PAGE_MAX, Page};
use crate::inbox::{Content, Entry, Notice, SyncPage};
use crate::message::{
    self, Conversation, ConversationPage, ConversationView, Direction, Draft, HistoryPage, Kind,
    Receipt, To,
};
use crate::presence::{Platform, WATCHED_MAX, Watch};

/// Entries of a page if the client does not say how many.
const PAGE_DEFAULT: usize = 100;
/// Keys of messages that stand for a user's presence; those of topics are below.
const PRESENCE_KEYS: u64 = 1 << 63;

/// An event as a push, if the protocol has a word for it. Text and binary framings carry the same
/// bytes, so one message serves both.
pub(crate) fn encode_push(event: &Event, inbox: Option<u64>) -> Option<Message> {
    let payload = match event {
        Event::Message(message) => push("message", inbox, &MessageOut::of(message)),
        Event::Presence { user, online } => push(
            "presence",
            inbox,
            &PresenceOut {
                user: UserOut::of(user),
                online: *online,
            },
        ),
        Event::Notice(Notice::GroupJoined { group, user, .. }) => {
            push("group.joined", inbox, &GroupUserOut::of(*group, user))
        }
        Event::Notice(Notice::GroupLeft { group, user, .. }) => {
            push("group.left", inbox, &GroupUserOut::of(*group, user))
        }
        Event::Notice(Notice::Read {
            conversation,
            seq,
            user,
        }) => push(
            "message.read",
            inbox,
            &ReadOut {
                conversation: conversation.to_string(),
                seq: *seq,
                user: user.0,
            },
        ),
        // Others keep their place in the inbox, where `inbox.sync` finds them.
        Event::Notice(notice) => push("notice", inbox, notice),
        Event::Kicked => push(
            "kicked",
            inbox,
            &KickedOut {
                reason: "logged_in_elsewhere",
            },
        ),
    };
    let message = Message::text(payload);
    Some(match event {
        // Of a slow client's waiting notices about one user only the last is of use.
        Event::Presence { user, .. } => message
            .overflow(Overflow::Latest)
            .key(PRESENCE_KEYS | user.id.0),
        _ => message,
    })
}

fn push(name: &'static str, inbox: Option<u64>, data: &impl Serialize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Push<'a, T> {
        push: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        inbox: Option<u64>,
        data: &'a T,
    }
    json(&Push {
        push: name,
        inbox,
        data,
    })
}

pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("our own types have string keys and finite numbers")
}

/// The `ok` of a reply.
pub(super) fn ok(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value)
        .expect("our own types have string keys and finite numbers")
}

/// The `data` of a request; where it is left out, as if it were empty.
pub(super) fn parse<'a, T: Deserialize<'a>>(data: Option<&'a RawValue>) -> Result<T, ImError> {
    serde_json::from_str(data.map_or("{}", RawValue::get))
        .map_err(|error| ImError::new(ErrorCode::BadRequest, format!("data: {error}")))
}

// What comes in.

#[derive(Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) op: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct LoginIn<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) platform: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct PageIn {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    limit: Option<usize>,
}

impl PageIn {
    pub(super) fn checked(self) -> Result<(u64, usize), ImError> {
        Ok((self.after, checked_limit(self.limit)?))
    }
}

#[derive(Deserialize)]
pub(super) struct SubscribeIn {
    #[serde(default)]
    all: bool,
    #[serde(default)]
    users: Option<Vec<u64>>,
}

impl SubscribeIn {
    pub(super) fn checked(self) -> Result<Watch, ImError> {
        match self.users {
            Some(_) if self.all => Err(ImError::new(
                ErrorCode::InvalidValue,
                "users and all exclude each other",
            )),
            Some(users) if users.len() > WATCHED_MAX => Err(ImError::new(
                ErrorCode::LimitReached,
                format!("a session hears of at most {WATCHED_MAX} users beside friends"),
            )),
            Some(mut users) => {
                users.sort_unstable();
                users.dedup();
                Ok(Watch::Users(users.into_iter().map(UserId).collect()))
            }
            None if self.all => Ok(Watch::Everyone),
            None => Ok(Watch::Friends),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct UnsubscribeIn {
    #[serde(default)]
    users: Option<Vec<u64>>,
}

impl UnsubscribeIn {
    pub(super) fn checked(self) -> Option<Vec<UserId>> {
        self.users
            .map(|users| users.into_iter().map(UserId).collect())
    }
}

#[derive(Deserialize)]
pub(super) struct NameIn<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct GroupIn {
    pub(super) group: u64,
}

#[derive(Deserialize)]
pub(super) struct GroupsIn {
    #[serde(default)]
    pub(super) joined: bool,
}

#[derive(Deserialize)]
pub(super) struct SendIn {
    to: ToIn,
    body: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
}

#[derive(Deserialize)]
struct ToIn {
    #[serde(default)]
    user: Option<u64>,
    #[serde(default)]
    group: Option<u64>,
    #[serde(default)]
    all: Option<bool>,
}

impl SendIn {
    pub(super) fn checked(self) -> Result<(To, Draft), ImError> {
        let recipient = match self.to {
            ToIn {
                user: Some(user),
                group: None,
                all: None,
            } => To::User(UserId(user)),
            ToIn {
                user: None,
                group: Some(group),
                all: None,
            } => To::Group(GroupId(group)),
            ToIn {
                user: None,
                group: None,
                all: Some(true),
            } => To::All,
            _ => {
                return Err(ImError::new(
                    ErrorCode::BadRequest,
                    "to is one of {\"user\":id}, {\"group\":id}, {\"all\":true}",
                ));
            }
        };
        let kind = match self.kind.as_deref() {
            None => Kind::default(),
            Some(name) => Kind::named(name).ok_or_else(|| {
                ImError::new(ErrorCode::InvalidValue, "there is no such kind of message")
            })?,
        };
        Ok((
            recipient,
            Draft {
                kind,
                body: self.body,
                client_id: self.client_id,
            },
        ))
    }
}

#[derive(Deserialize)]
pub(super) struct ConversationsIn {
    #[serde(default)]
    pub(super) offset: usize,
    #[serde(default)]
    limit: Option<usize>,
}

impl ConversationsIn {
    pub(super) fn checked(self) -> Result<(usize, usize), ImError> {
        Ok((self.offset, checked_limit(self.limit)?))
    }
}

#[derive(Deserialize)]
pub(super) struct HistoryIn {
    conversation: Conversation,
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    limit: Option<usize>,
}

impl HistoryIn {
    pub(super) fn checked(self) -> Result<(Conversation, Direction, usize), ImError> {
        let direction = match (self.before, self.after) {
            (before, None) => Direction::Before(before),
            (None, Some(after)) => Direction::After(after),
            (Some(_), Some(_)) => {
                return Err(ImError::new(
                    ErrorCode::BadRequest,
                    "a page of history is before a message or after one",
                ));
            }
        };
        Ok((self.conversation, direction, checked_limit(self.limit)?))
    }
}

#[derive(Deserialize)]
pub(super) struct ReadIn {
    pub(super) conversation: Conversation,
    pub(super) seq: u64,
}

fn checked_limit(limit: Option<usize>) -> Result<usize, ImError> {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if (1..=PAGE_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(ImError::new(ErrorCode::InvalidValue, "limit is 1 to 500"))
    }
}

// What goes out.

#[derive(Serialize)]
pub(super) struct Nothing {}

#[derive(Serialize)]
pub(super) struct TimeOut {
    pub(super) time: u64,
}

#[derive(Serialize)]
pub(super) struct UserOut<'a> {
    id: u64,
    name: &'a str,
}

impl<'a> UserOut<'a> {
    pub(super) fn of(user: &'a User) -> Self {
        Self {
            id: user.id.0,
            name: &user.name,
        }
    }
}

#[derive(Serialize)]
pub(super) struct LoginOut<'a> {
    pub(super) user: UserOut<'a>,
    pub(super) platform: &'static str,
    pub(super) heartbeat_s: u32,
    pub(super) server: &'a str,
    pub(super) instance: &'a str,
    pub(super) inbox: u64,
}

#[derive(Serialize)]
pub(super) struct ReceiptOut {
    conversation: String,
    seq: u64,
    message: u64,
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox: Option<u64>,
}

impl ReceiptOut {
    pub(super) fn of(receipt: &Receipt) -> Self {
        Self {
            conversation: receipt.conversation.to_string(),
            seq: receipt.seq,
            message: receipt.message,
            time: receipt.time_ms,
            inbox: receipt.inbox,
        }
    }
}

#[derive(Serialize)]
struct MessageOut<'a> {
    #[serde(flatten)]
    receipt: ReceiptOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<UserOut<'a>>,
    kind: &'static str,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    recalled: bool,
}

impl<'a> MessageOut<'a> {
    fn of(message: &'a message::Message) -> Self {
        Self {
            receipt: ReceiptOut {
                conversation: message.conversation.to_string(),
                seq: message.seq,
                message: message.id,
                time: message.time_ms,
                inbox: None,
            },
            from: message.from.as_ref().map(UserOut::of),
            kind: message.kind.as_str(),
            body: &message.body,
            client_id: message.client_id.as_deref(),
            recalled: message.recalled,
        }
    }
}

#[derive(Serialize)]
struct OnlineOut<'a> {
    #[serde(flatten)]
    user: UserOut<'a>,
    platforms: Vec<&'static str>,
}

#[derive(Serialize)]
pub(super) struct UsersOut<'a> {
    users: Vec<OnlineOut<'a>>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl<'a> UsersOut<'a> {
    pub(super) fn of(page: &'a Page<(User, Vec<Platform>)>) -> Self {
        let users = page
            .entries
            .iter()
            .map(|(user, platforms)| OnlineOut {
                user: UserOut::of(user),
                platforms: platforms.iter().map(|platform| platform.as_str()).collect(),
            })
            .collect();
        Self {
            users,
            total: page.total,
            next: page.next,
        }
    }
}

#[derive(Serialize)]
struct MemberOut<'a> {
    #[serde(flatten)]
    user: UserOut<'a>,
    online: bool,
}

#[derive(Serialize)]
pub(super) struct MembersOut<'a> {
    members: Vec<MemberOut<'a>>,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl<'a> MembersOut<'a> {
    pub(super) fn of(page: &'a MemberPage, im: &Im) -> Self {
        let members = page.members.iter().map(|member| MemberOut {
            user: UserOut::of(&member.user),
            online: im.is_online(member.user.id),
        });
        let last = page.members.last().filter(|_| page.more);
        Self {
            members: members.collect(),
            total: page.total,
            next: last.map(|member| member.user.id.0),
        }
    }
}

#[derive(Serialize)]
pub(super) struct GroupOut<'a> {
    id: u64,
    name: &'a str,
    members: usize,
    joined: bool,
}

impl<'a> GroupOut<'a> {
    pub(super) const fn of(id: GroupId, name: &'a str, members: usize, joined: bool) -> Self {
        Self {
            id: id.0,
            name,
            members,
            joined,
        }
    }
}

#[derive(Serialize)]
pub(super) struct GroupReply<'a> {
    pub(super) group: GroupOut<'a>,
}

#[derive(Serialize)]
pub(super) struct GroupsOut<'a> {
    groups: Vec<GroupOut<'a>>,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl<'a> GroupsOut<'a> {
    pub(super) fn of(page: &'a GroupPage) -> Self {
        let groups = page.groups.iter().map(|group| {
            let joined = group.role.is_some();
            GroupOut::of(group.id, &group.name, group.members, joined)
        });
        let last = page.groups.last().filter(|_| page.more);
        Self {
            groups: groups.collect(),
            total: page.total,
            next: last.map(|group| group.id.0),
        }
    }
}

#[derive(Serialize)]
struct PresenceOut<'a> {
    user: UserOut<'a>,
    online: bool,
}

#[derive(Serialize)]
struct GroupUserOut<'a> {
    group: u64,
    user: UserOut<'a>,
}

impl<'a> GroupUserOut<'a> {
    fn of(group: GroupId, user: &'a User) -> Self {
        Self {
            group: group.0,
            user: UserOut::of(user),
        }
    }
}

#[derive(Serialize)]
struct KickedOut {
    reason: &'static str,
}

#[derive(Serialize)]
struct ReadOut {
    conversation: String,
    seq: u64,
    user: u64,
}

#[derive(Serialize)]
pub(super) struct SeqOut {
    pub(super) seq: u64,
}

#[derive(Serialize)]
pub(super) struct HistoryOut<'a> {
    messages: Vec<MessageOut<'a>>,
    more: bool,
    last_seq: u64,
    read_seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_read_seq: Option<u64>,
}

impl<'a> HistoryOut<'a> {
    pub(super) fn of(page: &'a HistoryPage) -> Self {
        Self {
            messages: page.messages.iter().map(MessageOut::of).collect(),
            more: page.more,
            last_seq: page.last_seq,
            read_seq: page.read_seq,
            peer_read_seq: page.peer_read_seq,
        }
    }
}

#[derive(Serialize)]
struct ConversationOut<'a> {
    conversation: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<MessageOut<'a>>,
    last_seq: u64,
    read_seq: u64,
    unread: u64,
}

impl<'a> ConversationOut<'a> {
    fn of(view: &'a ConversationView) -> Self {
        Self {
            conversation: view.conversation.to_string(),
            title: &view.title,
            last: view.last.as_ref().map(MessageOut::of),
            last_seq: view.last_seq,
            read_seq: view.read_seq,
            unread: view.unread,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ConversationsOut<'a> {
    conversations: Vec<ConversationOut<'a>>,
    total: u64,
    unread: u64,
}

impl<'a> ConversationsOut<'a> {
    pub(super) fn of(page: &'a ConversationPage) -> Self {
        Self {
            conversations: page.conversations.iter().map(ConversationOut::of).collect(),
            total: page.total,
            unread: page.unread,
        }
    }
}

#[derive(Serialize)]
struct EntryOut<'a> {
    inbox: u64,
    time: u64,
    #[serde(flatten)]
    content: ContentOut<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum ContentOut<'a> {
    Message(MessageOut<'a>),
    Notice(&'a Notice),
}

impl<'a> EntryOut<'a> {
    fn of(entry: &'a Entry) -> Self {
        Self {
            inbox: entry.seq,
            time: entry.time_ms,
            content: match &entry.content {
                Content::Message(message) => ContentOut::Message(MessageOut::of(message)),
                Content::Notice(notice) => ContentOut::Notice(notice),
            },
        }
    }
}

#[derive(Serialize)]
struct ChannelOut {
    conversation: String,
    last_seq: u64,
    read_seq: u64,
}

#[derive(Serialize)]
pub(super) struct SyncOut<'a> {
    entries: Vec<EntryOut<'a>>,
    last: u64,
    reset: bool,
    channels: Vec<ChannelOut>,
}

impl<'a> SyncOut<'a> {
    pub(super) fn of(page: &'a SyncPage) -> Self {
        let channels = page.channels.iter().map(|channel| ChannelOut {
            conversation: channel.conversation.to_string(),
            last_seq: channel.last_seq,
            read_seq: channel.read_seq,
        });
        Self {
            entries: page.entries.iter().map(EntryOut::of).collect(),
            last: page.last,
            reset: page.reset,
            channels: channels.collect(),
        }
    }
}
