//! Why an operation was not done.

use common::ErrorCode;

/// Why the store refused. Nothing was changed by an operation that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No user of this name or id.
    #[error("there is no such user")]
    UserUnknown,
    /// No group of this id, or it is not for this user to know of it.
    #[error("there is no such group")]
    GroupUnknown,
    /// No such conversation of this user.
    #[error("there is no such conversation")]
    ConversationUnknown,
    /// No message of this number that this user may see.
    #[error("there is no such message")]
    MessageUnknown,
    /// No friend request or application that waits for an answer.
    #[error("there is no such request")]
    RequestUnknown,
    /// The user has not told where they are, or too long ago.
    #[error("tell where you are first")]
    PositionUnknown,
    /// No papers of this number or user.
    #[error("there is no such submission")]
    VerificationUnknown,
    /// An administrator has accepted the user's papers.
    #[error("already verified")]
    AlreadyVerified,
    /// No attachment of this number that this user may see.
    #[error("there is no such attachment")]
    AttachmentUnknown,
    /// Only who has uploaded the attachment may do this.
    #[error("only who has uploaded it may do this")]
    NotOwner,
    /// The name belongs to somebody else.
    #[error("the name is taken")]
    NameTaken,
    /// Accounts are made by others.
    #[error("registration is off on this server")]
    RegistrationOff,
    /// Wrong password, or a name without one; which of the two is not told.
    #[error("wrong name or password")]
    WrongPassword,
    /// Too many wrong passwords for this name.
    #[error("too many wrong passwords; try again in half a minute")]
    TooManyAttempts,
    /// The token is none of ours, has expired, or was revoked.
    #[error("the token is not valid")]
    TokenInvalid,
    /// Whoever knows whose token it is does not answer.
    #[error("logins cannot be checked now; try again")]
    AuthUnavailable,
    /// An administrator has disabled the account.
    #[error("the account is disabled")]
    AccountDisabled,
    /// Only members of the group may do this.
    #[error("only members may do this")]
    NotMember,
    /// The role of the user in the group does not allow it.
    #[error("your role does not allow this")]
    RoleTooLow,
    /// An owner hands the group over, or dismisses it, but does not leave it.
    #[error("the owner cannot leave; transfer or dismiss the group")]
    OwnerCannotLeave,
    /// The user is a member already.
    #[error("already a member")]
    AlreadyMember,
    /// The group takes members by invitation only.
    #[error("the group takes members by invitation only")]
    InvitationOnly,
    /// The group was dismissed.
    #[error("the group was dismissed")]
    GroupDismissed,
    /// The user is muted in the group.
    #[error("you are muted in this group")]
    Muted,
    /// Nobody but its owner and administrators may speak in the group.
    #[error("the group is muted")]
    GroupMuted,
    /// The other one has blocked this user.
    #[error("the user does not take messages from you")]
    Blocked,
    /// This user has blocked the other one.
    #[error("you have blocked the user")]
    Blocking,
    /// Only friends may do this.
    #[error("only friends may do this")]
    NotFriends,
    /// They are friends already.
    #[error("already friends")]
    AlreadyFriends,
    /// What makes no sense with oneself.
    #[error("this cannot be done with oneself")]
    Oneself,
    /// Only the sender may do this, or an administrator.
    #[error("only the sender may do this")]
    NotSender,
    /// The message was recalled before.
    #[error("the message was recalled already")]
    AlreadyRecalled,
    /// The time in which a message may be recalled is over.
    #[error("too late to recall the message")]
    RecallTooLate,
    /// A client id that was used for a message to somebody else.
    #[error("the client_id names another message")]
    ClientIdTaken,
    /// A value that is outside what is allowed.
    #[error("{0}")]
    Invalid(&'static str),
    /// A bound is reached.
    #[error("{0}")]
    LimitReached(&'static str),
    /// Too much is waiting to be done.
    #[error("the server is busy; try again")]
    Busy,
    /// The store cannot be written to or read from: disk full, read-only, failing.
    #[error("the store is unavailable; nothing was changed")]
    Unavailable,
    /// A fault of ours.
    #[error("the server failed; nothing was changed")]
    Internal,
}

impl Refusal {
    /// What a program is told.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::UserUnknown
            | Self::GroupUnknown
            | Self::ConversationUnknown
            | Self::MessageUnknown
            | Self::RequestUnknown
            | Self::PositionUnknown
            | Self::VerificationUnknown
            | Self::AttachmentUnknown => ErrorCode::NotFound,
            Self::NameTaken
            | Self::AlreadyMember
            | Self::AlreadyFriends
            | Self::AlreadyRecalled
            | Self::AlreadyVerified
            | Self::ClientIdTaken
            | Self::GroupDismissed => ErrorCode::Conflict,
            Self::WrongPassword | Self::TokenInvalid => ErrorCode::Unauthenticated,
            Self::RegistrationOff
            | Self::AccountDisabled
            | Self::NotMember
            | Self::RoleTooLow
            | Self::OwnerCannotLeave
            | Self::InvitationOnly
            | Self::Muted
            | Self::GroupMuted
            | Self::Blocked
            | Self::Blocking
            | Self::NotFriends
            | Self::NotSender
            | Self::NotOwner
            | Self::RecallTooLate => ErrorCode::Forbidden,
            Self::Oneself | Self::Invalid(_) => ErrorCode::InvalidValue,
            Self::TooManyAttempts => ErrorCode::RateLimited,
            Self::LimitReached(_) => ErrorCode::LimitReached,
            Self::Busy => ErrorCode::Busy,
            Self::AuthUnavailable | Self::Unavailable => ErrorCode::Unavailable,
            Self::Internal => ErrorCode::Internal,
        }
    }
}
