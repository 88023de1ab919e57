//! What the operator's own staff may ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account::{AccountOut, SessionsOut};
use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::{GroupIn, Nothing, Number, QueryIn, UserIn};
use super::message::PlaceIn;
use super::output::{CountOut, Done};
use super::word::Word;
use crate::account::{
    Account, CloseSessions, FindAccount, ListSessions, SearchUsers, Session, SetDisabled, Whose,
};
use crate::group::Dismiss;
use crate::im::{Im, ImError};
use crate::message::{Draft, Kind, Recall, SendSystem, SystemRecipients};

/// A user, to the operator's staff.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AdminUser")]
pub(super) struct AdminUserOut {
    #[serde(flatten)]
    account: AccountOut,
    /// They are locked out.
    disabled: bool,
    /// The platforms on which they are online.
    platforms: Vec<&'static str>,
}

impl AdminUserOut {
    pub(super) fn of(account: Account, im: &Im) -> Self {
        let platforms = im.platforms(account.id);
        Self {
            disabled: account.disabled,
            platforms: platforms.into_iter().map(|at| at.as_str()).collect(),
            account: account.into(),
        }
    }
}

/// Finds users.
pub(super) struct FindUsers;

/// Users that were found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AdminUsers")]
pub(super) struct UsersOut {
    users: Vec<AdminUserOut>,
}

impl Call for FindUsers {
    const OP: &'static str = "admin.user.search";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/users/search";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "Find users by the words of their names";
    type In = QueryIn;
    type Out = UsersOut;

    fn perform(input: QueryIn, _: &Caller, im: &Arc<Im>, answer: Answer<UsersOut>) {
        let search = SearchUsers {
            query: input.query,
            limit: input.limit.get(),
        };
        let on = Arc::clone(im);
        let out = move |found: Vec<Account>| UsersOut {
            users: found
                .into_iter()
                .map(|account| AdminUserOut::of(account, &on))
                .collect(),
        };
        im.store().look_up(search, answer.with(out));
    }
}

/// One user.
pub(super) struct GetUser;

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AdminUserReply")]
pub(super) struct UserOut {
    user: AdminUserOut,
}

impl Call for GetUser {
    const OP: &'static str = "admin.user.get";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/users/{user}";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "All about one user";
    type In = UserIn;
    type Out = UserOut;

    fn perform(input: UserIn, _: &Caller, im: &Arc<Im>, answer: Answer<UserOut>) {
        let find = FindAccount {
            user: input.user.user(),
        };
        let on = Arc::clone(im);
        let out = move |account| UserOut {
            user: AdminUserOut::of(account, &on),
        };
        im.store().look_up(find, answer.with(out));
    }
}

/// Locks a user out, or lets them in again.
pub(super) struct Disable;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "AdminDisable")]
pub(super) struct DisableIn {
    user: Number,
    /// Out or in.
    disabled: bool,
}

impl Call for Disable {
    const OP: &'static str = "admin.user.disable";
    const VERB: Verb = Verb::Put;
    const PATH: &'static str = "/users/{user}/disabled";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str =
        "Lock a user out and close their connections, or let them in again";
    type In = DisableIn;
    type Out = Done;

    fn perform(input: DisableIn, _: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let disable = SetDisabled {
            user: input.user.user(),
            disabled: input.disabled,
        };
        im.store().change(disable, answer.with(Done::from));
    }
}

/// Gives a user a new password.
pub(super) struct SetPassword;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "AdminPassword")]
pub(super) struct SetPasswordIn {
    user: Number,
    /// 6 characters to 128 bytes.
    #[schemars(length(min = 6, max = 128))]
    new: String,
}

impl Call for SetPassword {
    const OP: &'static str = "admin.user.password";
    const VERB: Verb = Verb::Put;
    const PATH: &'static str = "/users/{user}/password";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "Give a user a new password, which ends all their sessions";
    type In = SetPasswordIn;
    type Out = Done;

    fn perform(input: SetPasswordIn, _: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        im.accounts()
            .set_password(input.user.user(), input.new, answer.with(Done::from));
    }
}

/// The sessions of a user.
pub(super) struct Sessions;

impl Call for Sessions {
    const OP: &'static str = "admin.session.list";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/users/{user}/sessions";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "The sessions of a user";
    type In = UserIn;
    type Out = SessionsOut;

    fn perform(input: UserIn, _: &Caller, im: &Arc<Im>, answer: Answer<SessionsOut>) {
        let list = ListSessions {
            user: input.user.user(),
        };
        let out = |sessions: Vec<Session>| SessionsOut::of(sessions, None);
        im.store().look_up(list, answer.with(out));
    }
}

