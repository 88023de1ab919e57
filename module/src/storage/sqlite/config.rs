//! What the store is told before it is opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::im::now_ms;

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In files in this directory, which is made if there is none.
    Directory(PathBuf),
    /// In memory: the same code, and nothing is left when the process ends.
    Memory,
}

/// Tells the time of day, in milliseconds since 1970.
pub type TimeOfDay = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What the store is told before it is opened.
#[derive(Clone)]
pub struct StoreConfig {
    /// Where.
    pub location: Location,
    /// Writes that may wait; those beyond are refused as busy.
    pub writes_waiting_max: usize,
    /// Reads that may wait; those beyond are refused as busy.
    pub reads_waiting_max: usize,
    /// Threads that read.
    pub readers: usize,
    /// Look for damage in the whole file before anything is served. Takes about a second for each
    /// gigabyte.
    pub check: bool,
    /// Pages of 4 KiB that the database may take, for tests of a full disk.
    pub pages_max: Option<u32>,
    /// What may be done.
    pub rules: Rules,
    /// How long what is kept.
    pub retention: Retention,
    /// Where the time comes from.
    pub time: TimeOfDay,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            location: Location::Memory,
            writes_waiting_max: 65_536,
            reads_waiting_max: 16_384,
            readers: 2,
            check: true,
            pages_max: None,
            rules: Rules::default(),
            retention: Retention::default(),
            time: Arc::new(now_ms),
        }
    }
}

impl std::fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreConfig")
            .field("location", &self.location)
            .field("rules", &self.rules)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}

/// What users may do, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Members up to which a group's messages are entered in every member's inbox; a group that
    /// grows beyond is a channel from then on.
    pub fanout_limit: usize,
    /// How long a sender may recall a message.
    pub recall_window: Duration,
    /// Direct messages are for friends only.
    pub friends_only: bool,
    /// Users, in all.
    pub users_max: u64,
    /// Groups, in all.
    pub groups_max: u64,
    /// Groups that one user may be in.
    pub groups_per_user_max: u64,
    /// Members of one group.
    pub members_max: usize,
    /// Friends, blocked users and waiting requests of one user, each.
    pub friends_max: u64,
    /// Sessions of one user, if the policy sets no bound of its own.
    pub sessions_per_user_max: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            fanout_limit: 500,
            recall_window: Duration::from_secs(120),
            friends_only: false,
            users_max: 10_000_000,
            groups_max: 1_000_000,
            groups_per_user_max: 1_000,
            members_max: 200_000,
            friends_max: 5_000,
            sessions_per_user_max: 32,
        }
    }
}

/// How long what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Entries of inboxes; a device that was away for longer is told to load everything anew.
    pub inbox: Duration,
    /// Messages; none for ever.
    pub messages: Option<Duration>,
    /// Attachments that no message names, or none any more.
    pub attachments: Duration,
    /// How often what is too old is looked for.
    pub interval: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            inbox: Duration::from_secs(14 * 24 * 3600),
            messages: None,
            attachments: Duration::from_secs(24 * 3600),
            interval: Duration::from_secs(600),
        }
    }
}
