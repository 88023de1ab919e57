//! What becomes of messages to a peer that reads too slowly.

use crate::conn::runs::RunKind;

/// What happens when an outbox has no room for a message.
///
/// Messages under [`Overflow::DropOldest`] and [`Overflow::Latest`] may be dropped while they wait;
/// before a connection is closed for a message that must come through, these make room for it. A
/// frame of which a part is on the wire already is never dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The connection is closed as a slow consumer: its client comes back and catches up.
    #[default]
    Close,
    /// This message is dropped.
    DropNewest,
    /// The oldest waiting messages that may be dropped make room, an eighth of the outbox at a
    /// time.
    DropOldest,
    /// Of the waiting messages of each key only the latest is kept; then as with `DropOldest`.
    Latest,
}

/// How one message is to be treated if its receiver reads too slowly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// What happens without room for it; `None` for what the profile says.
    pub overflow: Option<Overflow>,
    /// The messages of one session that stand for the same thing (a quote, a position), where
    /// [`Overflow::Latest`] keeps the latest of each.
    pub key: u64,
}

impl Overflow {
    /// Whether a message under this policy may be dropped while it waits.
    #[inline]
    pub(crate) const fn drops_waiting(self) -> bool {
        matches!(self, Self::DropOldest | Self::Latest)
    }

    /// What a message under this policy is while it waits.
    pub(crate) const fn run_kind(self, key: u64) -> RunKind {
        match self {
            Self::Close | Self::DropNewest => RunKind::Fixed,
            Self::DropOldest => RunKind::Free,
            Self::Latest => RunKind::Keyed(key),
        }
    }
}

/// Messages to one connection that were dropped in one turn, by what they were dropped for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// They came and found no room.
    pub newest: u32,
    /// They were the oldest that waited.
    pub oldest: u32,
    /// A later one of the same key came.
    pub superseded: u32,
}
