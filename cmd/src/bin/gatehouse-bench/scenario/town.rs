//! What the load threads must know of each other's users: ids that the server gave, and how many
//! messages it took for which group.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The users of a run, in pairs and in groups: user 2n writes to user 2n + 1, and user u is in group
/// u mod G.
#[derive(Debug)]
pub(super) struct Town {
    /// By number of the user; zero while not logged in.
    users: Vec<AtomicU64>,
    groups: Vec<Group>,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    id: AtomicU64,
    members: AtomicU64,
    accepted: AtomicU64,
}

impl Group {
    /// Zero before it is made.
    pub(super) fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    pub(super) fn set_id(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
    }

    pub(super) fn add_member(&self) {
        self.members.fetch_add(1, Ordering::Relaxed);
    }

    /// The server has taken a message for it.
    pub(super) fn add_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }
}

impl Town {
    pub(super) fn new(users: u32, groups: u32) -> Arc<Self> {
        Arc::new(Self {
            users: (0..users).map(|_| AtomicU64::new(0)).collect(),
            groups: (0..groups).map(|_| Group::default()).collect(),
        })
    }

    /// The id of a user; zero while it is not known.
    pub(super) fn user(&self, number: u32) -> u64 {
        let user = self.users.get(number as usize);
        user.map_or(0, |id| id.load(Ordering::Relaxed))
    }

    /// The one whom a user writes to.
    pub(super) const fn partner(number: u32) -> u32 {
        number ^ 1
    }

    pub(super) fn set_user(&self, number: u32, id: u64) {
        self.users[number as usize].store(id, Ordering::Relaxed);
    }

    /// The group that a user is in.
    pub(super) fn group(&self, number: u32) -> Option<&Group> {
        let groups = self.groups.len();
        (groups > 0).then(|| &self.groups[number as usize % groups])
    }

    pub(super) fn groups(&self) -> u32 {
        self.groups.len() as u32
    }

    pub(super) fn has_groups(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Users who have joined their group.
    pub(super) fn members(&self) -> u64 {
        let members = |group: &Group| group.members.load(Ordering::Relaxed);
        self.groups.iter().map(members).sum()
    }

    /// Messages that were taken for groups.
    pub(super) fn group_accepted(&self) -> u64 {
        let accepted = |group: &Group| group.accepted.load(Ordering::Relaxed);
        self.groups.iter().map(accepted).sum()
    }

    /// Pushes that the group messages taken so far lead to: one for each other member.
    pub(super) fn group_pushes(&self) -> u64 {
        let pushes = |group: &Group| {
            let members = group.members.load(Ordering::Relaxed);
            group.accepted.load(Ordering::Relaxed) * members.saturating_sub(1)
        };
        self.groups.iter().map(pushes).sum()
    }
}
