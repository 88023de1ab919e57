//! Which sessions hear of whom.

use common::{SessionId, UserId};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::event::Protocol;
use crate::storage::refusal::Refusal;

/// Most users, beside friends, of whom one session hears.
pub const WATCHED_MAX: usize = 1_000;
/// Most pairs of a session and somebody of whom it hears, in all: each takes some 40 bytes.
const PAIRS_MAX: usize = 20_000_000;

/// Of whom a session wants to hear that they come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Of the user's friends, those who become friends later included.
    Friends,
    /// Of these.
    Users(Vec<UserId>),
    /// Of everyone.
    Everyone,
}

/// Why a session hears of somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Why {
    friend: bool,
    named: bool,
}

impl Why {
    const FRIEND: Self = Self {
        friend: true,
        named: false,
    };
    const NAMED: Self = Self {
        friend: false,
        named: true,
    };
}

/// What a session hears.
#[derive(Debug)]
struct Ears {
    protocol: Protocol,
    everyone: bool,
    friends: bool,
    of: FxHashMap<UserId, Why>,
    /// Of everyone but these, who have blocked its user.
    but: FxHashSet<UserId>,
}

/// Which sessions hear of whom: those that have asked, and only of whom they may.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    ears: FxHashMap<SessionId, Ears>,
    watchers: FxHashMap<UserId, FxHashSet<SessionId>>,
    /// The sessions that hear of everyone but this user.
    kept_from: FxHashMap<UserId, FxHashSet<SessionId>>,
    pairs: usize,
}

impl Watches {
    fn ears(&mut self, session: SessionId, protocol: Protocol) -> &mut Ears {
        self.ears.entry(session).or_insert_with(|| Ears {
            protocol,
            everyone: false,
            friends: false,
            of: FxHashMap::default(),
            but: FxHashSet::default(),
        })
    }

    /// The session hears of everyone but these from now on, by other means than these as long as
    /// nobody is kept from anyone.
    pub(crate) fn add_everyone(
        &mut self,
        session: SessionId,
        protocol: Protocol,
        blockers: &[UserId],
    ) -> Result<(), Refusal> {
        self.check_room(blockers.len())?;
        self.forget(session);
        self.ears(session, protocol).everyone = true;
        for &user in blockers {
            self.keep_from(session, user);
        }
        Ok(())
    }

    /// The session hears of these friends from now on, and of those who become friends; those of
    /// whom it has not heard before.
    pub(crate) fn add_friends(
        &mut self,
        session: SessionId,
        protocol: Protocol,
        friends: &[UserId],
    ) -> Result<Vec<UserId>, Refusal> {
        self.check_room(friends.len())?;
        self.ears(session, protocol).friends = true;
        Ok(self.add(session, friends, Why::FRIEND))
    }

    /// The session hears of these users from now on; those of whom it has not heard before.
    pub(crate) fn add_named(
        &mut self,
        session: SessionId,
        protocol: Protocol,
        users: &[UserId],
    ) -> Result<Vec<UserId>, Refusal> {
        self.check_room(users.len())?;
        let of = &self.ears(session, protocol).of;
        let is_new = |user: &&UserId| !of.get(user).is_some_and(|why| why.named);
        let named = of.values().filter(|why| why.named).count();
        if named + users.iter().filter(is_new).count() > WATCHED_MAX {
            return Err(Refusal::LimitReached(
                "a session hears of at most 1,000 users beside friends",
            ));
        }
        Ok(self.add(session, users, Why::NAMED))
    }

    /// Two users have become friends: the sessions of one that hear of friends hear of the other.
    /// Whether it is news to this session.
    pub(crate) fn befriend(&mut self, session: SessionId, friend: UserId) -> bool {
        let hears = self.ears.get(&session).is_some_and(|ears| ears.friends);
        hears && self.check_room(1).is_ok() && !self.add(session, &[friend], Why::FRIEND).is_empty()
    }

