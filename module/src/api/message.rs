//! Messages: sending, reading, taking back, finding.

use std::sync::Arc;

use common::ErrorCode;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::{Limit, Number, object};
use super::output::{Done, MessageOut, ReceiptOut};
use super::word::Word;
use crate::im::{Im, ImError};
use crate::message::{
    CLIENT_ID_BYTES_MAX, Conversation, Delete, Direction, Draft, History, HistoryPage, Kind,
    MarkRead, Message, PAGE_BYTES, Readers, ReadersPage, Recall, SIGNAL_BYTES_MAX, SearchMessages,
    Signal, To,
};

/// Sends a message.
pub(super) struct Send;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "SendMessage")]
pub(super) struct SendIn {
    #[serde(deserialize_with = "object")]
    to: ToIn,
    /// What is said: 1 to 16,384 bytes.
    #[schemars(length(min = 1, max = 16_384))]
    body: String,
    /// What the body is; `text` if it is left out.
    #[serde(default)]
    #[garde(dive)]
    kind: Word<Kind>,
    /// The sender's own name for the message, up to 64 bytes: sent again with the same, it is
    /// answered as the first time and not sent again.
    #[serde(default)]
    #[garde(length(bytes, max = CLIENT_ID_BYTES_MAX))]
    #[schemars(length(max = 64))]
    client_id: Option<String>,
    /// Whatever the application keeps beside the body.
    #[serde(default)]
    #[garde(length(bytes, max = 4_096))]
    #[schemars(length(max = 4_096))]
    extra: Option<String>,
    /// Members of the group whom the message calls.
    #[serde(default)]
    #[garde(length(max = 100))]
    mentions: Vec<Number>,
}

/// To whom: one of the three.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Recipient")]
struct ToIn {
    /// A user.
    #[serde(default)]
    user: Option<Number>,
    /// The members of a group.
    #[serde(default)]
    group: Option<Number>,
    /// Everyone.
    #[serde(default)]
    all: Option<bool>,
}

impl ToIn {
    fn recipient(&self) -> Option<To> {
        match (self.user, self.group, self.all) {
            (Some(user), None, None) => Some(To::User(user.user())),
            (None, Some(group), None) => Some(To::Group(group.group())),
            (None, None, Some(true)) => Some(To::All),
            _ => None,
        }
    }
}

impl Call for Send {
    const OP: &'static str = "message.send";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/messages";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Send a message; the answer comes when it is kept";
    type In = SendIn;
    type Out = ReceiptOut;

    fn perform(input: SendIn, caller: &Caller, im: &Arc<Im>, answer: Answer<ReceiptOut>) {
        let Some(to) = input.to.recipient() else {
            return answer.refuse(ImError::new(
                ErrorCode::BadRequest,
                "to is one of {\"user\":id}, {\"group\":id}, {\"all\":true}",
            ));
        };
        let draft = Draft {
            kind: input.kind.get(),
            body: input.body,
            extra: input.extra,
            client_id: input.client_id,
            mentions: input.mentions.into_iter().map(Number::user).collect(),
        };
        im.send(caller, to, draft, answer.with(ReceiptOut::from));
    }
}

/// Tells something that is true for a moment.
pub(super) struct Tell;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "Signal")]
pub(super) struct TellIn {
    /// A user or a group.
    #[serde(deserialize_with = "object")]
    to: ToIn,
    /// What, such as `typing`: 1 to 1,024 bytes.
    #[garde(length(bytes, min = 1, max = SIGNAL_BYTES_MAX))]
    #[schemars(length(min = 1, max = 1_024))]
    body: String,
}

impl Call for Tell {
    const OP: &'static str = "message.signal";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/signals";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Tell those in a conversation who are online something that is \
        true for a moment, such as that one is typing; nothing is kept";
    type In = TellIn;
    type Out = Done;

