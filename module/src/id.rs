//! Ids as numbers, in what is kept as JSON.

use common::{GroupId, UserId};
use serde::{Deserialize, Deserializer, Serializer};

/// An id that is a number.
pub(crate) trait Id: Copy {
    fn number(self) -> u64;
    fn from_number(number: u64) -> Self;
}

impl Id for UserId {
    fn number(self) -> u64 {
        self.0
    }

    fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl Id for GroupId {
    fn number(self) -> u64 {
        self.0
    }

    fn from_number(number: u64) -> Self {
        Self(number)
    }
}

pub(crate) fn serialize<I: Id, S: Serializer>(id: &I, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(id.number())
}

pub(crate) fn deserialize<'de, I: Id, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<I, D::Error> {
    u64::deserialize(deserializer).map(I::from_number)
}
