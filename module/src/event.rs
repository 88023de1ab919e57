//! What sessions are told, and in how many languages.

use common::{GroupId, TopicId};
use gate::Message;

use crate::account::User;
use crate::message::Delivery;

/// Something that happened, for those whom it concerns.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message was sent.
    Message(Delivery),
    /// A user came online or went.
    Presence {
        /// Who.
        user: User,
        /// Which of the two.
        online: bool,
    },
    /// A user has joined a group.
    GroupJoined {
        /// The group.
        group: GroupId,
        /// Who.
        user: User,
    },
    /// A user has left a group.
    GroupLeft {
        /// The group.
        group: GroupId,
        /// Who.
        user: User,
    },
    /// The session is about to be closed: the user has logged in elsewhere.
    Kicked,
}

/// A wire protocol, as the IM knows it: how to say an event in it. An event is encoded once for
/// each protocol in use, not for each receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol(u8);

impl Protocol {
    /// The native JSON protocol.
    pub const NATIVE: Self = Self(0);

    /// Every protocol; an adapter adds its own here and in [`Protocol::encode`].
    pub const ALL: [Self; 1] = [Self::NATIVE];

    /// The event in this protocol.
    #[must_use]
    pub fn encode(self, event: &Event) -> Message {
        match self {
            Self::NATIVE => crate::adapter::native::encode_push(event),
            Self(other) => unreachable!("protocol {other} is not in Protocol::ALL"),
        }
    }
}

/// A set of sessions to which events are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everyone who is logged in.
    Everyone,
    /// Those who asked who comes and goes.
    PresenceWatchers,
    /// The members of a group who are online.
    Group(GroupId),
}

impl Audience {
    /// The topic of the part of the audience that speaks `protocol`.
    ///
    /// ```text
    /// | audience 8 | protocol 8 | group 48 |
    /// ```
    #[must_use]
    pub const fn topic(self, protocol: Protocol) -> TopicId {
        let (kind, number) = match self {
            Self::Everyone => (1, 0),
            Self::PresenceWatchers => (2, 0),
            Self::Group(group) => (3, group.0),
        };
        TopicId(kind << 56 | (protocol.0 as u64) << 48 | number)
    }
}
