//! Friends, requests, and whom a user has blocked.

use std::sync::Arc;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::{Limit, Number, PageIn, UserIn};
use super::online::{WhoIsOnline, answer_with_online};
use super::output::{Done, UserOut, UsersOut};
use crate::friend::{
    self, AnswerFriend, Friend, FriendPage, ListBlocks, ListFriends, ListRequests, RemoveFriend,
    RequestFriend, RequestState, Requested, SetBlock, SetFriend,
};
use crate::im::Im;

/// Asks somebody.
pub(super) struct Request;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "AskFriend")]
pub(super) struct RequestIn {
    /// Whom.
    user: Number,
    /// What to say to them.
    #[serde(default)]
    #[garde(length(chars, max = friend::TEXT_CHARS_MAX))]
    #[schemars(length(max = 255))]
    text: String,
}

/// How a request went.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FriendAsked")]
pub(super) struct RequestedOut {
    /// They had asked as well: the two are friends now. If not, the request waits.
    friends: bool,
}

impl From<Requested> for RequestedOut {
    fn from(requested: Requested) -> Self {
        Self {
            friends: requested == Requested::Friends,
        }
    }
}

impl Call for Request {
    const OP: &'static str = "friend.request";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/friends/requests";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Ask somebody to become a friend";
    type In = RequestIn;
    type Out = RequestedOut;

    fn perform(input: RequestIn, caller: &Caller, im: &Arc<Im>, answer: Answer<RequestedOut>) {
        let request = RequestFriend {
            from: caller.user,
            to: input.user.user(),
            text: input.text,
            origin: caller.origin,
        };
        im.store().change(request, answer.with(RequestedOut::from));
    }
}

/// Answers a request.
pub(super) struct Reply;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "AnswerFriend")]
pub(super) struct ReplyIn {
    /// Who had asked.
    user: Number,
    /// Whether they become friends.
    accept: bool,
    /// What to say to them.
    #[serde(default)]
    #[garde(length(chars, max = friend::TEXT_CHARS_MAX))]
    #[schemars(length(max = 255))]
    text: String,
}

impl Call for Reply {
    const OP: &'static str = "friend.answer";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/friends/requests/{user}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Accept or refuse a friend request";
    type In = ReplyIn;
    type Out = Done;

    fn perform(input: ReplyIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let reply = AnswerFriend {
            from: input.user.user(),
            to: caller.user,
            accept: input.accept,
            text: input.text,
            origin: caller.origin,
        };
        im.store().change(reply, answer.with(Done::from));
    }
}

/// Requests to the user, or made by them.
pub(super) struct Requests;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "FriendRequestsQuery")]
pub(super) struct RequestsIn {
    /// Those that the user has made, not those made to them.
    #[serde(default)]
    made: bool,
    /// From the first id of the other one above this on; `next` of the page before.
    #[serde(default)]
    after: Number,
    /// Most requests; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RequestState")]
pub(super) enum StateWord {
    Open,
    Accepted,
    Refused,
}

impl From<RequestState> for StateWord {
    fn from(state: RequestState) -> Self {
        match state {
            RequestState::Open => Self::Open,
            RequestState::Accepted => Self::Accepted,
            RequestState::Refused => Self::Refused,
        }
    }
}

/// Somebody asks somebody to become a friend.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FriendRequest")]
struct RequestOut {
    from: UserOut<'static>,
    to: UserOut<'static>,
    text: String,
    /// What the answer said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    answer: String,
    state: StateWord,
    /// When it was made, in milliseconds since 1970.
    created: u64,
}

/// Requests by the ascending id of the other one.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FriendRequests")]
pub(super) struct RequestsOut {
    requests: Vec<RequestOut>,
    /// What to pass as `after` for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl Call for Requests {
    const OP: &'static str = "friend.requests";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/friends/requests";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Friend requests to the user, or those that they have made";
    type In = RequestsIn;
    type Out = RequestsOut;

    fn perform(input: RequestsIn, caller: &Caller, im: &Arc<Im>, answer: Answer<RequestsOut>) {
        let (made, limit) = (input.made, input.limit.get());
        let list = ListRequests {
            user: caller.user,
            made,
            after: input.after.user(),
            limit,
        };
        let out = move |requests: Vec<friend::FriendRequest>| RequestsOut {
            next: requests
                .last()
                .filter(|_| requests.len() >= limit)
                .map(|last| if made { last.to.id.0 } else { last.from.id.0 }),
            requests: requests.into_iter().map(RequestOut::from).collect(),
        };
        im.store().look_up(list, answer.with(out));
    }
}

impl From<friend::FriendRequest> for RequestOut {
    fn from(request: friend::FriendRequest) -> Self {
        Self {
            from: request.from.into(),
            to: request.to.into(),
            text: request.text,
            answer: request.answer,
            state: request.state.into(),
            created: request.created_ms,
        }
    }
}

/// The user's friends.
pub(super) struct List;

/// A friend, as the user has noted them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Friend")]
struct FriendOut {
    #[serde(flatten)]
    user: UserOut<'static>,
    /// The address of their picture.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    picture: String,
    /// What the user calls them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    remark: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    extra: String,
    /// Since when, in milliseconds since 1970.
    since: u64,
    online: bool,
}

impl FriendOut {
    fn of(friend: Friend, online: &WhoIsOnline) -> Self {
        Self {
            online: online.has(friend.user.id),
            user: friend.user.into(),
            picture: friend.picture,
            remark: friend.remark,
            extra: friend.extra,
            since: friend.since_ms,
        }
    }
}

/// Friends by ascending id.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Friends")]
pub(super) struct ListOut {
    friends: Vec<FriendOut>,
    /// How many there are in all.
    total: u64,
    /// What to pass as `after` for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl Call for List {
    const OP: &'static str = "friend.list";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/friends";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "The user's friends, and who of them is online";
    type In = PageIn;
    type Out = ListOut;