    fn perform(input: TellIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let Some(to @ (To::User(_) | To::Group(_))) = input.to.recipient() else {
            return answer.refuse(ImError::new(
                ErrorCode::BadRequest,
                "to is one of {\"user\":id}, {\"group\":id}",
            ));
        };
        let signal = Signal {
            sender: caller.user,
            to,
            body: input.body,
            origin: caller.origin,
        };
        im.store().change(signal, answer.with(Done::from));
    }
}

/// A page of history.
pub(super) struct ReadHistory;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "HistoryQuery")]
pub(super) struct HistoryIn {
    conversation: Conversation,
    /// The last messages before this seq; or of all.
    #[serde(default)]
    before: Option<Number>,
    /// The first messages after this seq.
    #[serde(default)]
    after: Option<Number>,
    /// Most messages; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// Messages by ascending seq.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "History")]
pub(super) struct HistoryOut {
    messages: Vec<MessageOut<'static>>,
    /// There are others in that direction.
    more: bool,
    /// The seq of the last message that the user may see.
    last_seq: u64,
    /// Up to where the user has read.
    read_seq: u64,
    /// Up to where the other one of a direct conversation has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_read_seq: Option<u64>,
}

impl From<HistoryPage> for HistoryOut {
    fn from(page: HistoryPage) -> Self {
        Self {
            messages: page.messages.into_iter().map(MessageOut::from).collect(),
            more: page.more,
            last_seq: page.last_seq,
            read_seq: page.read_seq,
            peer_read_seq: page.peer_read_seq,
        }
    }
}

impl Call for ReadHistory {
    const OP: &'static str = "message.history";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/conversations/{conversation}/messages";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Messages of a conversation, before one, after one, or the last";
    type In = HistoryIn;
    type Out = HistoryOut;

    fn perform(input: HistoryIn, caller: &Caller, im: &Arc<Im>, answer: Answer<HistoryOut>) {
        let direction = match (input.before, input.after) {
            (before, None) => Direction::Before(before.map(|before| before.0)),
            (None, Some(after)) => Direction::After(after.0),
            (Some(_), Some(_)) => {
                return answer.refuse(ImError::new(
                    ErrorCode::BadRequest,
                    "a page of history is before a message or after one",
                ));
            }
        };
        let history = History {
            user: caller.user,
            conversation: input.conversation,
            direction,
            limit: input.limit.get(),
        };
        im.store().look_up(history, answer.with(HistoryOut::from));
    }
}

/// Says up to where the user has read.
pub(super) struct Read;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "ReadMark")]
pub(super) struct ReadIn {
    conversation: Conversation,
    /// Up to this message.
    seq: Number,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReadUpTo")]
pub(super) struct SeqOut {
    /// Up to where they have read now.
    seq: u64,
}

impl Call for Read {
    const OP: &'static str = "message.read";
    const VERB: Verb = Verb::Put;
    const PATH: &'static str = "/conversations/{conversation}/read";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Say that a conversation is read up to a message";
    type In = ReadIn;
    type Out = SeqOut;

    fn perform(input: ReadIn, caller: &Caller, im: &Arc<Im>, answer: Answer<SeqOut>) {
        let read = MarkRead {
            user: caller.user,
            conversation: input.conversation,
            seq: input.seq.0,
            origin: caller.origin,
        };
        im.store().change(read, answer.with(|seq| SeqOut { seq }));
    }
}

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "MessagePlace")]
pub(super) struct PlaceIn {
    pub(super) conversation: Conversation,
    /// The message.
    pub(super) seq: Number,
}

/// Takes a message back.
pub(super) struct TakeBack;

impl Call for TakeBack {
    const OP: &'static str = "message.recall";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/conversations/{conversation}/messages/{seq}/recall";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Take a message back: one's own for some minutes, or in a group \
        that one runs; nobody sees its body any more";
    type In = PlaceIn;
    type Out = Done;

