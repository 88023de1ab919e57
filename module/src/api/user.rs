//! Other users: who they are, who of them is online.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::{PageIn, QueryIn, UserIn};
use super::online::{WhoIsOnline, answer_with_online};
use super::output::UserOut;
use crate::account::{Account, FindAccount, SearchUsers, User};
use crate::im::{Im, OnlinePage};

/// A user, as others see them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Profile")]
struct ProfileOut {
    id: u64,
    /// What others call them.
    name: String,
    /// The name with which they log in.
    login: String,
    /// The address of their picture.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    picture: String,
    /// What they say about themselves.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    signature: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    extra: String,
    /// An administrator has seen who they are.
    verified: bool,
    online: bool,
}

impl ProfileOut {
    fn of(account: Account, online: &WhoIsOnline) -> Self {
        Self {
            online: online.has(account.id),
            id: account.id.0,
            name: account.nickname,
            login: account.name,
            picture: account.picture,
            signature: account.signature,
            extra: account.extra,
            verified: account.verified,
        }
    }
}

/// One user.
pub(super) struct Get;

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProfileReply")]
pub(super) struct GetOut {
    user: ProfileOut,
}

impl Call for Get {
    const OP: &'static str = "user.get";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/users/{user}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Who a user is";
    type In = UserIn;
    type Out = GetOut;

    fn perform(input: UserIn, caller: &Caller, im: &Arc<Im>, answer: Answer<GetOut>) {
        let find = FindAccount {
            user: input.user.user(),
        };
        let out = |account: Account, online: &WhoIsOnline| GetOut {
            user: ProfileOut::of(account, online),
        };
        let users = |account: &Account| vec![account.id];
        let then = answer_with_online(im, caller, answer, users, out);
        im.store().look_up(find, then);
    }
}

/// Finds users.
pub(super) struct Search;

/// Users that were found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FoundUsers")]
pub(super) struct FoundOut {
    users: Vec<ProfileOut>,
}

impl Call for Search {
    const OP: &'static str = "user.search";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/users/search";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Find users by the words of their names";
    type In = QueryIn;
    type Out = FoundOut;

    fn perform(input: QueryIn, caller: &Caller, im: &Arc<Im>, answer: Answer<FoundOut>) {
        let search = SearchUsers {
            query: input.query,
            limit: input.limit.get(),
        };
        let out = |found: Vec<Account>, online: &WhoIsOnline| FoundOut {
            users: found
                .into_iter()
                .map(|account| ProfileOut::of(account, online))
                .collect(),
        };
        let users = |found: &Vec<Account>| found.iter().map(|account| account.id).collect();
        let then = answer_with_online(im, caller, answer, users, out);
        im.store().look_up(search, then);
    }
}

/// Who is online.
pub(super) struct Online;

/// A user who is online.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OnlineUser")]
struct OnlineOut {
    #[serde(flatten)]
    user: UserOut<'static>,
    /// The platforms on which they have a session.
    platforms: Vec<&'static str>,
}

/// Users who are online, by ascending id.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OnlineUsers")]
pub(super) struct ListOut {
    users: Vec<OnlineOut>,
    /// How many there are in all.
    total: usize,
    /// What to pass as `after` for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl Call for Online {
    const OP: &'static str = "users.online";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/users/online";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str =
        "Users that have a session, where guests are let in; elsewhere it is `forbidden`";
    type In = PageIn;
    type Out = ListOut;

    fn perform(input: PageIn, caller: &Caller, im: &Arc<Im>, answer: Answer<ListOut>) {
        let online = |(user, platforms): (User, Vec<crate::presence::Platform>)| OnlineOut {
            user: user.into(),
            platforms: platforms.iter().map(|platform| platform.as_str()).collect(),
        };
        let out = move |page: OnlinePage| ListOut {
            users: page.entries.into_iter().map(online).collect(),
            total: page.total,
            next: page.next,
        };
        let (after, limit) = (input.after.user(), input.limit.get());
        im.online(caller.user, after, limit, answer.with(out));
    }
}
