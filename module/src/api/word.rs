//! Values that have names on the wire.

use std::borrow::Cow;

use garde::Validate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::friend::RequestState;
use crate::group::{Joining, Role};
use crate::message::Kind;
use crate::presence::Platform;

/// One of a few values, each of which has a name on the wire.
pub(crate) trait Named: Copy + PartialEq + 'static {
    /// What they are, in the schema.
    const TITLE: &'static str;
    /// All values with their names.
    const NAMES: &'static [(Self, &'static str)];
}

/// A value by its name. A name that is none is told as a bad value, and not as one of the wrong
/// type: newer clients may know more of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word<T>(Result<T, NoSuchName>);

/// There is no value of this name.
#[derive(Clone, Copy, Debug)]
struct NoSuchName;

impl<T: Default> Default for Word<T> {
    fn default() -> Self {
        Self(Ok(T::default()))
    }
}

impl<T: Named> Word<T> {
    /// The value, of a word that was validated.
    pub(super) fn get(self) -> T {
        self.0.expect("inputs are validated before they are used")
    }
}

impl<T> From<T> for Word<T> {
    fn from(value: T) -> Self {
        Self(Ok(value))
    }
}

impl<'de, T: Named> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'_, str>::deserialize(deserializer)?;
        let found = T::NAMES.iter().find(|(_, known)| *known == name);
        Ok(Self(found.map(|(value, _)| *value).ok_or(NoSuchName)))
    }
}

impl<T: Named> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_own = |(value, _): &&(T, &str)| self.0.is_ok_and(|own| own == *value);
        let name = T::NAMES.iter().find(is_own);
        serializer.serialize_str(name.map_or("", |(_, name)| name))
    }
}

impl<T: Named> Validate for Word<T> {
    type Context = ();

    fn validate_into(
        &self,
        (): &(),
        parent: &mut dyn FnMut() -> garde::Path,
        report: &mut garde::Report,
    ) {
        if self.0.is_err() {
            let names: Vec<_> = T::NAMES.iter().map(|(_, name)| *name).collect();
            let error = garde::Error::new(format_args!("is one of {}", names.join(", ")));
            report.append(parent(), error);
        }
    }
}

impl<T: Named> JsonSchema for Word<T> {
    fn schema_name() -> Cow<'static, str> {
        T::TITLE.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = T::NAMES.iter().map(|(_, name)| *name).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

impl Named for Kind {
    const TITLE: &'static str = "Kind";
    const NAMES: &'static [(Self, &'static str)] = &{
        let mut names = [(Self::Text, ""); Self::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = (Self::ALL[at], Self::ALL[at].as_str());
            at += 1;
        }
        names
    };
}

impl Named for Platform {
    const TITLE: &'static str = "Platform";
    const NAMES: &'static [(Self, &'static str)] = &{
        let mut names = [(Self::Web, ""); Self::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = (Self::ALL[at], Self::ALL[at].as_str());
            at += 1;
        }
        names
    };
}

impl Named for Role {
    const TITLE: &'static str = "Role";
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Member, "member"),
        (Self::Administrator, "administrator"),
        (Self::Owner, "owner"),
    ];
}

impl Named for RequestState {
    const TITLE: &'static str = "RequestStateName";
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Open, "open"),
        (Self::Accepted, "accepted"),
        (Self::Refused, "refused"),
    ];
}

impl Named for Joining {
    const TITLE: &'static str = "Joining";
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Open, "open"),
        (Self::Application, "application"),
        (Self::Approval, "approval"),
        (Self::Invitation, "invitation"),
    ];
}
