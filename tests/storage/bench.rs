//! A store on the bench: time that stands still until it is moved, and events that are looked at.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{GroupId, UserId};
use module::account::Register;
use module::group::{CreateGroup, Join, Joined, Joining};
use module::inbox::{Content, Entry, Event, Notice, Sync, SyncPage};
use module::message::{Conversation, Direction, History, HistoryPage, Kind, Receipt, Send, To};
use module::storage::refusal::Refusal;
use module::storage::sqlite::{Location, Rules, SqliteStore, StoreConfig};
use module::storage::store::Store;

/// When the bench begins, in milliseconds since 1970.
pub(crate) const BEGIN_MS: u64 = 1_700_000_000_000;

/// How long an event may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The store under test.
pub(crate) struct Bench {
    store: Box<dyn Store>,
    events: Receiver<Event>,
    clock: Arc<AtomicU64>,
}

impl Deref for Bench {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

impl Bench {
    /// A store in memory with the usual rules.
    pub(crate) fn new() -> Self {
        Self::with_rules(Rules::default())
    }

    /// A store in memory with rules of its own.
    pub(crate) fn with_rules(rules: Rules) -> Self {
        Self::open(StoreConfig {
            rules,
            ..StoreConfig::default()
        })
    }

    /// A store in a directory.
    pub(crate) fn in_directory(directory: &std::path::Path) -> Self {
        Self::open(StoreConfig {
            location: Location::Directory(directory.to_owned()),
            ..StoreConfig::default()
        })
    }

    /// Any store.
    pub(crate) fn open(config: StoreConfig) -> Self {
        let clock = Arc::new(AtomicU64::new(BEGIN_MS));
        let time = Arc::clone(&clock);
        let (sender, events) = channel();
        let config = StoreConfig {
            time: Arc::new(move || time.load(Ordering::Relaxed)),
            ..config
        };
        let store = SqliteStore::open(config, move |event| {
            // Nobody looks at them once the bench is gone.
            let _ = sender.send(event);
        });
        Self {
            store: Box::new(store.expect("the store opens")),
            events,
            clock,
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock
            .fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn event(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event comes")
    }

    /// A new user of this name.
    #[track_caller]
    pub(crate) fn user(&self, name: &str) -> UserId {
        let register = Register {
            name: name.to_owned(),
            nickname: name.to_owned(),
            password: format!("hash of {name}'s password"),
        };
        self.change_now(register).expect("the name is free").id
    }

    /// A new group, with these members after its owner.
    #[track_caller]
    pub(crate) fn group(&self, owner: UserId, members: &[UserId]) -> GroupId {
        let create = CreateGroup {
            owner,
            name: "Rust".to_owned(),
            members: members.to_vec(),
            joining: Joining::Open,
            origin: None,
        };
        self.change_now(create).expect("the group is made").id
    }

    /// Has a user join a group.
    pub(crate) fn join(&self, user: UserId, group: GroupId) -> Result<Joined, Refusal> {
        self.change_now(Join {
            user,
            group,
            text: "let me in".to_owned(),
            origin: None,
        })
    }

    /// Sends a text.
    pub(crate) fn send(&self, sender: UserId, to: To, body: &str) -> Result<Receipt, Refusal> {
        self.change_now(text(sender, to, body))
    }

    /// What a user finds in their inbox after a number.
    #[track_caller]
    pub(crate) fn sync(&self, user: UserId, after: u64) -> SyncPage {
        let sync = Sync {
            user,
            after,
            limit: 1_000,
        };
        self.look_up_now(sync).expect("the user is known")
    }

    /// The notices that a user finds in their inbox.
    #[track_caller]
    pub(crate) fn notices(&self, user: UserId) -> Vec<Notice> {
        let entries = self.sync(user, 0).entries.into_iter();
        entries.filter_map(notice).collect()
    }

    /// The last messages of a conversation that a user sees.
    pub(crate) fn history(
        &self,
        user: UserId,
        conversation: Conversation,
    ) -> Result<HistoryPage, Refusal> {
        self.look_up_now(History {
            user,
            conversation,
            direction: Direction::Before(None),
            limit: 100,
        })
    }

    /// The bodies of the last messages of a conversation that a user sees.
    #[track_caller]
    pub(crate) fn bodies(&self, user: UserId, conversation: Conversation) -> Vec<String> {
        let page = self.history(user, conversation).expect("it is theirs");
        page.messages
            .into_iter()
            .map(|message| message.body)
            .collect()
    }
}

/// A text that is to be sent.
pub(crate) fn text(sender: UserId, to: To, body: &str) -> Send {
    Send {
        sender,
        to,
        kind: Kind::Text,
        body: body.to_owned(),
        extra: None,
        client_id: None,
        mentions: Vec::new(),
        origin: None,
    }
}

fn notice(entry: Entry) -> Option<Notice> {
    match entry.content {
        Content::Notice(notice) => Some(notice),
        Content::Message(_) => None,
    }
}
