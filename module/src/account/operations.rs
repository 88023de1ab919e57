//! What the store can be asked about accounts.

use common::{GroupId, UserId};

use super::{TokenId, User};
use crate::presence::Platform;

/// Makes an account with a password. Refused: `NameTaken`, `LimitReached`.
#[derive(Clone, Debug)]
pub struct Register {
    /// The name to log in with, checked.
    pub name: String,
    /// The name that others see, checked.
    pub nickname: String,
    /// The hash of the password, in the PHC form.
    pub password: String,
}

/// A user comes online: what their sessions are to hear from now on. Its outcome comes in the order
/// of the commits, so that nothing is missed between it and the first event. Refused:
/// `UserUnknown`, `AccountDisabled`, `TokenInvalid` if the session has ended.
#[derive(Clone, Debug)]
pub struct Enter {
    /// Who.
    pub user: UserId,
    /// The session that they have shown a token of, if it is one that is kept.
    pub session: Option<TokenId>,
}

/// Who has come online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Who.
    pub user: User,
    /// The channels that they are a member of.
    pub channels: Vec<GroupId>,
    /// The last number of their inbox.
    pub inbox: u64,
}

/// The guest of this name comes online, made if there is none; as [`Enter`]. Refused: `NameTaken`
/// if it is the name of an account, `AccountDisabled`, `LimitReached`.
#[derive(Clone, Debug)]
pub struct EnterGuest {
    /// The name, checked.
    pub name: String,
}

/// The user whom the operator's backend calls so, made if there is none. Refused: `NameTaken` if it
/// is the name of an account of ours, `AccountDisabled`, `LimitReached`.
#[derive(Clone, Debug)]
pub struct EnterExternal {
    /// The name in the backend, checked.
    pub name: String,
    /// The name that others see, if the backend says one.
    pub nickname: Option<String>,
}

/// Which sessions may be open side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginPolicy {
    /// One on each platform.
    #[default]
    PerPlatform,
    /// One in all.
    Single,
    /// Any number, up to a limit.
    Unlimited,
}

/// Opens a session for a token, and ends those that the policy does not allow beside it. Refused:
/// `UserUnknown`, `AccountDisabled`, `WrongPassword` if the password has been changed since it was
/// checked.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// Who.
    pub user: UserId,
    /// The token.
    pub token: TokenId,
    /// Where from.
    pub platform: Platform,
    /// Until when it is good, in milliseconds since 1970.
    pub expires_ms: u64,
    /// What may be open beside it.
    pub policy: LoginPolicy,
    /// The hash that the password was checked against; who renews a token has shown none.
    pub password: Option<String>,
    /// The session that it takes the place of, when a token is renewed.
    pub replaces: Option<TokenId>,
}

/// A choice among the sessions of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of one token.
    One(TokenId),
    /// All but that of one token.
    AllBut(TokenId),
    /// All.
    All,
}

/// Ends sessions; gives their number.
#[derive(Clone, Debug)]
pub struct CloseSessions {
    /// Of whom.
    pub user: UserId,
    /// Which.
    pub which: Whose,
}

/// Changes the password, and ends all sessions but one. Refused: `UserUnknown`, `WrongPassword` if
/// the password has been changed since it was checked.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// Of whom.
    pub user: UserId,
    /// The hash that the old password was checked against; an administrator needs none.
    pub old: Option<String>,
    /// The hash of the new one.
    pub new: String,
    /// The session that goes on.
    pub keep: Option<TokenId>,
}

/// Changes what is given, and leaves the rest. Refused: `UserUnknown`.
#[derive(Clone, Debug)]
pub struct SetProfile {
    /// Of whom.
    pub user: UserId,
    /// The name that others see, checked.
    pub nickname: Option<String>,
    /// Address of a picture.
    pub picture: Option<String>,
    /// What they say about themselves.
    pub signature: Option<String>,
    /// Whatever the application makes of it.
    pub extra: Option<String>,
}

/// Locks a user out and ends their sessions, or lets them in again. Refused: `UserUnknown`.
#[derive(Clone, Debug)]
pub struct SetDisabled {
    /// Whom.
    pub user: UserId,
    /// Out or in.
    pub disabled: bool,
}

/// What a login with a password is checked against. Refused: `WrongPassword` if the name has none.
#[derive(Clone, Debug)]
pub struct FindCredentials {
    /// The name, whatever its case.
    pub name: String,
}

/// Whose session a token stands for. Refused: `TokenInvalid`, `AccountDisabled`.
#[derive(Clone, Debug)]
pub struct FindSession {
    /// Whom the token names.
    pub user: UserId,
    /// The token.
    pub token: TokenId,
}

/// All about one user. Refused: `UserUnknown`.
#[derive(Clone, Debug)]
pub struct FindAccount {
    /// Whom.
    pub user: UserId,
}

/// Users by id; those that are unknown are left out.
#[derive(Clone, Debug)]
pub struct FindUsers {
    /// Whom.
    pub users: Vec<UserId>,
}

/// Users whose name or nickname has words that begin like those of the query.
#[derive(Clone, Debug)]
pub struct SearchUsers {
    /// What to look for.
    pub query: String,
    /// Most to find.
    pub limit: usize,
}

/// The sessions of a user that have not expired.
#[derive(Clone, Debug)]
pub struct ListSessions {
    /// Of whom.
    pub user: UserId,
}

/// Accounts by ascending id, for administrators: those that are disabled are among them.
#[derive(Clone, Debug)]
pub struct ListAccounts {
    /// Those whose name or nickname has words that begin like these; none for all.
    pub query: Option<String>,
    /// From the first id above this on.
    pub after: UserId,
    /// Most to give.
    pub limit: usize,
}
