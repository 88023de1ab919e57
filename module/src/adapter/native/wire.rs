//! Requests, replies and pushes as they stand in JSON.

use std::borrow::Cow;

use common::{ErrorCode, GroupId, UserId};
use gate::{Message, Overflow};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::account::User;
use crate::api::input::{Number, Object};
use crate::api::output::{MessageOut, UserOut};
use crate::event::{Event, Kept};
use crate::im::ImError;
use crate::inbox::Notice;
use crate::presence::{WATCHED_MAX, Watch};

/// Keys of messages that stand for a user's presence; those of topics are below.
const PRESENCE_KEYS: u64 = 1 << 63;
/// Keys of messages that stand for what a user is just doing.
const SIGNAL_KEYS: u64 = 1 << 62;

/// An event as a push, if the protocol has a word for it. Text and binary framings carry the same
/// bytes, so one message serves both.
pub(crate) fn encode_push(event: &Event, kept: Option<Kept>) -> Option<Message> {
    let payload = match event {
        Event::Message(message) => push("message", kept, &MessageOut::of(message)),
        Event::Presence { user, online } => push(
            "presence",
            kept,
            &PresenceOut {
                user: UserOut::of(user),
                online: *online,
            },
        ),
        Event::Notice(Notice::GroupJoined { group, user, by }) => push(
            "group.joined",
            kept,
            &GroupUserOut::of(*group, user, by.as_ref()),
        ),
        Event::Notice(Notice::GroupLeft { group, user, by }) => push(
            "group.left",
            kept,
            &GroupUserOut::of(*group, user, by.as_ref()),
        ),
        Event::Notice(Notice::Read {
            conversation,
            seq,
            user,
        }) => push(
            "message.read",
            kept,
            &ReadOut {
                conversation: conversation.to_string(),
                seq: *seq,
                user: user.0,
            },
        ),
        Event::Signal {
            conversation,
            from,
            body,
        } => push(
            "signal",
            kept,
            &SignalOut {
                conversation: conversation.to_string(),
                from: UserOut::of(from),
                body,
            },
        ),
        // Others keep their number, under which they are found again.
        Event::Notice(notice) => push("notice", kept, notice),
        Event::Kicked(why) => push(
            "kicked",
            kept,
            &KickedOut {
                reason: why.as_str(),
            },
        ),
    };
    let message = Message::text(payload);
    Some(match event {
        // Of a slow client's waiting notices about one user only the last is of use.
        Event::Presence { user, .. } => message
            .overflow(Overflow::Latest)
            .key(PRESENCE_KEYS | user.id.0),
        Event::Signal { from, .. } => message
            .overflow(Overflow::Latest)
            .key(SIGNAL_KEYS | from.id.0),
        _ => message,
    })
}

fn push(name: &'static str, kept: Option<Kept>, data: &impl Serialize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Push<'a, T> {
        push: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        inbox: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        change: Option<u64>,
        data: &'a T,
    }
    let (inbox, change) = match kept {
        None => (None, None),
        Some(Kept::Inbox(number)) => (Some(number), None),
        Some(Kept::Changes(number)) => (None, Some(number)),
    };
    json(&Push {
        push: name,
        inbox,
        change,
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
        .map(|Object(data)| data)
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
    /// A guest's.
    #[serde(borrow, default)]
    pub(super) name: Option<Cow<'a, str>>,
    /// That of an account's session, or of the operator's backend.
    #[serde(borrow, default)]
    pub(super) token: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) platform: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct SubscribeIn {
    #[serde(default)]
    all: bool,
    #[serde(default)]
    users: Option<Vec<Number>>,
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
                Ok(Watch::Users(users.into_iter().map(Number::user).collect()))
            }
            None if self.all => Ok(Watch::Everyone),
            None => Ok(Watch::Friends),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct UnsubscribeIn {
    #[serde(default)]
    users: Option<Vec<Number>>,
}

impl UnsubscribeIn {
    pub(super) fn checked(self) -> Option<Vec<UserId>> {
        self.users
            .map(|users| users.into_iter().map(Number::user).collect())
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
pub(super) struct LoginOut<'a> {
    pub(super) user: UserOut<'a>,
    pub(super) platform: &'static str,
    pub(super) heartbeat_s: u32,
    pub(super) server: &'a str,
    pub(super) instance: &'a str,
    pub(super) inbox: u64,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<UserOut<'a>>,
}

impl<'a> GroupUserOut<'a> {
    fn of(group: GroupId, user: &'a User, by: Option<&'a User>) -> Self {
        Self {
            group: group.0,
            user: UserOut::of(user),
            by: by.map(UserOut::of),
        }
    }
}

#[derive(Serialize)]
struct SignalOut<'a> {
    conversation: String,
    from: UserOut<'a>,
    body: &'a str,
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
