//! The IM itself: what adapters ask, and who is told of it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{CloseReason, ErrorCode, GroupId, SessionId, UserId};
use gate::Context;

use crate::account::{self, User};
use crate::event::{Audience, Event, Protocol};
use crate::group::{self, Group};
use crate::message::{BODY_BYTES_MAX, CLIENT_ID_BYTES_MAX, Conversation, Delivery, Draft, Receipt};
use crate::presence::{Platform, Presence, Seat};
use crate::storage::{MemoryStore, Store, StoreError};

/// Most entries of one page of a list.
pub const PAGE_MAX: usize = 500;

/// What an IM is told before it starts.
#[derive(Clone, Debug)]
pub struct ImConfig {
    /// Seconds after which a client with nothing to say should send a heartbeat.
    pub heartbeat_seconds: u32,
    /// Name and version that clients are told.
    pub server: String,
    /// Names this run of the server: ids of a store in memory mean nothing in the next one.
    pub instance: String,
}

impl Default for ImConfig {
    fn default() -> Self {
        Self {
            heartbeat_seconds: common::limits::IDLE_SECONDS,
            server: concat!("gatehouse/", env!("CARGO_PKG_VERSION")).to_owned(),
            instance: format!("{:x}", now_ms()),
        }
    }
}

/// Why a command was not done: the code for programs, the text for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct ImError {
    /// What a client can act on.
    pub code: ErrorCode,
    /// What a person can read.
    pub text: String,
}

impl ImError {
    /// An error with this code and text.
    pub fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

impl From<StoreError> for ImError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::new(ErrorCode::NotFound, "there is no such group"),
            StoreError::Full => Self::new(ErrorCode::LimitReached, "a limit is reached"),
        }
    }
}

/// A session in which a user is logged in.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who.
    pub user: User,
    /// Where.
    pub seat: Seat,
}

/// To whom a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// One user.
    User(UserId),
    /// The members of a group.
    Group(GroupId),
    /// Everyone who is online.
    All,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// How many there are in all.
    pub total: usize,
    /// What to pass as `after` for the next page, if there is one.
    pub next: Option<u64>,
}

/// The instant-messaging server behind all protocols: commands in, events out. One is shared by
/// all workers; its state is in the store and in presence, behind short locks.
pub struct Im {
    config: ImConfig,
    store: Box<dyn Store>,
    presence: Presence,
}

impl std::fmt::Debug for Im {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Im")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Im {
    /// An IM that keeps its state in memory.
    #[must_use]
    pub fn new(config: ImConfig) -> Arc<Self> {
        Self::with_store(config, Box::new(MemoryStore::default()))
    }

