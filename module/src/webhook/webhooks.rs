//! What the IM asks and tells.

use std::io;
use std::sync::{Arc, OnceLock, Weak};

use common::{ErrorCode, UserId};
use crossbeam_channel::{Sender, bounded};
use parking_lot::{Mutex, RwLock};

use super::asking::{Asking, Question, Verdict};
use super::config::WebhookConfig;
use super::event::{self, About, AccountOut, DraftOut, Told};
use super::kind::EventKind;
use super::lanes::Lanes;
use super::poster::{Patience, Poster};
use super::secret::SecretError;
use super::stats::{Stats, WebhookStats};
use super::telling::{Reach, Telling};
use crate::account::User;
use crate::delivery::Delivery;
use crate::im::{ImError, now_ms};
use crate::inbox::{Audience, Event, Happening, Notice};
use crate::message::{self, Conversation, Message, To};
use crate::presence::{Platform, Presence};
use crate::storage::store::Store;

/// Questions at once.
const ASKING_LANES: usize = 16;
/// Questions that may wait; what they are about is refused as busy beyond. Each holds a message.
const QUESTIONS_MAX: usize = 8_192;
/// Events that are told at once.
const TELLING_LANES: usize = 4;

/// Why webhooks cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is no secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A thread could not be started.
    #[error("cannot start a thread of the webhooks: {0}")]
    Thread(io::Error),
}

/// The operator's webhook: asks it before messages are sent and accounts made, and tells it what
/// has happened. It exists only if there is one.
#[derive(Debug)]
pub(crate) struct Webhooks {
    config: Arc<WebhookConfig>,
    stats: Arc<Stats>,
    reach: Arc<OnceLock<Reach>>,
    farewell: Arc<OnceLock<Patience>>,
    running: RwLock<Option<Running>>,
    /// What was told last of all but messages: a channel's members and the one concerned are told
    /// of the same thing, one after the other.
    last_notice: Mutex<Option<(u64, Notice)>>,
}

#[derive(Debug)]
struct Running {
    asking: Lanes<Question>,
    telling: Lanes<Told>,
    /// Dropped when the end has come.
    open: Sender<()>,
}

impl Webhooks {
    pub(crate) fn open(config: WebhookConfig) -> Result<Self, WebhookError> {
        let secret = config.secret()?;
        let stats = Arc::new(Stats::default());
        let reach = Arc::new(OnceLock::new());
        let farewell = Arc::new(OnceLock::new());
        let poster = Arc::new(Poster::new(ASKING_LANES + TELLING_LANES, secret));
        let config = Arc::new(config);
        let asking = Asking {
            config: Arc::clone(&config),
            poster: Arc::clone(&poster),
            stats: Arc::clone(&stats),
            outage: Arc::default(),
        };
        let asks = config.events.iter().any(EventKind::is_asked);
        let lanes = if asks { ASKING_LANES } else { 1 };
        let asking = Lanes::start("webhook-ask", lanes, QUESTIONS_MAX, move |question| {
            asking.ask(question);
        });
        let (open, closed) = bounded(0);
        let telling = Telling {
            config: Arc::clone(&config),
            poster,
            stats: Arc::clone(&stats),
            outage: Arc::default(),
            reach: Arc::clone(&reach),
            open: closed,
            farewell: Arc::clone(&farewell),
        };
        let waiting_max = config.waiting_max;
        let telling = Lanes::start("webhook-tell", TELLING_LANES, waiting_max, move |told| {
            telling.tell(told);
        });
        let running = Running {
            asking: asking.map_err(WebhookError::Thread)?,
            telling: telling.map_err(WebhookError::Thread)?,
            open,
        };
        Ok(Self {
            config,
            stats,
            reach,
            farewell,
            running: RwLock::new(Some(running)),
            last_notice: Mutex::default(),
        })
    }

    /// What members of channels are looked up with.
    pub(crate) fn reach(&self, store: Weak<dyn Store>, delivery: Weak<Delivery>) {
        // Said once, when the IM is opened.
        let _ = self.reach.set(Reach { store, delivery });
    }

    /// Tells what is left, for a moment, and ends all threads.
    pub(crate) fn close(&self) {
        let Some(running) = self.running.write().take() else {
            return;
        };
        let farewell = Telling::farewell();
        // Said once: `running` is taken once.
        let _ = self.farewell.set(farewell);
        let Running {
            asking,
            telling,
            open,
        } = running;
        drop(open);
        // Whoever has asked is answered within the timeout.
        asking.finish(Patience::of(self.config.timeout));
        telling.finish(farewell);
    }

    pub(crate) fn stats(&self) -> WebhookStats {
        let running = self.running.read();
        let waiting = running.as_ref().map_or(0, |r| r.telling.waiting());
        self.stats.read(waiting)
    }

    fn wants(&self, kind: EventKind) -> bool {
        self.config.events.contains(kind)
    }

    /// Asks whether a message may be sent; gives it back as it is to be sent. Messages of one
    /// conversation come back in their order.
    pub(crate) fn before_send(
        &self,
        send: message::Send,
        then: impl FnOnce(Result<message::Send, ImError>) + Send + 'static,
    ) {
        if !self.wants(EventKind::MessageBeforeSend) {
            return then(Ok(send));
        }
        let conversation = match send.to {
            To::User(user) => Conversation::between(send.sender, user),
            To::Group(group) => Conversation::Group(group),
            To::All => Conversation::All,
        };
        let data = event::raw(&DraftOut {
            sender: send.sender.0,
            conversation,
            kind: send.kind.as_str(),
            body: &send.body,
            extra: send.extra.as_deref(),
            client_id: send.client_id.as_deref(),
        });
        let decide = move |verdict: Result<Verdict, ImError>| {
            then(verdict.map(|verdict| replaced(send, verdict)));
        };
        self.ask(
            EventKind::MessageBeforeSend,
            &conversation,
            data,
            Box::new(decide),
        );
    }

