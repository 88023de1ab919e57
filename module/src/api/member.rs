//! Members of groups, and who wants to be one.

use std::sync::Arc;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::friend::StateWord;
use super::input::{Limit, Number};
use super::online::{WhoIsOnline, answer_with_online};
use super::output::{Done, UserOut};
use super::word::Word;
use crate::account::NAME_CHARS_MAX;
use crate::friend::TEXT_CHARS_MAX;
use crate::group::{
    AnswerApplication, Application, Invite, Invited, Kick, ListApplications, ListMembers, Member,
    MemberPage, MuteMember, Role, SetMember, SetRole, WhichApplications, WhichMembers,
};
use crate::im::Im;

/// Longest time for which a member may be muted, in seconds.
const MUTE_SECONDS_MAX: u32 = 10 * 365 * 24 * 3600;

/// The members of a group.
pub(super) struct List;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "MembersQuery")]
pub(super) struct ListIn {
    group: Number,
    /// Only the owner and the administrators.
    #[serde(default)]
    staff: bool,
    /// From the first id above this on; `next` of the page before.
    #[serde(default)]
    after: Number,
    /// Most members; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// A member of a group.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Member")]
struct MemberOut {
    #[serde(flatten)]
    user: UserOut<'static>,
    online: bool,
    role: Word<Role>,
    /// The address of their picture.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    picture: String,
    /// What they are called in the group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    nickname: String,
    /// Until when they may not speak, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    muted_until: Option<u64>,
    /// Since when they are, in milliseconds since 1970.
    since: u64,
}

impl MemberOut {
    fn of(member: Member, online: &WhoIsOnline) -> Self {
        Self {
            online: online.has(member.user.id),
            user: member.user.into(),
            role: member.role.into(),
            picture: member.picture,
            nickname: member.nickname,
            muted_until: Some(member.muted_until_ms).filter(|until| *until > 0),
            since: member.joined_ms,
        }
    }
}

/// Members by ascending id.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Members")]
pub(super) struct ListOut {
    members: Vec<MemberOut>,
    /// How many the group has in all.
    total: u64,
    /// What to pass as `after` for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl Call for List {
    const OP: &'static str = "group.members";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/groups/{group}/members";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "The members of a group of one's own";
    type In = ListIn;
    type Out = ListOut;

    fn perform(input: ListIn, caller: &Caller, im: &Arc<Im>, answer: Answer<ListOut>) {
        let list = ListMembers {
            user: caller.user,
            group: input.group.group(),
            which: if input.staff {
                WhichMembers::WithRole
            } else {
                WhichMembers::All
            },
            after: input.after.user(),
            limit: input.limit.get(),
        };
        let out = |page: MemberPage, online: &WhoIsOnline| ListOut {
            next: page
                .members
                .last()
                .filter(|_| page.more)
                .map(|last| last.user.id.0),
            total: page.total,
            members: page
                .members
                .into_iter()
                .map(|member| MemberOut::of(member, online))
                .collect(),
        };
        let users = |page: &MemberPage| page.members.iter().map(|m| m.user.id).collect();
        let then = answer_with_online(im, caller, answer, users, out);
        im.store().look_up(list, then);
    }
}

/// Brings users into a group.
pub(super) struct Bring;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "InviteMembers")]
pub(super) struct BringIn {
    group: Number,
    /// Whom; those who are members, unknown, have blocked the one who invites, or are in too many
    /// groups, are left out.
    #[garde(length(min = 1, max = 100))]
    users: Vec<Number>,
    /// What to say.
    #[serde(default)]
    #[garde(length(chars, max = TEXT_CHARS_MAX))]
    #[schemars(length(max = 255))]
    text: String,
}

/// How an invitation went.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Invited")]
pub(super) struct BroughtOut {
    /// The ids of those who are members now.
    joined: Vec<u64>,
    /// The ids of those for whom the owner or an administrator has to agree.
    applied: Vec<u64>,
}

impl From<Invited> for BroughtOut {
    fn from(invited: Invited) -> Self {
        Self {
            joined: invited.joined.into_iter().map(|user| user.0).collect(),
            applied: invited.applied.into_iter().map(|user| user.0).collect(),
        }
    }
}

impl Call for Bring {
    const OP: &'static str = "group.invite";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/groups/{group}/members";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Bring users into a group";
    type In = BringIn;
    type Out = BroughtOut;

    fn perform(input: BringIn, caller: &Caller, im: &Arc<Im>, answer: Answer<BroughtOut>) {
        let invite = Invite {
            by: caller.user,
            group: input.group.group(),
            users: input.users.into_iter().map(Number::user).collect(),
            text: input.text,
            origin: caller.origin,
        };
        im.store().change(invite, answer.with(BroughtOut::from));
    }
}

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "GroupMember")]
pub(super) struct MemberIn {
    group: Number,
    user: Number,
}

/// Removes a member.
pub(super) struct Remove;

impl Call for Remove {
    const OP: &'static str = "group.kick";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/groups/{group}/members/{user}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Remove a member of a lower role";
    type In = MemberIn;
    type Out = Done;

    fn perform(input: MemberIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let kick = Kick {
            by: caller.user,
            group: input.group.group(),
            users: vec![input.user.user()],
            origin: caller.origin,
        };
        im.store().change(kick, answer.with(Done::from));
    }
}

/// Changes what a member is called.
pub(super) struct Rename;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "MemberChange")]
pub(super) struct RenameIn {
    group: Number,
    user: Number,
    /// What they are called in the group; empty for nothing of their own.
    #[garde(length(chars, max = NAME_CHARS_MAX))]
    #[schemars(length(max = 32))]
    nickname: String,
}

