//! The IM itself: what adapters ask, and who is told of it.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use common::{ErrorCode, UserId};
use gate::{Batch, Context};

use crate::account::token::{BackendFile, TokenError, Tokens};
use crate::account::{
    self, AccountConfig, Accounts, AuthWebhook, Authenticated, BAD_NAME, Enter, EnterGuest,
    Entered, TokenId, User,
};
use crate::api::Caller;
use crate::attachment::{Attachments, AttachmentsConfig, AttachmentsError};
use crate::blocking::BlockingPool;
use crate::delivery::Delivery;
use crate::event::Audience;
use crate::friend::FindBlockers;
use crate::message::{Draft, Receipt, Send, To};
use crate::outlet::Outlet;
use crate::presence::{
    FindLastSeen, FindWatched, LastSeen, Platform, Seat, UserPresence, WATCHED_MAX, Watch,
};
use crate::storage::operation::WriteOperation;
use crate::storage::refusal::Refusal;
use crate::storage::sqlite::{self, InlineStore, Location, SqliteStore, StoreConfig};
use crate::storage::store::Store;
use crate::webhook::{Secret, WebhookConfig, WebhookError, WebhookStats, Webhooks};

/// Most entries of one page of a list.
pub const PAGE_MAX: usize = 500;

/// Threads that hash passwords: a login takes one for some 20 ms.
const PASSWORD_THREADS: usize = 2;
/// Passwords that may wait to be hashed; later ones are refused as busy. The last of them waits for
/// some five seconds.
const PASSWORDS_WAITING_MAX: usize = 512;

/// What an IM is told before it starts.
#[derive(Clone, Debug)]
pub struct ImConfig {
    /// Seconds after which a client with nothing to say should send a heartbeat.
    pub heartbeat_seconds: u32,
    /// Name and version that clients are told.
    pub server: String,
    /// Where everything is kept, and by which rules.
    pub store: StoreConfig,
    /// Who is let in.
    pub accounts: AccountConfig,
    /// What is decided about attachments.
    pub attachments: AttachmentsConfig,
    /// Who is asked and told, if anybody is.
    pub webhooks: Option<WebhookConfig>,
}

impl Default for ImConfig {
    fn default() -> Self {
        Self {
            heartbeat_seconds: common::limits::IDLE_SECONDS,
            server: concat!("gatehouse/", env!("CARGO_PKG_VERSION")).to_owned(),
            store: StoreConfig::default(),
            accounts: AccountConfig::default(),
            attachments: AttachmentsConfig::default(),
            webhooks: None,
        }
    }
}

