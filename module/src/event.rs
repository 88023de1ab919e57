//! What sessions are told, and in how many languages.

use common::{GroupId, TopicId};
use gate::Message;

use crate::account::User;
use crate::inbox::{Notice, SessionEnd};
use crate::message::{Conversation, Message as ImMessage};

/// Something that happened, for those whom it concerns.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message was sent.
    Message(ImMessage),
    /// A user came online or went.
    Presence {
        /// Who.
        user: User,
        /// Which of the two.
        online: bool,
    },
    /// Something else has happened that stands in an inbox, or is told to a channel.
    Notice(Notice),
    /// Something that is true for a moment.
    Signal {
        /// Where.
        conversation: Conversation,
        /// Who tells it.
        from: User,
        /// What.
        body: String,
    },
    /// The session is about to be closed.
    Kicked(SessionEnd),
}

/// Where somebody who was away finds an event, and under which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In their inbox.
    Inbox(u64),
    /// Among the changes of its conversation, which stands in no inbox.
    Changes(u64),
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

    /// The event in this protocol, with the number under which the receiver finds it again; none if
    /// the protocol has no word for it.
    #[must_use]
    pub fn encode(self, event: &Event, kept: Option<Kept>) -> Option<Message> {
        match self {
            Self::NATIVE => crate::adapter::native::encode_push(event, kept),
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
    /// The members of a channel who are online.
    Channel(GroupId),
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
            Self::Channel(group) => (3, group.0),
        };
        TopicId(kind << 56 | (protocol.0 as u64) << 48 | number)
    }
}
