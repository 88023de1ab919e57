//! Telling sessions what has been committed.

use std::sync::OnceLock;

use common::{CloseReason, SessionId, UserId};
use gate::{Batch, Context, GateHandle};
use parking_lot::Mutex;

use crate::account::{Entered, User};
use crate::event::{Audience, Event, Protocol};
use crate::inbox::{self, Happening, SessionEnd};
use crate::outlet::Outlet;
use crate::presence::{Presence, Seat};

/// Who is online, and how they are reached. Shared by the IM and the thread of the store that lets
/// events go.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) presence: Presence,
    gate: OnceLock<GateHandle>,
    /// Held while somebody comes or goes and others are told, so that the last that watchers hear
    /// of a user is true.
    announcing: Mutex<()>,
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
            self.announce(outlet, user, true, Some(session));
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
    pub(crate) fn leave(&self, outlet: &mut dyn Outlet, user: &User, session: SessionId) {
        let _announcing = self.announcing.lock();
        if self.presence.leave(user.id, session) {
            self.announce(outlet, user, false, None);
        }
    }

    fn announce(
        &self,
        outlet: &mut dyn Outlet,
        user: &User,
        online: bool,
        except: Option<SessionId>,
    ) {
        let event = Event::Presence {
            user: user.clone(),
            online,
        };
        publish(outlet, Audience::PresenceWatchers, &event, except);
        outlet.flush();
    }

    /// Tells those whom an event concerns.
    pub(crate) fn on_event(&self, event: inbox::Event) {
        self.act(|outlet| self.tell(outlet, event));
    }

    fn tell(&self, outlet: &mut dyn Outlet, event: inbox::Event) {
        let told = match event.happening {
            Happening::Message(message) => Event::Message(message),
            Happening::Notice(notice) => Event::Notice(notice),
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
