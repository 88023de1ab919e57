//! Telling sessions what has been committed.

use std::sync::OnceLock;

use common::{CloseReason, SessionId, UserId};
use gate::{Batch, Context, GateHandle};
use parking_lot::Mutex;

use crate::account::{Entered, User};
use crate::event::{Audience, Event, Protocol};
use crate::inbox::{self, Happening, Notice, SessionEnd};
use crate::outlet::Outlet;
use crate::presence::{Left, Presence, Seat, Watch, Watched, Watches};
use crate::storage::refusal::Refusal;

/// Who is online, and how they are reached. Shared by the IM and the thread of the store that lets
/// events go.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) presence: Presence,
    gate: OnceLock<GateHandle>,
    /// Held while somebody comes or goes and others are told, so that the last that watchers hear
    /// of a user is true.
    announcing: Mutex<Watches>,
}

impl Delivery {
    /// Learns how sessions are reached, from whoever is called with it first.
    pub(crate) fn learn(&self, context: &Context<'_>) {
        if self.gate.get().is_none() {
            // Another worker may have been quicker; theirs is as good.
            let _ = self.gate.set(context.handle().clone());
        }
    }

    /// Has `act` reach sessions from a thread that is no worker. Nothing can be reached before a
    /// session has come.
    pub(crate) fn act(&self, act: impl FnOnce(&mut Batch<'_>)) {
        if let Some(gate) = self.gate.get() {
            act(&mut gate.batch());
        }
    }

    /// Gives a user who has come online a seat. An older session of the same platform is told and
    /// closed.
    pub(crate) fn enter(&self, outlet: &mut dyn Outlet, entered: &Entered, seat: Seat) {
        let Seat {
            session, protocol, ..
        } = seat;
        let user = &entered.user;
        let announcing = self.announcing.lock();
        let change = self.presence.enter(user, seat);
        if change.first {
            announce(outlet, &announcing, user, true, Some(session));
        }
        drop(announcing);
        if let Some(old) = change.displaced
            && old.session != session
        {
            kick(outlet, old);
        }
        outlet.bind(session);
        outlet.subscribe(session, Audience::Everyone.topic(protocol));
        for &group in &entered.channels {
            outlet.subscribe(session, Audience::Channel(group).topic(protocol));
        }
    }

    /// Takes a session's seat away.
    pub(crate) fn leave(&self, outlet: &mut dyn Outlet, user: &User, session: SessionId) -> Left {
        let mut announcing = self.announcing.lock();
        announcing.forget(session);
        let left = self.presence.leave(user.id, session);
        if left.last {
            announce(outlet, &announcing, user, false, None);
        }
        left
    }

    /// Has a session hear of others, and tells it who of them is online.
    pub(crate) fn watch(
        &self,
        outlet: &mut dyn Outlet,
        user: UserId,
        seat: Seat,
        watch: &Watch,
        allowed: &Watched,
    ) -> Result<(), Refusal> {
        let Seat {
            session, protocol, ..
        } = seat;
        let mut announcing = self.announcing.lock();
        // A session that has ended meanwhile would never be forgotten.
        if !self.presence.is_seated(user, session) {
            return Ok(());
        }
        let new = match watch {
            Watch::Everyone => {
                announcing.add_everyone(session, protocol);
                outlet.subscribe(session, Audience::PresenceWatchers.topic(protocol));
                return Ok(());
            }
            Watch::Friends => announcing.add_friends(session, protocol, &allowed.friends)?,
            Watch::Users(_) => announcing.add_named(session, protocol, &allowed.users)?,
        };
        for other in new {
            self.tell_presence(outlet, seat, other);
        }
        // Before somebody else is told to go.
        outlet.flush();
        Ok(())
    }

    /// Has a session not hear of these users any more, or of nobody.
    pub(crate) fn unwatch(&self, outlet: &mut dyn Outlet, seat: Seat, users: Option<&[UserId]>) {
        let Seat {
            session, protocol, ..
        } = seat;
        let mut announcing = self.announcing.lock();
        match users {
            Some(users) => announcing.remove_named(session, users),
            None => {
                announcing.forget(session);
                outlet.unsubscribe(session, Audience::PresenceWatchers.topic(protocol));
            }
        }
    }

    /// Tells a session of a user who is online.
    fn tell_presence(&self, outlet: &mut dyn Outlet, seat: Seat, of: UserId) {
        let Some((user, _)) = self.presence.find(of) else {
            return;
        };
        let event = Event::Presence { user, online: true };
        if let Some(message) = seat.protocol.encode(&event, None) {
            outlet.send(seat.session, message);
        }
    }

    /// Who may hear of whom changes with friendships and blocks.
    fn rewatch(&self, outlet: &mut dyn Outlet, notice: &Notice, audience: &inbox::Audience) {
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
                for (user, friend) in [(from.id, to.id), (to.id, from.id)] {
                    for seat in self.seats(user) {
                        if announcing.befriend(seat.session, friend) {
                            self.tell_presence(outlet, seat, friend);
                        }
                    }
                }
                outlet.flush();
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
            Notice::BlockChanged {
                user,
                blocked: true,
            } => {
                let mut announcing = self.announcing.lock();
                for &(owner, _) in numbers {
                    for seat in self.seats(*user) {
                        announcing.refuse(seat.session, owner);
                    }
                }
            }
            _ => {}
        }
    }

