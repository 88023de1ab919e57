//! The store of a server that keeps nothing beyond its process.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use common::{GroupId, UserId};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::{Store, StoreError};
use crate::account::User;
use crate::group::Group;
use crate::message::{Conversation, Draft, Receipt};

/// Users who can be known at once.
const USERS_MAX: usize = 4_000_000;
/// Users offline and in no group who are remembered; the one longest gone is forgotten first.
const RETIRED_MAX: usize = 100_000;
/// Groups at once.
const GROUPS_MAX: usize = 1_000_000;
/// Groups of one user.
const GROUPS_PER_USER_MAX: usize = 1000;
/// Messages with a client id that are remembered of each sender.
const CLIENT_IDS_MAX: usize = 64;
/// Locks over which the conversations are spread.
const SHARDS: usize = 16;

/// Each sender's last client ids, with the receipts that they got.
type SentByUser = FxHashMap<UserId, VecDeque<(String, Receipt)>>;

/// Everything in maps, each behind a lock that is held for a look-up. Conversations are numbered
/// but not kept.
#[derive(Debug, Default)]
pub struct MemoryStore {
    accounts: Mutex<Accounts>,
    groups: Mutex<Groups>,
    conversations: [Mutex<Counts>; SHARDS],
    sent: [Mutex<SentByUser>; SHARDS],
    messages: AtomicU64,
}

#[derive(Debug, Default)]
struct Accounts {
    last: u64,
    /// Keyed by what clients choose, so hashed with a key of its own.
    by_name: HashMap<String, UserId>,
    by_id: FxHashMap<UserId, Account>,
    /// Who went offline, in that order, with the count of retirements at that time. Who is back,
    /// or has gone again since, does not match the count in the account any more.
    retired: VecDeque<(UserId, u64)>,
    retirements: u64,
}

#[derive(Debug)]
struct Account {
    user: User,
    retired: Option<u64>,
}

/// The last seq of each conversation. Direct ones are kept with the user of the lower id and
/// forgotten with them.
#[derive(Debug, Default)]
struct Counts {
    shared: FxHashMap<Conversation, u64>,
    direct: FxHashMap<UserId, FxHashMap<UserId, u64>>,
}

impl Counts {
    fn next(&mut self, conversation: Conversation) -> u64 {
        let seq = match conversation {
            Conversation::Direct(a, b) => self.direct.entry(a).or_default().entry(b).or_insert(0),
            shared => self.shared.entry(shared).or_insert(0),
        };
        *seq += 1;
        *seq
    }
}

#[derive(Debug, Default)]
struct Groups {
    last: u64,
    by_id: BTreeMap<GroupId, Members>,
    of_user: FxHashMap<UserId, BTreeSet<GroupId>>,
}

#[derive(Debug)]
struct Members {
    name: String,
    users: BTreeSet<UserId>,
}

impl Members {
    fn group(&self, id: GroupId) -> Group {
        Group {
            id,
            name: self.name.clone(),
            members: self.users.len(),
        }
    }
}

impl MemoryStore {
    fn sent(&self, user: UserId) -> &Mutex<SentByUser> {
        &self.sent[user.0 as usize % SHARDS]
    }

    fn counts(&self, conversation: Conversation) -> &Mutex<Counts> {
        let shard = match conversation {
            Conversation::All => 0,
            Conversation::Direct(lower, _) => lower.0,
            Conversation::Group(group) => group.0,
            Conversation::System(user) => user.0,
        };
        &self.conversations[shard as usize % SHARDS]
    }

    fn forget(&self, user: UserId) {
        self.sent(user).lock().remove(&user);
        self.counts(Conversation::Direct(user, user))
            .lock()
            .direct
            .remove(&user);
    }
}

impl Accounts {
    /// Takes out whoever has been gone longest, once there are too many.
    fn expire(&mut self) -> Option<UserId> {
        if self.retired.len() <= RETIRED_MAX {
            return None;
        }
        let (user, count) = self.retired.pop_front()?;
        if self.by_id.get(&user)?.retired != Some(count) {
            return None;
        }
        let account = self.by_id.remove(&user)?;
        self.by_name.remove(&account.user.name.to_lowercase());
        Some(user)
    }
}

