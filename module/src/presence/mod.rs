//! Who is online, and where.

mod deadlines;
mod operations;
mod seen;
mod watch;

use std::collections::BTreeMap;

use common::{SessionId, UserId};
use parking_lot::RwLock;

use crate::account::{Credential, LoginPolicy, TokenId, User};
use crate::event::Protocol;

pub(crate) use deadlines::Deadlines;
pub use operations::{FindLastSeen, FindWatched, LastSeen, NoteSeen, Watched};
pub(crate) use seen::SeenLog;
pub(crate) use watch::Watches;
pub use watch::{WATCHED_MAX, Watch};

/// Locks over which the users are spread.
const SHARDS: usize = 16;

/// Sessions of one user at once, whatever the policy: what each message to the user costs.
const SEATS_MAX: usize = 32;

/// The class of device that a session comes from.
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
    /// What it has come with, and ends with; a guest has come with a name alone.
    pub credential: Option<Credential>,
}

impl Seat {
    /// Whether it has come with this token.
    #[must_use]
    pub fn has(&self, token: &TokenId) -> bool {
        self.credential.is_some_and(|own| own.token == *token)
    }

    /// When it ends by itself, in milliseconds since 1970.
    #[must_use]
    pub fn expires_ms(&self) -> Option<u64> {
        self.credential?.expires_ms
    }

    /// Whether it makes room for a later one.
    fn gives_way(&self, later: &Self, policy: LoginPolicy) -> bool {
        // One login may have many connections: the tabs of a browser.
        if later.credential.is_some_and(|own| self.has(&own.token)) {
            return false;
        }
        match policy {
            LoginPolicy::PerPlatform => self.platform == later.platform,
            LoginPolicy::Single => true,
            LoginPolicy::Unlimited => false,
        }
    }
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

/// What a login changed.
#[derive(Debug)]
pub struct Entered {
    /// Older sessions, which have lost their places.
    pub displaced: Vec<Seat>,
    /// The user was not online before.
    pub first: bool,
}

/// Seats that were taken away.
#[derive(Debug)]
pub struct Left {
    /// Who had them.
    pub user: User,
    /// The seats; at least one.
    pub seats: Vec<Seat>,
    /// The user is not online any more.
    pub last: bool,
}

impl Presence {
    fn shard(&self, user: UserId) -> &RwLock<BTreeMap<UserId, Online>> {
        &self.shards[user.0 as usize % SHARDS]
    }

    /// Gives a user a seat; older ones that the policy does not allow beside it are displaced, and
    /// the oldest if there are too many.
    pub fn enter(&self, user: &User, seat: Seat, policy: LoginPolicy) -> Entered {
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
        let mut displaced: Vec<Seat> = seats
            .extract_if(.., |old| old.gives_way(&seat, policy))
            .collect();
        if seats.len() >= SEATS_MAX {
            displaced.push(seats.remove(0));
        }
        seats.push(seat);
        Entered { displaced, first }
    }

    /// Takes the seat of a session away. A session that was displaced has none, and its end changes
    /// nothing.
    pub fn leave(&self, user: UserId, session: SessionId) -> Option<Left> {
        self.leave_where(user, |seat| seat.session == session)
    }

    /// Takes seats of a user away; none if there are none such.
    pub fn leave_where(&self, user: UserId, which: impl Fn(&Seat) -> bool) -> Option<Left> {
        let mut shard = self.shard(user).write();
        let online = shard.get_mut(&user)?;
        let seats: Vec<Seat> = online.seats.extract_if(.., |seat| which(seat)).collect();
        if seats.is_empty() {
            return None;
        }
        let name = online.name.to_string();
        let last = online.seats.is_empty();
        if last {
            shard.remove(&user);
        }
        let user = User { id: user, name };
        Some(Left { user, seats, last })
    }

    /// Gives the seats of one token another one; the seats as they were.
    pub fn renew(&self, user: UserId, old: &TokenId, new: Credential) -> Vec<Seat> {
        let mut renewed = Vec::new();
        if let Some(online) = self.shard(user).write().get_mut(&user) {
            for seat in online.seats.iter_mut().filter(|seat| seat.has(old)) {
                renewed.push(*seat);
                seat.credential = Some(new);
            }
        }
        renewed
    }

