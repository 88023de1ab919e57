//! Who makes a call.

use common::{SessionId, UserId};

use crate::account::TokenId;
use crate::im::Login;

/// Who makes a call, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user; 0, which is nobody's number, for who is not logged in and for administrators.
    pub user: UserId,
    /// The login that they have shown a token of.
    pub token: Option<TokenId>,
    /// The session that has the reply, and needs no push beside it.
    pub origin: Option<SessionId>,
}

impl Caller {
    /// Somebody who is not logged in, or who is no user.
    pub const NOBODY: Self = Self {
        user: UserId(0),
        token: None,
        origin: None,
    };

    /// A session in which a user is logged in.
    #[must_use]
    pub fn of(login: &Login) -> Self {
        Self {
            user: login.user.id,
            token: login.token,
            origin: Some(login.seat.session),
        }
    }
}
