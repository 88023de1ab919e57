//! Requests as they stand in JSON.

use std::sync::Arc;

use common::{GroupId, UserId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::kind::EventKind;
use crate::account::User;
use crate::inbox::Notice;
use crate::message::{Conversation, Message};
use crate::presence::Platform;

/// What every request is.
#[derive(Serialize)]
pub(super) struct Envelope<'a, T> {
    pub(super) id: &'a str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) time: u64,
    pub(super) attempt: u32,
    pub(super) data: T,
}

impl<T: Serialize> Envelope<'_, T> {
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("the data of events have string keys")
    }
}

/// Something to be told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) kind: EventKind,
    pub(super) time_ms: u64,
    pub(super) about: About,
}

/// What it is about.
#[derive(Debug)]
pub(super) enum About {
    Message(Arc<Message>),
    /// These users are not online.
    Offline(Arc<Message>, Vec<UserId>),
    /// Members of this channel who are not online, to be looked up when it is told.
    OfflineInChannel(Arc<Message>, GroupId),
    Session {
        user: User,
        platform: Platform,
        /// The first of the user's sessions, or the last one.
        only: bool,
    },
    /// In the inbox of this user, if of one alone.
    Notice(Notice, Option<UserId>),
}

#[derive(Serialize)]
pub(super) struct MessageOut<'a> {
    conversation: Conversation,
    seq: u64,
    message: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a User>,
    kind: &'static str,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    time: u64,
}

impl<'a> MessageOut<'a> {
    pub(super) fn of(message: &'a Message) -> Self {
        Self {
            conversation: message.conversation,
            seq: message.seq,
            message: message.id,
            from: message.from.as_ref(),
            kind: message.kind.as_str(),
            body: &message.body,
            extra: message.extra.as_deref(),
            client_id: message.client_id.as_deref(),
            time: message.time_ms,
        }
    }
}

#[derive(Serialize)]
pub(super) struct OfflineOut<'a> {
    pub(super) message: MessageOut<'a>,
    pub(super) users: Vec<u64>,
}

#[derive(Serialize)]
pub(super) struct SessionOut<'a> {
    pub(super) user: &'a User,
    pub(super) platform: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<bool>,
}

#[derive(Serialize)]
pub(super) struct NoticeOut<'a> {
    #[serde(flatten)]
    pub(super) notice: &'a Notice,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<u64>,
}

/// What is asked about a message.
#[derive(Serialize)]
pub(super) struct DraftOut<'a> {
    pub(super) sender: u64,
    pub(super) conversation: Conversation,
    pub(super) kind: &'static str,
    pub(super) body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_id: Option<&'a str>,
}

/// What is asked about an account.
#[derive(Serialize)]
pub(super) struct AccountOut<'a> {
    pub(super) name: &'a str,
    pub(super) nickname: &'a str,
}

/// The data of a request that are JSON already.
pub(super) fn raw(data: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(data).expect("the data of events have string keys")
}

/// The event that a notice is told as, if it is told.
pub(super) const fn kind_of(notice: &Notice) -> Option<EventKind> {
    Some(match notice {
        Notice::Recalled { .. } => EventKind::MessageRecalled,
        Notice::FriendRequested { .. } => EventKind::FriendRequested,
        Notice::FriendAnswered { .. } => EventKind::FriendAnswered,
        Notice::FriendRemoved { .. } => EventKind::FriendRemoved,
        Notice::GroupJoined { .. } => EventKind::GroupJoined,
        Notice::GroupLeft { .. } => EventKind::GroupLeft,
        Notice::GroupChanged { .. } => EventKind::GroupChanged,
        Notice::MemberChanged { .. } => EventKind::GroupMemberChanged,
        Notice::GroupDismissed { .. } => EventKind::GroupDismissed,
        Notice::Applied { .. } => EventKind::GroupApplied,
        Notice::ApplicationAnswered { .. } => EventKind::GroupAnswered,
        // What users do for themselves alone.
        _ => return None,
    })
}

/// The conversation whose events keep the order of this one.
pub(super) fn conversation_of(notice: &Notice) -> Conversation {
    match notice {
        Notice::Recalled { conversation, .. } => *conversation,
        Notice::GroupJoined { group, .. }
        | Notice::GroupLeft { group, .. }
        | Notice::GroupChanged { group, .. }
        | Notice::MemberChanged { group, .. }
        | Notice::GroupDismissed { group, .. }
        | Notice::Applied { group, .. }
        | Notice::ApplicationAnswered { group, .. } => Conversation::Group(*group),
        Notice::FriendRequested { from, to, .. } | Notice::FriendAnswered { from, to, .. } => {
            Conversation::between(from.id, to.id)
        }
        _ => Conversation::All,
    }
}
