//! What webhooks are asked and told.

use std::fmt;

/// An event of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EventKind {
    /// Asked: may this message be sent?
    MessageBeforeSend,
    /// Asked: may this account be made?
    AccountBeforeRegister,
    /// A message was sent.
    MessageSent,
    /// A message was sent to users who are not online.
    MessageOffline,
    /// A message was taken back.
    MessageRecalled,
    /// A session has logged in.
    SessionLogin,
    /// A session that was logged in is so no longer.
    SessionLogout,
    /// Somebody asks to become a friend.
    FriendRequested,
    /// That was answered.
    FriendAnswered,
    /// A friend was removed.
    FriendRemoved,
    /// A user has become a member.
    GroupJoined,
    /// A user is no member any more.
    GroupLeft,
    /// What is known about a group has changed.
    GroupChanged,
    /// What is known about a member has changed.
    GroupMemberChanged,
    /// A group is no more.
    GroupDismissed,
    /// Somebody asks to become a member.
    GroupApplied,
    /// That was answered.
    GroupAnswered,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::MessageBeforeSend,
        Self::AccountBeforeRegister,
        Self::MessageSent,
        Self::MessageOffline,
        Self::MessageRecalled,
        Self::SessionLogin,
        Self::SessionLogout,
        Self::FriendRequested,
        Self::FriendAnswered,
        Self::FriendRemoved,
        Self::GroupJoined,
        Self::GroupLeft,
        Self::GroupChanged,
        Self::GroupMemberChanged,
        Self::GroupDismissed,
        Self::GroupApplied,
        Self::GroupAnswered,
    ];

    /// The name, as requests and the configuration have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MessageBeforeSend => "message.before_send",
            Self::AccountBeforeRegister => "account.before_register",
            Self::MessageSent => "message.sent",
            Self::MessageOffline => "message.offline",
            Self::MessageRecalled => "message.recalled",
            Self::SessionLogin => "session.login",
            Self::SessionLogout => "session.logout",
            Self::FriendRequested => "friend.requested",
            Self::FriendAnswered => "friend.answered",
            Self::FriendRemoved => "friend.removed",
            Self::GroupJoined => "group.joined",
            Self::GroupLeft => "group.left",
            Self::GroupChanged => "group.changed",
            Self::GroupMemberChanged => "group.member_changed",
            Self::GroupDismissed => "group.dismissed",
            Self::GroupApplied => "group.applied",
            Self::GroupAnswered => "group.answered",
        }
    }

    /// Whether it is asked before something is done, and not told afterwards.
    #[must_use]
    pub const fn is_asked(self) -> bool {
        matches!(self, Self::MessageBeforeSend | Self::AccountBeforeRegister)
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// A set of events.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Events(u32);

/// Text that names no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no event \"{0}\"; events are like \"message.sent\", or \"group.*\" for all that are \
     told of groups"
)]
pub struct NoEvent(String);

impl Events {
    /// The events of these names; `group.*` names all that are told of groups, and none that is
    /// asked.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, NoEvent> {
        let mut events = Self::default();
        for name in names {
            let family = name
                .strip_suffix('*')
                .filter(|family| family.ends_with('.'));
            let named = |kind: &EventKind| match family {
                Some(family) => !kind.is_asked() && kind.as_str().starts_with(family),
                None => kind.as_str() == name,
            };
            let bits = EventKind::ALL.into_iter().filter(named).map(EventKind::bit);
            match bits.reduce(|all, bit| all | bit) {
                Some(bits) => events.0 |= bits,
                None => return Err(NoEvent(name.to_owned())),
            }
        }
        Ok(events)
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this event is in it.
    #[must_use]
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// The events in it.
    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        EventKind::ALL
            .into_iter()
            .filter(move |kind| self.contains(*kind))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(EventKind::as_str))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_what_is_told_and_never_what_is_asked() {
        let names = |events: Events| events.iter().map(EventKind::as_str).collect::<Vec<_>>();
        let events = Events::named(["message.*", "session.login", "message.*"]).unwrap();
        assert_eq!(
            names(events),
            [
                "message.sent",
                "message.offline",
                "message.recalled",
                "session.login"
            ]
        );
        assert!(!events.contains(EventKind::MessageBeforeSend));
        let all = EventKind::ALL.map(EventKind::as_str);
        assert_eq!(names(Events::named(all).unwrap()), all);
        for bad in ["", "*", "message", "message.", "messages.*", "account.*"] {
            assert_eq!(Events::named([bad]), Err(NoEvent(bad.to_owned())));
        }
    }
}
