//! Who is online, and where.

mod operations;
mod seen;
mod watch;

use std::collections::BTreeMap;

use common::{SessionId, UserId};
use parking_lot::RwLock;

use crate::account::User;
use crate::event::Protocol;

pub use operations::{FindLastSeen, FindWatched, LastSeen, NoteSeen, Watched};
pub(crate) use seen::SeenLog;
pub(crate) use watch::Watches;
pub use watch::{WATCHED_MAX, Watch};

/// Locks over which the users are spread.
const SHARDS: usize = 16;

/// The class of device that a session comes from; a user has one session on each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Platform {
    /// A browser.
    #[default]
    Web,
    /// A program on a computer.
    Desktop,
    /// An Android device.
    Android,
    /// An iOS device.
    Ios,
    /// Anything else.
    Other,
}

impl Platform {
    /// All platforms.
    pub const ALL: [Self; 5] = [
        Self::Web,
        Self::Desktop,
        Self::Android,
        Self::Ios,
        Self::Other,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Desktop => "desktop",
            Self::Android => "android",
            Self::Ios => "ios",
            Self::Other => "other",
        }
    }

    /// The number by which it is kept; it never changes its meaning.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The platform of this number.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The platform of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.as_str() == name)
    }
}

/// A session in which a user is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The session.
    pub session: SessionId,
    /// Where it comes from.
    pub platform: Platform,
    /// What it speaks.
    pub protocol: Protocol,
}

/// Where a user is online, and when they were seen elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPresence {
    /// Who.
    pub user: User,
    /// Where they are online.
    pub online: Vec<Platform>,
    /// Where they were before, and when in milliseconds since 1970.
    pub last_seen: Vec<(Platform, u64)>,
}

/// The seats of all users who are online. Read on every direct message, written at login and
/// logout; each lock is held for a look-up only.
#[derive(Debug, Default)]
pub struct Presence {
    shards: [RwLock<BTreeMap<UserId, Online>>; SHARDS],
}

/// A user who is online.
#[derive(Debug)]
struct Online {
    name: Box<str>,
    seats: Vec<Seat>,
}

impl Online {
    fn told(&self, id: UserId) -> (User, Vec<Platform>) {
        let name = self.name.to_string();
        let platforms = self.seats.iter().map(|seat| seat.platform);
        (User { id, name }, platforms.collect())
    }
}

/// What a login changed.
#[derive(Debug)]
pub struct Entered {
    /// The older session of the same platform, which has lost its place.
    pub displaced: Option<Seat>,
    /// The user was not online before.
    pub first: bool,
}

/// What the end of a session changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The platform on which the user has no session any more.
    pub platform: Option<Platform>,
    /// The user is not online any more.
    pub last: bool,
}

impl Presence {
    fn shard(&self, user: UserId) -> &RwLock<BTreeMap<UserId, Online>> {
        &self.shards[user.0 as usize % SHARDS]
    }

    /// Gives a user a seat; an older one on the same platform is displaced.
    pub fn enter(&self, user: &User, seat: Seat) -> Entered {
        let mut shard = self.shard(user.id).write();
        let online = shard.entry(user.id).or_insert_with(|| Online {
            name: Box::default(),
            seats: Vec::with_capacity(1),
        });
        if *online.name != *user.name {
            online.name = user.name.as_str().into();
        }
        let seats = &mut online.seats;
        let first = seats.is_empty();
        let displaced = seats
            .iter()
            .position(|old| old.platform == seat.platform)
            .map(|at| seats.swap_remove(at));
        seats.push(seat);
        Entered { displaced, first }
    }

