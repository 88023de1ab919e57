//! What comes in, where several calls take the same.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use common::{GroupId, UserId};
use garde::Validate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::im::PAGE_MAX;
use crate::message::Conversation;

/// Entries of a page if the client does not say how many.
const PAGE_DEFAULT: usize = 100;
/// The largest integer that every client can read: that of a double without gaps.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// An id or a seq.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) u64);

impl Number {
    pub(crate) const fn user(self) -> UserId {
        UserId(self.0)
    }

    pub(super) const fn group(self) -> GroupId {
        GroupId(self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            number if number <= NUMBER_MAX => Ok(Self(number)),
            number => Err(D::Error::custom(format_args!(
                "{number} is beyond 9007199254740991"
            ))),
        }
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": NUMBER_MAX })
    }
}

impl JsonSchema for Conversation {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Conversation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(all|[gs]:(0|[1-9][0-9]{0,14})|d:(0|[1-9][0-9]{0,14}):(0|[1-9][0-9]{0,14}))$",
            "examples": ["d:3:7", "g:5"],
        })
    }
}

/// A `T` from an object. What serde derives for structs takes lists of their members, too, which
/// would be another protocol beside the one that is described.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// As [`Object`], for a member.
pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Members<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }

    deserializer.deserialize_map(Members(PhantomData))
}

/// Nothing.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
pub(super) struct Nothing {}

/// How many entries a page has.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Validate)]
#[serde(transparent)]
#[schemars(inline)]
#[garde(transparent)]
pub(super) struct Limit(#[garde(range(min = 1, max = PAGE_MAX))] Option<usize>);

impl Limit {
    pub(super) fn get(self) -> usize {
        self.0.unwrap_or(PAGE_DEFAULT)
    }
}

/// A user.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub(super) struct UserIn {
    /// The user.
    pub(super) user: Number,
}

/// A group.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub(super) struct GroupIn {
    /// The group.
    pub(super) group: Number,
}

/// A page of a list that goes by ascending id.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub(super) struct PageIn {
    /// From the first id above this on; `next` of the page before.
    #[serde(default)]
    pub(super) after: Number,
    /// Most entries; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    pub(super) limit: Limit,
}

/// Words to look for.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub(super) struct QueryIn {
    /// Words, or their beginnings.
    #[garde(length(chars, min = 1, max = 100))]
    #[schemars(length(min = 1, max = 100))]
    pub(super) query: String,
    /// Most entries; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    pub(super) limit: Limit,
}
