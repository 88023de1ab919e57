//! Telling sessions what has been committed.

use std::sync::{Arc, OnceLock};

use common::{CloseReason, SessionId, UserId};
use gate::{Batch, Context, GateHandle};
use parking_lot::Mutex;

use crate::account::{Credential, Entered, LoginPolicy, TokenId, User};
use crate::event::{Audience, Event, Kept, Protocol};
use crate::im::now_ms;
use crate::inbox::{self, Happening, SessionEnd};
use crate::outlet::Outlet;
use crate::presence::{Deadlines, Left, Presence, Seat, SeenLog, Watches};
use crate::webhook::Webhooks;

/// Who is online, and how they are reached. Shared by the IM and the thread of the store that lets
/// events go.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) presence: Presence,
    /// When sessions end by themselves.
    pub(crate) deadlines: Deadlines,
    pub(crate) seen: Arc<SeenLog>,
    policy: LoginPolicy,
    webhooks: Option<Arc<Webhooks>>,
    gate: OnceLock<GateHandle>,
    /// Held while somebody comes or goes and others are told, so that the last that watchers hear
    /// of a user is true.
    pub(crate) announcing: Mutex<Watches>,
}

impl Delivery {
    pub(crate) fn new(policy: LoginPolicy, webhooks: Option<Arc<Webhooks>>) -> Self {
        Self {
            policy,
            webhooks,
            ..Self::default()
        }
    }

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

    /// Gives a user who has come online a seat. Older sessions that have no place beside it are
    /// told and closed.
    pub(crate) fn enter(&self, outlet: &mut dyn Outlet, entered: &Entered, seat: Seat) {
        let Seat {
            session, protocol, ..
        } = seat;
        let user = &entered.user;
        let mut announcing = self.announcing.lock();
        let change = self.presence.enter(user, seat, self.policy);
        if change.first {
            self.announce(outlet, &announcing, user, true, Some(session));
        }
        self.on_seats_gone(&mut announcing, user.id, &change.displaced);
        drop(announcing);
        // Already here, so that it is known if the process is killed before they go.
        self.seen.note(user.id, seat.platform, now_ms());
        for old in change.displaced {
            if old.session != session {
                self.kick(outlet, old, SessionEnd::LoggedInElsewhere);
            }
            if let Some(webhooks) = &self.webhooks {
                webhooks.on_logout(user, old.platform, false);
            }
        }
        if let Some(webhooks) = &self.webhooks {
            webhooks.on_login(user, seat.platform, change.first);
        }
        if let Some(at_ms) = seat.expires_ms() {
            self.deadlines.set(at_ms, session, user.id);
        }
        outlet.bind(session);
        outlet.subscribe(session, Audience::Everyone.topic(protocol));
        for &group in &entered.channels {
            outlet.subscribe(session, Audience::Channel(group).topic(protocol));
        }
    }

    /// Takes a session's seat away.
    pub(crate) fn leave(&self, outlet: &mut dyn Outlet, user: &User, session: SessionId) {
        let mut announcing = self.announcing.lock();
        let left = self.presence.leave(user.id, session);
        self.on_left(outlet, &mut announcing, left.as_ref());
    }

    /// Ends sessions of a user: they are told and closed.
    fn end(
        &self,
        outlet: &mut dyn Outlet,
        user: UserId,
        why: SessionEnd,
        which: impl Fn(&Seat) -> bool,
    ) {
        let mut announcing = self.announcing.lock();
        let left = self.presence.leave_where(user, which);
        self.on_left(outlet, &mut announcing, left.as_ref());
        drop(announcing);
        for seat in left.iter().flat_map(|left| &left.seats) {
            self.kick(outlet, *seat, why);
        }
    }

    /// Ends sessions whose tokens expire, until the end.
    pub(crate) fn end_expired(&self) {
        while let Some((user, session)) = self.deadlines.next() {
            self.act(|outlet| {
                self.end(outlet, user, SessionEnd::Expired, |seat| {
                    // It may have been renewed just now.
                    let is_over = seat.expires_ms().is_some_and(|at_ms| at_ms <= now_ms());
                    seat.session == session && is_over
                });
            });
        }
    }