    /// They are friends no longer.
    pub(crate) fn part(&mut self, session: SessionId, friend: UserId) {
        self.remove(session, friend, Why::FRIEND);
    }

    /// The session does not hear of these any more, unless they are friends of whom it hears.
    pub(crate) fn remove_named(&mut self, session: SessionId, users: &[UserId]) {
        for &user in users {
            self.remove(session, user, Why::NAMED);
        }
    }

    /// The session must not hear of this user, whatever it has asked for. Whether it has.
    pub(crate) fn refuse(&mut self, session: SessionId, user: UserId) -> bool {
        let both = Why {
            friend: true,
            named: true,
        };
        let Some(ears) = self.ears.get(&session) else {
            return false;
        };
        if ears.everyone {
            return self.keep_from(session, user);
        }
        let heard = ears.of.contains_key(&user);
        self.remove(session, user, both);
        heard
    }

    /// The session may hear of this user again if it hears of everyone. Whether that is news to it.
    pub(crate) fn allow(&mut self, session: SessionId, user: UserId) -> bool {
        let ears = self.ears.get_mut(&session);
        let allowed = ears.is_some_and(|ears| ears.but.remove(&user));
        if allowed {
            self.pairs -= unlink(&mut self.kept_from, session, user);
        }
        allowed
    }

    /// The session hears of nobody any more.
    pub(crate) fn forget(&mut self, session: SessionId) {
        if let Some(ears) = self.ears.remove(&session) {
            for user in ears.of.into_keys() {
                self.pairs -= unlink(&mut self.watchers, session, user);
            }
            for user in ears.but {
                self.pairs -= unlink(&mut self.kept_from, session, user);
            }
        }
    }

    /// The sessions that hear of everyone but this user, if there are any.
    pub(crate) fn kept_from(&self, user: UserId) -> Option<&FxHashSet<SessionId>> {
        self.kept_from.get(&user)
    }

    /// The sessions that hear of everyone, without these.
    pub(crate) fn of_everyone(
        &self,
        protocol: Protocol,
        without: &FxHashSet<SessionId>,
    ) -> impl Iterator<Item = SessionId> {
        let all = self.ears.iter();
        all.filter(move |(session, ears)| {
            ears.everyone && ears.protocol == protocol && !without.contains(session)
        })
        .map(|(session, _)| *session)
    }

    /// The sessions that hear of a user, by protocol.
    pub(crate) fn watchers(&self, user: UserId, protocol: Protocol) -> Vec<SessionId> {
        let sessions = self.watchers.get(&user).into_iter().flatten().copied();
        let speaks = |session: &SessionId| {
            self.ears
                .get(session)
                .is_some_and(|e| e.protocol == protocol)
        };
        sessions.filter(speaks).collect()
    }

    fn check_room(&self, more: usize) -> Result<(), Refusal> {
        if self.pairs + more > PAIRS_MAX {
            return Err(Refusal::LimitReached("too many presences are watched"));
        }
        Ok(())
    }

    fn add(&mut self, session: SessionId, users: &[UserId], why: Why) -> Vec<UserId> {
        let mut new = Vec::new();
        let Some(ears) = self.ears.get_mut(&session).filter(|ears| !ears.everyone) else {
            return new;
        };
        for &user in users {
            let known = ears.of.entry(user).or_default();
            if *known == Why::default() {
                self.watchers.entry(user).or_default().insert(session);
                self.pairs += 1;
                new.push(user);
            }
            known.friend |= why.friend;
            known.named |= why.named;
        }
        new
    }

    fn remove(&mut self, session: SessionId, user: UserId, why: Why) {
        let Some(ears) = self.ears.get_mut(&session) else {
            return;
        };
        let Some(known) = ears.of.get_mut(&user) else {
            return;
        };
        known.friend &= !why.friend;
        known.named &= !why.named;
        if *known == Why::default() {
            ears.of.remove(&user);
            self.pairs -= unlink(&mut self.watchers, session, user);
        }
    }

