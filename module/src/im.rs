//! The IM itself: what adapters ask, and who is told of it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{ErrorCode, GroupId, UserId};
use gate::{Batch, Context};

use crate::account::{self, Enter, EnterGuest, Entered, User};
use crate::delivery::Delivery;
use crate::event::Audience;
use crate::group::{
    self, CreateGroup, FindGroup, Group, GroupPage, GroupView, Join, Joined, Joining, Leave,
    ListGroups, ListMembers, MemberPage, WhichGroups, WhichMembers,
};
use crate::inbox::{Sync, SyncPage};
use crate::message::{
    Conversation, ConversationPage, Conversations, Direction, Draft, History, HistoryPage,
    MarkRead, Receipt, Send, To,
};
use crate::outlet::Outlet;
use crate::presence::{
    FindLastSeen, FindWatched, LastSeen, Platform, Seat, SeenLog, UserPresence, Watch,
};
use crate::storage::operation::{ReadOperation, WriteOperation};
use crate::storage::refusal::Refusal;
use crate::storage::sqlite::{InlineStore, OpenError, SqliteStore, StoreConfig};
use crate::storage::store::Store;

/// Most entries of one page of a list.
pub const PAGE_MAX: usize = 500;

/// What an IM is told before it starts.
#[derive(Clone, Debug)]
pub struct ImConfig {
    /// Seconds after which a client with nothing to say should send a heartbeat.
    pub heartbeat_seconds: u32,
    /// Name and version that clients are told.
    pub server: String,
    /// Whether a session may hear of everyone who comes and goes, not only of friends and those
    /// whom it names: for a demo, where everyone is a guest.
    pub presence_of_all: bool,
    /// Where everything is kept, and by which rules.
    pub store: StoreConfig,
}

