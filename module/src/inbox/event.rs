//! What a commit has brought about.

use common::{GroupId, SessionId, UserId};

use super::Notice;
use crate::account::{Credential, TokenId, User};
use crate::message::{Conversation, Message};

/// Something that is committed, and who is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub happening: Happening,
    /// Whom.
    pub audience: Audience,
    /// Its number among the changes of a conversation that stands in no inbox, if it is one.
    pub change: Option<u64>,
    /// The session that asked for it, which has the reply instead.
    pub origin: Option<SessionId>,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A message has found its place.
    Message(Message),
    /// Something else that concerns people.
    Notice(Notice),
    /// Something that is true for a moment. In no inbox.
    Signal {
        /// Where.
        conversation: Conversation,
        /// Who tells it.
        from: User,
        /// What.
        body: String,
    },
    /// Sessions of a user have ended; their connections are to be closed. In no inbox.
    SessionsEnded {
        /// Whose.
        user: UserId,
        /// Their tokens.
        tokens: Vec<TokenId>,
        /// Why.
        why: SessionEnd,
    },
    /// A session of a user goes on with another token. In no inbox.
    SessionRenewed {
        /// Whose.
        user: UserId,
        /// The token that is good no longer.
        old: TokenId,
        /// What it goes on with.
        new: Credential,
    },
    /// A friend has blocked a user no longer, whose sessions may hear of them again. In no inbox.
    FriendUnblocked {
        /// Who hears.
        user: UserId,
        /// Of whom.
        friend: UserId,
    },
    /// A user's sessions begin or cease to hear a group's channel. Comes before the notice of a
    /// join and after that of a leave; in no inbox.
    ChannelMember {
        /// The group.
        group: GroupId,
        /// Who.
        user: UserId,
        /// Begin or cease.
        hears: bool,
    },
    /// A group has become a channel: its members' sessions begin to hear it. In no inbox.
    ChannelOpened {
        /// The group.
        group: GroupId,
        /// Its members.
        members: Vec<UserId>,
    },
}

/// Why a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// A login elsewhere has taken its place.
    LoggedInElsewhere,
    /// The user, or an administrator, has ended it.
    Revoked,
    /// The password was changed.
    PasswordChanged,
    /// The account was disabled.
    Disabled,
    /// Its token has expired.
    Expired,
}

impl SessionEnd {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoggedInElsewhere => "logged_in_elsewhere",
            Self::Revoked => "logged_out",
            Self::PasswordChanged => "password_changed",
            Self::Disabled => "disabled",
            Self::Expired => "token_expired",
        }
    }

    /// What a person can read.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::LoggedInElsewhere => "logged in elsewhere",
            Self::Revoked => "logged out",
            Self::PasswordChanged => "the password was changed",
            Self::Disabled => "the account was disabled",
            Self::Expired => "the token has expired",
        }
    }
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// These users, in whose inboxes it has these numbers.
    Inboxes(Vec<(UserId, u64)>),
    /// These users, as far as they are online.
    Users(Vec<UserId>),
    /// The members of a channel who are online.
    Channel(GroupId),
    /// Everyone who is online.
    Everyone,
    /// Nobody; it is for the server itself.
    Nobody,
}
