//! What a client may be told.

use std::fmt;

/// The code of an error reply: stable across releases, so that clients can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request does not parse, or a field is missing or has the wrong type.
    BadRequest,
    /// No such operation.
    UnknownOp,
    /// A value is outside what is allowed.
    InvalidValue,
    /// The operation needs a login.
    Unauthenticated,
    /// The session is logged in already.
    AlreadyLoggedIn,
    /// The user may not do this.
    Forbidden,
    /// No such user, group or message.
    NotFound,
    /// It exists already.
    Conflict,
    /// The recipient is not online and nothing keeps the message.
    Offline,
    /// Too many requests; try later.
    RateLimited,
    /// A bound of the node or of the object is reached.
    LimitReached,
    /// More is waiting than the node takes on; nothing was changed, and trying again makes sense.
    Busy,
    /// The store cannot be reached or written to; nothing was changed.
    Unavailable,
    /// The node failed; nothing was changed.
    Internal,
}

impl ErrorCode {
    /// The code as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::UnknownOp => "unknown_op",
            Self::InvalidValue => "invalid_value",
            Self::Unauthenticated => "unauthenticated",
            Self::AlreadyLoggedIn => "already_logged_in",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Offline => "offline",
            Self::RateLimited => "rate_limited",
            Self::LimitReached => "limit_reached",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