impl Call for Rename {
    const OP: &'static str = "group.set_member";
    const VERB: Verb = Verb::Patch;
    const PATH: &'static str = "/groups/{group}/members/{user}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str =
        "Change what oneself, or a member of a lower role, is called there";
    type In = RenameIn;
    type Out = Done;

    fn perform(input: RenameIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let set = SetMember {
            by: caller.user,
            group: input.group.group(),
            user: input.user.user(),
            nickname: input.nickname,
            origin: caller.origin,
        };
        im.store().change(set, answer.with(Done::from));
    }
}

/// Changes what a member may do.
pub(super) struct Appoint;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "MemberRole")]
pub(super) struct AppointIn {
    group: Number,
    user: Number,
    /// `member` or `administrator`; a group is handed over with `group.transfer`.
    #[garde(dive)]
    role: Word<Role>,
}

impl Call for Appoint {
    const OP: &'static str = "group.set_role";
    const VERB: Verb = Verb::Put;
    const PATH: &'static str = "/groups/{group}/members/{user}/role";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str =
        "Make a member an administrator, or the other way; the owner's alone";
    type In = AppointIn;
    type Out = Done;

    fn perform(input: AppointIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let set = SetRole {
            by: caller.user,
            group: input.group.group(),
            user: input.user.user(),
            role: input.role.get(),
            origin: caller.origin,
        };
        im.store().change(set, answer.with(Done::from));
    }
}

/// Takes a member the right to speak.
pub(super) struct Mute;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "MuteMember")]
pub(super) struct MuteIn {
    group: Number,
    user: Number,
    /// For how long; 0 gives the right back.
    #[garde(range(max = MUTE_SECONDS_MAX))]
    seconds: u32,
}

impl Call for Mute {
    const OP: &'static str = "group.mute";
    const VERB: Verb = Verb::Put;
    const PATH: &'static str = "/groups/{group}/members/{user}/mute";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Take a member of a lower role the right to speak for a time";
    type In = MuteIn;
    type Out = Done;

    fn perform(input: MuteIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let mute = MuteMember {
            by: caller.user,
            group: input.group.group(),
            user: input.user.user(),
            seconds: input.seconds,
            origin: caller.origin,
        };
        im.store().change(mute, answer.with(Done::from));
    }
}

/// Who wants to become a member.
pub(super) struct Applications;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "ApplicationsQuery")]
pub(super) struct ApplicationsIn {
    /// Of this group, answered ones too; if not, the open ones of all groups that the user runs.
    #[serde(default)]
    group: Option<Number>,
    /// The user's own instead.
    #[serde(default)]
    made: bool,
    /// With `after_user`: from the first one above these on; of the last one of the page before.
    #[serde(default)]
    after_group: Number,
    #[serde(default)]
    after_user: Number,
    /// Most applications; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// Somebody wants to become a member, or is proposed by one.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Application")]
struct ApplicationOut {
    group: u64,
    group_name: String,
    user: UserOut<'static>,
    text: String,
    /// What the answer said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    answer: String,
    /// The id of who has proposed them, if somebody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    inviter: Option<u64>,
    /// The id of who has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<u64>,
    state: StateWord,
    /// When it was made, in milliseconds since 1970.
    created: u64,
}

impl From<Application> for ApplicationOut {
    fn from(application: Application) -> Self {
        Self {
            group: application.group.0,
            group_name: application.group_name,
            user: application.user.into(),
            text: application.text,
            answer: application.answer,
            inviter: application.inviter.map(|user| user.0),
            handler: application.handler.map(|user| user.0),
            state: application.state.into(),
            created: application.created_ms,
        }
    }
}

/// Applications by group and applicant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Applications")]
pub(super) struct ApplicationsOut {
    applications: Vec<ApplicationOut>,
    /// Whether there may be others behind the last one.
    more: bool,
}

impl Call for Applications {
    const OP: &'static str = "group.applications";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/applications";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Applications to groups that the user runs, or the user's own";
    type In = ApplicationsIn;
    type Out = ApplicationsOut;

    fn perform(
        input: ApplicationsIn,
        caller: &Caller,
        im: &Arc<Im>,
        answer: Answer<ApplicationsOut>,
    ) {
        let limit = input.limit.get();
        let list = ListApplications {
            user: caller.user,
            which: match input.group {
                _ if input.made => WhichApplications::Made,
                Some(group) => WhichApplications::ToGroup(group.group()),
                None => WhichApplications::ToAnswer,
            },
            after: (input.after_group.group(), input.after_user.user()),
            limit,
        };
        let out = move |applications: Vec<Application>| ApplicationsOut {
            more: applications.len() >= limit,
            applications: applications.into_iter().map(ApplicationOut::from).collect(),
        };
        im.store().look_up(list, answer.with(out));
    }
}

/// Answers an application.
pub(super) struct Decide;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "AnswerApplication")]
pub(super) struct DecideIn {
    group: Number,
    /// Whose.
    user: Number,
    /// Whether they become a member.
    accept: bool,
    /// What to say to them.
    #[serde(default)]
    #[garde(length(chars, max = TEXT_CHARS_MAX))]
    #[schemars(length(max = 255))]
    text: String,
}

impl Call for Decide {
    const OP: &'static str = "group.answer";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/groups/{group}/applications/{user}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Grant or refuse an application";
    type In = DecideIn;
    type Out = Done;

    fn perform(input: DecideIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let decide = AnswerApplication {
            by: caller.user,
            group: input.group.group(),
            user: input.user.user(),
            accept: input.accept,
            text: input.text,
            origin: caller.origin,
        };
        im.store().change(decide, answer.with(Done::from));
    }
}
