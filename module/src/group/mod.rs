//! Durable sets of users.

mod operations;

use common::{GroupId, UserId};

use crate::account::User;
use crate::friend::RequestState;

pub use operations::{
    AnswerApplication, CreateGroup, Dismiss, FindGroup, Invite, Invited, Join, Joined, Kick, Leave,
    ListAllGroups, ListApplications, ListGroups, ListMemberIds, ListMembers, MuteMember,
    SearchGroups, SetGroup, SetMember, SetRole, Transfer, WhichApplications, WhichGroups,
    WhichMembers,
};

/// Longest name of a group, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// A group as its members see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The number.
    pub id: GroupId,
    /// The name.
    pub name: String,
    /// How many members it has.
    pub members: usize,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Speak.
    Member,
    /// Let members in and out, mute, change what is known about the group.
    Administrator,
    /// All of that, and appoint administrators, hand the group over, dismiss it.
    Owner,
}

/// How one becomes a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Joining {
    /// By joining.
    #[default]
    Open,
    /// By an application that the owner or an administrator grants, or an invitation.
    Application,
    /// By an invitation from the owner or an administrator; what others invite is an application.
    Approval,
    /// By an invitation.
    Invitation,
}

/// All that is known about a group, to one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// The number.
    pub id: GroupId,
    /// The name.
    pub name: String,
    /// The address of a picture, or empty.
    pub picture: String,
    /// What it is about.
    pub introduction: String,
    /// What members are to know.
    pub announcement: String,
    /// Whatever the application makes of it.
    pub extra: String,
    /// Who owns it.
    pub owner: UserId,
    /// Who made it.
    pub creator: UserId,
    /// How many members it has.
    pub members: usize,
    /// How one becomes a member.
    pub joining: Joining,
    /// Nobody but the owner and administrators may speak.
    pub muted: bool,
    /// It is no more.
    pub dismissed: bool,
    /// It is synced by its own seq and not through inboxes.
    pub channel: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// The role of the user who asks, if they are a member.
    pub role: Option<Role>,
}

/// A user as a member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: User,
    /// The address of their picture, or empty.
    pub picture: String,
    /// What they are called in the group, or empty.
    pub nickname: String,
    /// What they may do.
    pub role: Role,
    /// Who brought them.
    pub inviter: Option<UserId>,
    /// Until when they may not speak, in milliseconds since 1970; 0 for no time.
    pub muted_until_ms: u64,
    /// Since when they are, in milliseconds since 1970.
    pub joined_ms: u64,
}

/// Part of a list of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPage {
    /// The groups.
    pub groups: Vec<GroupView>,
    /// How many there are in all.
    pub total: u64,
    /// Whether the list goes on.
    pub more: bool,
}

/// Part of a list of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPage {
    /// The members.
    pub members: Vec<Member>,
    /// How many the group has in all.
    pub total: u64,
    /// Whether the list goes on.
    pub more: bool,
}

/// Somebody who wants to become a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Of which group.
    pub group: GroupId,
    /// Its name.
    pub group_name: String,
    /// Who.
    pub user: User,
    /// What they say.
    pub text: String,
    /// What the answer said.
    pub answer: String,
    /// Who proposed them, if somebody did.
    pub inviter: Option<UserId>,
    /// Who has answered.
    pub handler: Option<UserId>,
    /// How far it has come.
    pub state: RequestState,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it was answered; 0 if it was not.
    pub handled_ms: u64,
}
