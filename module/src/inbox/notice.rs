//! What happens besides messages.

use common::{GroupId, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::User;
use crate::message::Conversation;

/// Something that has happened, for those whom it concerns. Kept as JSON: variants and members are
/// added and never change their meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// A message was recalled: nobody sees its body any more.
    Recalled {
        /// Where it stands.
        conversation: Conversation,
        /// Its number there.
        seq: u64,
        /// Its number among all messages.
        message: u64,
        /// Who did it; not always the sender.
        by: User,
    },
    /// Somebody has read a conversation up to a message: the other side of a direct one, or the
    /// user, on another device.
    Read {
        /// Which.
        conversation: Conversation,
        /// Up to here.
        seq: u64,
        /// Who.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        user: UserId,
    },
    /// The user has deleted messages for themselves, on another device.
    Deleted {
        /// Where they stood.
        conversation: Conversation,
        /// Their numbers there.
        seqs: Vec<u64>,
    },
    /// The user has deleted a whole conversation up to a message for themselves.
    Cleared {
        /// Which.
        conversation: Conversation,
        /// Up to here.
        seq: u64,
    },
    /// The user has changed how a conversation is listed: pinned, muted, draft.
    ConversationChanged {
        /// Which.
        conversation: Conversation,
    },
    /// Somebody asks to become a friend.
    FriendRequested {
        /// Who.
        from: User,
        /// Whom; the same request is told to both.
        to: User,
        /// What they say.
        text: String,
    },
    /// A friend request was answered.
    FriendAnswered {
        /// Who had asked.
        from: User,
        /// Who has answered.
        to: User,
        /// How.
        accepted: bool,
        /// What they say.
        text: String,
    },
    /// The user has removed a friend, on another device.
    FriendRemoved {
        /// Whom.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        user: UserId,
    },
    /// The user has changed the remark on a friend.
    FriendChanged {
        /// On whom.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        user: UserId,
    },
    /// The user has blocked somebody, or no longer does.
    BlockChanged {
        /// Whom.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        user: UserId,
        /// Which of the two.
        blocked: bool,
    },
    /// The user has changed their own profile, on another device.
    ProfileChanged {},
    /// An administrator has looked at the papers that the user had submitted.
    VerificationAnswered {
        /// How.
        accepted: bool,
        /// What they say.
        reason: String,
    },
    /// A user has become a member.
    GroupJoined {
        /// Of which group.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        group: GroupId,
        /// Who.
        user: User,
        /// Who has let them in or brought them, if somebody has.
        by: Option<User>,
    },
    /// A user is no member any more.
    GroupLeft {
        /// Of which group.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        group: GroupId,
        /// Who.
        user: User,
        /// Who has removed them, if they have not gone by themselves.
        by: Option<User>,
    },
    /// Users have joined a channel, or left it, within a second or so, and are told of together.
    /// They, and who has let them in or removed them, have heard of it before.
    GroupMembers {
        /// Which group.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        group: GroupId,
        /// How many members it has now.
        members: usize,
        /// How many have joined.
        joined: usize,
        /// How many have left.
        left: usize,
        /// The first who have joined, ten at most.
        who_joined: Vec<User>,
        /// The first who have left, ten at most.
        who_left: Vec<User>,
    },
    /// What is known about a group has changed: name, announcement, owner, muted.
    GroupChanged {
        /// Which group.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        group: GroupId,
        /// Who did it.
        by: User,
    },
    /// What is known about a member has changed: role, nickname, muted.
    MemberChanged {
        /// Of which group.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        group: GroupId,
        /// Which member.
        user: User,
        /// Who did it.
        by: User,
    },
    /// A group is no more.
    GroupDismissed {
        /// Which group.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        group: GroupId,
        /// Who did it.
        by: User,
    },
    /// Somebody asks to become a member, or is proposed by one. Told to the owner, the
    /// administrators and the applicant.
    Applied {
        /// Of which group.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        group: GroupId,
        /// Who.
        user: User,
        /// What they say.
        text: String,
    },
    /// An application was answered. Told as [`Notice::Applied`] is.
    ApplicationAnswered {
        /// To which group.
        #[serde(with = "crate::id")]
        #[schemars(with = "u64")]
        group: GroupId,
        /// Whose.
        user: User,
        /// Who has answered.
        by: User,
        /// How.
        accepted: bool,
        /// What they say.
        text: String,
    },
}