impl Default for ImConfig {
    fn default() -> Self {
        Self {
            heartbeat_seconds: common::limits::IDLE_SECONDS,
            server: concat!("gatehouse/", env!("CARGO_PKG_VERSION")).to_owned(),
            presence_of_all: true,
            store: StoreConfig::default(),
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

impl From<Refusal> for ImError {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
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
/// all workers. What it keeps is in the store, and who is online in presence.
///
/// A command that has to do with the store takes what is to be done with its outcome, which is
/// called from a thread of the store: for a change when it is durable, and before anybody else is
/// told of it. It must be short and must not wait.
#[derive(Debug)]
pub struct Im {
    config: ImConfig,
    store: Arc<dyn Store>,
    seen: Arc<SeenLog>,
    delivery: Arc<Delivery>,
}

impl Im {
    /// An IM with its store.
    ///
    /// # Errors
    /// Whatever keeps the store from being opened.
    pub fn open(config: ImConfig) -> Result<Arc<Self>, OpenError> {
        let delivery = Arc::new(Delivery::default());
        let sink = Arc::clone(&delivery);
        let store = SqliteStore::open(config.store.clone(), move |event| sink.on_event(event))?;
        Ok(Self::over(config, Arc::new(store), delivery))
    }

    /// An IM without threads, whose store is in memory and does what it is asked within the call:
    /// the same input brings the same output.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn inline(config: ImConfig) -> Result<Arc<Self>, OpenError> {
        let delivery = Arc::new(Delivery::default());
        let sink = Arc::clone(&delivery);
        let store = InlineStore::open(config.store.clone(), move |event| sink.on_event(event))?;
        Ok(Self::over(config, Arc::new(store), delivery))
    }

    fn over(config: ImConfig, store: Arc<dyn Store>, delivery: Arc<Delivery>) -> Arc<Self> {
        Arc::new(Self {
            config,
            seen: Arc::new(SeenLog::new(Arc::clone(&store))),
            store,
            delivery,
        })
    }

    /// What it was told before it started.
    #[must_use]
    pub fn config(&self) -> &ImConfig {
        &self.config
    }

    /// What the IM keeps.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    fn change<O: WriteOperation>(
        &self,
        operation: O,
        then: impl FnOnce(Result<O::Output, ImError>) + std::marker::Send + 'static,
    ) {
        self.store().change(operation, move |outcome| {
            then(outcome.map_err(ImError::from))
        });
    }

    fn look_up<O: ReadOperation>(
        &self,
        operation: O,
        then: impl FnOnce(Result<O::Output, ImError>) + std::marker::Send + 'static,
    ) {
        self.store().look_up(operation, move |outcome| {
            then(outcome.map_err(ImError::from))
        });
    }

    // Login and presence.

    /// Learns how sessions are reached. Adapters call this before the first command of a session.
    pub fn learn(&self, context: &Context<'_>) {
        self.delivery.learn(context);
    }

    /// Has `act` reach sessions from inside of an outcome.
    pub fn act(&self, act: impl FnOnce(&mut Batch<'_>)) {
        self.delivery.act(act);
    }

    /// A guest wants to log in; with what comes of it, [`Im::take_seat`].
    ///
    /// Refused with `invalid_value` for a name that is none, `conflict`, `limit_reached`.
    pub fn enter_guest(
        &self,
        name: &str,
        then: impl FnOnce(Result<Entered, ImError>) + std::marker::Send + 'static,
    ) {
        match account::checked_name(name, account::NAME_CHARS_MAX) {
            Some(name) => {
                let name = name.to_owned();
                self.change(EnterGuest { name }, then);
            }
            None => then(Err(ImError::new(
                ErrorCode::InvalidValue,
                "a name has 1 to 32 characters, none of them a control character",
            ))),
        }
    }

    /// Seats a user who has come online, within the outcome that says so: from here on the session
    /// hears everything. An older session of the same user and platform is told and closed.
    pub(crate) fn take_seat(&self, outlet: &mut dyn Outlet, entered: Entered, seat: Seat) -> Login {
        self.delivery.enter(outlet, &entered, seat);
        // Noted already here, so that it is known if the process is killed before they go.
        self.seen.note(entered.user.id, seat.platform, self.time());
        Login {
            user: entered.user,
            seat,
        }
    }

    /// A login is to be ended; with what comes of it, [`Im::give_up_seat`].
    pub(crate) fn log_out(
        &self,
        login: &Login,
        then: impl FnOnce(Result<Entered, ImError>) + std::marker::Send + 'static,
    ) {
        // What the session hears is known in the order of the commits, as at its login.
        let user = login.user.id;
        self.change(Enter { user }, then);
    }

    /// Ends a login, within the outcome that says what its session hears; the session itself stays.
    pub(crate) fn give_up_seat(&self, outlet: &mut dyn Outlet, login: &Login, entered: &Entered) {
        let Seat {
            session, protocol, ..
        } = login.seat;
        self.leave(outlet, login);
        outlet.unsubscribe(session, Audience::Everyone.topic(protocol));
        outlet.unsubscribe(session, Audience::PresenceWatchers.topic(protocol));
        for &group in &entered.channels {
            outlet.unsubscribe(session, Audience::Channel(group).topic(protocol));
        }
        outlet.unbind(session);
    }

    /// The session of a login has ended.
    pub(crate) fn on_close(&self, outlet: &mut dyn Outlet, login: &Login) {
        self.leave(outlet, login);
    }

    fn leave(&self, outlet: &mut dyn Outlet, login: &Login) {
        let Login { user, seat } = login;
        let left = self.delivery.leave(outlet, user, seat.session);
        if let Some(platform) = left.platform {
            self.seen.note(user.id, platform, self.time());
        }
    }

    fn time(&self) -> u64 {
        (self.config.store.time)()
    }

    /// Tells this session from now on who of these comes and goes, and at once who is there. Those
    /// who have blocked the user are left out.
    ///
    /// Refused with `forbidden`, `limit_reached`.
    pub(crate) fn watch_presence(
        self: &Arc<Self>,
        login: &Login,
        watch: Watch,
        then: impl FnOnce(Result<(), ImError>) + std::marker::Send + 'static,
    ) {
        if watch == Watch::Everyone && !self.config.presence_of_all {
            let text = "sessions hear of friends, and of users whom they name";
            return then(Err(ImError::new(ErrorCode::Forbidden, text)));
        }
        let (user, seat) = (login.user.id, login.seat);
        let find = FindWatched {
            user,
            friends: watch == Watch::Friends,
            users: match &watch {
                Watch::Users(users) => users.clone(),
                Watch::Friends | Watch::Everyone => Vec::new(),
            },
        };
        let im = Arc::clone(self);
        self.change(find, move |found| {
            then(found.and_then(|allowed| {
                let mut outcome = Ok(());
                im.act(|outlet| {
                    outcome = im.delivery.watch(outlet, user, seat, &watch, &allowed);
                });
                outcome.map_err(ImError::from)
            }));
        });
    }

    /// Tells this session no longer who of these comes and goes, or of nobody.
    pub(crate) fn unwatch_presence(
        self: &Arc<Self>,
        login: &Login,
        users: Option<Vec<UserId>>,
        then: impl FnOnce(Result<(), ImError>) + std::marker::Send + 'static,
    ) {
        let seat = login.seat;
        // Finds nobody: this comes behind what was asked for before.
        let find = FindWatched {
            user: login.user.id,
            friends: false,
            users: Vec::new(),
        };
        let im = Arc::clone(self);
        self.change(find, move |found| {
            then(found.map(|_| {
                im.act(|outlet| im.delivery.unwatch(outlet, seat, users.as_deref()));
            }));
        });
    }

    /// Where users are online and when they were last seen, in the order asked for; those that are
    /// unknown are left out. Of those who have blocked `viewer` nothing is told.
    pub fn presence(
        self: &Arc<Self>,
        viewer: Option<UserId>,
        users: Vec<UserId>,
        then: impl FnOnce(Result<Vec<UserPresence>, ImError>) + std::marker::Send + 'static,
    ) {
        let im = Arc::clone(self);
        self.look_up(FindLastSeen { viewer, users }, move |found| {
            let told = |seen| found_presence(&im, seen);
            then(found.map(|found| found.into_iter().map(told).collect()));
        });
    }

    /// Users who are online, with their platforms, by ascending id.
    #[must_use]
    pub fn online(&self, after: UserId, limit: usize) -> Page<(User, Vec<Platform>)> {
        let (entries, more) = self.delivery.presence.page(after, limit);
        let next = entries.last().filter(|_| more).map(|(user, _)| user.id.0);
        Page {
            entries,
            total: self.delivery.presence.count(),
            next,
        }
    }

    /// Whether a user is online.
    #[must_use]
    pub fn is_online(&self, user: UserId) -> bool {
        self.delivery.presence.is_online(user)
    }

    // Messages.

    /// Sends a message; its outcome comes when it is durable.
    ///
    /// Refused with `invalid_value`, `not_found`, `forbidden`, `conflict`.
    pub fn send(
        &self,
        login: &Login,
        to: To,
        draft: Draft,
        then: impl FnOnce(Result<Receipt, ImError>) + std::marker::Send + 'static,
    ) {
        if let Err(refusal) = draft.check() {
            return then(Err(refusal.into()));
        }
        let Draft {
            kind,
            body,
            client_id,
        } = draft;
        let send = Send {
            sender: login.user.id,
            to,
            kind,
            body,
            extra: None,
            client_id,
            mentions: Vec::new(),
            origin: Some(login.seat.session),
        };
        self.change(send, then);
    }

    /// Messages of a conversation.
    ///
    /// Refused with `not_found`.
    pub fn history(
        &self,
        login: &Login,
        conversation: Conversation,
        direction: Direction,
        limit: usize,
        then: impl FnOnce(Result<HistoryPage, ImError>) + std::marker::Send + 'static,
    ) {
        let history = History {
            user: login.user.id,
            conversation,
            direction,
            limit,
        };
        self.look_up(history, then);
    }

    /// Says that the user has read a conversation up to a message; gives up to where they have.
    ///
    /// Refused with `not_found`.
    pub fn mark_read(
        &self,
        login: &Login,
        conversation: Conversation,
        seq: u64,
        then: impl FnOnce(Result<u64, ImError>) + std::marker::Send + 'static,
    ) {
        let read = MarkRead {
            user: login.user.id,
            conversation,
            seq,
            origin: Some(login.seat.session),
        };
        self.change(read, then);
    }

    /// The user's conversations, pinned ones first and then the latest.
    pub fn conversations(
        &self,
        login: &Login,
        offset: usize,
        limit: usize,
        then: impl FnOnce(Result<ConversationPage, ImError>) + std::marker::Send + 'static,
    ) {
        let list = Conversations {
            user: login.user.id,
            offset,
            limit,
        };
        self.look_up(list, then);
    }

    /// What has come to the user's inbox after a number.
    pub fn sync(
        &self,
        login: &Login,
        after: u64,
        limit: usize,
        then: impl FnOnce(Result<SyncPage, ImError>) + std::marker::Send + 'static,
    ) {
        let sync = Sync {
            user: login.user.id,
            after,
            limit,
        };
        self.look_up(sync, then);
    }

    // Groups.

    /// Makes a group that anyone may join; whoever makes it is its first member.
    ///
    /// Refused with `invalid_value`, `limit_reached`.
    pub fn create_group(
        &self,
        login: &Login,
        name: &str,
        then: impl FnOnce(Result<Group, ImError>) + std::marker::Send + 'static,
    ) {
        let Some(name) = account::checked_name(name, group::NAME_CHARS_MAX) else {
            return then(Err(ImError::new(
                ErrorCode::InvalidValue,
                "a group's name has 1 to 64 characters, none of them a control character",
            )));
        };
        let create = CreateGroup {
            owner: login.user.id,
            name: name.to_owned(),
            members: Vec::new(),
            joining: Joining::Open,
            origin: Some(login.seat.session),
        };
        self.change(create, then);
    }

    /// Makes the user a member, or has them apply; nothing happens if they are one.
    ///
    /// Refused with `not_found`, `forbidden`, `conflict`, `limit_reached`.
    pub fn join_group(
        self: &Arc<Self>,
        login: &Login,
        group: GroupId,
        then: impl FnOnce(Result<(GroupView, Joined), ImError>) + std::marker::Send + 'static,
    ) {
        let user = login.user.id;
        let join = Join {
            user,
            group,
            text: String::new(),
            origin: Some(login.seat.session),
        };
        let im = Arc::clone(self);
        self.change(join, move |outcome| match outcome {
            Ok(joined) => im.look_up(FindGroup { user, group }, move |found| {
                then(found.map(|group| (group, joined)));
            }),
            Err(error) => then(Err(error)),
        });
    }

    /// Ends the user's membership; an owner hands the group over.
    ///
    /// Refused with `not_found` if there is no such group, `forbidden` if they are no member.
    pub fn leave_group(
        &self,
        login: &Login,
        group: GroupId,
        then: impl FnOnce(Result<(), ImError>) + std::marker::Send + 'static,
    ) {
        let leave = Leave {
            user: login.user.id,
            group,
            hand_over: true,
            origin: Some(login.seat.session),
        };
        self.change(leave, then);
    }

    /// Members of a group, by ascending id.
    ///
    /// Refused with `not_found`, `forbidden`.
    pub fn members(
        &self,
        login: &Login,
        group: GroupId,
        after: UserId,
        limit: usize,
        then: impl FnOnce(Result<MemberPage, ImError>) + std::marker::Send + 'static,
    ) {
        let list = ListMembers {
            user: login.user.id,
            group,
            which: WhichMembers::All,
            after,
            limit,
        };
        self.look_up(list, then);
    }

    /// Groups, by ascending id.
    pub fn groups(
        &self,
        login: &Login,
        which: WhichGroups,
        after: GroupId,
        limit: usize,
        then: impl FnOnce(Result<GroupPage, ImError>) + std::marker::Send + 'static,
    ) {
        let list = ListGroups {
            user: login.user.id,
            which,
            after,
            limit,
        };
        self.look_up(list, then);
    }
}

/// What the store knows of a user, with what it does not know yet.
fn found_presence(im: &Im, found: LastSeen) -> UserPresence {
    let LastSeen {
        user,
        hidden,
        seen: mut last_seen,
    } = found;
    let mut online = Vec::new();
    if !hidden {
        if let Some((_, platforms)) = im.delivery.presence.find(user.id) {
            online = platforms;
        }
        for (platform, time_ms) in im.seen.of(user.id) {
            last_seen.retain(|&(known, _)| known != platform);
            last_seen.push((platform, time_ms));
        }
        last_seen.retain(|(platform, _)| !online.contains(platform));
    }
    UserPresence {
        user,
        online,
        last_seen,
    }
}

/// The present time of day, in milliseconds since 1970.
#[must_use]
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_millis() as u64)
}