    fn on_left(&self, outlet: &mut dyn Outlet, watches: &mut Watches, left: Option<&Left>) {
        let Some(left) = left else { return };
        self.on_seats_gone(watches, left.user.id, &left.seats);
        for (after, seat) in left.seats.iter().rev().enumerate().rev() {
            self.forget_deadline(seat);
            if let Some(webhooks) = &self.webhooks {
                webhooks.on_logout(&left.user, seat.platform, left.last && after == 0);
            }
        }
        if left.last {
            self.announce(outlet, watches, &left.user, false, None);
        }
    }

    fn forget_deadline(&self, seat: &Seat) {
        if let Some(at_ms) = seat.expires_ms() {
            self.deadlines.clear(at_ms, seat.session);
        }
    }

    fn kick(&self, outlet: &mut dyn Outlet, seat: Seat, why: SessionEnd) {
        self.forget_deadline(&seat);
        if let Some(message) = seat.protocol.encode(&Event::Kicked(why), None) {
            outlet.send(seat.session, message);
        }
        outlet.close(seat.session, CloseReason::Kicked, why.text());
    }

    /// Seats go on with another token.
    fn renew(&self, user: UserId, old: &TokenId, new: Credential) {
        for seat in self.presence.renew(user, old, new) {
            self.forget_deadline(&seat);
            if let Some(at_ms) = new.expires_ms {
                self.deadlines.set(at_ms, seat.session, user);
            }
        }
    }

    /// Tells those whom an event concerns.
    pub(crate) fn on_event(&self, event: inbox::Event) {
        if let Some(webhooks) = &self.webhooks {
            webhooks.on_event(&event, &self.presence);
        }
        self.act(|outlet| self.tell(outlet, event));
    }

    fn tell(&self, outlet: &mut dyn Outlet, event: inbox::Event) {
        let told = match event.happening {
            Happening::Message(message) => Event::Message(message),
            Happening::Notice(notice) => {
                self.rewatch(outlet, &notice, &event.audience);
                Event::Notice(notice)
            }
            Happening::Signal {
                conversation,
                from,
                body,
            } => Event::Signal {
                conversation,
                from,
                body,
            },
            Happening::FriendUnblocked { user, friend } => {
                self.befriend(outlet, &mut self.announcing.lock(), user, friend);
                return;
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
            Happening::SessionsEnded { user, tokens, why } => {
                // A guest has no token, and is locked out all the same.
                self.end(outlet, user, why, |seat| {
                    why == SessionEnd::Disabled || tokens.iter().any(|token| seat.has(token))
                });
                return;
            }
            Happening::SessionRenewed { user, old, new } => {
                self.renew(user, &old, new);
                return;
            }
        };
        let kept = event.change.map(Kept::Changes);
        match event.audience {
            inbox::Audience::Inboxes(numbers) => {
                for (user, number) in numbers {
                    let kept = Some(Kept::Inbox(number));
                    self.tell_user(outlet, user, &told, kept, event.origin);
                }
            }
            inbox::Audience::Users(users) => {
                for user in users {
                    self.tell_user(outlet, user, &told, None, event.origin);
                }
            }
            inbox::Audience::Channel(group) => {
                publish(outlet, Audience::Channel(group), &told, kept, event.origin);
            }
            inbox::Audience::Everyone => {
                publish(outlet, Audience::Everyone, &told, kept, event.origin);
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
        kept: Option<Kept>,
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
            if let Some(message) = protocol.encode(event, kept) {
                outlet.send_many(&sessions, message);
            }
        }
    }

    /// Closes every session of a user.
    pub(crate) fn kick_user(&self, outlet: &mut dyn Outlet, user: UserId) {
        for seat in self.seats(user) {
            self.kick(outlet, seat, SessionEnd::Revoked);
        }
    }

    pub(crate) fn seats(&self, user: UserId) -> Vec<Seat> {
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

/// Publishes an event to an audience; encoded once per protocol.
pub(crate) fn publish(
    outlet: &mut dyn Outlet,
    audience: Audience,
    event: &Event,
    kept: Option<Kept>,
    except: Option<SessionId>,
) {
    for protocol in Protocol::ALL {
        if let Some(message) = protocol.encode(event, kept) {
            outlet.publish(audience.topic(protocol), message, except);
        }
    }
}
