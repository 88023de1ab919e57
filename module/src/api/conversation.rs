//! Conversations as lists show them, and the inbox.

use std::sync::Arc;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::{Limit, Number, PageIn};
use super::output::{Done, MessageOut, SyncOut};
use crate::im::Im;
use crate::inbox::Sync;
use crate::message::{
    Clear, Conversation, ConversationPage, ConversationView, Conversations, SetConversation,
};

/// The user's conversations.
pub(super) struct List;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "ConversationsQuery")]
pub(super) struct ListIn {
    /// How many to leave out, counted from the first.
    #[serde(default)]
    offset: Number,
    /// Most conversations; 100 if it is left out. Fewer come where they are 1 MiB.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// A conversation as its user sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Conversation")]
struct ConversationOut {
    conversation: String,
    /// The friend's remark or the other one's name, or the name of the group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    title: String,
    /// The address of its picture.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    picture: String,
    /// The last message that the user may see and has not deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<MessageOut<'static>>,
    last_seq: u64,
    /// Up to where the user has read.
    read_seq: u64,
    /// How many messages are above that.
    unread: u64,
    /// The last message that calls the user, if it is unread.
    #[serde(skip_serializing_if = "Option::is_none")]
    mention_seq: Option<u64>,
    /// Stands before all others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pinned: bool,
    /// 0: told as usual; other values are the client's way of not disturbing.
    #[serde(default, skip_serializing_if = "is_zero")]
    muted: u8,
    /// What the user has begun to write.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    draft: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    extra: String,
    /// The user has left the group.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    left: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &u8) -> bool {
    *value == 0
}

impl From<ConversationView> for ConversationOut {
    fn from(view: ConversationView) -> Self {
        Self {
            conversation: view.conversation.to_string(),
            title: view.title,
            picture: view.picture,
            last: view.last.map(MessageOut::from),
            last_seq: view.last_seq,
            read_seq: view.read_seq,
            unread: view.unread,
            mention_seq: view.mention_seq,
            pinned: view.pinned,
            muted: view.muted,
            draft: view.draft,
            extra: view.extra,
            left: view.left,
        }
    }
}

/// Conversations: pinned ones first, then those with the latest message.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Conversations")]
pub(super) struct ListOut {
    conversations: Vec<ConversationOut>,
    /// How many there are in all.
    total: u64,
    /// Unread messages in all that are not muted.
    unread: u64,
}

impl From<ConversationPage> for ListOut {
    fn from(page: ConversationPage) -> Self {
        let conversations = page.conversations.into_iter();
        Self {
            conversations: conversations.map(ConversationOut::from).collect(),
            total: page.total,
            unread: page.unread,
        }
    }
}

impl Call for List {
    const OP: &'static str = "conversation.list";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/conversations";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str =
        "The user's conversations, with the last message and what is unread";
    type In = ListIn;
    type Out = ListOut;

    fn perform(input: ListIn, caller: &Caller, im: &Arc<Im>, answer: Answer<ListOut>) {
        let list = Conversations {
            user: caller.user,
            offset: usize::try_from(input.offset.0).unwrap_or(usize::MAX),
            limit: input.limit.get(),
        };
        im.store().look_up(list, answer.with(ListOut::from));
    }
}

/// Changes how a conversation is listed.
pub(super) struct Set;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "ConversationChange")]
pub(super) struct SetIn {
    conversation: Conversation,
    /// Stands before all others.
    #[serde(default)]
    pinned: Option<bool>,
    /// 0: told as usual; other values are the client's way of not disturbing.
    #[serde(default)]
    muted: Option<u8>,
    /// What the user has begun to write.
    #[serde(default)]
    #[garde(length(bytes, max = 16_384))]
    #[schemars(length(max = 16_384))]
    draft: Option<String>,
    /// Whatever the application makes of it.
    #[serde(default)]
    #[garde(length(bytes, max = 4_096))]
    #[schemars(length(max = 4_096))]
    extra: Option<String>,
}

impl Call for Set {
    const OP: &'static str = "conversation.set";
    const VERB: Verb = Verb::Patch;
    const PATH: &'static str = "/conversations/{conversation}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str =
        "Pin or mute a conversation, or keep a draft; what is left out stays";
    type In = SetIn;
    type Out = Done;

    fn perform(input: SetIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let set = SetConversation {
            user: caller.user,
            conversation: input.conversation,
            pinned: input.pinned,
            muted: input.muted,
            draft: input.draft,
            extra: input.extra,
            origin: caller.origin,
        };
        im.store().change(set, answer.with(Done::from));
    }
}

/// Deletes what was said, for the user alone.
pub(super) struct Empty;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "ConversationClear")]
pub(super) struct EmptyIn {
    conversation: Conversation,
    /// It leaves the list too, until there is a new message.
    #[serde(default)]
    unlist: bool,
}

impl Call for Empty {
    const OP: &'static str = "conversation.clear";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/conversations/{conversation}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Delete all messages of a conversation for oneself";
    type In = EmptyIn;
    type Out = Done;

    fn perform(input: EmptyIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let clear = Clear {
            user: caller.user,
            conversation: input.conversation,
            unlist: input.unlist,
            origin: caller.origin,
        };
        im.store().change(clear, answer.with(Done::from));
    }
}

/// What has come to the inbox.
pub(super) struct SyncInbox;

impl Call for SyncInbox {
    const OP: &'static str = "inbox.sync";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/inbox";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "What has come to the inbox after a number";
    type In = PageIn;
    type Out = SyncOut;

    fn perform(input: PageIn, caller: &Caller, im: &Arc<Im>, answer: Answer<SyncOut>) {
        let sync = Sync {
            user: caller.user,
            after: input.after.0,
            limit: input.limit.get(),
        };
        im.store().look_up(sync, answer.with(SyncOut::from));
    }
}
