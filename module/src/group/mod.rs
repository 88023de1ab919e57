//! Durable sets of users.

use common::GroupId;

/// Longest name of a group, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// A group as its members see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The number.
    pub id: GroupId,
    /// The name.
    pub name: String,
    /// How many members it has.
    pub members: usize,
}