    fn perform(input: PageIn, caller: &Caller, im: &Arc<Im>, answer: Answer<ListOut>) {
        let list = ListFriends {
            user: caller.user,
            after: input.after.user(),
            limit: input.limit.get(),
        };
        let out = |page: FriendPage, online: &WhoIsOnline| ListOut {
            next: page
                .friends
                .last()
                .filter(|_| page.more)
                .map(|last| last.user.id.0),
            total: page.total,
            friends: page
                .friends
                .into_iter()
                .map(|friend| FriendOut::of(friend, online))
                .collect(),
        };
        let users = |page: &FriendPage| page.friends.iter().map(|f| f.user.id).collect();
        let then = answer_with_online(im, caller, answer, users, out);
        im.store().look_up(list, then);
    }
}

/// Changes what is noted on a friend.
pub(super) struct Set;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "FriendChange")]
pub(super) struct SetIn {
    /// The friend.
    user: Number,
    /// What the user calls them; empty for nothing.
    #[serde(default)]
    #[garde(length(chars, max = friend::REMARK_CHARS_MAX))]
    #[schemars(length(max = 64))]
    remark: Option<String>,
    /// Whatever the application makes of it.
    #[serde(default)]
    #[garde(length(bytes, max = 4_096))]
    #[schemars(length(max = 4_096))]
    extra: Option<String>,
}

impl Call for Set {
    const OP: &'static str = "friend.set";
    const VERB: Verb = Verb::Patch;
    const PATH: &'static str = "/friends/{user}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Change what is noted on a friend; what is left out stays";
    type In = SetIn;
    type Out = Done;

    fn perform(input: SetIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let set = SetFriend {
            user: caller.user,
            friend: input.user.user(),
            remark: input.remark,
            extra: input.extra,
            origin: caller.origin,
        };
        im.store().change(set, answer.with(Done::from));
    }
}

/// Ends a friendship.
pub(super) struct Remove;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "RemoveFriend")]
pub(super) struct RemoveIn {
    /// The friend.
    user: Number,
    /// The other one loses this friend too, and is told.
    #[serde(default)]
    both: bool,
}

impl Call for Remove {
    const OP: &'static str = "friend.remove";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/friends/{user}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "End a friendship";
    type In = RemoveIn;
    type Out = Done;

    fn perform(input: RemoveIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let remove = RemoveFriend {
            user: caller.user,
            friend: input.user.user(),
            both: input.both,
            origin: caller.origin,
        };
        im.store().change(remove, answer.with(Done::from));
    }
}

/// Whom the user has blocked.
pub(super) struct Blocks;

impl Call for Blocks {
    const OP: &'static str = "block.list";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/blocks";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Whom the user has blocked";
    type In = PageIn;
    type Out = UsersOut;

    fn perform(input: PageIn, caller: &Caller, im: &Arc<Im>, answer: Answer<UsersOut>) {
        let limit = input.limit.get();
        let list = ListBlocks {
            user: caller.user,
            after: input.after.user(),
            limit,
        };
        im.store()
            .look_up(list, answer.with(move |users| UsersOut::page(users, limit)));
    }
}

fn set_block(input: &UserIn, caller: &Caller, im: &Im, blocked: bool, answer: Answer<Done>) {
    let set = SetBlock {
        user: caller.user,
        other: input.user.user(),
        blocked,
        origin: caller.origin,
    };
    im.store().change(set, answer.with(Done::from));
}

/// Blocks somebody.
pub(super) struct Block;

impl Call for Block {
    const OP: &'static str = "block.add";
    const VERB: Verb = Verb::Put;
    const PATH: &'static str = "/blocks/{user}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Refuse messages and requests of somebody from now on";
    type In = UserIn;
    type Out = Done;

    fn perform(input: UserIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        set_block(&input, caller, im, true, answer);
    }
}

/// Blocks somebody no longer.
pub(super) struct Unblock;

impl Call for Unblock {
    const OP: &'static str = "block.remove";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/blocks/{user}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Take messages and requests of somebody again";
    type In = UserIn;
    type Out = Done;

    fn perform(input: UserIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        set_block(&input, caller, im, false, answer);
    }
}