    /// An IM over a store.
    #[must_use]
    pub fn with_store(config: ImConfig, store: Box<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            config,
            store,
            presence: Presence::default(),
        })
    }

    /// What it was told before it started.
    #[must_use]
    pub fn config(&self) -> &ImConfig {
        &self.config
    }

    // Login and presence.

    /// Logs a guest in. An older session of the same user and platform is told and closed.
    ///
    /// # Errors
    /// `invalid_value` for a name that is none, `limit_reached`.
    pub fn login(
        &self,
        context: &mut Context<'_>,
        session: SessionId,
        protocol: Protocol,
        name: &str,
        platform: Platform,
    ) -> Result<Login, ImError> {
        let name = account::checked_name(name, account::NAME_CHARS_MAX).ok_or_else(|| {
            ImError::new(
                ErrorCode::InvalidValue,
                "a name has 1 to 32 characters, none of them a control character",
            )
        })?;
        let user = self.store.guest(name)?;
        let seat = Seat {
            session,
            platform,
            protocol,
        };
        let entered = self.presence.enter(user.id, seat);
        if let Some(old) = entered.displaced
            && old.session != session
        {
            context.send_message(old.session, old.protocol.encode(&Event::Kicked));
            context.close(old.session, CloseReason::Kicked, "logged in elsewhere");
        }
        context.bind(session);
        context.subscribe(session, Audience::Everyone.topic(protocol));
        for group in self.store.groups_of(user.id) {
            context.subscribe(session, Audience::Group(group).topic(protocol));
        }
        if entered.first {
            let event = Event::Presence {
                user: user.clone(),
                online: true,
            };
            publish(context, Audience::PresenceWatchers, &event, Some(session));
        }
        Ok(Login { user, seat })
    }

    /// Ends a login; the session itself stays.
    pub fn logout(&self, context: &mut Context<'_>, login: &Login) {
        let Seat {
            session, protocol, ..
        } = login.seat;
        context.unsubscribe(session, Audience::Everyone.topic(protocol));
        context.unsubscribe(session, Audience::PresenceWatchers.topic(protocol));
        for group in self.store.groups_of(login.user.id) {
            context.unsubscribe(session, Audience::Group(group).topic(protocol));
        }
        context.unbind(session);
        self.leave_presence(context, login);
    }

    /// The session of a login has ended.
    pub fn on_close(&self, context: &mut Context<'_>, login: &Login) {
        self.leave_presence(context, login);
    }

    fn leave_presence(&self, context: &mut Context<'_>, login: &Login) {
        if self.presence.leave(login.user.id, login.seat.session) {
            self.store.retire(login.user.id);
            let event = Event::Presence {
                user: login.user.clone(),
                online: false,
            };
            publish(context, Audience::PresenceWatchers, &event, None);
        }
    }

    /// Tells this session from now on who comes and goes.
    pub fn watch_presence(&self, context: &mut Context<'_>, login: &Login) {
        let topic = Audience::PresenceWatchers.topic(login.seat.protocol);
        context.subscribe(login.seat.session, topic);
    }

    /// Ends what [`Im::watch_presence`] began.
    pub fn unwatch_presence(&self, context: &mut Context<'_>, login: &Login) {
        let topic = Audience::PresenceWatchers.topic(login.seat.protocol);
        context.unsubscribe(login.seat.session, topic);
    }

    /// Users who are online, with their platforms, by ascending id.
    #[must_use]
    pub fn online(&self, after: UserId, limit: usize) -> Page<(User, Vec<Platform>)> {
        let (page, more) = self.presence.page(after, limit);
        let next = page.last().filter(|_| more).map(|(user, _)| user.0);
        let entries = page
            .into_iter()
            .filter_map(|(user, platforms)| Some((self.store.user(user)?, platforms)))
            .collect();
        Page {
            entries,
            total: self.presence.count(),
            next,
        }
    }

    // Messages.

    /// Sends a message.
    ///
    /// # Errors
    /// `invalid_value`, `not_found`, `forbidden`, `offline`.
    pub fn send(
        &self,
        context: &mut Context<'_>,
        login: &Login,
        recipient: Recipient,
        draft: Draft,
    ) -> Result<Receipt, ImError> {
        check_draft(&draft)?;
        let sender = login.user.id;
        let conversation = self.conversation(sender, recipient)?;
        let (receipt, new) = self.store.append(conversation, sender, &draft, now_ms())?;
        if new {
            let delivery = Delivery {
                receipt,
                from: login.user.clone(),
                draft,
            };
            let event = Event::Message(delivery);
            let own = Some(login.seat.session);
            match recipient {
                Recipient::All => publish(context, Audience::Everyone, &event, own),
                Recipient::Group(group) => publish(context, Audience::Group(group), &event, own),
                Recipient::User(user) => self.tell_users(context, &[user, sender], &event, own),
            }
        }
        Ok(receipt)
    }

    /// The conversation that `sender` may send to.
    fn conversation(&self, sender: UserId, recipient: Recipient) -> Result<Conversation, ImError> {
        match recipient {
            Recipient::All => Ok(Conversation::All),
            Recipient::Group(group) => {
                self.check_member(group, sender)?;
                Ok(Conversation::Group(group))
            }
            Recipient::User(user) if self.presence.is_online(user) => {
                Ok(Conversation::between(sender, user))
            }
            Recipient::User(user) => Err(match self.store.user(user) {
                Some(user) => {
                    ImError::new(ErrorCode::Offline, format!("{} is not online", user.name))
                }
                None => ImError::new(ErrorCode::NotFound, "there is no such user"),
            }),
        }
    }

    fn check_member(&self, group: GroupId, user: UserId) -> Result<(), ImError> {
        if self.store.is_member(group, user) {
            return Ok(());
        }
        Err(match self.store.group(group) {
            Some(_) => ImError::new(ErrorCode::Forbidden, "only members may do this"),
            None => StoreError::NotFound.into(),
        })
    }

    /// Tells every session of some users, except one; encoded once per protocol.
    fn tell_users(
        &self,
        context: &mut Context<'_>,
        users: &[UserId],
        event: &Event,
        except: Option<SessionId>,
    ) {
        let mut seats = Vec::new();
        for (at, user) in users.iter().enumerate() {
            if !users[..at].contains(user) {
                self.presence.collect_seats(*user, &mut seats);
            }
        }
        for protocol in Protocol::ALL {
            let sessions: Vec<SessionId> = seats
                .iter()
                .filter(|seat| seat.protocol == protocol && Some(seat.session) != except)
                .map(|seat| seat.session)
                .collect();
            if !sessions.is_empty() {
                context.send_many(&sessions, protocol.encode(event));
            }
        }
    }

    // Groups.

    /// Makes a group; whoever makes it is its first member.
    ///
    /// # Errors
    /// `invalid_value`, `limit_reached`.
    pub fn create_group(
        &self,
        context: &mut Context<'_>,
        login: &Login,
        name: &str,
    ) -> Result<Group, ImError> {
        let name = account::checked_name(name, group::NAME_CHARS_MAX).ok_or_else(|| {
            ImError::new(
                ErrorCode::InvalidValue,
                "a group's name has 1 to 64 characters, none of them a control character",
            )
        })?;
        let group = self.store.create_group(name, login.user.id)?;
        self.seat_in_group(context, login.user.id, group.id, true);
        Ok(group)
    }

    /// Makes the user a member; nothing happens if they are one.
    ///
    /// # Errors
    /// `not_found`, `limit_reached`.
    pub fn join_group(
        &self,
        context: &mut Context<'_>,
        login: &Login,
        id: GroupId,
    ) -> Result<Group, ImError> {
        let (group, new) = self.store.join(id, login.user.id)?;
        if new {
            self.seat_in_group(context, login.user.id, id, true);
            let event = Event::GroupJoined {
                group: id,
                user: login.user.clone(),
            };
            publish(
                context,
                Audience::Group(id),
                &event,
                Some(login.seat.session),
            );
        }
        Ok(group)
    }

    /// Ends the user's membership.
    ///
    /// # Errors
    /// `not_found` if there is no such group, `forbidden` if they are no member.
    pub fn leave_group(
        &self,
        context: &mut Context<'_>,
        login: &Login,
        id: GroupId,
    ) -> Result<(), ImError> {
        if !self.store.leave(id, login.user.id)? {
            return Err(ImError::new(
                ErrorCode::Forbidden,
                "only members may do this",
            ));
        }
        let event = Event::GroupLeft {
            group: id,
            user: login.user.clone(),
        };
        publish(
            context,
            Audience::Group(id),
            &event,
            Some(login.seat.session),
        );
        self.seat_in_group(context, login.user.id, id, false);
        Ok(())
    }

    /// Adds every session of a user to a group's audience, or takes it away.
    fn seat_in_group(&self, context: &mut Context<'_>, user: UserId, group: GroupId, seated: bool) {
        let mut seats = Vec::new();
        self.presence.collect_seats(user, &mut seats);
        for seat in seats {
            let topic = Audience::Group(group).topic(seat.protocol);
            if seated {
                context.subscribe(seat.session, topic);
            } else {
                context.unsubscribe(seat.session, topic);
            }
        }
    }

    /// Members of a group, and whether each is online, by ascending id.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub fn members(
        &self,
        login: &Login,
        group: GroupId,
        after: UserId,
        limit: usize,
    ) -> Result<Page<(User, bool)>, ImError> {
        self.check_member(group, login.user.id)?;
        let total = self.store.group(group).map_or(0, |group| group.members);
        let users = self.store.members(group, after, limit + 1);
        Ok(
            Page::cut(users, limit, total, |user| user.id.0).map(|user| {
                let online = self.presence.is_online(user.id);
                (user, online)
            }),
        )
    }

    /// The groups of the user, by ascending id.
    #[must_use]
    pub fn own_groups(&self, login: &Login, after: GroupId, limit: usize) -> Page<(Group, bool)> {
        let own = self.store.groups_of(login.user.id);
        let total = own.len();
        let rest = own.into_iter().filter(|id| *id > after);
        let groups = rest
            .filter_map(|id| self.store.group(id))
            .take(limit + 1)
            .collect();
        Page::cut(groups, limit, total, |group: &Group| group.id.0).map(|group| (group, true))
    }

    /// All groups, and whether the user is a member of each, by ascending id.
    #[must_use]
    pub fn groups(&self, login: &Login, after: GroupId, limit: usize) -> Page<(Group, bool)> {
        let (groups, total) = self.store.groups(after, limit + 1);
        Page::cut(groups, limit, total, |group| group.id.0).map(|group| {
            let joined = self.store.is_member(group.id, login.user.id);
            (group, joined)
        })
    }
}

