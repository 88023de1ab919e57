//! What changes in conversations that stand in no inbox.

use std::sync::Arc;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::{Limit, Number};
use crate::im::Im;
use crate::inbox::{Change, ChangePage, Changes, Notice};
use crate::message::Conversation;

/// What has changed in a channel.
pub(super) struct List;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "ChangesQuery")]
pub(super) struct ListIn {
    conversation: Conversation,
    /// The number of the last change that the client has.
    #[serde(default)]
    after: Number,
    /// Most changes; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// Something besides messages that has happened in a conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Change")]
struct ChangeOut {
    /// Its number there, from 1 without gaps.
    change: u64,
    /// When, in milliseconds since 1970.
    time: u64,
    notice: Notice,
}

impl From<Change> for ChangeOut {
    fn from(change: Change) -> Self {
        Self {
            change: change.number,
            time: change.time_ms,
            notice: change.notice,
        }
    }
}

/// Changes by ascending number.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Changes")]
pub(super) struct ListOut {
    /// What comes after the number that was asked for; in a group, since the user has joined it.
    changes: Vec<ChangeOut>,
    /// The number of the last change; a client that has it is complete.
    last: u64,
    /// The client drops what it has of the conversation, loads it anew, and goes on from `last`.
    reset: bool,
}

impl From<ChangePage> for ListOut {
    fn from(page: ChangePage) -> Self {
        Self {
            changes: page.changes.into_iter().map(ChangeOut::from).collect(),
            last: page.last,
            reset: page.reset,
        }
    }
}

impl Call for List {
    const OP: &'static str = "conversation.changes";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/conversations/{conversation}/changes";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "What has changed after a number in a conversation that stands \
        in no inbox: messages recalled, members, the group";
    type In = ListIn;
    type Out = ListOut;

    fn perform(input: ListIn, caller: &Caller, im: &Arc<Im>, answer: Answer<ListOut>) {
        let changes = Changes {
            user: caller.user,
            conversation: input.conversation,
            after: input.after.0,
            limit: input.limit.get(),
        };
        im.store().look_up(changes, answer.with(ListOut::from));
    }
}