/// Ends the sessions of a user.
pub(super) struct Kick;

impl Call for Kick {
    const OP: &'static str = "admin.session.close_all";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/users/{user}/sessions";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "End all sessions of a user and close their connections";
    type In = UserIn;
    type Out = CountOut;

    fn perform(input: UserIn, _: &Caller, im: &Arc<Im>, answer: Answer<CountOut>) {
        let user = input.user.user();
        let close = CloseSessions {
            user,
            which: Whose::All,
        };
        let on = Arc::clone(im);
        im.store().change(close, move |closed| {
            // Guests, and those whom the operator's backend vouches for, have no session that was
            // opened with a password.
            on.close_connections(user);
            answer.give(closed.map(|count| CountOut { count }));
        });
    }
}

/// Who is online.
pub(super) struct Online;

/// How many are online, and where.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AdminOnline")]
pub(super) struct OnlineOut {
    /// Users that have a connection.
    users: usize,
    /// Connections by platform.
    platforms: BTreeMap<&'static str, usize>,
}

impl Call for Online {
    const OP: &'static str = "admin.online";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/online";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "How many users are online, and on which platforms";
    type In = Nothing;
    type Out = OnlineOut;

    fn perform(_: Nothing, _: &Caller, im: &Arc<Im>, answer: Answer<OnlineOut>) {
        let (users, platforms) = im.online_by_platform();
        let platforms = platforms
            .into_iter()
            .map(|(at, count)| (at.as_str(), count));
        answer.give::<ImError>(Ok(OnlineOut {
            users,
            platforms: platforms.collect(),
        }));
    }
}

/// Says something in the operator's name.
pub(super) struct Announce;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "AdminMessage")]
pub(super) struct AnnounceIn {
    /// To these, each in a conversation of their own; if it is left out, to everyone.
    #[serde(default)]
    #[garde(length(min = 1, max = 1_000))]
    users: Option<Vec<Number>>,
    /// What is said: 1 to 16,384 bytes.
    #[schemars(length(min = 1, max = 16_384))]
    body: String,
    /// What the body is; `text` if it is left out.
    #[serde(default)]
    #[garde(dive)]
    kind: Word<Kind>,
    /// Whatever the application keeps beside the body.
    #[serde(default)]
    #[garde(length(bytes, max = 4_096))]
    #[schemars(length(max = 4_096))]
    extra: Option<String>,
}

impl Call for Announce {
    const OP: &'static str = "admin.message.send";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/messages";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str =
        "Say something in the operator's name to some users, or to everyone";
    type In = AnnounceIn;
    type Out = CountOut;

    fn perform(input: AnnounceIn, _: &Caller, im: &Arc<Im>, answer: Answer<CountOut>) {
        let draft = Draft {
            kind: input.kind.get(),
            body: input.body,
            extra: input.extra,
            client_id: None,
            mentions: Vec::new(),
        };
        if let Err(refusal) = draft.check() {
            return answer.refuse(refusal);
        }
        let to = |users: Vec<Number>| users.into_iter().map(Number::user).collect();
        let send = SendSystem {
            to: input.users.map_or(SystemRecipients::All, |users| {
                SystemRecipients::Users(to(users))
            }),
            kind: draft.kind,
            body: draft.body,
            extra: draft.extra,
        };
        im.store()
            .change(send, answer.with(|count| CountOut { count }));
    }
}

/// Takes any message back.
pub(super) struct TakeBack;

impl Call for TakeBack {
    const OP: &'static str = "admin.message.recall";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/conversations/{conversation}/messages/{seq}/recall";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "Take any message back, at any time";
    type In = PlaceIn;
    type Out = Done;

    fn perform(input: PlaceIn, _: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let recall = Recall {
            user: None,
            conversation: input.conversation,
            seq: input.seq.0,
            origin: None,
        };
        im.store().change(recall, answer.with(Done::from));
    }
}

/// Ends a group.
pub(super) struct EndGroup;

impl Call for EndGroup {
    const OP: &'static str = "admin.group.dismiss";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/groups/{group}";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "End a group: nobody can speak or join any more";
    type In = GroupIn;
    type Out = Done;

    fn perform(input: GroupIn, _: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let dismiss = Dismiss {
            by: None,
            group: input.group.group(),
            origin: None,
        };
        im.store().change(dismiss, answer.with(Done::from));
    }
}
