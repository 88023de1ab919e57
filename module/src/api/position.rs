//! Where users are, and who is near.

use std::sync::Arc;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::{Limit, Nothing, Number};
use super::output::{Done, UserOut};
use crate::account::position::{
    self, FindNearby, Nearby, NearbyPage, POSITION_LIFETIME, Position, SetPosition,
};
use crate::im::Im;
use crate::storage::refusal::Refusal;

/// Tells where the user is.
pub(super) struct Set;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[schemars(rename = "SetPosition")]
pub(super) struct SetIn {
    /// Degrees north of the equator.
    #[garde(range(min = -90.0, max = 90.0))]
    #[schemars(range(min = -90.0, max = 90.0))]
    latitude: f64,
    /// Degrees east of Greenwich.
    #[garde(range(min = -180.0, max = 180.0))]
    #[schemars(range(min = -180.0, max = 180.0))]
    longitude: f64,
}

impl Call for Set {
    const OP: &'static str = "position.set";
    const VERB: Verb = Verb::Put;
    const PATH: &'static str = "/position";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Tell where you are: others see how far away, for seven days";
    type In = SetIn;
    type Out = Done;

    fn perform(input: SetIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let Some(position) = Position::new(input.latitude, input.longitude) else {
            return answer.refuse(Refusal::Invalid("there is no such place"));
        };
        let set = SetPosition {
            user: caller.user,
            position: Some(position),
        };
        im.store().change(set, answer.with(Done::from));
    }
}

/// Takes the position away.
pub(super) struct Clear;

impl Call for Clear {
    const OP: &'static str = "position.clear";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/position";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Have nobody know any more where you are";
    type In = Nothing;
    type Out = Done;

    fn perform(_: Nothing, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let clear = SetPosition {
            user: caller.user,
            position: None,
        };
        im.store().change(clear, answer.with(Done::from));
    }
}

/// Who is near.
pub(super) struct Near;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "NearbyQuery")]
pub(super) struct NearIn {
    /// How far around, in metres.
    #[garde(range(min = 1, max = position::RADIUS_M_MAX))]
    #[schemars(range(min = 1, max = 100_000))]
    radius: u32,
    /// Behind those who are so far away: of `next` of the page before.
    #[serde(default)]
    after_distance: Option<u32>,
    /// And, of those, behind this user: of `next` of the page before.
    #[serde(default)]
    after_user: Option<Number>,
    /// Most users; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// A user who is near.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NearbyUser")]
struct NearbyOut {
    #[serde(flatten)]
    user: UserOut<'static>,
    /// The address of their picture.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    picture: String,
    /// How far away, in metres.
    distance: u32,
    /// When they told where they are, in milliseconds since 1970.
    time: u64,
}

impl From<Nearby> for NearbyOut {
    fn from(nearby: Nearby) -> Self {
        Self {
            user: nearby.user.into(),
            picture: nearby.picture,
            distance: nearby.distance_m,
            time: nearby.time_ms,
        }
    }
}

/// Where the next page begins.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NearbyNext")]
struct NextOut {
    after_distance: u32,
    after_user: u64,
}

/// Users who are near, the nearest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NearbyUsers")]
pub(super) struct NearOut {
    users: Vec<NearbyOut>,
    /// What to pass for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<NextOut>,
}

impl From<NearbyPage> for NearOut {
    fn from(page: NearbyPage) -> Self {
        let last = page.users.last().filter(|_| page.more);
        Self {
            next: last.map(|last| NextOut {
                after_distance: last.distance_m,
                after_user: last.user.id.0,
            }),
            users: page.users.into_iter().map(NearbyOut::from).collect(),
        }
    }
}

impl Call for Near {
    const OP: &'static str = "position.nearby";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/nearby";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Users around the position that you have told, the nearest first";
    type In = NearIn;
    type Out = NearOut;

    fn perform(input: NearIn, caller: &Caller, im: &Arc<Im>, answer: Answer<NearOut>) {
        let after_user = input.after_user.unwrap_or_default().user();
        let find = FindNearby {
            user: caller.user,
            radius_m: input.radius,
            since_ms: im
                .time()
                .saturating_sub(POSITION_LIFETIME.as_millis() as u64),
            after: input.after_distance.map(|distance| (distance, after_user)),
            limit: input.limit.get(),
        };
        im.store().look_up(find, answer.with(NearOut::from));
    }
}
