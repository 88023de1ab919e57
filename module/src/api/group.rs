//! Groups: making, finding, changing, joining, leaving.

use std::sync::Arc;

use common::ErrorCode;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::{GroupIn, Limit, Number, QueryIn};
use super::output::{Done, GroupOut};
use super::word::Word;
use crate::account::checked_name;
use crate::friend::TEXT_CHARS_MAX;
use crate::group::{
    CreateGroup, Dismiss, FindGroup, GroupPage, GroupView, Join, Joined, Joining, Leave,
    ListGroups, NAME_CHARS_MAX, SearchGroups, SetGroup, Transfer, WhichGroups,
};
use crate::im::{Im, ImError};

/// A group's name, if it is one.
fn named(name: &str) -> Result<String, ImError> {
    checked_name(name, NAME_CHARS_MAX)
        .map(str::to_owned)
        .ok_or_else(|| {
            ImError::new(
                ErrorCode::InvalidValue,
                "a group's name has 1 to 64 characters, none of them a control character",
            )
        })
}

/// A group.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GroupReply")]
pub(super) struct OneOut {
    group: GroupOut,
}

impl From<GroupView> for OneOut {
    fn from(group: GroupView) -> Self {
        Self {
            group: group.into(),
        }
    }
}

/// Answers with a group as the caller sees it.
fn answer_with_group(im: &Im, caller: &Caller, group: Number, answer: Answer<OneOut>) {
    let find = FindGroup {
        user: caller.user,
        group: group.group(),
    };
    im.store().look_up(find, answer.with(OneOut::from));
}

/// Makes a group.
pub(super) struct Create;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "CreateGroup")]
pub(super) struct CreateIn {
    /// 1 to 64 characters, none of them a control character.
    #[garde(length(chars, min = 1, max = NAME_CHARS_MAX))]
    #[schemars(length(min = 1, max = 64))]
    name: String,
    /// Members from the beginning; those who are unknown, have blocked the owner, or are in too
    /// many groups, are left out.
    #[serde(default)]
    #[garde(length(max = 500))]
    members: Vec<Number>,
    /// How one becomes a member; `open` if it is left out.
    #[serde(default)]
    #[garde(dive)]
    joining: Option<Word<Joining>>,
}

impl Call for Create {
    const OP: &'static str = "group.create";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/groups";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Make a group; whoever makes it owns it";
    type In = CreateIn;
    type Out = OneOut;

    fn perform(input: CreateIn, caller: &Caller, im: &Arc<Im>, answer: Answer<OneOut>) {
        let name = match named(&input.name) {
            Ok(name) => name,
            Err(error) => return answer.refuse(error),
        };
        let create = CreateGroup {
            owner: caller.user,
            name,
            members: input.members.into_iter().map(Number::user).collect(),
            joining: input.joining.unwrap_or_default().get(),
            origin: caller.origin,
        };
        let (caller, on) = (*caller, Arc::clone(im));
        im.store().change(create, move |made| match made {
            Ok(group) => answer_with_group(&on, &caller, Number(group.id.0), answer),
            Err(refusal) => answer.refuse(refusal),
        });
    }
}

/// All about a group.
pub(super) struct Get;

impl Call for Get {
    const OP: &'static str = "group.get";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/groups/{group}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "All about a group";
    type In = GroupIn;
    type Out = OneOut;

    fn perform(input: GroupIn, caller: &Caller, im: &Arc<Im>, answer: Answer<OneOut>) {
        answer_with_group(im, caller, input.group, answer);
    }
}

/// Changes a group.
pub(super) struct Set;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "GroupChange")]
pub(super) struct SetIn {
    group: Number,
    /// 1 to 64 characters, none of them a control character.
    #[serde(default)]
    #[garde(length(chars, min = 1, max = NAME_CHARS_MAX))]
    #[schemars(length(min = 1, max = 64))]
    name: Option<String>,
    /// The address of a picture.
    #[serde(default)]
    #[garde(length(bytes, max = 1_024))]
    #[schemars(length(max = 1_024))]
    picture: Option<String>,
    /// What it is about.
    #[serde(default)]
    #[garde(length(chars, max = 1_024))]
    #[schemars(length(max = 1_024))]
    introduction: Option<String>,
    /// What members are to know.
    #[serde(default)]
    #[garde(length(chars, max = 1_024))]
    #[schemars(length(max = 1_024))]
    announcement: Option<String>,
    /// Whatever the application makes of it.
    #[serde(default)]
    #[garde(length(bytes, max = 4_096))]
    #[schemars(length(max = 4_096))]
    extra: Option<String>,
    /// How one becomes a member.
    #[serde(default)]
    #[garde(dive)]
    joining: Option<Word<Joining>>,
    /// Nobody but the owner and the administrators may speak.
    #[serde(default)]
    muted: Option<bool>,
}

impl Call for Set {
    const OP: &'static str = "group.set";
    const VERB: Verb = Verb::Patch;
    const PATH: &'static str = "/groups/{group}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Change what is known about a group; what is left out stays";
    type In = SetIn;
    type Out = OneOut;

    fn perform(input: SetIn, caller: &Caller, im: &Arc<Im>, answer: Answer<OneOut>) {
        let name = match input.name.as_deref().map(named).transpose() {
            Ok(name) => name,
            Err(error) => return answer.refuse(error),
        };
        let group = input.group;
        let set = SetGroup {
            by: caller.user,
            group: group.group(),
            name,
            picture: input.picture,
            introduction: input.introduction,
            announcement: input.announcement,
            extra: input.extra,
            joining: input.joining.map(Word::get),
            muted: input.muted,
            origin: caller.origin,
        };
        let (caller, on) = (*caller, Arc::clone(im));
        im.store().change(set, move |set| match set {
            Ok(_) => answer_with_group(&on, &caller, group, answer),
            Err(refusal) => answer.refuse(refusal),
        });
    }
}