impl Store for MemoryStore {
    fn guest(&self, name: &str) -> Result<User, StoreError> {
        let mut accounts = self.accounts.lock();
        let key = name.to_lowercase();
        if let Some(id) = accounts.by_name.get(&key).copied()
            && let Some(account) = accounts.by_id.get_mut(&id)
        {
            account.retired = None;
            return Ok(account.user.clone());
        }
        if accounts.by_id.len() >= USERS_MAX {
            return Err(StoreError::Full);
        }
        accounts.last += 1;
        let user = User {
            id: UserId(accounts.last),
            name: name.to_owned(),
        };
        accounts.by_name.insert(key, user.id);
        accounts.by_id.insert(
            user.id,
            Account {
                user: user.clone(),
                retired: None,
            },
        );
        Ok(user)
    }

    fn user(&self, id: UserId) -> Option<User> {
        self.accounts
            .lock()
            .by_id
            .get(&id)
            .map(|account| account.user.clone())
    }

    fn retire(&self, id: UserId) {
        if self.groups.lock().of_user.contains_key(&id) {
            return;
        }
        let mut accounts = self.accounts.lock();
        accounts.retirements += 1;
        let count = accounts.retirements;
        let Some(account) = accounts.by_id.get_mut(&id) else {
            return;
        };
        account.retired = Some(count);
        accounts.retired.push_back((id, count));
        let expired = accounts.expire();
        drop(accounts);
        if let Some(expired) = expired {
            self.forget(expired);
        }
    }

    fn create_group(&self, name: &str, owner: UserId) -> Result<Group, StoreError> {
        let mut groups = self.groups.lock();
        if groups.by_id.len() >= GROUPS_MAX {
            return Err(StoreError::Full);
        }
        groups.admit(owner)?;
        groups.last += 1;
        let id = GroupId(groups.last);
        let members = Members {
            name: name.to_owned(),
            users: BTreeSet::from([owner]),
        };
        let group = members.group(id);
        groups.by_id.insert(id, members);
        groups.of_user.entry(owner).or_default().insert(id);
        Ok(group)
    }

    fn group(&self, id: GroupId) -> Option<Group> {
        self.groups
            .lock()
            .by_id
            .get(&id)
            .map(|members| members.group(id))
    }

    fn join(&self, group: GroupId, user: UserId) -> Result<(Group, bool), StoreError> {
        let mut groups = self.groups.lock();
        let members = groups.by_id.get(&group).ok_or(StoreError::NotFound)?;
        if members.users.contains(&user) {
            return Ok((members.group(group), false));
        }
        groups.admit(user)?;
        groups.of_user.entry(user).or_default().insert(group);
        let members = groups.by_id.get_mut(&group).ok_or(StoreError::NotFound)?;
        members.users.insert(user);
        Ok((members.group(group), true))
    }

    fn leave(&self, group: GroupId, user: UserId) -> Result<bool, StoreError> {
        let mut groups = self.groups.lock();
        let members = groups.by_id.get_mut(&group).ok_or(StoreError::NotFound)?;
        if !members.users.remove(&user) {
            return Ok(false);
        }
        let empty = members.users.is_empty();
        if empty {
            groups.by_id.remove(&group);
        }
        if let Some(own) = groups.of_user.get_mut(&user) {
            own.remove(&group);
            if own.is_empty() {
                groups.of_user.remove(&user);
            }
        }
        drop(groups);
        if empty {
            let conversation = Conversation::Group(group);
            self.counts(conversation)
                .lock()
                .shared
                .remove(&conversation);
        }
        Ok(true)
    }

    fn is_member(&self, group: GroupId, user: UserId) -> bool {
        let groups = self.groups.lock();
        groups
            .by_id
            .get(&group)
            .is_some_and(|members| members.users.contains(&user))
    }

    fn members(&self, group: GroupId, after: UserId, limit: usize) -> Vec<User> {
        let ids: Vec<UserId> = {
            let groups = self.groups.lock();
            let Some(members) = groups.by_id.get(&group) else {
                return Vec::new();
            };
            members
                .users
                .range(UserId(after.0.saturating_add(1))..)
                .take(limit)
                .copied()
                .collect()
        };
        let accounts = self.accounts.lock();
        ids.iter()
            .filter_map(|id| accounts.by_id.get(id).map(|account| account.user.clone()))
            .collect()
    }

    fn groups_of(&self, user: UserId) -> Vec<GroupId> {
        let groups = self.groups.lock();
        groups
            .of_user
            .get(&user)
            .map(|own| own.iter().copied().collect())
            .unwrap_or_default()
    }

    fn groups(&self, after: GroupId, limit: usize) -> (Vec<Group>, usize) {
        let groups = self.groups.lock();
        let page = groups
            .by_id
            .range(GroupId(after.0.saturating_add(1))..)
            .take(limit)
            .map(|(id, members)| members.group(*id))
            .collect();
        (page, groups.by_id.len())
    }

