//! What the store can be asked about presence.

use common::UserId;

use super::Platform;
use crate::account::User;

/// Notes when users were seen. What is older than what is known changes nothing.
#[derive(Clone, Debug)]
pub struct NoteSeen {
    /// Who, where, and when in milliseconds since 1970.
    pub seen: Vec<(UserId, Platform, u64)>,
}

/// When users were last seen, in the order asked for; those that are unknown are left out.
#[derive(Clone, Debug)]
pub struct FindLastSeen {
    /// Who asks; none for the operator. Whoever has blocked them is told of as hidden.
    pub viewer: Option<UserId>,
    /// Whom.
    pub users: Vec<UserId>,
}

/// When a user was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSeen {
    /// Who.
    pub user: User,
    /// The one who asks is not to know.
    pub hidden: bool,
    /// Where, and when in milliseconds since 1970.
    pub seen: Vec<(Platform, u64)>,
}

/// Whose presence a user may hear of, among those that they want to. Changes nothing; its outcome
/// comes in the order of the commits, so that no friend is missed between it and the first event.
#[derive(Clone, Debug)]
pub struct FindWatched {
    /// Who wants to hear.
    pub user: UserId,
    /// Of their friends.
    pub friends: bool,
    /// Of these users.
    pub users: Vec<UserId>,
    /// Of everyone.
    pub everyone: bool,
}

/// Whose presence a user may hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Friends, each of whom has the user for a friend as well.
    pub friends: Vec<UserId>,
    /// Of those that were named, the ones who have not blocked the user.
    pub users: Vec<UserId>,
    /// Of everyone, those who have; one more than [`WATCHED_MAX`](super::WATCHED_MAX) at most.
    pub blockers: Vec<UserId>,
}
