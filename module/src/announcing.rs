//! Telling sessions who comes and goes.

use common::{SessionId, UserId};

use crate::account::User;
use crate::delivery::{Delivery, publish};
use crate::event::{Audience, Event, Protocol};
use crate::im::now_ms;
use crate::inbox::{self, Notice};
use crate::outlet::Outlet;
use crate::presence::{Seat, Watch, Watched, Watches};
use crate::storage::refusal::Refusal;

impl Delivery {
    /// Has a session hear of others, and tells it who of them is online.
    pub(crate) fn watch(
        &self,
        outlet: &mut dyn Outlet,
        user: UserId,
        session: SessionId,
        watch: &Watch,
        allowed: &Watched,
    ) -> Result<(), Refusal> {
        let mut announcing = self.announcing.lock();
        // A session that has ended meanwhile would never be forgotten.
        let Some(seat) = self.presence.seat(user, session) else {
            return Ok(());
        };
        let protocol = seat.protocol;
        let new = match watch {
            Watch::Everyone => {
                announcing.add_everyone(session, protocol, &allowed.blockers)?;
                outlet.subscribe(session, Audience::PresenceWatchers.topic(protocol));
                return Ok(());
            }
            Watch::Friends => announcing.add_friends(session, protocol, &allowed.friends)?,
            Watch::Users(_) => announcing.add_named(session, protocol, &allowed.users)?,
        };
        for other in new {
            self.tell_presence(outlet, &seat, other, true);
        }
        // Before somebody else is told to go.
        outlet.flush();
        Ok(())
    }

    /// Has a session not hear of these users any more, or of nobody.
    pub(crate) fn unwatch(&self, outlet: &mut dyn Outlet, seat: &Seat, users: Option<&[UserId]>) {
        let mut announcing = self.announcing.lock();
        match users {
            Some(users) => announcing.remove_named(seat.session, users),
            None => {
                announcing.forget(seat.session);
                let topic = Audience::PresenceWatchers.topic(seat.protocol);
                outlet.unsubscribe(seat.session, topic);
            }
        }
    }

    /// Has the sessions of a user that hear of friends hear of one more.
    pub(crate) fn befriend(
        &self,
        outlet: &mut dyn Outlet,
        watches: &mut Watches,
        user: UserId,
        friend: UserId,
    ) {
        for seat in self.seats(user) {
            if watches.befriend(seat.session, friend) {
                self.tell_presence(outlet, &seat, friend, true);
            }
        }
        outlet.flush();
    }

    /// Tells a session of a user who is online: that they are, or that they are not for this
    /// session.
    fn tell_presence(&self, outlet: &mut dyn Outlet, seat: &Seat, of: UserId, online: bool) {
        let Some(user) = self.presence.find(of) else {
            return;
        };
        let event = Event::Presence { user, online };
        if let Some(message) = seat.protocol.encode(&event, None) {
            outlet.send(seat.session, message);
        }
    }

    /// Who may hear of whom changes with friendships and blocks.
    pub(crate) fn rewatch(
        &self,
        outlet: &mut dyn Outlet,
        notice: &Notice,
        audience: &inbox::Audience,
    ) {
        let inbox::Audience::Inboxes(numbers) = audience else {
            return;
        };
        match notice {
            Notice::FriendAnswered {
                from,
                to,
                accepted: true,
                ..
            } => {
                let mut announcing = self.announcing.lock();
                self.befriend(outlet, &mut announcing, from.id, to.id);
                self.befriend(outlet, &mut announcing, to.id, from.id);
            }
            // Whoever has ended it, neither is the friend of a friend.
            Notice::FriendRemoved { user } => {
                let mut announcing = self.announcing.lock();
                for &(owner, _) in numbers {
                    for (user, friend) in [(owner, *user), (*user, owner)] {
                        for seat in self.seats(user) {
                            announcing.part(seat.session, friend);
                        }
                    }
                }
            }
            Notice::BlockChanged { user, blocked } => {
                let mut announcing = self.announcing.lock();
                for &(owner, _) in numbers {
                    for seat in self.seats(*user) {
                        // Or the last that it has heard would stay true for ever.
                        let untrue = match blocked {
                            true => announcing.refuse(seat.session, owner),
                            false => announcing.allow(seat.session, owner),
                        };
                        if untrue {
                            self.tell_presence(outlet, &seat, owner, !blocked);
                        }
                    }
                }
                outlet.flush();
            }
            _ => {}
        }
    }

    /// Tells those who watch that a user comes or goes.
    pub(crate) fn announce(
        &self,
        outlet: &mut dyn Outlet,
        watches: &Watches,
        user: &User,
        online: bool,
        except: Option<SessionId>,
    ) {
        let event = Event::Presence {
            user: user.clone(),
            online,
        };
        let kept_from = watches.kept_from(user.id);
        if kept_from.is_none() {
            publish(outlet, Audience::PresenceWatchers, &event, None, except);
        }
        for protocol in Protocol::ALL {
            let mut watchers = watches.watchers(user.id, protocol);
            if let Some(kept_from) = kept_from {
                // A topic leaves nobody out, so that the others are told one by one.
                watchers.extend(watches.of_everyone(protocol, kept_from));
            }
            watchers.retain(|session| Some(*session) != except);
            if !watchers.is_empty()
                && let Some(message) = protocol.encode(&event, None)
            {
                outlet.send_many(&watchers, message);
            }
        }
        outlet.flush();
    }

    /// Sessions have lost their seats: they hear of nobody, and the user was last seen now where
    /// none is left.
    pub(crate) fn on_seats_gone(&self, watches: &mut Watches, user: UserId, seats: &[Seat]) {
        let left = self.seats(user);
        for seat in seats {
            watches.forget(seat.session);
            if !left.iter().any(|other| other.platform == seat.platform) {
                self.seen.note(user, seat.platform, now_ms());
            }
        }
    }
}