/// Groups.
pub(super) struct List;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "GroupsQuery")]
pub(super) struct ListIn {
    /// Only the user's own.
    #[serde(default)]
    joined: bool,
    /// From the first id above this on; `next` of the page before.
    #[serde(default)]
    after: Number,
    /// Most groups; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// Groups by ascending id.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Groups")]
pub(super) struct ListOut {
    groups: Vec<GroupOut>,
    /// How many there are in all.
    total: u64,
    /// What to pass as `after` for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl From<GroupPage> for ListOut {
    fn from(page: GroupPage) -> Self {
        Self {
            next: page
                .groups
                .last()
                .filter(|_| page.more)
                .map(|last| last.id.0),
            total: page.total,
            groups: page.groups.into_iter().map(GroupOut::from).collect(),
        }
    }
}

impl Call for List {
    const OP: &'static str = "group.list";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/groups";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "All groups, or the user's own";
    type In = ListIn;
    type Out = ListOut;

    fn perform(input: ListIn, caller: &Caller, im: &Arc<Im>, answer: Answer<ListOut>) {
        let list = ListGroups {
            user: caller.user,
            which: if input.joined {
                WhichGroups::Joined
            } else {
                WhichGroups::All
            },
            after: input.after.group(),
            limit: input.limit.get(),
        };
        im.store().look_up(list, answer.with(ListOut::from));
    }
}

/// Finds groups.
pub(super) struct Search;

/// Groups that were found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FoundGroups")]
pub(super) struct FoundOut {
    groups: Vec<GroupOut>,
}

impl Call for Search {
    const OP: &'static str = "group.search";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/groups/search";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Find groups by the words of their names";
    type In = QueryIn;
    type Out = FoundOut;

    fn perform(input: QueryIn, caller: &Caller, im: &Arc<Im>, answer: Answer<FoundOut>) {
        let search = SearchGroups {
            user: caller.user,
            query: input.query,
            limit: input.limit.get(),
        };
        let out = |groups: Vec<GroupView>| FoundOut {
            groups: groups.into_iter().map(GroupOut::from).collect(),
        };
        im.store().look_up(search, answer.with(out));
    }
}

/// Becomes a member.
pub(super) struct JoinIt;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "JoinGroup")]
pub(super) struct JoinIn {
    group: Number,
    /// What to say to whoever lets members in.
    #[serde(default)]
    #[garde(length(chars, max = TEXT_CHARS_MAX))]
    #[schemars(length(max = 255))]
    text: String,
}

/// How joining went.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "JoinedGroup")]
pub(super) struct JoinedOut {
    group: GroupOut,
    /// The user is no member yet: the application waits for an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    applied: bool,
}

impl Call for JoinIt {
    const OP: &'static str = "group.join";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/groups/{group}/join";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Become a member, or apply where that is needed";
    type In = JoinIn;
    type Out = JoinedOut;

    fn perform(input: JoinIn, caller: &Caller, im: &Arc<Im>, answer: Answer<JoinedOut>) {
        let (user, group) = (caller.user, input.group.group());
        let join = Join {
            user,
            group,
            text: input.text,
            origin: caller.origin,
        };
        let on = Arc::clone(im);
        im.store().change(join, move |joined| match joined {
            Ok(joined) => {
                let out = move |group: GroupView| JoinedOut {
                    group: group.into(),
                    applied: joined == Joined::Applied,
                };
                on.store()
                    .look_up(FindGroup { user, group }, answer.with(out));
            }
            Err(refusal) => answer.refuse(refusal),
        });
    }
}

/// Ends one's own membership.
pub(super) struct LeaveIt;

impl Call for LeaveIt {
    const OP: &'static str = "group.leave";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/groups/{group}/leave";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Leave a group; an owner hands it to the first of the others";
    type In = GroupIn;
    type Out = Done;

    fn perform(input: GroupIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let leave = Leave {
            user: caller.user,
            group: input.group.group(),
            hand_over: true,
            origin: caller.origin,
        };
        im.store().change(leave, answer.with(Done::from));
    }
}

/// Hands a group over.
pub(super) struct HandOver;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "TransferGroup")]
pub(super) struct HandOverIn {
    group: Number,
    /// The member who owns it from now on.
    user: Number,
}

impl Call for HandOver {
    const OP: &'static str = "group.transfer";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/groups/{group}/transfer";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Hand a group over to a member; the owner's alone";
    type In = HandOverIn;
    type Out = Done;

    fn perform(input: HandOverIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let transfer = Transfer {
            by: caller.user,
            group: input.group.group(),
            to: input.user.user(),
            origin: caller.origin,
        };
        im.store().change(transfer, answer.with(Done::from));
    }
}

/// Ends a group.
pub(super) struct End;

impl Call for End {
    const OP: &'static str = "group.dismiss";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/groups/{group}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str =
        "End a group: nobody can speak or join any more; the owner's alone";
    type In = GroupIn;
    type Out = Done;

    fn perform(input: GroupIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let dismiss = Dismiss {
            by: Some(caller.user),
            group: input.group.group(),
            origin: caller.origin,
        };
        im.store().change(dismiss, answer.with(Done::from));
    }
}