/// Why an IM could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its store could not be.
    #[error(transparent)]
    Store(#[from] sqlite::OpenError),
    /// Tokens cannot be issued or checked.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// Attachments cannot be kept.
    #[error(transparent)]
    Attachments(#[from] AttachmentsError),
    /// The webhook cannot be used.
    #[error(transparent)]
    Webhooks(#[from] WebhookError),
    /// A thread could not be started.
    #[error("cannot start a thread of the IM: {0}")]
    Thread(io::Error),
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
    /// The session whose token was shown, if one was.
    pub token: Option<TokenId>,
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

/// Users who are online, with their platforms.
pub(crate) type OnlinePage = Page<(User, Vec<Platform>)>;

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
    delivery: Arc<Delivery>,
    accounts: Accounts,
    webhooks: Option<Arc<Webhooks>>,
    /// Ends sessions whose tokens expire.
    expiry: Option<JoinHandle<()>>,
    /// None where there are no threads to write files.
    attachments: Option<Arc<Attachments>>,
}

impl Im {
    /// An IM with its store.
    ///
    /// # Errors
    /// Whatever keeps the store from being opened, or tokens from being issued and checked.
    pub fn open(config: ImConfig) -> Result<Arc<Self>, OpenError> {
        let webhooks = config.webhooks.clone().map(Webhooks::open).transpose()?;
        let webhooks = webhooks.map(Arc::new);
        let delivery = Arc::new(Delivery::new(config.accounts.policy, webhooks.clone()));
        let sink = Arc::clone(&delivery);
        let store = SqliteStore::open(config.store.clone(), move |event| sink.on_event(event))?;
        let pool = BlockingPool::new(PASSWORD_THREADS, PASSWORDS_WAITING_MAX);
        let pool = pool.map_err(OpenError::Thread)?;
        let store: Arc<dyn Store> = Arc::new(store);
        let attachments = Attachments::open(config.attachments.clone(), Arc::clone(&store))?;
        let mut im = Self::of(config, store, delivery, pool)?;
        im.attachments = Some(attachments);
        if let Some(webhooks) = &webhooks {
            webhooks.reach(Arc::downgrade(&im.store), Arc::downgrade(&im.delivery));
        }
        im.webhooks = webhooks;
        let ending = Arc::clone(&im.delivery);
        let expiry = thread::Builder::new().name("session-expiry".to_owned());
        let expiry = expiry.spawn(move || ending.end_expired());
        im.expiry = Some(expiry.map_err(OpenError::Thread)?);
        Ok(Arc::new(im))
    }

    /// An IM without threads, whose store is in memory and does what it is asked within the call:
    /// the same input brings the same output.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn inline(mut config: ImConfig) -> Result<Arc<Self>, OpenError> {
        config.store.location = Location::Memory;
        let delivery = Arc::new(Delivery::new(config.accounts.policy, None));
        let sink = Arc::clone(&delivery);
        let store = InlineStore::open(config.store.clone(), move |event| sink.on_event(event))?;
        let im = Self::of(config, Arc::new(store), delivery, BlockingPool::inline())?;
        Ok(Arc::new(im))
    }

    fn of(
        config: ImConfig,
        store: Arc<dyn Store>,
        delivery: Arc<Delivery>,
        pool: BlockingPool,
    ) -> Result<Self, OpenError> {
        delivery.seen.set_store(&store);
        let directory = match &config.store.location {
            Location::Directory(directory) => Some(directory.as_path()),
            Location::Memory => None,
        };
        let backend = config.accounts.backend.as_ref().map(BackendFile::read);
        let tokens = Tokens::new(directory, backend.transpose()?.as_ref())?;
        let accounts = config.accounts.clone();
        let webhook = config.accounts.auth_webhook.clone();
        let secret = config.accounts.auth_webhook_secret_file.as_deref();
        let secret = secret.map(Secret::read).transpose();
        let secret = secret.map_err(WebhookError::from)?;
        let webhook = webhook.map(|endpoint| AuthWebhook::new(endpoint, secret));
        let webhook = webhook.transpose().map_err(OpenError::Thread)?;
        let accounts =
            Accounts::new(Arc::clone(&store), Arc::new(pool), tokens, accounts).asking(webhook);
        Ok(Self {
            config,
            store,
            delivery,
            accounts,
            webhooks: None,
            expiry: None,
            attachments: None,
        })
    }

    /// What it was told before it started.
    #[must_use]
    pub fn config(&self) -> &ImConfig {
        &self.config
    }

    /// Accounts: registering, passwords, and what tokens are good for.
    #[must_use]
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Attachments, where there are any.
    #[must_use]
    pub const fn attachments(&self) -> Option<&Arc<Attachments>> {
        self.attachments.as_ref()
    }

    /// What webhooks have done, if there are any.
    #[must_use]
    pub fn webhook_stats(&self) -> Option<WebhookStats> {
        self.webhooks.as_ref().map(|webhooks| webhooks.stats())
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

    /// Tells webhooks what is left, for a moment: for when all sessions have ended. Dropping the IM
    /// does it as well, but who knows who drops it last.
    pub fn finish(&self) {
        if let Some(webhooks) = &self.webhooks {
            webhooks.close();
        }
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

    /// Makes an account: webhooks are asked first.
    ///
    /// Refused with `forbidden` where nobody may register, `invalid_value`, `conflict`,
    /// `limit_reached`, and with whatever the webhook answers.
    pub fn register(
        self: &Arc<Self>,
        name: &str,
        nickname: Option<&str>,
        password: String,
        then: impl FnOnce(Result<User, ImError>) + std::marker::Send + 'static,
    ) {
        let (name, nickname) = match self.accounts.checked(name, nickname, &password) {
            Ok(names) => names,
            Err(refusal) => return then(Err(refusal.into())),
        };
        let Some(webhooks) = &self.webhooks else {
            let then = move |made: Result<User, Refusal>| then(made.map_err(ImError::from));
            return self
                .accounts
                .register(&name, Some(&nickname), password, then);
        };
        let im = Arc::clone(self);
        let (own, shown) = (name.clone(), nickname.clone());
        webhooks.before_register(&name, &nickname, move |asked| match asked {
            Ok(()) => {
                let then = move |made: Result<User, Refusal>| then(made.map_err(ImError::from));
                im.accounts.register(&own, Some(&shown), password, then);
            }
            Err(error) => then(Err(error)),
        });
    }

    /// A guest wants to log in; with what comes of it, [`Im::take_seat`].
    ///
    /// Refused with `forbidden` where there are no guests, `invalid_value` for a name that is
    /// none, `conflict`, `limit_reached`.
    pub fn enter_guest(
        &self,
        name: &str,
        then: impl FnOnce(Result<Entered, ImError>) + std::marker::Send + 'static,
    ) {
        if !self.config.accounts.guests {
            return then(Err(ImError::new(
                ErrorCode::Forbidden,
                "this server takes no guests; log in with a token",
            )));
        }
        match account::checked_name(name, account::NAME_CHARS_MAX) {
            Some(name) => {
                let name = name.to_owned();
                self.change(EnterGuest { name }, then);
            }
            None => then(Err(BAD_NAME.into())),
        }
    }

    /// A user wants to log in with a token; with what comes of it, [`Im::take_seat`].
    ///
    /// Refused with `unauthenticated`, `forbidden`.
    pub(crate) fn enter_with(
        self: &Arc<Self>,
        token: &str,
        platform: Option<Platform>,
        then: impl FnOnce(Result<(Entered, Authenticated), ImError>) + std::marker::Send + 'static,
    ) {
        let im = Arc::clone(self);
        self.accounts
            .authenticate(token, platform, move |found| match found {
                Ok(authenticated) => {
                    let enter = Enter {
                        user: authenticated.account.id,
                        session: authenticated.session.map(|(token, _)| token),
                    };
                    im.change(enter, move |entered| {
                        then(entered.map(|entered| (entered, authenticated)));
                    });
                }
                Err(refusal) => then(Err(refusal.into())),
            });
    }

    /// Seats a user who has come online, within the outcome that says so: from here on the session
    /// hears everything. Older sessions of the user that have no place beside it are told and
    /// closed. `token` is that of a session that is kept.
    pub(crate) fn take_seat(
        &self,
        outlet: &mut dyn Outlet,
        entered: Entered,
        seat: Seat,
        token: Option<TokenId>,
    ) -> Login {
        self.delivery.enter(outlet, &entered, seat);
        Login {
            user: entered.user,
            seat,
            token,
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
        let session = None;
        self.change(Enter { user, session }, then);
    }

    /// Ends a login, within the outcome that says what its session hears; the session itself stays.
    pub(crate) fn give_up_seat(&self, outlet: &mut dyn Outlet, login: &Login, entered: &Entered) {
        let Seat {
            session, protocol, ..
        } = login.seat;
        self.delivery.leave(outlet, &login.user, session);
        outlet.unsubscribe(session, Audience::Everyone.topic(protocol));
        outlet.unsubscribe(session, Audience::PresenceWatchers.topic(protocol));
        for &group in &entered.channels {
            outlet.unsubscribe(session, Audience::Channel(group).topic(protocol));
        }
        outlet.unbind(session);
    }

    /// The session of a login has ended.
    pub(crate) fn on_close(&self, outlet: &mut dyn Outlet, login: &Login) {
        self.delivery.leave(outlet, &login.user, login.seat.session);
    }

    /// The token of the session that is kept for whoever makes a call. A connection that has logged
    /// in with one has another when it was renewed.
    #[must_use]
    pub(crate) fn token_of(&self, caller: &Caller) -> Option<TokenId> {
        let token = caller.token?;
        let seat = caller
            .origin
            .and_then(|session| self.delivery.presence.seat(caller.user, session));
        let credential = seat.and_then(|seat| seat.credential);
        Some(credential.map_or(token, |credential| credential.token))
    }

    /// The time of day of the store, in milliseconds since 1970.
    pub(crate) fn time(&self) -> u64 {
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
        if watch == Watch::Everyone
            && let Err(error) = self.check_everyone()
        {
            return then(Err(error));
        }
        let (user, session) = (login.user.id, login.seat.session);
        let find = FindWatched {
            user,
            friends: watch == Watch::Friends,
            users: match &watch {
                Watch::Users(users) => users.clone(),
                Watch::Friends | Watch::Everyone => Vec::new(),
            },
            everyone: watch == Watch::Everyone,
        };
        let im = Arc::clone(self);
        self.change(find, move |found| {
            then(found.and_then(|allowed| {
                if allowed.blockers.len() > WATCHED_MAX {
                    let text = "too many have blocked the user to tell of all others";
                    return Err(ImError::new(ErrorCode::Forbidden, text));
                }
                let mut outcome = Ok(());
                im.act(|outlet| {
                    outcome = im.delivery.watch(outlet, user, session, &watch, &allowed);
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
            everyone: false,
        };
        let im = Arc::clone(self);
        self.change(find, move |found| {
            then(found.map(|_| {
                im.act(|outlet| im.delivery.unwatch(outlet, &seat, users.as_deref()));
            }));
        });
    }

    /// Where users are online and when they were last seen, in the order asked for; those that are
    /// unknown are left out. Of those who have blocked `viewer` nothing is told.
    pub fn presence(
        self: &Arc<Self>,
        viewer: Option<UserId>,
        users: Vec<UserId>,
        then: impl FnOnce(Result<Vec<UserPresence>, Refusal>) + std::marker::Send + 'static,
    ) {
        let im = Arc::clone(self);
        let find = FindLastSeen { viewer, users };
        self.store().look_up(find, move |found| {
            let told = |found| presence_of(&im, found);
            then(found.map(|found| found.into_iter().map(told).collect()));
        });
    }

    /// Where everyone is somebody's guest there are no friends to speak of, and who is online is
    /// everybody's to know. Elsewhere it is known of friends, and of users who are named.
    fn check_everyone(&self) -> Result<(), ImError> {
        if self.config.accounts.guests {
            return Ok(());
        }
        let text = "who is online is told of friends, and of users who are named";
        Err(ImError::new(ErrorCode::Forbidden, text))
    }

    /// Users who are online, with their platforms, by ascending id; those who have blocked
    /// `viewer` are left out.
    ///
    /// Refused with `forbidden`.
    pub(crate) fn online(
        &self,
        viewer: UserId,
        after: UserId,
        limit: usize,
        then: impl FnOnce(Result<OnlinePage, ImError>) + std::marker::Send + 'static,
    ) {
        if let Err(error) = self.check_everyone() {
            return then(Err(error));
        }
        let (mut entries, more) = self.delivery.presence.page(after, limit);
        let next = entries.last().filter(|_| more).map(|(user, _)| user.id.0);
        let total = self.delivery.presence.count();
        let find = FindBlockers {
            blocked: viewer,
            among: entries.iter().map(|(user, _)| user.id).collect(),
        };
        self.store().look_up(find, move |blockers| {
            let page = blockers.map(|blockers| {
                entries.retain(|(user, _)| !blockers.contains(&user.id));
                Page {
                    entries,
                    total,
                    next,
                }
            });
            then(page.map_err(ImError::from));
        });
    }

    /// Those of these users who are online, without those who have blocked `viewer`.
    pub(crate) fn online_among(
        &self,
        viewer: UserId,
        mut users: Vec<UserId>,
        then: impl FnOnce(Result<Vec<UserId>, Refusal>) + std::marker::Send + 'static,
    ) {
        users.retain(|user| self.is_online(*user));
        if users.is_empty() {
            return then(Ok(users));
        }
        let find = FindBlockers {
            blocked: viewer,
            among: users.clone(),
        };
        self.store().look_up(find, move |blockers| {
            then(blockers.map(|blockers| {
                users.retain(|user| !blockers.contains(user));
                users
            }));
        });
    }

    /// Whether a user is online.
    #[must_use]
    pub fn is_online(&self, user: UserId) -> bool {
        self.delivery.presence.is_online(user)
    }

    /// The platforms on which a user is online.
    #[must_use]
    pub fn platforms(&self, user: UserId) -> Vec<Platform> {
        let mut seats = Vec::new();
        self.delivery.presence.collect_seats(user, &mut seats);
        seats.iter().map(|seat| seat.platform).collect()
    }

    /// How many users are online, and how many sessions there are on each platform.
    #[must_use]
    pub fn online_by_platform(&self) -> (usize, Vec<(Platform, usize)>) {
        let presence = &self.delivery.presence;
        (presence.count(), presence.count_by_platform())
    }

    /// Closes the connections of a user.
    pub fn close_connections(&self, user: UserId) {
        self.delivery
            .act(|outlet| self.delivery.kick_user(outlet, user));
    }

    // Messages.

    /// Sends a message; its outcome comes when it is durable.
    ///
    /// Refused with `invalid_value`, `not_found`, `forbidden`, `conflict`.
    pub fn send(
        &self,
        caller: &Caller,
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
            extra,
            client_id,
            mentions,
        } = draft;
        let send = Send {
            sender: caller.user,
            to,
            kind,
            body,
            extra,
            client_id,
            mentions,
            origin: caller.origin,
        };
        self.post(send, then);
    }

    /// Sends a message if the webhook agrees.
    fn post(
        &self,
        send: Send,
        then: impl FnOnce(Result<Receipt, ImError>) + std::marker::Send + 'static,
    ) {
        let Some(webhooks) = &self.webhooks else {
            return self.change(send, then);
        };
        let store = Arc::clone(&self.store);
        webhooks.before_send(send, move |asked| match asked {
            Ok(send) => store.change(send, move |outcome| {
                then(outcome.map_err(ImError::from));
            }),
            Err(error) => then(Err(error)),
        });
    }
}

impl Drop for Im {
    fn drop(&mut self) {
        // Before the store, which what is told of channels is looked up in.
        self.finish();
        self.delivery.seen.finish();
        self.delivery.deadlines.close();
        if let Some(expiry) = self.expiry.take()
            && expiry.join().is_err()
        {
            tracing::error!("the thread that ends sessions has panicked");
        }
    }
}

/// What the store knows of a user, with what it does not know yet.
fn presence_of(im: &Im, found: LastSeen) -> UserPresence {
    let LastSeen {
        user,
        hidden,
        seen: mut last_seen,
    } = found;
    let mut online = Vec::new();
    if !hidden {
        online = im.platforms(user.id);
        online.sort_unstable();
        online.dedup();
        for (platform, time_ms) in im.delivery.seen.of(user.id) {
            last_seen.retain(|&(known, _)| known != platform);
            last_seen.push((platform, time_ms));
        }
        last_seen.retain(|(platform, _)| !online.contains(platform));
        last_seen.sort_unstable();
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