impl<T> Page<T> {
    /// A page of `limit` entries at most; one more among `entries` says that the list goes on.
    fn cut(mut entries: Vec<T>, limit: usize, total: usize, id: impl Fn(&T) -> u64) -> Self {
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(id);
        Self {
            entries,
            total,
            next,
        }
    }

    fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            entries: self.entries.into_iter().map(f).collect(),
            total: self.total,
            next: self.next,
        }
    }
}

/// Publishes an event to an audience; encoded once per protocol.
fn publish(
    context: &mut Context<'_>,
    audience: Audience,
    event: &Event,
    except: Option<SessionId>,
) {
    for protocol in Protocol::ALL {
        context.publish_except(audience.topic(protocol), protocol.encode(event), except);
    }
}

fn check_draft(draft: &Draft) -> Result<(), ImError> {
    if !(1..=BODY_BYTES_MAX).contains(&draft.body.len()) {
        return Err(ImError::new(
            ErrorCode::InvalidValue,
            "a body has 1 to 16384 bytes",
        ));
    }
    if draft
        .client_id
        .as_ref()
        .is_some_and(|id| id.len() > CLIENT_ID_BYTES_MAX)
    {
        return Err(ImError::new(
            ErrorCode::InvalidValue,
            "a client_id has at most 64 bytes",
        ));
    }
    Ok(())
}

/// The present time of day, in milliseconds since 1970.
#[must_use]
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_millis() as u64)
}