    /// Whether a session that hears of everyone has heard of this user, as it does no longer.
    fn keep_from(&mut self, session: SessionId, user: UserId) -> bool {
        let ears = self.ears.get_mut(&session);
        let kept = ears.is_some_and(|ears| ears.but.insert(user));
        if kept {
            self.kept_from.entry(user).or_default().insert(session);
            self.pairs += 1;
        }
        kept
    }
}

/// Takes a session from those that are linked with a user; how many that were.
fn unlink(
    links: &mut FxHashMap<UserId, FxHashSet<SessionId>>,
    session: SessionId,
    user: UserId,
) -> usize {
    let Some(sessions) = links.get_mut(&user) else {
        return 0;
    };
    let was = sessions.remove(&session);
    if sessions.is_empty() {
        links.remove(&user);
    }
    usize::from(was)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATIVE: Protocol = Protocol::NATIVE;

    fn session(slot: u32) -> SessionId {
        SessionId::new(0, slot, 1)
    }

    #[test]
    fn a_friend_who_was_named_is_heard_of_until_both_reasons_are_gone() {
        let mut watches = Watches::default();
        let (one, ada) = (session(1), UserId(1));
        assert_eq!(watches.add_friends(one, NATIVE, &[ada]), Ok(vec![ada]));
        assert_eq!(watches.add_named(one, NATIVE, &[ada]), Ok(vec![]));
        watches.part(one, ada);
        assert_eq!(watches.watchers(ada, NATIVE), [one]);
        watches.remove_named(one, &[ada]);
        assert_eq!(watches.watchers(ada, NATIVE), []);
        assert!(watches.befriend(one, ada), "it still hears of friends");
        assert!(watches.refuse(one, ada) && !watches.refuse(one, ada));
        assert_eq!(watches.watchers(ada, NATIVE), []);
    }

    #[test]
    fn nothing_is_left_of_sessions_that_have_ended() {
        let mut watches = Watches::default();
        let users: Vec<UserId> = (1..=100).map(UserId).collect();
        for slot in 0..10 {
            watches.add_friends(session(slot), NATIVE, &users).unwrap();
        }
        assert_eq!(watches.pairs, 1_000);
        (0..10).for_each(|slot| watches.forget(session(slot)));
        assert_eq!(watches.pairs, 0);
        assert!(watches.watchers.is_empty() && watches.ears.is_empty());
        assert!(!watches.befriend(session(1), UserId(1)));

        let one = session(1);
        watches.add_everyone(one, NATIVE, &users).unwrap();
        assert!(watches.refuse(one, UserId(101)) && watches.allow(one, UserId(1)));
        assert!(!watches.refuse(one, UserId(101)) && !watches.allow(one, UserId(1)));
        assert_eq!((watches.pairs, watches.kept_from.len()), (100, 100));
        watches.forget(one);
        assert_eq!((watches.pairs, watches.kept_from.len()), (0, 0));
    }

    #[test]
    fn a_session_names_so_many_and_no_more() {
        let mut watches = Watches::default();
        let one = session(1);
        let users: Vec<UserId> = (1..=WATCHED_MAX as u64).map(UserId).collect();
        watches.add_friends(one, NATIVE, &[UserId(5_000)]).unwrap();
        watches.add_named(one, NATIVE, &users).unwrap();
        assert_eq!(
            watches.add_named(one, NATIVE, &users),
            Ok(vec![]),
            "the same"
        );
        assert!(watches.add_named(one, NATIVE, &[UserId(2_000)]).is_err());
        watches.remove_named(one, &users[..1]);
        assert!(watches.add_named(one, NATIVE, &[UserId(2_000)]).is_ok());
        watches.add_everyone(one, NATIVE, &[]).unwrap();
        assert_eq!(watches.pairs, 0);
        assert_eq!(watches.add_named(one, NATIVE, &users), Ok(vec![]));
    }
}