    /// Tells those whom an event concerns.
    pub(crate) fn on_event(&self, event: inbox::Event) {
        self.act(|outlet| self.tell(outlet, event));
    }

    fn tell(&self, outlet: &mut dyn Outlet, event: inbox::Event) {
        let told = match event.happening {
            Happening::Message(message) => Event::Message(message),
            Happening::Notice(notice) => {
                self.rewatch(outlet, &notice, &event.audience);
                Event::Notice(notice)
            }
            Happening::ChannelMember { group, user, hears } => {
                self.seat_in_channel(outlet, user, Audience::Channel(group), hears);
                return;
            }
            Happening::ChannelOpened { group, members } => {
                for user in members {
                    self.seat_in_channel(outlet, user, Audience::Channel(group), true);
                }
                return;
            }
            Happening::SessionsEnded { user, why, .. } => {
                if why == SessionEnd::Disabled {
                    for seat in self.seats(user) {
                        kick(outlet, seat);
                    }
                }
                return;
            }
        };
        match event.audience {
            inbox::Audience::Inboxes(numbers) => {
                for (user, number) in numbers {
                    self.tell_user(outlet, user, &told, number, event.origin);
                }
            }
            inbox::Audience::Channel(group) => {
                publish(outlet, Audience::Channel(group), &told, event.origin);
            }
            inbox::Audience::Everyone => {
                publish(outlet, Audience::Everyone, &told, event.origin);
            }
            inbox::Audience::Nobody => {}
        }
    }

    /// Tells every session of a user, except one; encoded once per protocol.
    fn tell_user(
        &self,
        outlet: &mut dyn Outlet,
        user: UserId,
        event: &Event,
        number: u64,
        except: Option<SessionId>,
    ) {
        let seats = self.seats(user);
        if seats.is_empty() {
            return;
        }
        for protocol in Protocol::ALL {
            let sessions: Vec<SessionId> = seats
                .iter()
                .filter(|seat| seat.protocol == protocol && Some(seat.session) != except)
                .map(|seat| seat.session)
                .collect();
            if sessions.is_empty() {
                continue;
            }
            if let Some(message) = protocol.encode(event, Some(number)) {
                outlet.send_many(&sessions, message);
            }
        }
    }

    fn seats(&self, user: UserId) -> Vec<Seat> {
        let mut seats = Vec::new();
        self.presence.collect_seats(user, &mut seats);
        seats
    }

    /// Adds every session of a user to a channel's audience, or takes it away.
    fn seat_in_channel(
        &self,
        outlet: &mut dyn Outlet,
        user: UserId,
        audience: Audience,
        hears: bool,
    ) {
        for seat in self.seats(user) {
            let topic = audience.topic(seat.protocol);
            if hears {
                outlet.subscribe(seat.session, topic);
            } else {
                outlet.unsubscribe(seat.session, topic);
            }
        }
    }
}

/// Tells those who watch that a user comes or goes.
fn announce(
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
    publish(outlet, Audience::PresenceWatchers, &event, except);
    for protocol in Protocol::ALL {
        let watchers = watches.watchers(user.id, protocol);
        if !watchers.is_empty()
            && let Some(message) = protocol.encode(&event, None)
        {
            outlet.send_many(&watchers, message);
        }
    }
    outlet.flush();
}

fn kick(outlet: &mut dyn Outlet, seat: Seat) {
    if let Some(message) = seat.protocol.encode(&Event::Kicked, None) {
        outlet.send(seat.session, message);
    }
    outlet.close(seat.session, CloseReason::Kicked, "logged in elsewhere");
}

/// Publishes an event to an audience; encoded once per protocol.
fn publish(outlet: &mut dyn Outlet, audience: Audience, event: &Event, except: Option<SessionId>) {
    for protocol in Protocol::ALL {
        if let Some(message) = protocol.encode(event, None) {
            outlet.publish(audience.topic(protocol), message, except);
        }
    }
}