    /// Asks whether an account may be made.
    pub(crate) fn before_register(
        &self,
        name: &str,
        nickname: &str,
        then: impl FnOnce(Result<(), ImError>) + Send + 'static,
    ) {
        if !self.wants(EventKind::AccountBeforeRegister) {
            return then(Ok(()));
        }
        let data = event::raw(&AccountOut { name, nickname });
        let decide = move |verdict: Result<Verdict, ImError>| then(verdict.map(drop));
        self.ask(
            EventKind::AccountBeforeRegister,
            &name,
            data,
            Box::new(decide),
        );
    }

    fn ask(
        &self,
        kind: EventKind,
        key: &impl std::hash::Hash,
        data: Box<serde_json::value::RawValue>,
        then: Box<dyn FnOnce(Result<Verdict, ImError>) + Send>,
    ) {
        let question = Question {
            kind,
            data,
            patience: Patience::of(self.config.timeout),
            then,
        };
        let running = self.running.read();
        let refused = match running.as_ref() {
            Some(running) => running.asking.push(key, question).err(),
            None => Some(question),
        };
        drop(running);
        if let Some(question) = refused {
            let text = "the server is busy; try again";
            (question.then)(Err(ImError::new(ErrorCode::Busy, text)));
        }
    }

    fn tell(&self, key: &impl std::hash::Hash, told: Told) {
        if let Some(running) = self.running.read().as_ref() {
            let dropped = running.telling.push_over(key, told);
            if dropped > 0 {
                self.stats.dropped.add(dropped);
            }
        }
    }

    /// Something was committed.
    pub(crate) fn on_event(&self, event: &Event, presence: &Presence) {
        match &event.happening {
            Happening::Message(message) => self.on_message(message, &event.audience, presence),
            Happening::Notice(notice) => self.on_notice(notice, &event.audience, event.time_ms),
            _ => {}
        }
    }

    fn on_message(&self, message: &Message, audience: &Audience, presence: &Presence) {
        let (sent, offline) = (
            self.wants(EventKind::MessageSent),
            self.wants(EventKind::MessageOffline),
        );
        if !sent && !offline {
            return;
        }
        let conversation = message.conversation;
        let time_ms = message.time_ms;
        let message = Arc::new(message.clone());
        let tell = |kind, about| {
            let told = Told {
                kind,
                time_ms,
                about,
            };
            self.tell(&conversation, told);
        };
        if sent {
            tell(EventKind::MessageSent, About::Message(Arc::clone(&message)));
        }
        if !offline {
            return;
        }
        match audience {
            Audience::Inboxes(numbers) => {
                let sender = message.from.as_ref().map(|user| user.id);
                let users = numbers.iter().map(|(user, _)| *user);
                let away = |user: &UserId| Some(*user) != sender && !presence.is_online(*user);
                let users: Vec<UserId> = users.filter(away).collect();
                if !users.is_empty() {
                    tell(EventKind::MessageOffline, About::Offline(message, users));
                }
            }
            Audience::Channel(group) => {
                let about = About::OfflineInChannel(message, *group);
                tell(EventKind::MessageOffline, about);
            }
            // What is said to all is for those who are there.
            Audience::Users(_) | Audience::Everyone | Audience::Nobody => {}
        }
    }

    fn on_notice(&self, notice: &Notice, audience: &Audience, time_ms: u64) {
        let Some(kind) = event::kind_of(notice).filter(|kind| self.wants(*kind)) else {
            return;
        };
        let mut last = self.last_notice.lock();
        if matches!(&*last, Some((time, told)) if *time == time_ms && told == notice) {
            return;
        }
        *last = Some((time_ms, notice.clone()));
        drop(last);
        let of = match (notice, audience) {
            (Notice::FriendRemoved { .. }, Audience::Inboxes(numbers)) => {
                numbers.first().map(|(user, _)| *user)
            }
            _ => None,
        };
        let told = Told {
            kind,
            time_ms,
            about: About::Notice(notice.clone(), of),
        };
        self.tell(&event::conversation_of(notice), told);
    }

    /// A session has logged in; `only` if it is the user's first one.
    pub(crate) fn on_login(&self, user: &User, platform: Platform, only: bool) {
        self.on_session(EventKind::SessionLogin, user, platform, only);
    }

    /// A session is logged in no longer; `only` if it was the user's last one.
    pub(crate) fn on_logout(&self, user: &User, platform: Platform, only: bool) {
        self.on_session(EventKind::SessionLogout, user, platform, only);
    }

    fn on_session(&self, kind: EventKind, user: &User, platform: Platform, only: bool) {
        if self.wants(kind) {
            let told = Told {
                kind,
                time_ms: now_ms(),
                about: About::Session {
                    user: user.clone(),
                    platform,
                    only,
                },
            };
            self.tell(&user.id, told);
        }
    }
}

/// The message as it is to be sent.
fn replaced(mut send: message::Send, verdict: Verdict) -> message::Send {
    if let Verdict::Replaced(body) = verdict {
        send.body = body;
    }
    send
}
