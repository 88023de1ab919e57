//! Where users are online, and when they were last seen.

use std::sync::Arc;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::Number;
use super::output::UserOut;
use crate::im::Im;
use crate::presence::{Platform, UserPresence};

/// Looks for some users.
pub(super) struct Get;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "PresenceQuery")]
pub(super) struct GetIn {
    /// Whom: 1 to 500.
    #[garde(length(min = 1, max = 500))]
    #[schemars(length(min = 1, max = 500))]
    users: Vec<Number>,
}

/// When a user was last seen on a platform.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LastSeen")]
struct SeenOut {
    platform: &'static str,
    /// When, in milliseconds since 1970.
    time: u64,
}

impl From<(Platform, u64)> for SeenOut {
    fn from((platform, time): (Platform, u64)) -> Self {
        Self {
            platform: platform.as_str(),
            time,
        }
    }
}

/// Where a user is online, and when they were seen elsewhere.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Presence")]
struct PresenceOut {
    #[serde(flatten)]
    user: UserOut<'static>,
    /// The platforms on which they are online.
    platforms: Vec<&'static str>,
    /// The others on which they were.
    last_seen: Vec<SeenOut>,
}

impl From<UserPresence> for PresenceOut {
    fn from(presence: UserPresence) -> Self {
        let online = presence.online.into_iter();
        Self {
            user: presence.user.into(),
            platforms: online.map(Platform::as_str).collect(),
            last_seen: presence.last_seen.into_iter().map(SeenOut::from).collect(),
        }
    }
}

/// The presence of the users asked for, in that order; those that are unknown are left out.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Presences")]
pub(super) struct GetOut {
    users: Vec<PresenceOut>,
}

impl From<Vec<UserPresence>> for GetOut {
    fn from(users: Vec<UserPresence>) -> Self {
        Self {
            users: users.into_iter().map(PresenceOut::from).collect(),
        }
    }
}

impl Call for Get {
    const OP: &'static str = "presence.get";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/presence";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Where users are online, and when they were last seen elsewhere";
    type In = GetIn;
    type Out = GetOut;

    fn perform(input: GetIn, caller: &Caller, im: &Arc<Im>, answer: Answer<GetOut>) {
        let users = input.users.into_iter().map(Number::user).collect();
        im.presence(Some(caller.user), users, answer.with(GetOut::from));
    }
}