    /// The seat of a session, as it is now.
    #[must_use]
    pub fn seat(&self, user: UserId, session: SessionId) -> Option<Seat> {
        let shard = self.shard(user).read();
        let mut seats = shard.get(&user)?.seats.iter();
        seats.find(|seat| seat.session == session).copied()
    }

    /// The user as others see them, if they are online.
    #[must_use]
    pub fn find(&self, id: UserId) -> Option<User> {
        let shard = self.shard(id).read();
        let name = shard.get(&id)?.name.to_string();
        Some(User { id, name })
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

    /// How many sessions there are on each platform. Looks at every user who is online.
    #[must_use]
    pub fn count_by_platform(&self) -> Vec<(Platform, usize)> {
        let mut counts = Platform::ALL.map(|platform| (platform, 0));
        for shard in &self.shards {
            for online in shard.read().values() {
                for seat in &online.seats {
                    counts[usize::from(seat.platform.number())].1 += 1;
                }
            }
        }
        counts.to_vec()
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
            page.extend(rest.map(|(&id, online)| {
                let name = online.name.to_string();
                let seats = online.seats.iter();
                let platforms = seats.map(|seat| seat.platform).collect::<Vec<_>>();
                (User { id, name }, platforms)
            }));
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
        Seat {
            session: SessionId::new(0, slot, 1),
            platform,
            protocol: Protocol::NATIVE,
            credential: None,
        }
    }

    fn seat_of(token: u8, slot: u32, platform: Platform) -> Seat {
        let credential = Credential {
            token: [token; 16],
            expires_ms: None,
        };
        Seat {
            credential: Some(credential),
            ..seat(slot, platform)
        }
    }

    #[test]
    fn a_platform_has_one_seat_and_the_displaced_changes_nothing_when_it_ends() {
        let presence = Presence::default();
        let user = user(1);
        let ada = user.id;
        let enter = |seat| presence.enter(&user, seat, LoginPolicy::PerPlatform);
        let is_last = |slot| {
            let left = presence.leave(ada, SessionId::new(0, slot, 1));
            left.map(|left| left.last)
        };
        assert!(enter(seat(1, Platform::Web)).first);
        let entered = enter(seat(2, Platform::Ios));
        assert!(!entered.first && entered.displaced.is_empty());
        let entered = enter(seat(3, Platform::Web));
        assert_eq!(entered.displaced, [seat(1, Platform::Web)]);
        assert_eq!(is_last(1), None, "it had lost its seat");
        assert_eq!(is_last(2), Some(false));
        assert!(presence.is_online(ada));
        assert_eq!(is_last(3), Some(true));
        assert!(!presence.is_online(ada));
    }

    #[test]
    fn a_policy_is_about_logins_and_a_login_may_have_many_connections() {
        let displaced = |policy: LoginPolicy| {
            let (presence, user) = (Presence::default(), user(1));
            let older = [
                seat_of(1, 1, Platform::Web),
                seat_of(1, 2, Platform::Web),
                seat_of(2, 3, Platform::Ios),
                seat_of(3, 4, Platform::Desktop),
            ];
            for seat in older {
                presence.enter(&user, seat, LoginPolicy::Unlimited);
            }
            let same_login = presence.enter(&user, seat_of(3, 5, Platform::Desktop), policy);
            let mut displaced = same_login.displaced;
            let later = presence.enter(&user, seat_of(4, 6, Platform::Web), policy);
            displaced.extend(later.displaced);
            displaced.sort_by_key(|seat| seat.session);
            let slots = displaced.iter().map(|seat| seat.session.slot());
            slots.collect::<Vec<_>>()
        };
        assert_eq!(displaced(LoginPolicy::PerPlatform), [1, 2]);
        assert_eq!(displaced(LoginPolicy::Single), [1, 2, 3, 4, 5]);
        assert_eq!(displaced(LoginPolicy::Unlimited), [0; 0]);
    }

    #[test]
    fn pages_go_through_all_users_in_order() {
        let presence = Presence::default();
        for user in 1..=100 {
            let seat = seat(user as u32, Platform::Web);
            presence.enter(&self::user(user), seat, LoginPolicy::PerPlatform);
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
