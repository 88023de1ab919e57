//! What the body of a message is.

/// What a body is; the server does not look into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
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
    /// Messages put together and sent on.
    Merged,
    /// Text that refers to an earlier message.
    Quote,
    /// Text that calls somebody.
    Mention,
    /// A user, recommended.
    Card,
    /// A sticker.
    Face,
    /// Something that an operator announces.
    Announcement,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::Text,
        Self::Picture,
        Self::Voice,
        Self::Video,
        Self::Location,
        Self::File,
        Self::Prompt,
        Self::Custom,
        Self::Merged,
        Self::Quote,
        Self::Mention,
        Self::Card,
        Self::Face,
        Self::Announcement,
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
            Self::Merged => "merged",
            Self::Quote => "quote",
            Self::Mention => "mention",
            Self::Card => "card",
            Self::Face => "face",
            Self::Announcement => "announcement",
        }
    }

    /// The number by which it is kept; it never changes its meaning.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of this number.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether its body is text that people read, and look for.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text | Self::Quote | Self::Mention | Self::Announcement
        )
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back_to_their_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.as_str()), Some(kind));
            assert_eq!(Kind::numbered(kind.number()), Some(kind));
        }
        assert_eq!(Kind::numbered(Kind::ALL.len() as u8), None);
    }
}
