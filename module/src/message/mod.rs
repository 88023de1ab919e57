//! Conversations and what is said in them.

use std::fmt;

use common::{GroupId, UserId};

use crate::account::User;

/// Longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Longest client id, in bytes.
pub const CLIENT_ID_BYTES_MAX: usize = 64;

/// Where messages are numbered: between two users, in a group, or among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conversation {
    /// Everyone who is online.
    All,
    /// Two users, the lower id first; or one with themselves.
    Direct(UserId, UserId),
    /// The members of a group.
    Group(GroupId),
}

impl Conversation {
    /// The conversation of two users, whichever of them asks.
    #[must_use]
    pub fn between(a: UserId, b: UserId) -> Self {
        Self::Direct(a.min(b), a.max(b))
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Direct(a, b) => write!(f, "d:{}:{}", a.0, b.0),
            Self::Group(group) => write!(f, "g:{}", group.0),
        }
    }
}

/// What a body is; the server does not look into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Text for people.
    #[default]
    Text,
    /// The address of a picture.
    Picture,
    /// The address of a voice recording.
    Voice,
    /// The address of a video.
    Video,
    /// A place.
    Location,
    /// The address of a file.
    File,
    /// A notice.
    Prompt,
    /// Whatever the application makes of it.
    Custom,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Text,
        Self::Picture,
        Self::Voice,
        Self::Video,
        Self::Location,
        Self::File,
        Self::Prompt,
        Self::Custom,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Picture => "picture",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::Location => "location",
            Self::File => "file",
            Self::Prompt => "prompt",
            Self::Custom => "custom",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A message that somebody wants to send.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the body is.
    pub kind: Kind,
    /// The body.
    pub body: String,
    /// The sender's own name for the message; sending it again gives the first result.
    pub client_id: Option<String>,
}

/// Where a message found its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The conversation.
    pub conversation: Conversation,
    /// Its number there, from 1 without gaps.
    pub seq: u64,
    /// Its number among all messages of the server.
    pub message: u64,
    /// Milliseconds since 1970.
    pub time_ms: u64,
}

/// A message on its way to those who are to have it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its place.
    pub receipt: Receipt,
    /// Who said it.
    pub from: User,
    /// What was said.
    pub draft: Draft,
}
