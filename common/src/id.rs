//! Identifiers, packed into words.
//!
//! ```text
//! ConnId, SessionId   | reactor 10 | generation 30 | slot 24 |
//! ```

use std::fmt;

const SLOT_BITS: u32 = 24;
const GENERATION_BITS: u32 = 30;
const REACTOR_BITS: u32 = 10;
const _: () = assert!(SLOT_BITS + GENERATION_BITS + REACTOR_BITS == u64::BITS);

/// Most reactors that a node can have.
pub const REACTORS_MAX: usize = 1 << REACTOR_BITS;
/// Most connections that one reactor can hold.
pub const SLOTS_MAX: usize = 1 << SLOT_BITS;
/// Generations run from 0 to this and then start again.
pub const GENERATION_MAX: u32 = (1 << GENERATION_BITS) - 1;

/// One connection, unique in the process: its reactor, its slot in that reactor's table, and the
/// generation that tells it from earlier users of the slot. A stale id finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(u64);

impl ConnId {
    /// Packs the three parts.
    ///
    /// # Panics
    /// If a part is beyond its bits.
    #[inline]
    #[must_use]
    pub const fn new(reactor: u16, slot: u32, generation: u32) -> Self {
        assert!((reactor as usize) < REACTORS_MAX);
        assert!((slot as usize) < SLOTS_MAX);
        assert!(generation <= GENERATION_MAX);
        Self(
            ((reactor as u64) << (SLOT_BITS + GENERATION_BITS))
                | ((generation as u64) << SLOT_BITS)
                | slot as u64,
        )
    }

    /// Index of the reactor that owns the connection.
    #[inline]
    #[must_use]
    pub const fn reactor(self) -> u16 {
        (self.0 >> (SLOT_BITS + GENERATION_BITS)) as u16
    }

    /// Position in that reactor's table.
    #[inline]
    #[must_use]
    pub const fn slot(self) -> u32 {
        (self.0 as u32) & (SLOTS_MAX as u32 - 1)
    }

    /// Count that tells this user of the slot from the ones before.
    #[inline]
    #[must_use]
    pub const fn generation(self) -> u32 {
        ((self.0 >> SLOT_BITS) as u32) & GENERATION_MAX
    }

    /// The packed word.
    #[inline]
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The id that [`ConnId::as_u64`] gave.
    #[inline]
    #[must_use]
    pub const fn from_u64(word: u64) -> Self {
        Self(word)
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            self.reactor(),
            self.slot(),
            self.generation()
        )
    }
}

/// The gate's view of a connection. It lives exactly as long as its connection and has the same
/// number.
pub type SessionId = ConnId;

/// A set of sessions that get a publish. Modules choose the numbers; the highest is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(pub u64);

impl TopicId {
    /// The topic that holds every open session; nobody subscribes to it or leaves it.
    pub const ALL: Self = Self(u64::MAX);
}

/// A user, as the instant-messaging modules number them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub u64);

/// A durable set of users with roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_as_they_went_in() {
        for (reactor, slot, generation) in [
            (0, 0, 0),
            (
                REACTORS_MAX as u16 - 1,
                SLOTS_MAX as u32 - 1,
                GENERATION_MAX,
            ),
            (53, 18_518, 1_000_000),
        ] {
            let id = ConnId::new(reactor, slot, generation);
            assert_eq!(
                (id.reactor(), id.slot(), id.generation()),
                (reactor, slot, generation)
            );
            assert_eq!(ConnId::from_u64(id.as_u64()), id);
        }
    }
}