    fn perform(input: PlaceIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let recall = Recall {
            user: Some(caller.user),
            conversation: input.conversation,
            seq: input.seq.0,
            origin: caller.origin,
        };
        im.store().change(recall, answer.with(Done::from));
    }
}

/// Deletes messages for the user alone.
pub(super) struct DeleteForMe;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "DeleteMessages")]
pub(super) struct DeleteIn {
    conversation: Conversation,
    /// The messages.
    #[garde(length(min = 1, max = 100))]
    seqs: Vec<Number>,
}

impl Call for DeleteForMe {
    const OP: &'static str = "message.delete";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/conversations/{conversation}/messages/delete";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Delete messages for oneself, on all devices";
    type In = DeleteIn;
    type Out = Done;

    fn perform(input: DeleteIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let delete = Delete {
            user: caller.user,
            conversation: input.conversation,
            seqs: input.seqs.into_iter().map(|seq| seq.0).collect(),
            origin: caller.origin,
        };
        im.store().change(delete, answer.with(Done::from));
    }
}

/// Finds messages by their words.
pub(super) struct Search;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "MessageQuery")]
pub(super) struct SearchIn {
    /// Words, or their beginnings.
    #[garde(length(chars, min = 1, max = 100))]
    #[schemars(length(min = 1, max = 100))]
    query: String,
    /// Where, if not in all.
    #[serde(default)]
    conversation: Option<Conversation>,
    /// Only messages with a number below this: `next` of the page before.
    #[serde(default)]
    before: Option<Number>,
    /// Most messages; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// Messages, the latest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FoundMessages")]
pub(super) struct FoundOut {
    messages: Vec<MessageOut<'static>>,
    /// What to pass as `before` for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl Call for Search {
    const OP: &'static str = "message.search";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/messages/search";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Find messages in one's own conversations by their words";
    type In = SearchIn;
    type Out = FoundOut;

    fn perform(input: SearchIn, caller: &Caller, im: &Arc<Im>, answer: Answer<FoundOut>) {
        let limit = input.limit.get();
        let search = SearchMessages {
            user: caller.user,
            query: input.query,
            conversation: input.conversation,
            before: input.before.map(|before| before.0),
            limit,
        };
        im.store().look_up(
            search,
            answer.with(move |found: Vec<Message>| {
                let bytes: usize = found.iter().map(Message::page_bytes).sum();
                let full = found.len() >= limit || bytes >= PAGE_BYTES;
                FoundOut {
                    next: found.last().filter(|_| full).map(|message| message.id),
                    messages: found.into_iter().map(MessageOut::from).collect(),
                }
            }),
        );
    }
}

/// Who has read a message of a group.
pub(super) struct WhoHasRead;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "ReadersQuery")]
pub(super) struct ReadersIn {
    /// The group.
    group: Number,
    /// The message.
    seq: Number,
    /// Most readers; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Readers")]
pub(super) struct ReadersOut {
    /// How many of the members have.
    read: u64,
    /// How many members could have: those who were it when it was said, the sender left out.
    members: u64,
    /// The ids of the first of those who have.
    readers: Vec<u64>,
}

impl From<ReadersPage> for ReadersOut {
    fn from(page: ReadersPage) -> Self {
        Self {
            read: page.read,
            members: page.members,
            readers: page.readers.into_iter().map(|user| user.0).collect(),
        }
    }
}

impl Call for WhoHasRead {
    const OP: &'static str = "message.readers";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/groups/{group}/messages/{seq}/readers";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Who has read a message of a group";
    type In = ReadersIn;
    type Out = ReadersOut;

    fn perform(input: ReadersIn, caller: &Caller, im: &Arc<Im>, answer: Answer<ReadersOut>) {
        let readers = Readers {
            user: caller.user,
            group: input.group.group(),
            seq: input.seq.0,
            limit: input.limit.get(),
        };
        im.store().look_up(readers, answer.with(ReadersOut::from));
    }
}
