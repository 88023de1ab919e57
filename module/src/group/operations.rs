//! What the store can be asked about groups.

use common::{GroupId, SessionId, UserId};

use super::{Joining, Role};

/// Makes a group; whoever makes it is its owner. Members that are unknown, have blocked the owner,
/// or are in as many groups as one may be, are left out. Refused: `LimitReached`.
#[derive(Clone, Debug)]
pub struct CreateGroup {
    /// Who.
    pub owner: UserId,
    /// The name, checked.
    pub name: String,
    /// Members from the beginning.
    pub members: Vec<UserId>,
    /// How one becomes a member.
    pub joining: Joining,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Changes what is given, and leaves the rest. Refused: `GroupUnknown`, `NotMember`, `RoleTooLow`.
#[derive(Clone, Debug)]
pub struct SetGroup {
    /// Who.
    pub by: UserId,
    /// Which.
    pub group: GroupId,
    /// The name, checked.
    pub name: Option<String>,
    /// The address of a picture.
    pub picture: Option<String>,
    /// What it is about.
    pub introduction: Option<String>,
    /// What members are to know.
    pub announcement: Option<String>,
    /// Whatever the application makes of it.
    pub extra: Option<String>,
    /// How one becomes a member.
    pub joining: Option<Joining>,
    /// Nobody but the owner and administrators may speak.
    pub muted: Option<bool>,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Becomes a member, or applies where that is needed. Refused: `GroupUnknown`, `GroupDismissed`,
/// `InvitationOnly`, `LimitReached`.
#[derive(Clone, Debug)]
pub struct Join {
    /// Who.
    pub user: UserId,
    /// Which.
    pub group: GroupId,
    /// What they say to whoever grants it.
    pub text: String,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// How joining went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// They are a member now.
    Member,
    /// They were one before.
    Already,
    /// The application waits for an answer.
    Applied,
}

/// Brings users into a group. Those who are members, unknown, have blocked the one who invites, or
/// are in as many groups as one may be, are left out. Refused: `GroupUnknown`, `GroupDismissed`,
/// `NotMember`, `LimitReached`.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Who.
    pub by: UserId,
    /// To which.
    pub group: GroupId,
    /// Whom.
    pub users: Vec<UserId>,
    /// What they say.
    pub text: String,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// How an invitation went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invited {
    /// They are members now.
    pub joined: Vec<UserId>,
    /// The owner or an administrator has to agree.
    pub applied: Vec<UserId>,
}

/// Answers an application. Refused: `GroupUnknown`, `NotMember`, `RoleTooLow`, `RequestUnknown`,
/// `LimitReached`.
#[derive(Clone, Debug)]
pub struct AnswerApplication {
    /// Who.
    pub by: UserId,
    /// To which.
    pub group: GroupId,
    /// Whose.
    pub user: UserId,
    /// How.
    pub accept: bool,
    /// What they say.
    pub text: String,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Ends one's own membership. An owner who is alone takes the group with them. Refused:
/// `GroupUnknown`, `NotMember`, `OwnerCannotLeave`.
#[derive(Clone, Debug)]
pub struct Leave {
    /// Who.
    pub user: UserId,
    /// Which.
    pub group: GroupId,
    /// An owner who leaves hands the group to the first administrator, or else member, by id; if
    /// not, they are refused.
    pub hand_over: bool,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Ends the membership of others. Refused: `GroupUnknown`, `NotMember` (also for one of them),
/// `RoleTooLow`, `Oneself`.
#[derive(Clone, Debug)]
pub struct Kick {
    /// Who.
    pub by: UserId,
    /// From which.
    pub group: GroupId,
    /// Whom.
    pub users: Vec<UserId>,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Makes a member an administrator, or an administrator a member. The owner's alone. Refused:
/// `GroupUnknown`, `NotMember`, `RoleTooLow`, `Oneself`, `Invalid`.
#[derive(Clone, Debug)]
pub struct SetRole {
    /// Who.
    pub by: UserId,
    /// Of which.
    pub group: GroupId,
    /// Whom.
    pub user: UserId,
    /// To what.
    pub role: Role,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Hands a group over to a member, whose role the old owner takes. Refused: `GroupUnknown`,
/// `NotMember`, `RoleTooLow`, `Oneself`.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Who.
    pub by: UserId,
    /// Which.
    pub group: GroupId,
    /// To whom.
    pub to: UserId,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Changes what a member is called in the group: oneself, or one of a lower role. Refused:
/// `GroupUnknown`, `NotMember`, `RoleTooLow`.
#[derive(Clone, Debug)]
pub struct SetMember {
    /// Who.
    pub by: UserId,
    /// In which.
    pub group: GroupId,
    /// Whom.
    pub user: UserId,
    /// What they are called there; empty for nothing of their own.
    pub nickname: String,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Takes a member of a lower role the right to speak for a time, or gives it back. Refused:
/// `GroupUnknown`, `NotMember`, `RoleTooLow`, `Oneself`.
#[derive(Clone, Debug)]
pub struct MuteMember {
    /// Who.
    pub by: UserId,
    /// In which.
    pub group: GroupId,
    /// Whom.
    pub user: UserId,
    /// For how long, in seconds; 0 gives it back.
    pub seconds: u32,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Ends a group: nobody can speak or join any more; what was said stays with its members. The
/// owner's alone. Refused: `GroupUnknown`, `NotMember`, `RoleTooLow`.
#[derive(Clone, Debug)]
pub struct Dismiss {
    /// Who; the operator's own staff is nobody.
    pub by: Option<UserId>,
    /// Which.
    pub group: GroupId,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// All about a group. Refused: `GroupUnknown`.
#[derive(Clone, Debug)]
pub struct FindGroup {
    /// Who asks.
    pub user: UserId,
    /// Which.
    pub group: GroupId,
}

/// A choice among the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichGroups {
    /// Those that the user is a member of.
    Joined,
    /// All that were not dismissed.
    All,
}

/// Groups by ascending id, for administrators: those that were dismissed are among them.
#[derive(Clone, Debug)]
pub struct ListAllGroups {
    /// Those whose name has words that begin like these; none for all.
    pub query: Option<String>,
    /// From the first id above this on.
    pub after: GroupId,
    /// Most to give.
    pub limit: usize,
}

/// Groups by ascending id.
#[derive(Clone, Debug)]
pub struct ListGroups {
    /// Who asks.
    pub user: UserId,
    /// Which.
    pub which: WhichGroups,
    /// From the first id above this on.
    pub after: GroupId,
    /// Most to give.
    pub limit: usize,
}

/// Groups whose name has words that begin like those of the query.
#[derive(Clone, Debug)]
pub struct SearchGroups {
    /// Who asks.
    pub user: UserId,
    /// What to look for.
    pub query: String,
    /// Most to find.
    pub limit: usize,
}

/// A choice among members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhichMembers {
    /// All.
    All,
    /// The owner and the administrators.
    WithRole,
    /// These, as far as they are members.
    These(Vec<UserId>),
}

/// The members of a group by ascending id. Refused: `GroupUnknown`, `NotMember`.
#[derive(Clone, Debug)]
pub struct ListMembers {
    /// Who asks.
    pub user: UserId,
    /// Of which.
    pub group: GroupId,
    /// Which members.
    pub which: WhichMembers,
    /// From the first id above this on.
    pub after: UserId,
    /// Most to give.
    pub limit: usize,
}

/// The ids of a group's members, ascending: for the server itself, whoever may know them. Never
/// refused.
#[derive(Clone, Debug)]
pub struct ListMemberIds {
    /// Of which.
    pub group: GroupId,
    /// From the first id above this on.
    pub after: UserId,
    /// Most to give.
    pub limit: usize,
}

/// A choice among applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichApplications {
    /// Those to one group, which the user must be able to answer.
    ToGroup(GroupId),
    /// Those to all groups whose owner or administrator the user is; open ones only.
    ToAnswer,
    /// The user's own.
    Made,
}

/// Applications by group and applicant. Refused: `GroupUnknown`, `NotMember`, `RoleTooLow`.
#[derive(Clone, Debug)]
pub struct ListApplications {
    /// Who asks.
    pub user: UserId,
    /// Which.
    pub which: WhichApplications,
    /// From the first group and applicant above these on.
    pub after: (GroupId, UserId),
    /// Most to give.
    pub limit: usize,
}