    /// Takes the seat of a session away. A session that was displaced has no seat, and its end
    /// changes nothing.
    pub fn leave(&self, user: UserId, session: SessionId) -> Left {
        let mut shard = self.shard(user).write();
        let Some(Online { seats, .. }) = shard.get_mut(&user) else {
            return Left::default();
        };
        let Some(at) = seats.iter().position(|seat| seat.session == session) else {
            return Left::default();
        };
        let Seat { platform, .. } = seats.swap_remove(at);
        let is_gone = !seats.iter().any(|seat| seat.platform == platform);
        let last = seats.is_empty();
        if last {
            shard.remove(&user);
        }
        Left {
            platform: is_gone.then_some(platform),
            last,
        }
    }

    /// The user and their platforms, if they are online.
    #[must_use]
    pub fn find(&self, user: UserId) -> Option<(User, Vec<Platform>)> {
        let shard = self.shard(user).read();
        shard.get(&user).map(|online| online.told(user))
    }

    /// Whether the session has a seat.
    #[must_use]
    pub fn is_seated(&self, user: UserId, session: SessionId) -> bool {
        let shard = self.shard(user).read();
        shard
            .get(&user)
            .is_some_and(|online| online.seats.iter().any(|seat| seat.session == session))
    }

    /// Whether the user has a seat.
    #[must_use]
    pub fn is_online(&self, user: UserId) -> bool {
        self.shard(user).read().contains_key(&user)
    }

    /// Adds the user's seats to `seats`.
    pub fn collect_seats(&self, user: UserId, seats: &mut Vec<Seat>) {
        if let Some(online) = self.shard(user).read().get(&user) {
            seats.extend_from_slice(&online.seats);
        }
    }

    /// Number of users online.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// Users online with an id above `after`, by ascending id, with their platforms; at most
    /// `limit`, and whether there are more.
    #[must_use]
    pub fn page(&self, after: UserId, limit: usize) -> (Vec<(User, Vec<Platform>)>, bool) {
        let mut page = Vec::new();
        for shard in &self.shards {
            let shard = shard.read();
            let rest = shard
                .range(UserId(after.0.saturating_add(1))..)
                .take(limit + 1);
            page.extend(rest.map(|(&id, online)| online.told(id)));
        }
        page.sort_unstable_by_key(|(user, _)| user.id);
        let more = page.len() > limit;
        page.truncate(limit);
        (page, more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64) -> User {
        User {
            id: UserId(id),
            name: format!("user {id}"),
        }
    }

    fn seat(slot: u32, platform: Platform) -> Seat {
        let session = SessionId::new(0, slot, 1);
        Seat {
            session,
            platform,
            protocol: Protocol::NATIVE,
        }
    }

    #[test]
    fn a_platform_has_one_seat_and_the_displaced_changes_nothing_when_it_ends() {
        let presence = Presence::default();
        let user = user(1);
        let ada = user.id;
        assert!(presence.enter(&user, seat(1, Platform::Web)).first);
        let entered = presence.enter(&user, seat(2, Platform::Ios));
        assert!(!entered.first && entered.displaced.is_none());
        let entered = presence.enter(&user, seat(3, Platform::Web));
        assert_eq!(entered.displaced, Some(seat(1, Platform::Web)));
        let leave = |slot| presence.leave(ada, SessionId::new(0, slot, 1));
        let left = |platform, last| Left {
            platform: Some(platform),
            last,
        };
        assert_eq!(leave(1), Left::default(), "it had lost its seat");
        assert_eq!(leave(2), left(Platform::Ios, false));
        assert!(presence.is_online(ada));
        assert_eq!(leave(3), left(Platform::Web, true));
        assert!(!presence.is_online(ada));
    }

    #[test]
    fn pages_go_through_all_users_in_order() {
        let presence = Presence::default();
        for user in 1..=100 {
            presence.enter(&self::user(user), seat(user as u32, Platform::Web));
        }
        let (mut seen, mut after) = (Vec::new(), UserId(0));
        loop {
            let (page, more) = presence.page(after, 7);
            seen.extend(page.iter().map(|(user, _)| user.id.0));
            after = page.last().unwrap().0.id;
            if !more {
                break;
            }
        }
        assert_eq!(seen, (1..=100).collect::<Vec<_>>());
    }
}
