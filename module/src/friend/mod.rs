//! Who knows whom, and who wants nothing of whom.

use common::{SessionId, UserId};

use crate::account::User;

/// Longest text of a friend request or its answer, in characters.
pub const TEXT_CHARS_MAX: usize = 255;
/// Longest remark on a friend, in characters.
pub const REMARK_CHARS_MAX: usize = 64;

/// Asks somebody to become a friend. Whoever was asked by them becomes their friend at once.
/// Refused: `Oneself`, `UserUnknown`, `AlreadyFriends`, `Blocked`, `Blocking`, `LimitReached`.
#[derive(Clone, Debug)]
pub struct RequestFriend {
    /// Who asks.
    pub from: UserId,
    /// Whom.
    pub to: UserId,
    /// What they say.
    pub text: String,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// How a friend request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// It waits for an answer.
    Waiting,
    /// The other one had asked as well: they are friends now.
    Friends,
}

/// Answers a friend request. Refused: `RequestUnknown`; to accept it, `LimitReached`, and `Blocked`
/// or `Blocking` if one of the two has blocked the other.
#[derive(Clone, Debug)]
pub struct AnswerFriend {
    /// Who had asked.
    pub from: UserId,
    /// Who answers.
    pub to: UserId,
    /// How.
    pub accept: bool,
    /// What they say.
    pub text: String,
    /// The session that answers.
    pub origin: Option<SessionId>,
}

/// Changes what a user notes on a friend. Refused: `NotFriends`.
#[derive(Clone, Debug)]
pub struct SetFriend {
    /// Who.
    pub user: UserId,
    /// On whom.
    pub friend: UserId,
    /// The name that this user gives them; empty for none.
    pub remark: Option<String>,
    /// Whatever the application makes of it.
    pub extra: Option<String>,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Ends a friendship. Refused: `NotFriends`.
#[derive(Clone, Debug)]
pub struct RemoveFriend {
    /// Who.
    pub user: UserId,
    /// Whom.
    pub friend: UserId,
    /// Whether the other one loses this friend too, and is told.
    pub both: bool,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// Blocks a user, whose messages and requests are refused from then on, or no longer does. Refused:
/// `Oneself`, `UserUnknown`, `LimitReached`.
#[derive(Clone, Debug)]
pub struct SetBlock {
    /// Who.
    pub user: UserId,
    /// Whom.
    pub other: UserId,
    /// Which of the two.
    pub blocked: bool,
    /// The session that asks.
    pub origin: Option<SessionId>,
}

/// The friends of a user, by ascending id.
#[derive(Clone, Debug)]
pub struct ListFriends {
    /// Whose.
    pub user: UserId,
    /// From the first id above this on.
    pub after: UserId,
    /// Most to give.
    pub limit: usize,
}

/// A friend, as a user has noted them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friend {
    /// Who.
    pub user: User,
    /// The address of their picture, or empty.
    pub picture: String,
    /// The name that the user gives them, or empty.
    pub remark: String,
    /// Whatever the application makes of it.
    pub extra: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

/// Part of a list of friends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendPage {
    /// The friends.
    pub friends: Vec<Friend>,
    /// How many there are in all.
    pub total: u64,
    /// Whether the list goes on.
    pub more: bool,
}

/// The requests to a user, or those that they have made; by the other's ascending id.
#[derive(Clone, Debug)]
pub struct ListRequests {
    /// Whose.
    pub user: UserId,
    /// Made by the user, not to them.
    pub made: bool,
    /// From the first id above this on.
    pub after: UserId,
    /// Most to give.
    pub limit: usize,
}

/// How far a request or an application has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// It waits for an answer.
    Open,
    /// It was granted.
    Accepted,
    /// It was not.
    Refused,
}

/// A friend request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendRequest {
    /// Who asks.
    pub from: User,
    /// Whom.
    pub to: User,
    /// What they say.
    pub text: String,
    /// What the answer said.
    pub answer: String,
    /// How far it has come.
    pub state: RequestState,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it was answered; 0 if it was not.
    pub handled_ms: u64,
}

/// Whom a user has blocked, by ascending id.
#[derive(Clone, Debug)]
pub struct ListBlocks {
    /// Who.
    pub user: UserId,
    /// From the first id above this on.
    pub after: UserId,
    /// Most to give.
    pub limit: usize,
}

/// Those of some users who have blocked a user, in the order asked for.
#[derive(Clone, Debug)]
pub struct FindBlockers {
    /// Whom they have blocked.
    pub blocked: UserId,
    /// Who may have.
    pub among: Vec<UserId>,
}