    fn append(
        &self,
        conversation: Conversation,
        sender: UserId,
        draft: &Draft,
        time_ms: u64,
    ) -> Result<(Receipt, bool), StoreError> {
        // Held to the end, so that two messages with one client id cannot pass each other.
        let mut sent = draft
            .client_id
            .as_ref()
            .map(|id| (id, self.sent(sender).lock()));
        if let Some((client_id, sent)) = &sent
            && let Some(sent) = sent.get(&sender)
            && let Some((_, receipt)) = sent.iter().find(|(known, _)| known == *client_id)
        {
            return Ok((*receipt, false));
        }
        let seq = self.counts(conversation).lock().next(conversation);
        let message = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        let receipt = Receipt {
            conversation,
            seq,
            message,
            time_ms,
            inbox: None,
        };
        if let Some((client_id, sent)) = &mut sent {
            let sent = sent.entry(sender).or_default();
            if sent.len() == CLIENT_IDS_MAX {
                sent.pop_front();
            }
            sent.push_back(((*client_id).clone(), receipt));
        }
        Ok((receipt, true))
    }
}

impl Groups {
    /// Whether a user may be in one more group.
    fn admit(&self, user: UserId) -> Result<(), StoreError> {
        match self.of_user.get(&user) {
            Some(own) if own.len() >= GROUPS_PER_USER_MAX => Err(StoreError::Full),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(client_id: Option<&str>) -> Draft {
        Draft {
            kind: Default::default(),
            body: "hello".to_owned(),
            client_id: client_id.map(str::to_owned),
        }
    }

    #[test]
    fn the_same_name_is_the_same_user_whatever_its_case() {
        let store = MemoryStore::default();
        let ada = store.guest("Ada").unwrap();
        assert_eq!(store.guest("ADA").unwrap(), ada);
        assert_ne!(store.guest("Bob").unwrap().id, ada.id);
    }

    #[test]
    fn seqs_are_dense_per_conversation() {
        let store = MemoryStore::default();
        let (a, b) = (UserId(1), UserId(2));
        for expected in 1..=3 {
            for conversation in [Conversation::All, Conversation::between(b, a)] {
                let (receipt, new) = store.append(conversation, a, &draft(None), 0).unwrap();
                assert_eq!((receipt.seq, new), (expected, true));
            }
        }
    }

    #[test]
    fn a_client_id_that_was_used_gives_the_first_receipt() {
        let store = MemoryStore::default();
        let append = |sender, id: &str| {
            store
                .append(Conversation::All, UserId(sender), &draft(Some(id)), 0)
                .unwrap()
        };
        let (first, _) = append(1, "x");
        assert_eq!(append(1, "x"), (first, false));
        assert!(append(2, "x").1, "another sender's");
        for other in 0..CLIENT_IDS_MAX {
            append(1, &other.to_string());
        }
        assert!(append(1, "x").1, "remembered for the last 64 only");
    }

    #[test]
    fn those_longest_gone_are_forgotten_and_nobody_else() {
        let store = MemoryStore::default();
        let ada = store.guest("Ada").unwrap().id;
        let bob = store.guest("Bob").unwrap().id;
        let eve = store.guest("Eve").unwrap().id;
        store.create_group("Rust", eve).unwrap();
        for user in [ada, bob, eve] {
            store.retire(user);
        }
        store.guest("Bob").unwrap();
        for other in 0..RETIRED_MAX {
            store.retire(store.guest(&format!("guest {other}")).unwrap().id);
        }
        assert_eq!(store.user(ada), None);
        assert!(store.user(bob).is_some(), "back again");
        assert!(store.user(eve).is_some(), "a member of a group");
        assert_ne!(store.guest("Ada").unwrap().id, ada);
    }

    #[test]
    fn a_group_without_members_is_gone() {
        let store = MemoryStore::default();
        let group = store.create_group("Rust", UserId(1)).unwrap();
        assert_eq!(store.join(group.id, UserId(2)).unwrap().0.members, 2);
        assert!(
            !store.join(group.id, UserId(2)).unwrap().1,
            "a member already"
        );
        assert!(store.leave(group.id, UserId(1)).unwrap());
        assert!(!store.leave(group.id, UserId(1)).unwrap());
        assert!(store.leave(group.id, UserId(2)).unwrap());
        assert_eq!(store.group(group.id), None);
        assert_eq!(store.join(group.id, UserId(1)), Err(StoreError::NotFound));
    }
}
